#include <config.h>

#include "key.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "ecdh.h"
#include "gnutls_glue.h"
#include "limits.h"

static spki_p256_verify *faster;	/* set before there are threads */

void spki_p256_by(spki_p256_verify *verify)
{
	faster = verify;
}

/* A stranger's key is used before anybody vouches for it: one verification with the largest modulus and exponent that fit
 * into a request would take minutes. An even modulus or exponent, or the exponent 1, is no RSA. */
static bool rsa_is_accepted(gnutls_pubkey_t pub, unsigned bits)
{
	gnutls_datum_t n = {0}, exponent = {0};
	bool good;

	if (bits > LIMIT_RSA_BITS || gnutls_pubkey_export_rsa_raw2(pub, &n, &exponent, GNUTLS_EXPORT_FLAG_NO_LZ) < 0)
		return false;
	good = n.size && (n.data[n.size - 1] & 1) && exponent.size && exponent.size <= LIMIT_RSA_EXPONENT &&
	       (exponent.data[exponent.size - 1] & 1) && (exponent.size > 1 || exponent.data[0] > 1);
	gnutls_free(n.data);
	gnutls_free(exponent.data);
	return good;
}

static bool is_accepted(gnutls_pubkey_t pub, const void *spki, size_t len)
{
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(pub, &bits);
	gnutls_datum_t again = {0};
	bool same;

	/* One key, one encoding: a key is counted and found by the hash of it. */
	if (gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &again) < 0)
		return false;
	same = again.size == len && memcmp(again.data, spki, len) == 0;
	gnutls_free(again.data);
	if (!same || algorithm < 0 || gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)algorithm, bits) < GNUTLS_SEC_PARAM_MEDIUM)
		return false;
	return algorithm == GNUTLS_PK_RSA ? rsa_is_accepted(pub, bits)
					  : algorithm == GNUTLS_PK_ECDSA || algorithm == GNUTLS_PK_EDDSA_ED25519;
}

/* Nearly every key here is an uncompressed point on P-256, and those have one encoding (RFC 5480 2): these bytes and the
 * coordinates. Taking it apart by hand is several times faster than the general way, and accepts nothing more. */
static const uint8_t *p256_point(const uint8_t *spki, size_t len)
{
	static const uint8_t head[] = { 0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1,
					6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3, 0x42, 0, POINT_UNCOMPRESSED };

	return len == sizeof head - 1 + P256_POINT && memcmp(spki, head, sizeof head) == 0 ? spki + sizeof head - 1 : NULL;
}

static gnutls_pubkey_t p256_import(const uint8_t *spki, size_t len)
{
	const uint8_t *at = p256_point(spki, len);
	uint8_t point[2 * P256_LEN];
	gnutls_datum_t x = { point, P256_LEN }, y = { point + P256_LEN, P256_LEN };
	gnutls_pubkey_t pub;

	if (!at)
		return NULL;
	memcpy(point, at + 1, sizeof point);
	if (gnutls_pubkey_init(&pub) < 0)
		abort();
	if (gnutls_pubkey_import_ecc_raw(pub, GNUTLS_ECC_CURVE_SECP256R1, &x, &y) >= 0)
		return pub;
	gnutls_pubkey_deinit(pub);
	return NULL;
}

gnutls_pubkey_t spki_import(const void *spki, size_t len)
{
	struct der d = der_from(spki, len);
	gnutls_datum_t der = {0};
	gnutls_pubkey_t pub = p256_import(spki, len);

	if (pub)
		return pub;
	if (len > LIMIT_CERT || der_take(&d, DER_SEQUENCE).failed || !der_done(&d))
		return NULL;
	memcpy(&der.data, &spki, sizeof der.data);
	der.size = (unsigned)len;
	if (gnutls_pubkey_init(&pub) < 0)
		abort();
	if (gnutls_pubkey_import(pub, &der, GNUTLS_X509_FMT_DER) >= 0 && is_accepted(pub, spki, len))
		return pub;
	gnutls_pubkey_deinit(pub);
	return NULL;
}

/* What the faster way does not find good is GnuTLS's to refuse, so that nothing but speed depends on it for an honest device. */
bool spki_signed(const struct buf *spki, gnutls_pubkey_t pub, gnutls_sign_algorithm_t algorithm, const gnutls_datum_t *data,
		 const gnutls_datum_t *sig)
{
	const uint8_t *point = faster ? p256_point(spki->data, spki->len) : NULL;
	uint8_t digest[SHA256_LEN];

	if (algorithm == GNUTLS_SIGN_UNKNOWN || !sig->size)
		return false;
	if (point && algorithm == GNUTLS_SIGN_ECDSA_SHA256) {
		digest_sha256(digest, data->data, data->size);
		if (faster(point, digest, sig->data, sig->size))
			return true;
	}
	return gnutls_pubkey_verify_data2(pub, algorithm, 0, data, sig) >= 0;
}

int spki_verify(const struct buf *spki, const void *data, size_t len, const struct buf *sig, struct err *e)
{
	gnutls_pubkey_t pub = spki_import(spki->data, spki->len);
	uint8_t *bytes = NULL;
	bool good;

	if (!pub)
		return err_set(e, REASON_REQUEST, "not a public key that is accepted");
	memcpy(&bytes, &data, sizeof bytes);
	good = spki_signed(spki, pub, key_sign_algorithm(key_type_of(pub)), &(gnutls_datum_t){ bytes, (unsigned)len },
			   &(gnutls_datum_t){ sig->data, (unsigned)sig->len });
	gnutls_pubkey_deinit(pub);
	return good ? 0 : err_set(e, REASON_REQUEST, "the signature is wrong");
}

enum key_type spki_type(const struct buf *spki)
{
	gnutls_pubkey_t pub = spki_import(spki->data, spki->len);
	enum key_type type = pub ? key_type_of(pub) : KEY_NONE;

	if (pub)
		gnutls_pubkey_deinit(pub);
	return type;
}
