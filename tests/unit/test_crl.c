/* Revocation lists: what is built, judged by openssl and GnuTLS's certtool; what others build; what is refused. */
#include <config.h>

#include <string.h>

#include "crl.h"
#include "crypto_world.h"
#include "der.h"
#include "der_strict.h"
#include "file.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

#define VERIFY "openssl verify -attime 1800000000 -x509_strict -CAfile root.pem -untrusted issuing.pem -crl_check "

static struct world *w;
static struct cert good, bad;	/* devices of the issuing CA */

static void test_begin(void)
{
	struct cert_plan plan = plan_device("GW-0001");

	w = world_new("Test Root");
	scratch_cert("root.pem", &w->root.cert);
	scratch_cert("issuing.pem", &w->issuing.cert);
	good = make_cert(&plan, w->leaf_key, &w->issuing);
	plan = plan_device("GW-0002");
	bad = make_cert(&plan, w->leaf_key, &w->issuing);
	scratch_cert("good.pem", &good);
	scratch_cert("bad.pem", &bad);
}

static struct buf build(const struct crl_plan *plan, const struct authority *a)
{
	struct buf der = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(crl_build(plan, &a->cert, a->key, &der, &e), 0);
	CU_ASSERT(der_is_strict(der.data, der.len));
	return der;
}

static struct crl_plan plan_of(const struct crl_entry *entry, size_t n)
{
	return (struct crl_plan){ .number = 1700000000, .this_update = WORLD_NOW - 60, .next_update = WORLD_NOW + 7 * DAY,
				  .entry = entry, .n = n };
}

static struct crl parse(const struct buf *der)
{
	struct crl c = {0};
	struct err e;

	if (crl_parse(&c, der->data, der->len, &e) < 0) {
		printf("\n%s\n", e.text);
		CU_FAIL_FATAL("not parsed");
	}
	return c;
}

static void scratch_crl(const char *name, const struct buf *der)
{
	struct buf pem = {0};

	crl_to_pem(der, &pem);
	scratch_write(name, pem.data, pem.len);
	buf_free(&pem);
}

/* ---- what is built ---- */
static void test_build(void)
{
	struct crl_entry entry[3] = { { .reason = 4, .date = WORLD_NOW - 3600 },
				      { .serial = { 0x80 }, .len = 1, .date = WORLD_NOW - 7200 },
				      { .serial = { 7 }, .len = 1, .reason = 1, .date = WORLD_NOW - 9000 } };
	struct crl_plan plan = plan_of(entry, 3);
	const struct crl_entry *found;
	struct crl c;
	struct buf der;
	struct err e;

	CU_ASSERT_EQUAL(crl_entry_serial(&entry[0], bad.serial), 0);
	der = build(&plan, &w->issuing);
	c = parse(&der);
	CU_ASSERT_EQUAL(c.number, 1700000000);
	CU_ASSERT_EQUAL(c.this_update, WORLD_NOW - 60);
	CU_ASSERT_EQUAL(c.next_update, WORLD_NOW + 7 * DAY);
	CU_ASSERT_STRING_EQUAL(c.issuer, w->issuing.cert.subject);
	CU_ASSERT_EQUAL(c.n, 3);
	CU_ASSERT_EQUAL(crl_verify(&c, &w->issuing.cert, &e), 0);
	found = crl_find(&c, bad.serial);
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT(found->reason == 4 && found->date == WORLD_NOW - 3600);
	CU_ASSERT_STRING_EQUAL(crl_reason_name(found->reason), "superseded");
	found = crl_find(&c, "80");
	CU_ASSERT(found && found->reason == 0);
	CU_ASSERT(crl_find(&c, "07") && crl_find(&c, "07")->reason == 1);
	CU_ASSERT_PTR_NULL(crl_find(&c, good.serial));
	CU_ASSERT_PTR_NULL(crl_find(&c, ""));
	CU_ASSERT_PTR_NULL(crl_find(&c, "0007"));
	scratch_crl("some.crl", &der);
	CU_ASSERT_EQUAL(shell(VERIFY "-CRLfile some.crl good.pem"), 0);
	CU_ASSERT_NOT_EQUAL(shell(VERIFY "-CRLfile some.crl bad.pem"), 0);
	CU_ASSERT_EQUAL(shell(VERIFY "-CRLfile some.crl bad.pem 2>&1 | grep -q 'certificate revoked'"), 0);
	CU_ASSERT_NOT_EQUAL(shell(VERIFY "good.pem"), 0);	/* the judge does look at the list */
	CU_ASSERT_EQUAL(shell("openssl crl -in some.crl -noout -text >t && grep -q 'Version 2' t && grep -q 1700000000 t && "
			      "grep -q 'Key Compromise' t && grep -q 'Serial Number: 80$' t && "
			      "! grep -q 'Unspecified' t"), 0);
	CU_ASSERT_EQUAL(shell("certtool --crl-info --infile some.crl >t && grep -q 'Revoked certificates (3)' t"), 0);
	crl_free(&c);
	buf_free(&der);
}

