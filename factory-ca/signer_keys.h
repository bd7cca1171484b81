/* signer_keys.h - the keys that handsel-signer holds of one CA: opened at start, or when one is needed; opened again when the token
 * that has them was away. */
#ifndef HANDSEL_SIGNER_KEYS_H
#define HANDSEL_SIGNER_KEYS_H

#include "authority.h"
#include "keys.h"

struct signer_keys {
	const struct authority *ca;
	struct keystore *store[2];	/* of the generation in force and of the one before: may be the same, or NULL */
	char folder[2][FILE_PATH];
	struct key *key[CRL_KINDS];	/* NULL: not open. The root's is not among them */
	bool lost;			/* the token was not there: close all keys of all CAs, then keystore_reset() */
	bool told;			/* of what is wrong */
	enum key_sandbox sandbox;	/* the weaker one of both generations' */
};

/* ca: name below cas/, "" the first; of systemd's credentials: handsel-keys[.CA], handsel-older-keys[.CA]. `a` must outlive it. */
int signer_keys_load(struct signer_keys *k, const struct authority *a, const char *dir, const char *ca, struct err *e);
void signer_keys_close(struct signer_keys *k);		/* the keys; they are opened again when they are needed */
void signer_keys_free(struct signer_keys *k);

/* The key of that CA certificate. NULL: codes of keystore_key(), CONFIG also if it does not belong to the certificate. */
const struct key *signer_key(struct signer_keys *k, enum crl_of of, struct err *e);
/* After a failed signature. -1, so that `return signer_keys_failed(...)` reads well. */
int signer_keys_failed(struct signer_keys *k, const struct err *e);

/* Opens all that there are certificates for. */
int signer_keys_open(struct signer_keys *k, struct err *e);
bool signer_keys_all_open(const struct signer_keys *k);

#endif
