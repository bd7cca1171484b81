#include <config.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"
#include "mem.h"
#include "tls.h"

#define OF_ONE_ADDRESS 400	/* below LIMIT_HTTP_PER_IP */
#define IDLE_S 3		/* with it the whole stays below TIMEOUT_HTTP_HEAD_MS */
#define STEP_US 100000

/* The head of a record with a ClientHello, and not all of what it announces. */
static const uint8_t half[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 };
/* The same of what follows the ServerHello: far more than comes in the time of a connection. */
static const uint8_t record[] = { 0x17, 3, 3, 1, 0 };
static const char head[] = "POST /ca HTTP/1.1\r\nHost: x\r\n";

static struct {
	uint8_t hello[2000];
	size_t len;
	int *fd;
	uint64_t n;
} all;

static struct tls *session(int fd, int64_t ms)
{
	struct tls_client opt = { .stranger = true, .deadline_ms = clock_mono_ms() + ms };
	struct err e;

	return tls_connect(fd, &opt, &e);
}

/* As a client of ours has it, which nobody answers. */
static void learn_hello(void)
{
	int fd[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) || session(fd[1], 50))
		die("no ClientHello");
	n = recv(fd[0], all.hello, sizeof all.hello, MSG_DONTWAIT);
	close(fd[0]);
	if (n < 100)
		die("no ClientHello");
	all.len = (size_t)n;
}

static void put(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("a connection that is to stall was closed");
}

static void one(const struct options *o, const struct sockaddr_in *to, uint64_t i)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + (uint32_t)(i / OF_ONE_ADDRESS)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct err e;
	struct tls *t;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) || connect(fd, (const struct sockaddr *)to, sizeof *to))
		die("stalled connection %llu cannot be made", (unsigned long long)i);
	all.fd[i] = fd;
	if (strcmp(o->stall_at, "half") == 0) {
		put(fd, half, sizeof half);
	} else if (strcmp(o->stall_at, "whole") == 0 || strcmp(o->stall_at, "drip") == 0) {
		put(fd, all.hello, all.len);
	} else {
		t = session(fd, 5000);
		if (!t || (strcmp(o->stall_at, "head") == 0 && tls_write(t, head, sizeof head - 1, &e)))
			die("stalled connection %llu: no session", (unsigned long long)i);
	}
}

/* An octet a second of each. */
static void *drip(void *arg)
{
	for (size_t k = 0;; k++)
		for (uint64_t i = 0; i < all.n; i++) {
			send(all.fd[i], k < sizeof record ? &record[k] : &record[0], 1, MSG_NOSIGNAL);
			usleep((useconds_t)(1000000 / all.n));
		}
	return NULL;
}

static void tell(const struct options *o, double taken, double idle)
{
	if (o->json)
		printf("{\"v\":1,\"type\":\"stalled\",\"bench\":\"%s\",\"stalled\":%llu,\"at\":\"%s\",\"taken_in_ms\":%.1f,\"idle_percent\":%.3f}\n",
		       o->name, (unsigned long long)all.n, o->stall_at, 1000 * taken, 100 * idle);
	else
		printf("%-12s %llu that stall (%s): %.0f ms to take them in, then %.2f %% of a core\n", o->name,
		       (unsigned long long)all.n, o->stall_at, 1000 * taken, 100 * idle);
}

/* All of them have been taken in: CPU seconds until then. */
static double settled(const struct options *o)
{
	double before, now = load_cpu(o);

	do {
		before = now;
		usleep(STEP_US);
		now = load_cpu(o);
	} while (now - before > (double)STEP_US / 50e6);
	return now;
}

void stall(const struct options *o)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	double begin, taken;
	pthread_t thread;
	struct url url;
	struct err e;

	if (!o->stalled)
		return;
	need(url_parse(&url, o->ca, &e), &e, "--ca");
	to.sin_port = htons((uint16_t)atoi(url.port));
	if (inet_pton(AF_INET, url.host, &to.sin_addr) != 1)
		die("--ca: an address of 127.0.0.0/8");
	learn_hello();
	all.n = o->stalled;
	all.fd = mem_new(all.n, sizeof *all.fd);
	begin = load_cpu(o);
	for (uint64_t i = 0; i < all.n; i++)
		one(o, &to, i);
	taken = settled(o);
	if (strcmp(o->stall_at, "drip") == 0 && pthread_create(&thread, NULL, drip, NULL))
		die("cannot start a thread");
	sleep(IDLE_S);
	tell(o, taken - begin, (load_cpu(o) - taken) / IDLE_S);
}
