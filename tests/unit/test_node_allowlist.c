#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "audit_head.h"
#include "allowlist.h"
#include "file.h"
#include "import.h"
#include "mem.h"
#include "unit.h"

#define NOW 1795000000		/* 2026-11-18 */

static const struct makers none, one = { { "Acme Devices" }, 1 }, two = { { "Acme Devices", "Bolt \"B\" Works" }, 2 };

static void parse_for(struct allowlist *al, const char *text, const struct makers *makers)
{
	struct buf b = {0};

	buf_str(&b, text);
	allowlist_parse(al, "list.yaml", &b, makers, NOW);
	buf_free(&b);
}

static void parse(struct allowlist *al, const char *text)
{
	parse_for(al, text, &none);
}

/* ---- faults, each at its exact place ---- */
static const struct {
	const char *text, *place, *word;
} faults[] = {
	{ "version: 1\ndevices:\n  - serial: 00020001\n", "list.yaml:3:13: error[Y-UNQUOTED]: ", "read it as 8193" },
	{ "version: 1\ndevices:\n  - serial: 12345\n", "list.yaml:3:13: error[Y-UNQUOTED]: ", "write \"12345\"" },
	{ "version: 1\ndevices:\n  - serial: no\n", "list.yaml:3:13: error[Y-UNQUOTED]: ", "serial no" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    stat: blocked\n",
	  "list.yaml:4:5: error[Y-FIELD]: ", "did you mean \"state\"?" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    owner: me\n",
	  "list.yaml:4:5: error[Y-FIELD]: ", "unknown key \"owner\"" },
	{ "version: 1\ndevices:\n  - serial: [1]\n", "list.yaml:3:13: error[Y-FIELD]: ", "\"serial\" needs one value" },
	{ "version: 1\ndevices:\n  - model: \"x\"\n", "list.yaml:3:5: error[Y-FIELD]: ", "\"serial\" is missing" },
	{ "version: 1\ndevices:\n  - \"1\"\n", "list.yaml:3:5: error[Y-FIELD]: ", "keys and values" },
	{ "version: 1\ndevices: yes\n", "list.yaml:2:10: error[Y-FIELD]: ", "a list" },
	{ "version: 1\ndevices:\n", "list.yaml:2:9: error[Y-FIELD]: ", "[] if none is meant" },
	{ "devices: []\n", "list.yaml:1:1: error[Y-FIELD]: ", "\"version\" is missing" },
	{ "version: 2\n", "list.yaml:1:10: error[Y-VERSION]: ", "version: 1" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    serial: \"2\"\n", "list.yaml:4:5: error[Y-SYNTAX]: ", "twice" },
	{ "version: 1\ndevices:\n\t- serial: \"1\"\n", "list.yaml:3:1: error[Y-SYNTAX]: ", "" },
	{ "version: 1\ndevices: &a []\n", "list.yaml:2:10: error[Y-SYNTAX]: ", "anchor" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n  - serial: \"1\"\n",
	  "list.yaml:4:5: error[A-DUPLICATE]: ", "first in line 3" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    model: \"b\"\n  - serial: \"1\"\n",
	  "list.yaml:5:5: error[A-DUPLICATE]: ", "give each its model" },
	{ "version: 1\ndevices:\n  - serial: \"a b\"\n", "list.yaml:3:13: error[A-SERIAL]: ", "is not a serial" },
	{ "version: 1\ndevices:\n  - serial: \"../x\"\n", "list.yaml:3:13: error[A-SERIAL]: ", "is not a serial" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    model: \" x\"\n", "list.yaml:4:12: error[A-NAME]: ", "model" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    state: block\n",
	  "list.yaml:4:12: error[A-STATE]: ", "allowed, blocked" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    expires: \"2026-02-30\"\n",
	  "list.yaml:4:14: error[A-EXPIRES]: ", "2026-12-31" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    expires: soon\n", "list.yaml:4:14: error[A-EXPIRES]: ", "soon" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    glob: \"1*\"\n", "list.yaml:3:5: error[Y-FIELD]: ", "leave one" },
	{ "version: 1\ndevices:\n  - glob: GW*\n", "list.yaml:3:11: error[Y-UNQUOTED]: ", "write \"GW*\"" },
	{ "version: 1\ndevices:\n  - glob: \"a/*\"\n", "list.yaml:3:11: error[A-SERIAL]: ", "is not a glob" },
	{ "version: 1\ndevices:\n  - serial: \"GW*\"\n", "list.yaml:3:13: error[A-SERIAL]: ", "is not a serial" },
	{ "version: 1\ndevices:\n  - range: \"1-2\"\n", "list.yaml:3:12: error[Y-FIELD]: ", "range" },
	{ "version: 1\ndevices:\n  - range: {from: \"1\"}\n", "list.yaml:3:12: error[Y-FIELD]: ", "\"to\" is missing" },
	{ "version: 1\ndevices:\n  - range: {from: 1, to: \"2\"}\n", "list.yaml:3:19: error[Y-UNQUOTED]: ", "write \"1\"" },
	{ "version: 1\ndevices:\n  - range: {from: \"1\", to: \"20\"}\n", "list.yaml:3:28: error[A-RANGE]: ", "same length" },
	{ "version: 1\ndevices:\n  - range: {from: \"A1\", to: \"B2\"}\n", "list.yaml:3:29: error[A-RANGE]: ", "no range" },
	{ "version: 1\ndevices:\n  - range: {from: \"30\", to: \"20\"}\n", "list.yaml:3:29: error[A-RANGE]: ", "larger" },
	{ "version: 1\ndevices:\n  - glob: \"G*\"\n  - glob: \"G*\"\n",
	  "list.yaml:4:5: error[A-DUPLICATE]: ", "first in line 3" },
	{ "version: 1\ndevices:\n  - range: {from: \"10\", to: \"30\"}\n  - range: {from: \"20\", to: \"40\"}\n    model: \"b\"\n",
	  "list.yaml:4:5: warning[A-OVERLAP]: ", "line 3" },
	{ "version: 1\ndevices:\n  - serial: \"1\"\n    expires: \"2025-01-01\"\n",
	  "list.yaml:4:14: warning[A-EXPIRED]: ", "2025-01-01" },
};

