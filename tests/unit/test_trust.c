#include <config.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cross.h"
#include "crypto_world.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

static struct world *w;

static void test_begin(void)
{
	w = world_new("Test Root");
}

/* Verifies {leaf, above...} afresh: with a trust that has seen nothing but the root. Frees no certificate. */
static int judge_all(const struct trust_rule *rule, struct err *e, const struct cert *const *list)
{
	struct trust *t = trust_new();
	struct chain ch = {0};
	int rc;

	CU_ASSERT_EQUAL(trust_add_root(t, &w->root.cert, e), 0);
	for (; *list; list++)
		CU_ASSERT_EQUAL(chain_add(&ch, (*list)->der.data, (*list)->der.len, e), 0);
	rc = trust_verify(t, &ch, rule, e);
	chain_free(&ch);
	trust_free(t);
	return rc;
}
#define JUDGE(rule, ...) judge_all(rule, &e, (const struct cert *const[]){ __VA_ARGS__, NULL })
#define REFUSED(reason, words, ...)                                              \
	do {                                                                     \
		CU_ASSERT_EQUAL(__VA_ARGS__, -1);                                \
		CU_ASSERT_EQUAL(e.code, REASON_##reason);                        \
		if (!strstr(e.text, words))                                      \
			printf("\nnot \"%s\": %s\n", words, e.text);             \
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, words));                   \
	} while (0)

static int verify_one(struct trust *t, const struct trust_rule *rule, const struct cert *leaf, const struct cert *above, struct err *e)
{
	struct chain ch = chain_of(leaf, above);
	int rc = trust_verify(t, &ch, rule, e);

	chain_free(&ch);
	return rc;
}

/* A leaf of a CA made for one test. */
static struct cert leaf_of(const struct authority *a)
{
	struct cert_plan plan = plan_device("1");

	return make_cert(&plan, w->leaf_key, a);
}

static struct authority ca_of(const struct cert_plan *plan, const struct authority *issuer)
{
	struct authority a = {0};

	authority_make(&a, plan, KEY_P256, issuer);
	return a;
}

/* ---- good and foreign chains ---- */
static void test_good(void)
{
	struct trust_rule rule = rule_any();
	struct cert leaf = leaf_of(&w->issuing);
	struct err e;

	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->issuing.cert), 0);
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->issuing.cert, &w->root.cert), 0);
	/* as some servers send it: root first, others between, one of them twice */
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->root.cert, &w->unit.cert, &leaf, &w->issuing.cert, &w->issuing.cert), 0);
	CU_ASSERT_EQUAL(JUDGE(&rule, &w->root.cert), 0);
	REFUSED(AUTHORITY, "was not issued by", JUDGE(&rule, &leaf));
	REFUSED(AUTHORITY, "was not issued by", JUDGE(&rule, &leaf, &w->root.cert));
	REFUSED(AUTHORITY, "was not issued by", JUDGE(&rule, &leaf, &w->unit.cert));
	rule.purpose = PURPOSE_CLIENT;
	rule.policy = OID_POLICY_FACTORY;
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->issuing.cert), 0);
	/* the first one is the peer, whatever follows */
	REFUSED(AUTHORITY, "not for TLS clients", JUDGE(&rule, &w->issuing.cert, &leaf));
	REFUSED(AUTHORITY, "no certificate", trust_verify(w->trust, &(struct chain){0}, &rule, &e));
	cert_free(&leaf);
}

static void test_unknown(void)
{
	struct world *evil = world_new("Test Root");	/* the same names, other keys */
	struct trust_rule rule = rule_any();
	struct cert leaf, posing;
	struct buf der;
	struct err e;

	leaf = leaf_of(&evil->issuing);
	REFUSED(AUTHORITY, "unknown here", JUDGE(&rule, &leaf, &evil->issuing.cert, &evil->root.cert));
	REFUSED(AUTHORITY, "unknown here", JUDGE(&rule, &leaf, &w->issuing.cert));
	/* and with the very key id of the true CA */
	der = patched(&leaf, evil->issuing.cert.der.data + evil->issuing.cert.key_id.at,
		      w->issuing.cert.der.data + w->issuing.cert.key_id.at, w->issuing.cert.key_id.len, evil->issuing.key);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&posing, der.data, der.len, &e), 0);
	REFUSED(AUTHORITY, "signature is wrong", JUDGE(&rule, &posing, &w->issuing.cert));
	REFUSED(AUTHORITY, "signature is wrong", JUDGE(&rule, &posing, &evil->issuing.cert, &w->issuing.cert));
	cert_free(&posing);
	cert_free(&leaf);
	buf_free(&der);
	world_free(evil);
}

static void test_roots(void)
{
	struct trust *t = trust_new();
	struct trust_rule rule = rule_any();
	struct cert leaf = leaf_of(&w->issuing), bad;
	struct buf der;
	struct err e;

	REFUSED(AUTHORITY, "no root", trust_add_root(t, &w->issuing.cert, &e));
	REFUSED(AUTHORITY, "no CA", trust_add_root(t, &leaf, &e));
	der = patched(&w->root.cert, "", "", 0, w->unit.key);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&bad, der.data, der.len, &e), 0);
	REFUSED(AUTHORITY, "not signed by itself", trust_add_root(t, &bad, &e));
	cert_free(&bad);
	buf_free(&der);
	CU_ASSERT_EQUAL(verify_one(t, &rule, &leaf, &w->issuing.cert, &e), -1);
	CU_ASSERT_EQUAL(trust_add_root(t, &w->root.cert, &e), 0);
	CU_ASSERT_EQUAL(trust_add_root(t, &w->root.cert, &e), 0);
	CU_ASSERT_EQUAL(verify_one(t, &rule, &leaf, &w->issuing.cert, &e), 0);
	cert_free(&leaf);
	trust_free(t);
}

