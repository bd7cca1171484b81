/* caclient.h - the CA-client (H3, H6, H11): messages to a CA system over HTTPS, the connection kept alive. */
#ifndef HANDSEL_CACLIENT_H
#define HANDSEL_CACLIENT_H

#include "camsg.h"
#include "tls.h"

struct ca_client {
	/* How to get a connected socket: over the network or through the station's tunnel. -1 with an error. */
	int (*connect)(void *arg, struct err *e);
	void *arg;
	const char *host;		/* for Host and, if it is a name and ca is none, SNI */
	const char *ca;			/* which CA of the system (protocol-ca 1.8, 3.7); NULL or "": its first */
	const struct chain *chain;	/* our identity, NULL for a device in the factory */
	const struct key *key;
	struct trust *trust;		/* the CA must be under it, with EKU serverAuth and role "ca" */
	bool stranger;			/* whoever answers will do: for what is public and proved otherwise, and nothing else */
	int64_t timeout_ms;		/* of one message; 0: TIMEOUT_HTTP_MS */
	int64_t later_ms;		/* out: the server's Retry-After, when it said 503 last; 0: it did not */
	struct httpc *http;		/* the client's own: zero it, ca_client_close() frees */
};

/* The name in the handshake by which a system of several CAs knows whose server certificate to show. */
#define CA_SNI_SUFFIX ".ca.handsel.internal"

/* A ready-made connect(): arg is a struct url. */
int ca_connect_url(void *url, struct err *e);

/* Sends m, to the CA that the client names if it does, and reads the answers, one for each request, in order. A kept connection that turns out dead is opened anew once.
 * Code CA_UNAVAILABLE if nothing came back (the requests may have been carried out), AUTHORITY, REQUEST. */
int ca_client_call(struct ca_client *c, struct ca_message *m, struct ca_reply *r, struct err *e);

/* How long to wait before the next try, where the caller would wait own_ms: no less than the CA has asked for, and up to a quarter more,
 * so that clients that were put off together do not come back together. */
int64_t ca_client_pause_ms(const struct ca_client *c, int64_t own_ms);

/* The TLS session of the open connection, connecting if need be: for the exporter of a confirm. NULL on failure. */
struct tls *ca_client_session(struct ca_client *c, struct err *e);
void ca_client_close(struct ca_client *c);

#endif
