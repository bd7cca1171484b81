/* httpd.h - an HTTPS server on libmicrohttpd (poll mode with a thread pool): mutual TLS, bounded bodies, absolute
 * deadlines, answers given at once or later from any thread. */
#ifndef HANDSEL_HTTPD_H
#define HANDSEL_HTTPD_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "limits.h"
#include "tls.h"
#include "x509.h"

struct httpd;
struct http_req;

struct httpd_identity {			/* the last one, with sni NULL, is for all other names */
	const char *sni;
	const struct chain *chain;
	struct key *key;
};

/* A node has two for each manufacturer, by its roots, and two more; a CA system one for each CA. */
#define HTTPD_IDENTITIES (2 * LIMIT_MAKERS + 2 > LIMIT_CAS ? 2 * LIMIT_MAKERS + 2 : LIMIT_CAS)

/* Of one server; each 0: as limits.h has it. */
struct httpd_limits {
	unsigned connections;		/* at once; when they run short those go of whom nothing is known */
	unsigned polled;		/* of these, by libmicrohttpd; beyond it those that wait for their peer are parked */
	unsigned requests;		/* under way; beyond it the answer is 503 with Retry-After, likewise the next two */
	unsigned address_requests;	/* of one address */
	unsigned unit_conns, unit_requests;	/* of one client certificate */
};

struct httpd_conf {
	const char *address;		/* "127.0.0.1", "::", ... */
	uint16_t port;			/* 0: any free one, see httpd_port() */
	int socket;			/* above 0: it listens already (service.h) and becomes the server's; address and port are not used */
	bool plain;			/* HTTP without TLS, and without identities: for the machine's own monitoring, and what is public and signed by itself */
	unsigned threads;		/* 0: one a core */
	struct httpd_identity identity[HTTPD_IDENTITIES];
	size_t n_identities;
	struct httpd_limits limit;
	int64_t deadline_ms;		/* absolute time of one request; 0: TIMEOUT_HTTP_MS. Handshake with head, and body, have their own */

	/* Judges the peer of a new connection once, before its first request is handled. chain->n is 0 without a client
	 * certificate. Returns what http_peer() gives (NULL is allowed) and the largest body this peer may send in *max_body.
	 * When the connection ends, peer_free gets it. */
	void *(*peer)(void *arg, const struct chain *chain, size_t *max_body);
	void (*peer_free)(void *arg, void *peer);

	/* Must lead to exactly one http_reply(), now or later, from any thread. */
	void (*handle)(void *arg, struct http_req *r);
	void *arg;
};

/* NULL on failure. Chains and keys are the server's own afterwards. */
struct httpd *httpd_start(const struct httpd_conf *conf, struct err *e);
/* The last identity, the one for all other names, is this one for connections that begin from here on; the others go on. In any thread. */
int httpd_renew(struct httpd *d, const struct chain *chain, struct key *key, struct err *e);
uint16_t httpd_port(const struct httpd *d);
void httpd_stop(struct httpd *d);		/* all requests must have been replied to */

/* What it does, for metrics.h: families "PREFIX_http_...". */
void httpd_metrics(struct httpd *d, const char *prefix, struct buf *out);

const char *http_method(const struct http_req *r);
const char *http_path(const struct http_req *r);
const char *http_header(const struct http_req *r, const char *name);	/* "" if absent */
const struct buf *http_body(const struct http_req *r);
void *http_peer(const struct http_req *r);
const char *http_remote(const struct http_req *r);			/* textual address, for logs */
const char *http_sni(const struct http_req *r, char name[128]);		/* the host name that the peer asked for, or "" */
const uint8_t *http_shown(const struct http_req *r);			/* SHA-256 of the certificate that we have shown; NULL: plain */
bool http_shown_over(const struct http_req *r);			/* httpd_renew() has put another one in its place since */
int http_exporter(const struct http_req *r, uint8_t out[TLS_EXPORTER_LEN], struct err *e);	/* see tls_exporter() */

/* extra: header lines "Name: value\r\n"..., or "". The body is copied. r is gone afterwards. status 0: the connection is
 * closed without an answer, as if it was lost. */
void http_reply(struct http_req *r, int status, const char *type, const char *extra, const void *body, size_t len);

#endif
