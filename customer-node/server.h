/* server.h - the serving node: what its threads share, and the HTTP side of each request. */
#ifndef HANDSEL_NODE_SERVER_H
#define HANDSEL_NODE_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "authn.h"
#include "ca_queue.h"
#include "crl_fetch.h"
#include "httpd.h"
#include "makers.h"
#include "monitor.h"
#include "node.h"
#include "writer.h"

#define METER_KINDS 9		/* watch.c has their names */
#define METER_CODES 100		/* a reason code has two digits */

struct server {
	const char *dir;
	struct node_conf conf;
	struct node_identity own;		/* replaced by the main thread alone, under the lock */
	struct maker_set makers;
	struct chain root;			/* the customer's */
	struct trust *trust;			/* it */
	struct authn *authn;
	struct factory_crls *crls;
	struct crl_fetch *fetch;		/* keeps them fresh */
	struct db *db;				/* the writer's */
	struct writer *writer;
	struct ca_queue *queue;
	struct httpd *httpd;
	struct monitor *monitor;		/* NULL: none was asked for */
	atomic_uint_least64_t meter[METER_KINDS][METER_CODES];
	pthread_mutex_t lock;			/* of all below */
	pthread_cond_t idle;
	struct db *reader;
	struct buf cacerts;			/* certs-only DER; empty until the CA gave its chain */
	size_t busy;				/* requests without an answer yet */
	bool stopping;
	bool ready;				/* what is here is what the CA has worked with: ca_queue.h */
};

/* httpd.h: peer(), peer_free(), handle(). arg is the server. */
void *server_peer(void *arg, const struct chain *chain, size_t *max_body);
void server_peer_free(void *arg, void *peer);
void server_handle(void *arg, struct http_req *r);

/* ca_queue.h: chain(). Also for the one read from the disk. */
void server_chain(void *arg, const struct chain *cas);
void server_ready(void *arg);
/* ca_queue.h: renewed(). */
void server_renewed(void *arg, const struct node_identity *own);
/* Renews our certificate if it is due, and takes up the one on the disk, whoever has renewed it. In the main thread. */
void server_renew(struct server *s);
/* The root that counts: ours, or a newer one of cas by its word, once our own certificate stands under that. */
const struct cert *server_root(struct server *s, const struct chain *cas);

/* ---- est.c: answers, protocol-est 4 ---- */
bool answer_is_temporary(enum reason code);	/* 503: the same request again, later */
void answer_error(struct server *s, struct http_req *r, const struct err *why);
void answer_absent(struct server *s, struct http_req *r, const struct err *why);	/* 404 */
void answer_dead(struct server *s, struct http_req *r, uint32_t highest);
/* protocol-est 8.3: the key's envelope, then the certificate. */
void answer_key(struct server *s, struct http_req *r, const struct buf *encrypted_key, const struct buf *der);
void answer_certificate(struct server *s, struct http_req *r, const struct buf *der);
/* All answers of requests that were counted busy go this way. */
void answer_send(struct server *s, struct http_req *r, int status, const char *type, const char *extra, const void *body,
		 size_t len);

/* What is known of the factory certificate of whoever asks. */
void server_crl(struct server *s, struct http_req *r, struct crl_word *word);

/* ---- enrol.c, confirm.c, voucher.c: take the request over; id is the peer's ---- */
void enrol_begin(struct server *s, struct http_req *r, const struct rules_peer *id);
void keygen_begin(struct server *s, struct http_req *r, const struct rules_peer *id);
void confirm_begin(struct server *s, struct http_req *r, const struct rules_peer *id);
void voucher_get(struct server *s, struct http_req *r, const struct rules_peer *id);

/* ---- release.c ---- */
void release_answer(struct server *s, struct http_req *r, const struct rules_peer *id);

/* ---- reload.c: in the writer ---- */
/* Puts the allowlist file in force; a wrong one leaves what is in force, loudly. */
void server_reload(struct server *s);

#endif
