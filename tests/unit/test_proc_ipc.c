/* Children are this program itself, started with a mode as its argument. */
#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "clock.h"
#include "ipc.h"
#include "limits.h"
#include "pack.h"
#include "proc.h"
#include "service.h"
#include "unit.h"

#define SELF "test_proc_ipc"

/* ---- what the children do ------------------------------------------------------- */

static int child_echo(void)
{
	struct buf b = {0};
	uint32_t type;
	struct err e;
	int rc;

	while ((rc = ipc_recv(3, &type, &b, &e)) == 1)
		if (ipc_send(3, type + 1, &b, &e) < 0)
			return 1;
	buf_free(&b);
	return rc == 0 ? 7 : 1;
}

/* Sends the open descriptors and the blocked signals. */
static int child_look(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct buf b = {0};
	struct dirent *d;
	struct err e;
	sigset_t set;
	int rc;

	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && atoi(d->d_name) != dirfd(dir))
			buf_fmt(&b, "%s ", d->d_name);
	closedir(dir);
	sigprocmask(SIG_SETMASK, NULL, &set);
	buf_fmt(&b, "blocked %d", sigismember(&set, SIGTERM));
	rc = ipc_send(3, 1, &b, &e);
	buf_free(&b);
	return rc < 0;
}

static _Noreturn void child_hang(void)
{
	struct buf b = {0};
	struct err e;

	signal(SIGTERM, SIG_IGN);
	ipc_send(3, 1, &b, &e);
	for (;;)
		pause();
}

static int child(const char *mode)
{
	if (strcmp(mode, "echo") == 0)
		return child_echo();
	if (strcmp(mode, "look") == 0)
		return child_look();
	if (strcmp(mode, "hang") == 0)
		child_hang();
	return 99;
}

static int start(const char *mode, pid_t *pid)
{
	const char *argv[] = { SELF, mode, NULL };
	struct err e = {0};
	int fd = proc_spawn(argv, pid, &e);

	if (fd < 0)
		printf("\n  %s\n", e.text);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

/* ---- tests ------------------------------------------------------------------------ */

static void test_spawn(void)
{
	struct buf b = {0};
	uint32_t type = 0;
	struct err e;
	pid_t pid;
	int fd = start("echo", &pid);

	buf_str(&b, "hello");
	CU_ASSERT_EQUAL(ipc_send(fd, 41, &b, &e), 0);
	CU_ASSERT_EQUAL(ipc_recv(fd, &type, &b, &e), 1);
	CU_ASSERT_EQUAL(type, 42);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "hello");
	buf_clear(&b);
	CU_ASSERT_EQUAL(ipc_send(fd, UINT32_MAX, &b, &e), 0);	/* an empty message is one, too */
	CU_ASSERT_EQUAL(ipc_recv(fd, &type, &b, &e), 1);
	CU_ASSERT_EQUAL(type, 0);
	CU_ASSERT_EQUAL(b.len, 0);
	close(fd);
	CU_ASSERT_EQUAL(proc_wait(pid, 5000), 7);
	buf_free(&b);
}

static void test_clean_child(void)
{
	int extra = open("/dev/null", O_RDONLY);	/* without O_CLOEXEC */
	struct buf b = {0};
	uint32_t type;
	struct err e;
	pid_t pid;
	int fd;

	proc_signals_block();
	fd = start("look", &pid);
	CU_ASSERT(extra >= 3);
	CU_ASSERT_EQUAL(ipc_recv(fd, &type, &b, &e), 1);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "0 1 2 3 blocked 0");
	CU_ASSERT_EQUAL(ipc_recv(fd, &type, &b, &e), 0);
	CU_ASSERT_EQUAL(proc_wait(pid, 5000), 0);
	close(fd);
	close(extra);
	buf_free(&b);
}

static void test_hanging_child(void)
{
	struct buf b = {0};
	uint32_t type;
	struct err e;
	pid_t pid;
	int fd = start("hang", &pid);

	CU_ASSERT_EQUAL(ipc_recv(fd, &type, &b, &e), 1);
	kill(pid, SIGTERM);
	CU_ASSERT_EQUAL(proc_wait(pid, 30), 128 + SIGKILL);
	CU_ASSERT_EQUAL(ipc_recv(fd, &type, &b, &e), 0);
	close(fd);
	buf_free(&b);
}

static void test_no_program(void)
{
	const char *argv[] = { "handsel-no-such-program", NULL };
	struct err e;
	pid_t pid;
	char *path;

	CU_ASSERT_EQUAL(proc_spawn(argv, &pid, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "handsel-no-such-program: No such file"));
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);	/* no zombie is left */
	path = proc_sibling(SELF);
	CU_ASSERT_EQUAL(path[0], '/');
	free(path);
	path = proc_sibling("sh");
	CU_ASSERT_STRING_EQUAL(path, "sh");
	free(path);
}

static void test_path_search(void)
{
	const char *argv[] = { "sh", "-c", "exit 5", NULL };
	struct err e;
	pid_t pid;
	int fd = proc_spawn(argv, &pid, &e);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(proc_wait(pid, 5000), 5);
	close(fd);
}

