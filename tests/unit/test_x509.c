#include <config.h>

#include <stdio.h>
#include <string.h>

#include "crypto_world.h"
#include "der.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

/* openssl as the judge, at the time of the tests' world */
#define VERIFY "openssl verify -attime 1800000000 -x509_strict -check_ss_sig -CAfile root.pem "

static struct world *w;

static void test_begin(void)
{
	w = world_new("Test Root");
	scratch_cert("root.pem", &w->root.cert);
	scratch_cert("issuing.pem", &w->issuing.cert);
	scratch_cert("unit.pem", &w->unit.cert);
}

/* ---- what is built ---- */
static void test_ca(void)
{
	const struct cert *c = &w->issuing.cert;

	CU_ASSERT(c->ca && c->path_len == 0 && c->key_cert_sign && !c->digital_signature && c->any_eku);
	CU_ASSERT_EQUAL(c->signature_algorithm, w->unit.cert.signature_algorithm);
	CU_ASSERT_STRING_EQUAL(c->issuer, "CN=Test Root,O=Acme Devices");
	CU_ASSERT_STRING_EQUAL(c->subject, "CN=Issuing CA,O=Acme Devices");
	CU_ASSERT(cert_has_policy(c, OID_POLICY_FACTORY) && !cert_has_policy(c, OID_POLICY_UNIT));
	CU_ASSERT_EQUAL(w->root.cert.path_len, 1);
	CU_ASSERT_EQUAL(strlen(c->serial), 32);
	CU_ASSERT_STRING_NOT_EQUAL(c->serial, w->unit.cert.serial);
	CU_ASSERT(strncmp(c->serial, "10", 2) == 0 && strncmp(c->serial, w->unit.cert.serial, 4) == 0);	/* of about the same time */
	CU_ASSERT_STRING_NOT_EQUAL(c->serial + 10, w->unit.cert.serial + 10);
	CU_ASSERT_EQUAL(shell(VERIFY "root.pem && " VERIFY "issuing.pem && " VERIFY "unit.pem"), 0);
	CU_ASSERT_EQUAL(shell("openssl x509 -in issuing.pem -noout -text >t && grep -q 'CA:TRUE, pathlen:0' t && "
			      "grep -q 'Certificate Sign, CRL Sign' t && grep -q 'Policy: " OID_POLICY_FACTORY "$' t"), 0);
	/* both implementations give a key the same identifier */
	CU_ASSERT_EQUAL(shell("openssl x509 -in issuing.pem -noout -ext authorityKeyIdentifier | "
			      "sed -n 's/.*\\(..:..:..:..:..\\)$/\\1/p' >a && "
			      "openssl x509 -in root.pem -noout -ext subjectKeyIdentifier >s && test -s a && grep -q -f a s"), 0);
}

