#include <config.h>

#include "signer_serve.h"

#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "envelope.h"
#include "fault.h"
#include "file.h"
#include "ipc.h"
#include "log.h"
#include "mem.h"
#include "oid.h"
#include "pack.h"
#include "signer_build.h"
#include "signer_count.h"
#include "signer_crl.h"
#include "signer_make.h"
#include "system.h"

/* One CA: what it is asked, it answers with its own keys, counts and orders, and no other's (H4). */
struct server {
	const char *ca;			/* as the front names it */
	struct db *db;
	struct builder build;
	struct work_order **orders;	/* verified by this process */
	size_t n_orders;
	struct pool *pool;		/* RSA keys made ahead, of all CAs; NULL: an operator's signer */
	int64_t started_ms;
};

struct servers {
	enum signer_purpose purpose;
	bool greeted;
	struct pool *pool;
	struct ca_folders folders;
	struct server of[LIMIT_CAS];
	size_t n;
};

/* ---- work orders ---- */
static int verify_order(struct server *s, const struct buf *cms, struct work_order *o, struct err *e)
{
	if (work_order_read(o, cms->data, cms->len, s->build.ca.trust, e) < 0)
		return -1;
	if ((uint64_t)o->quota + o->scrap == 0)
		return err_set(e, REASON_ORDER, "order %s is for no unit at all", o->id);
	return 0;
}

/* The verified order, remembered; NULL with an error if there is none or it is closed. */
static const struct work_order *order_get(struct server *s, const char *id, struct err *e)
{
	struct work_order *o;
	struct buf cms = {0};
	bool closed = false;
	size_t i;
	int rc;

	for (i = 0; i < s->n_orders && strcmp(s->orders[i]->id, id) != 0; i++)
		;
	rc = count_order_get(s->db, id, i < s->n_orders ? NULL : &cms, &closed, e);
	if (rc == 0)
		err_set(e, REASON_ORDER, "order %s was never shown to the signer", id);
	else if (rc == 1 && closed)
		rc = err_set(e, REASON_ORDER, "order %s is closed", id);
	if (rc == 1 && i == s->n_orders) {
		o = mem_new(1, sizeof *o);
		if (verify_order(s, &cms, o, e) == 0 && strcmp(o->id, id) == 0) {
			s->orders = mem_grow(s->orders, s->n_orders + 1, sizeof *s->orders);
			s->orders[s->n_orders++] = o;
		} else {
			rc = err_set(e, REASON_ORDER, "order %s in signer.db is not what an operator signed", id);
			free(o);
		}
	}
	buf_free(&cms);
	return rc == 1 ? s->orders[i] : NULL;
}

/* What an order allows, judged and counted here whatever the front believes. */
static int order_allows(struct server *s, const struct work_order *o, const struct sign_question *q, int64_t now,
			struct err *e)
{
	if (now < o->not_before || now > o->not_after)
		return err_set(e, REASON_ORDER, "order %s is outside its dates", o->id);
	if (strcmp(o->manufacturer, q->device.manufacturer) != 0 || strcmp(o->model, q->device.model) != 0)
		return err_set(e, REASON_WRONG_MODEL, "order %s is for %s/%s", o->id, o->manufacturer, o->model);
	if (!work_order_has_serial(o, q->device.serial))
		return err_set(e, REASON_ORDER, "order %s does not include serial %s", o->id, q->device.serial);
	return count_take(s->db, o->id, q->device.serial, &q->spki, (uint64_t)o->quota + o->scrap, e);
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

/* Counted, made, and in the journal. */
static int sign_new(struct server *s, struct task *t, int64_t now)
{
	int rc;

	if (*t->q.order) {
		t->order = order_get(s, t->q.order, &t->refusal);
		if (!t->order || order_allows(s, t->order, &t->q, now, &t->refusal) < 0)
			return -1;
	}
	rc = t->q.made ? make_device(&s->build, s->pool, t->order, &t->q, t->type, now, &t->der, &t->encrypted_key, &t->refusal)
		       : build_device(&s->build, t->order, &t->q, now, &t->der, &t->refusal);
	return rc < 0 ? -1 : count_signed_add(s->db, &t->q, &t->der, &t->encrypted_key, &t->refusal);
}

/* What was signed before is given again, and costs nothing. Code OK in t->refusal: it has its certificate. -1: the storage failed. */
static int sign_one(struct server *s, struct task *t, int64_t now)
{
	int rc;

	t->refusal.code = REASON_OK;
	t->profile = profiles_choose(&s->build.device, t->q.params.profile, &t->refusal);
	if (!t->profile || profile_allows(t) < 0)
		return 0;
	if (!*t->q.order && t->profile->order_needed) {
		err_set(&t->refusal, REASON_ORDER, "profile %s signs only within a work order", t->profile->id);
		return 0;
	}
	if (db_savepoint(s->db, &t->refusal) < 0)
		return -1;
	rc = count_signed_get(s->db, &t->q, &t->der, &t->encrypted_key, &t->refusal);
	if (rc == 0)
		rc = sign_new(s, t, now);
	if (rc >= 0)
		return db_release(s->db, &t->refusal);
	db_undo(s->db);
	return t->refusal.code == REASON_STORAGE ? -1 : 0;
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
		unpack_fixed(u, all->note[i].certificate, SHA256_LEN);
		all->note[i].active = unpack_u8(u);
	}
	return unpack_done(u) && all->ledger <= INT64_MAX ? 0 : -1;
}

