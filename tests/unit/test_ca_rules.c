/* The rules of the CA's ledger, each a table of steps against a real database. */
#include <config.h>

#include <pthread.h>
#include <string.h>

#include "audit.h"
#include "file.h"
#include "learn.h"
#include "ledger_list.h"
#include "mem.h"
#include "rules.h"
#include "unit.h"

#define START 1800000000	/* the tests' own time */
#define PENDING 900
#define KEYS 8
#define L1 "station:line-1"
#define L2 "station:line-2"
#define N1 "node:site-1"
#define N2 "node:site-2"

static char *folder;
static struct buf spki[KEYS];
static struct key *ca_key;
static struct cert ca_cert;

/* ---- world ---- */
struct world {
	struct db *db;
	struct rules rules;
	struct work_order order;
	struct buf last;		/* the certificate that was answered last */
};

static void order_add(struct world *w, const char *id, uint32_t quota)
{
	struct work_order *o = &w->order;
	struct buf cms = {0};
	struct err e;

	*o = (struct work_order){ .manufacturer = "Acme", .model = "gw", .n_ranges = 1, .n_stations = 2, .quota = quota,
		.not_before = START - 100, .not_after = START + 100000 };
	snprintf(o->id, sizeof o->id, "%s", id);
	strcpy(o->range[0].from, "001");
	strcpy(o->range[0].to, "099");
	strcpy(o->station[0], "line-1");
	strcpy(o->station[1], "line-2");
	buf_str(&cms, "cms");
	CU_ASSERT_EQUAL_FATAL(db_begin(w->db, &e), 0);
	CU_ASSERT_EQUAL_FATAL(ledger_order_add(w->db, o, &cms, START, &e), 0);
	CU_ASSERT_EQUAL_FATAL(db_commit(w->db, &e), 0);
	buf_free(&cms);
}

static void unit_add(struct world *w, const char *unit)
{
	struct cert c = {0};
	struct err e;

	snprintf(c.role, sizeof c.role, "%.*s", (int)strcspn(unit, ":"), unit);
	snprintf(c.name, sizeof c.name, "%s", strchr(unit, ':') + 1);
	snprintf(c.serial, sizeof c.serial, "%.10s", c.name);
	buf_str(&c.der, "certificate");
	CU_ASSERT_EQUAL(ledger_unit_add(w->db, &c, START, &e), 0);
	buf_free(&c.der);
}

static void world_open(struct world *w, enum site site, uint32_t quota)
{
	static int number;
	char name[32], path[FILE_PATH];
	struct err e;

	*w = (struct world){ .rules = { .site = site, .ca = "test", .issuing = &ca_cert, .now = START,
		.pending_s = site == SITE_FACTORY ? PENDING : 0 } };
	snprintf(name, sizeof name, "ledger %d.db", number++);
	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, folder, name), 0);
	w->db = ledger_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->db);
	if (site == SITE_FACTORY) {
		order_add(w, "WO-2", 1);
		order_add(w, "WO-1", quota);
	}
	unit_add(w, site == SITE_FACTORY ? L1 : N1);
	unit_add(w, site == SITE_FACTORY ? L2 : N2);
}

static void world_close(struct world *w)
{
	struct err e = {0};
	int64_t rows;

	CU_ASSERT_EQUAL(audit_verify(w->db, &rows, &e), 0);
	db_close(w->db);
	buf_free(&w->last);
}

/* All that may change, as one text. */
static void snapshot(struct world *w, struct buf *out)
{
	static const char *const queries[] = {
		"SELECT group_concat(n || unit || id || generation || coalesce(device, '') || state || order_id || "
		"took_unit ||"
		" coalesce(reason, '')) FROM request",
		"SELECT group_concat(n || serial || generation || superseded || order_id || passed) FROM device",
		"SELECT group_concat(request || station || coalesce(taken, '')) FROM takeover",
		"SELECT group_concat(id || state || used) FROM work_order",
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct stmt *s = db_stmt(w->db, queries[i]);

		CU_ASSERT_EQUAL(db_step(s, &e), 1);
		buf_fmt(out, "%s\n", col_text(s, 0));
		db_reset(s);
	}
}

