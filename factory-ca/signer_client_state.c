/* Heads of the audit, and how the signer does. */
#include <config.h>

#include "signer_client.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

/* ---- heads of the audit ---- */
void audit_page_add(struct audit_page *p, const struct audit_row *row)
{
	const char *const text[] = { row->actor, row->action, row->subject, row->detail };

	pack_u64(&p->rows, (uint64_t)row->time);
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		pack_str(&p->rows, text[i]);
	memcpy(p->hash, row->hash, SHA256_LEN);
	p->n++;
}

int signer_head(struct signer *s, const char *ca, const struct audit_page *p, bool sign, struct audit_head *h, struct err *e)
{
	struct buf question = {0}, answer = {0}, signature = {0};
	struct unpack u;
	int rc;

	pack_str(&question, ca);
	pack_u8(&question, sign);
	pack_u64(&question, (uint64_t)p->after);
	pack_u32(&question, p->n);
	pack_bytes(&question, p->hash, SHA256_LEN);
	buf_add(&question, p->rows.data, p->rows.len);
	rc = signer_call(s, SIGNER_HEAD, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	*h = (struct audit_head){0};
	if (rc == 0) {
		h->history = unpack_u64(&u);
		h->at.n = (int64_t)unpack_u64(&u);
		unpack_fixed(&u, h->at.hash, SHA256_LEN);
		h->time = (int64_t)unpack_u64(&u);
		unpack_bytes(&u, &signature);
		rc = unpack_done(&u) && signature.len <= sizeof h->signature ? 0 : signer_gone(s, e);
	}
	if (rc == 0 && signature.len) {
		memcpy(h->signature, signature.data, signature.len);
		h->len = signature.len;
	}
	buf_free(&question);
	buf_free(&answer);
	buf_free(&signature);
	return rc;
}

int signer_history(struct signer *s, const struct audit_state *base, struct err *e)
{
	struct buf question = {0}, answer = {0};
	int rc;

	pack_str(&question, OWN_CA);
	pack_u64(&question, (uint64_t)base->n);
	pack_bytes(&question, base->hash, SHA256_LEN);
	rc = signer_call(s, SIGNER_HISTORY, &question, &answer, e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

/* ---- how it does ---- */
int signer_state(struct signer *s, struct signer_state *out, struct err *e)
{
	struct buf question = {0}, answer = {0};
	char name[16];
	struct unpack u;
	int rc;

	*out = (struct signer_state){0};
	pack_str(&question, OWN_CA);
	rc = signer_call(s, SIGNER_STATE, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	if (rc == 0) {
		out->uptime_s = unpack_u64(&u);
		out->n = unpack_u32(&u);
		for (size_t i = 0; i < out->n && i < POOL_TYPES; i++) {
			unpack_str(&u, name, sizeof name);
			out->pool[i].type = key_type_parse(name);
			out->pool[i].ready = unpack_u32(&u);
			out->pool[i].room = unpack_u32(&u);
			out->pool[i].made = unpack_u64(&u);
			out->pool[i].made_ms = unpack_u64(&u);
		}
		if (out->n > POOL_TYPES || !unpack_done(&u))
			rc = signer_gone(s, e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_keys_state(struct signer *s, const char *ca, struct keys_state *out, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	int rc;

	*out = (struct keys_state){0};
	snprintf(out->ca, sizeof out->ca, "%s", ca);
	pack_str(&question, ca);
	rc = signer_call(s, SIGNER_KEYS, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	if (rc == 0) {
		unpack_str(&u, out->store.kind, sizeof out->store.kind);
		unpack_str(&u, out->store.name, sizeof out->store.name);
		out->store.there = unpack_u8(&u);
		out->store.secret = unpack_u8(&u);
		out->store.encrypted = unpack_u8(&u);
		out->store.tries = (enum token_tries)unpack_u8(&u);
		out->open = unpack_u8(&u);
		unpack_str(&u, out->sandbox, sizeof out->sandbox);
		out->memory = unpack_u8(&u);
		if (!unpack_done(&u) || out->store.tries > TRIES_NONE)
			rc = signer_gone(s, e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_reload(struct signer *s, const char *ca, struct err *e)
{
	struct buf question = {0}, answer = {0};
	bool refused;
	int rc;

	pack_str(&question, ca);
	rc = signer_call_or(s, SIGNER_RELOAD, &question, &answer, &refused, e);
	buf_free(&question);
	buf_free(&answer);
	return rc < 0 && refused ? 1 : rc;
}
