/* ffs_private.h - between ffs.c (control endpoint) and link_ffs.c (bulk endpoints). */
#ifndef HANDSEL_FFS_PRIVATE_H
#define HANDSEL_FFS_PRIVATE_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>

#include "ffs.h"

#define FFS_READ_SIZE (16 << 10)	/* a multiple of every packet size, so that no packet overflows it */

/* FunctionFS' endpoints cannot be polled: transfers are asynchronous I/O, whose ends an eventfd tells. */
struct ffs_transfer {
	struct iocb cb;
	bool busy;		/* the kernel has it, and its bytes */
	long result;		/* bytes or -errno; of a transfer that has ended */
};

struct ffs {
	int ep0, out, in;
	int done;		/* eventfd: a transfer has ended */
	int poll;		/* epoll of ep0 and done */
	aio_context_t aio;
	unsigned session;	/* counts the events that begin or end one */
	unsigned served;	/* the session that a link was made for */
	bool enabled;		/* a host has set the interface */
	struct ffs_transfer reading, writing;
	unsigned read_session;	/* of `reading` */
	bool read_early;	/* it may have been submitted before that began */
	bool unread;		/* reading has ended, and nobody has looked at it */
	uint8_t *bytes;		/* FFS_READ_SIZE of them */
};

/* Takes what ep0 has to say, without waiting. */
int ffs_events(struct ffs *f, struct err *e);

/* Waits for an event or the end of a transfer. */
int ffs_wait(struct ffs *f, struct err *e);

#endif
