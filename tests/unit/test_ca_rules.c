/* The rules of the CA's ledger, each a table of steps against a real database. */
#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "file.h"
#include "rules_world.h"

/* ---- the rules ---- */
static void test_same_id(void)
{
	PLAY(SITE_FACTORY, 2,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED, 1 },
	     { ISSUE_LATE_TICKET, L1, "001", 'a', 1, 0, CA_ISSUED, 1 }, { USED, .key = 1 },
	     { CONFIRM, L1, "001", 'a', 1, 0, CA_CONFIRMED }, { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED, 1 },
	     { CONFIRM, L1, "001", 'a', 1, 0, CA_CONFIRMED }, { STATUS, L1, NULL, 'a', 1, 0, CA_ACTIVE },
	     { USED, .key = 1 });
}

static void test_clone(void)
{
	PLAY(SITE_FACTORY, 2,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, L1, "001", 'a', 1, 1, CA_REFUSED, REASON_CLONE },
	     { ISSUE, L1, "002", 'a', 1, 0, CA_REFUSED, REASON_CLONE },
	     { CONFIRM, L1, "001", 'a', 1, 0, CA_CONFIRMED });
}

static void test_supersede(void)
{
	PLAY(SITE_FACTORY, 1,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, L1, "001", 'b', 2, 1, CA_ISSUED }, { USED, .key = 1 },
	     { ISSUE, L1, "001", 'a', 1, 0, CA_DEAD, 2 }, { CONFIRM, L1, "001", 'a', 1, 0, CA_DEAD, 2 },
	     { ISSUE, L1, "001", 'c', 3, 2, CA_ISSUED }, { ISSUE, L1, "001", 'd', 4, 3, CA_ISSUED },
	     { ISSUE, L1, "001", 'e', 5, 4, CA_REFUSED, REASON_CLONE }, { ISSUE, L1, "001", 'd', 4, 3, CA_ISSUED },
	     { ISSUE, L2, "001", 'f', 5, 4, CA_REFUSED, REASON_SERIAL_ISSUED }, { USED, .key = 1 },
	     { CONFIRM, L1, "001", 'd', 4, 3, CA_CONFIRMED }, { USED, .key = 1 });
	/* neither a lapse nor the station's revocation sets the count back; the operator's does */
	PLAY(SITE_FACTORY, 1,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, L1, "001", 'b', 2, 1, CA_ISSUED },
	     { ISSUE, L1, "001", 'c', 3, 2, CA_ISSUED }, { ISSUE, L1, "001", 'd', 4, 3, CA_ISSUED },
	     { PASS, .key = PENDING, .result = 1 }, { ISSUE, L1, "001", 'e', 5, 4, CA_ISSUED },
	     { ISSUE, L1, "001", 'f', 6, 3, CA_REFUSED, REASON_CLONE }, { REVOKE, L1, "001", 'e', 5, 0, CA_REVOKED_OK },
	     { ISSUE, L1, "001", 'f', 6, 3, CA_ISSUED }, { ISSUE, L1, "001", 'g', 7, 2, CA_REFUSED, REASON_CLONE },
	     { OPERATOR, .serial = "001" }, { ISSUE, L1, "001", 'g', 7, 2, CA_ISSUED },
	     { ISSUE, L1, "001", 'h', 8, 1, CA_ISSUED });
}