static void test_device(void)
{
	struct cert_plan plan = plan_device("GW-000_1");
	struct cert c = make_cert(&plan, w->leaf_key, &w->issuing);

	CU_ASSERT_STRING_EQUAL(c.device.manufacturer, "Acme Devices");
	CU_ASSERT_STRING_EQUAL(c.device.model, "gateway-b");
	CU_ASSERT_STRING_EQUAL(c.device.serial, "GW-000_1");
	CU_ASSERT_STRING_EQUAL(c.hw_type, OID_MODELS ".2");
	CU_ASSERT_STRING_EQUAL(c.hw_serial, "GW-000_1");
	CU_ASSERT_EQUAL(c.not_after, X509_NO_EXPIRY);
	CU_ASSERT_EQUAL(c.not_before, WORLD_NOW - DAY);
	CU_ASSERT(!c.ca && c.client_auth && !c.server_auth && !c.any_eku && c.digital_signature && !c.key_cert_sign);
	CU_ASSERT(cert_has_policy(&c, OID_POLICY_FACTORY) && !c.role[0] && !c.customer[0] && !c.unknown_critical[0]);
	scratch_cert("device.pem", &c);
	CU_ASSERT_EQUAL(shell(VERIFY "-untrusted issuing.pem -purpose sslclient device.pem"), 0);
	CU_ASSERT_NOT_EQUAL(shell(VERIFY "-untrusted issuing.pem -purpose sslserver device.pem"), 0);
	CU_ASSERT_EQUAL(shell("openssl asn1parse -in device.pem >t && grep -q 'GENERALIZEDTIME *:99991231235959Z' t && "
			      "grep -q 'UTCTIME' t && openssl x509 -in device.pem -noout -text >t && "
			      "grep -q 'othername: 1.3.6.1.5.5.7.8.4' t && grep -q 'Not After : Dec 31 23:59:59 9999 GMT' t"), 0);
	CU_ASSERT_EQUAL(shell("openssl asn1parse -in device.pem -strparse $(openssl asn1parse -in device.pem | "
			      "grep -A1 'Subject Alternative' | sed -n 's/^ *\\([0-9]*\\):.*OCTET.*/\\1/p') >t && "
			      "grep -q ':" OID_MODELS ".2$' t && grep -q 'OCTET STRING *:GW-000_1' t"), 0);
	cert_free(&c);
}

static void test_unit(void)
{
	struct cert_plan plan = plan_unit("node", "plant-7");
	struct cert c;

	strcpy(plan.uri[1], "handsel:customer:acme-2");
	strcpy(plan.uri[2], "https://node.example/");
	strcpy(plan.dns[0], "node.example");
	strcpy(plan.dns[3], "node2.example");
	strcpy(plan.ip[0], "192.0.2.7");
	strcpy(plan.ip[1], "2001:db8::7");
	strcpy(plan.email, "it@example.com");
	plan.key_agreement = plan.key_encipherment = true;
	c = make_cert(&plan, w->leaf_key, &w->unit);
	CU_ASSERT_STRING_EQUAL(c.role, "node");
	CU_ASSERT_STRING_EQUAL(c.name, "plant-7");
	CU_ASSERT_STRING_EQUAL(c.customer, "acme-2");
	CU_ASSERT(c.server_auth && c.client_auth && !c.hw_type[0] && !c.device.serial[0]);
	scratch_cert("node.pem", &c);
	CU_ASSERT_EQUAL(shell(VERIFY "-untrusted unit.pem -purpose sslserver -verify_hostname node2.example node.pem && "
			      VERIFY "-untrusted unit.pem -purpose sslclient -verify_ip 2001:db8::7 node.pem && "
			      VERIFY "-untrusted unit.pem -verify_ip 192.0.2.7 -verify_email it@example.com node.pem"), 0);
	CU_ASSERT_NOT_EQUAL(shell(VERIFY "-untrusted issuing.pem node.pem"), 0);
	CU_ASSERT_EQUAL(shell("openssl x509 -in node.pem -noout -ext subjectAltName,keyUsage >t && grep -q 'URI:handsel:node:plant-7,' t && "
			      "grep -q 'URI:handsel:customer:acme-2' t && grep -q 'Digital Signature, Key Encipherment, Key Agreement' t"), 0);
	cert_free(&c);
}

static void test_key_types(void)
{
	static const enum key_type types[] = { KEY_P384, KEY_RSA2048 };
	struct cert_plan plan = plan_device("1"), ca = plan_ca("Other Root", NULL);

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct authority a = {0};
		struct cert c;

		authority_make(&a, &ca, types[i], NULL);
		c = make_cert(&plan, a.key, &a);
		CU_ASSERT_EQUAL(spki_type(&c.spki), types[i]);
		scratch_cert("any root.pem", &a.cert);
		scratch_cert("any.pem", &c);
		CU_ASSERT_EQUAL(shell("openssl verify -attime 1800000000 -x509_strict -check_ss_sig -CAfile 'any root.pem' any.pem"), 0);
		cert_free(&c);
		authority_free(&a);
	}
}

