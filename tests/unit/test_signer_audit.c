/* The signer and the audit: its heads; and messages of which no octet may be another one. */
#include <config.h>

#include "ipc.h"
#include "signer_world.h"

/* ---- heads of the audit ---- */
struct ledger_audit {
	struct audit_page page;
	struct audit_state at;
};

static void write_row(struct ledger_audit *a, const char *detail)
{
	struct audit_row row = { .n = a->at.n + 1, .time = 1000, .actor = "ca", .action = "issue", .subject = "x", .detail = detail };

	if (a->page.n == 0)
		a->page.after = a->at.n;
	audit_go_on(&a->at, &row);
	audit_page_add(&a->page, &row);
}

static void page_end(struct ledger_audit *a)
{
	buf_clear(&a->page.rows);
	a->page.n = 0;
}

static uint32_t ask_head(struct side *s, const struct audit_page *p, bool sign, struct audit_head *h)
{
	struct buf q = {0}, a = {0}, signature = {0};
	struct unpack u;
	uint32_t got;

	pack_u8(&q, sign);
	pack_u64(&q, (uint64_t)p->after);
	pack_u32(&q, p->n);
	pack_bytes(&q, p->hash, SHA256_LEN);
	buf_add(&q, p->rows.data, p->rows.len);
	got = side_ask(s, SIGNER_HEAD, &q, &a);
	if (got == SIGNER_DONE) {
		*h = (struct audit_head){0};
		unpack_init(&u, a.data, a.len);
		h->history = unpack_u64(&u);
		h->at.n = (int64_t)unpack_u64(&u);
		unpack_fixed(&u, h->at.hash, SHA256_LEN);
		h->time = (int64_t)unpack_u64(&u);
		unpack_bytes(&u, &signature);
		CU_ASSERT(unpack_done(&u) && signature.len <= sizeof h->signature);
		h->len = signature.len;
		if (h->len)
			memcpy(h->signature, signature.data, h->len);
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&signature);
	return got;
}

