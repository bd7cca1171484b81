#include <config.h>

#include "ffs_private.h"

#include <endian.h>
#include <errno.h>
#include <linux/usb/functionfs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"

#define WRITE_SIZE (16 << 10)	/* the kernel copies each transfer into one piece; a multiple of every packet size */

struct ffs_link {
	struct link link;
	struct ffs *ffs;
	unsigned session;
};

static bool is_over(const struct ffs_link *l)
{
	return l->session != l->ffs->session;
}

static int submit(struct ffs *f, struct ffs_transfer *t, int fd, unsigned opcode, const void *data, size_t len,
		  struct err *e)
{
	struct iocb *list[1] = { &t->cb };

	t->cb = (struct iocb){ .aio_data = (uintptr_t)t, .aio_lio_opcode = (__u16)opcode, .aio_fildes = (__u32)fd,
			       .aio_buf = (uintptr_t)data, .aio_nbytes = len, .aio_flags = IOCB_FLAG_RESFD,
			       .aio_resfd = (__u32)f->done };
	if (syscall(SYS_io_submit, f->aio, 1, list) != 1)
		return err_errno(e, REASON_USB, "the USB transfer cannot be started");
	t->busy = true;
	return 0;
}

/* Notes which transfers have ended, without waiting. */
static void reap(struct ffs *f)
{
	struct io_event event[2];
	const struct timespec now = {0};
	uint64_t count;
	long n;

	if (read(f->done, &count, sizeof count) < 0)
		return;
	while ((n = syscall(SYS_io_getevents, f->aio, 0, ARRAY_LEN(event), event, &now)) > 0)
		for (long i = 0; i < n; i++) {
			struct ffs_transfer *t = (struct ffs_transfer *)(uintptr_t)event[i].data;

			t->busy = false;
			t->result = (long)event[i].res;
			if (t == &f->reading)
				f->unread = true;
		}
}

/* The end of a read that was noted while something else was waited for is still news to who polls the link. */
static int keep_news(const struct ffs *f, struct err *e)
{
	const uint64_t one = 1;

	if (f->unread && write(f->done, &one, sizeof one) < 0)
		return err_errno(e, REASON_INTERNAL, "eventfd");
	return 0;
}

/* The host's new session ends every transfer of the one before. A read that is submitted just then may have been too
 * early or in time; only its result tells. */
static int start_reading(struct ffs *f, struct err *e)
{
	unsigned before = f->session;

	if (submit(f, &f->reading, f->out, IOCB_CMD_PREAD, f->bytes, FFS_READ_SIZE, e) < 0 || ffs_events(f, e) < 0)
		return -1;
	f->read_session = f->session;
	f->read_early = before != f->session;
	return 0;
}

static bool was_taken_away(const struct ffs_transfer *t)
{
	return t->result == -ESHUTDOWN || t->result == -EAGAIN;
}

/* Sees to it that a read is under way: 1 it has ended with bytes of this session, 0 not yet, -1. Where the endpoint
 * was taken away an event is on its way, and what was read before it would be lost. */
static int next_read(struct ffs *f, struct err *e)
{
	while (!f->reading.busy) {
		bool ours = f->read_session == f->session && !f->read_early;

		if (!f->unread && f->read_session == f->session)
			return 0;
		if (f->unread && f->read_session == f->session && f->reading.result > 0)
			return 1;
		if (f->unread && ours && was_taken_away(&f->reading)) {
			f->unread = false;
			return 0;
		}
		if (f->unread && ours && f->reading.result < 0) {
			errno = (int)-f->reading.result;
			return err_errno(e, REASON_USB, "cannot read from the station");
		}
		f->unread = false;
		if (start_reading(f, e) < 0)
			return -1;
	}
	return 0;
}

static long ffs_read(struct link *link, void *data, size_t len, struct err *e)
{
	struct ffs_link *l = (struct ffs_link *)link;
	struct ffs *f = l->ffs;
	int rc;

	if (ffs_events(f, e) < 0)
		return -1;
	reap(f);
	if (is_over(l))
		return keep_news(f, e);
	rc = next_read(f, e);
	if (rc <= 0)
		return rc < 0 ? -1 : LINK_NOTHING;
	if ((size_t)f->reading.result > len)
		return err_set(e, REASON_INTERNAL, "more bytes than there is room for");
	len = (size_t)f->reading.result;
	memcpy(data, f->bytes, len);
	f->unread = false;
	return start_reading(f, e) < 0 ? -1 : (long)len;
}

/* Waits for the end of the transfer, in which the host may have begun anew. */
static int write_part(struct ffs_link *l, const uint8_t *data, size_t len, struct err *e)
{
	struct ffs *f = l->ffs;

	if (submit(f, &f->writing, f->in, IOCB_CMD_PWRITE, data, len, e) < 0)
		return -1;
	for (reap(f); f->writing.busy; reap(f))
		if (ffs_wait(f, e) < 0 || ffs_events(f, e) < 0)
			return -1;
	if (keep_news(f, e) < 0)
		return -1;
	if (f->writing.result == (long)len)
		return 0;
	errno = f->writing.result < 0 ? (int)-f->writing.result : EIO;
	return err_errno(e, REASON_USB, "cannot write to the station");
}

static int ffs_write(struct link *link, const void *data, size_t len, struct err *e)
{
	struct ffs_link *l = (struct ffs_link *)link;
	struct usb_endpoint_descriptor now;
	const uint8_t *p = data;

	for (size_t left = len; left;) {
		size_t part = left < WRITE_SIZE ? left : WRITE_SIZE;

		if (is_over(l))
			return err_set(e, REASON_USB, "the station has begun anew");
		if (write_part(l, p, part, e) < 0)
			return -1;
		p += part;
		left -= part;
	}
	/* A host that reads in larger blocks gets it at once. */
	if (ioctl(l->ffs->in, FUNCTIONFS_ENDPOINT_DESC, &now) == 0 && len % le16toh(now.wMaxPacketSize) == 0)
		return write_part(l, p, 0, e);
	return 0;
}

static void cancel_reading(struct ffs *f)
{
	struct io_event event;
	struct err e;

	if (f->reading.busy)
		syscall(SYS_io_cancel, f->aio, &f->reading.cb, &event);
	for (reap(f); f->reading.busy; reap(f))
		if (ffs_wait(f, &e) < 0)
			break;
	f->unread = false;
}

/* A transfer in the wrong direction is FunctionFS' way to stall an endpoint. */
static void stall(const struct ffs *f)
{
	uint8_t byte = 0;
	ssize_t n = read(f->in, &byte, 1) + write(f->out, &byte, 1);

	(void)n;	/* EBADMSG: stalled */
}

static void ffs_link_close(struct link *link)
{
	struct ffs_link *l = (struct ffs_link *)link;

	if (!is_over(l)) {
		cancel_reading(l->ffs);
		stall(l->ffs);
	}
	free(l);
}

struct link *ffs_session(struct ffs *f, struct err *e)
{
	static const struct link calls = { .read = ffs_read, .write = ffs_write, .close = ffs_link_close };
	struct ffs_link *l;

	for (;;) {
		int rc = 0;

		if (ffs_events(f, e) < 0)
			return NULL;
		reap(f);
		if (f->enabled && f->session != f->served)
			rc = next_read(f, e);
		if (rc > 0)
			break;
		if (rc < 0 || ffs_wait(f, e) < 0)
			return NULL;
	}
	if (keep_news(f, e) < 0)
		return NULL;
	l = mem_new(1, sizeof *l);
	l->link = calls;
	l->link.fd = f->poll;
	l->ffs = f;
	l->session = f->served = f->session;
	return &l->link;
}
