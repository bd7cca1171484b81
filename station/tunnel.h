/* tunnel.h - the device's own TLS connection to the CA, carried as bytes: the station sees no more than these.
 *
 * OPEN connects to the CA of station.yaml and nowhere else; CLOSE ends one direction, as a FIN does. One channel at a
 * time: a new OPEN ends the old one. */
#ifndef HANDSEL_TUNNEL_H
#define HANDSEL_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "link_usb.h"

struct tunnel {
	const struct url *ca;
	struct link_usb *link;
	int fd;				/* -1: closed */
	uint16_t channel;
	bool device_closed;
	struct err error;		/* why the last OPEN was refused; text "" if it was not */
};

void tunnel_init(struct tunnel *t, const struct url *ca, struct link_usb *link);
void tunnel_close(struct tunnel *t);

/* A frame OPEN, DATA or CLOSE of the device. -1: the link is dead (a CA that cannot be reached is told to the device).
 */
int tunnel_frame(struct tunnel *t, const struct link_frame *f, int64_t deadline, struct err *e);

/* When t->fd is readable: bytes or the end from the CA go to the device. */
int tunnel_readable(struct tunnel *t, int64_t deadline, struct err *e);

#endif
