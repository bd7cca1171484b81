#include <config.h>

#include <string.h>

#include "cms.h"
#include "crypto_world.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

#define VERIFY "openssl cms -verify -binary -inform DER -attime 1800000000 -purpose any -CAfile root.pem "

static struct world *w;
static struct cert operator_cert;
static struct chain operator_chain;
static const struct trust_rule operator_rule = { .policy = OID_POLICY_UNIT, .role = "operator", .now = WORLD_NOW };
static const char text[] = "order: 7\r\nquota: 100\n\0binary";

static void test_begin(void)
{
	struct cert_plan plan = plan_unit("operator", "kim");
	struct err e;

	w = world_new("Test Root");
	operator_cert = make_cert(&plan, w->leaf_key, &w->unit);
	operator_chain = chain_of(&operator_cert, &w->unit.cert);
	scratch_cert("root.pem", &w->root.cert);
	scratch_cert("unit.pem", &w->unit.cert);
	scratch_cert("operator.pem", &operator_cert);
	CU_ASSERT_EQUAL(key_save(w->leaf_key, scratch("operator.key"), &e), 0);
}

static int open_doc(const struct buf *doc, const struct trust_rule *rule, struct buf *content, struct err *e)
{
	buf_clear(content);
	return cms_open(doc->data, doc->len, w->trust, rule, content, NULL, e);
}

static void one_signer(const struct key *key, const struct chain *chain, size_t len)
{
	struct buf doc = {0}, content = {0}, judged = {0};
	struct cert signer;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(cms_sign(text, len, key, chain, &doc, &e), 0);
	CU_ASSERT_EQUAL_FATAL(cms_open(doc.data, doc.len, w->trust, &operator_rule, &content, &signer, &e), 0);
	CU_ASSERT(content.len == len && memcmp(buf_text(&content), text, len) == 0);
	CU_ASSERT(buf_same(&signer.der, &chain->cert[0].der));
	cert_free(&signer);
	scratch_write("doc.cms", doc.data, doc.len);
	CU_ASSERT_EQUAL(shell(VERIFY "-in doc.cms -out content"), 0);
	judged = scratch_read("content");
	CU_ASSERT(judged.len == len && memcmp(buf_text(&judged), text, len) == 0);
	buf_free(&doc);
	buf_free(&content);
	buf_free(&judged);
}

static void test_round_trip(void)
{
	static const enum key_type types[] = { KEY_P384, KEY_RSA2048 };
	struct cert_plan plan = plan_unit("operator", "other");
	struct err e;

	one_signer(w->leaf_key, &operator_chain, sizeof text);
	one_signer(w->leaf_key, &operator_chain, 1);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct key *k = key_generate(types[i], &e);
		struct cert c = make_cert(&plan, k, &w->unit);
		struct chain ch = chain_of(&c, &w->unit.cert);

		one_signer(k, &ch, sizeof text);
		chain_free(&ch);
		cert_free(&c);
		key_free(k);
	}
	CU_ASSERT_EQUAL(cms_sign(text, 1, w->leaf_key, &(struct chain){0}, &(struct buf){0}, &e), -1);
}

/* ---- the signer ---- */
static void refused(const struct buf *doc, const struct trust_rule *rule, enum reason code, const char *words)
{
	struct buf content = {0};
	struct err e = {0};

	CU_ASSERT_EQUAL(open_doc(doc, rule, &content, &e), -1);
	CU_ASSERT_EQUAL(e.code, code);
	CU_ASSERT_EQUAL(content.len, 0);
	if (!strstr(e.text, words)) {
		printf("\nnot \"%s\": %s\n", words, e.text);
		CU_FAIL("another sentence");
	}
	buf_free(&content);
}

