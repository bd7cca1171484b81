#include <config.h>

#include "ocsp.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "der.h"
#include "gnutls_glue.h"
#include "limits.h"
#include "mem.h"

enum { ENUMERATED = 0x0a, GENERALIZED = 0x18 };

static const struct {
	gnutls_digest_algorithm_t digest;
	size_t len;
	const char *oid;
} hashes[OCSP_HASHES] = {
	[OCSP_SHA1] = { GNUTLS_DIG_SHA1, 20, "1.3.14.3.2.26" },
	[OCSP_SHA256] = { GNUTLS_DIG_SHA256, SHA256_LEN, "2.16.840.1.101.3.4.2.1" },
};

static int malformed(struct err *e, const char *what)
{
	return err_set(e, REASON_REQUEST, "malformed OCSP request: %s", what);
}

/* ---- reading ---- */
/* AlgorithmIdentifier, parameters absent or NULL. OCSP_HASHES: one that is not known here. */
static enum ocsp_hash take_hash(struct der *d, bool *good)
{
	struct der algorithm = der_take(d, DER_SEQUENCE), oid = der_take(&algorithm, DER_OID), null;
	enum ocsp_hash h = OCSP_SHA1;
	char text[CERT_OID_MAX];

	*good = der_oid_text(&oid, text, sizeof text) && (!der_optional(&algorithm, DER_NULL, &null) || null.left == 0);
	while (h < OCSP_HASHES && strcmp(text, hashes[h].oid) != 0)
		h++;
	if (h < OCSP_HASHES)
		*good = *good && der_done(&algorithm);
	return h;
}

static bool take_digest(struct der *d, enum ocsp_hash h, uint8_t out[SHA256_LEN])
{
	struct der octets = der_take(d, DER_OCTETS);

	memset(out, 0, SHA256_LEN);
	if (octets.failed || (h < OCSP_HASHES && octets.left != hashes[h].len))
		return false;
	if (h < OCSP_HASHES)
		memcpy(out, octets.p, octets.left);
	return true;
}

/* RFC 5280 4.1.2.2: positive, at most 20 octets, in the least that are needed. */
static bool take_serial(struct der *d, char out[2 * CERT_SERIAL_MAX + 1])
{
	struct der n = der_take(d, DER_INTEGER);

	if (n.failed || n.left == 0 || n.p[0] & 0x80 || (n.left > 1 && n.p[0] == 0 && !(n.p[1] & 0x80)))
		return false;
	if (n.left > 1 && n.p[0] == 0) {
		n.p++;
		n.left--;
	}
	if (n.left > CERT_SERIAL_MAX)
		return false;
	text_hex(out, n.p, n.left);
	return true;
}

/* Known ones are the nonce, which is not answered (RFC 5019 4), and others that ask for nothing that we have. */
static bool take_extensions(struct der *tagged)
{
	struct der list = der_take(tagged, DER_SEQUENCE);
	bool good = !list.failed && der_done(tagged) && list.left > 0;

	while (good && list.left) {
		struct der one = der_take(&list, DER_SEQUENCE), critical;

		der_take(&one, DER_OID);
		if (der_optional(&one, DER_BOOLEAN, &critical))
			good = false;	/* FALSE is not written in DER; what is critical is not understood */
		der_take(&one, DER_OCTETS);
		good = good && der_done(&one) && !list.failed;
	}
	return good;
}

static bool take_request(struct der *d, struct ocsp_request *r)
{
	struct der id = der_take(d, DER_SEQUENCE), tagged;
	bool good;

	r->hash = take_hash(&id, &good);
	if (!good || !take_digest(&id, r->hash, r->name) || !take_digest(&id, r->hash, r->key) || !take_serial(&id, r->serial) || !der_done(&id))
		return false;
	if (der_optional(d, DER_CONTEXT(0), &tagged) && !take_extensions(&tagged))
		return false;
	return der_done(d);
}

