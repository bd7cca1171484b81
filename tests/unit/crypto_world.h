/* crypto_world.h - a small PKI for the tests of keys, certificates, CMS and TLS: one root, an issuing CA, a unit CA. */
#ifndef HANDSEL_CRYPTO_WORLD_H
#define HANDSEL_CRYPTO_WORLD_H

#include "key.h"
#include "x509.h"

#define WORLD_NOW 1800000000	/* 2027: fixed, so that nothing depends on the day of the test */
#define DAY 86400

struct authority {
	struct key *key;
	struct cert cert;
};

struct world {
	struct authority root, issuing, unit;
	struct key *leaf_key;
	struct trust *trust;	/* the root only */
};

/* Dies on failure: every test needs it. */
struct world *world_new(const char *name);
void world_free(struct world *w);

/* What the CAs of a world look like, to be changed by a test before authority_make(). */
struct cert_plan plan_ca(const char *cn, const char *policy);
void authority_make(struct authority *a, const struct cert_plan *plan, enum key_type type, const struct authority *issuer);
void authority_free(struct authority *a);

/* A device, a TLS unit, signed by an authority with the given key. */
struct cert_plan plan_device(const char *serial);
struct cert_plan plan_unit(const char *role, const char *name);
struct cert make_cert(const struct cert_plan *plan, const struct key *key, const struct authority *issuer);

/* The certificate with its only occurrence of some bytes (or none) replaced by as many others, signed anew by signer: for what cert_build()
 * refuses to make. DER, free with buf_free(). */
struct buf patched(const struct cert *c, const void *find, const void *put, size_t len, const struct key *signer);

/* {leaf, the CA's certificate}: a new chain of copies. */
struct chain chain_of(const struct cert *leaf, const struct cert *above);

struct trust_rule rule_any(void);

/* Runs a shell command in the test's folder with the output kept away; its exit code. */
int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *scratch(const char *name);		/* a path below the folder; one of a few static buffers */
void scratch_write(const char *name, const void *data, size_t len);
void scratch_cert(const char *name, const struct cert *c);	/* PEM */
struct buf scratch_read(const char *name);
void scratch_remove(void);

#endif
