#include <config.h>

#include "x509.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "der.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "oid.h"
#include "x509_name.h"

#define SHA1_LEN 20

static int refuse(struct err *e, const char *what)
{
	return err_set(e, REASON_INTERNAL, "cannot build the certificate: %s", what);
}

/* keyIdentifier by RFC 5280 4.2.1.2 (1): SHA-1 of the BIT STRING subjectPublicKey. Not a matter of security. */
static int key_identifier(uint8_t out[SHA1_LEN], const struct buf *spki)
{
	struct der in = der_from(spki->data, spki->len), seq = der_take(&in, DER_SEQUENCE), bits;

	der_take(&seq, DER_SEQUENCE);
	bits = der_take(&seq, DER_BITS);
	if (!der_done(&seq) || bits.left < 1)
		return -1;
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, bits.p + 1, bits.left - 1, out) < 0)
		abort();
	return 0;
}

/* ---- extensions ---- */
static size_t ext_begin(struct buf *out, uint8_t arc, bool critical, size_t *value)
{
	const uint8_t id[] = { 0x55, 0x1d, arc };	/* id-ce */
	size_t at = der_begin(out, DER_SEQUENCE);

	der_put(out, DER_OID, id, sizeof id);
	if (critical)
		der_put(out, DER_BOOLEAN, "\xff", 1);
	*value = der_begin(out, DER_OCTETS);
	return at;
}

static void ext_end(struct buf *out, size_t at, size_t value)
{
	der_end(out, value);
	der_end(out, at);
}

static void put_basic(struct buf *out, const struct cert_plan *plan)
{
	size_t value, at = ext_begin(out, 19, true, &value), seq = der_begin(out, DER_SEQUENCE);

	if (plan->ca)
		der_put(out, DER_BOOLEAN, "\xff", 1);
	if (plan->ca && plan->path_len >= 0)
		der_put(out, DER_INTEGER, &(uint8_t){ (uint8_t)plan->path_len }, 1);
	der_end(out, seq);
	ext_end(out, at, value);
}

/* A named-bit list without trailing zero bits (X.690 11.2.2). */
static void put_usage(struct buf *out, const struct cert_plan *plan)
{
	uint8_t bits[2] = { 0 };
	size_t value, at;

	bits[1] = (uint8_t)((plan->digital_signature ? 0x80 : 0) | (plan->key_encipherment ? 0x20 : 0) |
			    (plan->key_agreement ? 0x08 : 0) | (plan->key_cert_sign ? 0x04 : 0) | (plan->crl_sign ? 0x02 : 0));
	if (!bits[1])
		return;
	while (!(bits[1] >> bits[0] & 1))
		bits[0]++;
	at = ext_begin(out, 15, true, &value);
	der_put(out, DER_BITS, bits, sizeof bits);
	ext_end(out, at, value);
}

static int put_purposes(struct buf *out, const struct cert_plan *plan)
{
	size_t value, at, seq;
	int rc = 0;

	if (!plan->server_auth && !plan->client_auth && !plan->ocsp_signing && !plan->purpose[0][0])
		return 0;
	at = ext_begin(out, 37, false, &value);
	seq = der_begin(out, DER_SEQUENCE);
	if (plan->server_auth)
		der_put_oid(out, "1.3.6.1.5.5.7.3.1");
	if (plan->client_auth)
		der_put_oid(out, "1.3.6.1.5.5.7.3.2");
	if (plan->ocsp_signing)
		der_put_oid(out, "1.3.6.1.5.5.7.3.9");
	for (size_t i = 0; i < PLAN_PURPOSES && plan->purpose[i][0]; i++)
		rc |= der_put_oid(out, plan->purpose[i]);
	der_end(out, seq);
	ext_end(out, at, value);
	return rc;
}

/* An extension whose value is NULL says all by being there. */
static void put_mark(struct buf *out, const char *oid)
{
	size_t at = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	der_put(out, DER_OCTETS, "\x05\x00", 2);
	der_end(out, at);
}

