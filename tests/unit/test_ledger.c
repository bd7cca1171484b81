/* The ledger at a million rows: each search goes by an index and finds what it should, and nothing else. */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "file.h"
#include "ledger_list.h"
#include "ledger_private.h"
#include "mem.h"
#include "unit.h"

#define ROWS 1000000
#define ORDERS 100		/* each has a row of ROWS / ORDERS */
#define KNOWN 777777		/* the row with a real certificate */

static struct db *db;
static struct cert known;

static void run(const char *sql)
{
	struct err e;

	CU_ASSERT_EQUAL_FATAL(db_run(db_stmt(db, sql), &e), 0);
}

/* Row n is of device n, in order n / 10000, asked for in second n; one in a thousand is revoked, one in a hundred thousand pending, and the
 * certificate of one in ten thousand was over in second n + 10. */
static void test_fill(void)
{
	struct cert_plan plan = { .subject_cn = "gw 0777777", .path_len = -1, .not_before = 1, .not_after = X509_NO_EXPIRY };
	struct buf spki = {0}, der = {0};
	struct key *key;
	char path[FILE_PATH];
	struct stmt *s;
	struct err e;

	key = key_generate(KEY_P256, &e);
	CU_ASSERT_EQUAL_FATAL(key_spki(key, &spki, &e), 0);
	plan.spki = &spki;
	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, NULL, key, &der, &e), 0);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&known, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, unit_folder(), "ca.db"), 0);
	db = ledger_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	run("PRAGMA journal_mode = OFF");	/* each page once: no cut is tested here */
	run("PRAGMA synchronous = OFF");
	run("PRAGMA cache_size = -300000");
	CU_ASSERT_EQUAL_FATAL(db_begin(db, &e), 0);
	run("WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < 1000000)"
	    " INSERT INTO device SELECT n, CASE n % 2 WHEN 0 THEN 'Acme' ELSE 'Zenith' END, 'gw', printf('%07d', n), 1, 0,"
	    " 'WO-' || (n / 10000), 1 FROM k");
	run("INSERT INTO request(n, unit, id, generation, device, state, order_id, took_unit, slot, certificate, certificate_sha256,"
	    " certificate_serial, created, changed, ca, key, expires)"
	    " SELECT n, 'station:line-' || (n / 500000), printf('%032x', n), 1, n,"
	    " CASE WHEN n % 1000 = 1 THEN 'revoked' WHEN n % 100000 = 2 THEN 'pending' ELSE 'active' END,"
	    " order_id, 1, '1', x'30', CAST(printf('%032x', n) AS BLOB), printf('%x', n + 268435456), n, n, 'factory', n,"
	    " CASE WHEN n % 10000 = 3 THEN n + 10 ELSE 253402300799 END FROM device");
	s = db_stmt(db, "UPDATE request SET certificate = ?1, certificate_sha256 = ?2, certificate_serial = ?3, key = ?4, expires = ?5,"
			" state = 'active' WHERE n = 777777");
	bind_blob(s, 1, known.der.data, known.der.len);
	bind_blob(s, 2, known.sha256, SHA256_LEN);
	bind_text(s, 3, known.serial);
	bind_int(s, 4, key_number(known.spki_sha256));
	bind_int(s, 5, known.not_after);
	CU_ASSERT_EQUAL(db_run(s, &e), 0);
	run("UPDATE request SET key = (SELECT key FROM request WHERE n = 777777) WHERE n = 5");	/* half of the hash is the same */
	CU_ASSERT_EQUAL_FATAL(db_commit(db, &e), 0);
	key_free(key);
	buf_free(&spki);
	buf_free(&der);
}

/* ---- plans ---- */
static char *explained[20];	/* a statement is found again by where its text stands */
static size_t n_explained;

/* No table is read whole but the few rows of a subquery. */
static void goes_by(const char *statement, const char *index)
{
	char *sql = mem_fmt("EXPLAIN QUERY PLAN %s", statement);
	struct stmt *s = db_stmt(db, sql);
	bool found = false;
	struct err e;

	CU_ASSERT_FATAL(n_explained < ARRAY_LEN(explained));
	explained[n_explained++] = sql;

	while (db_step(s, &e) == 1) {
		const char *step = col_text(s, 3);

		if (strncmp(step, "SCAN ", 5) == 0 && strcmp(step, "SCAN u") != 0 && strcmp(step, "SCAN CONSTANT ROW") != 0)
			CU_FAIL(step);
		found = found || strstr(step, index);
	}
	if (!found)
		printf("\n  no %s in: %s\n", index, sql);
	CU_ASSERT_TRUE(found);
}

static void by_index(const struct ledger_filter *f, const char *index)
{
	goes_by(ledger_list_sql(f), index);
}

/* Hashes of certificates have no index but for the few that wait. */
static void test_certificate_plans(void)
{
	goes_by(ledger_confirmed_first, "USING INDEX request_confirm (certificate_sha256=?)");
	goes_by(ledger_confirmed_again, "USING COVERING INDEX sqlite_autoindex_request_1 (unit=? AND id=?)");
	goes_by(ledger_renewed, "USING INDEX request_device (device=?)");
	goes_by(ledger_shipped, "USING INDEX request_device (device=?)");
}

