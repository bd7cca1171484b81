/* Opens what envelope.c and others have sealed. Parsed whole by the strict reader of DER before a key is touched. */
#include <config.h>

#include "envelope.h"

#include <gnutls/crypto.h>
#include <string.h>

#include "der.h"
#include "ecdh.h"
#include "envelope_private.h"
#include "gnutls_glue.h"
#include "mem.h"

struct parsed {
	bool gcm, kari;
	gnutls_digest_algorithm_t kdf;
	struct der point, wrap, ukm;	/* kari */
	bool has_ukm;
	struct der key;			/* the encrypted key */
	struct der iv, content, tag;
};

static bool is_oid(struct der *d, const char *wanted)
{
	struct der content = der_take(d, DER_OID);
	char oid[OID_LEN];

	return der_oid_text(&content, oid, sizeof oid) && strcmp(oid, wanted) == 0;
}

static bool is_version(struct der *d, long most)
{
	return der_small(d, most) >= 0;
}

/* absent or NULL */
static bool no_params(struct der *d)
{
	struct der null;

	if (der_optional(d, DER_NULL, &null) && null.left)
		return false;
	return der_done(d);
}

/* ---- recipients ---- */
/* Whom it is for is not compared: there is one recipient, and whether it is we is told by the key. */
static bool take_rid(struct der *d, uint8_t key_id)
{
	struct der rid;

	if (der_optional(d, key_id, &rid))
		return rid.left > 0;
	return !der_take(d, DER_SEQUENCE).failed;	/* issuer and serial */
}

static bool read_ktri(struct der d, struct parsed *p)
{
	struct der alg;

	if (!is_version(&d, 2) || !take_rid(&d, DER_CONTEXT_PRIMITIVE(0)))
		return false;
	alg = der_take(&d, DER_SEQUENCE);
	if (!is_oid(&alg, OID_RSA) || !no_params(&alg))
		return false;
	p->key = der_take(&d, DER_OCTETS);
	return der_done(&d);
}

static bool read_originator(struct der *d, struct parsed *p)
{
	struct der outer = der_take(d, DER_CONTEXT(0)), key = der_take(&outer, DER_CONTEXT(1)), alg = der_take(&key, DER_SEQUENCE);
	struct der bits = der_take(&key, DER_BITS);

	/* the parameters of the algorithm are absent, NULL or the curve's name: the recipient's curve it must be anyway */
	if (!is_oid(&alg, OID_EC_KEY) || !der_done(&key) || !der_done(&outer) || bits.left != P256_POINT + 1 || bits.p[0] != 0)
		return false;
	p->point = der_from(bits.p + 1, P256_POINT);
	return true;
}

static bool read_agreement(struct der alg, struct parsed *p)
{
	struct der oid = der_take(&alg, DER_OID), wrap;
	char text[OID_LEN];

	if (!der_oid_text(&oid, text, sizeof text))
		return false;
	if (strcmp(text, OID_DH_SHA256) == 0)
		p->kdf = GNUTLS_DIG_SHA256;
	else if (strcmp(text, OID_DH_SHA1) == 0)
		p->kdf = GNUTLS_DIG_SHA1;
	else
		return false;
	p->wrap = der_whole(&alg);
	wrap = p->wrap;
	wrap = der_take(&wrap, DER_SEQUENCE);
	return is_oid(&wrap, OID_WRAP) && no_params(&wrap) && der_done(&alg);
}

static bool read_kari(struct der d, struct parsed *p)
{
	struct der ukm, keys, one;

	p->kari = true;
	if (!is_version(&d, 3) || !read_originator(&d, p))
		return false;
	if (der_optional(&d, DER_CONTEXT(1), &ukm)) {
		p->ukm = der_take(&ukm, DER_OCTETS);
		p->has_ukm = true;
		if (!der_done(&ukm))
			return false;
	}
	if (!read_agreement(der_take(&d, DER_SEQUENCE), p))
		return false;
	keys = der_take(&d, DER_SEQUENCE);
	one = der_take(&keys, DER_SEQUENCE);
	if (!der_done(&d) || !der_done(&keys) || !take_rid(&one, DER_CONTEXT(0)))
		return false;
	p->key = der_take(&one, DER_OCTETS);
	return der_done(&one) && p->key.left == WRAP_LEN;
}

