#include <config.h>

#include "obtain.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "caclient.h"
#include "clock.h"
#include "fault.h"
#include "mem.h"
#include "oid.h"

#define TRIES 4			/* of one GO: a hiccup of the CA is no reason to stop a line */
#define PAUSE_FIRST_MS 250	/* doubled each time: together under two seconds */

struct attempt {
	const struct obtain *o;
	struct ca_client client;
	struct credential c;
};

static void lost(struct attempt *a, struct err *e)
{
	ca_client_close(&a->client);
	err_set(e, REASON_CA_UNAVAILABLE, "the CA's answer was lost");
}

static int dead(struct attempt *a, uint32_t generation, struct err *e)
{
	if (store_drop_dead(a->o->store, a->c.slot, generation, e) < 0)
		return -1;
	return err_set(e, REASON_TICKET, "the CA knows a newer request of this device, so this one is dead; start the unit again");
}

static struct ca_message *issue_message(const struct attempt *a, struct err *e)
{
	const struct link_go *go = a->o->go;
	struct ca_message *m = ca_message_new(1);
	struct ca_request *r = &m->request[0];

	r->kind = CA_ISSUE;
	r->request = a->c.request;
	r->device = store_identity(a->o->store)->device;
	r->params.include_ca = CHOICE_YES;	/* a device must be able to show its chain */
	buf_set(&r->ticket, go->ticket.data, go->ticket.len);
	if (a->c.transport)
		snprintf(r->params.key_type, sizeof r->params.key_type, "%s", go->key_type);
	if (a->c.transport ? key_spki(a->c.transport, &r->transport_key, e) == 0
			   : csr_build(a->c.key, &r->device, &r->request, &r->csr, e) == 0)
		return m;
	ca_message_free(m);
	return NULL;
}

static int issued(struct attempt *a, const struct ca_answer *answer, struct err *e)
{
	FAULT("agent.received");
	if (credential_take(&a->c, &answer->chain, &answer->encrypted_key, &store_identity(a->o->store)->device, clock_utc(), e) < 0)
		return -1;
	FAULT("agent.verified");
	if (store_put(a->o->store, &a->c, e) == 0)
		return 0;
	chain_free(&a->c.chain);	/* what is not stored may not be confirmed */
	return -1;
}

static int issue(struct attempt *a, struct err *e)
{
	struct ca_message *m = issue_message(a, e);
	struct ca_reply *r = ca_reply_new(0);
	const struct ca_answer *answer = &r->answer[0];
	int rc = -1;

	FAULT("agent.requested");
	if (!m || ca_client_call(&a->client, m, r, e) < 0)
		;
	else if (FAULT_LOSE("agent.issue.answer"))
		lost(a, e);
	else if (r->n == 1 && answer->result == CA_ISSUED)
		rc = issued(a, answer, e);
	else if (r->n == 1 && answer->result == CA_DEAD)
		rc = dead(a, answer->request.generation, e);
	else if (r->n == 1 && answer->result == CA_REFUSED)
		err_set(e, answer->code, "%s", answer->text);
	else
		err_set(e, REASON_REQUEST, "the CA's answer does not fit the request");
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}

/* The proof holds for one session only. If the connection was opened anew under the call, the CA refuses a good proof. */
static bool session_changed(struct attempt *a, const uint8_t before[TLS_EXPORTER_LEN])
{
	uint8_t after[TLS_EXPORTER_LEN];
	struct err e;
	struct tls *t = ca_client_session(&a->client, &e);

	return !t || tls_exporter(t, after, &e) < 0 || memcmp(before, after, sizeof after) != 0;
}

static int confirm_call(struct attempt *a, struct ca_message *m, const uint8_t exporter[TLS_EXPORTER_LEN], struct err *e)
{
	struct ca_reply *r = ca_reply_new(0);
	uint32_t generation = 0;
	int rc = -1;

	FAULT("agent.confirm-sent");
	if (ca_client_call(&a->client, m, r, e) < 0)
		goto out;
	if (FAULT_LOSE("agent.confirm.answer")) {
		lost(a, e);
		goto out;
	}
	switch (credential_confirmed(&a->c, r, &generation, e)) {
	case CONFIRM_ACTIVE:
		rc = 0;
		break;
	case CONFIRM_DEAD:
		rc = dead(a, generation, e);
		break;
	case CONFIRM_REFUSED:
		if (session_changed(a, exporter))
			lost(a, e);
		break;
	case CONFIRM_FAILED:
		break;
	}
out:
	ca_reply_free(r);
	return rc;
}

static int confirm(struct attempt *a, struct err *e)
{
	struct tls *session = ca_client_session(&a->client, e);
	uint8_t exporter[TLS_EXPORTER_LEN];
	struct ca_message *m;
	int rc;

	if (!session || tls_exporter(session, exporter, e) < 0)
		return -1;
	m = credential_confirm(&a->c, session, e);
	if (!m)
		return -1;
	rc = confirm_call(a, m, exporter, e);
	ca_message_free(m);
	if (rc < 0)
		return -1;
	FAULT("agent.confirmed");
	return store_switch(a->o->store, a->c.slot, e);
}

static int try_with_pauses(struct attempt *a, struct err *e)
{
	long pause_ms = PAUSE_FIRST_MS;

	for (int i = 1;; i++, pause_ms *= 2) {
		int64_t wait_ms;
		struct timespec wait;

		/* What is stored is confirmed before anything else. */
		if ((a->c.chain.n > 0 || issue(a, e) == 0) && confirm(a, e) == 0)
			return 0;
		if (i == TRIES || (e->code != REASON_CA_UNAVAILABLE && e->code != REASON_UNREACHABLE))
			return -1;
		wait_ms = ca_client_pause_ms(&a->client, pause_ms);
		wait = (struct timespec){ wait_ms / 1000, wait_ms % 1000 * 1000000 };
		ca_client_close(&a->client);
		if (a->o->say)
			a->o->say(a->o->arg, e->text);
		nanosleep(&wait, NULL);
	}
}

int obtain_factory(const struct obtain *o, struct err *e)
{
	struct attempt a = { .o = o, .c = { .slot = SLOT_NONE } };
	struct trust *trust = trust_new();
	struct cert root = {0};
	int rc = -1;

	if (store_pending(o->store) != SLOT_FACTORY)
		err_set(e, REASON_TICKET, "no request is prepared for this ticket; start the unit again");
	else if (cert_parse(&root, o->go->root.data, o->go->root.len, e) == 0 && trust_add_root(trust, &root, e) == 0 &&
		 store_pin_root(o->store, &root, e) == 0 && store_load(o->store, SLOT_FACTORY, &a.c, e) == 0) {
		a.client = (struct ca_client){ .connect = o->connect, .arg = o->arg, .host = o->go->host, .ca = o->go->ca,
						.trust = trust };
		rc = try_with_pauses(&a, e);
		ca_client_close(&a.client);
	}
	credential_free(&a.c);
	cert_free(&root);
	trust_free(trust);
	return rc;
}