static struct request_id make_id(char c, uint32_t generation)
{
	struct request_id r = { .generation = generation };

	memset(r.id, c, REQUEST_ID_LEN);
	return r;
}

static void make_cert(struct buf *der, const struct buf *key)
{
	struct cert_plan plan = {
		.spki = key, .subject_cn = "device", .not_before = START, .not_after = X509_NO_EXPIRY, .path_len = -1
	};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, &ca_cert, ca_key, der, &e), 0);
}

/* ---- steps ---- */
enum op {
	ISSUE,
	ISSUE_WO2,
	ISSUE_LATE_TICKET,
	ISSUE_OTHER_MODEL,
	ISSUE_NO_ORDER,
	RENEW,		/* of id a */
	CONFIRM,
	CONFIRM_OTHER,
	REVOKE,
	STATUS,
	PASS,
	CLOSE,
	COMPROMISE,
	OPERATOR,
	REWORK,		/* result: done */
	TAKEOVER,	/* for unit; result: done */
	TOLD,		/* unit and id: taken by the unit of `from` */
	USED
};

struct step {
	enum op op;
	const char *unit, *serial;
	char id;
	uint32_t generation;
	int key;		/* PASS: seconds; USED: units */
	int result;		/* enum ca_result; STATUS: enum ca_state; PASS: lapsed */
	int detail;		/* refused: reason; dead: highest generation */
	const char *by, *from;	/* TOLD */
};

static struct request_id id_of(const struct step *s)
{
	return make_id(s->id, s->generation);
}

static int do_issue(struct world *w, const struct step *s, struct ca_answer *a, struct err *e)
{
	struct ticket t = { .not_after = w->rules.now + (s->op == ISSUE_LATE_TICKET ? -1 : 60) };
	bool factory = w->rules.site == SITE_FACTORY;
	struct work_order order = w->order;
	struct buf cms = {0}, der = {0}, no_key = {0};
	struct issue is = { .id = id_of(s), .spki = &spki[s->key], .include_ca = true, .renews = "" };
	struct request_id old = make_id('a', 1);
	struct reservation v = {0};
	int rc;

	if (s->op == RENEW)
		is.renews = old.id;
	strcpy(is.device.manufacturer, "Acme");
	strcpy(is.device.model, s->op == ISSUE_OTHER_MODEL ? "router" : "gw");
	strcpy(is.device.serial, s->serial);
	if (s->op == ISSUE_WO2)
		strcpy(order.id, "WO-2");
	buf_str(&cms, "ticket");
	if (factory) {
		snprintf(t.station, sizeof t.station, "%s", strchr(s->unit, ':') + 1);
		is.ticket = &t;
		is.ticket_cms = &cms;
		is.order = s->op == ISSUE_NO_ORDER ? NULL : &order;
	}
	rc = request_issue(w->db, &w->rules, s->unit, &is, a, &v, e);
	if (rc == 1) {
		make_cert(&der, is.spki);
		rc = request_signed(w->db, &w->rules, s->unit, &is, &v, &der, &no_key, a, e);
	}
	reservation_free(&v);
	buf_free(&cms);
	buf_free(&der);
	return rc;
}

static int do_confirm(struct world *w, const struct step *s, struct ca_answer *a, struct err *e)
{
	struct ca_request rq = { .kind = CA_CONFIRM, .request = id_of(s) };
	struct ledger_request r = {0};
	int rc = ledger_request_get(w->db, s->unit, rq.request.id, &r, e);

	if (rc == 1)
		memcpy(rq.certificate, r.cert_sha256, SHA256_LEN);
	if (s->op == CONFIRM_OTHER)
		rq.certificate[0] ^= 1;
	ledger_request_free(&r);
	/* in the factory the device itself asks, by its certificate */
	return rc < 0 ? -1
		      : request_confirm(w->db, &w->rules, w->rules.site == SITE_FACTORY ? NULL : s->unit, &rq, a, e);
}