/* RFC 5280 4.2.1.13: one place, which has the whole list. */
static void put_crl_url(struct buf *out, const char *url)
{
	size_t value, at = ext_begin(out, 31, false, &value), list = der_begin(out, DER_SEQUENCE), point = der_begin(out, DER_SEQUENCE);
	size_t name = der_begin(out, DER_CONTEXT(0)), full = der_begin(out, DER_CONTEXT(0));

	der_put_text(out, DER_CONTEXT_PRIMITIVE(6), url);
	der_end(out, full);
	der_end(out, name);
	der_end(out, point);
	der_end(out, list);
	ext_end(out, at, value);
}

static void put_access(struct buf *out, const char *method, const char *url)
{
	size_t at;

	if (!url || !*url)
		return;
	at = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, method);
	der_put_text(out, DER_CONTEXT_PRIMITIVE(6), url);
	der_end(out, at);
}

/* RFC 5280 4.2.2.1: where to ask, and where the issuer's certificate is. */
static void put_information(struct buf *out, const char *ocsp_url, const char *issuer_url)
{
	size_t at = der_begin(out, DER_SEQUENCE), value, list;

	der_put_oid(out, "1.3.6.1.5.5.7.1.1");
	value = der_begin(out, DER_OCTETS);
	list = der_begin(out, DER_SEQUENCE);
	put_access(out, "1.3.6.1.5.5.7.48.1", ocsp_url);
	put_access(out, "1.3.6.1.5.5.7.48.2", issuer_url);
	der_end(out, list);
	der_end(out, value);
	der_end(out, at);
}

static void put_revocation(struct buf *out, const struct cert_plan *plan)
{
	if (plan->crl_url && *plan->crl_url)
		put_crl_url(out, plan->crl_url);
	if ((plan->ocsp_url && *plan->ocsp_url) || (plan->issuer_url && *plan->issuer_url))
		put_information(out, plan->ocsp_url, plan->issuer_url);
	if (plan->ocsp_signing)
		put_mark(out, "1.3.6.1.5.5.7.48.1.5");
	if (plan->no_rev_avail)
		put_mark(out, "2.5.29.56");
}

static int put_policy(struct buf *out, const char *policy)
{
	size_t info = der_begin(out, DER_SEQUENCE);
	int rc = der_put_oid(out, policy);

	der_end(out, info);
	return rc;
}

static int put_policies(struct buf *out, const struct cert_plan *plan)
{
	size_t value, at = ext_begin(out, 32, false, &value), list = der_begin(out, DER_SEQUENCE);
	int rc = put_policy(out, plan->policy);

	for (size_t i = 0; i < ARRAY_LEN(plan->policies) && plan->policies[i][0]; i++)
		rc |= put_policy(out, plan->policies[i]);
	der_end(out, list);
	ext_end(out, at, value);
	return rc;
}

/* Critical, as RFC 5280 4.2.1.10 has it. */
static void put_limits(struct buf *out, const struct name_limits *limits)
{
	size_t value, at = ext_begin(out, 30, true, &value);

	name_limits_put(out, limits);
	ext_end(out, at, value);
}

static int put_hardware(struct buf *out, const char *hw_type, const char *serial)
{
	size_t other = der_begin(out, DER_CONTEXT(0)), value, seq;
	int rc;

	der_put_oid(out, OID_HARDWARE_MODULE);
	value = der_begin(out, DER_CONTEXT(0));
	seq = der_begin(out, DER_SEQUENCE);
	rc = der_put_oid(out, hw_type);
	der_put_text(out, DER_OCTETS, serial);
	der_end(out, seq);
	der_end(out, value);
	der_end(out, other);
	return rc;
}

static int put_ip(struct buf *out, const char *text)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, text, address) == 1)
		der_put(out, DER_CONTEXT_PRIMITIVE(7), address, 4);
	else if (inet_pton(AF_INET6, text, address) == 1)
		der_put(out, DER_CONTEXT_PRIMITIVE(7), address, 16);
	else
		return -1;
	return 0;
}

