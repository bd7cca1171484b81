/* A secret typed at a terminal: a real one (a pty), whose other side is read here. */
#include <config.h>

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "mem.h"
#include "secret.h"
#include "unit.h"

#define WAIT_MS 10000	/* a busy machine */

static struct session {
	int tty;		/* our end */
	pid_t pid;
	char seen[4096];	/* all that the terminal has shown */
	size_t n;
} s;

/* Exit status: 10 found what was expected, 20 + code's last digit for an error, 0 nobody to ask. */
static void child(const char *expected, bool twice, bool blocked)
{
	const struct secret_source from = { .ask = "passphrase of the CA's keys", .twice = twice };
	struct secret *secret;
	struct err e = {0};
	sigset_t set;
	int rc;

	signal(SIGINT, SIG_DFL);	/* whoever started the tests in the background had it ignored */
	sigfillset(&set);
	if (blocked)
		sigprocmask(SIG_BLOCK, &set, NULL);	/* as daemons have them */
	rc = secret_get(&secret, &from, &e);
	if (rc == 1 && strcmp(secret_text(secret), expected) == 0)
		rc = 10;
	if (rc < 0)
		dprintf(STDOUT_FILENO, "[%s]", e.text);
	secret_free(secret);
	sigpending(&set);
	_exit(rc < 0 ? (blocked && sigismember(&set, SIGINT) ? 30 : 20) : rc);
}

static void begin(const char *expected, bool twice, bool blocked)
{
	s = (struct session){0};
	s.pid = forkpty(&s.tty, NULL, NULL, NULL);
	CU_ASSERT_FATAL(s.pid >= 0);
	if (s.pid == 0)
		child(expected, twice, blocked);
}

/* Until the terminal shows this. */
static bool shows(const char *text)
{
	struct pollfd p = { .fd = s.tty, .events = POLLIN };
	ssize_t n;

	while (!strstr(s.seen, text)) {
		if (poll(&p, 1, WAIT_MS) <= 0 || s.n + 1 == sizeof s.seen)
			return false;
		n = read(s.tty, s.seen + s.n, sizeof s.seen - 1 - s.n);
		if (n <= 0)
			return false;
		s.n += (size_t)n;
	}
	return true;
}

static bool echoes(void)
{
	struct termios t;

	return tcgetattr(s.tty, &t) == 0 && (t.c_lflag & ECHO);
}

static void type(const char *text)
{
	CU_ASSERT_EQUAL(write(s.tty, text, strlen(text)), (ssize_t)strlen(text));
}

/* All that is left to be shown is taken, too. The terminal must have its echo again. */
static int ended(void)
{
	int status;

	CU_ASSERT_EQUAL(waitpid(s.pid, &status, 0), s.pid);
	CU_ASSERT(echoes());
	shows("what no terminal shows");
	close(s.tty);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_asked(void)
{
	begin("correct horse", false, false);
	CU_ASSERT(shows("passphrase of the CA's keys: "));
	CU_ASSERT_FALSE(echoes());
	type("correct horse\n");
	CU_ASSERT_EQUAL(ended(), 10);
	CU_ASSERT_PTR_NULL(strstr(s.seen, "horse"));
	CU_ASSERT_STRING_EQUAL(s.seen, "passphrase of the CA's keys: \r\n");
}

static void test_twice(void)
{
	begin("new", true, false);
	CU_ASSERT(shows("keys: "));
	type("new\n");
	CU_ASSERT(shows("passphrase of the CA's keys, once more: "));
	CU_ASSERT_FALSE(echoes());
	type("new\n");
	CU_ASSERT_EQUAL(ended(), 10);

	begin("new", true, false);
	CU_ASSERT(shows("keys: "));
	type("new\n");
	CU_ASSERT(shows("once more: "));
	type("other\n");
	CU_ASSERT_EQUAL(ended(), 20);
	CU_ASSERT_PTR_NOT_NULL(strstr(s.seen, "[passphrase of the CA's keys: the two differ; nothing was done]"));
	CU_ASSERT_PTR_NULL(strstr(s.seen, "other"));
}

static void test_nothing(void)
{
	begin("", false, false);
	CU_ASSERT(shows("keys: "));
	type("\n");
	CU_ASSERT_EQUAL(ended(), 20);
	CU_ASSERT_PTR_NOT_NULL(strstr(s.seen, "[a passphrase or PIN has 1 to "));
}

static void test_interrupted(void)
{
	begin("", false, false);
	CU_ASSERT(shows("keys: "));
	type("half\003");
	CU_ASSERT_EQUAL(ended(), 1000 + SIGINT);
	CU_ASSERT_PTR_NULL(strstr(s.seen, "half"));

	begin("", false, false);
	CU_ASSERT(shows("keys: "));
	kill(s.pid, SIGTERM);
	CU_ASSERT_EQUAL(ended(), 1000 + SIGTERM);

	begin("", false, true);		/* a daemon is told, and finds the signal where it looks for signals */
	CU_ASSERT(shows("keys: "));
	type("\003");
	CU_ASSERT_EQUAL(ended(), 30);
	CU_ASSERT_PTR_NOT_NULL(strstr(s.seen, "[passphrase of the CA's keys: the question was interrupted]"));
}

static void test_stopped(void)
{
	begin("later", false, false);
	CU_ASSERT(shows("keys: "));
	kill(s.pid, SIGTSTP);	/* it does not stop: it leads its session, so nobody could continue it */
	CU_ASSERT(shows("keys: \r\npassphrase of the CA's keys: "));
	type("later\n");
	CU_ASSERT_EQUAL(ended(), 10);
}

UNIT_MAIN("prompt", { "asked", test_asked }, { "twice", test_twice }, { "nothing", test_nothing }, { "interrupted", test_interrupted },
	  { "stopped", test_stopped })
