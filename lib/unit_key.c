#include <config.h>

#include "unit_key.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define LOOK_MS 1000	/* modules are loaded anew for each look at a token that is away */

/* ---- places ---- */
int unit_place_read(struct unit_place *p, const struct conf_node *place, const struct conf_node *credential, struct err *e)
{
	struct err why;

	if (conf_str(place, p->place, sizeof p->place, e) < 0 || conf_str(credential, p->credential, sizeof p->credential, e) < 0)
		return -1;
	if (place && keystore_place_check(p->place, &why) < 0)
		return conf_error(place, e, "unit-key: %s", why.text);
	if (credential && *p->credential != '/')
		return conf_error(credential, e, "unit-credential: the path must begin with \"/\"");
	return 0;
}

void unit_place_write(const struct unit_place *p, struct buf *yaml)
{
	conf_put(yaml, "unit-key", p->place);
	conf_put(yaml, "unit-credential", p->credential);
}

int unit_place_options(struct unit_place *p, const struct cli *c, struct err *e)
{
	const char *place = cli_get(c, "unit-key"), *credential = cli_get(c, "unit-credential");
	char *whole;
	int rc;

	*p = (struct unit_place){0};
	if (place && (keystore_place_check(place, e) < 0 || text_copy(p->place, sizeof p->place, place) < 0))
		return err_set(e, REASON_CONFIG, "--unit-key \"%.100s\" is no place for keys; write file, or a URI like pkcs11:token=line-2", place);
	if (!credential)
		return 0;
	whole = realpath(credential, NULL);	/* daemons stand in another folder */
	if (!whole)
		return err_errno(e, REASON_CONFIG, "--unit-credential %s", credential);
	rc = text_copy(p->credential, sizeof p->credential, whole);
	free(whole);
	return rc < 0 ? err_set(e, REASON_CONFIG, "--unit-credential: too long") : 0;
}

