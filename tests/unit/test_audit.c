#include <config.h>

#include <string.h>

#include "audit.h"
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

UNIT_MAIN("audit", { "good", test_good }, { "changed", test_changed }, { "removed", test_removed },
	  { "reordered", test_reordered })
