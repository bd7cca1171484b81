#include <config.h>

#include <stddef.h>
#include <string.h>

#include "audit_file.h"
#include "file.h"
#include "mem.h"
#include "unit.h"

static const char *const steps[] = { AUDIT_SQL };

static struct db *filled(int n)
{
	char path[FILE_PATH];
	struct err e;
	struct db *d;

	file_join(path, &e, unit_folder(), "audit.db");
	d = db_open(path, steps, 1, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	for (int i = 1; i <= n; i++) {
		char subject[32];

		snprintf(subject, sizeof subject, "serial %d", i);
		CU_ASSERT_EQUAL(audit_add(d, 1000 + i, "node", i % 2 ? "issue" : "refuse", subject, "E21", &e), 0);
	}
	return d;
}

static void do_sql(struct db *d, const char *sql)
{
	struct err e;

	CU_ASSERT_EQUAL(db_run(db_stmt(d, sql), &e), 0);
}

static void test_good(void)
{
	struct db *d = filled(0);
	int64_t rows = 7;
	struct err e;

	CU_ASSERT_EQUAL(audit_verify(d, &rows, &e), 0);
	CU_ASSERT_EQUAL(rows, 0);
	db_close(d);
	d = filled(20);
	CU_ASSERT_EQUAL(audit_verify(d, &rows, &e), 0);
	CU_ASSERT_EQUAL(rows, 20);
	CU_ASSERT_EQUAL(db_begin(d, &e), 0);
	CU_ASSERT_EQUAL(audit_add(d, 5, "a", "b", "c", "d", &e), 0);
	db_rollback(d);
	CU_ASSERT_EQUAL(audit_add(d, 5, "", "", "", "", &e), 0);
	CU_ASSERT_EQUAL(audit_verify(d, &rows, &e), 0);
	CU_ASSERT_EQUAL(rows, 21);
	db_close(d);
}

static void found(const char *sql, int64_t good, const char *text)
{
	struct db *d = filled(20);
	int64_t rows = -1;
	struct err e = {0};

	do_sql(d, sql);
	CU_ASSERT_EQUAL(audit_verify(d, &rows, &e), -1);
	CU_ASSERT_EQUAL(rows, good);
	if (!strstr(e.text, text)) {
		printf("\n  %s: %s\n", sql, e.text);
		CU_FAIL("another message");
	}
	db_close(d);
}

static void test_changed(void)
{
	found("UPDATE audit SET time = time + 1 WHERE n = 5", 4, "audit row 5 does not follow");
	found("UPDATE audit SET actor = 'operator:x' WHERE n = 5", 4, "audit row 5 does not follow");
	found("UPDATE audit SET action = 'refuse' WHERE n = 5", 4, "audit row 5 does not follow");
	found("UPDATE audit SET subject = 'serial 6' WHERE n = 5", 4, "audit row 5 does not follow");
	found("UPDATE audit SET detail = '' WHERE n = 20", 19, "audit row 20 does not follow");
	found("UPDATE audit SET hash = zeroblob(32) WHERE n = 1", 0, "audit row 1 does not follow");
	found("UPDATE audit SET hash = x'00' WHERE n = 5", 4, "audit row 5 does not follow");
	/* the same letters, shifted from one field to the next */
	found("UPDATE audit SET actor = 'nodei', action = 'ssue' WHERE n = 5", 4, "audit row 5 does not follow");
}

static void test_removed(void)
{
	found("DELETE FROM audit WHERE n = 5", 4, "audit row 5 is missing");
	found("DELETE FROM audit WHERE n = 1", 0, "audit row 1 is missing");
	found("UPDATE audit SET n = 99 WHERE n = 5", 4, "audit row 5 is missing");
}

static void test_reordered(void)
{
	struct db *d = filled(20);
	int64_t rows;
	struct err e;

	do_sql(d, "UPDATE audit SET n = -1 WHERE n = 7");
	do_sql(d, "UPDATE audit SET n = 7 WHERE n = 8");
	do_sql(d, "UPDATE audit SET n = 8 WHERE n = -1");
	CU_ASSERT_EQUAL(audit_verify(d, &rows, &e), -1);
	CU_ASSERT_EQUAL(rows, 6);
	db_close(d);
	/* closed up after a removal: the numbers are right, the chain is not */
	d = filled(20);
	do_sql(d, "DELETE FROM audit WHERE n = 7");
	do_sql(d, "UPDATE audit SET n = -n WHERE n > 7");
	do_sql(d, "UPDATE audit SET n = -n - 1 WHERE n < 0");
	CU_ASSERT_EQUAL(audit_verify(d, &rows, &e), -1);
	CU_ASSERT_EQUAL(rows, 6);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "audit row 7 does not follow"));
	db_close(d);
}

