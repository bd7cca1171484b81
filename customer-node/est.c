/* EST over HTTPS (RFC 7030, RFC 8951): doc/protocol-est.md. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "cms.h"
#include "cross.h"
#include "fault.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "server.h"
#include "watch.h"

#define RETRY_SOON_S 2		/* a CA that answers again does so in moments, and devices are few */
#define ONE_LINE_MAX 1024	/* a client in the wild reads no longer line; another reads no wrapped one */
#define LINE_WIDTH 64
#define BOUNDARY "handsel-part"	/* no line of base64 has a hyphen */

/* ---- answers ---- */
void answer_send(struct server *s, struct http_req *r, int status, const char *type, const char *extra, const void *body,
		 size_t len)
{
	if (status >= 200 && status < 300)
		watch_answer(s, r, 0);
	http_reply(r, status, type, extra, body, len);
	pthread_mutex_lock(&s->lock);
	if (--s->busy == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

static int status_of(enum reason code)
{
	switch (code) {
	case REASON_REQUEST:
		return 400;
	case REASON_CA_UNAVAILABLE:
	case REASON_UNREACHABLE:
	case REASON_STORAGE:
		return 503;
	case REASON_INTERNAL:
	case REASON_CONFIG:
		return 500;
	default:
		return 403;
	}
}

bool answer_is_temporary(enum reason code)
{
	return status_of(code) == 503;
}

static void send_error(struct server *s, struct http_req *r, int status, const struct err *why)
{
	char extra[120], text[700];
	int n = snprintf(extra, sizeof extra, "Handsel-Reason: %s\r\n", reason_id(why->code));

	watch_answer(s, r, (unsigned)why->code);
	if (status == 503)
		snprintf(extra + n, sizeof extra - (size_t)n, "Retry-After: %d\r\n", RETRY_SOON_S);
	n = snprintf(text, sizeof text, "%s\n", why->text);
	answer_send(s, r, status, "text/plain; charset=utf-8", extra, text, (size_t)n);
}

void answer_error(struct server *s, struct http_req *r, const struct err *why)
{
	send_error(s, r, status_of(why->code), why);
}

void answer_absent(struct server *s, struct http_req *r, const struct err *why)
{
	send_error(s, r, 404, why);
}

void answer_dead(struct server *s, struct http_req *r, uint32_t highest)
{
	static const char text[] = "this request id is dead; make a new one above the generation named\n";
	char extra[60];

	watch_answer(s, r, WATCH_DEAD);
	snprintf(extra, sizeof extra, "Handsel-Generation: %lu\r\n", (unsigned long)highest);
	answer_send(s, r, 409, "text/plain; charset=utf-8", extra, text, sizeof text - 1);
}

/* protocol-est 4.2: the layout that each client in the wild can read. */
static void base64_body(struct buf *out, const struct buf *der, bool one_line)
{
	struct buf line = {0};

	text_base64(&line, der->data, der->len);
	if (line.len < ONE_LINE_MAX || one_line)
		buf_add(out, line.data, line.len);
	for (size_t at = 0; line.len >= ONE_LINE_MAX && !one_line && at < line.len; at += LINE_WIDTH) {
		size_t n = line.len - at < LINE_WIDTH ? line.len - at : LINE_WIDTH;

		buf_add(out, line.data + at, n);
		if (at + n < line.len)
			buf_byte(out, '\n');
	}
	buf_byte(out, '\n');
	buf_free(&line);
}

static void send_base64(struct server *s, struct http_req *r, const char *type, const struct buf *der)
{
	struct buf body = {0};

	base64_body(&body, der, !http_header(r, "User-Agent")[0]);
	answer_send(s, r, 200, type, "Content-Transfer-Encoding: base64\r\n", body.data, body.len);
	buf_free(&body);
}

/* The certs-only message that every answer to an enrolment holds; -1: the request has been dealt with already. */
static int certs_only(struct server *s, struct http_req *r, const struct buf *der, struct buf *cms)
{
	struct chain one = {0};
	struct err e;
	int rc = -1;

	if (chain_add(&one, der->data, der->len, &e) < 0 || cms_certs_write(&one, cms, &e) < 0) {
		log_err(&e, "%s", http_remote(r));
		answer_error(s, r, &e);
	} else if (FAULT_LOSE("node.answer")) {
		answer_send(s, r, 0, "", "", "", 0);
	} else {
		rc = 0;
	}
	chain_free(&one);
	return rc;
}

void answer_certificate(struct server *s, struct http_req *r, const struct buf *der)
{
	struct buf cms = {0};

	if (certs_only(s, r, der, &cms) == 0)
		send_base64(s, r, "application/pkcs7-mime; smime-type=certs-only", &cms);
	buf_free(&cms);
}

static void multipart(struct buf *out, const struct buf *encrypted_key, const struct buf *certs)
{
	static const char part[] = "--" BOUNDARY "\r\nContent-Type: application/pkcs7-mime; smime-type=%s\r\n"
				   "Content-Transfer-Encoding: base64\r\n\r\n";

	buf_fmt(out, part, "server-generated-key");
	base64_body(out, encrypted_key, false);
	buf_fmt(out, part, "certs-only");
	base64_body(out, certs, false);
	buf_str(out, "--" BOUNDARY "--\r\n");
}

void answer_key(struct server *s, struct http_req *r, const struct buf *encrypted_key, const struct buf *der)
{
	struct buf cms = {0}, body = {0};

	if (certs_only(s, r, der, &cms) == 0) {
		multipart(&body, encrypted_key, &cms);
		answer_send(s, r, 200, "multipart/mixed; boundary=" BOUNDARY, "", body.data, body.len);
	}
	buf_free(&cms);
	buf_free(&body);
}

/* ---- what needs no identity ---- */
static void get_cacerts(struct server *s, struct http_req *r, const struct rules_peer *id)
{
	struct buf der = {0};
	struct err e;

	pthread_mutex_lock(&s->lock);
	buf_set(&der, s->cacerts.data, s->cacerts.len);
	pthread_mutex_unlock(&s->lock);
	if (der.len) {
		send_base64(s, r, "application/pkcs7-mime", &der);
	} else {
		err_set(&e, REASON_CA_UNAVAILABLE,
			"the customer's CA could not be reached since this node was set up; ask again");
		answer_error(s, r, &e);
	}
	buf_free(&der);
}

/* protocol-est 3.2. SEQUENCE OF AttrOrOID: id-ecPublicKey with SET { prime256v1 }, then ecdsa-with-SHA256. What a client could
 * not fill in, our own attributes, is not asked for. */
static void get_csrattrs(struct server *s, struct http_req *r, const struct rules_peer *id)
{
	static const uint8_t der[] = {
		0x30, 0x21,
		0x30, 0x15, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
		0x31, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
		0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
	};
	struct buf b = {0};

	buf_set(&b, der, sizeof der);
	send_base64(s, r, "application/csrattrs", &b);
	buf_free(&b);
}

/* ---- routes ---- */
static const struct route {
	const char *path, *method;
	bool identity;			/* the peer must be known */
	bool acts;			/* not before the node is sure of its database */
	void (*handle)(struct server *s, struct http_req *r, const struct rules_peer *id);
} routes[] = {
	{ "/.well-known/est/cacerts", "GET", false, false, get_cacerts },
	{ "/.well-known/est/csrattrs", "GET", false, false, get_csrattrs },
	/* Some clients ask simplereenroll with a factory certificate: the certificate decides, not the path. */
	{ "/.well-known/est/simpleenroll", "POST", true, true, enrol_begin },
	{ "/.well-known/est/simplereenroll", "POST", true, true, enrol_begin },
	{ "/.well-known/est/serverkeygen", "POST", true, true, keygen_begin },
	{ "/.well-known/handsel/confirm", "POST", true, true, confirm_begin },
	{ "/.well-known/handsel/voucher", "GET", true, false, voucher_get },
	/* Its credential may be revoked or over by now, and who knows the hash knows the certificate. */
	{ "/.well-known/handsel/release", "GET", false, false, release_answer },
};

static const struct route *find_route(struct server *s, struct http_req *r)
{
	struct err e;

	err_set(&e, REASON_REQUEST, "protocol-est 1: there is nothing at this path");
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(routes[i].path, http_path(r)) != 0)
			continue;
		if (strcmp(routes[i].method, http_method(r)) == 0)
			return &routes[i];
		err_set(&e, REASON_REQUEST, "protocol-est 1: the method here is %s", routes[i].method);
		send_error(s, r, 405, &e);
		return NULL;
	}
	send_error(s, r, 404, &e);
	return NULL;
}

