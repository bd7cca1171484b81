#include <config.h>

#include <string.h>
#include <sys/stat.h>

#include "confirm.h"
#include "crypto_world.h"
#include "der.h"
#include "digest.h"
#include "file.h"
#include "key.h"
#include "mem.h"
#include "unit.h"

static const enum key_type all_types[] = { KEY_P256, KEY_P384, KEY_RSA2048, KEY_RSA3072 };

static void test_digest(void)
{
	char hex[SHA256_HEX];
	uint8_t hash[SHA256_LEN], of_file[SHA256_LEN];
	struct err e;

	digest_sha256_hex(hex, "abc", 3);	/* FIPS 180-4, example 1 */
	CU_ASSERT_STRING_EQUAL(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256_hex(hex, "", 0);
	CU_ASSERT_STRING_EQUAL(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	scratch_write("abc", "abc", 3);
	digest_sha256(hash, "abc", 3);
	CU_ASSERT_EQUAL(digest_sha256_file(of_file, scratch("abc"), &e), 0);
	CU_ASSERT(mem_same(hash, of_file, sizeof hash));
	CU_ASSERT_EQUAL(digest_sha256_file(of_file, scratch("nothing"), &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_EQUAL(digest_sha256_file(of_file, scratch(""), &e), -1);
}

static void test_names(void)
{
	for (size_t i = 0; i < ARRAY_LEN(all_types); i++)
		CU_ASSERT_EQUAL(key_type_parse(key_type_name(all_types[i])), all_types[i]);
	CU_ASSERT_EQUAL(key_type_parse("rsa1024"), KEY_NONE);
	CU_ASSERT_EQUAL(key_type_parse(""), KEY_NONE);
}

static void one_type(enum key_type type)
{
	struct buf spki = {0}, again = {0}, sig = {0};
	struct key *k, *loaded;
	struct stat st;
	struct err e;

	k = key_generate(type, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_EQUAL(key_spki(k, &spki, &e), 0);
	CU_ASSERT_EQUAL(spki_type(&spki), type);
	CU_ASSERT_EQUAL(key_sign(k, "text", 4, &sig, &e), 0);
	CU_ASSERT_EQUAL(spki_verify(&spki, "text", 4, &sig, &e), 0);
	CU_ASSERT_EQUAL(spki_verify(&spki, "texT", 4, &sig, &e), -1);
	CU_ASSERT_EQUAL(spki_verify(&spki, "text", 3, &sig, &e), -1);

	CU_ASSERT_EQUAL(key_save(k, scratch("a.key"), &e), 0);
	CU_ASSERT(stat(scratch("a.key"), &st) == 0 && (st.st_mode & 0777) == 0600);
	loaded = key_load(scratch("a.key"), &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(loaded);
	CU_ASSERT_EQUAL(key_spki(loaded, &again, &e), 0);
	CU_ASSERT(buf_same(&spki, &again));
	CU_ASSERT_EQUAL(shell("openssl pkey -in a.key -check -noout && grep -q 'BEGIN PRIVATE KEY' a.key"), 0);
	key_free(loaded);

	/* the signature judged by another implementation */
	scratch_write("sig", sig.data, sig.len);
	scratch_write("text", "text", 4);
	CU_ASSERT_EQUAL(shell("openssl pkey -in a.key -pubout -out a.pub && openssl dgst -%s -verify a.pub -signature sig text",
			      type == KEY_P384 ? "sha384" : "sha256"), 0);
	key_free(k);
	buf_free(&spki);
	buf_free(&again);
	buf_free(&sig);
}

static void test_types(void)
{
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(all_types); i++)
		one_type(all_types[i]);
	CU_ASSERT_PTR_NULL(key_generate(KEY_OTHER, &e));
	CU_ASSERT_EQUAL(e.code, REASON_PROFILE);
}

static void test_files(void)
{
	struct key *k;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(shell("openssl ecparam -name prime256v1 -genkey -noout -out old.key && openssl genrsa -out rsa.key 2048 && "
				    "openssl pkcs8 -topk8 -in old.key -passout pass:secret -out locked.key && chmod 600 *.key && "
				    "cp old.key open.key && chmod 640 open.key && head -c 60 old.key >cut.key && chmod 600 cut.key"), 0);
	k = key_load(scratch("old.key"), &e);
	CU_ASSERT_PTR_NOT_NULL(k);
	key_free(k);
	k = key_load(scratch("rsa.key"), &e);
	CU_ASSERT_PTR_NOT_NULL(k);
	key_free(k);
	CU_ASSERT_PTR_NULL(key_load(scratch("locked.key"), &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "locked.key"));
	CU_ASSERT_PTR_NULL(key_load(scratch("open.key"), &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "chmod 600"));
	CU_ASSERT_PTR_NULL(key_load(scratch("cut.key"), &e));
	CU_ASSERT_EQUAL(e.code, REASON_KEY_STORE);
	CU_ASSERT_PTR_NULL(key_load(scratch("none.key"), &e));
	CU_ASSERT_PTR_NULL(key_from_pem(&(struct buf){0}, &e));
}

/* Nothing malformed may pass, crash or be taken for good. */
static void test_mutation(void)
{
	struct buf spki = {0}, sig = {0}, bad = {0};
	struct key *k, *other;
	struct err e;

	k = key_generate(KEY_P256, &e);
	other = key_generate(KEY_P256, &e);
	CU_ASSERT_FATAL(k && other && key_spki(k, &spki, &e) == 0 && key_sign(k, "text", 4, &sig, &e) == 0);
	for (size_t i = 0; i < 8 * sig.len; i += 3) {
		buf_set(&bad, sig.data, sig.len);
		bad.data[i / 8] ^= (uint8_t)(1 << i % 8);
		CU_ASSERT_EQUAL(spki_verify(&spki, "text", 4, &bad, &e), -1);
	}
	for (size_t n = 0; n < sig.len; n++) {
		buf_set(&bad, sig.data, n);
		CU_ASSERT_EQUAL(spki_verify(&spki, "text", 4, &bad, &e), -1);
	}
	for (size_t i = 0; i < 8 * spki.len; i++) {
		buf_set(&bad, spki.data, spki.len);
		bad.data[i / 8] ^= (uint8_t)(1 << i % 8);
		CU_ASSERT_EQUAL(spki_verify(&bad, "text", 4, &sig, &e), -1);
	}
	for (size_t n = 0; n < spki.len; n++) {
		buf_set(&bad, spki.data, n);
		CU_ASSERT_EQUAL(spki_type(&bad), KEY_NONE);
	}
	buf_set(&bad, spki.data, spki.len);
	buf_byte(&bad, 0);
	CU_ASSERT_EQUAL(spki_type(&bad), KEY_NONE);
	CU_ASSERT(key_sign(other, "text", 4, &bad, &e) == 0 && spki_verify(&spki, "text", 4, &bad, &e) < 0);
	key_free(k);
	key_free(other);
	buf_free(&spki);
	buf_free(&sig);
	buf_free(&bad);
}

static void test_weak(void)
{
	struct buf spki = {0};

	CU_ASSERT_EQUAL_FATAL(shell("openssl genrsa -out weak.key 1024 && openssl rsa -in weak.key -pubout -outform DER -out weak.der && "
				    "openssl genrsa -out odd.key 2304 && openssl rsa -in odd.key -pubout -outform DER -out odd.der"), 0);
	spki = scratch_read("weak.der");
	CU_ASSERT_EQUAL(spki_type(&spki), KEY_NONE);
	buf_free(&spki);
	spki = scratch_read("odd.der");
	CU_ASSERT_EQUAL(spki_type(&spki), KEY_OTHER);
	buf_free(&spki);
}

static enum key_type rsa_type(size_t n_len, uint8_t n_last, const void *exponent, size_t exponent_len)
{
	struct buf spki = {0}, pub = {0};
	uint8_t *n = mem_new(1 + n_len, 1);
	size_t seq;
	enum key_type type;

	memset(n + 1, 0xc5, n_len);
	n[n_len] = n_last;
	seq = der_begin(&pub, DER_SEQUENCE);
	der_put(&pub, DER_INTEGER, n, 1 + n_len);
	der_put(&pub, DER_INTEGER, exponent, exponent_len);
	der_end(&pub, seq);
	seq = der_begin(&spki, DER_SEQUENCE);
	der_put(&spki, DER_SEQUENCE, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05", 13);
	der_put_bits(&spki, pub.data, pub.len);
	der_end(&spki, seq);
	type = spki_type(&spki);
	free(n);
	buf_free(&pub);
	buf_free(&spki);
	return type;
}

/* One verification with a key that is made for it could take minutes. */
static void test_costly(void)
{
	CU_ASSERT_EQUAL(rsa_type(256, 0xc5, "\x01\x00\x01", 3), KEY_RSA2048);
	CU_ASSERT_EQUAL(rsa_type(512, 0xc5, "\x03", 1), KEY_OTHER);
	CU_ASSERT_EQUAL(rsa_type(513, 0xc5, "\x01\x00\x01", 3), KEY_NONE);
	CU_ASSERT_EQUAL(rsa_type(7000, 0xc5, "\x01\x00\x01", 3), KEY_NONE);
	CU_ASSERT_EQUAL(rsa_type(256, 0xc5, "\x71\x11\x11\x11\x11\x11\x11\x11\x11", 9), KEY_NONE);
	CU_ASSERT_EQUAL(rsa_type(256, 0xc5, "\x01", 1), KEY_NONE);
	CU_ASSERT_EQUAL(rsa_type(256, 0xc5, "\x01\x00\x02", 3), KEY_NONE);
	CU_ASSERT_EQUAL(rsa_type(256, 0xc4, "\x01\x00\x01", 3), KEY_NONE);
}

static void test_confirm(void)
{
	uint8_t exporter[TLS_EXPORTER_LEN] = { 1 }, certificate[SHA256_LEN] = { 2 };
	struct request_id r, other;
	struct buf spki = {0}, sig = {0};
	struct key *k;
	struct err e;

	request_id_new(&r, 7);
	k = key_generate(KEY_P256, &e);
	CU_ASSERT_FATAL(k && key_spki(k, &spki, &e) == 0);
	CU_ASSERT_EQUAL(confirm_sign(k, exporter, &r, certificate, &sig, &e), 0);
	CU_ASSERT_EQUAL(confirm_verify(&spki, exporter, &r, certificate, &sig, &e), 0);
	exporter[31] ^= 1;
	CU_ASSERT_EQUAL(confirm_verify(&spki, exporter, &r, certificate, &sig, &e), -1);
	exporter[31] ^= 1;
	certificate[0] ^= 1;
	CU_ASSERT_EQUAL(confirm_verify(&spki, exporter, &r, certificate, &sig, &e), -1);
	certificate[0] ^= 1;
	other = r;
	other.generation = 8;
	CU_ASSERT_EQUAL(confirm_verify(&spki, exporter, &other, certificate, &sig, &e), -1);
	request_id_new(&other, 7);
	CU_ASSERT_EQUAL(confirm_verify(&spki, exporter, &other, certificate, &sig, &e), -1);
	CU_ASSERT_EQUAL(confirm_verify(&spki, exporter, &r, certificate, &(struct buf){0}, &e), -1);
	key_free(k);
	buf_free(&spki);
	buf_free(&sig);
}

static void test_end(void)
{
	scratch_remove();
}

UNIT_MAIN("key", { "digest", test_digest }, { "names", test_names }, { "types", test_types }, { "files", test_files },
	  { "mutation", test_mutation }, { "weak", test_weak },
	  { "costly", test_costly }, { "confirm", test_confirm }, { "end", test_end })