/* ---- heads, and what is judged by them ---- */
static struct cert ca[2];
static struct key *ca_key[2];

static void make_cas(void)
{
	struct buf spki = {0}, der = {0};
	struct err e;

	for (int i = 0; i < 2; i++) {
		struct cert_plan plan = { .spki = &spki, .subject_cn = "unit CA", .ca = true, .path_len = 0, .key_cert_sign = true, .not_after = 1000 };

		ca_key[i] = key_generate(i ? KEY_RSA3072 : KEY_P256, &e);
		CU_ASSERT_EQUAL_FATAL(key_spki(ca_key[i], &spki, &e), 0);
		CU_ASSERT_EQUAL_FATAL(cert_build(&plan, NULL, ca_key[i], &der, &e), 0);
		CU_ASSERT_EQUAL_FATAL(cert_parse(&ca[i], der.data, der.len, &e), 0);
	}
	buf_free(&spki);
	buf_free(&der);
}

static struct audit_head head_at(struct db *d, int64_t n, uint64_t history, int by)
{
	struct audit_head h = { .history = history, .time = 2000 + n };
	struct err e;

	CU_ASSERT_EQUAL_FATAL(audit_at(d, n, &h.at, &e), 1);
	CU_ASSERT_EQUAL_FATAL(audit_head_sign(&h, ca_key[by], &e), 0);
	return h;
}