static void one_end(int64_t end, const char *type)
{
	struct cert_plan plan = plan_device("1");
	struct cert c;

	plan.not_after = end;
	c = make_cert(&plan, w->leaf_key, &w->issuing);
	CU_ASSERT_EQUAL(c.not_after, end);
	scratch_cert("end.pem", &c);
	CU_ASSERT_EQUAL(shell("openssl asn1parse -in end.pem | grep -c %s | grep -qx 1", type), 0);
	cert_free(&c);
}

/* RFC 5280 4.1.2.5: through 2049 UTCTime, from 2050 GeneralizedTime. */
static void test_dates(void)
{
	one_end(2524607999, "'UTCTIME *:491231235959Z'");
	one_end(2524608000, "'GENERALIZEDTIME *:20500101000000Z'");
	one_end(X509_NO_EXPIRY, "'GENERALIZEDTIME *:99991231235959Z'");
}

static int build(const struct cert_plan *plan, const struct authority *issuer, struct buf *der, struct err *e)
{
	struct cert_plan full = *plan;
	struct buf spki = {0};
	int rc;

	if (!full.spki) {
		if (key_spki(w->leaf_key, &spki, e) < 0)
			return -1;
		full.spki = &spki;
	}
	rc = cert_build(&full, &issuer->cert, issuer->key, der, e);
	buf_free(&spki);
	return rc;
}

static void test_build_refused(void)
{
	const struct cert_plan good = plan_device("1");
	struct authority mixed = { .key = w->unit.key, .cert = w->issuing.cert }, leaf = { .key = w->leaf_key };
	struct buf der = {0};
	struct cert_plan plan;
	struct err e;

	CU_ASSERT_EQUAL(build(&good, &w->issuing, &der, &e), 0);
	CU_ASSERT_EQUAL(build(&good, &mixed, &der, &e), -1);
	leaf.cert = make_cert(&good, w->leaf_key, &w->issuing);
	CU_ASSERT_EQUAL(build(&good, &leaf, &der, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "no CA"));
	cert_free(&leaf.cert);
	plan = good;
	plan.not_after = plan.not_before;
	CU_ASSERT_EQUAL(build(&plan, &w->issuing, &der, &e), -1);
	plan = good;
	plan.not_after = (int64_t)X509_NO_EXPIRY + 1;
	CU_ASSERT_EQUAL(build(&plan, &w->issuing, &der, &e), -1);
	plan = good;
	plan.policy = "1.2..3";
	CU_ASSERT_EQUAL(build(&plan, &w->issuing, &der, &e), -1);
	plan = good;
	plan.hw_type = "3.1";
	CU_ASSERT_EQUAL(build(&plan, &w->issuing, &der, &e), -1);
	plan = good;
	strcpy(plan.ip[2], "192.0.2.256");
	CU_ASSERT_EQUAL(build(&plan, &w->issuing, &der, &e), -1);
	plan = good;
	plan.spki = &(struct buf){ .data = (uint8_t[]){ 0x30, 0 }, .len = 2 };
	CU_ASSERT_EQUAL(build(&plan, &w->issuing, &der, &e), -1);
	buf_free(&der);
}