/* ---- dates ---- */
static void test_dates(void)
{
	struct trust_rule rule = rule_any();
	struct cert_plan plan = plan_device("1"), ca = plan_ca("Short CA", OID_POLICY_FACTORY);
	struct authority expired;
	struct cert leaf, below;
	struct err e;

	plan.not_after = WORLD_NOW + DAY;
	leaf = make_cert(&plan, w->leaf_key, &w->issuing);
	rule.now = leaf.not_after;
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->issuing.cert), 0);
	rule.now++;
	REFUSED(CLOCK, "clock", JUDGE(&rule, &leaf, &w->issuing.cert));
	rule.ignore_expiry = true;
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->issuing.cert), 0);
	rule.ignore_expiry = false;
	rule.now = leaf.not_before;
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->issuing.cert), 0);
	rule.now--;
	REFUSED(CLOCK, "clock", JUDGE(&rule, &leaf, &w->issuing.cert));

	ca.not_after = WORLD_NOW - DAY;
	expired = ca_of(&ca, &w->root);
	below = leaf_of(&expired);
	rule = rule_any();
	REFUSED(CLOCK, "Short CA", JUDGE(&rule, &below, &expired.cert));
	rule.now = w->root.cert.not_after + 1;
	REFUSED(CLOCK, "clock", JUDGE(&rule, &below, &expired.cert));
	cert_free(&below);
	authority_free(&expired);
	cert_free(&leaf);
}

/* The renewed CA has the name and the key of the expired one; whichever comes first, in the chain or in what was learned. */
static void test_renewed(void)
{
	struct cert_plan plan = plan_ca("Renewed CA", OID_POLICY_FACTORY);
	struct trust_rule rule = rule_any(), then = rule_any();
	struct authority old, fresh = {0};
	struct trust *t = trust_new();
	struct cert leaf;
	struct err e;

	plan.not_after = WORLD_NOW - DAY;
	old = ca_of(&plan, &w->root);
	plan.not_after = WORLD_NOW + DAY;
	fresh.cert = make_cert(&plan, old.key, &w->root);
	leaf = leaf_of(&old);
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &old.cert, &fresh.cert), 0);
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &fresh.cert, &old.cert), 0);
	then.now = old.cert.not_after;
	then.ignore_expiry = true;
	CU_ASSERT_EQUAL(trust_add_root(t, &w->root.cert, &e), 0);
	CU_ASSERT_EQUAL(verify_one(t, &then, &leaf, &old.cert, &e), 0);
	REFUSED(CLOCK, "clock", verify_one(t, &rule, &leaf, &old.cert, &e));
	CU_ASSERT_EQUAL(verify_one(t, &rule, &leaf, &fresh.cert, &e), 0);
	CU_ASSERT_EQUAL(verify_one(t, &rule, &leaf, NULL, &e), 0);
	trust_free(t);
	cert_free(&leaf);
	cert_free(&fresh.cert);
	authority_free(&old);
}

/* ---- the rule ---- */
static void test_purpose(void)
{
	struct trust_rule server = rule_any(), client = rule_any();
	struct cert_plan plan = plan_unit("station", "a"), both = plan_unit("node", "a"), ca = plan_ca("Client CA", OID_POLICY_UNIT);
	struct cert station = make_cert(&plan, w->leaf_key, &w->unit), node = make_cert(&both, w->leaf_key, &w->unit), bare, mute, below;
	struct authority narrow;
	struct err e;

	server.purpose = PURPOSE_SERVER;
	client.purpose = PURPOSE_CLIENT;
	CU_ASSERT_EQUAL(JUDGE(&server, &node, &w->unit.cert), 0);
	CU_ASSERT_EQUAL(JUDGE(&client, &node, &w->unit.cert), 0);
	CU_ASSERT_EQUAL(JUDGE(&client, &station, &w->unit.cert), 0);
	REFUSED(AUTHORITY, "not for TLS servers", JUDGE(&server, &station, &w->unit.cert));
	plan.client_auth = false;
	bare = make_cert(&plan, w->leaf_key, &w->unit);
	REFUSED(AUTHORITY, "not for TLS servers", JUDGE(&server, &bare, &w->unit.cert));
	REFUSED(AUTHORITY, "not for TLS clients", JUDGE(&client, &bare, &w->unit.cert));
	both.digital_signature = false;
	both.key_agreement = true;
	mute = make_cert(&both, w->leaf_key, &w->unit);
	REFUSED(AUTHORITY, "keyUsage", JUDGE(&server, &mute, &w->unit.cert));
	ca.client_auth = true;
	narrow = ca_of(&ca, &w->root);
	below = make_cert(&(struct cert_plan){ .server_auth = true, .client_auth = true, .digital_signature = true, .subject_cn = "x",
					       .not_before = WORLD_NOW, .not_after = WORLD_NOW + DAY }, w->leaf_key, &narrow);
	CU_ASSERT_EQUAL(JUDGE(&client, &below, &narrow.cert), 0);
	REFUSED(AUTHORITY, "the CA \"CN=Client CA", JUDGE(&server, &below, &narrow.cert));
	cert_free(&station);
	cert_free(&node);
	cert_free(&bare);
	cert_free(&mute);
	cert_free(&below);
	authority_free(&narrow);
}

static void test_role(void)
{
	struct cert_plan plan = plan_unit("station", "a"), open = plan_ca("Open CA", "2.5.29.32.0");
	struct trust_rule rule = { .role = "station", .policy = OID_POLICY_UNIT, .now = WORLD_NOW };
	struct cert good = make_cert(&plan, w->leaf_key, &w->unit), smuggled = make_cert(&plan, w->leaf_key, &w->issuing), device, below;
	struct authority any = ca_of(&open, &w->root);
	struct err e;

	CU_ASSERT_EQUAL(JUDGE(&rule, &good, &w->unit.cert), 0);
	rule.role = "node";
	REFUSED(ROLE, "\"node\" is needed", JUDGE(&rule, &good, &w->unit.cert));
	rule.role = "stat";
	REFUSED(ROLE, "is needed", JUDGE(&rule, &good, &w->unit.cert));
	rule.role = "station";
	device = leaf_of(&w->issuing);
	rule.policy = OID_POLICY_FACTORY;
	REFUSED(ROLE, "has the role \"none\"", JUDGE(&rule, &device, &w->issuing.cert));
	rule.policy = OID_POLICY_UNIT;
	/* a unit's certificate from the CA of devices: it may not issue such */
	REFUSED(ROLE, "may not issue", JUDGE(&rule, &smuggled, &w->issuing.cert));
	below = make_cert(&plan, w->leaf_key, &any);
	CU_ASSERT_EQUAL(JUDGE(&rule, &below, &any.cert), 0);
	cert_free(&good);
	cert_free(&smuggled);
	cert_free(&device);
	cert_free(&below);
	authority_free(&any);
}

