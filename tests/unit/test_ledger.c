/* The ledger at a million rows: each search goes by an index and finds what it should, and nothing else. */
#include <config.h>

#include <inttypes.h>
#include <pthread.h>
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
	run("INSERT INTO request(n, unit, id, id_number, id_twin, generation, device, state, order_id, took_unit, slot, certificate,"
	    " certificate_sha256, certificate_serial, created, changed, ca, key, expires)"
	    " SELECT n, 'station:line-' || (n / 500000), printf('%032x', n), short_hash(printf('%032x', n)), 0, 1, n,"
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
static char *explained[40];	/* a statement is found again by where its text stands */
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
	goes_by(ledger_confirmed_again, "USING INDEX request_id (id_number=?)");
	goes_by(ledger_renewed, "USING INDEX request_device (device=?)");
	goes_by(ledger_shipped, "USING INDEX request_device (device=?)");
	goes_by(ledger_shipped_last, "USING COVERING INDEX shipped_device (device=?)");
}

static void test_request_plans(void)
{
	goes_by(ledger_same_id, "USING INDEX request_id (id_number=?)");
	goes_by(ledger_of_stations, "USING INDEX request_id (id_number=?)");
	goes_by(ledger_elsewhere, "SEARCH r USING INDEX request_id (id_number=?)");
	goes_by(ledger_elsewhere, "SEARCH o USING INDEX request_device (device=?)");
	goes_by(ledger_of_unit, "USING INDEX request_unit (unit=? AND rowid>?)");
	goes_by(ledger_of_order, "USING INDEX request_state (state=? AND order_id=?)");
}

static void test_plans(void)
{
	static const uint8_t key[SHA256_LEN];

	by_index(&(struct ledger_filter){ .key = key }, "USING COVERING INDEX request_created (created>?)");
	by_index(&(struct ledger_filter){ .certificate = "1a" }, "USING INDEX request_serial (certificate_serial=?)");
	by_index(&(struct ledger_filter){ .serial = "1" }, "USING INDEX request_device (device=?)");
	by_index(&(struct ledger_filter){ .serial = "1" }, "USING COVERING INDEX sqlite_autoindex_device_1 (serial=?)");
	by_index(&(struct ledger_filter){ .serial = "1", .model = "m", .manufacturer = "a" }, "USING INDEX request_device (device=?)");
	by_index(&(struct ledger_filter){ .id = "1" }, "USING INDEX request_id (id_number=?)");
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

/* ---- request ids ---- */
#define COLLIDE_A "000000000000000016b2a844e0ce9fc0"
#define COLLIDE_B "0000000000000000432df4e98bcec5e6"
#define LINE "station:line-1"
#define SITE "node:site-1"

static struct db *small_ledger(const char *folder)
{
	char path[FILE_PATH];
	struct err e;
	struct db *d;

	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, folder, "ca.db"), 0);
	d = ledger_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	return d;
}

/* Without having looked whether it is there. */
static int add_id(struct db *d, const char *unit, const char *id)
{
	struct ledger_request r = { .state = CA_REVOKED };
	struct err e;

	snprintf(r.unit, sizeof r.unit, "%s", unit);
	snprintf(r.id.id, sizeof r.id.id, "%s", id);
	if (db_begin(d, &e) < 0)
		return -1;
	if (ledger_request_add(d, "test", &r, 1, &e) == 0 && db_commit(d, &e) == 0)
		return 0;
	db_rollback(d);
	return -1;
}

static int64_t row_of(struct db *d, const char *unit, const char *id)
{
	struct ledger_request r = {0};
	struct err e;
	int rc = ledger_request_get(d, unit, id, &r, &e);

	ledger_request_free(&r);
	return rc == 1 ? r.n : -rc;
}

static int64_t number(struct db *d, const char *sql)
{
	struct stmt *s = db_stmt(d, sql);
	struct err e;
	int64_t n;

	CU_ASSERT_EQUAL(db_step(s, &e), 1);
	n = col_int(s, 0);
	db_reset(s);
	return n;
}

