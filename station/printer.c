#include <config.h>

#include "printer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "mem.h"
#include "tls.h"
#include "zpl.h"

#define CONNECT_MS 3000		/* it stands in the same room */
#define STATUS_MS 5000		/* printers answer in a tenth of a second, but not while they work on a large format */
#define SEND_MS 20000		/* without a byte taken: a full buffer is emptied at some labels a second */
#define ANSWERS_MAX 16		/* that are read at once */
#define POLL_MS 200
#define AGAIN_MS 1000		/* before it is connected to once more */
#define SETTLE_MS 300		/* that the paper has ended is seen when it is fed, after the format was taken */

struct printer {
	char name[PRINTER_HOST_MAX + 8];
	char host[PRINTER_HOST_MAX], port[6];
	void (*tell)(void *arg, const char *state);
	void *arg;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t turn;
	bool busy;
	struct err trouble;		/* code OK: none */
};

struct printer *printer_new(const struct label_settings *s, void (*tell)(void *arg, const char *state), void *arg)
{
	struct printer *p = mem_new(1, sizeof *p);

	snprintf(p->name, sizeof p->name, strchr(s->host, ':') ? "[%s]:%s" : "%s:%s", s->host, s->port);
	memcpy(p->host, s->host, sizeof p->host);
	memcpy(p->port, s->port, sizeof p->port);
	p->tell = tell;
	p->arg = arg;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->turn, NULL);
	return p;
}

void printer_free(struct printer *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->turn);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

const char *printer_name(const struct printer *p)
{
	return p->name;
}

/* What is in its way is what those see who wait for their turn. */
static int note(struct printer *p, int rc, struct err *e)
{
	static const struct err none;

	if (rc < 0)
		err_prefix(e, "printer %s", p->name);
	pthread_mutex_lock(&p->lock);
	p->trouble = rc < 0 ? *e : none;
	pthread_mutex_unlock(&p->lock);
	if (p->tell)
		p->tell(p->arg, rc < 0 ? reason_info(e->code)->name : PRINTER_READY);
	return rc;
}

/* ---- bytes ------------------------------------------------------------------------------- */

struct line {
	int fd;
	unsigned asked;		/* ~HS without an answer: some printers give none while paper is out, others give it later */
};

static bool await(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left;

	do {
		left = deadline - clock_mono_ms();
		if (left <= 0)
			return false;
	} while (poll(&pfd, 1, (int)left) <= 0);
	return true;
}