static void test_policy(void)
{
	struct trust_rule rule = { .policy = OID_POLICY_CUSTOMER, .now = WORLD_NOW };
	struct cert_plan plan = plan_device("1");
	struct cert device = make_cert(&plan, w->leaf_key, &w->issuing), unit;
	struct err e;

	REFUSED(ROLE, "may not issue", JUDGE(&rule, &device, &w->issuing.cert));
	plan.policy = OID_POLICY_CUSTOMER;
	unit = make_cert(&plan, w->leaf_key, &w->issuing);
	REFUSED(ROLE, "may not issue", JUDGE(&rule, &unit, &w->issuing.cert));
	rule.policy = OID_POLICY_FACTORY;
	CU_ASSERT_EQUAL(JUDGE(&rule, &device, &w->issuing.cert), 0);
	REFUSED(ROLE, "another kind", JUDGE(&rule, &unit, &w->issuing.cert));
	cert_free(&device);
	cert_free(&unit);
}

static void test_pinned(void)
{
	struct trust_rule rule = rule_any();
	struct cert_plan plan = plan_ca("Second Issuing CA", OID_POLICY_FACTORY);
	struct authority second = ca_of(&plan, &w->root), alien = ca_of(&plan, NULL);
	struct cert leaf = leaf_of(&w->issuing), other = leaf_of(&second), bad;
	struct trust *t = trust_new();
	struct err e;

	rule.pinned = true;
	REFUSED(AUTHORITY, "unknown", trust_add_issuer(t, &w->issuing.cert, &e));
	CU_ASSERT_EQUAL(trust_add_root(t, &w->root.cert, &e), 0);
	CU_ASSERT_EQUAL(trust_add_issuer(t, &w->issuing.cert, &e), 0);
	CU_ASSERT_EQUAL(trust_add_issuer(t, &w->issuing.cert, &e), 0);
	REFUSED(AUTHORITY, "unknown", trust_add_issuer(t, &alien.cert, &e));
	REFUSED(AUTHORITY, "no CA", trust_add_issuer(t, &leaf, &e));
	CU_ASSERT_EQUAL(verify_one(t, &rule, &leaf, NULL, &e), 0);
	REFUSED(AUTHORITY, "accepted issuing CAs", verify_one(t, &rule, &other, &second.cert, &e));
	rule.pinned = false;
	CU_ASSERT_EQUAL(verify_one(t, &rule, &other, &second.cert, &e), 0);
	rule.pinned = true;	/* known by now, and yet not pinned; nor is the root */
	REFUSED(AUTHORITY, "accepted issuing CAs", verify_one(t, &rule, &other, &second.cert, &e));
	REFUSED(AUTHORITY, "accepted issuing CAs", verify_one(t, &rule, &second.cert, &w->root.cert, &e));
	bad = leaf_of(&alien);
	REFUSED(AUTHORITY, "accepted issuing CAs", verify_one(t, &rule, &bad, &alien.cert, &e));
	cert_free(&bad);
	cert_free(&leaf);
	cert_free(&other);
	authority_free(&second);
	authority_free(&alien);
	trust_free(t);
}

/* ---- who may be a CA ---- */
static void test_no_ca(void)
{
	struct trust_rule rule = rule_any();
	struct cert_plan plan = plan_device("1"), mute = plan_ca("Mute CA", NULL);
	struct authority leaf = ca_of(&plan, &w->issuing), pretender = { .key = leaf.key, .cert = leaf.cert }, no_sign;
	struct cert below, under;
	struct err e;

	pretender.cert.ca = true;	/* shallow, for cert_build() only */
	below = leaf_of(&pretender);
	REFUSED(AUTHORITY, "unknown", JUDGE(&rule, &below, &leaf.cert, &w->issuing.cert));
	mute.key_cert_sign = false;
	no_sign = ca_of(&mute, &w->root);
	under = leaf_of(&no_sign);
	REFUSED(AUTHORITY, "unknown", JUDGE(&rule, &under, &no_sign.cert));
	cert_free(&below);
	cert_free(&under);
	authority_free(&leaf);
	authority_free(&no_sign);
}

static void test_path(void)
{
	struct trust_rule rule = rule_any();
	struct cert_plan plan = plan_ca("Sub CA", NULL), free_plan = plan_ca("Free Root", NULL);
	struct authority sub = ca_of(&plan, &w->issuing), a[LIMIT_TRUST_DEPTH + 1] = { 0 };
	struct cert leaf = leaf_of(&sub), deep;
	struct trust *t = trust_new();
	struct chain ch = {0};
	struct err e;

	REFUSED(AUTHORITY, "4.2.1.9", JUDGE(&rule, &leaf, &sub.cert, &w->issuing.cert));
	/* no limit but our own: LIMIT_TRUST_DEPTH certificates below the root */
	free_plan.path_len = -1;
	a[0] = ca_of(&free_plan, NULL);
	CU_ASSERT_EQUAL(trust_add_root(t, &a[0].cert, &e), 0);
	for (int i = 1; i <= LIMIT_TRUST_DEPTH; i++) {
		snprintf(free_plan.subject_cn, sizeof free_plan.subject_cn, "Level %d", i);
		a[i] = ca_of(&free_plan, &a[i - 1]);
	}
	for (int levels = 1; levels <= LIMIT_TRUST_DEPTH; levels++) {
		struct trust *cold = trust_new();

		CU_ASSERT_EQUAL(trust_add_root(cold, &a[0].cert, &e), 0);
		deep = leaf_of(&a[levels]);
		ch = chain_of(&deep, NULL);
		for (int i = levels; i > 0; i--)
			CU_ASSERT_EQUAL(chain_add(&ch, a[i].cert.der.data, a[i].cert.der.len, &e), 0);
		CU_ASSERT_EQUAL(trust_verify(cold, &ch, &rule, &e), levels < LIMIT_TRUST_DEPTH ? 0 : -1);
		chain_free(&ch);
		cert_free(&deep);
		trust_free(cold);
	}
	trust_free(t);
	cert_free(&leaf);
	authority_free(&sub);
	for (int i = 0; i <= LIMIT_TRUST_DEPTH; i++)
		authority_free(&a[i]);
}

