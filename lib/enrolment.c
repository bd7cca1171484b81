#include <config.h>

#include "enrolment.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "digest.h"
#include "documents.h"
#include "file.h"
#include "mem.h"
#include "oid.h"

/* One request, one answer of that kind, whose chain is the result. */
static int ask(struct ca_client *c, struct ca_message *m, enum ca_result wanted, struct chain *chain, struct err *e)
{
	struct ca_reply *r = ca_reply_new(0);
	struct ca_answer *a = &r->answer[0];
	int rc = ca_client_call(c, m, r, e);

	if (rc == 0 && a->result == CA_REFUSED)
		rc = err_set(e, a->code, "the CA refuses: %s", a->text);
	else if (rc == 0 && a->result != wanted)
		rc = err_set(e, REASON_REQUEST, "the CA's answer is none to this request");
	if (rc == 0)
		rc = chain_append(chain, &a->chain, e);
	ca_reply_free(r);
	return rc;
}

/* ---- by a code ---- */
static int pick_root(const struct chain *all, const struct invite *code, struct chain *root, struct err *e)
{
	for (size_t i = 0; i < all->n; i++)
		if (memcmp(all->cert[i].sha256, code->root, INVITE_ROOT) == 0)
			return chain_add(root, all->cert[i].der.data, all->cert[i].der.len, e);
	return err_set(e, REASON_AUTHORITY, "whoever answers there is not the CA that the code is of; look at the address, and for an interception");
}

int enrolment_root(const struct url *ca, const char *ca_id, const struct invite *code, struct chain *root, struct err *e)
{
	struct url url = *ca;
	struct ca_client c = { .connect = ca_connect_url, .arg = &url, .host = url.host, .ca = ca_id, .stranger = true };
	struct ca_message *m = ca_message_new(1);
	struct chain all = {0};
	struct trust *t = trust_new();
	int rc;

	m->n = 1;
	m->request[0].kind = CA_CERTIFICATES;
	rc = ask(&c, m, CA_CERTIFICATES_ARE, &all, e);
	if (rc == 0)
		rc = pick_root(&all, code, root, e);
	if (rc == 0)
		rc = trust_add_root(t, &root->cert[0], e);
	ca_client_close(&c);
	ca_message_free(m);
	chain_free(&all);
	trust_free(t);
	return rc;
}

/* What came must be for our key, and a unit's under this root. */
static int check(struct trust *t, const struct chain *chain, const struct buf *spki, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .policy = OID_POLICY_UNIT, .now = clock_utc() };

	if (!chain->n || !buf_same(&chain->cert[0].spki, spki))
		return err_set(e, REASON_AUTHORITY, "the CA has certified another key than the one of this unit");
	return trust_verify(t, chain, &rule, e);
}

int enrolment_enrol(const struct url *ca, const char *ca_id, const struct chain *root, const struct invite *code, const struct key *key,
		    struct chain *chain, struct err *e)
{
	struct url url = *ca;
	struct ca_client c = { .connect = ca_connect_url, .arg = &url, .host = url.host, .ca = ca_id, .trust = trust_new() };
	struct ca_message *m = ca_message_new(1);
	struct ca_request *rq = &m->request[0];
	uint8_t public[INVITE_KEY];
	struct buf spki = {0};
	int rc = trust_add_root(c.trust, &root->cert[0], e);

	m->n = 1;
	rq->kind = CA_ENROL;
	invite_public(code, public);
	memcpy(rq->invitation, public, sizeof public);
	if (rc == 0 && key_spki(key, &spki, e) == 0 && csr_build(key, NULL, NULL, &rq->csr, e) == 0) {
		invite_sign(code, &spki, &rq->signature);
		rc = ask(&c, m, CA_ENROLLED, chain, e);
		if (rc == 0)
			rc = check(c.trust, chain, &spki, e);
	} else {
		rc = -1;
	}
	ca_client_close(&c);
	ca_message_free(m);
	trust_free(c.trust);
	buf_free(&spki);
	return rc;
}

/* ---- by the certificate before ---- */
bool enrolment_due(const struct cert *c, int64_t now)
{
	return now > c->not_before + (c->not_after - c->not_before) / 3 * 2;
}

int enrolment_renew(struct ca_client *client, const struct key *key, struct chain *chain, struct err *e)
{
	struct ca_message *m = ca_message_new(1);
	struct ca_request *rq = &m->request[0];
	struct unit_renewal doc = { .time = clock_utc() };
	struct buf spki = {0};
	int rc = -1;

	m->n = 1;
	rq->kind = CA_RENEW;
	if (key_spki(key, &spki, e) == 0 && csr_build(key, NULL, NULL, &rq->csr, e) == 0) {
		digest_sha256(doc.key_sha256, spki.data, spki.len);
		if (unit_renewal_write(&doc, client->key, client->chain, &rq->document, e) == 0)
			rc = ask(client, m, CA_ENROLLED, chain, e);
	}
	if (rc == 0)
		rc = check(client->trust, chain, &spki, e);
	if (rc == 0 && (strcmp(chain->cert[0].role, client->chain->cert[0].role) != 0 ||
			strcmp(chain->cert[0].name, client->chain->cert[0].name) != 0))
		rc = err_set(e, REASON_AUTHORITY, "the CA has made this unit another one");
	ca_message_free(m);
	buf_free(&spki);
	return rc;
}

static int save_chain(const struct enrolment_unit *u, const struct chain *chain, struct err *e)
{
	char path[FILE_PATH];

	return file_join_end(path, e, u->dir, u->name, ".pem") < 0 ? -1 : chain_save(chain, path, e);
}

/* The certificate on the disk decides: before it the unit is what it was, after it the key is the next one. */
static int take_up(struct enrolment_unit *u, struct chain *fresh, bool next, struct err *e)
{
	struct key *key = NULL;

	if (save_chain(u, fresh, e) < 0)
		return -1;
	if (next && (unit_key_switch(u->dir, u->name, e) < 0 || !(key = unit_key_load(u->place, u->dir, u->name, &fresh->cert[0], e))))
		return -1;
	if (key) {
		key_free(u->key);
		u->key = key;
	}
	chain_free(&u->chain);
	u->chain = *fresh;
	*fresh = (struct chain){0};
	return 1;
}

int enrolment_keep(struct ca_client *client, struct enrolment_unit *u, int64_t now, struct err *e)
{
	struct chain fresh = {0};
	struct key *next;
	int rc = -1;

	if (!enrolment_due(&u->chain.cert[0], now))
		return 0;
	client->chain = &u->chain;
	client->key = u->key;
	next = unit_key_next(u->place, u->dir, u->name, e);
	if (next || e->code == REASON_OK)
		rc = enrolment_renew(client, next ? next : u->key, &fresh, e);
	ca_client_close(client);
	if (rc == 0)
		rc = take_up(u, &fresh, next != NULL, e);
	key_free(next);
	chain_free(&fresh);
	return rc;
}