static int on_sign(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
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

/* ---- the journal, to tell ---- */
static int on_position(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct count_position p;

	if (!unpack_done(u))
		return -2;
	if (count_position(s->db, &p, e) < 0)
		return -1;
	pack_u64(answer, p.changes);
	pack_u64(answer, p.told);
	return 0;
}

static int pack_row(void *arg, const struct signed_row *row)
{
	pack_u8(arg, 1);
	signed_row_pack(arg, row);
	return 0;
}

static int on_journal(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	uint64_t after = unpack_u64(u), last = unpack_u64(u);

	if (!unpack_done(u) || after > INT64_MAX || last > INT64_MAX)
		return -2;
	if (count_journal(s->db, after, last, SIGNER_ROWS, pack_row, answer, e) < 0)
		return -1;
	pack_u8(answer, 0);
	return 0;
}

static int pack_order(void *arg, const char *id, bool closed, const struct buf *cms)
{
	pack_u8(arg, 1);
	pack_str(arg, id);
	pack_u8(arg, closed);
	pack_bytes(arg, cms->data, cms->len);
	return 0;
}

static int on_orders(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	uint64_t skip = unpack_u64(u);

	if (!unpack_done(u) || skip > INT64_MAX)
		return -2;
	if (count_orders(s->db, skip, SIGNER_ORDERS_MAX, pack_order, answer, e) < 0)
		return -1;
	pack_u8(answer, 0);
	return 0;
}

/* ---- what only an operator may have done ---- */
static int on_unit(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct buf spki = {0}, der = {0};
	struct unit_plan p = {0};
	int rc = -2;

	unpack_str(u, p.role, sizeof p.role);
	unpack_str(u, p.name, sizeof p.name);
	unpack_str(u, p.customer, sizeof p.customer);
	for (size_t i = 0; i < SIGNER_HOSTS; i++)
		unpack_str(u, p.host[i], sizeof p.host[i]);
	unpack_bytes(u, &spki);
	if (!unpack_done(u))
		goto out;
	rc = build_unit(&s->build, &p, &spki, clock_utc(), &der, e);
	if (rc == 0 && (rc = db_begin(s->db, e)) == 0) {
		rc = audit_add(s->db, clock_utc(), "operator", "unit", p.name, p.role, e);
		if (rc == 0)
			rc = db_commit(s->db, e);
		else
			db_rollback(s->db);
	}
	if (rc == 0)
		pack_bytes(answer, der.data, der.len);
out:
	buf_free(&spki);
	buf_free(&der);
	return rc;
}

static int add_order(struct server *s, const struct work_order *o, const struct buf *cms, struct err *e)
{
	struct buf known = {0};
	bool closed, same;
	int rc = count_order_get(s->db, o->id, &known, &closed, e);

	same = buf_same(&known, cms);
	buf_free(&known);
	if (rc < 0)
		return -1;
	if (rc == 1)	/* shown again after a cut: nothing to do */
		return same ? 0
			    : err_set(e, REASON_ORDER,
				      "another order with the id %s exists; give the new one another id", o->id);
	if (count_order_add(s->db, o->id, cms, e) < 0)
		return -1;
	return audit_add(s->db, clock_utc(), o->operator_name, "order", o->id, o->model, e);
}

static int on_order(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	struct buf cms = {0};
	int rc = -2;

	unpack_bytes(u, &cms);
	if (unpack_done(u)) {
		rc = verify_order(s, &cms, o, e);
		if (rc == 0 && (rc = db_begin(s->db, e)) == 0) {
			rc = add_order(s, o, &cms, e);
			if (rc == 0)
				rc = db_commit(s->db, e);
			else
				db_rollback(s->db);
		}
	}
	buf_free(&cms);
	free(o);
	return rc;
}

static int on_close(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	char id[CA_ID_MAX + 1];
	int rc;

	unpack_str(u, id, sizeof id);
	if (!unpack_done(u))
		return -2;
	rc = db_begin(s->db, e);
	if (rc < 0)
		return -1;
	rc = count_order_close(s->db, id, e);
	if (rc == 0)
		rc = audit_add(s->db, clock_utc(), "operator", "close", id, "", e);
	if (rc == 0)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return -1;
}

static int on_revoked(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	return crl_remember(&s->build, s->db, u, e);
}

static int on_crl(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	return crl_sign(&s->build, s->db, clock_utc(), u, answer, e);
}

static int on_state(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct pool_state pool[POOL_TYPES];
	size_t n = pool_state(s->pool, pool, POOL_TYPES);

	if (!unpack_done(u))
		return -2;
	pack_u64(answer, (uint64_t)(clock_mono_ms() - s->started_ms) / 1000);
	pack_u32(answer, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		pack_str(answer, key_type_name(pool[i].type));
		pack_u32(answer, pool[i].ready);
		pack_u32(answer, pool[i].room);
		pack_u64(answer, pool[i].made);
		pack_u64(answer, pool[i].made_ms);
	}
	return 0;
}

/* It must be what this CA has signed, for this device. */
static int row_is_ours(struct server *s, struct trust *roots, const struct signed_row *row, const struct chain *chain, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_ANY, .ignore_expiry = true, .now = clock_utc(),
				   .policy = s->build.site == SITE_FACTORY ? OID_POLICY_FACTORY : OID_POLICY_CUSTOMER };

	if (trust_verify(roots, chain, &rule, e) < 0)
		return err_prefix(e, "serial %s: the ledger's certificate", row->device.serial);
	if (strcmp(chain->cert[0].device.serial, row->device.serial) == 0)
		return 0;
	return err_set(e, REASON_AUTHORITY, "serial %s: the ledger's certificate is another device's", row->device.serial);
}

