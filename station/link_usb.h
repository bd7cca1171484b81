/* link_usb.h - the device link (lib/devmsg.h) over the bulk endpoints of an agent. */
#ifndef HANDSEL_LINK_USB_H
#define HANDSEL_LINK_USB_H

#include "devmsg.h"
#include "usb.h"

struct link_usb;

/* Opens a new session: the agent's vendor interface is claimed and set, and its bytes are read from now on. */
struct link_usb *link_usb_open(const struct usb_place *place, struct err *e);
void link_usb_close(struct link_usb *l);

int link_usb_fd(const struct link_usb *l);	/* for poll(): readable when link_usb_next() has something to do */

/* One frame as one transfer, within the time left before the deadline. */
int link_usb_send(struct link_usb *l, enum link_type type, uint16_t channel, const void *payload, size_t len,
		  int64_t deadline, struct err *e);

/* 1 a frame, 0 none yet; never waits. -1: malformed (USB), or the device is gone (DEVICE_LEFT). */
int link_usb_next(struct link_usb *l, struct link_frame *f, struct err *e);

#endif