static void test_plans(void)
{
	static const uint8_t key[SHA256_LEN];

	by_index(&(struct ledger_filter){ .key = key }, "USING INDEX request_key (key=?)");
	by_index(&(struct ledger_filter){ .certificate = "1a" }, "USING INDEX request_serial (certificate_serial=?)");
	by_index(&(struct ledger_filter){ .serial = "1" }, "USING INDEX request_device (device=?)");
	by_index(&(struct ledger_filter){ .serial = "1" }, "USING COVERING INDEX sqlite_autoindex_device_1 (serial=?)");
	by_index(&(struct ledger_filter){ .serial = "1", .model = "m", .manufacturer = "a" }, "USING INDEX request_device (device=?)");
	by_index(&(struct ledger_filter){ .id = "1" }, "USING COVERING INDEX sqlite_autoindex_request_1 (unit=? AND id=?)");
	by_index(&(struct ledger_filter){ .id = "1" }, "USING COVERING INDEX request_serial (certificate_serial=?)");
	by_index(&(struct ledger_filter){ .order = "WO-1" }, "USING COVERING INDEX request_state (state=? AND order_id=?)");
	by_index(&(struct ledger_filter){ .order = "WO-1", .state = "active" }, "USING COVERING INDEX request_state (state=? AND order_id=?)");
	by_index(&(struct ledger_filter){ .state = "pending" }, "USING COVERING INDEX request_state (state=?)");
	by_index(&(struct ledger_filter){ .since = 1 }, "USING COVERING INDEX request_created (created>?)");
}

/* ---- results ---- */
struct seen {
	size_t n;
	int64_t first, last;
};

static int see(void *arg, const struct ledger_row *row)
{
	struct seen *s = arg;

	CU_ASSERT(row->r.n > s->last);
	if (s->n++ == 0)
		s->first = row->r.n;
	s->last = row->r.n;
	return 0;
}

static void finds(struct ledger_filter f, size_t n, int64_t first, int64_t last)
{
	struct seen s = {0};
	struct err e;

	CU_ASSERT_EQUAL(ledger_list(db, &f, see, &s, &e), 0);
	if (s.n != n || s.first != first || s.last != last)
		printf("\n  %zu from %" PRId64 " to %" PRId64 ", not %zu from %" PRId64 " to %" PRId64 "\n", s.n, s.first, s.last, n, first, last);
	CU_ASSERT(s.n == n && s.first == first && s.last == last);
}
#define FINDS(n, first, last, ...) finds((struct ledger_filter){ __VA_ARGS__ }, n, first, last)

static void test_searches(void)
{
	uint8_t other[SHA256_LEN];

	memcpy(other, known.spki_sha256, SHA256_LEN);
	other[SHA256_LEN - 1] ^= 1;
	FINDS(1, KNOWN, KNOWN, .key = known.spki_sha256);
	FINDS(0, 0, 0, .key = other);
	FINDS(1, KNOWN, KNOWN, .certificate = known.serial);
	FINDS(0, 0, 0, .certificate = known.serial, .state = "revoked");
	FINDS(1, 500000, 500000, .serial = "0500000");
	FINDS(1, 500000, 500000, .serial = "0500000", .model = "gw", .manufacturer = "Acme");
	FINDS(0, 0, 0, .serial = "0500000", .model = "gw", .manufacturer = "Zenith");
	FINDS(0, 0, 0, .serial = "0500000", .order = "WO-51");
	FINDS(1, 1, 1, .id = "00000000000000000000000000000001");
	FINDS(1, ROWS, ROWS, .id = "000000000000000000000000000f4240");
	FINDS(1, 16, 16, .id = "10000010");
	FINDS(1, 9, 9, .id = "0000009");
	FINDS(ROWS / ORDERS, 420000, 429999, .order = "WO-42");
	FINDS(10, 420001, 429001, .order = "WO-42", .state = "revoked");
	FINDS(10, 420001, 429001, .order = "WO-42", .state = "revoked", .since = 1, .model = "gw", .manufacturer = "Zenith", .certificate = "");
	FINDS(0, 0, 0, .order = "WO-42", .state = "revoked", .manufacturer = "Acme");
	FINDS(10, 2, 900002, .state = "pending");
	FINDS(ROWS / 1000, 1, 999001, .state = "revoked");
	FINDS(11, 999990, ROWS, .since = 999990);
	FINDS(50, 3, 490003, .state = "expired", .now = 500000);
	FINDS(0, 0, 0, .state = "expired");
	FINDS(ROWS / ORDERS - 11, 420000, 429999, .order = "WO-42", .state = "active", .now = 425000);
}

struct sums {
	int64_t rows, active;
	size_t groups;
};

static int add(void *arg, const struct ledger_count *c)
{
	struct sums *s = arg;

	s->groups++;
	s->rows += c->n;
	if (strcmp(c->state, "active") == 0)
		s->active += c->n;
	return 0;
}

static void test_counts(void)
{
	struct sums s = {0};
	struct err e;

	CU_ASSERT_EQUAL(ledger_counts(db, add, &s, &e), 0);
	CU_ASSERT_EQUAL(s.rows, ROWS);
	CU_ASSERT_EQUAL(s.active, ROWS - ROWS / 1000 - 10);
	CU_ASSERT_EQUAL(s.groups, (size_t)2 * (ORDERS + 1) + 10 - 1);	/* the last order has one row */
}

static void test_clean(void)
{
	db_close(db);
	while (n_explained)
		free(explained[--n_explained]);
	cert_free(&known);
}

UNIT_MAIN("ledger", { "fill", test_fill }, { "plans", test_plans }, { "plans for certificates", test_certificate_plans }, { "searches", test_searches }, { "counts", test_counts },
	  { "clean", test_clean })
