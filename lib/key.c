#include <config.h>

#include "key.h"

#include <gnutls/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "gnutls_glue.h"
#include "limits.h"
#include "mem.h"

struct key {
	gnutls_privkey_t handle;
	enum key_type type;
	struct buf spki;
	bool away;			/* not in this process */
	atomic_int others;		/* owners beside the first */
	struct key_elsewhere *by;	/* of key_elsewhere(); else NULL */
};

/* Why a key that is elsewhere did not sign: GnuTLS, in between, has only numbers. Each thread has its own, as threads share keys. */
static _Thread_local struct {
	const struct key *key;
	struct err why;
} said;

static const struct {
	enum key_type type;
	const char *name;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;			/* of the modulus or the curve */
	unsigned generate;		/* what gnutls_privkey_generate() wants as its bits */
	gnutls_sign_algorithm_t sign;
} types[] = {
	{ KEY_P256, "p256", GNUTLS_PK_ECDSA, 256, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), GNUTLS_SIGN_ECDSA_SHA256 },
	{ KEY_P384, "p384", GNUTLS_PK_ECDSA, 384, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), GNUTLS_SIGN_ECDSA_SHA384 },
	{ KEY_RSA2048, "rsa2048", GNUTLS_PK_RSA, 2048, 2048, GNUTLS_SIGN_RSA_SHA256 },
	{ KEY_RSA3072, "rsa3072", GNUTLS_PK_RSA, 3072, 3072, GNUTLS_SIGN_RSA_SHA256 },
};

/* AlgorithmIdentifiers (RFC 5758 3.2, RFC 4055 5, RFC 8410 3), contents of the SEQUENCE. Each list is all that is accepted. */
static const struct {
	gnutls_sign_algorithm_t algorithm;
	uint8_t len, der[15];
} algorithms[] = {
	{ GNUTLS_SIGN_ECDSA_SHA256, 10, { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 } },
	{ GNUTLS_SIGN_ECDSA_SHA384, 10, { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3 } },
	{ GNUTLS_SIGN_ECDSA_SHA512, 10, { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4 } },
	{ GNUTLS_SIGN_RSA_SHA256, 13, { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0 } },
	{ GNUTLS_SIGN_RSA_SHA384, 13, { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12, 5, 0 } },
	{ GNUTLS_SIGN_RSA_SHA512, 13, { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13, 5, 0 } },
	{ GNUTLS_SIGN_EDDSA_ED25519, 5, { 6, 3, 0x2b, 0x65, 0x70 } },
};

const char *key_type_name(enum key_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return types[i].name;
	return "other";
}

enum key_type key_type_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return KEY_NONE;
}

int gnutls_fail(struct err *e, enum reason code, const char *what, int rc)
{
	if (rc == GNUTLS_E_MEMORY_ERROR)
		abort();
	return err_set(e, code, "%s: %s", what, gnutls_strerror(rc));
}

gnutls_privkey_t key_handle(const struct key *k)
{
	return k->handle;
}

gnutls_sign_algorithm_t key_algorithm(const struct der *identifier)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (der_is(identifier, algorithms[i].der, algorithms[i].len))
			return algorithms[i].algorithm;
	return GNUTLS_SIGN_UNKNOWN;
}

gnutls_sign_algorithm_t key_sign_algorithm(enum key_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return types[i].sign;
	return GNUTLS_SIGN_UNKNOWN;
}

int key_put_algorithm(const struct key *k, struct buf *out)
{
	gnutls_sign_algorithm_t wanted = key_sign_algorithm(k->type);

	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (algorithms[i].algorithm == wanted) {
			der_put(out, DER_SEQUENCE, algorithms[i].der, algorithms[i].len);
			return 0;
		}
	return -1;
}

enum key_type key_type_of(gnutls_pubkey_t pub)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(pub, &bits);

	if (algorithm == GNUTLS_PK_ECDSA && gnutls_pubkey_export_ecc_raw2(pub, &curve, NULL, NULL, 0) < 0)
		return KEY_OTHER;
	if (algorithm == GNUTLS_PK_ECDSA)
		return curve == GNUTLS_ECC_CURVE_SECP256R1 ? KEY_P256 : curve == GNUTLS_ECC_CURVE_SECP384R1 ? KEY_P384 : KEY_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].algorithm == (gnutls_pk_algorithm_t)algorithm && types[i].bits == bits)
			return types[i].type;
	return KEY_OTHER;
}