/* ---- stores: one of each place in a process, for its life, so that nobody is asked twice and no PIN is tried twice ---- */
struct store {
	struct unit_place place;
	struct keystore *keys;
	struct store *next;
};
/* A key of a token. What reloads the modules needs all of them closed, so they are known to one another. */
struct held {
	struct store *store;
	struct key *key;		/* NULL: its token was away when it was needed last */
	struct buf spki;
	char dir[FILE_PATH], name[64];
	struct err why;
	struct held *next;
};
static struct {
	pthread_mutex_t lock;		/* of all of it, and around every call into a token */
	struct store *stores;
	struct held *held;
	int64_t look_ms;		/* not before then */
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct store *store_of(const struct unit_place *p, struct err *e)
{
	struct keystore_plan plan = { .unit = true, .plain = !token_is_uri(p->place), .credential = UNIT_CREDENTIAL, .ask = "of the unit's key" };
	struct store *s;

	for (s = all.stores; s; s = s->next)
		if (strcmp(s->place.place, p->place) == 0 && strcmp(s->place.credential, p->credential) == 0)
			return s;
	snprintf(plan.place, sizeof plan.place, "%s", p->place);
	snprintf(plan.file, sizeof plan.file, "%s", p->credential);
	s = mem_new(1, sizeof *s);
	s->place = *p;
	s->keys = keystore_open(&plan, e);
	if (!s->keys) {
		free(s);
		return NULL;
	}
	s->next = all.stores;
	return all.stores = s;
}

/* ---- files ---- */
static bool has(const char *dir, const char *name, const char *end)
{
	char path[FILE_PATH];
	struct err e;

	return file_join_end(path, &e, dir, name, end) == 0 && file_exists(path);
}

static void part_name(char out[64], const char *name, const char *part)
{
	snprintf(out, 64, "%.40s-%s", name, part);
}

/* E51 is the CA's: a unit's own token is another matter. */
static int translate(struct err *e)
{
	if (e->code == REASON_CA_UNAVAILABLE)
		e->code = REASON_SECRET;
	return -1;
}

/* ---- keys of tokens ---- */
static int open_as(struct held *h, const char *name, struct err *e)
{
	struct buf spki = {0};
	int rc = -1;

	h->key = keystore_key(h->store->keys, h->dir, name, e);
	if (h->key && key_spki(h->key, &spki, e) == 0)
		rc = buf_same(&spki, &h->spki) ? 0 : err_set(e, REASON_SECRET, "the token has another key by the URI of %s; restart the program",
							    h->name);
	if (rc < 0) {
		key_free(h->key);
		h->key = NULL;
	}
	buf_free(&spki);
	return rc;
}

/* Who serves since before a renewal works with what is the old key by now. */
static int open_again(struct held *h, struct err *e)
{
	struct err ignored;
	char old[64];

	part_name(old, h->name, "old");
	return open_as(h, h->name, e) < 0 && (!has(h->dir, old, ".uri") || open_as(h, old, &ignored) < 0) ? -1 : 0;
}

/* Few modules find a token again without being loaded anew, for which all keys must be closed. */
static void look_again(void)
{
	struct err e;

	if (clock_mono_ms() < all.look_ms)
		return;
	all.look_ms = clock_mono_ms() + LOOK_MS;
	for (struct held *h = all.held; h; h = h->next) {
		key_free(h->key);
		h->key = NULL;
	}
	if (token_reset(&e) < 0) {
		log_err(&e, "PKCS#11 modules");
		return;
	}
	for (struct held *h = all.held; h; h = h->next) {
		bool was_away = h->why.code != REASON_OK;

		if (open_again(h, &h->why) < 0) {
			translate(&h->why);
			if (!was_away)
				log_err(&h->why, "the key %s cannot be used", h->name);
			continue;
		}
		h->why.code = REASON_OK;
		if (was_away)
			log_info("the key %s can be used again", h->name);
	}
}

static int held_sign(void *arg, const void *in, size_t len, struct buf *sig, struct err *e)
{
	struct held *h = arg;
	int rc = -1;

	pthread_mutex_lock(&all.lock);
	for (int i = 0; rc < 0 && i < 2; i++) {
		if (h->key)
			rc = key_sign_digest(h->key, in, len, sig, e);
		if (rc < 0 && i == 0)
			look_again();
	}
	if (rc < 0 && h->why.code != REASON_OK)
		*e = h->why;
	pthread_mutex_unlock(&all.lock);
	return rc < 0 ? translate(e) : 0;
}

static void held_free(void *arg)
{
	struct held *h = arg;

	pthread_mutex_lock(&all.lock);
	for (struct held **p = &all.held; *p; p = &(*p)->next)
		if (*p == h) {
			*p = h->next;
			break;
		}
	key_free(h->key);
	pthread_mutex_unlock(&all.lock);
	buf_free(&h->spki);
	free(h);
}

/* Takes the key over. */
static struct key *hold(struct store *s, struct key *k, const char *dir, const char *name, struct err *e)
{
	struct held *h = mem_new(1, sizeof *h);
	struct key_elsewhere by = { .sign = held_sign, .release = held_free, .arg = h };
	struct key *outside = NULL;

	h->store = s;
	h->key = k;
	snprintf(h->name, sizeof h->name, "%s", name);
	if (text_copy(h->dir, sizeof h->dir, dir) < 0)
		err_set(e, REASON_CONFIG, "path too long: %.200s", dir);
	else if (key_spki(k, &h->spki, e) == 0)
		outside = key_elsewhere(&by, &h->spki, e);
	if (outside) {
		h->next = all.held;
		all.held = h;
		return outside;
	}
	key_free(k);
	buf_free(&h->spki);
	free(h);
	return NULL;
}

bool unit_keys_ready(struct err *why)
{
	bool ready = true;

	pthread_mutex_lock(&all.lock);
	for (struct held *h = all.held; h && ready; h = h->next)
		ready = h->key != NULL;
	if (!ready) {
		look_again();
		ready = true;
		for (struct held *h = all.held; h && ready; h = h->next)
			if (!h->key) {
				*why = h->why;
				ready = false;
			}
	}
	pthread_mutex_unlock(&all.lock);
	return ready;
}

/* ---- any key, by its name; under the lock ---- */
static struct key *take(struct store *s, struct key *k, const char *dir, const char *name, struct err *e)
{
	if (!k)
		translate(e);
	return k && keystore_is_token(s->keys) ? hold(s, k, dir, name, e) : k;
}

static struct key *load(const struct unit_place *p, const char *dir, const char *name, struct err *e)
{
	struct store *s = store_of(p, e);