static void test_faults(void)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct allowlist al = {0};
		struct buf text = {0};

		parse(&al, faults[i].text);
		CU_ASSERT_EQUAL(al.problems.n, 1);
		if (al.problems.n)
			problem_text(&al.problems.of[0], &text);
		if (strncmp(buf_text(&text), faults[i].place, strlen(faults[i].place)) != 0 ||
		    !strstr(buf_text(&text), faults[i].word)) {
			printf("\n  wanted %s...%s\n  got    %s\n", faults[i].place, faults[i].word, buf_text(&text));
			CU_FAIL("finding");
		}
		buf_free(&text);
		allowlist_free(&al);
	}
}

static void test_all_faults_at_once(void)
{
	struct allowlist al = {0};
	struct err e = {0};

	parse(&al,
	      "version: 1\ndevices:\n  - serial: 5\n  - serial: \"1\"\n    stat: x\n  - serial: \"2\"\n  - serial: \"2\"\n");
	CU_ASSERT_EQUAL(al.problems.errors, 3);
	CU_ASSERT_EQUAL(al.problems.of[0].line, 3);
	CU_ASSERT_EQUAL(al.problems.of[1].line, 5);
	CU_ASSERT_EQUAL(al.problems.of[2].line, 7);
	CU_ASSERT_EQUAL(allowlist_refuse(&al, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "list.yaml:3:13: error[Y-UNQUOTED]"));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "lint"));
	allowlist_free(&al);
}

/* Warnings beyond what anybody reads hide no error. */
static void test_an_error_after_many_warnings(void)
{
	struct allowlist al = {0};
	struct buf text = {0};

	buf_str(&text, "version: 1\ndevices:\n");
	for (int i = 0; i < PROBLEMS_MAX + 10; i++)
		buf_fmt(&text, "  - {serial: \"%d\", expires: \"2025-01-01\"}\n", i);
	buf_str(&text, "  - serial: 5\n");
	allowlist_parse(&al, "list.yaml", &text, &none, NOW);
	CU_ASSERT_EQUAL(al.problems.warnings, PROBLEMS_MAX + 10);
	CU_ASSERT_EQUAL(al.problems.errors, 1);
	CU_ASSERT_EQUAL(al.problems.n, PROBLEMS_MAX + 1);
	buf_free(&text);
	allowlist_free(&al);
}

