#include <config.h>

#include "fault.h"

#ifdef ENABLE_FAULT_INJECTION
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long passed;

static void note(const char *variable, const char *name)
{
	const char *path = getenv(variable);
	char line[128];
	int fd, n;

	if (!path)
		return;
	n = snprintf(line, sizeof line, "%s\n", name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();	/* a fault that is not proven is worth nothing */
	close(fd);
}

/* A process that is started again with the same environment must get past the point. */
static int has_fired(const char *name)
{
	const char *path = getenv("HANDSEL_FAULT_LOG");
	FILE *f = path ? fopen(path, "re") : NULL;
	char line[128];
	int found = 0;

	while (f && !found && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		found = strcmp(line, name) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

static int is_due(const char *name)
{
	const char *wanted = getenv("HANDSEL_FAULT"), *colon;
	size_t n;
	char pass[160];
	int due = 0;

	snprintf(pass, sizeof pass, "%s %ld", name, (long)getpid());
	note("HANDSEL_FAULT_LIST", pass);
	if (!wanted)
		return 0;
	colon = strchr(wanted, ':');
	n = colon ? (size_t)(colon - wanted) : strlen(wanted);
	if (strlen(name) != n || strncmp(name, wanted, n) != 0)
		return 0;
	pthread_mutex_lock(&lock);
	due = ++passed == (colon ? atol(colon + 1) : 1) && !has_fired(name);
	if (due)
		note("HANDSEL_FAULT_LOG", name);
	pthread_mutex_unlock(&lock);
	return due;
}

void fault_point(const char *name)
{
	if (is_due(name))
		raise(SIGKILL);
}

int fault_lose(const char *name)
{
	return is_due(name);
}
#else
typedef int fault_nothing_to_build;
#endif
