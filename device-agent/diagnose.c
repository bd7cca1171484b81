#include <config.h>

#include "diagnose.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"
#include "text.h"

#define STEP_MS 5000			/* patience with one step: an installer is waiting */
#define STORAGE_NEEDED (64u << 10)	/* a slot with its temporaries takes a quarter of it */

/* ---- the device itself ---- */

static void look_storage(struct findings *l, const char *dir)
{
	struct statvfs v;

	if (statvfs(dir, &v) < 0)
		finding_say(l, "storage", FINDING_BAD, REASON_STORAGE, "%s cannot be looked at", dir);
	else if (access(dir, W_OK) < 0)
		finding_say(l, "storage", FINDING_BAD, REASON_STORAGE, "%s cannot be written to", dir);
	else if ((uint64_t)v.f_bavail * v.f_frsize < STORAGE_NEEDED)
		finding_say(l, "storage", FINDING_BAD, REASON_STORAGE, "less than %u KiB are free in %s", STORAGE_NEEDED >> 10, dir);
	else
		finding_say(l, "storage", FINDING_GOOD, REASON_OK, "%s is writable", dir);
}

static int look_credential(struct findings *l, const struct store *s, struct credential *c)
{
	struct err e;

	if (store_current(s) == SLOT_NONE)
		finding_say(l, "credential", FINDING_BAD, REASON_KEY_STORE, "there is none: the device has not passed the factory");
	else if (store_load(s, store_current(s), c, &e) < 0)
		finding_say(l, "credential", FINDING_BAD, e.code, "%s", e.text);
	else {
		finding_say(l, "credential", FINDING_GOOD, REASON_OK, "%s, by %s", store_slot_name(c->slot), c->chain.cert[0].issuer);
		return 0;
	}
	return -1;
}

static void look_clock(struct findings *l)
{
	char now[TEXT_TIME];

	text_time(now, clock_utc());
	if (clock_is_behind())
		finding_say(l, "clock", FINDING_DOUBT, REASON_CLOCK, "behind; going on with %s, the latest time known to be past", now);
	else
		finding_say(l, "clock", FINDING_GOOD, REASON_OK, "%s", now);
}

/* ---- the network ---- */

static bool is_usable(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, a, sizeof in);
		return (ntohl(in.sin_addr.s_addr) >> 16) != 0xa9fe;	/* 169.254/16: nobody gave an address */
	}
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, a, sizeof in6);
		return !IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr);
	}
	return false;
}

static void look_link(struct findings *l)
{
	char up[IF_NAMESIZE] = "", host[128] = "";
	struct ifaddrs *all, *i;

	if (getifaddrs(&all) < 0) {
		finding_say(l, "link", FINDING_DOUBT, REASON_NO_LINK, "the network interfaces cannot be listed");
		return;
	}
	for (i = all; i; i = i->ifa_next) {
		if ((i->ifa_flags & IFF_LOOPBACK) || !(i->ifa_flags & IFF_UP) || !(i->ifa_flags & IFF_RUNNING))
			continue;
		snprintf(up, sizeof up, "%s", i->ifa_name);
		if (i->ifa_addr && !host[0] && is_usable(i->ifa_addr))
			getnameinfo(i->ifa_addr, i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) :
				    sizeof(struct sockaddr_in6), host, sizeof host, NULL, 0, NI_NUMERICHOST);
	}
	freeifaddrs(all);
	if (up[0])
		finding_say(l, "link", FINDING_GOOD, REASON_OK, "%s", up);
	else
		finding_say(l, "link", FINDING_BAD, REASON_NO_LINK, "no network interface is up");
	if (host[0])
		finding_say(l, "address", FINDING_GOOD, REASON_OK, "%s", host);
	else
		finding_say(l, "address", up[0] ? FINDING_BAD : FINDING_NOT_TRIED, up[0] ? REASON_NO_LINK : REASON_OK,
		    "%s", up[0] ? "none but link-local: nothing gave this device an address" : "there is no link");
}