static void test_values(void)
{
	struct allowlist al = {0};

	parse(&al,
	      "version: 1\ndevices:\n  - serial: \"00020001\"\n    manufacturer: \"Acme Devices\"\n    model: \"gateway-b\"\n"
	      "    state: blocked\n    expires: \"2026-12-31\"\n    note: RMA 8812\n  - serial: 'x-1'\n    expires: 2027-01-02T03:04:05Z\n");
	CU_ASSERT_EQUAL(al.problems.errors + al.problems.warnings, 0);
	CU_ASSERT_EQUAL_FATAL(al.n, 2);
	CU_ASSERT_STRING_EQUAL(al.entry[0].device.serial, "00020001");
	CU_ASSERT_STRING_EQUAL(al.entry[0].device.manufacturer, "Acme Devices");
	CU_ASSERT_STRING_EQUAL(al.entry[0].device.model, "gateway-b");
	CU_ASSERT_STRING_EQUAL(al.entry[0].note, "RMA 8812");
	CU_ASSERT(al.entry[0].blocked);
	CU_ASSERT_EQUAL(al.entry[0].expires, 1798761599);	/* the whole day counts */
	CU_ASSERT_EQUAL(al.entry[0].line, 3);
	CU_ASSERT(!al.entry[1].blocked);
	CU_ASSERT_EQUAL(al.entry[1].expires, 1798859045);
	allowlist_free(&al);
	/* two models may share a serial */
	parse(&al, "version: 1\ndevices:\n  - serial: \"1\"\n    model: \"b\"\n  - serial: \"1\"\n    model: \"a\"\n");
	CU_ASSERT_EQUAL(al.problems.errors, 0);
	CU_ASSERT_EQUAL(al.n, 2);
	allowlist_free(&al);
}

/* ---- appending ---- */
static const struct {
	const char *before, *after;
} appends[] = {
	{ "version: 1\ndevices: []\n", "version: 1\ndevices:\n  # new\n  - serial: \"7\"\n    model: \"b\"\n" },
	{ "version: 1\ndevices: []   # none yet\n# end\n",
	  "version: 1\ndevices:\n  # new\n  - serial: \"7\"\n    model: \"b\"\n   # none yet\n# end\n" },
	{ "version: 1\n", "version: 1\ndevices:\n  # new\n  - serial: \"7\"\n    model: \"b\"\n" },
	{ "# head\nversion: 1\n\ndevices:\n  # gate\n  - serial: \"1\"   # ask Maria\n    note: |\n      two\n      lines\n",
	  "# head\nversion: 1\n\ndevices:\n  # gate\n  - serial: \"1\"   # ask Maria\n    note: |\n      two\n      lines\n"
	  "  # new\n  - serial: \"7\"\n    model: \"b\"\n" },
	{ "version: 1\ndevices:\n- serial: \"1\"",
	  "version: 1\ndevices:\n- serial: \"1\"\n# new\n- serial: \"7\"\n  model: \"b\"\n" },
	{ "devices:\n    - serial: \"1\"\nversion: 1\n",
	  "devices:\n    - serial: \"1\"\n    # new\n    - serial: \"7\"\n      model: \"b\"\nversion: 1\n" },
};

static void test_append(void)
{
	struct device_id d = { .manufacturer = "m", .model = "b", .serial = "7" };

	for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
		struct buf text = {0};
		struct err e = {0};

		buf_str(&text, appends[i].before);
		CU_ASSERT_EQUAL(allowlist_append(&text, "list.yaml", &none, &d, 1, "new", &e), 0);
		if (strcmp(buf_text(&text), appends[i].after) != 0) {
			printf("\n%zu: %s\n%s", i, e.text, buf_text(&text));
			CU_FAIL("append");
		}
		buf_free(&text);
	}
}

