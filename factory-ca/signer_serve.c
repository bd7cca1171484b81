#include <config.h>

#include "signer_serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "ipc.h"
#include "log.h"
#include "mem.h"
#include "signer_crl.h"
#include "signer_make.h"
#include "signer_private.h"
#include "system.h"
#include "unlock.h"

/* How far the talk with the front has come. */
enum state {
	STATE_NEW,	/* not a word yet */
	STATE_GREETED,
	STATES
};

struct servers {
	enum signer_purpose purpose;
	enum state state;
	struct pool *pool;
	struct ca_folders folders;
	struct server of[LIMIT_CAS];
	size_t n;
	struct signer_confined confined;
	int unlock;			/* where a person may give a passphrase or PIN; negative: nowhere */
	int64_t again_ms;		/* when to look for lost keys next */
};

#define FIND_AGAIN_MS 1000	/* a token's modules take their time to load, and every request would have them do it */

/* ---- short answers ---- */
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

static int on_keys(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct keystore_state k;

	if (!unpack_done(u))
		return -2;
	keystore_look(s->build.keys.store[0], &k);
	pack_str(answer, k.kind);
	pack_str(answer, k.name);
	pack_u8(answer, k.there);
	pack_u8(answer, k.secret);
	pack_u8(answer, k.encrypted);
	pack_u8(answer, (uint8_t)k.tries);
	pack_u8(answer, k.there && signer_keys_all_open(&s->build.keys));
	pack_str(answer, s->confined->sandbox);
	pack_u8(answer, s->confined->memory);
	return 0;
}

static int on_reload(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	return unpack_done(u) ? builder_reload(&s->build, s->dir, e) : -2;
}

static int on_hello(struct servers *all, struct unpack *u, struct err *e)
{
	uint32_t version = unpack_u32(u);

	if (!unpack_done(u))
		return -2;
	all->state = STATE_GREETED;
	return version == SIGNER_VERSION
		       ? 0
		       : err_set(e, REASON_CONFIG, "handsel-ca and handsel-signer are of different versions");
}

/* ---- permission table ----
 * Message, who may send it, when. What is not in it, or not then, ends the signer. */
#define S (1u << SIGNER_FOR_SERVE)
#define O (1u << SIGNER_FOR_OPERATOR)

static const struct rule {
	enum signer_message type;
	unsigned purposes;
	enum state state;
	signer_answer *run;	/* NULL: hello, which is for no CA */
} table[] = {
	{ SIGNER_HELLO,	    S | O, STATE_NEW,	  NULL },
	{ SIGNER_SIGN,	    S,	   STATE_GREETED, signer_on_sign },
	{ SIGNER_UNIT,	    O,	   STATE_GREETED, signer_on_unit },
	{ SIGNER_ORDER,	    O,	   STATE_GREETED, signer_on_order },
	{ SIGNER_CLOSE,	    O,	   STATE_GREETED, signer_on_close },
	{ SIGNER_ACT,	    S | O, STATE_GREETED, signer_on_act },
	{ SIGNER_ENROL,	    S,	   STATE_GREETED, signer_on_enrol },
	{ SIGNER_RENEW,	    S,	   STATE_GREETED, signer_on_renew },
	{ SIGNER_REVOKED,   S | O, STATE_GREETED, on_revoked },
	{ SIGNER_CRL,	    S | O, STATE_GREETED, on_crl },
	{ SIGNER_STATE,	    S,	   STATE_GREETED, on_state },
	{ SIGNER_POSITION,  S | O, STATE_GREETED, signer_on_position },
	{ SIGNER_JOURNAL,   S | O, STATE_GREETED, signer_on_journal },
	{ SIGNER_ORDERS,    O,	   STATE_GREETED, signer_on_orders },
	{ SIGNER_TAKE_OVER, O,	   STATE_GREETED, signer_on_take_over },
	{ SIGNER_AGREE,	    O,	   STATE_GREETED, signer_on_agree },
	{ SIGNER_HEAD,	    S | O, STATE_GREETED, signer_on_head },
	{ SIGNER_HISTORY,   O,	   STATE_GREETED, signer_on_history },
	{ SIGNER_OCSP,	    S | O, STATE_GREETED, signer_on_ocsp },
	{ SIGNER_KEYS,	    S,	   STATE_GREETED, on_keys },
	{ SIGNER_RELOAD,    S,	   STATE_GREETED, on_reload },
};
#undef S
#undef O

static const struct rule *rule_of(const struct servers *all, uint32_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].type == type)
			return table[i].purposes & 1u << all->purpose && table[i].state == all->state ? &table[i] : NULL;
	return NULL;
}

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
	const struct rule *rule = rule_of(all, type);
	struct server *s;
	struct unpack u;

	unpack_init(&u, question->data, question->len);
	if (!rule)
		return -2;
	if (!rule->run)
		return on_hello(all, &u, e);
	s = server_of(all, &u);
	return s ? rule->run(s, &u, answer, e) : -2;
}

static void open_anew(struct servers *all, struct keystore *store)
{
	struct err e;

	all->again_ms = clock_mono_ms() + FIND_AGAIN_MS;
	for (size_t i = 0; i < all->n; i++) {
		signer_keys_close(&all->of[i].build.keys);
		all->of[i].build.keys.lost = false;
	}
	if (keystore_reset(store, &e) < 0)
		log_err(&e, "the modules of the tokens");
}

/* What was away may be there again. */
static void find_keys(struct servers *all)
{
	struct keystore *store = NULL;

	for (size_t i = 0; i < all->n && !store; i++)
		store = all->of[i].build.keys.lost ? all->of[i].build.keys.store[0] : NULL;
	if (store && clock_mono_ms() >= all->again_ms)
		open_anew(all, store);
}

