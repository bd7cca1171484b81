/* The profiles and models that we ship, files with one thing wrong each, and requests within a profile. */
#include <config.h>

#include <string.h>

#include "file.h"
#include "mem.h"
#include "oid.h"
#include "profile.h"
#include "unit.h"

static char *folder;

static void shipped_path(char path[FILE_PATH], const char *name)
{
	const char *srcdir = getenv("srcdir");

	snprintf(path, FILE_PATH, "%s/profiles/%s", srcdir ? srcdir : ".", name);
}

static int load_shipped(struct profile *p, const char *name)
{
	char path[FILE_PATH];
	struct err e = {0};
	int rc;

	shipped_path(path, name);
	rc = profile_load(p, path, &e);
	if (rc)
		fprintf(stderr, "%s\n", e.text);
	return rc;
}

/* Loads the text as a file; the error's sentence in e. */
static int load_text(struct profile *p, const char *text, struct err *e)
{
	char path[FILE_PATH];
	int rc;

	snprintf(path, sizeof path, "%s/p.yaml", folder);
	CU_ASSERT_EQUAL_FATAL(file_replace(path, text, strlen(text), 0600, e), 0);
	rc = profile_load(p, path, e);
	unlink(path);
	return rc;
}

static void test_shipped(void)
{
	static const struct {
		const char *file;
		enum profile_kind kind;
		uint32_t days, max;
		bool server, client, order;
	} expected[] = {
		{ "root.yaml", PROFILE_ROOT, 9131, 0, false, false, false },
		{ "issuing.yaml", PROFILE_ISSUING, 9131, 0, false, false, false },
		{ "unit-ca.yaml", PROFILE_UNIT_CA, 9131, 0, false, false, false },
		{ "unit.yaml", PROFILE_UNIT, 730, 1096, true, true, false },
		{ "device-factory.yaml", PROFILE_DEVICE_FACTORY, 0, 0, false, true, true },
		{ "device-customer.yaml", PROFILE_DEVICE_CUSTOMER, 730, 1826, false, true, false },
		{ "ieee-idevid.yaml", PROFILE_DEVICE_FACTORY, 0, 0, false, false, true },
		{ "ieee-ldevid.yaml", PROFILE_DEVICE_CUSTOMER, 730, 1826, false, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		struct profile p;

		CU_ASSERT_EQUAL_FATAL(load_shipped(&p, expected[i].file), 0);
		CU_ASSERT_EQUAL(p.kind, expected[i].kind);
		CU_ASSERT_EQUAL(p.validity_days, expected[i].days);
		CU_ASSERT_EQUAL(p.validity_max_days, expected[i].max);
		CU_ASSERT_EQUAL(p.server_auth, expected[i].server);
		CU_ASSERT_EQUAL(p.client_auth, expected[i].client);
		CU_ASSERT_EQUAL(p.order_needed, expected[i].order);
		CU_ASSERT(p.include_ca);
		CU_ASSERT(p.key_types & 1u << KEY_P256);
		CU_ASSERT_FALSE(p.key_types & 1u << KEY_OTHER);
		CU_ASSERT_EQUAL(strncmp(p.id, expected[i].file, strlen(p.id)), 0);	/* the id is the file's name */
	}
}

static void test_model(void)
{
	struct model m;
	struct err e;
	char path[FILE_PATH];

	shipped_path(path, "models/gateway-b.yaml");
	CU_ASSERT_EQUAL_FATAL(model_load(&m, path, &e), 0);
	CU_ASSERT_STRING_EQUAL(m.manufacturer, "Acme Devices");
	CU_ASSERT_STRING_EQUAL(m.model, "gateway-b");
	CU_ASSERT_STRING_EQUAL(m.hw_type, OID_MODELS ".1");
	CU_ASSERT_EQUAL(m.n_revisions, 2);
	CU_ASSERT_EQUAL(m.dfu_vid, 0x1209);
	CU_ASSERT_EQUAL(m.dfu_pid, 0x0002);
	CU_ASSERT_EQUAL(m.agent_vid, 0x1209);
	CU_ASSERT_EQUAL(m.agent_pid, 0x0001);
	CU_ASSERT_STRING_EQUAL(m.dfu_alt, "");
}

#define GOOD "version: 1\nid: x\nkind: device-customer\nkey-types: [p256]\nvalidity: 730d\n"

#define SHORT "version: 1\nid: x\nkind: device-customer\nkey-types: [p256]\nvalidity: 8h\n"

static void test_bad_files(void)
{
	static const struct {
		const char *text, *line, *expected;
	} bad[] = {
		{ "", "p.yaml", "" },
		{ "version: 2\nid: x\nkind: unit\nkey-types: [p256]\nvalidity: 1d\n", "p.yaml:1:", "" },
		{ GOOD "colour: red\n", "p.yaml:6:1:", "colour" },
		{ GOOD "id: y\n", "p.yaml:6:1:", "" },
		{ "version: 1\nid: x\nkind: device\nkey-types: [p256]\nvalidity: 1d\n", "p.yaml:3:7:", "" },
		{ "version: 1\nid: a/b\nkind: unit\nkey-types: [p256]\nvalidity: 1d\n", "p.yaml:2:5:", "letters" },
		{ "version: 1\nid: x\nkind: unit\nkey-types: []\nvalidity: 1d\n", "p.yaml:4:12:", "no key type" },
		{ "version: 1\nid: x\nkind: unit\nkey-types: [p256, dsa]\nvalidity: 1d\n", "p.yaml:4:19:", "p384" },
		{ "version: 1\nid: x\nkind: unit\nkey-types: p256\nvalidity: 1d\n", "p.yaml:4:12:", "" },
		{ "version: 1\nid: x\nkind: unit\nkey-types: [p256]\n", "p.yaml:", "validity" },
		{ "version: 1\nid: x\nkind: unit\nkey-types: [p256]\nvalidity: 36h\n", "p.yaml:5:11:", "whole days" },
		{ "version: 1\nid: x\nkind: unit\nkey-types: [p256]\nvalidity: 40000d\n", "p.yaml:5:11:", "" },
		{ GOOD "validity-max: 365d\n", "p.yaml:", "validity-max" },
		{ GOOD "allow: [validity, serial]\n", "p.yaml:6:19:", "" },
		{ GOOD "allow: [organization]\n", "p.yaml:", "manufacturer and model" },
		{ GOOD "unit: sensors\n", "p.yaml:", "manufacturer and model" },
		{ GOOD "usage: [code-signing]\n", "p.yaml:6:9:", "" },
		{ GOOD "include-ca: yes\n", "p.yaml:6:13:", "" },
		{ GOOD "order-needed: true\n", "p.yaml:", "device-factory" },
		{ GOOD "locality: \"a\\tb\"\n", "p.yaml:6:11:", "printable" },
		{ GOOD "crl-url: \"ftp://a/b\"\n", "p.yaml:6:10:", "http://" },
		{ GOOD "ocsp-url: \"http://a b\"\n", "p.yaml:6:11:", "http://" },
		{ GOOD "no-revocation: true\n", "p.yaml:", "less than a day" },
		{ SHORT "no-revocation: true\nallow: [validity]\n", "p.yaml:", "less than a day" },
		{ SHORT "no-revocation: true\nocsp-url: \"http://a/\"\n", "p.yaml:", "RFC 9608" },
		{ "version: 1\nid: x\nkind: issuing\nkey-types: [p256]\nvalidity: 8h\nno-revocation: true\n", "p.yaml:", "no CA" },
	};
	struct profile p;
	struct err e;

	CU_ASSERT_EQUAL(load_text(&p, GOOD, &e), 0);
	CU_ASSERT_EQUAL(load_text(&p, GOOD "crl-url: \"http://ca.example/crl/issuing.crl\"\nocsp-url: \"http://ca.example/ocsp\"\n", &e), 0);
	CU_ASSERT(strcmp(p.ocsp_url, "http://ca.example/ocsp") == 0 && p.validity_s == 0);
	CU_ASSERT_EQUAL(load_text(&p, SHORT "no-revocation: true\n", &e), 0);
	CU_ASSERT(p.no_rev_avail && p.validity_s == 8 * 3600 && p.validity_days == 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memset(&e, 0, sizeof e);
		CU_ASSERT_EQUAL(load_text(&p, bad[i].text, &e), -1);
		CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
		if (!strstr(e.text, bad[i].line) || !strstr(e.text, bad[i].expected)) {
			fprintf(stderr, "%s: expected \"%s\" and \"%s\", got \"%s\"\n", bad[i].text, bad[i].line,
				bad[i].expected, e.text);
			CU_FAIL("another place or reason");
		}
	}
}

/* ---- all that is wrong with a file, and where ---- */
#define FACTORY "version: 1\nid: x\nkind: device-factory\nkey-types: [p256]\nvalidity: forever\n"
#define ISSUING "version: 1\nid: x\nkind: issuing\nkey-types: [p256]\nvalidity: 3650d\n"
#define UNIT_CA "version: 1\nid: x\nkind: unit-ca\nkey-types: [p256]\nvalidity: 3650d\n"
#define ROOT "version: 1\nid: x\nkind: root\nkey-types: [p256]\nvalidity: 3650d\n"

static size_t lint_text(struct profile *p, const char *text, const struct profile_world *w, struct problems *all)
{
	char path[FILE_PATH];
	struct err e;
	int rc;

	snprintf(path, sizeof path, "%s/p.yaml", folder);
	CU_ASSERT_EQUAL_FATAL(file_replace(path, text, strlen(text), 0600, &e), 0);
	rc = profile_lint(p, path, w, all);
	CU_ASSERT_EQUAL(rc, all->errors ? -1 : 0);
	unlink(path);
	return all->n;
}

/* One problem, of this level and key, at this place. */
struct lint {
	const char *text;
	int line, column;
	bool error;
	const char *key;
};

static void judge_lint(const struct lint *l, const struct profile_world *w)
{
	struct problems all = {0};
	struct profile p;

	if (lint_text(&p, l->text, w, &all) != 1 || all.of[0].line != l->line || all.of[0].column != l->column ||
	    all.of[0].error != l->error || strcmp(all.of[0].key, l->key) != 0) {
		fprintf(stderr, "%s: expected %d:%d %s, got %zu:\n", l->text, l->line, l->column, l->key, all.n);
		problems_print(&all, false);
		CU_FAIL("another problem");
	}
	problems_free(&all);
}

static void test_lint(void)
{
	static const struct lint bad[] = {
		{ GOOD "\tx: y\n", 6, 1, true, "syntax" },
		{ GOOD "validty-max: 800d\n", 6, 1, true, "field" },
		{ GOOD "ca: true\n", 6, 5, true, "ca" },
		{ GOOD "allow: validity\n", 6, 8, true, "field" },
		{ "version: 1\nid: x\nkind: device-customer\nkey-types: [p256, rsa1024]\nvalidity: 730d\n", 4, 19, true, "weak-key" },
		{ "version: 1\nid: x\nkind: device-customer\nkey-types: [p256, ed25519]\nvalidity: 730d\n", 4, 19, true, "key-type" },
		{ "version: 1\nid: x\nkind: device-customer\nkey-types: [p256, p265]\nvalidity: 730d\n", 4, 19, true, "key-type" },
		{ "version: 1\nid: x\nkind: issuing\nkey-types: [p384]\nvalidity: 730d\n", 4, 12, true, "key-type" },
		{ "version: 1\nid: x\nkind: issuing\nkey-types: [p256, rsa2048]\nvalidity: 730d\n", 4, 12, true, "key-type" },
		{ GOOD "key-usage: [digital-signature, key-cert-sign]\n", 6, 32, true, "ca" },
		{ GOOD "key-usage: [digital-signature, crl-sign]\n", 6, 32, true, "ca" },
		{ GOOD "key-usage: [key-agreement]\n", 6, 12, true, "key-usage" },
		{ GOOD "key-usage: [digital-signature, key-encipherment]\n", 6, 32, true, "key-usage" },
		{ "version: 1\nid: x\nkind: device-customer\nkey-types: [rsa2048]\nvalidity: 730d\nkey-usage: [digital-signature, key-agreement]\n", 6, 32,
		  true, "key-usage" },
		{ ISSUING "key-usage: [key-cert-sign]\n", 6, 12, true, "key-usage" },
		{ GOOD "usage: [server-auth]\nnames: [dns]\ndns-domain: a.example\n", 6, 8, true, "usage" },
		{ GOOD "usage: [client-auth, server-auth]\n", 6, 22, false, "usage" },
		{ FACTORY "usage: [client-auth, server-auth]\n", 6, 22, true, "usage" },
		{ GOOD "usage: [client-auth, 1.3.6.1.5.5.7.3.9]\n", 6, 22, true, "usage" },
		{ GOOD "usage: [client-auth, 2.5.29.37.0]\n", 6, 22, true, "usage" },
		{ GOOD "usage: [client-auth, 1.3.6.1.5.5.7.3.2]\n", 6, 22, true, "usage" },
		{ ISSUING "usage: [client-auth]\n", 6, 8, true, "usage" },
		{ GOOD "policies: [1.2..3]\n", 6, 12, true, "policy" },
		{ GOOD "policies: [2.5.29.32.0]\n", 6, 12, true, "policy" },
		{ GOOD "policies: [" OID_POLICY_CUSTOMER "]\n", 6, 12, true, "policy" },
		{ GOOD "policies: [1.2.3, " OID_POLICY_FACTORY "]\n", 6, 19, true, "policy" },
		{ GOOD "policies: [1.2.3, 1.2.4, 1.2.5, 1.2.6]\n", 6, 33, true, "policy" },
		{ GOOD "names: [hardware-module, email]\n", 6, 26, true, "san-source" },
		{ GOOD "names: [dns]\n", 6, 9, true, "san-source" },
		{ GOOD "names: [uri]\n", 6, 9, true, "san-source" },
		{ GOOD "dns-domain: a.example\n", 6, 13, true, "san-source" },
		{ GOOD "names: []\nemail: a@b.example\n", 7, 8, true, "san-source" },
		{ GOOD "names: []\nallow: [email]\n", 7, 9, true, "san-source" },
		{ GOOD "names: [dns]\ndns-domain: a_b.example\n", 7, 13, true, "san" },
		{ GOOD "names: [uri]\nuri-prefix: \"handsel:ca:\"\n", 7, 13, true, "san" },
		{ FACTORY "names: []\n", 6, 8, true, "san" },
		{ GOOD "validity-max: 365d\n", 5, 11, true, "validity" },
		{ GOOD "allow: [validity]\n", 6, 9, false, "validity" },
		{ GOOD "allow: [validity]\nvalidity-max: forevr\n", 7, 15, true, "validity" },
		{ ISSUING "permitted: [\"dns:.plant.example\"]\n", 6, 13, true, "constraints" },
		{ ISSUING "excluded: [\"ip:10.0.0.1/8\"]\n", 6, 12, true, "constraints" },
		{ ISSUING "excluded: [\"uri:a\"]\n", 6, 12, true, "constraints" },
		{ UNIT_CA "excluded: [\"dns:*\", \"ip:*\"]\n", 6, 11, true, "constraints" },
		{ ROOT "excluded: [\"dns:*\"]\n", 6, 11, true, "field" },
		{ ROOT "allow: [email]\n", 6, 8, true, "field" },
		{ ISSUING "subject-key-id: false\n", 6, 17, true, "field" },
		{ ROOT "crl-url: \"http://a.example/\"\n", 6, 10, true, "field" },
		{ GOOD "crl-url: \"https://a.example/\"\n", 6, 10, false, "url" },
		{ GOOD "ca-issuers-url: \"ldap://a.example/\"\n", 6, 17, true, "url" },
		{ GOOD "common-name: modelserial\n", 6, 14, true, "subject" },
		{ GOOD "organization: Mallory\n", 6, 15, true, "subject" },
		{ GOOD "allow: [locality, unit]\n", 6, 19, true, "subject" },
		{ GOOD "order-needed: true\n", 6, 15, true, "order" },
	};
	static const char *const good[] = {
		GOOD, FACTORY, ISSUING, UNIT_CA, ROOT,
		GOOD "names: [hardware-module, dns, uri, email]\ndns-domain: devices.plant.example\nuri-prefix: \"urn:acme:\"\nallow: [email]\n"
		     "usage: [client-auth, server-auth, 1.3.6.1.5.5.7.3.17]\npolicies: [1.2.3]\nca-issuers-url: \"http://a.example/ca.cer\"\n",
		UNIT_CA "permitted: [\"dns:plant.example\", \"ip:10.0.0.0/8\", \"email:.plant.example\"]\nexcluded: [\"ip:2001:db8::/32\"]\n",
		"version: 1\nid: x\nkind: device-customer\nkey-types: [p256, rsa2048]\nvalidity: 730d\n"
		"key-usage: [digital-signature, key-encipherment, key-agreement]\n",
	};
	struct problems all = {0};
	struct profile p;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		judge_lint(&bad[i], NULL);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (lint_text(&p, good[i], NULL, &all))
			problems_print(&all, false);
		CU_ASSERT_EQUAL(all.n, 0);
	}
	/* the nearest is named, and one mistake does not hide another */
	CU_ASSERT_EQUAL(lint_text(&p, GOOD "validty-max: 800d\nnames: [dns]\nallow: [unit]\ncolour: red\n", NULL, &all), 4);
	CU_ASSERT_PTR_NOT_NULL(strstr(all.of[0].text, "did you mean \"validity-max\""));
	for (size_t i = 0; i < all.n; i++)	/* in the order of the file */
		CU_ASSERT_EQUAL(all.of[i].line, 6 + (int)i);
	problems_free(&all);
}