static void test_append_refused(void)
{
	static const char *const texts[] = {
		"version: 1\ndevices: [{serial: \"1\"}]\n", /* in brackets */
		"version: 1\ndevices:\n  - serial: 1\n", /* wrong as it is */
		"version: 1\ndevices:\n  - serial: \"1\"\n...\n", /* a document end: the result would not be what was meant */
	};
	struct device_id d = { .manufacturer = "m", .model = "b", .serial = "7" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf text = {0};
		struct err e = {0};

		buf_str(&text, texts[i]);
		CU_ASSERT_EQUAL(allowlist_append(&text, "list.yaml", &none, &d, 1, "new", &e), -1);
		CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "list.yaml"));
		buf_free(&text);
	}
}

/* ---- against the database ---- */
static struct db *open_db(struct err *e)
{
	char path[FILE_PATH];

	file_join(path, e, unit_folder(), "node.db");
	return store_open(path, e);
}

/* A database of version 3, from before there were several manufacturers, and marks: its manifests are the one manufacturer's. */
static void test_migration(void)
{
	static const char *const back[] = {
		"DROP TRIGGER mark_request", "DROP TRIGGER mark_state", "DROP TRIGGER mark_outbox", "DROP TABLE mark",
		"DROP TABLE audit_head", "DROP TABLE audit_signer", "DROP TABLE recovering", "ALTER TABLE request DROP COLUMN held",
		"DROP TABLE manifest",
		"CREATE TABLE manifest(sequence INTEGER PRIMARY KEY, sha256 BLOB NOT NULL, time INTEGER NOT NULL,"
		" imported INTEGER NOT NULL, devices INTEGER NOT NULL)",
		"INSERT INTO manifest VALUES(7, x'07', 1, 1, 1)",
		"INSERT INTO shipped VALUES('1', 'Acme Devices', 'b', 7, x'01', NULL)",
		"DROP TABLE pattern",
		"PRAGMA user_version = 3",
	};
	char path[FILE_PATH];
	uint8_t sha256[SHA256_LEN];
	char mark[CA_MARK_LEN + 1];
	struct audit_head h;
	struct err e = {0};
	struct db *db;
	int64_t n;

	file_join(path, &e, unit_folder(), "old.db");
	db = store_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	for (size_t i = 0; i < ARRAY_LEN(back); i++)
		CU_ASSERT_EQUAL_FATAL(db_run(db_stmt(db, back[i]), &e), 0);
	db_close(db);
	db = store_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL(store_manifest_get(db, "Acme Devices", 7, sha256, &e), 1);
	CU_ASSERT_EQUAL(store_manifest_get(db, "Bolt Works", 7, sha256, &e), 0);
	CU_ASSERT_EQUAL(store_mark_last(db, &n, mark, &e), 0);
	CU_ASSERT_EQUAL(store_hold_certified(db, &e), 0);
	CU_ASSERT(audit_head_last(db, &h, &e) == 0 && h.at.n == 0);
	db_close(db);
}

static int apply(struct db *db, struct allowlist *al, struct err *e)
{
	int ended, rc;

	CU_ASSERT_EQUAL_FATAL(db_begin(db, e), 0);
	rc = allowlist_apply(db, al, "test", NOW, &ended, e);
	if (rc == 0)
		rc = db_commit(db, e);
	else
		db_rollback(db);
	return rc;
}

static void count_change(void *arg, const struct change *c)
{
	int *counts = arg;

	counts[c->kind]++;
}

