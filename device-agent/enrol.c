#include <config.h>

#include "enrol.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cms.h"
#include "cross.h"
#include "digest.h"
#include "endorsement.h"
#include "fault.h"
#include "mem.h"
#include "oid.h"
#include "vouch.h"

#define EST_CACERTS "/.well-known/est/cacerts"
#define EST_ENROL "/.well-known/est/simpleenroll"
#define EST_KEYGEN "/.well-known/est/serverkeygen"
#define KEY_TYPE "server-generated-key"
#define EST_RENEW "/.well-known/est/simplereenroll"
#define CONFIRM_PATH "/.well-known/handsel/confirm"
#define CERTS_TYPE "application/pkcs7-mime"
#define RETRY_DEFAULT_S 5	/* where a node asks for patience without saying how much */
#define ANSWER_MAX (64u << 10)	/* cacerts with a whole hierarchy, in base64 */

void enrol_answer_free(struct enrol_answer *a)
{
	chain_free(&a->chain);
	buf_free(&a->encrypted_key);
	memset(a, 0, sizeof *a);
}

/* ---- what an answer says ---- */

/* The node's sentence, fit for a terminal. */
static void take_text(struct err *why, enum reason code, const struct http_answer *a)
{
	char text[400];
	size_t n = a->body.len < sizeof text - 1 ? a->body.len : sizeof text - 1;

	if (strncmp(http_answer_header(a, "content-type"), "text/plain", 10) != 0)
		n = 0;
	memcpy(text, buf_text(&a->body), n);
	text[n] = 0;
	n = strcspn(text, "\r\n");
	text[n] = 0;
	for (char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	err_set(why, code, "%s", n ? text : reason_info(code)->text);
}

static enum reason answer_reason(const struct http_answer *a, enum reason otherwise)
{
	enum reason code = reason_parse(http_answer_header(a, "handsel-reason"));

	return code == REASON_OK ? otherwise : code;
}

static void refuse(struct enrol_answer *out, const struct http_answer *a, enum reason otherwise)
{
	out->result = ENROL_REFUSED;
	take_text(&out->why, answer_reason(a, otherwise), a);
}

static void retry(struct enrol_answer *out, const struct http_answer *a)
{
	uint64_t seconds;

	out->result = ENROL_AGAIN;
	take_text(&out->why, answer_reason(a, REASON_CA_UNAVAILABLE), a);
	if (text_uint(&seconds, http_answer_header(a, "retry-after"), UINT32_MAX) < 0)
		seconds = RETRY_DEFAULT_S;	/* a date (RFC 9110 10.2.3) is of no use to a device without a clock */
	out->retry_s = seconds < ENROL_RETRY_MAX_S ? (uint32_t)seconds : ENROL_RETRY_MAX_S;
}

static void dead(struct enrol_answer *out, const struct http_answer *a)
{
	uint64_t generation;

	if (text_uint(&generation, http_answer_header(a, "handsel-generation"), UINT32_MAX) < 0) {
		out->result = ENROL_REFUSED;
		err_set(&out->why, REASON_REQUEST, "the node says that the request is dead, but not which generation it knows");
		return;
	}
	out->result = ENROL_DEAD;
	out->generation = (uint32_t)generation;
}

/* One part of a multipart body (RFC 2046 5.1.1): *text is moved behind it. Our own node's form is all that is read (protocol-est 8.3). */
static int take_part(const char **text, const char *boundary, const char *type, struct buf *der)
{
	const char *head = strstr(*text, boundary), *body, *end;
	size_t n = strlen(boundary);

	if (!head || !(body = strstr(head, "\r\n\r\n")) || !(end = strstr(body, boundary)))
		return -1;
	head = memmem(head + n, (size_t)(body - head) - n, type, strlen(type));
	*text = end;
	return head && text_unbase64(der, body + 4, (size_t)(end - body) - 4) == 0 && der->len ? 0 : -1;
}

static void key_and_certificate(struct enrol_answer *out, const struct http_answer *a)
{
	const char *mark = strstr(http_answer_header(a, "content-type"), "boundary="), *text = buf_text(&a->body);
	char boundary[80];
	struct buf der = {0};

	out->result = ENROL_REFUSED;
	snprintf(boundary, sizeof boundary, "--%.70s", mark ? mark + strlen("boundary=") : "");
	boundary[strcspn(boundary, "; \"")] = 0;
	if (strlen(text) != a->body.len || strlen(boundary) < 3 || take_part(&text, boundary, KEY_TYPE, &out->encrypted_key) < 0 ||
	    take_part(&text, boundary, "certs-only", &der) < 0)
		err_set(&out->why, REASON_REQUEST, "the node's answer does not hold a key and its certificate (RFC 7030 4.4.2)");
	else if (cms_certs_read(der.data, der.len, &out->chain, &out->why) == 0)
		out->result = ENROL_DONE;
	buf_free(&der);
}

static void certificates(struct enrol_answer *out, const struct http_answer *a)
{
	const char *type = http_answer_header(a, "content-type");
	struct buf der = {0};
	struct err *e = &out->why;
	size_t n = strlen(CERTS_TYPE);

	out->result = ENROL_REFUSED;
	if (strncasecmp(type, CERTS_TYPE, n) != 0 || (type[n] && type[n] != ';' && type[n] != ' '))
		err_set(e, REASON_REQUEST, "the node answers with type \"%s\" instead of " CERTS_TYPE " (RFC 7030 4.2.3)", type);
	else if (text_unbase64(&der, buf_text(&a->body), a->body.len) < 0)
		err_set(e, REASON_REQUEST, "the node's answer is not base64 (RFC 8951 3)");
	else if (cms_certs_read(der.data, der.len, &out->chain, e) < 0)
		err_prefix(e, "the node's answer holds no certificates");
	else if (out->chain.n == 0)
		err_set(e, REASON_REQUEST, "the node's answer holds no certificate (RFC 7030 4.2.3)");
	else
		out->result = ENROL_DONE;
	buf_free(&der);
}

void enrol_answer_read(struct enrol_answer *out, const struct http_answer *a)
{
	memset(out, 0, sizeof *out);
	switch (a->status) {
	case 200:
		if (strncasecmp(http_answer_header(a, "content-type"), "multipart/mixed;", 16) == 0)
			key_and_certificate(out, a);
		else
			certificates(out, a);
		break;
	case 202:	/* RFC 7030 4.2.3: an admin has to approve first */
	case 500:
	case 502:
	case 503:
	case 504:
		retry(out, a);
		break;
	case 401:
	case 403:
		refuse(out, a, REASON_ROLE);
		break;
	case 409:
		dead(out, a);
		break;
	default:
		refuse(out, a, REASON_REQUEST);
	}
}

/* ---- asking ---- */

/* A connection that failed is a matter of trying again; a peer that is not the node is not. */
static void failed(struct enrol_answer *out, struct node *n, const struct err *e)
{
	node_disconnect(n);
	out->result = e->code == REASON_UNREACHABLE || e->code == REASON_CA_UNAVAILABLE ? ENROL_AGAIN : ENROL_REFUSED;
	out->why = *e;
}

static int ask(struct node *n, const char *method, const char *path, const char *type, const struct buf *body,
	       struct http_answer *a, struct err *e)
{
	if (vouch_connect(n, e) < 0)
		return -1;
	return httpc_request(n->http, method, path, type, type && body ? "Content-Transfer-Encoding: base64\r\n" : "",
			     body ? body->data : NULL, body ? body->len : 0, ANSWER_MAX, a, e);
}

static void get_cas(struct node *n, struct enrol_answer *out)
{
	struct http_answer a = {0};
	struct err e;

	if (ask(n, "GET", EST_CACERTS, NULL, NULL, &a, &e) < 0)
		failed(out, n, &e);
	else
		enrol_answer_read(out, &a);
	http_answer_free(&a);
}

/* The request, with the word of the credential in force that it is this device's, for the node at the other end. */
static int endorsed_csr(struct node *n, const struct credential *c, const struct device_id *device, struct buf *csr, struct err *e)
{
	const struct key *key = c->transport ? c->transport : c->key;	/* transport: the CA makes the key */
	struct buf spki = {0}, endorsement = {0};
	uint8_t hash[SHA256_LEN];
	int rc = -1;

	if (vouch_connect(n, e) == 0 && key_spki(key, &spki, e) == 0) {
		digest_sha256(hash, spki.data, spki.len);
		if (endorsement_sign(n->own->key, &c->request, hash, tls_peer(httpc_tls(n->http))->sha256, &endorsement, e) == 0)
			rc = csr_build_endorsed(key, device, &c->request, &endorsement, csr, e);
	}
	buf_free(&spki);
	buf_free(&endorsement);
	return rc;
}

static void send_csr(struct node *n, const struct credential *c, const struct device_id *device, struct enrol_answer *out)
{
	struct http_answer a = {0};
	struct buf csr = {0}, body = {0};
	struct err e;

	FAULT("agent.requested");
	if (endorsed_csr(n, c, device, &csr, &e) < 0) {
		failed(out, n, &e);
	} else {
		const char *path = c->transport ? EST_KEYGEN : n->own->slot == SLOT_FACTORY ? EST_ENROL : EST_RENEW;

		text_base64(&body, csr.data, csr.len);
		if (ask(n, "POST", path, "application/pkcs10", &body, &a, &e) < 0) {
			failed(out, n, &e);
		} else if (FAULT_LOSE("agent.issue.answer")) {
			err_set(&e, REASON_UNREACHABLE, "the node's answer was lost");
			failed(out, n, &e);
		} else {
			enrol_answer_read(out, &a);
			FAULT("agent.received");
		}
	}
	http_answer_free(&a);
	buf_free(&csr);
	buf_free(&body);
}

static bool self_issued(const struct cert *c)
{
	return strcmp(c->subject, c->issuer) == 0;
}

/* Two roots that have certified each other would lead in a circle. */
static bool passed(const struct chain *way, const struct cert *up)
{
	for (size_t i = 0; i < way->n; i++)
		if (strcmp(way->cert[i].subject, up->subject) == 0 || strcmp(way->cert[i].subject, up->issuer) == 0)
			return true;
	return false;
}

static const struct cert *issuer_of(const struct chain *way, const struct chain *cas)
{
	for (size_t i = 0; i < cas->n; i++)
		if (strcmp(cas->cert[i].subject, way->cert[way->n - 1].issuer) == 0 && !self_issued(&cas->cert[i]) &&
		    !passed(way, &cas->cert[i]))
			return &cas->cert[i];
	return NULL;
}

/* Up to what another root says of this one, which is for those who know that one alone; what is behind that leads to roots of the past. The
 * names only order the certificates; credential_verify() judges. */
static int climb(struct credential *c, const struct chain *cas, const struct cert *root, struct err *e)
{
	for (;;) {
		const struct cert *up = strcmp(c->chain.cert[c->chain.n - 1].subject, root->subject) == 0 ? NULL : issuer_of(&c->chain, cas);

		if (!up)
			return 0;
		if (c->chain.n == LIMIT_CHAIN)
			return err_set(e, REASON_AUTHORITY, "the node's chain is longer than %d certificates", LIMIT_CHAIN);
		if (chain_add(&c->chain, up->der.data, up->der.len, e) < 0)
			return -1;
	}
}

static void cut_to_leaf(struct chain *ch)
{
	while (ch->n > 1)
		cert_free(&ch->cert[--ch->n]);
}

int enrol_build_chain(struct credential *c, const struct chain *cas, const struct device_id *device, int64_t now,
		      struct err *e)
{
	err_set(e, REASON_AUTHORITY, "the node's CA certificates contain no root");
	for (size_t i = 0; i < cas->n; i++) {
		const struct cert *root = &cas->cert[i];

		if (!self_issued(root))
			continue;
		chain_free(&c->root);
		cut_to_leaf(&c->chain);
		if (chain_add(&c->root, root->der.data, root->der.len, e) < 0 || climb(c, cas, root, e) < 0)
			return -1;
		if (credential_verify(c, device, OID_POLICY_CUSTOMER, now, e) == 0)
			return 0;
	}
	return err_prefix(e, "the node's answer is not usable");
}

/* A renewal stays under the root that the device knows, whatever else the node's list has, or goes to one to which that root's word
 * leads, over the rollovers that the device slept through (RFC 4210 4.4). */
int enrol_check_root(const struct credential *own, const struct credential *c, const struct chain *cas, int64_t now, struct err *e)
{
	if (own->slot == SLOT_FACTORY || buf_same(&own->root.cert[0].der, &c->root.cert[0].der) ||
	    cross_way(cas, &c->root.cert[0], &own->root.cert[0], now))
		return 0;
	return err_set(e, REASON_AUTHORITY, "the renewed certificate is under another root (%s) than the one in force",
		       c->root.cert[0].subject);
}

void enrol_request(struct node *n, struct credential *c, const struct device_id *device, struct enrol_answer *out)
{
	struct enrol_answer cas;

	memset(&cas, 0, sizeof cas);
	memset(out, 0, sizeof *out);
	/* First what can be repeated for ever, so that little lies between the certificate's coming and its being stored. */
	get_cas(n, &cas);
	if (cas.result != ENROL_DONE) {
		*out = cas;
		return;
	}
	send_csr(n, c, device, out);
	if (out->result == ENROL_DONE) {
		const struct cert *leaf = &out->chain.cert[0];

		out->result = ENROL_REFUSED;
		if (out->chain.n != 1)
			err_set(&out->why, REASON_REQUEST, "the answer holds %zu certificates instead of one (RFC 7030 4.2.3)",
				out->chain.n);
		else if (!c->transport != !out->encrypted_key.len)
			err_set(&out->why, REASON_REQUEST, "the answer has %s", c->transport ? "no private key" : "a private key that nobody asked for");
		else if (c->transport && credential_open_key(c, &out->encrypted_key, &out->why) < 0)
			err_prefix(&out->why, "the node's answer is not usable");
		else if (chain_add(&c->chain, leaf->der.data, leaf->der.len, &out->why) == 0 &&
			 enrol_build_chain(c, &cas.chain, device, clock_utc(), &out->why) == 0 &&
			 enrol_check_root(n->own, c, &cas.chain, clock_utc(), &out->why) == 0)
			out->result = ENROL_DONE;
		if (out->result == ENROL_DONE) {
			FAULT("agent.verified");
		} else {
			chain_free(&c->chain);
			chain_free(&c->root);
		}
	}
	enrol_answer_free(&cas);
}

/* ---- confirming ---- */

static void read_confirmed(struct node *n, const struct credential *c, const struct http_answer *a, struct enrol_answer *out)
{
	struct ca_reply *r = ca_reply_new(0);

	out->result = ENROL_REFUSED;
	if (ca_reply_read(r, a->body.data, a->body.len, &out->why) < 0) {
		err_prefix(&out->why, "the node's answer to the confirm");
	} else {
		switch (credential_confirmed(c, r, &out->generation, &out->why)) {
		case CONFIRM_ACTIVE:
			out->result = ENROL_DONE;
			break;
		case CONFIRM_DEAD:
			out->result = ENROL_DEAD;
			break;
		case CONFIRM_REFUSED:
			if (out->why.code == REASON_CA_UNAVAILABLE) {
				out->result = ENROL_AGAIN;
				out->retry_s = RETRY_DEFAULT_S;
			}
			break;
		case CONFIRM_FAILED:
			break;
		}
	}
	ca_reply_free(r);
}

static void send_confirm(struct node *n, const struct credential *c, struct buf *body, struct enrol_answer *out)
{
	struct http_answer a = {0};
	struct err e;

	FAULT("agent.confirm-sent");
	if (httpc_request(n->http, "POST", CONFIRM_PATH, CA_TYPE, "", body->data, body->len, ANSWER_MAX, &a, &e) < 0) {
		failed(out, n, &e);
	} else if (FAULT_LOSE("agent.confirm.answer")) {
		err_set(&e, REASON_UNREACHABLE, "the node's answer was lost");
		failed(out, n, &e);
	} else if (a.status == 200) {
		read_confirmed(n, c, &a, out);
	} else {
		enrol_answer_read(out, &a);
	}
	http_answer_free(&a);
}

void enrol_confirm(struct node *n, const struct credential *c, struct enrol_answer *out)
{
	struct ca_message *m = NULL;
	struct buf body = {0};
	struct err e;

	memset(out, 0, sizeof *out);
	if (vouch_connect(n, &e) < 0 ||
	    !(m = credential_confirm(c, httpc_tls(n->http), &e))) {
		failed(out, n, &e);
		return;
	}
	ca_message_write(m, &body);
	send_confirm(n, c, &body, out);
	if (out->result == ENROL_DONE)
		FAULT("agent.confirmed");
	ca_message_free(m);
	buf_free(&body);
}
