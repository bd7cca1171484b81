#include <config.h>

#include "link_usb.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "mem.h"

/* Vendor specific, and which one: protocol-link.md, L1.5. */
#define AGENT_CLASS 0xff
#define AGENT_SUBCLASS 0x4b
#define AGENT_PROTOCOL 1
#define READ_SIZE (16 << 10)	/* a multiple of every packet size, so that no packet overflows it */
#define READ_SLICE_MS 200	/* how late link_usb_close() may come; nothing is lost at its end */

struct link_usb {
	struct usb *usb;
	struct usb_alternate alternate;
	pthread_t reader;
	int ours, theirs;	/* a socket pair: libusb has no descriptor that says "bytes are here" */
	bool stop;		/* atomic */
	int failure;		/* atomic, enum usb_failure: why the reader ended */
	struct buf in;
};

static void *reader_thread(void *arg)
{
	struct link_usb *l = arg;
	uint8_t *data = mem_new(1, READ_SIZE);

	while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
		int n = usb_bulk_in(l->usb, l->alternate.bulk_in, data, READ_SIZE, READ_SLICE_MS);

		if (n == USB_TIMEOUT)
			continue;
		if (n < 0) {
			__atomic_store_n(&l->failure, n, __ATOMIC_RELEASE);
			break;
		}
		for (int done = 0; done < n;) {
			ssize_t sent = send(l->theirs, data + done, (size_t)(n - done), MSG_NOSIGNAL);

			if (sent < 0 && errno != EINTR)
				goto out;	/* link_usb_close() */
			done += sent > 0 ? (int)sent : 0;
		}
	}
out:
	shutdown(l->theirs, SHUT_RDWR);
	free(data);
	return NULL;
}

static int choose(struct link_usb *l, const char *port, struct err *e)
{
	struct usb_alternate a[USB_ALTERNATES_MAX];
	int n = usb_alternates(l->usb, a, e);

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (a[i].class == AGENT_CLASS && a[i].subclass == AGENT_SUBCLASS && a[i].protocol == AGENT_PROTOCOL &&
		    a[i].bulk_in && a[i].bulk_out) {
			l->alternate = a[i];
			return 0;
		}
	return err_set(
		e, REASON_AGENT,
		"the device on port %s has no interface of the device link with two bulk endpoints (L1.5); it does not run the agent",
		port);
}

struct link_usb *link_usb_open(const struct usb_place *place, struct err *e)
{
	struct link_usb *l = mem_new(1, sizeof *l);
	int pair[2];

	l->in.max = 2 * (LINK_HEADER + LIMIT_LINK_FRAME);
	l->usb = usb_open(place, e);
	if (!l->usb || choose(l, place->port, e) < 0 || usb_claim(l->usb, &l->alternate, true, e) < 0)
		goto fail;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err_errno(e, REASON_INTERNAL, "cannot make a socket pair");
		goto fail;
	}
	l->ours = pair[0];
	l->theirs = pair[1];
	if (pthread_create(&l->reader, NULL, reader_thread, l) != 0) {
		err_errno(e, REASON_INTERNAL, "cannot start a thread");
		close(l->ours);
		close(l->theirs);
		goto fail;
	}
	return l;
fail:
	usb_close(l->usb);
	free(l);
	return NULL;
}

void link_usb_close(struct link_usb *l)
{
	if (!l)
		return;
	__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
	shutdown(l->ours, SHUT_RDWR);
	pthread_join(l->reader, NULL);
	close(l->ours);
	close(l->theirs);
	usb_close(l->usb);
	buf_free(&l->in);
	free(l);
}

int link_usb_fd(const struct link_usb *l)
{
	return l->ours;
}

static int gone(const struct link_usb *l, int failure, const char *doing, struct err *e)
{
	int why = failure ? failure : __atomic_load_n(&l->failure, __ATOMIC_ACQUIRE);

	return err_set(e, why == USB_GONE ? REASON_DEVICE_LEFT : REASON_USB, "%s: %s", doing, usb_failure_text(why));
}

int link_usb_send(struct link_usb *l, enum link_type type, uint16_t channel, const void *payload, size_t len,
		  int64_t deadline, struct err *e)
{
	int64_t left = deadline - clock_mono_ms();
	struct buf frame = {0};
	int n;

	if (left > TIMEOUT_USB_MS)
		left = TIMEOUT_USB_MS;
	link_put(&frame, type, channel, payload, len);
	if (frame.failed) {
		buf_free(&frame);
		return err_set(e, REASON_INTERNAL, "message %s is too long for the device link", link_type_name(type));
	}
	n = usb_bulk_out(l->usb, &l->alternate, frame.data, (int)frame.len, (int)left);
	buf_free(&frame);
	if (n >= 0)
		return 0;
	gone(l, n, "USB to the agent", e);
	return err_prefix(e, "sending %s", link_type_name(type));
}

int link_usb_next(struct link_usb *l, struct link_frame *f, struct err *e)
{
	for (;;) {
		int rc = link_take(&l->in, f, e);
		uint8_t *room;
		ssize_t n;

		if (rc != 0)
			return rc;
		room = buf_room(&l->in, READ_SIZE);	/* fits: what link_take() leaves is less than one frame */
		n = recv(l->ours, room, READ_SIZE, MSG_DONTWAIT);
		if (n == 0)
			return gone(l, 0, "USB from the agent", e);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR
				       ? 0
				       : err_errno(e, REASON_INTERNAL, "the agent's bytes cannot be read");
		l->in.len += (size_t)n;
	}
}