static bool was_handed_out(struct server *s, const struct peer *peer)
{
	struct node_request known = {0};
	struct err e;
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = store_request_by_certificate(s->reader, peer->id.certificate, &known, &e) == 1;
	pthread_mutex_unlock(&s->lock);
	node_request_free(&known);
	return yes;
}

void server_handle(void *arg, struct http_req *r)
{
	struct server *s = arg;
	const struct peer *peer = http_peer(r);
	const struct route *route;
	struct rules_peer id;
	struct err e;
	bool stopping, ready;
	struct writer_state w;

	writer_state(s->writer, &w);
	pthread_mutex_lock(&s->lock);
	s->busy++;
	stopping = s->stopping;
	ready = s->ready;
	pthread_mutex_unlock(&s->lock);
	if (stopping) {
		err_set(&e, REASON_CA_UNAVAILABLE, "the node is stopping; ask again");
		answer_error(s, r, &e);
		return;
	}
	route = find_route(s, r);
	if (!route)
		return;
	if (!route->identity) {
		route->handle(s, r, NULL);
	} else if (peer->why.code != REASON_OK && !(peer->claimed && was_handed_out(s, peer))) {
		log_warn("%s refused code=%s %s", http_remote(r), reason_id(peer->why.code), peer->why.text);
		if (peer->anonymous)
			send_error(s, r, 401, &peer->why);
		else
			answer_error(s, r, &peer->why);
	} else if (route->acts && w.waiting >= LIMIT_QUEUE) {
		err_set(&e, REASON_CA_UNAVAILABLE, "too many requests wait; nothing was done, ask again later");
		answer_error(s, r, &e);
	} else if (route->acts && !ready) {
		err_set(&e, REASON_CA_UNAVAILABLE, "the node compares its database with the customer's CA first; ask again");
		answer_error(s, r, &e);
	} else {
		id = peer->id;
		snprintf(id.remote, sizeof id.remote, "%s", http_remote(r));
		route->handle(s, r, &id);
	}
}

