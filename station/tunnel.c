#include <config.h>

#include "tunnel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "limits.h"
#include "tls.h"

#define CONNECT_MS 5000		/* a CA in the same building; the unit's own deadline may be nearer */

void tunnel_init(struct tunnel *t, const struct url *ca, struct link_usb *link)
{
	memset(t, 0, sizeof *t);
	t->ca = ca;
	t->link = link;
	t->fd = -1;
}

void tunnel_close(struct tunnel *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

static int say(struct tunnel *t, enum link_type type, int64_t deadline, struct err *e)
{
	return link_usb_send(t->link, type, t->channel, NULL, 0, deadline, e);
}

static int open_channel(struct tunnel *t, uint16_t channel, int64_t deadline, struct err *e)
{
	int64_t until = clock_mono_ms() + CONNECT_MS;

	tunnel_close(t);
	t->channel = channel;
	t->device_closed = false;
	t->error.text[0] = 0;
	t->fd = tcp_connect(t->ca->host, t->ca->port, until < deadline ? until : deadline, &t->error);
	FAULT("station.tunnel.connected");
	return say(t, t->fd < 0 ? LINK_CLOSE : LINK_OPENED, deadline, e);
}

/* Waits for the CA to take bytes: they are few, and the device has to wait for its answer anyhow. */
static int send_all(struct tunnel *t, const struct buf *b, int64_t deadline)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = send(t->fd, b->data + done, b->len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		int64_t left = deadline - clock_mono_ms();
		struct pollfd p = { .fd = t->fd, .events = POLLOUT };

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return -1;
		else if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			return -1;
	}
	return 0;
}

static int to_ca(struct tunnel *t, const struct buf *bytes, int64_t deadline, struct err *e)
{
	if (FAULT_LOSE("station.tunnel.cut") || send_all(t, bytes, deadline) < 0) {
		tunnel_close(t);
		return say(t, LINK_CLOSE, deadline, e);
	}
	FAULT("station.tunnel.to-ca");
	return 0;
}

int tunnel_frame(struct tunnel *t, const struct link_frame *f, int64_t deadline, struct err *e)
{
	if (f->type == LINK_OPEN)
		return open_channel(t, f->channel, deadline, e);
	if (t->fd < 0 || f->channel != t->channel)	/* sent before the device learnt of the end */
		return 0;
	if (f->type == LINK_DATA)
		return t->device_closed ? 0 : to_ca(t, &f->payload, deadline, e);
	t->device_closed = true;
	shutdown(t->fd, SHUT_WR);
	return 0;
}

int tunnel_readable(struct tunnel *t, int64_t deadline, struct err *e)
{
	uint8_t data[LIMIT_LINK_FRAME];
	ssize_t n = recv(t->fd, data, sizeof data, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0) {
		FAULT("station.tunnel.to-device");
		return link_usb_send(t->link, LINK_DATA, t->channel, data, (size_t)n, deadline, e);
	}
	/* The CA closes its side last, after its answer: nothing can follow from either side. */
	tunnel_close(t);
	return say(t, LINK_CLOSE, deadline, e);
}
