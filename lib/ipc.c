#include <config.h>

#include "ipc.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "limits.h"
#include "pack.h"

int ipc_send(int fd, uint32_t type, const struct buf *payload, struct err *e)
{
	struct buf frame = {0};
	size_t sent = 0;
	int rc = -1;

	if (payload->len > LIMIT_IPC || payload->failed)
		return err_set(e, REASON_INTERNAL, "message of %zu bytes to another process is too long", payload->len);
	pack_u32(&frame, type);
	pack_bytes(&frame, payload->data, payload->len);
	while (sent < frame.len) {
		ssize_t n = send(fd, frame.data + sent, frame.len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_errno(e, REASON_CA_UNAVAILABLE, "the other process is gone");
			goto out;
		}
		sent += (size_t)n;
	}
	rc = 0;
out:
	buf_free(&frame);
	return rc;
}

/* 1 all of it, 0 the peer had closed before the first byte, -1 closed in between or error. */
static int receive(int fd, uint8_t *out, size_t len, struct err *e)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, out + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, REASON_CA_UNAVAILABLE, "cannot read from the other process");
		if (n == 0 && got == 0)
			return 0;
		if (n == 0)
			return err_set(e, REASON_CA_UNAVAILABLE, "the other process ended within a message");
		got += (size_t)n;
	}
	return 1;
}

int ipc_recv(int fd, uint32_t *type, struct buf *payload, struct err *e)
{
	uint8_t head[8], *room;
	struct unpack u;
	uint32_t len;
	int rc = receive(fd, head, sizeof head, e);

	if (rc <= 0)
		return rc;
	unpack_init(&u, head, sizeof head);
	*type = unpack_u32(&u);
	len = unpack_u32(&u);
	buf_clear(payload);
	if (len > LIMIT_IPC || !(room = buf_room(payload, len)))
		return err_set(e, REASON_INTERNAL, "message of %u bytes from the other process is too long", len);
	rc = len ? receive(fd, room, len, e) : 1;
	if (rc == 0)
		return err_set(e, REASON_CA_UNAVAILABLE, "the other process ended within a message");
	if (rc < 0)
		return -1;
	payload->len += len;
	room[len] = 0;
	return 1;
}