static bool read_recipient(struct der set, struct parsed *p)
{
	struct der one;
	bool good;

	if (der_peek(&set) == DER_SEQUENCE)
		good = read_ktri(der_take(&set, DER_SEQUENCE), p);
	else
		good = der_optional(&set, DER_CONTEXT(1), &one) && read_kari(one, p);
	return good && der_done(&set);
}

/* ---- the rest ---- */
static bool read_content(struct der eci, struct parsed *p)
{
	struct der alg, params;

	if (!is_oid(&eci, OID_DATA))
		return false;
	alg = der_take(&eci, DER_SEQUENCE);
	if (!is_oid(&alg, p->gcm ? OID_GCM : OID_CBC))
		return false;
	if (p->gcm) {
		params = der_take(&alg, DER_SEQUENCE);
		p->iv = der_take(&params, DER_OCTETS);
		if (der_small(&params, TAG) != TAG || !der_done(&params) || p->iv.left != NONCE)
			return false;
	} else {
		p->iv = der_take(&alg, DER_OCTETS);
		if (p->iv.left != BLOCK)
			return false;
	}
	p->content = der_take(&eci, DER_CONTEXT_PRIMITIVE(0));
	return der_done(&alg) && der_done(&eci) && (p->gcm || (p->content.left && p->content.left % BLOCK == 0));
}

static bool parse(const void *der, size_t len, struct parsed *p)
{
	struct der d = der_from(der, len), info = der_take(&d, DER_SEQUENCE), type = der_take(&info, DER_OID);
	struct der outer = der_take(&info, DER_CONTEXT(0)), env = der_take(&outer, DER_SEQUENCE);
	char oid[OID_LEN];

	*p = (struct parsed){0};
	if (!der_done(&d) || !der_done(&info) || !der_done(&outer) || !der_oid_text(&type, oid, sizeof oid))
		return false;
	p->gcm = strcmp(oid, OID_AUTH_ENVELOPED) == 0;
	if ((!p->gcm && strcmp(oid, OID_ENVELOPED) != 0) || !is_version(&env, 4))
		return false;
	if (!read_recipient(der_take(&env, DER_SET), p) || !read_content(der_take(&env, DER_SEQUENCE), p))
		return false;
	if (p->gcm) {
		p->tag = der_take(&env, DER_OCTETS);
		if (p->tag.left != TAG)
			return false;
	}
	return der_done(&env);	/* attributes are not known here, so none may be there */
}

/* ---- the key ---- */
static int agree(const struct parsed *p, const struct key *key, uint8_t cek[WRAP_KEY])
{
	uint8_t scalar[P256_LEN] = {0}, z[P256_LEN], kek[WRAP_KEY];
	gnutls_datum_t k = {0};
	gnutls_ecc_curve_t curve;
	int rc = -1;

	if (gnutls_privkey_export_ecc_raw2(key_handle(key), &curve, NULL, NULL, &k, GNUTLS_EXPORT_FLAG_NO_LZ) < 0)
		return -1;
	if (k.size <= sizeof scalar) {
		memcpy(scalar + sizeof scalar - k.size, k.data, k.size);
		rc = ecdh_shared(scalar, p->point.p, z);
	}
	if (rc == 0) {
		envelope_derive(p->kdf, z, &p->wrap, p->has_ukm ? &p->ukm : NULL, kek);
		rc = key_unwrap(kek, p->key.p, cek);
	}
	mem_wipe(k.data, k.size);
	gnutls_free(k.data);
	mem_wipe(scalar, sizeof scalar);
	mem_wipe(z, sizeof z);
	mem_wipe(kek, sizeof kek);
	return rc;
}

