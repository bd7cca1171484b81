/* Envelopes: what we write openssl opens, what openssl writes we open, and what was changed opens for nobody. */
#include <config.h>

#include <string.h>

#include "crypto_world.h"
#include "ecdh.h"
#include "envelope.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

static struct world *w;
static struct key *rsa, *other;
static struct buf p256_spki, rsa_spki;
static const char text[] = "a private key, PKCS#8\r\n\0binary, longer than one block of any cipher";

static void certified(const char *name, const struct key *key)
{
	struct cert_plan plan = plan_unit("station", name);
	struct cert c;
	char file[64];
	struct err e;

	plan.key_encipherment = plan.key_agreement = true;
	c = make_cert(&plan, key, &w->unit);
	snprintf(file, sizeof file, "%s.pem", name);
	scratch_cert(file, &c);
	cert_free(&c);
	snprintf(file, sizeof file, "%s.key", name);
	CU_ASSERT_EQUAL(key_save(key, scratch(file), &e), 0);
}

static void test_begin(void)
{
	struct err e;

	w = world_new("Test Root");
	rsa = key_generate(KEY_RSA2048, &e);
	other = key_generate(KEY_P256, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rsa);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	CU_ASSERT(key_spki(w->leaf_key, &p256_spki, &e) == 0 && key_spki(rsa, &rsa_spki, &e) == 0);
	certified("p256", w->leaf_key);
	certified("rsa", rsa);
}

static const struct {
	const char *name;
	enum envelope_kind kind;
} kinds[] = { { "gcm", ENVELOPE_GCM }, { "cbc", ENVELOPE_CBC } };

static void round_trip(const char *name, const struct key *key, const struct buf *spki, enum envelope_kind kind, size_t len)
{
	struct buf der = {0}, content = {0}, judged = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(envelope_seal(kind, spki, text, len, &der, &e), 0);
	CU_ASSERT_EQUAL(envelope_open(der.data, der.len, key, &content, &e), 0);
	CU_ASSERT(content.len == len && memcmp(buf_text(&content), text, len) == 0);
	scratch_write("sealed", der.data, der.len);
	/* by the key alone, and by the identifier in its certificate */
	CU_ASSERT_EQUAL(shell("openssl cms -decrypt -binary -inform DER -in sealed -inkey %s.key -out content", name), 0);
	judged = scratch_read("content");
	CU_ASSERT(judged.len == len && memcmp(buf_text(&judged), text, len) == 0);
	buf_free(&judged);
	CU_ASSERT_EQUAL(shell("openssl cms -decrypt -binary -inform DER -in sealed -recip %s.pem -inkey %s.key -out content",
			      name, name), 0);
	judged = scratch_read("content");
	CU_ASSERT(judged.len == len && memcmp(buf_text(&judged), text, len) == 0);
	buf_free(&der);
	buf_free(&content);
	buf_free(&judged);
}

static void test_writer(void)
{
	static const size_t lengths[] = { 1, 15, 16, 17, sizeof text };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
			round_trip("p256", w->leaf_key, &p256_spki, kinds[k].kind, lengths[i]);
			round_trip("rsa", rsa, &rsa_spki, kinds[k].kind, lengths[i]);
		}
}

static void open_foreign(const char *name, const struct key *key, const char *options)
{
	struct buf der, content = {0};
	struct err e;
	int rc;

	CU_ASSERT_EQUAL_FATAL(shell("openssl cms -encrypt -binary -outform DER -in plain -out foreign %s -recip %s.pem", options,
				    name), 0);
	der = scratch_read("foreign");
	rc = envelope_open(der.data, der.len, key, &content, &e);
	CU_ASSERT_EQUAL(rc, 0);
	if (rc < 0)
		fprintf(stderr, "%s %s: %s\n", name, options, e.text);
	CU_ASSERT(content.len == sizeof text && memcmp(buf_text(&content), text, sizeof text) == 0);
	buf_free(&der);
	buf_free(&content);
}

