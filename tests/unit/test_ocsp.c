/* OCSP: what is built, judged by GnuTLS and openssl; what openssl asks; what is refused. */
#include <config.h>

#include <gnutls/ocsp.h>
#include <string.h>

#include "crypto_world.h"
#include "der.h"
#include "der_strict.h"
#include "file.h"
#include "gnutls_glue.h"
#include "limits.h"
#include "mem.h"
#include "ocsp.h"
#include "unit.h"

static struct world *w;
static struct cert device, responder;
static struct key *responder_key;
static struct buf asked[2];		/* by openssl: SHA-1, SHA-256 */

static void test_begin(void)
{
	struct cert_plan plan = plan_device("GW-0001");
	struct err e;

	w = world_new("Test Root");
	device = make_cert(&plan, w->leaf_key, &w->issuing);
	plan = (struct cert_plan){ .path_len = -1, .digital_signature = true, .ocsp_signing = true, .subject_cn = "OCSP responder",
				   .not_before = WORLD_NOW - DAY, .not_after = WORLD_NOW + DAY };
	responder_key = key_generate(KEY_P256, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(responder_key);
	responder = make_cert(&plan, responder_key, &w->issuing);
	scratch_cert("root.pem", &w->root.cert);
	scratch_cert("issuing.pem", &w->issuing.cert);
	scratch_cert("device.pem", &device);
	CU_ASSERT_EQUAL_FATAL(shell("openssl ocsp -issuer issuing.pem -cert device.pem -no_nonce -reqout 1.req"), 0);
	CU_ASSERT_EQUAL_FATAL(shell("openssl ocsp -sha256 -issuer issuing.pem -cert device.pem -reqout 2.req"), 0);	/* with a nonce */
	asked[0] = scratch_read("1.req");
	asked[1] = scratch_read("2.req");
}

static void test_asked(void)
{
	struct ocsp_request r;
	struct err e;

	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(ocsp_request_parse(&r, asked[i].data, asked[i].len, &e), 0);
		CU_ASSERT_EQUAL(r.hash, i ? OCSP_SHA256 : OCSP_SHA1);
		CU_ASSERT_STRING_EQUAL(r.serial, device.serial);
		CU_ASSERT(ocsp_is_of(&r, &w->issuing.cert));
		CU_ASSERT_FALSE(ocsp_is_of(&r, &w->unit.cert));
		CU_ASSERT_FALSE(ocsp_is_of(&r, &w->root.cert));
		r.key[0] ^= 1;	/* the name alone is not enough */
		CU_ASSERT_FALSE(ocsp_is_of(&r, &w->issuing.cert));
	}
}

/* ---- answers ---- */
static struct buf built(enum ocsp_hash hash, enum ocsp_status status, uint8_t reason)
{
	struct ocsp_plan plan = { .hash = hash, .ca = &w->issuing.cert, .serial = device.serial, .status = status, .reason = reason,
				  .revoked = WORLD_NOW - 1000, .produced = WORLD_NOW, .this_update = WORLD_NOW - 300, .next_update = WORLD_NOW + 3600 };
	struct buf der = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(ocsp_build(&plan, &responder, responder_key, &der, &e), 0);
	CU_ASSERT(der_is_strict(der.data, der.len));
	return der;
}

