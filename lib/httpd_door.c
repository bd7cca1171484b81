/* The door: a connection goes on to libmicrohttpd when the first TLS record is there, with the whole ClientHello as a rule. Until then
 * it costs a descriptor and nothing else: no session of GnuTLS, and no place among those that libmicrohttpd walks through at each event of
 * any. */
#include <config.h>

#include "httpd_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "mem.h"

#define RECORD_HEAD 5
#define RECORD_MAX 16384	/* RFC 8446 5.1 */
#define HANDSHAKE 22
#define EVENTS 64
#define NO_FD_MS 100		/* without descriptors accept() would fail in a loop */

struct guest {
	struct guest *next, *prev;	/* by age */
	int fd, low;			/* low: so many octets wake us */
	int64_t deadline;
	struct sockaddr_storage from;
	socklen_t from_len;
};

struct door {
	struct httpd *d;
	int epoll, stop;
	pthread_t thread;
	struct guest *oldest, *newest;
	unsigned n;
	bool full;			/* of descriptors: not accepting for a moment */
};

static void leave(struct door *o, struct guest *g)
{
	struct guest *next = g->next, *prev = g->prev;

	if (g == o->oldest)
		o->oldest = next;
	else
		prev->next = next;
	if (next)
		next->prev = prev;
	else
		o->newest = prev;
	o->n--;
	atomic_fetch_sub(&o->d->waiting, 1);
	epoll_ctl(o->epoll, EPOLL_CTL_DEL, g->fd, NULL);
}

/* What was not read would turn the end into a reset. */
static void hang_up(int fd)
{
	recv(fd, NULL, RECORD_HEAD + RECORD_MAX, MSG_TRUNC | MSG_DONTWAIT);
	close(fd);
}

static void turn_away(struct door *o, struct guest *g)
{
	leave(o, g);
	hang_up(g->fd);
	free(g);
}

static void wait_for(struct guest *g, int bytes)
{
	if (bytes != g->low)
		setsockopt(g->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
	g->low = bytes;
}

/* Where libmicrohttpd takes none of that address any more it closes the descriptor. */
static void hand_over(struct door *o, struct guest *g)
{
	leave(o, g);
	wait_for(g, 1);
	if (!guard_expect(o->d))
		hang_up(g->fd);
	else if (MHD_add_connection(o->d->mhd, g->fd, (const struct sockaddr *)&g->from, g->from_len) == MHD_NO)
		guard_missed(o->d);
	free(g);
}

/* What is no TLS is libmicrohttpd's to refuse. */
static void look(struct door *o, struct guest *g)
{
	uint8_t head[RECORD_HEAD];
	ssize_t n = recv(g->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
	int there = 0, needed;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		turn_away(o, g);
		return;
	}
	if (n < RECORD_HEAD) {		/* most ClientHellos come in one piece: as long as there is nothing it need not be said */
		if (n > 0)
			wait_for(g, RECORD_HEAD);
		return;
	}
	needed = RECORD_HEAD + (head[3] << 8 | head[4]);
	if (head[0] == HANDSHAKE && needed <= RECORD_HEAD + RECORD_MAX && ioctl(g->fd, FIONREAD, &there) == 0 && there < needed)
		wait_for(g, needed);
	else
		hand_over(o, g);
}

/* ---- who comes ---- */
static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr,
			      sizeof(struct in6_addr)) == 0;
	return memcmp(&((const struct sockaddr_in *)a)->sin_addr, &((const struct sockaddr_in *)b)->sin_addr, sizeof(struct in_addr)) == 0;
}

/* Where too many wait, of one address or in all, the oldest of them has had the longest time. */
static void make_room(struct door *o, const struct sockaddr_storage *from)
{
	struct guest *first = NULL, *victim;
	unsigned n = 0;

	for (struct guest *g = o->oldest; g; g = g->next)
		if (same_address(&g->from, from) && n++ == 0)
			first = g;
	victim = n >= LIMIT_HTTP_PER_IP ? first : o->n >= o->d->limit.connections ? o->oldest : NULL;
	if (!victim)
		return;
	turn_away(o, victim);
	pthread_mutex_lock(&o->d->lock);
	o->d->evicted++;
	pthread_mutex_unlock(&o->d->lock);
}