static int answer_one(struct servers *s, int fd, uint32_t type, const struct buf *question, struct err *e)
{
	struct buf answer = { .max = LIMIT_IPC };
	struct err refusal;
	int rc;

	find_keys(s);
	rc = dispatch(s, type, question, &answer, &refusal);

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

static int server_load(struct server *s, const char *dir, enum signer_purpose purpose, struct err *e)
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
	if (!s->db || count_site_get(s->db, &site, root, e) < 0 || builder_load(&s->build, dir, s->ca, site, e) < 0)
		return -1;
	if (s->build.ca.generation > 1 && (rc = count_generation_get(s->db, s->build.ca.generation, root, e)) < 1)
		return rc < 0 ? -1 : err_set(e, REASON_AUTHORITY, "%s: generation %u was not made here; restore the folder from the backup", dir,
					     s->build.ca.generation);
	if (!mem_same(root, s->build.ca.root.cert->sha256, SHA256_LEN))
		return err_set(e, REASON_AUTHORITY,
			       "%s/root.pem is not the root of the ceremony; restore it from the backup", dir);
	/* an operator is not asked for a passphrase that his command does not need */
	if (purpose == SIGNER_FOR_OPERATOR || signer_keys_open(&s->build.keys, e) == 0)
		return 0;
	return e->code == REASON_SECRET || e->code == REASON_CA_UNAVAILABLE ? 0 : -1;	/* that can be mended while it serves */
}

static void server_free(struct server *s)
{
	builder_free(&s->build);
	for (size_t i = 0; i < CRL_KINDS; i++)
		responder_free(&s->responder[i]);
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
		s->dir = all->folders.of[all->n].path;
		s->confined = &all->confined;
		s->pool = all->pool;
		s->started_ms = clock_mono_ms();
		if (server_load(s, all->folders.of[all->n].path, all->purpose, e) < 0) {
			server_free(s);
			return -1;
		}
	}
	return 0;
}

/* ---- unlock ---- */
static int give(void *arg, struct unlock_request *r, struct err *e)
{
	struct servers *all = arg;
	struct server *s = NULL;
	struct keystore *store;

	for (size_t i = 0; i < all->n && !s; i++)
		if (strcmp(all->of[i].ca, r->ca) == 0)
			s = &all->of[i];
	store = s ? s->build.keys.store[r->older] : NULL;
	if (!store) {
		secret_free(r->secret);
		return err_set(e, REASON_CONFIG, "this signer has no such keys; it knows the CAs that were there when it started");
	}
	all->again_ms = 0;
	find_keys(all);
	if (signer_keys_all_open(&s->build.keys)) {
		secret_free(r->secret);
		return 0;
	}
	keystore_give(store, r->secret, r->last_try);
	return signer_keys_open(&s->build.keys, e);
}

/* Is there a key that a person may have to help to? A token can be pulled at any time. */
static bool may_lock(const struct servers *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct signer_keys *k = &all->of[i].build.keys;

		if (!signer_keys_all_open(k) || keystore_is_token(k->store[0]) || (k->store[1] && keystore_is_token(k->store[1])))
			return true;
	}
	return false;
}

static int confine(struct servers *all, const char *dir, signer_confine *how, struct err *e)
{
	enum key_sandbox wanted = KEY_SANDBOX_ON;
	bool token = false;

	if (all->purpose == SIGNER_FOR_SERVE && may_lock(all)) {
		all->unlock = unlock_listen(dir, e);
		if (all->unlock == -1)
			return -1;
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct signer_keys *k = &all->of[i].build.keys;

		token |= keystore_is_token(k->store[0]) || (k->store[1] && keystore_is_token(k->store[1]));
		if (k->sandbox > wanted)
			wanted = k->sandbox;
	}
	return how ? how(token, wanted, &all->confined, e) : 0;
}

/* ---- the loop ---- */
/* 1: a question has come, or the front has gone. */
static int wait_for(struct servers *all, int fd, struct err *e)
{
	struct pollfd wait[2] = { { .fd = fd, .events = POLLIN }, { .fd = all->unlock, .events = POLLIN } };

	while (poll(wait, all->unlock >= 0 ? 2 : 1, -1) < 0)
		if (errno != EINTR)
			return err_errno(e, REASON_INTERNAL, "poll");
	if (all->unlock >= 0 && wait[1].revents)
		unlock_answer(all->unlock, give, all);
	return wait[0].revents != 0;
}

static int loop(struct servers *all, int fd, struct err *e)
{
	struct buf question = {0};
	uint32_t type;
	int rc;

	while ((rc = wait_for(all, fd, e)) >= 0) {
		if (rc == 0)
			continue;
		rc = ipc_recv(fd, &type, &question, e);
		if (rc <= 0 || (rc = answer_one(all, fd, type, &question, e)) < 0)
			break;
	}
	buf_free(&question);
	return rc;
}

int signer_serve(const char *dir, int fd, enum signer_purpose purpose, signer_confine *how, struct err *e)
{
	struct servers *all = mem_new(1, sizeof *all);
	int rc;

	all->purpose = purpose;
	all->unlock = UNLOCK_NOBODY;
	snprintf(all->confined.sandbox, sizeof all->confined.sandbox, "off");
	rc = servers_load(all, dir, e);
	if (rc == 0)
		rc = confine(all, dir, how, e);
	if (rc == 0)
		rc = loop(all, fd, e);
	unlock_end(all->unlock, dir);
	pool_free(all->pool);
	for (size_t i = 0; i < all->n; i++)
		server_free(&all->of[i]);
	free(all);
	return rc;
}
