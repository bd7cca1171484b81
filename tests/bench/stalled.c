#include <config.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define OF_ONE_ADDRESS 400	/* below LIMIT_HTTP_PER_IP */

/* The head of a record with a ClientHello, and not all of what it announces. */
static const uint8_t half[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 };

static void one(const struct sockaddr_in *to, uint64_t i)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + (uint32_t)(i / OF_ONE_ADDRESS)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) || connect(fd, (const struct sockaddr *)to, sizeof *to) ||
	    write(fd, half, sizeof half) != sizeof half)
		die("stalled connection %llu cannot be made", (unsigned long long)i);
}

void stall(const struct options *o)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct url url;
	struct err e;

	if (!o->stalled)
		return;
	need(url_parse(&url, o->ca, &e), &e, "--ca");
	to.sin_port = htons((uint16_t)atoi(url.port));
	if (inet_pton(AF_INET, url.host, &to.sin_addr) != 1)
		die("--ca: an address of 127.0.0.0/8");
	for (uint64_t i = 0; i < o->stalled; i++)
		one(&to, i);
}
