#include <config.h>

#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "mem.h"

#define CHILD_SOCKET 3
#define CHILD_REPORT 4		/* closed by a successful exec */

/* ---- children -------------------------------------------------------------------- */

char *proc_sibling(const char *name)
{
	char self[FILE_PATH], *path;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0)
		return mem_str(name);
	self[n] = 0;
	path = mem_fmt("%s/%s", dirname(self), name);
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return mem_str(name);
}

/* After fork() of a process with threads: nothing here may allocate or take a lock. */
static _Noreturn void become(const char *path, const char *const argv[], int sock, int report)
{
	union {
		const char *const *given;
		char *const *wanted;	/* execvp() changes nothing, whatever its prototype says */
	} args = { .given = argv };
	sigset_t none;
	int code;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* First out of the way of 3 and 4, then there. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, CHILD_REPORT + 1);
	report = fcntl(report, F_DUPFD_CLOEXEC, CHILD_REPORT + 1);
	if (dup2(sock, CHILD_SOCKET) >= 0 && dup3(report, CHILD_REPORT, O_CLOEXEC) >= 0) {
		if (close_range(CHILD_REPORT + 1, ~0U, 0) == 0)
			execvp(path, args.wanted);
	}
	code = errno;
	if (write(CHILD_REPORT, &code, sizeof code) < 0)
		_exit(126);
	_exit(127);
}

/* errno of the child's exec, 0 if it succeeded. */
static int exec_result(int report)
{
	int code = 0;
	ssize_t n;

	do
		n = read(report, &code, sizeof code);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof code ? code : 0;
}

int proc_spawn(const char *const argv[], pid_t *pid, struct err *e)
{
	int sock[2], report[2], code;
	char *path = NULL;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return err_errno(e, REASON_INTERNAL, "cannot start %s", argv[0]);
	if (pipe2(report, O_CLOEXEC) < 0) {
		err_errno(e, REASON_INTERNAL, "cannot start %s", argv[0]);
		goto close_sock;
	}
	path = proc_sibling(argv[0]);
	*pid = fork();
	if (*pid == 0)
		become(path, argv, sock[1], report[1]);
	close(report[1]);
	if (*pid < 0) {
		err_errno(e, REASON_INTERNAL, "cannot start %s", argv[0]);
		close(report[0]);
		goto close_sock;
	}
	code = exec_result(report[0]);
	close(report[0]);
	if (code) {
		waitpid(*pid, NULL, 0);
		err_set(e, REASON_CONFIG, "cannot start %s: %s; it must stand beside this program or in PATH", argv[0],
			strerror(code));
		goto close_sock;
	}
	free(path);
	close(sock[1]);
	return sock[0];
close_sock:
	free(path);
	close(sock[0]);
	close(sock[1]);
	return -1;
}

static int exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int proc_wait(pid_t pid, int timeout_ms)
{
	int64_t end = clock_mono_ms() + timeout_ms;
	const struct timespec nap = { .tv_nsec = 2000000 };
	int status;

	while (clock_mono_ms() < end) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return exit_code(status);
		nanosleep(&nap, NULL);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;	/* not our child */
	return exit_code(status);
}

int proc_run(const char *const argv[], int timeout_ms, struct err *e)
{
	pid_t pid;
	int fd = proc_spawn(argv, &pid, e), status;

	if (fd < 0)
		return -1;
	status = proc_wait(pid, timeout_ms);
	close(fd);
	return status;
}

/* ---- this process ------------------------------------------------------------------ */

void proc_harden(void)
{
	const struct rlimit none = {0};

	setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__	/* its leak check traces the process at the end */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

static void daemon_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

void proc_signals_block(void)
{
	sigset_t set;

	daemon_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int left_ms(int64_t end)
{
	int64_t left = end - clock_mono_ms();

	return left > 0 ? (int)left : 0;
}

int proc_signals_wait(int fd, int timeout_ms)
{
	int64_t end = clock_mono_ms() + timeout_ms;
	struct pollfd wait[2] = { { .events = POLLIN }, { .fd = fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	int rc, number = 0;
	sigset_t set;

	daemon_signals(&set);
	wait[0].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (wait[0].fd < 0)
		abort();	/* no descriptors: a daemon that cannot be stopped must not run */
	do
		rc = poll(wait, 2, timeout_ms < 0 ? -1 : left_ms(end));
	while (rc < 0 && errno == EINTR);
	if (rc > 0 && (wait[0].revents & POLLIN) && read(wait[0].fd, &info, sizeof info) == (ssize_t)sizeof info)
		number = (int)info.ssi_signo;
	close(wait[0].fd);
	return number;
}
