/* key.h - private keys behind a handle (of a file; of a token: token.h; or elsewhere) and public keys as SPKI DER. */
#ifndef HANDSEL_KEY_H
#define HANDSEL_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

enum key_type { KEY_NONE, KEY_P256, KEY_P384, KEY_RSA2048, KEY_RSA3072, KEY_OTHER };

const char *key_type_name(enum key_type type);		/* "p256", "p384", "rsa2048", "rsa3072", "other" */
enum key_type key_type_parse(const char *name);		/* KEY_NONE if unknown */

struct key;

struct key *key_generate(enum key_type type, struct err *e);		/* NULL on failure */
struct key *key_load(const char *path, struct err *e);			/* PEM PKCS#8, 0600 demanded */
struct key *key_from_pem(const struct buf *pem, struct err *e);
int key_save(const struct key *k, const char *path, struct err *e);	/* PEM PKCS#8, born 0600, file_replace() */
int key_export(const struct key *k, struct buf *pkcs8, struct err *e);	/* DER PKCS#8 (RFC 5958), not encrypted. Replaces */
struct key *key_import(const struct buf *pkcs8, struct err *e);	/* and its public part is that of its private one */
struct key *key_share(struct key *k);		/* the same once more, for another owner: each frees it, in any thread */
void key_free(struct key *k);

/* The same encrypted: PKCS#8 with PBES2, PBKDF2 with HMAC-SHA-256, AES-256-CBC (RFC 8018), as openssl reads it, too. */
bool key_is_encrypted(const struct buf *pem);
struct key *key_from_encrypted(const struct buf *pem, const char *passphrase, struct err *e);	/* code SECRET: it is wrong */
int key_save_encrypted(const struct key *k, const char *path, const char *passphrase, struct err *e);

/* A private key that something else has, which is asked for each signature: a ring of signing devices, say. `in` is the digest for
 * an EC key, which answers with a DER Ecdsa-Sig-Value; for an RSA key it is a DigestInfo (RFC 8017 9.2), still to be padded. */
struct key_elsewhere {
	int (*sign)(void *arg, const void *in, size_t len, struct buf *sig, struct err *e);
	void (*release)(void *arg);	/* NULL, or called by key_free() */
	void *arg;
};
struct key *key_elsewhere(const struct key_elsewhere *by, const struct buf *spki, struct err *e);	/* takes arg over, if it succeeds */
/* Why the last signature by such a key failed in this thread, where something in between (TLS, CMS) had no word for it. Once. */
bool key_said(const struct key *k, struct err *e);

/* SubjectPublicKeyInfo in DER (RFC 5280 4.1). Replaces *spki. */
int key_spki(const struct key *k, struct buf *spki, struct err *e);

/* Signature with SHA-256 (SHA-384 for P-384) over data: DER Ecdsa-Sig-Value or PKCS#1 v1.5. Replaces *sig. Code
 * CA_UNAVAILABLE: what holds the key does not answer now. */
int key_sign(const struct key *k, const void *data, size_t len, struct buf *sig, struct err *e);

/* The same over a digest of that length, for EC keys. */
int key_sign_digest(const struct key *k, const void *digest, size_t len, struct buf *sig, struct err *e);

/* 0 if sig is a good signature by that public key. Anything malformed is simply not good. */
int spki_verify(const struct buf *spki, const void *data, size_t len, const struct buf *sig, struct err *e);

/* Once, before there are threads: signatures with P-256 and SHA-256 are verified by this (p256_verify.h), and again by GnuTLS if it
 * does not find them good. */
typedef bool spki_p256_verify(const uint8_t point[65], const uint8_t digest[32], const void *sig, size_t len);
void spki_p256_by(spki_p256_verify *verify);

/* KEY_NONE if spki is no public key at all. */
enum key_type spki_type(const struct buf *spki);

#endif
