#include <config.h>

#include "tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"

#define BLOCK 8192	/* half of LIMIT_LINK_FRAME: a TLS flight of ours fits */

enum control_kind { CONTROL_OPEN, CONTROL_SAY, CONTROL_FINISH };

struct control {
	enum control_kind kind;
	int fd;
	char text[200];
};

int tunnel_init(struct tunnel *t, struct err *e)
{
	*t = (struct tunnel){ .far = -1, .control = { -1, -1 } };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, t->control) < 0)
		return err_errno(e, REASON_INTERNAL, "cannot make a socket pair");
	return 0;
}

static void close_far(struct tunnel *t)
{
	if (t->far >= 0)
		close(t->far);
	t->far = -1;
}

void tunnel_free(struct tunnel *t)
{
	close_far(t);
	for (int i = 0; i < 2; i++)
		if (t->control[i] >= 0)
			close(t->control[i]);
}

static void tell(struct tunnel *t, const struct control *c)
{
	ssize_t n;

	do
		n = send(t->control[1], c, sizeof *c, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof *c)
		abort();	/* the pump outlives the worker: a bug */
}

int tunnel_connect(void *tunnel, struct err *e)
{
	struct tunnel *t = tunnel;
	struct control c = { .kind = CONTROL_OPEN };
	int pair[2];

	if (atomic_load(&t->cut))
		return err_set(e, REASON_UNREACHABLE, "the station is gone");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, REASON_INTERNAL, "cannot make a socket pair");
	c.fd = pair[1];
	tell(t, &c);
	return pair[0];
}

void tunnel_say(void *tunnel, const char *text)
{
	struct control c = { .kind = CONTROL_SAY };

	snprintf(c.text, sizeof c.text, "%s", text);
	tell(tunnel, &c);
}

void tunnel_finish(struct tunnel *t)
{
	struct control c = { .kind = CONTROL_FINISH };

	tell(t, &c);
}

static void hang_up(struct tunnel *t, struct buf *out)
{
	if (t->far < 0)
		return;
	close_far(t);
	link_put(out, LINK_CLOSE, t->channel, NULL, 0);
}

bool tunnel_control(struct tunnel *t, struct buf *out)
{
	struct control c;
	ssize_t n;

	do
		n = recv(t->control[0], &c, sizeof c, 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof c)
		abort();	/* both ends are ours */
	switch (c.kind) {
	case CONTROL_OPEN:
		hang_up(t, out);
		if (atomic_load(&t->cut)) {
			close(c.fd);
			return false;
		}
		t->far = c.fd;
		t->channel++;	/* a late frame of the last connection is not taken for one of this */
		link_put(out, LINK_OPEN, t->channel, NULL, 0);
		FAULT("link.opened");
		return false;
	case CONTROL_SAY:
		link_put(out, LINK_LOG, 0, c.text, strlen(c.text));
		return false;
	default:
		hang_up(t, out);
		return true;
	}
}

void tunnel_up(struct tunnel *t, struct buf *out)
{
	uint8_t block[BLOCK];
	ssize_t n;

	do
		n = recv(t->far, block, sizeof block, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		link_put(out, LINK_DATA, t->channel, block, (size_t)n);
	else
		hang_up(t, out);
}

void tunnel_down(struct tunnel *t, const struct link_frame *f, struct buf *out)
{
	const uint8_t *p = f->payload.data;
	size_t left = f->payload.len;

	if (t->far < 0 || f->channel != t->channel || f->type == LINK_OPENED)
		return;		/* of a connection that we have closed */
	if (f->type == LINK_CLOSE) {
		close_far(t);
		return;
	}
	while (left) {
		ssize_t n = send(t->far, p, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {	/* the worker has hung up */
			hang_up(t, out);
			return;
		}
		p += n;
		left -= (size_t)n;
	}
}

void tunnel_cut(struct tunnel *t)
{
	atomic_store(&t->cut, true);
	close_far(t);
}