/* Beside the CA that signs by it. */
static void test_lint_world(void)
{
	struct profile issuing, root, device;
	struct problems none = {0};
	struct profile_world w = { .above = &issuing };

	CU_ASSERT_EQUAL(lint_text(&issuing, ISSUING "policies: [1.2.3]\nexcluded: [\"dns:*\"]\npermitted: [\"email:plant.example\"]\n", NULL, &none), 0);
	CU_ASSERT_EQUAL(lint_text(&root, ROOT, NULL, &none), 0);
	CU_ASSERT_EQUAL(lint_text(&device, GOOD "names: [dns]\ndns-domain: plant.example\n", NULL, &none), 0);
	judge_lint(&(struct lint){ "version: 1\nid: x\nkind: device-customer\nkey-types: [p256]\nvalidity: 3651d\n", 5, 11, true, "validity" }, &w);
	judge_lint(&(struct lint){ "version: 1\nid: x\nkind: device-customer\nkey-types: [p256]\nvalidity: forever\n", 5, 11, true, "validity" }, &w);
	judge_lint(&(struct lint){ "version: 1\nid: x\nkind: device-customer\nkey-types: [p256]\nvalidity: 5y\nvalidity-max: 30d\n", 5, 11, true, "validity" },
		   &w);
	judge_lint(&(struct lint){ GOOD "validity-max: 4000d\n", 6, 15, true, "validity" }, &w);
	judge_lint(&(struct lint){ GOOD "policies: [1.2.3, 1.2.4]\n", 6, 19, true, "policy" }, &w);
	judge_lint(&(struct lint){ GOOD "names: [dns]\ndns-domain: plant.example\n", 7, 13, true, "constraints" }, &w);
	judge_lint(&(struct lint){ GOOD "email: a@other.example\n", 6, 8, true, "constraints" }, &w);
	CU_ASSERT_EQUAL(lint_text(&device, GOOD "email: a@plant.example\npolicies: [1.2.3]\n", &w, &none), 0);
	CU_ASSERT_EQUAL(lint_text(&device, FACTORY, &w, &none), 0);	/* 802.1AR clause 8: longer than any CA */
	lint_text(&device, GOOD "names: [dns]\ndns-domain: plant.example\n", NULL, &none);
	w = (struct profile_world){ .above = &root, .below = &device, .n_below = 1 };
	judge_lint(&(struct lint){ ISSUING "permitted: [\"dns:other.example\"]\n", 6, 12, true, "constraints" }, &w);
	judge_lint(&(struct lint){ ISSUING "excluded: [\"dns:example\"]\n", 6, 11, true, "constraints" }, &w);
	judge_lint(&(struct lint){ "version: 1\nid: x\nkind: issuing\nkey-types: [p256]\nvalidity: 9000d\n", 5, 11, true, "validity" }, &w);
	CU_ASSERT_EQUAL(lint_text(&issuing, ISSUING "permitted: [\"dns:example\"]\n", &w, &none), 0);
}

