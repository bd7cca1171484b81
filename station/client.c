#include <config.h>

#include "client.h"

#include <stdio.h>
#include <string.h>

#include "caclient.h"
#include "clock.h"
#include "fault.h"
#include "limits.h"
#include "talk.h"

struct client {
	struct unit *u;
	struct url url;
	struct ca_client ca;
	uint8_t certificate[SHA256_LEN];	/* that the device has stored */
	uint8_t exporter[TLS_EXPORTER_LEN];	/* of the session that the device has signed for */
};

static int lost(struct client *c, struct err *e)
{
	ca_client_close(&c->ca);
	return err_set(e, REASON_CA_UNAVAILABLE, "the CA's answer was lost");
}

/* One request and its answer, of the kind that is wanted or "dead"; anything else is an error. */
static int call(struct client *c, struct ca_message *m, struct ca_reply *r, enum ca_result wanted, struct err *e)
{
	const struct ca_answer *a = &r->answer[0];

	if (ca_client_call(&c->ca, m, r, e) < 0)
		return -1;
	if (r->n == 1 && (a->result == wanted || a->result == CA_DEAD))
		return 0;
	if (r->n == 1 && a->result == CA_REFUSED)
		return err_set(e, a->code, "%s", a->text);
	return err_set(e, REASON_REQUEST, "the CA's answer does not fit the request");
}

/* ---- what the device is told ---- */

static int heard(struct client *c, enum link_type type, struct link_frame *f, struct err *e)
{
	return talk_expect(c->u, type, f, c->u->deadline, e);
}

static int take_stored(struct client *c, const struct link_frame *f, struct err *e)
{
	struct link_stored m;

	if (link_stored_read(&m, &f->payload, e) < 0)
		return -1;
	memcpy(c->certificate, m.certificate, sizeof c->certificate);
	FAULT("station.client.stored");
	return 0;
}

/* The device drops a dead request, and says so with TICKET: the unit is begun anew with the next one. */
static int tell_dead(struct client *c, uint32_t generation, struct err *e)
{
	const struct link_verdict m = { .standing = STANDING_DEAD, .generation = generation };
	struct link_frame f = {0};
	struct buf payload = {0};

	link_verdict_write(&m, &payload);
	if (talk_send(c->u, LINK_VERDICT, &payload, e) == 0 && talk_hear(c->u, &f, c->u->deadline, e) == 0)
		talk_refused(&f, "that it has dropped its request", e);
	buf_free(&payload);
	buf_free(&f.payload);
	return -1;
}

static int tell_active(struct client *c, struct err *e)
{
	const struct link_verdict m = { .standing = STANDING_ACTIVE };
	struct link_frame f = {0};
	struct buf payload = {0};
	int rc = -1;

	link_verdict_write(&m, &payload);
	if (talk_send(c->u, LINK_VERDICT, &payload, e) == 0 && heard(c, LINK_RESULT, &f, e) == 0)
		rc = link_result_read(&c->u->result, &f.payload, e);
	buf_free(&payload);
	buf_free(&f.payload);
	return rc;
}

static int give_certificate(struct client *c, const struct ca_answer *a, struct err *e)
{
	struct link_certificate m = { .n = a->chain.n };
	struct link_frame f = {0};
	struct buf payload = {0};
	int rc = -1;

	if (m.n > LIMIT_CHAIN)
		return err_set(e, REASON_REQUEST, "the CA's answer has %zu certificates, and %d are possible", m.n, LIMIT_CHAIN);
	for (size_t i = 0; i < m.n; i++)
		buf_set(&m.certificate[i], a->chain.cert[i].der.data, a->chain.cert[i].der.len);
	buf_set(&m.encrypted_key, a->encrypted_key.data, a->encrypted_key.len);
	link_certificate_write(&m, &payload);
	if (payload.len > LIMIT_LINK_FRAME)
		err_set(e, REASON_REQUEST, "the CA's answer is too long for a frame of the device link (%zu bytes)", payload.len);
	else if (talk_send(c->u, LINK_CERTIFICATE, &payload, e) == 0 && heard(c, LINK_STORED, &f, e) == 0)
		rc = take_stored(c, &f, e);
	if (rc == 0 && memcmp(c->certificate, a->chain.cert[0].sha256, SHA256_LEN) != 0)
		rc = err_set(e, REASON_AGENT, "the device has stored another certificate than the one that it was given");
	link_certificate_free(&m);
	buf_free(&payload);
	buf_free(&f.payload);
	return rc;
}

/* ---- the transaction ---- */

