#include <config.h>

#include "cms.h"

#include <gnutls/pkcs7.h>
#include <string.h>

#include "der.h"
#include "gnutls_glue.h"
#include "mem.h"

#define SIGNED_DATA "1.2.840.113549.1.7.2"
#define DATA "1.2.840.113549.1.7.1"

static gnutls_x509_crt_t import(const struct cert *c)
{
	gnutls_datum_t der = { c->der.data, (unsigned)c->der.len };
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) < 0)
		return NULL;
	if (gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER) >= 0)
		return crt;
	gnutls_x509_crt_deinit(crt);
	return NULL;
}

/* ---- signing ---- */
static int sign(gnutls_pkcs7_t p7, const void *data, size_t len, const struct key *key, const struct chain *chain)
{
	gnutls_digest_algorithm_t digest = spki_type(&chain->cert[0].spki) == KEY_P384 ? GNUTLS_DIG_SHA384 : GNUTLS_DIG_SHA256;
	gnutls_x509_crt_t signer = import(&chain->cert[0]);
	gnutls_datum_t content = { .size = (unsigned)len };
	int rc;

	if (!signer)
		return GNUTLS_E_CERTIFICATE_ERROR;
	memcpy(&content.data, &data, sizeof data);	/* only read, though without const */
	rc = gnutls_pkcs7_sign(p7, signer, key_handle(key), &content, NULL, NULL, digest,
			       GNUTLS_PKCS7_EMBED_DATA | GNUTLS_PKCS7_INCLUDE_CERT | GNUTLS_PKCS7_INCLUDE_TIME);
	gnutls_x509_crt_deinit(signer);
	for (size_t i = 1; rc >= 0 && i < chain->n; i++)
		rc = gnutls_pkcs7_set_crt_raw(p7, &(gnutls_datum_t){ chain->cert[i].der.data, (unsigned)chain->cert[i].der.len });
	return rc;
}

int cms_sign(const void *data, size_t len, const struct key *key, const struct chain *chain, struct buf *out, struct err *e)
{
	gnutls_datum_t der = {0};
	gnutls_pkcs7_t p7;
	int rc;

	if (chain->n == 0)
		return err_set(e, REASON_INTERNAL, "a document cannot be signed without a certificate");
	rc = gnutls_pkcs7_init(&p7);
	if (rc < 0)
		return gnutls_fail(e, REASON_INTERNAL, "cannot sign the document", rc);
	rc = sign(p7, data, len, key, chain);
	if (rc >= 0)
		rc = gnutls_pkcs7_export2(p7, GNUTLS_X509_FMT_DER, &der);
	gnutls_pkcs7_deinit(p7);
	if (rc < 0)
		return key_said(key, e) ? -1 : gnutls_fail(e, REASON_KEY_STORE, "cannot sign the document", rc);
	buf_set(out, der.data, der.size);
	gnutls_free(der.data);
	return 0;
}