static void enter(struct door *o, int fd, const struct sockaddr_storage *from, socklen_t len)
{
	struct guest *g = mem_new(1, sizeof *g);
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = g };

	make_room(o, from);
	*g = (struct guest){ .prev = o->newest, .fd = fd, .low = 1, .deadline = clock_mono_ms() + conn_head_ms(o->d), .from = *from, .from_len = len };
	if (g->prev)
		g->prev->next = g;
	else
		o->oldest = g;
	o->newest = g;
	o->n++;
	atomic_fetch_add(&o->d->waiting, 1);
	if (epoll_ctl(o->epoll, EPOLL_CTL_ADD, fd, &event))
		turn_away(o, g);
	else
		look(o, g);
}

static void listening(struct door *o, bool yes)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &o->epoll };

	o->full = !yes;
	epoll_ctl(o->epoll, yes ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, o->d->listen_fd, &event);
}

static void let_in(struct door *o)
{
	for (int i = 0; i < EVENTS; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof from;
		int fd = accept4(o->d->listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			enter(o, fd, &from, len);
		} else {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				listening(o, false);
			return;
		}
	}
}

/* ---- its thread ---- */
/* Milliseconds until the next is late; -1: nobody waits. */
static int end_late(struct door *o)
{
	int64_t now = clock_mono_ms(), ms;
	struct guest *g, *next;

	for (g = o->oldest; g && g->deadline <= now; g = next) {
		next = g->next;
		turn_away(o, g);
		pthread_mutex_lock(&o->d->lock);
		o->d->late++;
		pthread_mutex_unlock(&o->d->lock);
	}
	ms = g ? g->deadline - now : -1;
	return o->full && (ms < 0 || ms > NO_FD_MS) ? NO_FD_MS : (int)ms;
}

static void *run(void *arg)
{
	struct door *o = arg;
	struct epoll_event event[EVENTS];

	for (;;) {
		int n = epoll_wait(o->epoll, event, EVENTS, end_late(o));
		bool knocks = false;

		if (o->full)
			listening(o, true);
		for (int i = 0; i < n; i++)
			if (event[i].data.ptr == &o->stop)
				return NULL;
			else if (event[i].data.ptr == &o->epoll)
				knocks = true;
			else if (event[i].data.ptr == &o->d->parking)
				parked_look(o->d);
			else if (event[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
				turn_away(o, event[i].data.ptr);
			else
				look(o, event[i].data.ptr);
		if (knocks)	/* after the others, since room for it may be theirs */
			let_in(o);
	}
}

static void door_free(struct door *o)
{
	for (struct guest *g = o->oldest, *next; g; g = next) {
		next = g->next;
		turn_away(o, g);
	}
	if (o->epoll >= 0)
		close(o->epoll);
	if (o->stop >= 0)
		close(o->stop);
	free(o);
}

struct door *door_start(struct httpd *d, struct err *e)
{
	struct door *o = mem_new(1, sizeof *o);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &o->stop };
	struct epoll_event parked = { .events = EPOLLIN, .data.ptr = &d->parking };
	int rc;

	*o = (struct door){ .d = d, .epoll = epoll_create1(EPOLL_CLOEXEC), .stop = eventfd(0, EFD_CLOEXEC) };
	rc = o->epoll < 0 || o->stop < 0 || epoll_ctl(o->epoll, EPOLL_CTL_ADD, o->stop, &event) ||
	     epoll_ctl(o->epoll, EPOLL_CTL_ADD, d->parking.epoll, &parked) ? errno : 0;
	if (rc == 0) {
		listening(o, true);
		rc = pthread_create(&o->thread, NULL, run, o);
	}
	if (rc == 0)
		return o;
	err_set(e, REASON_INTERNAL, "HTTPS server: it cannot accept: %s", strerror(rc));
	door_free(o);
	return NULL;
}

void door_stop(struct door *o)
{
	if (!o)
		return;
	eventfd_write(o->stop, 1);
	pthread_join(o->thread, NULL);
	door_free(o);
}
