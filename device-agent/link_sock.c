#include <config.h>

#include "link.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mem.h"

static long sock_read(struct link *l, void *data, size_t len, struct err *e)
{
	ssize_t n;

	do
		n = recv(l->fd, data, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET)
		return 0;	/* the station died: the same end */
	return n < 0 ? err_errno(e, REASON_USB, "cannot read from the station") : n;
}

static int sock_write(struct link *l, const void *data, size_t len, struct err *e)
{
	for (const uint8_t *p = data; len;) {
		ssize_t n = send(l->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, REASON_USB, "cannot write to the station");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static void sock_close(struct link *l)
{
	close(l->fd);
	free(l);
}

struct link *link_sock_new(int fd)
{
	struct link *l = mem_new(1, sizeof *l);

	*l = (struct link){ .fd = fd, .read = sock_read, .write = sock_write, .close = sock_close };
	return l;
}
