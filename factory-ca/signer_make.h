/* signer_make.h - keys that the signer makes for devices (mode ca, H13), and the pool of RSA keys made ahead of demand.
 *
 * A private key lives in this process only, from its making to its encryption to the device's transport key. */
#ifndef HANDSEL_SIGNER_MAKE_H
#define HANDSEL_SIGNER_MAKE_H

#include "signer_build.h"

struct pool;

struct pool *pool_new(void);
void pool_free(struct pool *p);			/* NULL is fine */

/* A fresh key nobody else gets. RSA comes from the pool where one is ready; the first demand for a type makes the pool keep some. */
struct key *pool_take(struct pool *p, enum key_type type, struct err *e);
size_t pool_ready(struct pool *p, enum key_type type);
size_t pool_state(struct pool *p, struct pool_state *out, size_t max);	/* of each type; max: POOL_TYPES */

/* Makes a key, the certificate for it by build_device(), and the key in PKCS#8 as an envelope to q->spki. Codes as there. */
int make_device(struct builder *b, struct pool *p, const struct work_order *order, const struct sign_question *q,
		enum key_type type, int64_t now, struct buf *der, struct buf *encrypted_key, struct err *e);

#endif