/* What finds a request id is eight octets of a hash. Somebody has taken the trouble to find two ids that share them. */
static void test_collision(void)
{
	static const struct { const char *unit, *id; } rows[] = {
		{ LINE, COLLIDE_A }, { LINE, COLLIDE_B }, { SITE, COLLIDE_A }, { LINE, "0123456789abcdef0123456789abcdef" } };
	char *folder = unit_folder();
	struct db *d = small_ledger(folder);
	struct seen a = {0}, b = {0};
	struct err e;

	CU_ASSERT_EQUAL(number(d, "SELECT short_hash('" COLLIDE_A "')"), INT64_C(0x7bf6b5a034bee529));
	CU_ASSERT_EQUAL(number(d, "SELECT short_hash('" COLLIDE_B "')"), INT64_C(0x7bf6b5a034bee529));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CU_ASSERT_EQUAL(row_of(d, rows[i].unit, rows[i].id), 0);
		CU_ASSERT_EQUAL(add_id(d, rows[i].unit, rows[i].id), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CU_ASSERT_EQUAL(row_of(d, rows[i].unit, rows[i].id), (int64_t)i + 1);
		CU_ASSERT_EQUAL(add_id(d, rows[i].unit, rows[i].id), -1);
	}
	CU_ASSERT_EQUAL(row_of(d, SITE, COLLIDE_B), 0);
	CU_ASSERT_EQUAL(number(d, "SELECT count(*) FROM request"), (int64_t)ARRAY_LEN(rows));
	CU_ASSERT(ledger_list(d, &(struct ledger_filter){ .id = COLLIDE_A }, see, &a, &e) == 0 && a.n == 2 && a.first == 1 && a.last == 3);
	CU_ASSERT(ledger_list(d, &(struct ledger_filter){ .id = COLLIDE_B }, see, &b, &e) == 0 && b.n == 1 && b.first == 2);
	db_close(d);
	unit_remove(folder);
}

#define WRITERS 4
#define IDS 10

struct submitter {
	pthread_t thread;
	struct db *db;
	size_t first, added;
};

static const char *id_of(size_t i, char text[REQUEST_ID_LEN + 1])
{
	snprintf(text, REQUEST_ID_LEN + 1, "%032zx", i);
	return i == 0 ? COLLIDE_A : i == 1 ? COLLIDE_B : text;
}

static void *submit(void *arg)
{
	struct submitter *s = arg;
	char text[REQUEST_ID_LEN + 1];

	for (size_t i = 0; i < IDS; i++)
		s->added += add_id(s->db, LINE, id_of((s->first + i) % IDS, text)) == 0;
	return NULL;
}

/* Several that look at nothing ask for the same ids at once: each is there once. */
static void test_parallel(void)
{
	struct submitter s[WRITERS] = {0};
	char *folder = unit_folder(), text[REQUEST_ID_LEN + 1];
	size_t added = 0;
	struct db *d = small_ledger(folder);

	for (size_t i = 0; i < WRITERS; i++) {
		s[i].first = i;
		s[i].db = small_ledger(folder);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&s[i].thread, NULL, submit, &s[i]), 0);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_join(s[i].thread, NULL);
		added += s[i].added;
		db_close(s[i].db);
	}
	CU_ASSERT_EQUAL(added, IDS);
	CU_ASSERT_EQUAL(number(d, "SELECT count(*) FROM request"), IDS);
	for (size_t i = 0; i < IDS; i++)
		CU_ASSERT(row_of(d, LINE, id_of(i, text)) > 0);
	db_close(d);
	unit_remove(folder);
}

static void test_clean(void)
{
	db_close(db);
	while (n_explained)
		free(explained[--n_explained]);
	cert_free(&known);
}

UNIT_MAIN("ledger", { "fill", test_fill }, { "plans", test_plans }, { "plans for certificates", test_certificate_plans },
	  { "plans for requests", test_request_plans }, { "searches", test_searches }, { "counts", test_counts },
	  { "request ids that collide", test_collision }, { "request ids, several at once", test_parallel }, { "clean", test_clean })
