/* Where connections wait for their peer. libmicrohttpd polls all of its own, and walks through them, at each event of any: a
 * thousand that are silent cost every request more than half as much again. So beyond a few a connection is suspended when there
 * is nothing to read from it, and its descriptor stands in an epoll set; what comes, its end and the reaper's cut resume it.
 *
 * That libmicrohttpd is suspended from within its own read is not what its manual speaks of, but what its code allows, and has to be
 * checked for new versions: the read happens in the thread of the connection's own part of the pool, under no lock, after all that came
 * before was worked off. GnuTLS passes EAGAIN on, and MHD_connection_handle_idle() leaves one alone that is suspended. */
#include <config.h>

#include "httpd_private.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64

static bool crowded(struct httpd *d)
{
	return atomic_load_explicit(&d->polled, memory_order_relaxed) > d->limit.polled;
}

static void wait_for(int fd, int bytes)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

/* ---- into the set and out of it: the list is under the lock, which libmicrohttpd's own may follow ---- */
static void put(struct conn *c)
{
	struct parking *p = &c->d->parking;

	c->parked_next = p->first;
	c->parked_link = &p->first;
	if (p->first)
		p->first->parked_link = &c->parked_next;
	p->first = c;
	atomic_fetch_sub(&c->d->polled, 1);
	p->n++;
}

/* It may be gone as soon as the lock is free. */
static void take(struct conn *c)
{
	struct parking *p = &c->d->parking;

	*c->parked_link = c->parked_next;
	if (c->parked_next)
		c->parked_next->parked_link = c->parked_link;
	atomic_fetch_add(&c->d->polled, 1);
	p->n--;
	epoll_ctl(p->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	wait_for(c->fd, 1);
	MHD_resume_connection(c->mhd);
}

/* GnuTLS can do nothing with less than it asks for: a record that trickles in wakes nobody before it is whole. */
static void park(struct conn *c, size_t wanted)
{
	struct parking *p = &c->d->parking;
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = c };

	pthread_mutex_lock(&p->lock);
	if (!p->closed) {
		wait_for(c->fd, (int)wanted);
		MHD_suspend_connection(c->mhd);
		put(c);
		if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &event))
			take(c);
	}
	pthread_mutex_unlock(&p->lock);
}

/* ---- libmicrohttpd's threads ---- */
void parked_settle(struct conn *c)
{
	char octet;

	if (c->left && recv(c->fd, &octet, 1, 0) == 1)
		c->left = false;
}

/* libmicrohttpd reads once and then waits, whether there is more or not. Where it should wait here, the last octet of what it
 * gets is left in the socket, so that it reads once more and finds nothing. */
static ssize_t receive(struct conn *c, void *data, size_t len)
{
	bool leave = crowded(c->d);
	ssize_t n = recv(c->fd, data, len, leave ? MSG_PEEK : 0);

	if (!leave || n <= 0)
		return n;
	if (n > 1 && recv(c->fd, data, (size_t)n - 1, 0) != n - 1)
		return -1;
	c->left = true;
	return n;
}

ssize_t parked_receive(struct conn *c, void *data, size_t len)
{
	ssize_t n;

	if (c->left && c->answering) {	/* the octet is for the time after the answer */
		errno = EAGAIN;
		return -1;
	}
	parked_settle(c);
	n = receive(c, data, len);
	if (n < 0 && errno == EAGAIN && !c->answering && crowded(c->d)) {
		park(c, len);
		errno = EAGAIN;
	}
	return n;
}

/* ---- the door's thread ---- */
void parked_look(struct httpd *d)
{
	struct epoll_event event[EVENTS];
	int n = epoll_wait(d->parking.epoll, event, EVENTS, 0);

	pthread_mutex_lock(&d->parking.lock);
	for (int i = 0; i < n; i++)
		take(event[i].data.ptr);
	pthread_mutex_unlock(&d->parking.lock);
}

/* ---- start and stop ---- */
void parked_init(struct httpd *d)
{
	pthread_mutex_init(&d->parking.lock, NULL);
	d->parking.epoll = epoll_create1(EPOLL_CLOEXEC);
}

void parked_close(struct httpd *d)
{
	pthread_mutex_lock(&d->parking.lock);
	d->parking.closed = true;
	while (d->parking.first)
		take(d->parking.first);
	pthread_mutex_unlock(&d->parking.lock);
}

void parked_free(struct httpd *d)
{
	if (d->parking.epoll >= 0)
		close(d->parking.epoll);
	pthread_mutex_destroy(&d->parking.lock);
}

unsigned parked_count(struct httpd *d)
{
	unsigned n;

	pthread_mutex_lock(&d->parking.lock);
	n = d->parking.n;
	pthread_mutex_unlock(&d->parking.lock);
	return n;
}
