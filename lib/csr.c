#include <config.h>

#include "x509.h"

#include <stdio.h>
#include <string.h>

#include "der.h"
#include "digest.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "oid.h"
#include "x509_name.h"

#define ATTRIBUTE_MAX 16	/* of one request; clients in the wild send up to 3 */
#define VERSION_MAX 2	/* has to be 0 and says nothing; wolfSSL writes that of a certificate unless told otherwise */

static int malformed(struct err *e, const char *what)
{
	return err_set(e, REASON_REQUEST, "malformed certificate request: %s", what);
}

/* "HEX32:GENERATION" */
static bool read_request(struct csr *c, struct der *value)
{
	char text[REQUEST_ID_LEN + 1 + 10 + 1];
	struct der utf8 = der_take(value, DER_UTF8);
	uint64_t generation;

	if (utf8.failed || utf8.left >= sizeof text || utf8.left <= REQUEST_ID_LEN || utf8.p[REQUEST_ID_LEN] != ':')
		return false;
	memcpy(text, utf8.p, utf8.left);
	text[utf8.left] = '\0';
	text[REQUEST_ID_LEN] = '\0';
	memcpy(c->request.id, text, REQUEST_ID_LEN + 1);
	if (!request_id_valid(&c->request) || text_uint(&generation, text + REQUEST_ID_LEN + 1, UINT32_MAX) < 0 ||
	    generation == 0 || strlen(text + REQUEST_ID_LEN + 1) != utf8.left - REQUEST_ID_LEN - 1)
		return false;
	c->request.generation = (uint32_t)generation;
	return der_done(value);
}

static bool read_endorsement(struct csr *c, struct der *value)
{
	struct der octets = der_take(value, DER_OCTETS);

	if (octets.failed)
		return false;
	buf_set(&c->endorsement, octets.p, octets.left);
	return der_done(value);
}

static int read_attributes(struct csr *c, struct der *list, struct err *e)
{
	struct der seen[ATTRIBUTE_MAX];

	for (size_t n = 0; list->left; n++) {
		struct der pair = der_take(list, DER_SEQUENCE), oid = der_take(&pair, DER_OID), set = der_take(&pair, DER_SET);
		char id[CERT_OID_MAX];

		if (!der_done(&pair) || n == ATTRIBUTE_MAX)
			return malformed(e, "attributes (RFC 2986 4.1)");
		for (size_t i = 0; i < n; i++)
			if (der_is(&oid, seen[i].p, seen[i].left))
				return malformed(e, "an attribute is there twice (RFC 2986 4.1)");
		seen[n] = oid;
		if (!der_oid_text(&oid, id, sizeof id))
			continue;
		if (strcmp(id, OID_ATTR_REQUEST) == 0 && !read_request(c, &set))
			return malformed(e, "the request id attribute is not HEX32:GENERATION");
		if (strcmp(id, OID_ATTR_ENDORSEMENT) == 0 && !read_endorsement(c, &set))
			return malformed(e, "the endorsement attribute is not one OCTET STRING");
	}
	return 0;
}

static int read_info(struct csr *c, struct der *info, struct err *e)
{
	struct der name, spki, attributes = {0};

	if (der_small(info, VERSION_MAX) < 0)
		return malformed(e, "version (RFC 2986 4.1)");
	name = der_take(info, DER_SEQUENCE);
	if (!name_read(&name, NULL, 0, &c->device))
		return malformed(e, "subject (RFC 2986 4.1)");
	spki = der_whole(info);
	der_optional(info, DER_CONTEXT(0), &attributes);	/* old clients leave out what has to be empty */
	if (!der_done(info))
		return malformed(e, "RFC 2986 4.1");
	buf_set(&c->spki, spki.p, spki.left);
	return read_attributes(c, &attributes, e);
}

static int verify(struct csr *c, gnutls_sign_algorithm_t algorithm, struct der info, struct der sig, struct err *e)
{
	uint8_t *base = c->der.data;
	gnutls_datum_t data = { base + (info.p - base), (unsigned)info.left };
	gnutls_datum_t signature = { base + (sig.p - base), (unsigned)sig.left };
	gnutls_pubkey_t pub;
	bool good;

	if (algorithm == GNUTLS_SIGN_UNKNOWN)
		return err_set(e, REASON_REQUEST, "the signature algorithm of the certificate request is not accepted; "
			       "use ECDSA or RSA with SHA-256");
	pub = spki_import(c->spki.data, c->spki.len);
	if (!pub)
		return err_set(e, REASON_REQUEST, "the public key of the certificate request is malformed or too weak");
	good = spki_signed(&c->spki, pub, algorithm, &data, &signature);
	c->key_type = key_type_of(pub);
	gnutls_pubkey_deinit(pub);
	if (!good)
		return err_set(e, REASON_REQUEST, "the signature of the certificate request does not belong to its public key "
			       "(RFC 2986 4.2)");
	return 0;
}