static bool is_this_machine(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static bool is_numeric(const char *host)
{
	uint8_t address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int look_dns(struct findings *l, const struct url *u)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int rc;

	if (is_numeric(u->host)) {
		finding_say(l, "dns", FINDING_GOOD, REASON_OK, "not needed: %s is an address", u->host);
		return 0;
	}
	rc = getaddrinfo(u->host, u->port, &hints, &found);
	if (rc != 0) {
		finding_say(l, "dns", FINDING_BAD, REASON_UNREACHABLE, "no address for the name %s: %s", u->host, gai_strerror(rc));
		return -1;
	}
	freeaddrinfo(found);
	finding_say(l, "dns", FINDING_GOOD, REASON_OK, "%s has an address", u->host);
	return 0;
}

bool diagnose_is_proxy(const char *answer, size_t len)
{
	/* 400 is what a TLS server says to a request in clear. */
	return len >= 12 && memcmp(answer, "HTTP/1.", 7) == 0 && answer[8] == ' ' && memcmp(answer + 9, "400", 3) != 0;
}

/* Whoever answers HTTP in clear on the node's port is no node (E13: captive portal, proxy login). */
static bool answers_in_clear(const struct url *u)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: handsel.invalid\r\nConnection: close\r\n\r\n";
	struct pollfd p = { .events = POLLIN };
	char answer[64];
	bool clear = false;
	struct err e;

	p.fd = tcp_connect(u->host, u->port, clock_mono_ms() + STEP_MS, &e);
	if (p.fd < 0)
		return false;
	if (send(p.fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 && poll(&p, 1, STEP_MS) > 0) {
		ssize_t n = recv(p.fd, answer, sizeof answer, 0);

		clear = n > 0 && diagnose_is_proxy(answer, (size_t)n);
	}
	close(p.fd);
	return clear;
}

static void look_node(struct findings *l, const struct url *u, const struct credential *own)
{
	struct node n;
	struct err e;
	struct tls *t;
	int fd = tcp_connect(u->host, u->port, clock_mono_ms() + STEP_MS, &e);

	if (fd < 0) {
		finding_say(l, "tcp", FINDING_BAD, e.code, "%s", e.text);
		finding_say(l, "tls", FINDING_NOT_TRIED, REASON_OK, "no connection");
		return;
	}
	finding_say(l, "tcp", FINDING_GOOD, REASON_OK, "%s port %s answers", u->host, u->port);
	if (node_init(&n, u, own, &e) < 0) {
		close(fd);
		finding_say(l, "tls", FINDING_BAD, e.code, "%s", e.text);
		return;
	}
	t = node_handshake(&n, fd, clock_mono_ms() + STEP_MS, &e);
	if (t)
		finding_say(l, "tls", FINDING_GOOD, REASON_OK, "node %s%s%s", tls_peer(t)->name, n.customer[0] ? " of " : "", n.customer);
	else if (answers_in_clear(u))
		finding_say(l, "tls", FINDING_BAD, REASON_PROXY, "%s port %s answers in clear, as a proxy or a login page does", u->host,
		    u->port);
	else
		finding_say(l, "tls", FINDING_BAD, e.code, "%s", e.text);
	tls_close(t);
	node_free(&n);
}

static void look_network(struct findings *l, const char *address, const struct credential *own)
{
	struct url u;
	struct err e;

	if (!address) {
		look_link(l);
		finding_say(l, "node", FINDING_BAD, REASON_NO_ADDRESS, "no address of a node was given");
		return;
	}
	if (node_url(&u, address, &e) < 0) {
		finding_say(l, "node", FINDING_BAD, e.code, "%s", e.text);
		return;
	}
	if (is_this_machine(u.host))
		finding_say(l, "link", FINDING_GOOD, REASON_OK, "not needed: the node is on this machine");
	else
		look_link(l);
	finding_say(l, "node", FINDING_GOOD, REASON_OK, "%s port %s", u.host, u.port);
	if (look_dns(l, &u) < 0)
		finding_say(l, "tcp", FINDING_NOT_TRIED, REASON_OK, "no address");
	else if (!own)
		finding_say(l, "tls", FINDING_NOT_TRIED, REASON_OK, "no credential to show");
	else
		look_node(l, &u, own);
}

void diagnose(const char *dir, const char *address, struct findings *all)
{
	struct credential own = { .slot = SLOT_NONE };
	struct err e;
	struct store *s = store_open(dir, false, &e);
	const struct device_id *d;
	bool complete;

	floor_apply(s);
	if (!s) {
		finding_say(all, "device", FINDING_BAD, e.code, "%s", e.text);
	} else {
		d = &store_identity(s)->device;
		finding_say(all, "device", FINDING_GOOD, REASON_OK, "%s %s %s", d->manufacturer, d->model, d->serial);
		look_storage(all, dir);
	}
	complete = s && look_credential(all, s, &own) == 0;
	look_clock(all);
	look_network(all, address, complete ? &own : NULL);
	credential_free(&own);
	store_close(s);
}