static int adopt(struct key *k, struct err *e)
{
	gnutls_datum_t der = {0};
	gnutls_pubkey_t pub;
	int rc = gnutls_pubkey_init(&pub);

	if (rc < 0)
		return gnutls_fail(e, REASON_KEY_STORE, "cannot read the key", rc);
	rc = gnutls_pubkey_import_privkey(pub, k->handle, 0, 0);
	if (rc >= 0)
		rc = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &der);
	if (rc >= 0) {
		k->type = key_type_of(pub);
		buf_set(&k->spki, der.data, der.size);
		gnutls_free(der.data);
	}
	gnutls_pubkey_deinit(pub);
	return rc < 0 ? gnutls_fail(e, REASON_KEY_STORE, "cannot read the public part of the key", rc) : 0;
}

struct key *key_adopt(gnutls_privkey_t handle, bool away, struct err *e)
{
	struct key *k = mem_new(1, sizeof *k);

	k->handle = handle;
	k->away = away;
	if (adopt(k, e) >= 0)
		return k;
	key_free(k);
	return NULL;
}

static struct key *key_new(void)
{
	struct key *k = mem_new(1, sizeof *k);

	if (gnutls_privkey_init(&k->handle) < 0)
		abort();
	return k;
}

int key_type_parameters(enum key_type type, gnutls_pk_algorithm_t *algorithm, unsigned *bits)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type) {
			*algorithm = types[i].algorithm;
			*bits = types[i].generate;
			return 0;
		}
	return -1;
}

struct key *key_generate(enum key_type type, struct err *e)
{
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
	struct key *k;
	int rc;

	if (key_type_parameters(type, &algorithm, &bits) < 0) {
		err_set(e, REASON_PROFILE, "keys of type %s cannot be made here", key_type_name(type));
		return NULL;
	}
	k = key_new();
	rc = gnutls_privkey_generate(k->handle, algorithm, bits, 0);
	if (rc < 0)
		gnutls_fail(e, REASON_KEY_STORE, "cannot generate a key", rc);
	else
		rc = adopt(k, e);
	if (rc >= 0)
		return k;
	key_free(k);
	return NULL;
}

struct key *key_from_pem(const struct buf *pem, struct err *e)
{
	gnutls_datum_t text = { .data = pem->data, .size = (unsigned)pem->len };
	struct key *k = key_new();
	int rc;

	rc = pem->len ? gnutls_privkey_import_x509_raw(k->handle, &text, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN)
		      : GNUTLS_E_NO_CERTIFICATE_FOUND;
	if (rc < 0)
		err_set(e, REASON_KEY_STORE, "no private key in PEM (PKCS#8, not encrypted): %s", gnutls_strerror(rc));
	else
		rc = adopt(k, e);
	if (rc >= 0)
		return k;
	key_free(k);
	return NULL;
}

bool key_is_encrypted(const struct buf *pem)
{
	return strstr(buf_text(pem), "-----BEGIN ENCRYPTED PRIVATE KEY-----") != NULL;
}

struct key *key_from_encrypted(const struct buf *pem, const char *passphrase, struct err *e)
{
	gnutls_datum_t text = { .data = pem->data, .size = (unsigned)pem->len };
	struct key *k = key_new();
	int rc = gnutls_privkey_import_x509_raw(k->handle, &text, GNUTLS_X509_FMT_PEM, passphrase, 0);

	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		err_set(e, REASON_SECRET, "the passphrase is wrong");
	else if (rc < 0)
		err_set(e, REASON_KEY_STORE, "no private key in PEM (PKCS#8, encrypted): %s", gnutls_strerror(rc));
	else if (adopt(k, e) == 0)
		return k;
	key_free(k);
	return NULL;
}

struct key *key_load(const char *path, struct err *e)
{
	struct buf pem = {0};
	struct key *k = NULL;

	if (file_read_secret(&pem, path, e) == 0) {
		k = key_from_pem(&pem, e);
		if (!k)
			err_prefix(e, "%s", path);
	}
	buf_free(&pem);
	return k;
}

static int save(const struct key *k, const char *path, const char *passphrase, unsigned how, struct err *e)
{
	gnutls_x509_privkey_t plain = NULL;
	gnutls_datum_t pem = {0};
	int rc = gnutls_privkey_export_x509(k->handle, &plain);

	if (rc >= 0)
		rc = gnutls_x509_privkey_export2_pkcs8(plain, GNUTLS_X509_FMT_PEM, passphrase, how, &pem);
	if (rc < 0)
		rc = gnutls_fail(e, REASON_KEY_STORE, "cannot write the key out", rc);
	else
		rc = file_replace(path, pem.data, pem.size, 0600, e);
	gnutls_x509_privkey_deinit(plain);
	mem_wipe(pem.data, pem.size);
	gnutls_free(pem.data);
	return rc;
}

