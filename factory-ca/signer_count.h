/* signer_count.h - the signer's own memory: work orders it has verified, and what it has signed of each. All SQL of
 * handsel-signer stands in signer_count.c. */
#ifndef HANDSEL_SIGNER_COUNT_H
#define HANDSEL_SIGNER_COUNT_H

#include "authority.h"
#include "db.h"
#include "documents.h"
#include "signer.h"

struct db *count_open(const char *path, struct err *e);

/* What the ceremony fixes for ever: the site and the root's hash, so that nobody exchanges root.pem under us. */
int count_site_set(struct db *db, enum site site, const uint8_t root[SHA256_LEN], struct err *e);
int count_site_get(struct db *db, enum site *site, uint8_t root[SHA256_LEN], struct err *e);

/* The root of each later generation. 1: there, 0: not, -1. */
int count_generation_set(struct db *db, unsigned n, const uint8_t root[SHA256_LEN], struct err *e);
int count_generation_get(struct db *db, unsigned n, uint8_t root[SHA256_LEN], struct err *e);

/* 1: there, 0: not, -1 error. cms may be NULL. */
int count_order_get(struct db *db, const char *id, struct buf *cms, bool *closed, struct err *e);
int count_order_add(struct db *db, const char *id, const struct buf *cms, struct err *e);
int count_order_close(struct db *db, const char *id, struct err *e);

/* Counts (order, serial, key) unless it was counted before. Code QUOTA if `most` are there already. */
int count_take(struct db *db, const char *order, const char *serial, const struct buf *spki, uint64_t most,
	       struct err *e);

/* What was made for a transport key (mode ca): asked again, it gets the same bytes. 1: there, 0: not, -1 error. */
int count_made_get(struct db *db, const char *order, const char *serial, const struct buf *spki, struct buf *der,
		   struct buf *encrypted_key, struct err *e);
int count_made_add(struct db *db, const char *order, const char *serial, const struct buf *spki, const struct buf *der,
		   const struct buf *encrypted_key, struct err *e);

/* ---- revocation lists, by the SHA-256 of the CA's public key ---- */
/* What is there already stays as it is. */
int count_revoked_add(struct db *db, const uint8_t ca[SHA256_LEN], const struct revoked_item *v, struct err *e);
/* The number of the next list, taken: above all before, and no less than the time, so that it grows even if signer.db comes
 * from a backup. *before: when the last list was made, 0 = there was none. */
int count_crl_next(struct db *db, const uint8_t ca[SHA256_LEN], int64_t now, int64_t *number, int64_t *before, struct err *e);
/* All but the certificates that expired before then. */
int count_revoked_list(struct db *db, const uint8_t ca[SHA256_LEN], int64_t expired_before,
		       int (*each)(void *arg, const struct revoked_item *v), void *arg, struct err *e);

int count_used(struct db *db, const char *order, int64_t *used, struct err *e);

#endif
