#include <config.h>

#include <string.h>

#include "crypto_world.h"
#include "der.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

static const struct device_id device = { "Acme Devices", "gateway-b", "GW-000_1" };

static void test_round_trip(void)
{
	static const enum key_type types[] = { KEY_P256, KEY_P384, KEY_RSA2048 };
	struct buf der = {0}, pem = {0}, again = {0};
	struct request_id request;
	struct csr c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct key *k = key_generate(types[i], &e);

		request_id_new(&request, UINT32_MAX - (uint32_t)i);
		CU_ASSERT_FATAL(k && csr_build(k, &device, &request, &der, &e) == 0);
		CU_ASSERT_EQUAL_FATAL(csr_parse(&c, der.data, der.len, &e), 0);
		CU_ASSERT(device_same(&c.device, &device));
		CU_ASSERT_STRING_EQUAL(c.request.id, request.id);
		CU_ASSERT_EQUAL(c.request.generation, request.generation);
		CU_ASSERT_EQUAL(c.key_type, types[i]);
		CU_ASSERT_EQUAL(c.endorsement.len, 0);
		key_spki(k, &again, &e);
		CU_ASSERT(buf_same(&c.spki, &again));
		buf_clear(&pem);
		csr_to_pem(&der, &pem);
		scratch_write("r.csr", pem.data, pem.len);
		CU_ASSERT_EQUAL(shell("openssl req -in r.csr -verify -noout && openssl req -in r.csr -noout -text >t && "
				      "grep -q 'O = Acme Devices, OU = gateway-b, serialNumber = GW-000_1' t && "
				      "grep -q '" OID_ATTR_REQUEST ".*:%s:%u$' t", request.id, (unsigned)request.generation), 0);
		CU_ASSERT(csr_from_pem(&pem, &again, &e) == 0 && buf_same(&again, &der));
		CU_ASSERT(csr_from_pem(&der, &again, &e) == 0 && buf_same(&again, &der));
		csr_free(&c);
		key_free(k);
	}
	buf_free(&der);
	buf_free(&pem);
	buf_free(&again);
}

static void test_bare(void)
{
	struct buf der = {0};
	struct csr c;
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	CU_ASSERT_EQUAL_FATAL(csr_build(k, NULL, NULL, &der, &e), 0);
	CU_ASSERT_EQUAL_FATAL(csr_parse(&c, der.data, der.len, &e), 0);
	CU_ASSERT(!c.device.serial[0] && !c.request.id[0] && c.request.generation == 0);
	scratch_write("bare.der", der.data, der.len);
	CU_ASSERT_EQUAL(shell("openssl req -inform DER -in bare.der -verify -noout"), 0);
	csr_free(&c);
	key_free(k);
	buf_free(&der);
}

static int parse_file(const char *name, struct csr *c, struct err *e)
{
	struct buf pem = scratch_read(name), der = {0};
	int rc = csr_from_pem(&pem, &der, e) == 0 ? csr_parse(c, der.data, der.len, e) : -1;

	buf_free(&pem);
	buf_free(&der);
	return rc;
}