static int do_revoke(struct world *w, const struct step *s, struct ca_answer *a, struct err *e)
{
	struct ca_request rq = { .kind = CA_REVOKE, .request = id_of(s), .reason = "superseded" };

	if (s->serial) {
		strcpy(rq.device.manufacturer, "Acme");
		strcpy(rq.device.model, "gw");
		strcpy(rq.device.serial, s->serial);
	}
	return request_revoke(w->db, &w->rules, s->unit, &rq, a, e);
}

static int do_operator(struct world *w, const struct step *s, struct err *e)
{
	struct device_id id = { .manufacturer = "Acme", .model = "gw" };
	char from[UNIT_MAX];
	struct ledger_device d;
	int rc;

	strcpy(id.serial, s->serial);
	if (ledger_device_get(w->db, &id, &d, e) != 1)
		return -1;
	if (s->op == OPERATOR)
		return request_revoke_open(w->db, w->rules.now, "operator:x", &d, "superseded", e) == 1 ? 0 : -1;
	rc = s->op == REWORK ? request_rework(w->db, w->rules.now, "operator:x", &d, "a new board", e)
			     : request_takeover(w->db, w->rules.now, "operator:x", &d, strchr(s->unit, ':') + 1, "line down", from, e);
	CU_ASSERT_EQUAL(rc, s->result);
	return rc < 0 ? -1 : 0;
}

static int do_told(struct world *w, const struct step *s, struct err *e)
{
	struct ca_request rq = { .kind = CA_STATUS, .request = id_of(s) };
	struct ca_answer a = {0};
	int rc = request_status(w->db, &w->rules, s->unit, &rq, &a, e);

	CU_ASSERT_STRING_EQUAL(a.taken_by, s->by);
	CU_ASSERT_STRING_EQUAL(a.taken_from, s->from);
	return rc;
}

static int run_step(struct world *w, const struct step *s, struct ca_answer *a, struct err *e)
{
	struct ca_request rq = { .kind = CA_STATUS, .request = id_of(s) };
	struct ledger_order o;
	int lapsed, rc;

	switch (s->op) {
	case CONFIRM:
	case CONFIRM_OTHER:
		return do_confirm(w, s, a, e);
	case REVOKE:
		return do_revoke(w, s, a, e);
	case STATUS:
		rc = request_status(w->db, &w->rules, s->unit, &rq, a, e);
		CU_ASSERT_EQUAL(a->result == CA_REFUSED ? CA_REFUSED : a->state, s->result);
		CU_ASSERT_EQUAL((int)a->code, s->detail);
		return rc;
	case PASS:
		w->rules.now += s->key;
		rc = request_lapse(w->db, w->rules.now, s->key, &lapsed, e);
		CU_ASSERT_EQUAL(lapsed, s->result);
		return rc;
	case CLOSE:
		return ledger_order_close(w->db, "WO-1", ORDER_CLOSED, w->rules.now, e);
	case COMPROMISE:
		return ledger_order_close(w->db, "WO-1", ORDER_COMPROMISED, w->rules.now, e);
	case OPERATOR:
	case REWORK:
	case TAKEOVER:
		return do_operator(w, s, e);
	case TOLD:
		return do_told(w, s, e);
	case USED:
		rc = ledger_order_get(w->db, s->serial ? s->serial : "WO-1", &o, NULL, e);
		CU_ASSERT_EQUAL(o.used, (uint32_t)s->key);
		return rc == 1 ? 0 : -1;
	default:
		return do_issue(w, s, a, e);
	}
}

static bool is_answered(enum op op)
{
	return op <= REVOKE;
}

