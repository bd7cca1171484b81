#include <config.h>

#include "rules_world.h"

#include <string.h>

#include "audit.h"
#include "file.h"

char *folder;
struct buf spki[KEYS];
struct cert ca_cert;
static struct key *ca_key;

/* ---- world ---- */
void order_add(struct world *w, const char *id, uint32_t quota)
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

void world_open(struct world *w, enum site site, uint32_t quota)
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

void world_close(struct world *w)
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

struct request_id make_id(char c, uint32_t generation)
{
	struct request_id r = { .generation = generation };

	memset(r.id, c, REQUEST_ID_LEN);
	return r;
}

void make_cert(struct buf *der, const struct buf *key)
{
	struct cert_plan plan = {
		.spki = key, .subject_cn = "device", .not_before = START, .not_after = X509_NO_EXPIRY, .path_len = -1
	};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, &ca_cert, ca_key, der, &e), 0);
}

/* ---- steps ---- */
static struct request_id id_of(const struct step *s)
{
	return make_id(s->id, s->generation);
}

int do_issue(struct world *w, const struct step *s, struct ca_answer *a, struct err *e)
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
	struct ledger_ran ran;
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
		ran = (struct ledger_ran){ .seconds = s->key, .until_ms = w->rules.now * 1000, .now_ms = w->rules.now * 1000 };
		rc = request_lapse(w->db, w->rules.now, &ran, &lapsed, e);
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

void play(struct world *w, const struct step *steps, size_t n)
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

/* ---- frame ---- */
void test_keys(void)
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

void test_clean(void)
{
	for (int i = 0; i < KEYS; i++)
		buf_free(&spki[i]);
	cert_free(&ca_cert);
	key_free(ca_key);
	unit_remove(folder);
}
