#include <config.h>

#include "signer_private.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "envelope.h"
#include "fault.h"
#include "mem.h"
#include "signer_make.h"

/* ---- work orders ---- */
/* What an order allows, judged and counted here whatever the front believes. 1: to be counted, 0: counted before. */
static int order_allows(struct server *s, const struct work_order *o, const struct sign_question *q, int64_t now,
			struct err *e)
{
	if (now < o->not_before || now > o->not_after)
		return err_set(e, REASON_ORDER, "order %s is outside its dates", o->id);
	if (strcmp(o->manufacturer, q->device.manufacturer) != 0 || strcmp(o->model, q->device.model) != 0)
		return err_set(e, REASON_WRONG_MODEL, "order %s is for %s/%s", o->id, o->manufacturer, o->model);
	if (!work_order_has_serial(o, q->device.serial))
		return err_set(e, REASON_ORDER, "order %s does not include serial %s", o->id, q->device.serial);
	return count_room(s->db, o->id, q->device.serial, &q->spki, (uint64_t)o->quota + o->scrap, e);
}

/* ---- device certificates ---- */
struct task {
	struct sign_question q;
	struct err refusal;
	const struct profile *profile;	/* that it asks for */
	const struct work_order *order;	/* that it is counted against */
	enum key_type type;		/* of the key to be made */
	struct buf der, encrypted_key;
};

static void task_free(struct task *t)
{
	buf_free(&t->q.spki);
	buf_free(&t->der);
	buf_free(&t->encrypted_key);
}

/* What the profile refuses must not cost a unit. */
static int profile_allows(struct task *t)
{
	enum key_type key = spki_type(&t->q.spki);

	if (!t->q.made)
		return profile_check(t->profile, &t->q.params, key, &t->refusal);
	if (!envelope_takes(key))
		return err_set(&t->refusal, REASON_REQUEST, "nothing can be encrypted to a transport key of type %s",
			       key_type_name(key));
	return profile_choose(t->profile, &t->q.params, &t->type, &t->refusal);
}

/* Whatever can be refused is refused before anything is written, so that nothing has to be undone for one of many. */
static int sign_new(struct server *s, struct task *t, int64_t now, bool *count)
{
	int rc = 0;

	if (*t->q.order) {
		t->order = signer_order_get(s, t->q.order, &t->refusal);
		rc = t->order ? order_allows(s, t->order, &t->q, now, &t->refusal) : -1;
	}
	*count = rc == 1;
	if (rc < 0)
		return -1;
	return t->q.made ? make_device(&s->build, s->pool, t->order, &t->q, t->type, now, &t->der, &t->encrypted_key, &t->refusal)
			 : build_device(&s->build, t->order, &t->q, now, &t->der, &t->refusal);
}

/* Counted, and in the journal. A failure here is all the message's. */
static int keep_new(struct server *s, struct task *t, bool count)
{
	if (count && count_take(s->db, t->q.order, t->q.device.serial, &t->q.spki, &t->refusal) < 0)
		return -1;
	return count_signed_add(s->db, &t->q, &t->der, &t->encrypted_key, &t->refusal);
}

/* What was signed before is given again, and costs nothing. Code OK in t->refusal: it has its certificate. -1: the storage failed. */
static int sign_one(struct server *s, struct task *t, int64_t now)
{
	bool count;
	int rc;

	t->refusal.code = REASON_OK;
	t->profile = profiles_choose(&s->build.device, t->q.params.profile, &t->refusal);
	if (!t->profile || profile_allows(t) < 0)
		return 0;
	if (!*t->q.order && t->profile->order_needed) {
		err_set(&t->refusal, REASON_ORDER, "profile %s signs only within a work order", t->profile->id);
		return 0;
	}
	rc = count_signed_get(s->db, &t->q, &t->der, &t->encrypted_key, &t->refusal);
	if (rc == 1)
		return 0;
	if (rc == 0 && sign_new(s, t, now, &count) == 0)
		return keep_new(s, t, count);
	if (t->refusal.code == REASON_SECRET)	/* the log has the rest, which is no business of a device */
		err_set(&t->refusal, REASON_CA_UNAVAILABLE, "the CA's keys are locked; its operator has to unlock them");
	return rc < 0 || t->refusal.code == REASON_STORAGE ? -1 : 0;
}