static void test_active(void)
{
	PLAY(SITE_FACTORY, 1,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { CONFIRM, L1, "001", 'a', 1, 0, CA_CONFIRMED },
	     { ISSUE, L1, "001", 'b', 2, 1, CA_REFUSED, REASON_SERIAL_ISSUED },
	     { ISSUE, L2, "001", 'c', 2, 1, CA_REFUSED, REASON_SERIAL_ISSUED },
	     { REVOKE, L1, "001", 'a', 1, 0, CA_REFUSED, REASON_ROLE },
	     /* a revocation is no rework; neither is asked for twice */
	     { OPERATOR, .serial = "001" }, { ISSUE, L1, "001", 'b', 2, 1, CA_REFUSED, REASON_SERIAL_ISSUED },
	     { REWORK, .serial = "001", .result = 1 }, { REWORK, .serial = "001", .result = 0 },
	     /* the serial keeps its unit; the refused id was not burnt; a try that lapses does not use the rework up */
	     { USED, .key = 1 }, { ISSUE, L1, "001", 'b', 2, 1, CA_ISSUED },
	     { USED, .key = 1 },
	     { PASS, .key = PENDING, .result = 1 }, { USED, .key = 1 }, { ISSUE, L2, "001", 'c', 3, 2, CA_ISSUED },
	     { CONFIRM, L2, "001", 'c', 3, 2, CA_CONFIRMED }, { ISSUE, L2, "001", 'd', 4, 3, CA_REFUSED, REASON_SERIAL_ISSUED },
	     /* it revokes by itself; in another order the serial takes a unit of that one */
	     { REWORK, .serial = "001", .result = 1 }, { STATUS, L2, NULL, 'c', 3, 0, CA_REVOKED },
	     { ISSUE_WO2, L2, "001", 'd', 4, 3, CA_ISSUED }, { USED, .serial = "WO-2", .key = 1 }, { USED, .key = 1 });
	PLAY(SITE_CUSTOMER, 0,
	     { ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED }, { CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED },
	     { ISSUE, N1, "001", 'b', 2, 1, CA_REFUSED, REASON_ONBOARDED },
	     { REVOKE, N1, "001", 'a', 1, 0, CA_REVOKED_OK },
	     { ISSUE, N1, "001", 'b', 2, 1, CA_ISSUED }, { ISSUE, N1, "001", 'a', 1, 0, CA_DEAD, 2 },
	     { CONFIRM, N1, "001", 'b', 2, 1, CA_CONFIRMED });
}

static void test_takeover(void)
{
	PLAY(SITE_FACTORY, 1,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, L2, "001", 'b', 2, 1, CA_REFUSED, REASON_SERIAL_ISSUED },
	     { TAKEOVER, L1, "001", .result = 0 }, { TAKEOVER, L2, "001", .result = 1 }, { TAKEOVER, L2, "001", .result = 1 },
	     /* it follows the other station's newer ids, and is for a new id alone */
	     { ISSUE, L1, "001", 'c', 2, 2, CA_ISSUED }, { ISSUE, L2, "001", 'a', 1, 0, CA_DEAD, 2 },
	     { ISSUE, L2, "001", 'b', 3, 1, CA_ISSUED }, { USED, .key = 1 },
	     { TOLD, L1, NULL, 'c', 2, .by = "line-2", .from = "" }, { TOLD, L2, NULL, 'b', 3, .by = "", .from = "line-1" },
	     { TOLD, L1, NULL, 'a', 1, .by = "", .from = "" },
	     { CONFIRM, L1, "001", 'c', 2, 0, CA_DEAD, 3 },
	     /* it is used up, and there is no way back without another one */
	     { ISSUE, L1, "001", 'd', 4, 3, CA_REFUSED, REASON_SERIAL_ISSUED }, { TAKEOVER, L1, "001", .result = 1 },
	     { ISSUE, L1, "001", 'd', 4, 3, CA_ISSUED }, { ISSUE, L2, "001", 'e', 5, 4, CA_REFUSED, REASON_SERIAL_ISSUED },
	     /* each counts as one of the three */
	     { TAKEOVER, L2, "001", .result = 1 }, { ISSUE, L2, "001", 'e', 5, 4, CA_REFUSED, REASON_CLONE },
	     { CONFIRM, L1, "001", 'd', 4, 3, CA_CONFIRMED }, { TAKEOVER, L2, "001", .result = 0 },
	     /* what was left over dies with the request that it was for */
	     { REWORK, .serial = "001", .result = 1 }, { ISSUE, L1, "001", 'f', 5, 5, CA_ISSUED },
	     { ISSUE, L2, "001", 'g', 6, 6, CA_REFUSED, REASON_SERIAL_ISSUED }, { USED, .key = 1 });
	/* the device loses what was half made after a takeover: both stations are told all the same */
	PLAY(SITE_FACTORY, 1,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { TAKEOVER, L2, "001", .result = 1 }, { ISSUE, L2, "001", 'b', 2, 1, CA_ISSUED },
	     { ISSUE, L2, "001", 'c', 3, 2, CA_ISSUED }, { TOLD, L1, NULL, 'a', 1, .by = "line-2", .from = "" },
	     { TOLD, L2, NULL, 'c', 3, .by = "", .from = "line-1" }, { TOLD, L2, NULL, 'b', 2, .by = "", .from = "" });
	/* the other station's is confirmed at this one, where the device is now; and it is asked for what it is */
	PLAY(SITE_FACTORY, 1,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { STATUS, L2, NULL, 'a', 1, 0, CA_PENDING }, { STATUS, L2, NULL, 'z', 1, 0, CA_UNKNOWN },
	     { CONFIRM, L1, "001", 'a', 1, 0, CA_CONFIRMED }, { STATUS, L2, NULL, 'a', 1, 0, CA_ACTIVE },
	     { REWORK, .serial = "001", .result = 1 }, { STATUS, L2, NULL, 'a', 1, 0, CA_REVOKED });
}