static void test_apply(void)
{
	struct err e = {0};
	struct db *db = open_db(&e);
	struct device_id d = { .manufacturer = "m", .model = "b", .serial = "1" };
	struct allowlist al = {0};
	struct allow_entry a;
	int counts[3] = {0};
	bool other;

	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	parse(&al, "version: 1\ndevices:\n  - serial: \"1\"\n    model: \"b\"\n  - serial: \"2\"\n");
	CU_ASSERT_EQUAL(allowlist_compare(db, &al, count_change, counts, &e), 1);
	CU_ASSERT_EQUAL(counts[CHANGE_NEW], 2);
	CU_ASSERT_EQUAL(apply(db, &al, &e), 0);
	CU_ASSERT_EQUAL(allowlist_compare(db, &al, NULL, NULL, &e), 0);
	CU_ASSERT_EQUAL(store_allow_get(db, &d, &a, &other, &e), 1);
	strcpy(d.model, "c");
	CU_ASSERT_EQUAL(store_allow_get(db, &d, &a, &other, &e), 0);
	CU_ASSERT(other);
	strcpy(d.serial, "2");
	CU_ASSERT_EQUAL(store_allow_get(db, &d, &a, &other, &e), 1);
	/* a wrong list changes nothing */
	parse(&al, "version: 1\ndevices:\n  - serial: \"3\"\n  - serial: 4\n");
	CU_ASSERT_EQUAL(apply(db, &al, &e), -1);
	CU_ASSERT_EQUAL(store_allow_get(db, &d, &a, &other, &e), 1);
	memset(counts, 0, sizeof counts);
	parse(&al, "version: 1\ndevices:\n  - serial: \"2\"\n    state: blocked\n  - serial: \"3\"\n");
	CU_ASSERT_EQUAL(allowlist_compare(db, &al, count_change, counts, &e), 1);
	CU_ASSERT_EQUAL(counts[CHANGE_NEW], 1);
	CU_ASSERT_EQUAL(counts[CHANGE_GONE], 1);
	CU_ASSERT_EQUAL(counts[CHANGE_OTHER], 1);
	allowlist_free(&al);
	db_close(db);
}

/* ---- ranges and globs ---- */
static int line_of(struct db *db, const char *serial, const char *model)
{
	struct device_id d = { .manufacturer = "m" };
	struct allow_entry a;
	struct err e;
	bool other;

	strcpy(d.serial, serial);
	strcpy(d.model, model);
	return store_allow_get(db, &d, &a, &other, &e) == 1 ? a.line : other ? -1 : 0;
}

