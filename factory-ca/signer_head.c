/* Heads of the ledger's audit in handsel-signer. It has read every row of a history that it signs a head of: a front that is taken over
 * can add rows, but none that it was given takes its place back, and no other history gets a head. */
#include <config.h>

#include "signer_private.h"

#include <string.h>

#include "audit.h"
#include "clock.h"
#include "fault.h"
#include "mem.h"

struct page {
	bool sign;
	int64_t after;
	uint32_t n;
	uint8_t claimed[SHA256_LEN];
};

/* -2: text with a zero byte is none that the ledger could hold. */
static int row_text(struct unpack *u, struct buf *b)
{
	unpack_bytes(u, b);
	return u->failed || memchr(buf_text(b), 0, b->len) ? -2 : 0;
}

static int rows_take(struct unpack *u, uint32_t n, struct audit_state *at)
{
	struct buf text[4] = { {0} };
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		struct audit_row row = { .n = at->n + 1, .time = (int64_t)unpack_u64(u) };

		for (size_t k = 0; k < ARRAY_LEN(text) && rc == 0; k++)
			rc = row_text(u, &text[k]);
		row.actor = buf_text(&text[0]);
		row.action = buf_text(&text[1]);
		row.subject = buf_text(&text[2]);
		row.detail = buf_text(&text[3]);
		if (rc == 0)
			audit_go_on(at, &row);
	}
	for (size_t k = 0; k < ARRAY_LEN(text); k++)
		buf_free(&text[k]);
	return rc == 0 && unpack_done(u) ? 0 : -2;
}

static int behind(const struct audit_head *h, const struct page *p, struct err *e)
{
	return err_set(e, REASON_AUDIT, "the signer knows the audit up to row %lld and goes on from there, not from row %lld", (long long)h->at.n,
		       (long long)p->after);
}

/* The rows after those that it knows; what it signs is on disk before. */
static int go_on(struct server *s, struct unpack *u, const struct page *p, struct audit_head *h, struct err *e)
{
	int64_t now = clock_utc();
	int rc;

	if (p->n && p->after != h->at.n)
		return behind(h, p, e);
	rc = rows_take(u, p->n, &h->at);
	if (rc < 0)
		return rc;
	if (p->n && memcmp(h->at.hash, p->claimed, SHA256_LEN) != 0)
		return err_set(e, REASON_AUDIT, "of the audit rows %lld to %lld one was changed, removed or moved: \"handsel-ca audit verify\" names it",
			       (long long)p->after + 1, (long long)h->at.n);
	if (p->sign && !h->at.n)
		return err_set(e, REASON_AUDIT, "an audit without a row has no head");
	if (p->sign && h->time < now)
		h->time = now;
	return p->n || p->sign ? count_head_set(s->db, h, e) : 0;
}

static int sign_head(struct server *s, struct audit_head *h, struct err *e)
{
	const struct key *key = signer_key(&s->build.keys, CRL_UNIT, e);

	if (!key)
		return -1;
	return audit_head_sign(h, key, e) < 0 ? signer_keys_failed(&s->build.keys, e) : 0;
}

int signer_on_head(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	uint8_t sign = unpack_u8(u);
	struct page p = { .sign = sign == 1, .after = (int64_t)unpack_u64(u), .n = unpack_u32(u) };
	struct audit_head h = {0};
	int rc;

	unpack_fixed(u, p.claimed, SHA256_LEN);
	if (u->failed || sign > 1 || p.n > LIMIT_AUDIT_ROWS)
		return -2;
	if (db_begin(s->db, e) < 0)
		return -1;
	rc = count_head_get(s->db, &h, e);
	if (rc == 0)
		rc = go_on(s, u, &p, &h, e);
	if (rc == 0)
		rc = db_commit(s->db, e);
	else
		db_rollback(s->db);
	FAULT("signer.head");
	if (rc == 0 && p.sign)
		rc = sign_head(s, &h, e);
	if (rc < 0)
		return rc;
	pack_u64(answer, h.history);
	pack_u64(answer, (uint64_t)h.at.n);
	pack_bytes(answer, h.at.hash, SHA256_LEN);
	pack_u64(answer, (uint64_t)h.time);
	pack_bytes(answer, h.signature, h.len);
	return 0;
}

int signer_new_history(struct server *s, const struct audit_state *base, struct err *e)
{
	struct audit_head h = {0};

	if (count_head_get(s->db, &h, e) < 0)
		return -1;
	h.history++;
	h.at = *base;
	return count_head_set(s->db, &h, e);
}

int signer_on_history(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct audit_state base = { .n = (int64_t)unpack_u64(u) };

	unpack_fixed(u, base.hash, SHA256_LEN);
	if (!unpack_done(u) || base.n < 0)
		return -2;
	if (db_begin(s->db, e) < 0)
		return -1;
	if (signer_new_history(s, &base, e) == 0 && audit_add(s->db, clock_utc(), "operator", "history", "audit", "", e) == 0)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return -1;
}
