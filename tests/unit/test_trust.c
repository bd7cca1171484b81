/* Chains: who is believed, for what and when, and what is kept of a verdict. */
#include <config.h>

#include <pthread.h>

#include "mem.h"
#include "trust_world.h"

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

UNIT_MAIN("trust", { "begin", test_begin }, { "good", test_good }, { "unknown", test_unknown },
	  { "roots", test_roots }, { "dates", test_dates }, { "renewed", test_renewed }, { "purpose", test_purpose },
	  { "role", test_role }, { "policy", test_policy }, { "pinned", test_pinned }, { "no ca", test_no_ca },
	  { "path", test_path }, { "critical", test_critical }, { "unrestricted", test_unrestricted },
	  { "cache", test_cache }, { "eviction", test_eviction }, { "threads", test_threads }, { "end", test_end })
