#include <config.h>

#include "recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "log.h"
#include "mem.h"
#include "rules.h"
#include "rules_write.h"

const char *learned_text(enum learned l)
{
	static const char *const text[] = {
		[LEARNED_NOTHING] = "as it is here",
		[LEARNED_ACTIVE] = "active at the CA",
		[LEARNED_PENDING] = "handed out, perhaps confirmed: held until its device is heard of",
		[LEARNED_SUPERSEDED] = "replaced by a newer one",
		[LEARNED_DEAD] = "revoked at the CA",
		[LEARNED_BLOCKED] = "revoked by a block, which is taken over",
		[LEARNED_REVOKE] = "dead here: to be revoked at the CA",
	};

	return text[l];
}

struct learn {
	struct db *db;
	const struct ca_known *k;
	struct node_device dev;
	struct node_request r;		/* as it is here; without an id: not known */
	bool older;
	const char *actor;
	int64_t now;
	enum learned learned;
	struct err *e;
};

static bool is_open(enum ca_state s)
{
	return s == CA_RESERVED || s == CA_PENDING || s == CA_ACTIVE;
}

static bool is_superseded(const struct ca_known *k)
{
	return k->state == CA_SUPERSEDED || (k->state == CA_REVOKED && strcmp(k->reason, "superseded") == 0);
}

/* This node knows that the request was replaced by a renewal, and the CA says nothing against it: one that has learnt of the end from its
 * signer, after a cut, has no reason for it. */
static bool is_known_superseded(const struct node_request *r, const struct ca_known *k)
{
	return r->id.id[0] && r->state == NODE_SUPERSEDED && (is_superseded(k) || strcmp(k->reason, "unspecified") == 0);
}

/* What the node itself would have called it. */
static const char *cause_of(const struct ca_known *k)
{
	static const struct {
		const char *reason, *cause;
	} causes[] = {
		{ "superseded", "superseded" }, { "lapsed", "lapsed" }, { "cessationOfOperation", "released" },
		{ "privilegeWithdrawn", "blocked" },
	};

	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (strcmp(k->reason, causes[i].reason) == 0)
			return causes[i].cause;
	return k->state == CA_SUPERSEDED ? "superseded" : "dead at the CA";
}

/* The row as the CA has it, in that state. */
static int write_row(struct learn *x, enum node_state state, const char *cause)
{
	bool held = x->older && (state == NODE_BOUND || state == NODE_CERTIFIED);
	struct node_request *r = &x->r;
	struct cert c = {0};
	int rc = 0;

	if (!r->id.id[0]) {
		r->id = x->k->request;
		r->device = x->dev.n;
		r->plain = x->k->request.generation == 0;
		r->made = x->k->made;
		memcpy(r->renews, x->k->renews, sizeof r->renews);
		buf_set(&r->spki, x->k->public_key.data, x->k->public_key.len);
		rc = store_request_add(x->db, r, x->now, x->e);
	}
	if (rc == 0 && x->k->certificate.len && !r->certificate.len) {
		rc = cert_parse(&c, x->k->certificate.data, x->k->certificate.len, x->e);
		if (rc == 0) {
			buf_set(&r->certificate, c.der.data, c.der.len);
			memcpy(r->sha256, c.sha256, SHA256_LEN);
			buf_set(&r->encrypted_key, x->k->encrypted_key.data, x->k->encrypted_key.len);
			rc = store_request_certified(x->db, r, state, x->now, x->e);
		}
		cert_free(&c);
	}
	r->state = state;
	return rc < 0 || store_request_state(x->db, r->id.id, state, cause, x->now, x->e) < 0 ||
	       store_request_hold(x->db, r->id.id, held, x->e) < 0 ? -1 : 0;
}