static int put_names(struct buf *names, const struct cert_plan *plan, struct err *e)
{
	if (plan->email[0])	/* RFC 5280 4.1.2.6: here and not in the subject */
		der_put_text(names, DER_CONTEXT_PRIMITIVE(1), plan->email);
	for (size_t i = 0; i < ARRAY_LEN(plan->dns); i++)
		if (plan->dns[i][0])
			der_put_text(names, DER_CONTEXT_PRIMITIVE(2), plan->dns[i]);
	for (size_t i = 0; i < ARRAY_LEN(plan->uri); i++)
		if (plan->uri[i][0])
			der_put_text(names, DER_CONTEXT_PRIMITIVE(6), plan->uri[i]);
	for (size_t i = 0; i < ARRAY_LEN(plan->ip); i++)
		if (plan->ip[i][0] && put_ip(names, plan->ip[i]) < 0)
			return refuse(e, "an address of the subjectAltName is no IP address");
	if (plan->hw_type && put_hardware(names, plan->hw_type, plan->serial_number) < 0)
		return refuse(e, "hwType is no object identifier");
	return 0;
}

static int put_alternative(struct buf *out, const struct cert_plan *plan, const struct cert *issuer, struct err *e)
{
	struct buf names = {0};
	size_t value, at;
	int rc = put_names(&names, plan, e);

	if (rc == 0 && issuer && name_limits_check(issuer, names.data, names.len, plan->subject_cn[0] ? plan->subject_cn : plan->serial_number, e) < 0) {
		e->code = REASON_PROFILE;
		rc = -1;
	}
	if (rc == 0 && names.len) {
		at = ext_begin(out, 17, false, &value);
		der_put(out, DER_SEQUENCE, names.data, names.len);
		ext_end(out, at, value);
	}
	buf_free(&names);
	return rc;
}

static void put_key_id(struct buf *out, const uint8_t own[SHA1_LEN])
{
	size_t value, at = ext_begin(out, 14, false, &value);

	der_put(out, DER_OCTETS, own, SHA1_LEN);
	ext_end(out, at, value);
}

static void put_issuer_key_id(struct buf *out, const void *above, size_t len)
{
	size_t value, at = ext_begin(out, 35, false, &value), seq = der_begin(out, DER_SEQUENCE);

	der_put(out, DER_CONTEXT_PRIMITIVE(0), above, len);
	der_end(out, seq);
	ext_end(out, at, value);
}

static int put_extensions(struct buf *out, const struct cert_plan *plan, const struct cert *issuer, struct err *e)
{
	uint8_t own[SHA1_LEN], above[SHA1_LEN];
	size_t tagged = der_begin(out, DER_CONTEXT(3)), list = der_begin(out, DER_SEQUENCE);

	if (key_identifier(own, plan->spki) < 0 || (issuer && key_identifier(above, &issuer->spki) < 0))
		return refuse(e, "a public key is malformed");
	put_basic(out, plan);
	put_usage(out, plan);
	if (put_purposes(out, plan) < 0)
		return refuse(e, "a key purpose is no object identifier");
	if (plan->policy && put_policies(out, plan) < 0)
		return refuse(e, "a policy is no object identifier");
	if (put_alternative(out, plan, issuer, e) < 0)
		return -1;
	if (plan->limits && plan->limits->n)
		put_limits(out, plan->limits);
	put_revocation(out, plan);
	if (!plan->no_key_id)
		put_key_id(out, own);
	if (issuer && issuer->key_id.len)
		put_issuer_key_id(out, issuer->der.data + issuer->key_id.at, issuer->key_id.len);
	else if (issuer)
		put_issuer_key_id(out, above, sizeof above);
	der_end(out, list);
	der_end(out, tagged);
	return 0;
}

