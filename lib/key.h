/* key.h - private keys behind a handle (a file today, PKCS#11 by URI later) and public keys as SPKI DER. */
#ifndef HANDSEL_KEY_H
#define HANDSEL_KEY_H

#include <stddef.h>

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
void key_free(struct key *k);

/* SubjectPublicKeyInfo in DER (RFC 5280 4.1). Replaces *spki. */
int key_spki(const struct key *k, struct buf *spki, struct err *e);

/* Signature with SHA-256 (SHA-384 for P-384) over data: DER Ecdsa-Sig-Value or PKCS#1 v1.5. Replaces *sig. */
int key_sign(const struct key *k, const void *data, size_t len, struct buf *sig, struct err *e);

/* 0 if sig is a good signature by that public key. Anything malformed is simply not good. */
int spki_verify(const struct buf *spki, const void *data, size_t len, const struct buf *sig, struct err *e);

/* KEY_NONE if spki is no public key at all. */
enum key_type spki_type(const struct buf *spki);

#endif