static void test_critical(void)
{
	static const char usage[] = "\x06\x03\x55\x1d\x0f\x01\x01\xff", unknown[] = "\x06\x03\x55\x1d\x63\x01\x01\xff",
			  optional[] = "\x06\x03\x55\x1d\x63\x01\x01\x00", constraints[] = "\x06\x03\x55\x1d\x24\x01\x01\xff";
	struct cert_plan plan = plan_ca("Odd CA", OID_POLICY_FACTORY);
	struct authority odd = ca_of(&plan, &w->root);
	struct trust_rule rule = rule_any();
	struct cert leaf = leaf_of(&w->issuing), below = leaf_of(&odd), bad;
	struct buf der;
	struct err e;

	der = patched(&leaf, usage, unknown, 8, w->issuing.key);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&bad, der.data, der.len, &e), 0);
	CU_ASSERT_STRING_EQUAL(bad.unknown_critical, "2.5.29.99");
	REFUSED(AUTHORITY, "2.5.29.99", JUDGE(&rule, &bad, &w->issuing.cert));
	cert_free(&bad);
	buf_free(&der);
	der = patched(&leaf, usage, optional, 8, w->issuing.key);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&bad, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL(JUDGE(&rule, &bad, &w->issuing.cert), 0);
	cert_free(&bad);
	buf_free(&der);
	der = patched(&odd.cert, usage, constraints, 8, w->root.key);	/* policyConstraints: not processed, so refused */
	CU_ASSERT_EQUAL_FATAL(cert_parse(&bad, der.data, der.len, &e), 0);
	REFUSED(AUTHORITY, "unknown", JUDGE(&rule, &below, &bad));
	cert_free(&bad);
	buf_free(&der);
	cert_free(&leaf);
	cert_free(&below);
	authority_free(&odd);
}

/* ---- name constraints (RFC 5280 4.2.1.10) ---- */
struct limited {
	struct authority loose, tight;	/* one name, one key; only the second has constraints */
};

static struct limited limited_by(const char *const *permitted, const char *const *excluded)
{
	struct name_limits limits = {0};
	struct cert_plan plan = plan_ca("Limited CA", OID_POLICY_UNIT);
	struct limited l = { .loose = ca_of(&plan, &w->root) };

	for (; permitted && *permitted; permitted++)
		CU_ASSERT_EQUAL_FATAL(name_limits_add(&limits, false, *permitted), 0);
	for (; excluded && *excluded; excluded++)
		CU_ASSERT_EQUAL_FATAL(name_limits_add(&limits, true, *excluded), 0);
	plan.limits = &limits;
	l.tight.key = l.loose.key;
	authority_make(&l.tight, &plan, KEY_P256, &w->root);
	return l;
}

/* The builder, the verifier and openssl are of one mind. */
static void judge_names(const struct limited *l, const char *dns, const char *ip, const char *email, bool allowed)
{
	struct cert_plan plan = plan_unit("node", "plant-7");
	struct trust_rule rule = rule_any();
	struct buf der = {0};
	struct cert leaf;
	struct err e = {0};

	snprintf(plan.dns[0], sizeof plan.dns[0], "%s", dns);
	snprintf(plan.ip[0], sizeof plan.ip[0], "%s", ip);
	snprintf(plan.email, sizeof plan.email, "%s", email);
	plan.spki = &w->issuing.cert.spki;
	CU_ASSERT_EQUAL(cert_build(&plan, &l->tight.cert, l->tight.key, &der, &e), allowed ? 0 : -1);
	CU_ASSERT(allowed || (e.code == REASON_PROFILE && strstr(e.text, "name constraints")));
	buf_free(&der);
	leaf = make_cert(&plan, w->leaf_key, &l->loose);
	if (allowed) {
		CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &l->tight.cert), 0);
	} else {
		REFUSED(AUTHORITY, "4.2.1.10", JUDGE(&rule, &leaf, &l->tight.cert));
	}
	scratch_cert("leaf.pem", &leaf);
	scratch_cert("tight.pem", &l->tight.cert);
	scratch_cert("root.pem", &w->root.cert);
	CU_ASSERT_EQUAL(shell("openssl verify -x509_strict -attime %d -CAfile '%s' -untrusted '%s' '%s'", WORLD_NOW, scratch("root.pem"), scratch("tight.pem"),
			      scratch("leaf.pem")) == 0, allowed);
	cert_free(&leaf);
}