static void test_build_empty(void)
{
	struct crl_plan plan = plan_of(NULL, 0);
	struct buf der = build(&plan, &w->issuing), pem = {0};
	struct crl c = parse(&der), again = {0};
	struct err e;

	CU_ASSERT_EQUAL(c.n, 0);
	CU_ASSERT_PTR_NULL(crl_find(&c, bad.serial));
	scratch_crl("none.crl", &der);
	CU_ASSERT_EQUAL(shell(VERIFY "-CRLfile none.crl good.pem bad.pem"), 0);
	CU_ASSERT_EQUAL(shell("openssl crl -in none.crl -noout -text | grep -q 'No Revoked Certificates'"), 0);
	crl_to_pem(&der, &pem);
	CU_ASSERT_EQUAL(crl_parse_any(&again, &pem, &e), 0);
	CU_ASSERT_EQUAL(again.number, c.number);
	crl_free(&again);
	CU_ASSERT_EQUAL(crl_parse_any(&again, &der, &e), 0);
	crl_free(&again);
	pem.data[pem.len - 40] = '*';
	CU_ASSERT_EQUAL(crl_parse_any(&again, &pem, &e), -1);
	buf_set(&pem, "hello", 5);
	CU_ASSERT_EQUAL(crl_parse_any(&again, &pem, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "X509 CRL"));
	crl_free(&c);
	buf_free(&pem);
	buf_free(&der);
}

/* 30,000 entries: openssl finds the last one, and so do we. */
static void test_build_many(void)
{
	enum { N = 30000 };
	struct crl_entry *entry = mem_new(N, sizeof *entry);
	struct crl_plan plan = plan_of(entry, N);
	struct buf der;
	struct crl c;

	for (int i = 0; i < N; i++)
		entry[i] = (struct crl_entry){ .serial = { 1, (uint8_t)(i >> 8), (uint8_t)i }, .len = 3, .date = WORLD_NOW - i };
	CU_ASSERT_EQUAL(crl_entry_serial(&entry[N - 1], bad.serial), 0);
	der = build(&plan, &w->issuing);
	c = parse(&der);
	CU_ASSERT_EQUAL(c.n, N);
	CU_ASSERT(crl_find(&c, bad.serial) && crl_find(&c, "010000") && crl_find(&c, "01752e") && !crl_find(&c, "017530"));
	scratch_crl("many.crl", &der);
	CU_ASSERT_EQUAL(shell(VERIFY "-CRLfile many.crl good.pem"), 0);
	CU_ASSERT_EQUAL(shell(VERIFY "-CRLfile many.crl bad.pem 2>&1 | grep -q 'certificate revoked'"), 0);
	crl_free(&c);
	buf_free(&der);
	free(entry);
}

/* ---- who may sign ---- */
static void test_verify(void)
{
	struct crl_plan plan = plan_of(NULL, 0);
	struct buf der = build(&plan, &w->issuing), changed = {0};
	struct crl c = parse(&der), other = {0};
	struct cert_plan no_crl = plan_ca("Issuing CA", OID_POLICY_FACTORY);
	struct authority twin = {0}, mute = {0};
	struct err e;

	CU_ASSERT_EQUAL(crl_verify(&c, &w->unit.cert, &e), -1);
	CU_ASSERT(e.code == REASON_AUTHORITY && strstr(e.text, "of another CA"));
	CU_ASSERT_EQUAL(crl_verify(&c, &w->root.cert, &e), -1);
	/* a CA of the same name with another key, and without a key id that would tell */
	authority_make(&twin, &no_crl, KEY_P256, &w->root);
	CU_ASSERT_EQUAL(crl_verify(&c, &twin.cert, &e), -1);
	twin.cert.key_id.len = 0;
	CU_ASSERT_EQUAL(crl_verify(&c, &twin.cert, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "signature"));
	/* the same key, but not for lists */
	no_crl.crl_sign = false;
	mute.key = w->issuing.key;
	authority_make(&mute, &no_crl, KEY_P256, &w->root);
	CU_ASSERT_EQUAL(crl_verify(&c, &mute.cert, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "may not sign"));
	CU_ASSERT_EQUAL(crl_build(&plan, &mute.cert, mute.key, &changed, &e), -1);
	CU_ASSERT_EQUAL(crl_verify(&c, &good, &e), -1);
	/* each byte counts, unless the parser refuses first */
	for (size_t i = 0; i < der.len; i++) {
		buf_set(&changed, der.data, der.len);
		changed.data[i] ^= 0x01;
		if (crl_parse(&other, changed.data, changed.len, &e) < 0)
			continue;
		if (crl_verify(&other, &w->issuing.cert, &e) == 0)
			printf("\nbyte %zu may be changed\n", i);
		CU_ASSERT_EQUAL(crl_verify(&other, &w->issuing.cert, &e), -1);
		crl_free(&other);
	}
	crl_free(&c);
	cert_free(&mute.cert);
	authority_free(&twin);
	buf_free(&der);
	buf_free(&changed);
}

