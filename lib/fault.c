#include <config.h>

#include "fault.h"

#ifdef ENABLE_FAULT_INJECTION
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long passed, armed = -1;		/* how often since which fault of the list was next */

static int open_file(const char *variable, int flags)
{
	const char *path = getenv(variable);
	int fd = path ? open(path, flags | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (path && fd < 0)
		abort();	/* a fault that is not proven is worth nothing */
	return fd;
}

static void note(int fd, const char *line)
{
	if (fd >= 0 && write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		abort();
}

static void list(const char *name)
{
	int fd = open_file("HANDSEL_FAULT_LIST", O_WRONLY);
	char line[160];

	snprintf(line, sizeof line, "%s %ld\n", name, (long)getpid());
	note(fd, line);
	if (fd >= 0)
		close(fd);
}

static void note_fired(const char *line)
{
	int fd = open_file("HANDSEL_FAULT_FIRED", O_WRONLY);

	note(fd, line);
	if (fd >= 0)
		close(fd);
}

/* Each line of the log is a fault that has happened. */
static long count_lines(int fd)
{
	char part[4096];
	long lines = 0;
	ssize_t n;

	while ((n = read(fd, part, sizeof part)) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += part[i] == '\n';
	return lines;
}

/* The fault of the list that comes next is this point: *n is its number of passings. */
static int is_next(const char *wanted, long index, const char *name, long *n)
{
	size_t len = strlen(name);

	for (; index > 0 && wanted; index--) {
		wanted = strchr(wanted, ',');
		wanted += wanted != NULL;
	}
	if (!wanted || strncmp(wanted, name, len) != 0 || (wanted[len] && !strchr(":,", wanted[len])))
		return 0;
	*n = wanted[len] == ':' ? atol(wanted + len + 1) : 1;
	return 1;
}

/* The log is locked from the look to the note: of several processes that share it one alone meets each fault. */
static int is_due(const char *name)
{
	const char *wanted = getenv("HANDSEL_FAULT");
	int fd, due = 0;
	long next, n;
	char line[160];

	list(name);
	if (!wanted)
		return 0;
	pthread_mutex_lock(&lock);
	fd = open_file("HANDSEL_FAULT_LOG", O_RDWR);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0)
		abort();
	next = fd >= 0 ? count_lines(fd) : 0;
	if (next != armed)
		passed = 0;
	armed = next;
	if (is_next(wanted, next, name, &n) && ++passed == n) {
		snprintf(line, sizeof line, "%s:%ld\n", name, n);
		note(fd, line);
		note_fired(line);
		due = 1;
	}
	if (fd >= 0)
		close(fd);
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