static void test_limits(void)
{
	static const char *const hosts[] = { "dns:plant.example", "ip:10.0.0.0/8", "ip:2001:db8::/33", "email:.plant.example", "email:a@b.example", NULL },
				 *const none[] = { "dns:*", "ip:*", "email:plant.example", NULL };
	static const struct {
		const char *dns, *ip, *email;
		bool hosts, none;	/* allowed with these permitted, those excluded */
	} names[] = {
		{ "", "", "", true, true },
		{ "plant.example", "", "", true, false },
		{ "a.b.Plant.Example", "", "", true, false },
		{ "implant.example", "", "", false, false },
		{ "example", "", "", false, false },
		{ "", "10.255.0.1", "", true, false },
		{ "", "11.0.0.1", "", false, false },
		{ "", "2001:db8:7fff::1", "", true, false },
		{ "", "2001:db8:8000::1", "", false, false },
		{ "", "", "x@a.plant.example", true, true },
		{ "", "", "x@plant.example", false, false },
		{ "", "", "a@b.example", true, true },
		{ "", "", "c@b.example", false, true },
		{ "plant.example", "11.0.0.1", "", false, false },
	};
	struct limited permits = limited_by(hosts, NULL), excludes = limited_by(NULL, none);
	struct name_limits l = {0};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		judge_names(&permits, names[i].dns, names[i].ip, names[i].email, names[i].hosts);
		judge_names(&excludes, names[i].dns, names[i].ip, names[i].email, names[i].none);
	}
	for (size_t i = 0; i < NAME_SUBTREES; i++)
		CU_ASSERT_EQUAL(name_limits_add(&l, true, "dns:a"), 0);
	CU_ASSERT_EQUAL(name_limits_add(&l, true, "dns:a"), -2);
	authority_free(&permits.loose);
	cert_free(&permits.tight.cert);
	authority_free(&excludes.loose);
	cert_free(&excludes.tight.cert);
}

/* Of a form that we do not compare, with minimum or maximum, or not well formed: refused, whatever the names are. */
static void test_odd_limits(void)
{
	static const char *const one[] = { "email:plant.example", NULL };
	static const struct {
		const char *find, *put;
	} odd[] = {
		{ "\xa0\x11\x30\x0f\x81\x0d", "\xa0\x11\x30\x0f\xa4\x0d" },	/* directoryName, which every certificate has */
		{ "\xa0\x11\x30\x0f\x81\x0d", "\xa0\x11\x30\x0f\x86\x0d" },	/* URI, which every unit has */
		{ "\xa0\x11\x30\x0f\x81\x0d", "\xa2\x11\x30\x0f\x81\x0d" },	/* neither permitted nor excluded */
		{ "\xa0\x11\x30\x0f\x81\x0d", "\xa0\x11\x30\x0f\x81\x0c" },	/* a byte behind the name */
		{ "\xa0\x11\x30\x0f\x81\x0d", "\xa0\x11\x31\x0f\x81\x0d" },
	};
	struct limited l = limited_by(one, NULL);
	struct cert_plan plan = plan_unit("node", "plant-7");
	struct cert leaf = make_cert(&plan, w->leaf_key, &l.loose), bad;
	struct trust_rule rule = rule_any();
	struct err e;

	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &l.tight.cert), 0);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct buf der = patched(&l.tight.cert, odd[i].find, odd[i].put, 6, w->root.key);

		CU_ASSERT_EQUAL_FATAL(cert_parse(&bad, der.data, der.len, &e), 0);
		REFUSED(AUTHORITY, "name constraints", JUDGE(&rule, &leaf, &bad));
		cert_free(&bad);
		buf_free(&der);
	}
	cert_free(&leaf);
	authority_free(&l.loose);
	cert_free(&l.tight.cert);
}

/* A leaf without extKeyUsage is good for any purpose, where the rule takes it so. */
static void test_unrestricted(void)
{
	struct cert_plan plan = plan_device("1");
	struct trust_rule rule = rule_any();
	struct cert leaf;
	struct err e;

	plan.client_auth = plan.server_auth = false;
	leaf = make_cert(&plan, w->leaf_key, &w->issuing);
	rule.purpose = PURPOSE_CLIENT;
	REFUSED(AUTHORITY, "extKeyUsage", JUDGE(&rule, &leaf, &w->issuing.cert));
	rule.unrestricted = true;
	CU_ASSERT_EQUAL(JUDGE(&rule, &leaf, &w->issuing.cert), 0);
	cert_free(&leaf);
	plan.server_auth = true;
	leaf = make_cert(&plan, w->leaf_key, &w->issuing);
	REFUSED(AUTHORITY, "extKeyUsage", JUDGE(&rule, &leaf, &w->issuing.cert));	/* restricted to something else */
	cert_free(&leaf);
}

/* ---- the kept verdict ---- */
static void test_cache(void)
{
	struct world *evil = world_new("Evil Root");
	struct trust_rule rule = rule_any();
	struct cert leaf = leaf_of(&w->issuing), forged = leaf_of(&evil->issuing), posing, flipped;
	struct buf bytes = {0}, der;
	struct err e;

	CU_ASSERT_EQUAL(verify_one(w->trust, &rule, &leaf, &w->issuing.cert, &e), 0);
	CU_ASSERT_EQUAL(verify_one(w->trust, &rule, &leaf, NULL, &e), 0);
	/* the same subject, another key */
	REFUSED(AUTHORITY, "unknown", verify_one(w->trust, &rule, &forged, &evil->issuing.cert, &e));
	REFUSED(AUTHORITY, "unknown", verify_one(w->trust, &rule, &forged, NULL, &e));
	der = patched(&forged, evil->issuing.cert.der.data + evil->issuing.cert.key_id.at,
		      w->issuing.cert.der.data + w->issuing.cert.key_id.at, w->issuing.cert.key_id.len, evil->issuing.key);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&posing, der.data, der.len, &e), 0);
	REFUSED(AUTHORITY, "unknown", verify_one(w->trust, &rule, &posing, NULL, &e));
	buf_free(&der);
	/* the issuer with its key replaced and all else the same, its signature included */
	buf_set(&bytes, w->issuing.cert.der.data, w->issuing.cert.der.len);
	memcpy((uint8_t *)memmem(bytes.data, bytes.len, w->issuing.cert.spki.data, w->issuing.cert.spki.len),
	       evil->issuing.cert.spki.data, evil->issuing.cert.spki.len);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&flipped, bytes.data, bytes.len, &e), 0);
	REFUSED(AUTHORITY, "unknown", verify_one(w->trust, &rule, &posing, &flipped, &e));
	REFUSED(AUTHORITY, "unknown", verify_one(w->trust, &rule, &posing, &w->issuing.cert, &e));
	cert_free(&flipped);
	/* one bit of the issuer's signature: no verdict comes of it */
	buf_set(&bytes, w->issuing.cert.der.data, w->issuing.cert.der.len);
	bytes.data[bytes.len - 1] ^= 1;
	CU_ASSERT_EQUAL_FATAL(cert_parse(&flipped, bytes.data, bytes.len, &e), 0);
	REFUSED(AUTHORITY, "unknown", JUDGE(&rule, &leaf, &flipped));
	cert_free(&flipped);
	cert_free(&posing);
	cert_free(&forged);
	cert_free(&leaf);
	buf_free(&bytes);
	world_free(evil);
}

