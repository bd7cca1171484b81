#include <config.h>

#include "keystore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "log.h"
#include "mem.h"

struct keystore {
	struct keystore_plan plan;
	struct token *token;		/* NULL: files */
	struct secret *passphrase;	/* of files */
	bool refused;			/* it is wrong */
	bool looked;			/* for a secret, in vain or not: nobody is asked twice */
	bool encrypted, plain;		/* files of this kind were opened or made */
};

int keystore_place_check(const char *place, struct err *e)
{
	if (strcmp(place, KEYSTORE_FILE) == 0 || token_is_uri(place))
		return 0;
	return err_set(e, REASON_CONFIG, "\"%s\" is no place for keys; write file, or a URI like pkcs11:token=acme-ca", place);
}

struct keystore *keystore_open(const struct keystore_plan *plan, struct err *e)
{
	struct keystore *s;

	if (*plan->place && keystore_place_check(plan->place, e) < 0)
		return NULL;
	s = mem_new(1, sizeof *s);
	s->plan = *plan;
	if (!token_is_uri(plan->place))
		return s;
	s->token = token_open(plan->place, e);
	if (!s->token) {
		free(s);
		return NULL;
	}
	if (plan->unit)	/* its programs have no unlock */
		token_advice(s->token, "log in to the token once by its own tool (p11tool --login), after which all tries are there again");
	return s;
}

bool keystore_is_token(const struct keystore *s)
{
	return s->token != NULL;
}

void keystore_close(struct keystore *s)
{
	if (!s)
		return;
	token_close(s->token);
	secret_free(s->passphrase);
	free(s);
}

/* ---- secrets ---- */
void keystore_give(struct keystore *s, struct secret *secret, bool last_try)
{
	s->looked = true;
	if (s->token) {
		token_give_pin(s->token, secret, last_try);
		return;
	}
	secret_free(s->passphrase);
	s->passphrase = secret;
	s->refused = false;
}

static bool has_secret(const struct keystore *s)
{
	return s->token ? token_has_pin(s->token) : s->passphrase && !s->refused;
}

/* 0: there is one, or it is up to who needs it to say that there is none. */
static int need_secret(struct keystore *s, bool fresh, struct err *e)
{
	char ask[128];
	struct secret_source from = { .credential = *s->plan.credential ? s->plan.credential : NULL, .file = s->plan.file,
				      .ask = s->plan.ask ? ask : NULL, .twice = fresh };
	struct secret *secret;
	int rc;

	if (s->looked)
		return 0;
	if (!s->plan.ask)
		*ask = 0;
	else if (s->token)
		snprintf(ask, sizeof ask, "PIN of the token %s", token_name(s->token));
	else
		snprintf(ask, sizeof ask, "%spassphrase %s", fresh ? "new " : "", s->plan.ask);
	rc = secret_get(&secret, &from, e);
	if (rc == 1)
		keystore_give(s, secret, false);
	s->looked = rc >= 0;
	return rc < 0 ? -1 : 0;
}

/* ---- files ---- */
static const char *end_of(const struct keystore *s, bool token)
{
	return token ? ".uri" : s->plan.unit ? ".key" : ".pem";
}

bool keystore_has(const char *folder, const char *name)
{
	char path[FILE_PATH];
	struct err e;

	return (file_join_end(path, &e, folder, name, ".pem") == 0 && file_exists(path)) ||
	       (file_join_end(path, &e, folder, name, ".uri") == 0 && file_exists(path));
}

static struct key *file_decrypt(struct keystore *s, const struct buf *pem, struct err *e)
{
	struct key *k;

	s->encrypted = true;
	if (need_secret(s, false, e) < 0)
		return NULL;
	if (!s->passphrase || s->refused) {
		err_set(e, REASON_SECRET, s->refused ? "the passphrase is wrong" : "it is encrypted, and its passphrase is needed");
		return NULL;
	}
	k = key_from_encrypted(pem, secret_text(s->passphrase), e);
	s->refused = !k && e->code == REASON_SECRET;
	return k;
}

static struct key *file_key(struct keystore *s, const char *path, struct err *e)
{
	struct buf pem = {0};
	struct key *k = NULL;

	if (file_read_secret(&pem, path, e) < 0)
		return NULL;
	s->plain |= !key_is_encrypted(&pem);
	k = key_is_encrypted(&pem) ? file_decrypt(s, &pem, e) : key_from_pem(&pem, e);
	if (!k)
		err_prefix(e, "%s", path);
	buf_free(&pem);
	return k;
}

static struct key *file_generate(struct keystore *s, enum key_type type, const char *path, struct err *e)
{
	struct key *k;
	int rc;

	if (!s->plan.plain && need_secret(s, true, e) < 0)
		return NULL;
	if (!s->plan.plain && !s->passphrase) {
		err_set(e, REASON_SECRET, "a passphrase for the CA's keys is needed: name a file that has it (--key-credential FILE), call this at a"
			" terminal, or have them not encrypted (--key-passphrase none)");
		return NULL;
	}
	k = key_generate(type, e);
	if (!k)
		return NULL;
	rc = s->plan.plain ? key_save(k, path, e) : key_save_encrypted(k, path, secret_text(s->passphrase), e);
	if (rc == 0) {
		*(s->plan.plain ? &s->plain : &s->encrypted) = true;
		return k;
	}
	key_free(k);
	return NULL;
}

