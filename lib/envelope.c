#include <config.h>

#include "envelope.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "envelope_private.h"
#include "gnutls_glue.h"
#include "mem.h"

#define KEY_ID 20		/* SHA-1 of the public key: RFC 5280 4.2.1.2 (1) */

bool envelope_takes(enum key_type recipient)
{
	return recipient == KEY_P256 || recipient == KEY_RSA2048 || recipient == KEY_RSA3072;
}

/* ---- what both directions need ---- */

/* The bits of the public key within a SubjectPublicKeyInfo. */
static struct der public_bits(const struct buf *spki)
{
	struct der d = der_from(spki->data, spki->len), in = der_take(&d, DER_SEQUENCE), bits;

	der_take(&in, DER_SEQUENCE);
	bits = der_take(&in, DER_BITS);
	if (bits.failed || !bits.left)
		return (struct der){ .failed = true };
	return der_from(bits.p + 1, bits.left - 1);
}

void envelope_derive(gnutls_digest_algorithm_t digest, const uint8_t z[P256_LEN], const struct der *wrap, const struct der *ukm,
		     uint8_t kek[WRAP_KEY])
{
	static const uint8_t bits[4] = { 0, 0, 1, 0 };		/* 256 */
	size_t n = gnutls_hash_get_len(digest), all, supp;
	uint8_t okm[64] = {0};
	struct buf info = {0}, in = {0};

	all = der_begin(&info, DER_SEQUENCE);
	buf_add(&info, wrap->p, wrap->left);
	if (ukm) {
		supp = der_begin(&info, DER_CONTEXT(0));
		der_put(&info, DER_OCTETS, ukm->p, ukm->left);
		der_end(&info, supp);
	}
	supp = der_begin(&info, DER_CONTEXT(2));
	der_put(&info, DER_OCTETS, bits, sizeof bits);
	der_end(&info, supp);
	der_end(&info, all);
	for (uint8_t i = 1; (i - 1) * n < WRAP_KEY; i++) {
		const uint8_t counter[4] = { 0, 0, 0, i };

		buf_set(&in, z, P256_LEN);
		buf_add(&in, counter, sizeof counter);
		buf_add(&in, info.data, info.len);
		if (gnutls_hash_fast(digest, in.data, in.len, okm + (i - 1) * n) < 0)
			abort();	/* SHA-1 and SHA-256 of memory cannot fail */
	}
	memcpy(kek, okm, WRAP_KEY);
	mem_wipe(okm, sizeof okm);
	buf_free(&info);
	buf_free(&in);
}

/* ---- writing ---- */
struct sealed {
	uint8_t cek[WRAP_KEY], iv[BLOCK], tag[TAG];
	struct buf content;
};

static int encrypt_gcm(struct sealed *s, const void *data, size_t len, struct err *e)
{
	const gnutls_datum_t key = { s->cek, sizeof s->cek };
	gnutls_aead_cipher_hd_t h;
	size_t n = len + TAG;
	uint8_t *out = buf_room(&s->content, n);
	int rc;

	if (!out)
		return err_set(e, REASON_INTERNAL, "an envelope cannot hold so much");
	rc = gnutls_aead_cipher_init(&h, GNUTLS_CIPHER_AES_256_GCM, &key);
	if (rc >= 0) {
		rc = gnutls_aead_cipher_encrypt(h, s->iv, NONCE, NULL, 0, TAG, data, len, out, &n);
		gnutls_aead_cipher_deinit(h);
	}
	if (rc < 0)
		return gnutls_fail(e, REASON_INTERNAL, "cannot encrypt", rc);
	s->content.len += len;
	memcpy(s->tag, out + len, TAG);
	return 0;
}

static int encrypt_cbc(struct sealed *s, const void *data, size_t len, struct err *e)
{
	const gnutls_datum_t key = { s->cek, sizeof s->cek }, iv = { s->iv, sizeof s->iv };
	uint8_t pad = (uint8_t)(BLOCK - len % BLOCK);
	gnutls_cipher_hd_t h;
	int rc;

	buf_set(&s->content, data, len);
	for (uint8_t i = 0; i < pad; i++)
		buf_byte(&s->content, pad);
	if (s->content.failed)
		return err_set(e, REASON_INTERNAL, "an envelope cannot hold so much");
	rc = gnutls_cipher_init(&h, GNUTLS_CIPHER_AES_256_CBC, &key, &iv);
	if (rc >= 0) {
		rc = gnutls_cipher_encrypt(h, s->content.data, s->content.len);
		gnutls_cipher_deinit(h);
	}
	return rc < 0 ? gnutls_fail(e, REASON_INTERNAL, "cannot encrypt", rc) : 0;
}

static void put_algorithm(struct buf *b, const char *oid)
{
	size_t at = der_begin(b, DER_SEQUENCE);

	der_put_oid(b, oid);
	der_end(b, at);
}