/* A stranger repeats public chains below false leaves: what was learned of others stays. */
static void test_eviction(void)
{
	struct trust_rule rule = rule_any();
	struct cert_plan plan = plan_unit("node", "a"), ca = plan_ca("", OID_POLICY_FACTORY);
	struct cert unit = make_cert(&plan, w->leaf_key, &w->unit);
	struct trust *t = trust_new();
	struct err e;

	CU_ASSERT_EQUAL(trust_add_root(t, &w->root.cert, &e), 0);
	CU_ASSERT_EQUAL(verify_one(t, &rule, &unit, &w->unit.cert, &e), 0);
	for (int i = 0; i < LIMIT_TRUST_LEARNED / 3; i++) {
		struct authority public = { .key = w->issuing.key };
		struct cert leaf, forged;
		struct buf bytes = {0};

		snprintf(ca.subject_cn, sizeof ca.subject_cn, "Public CA %d", i);
		public.cert = make_cert(&ca, public.key, &w->root);
		leaf = leaf_of(&public);
		buf_set(&bytes, leaf.der.data, leaf.der.len);
		bytes.data[bytes.len - 1] ^= 1;
		CU_ASSERT_EQUAL_FATAL(cert_parse(&forged, bytes.data, bytes.len, &e), 0);
		for (int k = 0; k < 8; k++)
			CU_ASSERT_EQUAL(verify_one(t, &rule, &forged, &public.cert, &e), -1);
		CU_ASSERT_EQUAL(verify_one(t, &rule, &leaf, NULL, &e), 0);
		cert_free(&public.cert);
		cert_free(&leaf);
		cert_free(&forged);
		buf_free(&bytes);
	}
	CU_ASSERT_EQUAL(verify_one(t, &rule, &unit, NULL, &e), 0);
	cert_free(&unit);
	trust_free(t);
}

/* Two threads over more CAs than are kept, so that verdicts are dropped while the other one uses them. */
#define MANY (LIMIT_TRUST_LEARNED + 16)
static struct authority many[MANY];
static struct cert many_leaf;
static struct trust *shared;

static void *verify_many(void *failures)
{
	struct trust_rule rule = rule_any();
	struct err e;

	for (int i = 0; i < 2 * MANY; i++) {
		*(int *)failures += verify_one(shared, &rule, &many_leaf, &many[i % MANY].cert, &e) < 0;
		*(int *)failures += verify_one(shared, &rule, &many[i % MANY].cert, NULL, &e) < 0;
	}
	return NULL;
}

static void test_threads(void)
{
	struct cert_plan plan = plan_ca("Many CA", OID_POLICY_FACTORY);
	int failures[2] = { 0 };
	struct err e;
	pthread_t thread;

	shared = trust_new();
	CU_ASSERT_EQUAL(trust_add_root(shared, &w->root.cert, &e), 0);
	many[0] = ca_of(&plan, &w->root);
	for (int i = 1; i < MANY; i++)
		many[i].cert = make_cert(&plan, many[0].key, &w->root);
	many_leaf = leaf_of(&many[0]);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, verify_many, &failures[0]), 0);
	verify_many(&failures[1]);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(failures[0] + failures[1], 0);
	cert_free(&many_leaf);
	for (int i = 0; i < MANY; i++)
		authority_free(&many[i]);
	trust_free(shared);
}

static void test_end(void)
{
	world_free(w);
}

/* ---- one root's certificate by another (H14, RFC 4210 4.4) ---- */
static struct cert_plan plan_cross(const struct authority *root)
{
	struct cert_plan plan = plan_ca("another name, which must not count", OID_POLICY_ANY);

	plan.as = &root->cert;
	plan.path_len = 2;
	return plan;
}

static struct cert cross_of(const struct cert_plan *plan, const struct authority *root, const struct authority *by)
{
	return make_cert(plan, root->key, by);
}

