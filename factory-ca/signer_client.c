#include <config.h>

#include "signer.h"

#include <stdlib.h>
#include <unistd.h>

#include "ipc.h"
#include "mem.h"
#include "pack.h"
#include "proc.h"

#define OWN_CA ""	/* of the folder that an operator's signer was started on */

struct signer {
	int fd;
	pid_t pid;
};

/* ---- one question ---- */
static void params_pack(struct buf *b, const struct ca_params *p)
{
	pack_str(b, p->profile);
	pack_str(b, p->key_type);
	pack_u32(b, p->key_bits);
	pack_u32(b, p->validity_days);
	pack_str(b, p->organization);
	pack_str(b, p->unit);
	pack_str(b, p->locality);
	pack_str(b, p->email);
	pack_u8(b, (uint8_t)p->encrypt_key);
	pack_u8(b, (uint8_t)p->include_ca);
}

static void params_unpack(struct unpack *u, struct ca_params *p)
{
	unpack_str(u, p->profile, sizeof p->profile);
	unpack_str(u, p->key_type, sizeof p->key_type);
	p->key_bits = unpack_u32(u);
	p->validity_days = unpack_u32(u);
	unpack_str(u, p->organization, sizeof p->organization);
	unpack_str(u, p->unit, sizeof p->unit);
	unpack_str(u, p->locality, sizeof p->locality);
	unpack_str(u, p->email, sizeof p->email);
	p->encrypt_key = (enum ca_choice)unpack_u8(u);
	p->include_ca = (enum ca_choice)unpack_u8(u);
}

void sign_item_pack(struct buf *b, const struct sign_item *item)
{
	pack_str(b, item->order);
	pack_str(b, item->device->manufacturer);
	pack_str(b, item->device->model);
	pack_str(b, item->device->serial);
	pack_bytes(b, item->spki->data, item->spki->len);
	params_pack(b, item->params);
	pack_u8(b, item->made);
}

int sign_question_unpack(struct unpack *u, struct sign_question *q)
{
	uint8_t made;

	unpack_str(u, q->order, sizeof q->order);
	unpack_str(u, q->device.manufacturer, sizeof q->device.manufacturer);
	unpack_str(u, q->device.model, sizeof q->device.model);
	unpack_str(u, q->device.serial, sizeof q->device.serial);
	unpack_bytes(u, &q->spki);
	params_unpack(u, &q->params);
	made = unpack_u8(u);
	q->made = made == 1;
	return u->failed || made > 1 || q->params.encrypt_key > CHOICE_NO || q->params.include_ca > CHOICE_NO ? -1 : 0;
}

/* ---- the channel ---- */
static int gone(struct err *e)
{
	return err_set(e, REASON_CA_UNAVAILABLE, "handsel-signer does not answer; its messages tell why");
}

/* Sends a question, receives the answer: 0, or -1 with the signer's refusal. */
static int call(struct signer *s, enum signer_message type, const struct buf *question, struct buf *answer,
		struct err *e)
{
	struct err cause;
	struct unpack u;
	uint32_t got;
	char text[sizeof e->text];

	if (question->failed)
		return err_set(e, REASON_INTERNAL, "a message to handsel-signer is too long");
	if (ipc_send(s->fd, type, question, &cause) < 0 || ipc_recv(s->fd, &got, answer, &cause) != 1)
		return gone(e);
	if (got == SIGNER_DONE)
		return 0;
	unpack_init(&u, answer->data, answer->len);
	if (got == SIGNER_REFUSED) {
		enum reason code = (enum reason)unpack_u32(&u);

		unpack_str(&u, text, sizeof text);
		if (unpack_done(&u))
			return err_set(e, code, "%s", text);
	}
	return gone(e);
}

struct signer *signer_start(const char *dir, enum signer_purpose purpose, struct err *e)
{
	const char *const argv[] = { "handsel-signer", "--dir", dir, "serve", "--fd", "3", "--for",
				     purpose == SIGNER_FOR_SERVE ? "serve" : "operator", NULL };
	struct buf hello = {0}, answer = {0};
	struct signer *s = mem_new(1, sizeof *s);
	int rc;

	s->fd = proc_spawn(argv, &s->pid, e);
	if (s->fd < 0) {
		free(s);
		return NULL;
	}
	pack_u32(&hello, SIGNER_VERSION);
	rc = call(s, SIGNER_HELLO, &hello, &answer, e);
	buf_free(&hello);
	buf_free(&answer);
	if (rc == 0)
		return s;
	signer_stop(s);
	return NULL;
}

