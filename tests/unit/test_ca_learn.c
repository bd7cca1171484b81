/* What a CA learns of its signer, and a node of its CA, after a database was put back. */
#include <config.h>

#include <string.h>

#include "learn.h"
#include "rules_world.h"

/* ---- what is learnt of the signer ---- */
#define OVER 1
#define WAS_ACTIVE 2

/* A row of the journal with a new certificate for that key, or with `der` where there is one. */
static int learn(struct world *w, const char *unit, const char *serial, char id, uint32_t generation, int key, int state,
		 const char *renews, struct buf *der)
{
	struct signed_row row = { .device = { "Acme", "gw" }, .id = make_id(id, generation), .spki = spki[key],
				  .ended = state & OVER, .active = state & WAS_ACTIVE };
	struct learn l = { .ca = "", .actor = "ca", .rules = w->rules };
	struct err e;
	int rc;

	l.rules.pending_s = 0;
	strcpy(row.device.serial, serial);
	strcpy(row.unit, unit);
	strcpy(row.renews, renews);
	if (w->rules.site == SITE_FACTORY)
		strcpy(row.order, "WO-1");
	if (!der->len)
		make_cert(der, &spki[key]);
	row.der = *der;
	CU_ASSERT_EQUAL_FATAL(db_begin(w->db, &e), 0);
	rc = learn_row(w->db, &l, &row, &e);
	if (rc == 0)
		CU_ASSERT_EQUAL_FATAL(db_commit(w->db, &e), 0);
	if (rc < 0)
		db_rollback(w->db);
	return rc < 0 ? (int)e.code : (int)l.n;
}

static void test_learn(void)
{
	static const struct step before[] = {
		{ ISSUE, L1, "001", 'a', 1, 0, CA_ISSUED }, { ISSUE, L1, "002", 'b', 1, 1, CA_ISSUED }, { USED, .key = 2 },
	};
	static const struct step after[] = {
		/* of the two with one label the later one counts; it has its unit, as have the others */
		{ STATUS, L1, NULL, 'a', 1, 0, CA_SUPERSEDED }, { STATUS, L2, NULL, 'c', 2, 0, CA_ACTIVE },
		{ ISSUE, L2, "001", 'd', 3, 3, CA_REFUSED, REASON_SERIAL_ISSUED },
		/* over, and never active: no unit; pending: one, and without an end; the quota is used up, so the next has none */
		{ STATUS, L1, NULL, 'b', 1, 0, CA_REVOKED }, { STATUS, L1, NULL, 'e', 1, 0, CA_PENDING },
		{ STATUS, L1, NULL, 'f', 1, 0, CA_REVOKED }, { USED, .key = 2 },
		{ PASS, .key = 100 * PENDING, .result = 0 }, { ISSUE, L1, "003", 'e', 1, 4, CA_ISSUED },
		{ ISSUE, L1, "003", 'e', 1, 0, CA_REFUSED, REASON_CLONE }, { CONFIRM, L1, "003", 'e', 1, 4, CA_CONFIRMED },
	};
	struct buf der[5] = { {0} };
	struct world w;

	world_open(&w, SITE_FACTORY, 2);
	play(&w, before, ARRAY_LEN(before));
	buf_set(&der[1], w.last.data, w.last.len);
	CU_ASSERT_EQUAL(learn(&w, L1, "002", 'b', 1, 1, OVER, "", &der[1]), 1);
	CU_ASSERT_EQUAL(learn(&w, L1, "002", 'b', 1, 1, OVER, "", &der[1]), 0);	/* again: it is known */
	CU_ASSERT_EQUAL(learn(&w, L2, "001", 'c', 2, 2, WAS_ACTIVE, "", &der[2]), 1);
	CU_ASSERT_EQUAL(learn(&w, L1, "003", 'e', 1, 4, 0, "", &der[3]), 1);
	CU_ASSERT_EQUAL(learn(&w, L1, "004", 'f', 1, 5, 0, "", &der[4]), 1);
	buf_free(&der[0]);
	CU_ASSERT_EQUAL(learn(&w, L1, "005", 'g', 1, 6, WAS_ACTIVE, "", &der[0]), REASON_QUOTA);
	play(&w, after, ARRAY_LEN(after));
	world_close(&w);
	for (size_t i = 0; i < ARRAY_LEN(der); i++)
		buf_free(&der[i]);
}