/* Bytes as a peer that is taken over could send them, then the end. */
static int receive_bytes(const void *bytes, size_t len, struct err *e)
{
	struct buf b = {0};
	uint32_t type;
	int pair[2], rc;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL(send(pair[0], bytes, len, 0), (ssize_t)len);
	close(pair[0]);
	rc = ipc_recv(pair[1], &type, &b, e);
	close(pair[1]);
	buf_free(&b);
	return rc;
}

static void test_bad_frames(void)
{
	static const uint8_t good[] = { 0, 0, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c' };
	struct buf head = {0}, b = {0};
	struct err e;
	int pair[2];

	CU_ASSERT_EQUAL(receive_bytes(good, 0, &e), 0);
	for (size_t cut = 1; cut < sizeof good; cut++) {
		CU_ASSERT_EQUAL(receive_bytes(good, cut, &e), -1);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "ended within"));
	}
	CU_ASSERT_EQUAL(receive_bytes(good, sizeof good, &e), 1);
	pack_u32(&head, 1);
	pack_u32(&head, LIMIT_IPC + 1);
	CU_ASSERT_EQUAL(receive_bytes(head.data, head.len, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "too long"));
	buf_room(&b, LIMIT_IPC + 1);
	b.len = LIMIT_IPC + 1;
	CU_ASSERT_EQUAL(ipc_send(0, 1, &b, &e), -1);
	buf_clear(&b);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	CU_ASSERT_EQUAL(ipc_send(pair[0], 1, &b, &e), -1);	/* an error, no SIGPIPE */
	CU_ASSERT_EQUAL(e.code, REASON_CA_UNAVAILABLE);
	close(pair[0]);
	buf_free(&head);
	buf_free(&b);
}

static void *send_big(void *arg)
{
	struct buf b = {0};
	struct err e;

	memset(buf_room(&b, LIMIT_IPC), 'z', LIMIT_IPC);
	b.len = LIMIT_IPC;
	ipc_send(*(int *)arg, 9, &b, &e);
	buf_free(&b);
	return NULL;
}

/* More than a socket holds at once. */
static void test_big_frame(void)
{
	struct buf b = {0};
	uint32_t type;
	struct err e;
	pthread_t thread;
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, send_big, &pair[0]), 0);
	CU_ASSERT_EQUAL(ipc_recv(pair[1], &type, &b, &e), 1);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(b.len, LIMIT_IPC);
	CU_ASSERT(b.len && b.data[0] == 'z' && b.data[b.len - 1] == 'z');
	close(pair[0]);
	close(pair[1]);
	buf_free(&b);
}

static void test_signals(void)
{
	int64_t begin = clock_mono_ms();
	int fds[2];

	proc_signals_block();
	CU_ASSERT_EQUAL(proc_signals_wait(-1, 0), 0);
	CU_ASSERT_EQUAL(proc_signals_wait(-1, 20), 0);
	CU_ASSERT(clock_mono_ms() - begin >= 20);
	kill(getpid(), SIGHUP);
	CU_ASSERT_EQUAL(proc_signals_wait(-1, -1), SIGHUP);
	CU_ASSERT_EQUAL(proc_signals_wait(-1, 0), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
	CU_ASSERT_EQUAL(proc_signals_wait(fds[0], -1), 0);
	kill(getpid(), SIGTERM);
	CU_ASSERT_EQUAL(proc_signals_wait(fds[0], -1), SIGTERM);	/* the signal goes first */
	close(fds[0]);
	CU_ASSERT_EQUAL(write(fds[1], "x", 1), -1);			/* no SIGPIPE */
	close(fds[1]);
}

static void notified(struct sockaddr_un *at, socklen_t len, const char *name)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[64] = "";

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)at, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	service_notify("READY=1");
	CU_ASSERT_EQUAL(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 7);
	CU_ASSERT_STRING_EQUAL(text, "READY=1");
	close(fd);
}

static void test_notify(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char name[64];
	int n;

	unsetenv("NOTIFY_SOCKET");
	service_notify("READY=1");		/* nobody is told, nothing breaks */
	n = snprintf(name, sizeof name, "@handsel-unit-%d", (int)getpid());
	memcpy(at.sun_path + 1, name + 1, (size_t)n - 1);
	notified(&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n), name);
	CU_ASSERT_EQUAL_FATAL(chdir(unit_folder()), 0);		/* a socket's path is short, a folder's may not be */
	snprintf(at.sun_path, sizeof at.sun_path, "notify");
	notified(&at, sizeof at, at.sun_path);
	unsetenv("NOTIFY_SOCKET");
}

static void test_harden(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit r;

		proc_harden();
#ifndef __SANITIZE_ADDRESS__
		if (prctl(PR_GET_DUMPABLE) != 0)
			_exit(1);
#endif
		_exit(getrlimit(RLIMIT_CORE, &r) != 0 || r.rlim_max != 0);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		{ "spawn", test_spawn },
		{ "clean child", test_clean_child },
		{ "hanging child", test_hanging_child },
		{ "no program", test_no_program },
		{ "PATH", test_path_search },
		{ "bad frames", test_bad_frames },
		{ "big frame", test_big_frame },
		{ "signals", test_signals },
		{ "notify", test_notify },
		{ "harden", test_harden },
	};

	if (argc == 2)
		return child(argv[1]);
	return unit_run("proc and ipc", tests, sizeof tests / sizeof tests[0]);
}