static void test_cross(void)
{
	struct cert_plan upper_plan = plan_ca("Upper Root", NULL), other_plan = plan_ca("Other Root", NULL), plan;
	struct authority upper = {0}, other = {0}, twin = {0};
	struct cert good, bad[5];
	struct chain among = {0};
	struct err e;

	upper_plan.path_len = other_plan.path_len = -1;
	authority_make(&upper, &upper_plan, KEY_P256, NULL);
	authority_make(&other, &other_plan, KEY_P256, NULL);
	other_plan.as = &w->root.cert;		/* our root's name, another key */
	authority_make(&twin, &other_plan, KEY_P256, NULL);
	plan = plan_cross(&w->root);
	good = cross_of(&plan, &w->root, &upper);
	CU_ASSERT_STRING_EQUAL(good.subject, w->root.cert.subject);
	CU_ASSERT_EQUAL(cross_verify(&good, &w->root.cert, &upper.cert, WORLD_NOW, &e), 0);
	/* by another, of another, of another key, no CA, too old */
	REFUSED(AUTHORITY, "was not issued by", cross_verify(&good, &w->root.cert, &other.cert, WORLD_NOW, &e));
	REFUSED(AUTHORITY, "not for the root", cross_verify(&good, &other.cert, &upper.cert, WORLD_NOW, &e));
	REFUSED(AUTHORITY, "not for the root", cross_verify(&good, &twin.cert, &upper.cert, WORLD_NOW, &e));
	REFUSED(CLOCK, "is good from", cross_verify(&good, &w->root.cert, &upper.cert, good.not_after + 1, &e));
	REFUSED(AUTHORITY, "is no root", cross_verify(&good, &w->root.cert, &w->issuing.cert, WORLD_NOW, &e));
	REFUSED(AUTHORITY, "is no root", cross_verify(&good, &good, &upper.cert, WORLD_NOW, &e));
	bad[0] = cross_of(&plan, &twin, &upper);
	REFUSED(AUTHORITY, "another key", cross_verify(&bad[0], &w->root.cert, &upper.cert, WORLD_NOW, &e));
	plan.ca = plan.key_cert_sign = plan.crl_sign = false;
	plan.digital_signature = true;
	plan.path_len = -1;
	bad[1] = cross_of(&plan, &w->root, &upper);
	REFUSED(AUTHORITY, "not for a CA that stands above others", cross_verify(&bad[1], &w->root.cert, &upper.cert, WORLD_NOW, &e));
	plan = plan_cross(&other);
	bad[2] = cross_of(&plan, &w->root, &upper);
	REFUSED(AUTHORITY, "not for the root", cross_verify(&bad[2], &w->root.cert, &upper.cert, WORLD_NOW, &e));
	/* among others */
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(chain_add(&among, bad[i].der.data, bad[i].der.len, &e), 0);
	CU_ASSERT_FALSE(cross_way(&among, &w->root.cert, &upper.cert, WORLD_NOW));
	CU_ASSERT_EQUAL(chain_add(&among, good.der.data, good.der.len, &e), 0);
	CU_ASSERT(cross_way(&among, &w->root.cert, &upper.cert, WORLD_NOW));
	/* the newer root itself must be there, and be another one */
	CU_ASSERT_PTR_NULL(cross_newer(&among, &upper.cert, WORLD_NOW));
	CU_ASSERT_EQUAL(chain_add(&among, upper.cert.der.data, upper.cert.der.len, &e), 0);
	CU_ASSERT_EQUAL(chain_add(&among, w->root.cert.der.data, w->root.cert.der.len, &e), 0);
	CU_ASSERT_EQUAL(cross_newer(&among, &upper.cert, WORLD_NOW), &among.cert[5]);
	CU_ASSERT_PTR_NULL(cross_newer(&among, &other.cert, WORLD_NOW));
	CU_ASSERT_PTR_NULL(cross_newer(&among, &w->root.cert, WORLD_NOW));
	CU_ASSERT_PTR_NULL(cross_newer(&among, &upper.cert, good.not_after + 1));
	chain_free(&among);
	for (int i = 0; i < 3; i++)
		cert_free(&bad[i]);
	cert_free(&good);
	authority_free(&upper);
	authority_free(&other);
	authority_free(&twin);
}

/* Roots 0 to LIMIT_ROOT_LINKS + 1, each certified by the one before it. */
#define ROOTS (LIMIT_ROOT_LINKS + 2)
struct line {
	struct authority root[ROOTS];
	struct cert link[ROOTS];	/* of root i by root i - 1; the first is not used */
};

static struct line *line_new(void)
{
	struct line *l = mem_new(1, sizeof *l);
	char name[16];

	for (int i = 0; i < ROOTS; i++) {
		struct cert_plan plan;

		snprintf(name, sizeof name, "Root %d", i + 1);
		plan = plan_ca(name, NULL);
		plan.path_len = -1;
		authority_make(&l->root[i], &plan, KEY_P256, NULL);
		plan = plan_cross(&l->root[i]);
		plan.path_len = LIMIT_ROOT_LINKS;
		if (i)
			l->link[i] = cross_of(&plan, &l->root[i], &l->root[i - 1]);
	}
	return l;
}

static void line_free(struct line *l)
{
	for (int i = 0; i < ROOTS; i++) {
		authority_free(&l->root[i]);
		cert_free(&l->link[i]);
	}
	free(l);
}

static void list_put(struct chain *list, const struct cert *c)
{
	struct err e;

	CU_ASSERT_EQUAL_FATAL(chain_add(list, c->der.data, c->der.len, &e), 0);
}

/* Who slept through rollovers comes to the root in force link by link, and by no link that the root reached so far has not signed. */
static void test_links(void)
{
	struct line *l = line_new();
	struct cert_plan plan = plan_cross(&l->root[0]);
	struct cert back = cross_of(&plan, &l->root[0], &l->root[1]);	/* the old root by the new one: a circle */
	struct chain list = {0}, none = {0};

	list_put(&list, &back);
	for (int i = ROOTS - 1; i > 0; i--)
		list_put(&list, &l->link[i]);
	for (int i = 1; i <= LIMIT_ROOT_LINKS; i++)
		CU_ASSERT(cross_way(&list, &l->root[i].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->root[ROOTS - 1].cert, &l->root[0].cert, WORLD_NOW));	/* one more than the limit */
	CU_ASSERT(cross_way(&list, &l->root[ROOTS - 1].cert, &l->root[1].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&none, &l->root[1].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->link[2], &l->root[0].cert, WORLD_NOW));	/* a link is no root */
	CU_ASSERT_PTR_NULL(cross_newer(&list, &l->root[0].cert, WORLD_NOW));
	list_put(&list, &l->root[2].cert);
	CU_ASSERT_PTR_EQUAL(cross_newer(&list, &l->root[0].cert, WORLD_NOW), &list.cert[list.n - 1]);
	chain_free(&list);
	cert_free(&back);
	line_free(l);
}