static int tell(struct learn *x, enum outbox_kind kind, const struct request_id *id, const char *reason)
{
	int rc = store_outbox_has(x->db, kind, id->id, x->e);

	if (rc == 0 && kind == OUTBOX_REVOKE)
		x->learned = LEARNED_REVOKE;
	return rc == 0 ? store_outbox_add(x->db, kind, x->dev.n, id, reason, x->e) : rc < 0 ? -1 : 0;
}

/* ---- open at the CA ---- */
/* A renewal was begun under it, so it was in force. */
static int promote(struct learn *x, const char *id)
{
	struct node_request old = {0};
	int rc = store_request_get(x->db, id, &old, x->e);

	if (rc == 1 && old.device == x->dev.n && (old.state == NODE_CERTIFIED || old.state == NODE_ACTIVE)) {
		memcpy(x->dev.active, old.id.id, sizeof x->dev.active);
		if (strcmp(x->dev.pending, id) == 0)
			x->dev.pending[0] = 0;
		if (old.state == NODE_CERTIFIED)
			rc = store_request_state(x->db, id, NODE_ACTIVE, "", x->now, x->e) < 0 ||
			     tell(x, OUTBOX_CONFIRM, &old.id, "") < 0 ? -1 : 0;
	}
	node_request_free(&old);
	return rc < 0 ? -1 : 0;
}

/* One request of a device is under way at a time: what was so when the backup was made is over. */
static int take_pending(struct learn *x)
{
	static const char why[] = "superseded";

	if (x->r.renews[0] && promote(x, x->r.renews) < 0)
		return -1;
	if (x->dev.pending[0] && strcmp(x->dev.pending, x->r.id.id) != 0 &&
	    rules_end_request(x->db, &x->dev, x->dev.pending, why, why, x->actor, x->now, x->e) < 0)
		return -1;
	memcpy(x->dev.pending, x->r.id.id, sizeof x->dev.pending);
	return 0;
}

static int learn_open(struct learn *x)
{
	enum node_state was = x->r.id.id[0] ? x->r.state : NODE_DEAD, is = NODE_ACTIVE;
	bool was_held = x->r.held;

	if (x->k->state == CA_RESERVED)
		is = NODE_BOUND;
	else if (x->k->state == CA_PENDING && was != NODE_ACTIVE && x->k->request.generation != 0)
		is = NODE_CERTIFIED;
	if (write_row(x, is, "") < 0)
		return -1;
	if (is != NODE_ACTIVE) {
		x->learned = is == was && (was_held || !x->older) ? LEARNED_NOTHING : LEARNED_PENDING;
		return take_pending(x);
	}
	x->learned = was == NODE_ACTIVE ? LEARNED_NOTHING : LEARNED_ACTIVE;
	memcpy(x->dev.active, x->r.id.id, sizeof x->dev.active);
	if (strcmp(x->dev.pending, x->r.id.id) == 0)
		x->dev.pending[0] = 0;
	if (was != NODE_ACTIVE)
		x->dev.onboarded = x->now;
	return x->k->state == CA_PENDING ? tell(x, OUTBOX_CONFIRM, &x->r.id, "") : 0;
}

/* ---- over at the CA ---- */
static int learn_closed(struct learn *x)
{
	const struct ca_known *k = x->k;
	const char *cause = cause_of(k);
	/* what a renewal replaced may still have to repeat its confirm */
	bool superseded = is_superseded(k) && k->certificate.len;

	if (!x->r.id.id[0] && !k->public_key.len)	/* a tombstone: there is nothing to compare with, and the CA knows it */
		return 0;
	if (is_known_superseded(&x->r, k))
		return 0;
	if (write_row(x, superseded ? NODE_SUPERSEDED : NODE_DEAD, superseded ? "renewed" : cause) < 0 ||
	    store_outbox_drop(x->db, OUTBOX_CONFIRM, x->r.id.id, x->e) < 0)
		return -1;
	if (strcmp(x->dev.active, x->r.id.id) == 0)
		x->dev.active[0] = 0;
	if (strcmp(x->dev.pending, x->r.id.id) == 0)
		x->dev.pending[0] = 0;
	x->learned = superseded ? LEARNED_SUPERSEDED : LEARNED_DEAD;
	if (strcmp(cause, "blocked") == 0 && k->request.generation >= x->dev.highest) {
		x->dev.blocked = true;	/* to be sure: the admin can take it back */
		x->learned = LEARNED_BLOCKED;
	}
	return 0;
}