static int send_all(int fd, const void *data, size_t len, struct err *e)
{
	const uint8_t *at = data;

	while (len) {
		ssize_t n;

		if (!await(fd, POLLOUT, clock_mono_ms() + SEND_MS))
			return err_set(e, REASON_PRINTER, "it takes no more bytes");
		n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_errno(e, REASON_PRINTER, "the connection broke");
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* What there is, up to size; 0: nothing in time. */
static int hear(int fd, uint8_t *data, size_t size, int64_t deadline, struct err *e)
{
	ssize_t n;

	do {
		if (!await(fd, POLLIN, deadline))
			return 0;
		n = recv(fd, data, size, 0);
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n == 0)
		return err_set(e, REASON_PRINTER, "it closed the connection");
	return n < 0 ? err_errno(e, REASON_PRINTER, "the connection broke") : (int)n;
}

/* The last answer counts. */
static int parse_answers(struct line *l, const uint8_t *data, size_t len, struct zpl_status *s, struct err *e)
{
	for (; len > ZPL_STATUS_LEN && l->asked > 1; data += ZPL_STATUS_LEN, len -= ZPL_STATUS_LEN, l->asked--)
		if (zpl_status_parse(s, data, ZPL_STATUS_LEN, e) < 0)
			return -1;
	l->asked--;
	return zpl_status_parse(s, data, len, e);
}

enum said { STATUS, SILENCE, BROKEN };

/* One more byte than there may be is taken: who says too much is no ZPL printer. */
static enum said ask_status(struct line *l, struct zpl_status *s, struct err *e)
{
	int64_t deadline = clock_mono_ms() + STATUS_MS;
	uint8_t answers[ANSWERS_MAX * ZPL_STATUS_LEN + 1];
	size_t len = 0, most;

	l->asked++;
	most = (l->asked < ANSWERS_MAX ? l->asked : ANSWERS_MAX) * ZPL_STATUS_LEN;
	if (send_all(l->fd, ZPL_STATUS_ASK, strlen(ZPL_STATUS_ASK), e) < 0)
		return BROKEN;
	do {
		int n = hear(l->fd, answers + len, most + (most == l->asked * ZPL_STATUS_LEN) - len, deadline, e);

		if (n < 0)
			return BROKEN;
		if (n == 0) {
			err_set(e, REASON_PRINTER, "it does not answer: is there paper and ribbon, and is its head closed?");
			return len ? BROKEN : SILENCE;
		}
		len += (size_t)n;
	} while (len % ZPL_STATUS_LEN != 0 && len < most);
	return parse_answers(l, answers, len, s, e) < 0 ? BROKEN : STATUS;
}

static int open_printer(const struct printer *p, struct line *l, struct err *e)
{
	*l = (struct line){ .fd = tcp_connect(p->host, p->port, clock_mono_ms() + CONNECT_MS, e) };
	if (l->fd >= 0)
		return 0;
	e->code = REASON_PRINTER;
	return -1;
}

static int look(struct line *l, struct err *e)
{
	struct zpl_status s;

	return ask_status(l, &s, e) != STATUS ? -1 : zpl_status_judge(&s, e);
}

/* ---- turns -------------------------------------------------------------------------------- */

static void nap(int64_t ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* 0: it is ours. */
static int take_turn(struct printer *p, printer_go_on *go_on, void *arg, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	while (p->busy && rc == 0) {
		struct timespec until;
		struct err why = p->trouble;

		pthread_mutex_unlock(&p->lock);
		if (!go_on(arg, why.code ? &why : NULL)) {
			rc = err_set(e, REASON_PRINTER_BUSY, "printer %s has other labels before this one", p->name);
			if (why.code)
				*e = why;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += POLL_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_mutex_lock(&p->lock);
		if (p->busy && rc == 0)
			pthread_cond_timedwait(&p->turn, &p->lock, &until);
	}
	if (rc == 0)
		p->busy = true;
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static void end_turn(struct printer *p)
{
	pthread_mutex_lock(&p->lock);
	p->busy = false;
	pthread_cond_signal(&p->turn);
	pthread_mutex_unlock(&p->lock);
}

int printer_look(struct printer *p, struct err *e)
{
	struct line l;
	int rc = -1;

	if (open_printer(p, &l, e) == 0) {
		rc = look(&l, e);
		close(l.fd);
	}
	return note(p, rc, e);
}

/* ---- a label ------------------------------------------------------------------------------- */

enum attempt { DONE, LATER, GIVEN_UP };

/* The format is in the printer, and stays there while paper is loaded: it is given again only when the connection breaks, since
 * then it may have been switched off. */
static enum attempt see_printed(struct printer *p, struct line *l, printer_go_on *go_on, void *arg, struct err *e)
{
	unsigned good = 0;

	while (good < 2) {
		struct zpl_status s;
		enum said said = ask_status(l, &s, e);
		bool ready = note(p, said == STATUS ? zpl_status_judge(&s, e) : -1, e) == 0;

		if (said == BROKEN)
			return LATER;
		if (ready && zpl_status_is_done(&s)) {
			if (++good < 2)
				nap(SETTLE_MS);
			continue;
		}
		good = 0;
		if (!go_on(arg, ready ? NULL : e)) {
			if (ready)
				err_set(e, REASON_PRINTER_BUSY, "printer %s has not printed it yet", p->name);
			return GIVEN_UP;
		}
		nap(POLL_MS);
	}
	return DONE;
}

static enum attempt attempt(struct printer *p, const struct buf *zpl, printer_go_on *go_on, void *arg, uint32_t *given,
			    struct err *e)
{
	enum attempt rc = LATER;
	struct line l;

	if (note(p, open_printer(p, &l, e) < 0 ? -1 : look(&l, e), e) == 0) {
		FAULT("station.label.send");
		++*given;
		if (send_all(l.fd, zpl->data, zpl->len, e) < 0) {
			note(p, -1, e);
		} else {
			FAULT("station.label.sent");
			rc = see_printed(p, &l, go_on, arg, e);
		}
	}
	if (l.fd >= 0)
		close(l.fd);
	return rc;
}

int printer_print(struct printer *p, const struct buf *zpl, printer_go_on *go_on, void *arg, uint32_t *given, struct err *e)
{
	enum attempt rc;

	if (take_turn(p, go_on, arg, e) < 0)
		return -1;
	for (;;) {
		rc = attempt(p, zpl, go_on, arg, given, e);
		if (rc != LATER || !go_on(arg, e))
			break;
		nap(AGAIN_MS);
	}
	end_turn(p);
	return rc == DONE ? 0 : -1;
}
