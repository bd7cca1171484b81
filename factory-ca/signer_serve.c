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

static int count_one(struct server *s, struct task *t, int64_t now)
{
	const struct work_order *o;

	t->refusal.code = REASON_OK;
	t->profile = profiles_choose(&s->build.device, t->q.params.profile, &t->refusal);
	if (!t->profile || (t->q.made && profile_allows(t) < 0))
		return 0;
	if (!*t->q.order) {
		if (t->profile->order_needed)
			err_set(&t->refusal, REASON_ORDER, "profile %s signs only within a work order", t->profile->id);
		return 0;
	}
	if (!t->q.made && profile_allows(t) < 0)
		return 0;
	o = order_get(s, t->q.order, &t->refusal);
	if (!o || db_savepoint(s->db, &t->refusal) < 0)
		return 0;
	if (order_allows(s, o, &t->q, now, &t->refusal) < 0) {
		db_undo(s->db);
		return 0;
	}
	t->order = o;
	return db_release(s->db, &t->refusal);
}

/* The counts of the whole batch are on disk before the first signature is made. */
static int count_all(struct server *s, struct task *t, size_t n, int64_t now, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= *t[i].q.order != 0;
	if (any && db_begin(s->db, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (count_one(s, &t[i], now) < 0) {
			*e = t[i].refusal;
			db_rollback(s->db);
			return -1;
		}
	if (any && db_commit(s->db, e) < 0)
		return -1;
	FAULT("signer.counted");
	return 0;
}

/* Within an order the same transport key gets the same bytes for ever, and they are on disk before they leave. */
static int make_one(struct server *s, struct task *t, int64_t now, struct err *e)
{
	const struct sign_question *q = &t->q;
	int rc = *q->order ? count_made_get(s->db, q->order, q->device.serial, &q->spki, &t->der, &t->encrypted_key, e) : 0;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (make_device(&s->build, s->pool, t->order, q, t->type, now, &t->der, &t->encrypted_key, &t->refusal) < 0)
		return 0;
	return *q->order ? count_made_add(s->db, q->order, q->device.serial, &q->spki, &t->der, &t->encrypted_key, e) : 0;
}

static int make_all(struct server *s, struct task *t, size_t n, int64_t now, struct err *e)
{
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		any |= t[i].q.made && t[i].refusal.code == REASON_OK;
	if (!any)
		return 0;
	if (db_begin(s->db, e) < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++)
		if (t[i].q.made && t[i].refusal.code == REASON_OK)
			rc = make_one(s, &t[i], now, e);
	if (rc == 0)
		rc = db_commit(s->db, e);
	else
		db_rollback(s->db);
	FAULT("signer.made");
	return rc;
}

static void sign_one(struct server *s, struct task *t, int64_t now, struct buf *answer)
{
	if (t->refusal.code == REASON_OK &&
	    (t->q.made || build_device(&s->build, t->order, &t->q, now, &t->der, &t->refusal) == 0)) {
		pack_u32(answer, REASON_OK);
		pack_bytes(answer, t->der.data, t->der.len);
		pack_bytes(answer, t->encrypted_key.data, t->encrypted_key.len);
	} else {
		pack_u32(answer, t->refusal.code);
		pack_str(answer, t->refusal.text);
	}
}

static int on_sign(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	int64_t now = clock_utc();
	uint32_t n = unpack_u32(u);
	struct task *t;
	int rc = -2;

	if (n == 0 || n > SIGNER_BATCH)
		return -2;
	t = mem_new(n, sizeof *t);
	for (uint32_t i = 0; i < n; i++)
		if (sign_question_unpack(u, &t[i].q) < 0)
			goto out;
	if (!unpack_done(u))
		goto out;
	rc = count_all(s, t, n, now, e);
	if (rc == 0)
		rc = make_all(s, t, n, now, e);
	if (rc < 0)
		goto out;
	pack_u32(answer, n);
	for (uint32_t i = 0; i < n; i++)
		sign_one(s, &t[i], now, answer);
	FAULT("signer.signed");
out:
	for (uint32_t i = 0; i < n; i++)
		task_free(&t[i]);
	free(t);
	return rc;
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