static void test_other_node(void)
{
	PLAY(SITE_CUSTOMER, 0,
	     { ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, N2, "001", 'b', 2, 1, CA_REFUSED, REASON_OTHER_SITE },
	     { CONFIRM, N2, "001", 'a', 1, 0, CA_REFUSED, REASON_REQUEST },
	     { STATUS, N2, NULL, 'a', 1, 0, CA_REFUSED, REASON_OTHER_SITE }, { STATUS, N2, NULL, 'z', 1, 0, CA_UNKNOWN },
	     /* its revocation leaves a tombstone in its own scope alone */
	     { REVOKE, N2, "001", 'a', 1, 0, CA_REVOKED_OK }, { STATUS, N2, NULL, 'a', 1, 0, CA_REFUSED, REASON_OTHER_SITE },
	     { CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED }, { STATUS, N1, NULL, 'a', 1, 0, CA_ACTIVE },
	     { ISSUE, N2, "001", 'b', 2, 1, CA_REFUSED, REASON_OTHER_SITE },
	     { REVOKE, N1, "001", 'a', 1, 0, CA_REVOKED_OK }, { STATUS, N2, NULL, 'a', 1, 0, CA_REVOKED },
	     { STATUS, N1, NULL, 'a', 1, 0, CA_REVOKED },
	     { ISSUE, N2, "001", 'b', 2, 1, CA_ISSUED }, { STATUS, N1, NULL, 'a', 1, 0, CA_REFUSED, REASON_OTHER_SITE },
	     { ISSUE, N1, "001", 'c', 3, 2, CA_REFUSED, REASON_OTHER_SITE });
}

static void test_generation(void)
{
	PLAY(SITE_CUSTOMER, 0,
	     { ISSUE, N1, "001", 'a', 40, 0, CA_ISSUED },	/* never seen here: it may come from elsewhere */
	     { ISSUE, N1, "001", 'b', 39, 1, CA_DEAD, 40 }, { ISSUE, N1, "001", 'c', 40, 1, CA_DEAD, 40 },
	     { ISSUE, N1, "001", 'd', 57, 1, CA_REFUSED, REASON_CLONE }, { ISSUE, N1, "001", 'd', 56, 1, CA_ISSUED },
	     { ISSUE, N1, "001", 'a', 40, 0, CA_DEAD, 56 });
	PLAY(SITE_CUSTOMER, 0, { ISSUE, N1, "001", 'a', 0, 0, CA_ISSUED }, { ISSUE, N1, "001", 'b', 0, 1, CA_ISSUED },
	     { CONFIRM, N1, "001", 'b', 0, 1, CA_CONFIRMED });
	PLAY(SITE_FACTORY, 1, { ISSUE, L1, "001", 'a', 0, 0, CA_REFUSED, REASON_REQUEST });
}

static void test_tombstone(void)
{
	PLAY(SITE_CUSTOMER, 0,
	     { REVOKE, N1, "001", 'a', 1, 0, CA_REVOKED_OK }, { ISSUE, N1, "001", 'a', 1, 0, CA_DEAD, 1 },
	     { CONFIRM, N1, "001", 'a', 1, 0, CA_DEAD, 1 }, { REVOKE, N1, "001", 'a', 1, 0, CA_REVOKED_OK },
	     { ISSUE, N1, "001", 'b', 2, 1, CA_ISSUED }, { REVOKE, N1, "001", 'c', 5, 0, CA_REVOKED_OK },
	     { ISSUE, N1, "001", 'd', 4, 2, CA_DEAD, 5 }, { ISSUE, N1, "001", 'c', 5, 2, CA_DEAD, 5 },
	     /* a wild generation in a revocation does not lock the device out */
	     { REVOKE, N1, "001", 'e', 4000000, 0, CA_REVOKED_OK }, { ISSUE, N1, "001", 'f', 6, 2, CA_ISSUED });
}

