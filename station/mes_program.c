#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "mes.h"
#include "proc.h"

#define EX_DATAERR 65	/* sysexits.h: the input data was wrong */

extern char **environ;

/* What it is told besides the record: HANDSEL_RECORD_ID. The list is freed by the caller, the strings in it are not. */
static char **environment(char *id)
{
	size_t n = 0;
	char **list;

	while (environ[n])
		n++;
	list = mem_new(n + 2, sizeof *list);
	memcpy(list, environ, n * sizeof *list);
	list[n] = id;
	return list;
}

/* Its own process group, so that what it starts in turn ends with it. */
static int start(const struct mes *m, const char *id, const char *path, int out, pid_t *pid)
{
	char *variable = mem_fmt("HANDSEL_RECORD_ID=%s", id), **env = environment(variable);
	char *argv[MES_ARGS_MAX + 1] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, pipe_only;
	int rc;

	for (size_t i = 0; i < m->n_program; i++)
		argv[i] = mem_str(m->program[i]);
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, path, O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe_only);
	rc = posix_spawnp(pid, m->program[0], &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	for (size_t i = 0; i < m->n_program; i++)
		free(argv[i]);
	free(env);
	free(variable);
	return rc;
}

/* Until it has ended; it stays to be waited for. -1: the time is over. */
static int await_end(pid_t pid, int64_t deadline)
{
	const struct timespec nap = { .tv_nsec = 2000000 };
	siginfo_t info = {0};

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid != pid) {
		if (clock_mono_ms() >= deadline)
			return -1;
		nanosleep(&nap, NULL);
	}
	return 0;
}

/* The first line that it prints; returns 0 when it has closed its output, -1 when the time is over. */
static int listen_to(int fd, char *line, size_t size, int64_t deadline)
{
	size_t n = 0;
	char block[512];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_mono_ms();
		ssize_t got;

		if (left <= 0)
			return -1;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		got = read(fd, block, sizeof block);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got && n < size - 1; i++)
			line[n++] = block[i];
		line[n] = 0;
	}
	line[strcspn(line, "\n")] = 0;
	for (char *c = line; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	return 0;
}

enum mes_answer mes_run(const struct mes *m, const char *id, const char *path, struct err *e)
{
	int64_t deadline = clock_mono_ms() + MES_TIMEOUT_MS;
	char line[200] = "";
	int out[2], code;
	bool late;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0) {
		err_errno(e, REASON_INTERNAL, "cannot start %s", m->program[0]);
		return MES_AWAY;
	}
	code = start(m, id, path, out[1], &pid);
	close(out[1]);
	if (code) {
		close(out[0]);
		err_set(e, REASON_CONFIG, "cannot start %s: %s", m->program[0], strerror(code));
		return MES_AWAY;
	}
	late = listen_to(out[0], line, sizeof line, deadline) < 0 || await_end(pid, deadline) < 0;
	close(out[0]);
	if (late)
		kill(-pid, SIGKILL);
	code = proc_wait(pid, 1000);
	if (code == 0)
		return MES_TAKEN;
	if (late)
		err_set(e, REASON_UNREACHABLE, "%s was not done in %d s", m->program[0], MES_TIMEOUT_MS / 1000);
	else
		err_set(e, REASON_REQUEST, "%s ended with %d%s%s", m->program[0], code, line[0] ? ": " : "", line);
	return code == EX_DATAERR ? MES_REFUSED : MES_LATER;
}