/* kari (RFC 5652 6.2.2, RFC 5753 3.1.1). */
static int put_kari(struct buf *b, const struct buf *spki, const uint8_t id[KEY_ID], const uint8_t cek[WRAP_KEY], struct err *e)
{
	struct der bits = public_bits(spki), wrap_der;
	uint8_t scalar[P256_LEN], point[P256_POINT], z[P256_LEN], kek[WRAP_KEY], wrapped[WRAP_LEN];
	struct buf wrap = {0};
	size_t kari, at, in, rid;
	int rc = -1;

	ecdh_fresh(scalar, point);
	put_algorithm(&wrap, OID_WRAP);
	wrap_der = der_from(wrap.data, wrap.len);
	if (bits.failed || bits.left != P256_POINT || ecdh_shared(scalar, bits.p, z) < 0) {
		err_set(e, REASON_REQUEST, "the recipient's key is no point of P-256");
		goto out;
	}
	envelope_derive(GNUTLS_DIG_SHA256, z, &wrap_der, NULL, kek);
	key_wrap(kek, cek, wrapped);
	kari = der_begin(b, DER_CONTEXT(1));
	der_put(b, DER_INTEGER, "\3", 1);
	at = der_begin(b, DER_CONTEXT(0));
	in = der_begin(b, DER_CONTEXT(1));
	put_algorithm(b, OID_EC_KEY);
	der_put_bits(b, point, sizeof point);
	der_end(b, in);
	der_end(b, at);
	at = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, OID_DH_SHA256);
	buf_add(b, wrap.data, wrap.len);
	der_end(b, at);
	at = der_begin(b, DER_SEQUENCE);	/* RecipientEncryptedKeys */
	in = der_begin(b, DER_SEQUENCE);
	rid = der_begin(b, DER_CONTEXT(0));
	der_put(b, DER_OCTETS, id, KEY_ID);
	der_end(b, rid);
	der_put(b, DER_OCTETS, wrapped, sizeof wrapped);
	der_end(b, in);
	der_end(b, at);
	der_end(b, kari);
	rc = 0;
out:
	mem_wipe(scalar, sizeof scalar);
	mem_wipe(z, sizeof z);
	mem_wipe(kek, sizeof kek);
	buf_free(&wrap);
	return rc;
}

/* ktri (RFC 5652 6.2.1). */
static int put_ktri(struct buf *b, gnutls_pubkey_t pub, const uint8_t id[KEY_ID], uint8_t cek[WRAP_KEY], struct err *e)
{
	const gnutls_datum_t key = { cek, WRAP_KEY };
	gnutls_datum_t encrypted = {0};
	size_t ktri, at;
	int rc = gnutls_pubkey_encrypt_data(pub, 0, &key, &encrypted);

	if (rc < 0)
		return gnutls_fail(e, REASON_REQUEST, "cannot encrypt to the recipient's key", rc);
	ktri = der_begin(b, DER_SEQUENCE);
	der_put(b, DER_INTEGER, "\2", 1);
	der_put(b, DER_CONTEXT_PRIMITIVE(0), id, KEY_ID);
	at = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, OID_RSA);
	der_put(b, DER_NULL, NULL, 0);
	der_end(b, at);
	der_put(b, DER_OCTETS, encrypted.data, encrypted.size);
	der_end(b, ktri);
	gnutls_free(encrypted.data);
	return 0;
}

static int put_recipient(struct buf *b, const struct buf *spki, uint8_t cek[WRAP_KEY], struct err *e)
{
	gnutls_pubkey_t pub = spki_import(spki->data, spki->len);
	enum key_type type = pub ? key_type_of(pub) : KEY_NONE;
	struct der bits = public_bits(spki);
	uint8_t id[KEY_ID];
	size_t at = der_begin(b, DER_SET);
	int rc = -1;

	if (!envelope_takes(type) || bits.failed || gnutls_hash_fast(GNUTLS_DIG_SHA1, bits.p, bits.left, id) < 0)
		err_set(e, REASON_REQUEST, "nothing can be encrypted to a key of type %s; give a P-256 or an RSA key",
			key_type_name(type));
	else if (type == KEY_P256)
		rc = put_kari(b, spki, id, cek, e);
	else
		rc = put_ktri(b, pub, id, cek, e);
	der_end(b, at);
	if (pub)
		gnutls_pubkey_deinit(pub);
	return rc;
}

static void put_content(struct buf *b, const struct sealed *s, bool gcm)
{
	size_t eci = der_begin(b, DER_SEQUENCE), at, params;

	der_put_oid(b, OID_DATA);
	at = der_begin(b, DER_SEQUENCE);
	der_put_oid(b, gcm ? OID_GCM : OID_CBC);
	if (gcm) {
		params = der_begin(b, DER_SEQUENCE);
		der_put(b, DER_OCTETS, s->iv, NONCE);
		der_put(b, DER_INTEGER, "\x10", 1);
		der_end(b, params);
	} else {
		der_put(b, DER_OCTETS, s->iv, BLOCK);
	}
	der_end(b, at);
	der_put(b, DER_CONTEXT_PRIMITIVE(0), s->content.data, s->content.len);
	der_end(b, eci);
}

int envelope_seal(enum envelope_kind kind, const struct buf *spki, const void *data, size_t len, struct buf *der, struct err *e)
{
	bool gcm = kind == ENVELOPE_GCM;
	struct sealed s = {0};
	size_t all, at, in;
	int rc;

	mem_random(s.cek, sizeof s.cek);
	mem_random(s.iv, sizeof s.iv);
	rc = gcm ? encrypt_gcm(&s, data, len, e) : encrypt_cbc(&s, data, len, e);
	if (rc == 0) {
		buf_clear(der);
		all = der_begin(der, DER_SEQUENCE);
		der_put_oid(der, gcm ? OID_AUTH_ENVELOPED : OID_ENVELOPED);
		at = der_begin(der, DER_CONTEXT(0));
		in = der_begin(der, DER_SEQUENCE);
		der_put(der, DER_INTEGER, gcm ? "\0" : "\2", 1);
		rc = put_recipient(der, spki, s.cek, e);
		put_content(der, &s, gcm);
		if (gcm)
			der_put(der, DER_OCTETS, s.tag, TAG);
		der_end(der, in);
		der_end(der, at);
		der_end(der, all);
	}
	if (rc == 0 && der->failed)
		rc = err_set(e, REASON_INTERNAL, "an envelope cannot hold so much");
	mem_wipe(s.cek, sizeof s.cek);
	buf_free(&s.content);
	return rc;
}