static void test_lapse(void)
{
	PLAY(SITE_FACTORY, 1,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { PASS, .key = PENDING - 1, .result = 0 },
	     { ISSUE, L1, "002", 'x', 1, 1, CA_REFUSED, REASON_QUOTA }, { PASS, .key = 1, .result = 1 },
	     { USED, .key = 0 },
	     { CONFIRM, L1, "001", 'a', 1, 0, CA_DEAD, 1 }, { ISSUE, L1, "001", 'a', 1, 0, CA_DEAD, 1 },
	     { ISSUE, L1, "001", 'b', 2, 1, CA_ISSUED }, { USED, .key = 1 },
	     { CONFIRM, L1, "001", 'b', 2, 1, CA_CONFIRMED },
	     { PASS, .key = 10 * PENDING, .result = 0 }, { STATUS, L1, NULL, 'b', 2, 0, CA_ACTIVE });
	/* the customer's node owns the time */
	PLAY(SITE_CUSTOMER, 0, { ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED }, { PASS, .key = 100 * PENDING, .result = 0 },
	     { CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED });
}

static void test_quota(void)
{
	PLAY(SITE_FACTORY, 2,
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, L2, "002", 'b', 1, 1, CA_ISSUED },
	     { ISSUE, L1, "003", 'c', 1, 2, CA_REFUSED, REASON_QUOTA }, { ISSUE, L1, "001", 'd', 2, 3, CA_ISSUED },
	     { REVOKE, L2, "002", 'b', 1, 0, CA_REVOKED_OK }, { USED, .key = 1 },
	     { ISSUE, L1, "003", 'c', 1, 2, CA_ISSUED },
	     { USED, .key = 2 }, { ISSUE, L2, "002", 'e', 2, 4, CA_REFUSED, REASON_QUOTA },
	     /* a pending serial that goes on under another order gives the first its unit back */
	     { ISSUE_WO2, L1, "001", 'f', 3, 4, CA_ISSUED }, { USED, .key = 1 }, { USED, .serial = "WO-2", .key = 1 },
	     { PASS, .key = PENDING, .result = 2 }, { USED, .key = 0 }, { USED, .serial = "WO-2", .key = 0 });
}

