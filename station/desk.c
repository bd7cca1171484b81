#include <config.h>

#include "desk.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define FRAME_MS 50		/* between two pictures: what eyes tell apart */
#define TICK_MS 1000		/* the clock and the times of the units */

enum { FD_STOP, FD_SCAN, FD_CHANGED, FD_RESIZED, FDS };

struct desk {
	struct run *run;
	struct scanner *scanner;
	struct pollfd fd[FDS];
	pthread_t thread;
	int scans;		/* for messages */
	int64_t scanned;	/* clock_mono_ms() of the last scan */
	int64_t drawn;		/* clock_mono_ms() of the last picture */
	bool pending;		/* something has changed since */
};

/* ---- scans ----------------------------------------------------------------------------------------------- */

static void log_in(struct run *r, const char *name)
{
	pthread_mutex_lock(&r->lock);
	snprintf(r->operator, sizeof r->operator, "%.*s", LIMIT_NAME, name);
	pthread_mutex_unlock(&r->lock);
	console_operator(r->console, name);
}

static void take_label(struct desk *d, const char *line)
{
	struct run *r = d->run;
	struct err e;

	if (!r->labels || !labels_scanning(r->labels))
		console_say(r->console, "label %.80s: labels are not scanned in this run; start it with --labels -", line);
	else if (labels_line(r->labels, line, d->scans, &e) < 0)
		console_say(r->console, "%s %s", reason_id(REASON_LABEL), e.text);
	else
		console_scanned(r->console, "label %s", line);
}

static void take(struct desk *d, const struct scan *s)
{
	struct run *r = d->run;

	d->scans++;
	d->scanned = clock_mono_ms();
	switch (s->kind) {
	case SCAN_LABEL:
		take_label(d, s->text);
		break;
	case SCAN_BADGE:
		log_in(r, s->text);
		console_scanned(r->console, "badge %s", s->text);
		break;
	case SCAN_LOGOUT:
		log_in(r, "");
		console_scanned(r->console, "card: log out");
		break;
	case SCAN_SHIFT:
		console_shift(r->console);
		console_scanned(r->console, "card: a new shift");
		break;
	case SCAN_RETRY:
	case SCAN_SKIP:
		console_scanned(r->console, "card: %s slot %s", s->kind == SCAN_RETRY ? "retry" : "skip", s->text);
		run_ask(r, s->kind, s->text);
		break;
	case SCAN_BAD:
		console_say(r->console, "%s %s", reason_id(s->error.code), s->error.text);
		break;
	}
}

/* Who went away without a card is logged out: -1 never, else in so many milliseconds. */
static int logout_ms(const struct desk *d)
{
	struct run *r = d->run;
	int64_t last, left;
	bool logged_in;

	pthread_mutex_lock(&r->lock);
	logged_in = r->operator[0];
	last = r->active > d->scanned ? r->active : d->scanned;
	pthread_mutex_unlock(&r->lock);
	if (!logged_in || !r->station.console.logout_s)
		return -1;
	left = last + (int64_t)r->station.console.logout_s * 1000 - clock_mono_ms();
	return left > 0 ? (int)left : 0;
}

static void log_out_idle(struct desk *d)
{
	struct run *r = d->run;

	if (logout_ms(d) != 0)
		return;
	console_say(r->console, "%s is logged out: no scan and no unit for %llu s", r->operator,
		    (unsigned long long)r->station.console.logout_s);
	log_in(r, "");
}

static void read_scans(struct desk *d)
{
	uint8_t block[512];
	ssize_t n = read(STDIN_FILENO, block, sizeof block);
	struct scan s;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	for (ssize_t i = 0; i < n; i++)
		if (scanner_byte(d->scanner, block[i], &s))
			take(d, &s);
	if (n > 0)
		return;
	if (scanner_end(d->scanner, &s))
		take(d, &s);
	d->fd[FD_SCAN].fd = -1;
	if (d->run->labels)
		labels_end(d->run->labels);
}

/* ---- the thread ------------------------------------------------------------------------------------------ */

static int wait_ms(const struct desk *d)
{
	int64_t left = d->drawn + (d->pending ? FRAME_MS : TICK_MS) - clock_mono_ms();

	if (!console_has_screen(d->run->console))
		return -1;
	return left > 0 ? (int)left : 0;
}

/* The nearer of the next picture and the operator's log-out. */
static int poll_ms(const struct desk *d)
{
	int picture = wait_ms(d), logout = logout_ms(d);

	return picture < 0 || (logout >= 0 && logout < picture) ? logout : picture;
}

static void draw_if_due(struct desk *d)
{
	struct signalfd_siginfo info;

	if (!console_has_screen(d->run->console))
		return;
	if (d->fd[FD_RESIZED].revents && read(d->fd[FD_RESIZED].fd, &info, sizeof info) == (ssize_t)sizeof info)
		d->pending = true;
	if (d->fd[FD_CHANGED].revents)
		d->pending = true;
	if (wait_ms(d) > 0)
		return;
	console_draw(d->run->console);
	d->drawn = clock_mono_ms();
	d->pending = false;
}

static void *desk_thread(void *arg)
{
	struct desk *d = arg;

	while (!d->fd[FD_STOP].revents) {
		/* A change is known until it is drawn. */
		d->fd[FD_CHANGED].events = d->pending ? 0 : POLLIN;
		if (poll(d->fd, FDS, poll_ms(d)) < 0 && errno != EINTR)
			break;
		if (d->fd[FD_SCAN].revents)
			read_scans(d);
		log_out_idle(d);
		draw_if_due(d);
	}
	return NULL;
}

/* Blocked here, so that it wakes the poll of the thread to come. */
static int resize_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void desk_free(struct desk *d)
{
	if (d->fd[FD_STOP].fd >= 0)
		close(d->fd[FD_STOP].fd);
	if (d->fd[FD_RESIZED].fd >= 0)
		close(d->fd[FD_RESIZED].fd);
	scanner_free(d->scanner);
	free(d);
}

struct desk *desk_start(struct run *r)
{
	struct desk *d = mem_new(1, sizeof *d);
	bool screen = console_has_screen(r->console);
	bool scans = (r->labels && labels_scanning(r->labels)) || (screen && isatty(STDIN_FILENO));

	d->run = r;
	d->scanner = scanner_new(&r->station.scanner);
	d->fd[FD_STOP] = (struct pollfd){ eventfd(0, EFD_CLOEXEC), POLLIN, 0 };
	d->fd[FD_SCAN] = (struct pollfd){ scans ? STDIN_FILENO : -1, POLLIN, 0 };
	d->fd[FD_CHANGED] = (struct pollfd){ console_fd(r->console), POLLIN, 0 };
	d->fd[FD_RESIZED] = (struct pollfd){ screen ? resize_fd() : -1, POLLIN, 0 };
	if (d->fd[FD_STOP].fd >= 0 && pthread_create(&d->thread, NULL, desk_thread, d) == 0)
		return d;
	log_warn("no thread for scanner and screen: %s", strerror(errno));
	desk_free(d);
	return NULL;
}

void desk_stop(struct desk *d)
{
	if (!d)
		return;
	eventfd_write(d->fd[FD_STOP].fd, 1);
	pthread_join(d->thread, NULL);
	desk_free(d);
}