/* ---- what others build ---- */
static void test_foreign(void)
{
	static const char conf[] = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n"
				   "crl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid:always,issuer:always\n";
	struct buf key = {0};
	struct crl c = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(key_save(w->issuing.key, scratch("issuing.key"), &e), 0);
	scratch_write("ca.cnf", conf, strlen(conf));
	CU_ASSERT_EQUAL(shell("touch index.txt && echo 1F00 >number && "
			      "openssl ca -config ca.cnf -cert issuing.pem -keyfile issuing.key -revoke bad.pem -crl_reason keyCompromise && "
			      "openssl ca -config ca.cnf -cert issuing.pem -keyfile issuing.key -gencrl -crldays 30 -out openssl.crl"), 0);
	CU_ASSERT_EQUAL_FATAL(file_read(&key, scratch("openssl.crl"), 0, &e), 0);
	CU_ASSERT_EQUAL_FATAL(crl_parse_any(&c, &key, &e), 0);
	CU_ASSERT_EQUAL(crl_verify(&c, &w->issuing.cert, &e), 0);
	CU_ASSERT(c.number == 0x1f00 && c.n == 1 && crl_find(&c, bad.serial) && crl_find(&c, bad.serial)->reason == 1);
	CU_ASSERT_EQUAL(c.next_update - c.this_update, 30 * DAY);
	crl_free(&c);
	CU_ASSERT_EQUAL(shell("printf 'crl_next_update = 10\\ncrl_number = 5\\n' >t.cfg && certtool --generate-crl "
			      "--load-ca-certificate issuing.pem --load-ca-privkey issuing.key --load-certificate bad.pem "
			      "--template t.cfg --outfile gnutls.crl"), 0);
	buf_clear(&key);
	CU_ASSERT_EQUAL_FATAL(file_read(&key, scratch("gnutls.crl"), 0, &e), 0);
	CU_ASSERT_EQUAL_FATAL(crl_parse_any(&c, &key, &e), 0);
	CU_ASSERT(c.number == 5 && crl_find(&c, bad.serial) && crl_verify(&c, &w->issuing.cert, &e) == 0);
	crl_free(&c);
	buf_free(&key);
}

/* ---- what is refused ---- */
/* The parts of a list, each replaced in turn. */
struct parts {
	const char *version, *this_update, *next_update, *entries, *extensions;
	size_t extensions_len, entries_len;
};
#define BYTES(s) .extensions = s, .extensions_len = sizeof(s) - 1
#define ENTRIES(s) .entries = s, .entries_len = sizeof(s) - 1

#define NUMBER "\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x05"
static struct buf made(const struct parts *p)
{
	struct buf out = {0};
	size_t seq = der_begin(&out, DER_SEQUENCE), tbs = der_begin(&out, DER_SEQUENCE), at, list;

	der_put(&out, DER_INTEGER, p->version ? p->version : "\x01", 1);
	CU_ASSERT_EQUAL(key_put_algorithm(w->issuing.key, &out), 0);
	buf_add(&out, w->issuing.cert.der.data + w->issuing.cert.subject_name.at, w->issuing.cert.subject_name.len);
	der_put_text(&out, DER_UTC_TIME, p->this_update ? p->this_update : "270101000000Z");
	if (!p->next_update || *p->next_update)
		der_put_text(&out, DER_UTC_TIME, p->next_update ? p->next_update : "270201000000Z");
	if (p->entries)
		der_put(&out, DER_SEQUENCE, p->entries, p->entries_len);
	if (!p->extensions || p->extensions_len) {
		at = der_begin(&out, DER_CONTEXT(0));
		list = der_begin(&out, DER_SEQUENCE);
		buf_add(&out, p->extensions ? p->extensions : NUMBER, p->extensions ? p->extensions_len : sizeof NUMBER - 1);
		der_end(&out, list);
		der_end(&out, at);
	}
	der_end(&out, tbs);
	key_put_algorithm(w->issuing.key, &out);
	der_put_bits(&out, "sig", 3);
	der_end(&out, seq);
	return out;
}