/* A UUID fills 128 bits (ITU-T X.667): neither cut nor refused, and one more is. */
static void test_oid(void)
{
	static const char largest[] = "2.25.340282366920938463463374607431768211455";
	struct cert_plan plan = plan_device("1");
	struct buf b = {0};
	struct cert c;

	plan.hw_type = largest;
	c = make_cert(&plan, w->leaf_key, &w->issuing);
	CU_ASSERT_STRING_EQUAL(c.hw_type, largest);
	scratch_cert("uuid.pem", &c);
	cert_free(&c);
	CU_ASSERT_EQUAL(shell("openssl asn1parse -in uuid.pem -strparse $(openssl asn1parse -in uuid.pem | grep -A1 'Subject Alternative' | "
			      "sed -n 's/^ *\\([0-9]*\\):.*OCTET.*/\\1/p') | grep -q ':%s$'", largest), 0);
	CU_ASSERT_EQUAL(der_put_oid(&b, "2.25.340282366920938463463374607431768211456"), -1);
	CU_ASSERT_EQUAL(der_put_oid(&b, "2.340282366920938463463374607431768211455"), -1);
	CU_ASSERT_EQUAL(der_put_oid(&b, "1.40"), -1);
	CU_ASSERT_EQUAL(der_put_oid(&b, "1.2.03"), -1);
	CU_ASSERT_EQUAL(der_put_oid(&b, "1.2."), -1);
	CU_ASSERT_EQUAL(b.len, 0);
	buf_free(&b);
}

/* ---- what is read: a name may not be ambiguous ---- */
static int parse_uris(const char *first, const char *second)
{
	struct cert_plan plan = plan_unit("node", "x");
	struct buf der = {0};
	struct cert c = {0};
	struct err e;
	int rc;

	strcpy(plan.uri[0], first);
	strcpy(plan.uri[1], second);
	rc = build(&plan, &w->unit, &der, &e);
	CU_ASSERT_EQUAL(rc, 0);
	rc = cert_parse(&c, der.data, der.len, &e);
	CU_ASSERT(rc == 0 || e.code == REASON_REQUEST);
	cert_free(&c);
	buf_free(&der);
	return rc;
}

static void test_roles(void)
{
	CU_ASSERT_EQUAL(parse_uris("handsel:station:a", "handsel:customer:b"), 0);
	CU_ASSERT_EQUAL(parse_uris("handsel:station:a", "urn:handsel:ca:b"), 0);
	CU_ASSERT_EQUAL(parse_uris("handsel:station:a", "handsel:ca:a"), -1);
	CU_ASSERT_EQUAL(parse_uris("handsel:customer:a", "handsel:customer:a"), -1);
	CU_ASSERT_EQUAL(parse_uris("handsel:station:", ""), -1);
	CU_ASSERT_EQUAL(parse_uris("handsel:station", ""), -1);
	CU_ASSERT_EQUAL(parse_uris("handsel::a", ""), -1);
	CU_ASSERT_EQUAL(parse_uris("handsel:station:a/../b", ""), -1);
	CU_ASSERT_EQUAL(parse_uris("handsel:a-role-that-is-much-longer-than-it-may-be:a", ""), -1);
}