void signer_stop(struct signer *s)
{
	if (!s)
		return;
	close(s->fd);
	proc_wait(s->pid, 5000);
	free(s);
}

/* ---- device certificates ---- */
static int read_answers(struct buf *answer, struct sign_item *const *items, size_t n)
{
	struct unpack u;

	unpack_init(&u, answer->data, answer->len);
	if (unpack_u32(&u) != n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		items[i]->refusal.code = (enum reason)unpack_u32(&u);
		if (items[i]->refusal.code == REASON_OK) {
			unpack_bytes(&u, &items[i]->der);
			unpack_bytes(&u, &items[i]->encrypted_key);
			if (items[i]->made == !items[i]->encrypted_key.len)
				return -1;
		} else {
			unpack_str(&u, items[i]->refusal.text, sizeof items[i]->refusal.text);
		}
	}
	return unpack_done(&u) ? 0 : -1;
}

static int sign_some(struct signer *s, const char *ca, struct sign_item *const *items, size_t n, struct err *e)
{
	struct buf question = { .max = 2 * LIMIT_FRAME_UNIT }, answer = {0};
	int rc;

	pack_str(&question, ca);
	pack_u32(&question, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		sign_item_pack(&question, items[i]);
	rc = call(s, SIGNER_SIGN, &question, &answer, e);
	if (rc == 0 && read_answers(&answer, items, n) < 0)
		rc = gone(e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_sign(struct signer *s, const char *ca, struct sign_item *const *items, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i += SIGNER_BATCH)
		if (sign_some(s, ca, items + i, n - i < SIGNER_BATCH ? n - i : SIGNER_BATCH, e) < 0)
			return -1;
	return 0;
}

/* ---- units and orders ---- */
int signer_unit(struct signer *s, const struct unit_plan *p, const struct buf *spki, struct buf *der, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	int rc;

	pack_str(&question, OWN_CA);
	pack_str(&question, p->role);
	pack_str(&question, p->name);
	pack_str(&question, p->customer);
	for (size_t i = 0; i < SIGNER_HOSTS; i++)
		pack_str(&question, p->host[i]);
	pack_bytes(&question, spki->data, spki->len);
	rc = call(s, SIGNER_UNIT, &question, &answer, e);
	if (rc == 0) {
		unpack_init(&u, answer.data, answer.len);
		unpack_bytes(&u, der);
		if (!unpack_done(&u))
			rc = gone(e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_order(struct signer *s, const struct buf *cms, struct err *e)
{
	struct buf question = {0}, answer = {0};
	int rc;

	pack_str(&question, OWN_CA);
	pack_bytes(&question, cms->data, cms->len);
	rc = call(s, SIGNER_ORDER, &question, &answer, e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_close(struct signer *s, const char *order, struct err *e)
{
	struct buf question = {0}, answer = {0};
	int rc;

	pack_str(&question, OWN_CA);
	pack_str(&question, order);
	rc = call(s, SIGNER_CLOSE, &question, &answer, e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

/* ---- revocation lists ---- */
static int tell_revoked(struct signer *s, const char *ca, enum crl_of of, const struct revoked_item *items, size_t n, struct err *e)
{
	struct buf question = {0}, answer = {0};
	int rc;

	pack_str(&question, ca);
	pack_u8(&question, (uint8_t)of);
	pack_u32(&question, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		pack_str(&question, items[i].serial);
		pack_u8(&question, items[i].reason);
		pack_u64(&question, (uint64_t)items[i].date);
		pack_u64(&question, (uint64_t)items[i].expires);
	}
	rc = call(s, SIGNER_REVOKED, &question, &answer, e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_revoked(struct signer *s, const char *ca, enum crl_of of, const struct revoked_item *items, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i += SIGNER_REVOKED_MAX)
		if (tell_revoked(s, ca, of, items + i, n - i < SIGNER_REVOKED_MAX ? n - i : SIGNER_REVOKED_MAX, e) < 0)
			return -1;
	return 0;
}

int signer_crl(struct signer *s, const char *ca, enum crl_of of, uint64_t valid_s, struct buf *der, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	int rc;

	pack_str(&question, ca);
	pack_u8(&question, (uint8_t)of);
	pack_u32(&question, (uint32_t)valid_s);
	rc = call(s, SIGNER_CRL, &question, &answer, e);
	if (rc == 0) {
		unpack_init(&u, answer.data, answer.len);
		unpack_bytes(&u, der);
		if (!unpack_done(&u))
			rc = gone(e);
	}
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
	rc = call(s, SIGNER_STATE, &question, &answer, e);
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
			rc = gone(e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}