/* ---- opening ---- */
static int read_certs(gnutls_pkcs7_t p7, struct chain *ch, struct err *e)
{
	int n = gnutls_pkcs7_get_crt_count(p7);

	for (int i = 0; i < n; i++) {
		gnutls_datum_t raw = {0};
		int rc = gnutls_pkcs7_get_crt_raw2(p7, (unsigned)i, &raw);

		if (rc < 0)
			return gnutls_fail(e, REASON_REQUEST, "malformed certificate in the message", rc);
		rc = chain_add(ch, raw.data, raw.size, e);
		gnutls_free(raw.data);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static bool serial_is(const struct cert *c, const gnutls_datum_t *serial)
{
	char hex[2 * CERT_SERIAL_MAX + 3];
	const char *p = hex;

	if (serial->size == 0 || serial->size > CERT_SERIAL_MAX + 1)
		return false;
	text_hex(hex, serial->data, serial->size);
	if (serial->size > 1 && serial->data[0] == 0)	/* the sign byte */
		p += 2;
	return strcmp(p, c->serial) == 0;
}

static bool is_signer(const struct cert *c, const gnutls_pkcs7_signature_info_st *info)
{
	if (info->issuer_keyid.size)
		return info->issuer_keyid.size == c->key_id.len &&
		       memcmp(info->issuer_keyid.data, c->der.data + c->key_id.at, c->key_id.len) == 0;
	return info->issuer_dn.size == c->issuer_name.len &&
	       memcmp(info->issuer_dn.data, c->der.data + c->issuer_name.at, c->issuer_name.len) == 0 &&
	       serial_is(c, &info->signer_serial);
}

static bool algorithm_accepted(gnutls_sign_algorithm_t algorithm)
{
	static const gnutls_sign_algorithm_t list[] = {
		GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_SIGN_ECDSA_SHA512,
		GNUTLS_SIGN_RSA_SHA256, GNUTLS_SIGN_RSA_SHA384, GNUTLS_SIGN_RSA_SHA512,
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (list[i] == algorithm)
			return true;
	return false;
}

/* Puts the signer's certificate first. */
static int find_signer(gnutls_pkcs7_t p7, struct chain *ch, struct err *e)
{
	gnutls_pkcs7_signature_info_st info = {0};
	size_t at = 0;
	int rc = gnutls_pkcs7_get_signature_info(p7, 0, &info);

	if (rc < 0)
		return gnutls_fail(e, REASON_REQUEST, "malformed signature of the document", rc);
	if (!algorithm_accepted(info.algo) || !info.signed_attrs) {
		/* Without signed attributes the signature could be moved to the DER of another one's attributes (RFC 5652 11). */
		rc = err_set(e, REASON_REQUEST, "the document is not signed with ECDSA or RSA, SHA-256 and signed attributes");
		goto out;
	}
	while (at < ch->n && !is_signer(&ch->cert[at], &info))
		at++;
	if (at == ch->n) {
		rc = err_set(e, REASON_AUTHORITY, "the document does not carry the certificate of its signer");
	} else if (at) {
		struct cert signer = ch->cert[at];

		ch->cert[at] = ch->cert[0];
		ch->cert[0] = signer;
	}
out:
	gnutls_pkcs7_signature_info_deinit(&info);
	return rc < 0 ? -1 : 0;
}

static int check_signature(gnutls_pkcs7_t p7, const struct cert *signer, struct err *e)
{
	gnutls_x509_crt_t crt = import(signer);
	/* trust_verify() judges the dates by the rule; GnuTLS would do so by the machine's clock. It takes both flags to stop it. */
	const unsigned no_dates = GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS;
	int rc = crt ? gnutls_pkcs7_verify_direct(p7, crt, 0, NULL, no_dates) : GNUTLS_E_CERTIFICATE_ERROR;

	if (crt)
		gnutls_x509_crt_deinit(crt);
	if (rc < 0)
		return err_set(e, REASON_AUTHORITY, "the signature of the document is wrong: it was changed after \"%s\" signed it",
			       signer->subject);
	if (signer->key_usage && !signer->digital_signature)
		return err_set(e, REASON_AUTHORITY, "\"%s\" may not sign documents (keyUsage, RFC 5280 4.2.1.3)", signer->subject);
	return 0;
}

/* encapContentInfo (RFC 5652 5.2) by our strict reader: GnuTLS takes content under any tag for it, so that two
 * readers could see different documents in the same bytes. */
static int read_content(const void *der, size_t len, struct buf *content, struct err *e)
{
	struct der whole = der_from(der, len), info = der_take(&whole, DER_SEQUENCE), tagged, data, encap, octets;

	der_take(&info, DER_OID);
	tagged = der_take(&info, DER_CONTEXT(0));
	data = der_take(&tagged, DER_SEQUENCE);
	der_take(&data, DER_INTEGER);
	der_take(&data, DER_SET);
	encap = der_take(&data, DER_SEQUENCE);
	der_take(&encap, DER_OID);
	tagged = der_take(&encap, DER_CONTEXT(0));
	octets = der_take(&tagged, DER_OCTETS);
	if (octets.failed || !der_done(&tagged) || !der_done(&encap))
		return err_set(e, REASON_REQUEST, "the document's content is not one OCTET STRING in DER (RFC 5652 5.2)");
	buf_set(content, octets.p, octets.left);
	return content->failed ? err_set(e, REASON_REQUEST, "the document is too long") : 0;
}

static int open_signed(gnutls_pkcs7_t p7, struct trust *t, const struct trust_rule *rule, struct chain *ch,
		       struct err *e)
{
	const char *type = gnutls_pkcs7_get_embedded_data_oid(p7);

	if (!type || strcmp(type, DATA) != 0 || gnutls_pkcs7_get_signature_count(p7) != 1)
		return err_set(e, REASON_REQUEST, "the document is not SignedData with its content and exactly one signature");
	return read_certs(p7, ch, e) < 0 || find_signer(p7, ch, e) < 0 || trust_verify(t, ch, rule, e) < 0 ||
	       check_signature(p7, &ch->cert[0], e) < 0 ? -1 : 0;
}

static gnutls_pkcs7_t parse(const void *der, size_t len, struct err *e)
{
	gnutls_datum_t in = { .size = (unsigned)len };
	gnutls_pkcs7_t p7 = NULL;
	int rc;

	if (len == 0 || len > LIMIT_BUF) {
		err_set(e, REASON_REQUEST, "a CMS message of %zu bytes", len);
		return NULL;
	}
	memcpy(&in.data, &der, sizeof der);
	rc = gnutls_pkcs7_init(&p7);
	if (rc >= 0)
		rc = gnutls_pkcs7_import(p7, &in, GNUTLS_X509_FMT_DER);
	if (rc >= 0)
		return p7;
	gnutls_fail(e, REASON_REQUEST, "no CMS message (RFC 5652)", rc);
	gnutls_pkcs7_deinit(p7);
	return NULL;
}

int cms_open(const void *der, size_t len, struct trust *t, const struct trust_rule *rule, struct buf *content,
	     struct cert *signer, struct err *e)
{
	gnutls_pkcs7_t p7 = parse(der, len, e);
	struct chain ch = {0};
	int rc;

	if (!p7)
		return -1;
	rc = open_signed(p7, t, rule, &ch, e);
	if (rc == 0)
		rc = read_content(der, len, content, e);
	if (rc == 0 && signer) {
		*signer = ch.cert[0];
		ch.cert[0] = (struct cert){0};
	}
	gnutls_pkcs7_deinit(p7);
	chain_free(&ch);
	return rc;
}

/* ---- certs-only: a degenerate SignedData, no content, no signer ---- */
int cms_certs_write(const struct chain *ch, struct buf *der, struct err *e)
{
	size_t info, tagged, data, at;

	buf_clear(der);
	info = der_begin(der, DER_SEQUENCE);
	der_put_oid(der, SIGNED_DATA);
	tagged = der_begin(der, DER_CONTEXT(0));
	data = der_begin(der, DER_SEQUENCE);
	der_put(der, DER_INTEGER, "\x01", 1);
	der_put(der, DER_SET, NULL, 0);
	at = der_begin(der, DER_SEQUENCE);
	der_put_oid(der, DATA);
	der_end(der, at);
	/* RFC 5751 3.2.2. The leaf first: clients in the wild take the first one for theirs. */
	at = der_begin(der, DER_CONTEXT(0));
	for (size_t i = 0; i < ch->n; i++)
		buf_add(der, ch->cert[i].der.data, ch->cert[i].der.len);
	der_end(der, at);
	der_put(der, DER_SET, NULL, 0);
	der_end(der, data);
	der_end(der, tagged);
	der_end(der, info);
	return der->failed ? err_set(e, REASON_INTERNAL, "too many certificates for one message") : 0;
}

int cms_certs_read(const void *der, size_t len, struct chain *ch, struct err *e)
{
	gnutls_pkcs7_t p7 = parse(der, len, e);
	size_t before = ch->n;
	int rc;

	if (!p7)
		return -1;
	rc = read_certs(p7, ch, e);
	gnutls_pkcs7_deinit(p7);
	if (rc == 0 && ch->n == before)
		return err_set(e, REASON_REQUEST, "no certificate in the certs-only message");
	return rc;
}