/* RFC 5758 3.2: ECDSA has no parameters. Mbed TLS 2.28 writes NULL nevertheless, as RSA has it. */
static gnutls_sign_algorithm_t request_algorithm(struct der id)
{
	static const uint8_t null[] = { 5, 0 };

	if (key_algorithm(&id) == GNUTLS_SIGN_UNKNOWN && id.left > sizeof null &&
	    memcmp(id.p + id.left - sizeof null, null, sizeof null) == 0)
		id.left -= sizeof null;
	return key_algorithm(&id);
}

static int read_csr(struct csr *c, struct err *e)
{
	struct der in = der_from(c->der.data, c->der.len), body = der_take(&in, DER_SEQUENCE), whole = body, info, id, sig;

	whole = der_whole(&whole);
	info = der_take(&body, DER_SEQUENCE);
	id = der_take(&body, DER_SEQUENCE);
	sig = der_take(&body, DER_BITS);
	if (!der_done(&in) || !der_done(&body) || sig.left < 2 || sig.p[0] != 0)
		return malformed(e, "RFC 2986 4.2");
	sig.p++;
	sig.left--;
	if (read_info(c, &info, e) < 0)
		return -1;
	return verify(c, request_algorithm(id), whole, sig, e);
}

int csr_parse(struct csr *c, const void *der, size_t len, struct err *e)
{
	struct csr parsed = {0};

	if (len == 0 || len > LIMIT_CERT)
		return err_set(e, REASON_REQUEST, "a certificate request of %zu bytes; 1 to %u are allowed", len, LIMIT_CERT);
	buf_set(&parsed.der, der, len);
	if (read_csr(&parsed, e) < 0) {
		csr_free(&parsed);
		return -1;
	}
	digest_sha256(parsed.spki_sha256, parsed.spki.data, parsed.spki.len);
	*c = parsed;
	return 0;
}

void csr_free(struct csr *c)
{
	if (!c)
		return;
	buf_free(&c->der);
	buf_free(&c->spki);
	buf_free(&c->endorsement);
	*c = (struct csr){0};
}

static void put_subject(struct buf *out, const struct device_id *device)
{
	size_t name = der_begin(out, DER_SEQUENCE);

	if (device) {
		name_put(out, NAME_O, device->manufacturer);
		name_put(out, NAME_OU, device->model);
		name_put(out, NAME_SERIAL, device->serial);
	}
	der_end(out, name);
}

static void put_request(struct buf *out, const struct request_id *request)
{
	char text[REQUEST_ID_LEN + 12];
	size_t pair = der_begin(out, DER_SEQUENCE), set;

	snprintf(text, sizeof text, "%s:%u", request->id, (unsigned)request->generation);
	der_put_oid(out, OID_ATTR_REQUEST);
	set = der_begin(out, DER_SET);
	der_put_text(out, DER_UTF8, text);
	der_end(out, set);
	der_end(out, pair);
}

static void put_endorsement(struct buf *out, const struct buf *endorsement)
{
	size_t pair = der_begin(out, DER_SEQUENCE), set;

	der_put_oid(out, OID_ATTR_ENDORSEMENT);
	set = der_begin(out, DER_SET);
	der_put(out, DER_OCTETS, endorsement->data, endorsement->len);
	der_end(out, set);
	der_end(out, pair);
}

int csr_build(const struct key *key, const struct device_id *device, const struct request_id *request, struct buf *der,
	      struct err *e)
{
	static const struct buf none = {0};

	return csr_build_endorsed(key, device, request, &none, der, e);
}

int csr_build_endorsed(const struct key *key, const struct device_id *device, const struct request_id *request,
		       const struct buf *endorsement, struct buf *der, struct err *e)
{
	struct buf info = {0}, spki = {0}, sig = {0};
	size_t at, attributes;
	int rc = -1;

	if (key_spki(key, &spki, e) < 0)
		goto out;
	at = der_begin(&info, DER_SEQUENCE);
	der_put(&info, DER_INTEGER, "", 1);
	put_subject(&info, device);
	buf_add(&info, spki.data, spki.len);
	attributes = der_begin(&info, DER_CONTEXT(0));
	if (request)
		put_request(&info, request);
	if (endorsement->len)
		put_endorsement(&info, endorsement);
	der_end(&info, attributes);
	der_end(&info, at);
	if (key_sign(key, info.data, info.len, &sig, e) < 0)
		goto out;
	buf_clear(der);
	at = der_begin(der, DER_SEQUENCE);
	buf_add(der, info.data, info.len);
	key_put_algorithm(key, der);
	der_put_bits(der, sig.data, sig.len);
	der_end(der, at);
	rc = 0;
out:
	buf_free(&info);
	buf_free(&spki);
	buf_free(&sig);
	return rc;
}