static void judged(enum ocsp_hash hash, enum ocsp_status status, uint8_t reason)
{
	struct buf der = built(hash, status, reason);
	gnutls_datum_t raw = { der.data, (unsigned)der.len }, issuer = { w->issuing.cert.der.data, (unsigned)w->issuing.cert.der.len },
		       leaf = { device.der.data, (unsigned)device.der.len };
	gnutls_ocsp_resp_t resp;
	gnutls_x509_crt_t ca, crt;
	time_t this_update, next_update, revoked;
	unsigned cert_status, why, verify = 1;

	gnutls_ocsp_resp_init(&resp);
	gnutls_x509_crt_init(&ca);
	gnutls_x509_crt_init(&crt);
	CU_ASSERT_EQUAL_FATAL(gnutls_ocsp_resp_import(resp, &raw), 0);
	gnutls_x509_crt_import(ca, &issuer, GNUTLS_X509_FMT_DER);
	gnutls_x509_crt_import(crt, &leaf, GNUTLS_X509_FMT_DER);
	CU_ASSERT_EQUAL(gnutls_ocsp_resp_get_single(resp, 0, NULL, NULL, NULL, NULL, &cert_status, &this_update, &next_update, &revoked, &why), 0);
	CU_ASSERT_EQUAL(cert_status, (unsigned)(status == OCSP_GOOD ? GNUTLS_OCSP_CERT_GOOD : status == OCSP_REVOKED ? GNUTLS_OCSP_CERT_REVOKED
												     : GNUTLS_OCSP_CERT_UNKNOWN));
	CU_ASSERT(this_update == WORLD_NOW - 300 && next_update == WORLD_NOW + 3600);
	if (status == OCSP_REVOKED)
		CU_ASSERT(revoked == WORLD_NOW - 1000 && why == (reason ? reason : GNUTLS_X509_CRLREASON_UNSPECIFIED));
	CU_ASSERT_EQUAL(gnutls_ocsp_resp_check_crt(resp, 0, crt), 0);
	CU_ASSERT(gnutls_ocsp_resp_verify_direct(resp, ca, &verify, GNUTLS_VERIFY_DISABLE_TIME_CHECKS) == 0 && verify == 0);
	gnutls_ocsp_resp_deinit(resp);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_crt_deinit(crt);
	scratch_write("answer.der", der.data, der.len);
	/* its times are of another day than this test's: it says so, and the status on a line of its own */
	CU_ASSERT_EQUAL(shell("openssl ocsp %s -respin answer.der -issuer issuing.pem -cert device.pem -CAfile root.pem -attime %d -x509_strict >out.txt 2>&1;"
			      "grep -q 'Response verify OK' out.txt && grep -qx '%s' out.txt", hash == OCSP_SHA256 ? "-sha256" : "", WORLD_NOW,
			      status == OCSP_GOOD ? "good" : status == OCSP_REVOKED ? "revoked" : "unknown"), 0);
	buf_free(&der);
}

static void test_answers(void)
{
	for (int h = 0; h < OCSP_HASHES; h++) {
		judged((enum ocsp_hash)h, OCSP_GOOD, 0);
		judged((enum ocsp_hash)h, OCSP_REVOKED, 1);
		judged((enum ocsp_hash)h, OCSP_REVOKED, 0);
		judged((enum ocsp_hash)h, OCSP_UNKNOWN, 0);
	}
}

/* A responder is a responder and nothing else: neither a device nor a unit. */
static void test_responder(void)
{
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .now = WORLD_NOW };
	struct chain chain = chain_of(&responder, &w->issuing.cert);
	struct err e;

	CU_ASSERT(!responder.client_auth && !responder.server_auth && !responder.ca && !responder.role[0] && !responder.policies[0][0]);
	CU_ASSERT_EQUAL(trust_verify(w->trust, &chain, &rule, &e), -1);
	scratch_cert("responder.pem", &responder);
	CU_ASSERT_EQUAL(shell("openssl x509 -in responder.pem -noout -ext noCheck,extendedKeyUsage | grep -q 'OCSP No Check'"), 0);
	chain_free(&chain);
}

static void test_errors(void)
{
	static const uint8_t expected[] = { 0x30, 3, 0x0a, 1, 6 };
	struct buf der = {0};

	ocsp_error(OCSP_UNAUTHORIZED, &der);
	CU_ASSERT(der.len == sizeof expected && memcmp(der.data, expected, sizeof expected) == 0);
	buf_free(&der);
}