static void test_signer(void)
{
	struct world *evil = world_new("Test Root");
	struct trust_rule rule = operator_rule;
	struct cert_plan plan = plan_unit("operator", "kim");
	struct cert forged = make_cert(&plan, w->leaf_key, &evil->unit), mute;
	struct chain ch = chain_of(&forged, &evil->unit.cert);
	struct buf doc = {0};
	struct err e;

	CU_ASSERT_EQUAL(cms_sign(text, sizeof text, w->leaf_key, &ch, &doc, &e), 0);
	refused(&doc, &rule, REASON_AUTHORITY, "unknown");
	chain_free(&ch);
	/* another key than the certificate's */
	CU_ASSERT_EQUAL(cms_sign(text, sizeof text, evil->leaf_key, &operator_chain, &doc, &e), 0);
	refused(&doc, &rule, REASON_AUTHORITY, "signature of the document is wrong");
	CU_ASSERT_EQUAL(cms_sign(text, sizeof text, w->leaf_key, &operator_chain, &doc, &e), 0);
	rule.role = "station";
	refused(&doc, &rule, REASON_ROLE, "\"station\" is needed");
	rule = operator_rule;
	rule.policy = OID_POLICY_FACTORY;
	refused(&doc, &rule, REASON_ROLE, "may not issue");
	rule = operator_rule;
	rule.now = operator_cert.not_after + 1;
	refused(&doc, &rule, REASON_CLOCK, "clock");
	rule = operator_rule;
	rule.pinned = true;
	refused(&doc, &rule, REASON_AUTHORITY, "accepted issuing CAs");
	plan.digital_signature = false;
	plan.key_agreement = true;
	mute = make_cert(&plan, w->leaf_key, &w->unit);
	ch = chain_of(&mute, &w->unit.cert);
	CU_ASSERT_EQUAL(cms_sign(text, sizeof text, w->leaf_key, &ch, &doc, &e), 0);
	refused(&doc, &operator_rule, REASON_AUTHORITY, "may not sign documents");
	chain_free(&ch);
	cert_free(&mute);
	cert_free(&forged);
	buf_free(&doc);
	world_free(evil);
}

/* ---- what another implementation writes ---- */
#define SIGN "printf 'order' | openssl cms -sign -binary -outform DER -signer operator.pem -inkey operator.key -certfile unit.pem "

static int open_made(const char *options, struct err *e)
{
	struct buf doc, content = {0};
	int rc;

	CU_ASSERT_EQUAL_FATAL(shell(SIGN "%s -out made.cms", options), 0);
	doc = scratch_read("made.cms");
	rc = open_doc(&doc, &operator_rule, &content, e);
	CU_ASSERT(rc < 0 ? content.len == 0 : strcmp(buf_text(&content), "order") == 0);
	buf_free(&doc);
	buf_free(&content);
	return rc;
}