/* A ledger tells up to which change it has them all. Less than it told before: it was put back. More than there are: we were. */
static int judge_position(struct server *s, uint64_t ledger, struct err *e)
{
	struct count_position p;

	if (count_position(s->db, &p, e) < 0)
		return -1;
	if (ledger < p.told)
		return err_set(e, REASON_CA_UNAVAILABLE, "the ledger is older than what the signer has signed (change %llu of %llu): it was put"
			       " back from a backup; \"handsel-ca reconcile\" shows what it lacks",
			       (unsigned long long)ledger, (unsigned long long)p.changes);
	if (ledger > p.changes)
		return err_set(e, REASON_CA_UNAVAILABLE, "signer.db is older than the ledger (change %llu of %llu): it was put back from a backup"
			       " and counts too little; \"handsel-ca reconcile\" shows what it lacks",
			       (unsigned long long)p.changes, (unsigned long long)ledger);
	return count_told(s->db, ledger, e);
}

struct tasks {
	struct task *t;
	uint32_t n, n_notes;
	struct sign_note note[SIGNER_BATCH];
	uint64_t ledger;
};

/* Counts, signatures and notes are on disk together before any of them leaves. */
static int sign_all(struct server *s, struct tasks *all, int64_t now, struct count_position *p, struct err *e)
{
	int rc;

	if (db_begin(s->db, e) < 0)
		return -1;
	rc = judge_position(s, all->ledger, e);
	for (uint32_t i = 0; i < all->n && rc == 0; i++)
		if (sign_one(s, &all->t[i], now) < 0) {
			*e = all->t[i].refusal;
			rc = -1;
		}
	for (uint32_t i = 0; i < all->n_notes && rc >= 0; i++)
		rc = count_note(s->db, &all->note[i], e);
	FAULT("signer.noted");
	if (rc >= 0 && count_position(s->db, p, e) == 0 && db_commit(s->db, e) == 0) {
		FAULT("signer.counted");
		return 0;
	}
	db_rollback(s->db);
	return -1;
}

static void pack_task(const struct task *t, struct buf *answer)
{
	pack_u32(answer, t->refusal.code);
	if (t->refusal.code == REASON_OK) {
		pack_bytes(answer, t->der.data, t->der.len);
		pack_bytes(answer, t->encrypted_key.data, t->encrypted_key.len);
	} else {
		pack_str(answer, t->refusal.text);
	}
}

static int tasks_unpack(struct unpack *u, struct tasks *all)
{
	all->n = unpack_u32(u);
	if (all->n > SIGNER_BATCH) {
		all->n = 0;
		return -1;
	}
	all->t = mem_new(all->n + 1, sizeof *all->t);
	for (uint32_t i = 0; i < all->n; i++)
		if (sign_question_unpack(u, &all->t[i].q) < 0)
			return -1;
	all->ledger = unpack_u64(u);
	all->n_notes = unpack_u32(u);
	if (all->n_notes > SIGNER_BATCH)
		return -1;
	for (uint32_t i = 0; i < all->n_notes; i++) {
		unpack_str(u, all->note[i].serial, sizeof all->note[i].serial);
		unpack_fixed(u, all->note[i].certificate, SHA256_LEN);
		all->note[i].active = unpack_u8(u);
	}
	return unpack_done(u) && all->ledger <= INT64_MAX ? 0 : -1;
}

int signer_on_sign(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct tasks *all = mem_new(1, sizeof *all);
	struct count_position p = {0};
	int rc = -2;

	if (tasks_unpack(u, all) == 0)
		rc = sign_all(s, all, clock_utc(), &p, e);
	if (rc == 0) {
		pack_u32(answer, all->n);
		for (uint32_t i = 0; i < all->n; i++)
			pack_task(&all->t[i], answer);
		pack_u64(answer, p.changes);
		FAULT("signer.signed");
	}
	for (uint32_t i = 0; i < all->n; i++)
		task_free(&all->t[i]);
	free(all->t);
	free(all);
	return rc;
}
