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
		{ "bad models", test_bad_models }, { "customer parameters", test_customer_params },
		{ "key parameters", test_key_params }, { "factory parameters", test_factory_params },
	};
	int rc;

	folder = unit_folder();
	rc = unit_run("profile", tests, ARRAY_LEN(tests));
	rmdir(folder);
	return rc;
}
