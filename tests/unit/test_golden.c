/* Golden certificates: what each profile gives at a fixed time for fixed keys and a fixed number, byte by byte but for the signature.
 * HANDSEL_GOLDEN=write writes those anew that differ: see doc/hacking.md. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "der_strict.h"
#include "file.h"
#include "mem.h"
#include "preview.h"
#include "unit.h"

#define NOW 1800000000	/* 2027-01-15T08:00:00Z */

static const char *srcdir;
static struct key *ca_key;
static struct cert root, issuing[2], unit_ca;	/* issuing: of the factory, of the customer */

static void vector_path(char path[FILE_PATH], const char *name, const char *end)
{
	snprintf(path, FILE_PATH, "%s/tests/vectors/profiles/%s%s", srcdir, name, end);
}

static struct key *load_key(const char *name)
{
	char path[FILE_PATH];
	struct buf pem = {0};
	struct key *key;
	struct err e = {0};

	vector_path(path, name, ".key");
	key = file_read(&pem, path, 0, &e) < 0 ? NULL : key_from_pem(&pem, &e);
	if (!key)
		fprintf(stderr, "%s\n", e.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(key);
	buf_free(&pem);
	return key;
}

/* Of profiles/, else of the vectors. */
static void load_profile(struct profile *p, const char *name)
{
	char path[FILE_PATH];
	struct err e = {0};

	snprintf(path, sizeof path, "%s/profiles/%s.yaml", srcdir, name);
	if (!file_exists(path))
		vector_path(path, name, ".yaml");
	CU_ASSERT_EQUAL_FATAL(profile_load(p, path, &e), 0);
}

static bool same_body(const struct cert *a, const struct cert *b)
{
	return a->tbs.len == b->tbs.len && memcmp(a->der.data + a->tbs.at, b->der.data + b->tbs.at, a->tbs.len) == 0;
}

static void write_golden(const char *path, const struct cert *made)
{
	struct buf text = {0};
	struct err e = {0};

	cert_text(made, &text);
	cert_to_pem(made, &text);
	CU_ASSERT_EQUAL(file_replace(path, text.data, text.len, 0644, &e), 0);
	fprintf(stderr, "%s is written\n", path);
	buf_free(&text);
}

static void compare(const char *name, const struct cert *made)
{
	const char *mode = getenv("HANDSEL_GOLDEN");
	struct chain golden = {0};
	char path[FILE_PATH];
	struct err e = {0};
	bool same;

	vector_path(path, name, ".pem");
	same = chain_load(&golden, path, &e) == 0 && golden.n == 1 && same_body(golden.cert, made);
	chain_free(&golden);
	if (same)
		return;
	if (mode && strcmp(mode, "write") == 0) {
		write_golden(path, made);
		return;
	}
	fprintf(stderr, "%s is another certificate now; if that is meant, write it anew with HANDSEL_GOLDEN=write and look at the difference\n", path);
	CU_FAIL("not the golden certificate");
}

/* n: part of the number, so that each has its own. */
static void build(struct preview *v, uint8_t n, const char *name, struct cert *made)
{
	uint8_t number[CERT_NUMBER] = { 0x10, 0x6b, 0x49, 0xd2, n };
	struct buf der = {0};
	struct err e = {0};

	v->now = NOW;
	v->key = ca_key;
	v->number = number;
	v->organization = "Acme Devices";
	if (preview_build(v, &der, &e) < 0)
		fprintf(stderr, "%s: %s\n", name, e.text);
	CU_ASSERT_EQUAL_FATAL(cert_parse(made, der.data, der.len, &e), 0);
	CU_ASSERT(der_is_strict(der.data, der.len));
	compare(name, made);
	buf_free(&der);
	buf_free(&v->q.spki);
}

static void test_cas(void)
{
	static const struct {
		const char *name, *profile;
		enum site site;
		struct cert *made;	/* NULL: nothing is signed by it */
	} cas[] = {
		{ "root", "root", SITE_FACTORY, &root },
		{ "issuing-factory", "issuing", SITE_FACTORY, &issuing[SITE_FACTORY] },
		{ "issuing-customer", "issuing", SITE_CUSTOMER, &issuing[SITE_CUSTOMER] },
		{ "unit-ca", "unit-ca", SITE_FACTORY, &unit_ca },
		{ "limited", "limited", SITE_CUSTOMER, NULL },
	};
	struct cert other;
	struct profile p;

	ca_key = load_key("ca");
	for (size_t i = 0; i < ARRAY_LEN(cas); i++) {
		struct preview v = { .profile = &p, .site = cas[i].site, .issuer = i ? &root : NULL };
		struct err e;

		load_profile(&p, cas[i].profile);
		CU_ASSERT_EQUAL_FATAL(key_spki(ca_key, &v.q.spki, &e), 0);
		build(&v, (uint8_t)(i + 1), cas[i].name, cas[i].made ? cas[i].made : &other);
		if (!cas[i].made)
			cert_free(&other);
	}
}

static void test_units(void)
{
	static const char *const roles[] = { "ca", "station", "node", "operator", "ra", "kmc", "person" };
	struct key *key = load_key("p256");
	struct profile p;
	struct cert made;
	struct err e;

	load_profile(&p, "unit");
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct preview v = { .profile = &p, .site = SITE_FACTORY, .issuer = &unit_ca };
		char name[32];

		snprintf(name, sizeof name, "role-%s", roles[i]);
		snprintf(v.unit.role, sizeof v.unit.role, "%s", roles[i]);
		snprintf(v.unit.name, sizeof v.unit.name, "site-1");
		if (strcmp(roles[i], "node") == 0)
			snprintf(v.unit.customer, sizeof v.unit.customer, "plant-seven");
		if (strcmp(roles[i], "person") == 0)
			snprintf(v.unit.functions, sizeof v.unit.functions, "clerk.auditor");
		if (strcmp(roles[i], "node") == 0 || strcmp(roles[i], "ca") == 0) {
			snprintf(v.unit.host[0], sizeof v.unit.host[0], "%s.plant.example", roles[i]);
			snprintf(v.unit.host[1], sizeof v.unit.host[1], "192.0.2.7");
			snprintf(v.unit.host[2], sizeof v.unit.host[2], "2001:db8::7");
		}
		CU_ASSERT_EQUAL_FATAL(key_spki(key, &v.q.spki, &e), 0);
		build(&v, (uint8_t)(0x20 + i), name, &made);
		cert_free(&made);
	}
	key_free(key);
}

