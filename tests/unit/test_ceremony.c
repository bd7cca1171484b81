/* The file of a ceremony: what is wrong in it is said with its place. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ceremony.h"
#include "digest.h"
#include "mem.h"
#include "unit.h"

static const char head[] = "version: 1\ntitle: First roots\noutput: /srv/out\nwitnesses: [Maria, Tom]\nsteps:\n";
static const char upper[] = "  - make: {dir: /srv/upper, kind: upper, name: Acme Group, root-key: \"pkcs11:token=up\"}\n";
static const char factory[] = "  - make: {dir: /srv/ca, kind: factory, name: Acme, keys: file, root-key: \"pkcs11:token=root\", hosts: [ca.acme.example],\n"
			      "      listen: \"127.0.0.1:8443\", profiles: [device-factory], validity-days: {root: 9000, issuing: 4000}}\n";
static const char certify[] = "  - certify: {dir: /srv/upper, name: Acme Group, root: /srv/ca/root.pem, out: /srv/out/x.pem, install: true}\n";

static enum reason parse(struct ceremony_plan *p, struct err *e, const char *a, const char *b, const char *c, const char *d)
{
	struct buf text = {0};
	int rc;

	buf_fmt(&text, "%s%s%s%s", a, b, c, d);
	*e = (struct err){0};
	rc = ceremony_parse(p, "c.yaml", &text, e);
	buf_free(&text);
	return rc == 0 ? REASON_OK : e->code;
}

static void test_good(void)
{
	struct ceremony_plan *p = mem_new(1, sizeof *p);
	char path[FILE_PATH], hash[SHA256_HEX];
	struct err e;

	CU_ASSERT_EQUAL_FATAL(parse(p, &e, head, upper, factory, certify), REASON_OK);
	CU_ASSERT(p->n_steps == 3 && p->n_witnesses == 2);
	CU_ASSERT_STRING_EQUAL(p->witness[1], "Tom");
	digest_sha256_hex(hash, p->text.data, p->text.len);
	CU_ASSERT_STRING_EQUAL(p->sha256, hash);
	CU_ASSERT(p->step[0].settings.site == SITE_UPPER && strcmp(p->step[0].homes.root.place, "pkcs11:token=up") == 0);
	CU_ASSERT(p->step[1].settings.site == SITE_FACTORY && strcmp(p->step[1].settings.id, "factory") == 0);
	CU_ASSERT(strcmp(p->step[1].homes.keys.place, "file") == 0 && strcmp(p->step[1].homes.root.place, "pkcs11:token=root") == 0);
	CU_ASSERT(!p->step[1].homes.plain && p->step[1].root_days == 9000 && p->step[1].issuing_days == 4000 && p->step[1].unit_days == 0);
	CU_ASSERT(p->step[2].made_by == 1 && p->step[2].install && p->step[2].line == 9);
	ceremony_free(p);
	CU_ASSERT_EQUAL_FATAL(parse(p, &e, head, "  - rollover: {dir: /srv/ca, ca: plant, kind: customer, name: P, generation: 3, keys: file, key-passphrase: none}\n",
				    "  - add: {dir: /srv/ca, id: other, kind: customer, name: O, keys: file}\n",
				    "  - certify: {dir: /srv/upper, name: G, root: /srv/ca/cas/plant/gen-3/root.pem, out: /srv/x.pem}\n"), REASON_OK);
	CU_ASSERT(ceremony_made(path, &p->step[0], &e) == 0 && strcmp(path, "/srv/ca/cas/plant/gen-3") == 0);
	CU_ASSERT(ceremony_made(path, &p->step[1], &e) == 0 && strcmp(path, "/srv/ca/cas/other") == 0);
	CU_ASSERT(p->step[0].homes.plain && key_home_same(&p->step[0].homes.root, &p->step[0].homes.keys));
	CU_ASSERT_EQUAL(p->step[2].made_by, 0);
	ceremony_free(p);
	free(p);
}

/* A text that is wrong in one place, and what is said of it. */
static void bad(const char *steps, const char *said)
{
	struct ceremony_plan *p = mem_new(1, sizeof *p);
	struct err e;

	CU_ASSERT_EQUAL(parse(p, &e, head, steps, "", ""), REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, said));
	if (!strstr(e.text, said))
		fprintf(stderr, "no \"%s\" in: %s\n", said, e.text);
	free(p);
}