static void test_head(void)
{
	static const struct audit_page nothing;
	struct ledger_audit a = {0}, past;
	struct audit_head h = {0};
	struct authority ca;
	struct side s;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(authority_load(&ca, customer, &e), 0);
	side_begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT(ask_head(&s, &nothing, false, &h) == SIGNER_DONE && h.at.n == 0 && h.history == 1 && h.len == 0);
	CU_ASSERT_EQUAL(ask_head(&s, &nothing, true, &h), SIGNER_REFUSED);	/* of no row */
	write_row(&a, "one");
	write_row(&a, "two");
	CU_ASSERT(ask_head(&s, &a.page, true, &h) == SIGNER_DONE && h.at.n == 2);
	CU_ASSERT_EQUAL(memcmp(h.at.hash, a.at.hash, SHA256_LEN), 0);
	CU_ASSERT_EQUAL(audit_head_verify(&h, ca.unit.cert, 1, &e), 0);
	CU_ASSERT_EQUAL(audit_head_verify(&h, ca.issuing.cert, 1, &e), -1);
	CU_ASSERT_EQUAL(ask_head(&s, &a.page, true, &h), SIGNER_REFUSED);	/* the same rows do not follow */
	past = a;
	page_end(&a);
	/* not what the ledger says that it is: nothing is remembered of it */
	write_row(&a, "three");
	a.page.hash[0] ^= 1;
	CU_ASSERT_EQUAL(ask_head(&s, &a.page, false, &h), SIGNER_REFUSED);
	a.page.hash[0] ^= 1;
	CU_ASSERT(ask_head(&s, &a.page, false, &h) == SIGNER_DONE && h.at.n == 3 && h.len == 0);
	page_end(&a);
	CU_ASSERT(ask_head(&s, &nothing, true, &h) == SIGNER_DONE && h.at.n == 3 && h.len > 0);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	side_begin(&s, customer, SIGNER_FOR_SERVE);		/* it is remembered */
	CU_ASSERT(ask_head(&s, &nothing, false, &h) == SIGNER_DONE && h.at.n == 3);
	/* a lower number, or one beside it: never again */
	past.page.n = 0;
	past.page.after = 2;
	buf_clear(&past.page.rows);
	write_row(&past, "another three");
	CU_ASSERT_EQUAL(ask_head(&s, &past.page, true, &h), SIGNER_REFUSED);
	past.page.after = 3;
	CU_ASSERT_EQUAL(ask_head(&s, &past.page, true, &h), SIGNER_REFUSED);
	past.page.after = -1;
	CU_ASSERT_EQUAL(ask_head(&s, &past.page, true, &h), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	buf_free(&a.page.rows);
	authority_free(&ca);
}

static void test_history(void)
{
	static const struct audit_page nothing;
	struct ledger_audit a = {0};
	struct audit_head h = {0};
	struct buf q = {0}, answer = {0};
	struct side s;

	write_row(&a, "another one");
	page_end(&a);
	pack_u64(&q, 1);
	pack_bytes(&q, a.at.hash, SHA256_LEN);
	side_begin(&s, customer, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(side_ask(&s, SIGNER_HISTORY, &q, &answer), SIGNER_DONE);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	side_begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT(ask_head(&s, &nothing, false, &h) == SIGNER_DONE && h.history == 2 && h.at.n == 1);
	write_row(&a, "another two");
	CU_ASSERT(ask_head(&s, &a.page, true, &h) == SIGNER_DONE && h.history == 2 && h.at.n == 2);
	CU_ASSERT_EQUAL(side_ask(&s, SIGNER_HISTORY, &q, &answer), 0);	/* not the front's */
	CU_ASSERT_EQUAL(side_end(&s), -1);
	CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
	buf_free(&q);
	buf_free(&answer);
	buf_free(&a.page.rows);
}

static void ends_it(const struct audit_page *p)
{
	struct audit_head h = {0};
	struct side s;

	side_begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(ask_head(&s, p, false, &h), 0);
	CU_ASSERT_EQUAL(side_end(&s), -1);
	CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
}

static void test_head_malformed(void)
{
	struct audit_page p = { .after = 2, .n = LIMIT_AUDIT_ROWS + 1 };

	ends_it(&p);
	p.n = 1;	/* without rows */
	ends_it(&p);
	pack_u64(&p.rows, 1);
	for (int i = 0; i < 4; i++)
		pack_bytes(&p.rows, "a\0b", 3);
	ends_it(&p);
	p.n = 0;	/* with something behind */
	ends_it(&p);
	buf_free(&p.rows);
}

/* The bytes as they are, after the greeting; the session goes on unless they end it, and then a new one begins. */
static uint32_t send_bytes(struct side *s, uint32_t type, const void *data, size_t len)
{
	struct buf out = {0}, in = {0};
	uint32_t got = 0;
	struct err e;

	buf_add(&out, data, len);
	if (ipc_send(s->fd, type, &out, &e) < 0 || ipc_recv(s->fd, &got, &in, &e) != 1) {
		CU_ASSERT_EQUAL(side_end(s), -1);
		CU_ASSERT_EQUAL(s->e.code, REASON_ROLE);
		side_begin(s, customer, SIGNER_FOR_SERVE);
		got = 0;
	}
	buf_free(&out);
	buf_free(&in);
	return got;
}

/* No octet may be another one, none missing, none more: it is refused or ends the signer, and nothing of it is remembered. flag: that
 * octet, if there is one, has two meanings. */
static void mutate(uint32_t type, struct buf *good, size_t flag)
{
	struct side s;

	side_begin(&s, customer, SIGNER_FOR_SERVE);
	for (size_t i = 0; i < good->len; i++) {
		good->data[i] ^= i == flag ? 2 : 1;
		CU_ASSERT_NOT_EQUAL(send_bytes(&s, type, good->data, good->len), SIGNER_DONE);
		good->data[i] ^= i == flag ? 2 : 1;
	}
	for (size_t n = 0; n < good->len; n++)
		CU_ASSERT_NOT_EQUAL(send_bytes(&s, type, good->data, n), SIGNER_DONE);
	buf_byte(good, 0);
	CU_ASSERT_EQUAL(send_bytes(&s, type, good->data, good->len), 0);
	good->len--;
	CU_ASSERT_EQUAL(send_bytes(&s, type, good->data, good->len), SIGNER_DONE);
	CU_ASSERT_EQUAL(side_end(&s), 0);
}

static void test_mutated(void)
{
	static const struct audit_page nothing;
	struct ledger_audit a = {0};
	struct audit_head h = {0};
	struct buf q = {0};
	struct side s;
	size_t flag;

	pack_str(&q, "");	/* of the CA */
	mutate(SIGNER_KEYS, &q, SIZE_MAX);
	mutate(SIGNER_RELOAD, &q, SIZE_MAX);
	side_begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(ask_head(&s, &nothing, false, &h), SIGNER_DONE);
	CU_ASSERT_EQUAL(side_end(&s), 0);
	a.at = h.at;
	write_row(&a, "mutated");
	flag = q.len;
	pack_u8(&q, 1);
	pack_u64(&q, (uint64_t)a.page.after);
	pack_u32(&q, a.page.n);
	pack_bytes(&q, a.page.hash, SHA256_LEN);
	buf_add(&q, a.page.rows.data, a.page.rows.len);
	mutate(SIGNER_HEAD, &q, flag);
	buf_free(&a.page.rows);
	buf_free(&q);
}

UNIT_MAIN("signer, audit", { "init", test_init }, { "head", test_head }, { "history", test_history },
	  { "malformed heads", test_head_malformed }, { "mutated", test_mutated }, { "end", test_end })