static void check_answer(struct world *w, size_t i, const struct step *s, struct ca_answer *a, const struct buf *before,
			 const struct buf *after)
{
	bool good = (int)a->result == s->result;

	if (good && a->result == CA_REFUSED)	/* changes nothing, does not burn the id */
		good = (int)a->code == s->detail && buf_same(before, after);
	if (good && a->result == CA_DEAD)
		good = a->request.generation == (uint32_t)s->detail;
	if (good && a->result == CA_ISSUED) {
		good = a->chain.n == 2;
		if (s->detail)		/* the very same as before */
			good = good && buf_same(&w->last, &a->chain.cert[0].der);
		buf_set(&w->last, a->chain.cert[0].der.data, a->chain.cert[0].der.len);
	}
	if (!good)
		fprintf(stderr, "step %zu: result %d, wanted %d: %s %s\n", i, a->result, s->result, reason_id(a->code),
			a->text);
	CU_ASSERT_TRUE(good);
}

static void play(struct world *w, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf before = {0}, after = {0};
		struct ca_answer a = {0};
		struct err e = {0};
		int rc;

		snapshot(w, &before);
		CU_ASSERT_EQUAL_FATAL(db_begin(w->db, &e), 0);
		rc = run_step(w, &steps[i], &a, &e);
		if (rc != 0)
			fprintf(stderr, "step %zu: %s\n", i, e.text);
		CU_ASSERT_EQUAL(rc, 0);
		CU_ASSERT_EQUAL_FATAL(db_commit(w->db, &e), 0);
		snapshot(w, &after);
		if (is_answered(steps[i].op))
			check_answer(w, i, &steps[i], &a, &before, &after);
		ca_answer_free(&a);
		buf_free(&before);
		buf_free(&after);
	}
}

#define PLAY(site, quota, ...)                                            \
	do {                                                              \
		static const struct step steps[] = { __VA_ARGS__ };      \
		struct world w;                                           \
		world_open(&w, site, quota);                              \
		play(&w, steps, ARRAY_LEN(steps));                        \
		world_close(&w);                                          \
	} while (0)

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

/* ---- frame ---- */
static void test_keys(void)
{
	struct cert_plan plan = { .subject_cn = "issuing",
				  .ca = true,
				  .path_len = 0,
				  .key_cert_sign = true,
				  .not_before = START,
				  .not_after = X509_NO_EXPIRY };
	struct buf der = {0}, ca_spki = {0};
	struct err e;

	folder = unit_folder();
	ca_key = key_generate(KEY_P256, &e);
	CU_ASSERT_EQUAL_FATAL(key_spki(ca_key, &ca_spki, &e), 0);
	plan.spki = &ca_spki;
	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, NULL, ca_key, &der, &e), 0);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&ca_cert, der.data, der.len, &e), 0);
	for (int i = 0; i < KEYS; i++) {
		struct key *k = key_generate(KEY_P256, &e);

		CU_ASSERT_EQUAL_FATAL(key_spki(k, &spki[i], &e), 0);
		key_free(k);
	}
	buf_free(&der);
	buf_free(&ca_spki);
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

static void test_clean(void)
{
	for (int i = 0; i < KEYS; i++)
		buf_free(&spki[i]);
	cert_free(&ca_cert);
	key_free(ca_key);
	unit_remove(folder);
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

/* ---- revocations ---- */
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

UNIT_MAIN("ca rules", { "keys", test_keys }, { "same id, same answer", test_same_id }, { "clone", test_clone }, { "made", test_made },
	  { "supersede", test_supersede }, { "active", test_active }, { "takeover", test_takeover }, { "other node", test_other_node }, { "recover", test_recover },
	  { "recover, pages", test_recover_pages },
	  { "learn", test_learn }, { "learn at the customer", test_learn_customer },
	  { "generation", test_generation }, { "tombstone", test_tombstone }, { "lapse", test_lapse },
	  { "quota", test_quota },
	  { "order", test_order }, { "confirm", test_confirm }, { "guards", test_guards },
	  { "interleaved", test_interleaved }, { "renewal", test_renewal }, { "renewal as told", test_renewal_told },
	  { "revocations", test_revocations }, { "old certificates", test_old_certificates }, { "old notes", test_old_notes },
	  { "clean", test_clean })
