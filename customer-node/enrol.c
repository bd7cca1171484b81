/* One enrolment or renewal: authorize and bind, ask the CA, keep, answer. Each arrow is a commit. */
#include <config.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "server.h"

enum stage { STAGE_BIND, STAGE_KEEP, STAGE_DEAD, STAGE_REFUSE };

struct enrol {
	struct writer_job job;		/* first: the writer gives it back */
	struct ca_job ca;
	struct server *s;
	struct http_req *r;
	enum stage stage;
	struct rules_peer peer;
	struct csr csr;
	struct request_id id;
	bool plain, made;		/* made: serverkeygen, the CSR's key is the transport key */
	struct buf encrypted_key;
	struct ca_endorsement endorsement;
	struct crl_word crl;
	struct cert leaf;
	uint32_t highest;		/* STAGE_DEAD */
	struct err why;			/* STAGE_REFUSE */
	struct decision d;
};

static void enrol_free(struct enrol *x)
{
	csr_free(&x->csr);
	cert_free(&x->leaf);
	buf_free(&x->encrypted_key);
	buf_free(&x->endorsement.signature);
	buf_free(&x->endorsement.factory_certificate);
	decision_free(&x->d);
	free(x);
}

static void finish_error(struct enrol *x, const struct err *why)
{
	answer_error(x->s, x->r, why);
	enrol_free(x);
}

static int run(struct writer_job *job, struct db *db, struct err *e)
{
	struct enrol *x = (struct enrol *)job;
	struct rules_ask ask = { .peer = &x->peer, .request = x->id, .plain = x->plain, .plain_allowed = x->s->conf.plain_est,
				 .spki = &x->csr.spki, .made = x->made, .crl = &x->crl, .now = clock_utc() };

	decision_free(&x->d);
	switch (x->stage) {
	case STAGE_BIND:
		FAULT("node.binding");
		return rules_bind(db, &ask, &x->d, e);
	case STAGE_KEEP:
		FAULT("node.keeping");
		return rules_issued(db, &x->id, &x->leaf, x->made ? &x->encrypted_key : NULL, ask.now, &x->d, e);
	case STAGE_DEAD:
		return rules_ca_dead(db, &x->id, x->highest, ask.now, &x->d, e);
	default:
		x->d.verdict = VERDICT_REFUSED;
		x->d.why = x->why;
		return rules_refused(db, &x->peer, &x->why, ask.now, e);
	}
}

static void done(struct writer_job *job, int rc, const struct err *e)
{
	struct enrol *x = (struct enrol *)job;
	struct server *s = x->s;

	if (rc < 0) {
		log_err(e, "device=%s", x->peer.device.serial);
		finish_error(x, e);
		return;
	}
	if (x->d.outbox)
		ca_queue_tell(s->queue);
	switch (x->d.verdict) {
	case VERDICT_ASK_CA:
		FAULT("node.bound");
		memcpy(x->ca.renews, x->d.renews, sizeof x->ca.renews);
		ca_queue_ask(s->queue, &x->ca);
		return;
	case VERDICT_CERTIFICATE:
		FAULT("node.certified");
		log_info("device=%s req=%s certificate", x->peer.device.serial, x->id.id);
		if (x->made)
			answer_key(s, x->r, &x->d.encrypted_key, &x->d.certificate);
		else
			answer_certificate(s, x->r, &x->d.certificate);
		break;
	case VERDICT_DEAD:
		answer_dead(s, x->r, x->d.highest);
		break;
	default:
		answer_error(s, x->r, &x->d.why);
	}
	enrol_free(x);
}

static void submit(struct enrol *x, enum stage stage)
{
	x->stage = stage;
	x->job = (struct writer_job){ .run = run, .done = done };
	writer_submit(x->s->writer, &x->job);
}

/* ---- the CA's answer, in the queue's thread ---- */
static int take_leaf(struct enrol *x, const struct ca_answer *a, struct err *e)
{
	if (a->chain.n < 1 || cert_parse(&x->leaf, a->chain.cert[0].der.data, a->chain.cert[0].der.len, e) < 0 ||
	    buf_same(&x->leaf.spki, &x->csr.spki) == x->made || x->made == !a->encrypted_key.len || !device_same(&x->leaf.device, &x->peer.device))
		return err_set(e, REASON_CA_UNAVAILABLE,
			       "the CA's certificate is not for this device and key; ask its operator");
	buf_set(&x->encrypted_key, a->encrypted_key.data, a->encrypted_key.len);
	return 0;
}

/* The CA holds an old credential for active because it has yet to be told of its end: that is no reason to turn the device away. */
static bool is_untold(struct enrol *x, enum reason code)
{
	struct node_device dev;
	struct err e;
	bool untold;

	if (code != REASON_ONBOARDED)
		return false;
	pthread_mutex_lock(&x->s->lock);
	untold = store_device_get(x->s->reader, &x->peer.device, &dev, &e) == 1 &&
		 store_outbox_count(x->s->reader, dev.n, &e) > 0;
	pthread_mutex_unlock(&x->s->lock);
	return untold;
}

/* The device has met us by a certificate that we have renewed meanwhile: the CA looks for the new one in its word. */
static bool is_renewed(const struct enrol *x, enum reason code)
{
	return code == REASON_ENDORSEMENT && x->peer.customer && http_shown_over(x->r);
}