static void test_devices(void)
{
	static const struct {
		const char *name, *profile;
		enum site site;
		const char *key;
		uint32_t days;
	} devices[] = {
		{ "device-factory", "device-factory", SITE_FACTORY, "p256", 0 },
		{ "device-factory-p384", "device-factory", SITE_FACTORY, "p384", 0 },
		{ "device-factory-rsa2048", "device-factory", SITE_FACTORY, "rsa2048", 0 },
		{ "device-customer", "device-customer", SITE_CUSTOMER, "p256", 0 },
		{ "device-customer-long", "device-customer", SITE_CUSTOMER, "p256", 1826 },
		{ "ieee-idevid", "ieee-idevid", SITE_FACTORY, "p256", 0 },
		{ "ieee-ldevid", "ieee-ldevid", SITE_CUSTOMER, "p256", 0 },
		{ "full", "full", SITE_CUSTOMER, "p256", 0 },
		{ "full-rsa2048", "full", SITE_CUSTOMER, "rsa2048", 30 },
		{ "short", "short", SITE_CUSTOMER, "p256", 0 },
	};
	struct profile p;
	struct cert made;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
		struct preview v = { .profile = &p, .site = devices[i].site, .issuer = &issuing[devices[i].site],
				     .q.device = { "Acme Devices", "gateway-b", "00010001" }, .q.params.validity_days = devices[i].days,
				     .hw_type = "2.25.3394918324114836231.3.1" };
		struct key *key = load_key(devices[i].key);

		load_profile(&p, devices[i].profile);
		CU_ASSERT_EQUAL_FATAL(key_spki(key, &v.q.spki, &e), 0);
		build(&v, (uint8_t)(0x40 + i), devices[i].name, &made);
		cert_free(&made);
		key_free(key);
	}
}

/* ---- what is not golden ---- */
static int plan_with(const char *profile, const struct cert *issuer, enum site site, const struct ca_params *params, const char *serial,
		     struct cert *made, struct err *e)
{
	struct preview v = { .site = site, .issuer = issuer, .now = NOW, .key = ca_key, .q.device = { "Acme Devices", "gateway-b", "" },
			     .unit = { "station", "line-1", "", { "" } } };
	struct buf der = {0};
	struct profile p;
	int rc;