static void test_learn_customer(void)
{
	static const struct step before[] = {
		{ ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED }, { CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED },
		{ REVOKE, N1, "002", 'z', 1, 0, CA_REVOKED_OK },
	};
	static const struct step pending[] = {
		/* a renewal waits beside what it renews; a tombstone stays one */
		{ STATUS, N1, NULL, 'a', 1, 0, CA_ACTIVE }, { STATUS, N1, NULL, 'b', 2, 0, CA_PENDING },
		{ STATUS, N1, NULL, 'z', 1, 0, CA_REVOKED }, { ISSUE, N2, "001", 'c', 3, 2, CA_REFUSED, REASON_OTHER_SITE },
	};
	static const struct step confirmed[] = {
		{ STATUS, N1, NULL, 'a', 1, 0, CA_SUPERSEDED }, { STATUS, N1, NULL, 'b', 2, 0, CA_ACTIVE },
		{ REVOKE, N1, "001", 'b', 2, 0, CA_REVOKED_OK }, { ISSUE, N2, "001", 'c', 3, 2, CA_ISSUED },
	};
	struct buf der = {0}, dead = {0};
	struct request_id old = make_id('a', 1);
	struct world w;

	world_open(&w, SITE_CUSTOMER, 0);
	play(&w, before, ARRAY_LEN(before));
	CU_ASSERT_EQUAL(learn(&w, N1, "001", 'b', 2, 1, 0, old.id, &der), 1);
	CU_ASSERT_EQUAL(learn(&w, N1, "002", 'z', 1, 3, WAS_ACTIVE, "", &dead), 0);
	play(&w, pending, ARRAY_LEN(pending));
	CU_ASSERT_EQUAL(learn(&w, N1, "001", 'b', 2, 1, WAS_ACTIVE, old.id, &der), 1);
	play(&w, confirmed, ARRAY_LEN(confirmed));
	world_close(&w);
	buf_free(&der);
	buf_free(&dead);
}
/* ---- what a node that lost its database learns ---- */
/* A node's own ids alone, in pages, with what it needs to go on with them. */
static void test_recover(void)
{
	static const struct step steps[] = {
		{ ISSUE, N1, "001", 'a', 1, 0, CA_ISSUED, 0 }, { CONFIRM, N1, "001", 'a', 1, 0, CA_CONFIRMED, 0 },
		{ RENEW, N1, "001", 'b', 2, 1, CA_ISSUED, 0 }, { ISSUE, N2, "002", 'c', 1, 2, CA_ISSUED, 0 },
		{ ISSUE, N1, "003", 'd', 1, 2, CA_ISSUED, 0 }, { REVOKE, N1, "003", 'd', 1, 0, CA_REVOKED_OK, 0 },
		{ REVOKE, N1, "009", 'e', 5, 0, CA_REVOKED_OK, 0 },
	};
	struct ca_request rq = { .kind = CA_RECOVER };
	struct ca_answer a = {0};
	struct request_id id;
	struct world w;
	struct err e;

	world_open(&w, SITE_CUSTOMER, 0);
	play(&w, steps, ARRAY_LEN(steps));
	CU_ASSERT_EQUAL(request_recover(w.db, N1, &rq, &a, &e), 0);
	CU_ASSERT(a.result == CA_RECOVERED && a.n_known == 0 && !a.mark[0]);
	CU_ASSERT_EQUAL(ledger_mark_put(w.db, N1, "0123456789abcdef", &e), 0);
	CU_ASSERT_EQUAL(ledger_mark_put(w.db, N1, "0123456789abcdee", &e), 0);
	rq.list = true;
	CU_ASSERT_EQUAL(request_recover(w.db, N1, &rq, &a, &e), 0);
	CU_ASSERT_STRING_EQUAL(a.mark, "0123456789abcdee");
	CU_ASSERT_EQUAL_FATAL(a.n_known, 4);
	CU_ASSERT_EQUAL(a.next, 0);
	CU_ASSERT(a.known[0].state == CA_ACTIVE && a.known[0].certificate.len && buf_same(&a.known[0].public_key, &spki[0]));
	CU_ASSERT_STRING_EQUAL(a.known[0].device.serial, "001");
	id = make_id('a', 1);
	CU_ASSERT(a.known[1].state == CA_PENDING && strcmp(a.known[1].renews, id.id) == 0 && a.known[1].request.generation == 2);
	CU_ASSERT(a.known[2].state == CA_REVOKED && strcmp(a.known[2].reason, "superseded") == 0);
	CU_ASSERT(a.known[3].state == CA_REVOKED && a.known[3].request.generation == 5 && !a.known[3].certificate.len);
	ca_answer_free(&a);
	rq.after = 1;
	CU_ASSERT_EQUAL(request_recover(w.db, N2, &rq, &a, &e), 0);
	CU_ASSERT_EQUAL_FATAL(a.n_known, 1);
	CU_ASSERT_STRING_EQUAL(a.known[0].device.serial, "002");
	CU_ASSERT_STRING_EQUAL(a.mark, "");
	ca_answer_free(&a);
	world_close(&w);
}

static void test_recover_pages(void)
{
	struct ca_request rq = { .kind = CA_RECOVER, .list = true }, revoke = { .kind = CA_REVOKE, .reason = "lapsed" };
	struct ca_answer a = {0};
	struct world w;
	struct err e;
	int total = 0;

	world_open(&w, SITE_CUSTOMER, 0);
	for (int i = 0; i < 2 * LIMIT_BATCH; i++) {
		request_id_new(&revoke.request, 1);
		CU_ASSERT_EQUAL(request_revoke(w.db, &w.rules, N1, &revoke, &a, &e), 0);
	}
	do {
		ca_answer_free(&a);
		CU_ASSERT_EQUAL(request_recover(w.db, N1, &rq, &a, &e), 0);
		CU_ASSERT(a.n_known > 0 && a.n_known <= LIMIT_BATCH);
		total += (int)a.n_known;
		rq.after = a.next;
	} while (a.next);
	CU_ASSERT_EQUAL(total, 2 * LIMIT_BATCH);
	ca_answer_free(&a);
	world_close(&w);
}

UNIT_MAIN("ca learn", { "keys", test_keys }, { "learn", test_learn }, { "learn at the customer", test_learn_customer },
	  { "recover", test_recover }, { "recover, pages", test_recover_pages }, { "clean", test_clean })
