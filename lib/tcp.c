#include <config.h>

#include "tls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

static bool wait_connected(int fd, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof errno;
	int failure = 0, rc;

	for (;;) {
		int64_t left = deadline_ms - clock_mono_ms();

		rc = left <= 0 ? 0 : poll(&p, 1, left > 1 << 30 ? 1 << 30 : (int)left);
		if (rc > 0)
			break;
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc == 0)
			errno = ETIMEDOUT;
		return false;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
		return false;
	errno = failure;
	return failure == 0;
}

static int connect_one(const struct addrinfo *a, int64_t deadline_ms)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol), saved;

	if (fd < 0)
		return -1;
	/* Small handshake records would wait 40 ms for a delayed ACK. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || (errno == EINPROGRESS && wait_connected(fd, deadline_ms)))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Each address gets an equal share of what is left, so that one that swallows packets does not hide the next. */
static int connect_any(const struct addrinfo *list, int64_t deadline_ms)
{
	int left = 0, fd = -1;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		left++;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next, left--) {
		int64_t now = clock_mono_ms();

		fd = connect_one(a, now + (deadline_ms - now) / left);
	}
	return fd;
}

int tcp_connect(const char *host, const char *port, int64_t deadline_ms, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
	size_t n = strlen(host);
	char name[256];
	int rc, fd;

	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof name)
		return err_set(e, REASON_NO_ADDRESS, "no usable host name or address");
	memcpy(name, host, n);
	name[n] = '\0';
	rc = getaddrinfo(name, port, &hints, &list);
	if (rc != 0)
		return err_set(e, REASON_UNREACHABLE, "cannot resolve %s port %s: %s", name, port, gai_strerror(rc));
	fd = connect_any(list, deadline_ms);
	if (fd < 0)
		err_errno(e, REASON_UNREACHABLE, "cannot connect to %s port %s", name, port);
	freeaddrinfo(list);
	return fd;
}