#define SERIAL "\x02\x01\x07"
#define DATE "\x17\x0d" "270101000000Z"
static void test_refused(void)
{
	static const struct {
		const char *words;
		struct parts p;
	} table[] = {
		{ NULL, {0} },
		{ NULL, { ENTRIES("\x30\x12" SERIAL DATE) } },
		{ NULL, { ENTRIES("\x30\x20" SERIAL DATE "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x06") } },
		{ "version", { .version = "\x00" } },
		{ "nextUpdate", { .next_update = "" } },
		{ "nextUpdate", { .next_update = "261231000000Z" } },
		{ "thisUpdate", { .this_update = "2701010000Z" } },
		{ "empty", { ENTRIES("") } },
		{ "serial number", { ENTRIES("\x30\x12\x02\x01\x87" DATE) } },
		{ "serial number", { ENTRIES("\x30\x13\x02\x02\x00\x07" DATE) } },
		{ "serial number", { ENTRIES("\x30\x26\x02\x15\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
					     "\x01\x01" DATE) } },
		{ "date", { ENTRIES("\x30\x03" SERIAL) } },
		{ "an entry", { ENTRIES("\x30\x14" SERIAL DATE "\x30\x00") } },
		{ "extensions of an entry",	/* removeFromCRL */
		  { ENTRIES("\x30\x20" SERIAL DATE "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x08") } },
		{ "extensions of an entry",
		  { ENTRIES("\x30\x20" SERIAL DATE "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x07") } },
		{ "extensions of an entry",	/* certificateIssuer, critical: an indirect list */
		  { ENTRIES("\x30\x22" SERIAL DATE "\x30\x0e\x30\x0c\x06\x03\x55\x1d\x1d\x01\x01\xff\x04\x02\x30\x00") } },
		{ "no CRL number", { BYTES("\x30\x09\x06\x03\x55\x1d\x17\x04\x02\x30\x00") } },
		{ "extensions", { BYTES("") } },
		{ "CRL number", { BYTES(NUMBER NUMBER) } },
		{ "CRL number", { BYTES("\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x85") } },
		{ "CRL number", { BYTES("\x30\x12\x06\x03\x55\x1d\x14\x04\x0b\x02\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01") } },
		{ "critical", { BYTES(NUMBER "\x30\x0d\x06\x03\x55\x1d\x1b\x01\x01\xff\x04\x03\x02\x01\x04") } },	/* delta */
		{ "critical", { BYTES(NUMBER "\x30\x0c\x06\x03\x55\x1d\x1c\x01\x01\xff\x04\x02\x30\x00") } },	/* partitioned */
		{ "extensions", { BYTES(NUMBER "\x30\x0c\x06\x03\x55\x1d\x1c\x01\x01\x0f\x04\x02\x30\x00") } },
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct buf der = made(&table[i].p);
		struct crl c = {0};
		int rc = crl_parse(&c, der.data, der.len, &e);

		if (rc != (table[i].words ? -1 : 0) || (rc < 0 && !strstr(e.text, table[i].words)))
			printf("\ncase %zu: %s\n", i, rc < 0 ? e.text : "taken");
		CU_ASSERT_EQUAL(rc, table[i].words ? -1 : 0);
		CU_ASSERT(rc == 0 || (e.code == REASON_REQUEST && strstr(e.text, table[i].words)));
		crl_free(&c);
		/* cut anywhere, or with a byte behind it */
		for (size_t n = 0; n < der.len; n++)
			CU_ASSERT_EQUAL(crl_parse(&c, der.data, n, &e), -1);
		buf_byte(&der, 0);
		CU_ASSERT_EQUAL(crl_parse(&c, der.data, der.len, &e), -1);
		buf_free(&der);
	}
}

static void test_reasons(void)
{
	CU_ASSERT_EQUAL(crl_reason("keyCompromise"), 1);
	CU_ASSERT_EQUAL(crl_reason("privilegeWithdrawn"), 9);
	CU_ASSERT_EQUAL(crl_reason("lapsed"), 0);
	CU_ASSERT_EQUAL(crl_reason("unspecified"), 0);
	CU_ASSERT_STRING_EQUAL(crl_reason_name(5), "cessationOfOperation");
	CU_ASSERT_STRING_EQUAL(crl_reason_name(7), "unspecified");
	CU_ASSERT_STRING_EQUAL(crl_reason_name(200), "unspecified");
}

static void test_end(void)
{
	cert_free(&good);
	cert_free(&bad);
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("crl", { "begin", test_begin }, { "build", test_build }, { "empty", test_build_empty }, { "many", test_build_many },
	  { "verify", test_verify }, { "foreign", test_foreign }, { "refused", test_refused }, { "reasons", test_reasons },
	  { "end", test_end })