static void test_bad_models(void)
{
	static const char head[] = "version: 1\nmanufacturer: Acme\nmodel: b\n";
	static const struct {
		const char *rest, *line;
	} bad[] = {
		{ "hw-type: 3.1\ndfu: {vid: 0x1209, pid: 0x0002}\nagent: {vid: 0x1209, pid: 0x0001}\n", ":4:10:" },
		{ "hw-type: 2.25.1\ndfu: {vid: 1209, pid: 0x0002}\nagent: {vid: 0x1209, pid: 0x0001}\n", ":5:12:" },
		{ "hw-type: 2.25.1\ndfu: {vid: 0x1209, pid: 0x00002}\nagent: {vid: 0x1209, pid: 0x0001}\n", ":5:25:" },
		{ "hw-type: 2.25.1\ndfu: {vid: 0x1209, pid: 0x0002}\nagent: {vid: 0x1209}\n", ":6:" },
		{ "hw-type: 2.25.1\nagent: {vid: 0x1209, pid: 0x0001}\n", "" },
		{ "hw-type: 2.25.1\ndfu: {vid: 0x1209, pid: 0x0002}\nagent: {vid: 0x1209, pid: 0x0001}\n"
		  "revisions: [a,b,c,d,e,f,g,h,i]\n", ":7:12:" },
	};
	char path[FILE_PATH], text[512];

	snprintf(path, sizeof path, "%s/m.yaml", folder);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct model m;
		struct err e = {0};

		snprintf(text, sizeof text, "%s%s", head, bad[i].rest);
		CU_ASSERT_EQUAL_FATAL(file_replace(path, text, strlen(text), 0600, &e), 0);
		CU_ASSERT_EQUAL(model_load(&m, path, &e), -1);
		CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
		if (!strstr(e.text, bad[i].line)) {
			fprintf(stderr, "model %zu: expected \"%s\", got \"%s\"\n", i, bad[i].line, e.text);
			CU_FAIL("another place");
		}
	}
	unlink(path);
}