/* ---- what is refused ---- */
static void refused(const struct buf *der, const char *why)
{
	struct ocsp_request r;
	struct err e = {0};

	CU_ASSERT_EQUAL(ocsp_request_parse(&r, der->data, der->len, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	if (!strstr(e.text, why)) {
		printf("\n  %s\n", e.text);
		CU_FAIL("another message");
	}
}

struct parts {
	bool version, null_with_content, critical, trailing;
	int requests;
	const uint8_t *serial;
	size_t serial_len, name_len;
};

static struct buf request_of(const struct parts *p)
{
	static const uint8_t zeros[SHA256_LEN];
	struct buf b = {0};
	size_t all = der_begin(&b, DER_SEQUENCE), tbs = der_begin(&b, DER_SEQUENCE), list, one, id, algorithm, tagged;

	if (p->version) {
		tagged = der_begin(&b, DER_CONTEXT(0));
		der_put(&b, DER_INTEGER, "\0", 1);
		der_end(&b, tagged);
	}
	list = der_begin(&b, DER_SEQUENCE);
	for (int i = 0; i < p->requests; i++) {
		one = der_begin(&b, DER_SEQUENCE);
		id = der_begin(&b, DER_SEQUENCE);
		algorithm = der_begin(&b, DER_SEQUENCE);
		der_put_oid(&b, "1.3.14.3.2.26");
		der_put(&b, DER_NULL, "x", p->null_with_content);
		der_end(&b, algorithm);
		der_put(&b, DER_OCTETS, zeros, p->name_len);
		der_put(&b, DER_OCTETS, zeros, 20);
		der_put(&b, DER_INTEGER, p->serial, p->serial_len);
		der_end(&b, id);
		der_end(&b, one);
	}
	der_end(&b, list);
	if (p->critical) {
		tagged = der_begin(&b, DER_CONTEXT(2));
		list = der_begin(&b, DER_SEQUENCE);
		one = der_begin(&b, DER_SEQUENCE);
		der_put_oid(&b, "1.2.3.4");
		der_put(&b, DER_BOOLEAN, "\xff", 1);
		der_put(&b, DER_OCTETS, "", 0);
		der_end(&b, one);
		der_end(&b, list);
		der_end(&b, tagged);
	}
	der_end(&b, tbs);
	der_end(&b, all);
	if (p->trailing)
		buf_byte(&b, 0);
	return b;
}

static void test_refused(void)
{
	static const uint8_t serial[21] = { 0x12, 0x34 }, negative[] = { 0x80 }, padded[] = { 0, 0x12 };
	const struct {
		struct parts p;
		const char *why;	/* NULL: taken */
	} cases[] = {
		{ { .requests = 1, .serial = serial, .serial_len = 2, .name_len = 20 }, NULL },
		{ { .requests = 1, .serial = serial, .serial_len = 20, .name_len = 20 }, NULL },
		{ { .requests = 0, .serial = serial, .serial_len = 2, .name_len = 20 }, "no certificate" },
		{ { .requests = 2, .serial = serial, .serial_len = 2, .name_len = 20 }, "more than one" },
		{ { .requests = 1, .serial = serial, .serial_len = 21, .name_len = 20 }, "CertID" },
		{ { .requests = 1, .serial = serial, .serial_len = 0, .name_len = 20 }, "CertID" },
		{ { .requests = 1, .serial = negative, .serial_len = 1, .name_len = 20 }, "CertID" },
		{ { .requests = 1, .serial = padded, .serial_len = 2, .name_len = 20 }, "CertID" },
		{ { .requests = 1, .serial = serial, .serial_len = 2, .name_len = 19 }, "CertID" },
		{ { .requests = 1, .serial = serial, .serial_len = 2, .name_len = 20, .null_with_content = true }, "CertID" },
		{ { .requests = 1, .serial = serial, .serial_len = 2, .name_len = 20, .version = true }, "a version" },
		{ { .requests = 1, .serial = serial, .serial_len = 2, .name_len = 20, .critical = true }, "an extension" },
		{ { .requests = 1, .serial = serial, .serial_len = 2, .name_len = 20, .trailing = true }, "something behind" },
	};
	struct ocsp_request r;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = request_of(&cases[i].p);

		if (cases[i].why)
			refused(&b, cases[i].why);
		else
			CU_ASSERT_EQUAL(ocsp_request_parse(&r, b.data, b.len, &e), 0);
		buf_free(&b);
	}
}

/* Of each good request each bit, and each length: never more than refused, and what is taken has one certificate. */
static void test_mutated(void)
{
	struct ocsp_request r;
	struct err e;

	for (int i = 0; i < 2; i++) {
		for (size_t bit = 0; bit < 8 * asked[i].len; bit++) {
			asked[i].data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (ocsp_request_parse(&r, asked[i].data, asked[i].len, &e) == 0)
				CU_ASSERT(r.serial[0] && strlen(r.serial) <= 2 * CERT_SERIAL_MAX);
			asked[i].data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (size_t len = 0; len < asked[i].len; len++)
			CU_ASSERT_EQUAL(ocsp_request_parse(&r, asked[i].data, len, &e), -1);
	}
}

static void test_limit(void)
{
	struct buf b = {0};

	while (b.len <= LIMIT_OCSP_REQUEST)
		buf_byte(&b, 0x30);
	refused(&b, "1 to 1024 bytes");
	buf_free(&b);
}

static void test_end(void)
{
	buf_free(&asked[0]);
	buf_free(&asked[1]);
	cert_free(&device);
	cert_free(&responder);
	key_free(responder_key);
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("ocsp", { "begin", test_begin }, { "asked", test_asked }, { "answers", test_answers }, { "responder", test_responder },
	  { "errors", test_errors }, { "refused", test_refused }, { "mutated", test_mutated }, { "limit", test_limit }, { "end", test_end })
