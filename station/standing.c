#include <config.h>

#include "standing.h"

#include <string.h>

#include "fault.h"
#include "mem.h"
#include "text.h"

#define ASK_MS 5000	/* a look into the ledger; the unit's own time limit is a minute and more */

void standing_init(struct standing *s, const struct station *st)
{
	s->url = st->ca;
	s->client = (struct ca_client){ .connect = ca_connect_url, .arg = &s->url, .host = s->url.host, .ca = st->ca_id, .chain = &st->chain,
					.key = st->key, .trust = st->trust, .timeout_ms = ASK_MS };
	pthread_mutex_init(&s->lock, NULL);
}

void standing_close(struct standing *s)
{
	ca_client_close(&s->client);
	pthread_mutex_destroy(&s->lock);
}

int standing_revoke(struct standing *s, const struct request_id *id, struct err *e)
{
	struct ca_message *m = ca_message_new(1);
	struct ca_reply *r = ca_reply_new(0);
	const struct ca_answer *a = &r->answer[0];
	int rc;

	m->request[0].kind = CA_REVOKE;
	m->request[0].request = *id;
	text_copy(m->request[0].reason, sizeof m->request[0].reason, "cessationOfOperation");
	pthread_mutex_lock(&s->lock);
	rc = ca_client_call(&s->client, m, r, e);
	pthread_mutex_unlock(&s->lock);
	if (rc == 0 && (r->n != 1 || a->result != CA_REVOKED_OK))
		rc = r->n == 1 && a->result == CA_REFUSED ? err_set(e, a->code, "%s", a->text)
							  : err_set(e, REASON_REQUEST, "the CA's answer to a revocation is none");
	FAULT("station.standing.revoked");
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}

int standing_ask(struct standing *s, const struct request_id *id, struct standing_of *out, struct err *e)
{
	struct ca_message *m = ca_message_new(1);
	struct ca_reply *r = ca_reply_new(0);
	const struct ca_answer *a = &r->answer[0];
	int rc;

	m->request[0].kind = CA_STATUS;
	m->request[0].request = *id;
	pthread_mutex_lock(&s->lock);
	rc = ca_client_call(&s->client, m, r, e);
	pthread_mutex_unlock(&s->lock);
	if (rc == 0 && r->n == 1 && a->result == CA_STATUS_IS) {
		*out = (struct standing_of){ .state = a->state, .audit = r->audit };
		text_copy(out->taken_by, sizeof out->taken_by, a->taken_by);
		text_copy(out->taken_from, sizeof out->taken_from, a->taken_from);
	} else if (rc == 0) {
		rc = a->result == CA_REFUSED ? err_set(e, a->code, "%s", a->text)
					     : err_set(e, REASON_REQUEST, "the CA's answer is no status");
	}
	FAULT("station.standing");
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}
