#include <config.h>

#include "signer_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc.h"
#include "mem.h"
#include "pack.h"
#include "proc.h"

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
	pack_str(b, item->unit);
	pack_str(b, item->id->id);
	pack_u32(b, item->id->generation);
	pack_str(b, item->renews);
}

void sign_tail_pack(struct buf *b, const struct sign_batch *batch)
{
	pack_u64(b, batch->position);
	pack_u32(b, (uint32_t)batch->n_notes);
	for (size_t i = 0; i < batch->n_notes; i++) {
		pack_str(b, batch->note[i].serial);
		pack_bytes(b, batch->note[i].certificate, SHA256_LEN);
		pack_u8(b, batch->note[i].active);
	}
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
	unpack_str(u, q->unit, sizeof q->unit);
	unpack_str(u, q->id.id, sizeof q->id.id);
	q->id.generation = unpack_u32(u);
	unpack_str(u, q->renews, sizeof q->renews);
	return u->failed || made > 1 || q->params.encrypt_key > CHOICE_NO || q->params.include_ca > CHOICE_NO ? -1 : 0;
}

/* ---- a row of the journal ---- */
void signed_row_free(struct signed_row *r)
{
	buf_free(&r->spki);
	buf_free(&r->der);
	buf_free(&r->encrypted_key);
}

void signed_row_pack(struct buf *b, const struct signed_row *r)
{
	pack_u64(b, r->n);
	pack_str(b, r->order);
	pack_str(b, r->device.manufacturer);
	pack_str(b, r->device.model);
	pack_str(b, r->device.serial);
	pack_str(b, r->unit);
	pack_str(b, r->id.id);
	pack_u32(b, r->id.generation);
	pack_str(b, r->renews);
	pack_u8(b, r->made);
	pack_u8(b, r->active);
	pack_u8(b, r->ended);
	pack_bytes(b, r->spki.data, r->spki.len);
	pack_bytes(b, r->der.data, r->der.len);
	pack_bytes(b, r->encrypted_key.data, r->encrypted_key.len);
}

void signed_row_unpack(struct unpack *u, struct signed_row *r)
{
	r->n = unpack_u64(u);
	unpack_str(u, r->order, sizeof r->order);
	unpack_str(u, r->device.manufacturer, sizeof r->device.manufacturer);
	unpack_str(u, r->device.model, sizeof r->device.model);
	unpack_str(u, r->device.serial, sizeof r->device.serial);
	unpack_str(u, r->unit, sizeof r->unit);
	unpack_str(u, r->id.id, sizeof r->id.id);
	r->id.generation = unpack_u32(u);
	unpack_str(u, r->renews, sizeof r->renews);
	r->made = unpack_u8(u);
	r->active = unpack_u8(u);
	r->ended = unpack_u8(u);
	unpack_bytes(u, &r->spki);
	unpack_bytes(u, &r->der);
	unpack_bytes(u, &r->encrypted_key);
}

/* ---- the channel ---- */
int signer_gone(struct signer *s, struct err *e)
{
	s->gone = true;
	return err_set(e, REASON_CA_UNAVAILABLE, "handsel-signer does not answer; its messages tell why");
}

int signer_call_or(struct signer *s, enum signer_message type, const struct buf *question, struct buf *answer, bool *refused,
		   struct err *e)
{
	struct err cause;
	struct unpack u;
	uint32_t got;
	char text[sizeof e->text];

	*refused = false;
	if (question->failed)
		return err_set(e, REASON_INTERNAL, "a message to handsel-signer is too long");
	if (ipc_send(s->fd, type, question, &cause) < 0 || ipc_recv(s->fd, &got, answer, &cause) != 1)
		return signer_gone(s, e);
	if (got == SIGNER_DONE)
		return 0;
	unpack_init(&u, answer->data, answer->len);
	if (got == SIGNER_REFUSED) {
		enum reason code = (enum reason)unpack_u32(&u);

		unpack_str(&u, text, sizeof text);
		*refused = unpack_done(&u);
		if (*refused)
			return err_set(e, code, "%s", text);
	}
	return signer_gone(s, e);
}

int signer_call(struct signer *s, enum signer_message type, const struct buf *question, struct buf *answer, struct err *e)
{
	bool refused;

	return signer_call_or(s, type, question, answer, &refused, e);
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
	rc = signer_call(s, SIGNER_HELLO, &hello, &answer, e);
	buf_free(&hello);
	buf_free(&answer);
	if (rc == 0)
		return s;
	signer_stop(s);
	return NULL;
}