/* The middle of three roots is missing, of another key, signed by another key, over, or the certificate of a CA that is no root. */
static void test_false_links(void)
{
	struct line *l = line_new();
	struct cert_plan twin_plan = plan_ca("Root 2", NULL), plan = plan_cross(&l->root[1]);
	struct authority twin = {0}, stranger = {0}, other = {0};
	struct cert bad[6];
	struct chain list = {0};

	twin_plan.path_len = -1;
	authority_make(&twin, &twin_plan, KEY_P256, NULL);	/* the middle's name, other keys */
	authority_make(&stranger, &twin_plan, KEY_P256, NULL);
	twin_plan = plan_ca("Root 1", NULL);
	twin_plan.path_len = -1;
	authority_make(&other, &twin_plan, KEY_P256, NULL);	/* the name of the root that is known, another key */
	bad[0] = cross_of(&plan, &l->root[1], &other);		/* forged: not by the root that is known */
	bad[1] = cross_of(&plan, &twin, &l->root[0]);		/* good, of a key that did not sign the next */
	plan.not_after = WORLD_NOW - 1;
	bad[2] = cross_of(&plan, &l->root[1], &l->root[0]);	/* over */
	plan = plan_cross(&l->root[1]);
	plan.path_len = 0;
	bad[3] = cross_of(&plan, &l->root[1], &l->root[0]);	/* of an issuing CA, which has made itself a root */
	plan.path_len = -1;
	plan.ca = plan.key_cert_sign = plan.crl_sign = false;
	plan.digital_signature = true;
	bad[4] = cross_of(&plan, &l->root[1], &l->root[0]);	/* no CA */
	plan = plan_cross(&l->root[2]);
	bad[5] = cross_of(&plan, &l->root[2], &stranger);		/* the end, by a stranger with the middle's name */
	for (int i = 0; i < 6; i++)
		list_put(&list, &bad[i]);
	list_put(&list, &l->link[2]);
	CU_ASSERT_FALSE(cross_way(&list, &l->root[2].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->root[1].cert, &l->root[0].cert, WORLD_NOW));
	list_put(&list, &l->link[1]);
	CU_ASSERT(cross_way(&list, &l->root[2].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->root[2].cert, &l->root[0].cert, l->link[1].not_after + 1));
	while (list.n < 64)	/* names that fit cost signatures, and those are counted */
		list_put(&list, &bad[0]);
	CU_ASSERT_FALSE(cross_way(&list, &l->root[3].cert, &l->root[0].cert, WORLD_NOW));
	for (int i = 0; i < 6; i++)
		cert_free(&bad[i]);
	chain_free(&list);
	authority_free(&twin);
	authority_free(&stranger);
	authority_free(&other);
	line_free(l);
}

/* A server two generations on, as it shows itself to who knows the first root alone. */
static void test_long_way(void)
{
	struct line *l = line_new();
	struct cert_plan plan = plan_ca("Issuing 4", OID_POLICY_FACTORY);
	struct authority issuing = {0};
	struct trust_rule rule = rule_any();
	struct trust *t = trust_new();
	struct cert leaf;
	struct chain ch;
	struct err e;

	plan.path_len = 0;
	authority_make(&issuing, &plan, KEY_P256, &l->root[LIMIT_ROOT_LINKS]);
	leaf = leaf_of(&issuing);
	ch = chain_of(&leaf, &issuing.cert);
	CU_ASSERT_EQUAL(trust_add_root(t, &l->root[0].cert, &e), 0);
	for (int i = LIMIT_ROOT_LINKS; i > 0; i--) {
		REFUSED(AUTHORITY, "was not issued by", trust_verify(t, &ch, &rule, &e));
		list_put(&ch, &l->link[i]);
	}
	CU_ASSERT_EQUAL(trust_verify(t, &ch, &rule, &e), 0);
	trust_free(t);
	chain_free(&ch);
	cert_free(&leaf);
	authority_free(&issuing);
	line_free(l);
}

/* Who pins the upper root verifies all below it; who pins ours is told nothing by the certificate of another. */
static void test_below_upper(void)
{
	struct cert_plan upper_plan = plan_ca("Upper Root", NULL), plan = plan_cross(&w->root);
	struct trust_rule rule = rule_any();
	struct authority upper = {0};
	struct cert cross, leaf = leaf_of(&w->issuing);
	struct chain ch = chain_of(&leaf, &w->issuing.cert);
	struct trust *t = trust_new();
	struct err e;

	upper_plan.path_len = -1;
	authority_make(&upper, &upper_plan, KEY_P256, NULL);
	cross = cross_of(&plan, &w->root, &upper);
	CU_ASSERT_EQUAL(trust_add_root(t, &upper.cert, &e), 0);
	REFUSED(AUTHORITY, "was not issued by", trust_verify(t, &ch, &rule, &e));
	CU_ASSERT_EQUAL(chain_add(&ch, cross.der.data, cross.der.len, &e), 0);
	rule.policy = OID_POLICY_FACTORY;
	CU_ASSERT_EQUAL(trust_verify(t, &ch, &rule, &e), 0);
	CU_ASSERT(cross_leads(&upper.cert, &ch, &rule));
	CU_ASSERT(cross_leads(&w->root.cert, &ch, &rule));
	ch.n--;
	CU_ASSERT_FALSE(cross_leads(&upper.cert, &ch, &rule));
	ch.n++;
	rule.pinned = true;	/* and that is not what decides */
	REFUSED(AUTHORITY, "accepted issuing CAs", trust_verify(t, &ch, &rule, &e));
	trust_free(t);
	chain_free(&ch);
	cert_free(&leaf);
	cert_free(&cross);
	authority_free(&upper);
}

UNIT_MAIN("trust", { "begin", test_begin }, { "good", test_good }, { "unknown", test_unknown }, { "roots", test_roots },
	  { "dates", test_dates }, { "renewed", test_renewed }, { "purpose", test_purpose }, { "role", test_role },
	  { "policy", test_policy }, { "pinned", test_pinned }, { "no ca", test_no_ca }, { "path", test_path },
	  { "critical", test_critical }, { "name constraints", test_limits },
		{ "odd constraints", test_odd_limits }, { "unrestricted", test_unrestricted }, { "cache", test_cache }, { "eviction", test_eviction }, { "threads", test_threads },
	  { "cross", test_cross }, { "links", test_links }, { "false links", test_false_links }, { "long way", test_long_way }, { "below an upper root", test_below_upper },
	  { "end", test_end })