int key_save(const struct key *k, const char *path, struct err *e)
{
	return save(k, path, NULL, GNUTLS_PKCS_PLAIN, e);
}

int key_save_encrypted(const struct key *k, const char *path, const char *passphrase, struct err *e)
{
	return save(k, path, passphrase, GNUTLS_PKCS_PBES2_AES_256, e);
}

int key_export(const struct key *k, struct buf *pkcs8, struct err *e)
{
	gnutls_x509_privkey_t plain = NULL;
	gnutls_datum_t der = {0};
	int rc = gnutls_privkey_export_x509(k->handle, &plain);

	if (rc >= 0)
		rc = gnutls_x509_privkey_export2_pkcs8(plain, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der);
	gnutls_x509_privkey_deinit(plain);
	if (rc < 0)
		return gnutls_fail(e, REASON_KEY_STORE, "cannot write the key out", rc);
	buf_set(pkcs8, der.data, der.size);
	mem_wipe(der.data, der.size);
	gnutls_free(der.data);
	return 0;
}

/* A signature shows whether the public part that a PKCS#8 may carry is a lie. */
static bool is_whole(const struct key *k)
{
	static const char probe[] = "handsel-probe-v1";
	struct buf sig = {0};
	struct err e;
	bool good = key_sign(k, probe, sizeof probe, &sig, &e) == 0 && spki_verify(&k->spki, probe, sizeof probe, &sig, &e) == 0;

	buf_free(&sig);
	return good;
}

struct key *key_import(const struct buf *pkcs8, struct err *e)
{
	gnutls_datum_t der = { .data = pkcs8->data, .size = (unsigned)pkcs8->len };
	struct key *k = key_new();
	int rc = pkcs8->len ? gnutls_privkey_import_x509_raw(k->handle, &der, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN)
			    : GNUTLS_E_NO_CERTIFICATE_FOUND;

	if (rc < 0)
		err_set(e, REASON_KEY_STORE, "no private key in DER (PKCS#8, not encrypted): %s", gnutls_strerror(rc));
	else if (adopt(k, e) == 0) {
		if (is_whole(k))
			return k;
		err_set(e, REASON_KEY_STORE, "the private key does not fit its own public part");
	}
	key_free(k);
	return NULL;
}

struct key *key_share(struct key *k)
{
	atomic_fetch_add(&k->others, 1);
	return k;
}

void key_free(struct key *k)
{
	if (!k || atomic_fetch_sub(&k->others, 1) > 0)
		return;
	gnutls_privkey_deinit(k->handle);
	if (k->by && k->by->release)
		k->by->release(k->by->arg);
	free(k->by);
	buf_free(&k->spki);
	free(k);
}

int key_spki(const struct key *k, struct buf *spki, struct err *e)
{
	(void)e;	/* it was read when the key was opened */
	buf_set(spki, k->spki.data, k->spki.len);
	return 0;
}

int key_sign_digest(const struct key *k, const void *digest, size_t len, struct buf *sig, struct err *e)
{
	gnutls_datum_t hash = { .size = (unsigned)len }, out = {0};
	int rc;

	if (k->type != KEY_P256 && k->type != KEY_P384)
		return err_set(e, REASON_KEY_STORE, "a digest is signed by an EC key alone; make a p256 key");
	memcpy(&hash.data, &digest, sizeof hash.data);	/* only read, though without const */
	rc = gnutls_privkey_sign_hash2(k->handle, key_sign_algorithm(k->type), 0, &hash, &out);
	if (rc < 0)
		return gnutls_fail(e, k->away ? REASON_CA_UNAVAILABLE : REASON_KEY_STORE, k->away ? "the token does not sign" : "cannot sign", rc);
	buf_set(sig, out.data, out.size);
	gnutls_free(out.data);
	return 0;
}

bool key_said(const struct key *k, struct err *e)
{
	if (!k || said.key != k)
		return false;
	*e = said.why;
	said.key = NULL;
	return true;
}