/* ---- the body ---- */
static void put_subject(struct buf *out, const struct cert_plan *plan)
{
	size_t name;

	if (plan->as) {
		buf_add(out, plan->as->der.data + plan->as->subject_name.at, plan->as->subject_name.len);
		return;
	}
	name = der_begin(out, DER_SEQUENCE);
	name_put(out, NAME_O, plan->organization);
	name_put(out, NAME_OU, plan->unit);
	name_put(out, NAME_L, plan->locality);
	name_put(out, NAME_CN, plan->subject_cn);
	name_put(out, NAME_SERIAL, plan->serial_number);
	der_end(out, name);
}

/* 88 random bits behind the time: RFC 5280 4.1.2.2 wants the number unique, positive and of at most 20 octets, and CAs in the wild want 64
 * bits of them random. Those of a moment stand together in the ledger's index, so that a commit writes one page of it and not one each. */
static void put_serial(struct buf *out, const uint8_t *given)
{
	uint32_t now = (uint32_t)clock_utc();
	uint8_t serial[CERT_NUMBER] = { 0x10, (uint8_t)(now >> 24), (uint8_t)(now >> 16), (uint8_t)(now >> 8), (uint8_t)now };

	mem_random(serial + 5, sizeof serial - 5);
	der_put(out, DER_INTEGER, given ? given : serial, sizeof serial);
}

static int put_tbs(struct buf *out, const struct cert_plan *plan, const struct cert *issuer, const struct key *key,
		   struct err *e)
{
	size_t tbs = der_begin(out, DER_SEQUENCE), at = der_begin(out, DER_CONTEXT(0));

	der_put(out, DER_INTEGER, "\x02", 1);
	der_end(out, at);
	put_serial(out, plan->number);
	if (key_put_algorithm(key, out) < 0)
		return refuse(e, "the CA key is of a kind that does not sign");
	if (issuer)
		buf_add(out, issuer->der.data + issuer->subject_name.at, issuer->subject_name.len);
	else
		put_subject(out, plan);
	at = der_begin(out, DER_SEQUENCE);
	der_put_time(out, plan->not_before);
	der_put_time(out, plan->not_after);
	der_end(out, at);
	put_subject(out, plan);
	buf_add(out, plan->spki->data, plan->spki->len);
	if (put_extensions(out, plan, issuer, e) < 0)
		return -1;
	der_end(out, tbs);
	return out->failed || out->len > LIMIT_CERT - 1024 ? refuse(e, "it is too long") : 0;
}

static int check_plan(const struct cert_plan *plan, const struct cert *issuer, const struct key *key, struct err *e)
{
	struct buf spki = {0};
	bool same;

	if (spki_type(plan->spki) == KEY_NONE)
		return refuse(e, "the public key is malformed or too weak");
	if (plan->not_after <= plan->not_before || plan->not_after > X509_NO_EXPIRY || plan->not_before < 0)
		return refuse(e, "its dates are not in order");
	if (plan->path_len > 100)
		return refuse(e, "its path length is too large");
	if (issuer && !issuer->ca)
		return refuse(e, "the issuer is no CA");
	if (plan->number && (plan->number[0] == 0 || plan->number[0] > 127))
		return refuse(e, "its number is not positive, or not of sixteen bytes");
	if (key_spki(key, &spki, e) < 0)
		return -1;
	same = buf_same(&spki, issuer ? &issuer->spki : plan->spki);
	buf_free(&spki);
	return same ? 0 : refuse(e, "the signing key does not belong to the issuer");
}

int cert_build(const struct cert_plan *plan, const struct cert *issuer, const struct key *key, struct buf *der, struct err *e)
{
	struct buf tbs = {0}, sig = {0};
	size_t at;
	int rc = -1;

	if (check_plan(plan, issuer, key, e) < 0 || put_tbs(&tbs, plan, issuer, key, e) < 0 ||
	    key_sign(key, tbs.data, tbs.len, &sig, e) < 0)
		goto out;
	buf_clear(der);
	at = der_begin(der, DER_SEQUENCE);
	buf_add(der, tbs.data, tbs.len);
	key_put_algorithm(key, der);
	der_put_bits(der, sig.data, sig.len);
	der_end(der, at);
	rc = 0;
out:
	buf_free(&tbs);
	buf_free(&sig);
	return rc;
}
