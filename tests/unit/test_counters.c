#include <config.h>

#include "counters.h"

#include <string.h>

#include "file.h"
#include "unit.h"

#define HOUR 3600
#define NOON 1795348800	/* some day */

static void test_yield(void)
{
	struct counters c = {0};
	struct count none = {0};

	CU_ASSERT_EQUAL(counters_yield(&none), -1);
	counters_unit(&c, "A", "1", true, NOON, 0);
	counters_unit(&c, "A", "2", false, NOON, 0);
	counters_unit(&c, "A", "2", true, NOON, 0);	/* its second try is in the shift, not in first-pass */
	counters_unit(&c, "B", "3", true, NOON, 0);
	CU_ASSERT_EQUAL(c.shift.pass, 3);
	CU_ASSERT_EQUAL(c.shift.fail, 1);
	CU_ASSERT_EQUAL(c.first.pass, 2);
	CU_ASSERT_EQUAL(c.first.fail, 1);
	CU_ASSERT_EQUAL(counters_yield(&c.shift), 750);
	CU_ASSERT_EQUAL(counters_yield(&c.first), 667);
	CU_ASSERT_EQUAL(counters_order(&c, "A").pass, 2);
	CU_ASSERT_EQUAL(counters_order(&c, "A").fail, 1);
	CU_ASSERT_EQUAL(counters_order(&c, "B").pass, 1);
	CU_ASSERT_EQUAL(counters_order(&c, "C").pass, 0);
	/* Nobody knows whether these two are the same. */
	counters_unit(&c, "A", "", false, NOON, 0);
	counters_unit(&c, "A", "", false, NOON, 0);
	CU_ASSERT_EQUAL(c.first.fail, 3);
}

static void test_shift(void)
{
	struct counters c = {0};

	counters_unit(&c, "A", "1", false, NOON, 8 * HOUR);
	CU_ASSERT_EQUAL(c.shift_start, NOON);
	counters_unit(&c, "A", "2", true, NOON + 8 * HOUR - 1, 8 * HOUR);
	CU_ASSERT_EQUAL(c.shift.pass + c.shift.fail, 2);
	CU_ASSERT(!counters_shift_over(&c, NOON + 8 * HOUR - 1, 8 * HOUR));
	CU_ASSERT(counters_shift_over(&c, NOON + 8 * HOUR, 8 * HOUR));
	CU_ASSERT(!counters_shift_over(&c, NOON + 800 * HOUR, 0));
	counters_unit(&c, "A", "1", true, NOON + 8 * HOUR, 8 * HOUR);
	CU_ASSERT_EQUAL(c.shift.pass, 1);
	CU_ASSERT_EQUAL(c.shift.fail, 0);
	CU_ASSERT_EQUAL(c.first.pass, 1);	/* the failure was another shift's */
	CU_ASSERT_EQUAL(counters_order(&c, "A").pass, 2);	/* an order goes on */
	counters_new_shift(&c, NOON + 9 * HOUR);
	CU_ASSERT_EQUAL(c.shift.pass, 0);
	CU_ASSERT_EQUAL(counters_order(&c, "A").fail, 1);
}

/* What is kept is bounded; the oldest goes first. */
static void test_bounds(void)
{
	struct counters c = {0};
	char name[16];

	for (int i = 0; i < COUNTERS_FAILED + 10; i++) {
		snprintf(name, sizeof name, "%08d", i);
		counters_unit(&c, "A", name, false, NOON, 0);
	}
	CU_ASSERT_EQUAL(c.n_failed, COUNTERS_FAILED);
	CU_ASSERT_STRING_EQUAL(c.failed[0], "00000010");
	for (int i = 0; i < COUNTERS_ORDERS + 2; i++) {
		snprintf(name, sizeof name, "O%d", i);
		counters_unit(&c, name, "x", true, NOON, 0);
		counters_unit(&c, "A", "y", true, NOON, 0);	/* in use: stays */
	}
	CU_ASSERT_EQUAL(c.n_orders, COUNTERS_ORDERS);
	CU_ASSERT_EQUAL(counters_order(&c, "A").pass, COUNTERS_ORDERS + 2);
	CU_ASSERT_EQUAL(counters_order(&c, "O0").pass, 0);
	CU_ASSERT_EQUAL(counters_order(&c, "O17").pass, 1);
}

static void test_file(void)
{
	struct counters a = {0}, b;
	const char *dir = unit_folder();
	struct err e = {0};

	CU_ASSERT_EQUAL(counters_load(&b, dir, &e), 0);
	CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof a), 0);
	CU_ASSERT_EQUAL(counters_save(&a, dir, &e), 0);
	CU_ASSERT_EQUAL(counters_load(&b, dir, &e), 0);
	CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof a), 0);
	counters_unit(&a, "A-1", "00000001", false, NOON, 0);
	counters_unit(&a, "A-2", "00000002", false, NOON, 0);
	counters_unit(&a, "A-2", "no\n\"token", false, NOON, 0);	/* counted, and not written */
	CU_ASSERT_EQUAL(counters_save(&a, dir, &e), 0);
	CU_ASSERT_EQUAL(counters_load(&b, dir, &e), 0);
	CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof a), 0);
	CU_ASSERT_EQUAL(b.n_failed, 2);
	unit_remove(dir);
}

static void refused(const char *text)
{
	const char *dir = unit_folder();
	char path[FILE_PATH];
	struct counters c;
	struct err e = {0};

	if (file_join(path, &e, dir, "counters.yaml") < 0 || file_replace(path, text, strlen(text), 0600, &e) < 0)
		exit(99);
	CU_ASSERT_EQUAL(counters_load(&c, dir, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "remove it to begin at 0"));
	unit_remove(dir);
}

static void test_damaged(void)
{
	refused("");
	refused("version: 1\n");
	refused("version: 1\nshift-start: \"noon\"\nshift: {pass: 1, fail: 1}\nfirst: {pass: 1, fail: 1}\norders: []\nfailed: []\n");
	refused("version: 1\nshift-start: \"2026-11-22T12:00:00Z\"\nshift: {pass: -1, fail: 1}\nfirst: {pass: 1, fail: 1}\norders: []\nfailed: []\n");
	refused("version: 1\nshift-start: \"2026-11-22T12:00:00Z\"\nshift: {pass: 1}\nfirst: {pass: 1, fail: 1}\norders: []\nfailed: []\n");
	refused("version: 1\nshift-start: \"2026-11-22T12:00:00Z\"\nshift: {pass: 1, fail: 1}\nfirst: {pass: 1, fail: 1}\norders: [{id: A}]\nfailed: []\n");
}

UNIT_MAIN("counters", { "yield", test_yield }, { "shift", test_shift }, { "bounds", test_bounds }, { "file", test_file },
	  { "damaged", test_damaged })