/* A row that signer.db may have lost. 1: it was not there, or in another state. */
static int take_row(struct server *s, struct trust *roots, const struct signed_row *row, bool apply, struct err *e)
{
	const struct authority *ca = &s->build.ca;
	const struct buf *issuing = &ca->issuing.cert->der, *older = ca->older_issuing.n ? &ca->older_issuing.cert->der : NULL;
	struct chain chain = {0};
	int rc = -1, known = 1;
	bool closed;

	if (chain_add(&chain, row->der.data, row->der.len, e) == 0 && chain_add(&chain, issuing->data, issuing->len, e) == 0 &&
	    (!older || chain_add(&chain, older->data, older->len, e) == 0))
		rc = row_is_ours(s, roots, row, &chain, e);
	if (rc == 0 && *row->order)
		known = count_order_get(s->db, row->order, NULL, &closed, e);
	if (rc == 0 && known == 0)	/* a plan: it is shown the order before the row */
		rc = apply ? err_set(e, REASON_ORDER, "serial %s: order %s was never shown to the signer", row->device.serial, row->order) : 1;
	else if (rc == 0)
		rc = known < 0 ? -1 : count_take_over(s->db, row, &chain.cert[0], e);
	chain_free(&chain);
	return rc;
}

/* Also what a rollover has ended: it was signed once. */
static int all_roots(struct server *s, struct trust *roots, struct err *e)
{
	const struct authority *ca = &s->build.ca;

	if (trust_add_root(roots, ca->root.cert, e) < 0)
		return -1;
	return ca->older_root.n ? trust_add_root(roots, ca->older_root.cert, e) : 0;
}