static int issue(struct client *c, const struct link_csr *csr, struct err *e)
{
	struct ca_message *m = ca_message_new(1);
	struct ca_reply *r = ca_reply_new(0);
	struct ca_request *q = &m->request[0];
	const struct unit *u = c->u;
	bool by_ca = u->record.ready.mode == MODE_CA;
	int rc;

	q->kind = CA_ISSUE;
	q->request = u->record.ready.request;
	q->device = u->record.hello.device;
	q->params.include_ca = CHOICE_YES;	/* a device must be able to show its chain */
	buf_set(&q->ticket, u->ticket.data, u->ticket.len);
	buf_set(by_ca ? &q->transport_key : &q->csr, csr->der.data, csr->der.len);
	if (by_ca)
		text_copy(q->params.key_type, sizeof q->params.key_type, u->run->key_type);
	FAULT("station.client.csr");
	rc = call(c, m, r, CA_ISSUED, e);
	FAULT("station.client.issued");
	if (rc == 0)
		rc = r->answer[0].result == CA_DEAD ? tell_dead(c, r->answer[0].request.generation, e)
						    : give_certificate(c, &r->answer[0], e);
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}

/* The device signs for the session that the confirm goes out in. */
static int get_signature(struct client *c, struct buf *signature, struct err *e)
{
	struct tls *session = ca_client_session(&c->ca, e);
	struct link_confirm m;
	struct link_signed answer = {0};
	struct link_frame f = {0};
	struct buf payload = {0};
	int rc = -1;

	if (!session || tls_exporter(session, c->exporter, e) < 0)
		return -1;
	memcpy(m.exporter, c->exporter, sizeof m.exporter);
	link_confirm_write(&m, &payload);
	if (talk_send(c->u, LINK_CONFIRM, &payload, e) == 0 && heard(c, LINK_SIGNED, &f, e) == 0 &&
	    link_signed_read(&answer, &f.payload, e) == 0) {
		*signature = answer.signature;
		FAULT("station.client.signed");
		rc = 0;
	}
	buf_free(&payload);
	buf_free(&f.payload);
	return rc;
}

/* The proof holds for one session only. If the connection was opened anew under the call, the CA refuses a good proof. */
static bool session_changed(struct client *c)
{
	uint8_t now[TLS_EXPORTER_LEN];
	struct err ignored;
	struct tls *t = ca_client_session(&c->ca, &ignored);

	return !t || tls_exporter(t, now, &ignored) < 0 || memcmp(now, c->exporter, sizeof now) != 0;
}

static int confirm(struct client *c, struct err *e)
{
	struct ca_message *m = ca_message_new(1);
	struct ca_reply *r = ca_reply_new(0);
	struct ca_request *q = &m->request[0];
	int rc = -1;

	q->kind = CA_CONFIRM;
	q->request = c->u->record.ready.request;
	memcpy(q->certificate, c->certificate, SHA256_LEN);
	if (get_signature(c, &q->signature, e) == 0) {
		rc = call(c, m, r, CA_CONFIRMED, e);
		if (rc < 0 && r->n == 1 && r->answer[0].result == CA_REFUSED && session_changed(c))
			lost(c, e);
		FAULT("station.client.confirmed");
		if (rc == 0)
			rc = r->answer[0].result == CA_DEAD ? tell_dead(c, r->answer[0].request.generation, e)
							    : tell_active(c, e);
	}
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}

/* Its answer says what is left to do: a result, it is done; stored, to be confirmed; or its request. */
static int ask_device(struct client *c, struct link_frame *f, struct err *e)
{
	const struct cert *root = &c->u->run->station.root.cert[c->u->root];
	struct link_request m = {0};
	struct buf payload = {0};
	int rc;

	buf_set(&m.root, root->der.data, root->der.len);
	link_request_write(&m, &payload);
	rc = talk_send(c->u, LINK_REQUEST, &payload, e) == 0 ? talk_hear(c->u, f, c->u->deadline, e) : -1;
	link_request_free(&m);
	buf_free(&payload);
	return rc;
}

static int transact(struct client *c, struct err *e)
{
	struct link_frame f = {0};
	struct link_csr csr = {0};
	int rc = ask_device(c, &f, e);

	if (rc == 0 && f.type == LINK_RESULT) {	/* it is in force already: the answer of an earlier time was lost */
		rc = link_result_read(&c->u->result, &f.payload, e);
	} else if (rc == 0) {
		if (f.type == LINK_CSR)
			rc = link_csr_read(&csr, &f.payload, e) == 0 ? issue(c, &csr, e) : -1;
		else
			rc = f.type == LINK_STORED ? take_stored(c, &f, e) : talk_refused(&f, "its request", e);
		if (rc == 0)
			rc = confirm(c, e);
	}
	link_csr_free(&csr);
	buf_free(&f.payload);
	return rc;
}

int client_issue(struct unit *u, struct err *e)
{
	const struct station *s = &u->run->station;
	int64_t left = u->deadline - clock_mono_ms();
	struct client c = { .u = u, .url = s->ca };
	int rc;

	c.ca = (struct ca_client){ .connect = ca_connect_url, .arg = &c.url, .host = c.url.host, .ca = s->ca_id, .trust = s->trust,
				   .timeout_ms = left <= 0 ? 1 : left < TIMEOUT_HTTP_MS ? left : TIMEOUT_HTTP_MS };
	rc = transact(&c, e);
	ca_client_close(&c.ca);
	return rc;
}