/* What other clients send. */
static void test_foreign(void)
{
	struct csr c;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(shell("printf '[req]\\ndistinguished_name=n\\nattributes=a\\nreq_extensions=x\\n[n]\\n[a]\\n"
				    "challengePassword=secret\\n[x]\\nsubjectAltName=DNS:a.example\\n' >c && "
				    "S='/O=Acme/OU=gw/serialNumber=7/CN=gw 7' && "
				    "openssl req -new -config c -newkey rsa:2048 -nodes -keyout k -subj \"$S\" -out rsa.csr && "
				    "openssl req -new -config c -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout k2 "
				    "-subj \"$S\" -out ec.csr && "
				    "openssl req -new -newhdr -config c -newkey ed25519 -nodes -keyout k3 -subj \"$S\" -out ed.csr && "
				    "openssl req -new -config c -newkey rsa:1024 -nodes -keyout k4 -subj \"$S\" -out weak.csr && "
				    "openssl req -new -config c -sha1 -key k -subj \"$S\" -out sha1.csr && "
				    "openssl req -new -config c -key k -subj \"$S/serialNumber=8\" -out two.csr && "
				    "openssl req -new -config c -key k -sigopt rsa_padding_mode:pss -subj \"$S\" -out pss.csr"), 0);
	CU_ASSERT_EQUAL_FATAL(parse_file("rsa.csr", &c, &e), 0);
	CU_ASSERT_EQUAL(c.key_type, KEY_RSA2048);
	CU_ASSERT_STRING_EQUAL(c.device.serial, "7");
	CU_ASSERT_EQUAL(c.request.generation, 0);
	csr_free(&c);
	CU_ASSERT_EQUAL_FATAL(parse_file("ec.csr", &c, &e), 0);
	CU_ASSERT_EQUAL(c.key_type, KEY_P384);
	csr_free(&c);
	CU_ASSERT_EQUAL_FATAL(parse_file("ed.csr", &c, &e), 0);
	CU_ASSERT_EQUAL(c.key_type, KEY_OTHER);
	csr_free(&c);
	CU_ASSERT_EQUAL_FATAL(parse_file("two.csr", &c, &e), 0);
	CU_ASSERT_STRING_EQUAL(c.device.serial, "");	/* two serials name no device */
	csr_free(&c);
	CU_ASSERT_EQUAL(parse_file("weak.csr", &c, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "too weak"));
	CU_ASSERT_EQUAL(parse_file("sha1.csr", &c, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "SHA-256"));
	CU_ASSERT_EQUAL(parse_file("pss.csr", &c, &e), -1);
	CU_ASSERT_EQUAL(parse_file("k", &c, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
}

/* An own request with this text in the request attribute, so many times; properly signed. */
static int parse_built(uint8_t version, bool null, const char *oid, uint8_t tag, const char *text, size_t len, int times,
		       struct csr *c)
{
	struct buf info = {0}, spki = {0}, sig = {0}, der = {0};
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);
	size_t seq, list, pair, set;
	int rc;

	key_spki(k, &spki, &e);
	seq = der_begin(&info, DER_SEQUENCE);
	der_put(&info, DER_INTEGER, &version, 1);
	der_put(&info, DER_SEQUENCE, NULL, 0);
	buf_add(&info, spki.data, spki.len);
	list = der_begin(&info, DER_CONTEXT(0));
	for (int i = 0; i < times; i++) {
		pair = der_begin(&info, DER_SEQUENCE);
		der_put_oid(&info, oid);
		set = der_begin(&info, DER_SET);
		der_put(&info, tag, text, len);
		der_end(&info, set);
		der_end(&info, pair);
	}
	der_end(&info, list);
	der_end(&info, seq);
	key_sign(k, info.data, info.len, &sig, &e);
	seq = der_begin(&der, DER_SEQUENCE);
	buf_add(&der, info.data, info.len);
	der_put(&der, DER_SEQUENCE, "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05", null ? 12 : 10);
	der_put_bits(&der, sig.data, sig.len);
	der_end(&der, seq);
	rc = csr_parse(c, der.data, der.len, &e);
	CU_ASSERT(rc == 0 || e.code == REASON_REQUEST);
	key_free(k);
	buf_free(&info);
	buf_free(&spki);
	buf_free(&sig);
	buf_free(&der);
	return rc;
}

static int parse_attribute(const char *oid, uint8_t tag, const char *text, size_t len, int times, struct csr *c)
{
	return parse_built(0, false, oid, tag, text, len, times, c);
}

#define ID "0123456789abcdef0123456789abcdef"

static int parse_request(const char *text)
{
	struct csr c = {0};
	int rc = parse_attribute(OID_ATTR_REQUEST, DER_UTF8, text, strlen(text), 1, &c);

	csr_free(&c);
	return rc;
}

static void test_attributes(void)
{
	struct csr c = {0};

	CU_ASSERT_EQUAL(parse_request(ID ":1"), 0);
	CU_ASSERT_EQUAL(parse_request(ID ":4294967295"), 0);
	CU_ASSERT_EQUAL(parse_request(ID ":4294967296"), -1);
	CU_ASSERT_EQUAL(parse_request(ID ":0"), -1);
	CU_ASSERT_EQUAL(parse_request(ID ":"), -1);
	CU_ASSERT_EQUAL(parse_request(ID ":-1"), -1);
	CU_ASSERT_EQUAL(parse_request(ID), -1);
	CU_ASSERT_EQUAL(parse_request(ID "0:1"), -1);
	CU_ASSERT_EQUAL(parse_request("0123456789ABCDEF0123456789ABCDEF:1"), -1);
	CU_ASSERT_EQUAL(parse_request(""), -1);
	CU_ASSERT_EQUAL(parse_attribute(OID_ATTR_REQUEST, DER_UTF8, ID ":1\0002", 36, 1, &c), -1);
	CU_ASSERT_EQUAL(parse_attribute(OID_ATTR_REQUEST, DER_OCTETS, ID ":1", 34, 1, &c), -1);
	CU_ASSERT_EQUAL(parse_attribute(OID_ATTR_REQUEST, DER_UTF8, ID ":1", 34, 2, &c), -1);
	CU_ASSERT_EQUAL(parse_attribute("1.2.3", DER_UTF8, "x", 1, 17, &c), -1);
	CU_ASSERT_EQUAL(parse_attribute("1.2.3", DER_UTF8, "x", 1, 1, &c), 0);
	csr_free(&c);
	CU_ASSERT_EQUAL(parse_attribute(OID_ATTR_ENDORSEMENT, DER_OCTETS, "\0voucher", 8, 1, &c), 0);
	CU_ASSERT(c.endorsement.len == 8 && memcmp(c.endorsement.data, "\0voucher", 8) == 0);
	csr_free(&c);
}

/* A version other than 0, as wolfSSL, and parameters of ECDSA, as Mbed TLS 2.28. */
static void test_liberties(void)
{
	struct csr c = {0};

	CU_ASSERT_EQUAL(parse_built(0, true, "1.2.3", DER_UTF8, "x", 1, 1, &c), 0);
	csr_free(&c);
	CU_ASSERT_EQUAL(parse_built(2, false, "1.2.3", DER_UTF8, "x", 1, 1, &c), 0);
	csr_free(&c);
	CU_ASSERT_EQUAL(parse_built(3, false, "1.2.3", DER_UTF8, "x", 1, 1, &c), -1);
	CU_ASSERT_EQUAL(parse_built(0x80, false, "1.2.3", DER_UTF8, "x", 1, 1, &c), -1);
}

/* Each bit is under the signature or part of it. */
static void test_mutation(void)
{
	struct buf der = {0}, bad = {0};
	struct request_id request;
	int accepted = 0;
	struct csr c;
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	request_id_new(&request, 1);
	buf_str(&bad, "the device's word");
	CU_ASSERT_EQUAL_FATAL(csr_build_endorsed(k, &device, &request, &bad, &der, &e), 0);
	CU_ASSERT_EQUAL_FATAL(csr_parse(&c, der.data, der.len, &e), 0);
	CU_ASSERT(buf_same(&c.endorsement, &bad));
	CU_ASSERT_STRING_EQUAL(c.request.id, request.id);
	csr_free(&c);
	for (size_t i = 0; i < 8 * der.len; i++) {
		buf_set(&bad, der.data, der.len);
		bad.data[i / 8] ^= (uint8_t)(1 << i % 8);
		accepted += csr_parse(&c, bad.data, bad.len, &e) == 0;
	}
	for (size_t n = 0; n < der.len; n++) {
		char *exact = mem_new(n, 1);

		memcpy(exact, der.data, n);
		accepted += csr_parse(&c, exact, n, &e) == 0;
		free(exact);
	}
	buf_set(&bad, der.data, der.len);
	buf_byte(&bad, 0);
	accepted += csr_parse(&c, bad.data, bad.len, &e) == 0;
	CU_ASSERT_EQUAL(accepted, 0);
	key_free(k);
	buf_free(&der);
	buf_free(&bad);
}

static void test_end(void)
{
	scratch_remove();
}

UNIT_MAIN("csr", { "round trip", test_round_trip }, { "bare", test_bare }, { "foreign", test_foreign },
	  { "attributes", test_attributes }, { "liberties", test_liberties }, { "mutation", test_mutation }, { "end", test_end })