static void test_bad_step(void)
{
	bad("  - mak: {dir: /x}\n", "c.yaml:6:5: unknown key \"mak\"");
	bad("  - make: file\n", "c.yaml:6:11: ");
	bad("  - {}\n", "c.yaml:6:5: a step is one of");
	bad("  - make: {dir: /x, kind: upper, name: G, root-key: file}\n    add: {dir: /x}\n", "c.yaml:6:5: a step is one of");
	bad("  - make: {dir: x/y, kind: upper, name: G, root-key: file}\n", "c.yaml:6:17: \"x/y\": a whole path");
	bad("  - make: {dir: /x/../y, kind: upper, name: G, root-key: file}\n", "c.yaml:6:17: ");
	bad("  - make: {dir: /x/, kind: upper, name: G, root-key: file}\n", "c.yaml:6:17: ");
	bad("  - make: {dir: /x, kind: uper, name: G, root-key: file}\n", "did you mean \"upper\"?");
	bad("  - make: {dir: /x, kind: upper, name: \"\xc3\xa9\", root-key: file}\n", "c.yaml:6:40: printable ASCII");
	bad("  - make: {dir: /x, kind: upper, name: G}\n", "c.yaml:6:11: \"root-key\" is missing");
	bad("  - make: {dir: /x, kind: upper, name: G, keys: file, root-key: file}\n", "c.yaml:6:49: an upper CA has a root and nothing else");
	bad("  - make: {dir: /x, kind: upper, name: G, root-key: file, hosts: [a]}\n", "c.yaml:6:66: an upper CA answers nobody");
	bad("  - make: {dir: /x, kind: upper, name: G, root-key: file, validity-days: {unit: 3}}\n", "c.yaml:6:81: an upper CA has a root");
	bad("  - make: {dir: /x, kind: factory, name: F, root-key: file}\n", "c.yaml:6:11: \"keys\" is missing");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: files}\n", "c.yaml:6:51: \"files\" is no place for keys");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: \"pkcs11:token=a?pin-value=1\"}\n", "c.yaml:6:51: a PIN does not belong into this file");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, key-passphrase: geheim}\n", "c.yaml:6:73: \"geheim\" is not one of: none");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, key-credential: secret}\n", "c.yaml:6:73: \"secret\": a whole path");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, passphrase: secret}\n", "c.yaml:6:57: unknown key \"passphrase\"");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, listen: here}\n", "c.yaml:6:65: ");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, id: \"a b\"}\n", "c.yaml:6:61: letters, digits");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, profiles: [\"/etc/x\"]}\n", "c.yaml:6:68: letters, digits");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, validity-days: {root: 0}}\n", "c.yaml:6:79: ");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, validity-days: {root: 9, unit: 10}}\n", "c.yaml:6:88: no CA is good for longer");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, unit-key: pin}\n", "c.yaml:6:67: ");
	bad("  - make: {dir: /x, kind: factory, name: F, keys: file, unit-key: \"pkcs11:token=a?pin-value=1\"}\n", "c.yaml:6:67: a PIN does not belong");
	bad("  - add: {dir: /x, kind: factory, name: F, keys: file}\n", "c.yaml:6:10: \"id\" is missing");
	bad("  - add: {dir: /x, id: a, kind: upper, name: F, keys: file}\n", "c.yaml:6:33: \"upper\" is not one of: factory, customer");
	bad("  - add: {dir: /x, id: a, kind: factory, name: F, keys: file, listen: \"0.0.0.0:1\"}\n", "c.yaml:6:71: a system serves at");
	bad("  - rollover: {dir: /x, kind: factory, name: F, keys: file}\n", "c.yaml:6:15: \"generation\" is missing");
	bad("  - rollover: {dir: /x, kind: factory, name: F, keys: file, generation: 1}\n", "c.yaml:6:73: ");
	bad("  - certify: {dir: /x, name: G, root: /r.pem, out: /o.pem, root-sha256: abc}\n", "c.yaml:6:73: the SHA-256");
}