/* The request is refused with E52, and the sentence names that parameter and the profile; name NULL: it is allowed. */
static void judge_params(const struct profile *p, const struct ca_params *params, enum key_type key, const char *name)
{
	struct err e = {0};
	int rc = profile_check(p, params, key, &e);

	if (!name) {
		CU_ASSERT_EQUAL(rc, 0);
		return;
	}
	CU_ASSERT_EQUAL(rc, -1);
	CU_ASSERT_EQUAL(e.code, REASON_PROFILE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, name));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-ca 4.2"));
}

static void test_customer_params(void)
{
	struct profile p;

	CU_ASSERT_EQUAL_FATAL(load_shipped(&p, "device-customer.yaml"), 0);
	judge_params(&p, &(struct ca_params){0}, KEY_P256, NULL);
	judge_params(&p, &(struct ca_params){ .profile = "device-customer", .validity_days = 1826, .locality = "Ward 7",
		     .email = "it@example.org", .include_ca = CHOICE_NO, .encrypt_key = CHOICE_NO }, KEY_P256, NULL);
	judge_params(&p, &(struct ca_params){ .profile = "unit" }, KEY_P256, "'profile'");
	judge_params(&p, &(struct ca_params){ .organization = "Mallory" }, KEY_P256, "'organization'");
	judge_params(&p, &(struct ca_params){ .unit = "Mallory" }, KEY_P256, "'unit'");
	judge_params(&p, &(struct ca_params){ .validity_days = 1827 }, KEY_P256, "'validity-days'");
	judge_params(&p, &(struct ca_params){ .encrypt_key = CHOICE_YES }, KEY_P256, "'encrypt-key'");
	judge_params(&p, &(struct ca_params){0}, KEY_OTHER, "keys of type other");
	judge_params(&p, &(struct ca_params){0}, KEY_NONE, "keys of type");
}