/* NULL: well-formed. */
static const char *take_tbs(struct der *tbs, struct ocsp_request *r)
{
	struct der list, one, tagged;

	if (der_optional(tbs, DER_CONTEXT(0), &tagged))
		return "a version, though there is only the first (RFC 6960 4.1.1)";
	der_optional(tbs, DER_CONTEXT(1), &tagged);
	list = der_take(tbs, DER_SEQUENCE);
	one = der_take(&list, DER_SEQUENCE);
	if (list.failed || one.failed)
		return "no certificate";
	if (!der_done(&list))
		return "more than one certificate (RFC 5019 2.1.1)";
	if (!take_request(&one, r))
		return "its CertID (RFC 6960 4.1.1)";
	if (der_optional(tbs, DER_CONTEXT(2), &tagged) && !take_extensions(&tagged))
		return "an extension";
	return der_done(tbs) ? NULL : "something behind it";
}

int ocsp_request_parse(struct ocsp_request *r, const void *der, size_t len, struct err *e)
{
	struct der in = der_from(der, len), all, tbs, tagged;
	const char *wrong;

	*r = (struct ocsp_request){0};
	if (len == 0 || len > LIMIT_OCSP_REQUEST)
		return err_set(e, REASON_REQUEST, "an OCSP request has 1 to %u bytes", LIMIT_OCSP_REQUEST);
	all = der_take(&in, DER_SEQUENCE);
	tbs = der_take(&all, DER_SEQUENCE);
	if (in.failed || tbs.failed)
		return malformed(e, "no SEQUENCE");
	wrong = take_tbs(&tbs, r);
	if (wrong)
		return malformed(e, wrong);
	der_optional(&all, DER_CONTEXT(0), &tagged);
	return der_done(&all) && der_done(&in) ? 0 : malformed(e, "something behind it");
}

/* ---- whose it is ---- */
static void hash_of(enum ocsp_hash h, const void *data, size_t len, uint8_t out[SHA256_LEN])
{
	memset(out, 0, SHA256_LEN);
	if (gnutls_hash_fast(hashes[h].digest, data, len, out) < 0)
		abort();
}

/* The BIT STRING subjectPublicKey without tag, length and unused bits. */
static struct der key_bits(const struct buf *spki)
{
	struct der in = der_from(spki->data, spki->len), seq = der_take(&in, DER_SEQUENCE), bits;

	der_take(&seq, DER_SEQUENCE);
	bits = der_take(&seq, DER_BITS);
	if (bits.left) {
		bits.p++;
		bits.left--;
	}
	return bits;
}

static void issuer_hashes(enum ocsp_hash h, const struct cert *ca, uint8_t name[SHA256_LEN], uint8_t key[SHA256_LEN])
{
	struct der bits = key_bits(&ca->spki);

	hash_of(h, ca->der.data + ca->subject_name.at, ca->subject_name.len, name);
	hash_of(h, bits.p, bits.left, key);
}

bool ocsp_is_of(const struct ocsp_request *r, const struct cert *ca)
{
	uint8_t name[SHA256_LEN], key[SHA256_LEN];

	if (r->hash >= OCSP_HASHES)
		return false;
	issuer_hashes(r->hash, ca, name, key);
	return memcmp(name, r->name, sizeof name) == 0 && memcmp(key, r->key, sizeof key) == 0;
}

/* ---- writing ---- */
void ocsp_error(enum ocsp_error what, struct buf *der)
{
	const uint8_t status = (uint8_t)what;
	size_t at;

	buf_clear(der);
	at = der_begin(der, DER_SEQUENCE);
	der_put(der, ENUMERATED, &status, 1);
	der_end(der, at);
}

/* Here even dates before 2050 are GeneralizedTime (RFC 6960 4.2.2.1). */
static void put_time(struct buf *out, int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;
	char text[24];

	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
	der_put_text(out, GENERALIZED, text);
}

static int put_cert_id(struct buf *out, const struct ocsp_plan *plan)
{
	uint8_t name[SHA256_LEN], key[SHA256_LEN], serial[CERT_SERIAL_MAX];
	size_t at = der_begin(out, DER_SEQUENCE), algorithm = der_begin(out, DER_SEQUENCE), number, n = strlen(plan->serial) / 2;

	if (plan->hash >= OCSP_HASHES || n == 0 || n > sizeof serial || text_unhex(serial, n, plan->serial) < 0)
		return -1;
	issuer_hashes(plan->hash, plan->ca, name, key);
	der_put_oid(out, hashes[plan->hash].oid);
	der_put(out, DER_NULL, NULL, 0);
	der_end(out, algorithm);
	der_put(out, DER_OCTETS, name, hashes[plan->hash].len);
	der_put(out, DER_OCTETS, key, hashes[plan->hash].len);
	number = der_begin(out, DER_INTEGER);
	if (serial[0] & 0x80)
		buf_byte(out, 0);
	buf_add(out, serial, n);
	der_end(out, number);
	der_end(out, at);
	return 0;
}