static void test_patterns(void)
{
	struct err e = {0};
	struct db *db = open_db(&e);
	struct allowlist al = {0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	parse(&al, "version: 1\ndevices:\n"
		   "  - glob: \"*\"\n    model: \"c\"\n"				/* 3 */
		   "  - glob: \"GW-?-*5\"\n"						/* 5 */
		   "  - range: {from: \"GW-0100\", to: \"GW-0199\"}\n    model: \"b\"\n"	/* 6 */
		   "  - range: {from: \"GW-0150\", to: \"GW-0150\"}\n    state: blocked\n"	/* 8 */
		   "  - serial: \"GW-0160\"\n    note: mine\n"				/* 10 */
		   "  - glob: \"GW-X-*\"\n    state: blocked\n");			/* 12 */
	CU_ASSERT_EQUAL(al.problems.errors, 0);
	CU_ASSERT_EQUAL(al.n, 6);
	CU_ASSERT_EQUAL(apply(db, &al, &e), 0);
	CU_ASSERT_EQUAL(allowlist_compare(db, &al, NULL, NULL, &e), 0);
	CU_ASSERT_EQUAL(line_of(db, "GW-0100", "b"), 6);
	CU_ASSERT_EQUAL(line_of(db, "GW-0199", "b"), 6);
	CU_ASSERT_EQUAL(line_of(db, "GW-0200", "b"), -1);	/* the glob of another model has it */
	CU_ASSERT_EQUAL(line_of(db, "GW-015A", "b"), -1);	/* between the two as text, but no number */
	CU_ASSERT_EQUAL(line_of(db, "GW-01000", "b"), -1);
	CU_ASSERT_EQUAL(line_of(db, "GW-0150", "b"), 8);	/* what blocks goes before */
	CU_ASSERT_EQUAL(line_of(db, "GW-0160", "b"), 10);	/* the device's own entry before all */
	CU_ASSERT_EQUAL(line_of(db, "anything", "c"), 3);
	CU_ASSERT_EQUAL(line_of(db, "GW-1-5", "b"), 5);
	CU_ASSERT_EQUAL(line_of(db, "GW-1-4545", "b"), 5);
	CU_ASSERT_EQUAL(line_of(db, "GW-1-54", "b"), -1);
	CU_ASSERT_EQUAL(line_of(db, "GW-11-5", "b"), -1);
	CU_ASSERT_EQUAL(line_of(db, "GW-X-5", "b"), 12);
	parse(&al, "version: 1\ndevices:\n  - range: {from: \"1\", to: \"2\"}\n");
	CU_ASSERT_EQUAL(allowlist_compare(db, &al, NULL, NULL, &e), 1);
	CU_ASSERT_EQUAL(apply(db, &al, &e), 0);
	CU_ASSERT_EQUAL(line_of(db, "anything", "c"), 0);
	CU_ASSERT_EQUAL(line_of(db, "2", "c"), 3);
	parse(&al, "version: 1\ndevices:\n  - range: {from: \"1\", to: \"3\"}\n");	/* the end alone differs */
	CU_ASSERT_EQUAL(allowlist_compare(db, &al, NULL, NULL, &e), 1);
	allowlist_free(&al);
	db_close(db);
}

/* A manifest adds an entry of its own for a device that a range has: from then on its certificate is compared. */
static void test_import_into_range(void)
{
	struct manifest_entry entry = { .device = { "m", "b", "10" } };
	struct manifest m = { .customer = "c", .sequence = 5, .time = NOW, .entry = &entry, .n = 1 };
	struct allowlist al = {0};
	struct buf text = {0};
	size_t added;
	struct err e;

	buf_str(&text, "version: 1\ndevices:\n  - range: {from: \"10\", to: \"20\"}\n");
	CU_ASSERT_EQUAL(import_append(&text, "list.yaml", &none, &m, &added, &e), 0);
	CU_ASSERT_EQUAL(added, 1);
	parse(&al, buf_text(&text));
	CU_ASSERT(al.n == 2 && al.problems.errors == 0 && al.entry[0].kind == ALLOW_RANGE && al.entry[1].kind == ALLOW_SERIAL);
	allowlist_free(&al);
	buf_free(&text);
}

/* ---- manifests ---- */
static int record(struct db *db, const struct manifest *m, uint8_t hash, struct err *e)
{
	uint8_t sha256[SHA256_LEN] = { hash };
	int rc;

	CU_ASSERT_EQUAL_FATAL(db_begin(db, e), 0);
	rc = import_record(db, m, sha256, "test", NOW, e);
	if (rc == 0)
		rc = db_commit(db, e);
	else
		db_rollback(db);
	return rc;
}

static void test_manifest(void)
{
	struct manifest_entry entry[2] = {
		{ .device = { "m", "b", "1" }, .certificate = { 1 } }, { .device = { "m", "b", "2" }, .certificate = { 2 } },
	};
	struct manifest m = { .customer = "c", .sequence = 5, .time = NOW, .entry = entry, .n = 2 };
	struct err e = {0};
	struct db *db = open_db(&e);
	uint8_t got[SHA256_LEN];
	uint64_t sequence;
	struct buf text = {0};
	size_t added;

	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL(record(db, &m, 1, &e), 0);
	CU_ASSERT_EQUAL(record(db, &m, 1, &e), 0);	/* again: nothing new */
	CU_ASSERT_EQUAL(record(db, &m, 2, &e), -1);	/* another one of that number */
	m.sequence = 4;
	entry[1].certificate[0] = 9;
	CU_ASSERT_EQUAL(record(db, &m, 3, &e), -1);	/* older */
	CU_ASSERT_EQUAL(e.code, REASON_BLOCKED);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "older"));
	CU_ASSERT_EQUAL(store_shipped_get(db, &entry[1].device, &sequence, got, &e), 1);
	CU_ASSERT_EQUAL(got[0], 2);
	CU_ASSERT_EQUAL(sequence, 5);
	m.sequence = 6;
	CU_ASSERT_EQUAL(record(db, &m, 4, &e), 0);	/* newer: a reworked unit */
	CU_ASSERT_EQUAL(store_shipped_get(db, &entry[1].device, &sequence, got, &e), 1);
	CU_ASSERT_EQUAL(got[0], 9);
	m.sequence = 5;
	m.n = 1;
	CU_ASSERT_EQUAL(record(db, &m, 1, &e), -1);	/* it was imported, and is older by now */
	CU_ASSERT_EQUAL(e.code, REASON_BLOCKED);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "older than manifest 6"));
	m.sequence = 6;
	m.n = 2;
	CU_ASSERT_EQUAL(record(db, &m, 4, &e), 0);	/* the newest again: nothing new */
	m.sequence = 7;
	m.n = 1;
	CU_ASSERT_EQUAL(record(db, &m, 5, &e), 0);	/* one of the two is shipped once more */
	m.sequence = 6;
	m.n = 2;
	e.text[0] = '\0';
	CU_ASSERT_EQUAL(record(db, &m, 4, &e), -1);	/* one that is newer is enough */
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "older than manifest 7"));
	CU_ASSERT_EQUAL(store_shipped_get(db, &entry[1].device, &sequence, got, &e), 1);
	CU_ASSERT_EQUAL(sequence, 6);
	db_close(db);

	buf_str(&text, "version: 1\ndevices:\n  - serial: \"2\"  # mine\n");
	CU_ASSERT_EQUAL(import_append(&text, "list.yaml", &none, &m, &added, &e), 0);
	CU_ASSERT_EQUAL(added, 1);
	CU_ASSERT_STRING_EQUAL(buf_text(&text), "version: 1\ndevices:\n  - serial: \"2\"  # mine\n"
		"  # manifest 6 of 2026-11-18, 1 device\n  - serial: \"1\"\n    model: \"b\"\n");
	CU_ASSERT_EQUAL(import_append(&text, "list.yaml", &none, &m, &added, &e), 0);
	CU_ASSERT_EQUAL(added, 0);
	buf_free(&text);
}

