/* Ledgers that programs of an older version have left. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "rules_world.h"

/* A ledger of the given version as a program of that time left it (tests/vectors/ledger), and what it did then. */
static struct db *ledger_of_version(int version, const char *then)
{
	static int number;
	const char *source = getenv("srcdir");
	struct buf sql = {0};
	char path[FILE_PATH], *text;
	struct db *db;
	struct err e;

	text = mem_fmt("%s/tests/vectors/ledger/version-%d.sql", source ? source : ".", version);
	CU_ASSERT_EQUAL_FATAL(file_read(&sql, text, 0, &e), 0);
	free(text);
	buf_str(&sql, then);
	text = mem_fmt("old %d.db", number++);
	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, folder, text), 0);
	free(text);
	db = db_open(path, &(const char *){ buf_text(&sql) }, 1, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	text = mem_fmt("PRAGMA user_version = %d", version);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, text), &e), 0);
	db_close(db);
	free(text);
	buf_free(&sql);
	db = ledger_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	return db;
}

/* Revocations from before they were numbered are on the list; new ones come behind them, each once. */
static void test_revocations(void)
{
	struct ledger_revocation v[8];
	struct db *db = ledger_of_version(2, "");
	size_t n;
	struct err e;

	CU_ASSERT_EQUAL(ledger_revocations(db, false, 0, v, 8, &n, &e), 0);
	CU_ASSERT_EQUAL_FATAL(n, 2);	/* the tombstone has no certificate */
	CU_ASSERT_STRING_EQUAL(v[0].serial, "1a");
	CU_ASSERT_STRING_EQUAL(v[0].reason, "superseded");
	CU_ASSERT_STRING_EQUAL(v[1].serial, "1b");
	CU_ASSERT_STRING_EQUAL(v[1].reason, "keyCompromise");
	CU_ASSERT(v[1].time == 1200 && v[1].expires == 0);
	CU_ASSERT_EQUAL(db_begin(db, &e), 0);
	CU_ASSERT_EQUAL(ledger_request_state(db, 3, CA_SUPERSEDED, "x", 2000, &e), 0);
	CU_ASSERT(ledger_revocations(db, false, v[1].n, v + 2, 6, &n, &e) == 0 && n == 1 && strcmp(v[2].reason, "superseded") == 0);
	CU_ASSERT_EQUAL(ledger_request_state(db, 3, CA_REVOKED, "superseded", 2100, &e), 0);
	CU_ASSERT_EQUAL(ledger_request_state(db, 4, CA_REVOKED, "superseded", 2100, &e), 0);
	CU_ASSERT_EQUAL(ledger_unit_revoke(db, "2a", "keyCompromise", 2200, &e), 1);
	CU_ASSERT_EQUAL(ledger_unit_revoke(db, "2a", "superseded", 2300, &e), 0);
	CU_ASSERT_EQUAL(db_commit(db, &e), 0);
	CU_ASSERT(ledger_revocations(db, false, v[1].n, v, 8, &n, &e) == 0 && n == 1);
	CU_ASSERT_STRING_EQUAL(v[0].serial, "1c");
	CU_ASSERT(ledger_revocations(db, false, v[0].n, v, 8, &n, &e) == 0 && n == 0);
	CU_ASSERT(ledger_revocations(db, false, 0, v, 2, &n, &e) == 0 && n == 2);	/* a page */
	CU_ASSERT(ledger_revocations(db, true, 0, v, 8, &n, &e) == 0 && n == 2);
	CU_ASSERT_STRING_EQUAL(v[0].serial, "2b");
	CU_ASSERT_STRING_EQUAL(v[1].serial, "2a");
	CU_ASSERT(v[1].time == 2200 && strcmp(v[1].reason, "keyCompromise") == 0);
	db_close(db);
}

static int remember(void *arg, const struct ledger_row *row)
{
	int64_t *of = arg;

	of[0]++;
	of[1] = row->r.n;
	of[2] = row->expires;
	return 0;
}

/* Certificates from before the ledger was searched by their keys are found, too; those that cannot be read are in no one's way. */
static void test_old_certificates(void)
{
	char *hex = mem_new(2 * ca_cert.der.len + 1, 1), *then;
	int64_t found[3] = {0};
	struct db *db;
	struct err e;

	text_hex(hex, ca_cert.der.data, ca_cert.der.len);
	then = mem_fmt("UPDATE request SET certificate = x'%s' WHERE n = 3;", hex);
	db = ledger_of_version(2, then);
	CU_ASSERT_EQUAL(ledger_list(db, &(struct ledger_filter){ .key = ca_cert.spki_sha256 }, remember, found, &e), 0);
	CU_ASSERT(found[0] == 1 && found[1] == 3 && found[2] == ca_cert.not_after);
	found[0] = 0;
	CU_ASSERT_EQUAL(ledger_list(db, &(struct ledger_filter){ .state = "revoked", .now = START }, remember, found, &e), 0);
	CU_ASSERT(found[0] == 2 && found[2] == 0);
	db_close(db);
	free(then);
	free(hex);
}