static void ca_done(struct ca_job *job, const struct ca_answer *a, const struct err *error)
{
	struct enrol *x = (struct enrol *)(void *)((char *)job - offsetof(struct enrol, ca));
	struct err e;

	if (!a) {	/* bound, not refused: the same id will be asked again */
		err_set(&e, REASON_CA_UNAVAILABLE, "the customer's CA is not available now (%s %.300s); ask again",
			reason_id(error->code), error->text);
		finish_error(x, &e);
		return;
	}
	switch (a->result) {
	case CA_ISSUED:
		if (take_leaf(x, a, &e) == 0) {
			submit(x, STAGE_KEEP);
			return;
		}
		log_err(&e, "device=%s req=%s", x->peer.device.serial, x->id.id);
		finish_error(x, &e);
		return;
	case CA_DEAD:
		x->highest = a->request.generation;
		submit(x, STAGE_DEAD);
		return;
	case CA_REFUSED:
		if (answer_is_temporary(a->code)) {
			err_set(&e, a->code, "the CA: %s", a->text);
			finish_error(x, &e);
			return;
		}
		if (is_untold(x, a->code)) {
			err_set(&e, REASON_CA_UNAVAILABLE,
				"the CA has yet to be told that the device was released; ask again");
			finish_error(x, &e);
			return;
		}
		if (is_renewed(x, a->code)) {	/* over a new connection it gets on */
			answer_send(x->s, x->r, 0, "", "", "", 0);
			enrol_free(x);
			return;
		}
		err_set(&x->why, a->code, "the CA: %s", a->text);
		submit(x, STAGE_REFUSE);
		return;
	default:
		err_set(&e, REASON_CA_UNAVAILABLE, "the CA's answer does not fit the request");
		finish_error(x, &e);
	}
}

/* ---- the request ---- */
static int check_type(const char *type, struct err *e)
{
	size_t n = strcspn(type, "; ");

	if (n == 0 || (n == strlen("application/pkcs10") && strncasecmp(type, "application/pkcs10", n) == 0))
		return 0;
	return err_set(e, REASON_REQUEST, "protocol-est 2.1: the type is \"%.60s\" instead of application/pkcs10", type);
}

static int read_csr(struct enrol *x, struct err *e)
{
	const struct buf *body = http_body(x->r);
	struct buf der = {0};
	int rc = -1;

	if (check_type(http_header(x->r, "Content-Type"), e) < 0)
		return -1;
	if (text_unbase64(&der, buf_text(body), body->len) < 0 || der.len == 0)
		err_set(e, REASON_REQUEST, "protocol-est 2.2: the body is not the base64 of a PKCS#10 request");
	else if (csr_parse(&x->csr, der.data, der.len, e) < 0)
		err_prefix(e, "protocol-est 2.3");
	else
		rc = 0;
	buf_free(&der);
	if (rc == 0 && (x->csr.key_type == KEY_NONE || x->csr.key_type == KEY_OTHER))
		return err_set(e, REASON_PROFILE,
			       "protocol-est 2.4: a key of this kind is not certified; use P-256, P-384, RSA 2048 or "
			       "RSA 3072");
	return rc;
}

static void take_id(struct enrol *x)
{
	x->plain = x->csr.request.id[0] == 0;
	if (x->plain)
		rules_plain_id(x->csr.spki_sha256, &x->id);
	else
		x->id = x->csr.request;
}

/* What the device has signed for the CA, and with which certificate; the CA judges it. The node that a new device met is the one
 * of the handoff with its manufacturer. */
static void take_endorsement(struct enrol *x, const struct peer *shown)
{
	const struct chain *onboard = x->peer.customer ? NULL : &shown->maker->onboard.chain;
	const uint8_t *met = !onboard ? http_shown(x->r) : onboard->n ? onboard->cert[0].sha256 : NULL;
	struct ca_endorsement *d = &x->endorsement;

	if (x->plain || !x->csr.endorsement.len || !met)
		return;
	buf_set(&d->signature, x->csr.endorsement.data, x->csr.endorsement.len);
	memcpy(d->node, met, SHA256_LEN);
	if (x->peer.customer)
		memcpy(d->renews, x->peer.certificate, SHA256_LEN);
	else
		buf_set(&d->factory_certificate, shown->factory_certificate.data, shown->factory_certificate.len);
}

static void begin(struct server *s, struct http_req *r, const struct rules_peer *id, bool made)
{
	struct enrol *x = mem_new(1, sizeof *x);

	x->made = made;
	x->s = s;
	x->r = r;
	x->peer = *id;
	FAULT("node.received");
	if (read_csr(x, &x->why) < 0) {
		submit(x, STAGE_REFUSE);
		return;
	}
	take_id(x);
	take_endorsement(x, http_peer(r));
	server_crl(s, r, &x->crl);
	x->ca = (struct ca_job){ .device = x->peer.device, .request = x->id, .csr = &x->csr.der,
				 .endorsement = &x->endorsement,
				 .transport_key = made ? &x->csr.spki : NULL, .done = ca_done };
	submit(x, STAGE_BIND);
}

void enrol_begin(struct server *s, struct http_req *r, const struct rules_peer *id)
{
	begin(s, r, id, false);
}

void keygen_begin(struct server *s, struct http_req *r, const struct rules_peer *id)
{
	begin(s, r, id, true);
}