static void test_foreign(void)
{
	struct cert_plan plan = plan_unit("operator", "two");
	struct key *k;
	struct cert c;
	struct err e;

	CU_ASSERT_EQUAL(open_made("-nodetach", &e), 0);
	CU_ASSERT_EQUAL(open_made("-nodetach -keyid", &e), 0);
	CU_ASSERT_EQUAL(open_made("-nodetach -nosmimecap -md sha512", &e), 0);
	CU_ASSERT_EQUAL(open_made("", &e), -1);		/* detached */
	CU_ASSERT_EQUAL(open_made("-nodetach -noattr", &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "signed attributes"));
	CU_ASSERT_EQUAL(open_made("-nodetach -md sha1", &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	CU_ASSERT_EQUAL(open_made("-nodetach -nocerts", &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "certificate of its signer"));
	CU_ASSERT_EQUAL(open_made("-nodetach -econtent_type 1.2.3.4", &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	k = key_generate(KEY_P256, &e);
	c = make_cert(&plan, k, &w->unit);
	scratch_cert("two.pem", &c);
	CU_ASSERT_EQUAL(key_save(k, scratch("two.key"), &e), 0);
	CU_ASSERT_EQUAL(open_made("-nodetach -signer two.pem -inkey two.key", &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "exactly one signature"));
	cert_free(&c);
	key_free(k);
}

/* ---- hostile bytes: the very content of the very signer, or nothing ---- */
static int changed(const uint8_t *doc, size_t len, size_t *opened)
{
	struct buf content = {0};
	struct cert signer;
	struct err e;
	int bad;

	if (cms_open(doc, len, w->trust, &operator_rule, &content, &signer, &e) < 0)
		return content.len != 0;
	++*opened;
	bad = content.len != sizeof text || memcmp(content.data, text, sizeof text) != 0 || !buf_same(&signer.der, &operator_cert.der);
	cert_free(&signer);
	buf_free(&content);
	return bad;
}

static void test_mutation(void)
{
	struct buf doc = {0}, bad = {0};
	size_t opened = 0, all = 0;
	int wrong = 0;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(cms_sign(text, sizeof text, w->leaf_key, &operator_chain, &doc, &e), 0);
	for (size_t i = 0; i < 8 * doc.len; i += 3) {
		buf_set(&bad, doc.data, doc.len);
		bad.data[i / 8] ^= (uint8_t)(1 << i % 8);
		wrong += changed(bad.data, bad.len, &opened);
		all++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	/* Only what is under no signature can pass: the second certificate, whose verdict is known, and a few fields of the frame. */
	CU_ASSERT(opened < all / 2);
	/* The content under another tag than OCTET STRING is no content (RFC 5652 5.2). */
	uint8_t *content = memmem(doc.data, doc.len, text, sizeof text);

	CU_ASSERT_PTR_NOT_NULL_FATAL(content);
	buf_set(&bad, doc.data, doc.len);
	for (size_t tag = (size_t)(content - doc.data) - 4; tag < (size_t)(content - doc.data); tag++)
		if (bad.data[tag] == 0x04)
			bad.data[tag] = 0x58;
	opened = 0;
	wrong += changed(bad.data, bad.len, &opened);
	CU_ASSERT_EQUAL(opened, 0);
	opened = 0;
	for (size_t n = 0; n < doc.len; n++) {
		char *exact = mem_new(n, 1);

		memcpy(exact, doc.data, n);
		wrong += changed((uint8_t *)exact, n, &opened);
		free(exact);
	}
	buf_set(&bad, doc.data, doc.len);
	buf_byte(&bad, 0);
	wrong += changed(bad.data, bad.len, &opened);
	CU_ASSERT(wrong == 0 && opened == 0);
	buf_free(&doc);
	buf_free(&bad);
}

/* ---- certs-only ---- */
static void test_certs(void)
{
	struct chain ch = chain_of(&operator_cert, &w->unit.cert), back = {0};
	struct buf der = {0}, made;
	struct err e;

	CU_ASSERT_EQUAL(cms_certs_write(&ch, &der, &e), 0);
	CU_ASSERT_EQUAL_FATAL(cms_certs_read(der.data, der.len, &back, &e), 0);
	CU_ASSERT_EQUAL_FATAL(back.n, 2);
	CU_ASSERT(buf_same(&back.cert[0].der, &operator_cert.der) && buf_same(&back.cert[1].der, &w->unit.cert.der));
	scratch_write("certs.p7", der.data, der.len);
	CU_ASSERT_EQUAL(shell("openssl pkcs7 -inform DER -in certs.p7 -print_certs -noout >t && grep -c subject= t | grep -qx 2 && "
			      "head -1 t | grep -q 'operator kim'"), 0);
	CU_ASSERT_EQUAL(shell("cat operator.pem unit.pem root.pem >all.pem && "
			      "openssl crl2pkcs7 -nocrl -certfile all.pem -outform DER -out made.p7"), 0);
	made = scratch_read("made.p7");
	CU_ASSERT(cms_certs_read(made.data, made.len, &back, &e) == 0 && back.n == 5);
	chain_free(&back);
	for (size_t n = 0; n < made.len; n += 1 + made.len / 300) {
		CU_ASSERT_EQUAL(cms_certs_read(made.data, n, &back, &e), -1);
		chain_free(&back);
	}
	CU_ASSERT_EQUAL(cms_certs_write(&(struct chain){0}, &der, &e), 0);
	CU_ASSERT_EQUAL(cms_certs_read(der.data, der.len, &back, &e), -1);
	/* certs-only is no document */
	CU_ASSERT_EQUAL(cms_certs_write(&ch, &der, &e), 0);
	refused(&der, &operator_rule, REASON_REQUEST, "exactly one signature");
	chain_free(&ch);
	chain_free(&back);
	buf_free(&der);
	buf_free(&made);
}

static void test_end(void)
{
	chain_free(&operator_chain);
	cert_free(&operator_cert);
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("cms", { "begin", test_begin }, { "round trip", test_round_trip }, { "signer", test_signer }, { "foreign", test_foreign },
	  { "mutation", test_mutation }, { "certs", test_certs }, { "end", test_end })