/* ---- tokens ---- */
static int read_uri(struct buf *uri, const char *path, struct err *e)
{
	if (file_read(uri, path, LIMIT_TOKEN_URI, e) < 0)
		return -1;
	while (uri->len && uri->data[uri->len - 1] == '\n')
		uri->data[--uri->len] = 0;
	return token_is_uri(buf_text(uri)) ? 0 : err_set(e, REASON_CONFIG, "%s: no PKCS#11 URI; restore it from the backup", path);
}

static struct key *token_one(struct keystore *s, const char *path, struct err *e)
{
	struct buf uri = {0};
	struct key *k = NULL;

	if (read_uri(&uri, path, e) == 0 && need_secret(s, false, e) == 0)
		k = token_key(s->token, buf_text(&uri), e);
	buf_free(&uri);
	return k;
}

static int save_uri(const struct buf *uri, const char *path, struct err *e)
{
	struct buf line = { .max = LIMIT_TOKEN_URI + 1 };
	int rc;

	buf_add(&line, uri->data, uri->len);
	buf_byte(&line, '\n');
	rc = line.failed ? err_set(e, REASON_CONFIG, "the URI of the new key is too long") : file_replace(path, line.data, line.len, 0644, e);
	buf_free(&line);
	return rc;
}

/* How the key is found is on disk before the token makes it. */
static struct key *token_new(struct keystore *s, enum key_type type, const char *label, const char *path, struct err *e)
{
	struct buf uri = { .max = LIMIT_TOKEN_URI };
	bool begun = file_exists(path);
	struct key *k = NULL;
	struct err why;

	if (need_secret(s, false, e) < 0 || (begun ? read_uri(&uri, path, e) : token_reserve(s->token, label, &uri, e)) < 0 ||
	    (!begun && save_uri(&uri, path, e) < 0))
		goto out;
	FAULT("keystore.reserved");
	k = token_generate(s->token, type, label, &uri, e);
	if (k && save_uri(&uri, path, e) < 0) {
		key_free(k);
		k = NULL;
	} else if (!k && !begun && (e->code == REASON_SECRET || e->code == REASON_KEY_STORE)) {
		file_remove(path, &why);	/* there is no such key; if this fails, the next try makes it */
	}
out:
	buf_free(&uri);
	return k;
}

/* ---- keys ---- */
struct key *keystore_generate(struct keystore *s, enum key_type type, const char *folder, const char *name, const char *label, struct err *e)
{
	char path[FILE_PATH], other[FILE_PATH];
	struct key *k;

	if (file_join_end(path, e, folder, name, end_of(s, s->token)) < 0 || file_join_end(other, e, folder, name, end_of(s, !s->token)) < 0)
		return NULL;
	if (!s->plan.unit && file_exists(other)) {
		err_set(e, REASON_CONFIG, "a try that was cut has begun a key in another place: %s; bring that one to its end, or take away the key and"
			" this file", other);
		return NULL;
	}
	if (file_remove(other, e) < 0)
		return NULL;
	if (s->token)
		return token_new(s, type, label, path, e);
	if (file_exists(path))
		return file_key(s, path, e);
	k = file_generate(s, type, path, e);
	if (k && s->plan.plain && !s->plan.unit)
		log_warn("%s is not encrypted: who can read it, or a backup of it, has the key", path);
	return k;
}

struct key *keystore_key(struct keystore *s, const char *folder, const char *name, struct err *e)
{
	char path[FILE_PATH], other[FILE_PATH];

	if (file_join_end(path, e, folder, name, end_of(s, s->token)) < 0 || file_join_end(other, e, folder, name, end_of(s, !s->token)) < 0)
		return NULL;
	if (!file_exists(path) && file_exists(other)) {
		err_set(e, REASON_CONFIG, "%s is not there, but %s is: %s does not say where the key is; restore it from the backup", path, other,
			s->plan.unit ? "the configuration" : "keys.yaml");
		return NULL;
	}
	return s->token ? token_one(s, path, e) : file_key(s, path, e);
}

int keystore_remove(struct keystore *s, const char *folder, const char *name, struct err *e)
{
	char path[FILE_PATH];
	struct buf uri = {0};
	int rc = file_join_end(path, e, folder, name, end_of(s, s->token));

	if (rc == 0 && s->token && file_exists(path)) {
		rc = need_secret(s, false, e) < 0 ? -1 : read_uri(&uri, path, e);
		if (rc == 0)
			rc = token_remove(s->token, buf_text(&uri), e);
	}
	buf_free(&uri);
	return rc < 0 ? -1 : file_remove(path, e);
}

int keystore_reset(struct keystore *s, struct err *e)
{
	return s->token ? token_reset(e) : 0;
}

void keystore_look(struct keystore *s, struct keystore_state *state)
{
	struct err e;

	*state = (struct keystore_state){ .there = true, .encrypted = s->token || !s->plain };
	snprintf(state->kind, sizeof state->kind, "%s", s->token ? "pkcs11" : "file");
	if (s->token) {
		snprintf(state->name, sizeof state->name, "%s", token_name(s->token));
		state->there = token_look(s->token, &state->tries, &e) == 0;
	}
	state->secret = has_secret(s) || (!s->token && !s->encrypted);
}