static void test_heads(void)
{
	struct db *d;
	struct audit_head h, k;
	struct err e;

	make_cas();
	d = filled(20);
	h = head_at(d, 12, 3, 0);
	CU_ASSERT_EQUAL(audit_head_verify(&h, ca, 2, &e), 0);
	CU_ASSERT_EQUAL(audit_head_verify(&h, ca + 1, 1, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUDIT);
	k = head_at(d, 12, 3, 1);
	CU_ASSERT_EQUAL(audit_head_verify(&k, ca, 2, &e), 0);
	for (size_t i = 0; i < sizeof h; i++) {	/* each field is signed; of the signature as much as it is long */
		k = h;
		((uint8_t *)&k)[i] ^= 1;
		if (memcmp(&k, &h, offsetof(struct audit_head, signature) + h.len) == 0 && k.len == h.len)
			continue;
		if (k.len > sizeof k.signature)
			continue;
		CU_ASSERT_EQUAL(audit_head_verify(&k, ca, 2, &e), -1);
	}
	db_close(d);
}

static const char *const kept[] = { AUDIT_HEAD_SQL };

static void test_kept(void)
{
	char path[FILE_PATH];
	struct audit_head h, last;
	struct err e;
	struct db *d = filled(20), *store;

	file_join(path, &e, unit_folder(), "heads.db");
	store = db_open(path, kept, 1, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	CU_ASSERT(audit_head_last(store, &last, &e) == 0 && last.at.n == 0);
	h = head_at(d, 20, 1, 0);
	CU_ASSERT_EQUAL(audit_head_put(store, &h, &e), 0);
	h = head_at(d, 7, 2, 0);
	CU_ASSERT_EQUAL(audit_head_put(store, &h, &e), 0);
	CU_ASSERT_EQUAL(audit_head_put(store, &h, &e), 0);
	CU_ASSERT_EQUAL(audit_head_last(store, &last, &e), 0);	/* a later history goes before a higher row */
	CU_ASSERT_EQUAL(memcmp(&last, &h, sizeof h), 0);
	db_close(store);
	db_close(d);
}

struct judged {
	struct audit_judge j;
	struct db *d;
};

static void begin(struct judged *x, int rows)
{
	*x = (struct judged){ .j.cas = ca, .j.n_cas = 2, .d = filled(rows) };
}

static void add_head(struct judged *x, const struct audit_head *h)
{
	struct err e;

	CU_ASSERT_EQUAL(audit_judge_head(&x->j, h, "a friend", &e), 0);
}

static int judge(struct judged *x, struct err *e)
{
	int rc = audit_each(x->d, INT64_MIN, INT64_MAX, audit_judge_row, &x->j, e);

	if (rc == 0)
		rc = audit_judge_end(&x->j, e);
	audit_judge_free(&x->j);
	db_close(x->d);
	return rc;
}

static void fails(struct judged *x, const char *text)
{
	struct err e = {0};

	CU_ASSERT_EQUAL(judge(x, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUDIT);
	if (!strstr(e.text, text)) {
		printf("\n  %s\n", e.text);
		CU_FAIL("another message");
	}
}

static void test_judged(void)
{
	struct audit_head h5, h20, h20b, other;
	struct judged x;
	struct err e;

	begin(&x, 20);
	h5 = head_at(x.d, 5, 1, 0);
	h20 = head_at(x.d, 20, 1, 1);
	h20b = head_at(x.d, 20, 2, 0);
	add_head(&x, &h20b);
	add_head(&x, &h5);
	add_head(&x, &h20);
	CU_ASSERT_EQUAL(judge(&x, &e), 0);
	begin(&x, 19);
	add_head(&x, &h5);
	add_head(&x, &h20);
	fails(&x, "the audit ends with row 19, but a friend has a head of row 20");
	begin(&x, 0);
	add_head(&x, &h5);
	fails(&x, "the audit ends with row 0");
	/* each row follows, and yet it is another audit */
	begin(&x, 4);
	CU_ASSERT_EQUAL(audit_add(x.d, 1005, "node", "issue", "serial 5", "E22", &e), 0);
	other = head_at(x.d, 3, 1, 0);
	add_head(&x, &h5);
	add_head(&x, &other);
	fails(&x, "of the rows 4 to 5 one was changed");
	begin(&x, 4);
	CU_ASSERT_EQUAL(audit_add(x.d, 1005, "node", "issue", "serial 5", "E22", &e), 0);
	other = head_at(x.d, 5, 2, 0);
	add_head(&x, &other);
	add_head(&x, &h5);
	fails(&x, "begin anew since");
	/* not this CA's */
	begin(&x, 20);
	h5.time++;
	CU_ASSERT_EQUAL(audit_judge_head(&x.j, &h5, "a liar", &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "a liar: the head of audit row 5 was not signed by this CA"));
	CU_ASSERT_EQUAL(judge(&x, &e), 0);
}

/* ---- heads of a unit, whose certificates come with them ---- */
static void make_unit(struct chain *ch, struct key **key, const char *role, const char *name)
{
	struct cert_plan plan = { .subject_cn = "unit", .path_len = -1, .digital_signature = true, .not_after = 1000 };
	struct buf spki = {0}, der = {0};
	struct err e;

	snprintf(plan.uri[0], sizeof plan.uri[0], "handsel:%s:%s", role, name);
	*key = key_generate(KEY_P256, &e);
	CU_ASSERT_EQUAL_FATAL(key_spki(*key, &spki, &e), 0);
	plan.spki = &spki;
	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, &ca[0], ca_key[0], &der, &e), 0);
	CU_ASSERT_EQUAL_FATAL(chain_add(ch, der.data, der.len, &e), 0);
	buf_free(&spki);
	buf_free(&der);
}

static void signer_is_refused(struct audit_judge *j, const struct chain *ch, const char *text)
{
	struct err e = {0};

	CU_ASSERT_EQUAL(audit_judge_signer(j, ch, "here", &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUDIT);
	if (!strstr(e.text, text)) {
		printf("\n  %s\n", e.text);
		CU_FAIL("another message");
	}
}

static int judge_signer(void *j, const struct chain *ch, struct err *e)
{
	return audit_judge_signer(j, ch, "the database", e);
}

static void test_units(void)
{
	static const char *const sql[] = { AUDIT_SQL AUDIT_SIGNER_SQL };
	struct { struct chain ch; struct key *key; } u[4] = { { .key = NULL } };
	struct trust *t = trust_new();
	struct audit_judge j = { .trust = t, .role = "node" };
	struct audit_head h = { .history = 1, .at.n = 2, .time = 2000 };
	char path[FILE_PATH];
	struct err e;
	struct db *d;

	make_unit(&u[0].ch, &u[0].key, "node", "site-1");
	make_unit(&u[1].ch, &u[1].key, "node", "site-1");	/* renewed, with another key */
	make_unit(&u[2].ch, &u[2].key, "node", "site-2");
	make_unit(&u[3].ch, &u[3].key, "station", "site-1");
	CU_ASSERT_EQUAL_FATAL(audit_head_sign(&h, u[1].key, &e), 0);
	signer_is_refused(&j, &u[0].ch, "was not issued by a CA");
	CU_ASSERT_EQUAL_FATAL(trust_add_root(t, &ca[0], &e), 0);
	file_join(path, &e, unit_folder(), "signers.db");
	d = db_open(path, sql, 1, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(audit_signer_put(d, &u[i / 2].ch, &e), 0);	/* the first one twice */
	CU_ASSERT_EQUAL(audit_judge_signer(&j, &u[0].ch, "here", &e), 0);
	CU_ASSERT_EQUAL(audit_judge_head(&j, &h, "here", &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "signed by no node site-1"));
	CU_ASSERT_EQUAL(audit_signer_each(d, judge_signer, &j, &e), 0);
	CU_ASSERT_EQUAL(j.n_units, 2);
	CU_ASSERT_EQUAL(audit_judge_head(&j, &h, "here", &e), 0);
	signer_is_refused(&j, &u[2].ch, "heads of node site-2 stand in the audit of site-1");
	signer_is_refused(&j, &u[3].ch, "station");
	audit_judge_free(&j);
	db_close(d);
	trust_free(t);
	for (size_t i = 0; i < ARRAY_LEN(u); i++) {
		chain_free(&u[i].ch);
		key_free(u[i].key);
	}
}

/* ---- lines ---- */
static int count_row(void *arg, const struct audit_row *row, struct err *e)
{
	struct audit_state *at = arg;

	return audit_follow(at, row, e);
}

static int same_head(void *arg, const struct audit_head *h, struct err *e)
{
	struct audit_head *mine = arg;

	CU_ASSERT_EQUAL(memcmp(mine, h, sizeof *h), 0);
	mine->at.n = 0;
	return 0;
}

static int print_row(void *out, const struct audit_row *row, struct err *e)
{
	return audit_row_print(out, row, e);
}

static void test_lines(void)
{
	char path[FILE_PATH];
	struct audit_state at = {0};
	struct audit_reader reader = { .row = count_row, .arg = &at };
	struct audit_head h;
	struct err e;
	struct db *d = filled(3);
	FILE *out;

	CU_ASSERT_EQUAL(audit_add(d, 1, "quote \" and \\", "tab\t", "\xff\xfe no text", "\xc3\xa4", &e), 0);
	h = head_at(d, 4, 9, 0);
	file_join(path, &e, unit_folder(), "lines");
	out = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_EQUAL(audit_head_print(out, &h, &e), 0);
	CU_ASSERT_EQUAL(audit_each(d, INT64_MIN, INT64_MAX, print_row, out, &e), 0);
	fclose(out);
	CU_ASSERT_EQUAL(audit_file_read(path, &reader, &e), 0);
	CU_ASSERT_EQUAL(at.n, 4);
	reader = (struct audit_reader){ .head = same_head, .arg = &h };
	CU_ASSERT_EQUAL(audit_file_read(path, &reader, &e), 0);
	CU_ASSERT_EQUAL(h.at.n, 0);
	db_close(d);
}

/* Whatever bit falls over in an export: it cannot be read, or it is found, or the line says the same. */
static void test_mutated(void)
{
	char path[FILE_PATH];
	struct buf good = {0};
	struct err e;
	struct db *d = filled(3);
	struct audit_head h = head_at(d, 3, 1, 0);
	FILE *out;
	size_t through = 0;

	file_join(path, &e, unit_folder(), "lines");
	out = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_EQUAL(audit_each(d, INT64_MIN, INT64_MAX, print_row, out, &e), 0);
	fclose(out);
	CU_ASSERT_EQUAL(file_read(&good, path, 0, &e), 0);
	for (size_t i = 0; i < good.len; i++) {
		struct audit_judge j = { .cas = ca, .n_cas = 2 };
		const struct audit_reader rows = { .row = audit_judge_row, .arg = &j };

		good.data[i] ^= 1u << i % 8;
		CU_ASSERT_EQUAL(file_replace(path, good.data, good.len, 0600, &e), 0);
		CU_ASSERT_EQUAL(audit_judge_head(&j, &h, "here", &e), 0);
		if (audit_file_read(path, &rows, &e) == 0 && audit_judge_end(&j, &e) == 0)
			through++;
		good.data[i] ^= 1u << i % 8;
		audit_judge_free(&j);
	}
	CU_ASSERT(through < good.len / 20);	/* the number of the format, a digit of hex in upper case */
	buf_free(&good);
	db_close(d);
}

UNIT_MAIN("audit", { "good", test_good }, { "changed", test_changed }, { "removed", test_removed },
	  { "reordered", test_reordered }, { "heads", test_heads }, { "kept", test_kept }, { "judged", test_judged }, { "units", test_units },
	  { "lines", test_lines }, { "mutated", test_mutated })