static void one_patch(const struct cert *c, const char *find, const char *put, size_t len, const char *clause)
{
	struct buf der = patched(c, find, put, len, w->unit.key);
	struct cert parsed;
	struct err e;

	CU_ASSERT_EQUAL(cert_parse(&parsed, der.data, der.len, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	if (!strstr(e.text, clause)) {
		printf("\n%s, not %s\n", e.text, clause);
		CU_FAIL("another clause");
	}
	buf_free(&der);
}

/* Well signed, and yet malformed. */
static void test_malformed(void)
{
	struct cert_plan plan = plan_unit("node", "x");
	struct cert c;

	plan.not_after = X509_NO_EXPIRY;
	strcpy(plan.uri[1], "handsel:customer:abc");
	c = make_cert(&plan, w->leaf_key, &w->unit);
	one_patch(&c, "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x01", 5, "4.1.2.1");
	one_patch(&c, "99991231235959Z", "99991331235959Z", 15, "4.1.2.5");
	one_patch(&c, "99991231235959Z", "999912312359590", 15, "4.1.2.5");
	one_patch(&c, "\x06\x03\x55\x1d\x0f\x01\x01\xff", "\x06\x03\x55\x1d\x0f\x01\x01\x01", 8, "4.2");
	one_patch(&c, "\x06\x03\x55\x1d\x0e", "\x06\x03\x55\x1d\x23", 5, "4.2");	/* two authorityKeyIdentifiers */
	one_patch(&c, "customer:abc", "customer\0abc", 12, "4.2.1.6");
	one_patch(&c, "customer:abc", "customer:a\0c", 12, "4.2.1.6");
	cert_free(&c);
}

/* ---- PEM ---- */
static void test_pem(void)
{
	struct chain ch = {0}, again = {0};
	struct buf pem = {0}, odd = {0};
	struct err e;

	ch = chain_of(&w->issuing.cert, &w->root.cert);
	buf_str(&pem, "subject=some text before\r\n");
	chain_to_pem(&ch, &pem);
	CU_ASSERT_EQUAL(chain_from_pem(&again, &pem, &e), 0);
	CU_ASSERT_EQUAL(again.n, 2);
	CU_ASSERT(again.n == 2 && buf_same(&again.cert[1].der, &w->root.cert.der));
	for (size_t i = 0; i < pem.len; i++)	/* from a machine with CRLF */
		pem.data[i] == '\n' ? buf_str(&odd, "\r\n") : buf_byte(&odd, pem.data[i]);
	CU_ASSERT(chain_from_pem(&again, &odd, &e) == 0 && again.n == 4);
	scratch_write("chain.pem", pem.data, pem.len);
	CU_ASSERT(chain_load(&again, scratch("chain.pem"), &e) == 0 && again.n == 6);
	CU_ASSERT_EQUAL(shell("openssl crl2pkcs7 -nocrl -certfile chain.pem | openssl pkcs7 -print_certs -noout >t && "
			      "grep -c subject= t | grep -qx 2"), 0);
	chain_free(&again);

	scratch_write("cut.pem", pem.data, pem.len - 40);
	CU_ASSERT_EQUAL(chain_load(&again, scratch("cut.pem"), &e), -1);
	CU_ASSERT(e.code == REASON_CONFIG && strstr(e.text, "cut.pem") && strstr(e.text, "certificate 2"));
	chain_free(&again);
	scratch_write("empty.pem", "", 0);
	CU_ASSERT_EQUAL(chain_load(&again, scratch("empty.pem"), &e), -1);
	CU_ASSERT_EQUAL(chain_load(&again, scratch("none.pem"), &e), -1);
	buf_set(&odd, pem.data, pem.len);
	memcpy(strchr((char *)odd.data + 60, '\n') + 9, "!", 1);
	CU_ASSERT_EQUAL(chain_from_pem(&again, &odd, &e), -1);
	chain_free(&again);
	buf_clear(&odd);
	for (int i = 0; i < 33; i++)
		chain_to_pem(&ch, &odd);
	CU_ASSERT_EQUAL(chain_from_pem(&again, &odd, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "more than 64"));
	chain_free(&again);
	chain_free(&ch);
	buf_free(&pem);
	buf_free(&odd);
}

/* ---- hostile bytes ---- */
static bool forged(const uint8_t *der, size_t len)
{
	struct trust_rule rule = rule_any();
	struct chain ch = {0};
	struct err e;
	bool accepted;

	if (chain_add(&ch, der, len, &e) < 0)
		return false;
	accepted = trust_verify(w->trust, &ch, &rule, &e) == 0;
	chain_free(&ch);
	return accepted;
}

static void test_mutation(void)
{
	static const uint8_t lengths[] = { 0, 0x7f, 0x81, 0x83, 0xff };
	struct cert_plan plan = plan_device("GW-1");
	struct cert c = make_cert(&plan, w->leaf_key, &w->issuing);
	struct buf bad = {0};
	int accepted = 0;
	struct err e;

	CU_ASSERT_EQUAL(trust_add_issuer(w->trust, &w->issuing.cert, &e), 0);
	CU_ASSERT(forged(c.der.data, c.der.len));
	for (size_t i = 0; i < 8 * c.der.len; i += 3) {
		buf_set(&bad, c.der.data, c.der.len);
		bad.data[i / 8] ^= (uint8_t)(1 << i % 8);
		accepted += forged(bad.data, bad.len);
	}
	for (size_t i = 0; i < ARRAY_LEN(lengths) * c.der.len; i++) {
		buf_set(&bad, c.der.data, c.der.len);
		bad.data[i / ARRAY_LEN(lengths)] = lengths[i % ARRAY_LEN(lengths)];
		accepted += !buf_same(&bad, &c.der) && forged(bad.data, bad.len);
	}
	for (size_t n = 0; n < c.der.len; n++) {
		char *exact = mem_new(n, 1);	/* so that one byte too far is seen by the sanitizer */

		memcpy(exact, c.der.data, n);
		accepted += forged((uint8_t *)exact, n);
		free(exact);
	}
	buf_set(&bad, c.der.data, c.der.len);
	buf_byte(&bad, 0);
	CU_ASSERT(!forged(bad.data, bad.len));
	CU_ASSERT_EQUAL(accepted, 0);
	buf_free(&bad);
	cert_free(&c);
}

static void test_too_long(void)
{
	uint8_t *large = mem_new(LIMIT_CERT + 1, 1);
	struct cert c;
	struct csr r;
	struct err e;

	CU_ASSERT(cert_parse(&c, large, LIMIT_CERT + 1, &e) < 0 && csr_parse(&r, large, LIMIT_CERT + 1, &e) < 0);
	CU_ASSERT(cert_parse(&c, large, LIMIT_CERT, &e) < 0 && csr_parse(&r, large, LIMIT_CERT, &e) < 0);
	CU_ASSERT(cert_parse(&c, large, 0, &e) < 0 && csr_parse(&r, large, 0, &e) < 0);
	free(large);
}

#define NUMBERS 1000

/* RFC 5280 4.1.2.2: positive, of at most 20 octets, unique; and what is behind the time is random: of each of the 88 bits about half are set
 * (6.3 standard deviations either way, one false alarm in tens of millions of runs). */
static void test_numbers(void)
{
	struct cert_plan plan = plan_device("1");
	static char seen[NUMBERS][2 * CERT_SERIAL_MAX + 1];
	unsigned set[88] = {0};
	size_t twice = 0, out = 0;

	for (size_t n = 0; n < NUMBERS; n++) {
		struct cert c = make_cert(&plan, w->leaf_key, &w->issuing);
		uint8_t number[CERT_NUMBER] = {0};

		CU_ASSERT_EQUAL_FATAL(text_unhex(number, sizeof number, c.serial), 0);	/* all of one length, within 20 octets */
		CU_ASSERT(number[0] > 0 && number[0] < 0x80);
		for (size_t bit = 0; bit < ARRAY_LEN(set); bit++)
			set[bit] += number[5 + bit / 8] >> bit % 8 & 1;
		for (size_t i = 0; i < n; i++)
			twice += strcmp(seen[i], c.serial) == 0;
		snprintf(seen[n], sizeof seen[n], "%s", c.serial);
		cert_free(&c);
	}
	for (size_t bit = 0; bit < ARRAY_LEN(set); bit++)
		out += set[bit] < NUMBERS / 2 - 100 || set[bit] > NUMBERS / 2 + 100;
	CU_ASSERT_EQUAL(twice, 0);
	CU_ASSERT_EQUAL(out, 0);
}

static void test_end(void)
{
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("x509", { "begin", test_begin }, { "ca", test_ca }, { "device", test_device }, { "unit", test_unit },
	  { "key types", test_key_types }, { "dates", test_dates }, { "build refused", test_build_refused }, { "oid", test_oid },
	  { "roles", test_roles }, { "malformed", test_malformed }, { "pem", test_pem }, { "mutation", test_mutation },
	  { "too long", test_too_long }, { "serial numbers", test_numbers }, { "end", test_end })