static int learn(struct learn *x)
{
	char hash[40];

	if (x->k->request.generation > x->dev.highest)
		x->dev.highest = x->k->request.generation;
	if (x->r.id.id[0] && x->r.state == NODE_DEAD) {
		if (is_open(x->k->state) && tell(x, OUTBOX_REVOKE, &x->r.id, "unspecified") < 0)
			return -1;
	} else if (!is_open(x->k->state)) {
		if (learn_closed(x) < 0)
			return -1;
	} else if (!(x->r.id.id[0] && x->r.state == NODE_SUPERSEDED) && learn_open(x) < 0) {
		return -1;
	}
	if (store_device_put(x->db, &x->dev, x->e) < 0)
		return -1;
	if (x->learned == LEARNED_NOTHING)
		return 0;
	snprintf(hash, sizeof hash, "state=%s", ca_state_name(x->k->state));
	return rules_audit_request(x->db, x->now, x->actor, "learn", &x->dev.id, &x->k->request, hash, x->e);
}

int recover_learn(struct db *db, const struct ca_known *k, bool older, const char *actor, int64_t now, enum learned *l,
		  struct err *e)
{
	struct learn x = { .db = db, .k = k, .older = older, .actor = actor, .now = now, .e = e };
	int rc = store_request_get(db, k->request.id, &x.r, e);

	*l = LEARNED_NOTHING;
	if (rc == 1)
		rc = store_device_by_n(db, x.r.device, &x.dev, e);
	else if (rc == 0 && device_valid(&k->device))
		rc = store_device_get(db, &k->device, &x.dev, e);
	else if (rc == 0)	/* revoked before the CA knew whose it was */
		goto out;
	if (rc == 0)
		rc = store_device_put(db, &x.dev, e);
	if (rc >= 0)
		rc = learn(&x);
	*l = x.learned;
out:
	node_request_free(&x.r);
	return rc < 0 ? -1 : 0;
}

/* ---- begin and end ---- */
int recover_begin(struct db *db, int64_t now, struct err *e)
{
	return store_recovering_set(db, true, e) < 0 ||
	       audit_add(db, now, "node", "recover", "database", "older than what the CA has worked with", e) < 0 ? -1 : 0;
}

int recover_end(struct db *db, const char *mark, const char *actor, int64_t now, struct err *e)
{
	return (*mark && store_mark_add(db, mark, e) < 0) || store_recovering_set(db, false, e) < 0 ||
	       audit_add(db, now, actor, "recovered", "database", "", e) < 0 ? -1 : 0;
}

int recover_judge(struct db *db, const char *mark, struct err *e)
{
	int rc = store_recovering_get(db, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return *mark ? store_mark_known(db, mark, e) : 1;
}

int recover_ask(struct ca_client *c, bool list, int64_t after, struct ca_answer *a, struct err *e)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	int rc;

	m->n = 1;
	m->request[0].kind = CA_RECOVER;
	m->request[0].list = list;
	m->request[0].after = after;
	rc = ca_client_call(c, m, r, e);
	if (rc == 0 && r->answer[0].result != CA_RECOVERED)
		rc = err_set(e, REASON_CA_UNAVAILABLE, "the CA does not say what it knows of this node: %s", r->answer[0].text);
	if (rc == 0 && r->answer[0].next && r->answer[0].next <= after)
		rc = err_set(e, REASON_CA_UNAVAILABLE, "the CA's list does not come to an end");
	if (rc == 0) {
		*a = r->answer[0];
		memset(&r->answer[0], 0, sizeof r->answer[0]);
	}
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}