static void test_key_params(void)
{
	struct profile p;

	CU_ASSERT_EQUAL_FATAL(load_shipped(&p, "device-customer.yaml"), 0);
	judge_params(&p, &(struct ca_params){ .key_type = "ec" }, KEY_P384, NULL);
	judge_params(&p, &(struct ca_params){ .key_type = "p384", .key_bits = 384 }, KEY_P384, NULL);
	judge_params(&p, &(struct ca_params){ .key_type = "rsa", .key_bits = 2048 }, KEY_RSA2048, NULL);
	judge_params(&p, &(struct ca_params){ .key_type = "rsa" }, KEY_P256, "'key-type'");
	judge_params(&p, &(struct ca_params){ .key_type = "p256" }, KEY_P384, "'key-type'");
	judge_params(&p, &(struct ca_params){ .key_type = "rsa", .key_bits = 4096 }, KEY_RSA3072, "'key-bits'");
	p.key_types = 1u << KEY_P256;
	judge_params(&p, &(struct ca_params){0}, KEY_RSA2048, "keys of type rsa2048");
}

static void test_factory_params(void)
{
	struct profile p;

	CU_ASSERT_EQUAL_FATAL(load_shipped(&p, "device-factory.yaml"), 0);
	judge_params(&p, &(struct ca_params){ .locality = "Line 2" }, KEY_P256, NULL);
	judge_params(&p, &(struct ca_params){ .validity_days = 30 }, KEY_P256, "'validity-days'");
	judge_params(&p, &(struct ca_params){ .email = "a@b" }, KEY_P256, "'email'");
	snprintf(p.email, sizeof p.email, "a@b");	/* what the profile gives anyway may be asked for */
	judge_params(&p, &(struct ca_params){ .email = "a@b" }, KEY_P256, NULL);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "shipped", test_shipped }, { "model", test_model }, { "bad files", test_bad_files },
		{ "lint", test_lint }, { "lint beside the CA", test_lint_world },
		{ "bad models", test_bad_models }, { "customer parameters", test_customer_params },
		{ "key parameters", test_key_params }, { "factory parameters", test_factory_params },
	};
	int rc;

	folder = unit_folder();
	rc = unit_run("profile", tests, ARRAY_LEN(tests));
	rmdir(folder);
	return rc;
}
