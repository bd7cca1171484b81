/* POST /.well-known/handsel/confirm: the device has its certificate on stable storage (doc/protocol-est.md section 5). */
#include <config.h>

#include "confirm.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "server.h"

struct confirm {
	struct writer_job job;		/* first: the writer gives it back */
	struct ca_job ca;		/* of an id that is not known here */
	struct server *s;
	struct http_req *r;
	struct rules_peer peer;
	struct request_id id;
	uint8_t certificate[SHA256_LEN];
	struct err why;			/* code OK: the signature is good */
	struct decision d;
};

static void confirm_free(struct confirm *x)
{
	decision_free(&x->d);
	free(x);
}

static int run(struct writer_job *job, struct db *db, struct err *e)
{
	struct confirm *x = (struct confirm *)job;

	decision_free(&x->d);
	if (x->why.code == REASON_OK) {
		FAULT("node.confirming");
		return rules_confirm(db, &x->peer, &x->id, x->certificate, clock_utc(), &x->d, e);
	}
	x->d.verdict = VERDICT_REFUSED;
	x->d.why = x->why;
	return rules_refused(db, &x->peer, &x->why, clock_utc(), e);
}

static void answer(struct confirm *x)
{
	struct ca_reply *reply = ca_reply_new(1);
	struct ca_answer *a = &reply->answer[0];
	struct buf xml = {0};

	a->request = x->id;
	if (x->d.verdict == VERDICT_CONFIRMED) {
		a->result = CA_CONFIRMED;
		a->state = CA_ACTIVE;
	} else if (x->d.verdict == VERDICT_DEAD) {
		a->result = CA_DEAD;
		a->state = CA_REVOKED;
		a->request.generation = x->d.highest;
	} else {
		ca_refuse(a, x->d.why.code, x->d.why.text);
	}
	ca_reply_write(reply, &xml);
	if (FAULT_LOSE("node.confirm.answer"))
		answer_send(x->s, x->r, 0, "", "", "", 0);
	else
		answer_send(x->s, x->r, 200, CA_TYPE, "", xml.data, xml.len);
	buf_free(&xml);
	ca_reply_free(reply);
}

/* ---- an id that is not known here: the CA says whose it is ---- */
static void done(struct writer_job *job, int rc, const struct err *e);

static void ca_done(struct ca_job *job, const struct ca_answer *a, const struct err *error)
{
	struct confirm *x = (struct confirm *)(void *)((char *)job - offsetof(struct confirm, ca));

	if (a && a->result == CA_REFUSED && !answer_is_temporary(a->code)) {	/* E24: the admin shall see it */
		err_set(&x->why, a->code, "the CA: %s", a->text);
		writer_submit(x->s->writer, &x->job);
		return;
	}
	if (a && a->result == CA_STATUS_IS && (a->state == CA_UNKNOWN || a->state == CA_SUPERSEDED || a->state == CA_REVOKED)) {
		x->d.verdict = VERDICT_DEAD;
	} else {
		x->d.verdict = VERDICT_REFUSED;
		err_set(&x->d.why, REASON_CA_UNAVAILABLE,
			"this node does not know the request, and the customer's CA cannot say now whose it is (%.300s); ask again",
			a ? ca_state_name(a->state) : error->text);
	}
	answer(x);
	confirm_free(x);
}

static void done(struct writer_job *job, int rc, const struct err *e)
{
	struct confirm *x = (struct confirm *)job;

	if (rc < 0) {
		log_err(e, "device=%s", x->peer.device.serial);
		answer_error(x->s, x->r, e);
		confirm_free(x);
		return;
	}
	if (x->d.verdict == VERDICT_ASK_CA) {
		FAULT("node.confirm.unknown");
		x->ca = (struct ca_job){ .kind = CA_STATUS, .request = x->id, .done = ca_done };
		ca_queue_ask(x->s->queue, &x->ca);
		return;
	}
	if (x->d.verdict == VERDICT_CONFIRMED) {
		FAULT("node.confirmed");
		log_info("device=%s req=%s active", x->peer.device.serial, x->id.id);
	}
	if (x->d.outbox)
		ca_queue_tell(x->s->queue);
	answer(x);
	confirm_free(x);
}

static int read_message(struct confirm *x, struct ca_message *m, struct err *e)
{
	const struct buf *body = http_body(x->r);
	const struct ca_request *q = &m->request[0];

	if (ca_message_read(m, NULL, body->data, body->len, LIMIT_FRAME_DEVICE, e) < 0)
		return err_prefix(e, "protocol-est 5.1");
	if (m->n != 1 || q->kind != CA_CONFIRM || q->signature.len == 0)
		return err_set(e, REASON_REQUEST, "protocol-est 5.1: exactly one confirm with a signature is needed");
	x->id = q->request;
	memcpy(x->certificate, q->certificate, SHA256_LEN);
	return 0;
}

/* Where the CA made the key only the certificate has it. */
static int verify(const struct node_request *known, const uint8_t exporter[TLS_EXPORTER_LEN], const struct confirm *x,
		  const struct buf *signature, struct err *e)
{
	struct cert c = {0};
	int rc;

	if (!known->made)
		return confirm_verify(&known->spki, exporter, &x->id, x->certificate, signature, e);
	rc = cert_parse(&c, known->certificate.data, known->certificate.len, e);
	if (rc == 0)
		rc = confirm_verify(&c.spki, exporter, &x->id, x->certificate, signature, e);
	cert_free(&c);
	return rc;
}

/* By the new key, and for this TLS session. What is dead needs no proof to be called so, nor what is another node's. */
static int check_signature(struct confirm *x, const struct ca_request *q, struct err *e)
{
	struct node_request known = {0};
	uint8_t exporter[TLS_EXPORTER_LEN];
	int rc;

	pthread_mutex_lock(&x->s->lock);
	rc = store_request_get(x->s->reader, x->id.id, &known, e);
	pthread_mutex_unlock(&x->s->lock);
	if (rc == 1 && known.state != NODE_DEAD && known.certificate.len) {
		rc = http_exporter(x->r, exporter, e);
		if (rc == 0 && verify(&known, exporter, x, &q->signature, e) < 0)
			rc = err_set(e, REASON_REQUEST,
				     "protocol-est 5.2: the signature is not by the new key over this session, id and "
				     "certificate");
	}
	node_request_free(&known);
	return rc < 0 ? -1 : 0;
}

void confirm_begin(struct server *s, struct http_req *r, const struct rules_peer *id)
{
	struct confirm *x = mem_new(1, sizeof *x);
	struct ca_message *m = ca_message_new(0);
	struct err e;

	x->s = s;
	x->r = r;
	x->peer = *id;
	x->job = (struct writer_job){ .run = run, .done = done };
	FAULT("node.confirm.received");
	if (read_message(x, m, &e) < 0) {
		answer_error(s, r, &e);
		confirm_free(x);
	} else {
		if (check_signature(x, &m->request[0], &e) < 0)
			x->why = e;
		writer_submit(s->writer, &x->job);
	}
	ca_message_free(m);
}
