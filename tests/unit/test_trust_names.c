/* Name constraints (RFC 5280 4.2.1.10): the builder, the verifier and openssl are of one mind. */
#include <config.h>

#include "mem.h"
#include "trust_world.h"

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

UNIT_MAIN("trust names", { "begin", test_begin }, { "name constraints", test_limits }, { "odd constraints", test_odd_limits },
	  { "end", test_end })