/* ---- several manufacturers ---- */
static const struct {
	const struct makers *makers;
	const char *text, *finding, *word, *maker;
} maker_cases[] = {
	{ &none, "version: 1\ndevices:\n  - serial: \"1\"\n", "", "", "" },
	{ &one, "version: 1\ndevices:\n  - serial: \"1\"\n", "", "", "Acme Devices" },
	{ &one, "version: 1\ndevices:\n  - serial: \"1\"\n    manufacturer: Acme Devices\n", "", "", "Acme Devices" },
	{ &one, "version: 1\ndevices:\n  - serial: \"1\"\n    manufacturer: Acme\n",
	  "list.yaml:4:19: warning[A-UNKNOWN]: ", "\"Acme Devices\"", "Acme" },
	{ &one, "version: 1\ndevices:\n  - serial: \"1\"\n  - serial: \"1\"\n    manufacturer: Acme Devices\n",
	  "list.yaml:4:5: error[A-DUPLICATE]: ", "first in line 3", "Acme Devices" },
	{ &two, "version: 1\ndevices:\n  - serial: \"1\"\n",
	  "list.yaml:3:13: error[A-MANUFACTURER]: ", "\"Bolt \"B\" Works\"", "" },
	{ &two, "version: 1\ndevices:\n  - serial: \"1\"\n    model: b\n    manufacturer: Acme Devices\n"
	  "  - serial: \"1\"\n    model: b\n    manufacturer: 'Bolt \"B\" Works'\n", "", "", "Acme Devices" },
};

static void test_makers(void)
{
	for (size_t i = 0; i < ARRAY_LEN(maker_cases); i++) {
		struct allowlist al = {0};
		struct buf text = {0};

		parse_for(&al, maker_cases[i].text, maker_cases[i].makers);
		CU_ASSERT_EQUAL(al.problems.n, maker_cases[i].finding[0] ? 1 : 0);
		if (al.problems.n)
			problem_text(&al.problems.of[0], &text);
		if (strncmp(buf_text(&text), maker_cases[i].finding, strlen(maker_cases[i].finding)) != 0 ||
		    !strstr(buf_text(&text), maker_cases[i].word)) {
			printf("\n  %zu: wanted %s\n  got %s\n", i, maker_cases[i].finding, buf_text(&text));
			CU_FAIL("finding");
		}
		CU_ASSERT_STRING_EQUAL(al.entry[0].device.manufacturer, maker_cases[i].maker);
		buf_free(&text);
		allowlist_free(&al);
	}
}

