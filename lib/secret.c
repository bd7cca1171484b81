#include <config.h>

#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "file.h"
#include "limits.h"
#include "mem.h"

/* A page or two of its own, so that locking it locks nothing else. */
struct secret {
	char text[LIMIT_SECRET + 1];
};

struct secret *secret_new(const void *text, size_t len, struct err *e)
{
	struct secret *s;

	if (len == 0 || len > LIMIT_SECRET || memchr(text, 0, len)) {
		err_set(e, REASON_SECRET, "a passphrase or PIN has 1 to %d bytes", LIMIT_SECRET);
		return NULL;
	}
	s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		mem_out();
	madvise(s, sizeof *s, MADV_DONTDUMP);
	madvise(s, sizeof *s, MADV_WIPEONFORK);
	if (mlock(s, sizeof *s) < 0) {
		err_errno(e, REASON_INTERNAL, "cannot lock a secret into memory; raise the limit of locked memory (ulimit -l)");
		munmap(s, sizeof *s);
		return NULL;
	}
	memcpy(s->text, text, len);
	return s;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	mem_wipe(s, sizeof *s);
	munmap(s, sizeof *s);
}

const char *secret_text(const struct secret *s)
{
	return s->text;
}

static int from_bytes(struct secret **out, struct buf *b, struct err *e)
{
	if (b->len && b->data[b->len - 1] == '\n')
		b->len--;
	*out = secret_new(b->data, b->len, e);
	return *out ? 1 : -1;
}

/* ---- files ---- */
static int from_file(struct secret **out, const char *path, bool ours, struct err *e)
{
	struct buf b = {0};
	int rc = ours ? file_read_secret(&b, path, e) : file_read(&b, path, LIMIT_SECRET + 1, e);

	if (rc == 0 && (rc = from_bytes(out, &b, e)) < 0)
		err_prefix(e, "%s", path);
	buf_free(&b);
	return rc;
}

/* systemd's folder is on a file system that nobody else sees, whatever the modes in it. */
static int from_systemd(struct secret **out, const char *name, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[FILE_PATH];

	if (!dir || !*dir)
		return 0;
	if (file_join(path, e, dir, name) < 0)
		return -1;
	return file_exists(path) ? from_file(out, path, false, e) : 0;
}

/* ---- the terminal ---- */
static void put(int tty, const char *text)
{
	while (*text) {
		ssize_t n = write(tty, text, strlen(text));

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			text += n;
	}
}

/* What ends us, or stops us, while the terminal is silent: it must get its echo back first. One prompt at a time. */
static const int ending[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP };
static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
	caught = signal;
}

struct silence {
	struct sigaction before[ARRAY_LEN(ending)];
	sigset_t mask, waiting;		/* before; and while we wait, also in a daemon, which has them blocked */
	struct termios terminal;
};

/* Blocked but while we wait, so that none is missed between a look and a read. */
static int silence_begin(struct silence *q, int tty)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct termios silent;
	sigset_t set;

	if (tcgetattr(tty, &q->terminal) < 0)
		return -1;
	caught = 0;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		sigaddset(&set, ending[i]);
	pthread_sigmask(SIG_BLOCK, &set, &q->mask);
	q->waiting = q->mask;
	for (size_t i = 0; i < ARRAY_LEN(ending); i++) {
		sigaction(ending[i], &act, &q->before[i]);
		sigdelset(&q->waiting, ending[i]);
	}
	silent = q->terminal;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	tcsetattr(tty, TCSAFLUSH, &silent);
	return 0;
}

static void silence_end(struct silence *q, int tty)
{
	tcsetattr(tty, TCSAFLUSH, &q->terminal);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		sigaction(ending[i], &q->before[i], NULL);
	if (caught)
		raise(caught);		/* as if nobody had held it up; who has it blocked sees it later */
	pthread_sigmask(SIG_SETMASK, &q->mask, NULL);
}

/* One line, without its end. -1: a signal came. */
static int read_line(int tty, const struct silence *q, struct buf *line)
{
	struct pollfd p = { .fd = tty, .events = POLLIN };
	char c = 0;

	while (!caught) {
		ssize_t n = ppoll(&p, 1, NULL, &q->waiting) > 0 ? read(tty, &c, 1) : -1;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c == '\n' || c == '\r')
			break;
		buf_byte(line, (uint8_t)c);
	}
	c = 0;
	put(tty, "\n");
	return caught ? -1 : 0;
}

static int ask_once(int tty, const struct silence *q, const char *what, const char *again, struct buf *line)
{
	put(tty, what);
	put(tty, again);
	put(tty, ": ");
	return read_line(tty, q, line);
}

static int ask_silently(struct secret **out, int tty, const struct silence *q, const struct secret_source *from, struct err *e)
{
	struct buf first = { .max = LIMIT_SECRET + 2 }, second = { .max = LIMIT_SECRET + 2 };
	int rc;

	if (ask_once(tty, q, from->ask, "", &first) < 0 || (from->twice && ask_once(tty, q, from->ask, ", once more", &second) < 0))
		rc = err_set(e, REASON_SECRET, "%s: the question was interrupted", from->ask);
	else if (from->twice && !buf_same(&first, &second))
		rc = err_set(e, REASON_SECRET, "%s: the two differ; nothing was done", from->ask);
	else
		rc = from_bytes(out, &first, e);
	buf_free(&first);
	buf_free(&second);
	return rc;
}

/* In the background of a terminal we would be stopped, and a daemon with us. */
static int from_terminal(struct secret **out, const struct secret_source *from, struct err *e)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), rc = 0;
	struct silence q;

	if (tty < 0)
		return 0;
	do {	/* who was stopped, and is back, is asked again */
		rc = 0;
		if (tcgetpgrp(tty) != getpgrp() || silence_begin(&q, tty) < 0)
			break;
		rc = ask_silently(out, tty, &q, from, e);
		silence_end(&q, tty);
	} while (rc < 0 && caught == SIGTSTP);
	close(tty);
	return rc;
}

int secret_get(struct secret **out, const struct secret_source *from, struct err *e)
{
	int rc;

	*out = NULL;
	rc = from->credential ? from_systemd(out, from->credential, e) : 0;
	if (rc == 0 && from->file && *from->file)
		return from_file(out, from->file, true, e);
	if (rc == 0 && from->ask)
		return from_terminal(out, from, e);
	return rc;
}