/* What the signer was not told yet when a ledger was brought here it is told by the device's serial, like what comes after. */
static void test_old_notes(void)
{
	struct sign_note note[3];
	struct db *db = ledger_of_version(11, "");
	int64_t last;
	size_t n;
	struct err e;

	CU_ASSERT_EQUAL(ledger_request_state(db, 2, CA_REVOKED, "keyCompromise", 2000, &e), 0);
	CU_ASSERT(ledger_notes(db, note, 3, &n, &last, &e) == 0 && n == 2 && last == 2);
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_STRING_EQUAL(note[i].serial, i == 0 ? "0001" : "0002");
		CU_ASSERT(note[i].certificate[0] == i + 1 && note[i].certificate[SHA256_LEN - 1] == i + 1);
		CU_ASSERT_EQUAL(note[i].active, i == 0);
	}
	/* no certificate twice */
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "UPDATE request SET certificate_serial = '1a' WHERE n = 2"), &e), -1);
	db_close(db);
}

static int count_known(void *arg, const struct ledger_row *row)
{
	int *n = arg;

	*n += row->r.n > 0;
	return 0;
}

/* Request ids from before they were found by a part of a hash: of one unit two whose parts are the same, one of them at another unit, too;
 * and what refers to these rows. */
static void test_old_ids(void)
{
	static const struct { const char *unit, *id; } rows[] = { { L1, "000000000000000016b2a844e0ce9fc0" }, { L1, "0000000000000000432df4e98bcec5e6" }, { L2, "000000000000000016b2a844e0ce9fc0" }, { L1, "00000000000000000000000000000004" } };
	struct db *db = ledger_of_version(12, "");
	struct ledger_request r = {0};
	struct ledger_revocation v[2];
	char by[UNIT_MAX] = "", from[UNIT_MAX] = "";
	int known = 0;
	size_t n;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CU_ASSERT(ledger_request_get(db, rows[i].unit, rows[i].id, &r, &e) == 1 && r.n == (int64_t)i + 1);
		CU_ASSERT(strcmp(r.unit, rows[i].unit) == 0 && strcmp(r.id.id, rows[i].id) == 0);
		snprintf(r.order, sizeof r.order, "%s", "");
		r.device = 0;
		r.state = CA_REVOKED;
		CU_ASSERT_EQUAL(ledger_request_add(db, "test", &r, START, &e), -1);
	}
	CU_ASSERT_EQUAL(ledger_request_get(db, L2, "0000000000000000432df4e98bcec5e6", &r, &e), 0);
	ledger_request_free(&r);
	CU_ASSERT(ledger_unit_requests(db, L1, 1, count_known, &known, &e) == 0 && known == 2);
	CU_ASSERT(ledger_takeover_told(db, 2, by, from, &e) == 0 && strcmp(by, L2) == 0 && !from[0]);
	CU_ASSERT(ledger_revocations(db, false, 0, v, 2, &n, &e) == 0 && n == 1 && strcmp(v[0].serial, "1b") == 0 && strcmp(v[0].reason, "superseded") == 0);
	/* the other guards and references are there again */
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "INSERT INTO takeover VALUES(99, 'line-1', 1, NULL)"), &e), -1);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "UPDATE request SET certificate_serial = '1a' WHERE n = 2"), &e), -1);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "UPDATE request SET state = 'pending' WHERE n = 2"), &e), -1);
	CU_ASSERT_EQUAL(ledger_request_state(db, 1, CA_REVOKED, "keyCompromise", START, &e), 0);
	CU_ASSERT_EQUAL(ledger_note_waits(db, (const uint8_t *)"11111111111111111111111111111111", &e), 1);
	CU_ASSERT_EQUAL(db_step(db_stmt(db, "PRAGMA foreign_key_check"), &e), 0);
	db_close(db);
}

UNIT_MAIN("ca older", { "keys", test_keys }, { "revocations", test_revocations }, { "old certificates", test_old_certificates },
	  { "old notes", test_old_notes }, { "old request ids", test_old_ids }, { "clean", test_clean })