static void put_status(struct buf *out, const struct ocsp_plan *plan)
{
	size_t at, tagged;

	if (plan->status != OCSP_REVOKED) {
		der_put(out, (uint8_t)DER_CONTEXT_PRIMITIVE(plan->status == OCSP_GOOD ? 0 : 2), NULL, 0);
		return;
	}
	at = der_begin(out, DER_CONTEXT(1));
	put_time(out, plan->revoked);
	if (plan->reason) {
		tagged = der_begin(out, DER_CONTEXT(0));
		der_put(out, ENUMERATED, &plan->reason, 1);
		der_end(out, tagged);
	}
	der_end(out, at);
}

static int put_single(struct buf *out, const struct ocsp_plan *plan)
{
	size_t list = der_begin(out, DER_SEQUENCE), at = der_begin(out, DER_SEQUENCE), tagged;

	if (put_cert_id(out, plan) < 0)
		return -1;
	put_status(out, plan);
	put_time(out, plan->this_update);
	tagged = der_begin(out, DER_CONTEXT(0));
	put_time(out, plan->next_update);
	der_end(out, tagged);
	der_end(out, at);
	der_end(out, list);
	return 0;
}

static int put_data(struct buf *out, const struct ocsp_plan *plan, const struct cert *responder)
{
	struct der bits = key_bits(&responder->spki);
	size_t at = der_begin(out, DER_SEQUENCE), tagged = der_begin(out, DER_CONTEXT(2));
	uint8_t id[SHA256_LEN];

	hash_of(OCSP_SHA1, bits.p, bits.left, id);	/* byKey: the shorter of the two (RFC 5019 2.2.1) */
	der_put(out, DER_OCTETS, id, hashes[OCSP_SHA1].len);
	der_end(out, tagged);
	put_time(out, plan->produced);
	if (put_single(out, plan) < 0)
		return -1;
	der_end(out, at);
	return 0;
}

static void put_answer(struct buf *der, const struct buf *basic)
{
	size_t at = der_begin(der, DER_SEQUENCE), tagged, bytes;

	der_put(der, ENUMERATED, "\0", 1);
	tagged = der_begin(der, DER_CONTEXT(0));
	bytes = der_begin(der, DER_SEQUENCE);
	der_put_oid(der, "1.3.6.1.5.5.7.48.1.1");
	der_put(der, DER_OCTETS, basic->data, basic->len);
	der_end(der, bytes);
	der_end(der, tagged);
	der_end(der, at);
}

int ocsp_build(const struct ocsp_plan *plan, const struct cert *responder, const struct key *key, struct buf *der, struct err *e)
{
	struct buf data = {0}, sig = {0}, basic = {0};
	size_t at, tagged, certs;
	int rc = -1;

	if (put_data(&data, plan, responder) < 0) {
		err_set(e, REASON_REQUEST, "an OCSP answer for \"%.60s\": that is no serial number", plan->serial);
		goto out;
	}
	if (key_sign(key, data.data, data.len, &sig, e) < 0)
		goto out;
	at = der_begin(&basic, DER_SEQUENCE);
	buf_add(&basic, data.data, data.len);
	key_put_algorithm(key, &basic);
	der_put_bits(&basic, sig.data, sig.len);
	tagged = der_begin(&basic, DER_CONTEXT(0));
	certs = der_begin(&basic, DER_SEQUENCE);
	buf_add(&basic, responder->der.data, responder->der.len);
	der_end(&basic, certs);
	der_end(&basic, tagged);
	der_end(&basic, at);
	buf_clear(der);
	put_answer(der, &basic);
	rc = 0;
out:
	buf_free(&data);
	buf_free(&sig);
	buf_free(&basic);
	return rc;
}
