#include <config.h>

#include "node.h"

#include <string.h>

#include "clock.h"
#include "onboard.h"
#include "oid.h"

int node_url(struct url *u, const char *text, struct err *e)
{
	if (url_parse(u, text, e) < 0)
		return -1;
	if (u->path[0] && strcmp(u->path, "/") != 0)
		return err_set(e, REASON_CONFIG, "the node's address \"%s\" has a path; give https://HOST:PORT alone", text);
	return 0;
}

int node_init(struct node *n, const struct url *url, const struct credential *own, struct err *e)
{
	*n = (struct node){ .url = url, .own = own, .trust = trust_new() };
	if (own->root.n != 1)
		err_set(e, REASON_KEY_STORE, "the credential in force has no root");
	else if (trust_add_root(n->trust, &own->root.cert[0], e) == 0)
		return 0;
	node_free(n);
	return -1;
}

void node_free(struct node *n)
{
	node_disconnect(n);
	trust_free(n->trust);
	n->trust = NULL;
}

void node_disconnect(struct node *n)
{
	httpc_free(n->http);
	n->http = NULL;
}

struct tls *node_handshake(struct node *n, int fd, int64_t deadline_ms, struct err *e)
{
	bool new_device = n->own->slot == SLOT_FACTORY;
	char sni[ONBOARD_SNI_MAX];
	struct tls_client opt = {
		.chain = &n->own->chain,
		.key = n->own->key,
		.trust = n->trust,
		.rule = { .purpose = PURPOSE_SERVER, .policy = OID_POLICY_UNIT, .role = "node", .now = clock_utc() },
		.sni = new_device ? sni : NULL,
		.deadline_ms = deadline_ms,
	};
	struct tls *t;

	onboard_sni(sni, &n->own->root.cert[0]);
	t = tls_connect(fd, &opt, e);
	if (!t)
		return NULL;
	memcpy(n->customer, tls_peer(t)->customer, sizeof n->customer);
	if (new_device && !n->customer[0]) {
		err_set(e, REASON_ROLE, "the node's certificate (%s) names no customer, so it may not take new devices",
			tls_peer(t)->subject);
		tls_close(t);
		return NULL;
	}
	return t;
}

static int64_t deadline(const struct node *n)
{
	int64_t then = clock_mono_ms() + TIMEOUT_HTTP_MS;

	return n->give_up_ms && n->give_up_ms < then ? n->give_up_ms : then;
}

int node_connect(struct node *n, struct err *e)
{
	int64_t deadline_ms = deadline(n);
	struct tls *t;
	int fd;

	if (n->http && httpc_alive(n->http)) {
		tls_deadline(httpc_tls(n->http), deadline_ms);
		return 0;
	}
	node_disconnect(n);
	fd = tcp_connect(n->url->host, n->url->port, deadline_ms, e);
	if (fd < 0)
		return -1;
	t = node_handshake(n, fd, deadline_ms, e);
	if (!t)
		return -1;
	n->vouched = false;
	n->http = httpc_new(t, n->url->host);
	return 0;
}