/* After a bad padding a random key goes on, so that whoever sent it learns nothing from what follows (RFC 3218 2.3). */
static void transported(const struct parsed *p, const struct key *key, uint8_t cek[WRAP_KEY])
{
	gnutls_datum_t encrypted = { .size = (unsigned)p->key.left };

	memcpy(&encrypted.data, &p->key.p, sizeof encrypted.data);	/* the bytes are only read */
	mem_random(cek, WRAP_KEY);
	gnutls_privkey_decrypt_data2(key_handle(key), 0, &encrypted, cek, WRAP_KEY);
}

static int decrypt_gcm(const struct parsed *p, uint8_t cek[WRAP_KEY], struct buf *content)
{
	const gnutls_datum_t key = { cek, WRAP_KEY };
	gnutls_aead_cipher_hd_t h;
	struct buf in = {0};
	size_t n = p->content.left;
	uint8_t *out = buf_room(content, n + TAG);
	int rc = -1;

	buf_add(&in, p->content.p, p->content.left);
	buf_add(&in, p->tag.p, p->tag.left);
	if (out && gnutls_aead_cipher_init(&h, GNUTLS_CIPHER_AES_256_GCM, &key) >= 0) {
		rc = gnutls_aead_cipher_decrypt(h, p->iv.p, p->iv.left, NULL, 0, TAG, in.data, in.len, out, &n);
		gnutls_aead_cipher_deinit(h);
	}
	if (rc >= 0)
		content->len += n;
	buf_free(&in);
	return rc < 0 ? -1 : 0;
}

static int decrypt_cbc(const struct parsed *p, uint8_t cek[WRAP_KEY], struct buf *content)
{
	const gnutls_datum_t key = { cek, WRAP_KEY };
	gnutls_datum_t iv = { .size = (unsigned)p->iv.left };
	gnutls_cipher_hd_t h;
	unsigned pad, wrong = 0;
	uint8_t *end;

	memcpy(&iv.data, &p->iv.p, sizeof iv.data);
	buf_set(content, p->content.p, p->content.left);
	if (content->failed || gnutls_cipher_init(&h, GNUTLS_CIPHER_AES_256_CBC, &key, &iv) < 0)
		return -1;
	if (gnutls_cipher_decrypt(h, content->data, content->len) < 0)
		wrong = 1;
	gnutls_cipher_deinit(h);
	end = content->data + content->len;
	pad = end[-1];
	wrong |= pad == 0 || pad > BLOCK;
	for (unsigned i = 1; i <= BLOCK; i++)	/* all of the block, wherever it is wrong */
		wrong |= (i <= pad) & (end[-(int)i] != pad);
	if (wrong)
		return -1;
	content->len -= pad;
	mem_wipe(content->data + content->len, pad);
	return 0;
}

int envelope_open(const void *der, size_t len, const struct key *key, struct buf *content, struct err *e)
{
	uint8_t cek[WRAP_KEY];
	struct buf spki = {0};
	struct parsed p;
	enum key_type type;
	int rc = 0;

	buf_clear(content);
	if (!parse(der, len, &p))
		return err_set(e, REASON_REQUEST, "not a CMS envelope for one recipient (RFC 5652 6, RFC 5083) as this program reads it");
	if (key_spki(key, &spki, e) < 0)
		return -1;
	type = spki_type(&spki);
	buf_free(&spki);
	if (!envelope_takes(type) || p.kari != (type == KEY_P256))
		rc = -1;
	else if (p.kari)
		rc = agree(&p, key, cek);
	else
		transported(&p, key, cek);
	if (rc == 0)
		rc = p.gcm ? decrypt_gcm(&p, cek, content) : decrypt_cbc(&p, cek, content);
	mem_wipe(cek, sizeof cek);
	if (rc == 0)
		return 0;
	buf_clear(content);
	return err_set(e, REASON_KEY_STORE, "the envelope does not open with this key: it is for another one, or was changed");
}