static int on_take_over(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	bool apply = unpack_u8(u);
	uint32_t n = unpack_u32(u);
	struct signed_row row = {0};
	struct trust *roots;
	int rc;

	if (n > SIGNER_ROWS)
		return -2;
	if (db_begin(s->db, e) < 0)
		return -1;
	roots = trust_new();
	for (rc = all_roots(s, roots, e); n && rc >= 0; n--) {
		signed_row_unpack(u, &row);
		rc = u->failed ? -2 : take_row(s, roots, &row, apply, e);
		pack_u8(answer, rc == 1);
	}
	signed_row_free(&row);
	trust_free(roots);
	if (rc >= 0 && !unpack_done(u))
		rc = -2;
	FAULT("signer.taking-over");
	if (rc >= 0 && apply)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return rc < 0 ? rc : 0;
}

/* Above both: what either of them said before is then behind. */
static int on_agree(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	uint64_t ledger = unpack_u64(u);
	struct count_position p;

	if (!unpack_done(u) || ledger >= INT64_MAX)
		return -2;
	if (db_begin(s->db, e) < 0)
		return -1;
	if (count_position(s->db, &p, e) == 0) {
		p.changes = (p.changes > ledger ? p.changes : ledger) + 1;
		if (count_agree(s->db, p.changes, e) == 0 &&
		    audit_add(s->db, clock_utc(), "operator", "reconcile", "ledger", "", e) == 0 && db_commit(s->db, e) == 0) {
			FAULT("signer.agreed");
			pack_u64(answer, p.changes);
			return 0;
		}
	}
	db_rollback(s->db);
	return -1;
}

static int on_hello(struct servers *all, struct unpack *u, struct err *e)
{
	uint32_t version = unpack_u32(u);

	if (!unpack_done(u) || all->greeted)
		return -2;
	all->greeted = true;
	return version == SIGNER_VERSION
		       ? 0
		       : err_set(e, REASON_CONFIG, "handsel-ca and handsel-signer are of different versions");
}

/* ---- permission table ---- */
#define FOR(purpose) (1u << (purpose))

static const struct {
	enum signer_message type;
	unsigned purposes;
	int (*run)(struct server *s, struct unpack *u, struct buf *answer, struct err *e); /* -1 refused, -2 end it */
} table[] = {
	{ SIGNER_SIGN, FOR(SIGNER_FOR_SERVE), on_sign },
	{ SIGNER_UNIT, FOR(SIGNER_FOR_OPERATOR), on_unit },
	{ SIGNER_ORDER, FOR(SIGNER_FOR_OPERATOR), on_order },
	{ SIGNER_CLOSE, FOR(SIGNER_FOR_OPERATOR), on_close },
	{ SIGNER_REVOKED, FOR(SIGNER_FOR_SERVE) | FOR(SIGNER_FOR_OPERATOR), on_revoked },
	{ SIGNER_CRL, FOR(SIGNER_FOR_SERVE) | FOR(SIGNER_FOR_OPERATOR), on_crl },
	{ SIGNER_STATE, FOR(SIGNER_FOR_SERVE), on_state },
	{ SIGNER_POSITION, FOR(SIGNER_FOR_SERVE) | FOR(SIGNER_FOR_OPERATOR), on_position },
	{ SIGNER_JOURNAL, FOR(SIGNER_FOR_SERVE) | FOR(SIGNER_FOR_OPERATOR), on_journal },
	{ SIGNER_ORDERS, FOR(SIGNER_FOR_OPERATOR), on_orders },
	{ SIGNER_TAKE_OVER, FOR(SIGNER_FOR_OPERATOR), on_take_over },
	{ SIGNER_AGREE, FOR(SIGNER_FOR_OPERATOR), on_agree },
};

/* Each question begins with the CA that it is for. NULL: there is none. */
static struct server *server_of(struct servers *all, struct unpack *u)
{
	char ca[CA_ID_MAX + 1];

	unpack_str(u, ca, sizeof ca);
	for (size_t i = 0; i < all->n && !u->failed; i++)
		if (strcmp(all->of[i].ca, ca) == 0)
			return &all->of[i];
	return NULL;
}