void server_crl(struct server *s, struct http_req *r, struct crl_word *word)
{
	const struct peer *p = http_peer(r);

	*word = (struct crl_word){ .verdict = CRL_UNUSED };
	if (s->conf.n_factory_crls && p->factory_certificate.len)
		factory_crls_judge(s->crls, &p->factory_certificate, clock_utc(), word);
}

/* ---- peers ---- */
void *server_peer(void *arg, const struct chain *chain, size_t *max_body)
{
	struct server *s = arg;
	struct peer *p = mem_new(1, sizeof *p);

	authn_judge(s->authn, chain, clock_utc(), p);
	*max_body = LIMIT_FRAME_DEVICE;
	return p;
}

void server_peer_free(void *arg, void *peer)
{
	buf_free(&((struct peer *)peer)->factory_certificate);
	free(peer);
}

/* ---- the customer's chain ---- */
static int keep_chain(struct server *s, const struct chain *cas, struct err *e)
{
	char path[FILE_PATH];
	struct buf pem = {0};
	int rc = -1;

	chain_to_pem(cas, &pem);
	if (file_join(path, e, s->dir, NODE_CA_CHAIN) == 0)
		rc = file_replace(path, pem.data, pem.len, 0644, e);
	buf_free(&pem);
	return rc;
}

static bool self_issued(const struct cert *c)
{
	return strcmp(c->subject, c->issuer) == 0;
}

/* protocol-ca 5.5. Devices are told of it at once, so that none shuts itself out; the node believes it from its next start on. */
const struct cert *server_root(struct server *s, const struct chain *cas)
{
	const struct trust_rule rule = { .purpose = PURPOSE_SERVER, .role = "node", .now = clock_utc() };
	const struct cert *newer = cross_newer(cas, &s->root.cert[0], rule.now);
	bool leads;

	pthread_mutex_lock(&s->lock);
	leads = newer && cross_leads(newer, &s->own.chain, &rule);
	pthread_mutex_unlock(&s->lock);
	return leads ? newer : &s->root.cert[0];
}

/* The issuing CA, other CAs, one root, last: protocol-est 3.1. */
static int build_cacerts(struct server *s, const struct chain *cas, struct buf *der, struct err *e)
{
	const struct cert *root = server_root(s, cas);
	struct chain all = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < cas->n; i++)
		if (!self_issued(&cas->cert[i]))
			rc = chain_add(&all, cas->cert[i].der.data, cas->cert[i].der.len, e);
	if (rc == 0)
		rc = chain_add(&all, root->der.data, root->der.len, e);
	if (rc == 0)
		rc = cms_certs_write(&all, der, e);
	chain_free(&all);
	return rc;
}

void server_chain(void *arg, const struct chain *cas)
{
	struct server *s = arg;
	struct buf der = {0};
	struct err e;

	if (authn_set_customer(s->authn, cas, &e) < 0 || build_cacerts(s, cas, &der, &e) < 0 || keep_chain(s, cas, &e) < 0)
		log_err(&e, "certificates of the customer's CA");
	pthread_mutex_lock(&s->lock);
	if (der.len)
		buf_set(&s->cacerts, der.data, der.len);
	pthread_mutex_unlock(&s->lock);
	buf_free(&der);
}

void server_ready(void *arg)
{
	struct server *s = arg;

	pthread_mutex_lock(&s->lock);
	s->ready = true;
	pthread_mutex_unlock(&s->lock);
}