static void test_order(void)
{
	PLAY(SITE_FACTORY, 5,
	     { ISSUE_LATE_TICKET, L1, "001", 'a', 1, 0, CA_REFUSED, REASON_TICKET },
	     { ISSUE, "station:line-9", "001", 'a', 1, 0, CA_REFUSED, REASON_TICKET },
	     { ISSUE_OTHER_MODEL, L1, "001", 'a', 1, 0, CA_REFUSED, REASON_WRONG_MODEL },
	     { ISSUE_NO_ORDER, L1, "001", 'a', 1, 0, CA_REFUSED, REASON_ORDER },
	     { ISSUE, L1, "100", 'a', 1, 0, CA_REFUSED, REASON_TICKET }, { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED },
	     { ISSUE, L1, "002", 'b', 1, 1, CA_ISSUED }, { CLOSE },
	     /* a repeat and a confirm of what is reserved pass, a new one does not */
	     { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { CONFIRM, L1, "001", 'a', 1, 0, CA_CONFIRMED },
	     { ISSUE, L1, "003", 'c', 1, 2, CA_REFUSED, REASON_ORDER }, { COMPROMISE },
	     { ISSUE, L1, "002", 'b', 1, 1, CA_REFUSED, REASON_ORDER },
	     { CONFIRM, L1, "002", 'b', 1, 1, CA_REFUSED, REASON_ORDER });
	PLAY(SITE_FACTORY, 5, { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { PASS, .key = 100001, .result = 1 },
	     { ISSUE, L1, "002", 'b', 1, 1, CA_REFUSED, REASON_ORDER });
}

static void test_confirm(void)
{
	PLAY(SITE_CUSTOMER, 0,
	     { CONFIRM, N1, "001", 'a', 1, 0, CA_REFUSED, REASON_REQUEST }, { ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED },
	     { CONFIRM_OTHER, N1, "001", 'a', 1, 0, CA_REFUSED, REASON_REQUEST },
	     { STATUS, N1, NULL, 'a', 1, 0, CA_PENDING },
	     { CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED }, { REVOKE, N1, NULL, 'a', 1, 0, CA_REVOKED_OK },
	     { CONFIRM, N1, "001", 'a', 1, 0, CA_DEAD, 1 }, { STATUS, N1, NULL, 'a', 1, 0, CA_REVOKED });
}

/* ---- the database itself refuses what must never be ---- */
static void test_guards(void)
{
	static const struct step steps[] = { { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED } };
	struct ledger_request r = { .unit = L1, .id = make_id('z', 9), .device = 1, .state = CA_RESERVED };
	struct world w;
	struct err e;

	world_open(&w, SITE_FACTORY, 1);
	play(&w, steps, 1);
	CU_ASSERT_EQUAL(db_begin(w.db, &e), 0);
	CU_ASSERT_EQUAL(ledger_order_take(w.db, "WO-1", &e), -1);		/* one over the quota */
	db_rollback(w.db);
	CU_ASSERT_EQUAL(db_begin(w.db, &e), 0);
	CU_ASSERT_EQUAL(ledger_request_add(w.db, "test", &r, START, &e), -1);	/* a second open one of a device */
	db_rollback(w.db);
	world_close(&w);
}

/* ---- several writers at once: the quota is exact ---- */
#define THREADS 4
#define SERIALS 12
#define QUOTA 7

struct line {
	pthread_t thread;
	struct world w;
	char path[FILE_PATH];
	int first, issued;
};

static void *produce(void *arg)
{
	struct line *l = arg;

	for (int i = 0; i < SERIALS; i++) {
		char serial[16];
		struct step s = { ISSUE, L1, serial, 'a', 1, i % KEYS, CA_ISSUED, 0 };
		struct ca_answer a = {0};
		struct err e;

		snprintf(serial, sizeof serial, "%03d", 1 + (l->first + i) % SERIALS);
		s.id = (char)('a' + (l->first + i) % SERIALS);	/* the lines ask for the same, in another order */
		s.key = (l->first + i) % KEYS;
		if (db_begin(l->w.db, &e) < 0)
			continue;
		if (do_issue(&l->w, &s, &a, &e) == 0 && db_commit(l->w.db, &e) == 0)
			l->issued += a.result == CA_ISSUED;
		else
			db_rollback(l->w.db);
		ca_answer_free(&a);
	}
	return NULL;
}

static int count_pending(void *arg, const struct ledger_row *row)
{
	++*(int *)arg;
	return 0;
}

static void test_interleaved(void)
{
	static struct line line[THREADS];
	struct ledger_filter f = { .state = "pending" };
	struct ledger_order o;
	struct world w;
	struct err e;
	char path[FILE_PATH];
	int pending = 0;

	world_open(&w, SITE_FACTORY, QUOTA);
	CU_ASSERT_EQUAL(file_join(path, &e, folder, "shared.db"), 0);
	db_close(w.db);
	w.db = ledger_open(path, &e);
	order_add(&w, "WO-1", QUOTA);
	for (int i = 0; i < THREADS; i++) {
		line[i] = (struct line){ .w = w, .first = i * 3 };
		line[i].w.db = ledger_open(path, &e);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&line[i].thread, NULL, produce, &line[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(line[i].thread, NULL);
		CU_ASSERT_TRUE(line[i].issued <= QUOTA);
		db_close(line[i].w.db);
	}
	CU_ASSERT_EQUAL(ledger_order_get(w.db, "WO-1", &o, NULL, &e), 1);
	CU_ASSERT_EQUAL(o.used, QUOTA);
	CU_ASSERT_EQUAL(ledger_list(w.db, &f, count_pending, &pending, &e), 0);
	CU_ASSERT_EQUAL(pending, QUOTA);
	world_close(&w);
}

/* ---- several servers on one ledger: time passes once, and only while one of them runs ---- */
static void two_worlds(struct world w[2], const char *name)
{
	char path[FILE_PATH];
	struct err e;

	world_open(&w[0], SITE_FACTORY, 2);
	CU_ASSERT_EQUAL(file_join(path, &e, folder, name), 0);
	db_close(w[0].db);
	w[0].db = ledger_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w[0].db);
	order_add(&w[0], "WO-1", 2);
	w[1] = w[0];
	w[1].db = ledger_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w[1].db);
}

static int tell(struct world *w, const struct ledger_ran *ran, int *lapsed)
{
	struct err e;

	if (db_begin(w->db, &e) == 0 && request_lapse(w->db, START, ran, lapsed, &e) == 0 && db_commit(w->db, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", e.text);
	db_rollback(w->db);
	return -1;
}

static void test_uptime_of_two(void)
{
	static const struct step first[] = { { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED } },
				 second[] = { { STATUS, L1, NULL, 'a', 1, 0, CA_REVOKED }, { USED, .key = 0 },
					      { ISSUE, L1, "002", 'b', 1, 1, CA_ISSUED } };
	static const struct {
		int server;
		struct ledger_ran ran;
		int64_t uptime;
		int lapsed;
	} told[] = {
		{ 0, { 10, 10000, 10000 }, 10, 0 }, { 1, { 10, 10700, 10700 }, 10, 0 },	/* both run: parts of a second wait */
		{ 0, { 10, 20000, 20000 }, 20, 0 }, { 1, { 10, 20700, 20700 }, 20, 0 },
		{ 1, { 10, 30700, 30700 }, 30, 0 }, { 0, { 10, 30000, 30800 }, 30, 0 },	/* its writer was busy */
		{ 1, { 10, 40700, 40700 }, 40, 0 },					/* the other one is gone */
		{ 1, { 10, 40700, 40700 }, 40, 0 }, { 0, { 10, 40690, 40695 }, 40, 0 },	/* whose clock is a little behind */
		{ 0, { 10, 110000, 110000 }, 50, 0 },					/* nobody ran between */
		{ 1, { 849, 959000, 959000 }, 899, 0 }, { 0, { 849, 959000, 959001 }, 899, 0 },
		{ 1, { 1, 960000, 960000 }, 900, 1 }, { 0, { 1, 960000, 960000 }, 900, 0 },
		{ 0, { 5, 20000, 20000 }, 905, 0 },					/* after a boot the clock began anew */
		{ 1, { 5, 20500, 20500 }, 905, 0 }, { 1, { 10, 30500, 30500 }, 915, 0 },
	};
	struct world w[2];
	int64_t uptime;
	int lapsed;
	struct err e;

	two_worlds(w, "two servers.db");
	play(&w[0], first, ARRAY_LEN(first));
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		CU_ASSERT_EQUAL(tell(&w[told[i].server], &told[i].ran, &lapsed), 0);
		CU_ASSERT_EQUAL(lapsed, told[i].lapsed);
		CU_ASSERT_EQUAL(ledger_uptime(w[0].db, &uptime, &e), 0);
		if (uptime != told[i].uptime)
			fprintf(stderr, "row %zu: uptime %lld\n", i, (long long)uptime);
		CU_ASSERT_EQUAL(uptime, told[i].uptime);
		if (lapsed)
			play(&w[0], second, ARRAY_LEN(second));
	}
	db_close(w[1].db);
	world_close(&w[0]);
}

#define TICK_S 10
#define TICKS (PENDING / TICK_S / 2 + 1)	/* of each of two */

static _Atomic int64_t tick_clock;
static pthread_barrier_t tick_round;	/* so that neither does all of its own before the other's first */

struct ticker {
	pthread_t thread;
	struct world w;
	int64_t until_ms, lapsed_ms;
	int lapsed, failed;
};

/* The clock goes on whenever somebody has the ledger to himself. */
static void *tick(void *arg)
{
	struct ticker *t = arg;

	for (int i = 0; i < TICKS; i++) {
		struct ledger_ran ran = {0};
		int lapsed = 0;
		struct err e;

		pthread_barrier_wait(&tick_round);
		ran.until_ms = atomic_load(&tick_clock);
		ran.seconds = (ran.until_ms - t->until_ms) / 1000;
		t->until_ms = ran.until_ms;
		if (db_begin(t->w.db, &e) < 0) {
			t->failed++;
			continue;
		}
		ran.now_ms = atomic_fetch_add(&tick_clock, TICK_S * 1000) + TICK_S * 1000;
		if (request_lapse(t->w.db, START, &ran, &lapsed, &e) < 0 || db_commit(t->w.db, &e) < 0) {
			t->failed++;
			db_rollback(t->w.db);
		}
		t->lapsed += lapsed;
		if (lapsed)
			t->lapsed_ms = ran.until_ms;
	}
	return NULL;
}

static void test_ticks_in_parallel(void)
{
	static const struct step first[] = { { ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED } },
				 last[] = { { STATUS, L1, NULL, 'a', 1, 0, CA_REVOKED }, { USED, .key = 0 } };
	struct ticker t[2] = { 0 };
	struct world w[2];
	int64_t uptime = 0;
	struct err e;

	pthread_barrier_init(&tick_round, NULL, 2);
	two_worlds(w, "parallel.db");
	play(&w[0], first, ARRAY_LEN(first));
	for (int i = 0; i < 2; i++) {
		t[i].w = w[i];
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i].thread, NULL, tick, &t[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i].thread, NULL);
	pthread_barrier_destroy(&tick_round);
	CU_ASSERT(t[0].failed == 0 && t[1].failed == 0);
	CU_ASSERT_EQUAL(tick_clock, 2LL * TICKS * TICK_S * 1000);
	CU_ASSERT_EQUAL(t[0].lapsed + t[1].lapsed, 1);
	/* not early; as much was counted as had passed, and none since, while nothing was pending */
	CU_ASSERT(t[0].lapsed_ms + t[1].lapsed_ms >= PENDING * 1000);
	CU_ASSERT_EQUAL(ledger_uptime(w[0].db, &uptime, &e), 0);
	CU_ASSERT_EQUAL(uptime * 1000, t[0].lapsed_ms + t[1].lapsed_ms);
	play(&w[0], last, ARRAY_LEN(last));
	db_close(w[1].db);
	world_close(&w[0]);
}

/* A renewal leaves the old one active until the new one is confirmed, and takes its place then. */
static void test_renewal(void)
{
	static const struct step steps[] = {
		{ ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED, 0 },
		{ RENEW, N1, "002", 'x', 1, 1, CA_REFUSED, REASON_BLOCKED },	/* another device's */
		{ CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED, 0 },
		{ ISSUE, N1, "001", 'b', 2, 1, CA_REFUSED, REASON_ONBOARDED },
		{ RENEW, N1, "001", 'b', 1, 1, CA_DEAD, 1 },			/* the generation grows here, too */
		{ RENEW, N1, "001", 'b', 2, 1, CA_ISSUED, 0 },
		{ STATUS, N1, "001", 'a', 1, 0, CA_ACTIVE, 0 },
		{ STATUS, N1, "001", 'b', 2, 0, CA_PENDING, 0 },
		{ RENEW, N1, "001", 'b', 2, 1, CA_ISSUED, 1 },			/* the very same */
		{ RENEW, N1, "001", 'b', 2, 2, CA_REFUSED, REASON_CLONE },
		{ RENEW, N1, "001", 'c', 3, 2, CA_ISSUED, 0 },			/* its try was lost: one renewal, never two */
		{ STATUS, N1, "001", 'b', 2, 0, CA_SUPERSEDED, 0 },
		{ STATUS, N1, "001", 'a', 1, 0, CA_ACTIVE, 0 },
		{ CONFIRM, N1, "001", 'b', 2, 0, CA_DEAD, 3 },
		{ CONFIRM, N1, "001", 'c', 3, 0, CA_CONFIRMED, 0 },
		{ STATUS, N1, "001", 'a', 1, 0, CA_SUPERSEDED, 0 },
		{ CONFIRM, N1, "001", 'c', 3, 0, CA_CONFIRMED, 0 },
		{ REVOKE, N1, "001", 'a', 1, 0, CA_REVOKED_OK, 0 },
		{ RENEW, N1, "001", 'd', 4, 3, CA_REFUSED, REASON_BLOCKED },	/* a is not in force any more */
		{ ISSUE, N2, "001", 'd', 4, 3, CA_REFUSED, REASON_OTHER_SITE },
		{ STATUS, N1, "001", 'c', 3, 0, CA_ACTIVE, 0 },
	};
	struct world w;

	world_open(&w, SITE_CUSTOMER, 0);
	play(&w, steps, ARRAY_LEN(steps));
	world_close(&w);
}

/* As the node tells it: the old one's revocation before the new one's activation; and both ended in the middle. */
static void test_renewal_told(void)
{
	static const struct step told[] = {
		{ ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED, 0 },
		{ RENEW, N1, "001", 'b', 2, 1, CA_ISSUED, 0 },			/* the activation of a is still to be told */
		{ REVOKE, N1, "001", 'a', 1, 0, CA_REVOKED_OK, 0 },
		{ CONFIRM, N1, "001", 'a', 1, 0, CA_DEAD, 2 },
		{ CONFIRM, N1, "001", 'b', 2, 0, CA_CONFIRMED, 0 },
		{ STATUS, N1, "001", 'a', 1, 0, CA_REVOKED, 0 },
		{ STATUS, N1, "001", 'b', 2, 0, CA_ACTIVE, 0 },
	}, ended[] = {
		{ ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED, 0 },
		{ CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED, 0 },
		{ RENEW, N1, "001", 'b', 2, 1, CA_ISSUED, 0 },
		{ OPERATOR, N1, "001", 0, 0, 0, 0, 0 },
		{ STATUS, N1, "001", 'a', 1, 0, CA_REVOKED, 0 },
		{ STATUS, N1, "001", 'b', 2, 0, CA_REVOKED, 0 },
		{ CONFIRM, N1, "001", 'b', 2, 0, CA_DEAD, 2 },
		{ ISSUE, N2, "001", 'c', 3, 2, CA_ISSUED, 0 },
	}, anew[] = {
		{ ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED, 0 },
		{ CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED, 0 },
		{ RENEW, N1, "001", 'b', 2, 1, CA_ISSUED, 0 },
		{ REVOKE, N1, "001", 'a', 1, 0, CA_REVOKED_OK, 0 },
		{ ISSUE, N1, "001", 'c', 3, 2, CA_ISSUED, 0 },			/* released: the renewal dies with it */
		{ STATUS, N1, "001", 'b', 2, 0, CA_SUPERSEDED, 0 },
		{ CONFIRM, N1, "001", 'c', 3, 0, CA_CONFIRMED, 0 },
	};
	struct world w;

	world_open(&w, SITE_CUSTOMER, 0);
	play(&w, told, ARRAY_LEN(told));
	world_close(&w);
	world_open(&w, SITE_CUSTOMER, 0);
	play(&w, ended, ARRAY_LEN(ended));
	world_close(&w);
	world_open(&w, SITE_CUSTOMER, 0);
	play(&w, anew, ARRAY_LEN(anew));
	world_close(&w);
}

/* The CA makes the key: what the signer returned is handed out again byte for byte, and to nobody who makes his own. */
static void test_made(void)
{
	struct issue is = { .id = make_id('m', 1), .spki = &spki[0], .made = true, .renews = "" };
	struct buf der = {0}, wrong = {0}, sealed = {0}, none = {0};
	struct ca_answer a = {0};
	struct reservation v = {0};
	struct world w;
	struct err e;

	world_open(&w, SITE_CUSTOMER, 0);
	snprintf(is.device.manufacturer, sizeof is.device.manufacturer, "Acme");
	snprintf(is.device.model, sizeof is.device.model, "gw");
	snprintf(is.device.serial, sizeof is.device.serial, "0001");
	make_cert(&der, &spki[1]);
	make_cert(&wrong, &spki[0]);
	buf_str(&sealed, "an envelope");
	CU_ASSERT_EQUAL_FATAL(db_begin(w.db, &e), 0);
	CU_ASSERT_EQUAL_FATAL(request_issue(w.db, &w.rules, "node:site-1", &is, &a, &v, &e), 1);
	/* for the transport key itself, or without the key */
	CU_ASSERT_EQUAL(request_signed(w.db, &w.rules, "node:site-1", &is, &v, &wrong, &sealed, &a, &e), -1);
	CU_ASSERT_EQUAL(request_signed(w.db, &w.rules, "node:site-1", &is, &v, &der, &none, &a, &e), -1);
	CU_ASSERT_EQUAL(request_signed(w.db, &w.rules, "node:site-1", &is, &v, &der, &sealed, &a, &e), 0);
	CU_ASSERT(a.result == CA_ISSUED && buf_same(&a.encrypted_key, &sealed));
	ca_answer_free(&a);
	CU_ASSERT_EQUAL(request_issue(w.db, &w.rules, "node:site-1", &is, &a, &v, &e), 0);
	CU_ASSERT(a.result == CA_ISSUED && buf_same(&a.encrypted_key, &sealed) && buf_same(&a.chain.cert[0].der, &der));
	ca_answer_free(&a);
	is.made = false;
	CU_ASSERT_EQUAL(request_issue(w.db, &w.rules, "node:site-1", &is, &a, &v, &e), 0);
	CU_ASSERT(a.result == CA_REFUSED && a.code == REASON_CLONE && !a.encrypted_key.len);
	ca_answer_free(&a);
	reservation_free(&v);
	CU_ASSERT_EQUAL(db_commit(w.db, &e), 0);
	world_close(&w);
	buf_free(&der);
	buf_free(&wrong);
	buf_free(&sealed);
}

UNIT_MAIN("ca rules", { "keys", test_keys }, { "same id, same answer", test_same_id }, { "clone", test_clone }, { "made", test_made },
	  { "supersede", test_supersede }, { "active", test_active }, { "takeover", test_takeover }, { "other node", test_other_node },
	  { "generation", test_generation }, { "tombstone", test_tombstone }, { "lapse", test_lapse }, { "quota", test_quota },
	  { "order", test_order }, { "confirm", test_confirm }, { "guards", test_guards }, { "interleaved", test_interleaved },
	  { "uptime of two servers", test_uptime_of_two }, { "ticks in parallel", test_ticks_in_parallel },
	  { "renewal", test_renewal }, { "renewal as told", test_renewal_told }, { "clean", test_clean })
