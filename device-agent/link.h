/* link.h - the way to the station, whatever it is made of: bytes both ways, carrying the frames of devmsg.h. */
#ifndef HANDSEL_LINK_H
#define HANDSEL_LINK_H

#include <stddef.h>

#include "err.h"

#define LINK_NOTHING (-2)

struct link {
	int fd;		/* for poll(): readable when read() has something to say */
	/* To be called when fd is readable: up to len bytes, LINK_NOTHING if there are none after all; 0 at the end, -1. */
	long (*read)(struct link *l, void *data, size_t len, struct err *e);
	int (*write)(struct link *l, const void *data, size_t len, struct err *e);	/* all of it */
	void (*close)(struct link *l);							/* frees l, too */
};

/* Over a connected socket, which the link owns: tests, simulation, and a relay in front of other endpoints. */
struct link *link_sock_new(int fd);

#endif