bool signer_is_gone(const struct signer *s)
{
	return s->gone;
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
static int read_answers(struct buf *answer, struct sign_batch *b)
{
	struct unpack u;

	unpack_init(&u, answer->data, answer->len);
	if (unpack_u32(&u) != b->n)
		return -1;
	for (size_t i = 0; i < b->n; i++) {
		struct sign_item *item = b->item[i];

		item->refusal.code = (enum reason)unpack_u32(&u);
		if (item->refusal.code == REASON_OK) {
			unpack_bytes(&u, &item->der);
			unpack_bytes(&u, &item->encrypted_key);
			if (item->made == !item->encrypted_key.len)
				return -1;
		} else {
			unpack_str(&u, item->refusal.text, sizeof item->refusal.text);
		}
	}
	b->position = unpack_u64(&u);
	return unpack_done(&u) ? 0 : -1;
}

int signer_sign(struct signer *s, const char *ca, struct sign_batch *b, struct err *e)
{
	struct buf question = { .max = 2 * LIMIT_FRAME_UNIT }, answer = {0};
	bool refused;
	int rc;

	pack_str(&question, ca);
	pack_u32(&question, (uint32_t)b->n);
	for (size_t i = 0; i < b->n; i++)
		sign_item_pack(&question, b->item[i]);
	sign_tail_pack(&question, b);
	rc = signer_call_or(s, SIGNER_SIGN, &question, &answer, &refused, e);
	if (rc == 0 && read_answers(&answer, b) < 0)
		rc = signer_gone(s, e);
	if (rc < 0 && refused)
		rc = 1;
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

/* ---- the journal ---- */
int signer_position(struct signer *s, const char *ca, uint64_t *changes, uint64_t *told, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	int rc;

	pack_str(&question, ca);
	rc = signer_call(s, SIGNER_POSITION, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	if (rc == 0) {
		*changes = unpack_u64(&u);
		*told = unpack_u64(&u);
		if (!unpack_done(&u))
			rc = signer_gone(s, e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

/* One message of rows; *last: the n of its last one, or as it was if there is none. */
static int journal_page(struct signer *s, const char *ca, uint64_t after, uint64_t *last,
			int (*each)(void *arg, const struct signed_row *row, struct err *e), void *arg, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct signed_row row = {0};
	struct unpack u;
	int rc;

	pack_str(&question, ca);
	pack_u64(&question, after);
	pack_u64(&question, *last);
	rc = signer_call(s, SIGNER_JOURNAL, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	while (rc == 0 && unpack_u8(&u)) {
		signed_row_unpack(&u, &row);
		*last = row.n;
		rc = u.failed ? signer_gone(s, e) : each(arg, &row, e);
	}
	if (rc == 0 && !unpack_done(&u))
		rc = signer_gone(s, e);
	signed_row_free(&row);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_journal(struct signer *s, const char *ca, uint64_t after,
		   int (*each)(void *arg, const struct signed_row *row, struct err *e), void *arg, struct err *e)
{
	uint64_t last = 0, before;

	do {
		before = last;
		if (journal_page(s, ca, after, &last, each, arg, e) < 0)
			return -1;
	} while (last != before);
	return 0;
}

static int orders_page(struct signer *s, uint64_t *skip,
		       int (*each)(void *arg, const char *id, bool closed, const struct buf *cms, struct err *e), void *arg, struct err *e)
{
	struct buf question = {0}, answer = {0}, cms = {0};
	char id[CA_ID_MAX + 1];
	struct unpack u;
	bool closed;
	int rc;

	pack_str(&question, OWN_CA);
	pack_u64(&question, *skip);
	rc = signer_call(s, SIGNER_ORDERS, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	while (rc == 0 && unpack_u8(&u)) {
		unpack_str(&u, id, sizeof id);
		closed = unpack_u8(&u);
		unpack_bytes(&u, &cms);
		++*skip;
		rc = u.failed ? signer_gone(s, e) : each(arg, id, closed, &cms, e);
	}
	if (rc == 0 && !unpack_done(&u))
		rc = signer_gone(s, e);
	buf_free(&cms);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_orders(struct signer *s, int (*each)(void *arg, const char *id, bool closed, const struct buf *cms, struct err *e),
		  void *arg, struct err *e)
{
	uint64_t skip = 0, before;

	do {
		before = skip;
		if (orders_page(s, &skip, each, arg, e) < 0)
			return -1;
	} while (skip != before);
	return 0;
}

int signer_take_over(struct signer *s, const struct signed_row *row, size_t n, bool apply, bool *lacks, struct err *e)
{
	struct buf question = { .max = 2 * LIMIT_FRAME_UNIT }, answer = {0};
	struct unpack u;
	int rc;

	pack_str(&question, OWN_CA);
	pack_u8(&question, apply);
	pack_u32(&question, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		signed_row_pack(&question, &row[i]);
	rc = signer_call(s, SIGNER_TAKE_OVER, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	for (size_t i = 0; i < n && rc == 0; i++)
		lacks[i] = unpack_u8(&u);
	if (rc == 0 && !unpack_done(&u))
		rc = signer_gone(s, e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_agree(struct signer *s, uint64_t ledger, const struct audit_state *base, uint64_t *position, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	int rc;

	pack_str(&question, OWN_CA);
	pack_u64(&question, ledger);
	pack_u64(&question, (uint64_t)base->n);
	pack_bytes(&question, base->hash, SHA256_LEN);
	rc = signer_call(s, SIGNER_AGREE, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	if (rc == 0) {
		*position = unpack_u64(&u);
		if (!unpack_done(&u))
			rc = signer_gone(s, e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

/* ---- units and orders ---- */
/* What was certified, or the refusal. */
static int call_for_unit(struct signer *s, enum signer_message type, struct buf *question, struct buf *der, struct err *e)
{
	struct buf answer = {0};
	struct unpack u;
	int rc = signer_call(s, type, question, &answer, e);

	if (rc == 0) {
		unpack_init(&u, answer.data, answer.len);
		unpack_bytes(&u, der);
		if (!unpack_done(&u))
			rc = signer_gone(s, e);
	}
	buf_free(question);
	buf_free(&answer);
	return rc;
}

int signer_unit(struct signer *s, const struct unit_plan *p, const struct buf *spki, struct buf *der, struct err *e)
{
	struct buf question = {0};

	pack_str(&question, OWN_CA);
	pack_str(&question, p->role);
	pack_str(&question, p->name);
	pack_str(&question, p->customer);
	for (size_t i = 0; i < SIGNER_HOSTS; i++)
		pack_str(&question, p->host[i]);
	pack_bytes(&question, spki->data, spki->len);
	return call_for_unit(s, SIGNER_UNIT, &question, der, e);
}

int signer_enrol(struct signer *s, const char *ca, const struct buf *invitation, const struct buf *spki, const struct buf *signature,
		 struct buf *der, struct err *e)
{
	struct buf question = {0};

	pack_str(&question, ca);
	pack_bytes(&question, invitation->data, invitation->len);
	pack_bytes(&question, spki->data, spki->len);
	pack_bytes(&question, signature->data, signature->len);
	return call_for_unit(s, SIGNER_ENROL, &question, der, e);
}

int signer_renew(struct signer *s, const char *ca, const struct buf *renewal, const struct buf *spki, struct buf *der, struct err *e)
{
	struct buf question = {0};

	pack_str(&question, ca);
	pack_bytes(&question, renewal->data, renewal->len);
	pack_bytes(&question, spki->data, spki->len);
	return call_for_unit(s, SIGNER_RENEW, &question, der, e);
}

int signer_act(struct signer *s, const char *ca, const struct buf *action, const struct buf *approval, struct buf *made, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	uint8_t waits = 0;
	int rc;

	pack_str(&question, ca);
	pack_bytes(&question, action->data, action->len);
	pack_bytes(&question, approval->data, approval->len);
	rc = signer_call(s, SIGNER_ACT, &question, &answer, e);
	if (rc == 0) {
		unpack_init(&u, answer.data, answer.len);
		waits = unpack_u8(&u);
		unpack_bytes(&u, made);
		if (!unpack_done(&u) || waits > 1)
			rc = signer_gone(s, e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc < 0 ? -1 : waits;
}

int signer_order(struct signer *s, const struct buf *cms, struct err *e)
{
	struct buf question = {0}, answer = {0};
	int rc;

	pack_str(&question, OWN_CA);
	pack_bytes(&question, cms->data, cms->len);
	rc = signer_call(s, SIGNER_ORDER, &question, &answer, e);
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
	rc = signer_call(s, SIGNER_CLOSE, &question, &answer, e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}
