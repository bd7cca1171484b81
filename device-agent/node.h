/* node.h - the connection to the customer node: mutual TLS, the node's role and root, one HTTP session. */
#ifndef HANDSEL_NODE_H
#define HANDSEL_NODE_H

#include "credential.h"
#include "http.h"
#include "httpc.h"

struct store;

struct node {
	const struct url *url;
	const struct credential *own;	/* factory: the node is sought under the factory root; else under the customer's */
	struct trust *trust;
	int64_t give_up_ms;		/* clock_mono_ms() that no connection may outlast; 0: none */
	struct httpc *http;		/* NULL: not connected */
	struct store *store;		/* for the voucher (vouch.h); NULL: none is demanded */
	bool vouched;			/* this connection's node has shown a good one */
	char customer[LIMIT_NAME + 1];	/* that the node's certificate names; "" until connected */
};

/* "https://HOST[:PORT]" or "HOST[:PORT]": a node has no path. Code CONFIG. */
int node_url(struct url *u, const char *text, struct err *e);

int node_init(struct node *n, const struct url *url, const struct credential *own, struct err *e);
void node_free(struct node *n);

/* Connects unless there is a living connection, and allows TIMEOUT_HTTP_MS from now on.
 * Codes UNREACHABLE, AUTHORITY, CLOCK, ROLE. */
int node_connect(struct node *n, struct err *e);
void node_disconnect(struct node *n);

/* TLS over a connected socket, as node_connect() does it: for a look at each step. The socket is taken over. */
struct tls *node_handshake(struct node *n, int fd, int64_t deadline_ms, struct err *e);

#endif
