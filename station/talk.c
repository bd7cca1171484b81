#include <config.h>

#include "talk.h"

#include <poll.h>

#include "clock.h"
#include "log.h"

#define STOP_SLICE_MS 250	/* how late an interrupt is noticed */

void talk_end(struct unit *u)
{
	if (u->link)
		tunnel_close(&u->tunnel);
	link_usb_close(u->link);
	u->link = NULL;
}

int talk_send(struct unit *u, enum link_type type, const struct buf *payload, struct err *e)
{
	return link_usb_send(u->link, type, 0, payload ? payload->data : NULL, payload ? payload->len : 0, u->deadline,
			     e);
}

static int wait_bytes(struct unit *u, int64_t deadline, struct err *e)
{
	struct pollfd p[2] = { { .fd = link_usb_fd(u->link), .events = POLLIN },
			       { .fd = u->tunnel.fd, .events = POLLIN } };
	int64_t left = deadline - clock_mono_ms();

	poll(p, 2, left < STOP_SLICE_MS ? (int)left : STOP_SLICE_MS);
	return p[1].revents ? tunnel_readable(&u->tunnel, u->deadline, e) : 0;
}

int talk_hear(struct unit *u, struct link_frame *f, int64_t deadline, struct err *e)
{
	for (;;) {
		int rc = link_usb_next(u->link, f, e);

		if (rc < 0)
			return -1;
		if (bus_stopped(u->run->bus))
			return err_set(e, REASON_INTERNAL, "interrupted");
		if (clock_mono_ms() >= deadline)
			return err_set(e, REASON_AGENT, "the agent does not answer in time");
		if (rc == 0)
			rc = wait_bytes(u, deadline, e);
		else if (f->type == LINK_LOG)
			log_info("slot %s: %.200s", u->record.slot, buf_text(&f->payload));
		else if (f->type == LINK_OPEN || f->type == LINK_DATA || f->type == LINK_CLOSE)
			rc = tunnel_frame(&u->tunnel, f, u->deadline, e);
		else
			return 0;
		if (rc < 0)
			return -1;
	}
}

int talk_expect(struct unit *u, enum link_type type, struct link_frame *f, int64_t deadline, struct err *e)
{
	if (talk_hear(u, f, deadline, e) < 0)
		return err_prefix(e, "waiting for %s", link_type_name(type));
	return f->type == type ? 0 : talk_refused(f, link_type_name(type), e);
}

int talk_refused(const struct link_frame *f, const char *wanted, struct err *e)
{
	struct link_result r;

	if (f->type == LINK_RESULT && link_result_read(&r, &f->payload, e) == 0 && r.code != REASON_OK)
		return err_set(e, r.code, "%s", r.text);
	return err_set(e, REASON_AGENT, "the agent answers %s where %s is expected", link_type_name(f->type), wanted);
}