static int dispatch(struct servers *all, uint32_t type, const struct buf *question, struct buf *answer, struct err *e)
{
	struct server *s;
	struct unpack u;

	unpack_init(&u, question->data, question->len);
	if (type == SIGNER_HELLO)
		return on_hello(all, &u, e);
	s = all->greeted ? server_of(all, &u) : NULL;
	for (size_t i = 0; s && i < ARRAY_LEN(table); i++)
		if (table[i].type == type)
			return table[i].purposes & FOR(all->purpose) ? table[i].run(s, &u, answer, e) : -2;
	return -2;
}

static int answer_one(struct servers *s, int fd, uint32_t type, const struct buf *question, struct err *e)
{
	struct buf answer = { .max = LIMIT_IPC };
	struct err refusal;
	int rc = dispatch(s, type, question, &answer, &refusal);

	if (rc == -2) {
		err_set(e, REASON_ROLE,
			"message %u is not allowed, malformed or out of order: the front may have been taken over",
			type);
		goto out;
	}
	if (rc < 0) {
		buf_clear(&answer);
		pack_u32(&answer, refusal.code);
		pack_str(&answer, refusal.text);
	}
	rc = ipc_send(fd, rc < 0 ? SIGNER_REFUSED : SIGNER_DONE, &answer, e);
out:
	buf_free(&answer);
	return rc < 0 ? -1 : 0;
}

static int server_load(struct server *s, const char *dir, struct err *e)
{
	uint8_t root[SHA256_LEN];
	char path[FILE_PATH];
	enum site site;
	int rc;

	if (file_join(path, e, dir, "signer.db") < 0)
		return -1;
	if (!file_exists(path))
		return err_set(e, REASON_CONFIG, "%s is not there: \"handsel-ca --dir %s init\" makes a CA system",
			       path, dir);
	s->db = count_open(path, e);
	if (!s->db || count_site_get(s->db, &site, root, e) < 0 || builder_load(&s->build, dir, site, e) < 0)
		return -1;
	if (s->build.ca.generation > 1 && (rc = count_generation_get(s->db, s->build.ca.generation, root, e)) < 1)
		return rc < 0 ? -1 : err_set(e, REASON_AUTHORITY, "%s: generation %u was not made here; restore the folder from the backup", dir,
					     s->build.ca.generation);
	if (!mem_same(root, s->build.ca.root.cert->sha256, SHA256_LEN))
		return err_set(e, REASON_AUTHORITY,
			       "%s/root.pem is not the root of the ceremony; restore it from the backup", dir);
	return 0;
}

static void server_free(struct server *s)
{
	builder_free(&s->build);
	db_close(s->db);
	for (size_t i = 0; i < s->n_orders; i++)
		free(s->orders[i]);
	free(s->orders);
}

/* An operator's signer has the keys of the one CA that the command is about. */
static int servers_load(struct servers *all, const char *dir, struct err *e)
{
	if (system_list(&all->folders, dir, e) < 0)
		return -1;
	if (all->purpose == SIGNER_FOR_SERVE)
		all->pool = pool_new();
	else
		all->folders.n = 1;
	for (; all->n < all->folders.n; all->n++) {
		struct server *s = &all->of[all->n];

		s->ca = all->folders.of[all->n].name;
		s->pool = all->pool;
		s->started_ms = clock_mono_ms();
		if (server_load(s, all->folders.of[all->n].path, e) < 0) {
			server_free(s);
			return -1;
		}
	}
	return 0;
}

int signer_serve(const char *dir, int fd, enum signer_purpose purpose, struct err *e)
{
	struct servers *all = mem_new(1, sizeof *all);
	struct buf question = {0};
	uint32_t type;
	int rc;

	all->purpose = purpose;
	rc = servers_load(all, dir, e);
	while (rc == 0) {
		rc = ipc_recv(fd, &type, &question, e);
		if (rc <= 0)
			break;
		rc = answer_one(all, fd, type, &question, e);
	}
	buf_free(&question);
	pool_free(all->pool);
	for (size_t i = 0; i < all->n; i++)
		server_free(&all->of[i]);
	free(all);
	return rc;
}