static void test_makers_append(void)
{
	static const struct device_id a = { "Acme Devices", "b", "1" }, b = { "Bolt \"B\" Works", "b", "1" };
	struct manifest_entry entry = { .device = a };
	struct manifest m = { .customer = "c", .sequence = 1, .time = NOW, .entry = &entry, .n = 1 };
	struct buf text = {0};
	struct err e = {0};
	size_t added;

	buf_str(&text, "version: 1\n");
	CU_ASSERT_EQUAL(import_append(&text, "list.yaml", &one, &m, &added, &e), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&text), "version: 1\ndevices:\n  # manifest 1 of 2026-11-18, 1 device\n"
		"  - serial: \"1\"\n    model: \"b\"\n");
	entry.device = b;
	CU_ASSERT_EQUAL(import_append(&text, "list.yaml", &two, &m, &added, &e), -1);	/* the list must say whose its serial is */
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "list.yaml:4:13: error[A-MANUFACTURER]"));
	buf_clear(&text);
	buf_str(&text, "version: 1\ndevices:\n  - serial: \"1\"\n    manufacturer: Acme Devices\n");
	CU_ASSERT_EQUAL(import_append(&text, "list.yaml", &two, &m, &added, &e), 0);
	CU_ASSERT_EQUAL(added, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&text),
		"  - serial: \"1\"\n    manufacturer: \"Bolt \\\"B\\\" Works\"\n    model: \"b\"\n"));
	buf_free(&text);
}

/* The same serial and model of two factories: two devices. */
static void test_makers_store(void)
{
	static const struct device_id a = { "Acme Devices", "b", "1" }, b = { "Bolt \"B\" Works", "b", "1" };
	struct manifest_entry entry = { .device = a, .certificate = { 1 } };
	struct manifest m = { .customer = "c", .sequence = 1, .time = NOW, .entry = &entry, .n = 1 };
	struct allowlist al = {0};
	struct allow_entry got;
	struct err e = {0};
	struct db *db = open_db(&e);
	uint8_t hash[SHA256_LEN];
	uint64_t sequence;
	bool other;

	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL(record(db, &m, 1, &e), 0);
	entry = (struct manifest_entry){ .device = b, .certificate = { 2 } };
	CU_ASSERT_EQUAL(record(db, &m, 2, &e), 0);	/* its number 1, too */
	CU_ASSERT_EQUAL(store_shipped_get(db, &a, &sequence, hash, &e), 1);
	CU_ASSERT_EQUAL(hash[0], 1);
	CU_ASSERT_EQUAL(store_shipped_get(db, &b, &sequence, hash, &e), 1);
	CU_ASSERT_EQUAL(hash[0], 2);
	parse_for(&al, "version: 1\ndevices:\n  - serial: \"1\"\n", &one);
	CU_ASSERT_EQUAL(apply(db, &al, &e), 0);
	CU_ASSERT_EQUAL(store_allow_get(db, &a, &got, &other, &e), 1);
	CU_ASSERT_EQUAL(store_allow_get(db, &b, &got, &other, &e), 0);
	CU_ASSERT_EQUAL(store_shipped_any(db, "1", "Bolt \"B\" Works", &e), 1);
	CU_ASSERT_EQUAL(store_shipped_any(db, "1", "Acme", &e), 0);
	/* what was applied before there was a handoff is the first manufacturer's */
	parse(&al, "version: 1\ndevices:\n  - serial: \"1\"\n");
	CU_ASSERT_EQUAL(apply(db, &al, &e), 0);
	CU_ASSERT_EQUAL(store_allow_get(db, &b, &got, &other, &e), 1);
	CU_ASSERT_EQUAL(store_allow_name(db, a.manufacturer, &e), 0);
	CU_ASSERT_EQUAL(store_allow_get(db, &a, &got, &other, &e), 1);
	CU_ASSERT_EQUAL(store_allow_get(db, &b, &got, &other, &e), 0);
	allowlist_free(&al);
	db_close(db);
}

UNIT_MAIN("node allowlist", { "faults", test_faults }, { "all faults at once", test_all_faults_at_once },
	  { "an error after many warnings", test_an_error_after_many_warnings },
	  { "values", test_values }, { "append", test_append }, { "append refused", test_append_refused },
	  { "apply", test_apply }, { "patterns", test_patterns }, { "import into a range", test_import_into_range }, { "manifest", test_manifest },
	  { "older database", test_migration }, { "manufacturers", test_makers }, { "manufacturers, appended", test_makers_append },
	  { "manufacturers, stored", test_makers_store })