	return s ? take(s, keystore_key(s->keys, dir, name, e), dir, name, e) : NULL;
}

static struct key *make(const struct unit_place *p, const char *dir, const char *name, struct err *e)
{
	struct store *s = store_of(p, e);

	if (s && (has(dir, name, ".key") || (has(dir, name, ".uri") && !keystore_is_token(s->keys))))
		return load(p, dir, name, e);
	return s ? take(s, keystore_generate(s->keys, KEY_P256, dir, name, name, e), dir, name, e) : NULL;
}

struct key *unit_key_make(const struct unit_place *p, const char *dir, const char *name, struct err *e)
{
	struct key *k;

	pthread_mutex_lock(&all.lock);
	k = make(p, dir, name, e);
	pthread_mutex_unlock(&all.lock);
	return k;
}

/* ---- renewal: NAME.uri is in force, NAME-next.uri will be, NAME-old.uri was ---- */
static int move(const char *dir, const char *from, const char *to, struct err *e)
{
	char a[FILE_PATH], b[FILE_PATH];

	if (file_join_end(a, e, dir, from, ".uri") < 0 || file_join_end(b, e, dir, to, ".uri") < 0)
		return -1;
	if (rename(a, b) < 0 && errno != ENOENT)
		return err_errno(e, REASON_STORAGE, "cannot rename %s to %s", a, b);
	return file_sync_parent(b, e);
}

int unit_key_switch(const char *dir, const char *name, struct err *e)
{
	char next[64], old[64];

	part_name(next, name, "next");
	part_name(old, name, "old");
	FAULT("unit-key.certified");
	if (!has(dir, next, ".uri"))
		return 0;
	if (has(dir, name, ".uri") && move(dir, name, old, e) < 0)
		return -1;
	FAULT("unit-key.between");
	return move(dir, next, name, e);
}

/* 1: the certificate is of the next key, and the switch was cut. */
static int is_next(const struct unit_place *p, const char *dir, const char *next, const struct cert *certificate, struct err *e)
{
	struct buf spki = {0};
	struct key *k = load(p, dir, next, e);
	int rc = k ? key_spki(k, &spki, e) : -1;

	if (rc == 0)
		rc = buf_same(&spki, &certificate->spki);
	pthread_mutex_unlock(&all.lock);	/* which held_free() takes */
	key_free(k);
	pthread_mutex_lock(&all.lock);
	buf_free(&spki);
	return rc;
}

static int finish_switch(const struct unit_place *p, const char *dir, const char *name, const struct cert *certificate, struct err *e)
{
	char next[64];
	int rc;

	part_name(next, name, "next");
	if (!has(dir, next, ".uri"))
		return 0;
	rc = !has(dir, name, ".uri") ? 1 : certificate ? is_next(p, dir, next, certificate, e) : 0;
	return rc > 0 ? unit_key_switch(dir, name, e) : rc;
}

struct key *unit_key_load(const struct unit_place *p, const char *dir, const char *name, const struct cert *certificate, struct err *e)
{
	struct key *k = NULL;

	pthread_mutex_lock(&all.lock);
	if (!token_is_uri(p->place) || finish_switch(p, dir, name, certificate, e) == 0)
		k = load(p, dir, name, e);
	pthread_mutex_unlock(&all.lock);
	return k;
}

struct key *unit_key_next(const struct unit_place *p, const char *dir, const char *name, struct err *e)
{
	char next[64];

	e->code = REASON_OK;
	if (!token_is_uri(p->place))
		return NULL;
	unit_key_tidy(p, dir, name);
	part_name(next, name, "next");
	return unit_key_make(p, dir, next, e);
}

void unit_key_tidy(const struct unit_place *p, const char *dir, const char *name)
{
	char old[64];
	struct store *s;
	struct err e;
	int rc = 0;

	part_name(old, name, "old");
	if (!token_is_uri(p->place) || !has(dir, old, ".uri"))
		return;
	pthread_mutex_lock(&all.lock);
	s = store_of(p, &e);
	rc = s ? keystore_remove(s->keys, dir, old, &e) : -1;
	pthread_mutex_unlock(&all.lock);
	if (rc < 0)
		log_err(&e, "the key before the last renewal is still in the token; it is removed at the next start");
	else
		log_info("the key before the last renewal was removed from the token");
}