static void test_bad_together(void)
{
	static const char two[] = "  - make: {dir: /x, kind: factory, name: F, keys: file}\n";
	struct buf text = {0};

	bad("  - list: {dir: /x, kind: upper, name: G, revoke: unit, reason: superseded}\n", "c.yaml:6:11: an upper CA has one root");
	bad("  - list: {dir: /x, kind: factory, name: G, revoke: unit}\n", "c.yaml:6:11: revoke and reason go together");
	bad("  - list: {dir: /x, kind: factory, name: G, revoke: unit, reason: certificateHold}\n", "c.yaml:6:67: ");
	bad("  - list: {dir: /x, kind: factory, name: G, days: 4000}\n", "c.yaml:6:51: ");
	bad("  - list: {dir: /x, kind: factory, name: G, keys: file}\n", "c.yaml:6:45: unknown key \"keys\"");
	bad("  - list: {dir: /x, kind: factory, name: G}\n  - rollover: {dir: /x, kind: factory, name: G, generation: 2, keys: file}\n",
	    "c.yaml:7:5: a step before is about the CA in this folder already");
	bad("  - list: {dir: /x, kind: factory, name: G}\n  - certify: {dir: /up, name: G, root: /x/root.pem, out: /o.pem}\n",
	    "c.yaml:7:5: no step before makes this root");
	bad("  - certify: {dir: /x, name: G, root: /r.pem, out: /o.pem}\n", "c.yaml:6:5: no step before makes this root");
	bad("  - certify: {dir: /x, name: G, root: /r.pem, out: /o.pem, install: true,\n"
	    "      root-sha256: \"0000000000000000000000000000000000000000000000000000000000000000\"}\n", "c.yaml:6:5: install:");
	buf_fmt(&text, "%s%s", two, two);
	bad(buf_text(&text), "c.yaml:7:5: a step before is about the CA");
	buf_clear(&text);
	buf_fmt(&text, "%s  - add: {dir: /x, id: factory, kind: customer, name: C, keys: file}\n", two);
	bad(buf_text(&text), "c.yaml:7:5: id: the first CA");
	buf_clear(&text);
	buf_fmt(&text, "%s  - certify: {dir: /x, name: F, root: /x/root.pem, out: /o.pem}\n", two);
	bad(buf_text(&text), "c.yaml:7:5: dir: the CA that a step before makes there is no upper CA");
	buf_clear(&text);
	buf_fmt(&text, "%s  - certify: {dir: /srv/upper, name: Other, root: /x/root.pem, out: /o.pem}\n", upper);
	bad(buf_text(&text), "c.yaml:7:5: name: the step that makes this upper CA");
	buf_clear(&text);
	buf_fmt(&text, "%s  - certify: {dir: /y, name: G, root: /srv/upper/root.pem, out: /o.pem}\n", upper);
	bad(buf_text(&text), "c.yaml:7:5: root: that is an upper CA");
	buf_clear(&text);
	buf_fmt(&text, "%s  - add: {dir: /srv/upper, id: a, kind: customer, name: C, keys: file}\n", upper);
	bad(buf_text(&text), "c.yaml:7:5: dir: an upper CA has a folder");
	buf_clear(&text);
	buf_fmt(&text, "%s%s%s%s", upper, factory, certify, certify);
	bad(buf_text(&text), "c.yaml:10:5: out: a step before writes this file");
	buf_free(&text);
}

static void test_bad_head(void)
{
	static const struct {
		const char *text, *said;
	} bads[] = {
		{ "title: T\noutput: /o\nwitnesses: [M]\nsteps: []\n", "c.yaml:1:1: \"version\" is missing" },
		{ "version: 2\ntitle: T\noutput: /o\nwitnesses: [M]\nsteps: []\n", "c.yaml:1:10: " },
		{ "version: 1\noutput: /o\nwitnesses: [M]\nsteps: []\n", "c.yaml:1:1: \"title\" is missing" },
		{ "version: 1\ntitle: T\noutput: o\nwitnesses: [M]\nsteps: []\n", "c.yaml:3:9: \"o\": a whole path" },
		{ "version: 1\ntitle: T\noutput: /o\nwitnesses: []\nsteps: []\n", "c.yaml:4:12: 1 to 16 witnesses" },
		{ "version: 1\ntitle: T\noutput: /o\nwitnesses: [M]\nsteps: []\n", "c.yaml:5:8: 1 to 32 steps" },
		{ "version: 1\ntitle: T\noutput: /o\nwitnesses: [M]\nsteps: []\nPIN: 1234\n", "c.yaml:6:1: unknown key \"PIN\"" },
		{ "version: 1\ntitle: T\ntitle: U\noutput: /o\nwitnesses: [M]\nsteps: []\n", "c.yaml:3:1: " },
	};
	struct ceremony_plan *p = mem_new(1, sizeof *p);
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		CU_ASSERT_EQUAL(parse(p, &e, bads[i].text, "", "", ""), REASON_CONFIG);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, bads[i].said));
		if (!strstr(e.text, bads[i].said))
			fprintf(stderr, "no \"%s\" in: %s\n", bads[i].said, e.text);
	}
	free(p);
}

UNIT_MAIN("ceremony", { "good", test_good }, { "bad step", test_bad_step }, { "bad together", test_bad_together }, { "bad head", test_bad_head })