int key_sign(const struct key *k, const void *data, size_t len, struct buf *sig, struct err *e)
{
	gnutls_sign_algorithm_t algorithm = key_sign_algorithm(k->type);
	gnutls_datum_t out = {0};
	uint8_t *bytes = NULL;
	int rc;

	if (algorithm == GNUTLS_SIGN_UNKNOWN)
		return err_set(e, REASON_KEY_STORE, "a key of this kind is not used for signatures; make a p256 key");
	/* gnutls_datum_t has no const; the bytes are only read */
	memcpy(&bytes, &data, sizeof bytes);
	rc = gnutls_privkey_sign_data2(k->handle, algorithm, 0, &(gnutls_datum_t){ bytes, (unsigned)len }, &out);
	if (rc < 0 && key_said(k, e))
		return -1;
	if (rc < 0)
		return gnutls_fail(e, k->away ? REASON_CA_UNAVAILABLE : REASON_KEY_STORE, k->away ? "the token does not sign" : "cannot sign", rc);
	buf_set(sig, out.data, out.size);
	gnutls_free(out.data);
	return 0;
}

/* ---- keys elsewhere ---- */
static int ask_elsewhere(const struct key *k, const void *in, size_t len, gnutls_datum_t *out)
{
	struct buf sig = {0};
	int rc = GNUTLS_E_PK_SIGN_FAILED;

	said.key = NULL;
	if (k->by->sign(k->by->arg, in, len, &sig, &said.why) == 0) {
		out->data = gnutls_malloc(sig.len);
		if (!out->data)
			mem_out();
		memcpy(out->data, sig.data, sig.len);
		out->size = (unsigned)sig.len;
		rc = 0;
	} else {
		said.key = k;
	}
	buf_free(&sig);
	return rc;
}

/* An EC key gets a digest here; RSA the DigestInfo, by the algorithm RSA_RAW. */
static int on_sign_hash(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags, const gnutls_datum_t *in,
			gnutls_datum_t *out)
{
	return ask_elsewhere(arg, in->data, in->size, out);
}

/* GnuTLS crashes if it is missing, even where it is not the one to be called. */
static int on_sign_data(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags, const gnutls_datum_t *in,
			gnutls_datum_t *out)
{
	gnutls_digest_algorithm_t digest = gnutls_sign_get_hash_algorithm(algorithm);
	gnutls_datum_t hash, info = {0};
	uint8_t bytes[64];	/* SHA-512 is the longest */
	int rc;

	if (digest == GNUTLS_DIG_UNKNOWN || gnutls_hash_fast(digest, in->data, in->size, bytes) < 0)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	hash = (gnutls_datum_t){ bytes, gnutls_hash_get_len(digest) };
	if (gnutls_sign_get_pk_algorithm(algorithm) != GNUTLS_PK_RSA)
		return ask_elsewhere(arg, hash.data, hash.size, out);
	rc = gnutls_encode_ber_digest_info(digest, &hash, &info);
	if (rc >= 0)
		rc = ask_elsewhere(arg, info.data, info.size, out);
	gnutls_free(info.data);
	return rc;
}

static int on_info(gnutls_privkey_t handle, unsigned flags, void *arg)
{
	gnutls_sign_algorithm_t wanted = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);
	const struct key *k = arg;

	if (wanted == GNUTLS_SIGN_ECDSA_SECP256R1_SHA256)	/* TLS 1.3 has a name of its own for each pair of curve and hash */
		wanted = GNUTLS_SIGN_ECDSA_SHA256;
	else if (wanted == GNUTLS_SIGN_ECDSA_SECP384R1_SHA384)
		wanted = GNUTLS_SIGN_ECDSA_SHA384;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].type != k->type)
			continue;
		if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
			return types[i].algorithm;
		if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
			return (int)types[i].bits;
		if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
			return wanted == types[i].sign || wanted == GNUTLS_SIGN_RSA_RAW;
	}
	return -1;
}

struct key *key_elsewhere(const struct key_elsewhere *by, const struct buf *spki, struct err *e)
{
	enum key_type type = spki_type(spki);
	struct key *k;
	int rc;

	if (key_sign_algorithm(type) == GNUTLS_SIGN_UNKNOWN) {
		err_set(e, REASON_KEY_STORE, "a key of this kind is not used for signatures; make a p256 key");
		return NULL;
	}
	k = key_new();
	k->type = type;
	k->away = true;
	buf_set(&k->spki, spki->data, spki->len);
	rc = gnutls_privkey_import_ext4(k->handle, k, on_sign_data, on_sign_hash, NULL, NULL, on_info, 0);
	if (rc < 0) {
		gnutls_fail(e, REASON_KEY_STORE, "cannot use a key that is elsewhere", rc);
		key_free(k);
		return NULL;
	}
	k->by = mem_new(1, sizeof *k->by);
	*k->by = *by;
	return k;
}