static void test_reader(void)
{
	struct buf der, content = {0};
	struct err e;

	scratch_write("plain", text, sizeof text);
	open_foreign("rsa", rsa, "-aes-256-cbc");
	open_foreign("rsa", rsa, "-aes-256-cbc -keyid");
	open_foreign("rsa", rsa, "-aes-256-gcm");
	open_foreign("p256", w->leaf_key, "-aes-256-cbc");	/* sha1kdf, openssl's default */
	open_foreign("p256", w->leaf_key, "-aes-256-gcm -keyid");
	CU_ASSERT_EQUAL_FATAL(shell("openssl cms -encrypt -binary -outform DER -in plain -out foreign -aes-256-cbc "
				    "-recip p256.pem -keyopt ecdh_kdf_md:sha256"), 0);
	der = scratch_read("foreign");
	CU_ASSERT_EQUAL(envelope_open(der.data, der.len, w->leaf_key, &content, &e), 0);
	buf_free(&der);
	/* what we do not serve is refused, and said to be so */
	CU_ASSERT_EQUAL_FATAL(shell("openssl cms -encrypt -binary -outform DER -in plain -out foreign -aes-128-cbc "
				    "-recip rsa.pem"), 0);
	der = scratch_read("foreign");
	CU_ASSERT_EQUAL(envelope_open(der.data, der.len, rsa, &content, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	buf_free(&der);
	buf_free(&content);
}

/* Each single bit of an AuthEnvelopedData changed: refused as not an envelope, or not opened; never other content. What the reader does
 * not look at is the recipient's identifier and the version. */
static void mutate(const struct key *key, const struct buf *spki)
{
	struct buf der = {0}, content = {0};
	size_t opened = 0;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(envelope_seal(ENVELOPE_GCM, spki, text, sizeof text, &der, &e), 0);
	for (size_t i = 0; i < der.len; i++) {
		der.data[i] ^= (uint8_t)(1u << (i % 8));
		if (envelope_open(der.data, der.len, key, &content, &e) == 0) {
			opened++;
			CU_ASSERT(content.len == sizeof text && memcmp(content.data, text, sizeof text) == 0);
		} else {
			CU_ASSERT(e.code == REASON_REQUEST || e.code == REASON_KEY_STORE);
			CU_ASSERT_EQUAL(content.len, 0);
		}
		der.data[i] ^= (uint8_t)(1u << (i % 8));
	}
	CU_ASSERT(opened <= 24);
	for (size_t i = 0; i < der.len; i++)
		CU_ASSERT_EQUAL(envelope_open(der.data, i, key, &content, &e), -1);
	buf_byte(&der, 0);
	CU_ASSERT_EQUAL(envelope_open(der.data, der.len, key, &content, &e), -1);
	buf_free(&der);
	buf_free(&content);
}

static void test_mutation(void)
{
	mutate(w->leaf_key, &p256_spki);
	mutate(rsa, &rsa_spki);
}

static void wrong_key(const struct buf *spki, const struct key *key, struct err *e)
{
	struct buf der = {0}, content = {0};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		CU_ASSERT_EQUAL_FATAL(envelope_seal(kinds[k].kind, spki, text, sizeof text, &der, e), 0);
		/* CBC alone may take one wrong key in 256 for the right one: the content must be signed then */
		if (envelope_open(der.data, der.len, key, &content, e) == 0) {
			CU_ASSERT_EQUAL(kinds[k].kind, ENVELOPE_CBC);
			CU_ASSERT(content.len != sizeof text || memcmp(content.data, text, sizeof text));
			err_set(e, REASON_KEY_STORE, "%s", "");
		} else {
			CU_ASSERT_EQUAL(e->code, REASON_KEY_STORE);
		}
	}
	buf_free(&der);
	buf_free(&content);
}

/* One error, whatever it was. */
static void test_wrong_key(void)
{
	struct key *rsa2, *p384;
	struct buf spki = {0}, der = {0};
	struct err e, first;

	rsa2 = key_generate(KEY_RSA2048, &e);
	p384 = key_generate(KEY_P384, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rsa2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p384);
	wrong_key(&p256_spki, rsa, &first);
	wrong_key(&rsa_spki, other, &e);	/* of the wrong kind: always refused */
	CU_ASSERT_STRING_EQUAL(e.text, first.text);
	wrong_key(&p256_spki, other, &e);
	wrong_key(&rsa_spki, rsa2, &e);
	wrong_key(&p256_spki, p384, &e);
	CU_ASSERT_EQUAL(key_spki(p384, &spki, &e), 0);
	CU_ASSERT_EQUAL(envelope_seal(ENVELOPE_GCM, &spki, text, 1, &der, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	buf_set(&spki, "0\0", 2);
	CU_ASSERT_EQUAL(envelope_seal(ENVELOPE_GCM, &spki, text, 1, &der, &e), -1);
	key_free(rsa2);
	key_free(p384);
	buf_free(&spki);
	buf_free(&der);
}

/* A point off the curve would give bits of the scalar away. */
static void test_invalid_curve(void)
{
	uint8_t scalar[P256_LEN], point[P256_POINT], z[P256_LEN], z2[P256_LEN], mine[P256_LEN], theirs[P256_POINT];

	ecdh_fresh(scalar, point);
	ecdh_fresh(mine, theirs);
	CU_ASSERT(ecdh_shared(scalar, theirs, z) == 0 && ecdh_shared(mine, point, z2) == 0 && mem_same(z, z2, sizeof z));
	point[P256_POINT - 1] ^= 1;
	CU_ASSERT_EQUAL(ecdh_shared(scalar, point, z), -1);
	point[P256_POINT - 1] ^= 1;
	point[0] = 2;
	CU_ASSERT_EQUAL(ecdh_shared(scalar, point, z), -1);
	memset(point, 0, sizeof point);
	point[0] = 4;
	CU_ASSERT_EQUAL(ecdh_shared(scalar, point, z), -1);
}

/* RFC 3394 4.6: 256 bits of key data with a 256-bit KEK. */
static void test_wrap_vector(void)
{
	uint8_t kek[WRAP_KEY], key[WRAP_KEY], wrapped[WRAP_LEN], again[WRAP_KEY], expected[WRAP_LEN];

	CU_ASSERT_EQUAL(text_unhex(kek, sizeof kek, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), 0);
	CU_ASSERT_EQUAL(text_unhex(key, sizeof key, "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"), 0);
	CU_ASSERT_EQUAL(text_unhex(expected, sizeof expected, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43b"
				   "fb988b9b7a02dd21"), 0);
	key_wrap(kek, key, wrapped);
	CU_ASSERT(mem_same(wrapped, expected, sizeof wrapped));
	CU_ASSERT(key_unwrap(kek, wrapped, again) == 0 && mem_same(again, key, sizeof key));
	wrapped[3] ^= 4;
	CU_ASSERT_EQUAL(key_unwrap(kek, wrapped, again), -1);
}

/* A key as PKCS#8 and back. A public part that is a lie is found out. */
static void test_pkcs8(void)
{
	struct buf pkcs8 = {0}, mine = {0};
	struct key *k;
	struct err e;
	uint8_t *at;

	CU_ASSERT_EQUAL_FATAL(key_export(w->leaf_key, &pkcs8, &e), 0);
	k = key_import(&pkcs8, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT(key_spki(k, &mine, &e) == 0 && buf_same(&mine, &p256_spki));
	key_free(k);
	at = memmem(pkcs8.data, pkcs8.len, "\x02\x01\x01\x04", 4);	/* version and scalar of the ECPrivateKey (RFC 5915) */
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	at[20] ^= 1;
	k = key_import(&pkcs8, &e);
	if (k) {	/* the public part was made from the private one: then it is another key */
		CU_ASSERT(key_spki(k, &mine, &e) == 0 && !buf_same(&mine, &p256_spki));
		key_free(k);
	} else {
		CU_ASSERT_EQUAL(e.code, REASON_KEY_STORE);
	}
	buf_free(&pkcs8);
	CU_ASSERT_PTR_NULL(key_import(&pkcs8, &e));
	buf_free(&mine);
}

static void test_end(void)
{
	key_free(rsa);
	key_free(other);
	buf_free(&p256_spki);
	buf_free(&rsa_spki);
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("envelope", { "begin", test_begin }, { "writer", test_writer }, { "reader", test_reader }, { "mutation", test_mutation },
	  { "wrong key", test_wrong_key }, { "invalid curve", test_invalid_curve }, { "key wrap", test_wrap_vector },
	  { "pkcs8", test_pkcs8 }, { "end", test_end })