	load_profile(&p, profile);
	v.profile = &p;
	v.q.params = *params;
	snprintf(v.q.device.serial, sizeof v.q.device.serial, "%s", serial);
	rc = preview_build(&v, &der, e);
	if (rc == 0)
		CU_ASSERT_EQUAL(cert_parse(made, der.data, der.len, e), 0);
	buf_free(&v.q.spki);
	buf_free(&der);
	return rc;
}

/* Nothing outlives its issuer, but a factory credential that is good for ever. */
static void test_lives(void)
{
	struct cert old = issuing[SITE_CUSTOMER], made;	/* only the date differs: it owns nothing */
	const struct ca_params none = {0}, asked = { .validity_days = 300 }, shorter = { .validity_days = 5 };
	struct err e;

	old.not_after = NOW + 10 * 86400;
	CU_ASSERT_EQUAL_FATAL(plan_with("device-customer", &old, SITE_CUSTOMER, &none, "1", &made, &e), 0);
	CU_ASSERT_EQUAL(made.not_after, old.not_after);
	cert_free(&made);
	CU_ASSERT_EQUAL_FATAL(plan_with("device-customer", &old, SITE_CUSTOMER, &asked, "1", &made, &e), 0);
	CU_ASSERT_EQUAL(made.not_after, old.not_after);
	cert_free(&made);
	CU_ASSERT_EQUAL_FATAL(plan_with("device-customer", &old, SITE_CUSTOMER, &shorter, "1", &made, &e), 0);
	CU_ASSERT_EQUAL(made.not_after, NOW + 5 * 86400);
	cert_free(&made);
	CU_ASSERT_EQUAL_FATAL(plan_with("unit", &old, SITE_CUSTOMER, &none, "", &made, &e), 0);
	CU_ASSERT_EQUAL(made.not_after, old.not_after);
	cert_free(&made);
	CU_ASSERT_EQUAL_FATAL(plan_with("unit-ca", &old, SITE_CUSTOMER, &none, "", &made, &e), 0);
	CU_ASSERT_EQUAL(made.not_after, old.not_after);
	cert_free(&made);
	CU_ASSERT_EQUAL_FATAL(plan_with("ieee-idevid", &old, SITE_FACTORY, &none, "1", &made, &e), 0);
	CU_ASSERT_EQUAL(made.not_after, X509_NO_EXPIRY);
	cert_free(&made);
}

/* By the code and the name of what is refused. */
static void test_refused(void)
{
	const struct ca_params none = {0}, email = { .email = "a@b.example" }, rsa = { .key_type = "rsa", .key_bits = 3072 };
	const struct {
		const char *profile, *serial, *words;
		const struct ca_params *params;
	} bad[] = {
		{ "full", "a_b", "the serial a_b cannot be part of a DNS name", &none },
		{ "full", "a.b", "the serial a.b cannot be part of a DNS name", &none },
		{ "ieee-ldevid", "1", "'email'", &email },
		{ "ieee-ldevid", "1", "'key-type'", &rsa },
	};
	struct cert made;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CU_ASSERT_EQUAL(plan_with(bad[i].profile, &issuing[SITE_CUSTOMER], SITE_CUSTOMER, bad[i].params, bad[i].serial, &made, &e), -1);
		CU_ASSERT(e.code == REASON_PROFILE && strstr(e.text, bad[i].words));
	}
	CU_ASSERT_EQUAL(plan_with("ieee-ldevid", &issuing[SITE_CUSTOMER], SITE_CUSTOMER, &none, "", &made, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
}

int main(void)
{
	static const struct unit_test tests[] = { { "CAs", test_cas }, { "units", test_units }, { "devices", test_devices },
						   { "lives", test_lives }, { "refused", test_refused } };
	int rc;

	srcdir = getenv("srcdir") ? getenv("srcdir") : ".";
	rc = unit_run("golden", tests, ARRAY_LEN(tests));
	cert_free(&root);
	cert_free(&issuing[0]);
	cert_free(&issuing[1]);
	cert_free(&unit_ca);
	key_free(ca_key);
	return rc;
}
