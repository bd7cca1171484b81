/* signer_count.h - the signer's own memory: work orders it has verified, and what it has signed of each. All SQL of
 * handsel-signer stands in signer_count.c and signer_count_acts.c. */
#ifndef HANDSEL_SIGNER_COUNT_H
#define HANDSEL_SIGNER_COUNT_H

#include "audit_head.h"
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

struct count_order {
	bool closed;
	uint32_t version;
	int64_t used;			/* keys that were counted */
};
/* 1: there, 0: not, -1 error. cms may be NULL. */
int count_order_get(struct db *db, const char *id, struct buf *cms, struct count_order *o, struct err *e);
/* A new one, or an extension, which takes the place of the one before. */
int count_order_put(struct db *db, const struct work_order *o, const struct buf *cms, struct err *e);
int count_order_close(struct db *db, const char *id, struct err *e);

/* (order, serial, key): 0 it was counted before, 1 it can be counted, -1 with code QUOTA if `most` are there already. */
int count_room(struct db *db, const char *order, const char *serial, const struct buf *spki, uint64_t most, struct err *e);
/* Counts one that was not. */
int count_take(struct db *db, const char *order, const char *serial, const struct buf *spki, struct err *e);

/* ---- the journal: each certificate of a device, and what became of it ----
 *
 * Each change of it, a new certificate or a new state, has the next number. A ledger that follows tells up to which number it has
 * them all; one that has told of more before was put back since, and so was this database if the ledger tells of more than there
 * is. */
struct count_position {
	uint64_t changes;		/* the number of the last change */
	uint64_t told;			/* the highest that a ledger has told of */
};
int count_position(struct db *db, struct count_position *p, struct err *e);
int count_told(struct db *db, uint64_t told, struct err *e);
/* signer.db came out of a backup: no ledger fits until an operator has reconciled. */
int count_restored(struct db *db, struct err *e);
/* An operator's word: ledger and journal are both at `position`, which is new to both, and so are the rows taken over. */
int count_agree(struct db *db, uint64_t position, struct err *e);

/* What was signed for this question: in an order for its (order, serial, key), else for its (unit, id, key); asked again it gets
 * the same bytes. 1: there, 0: not, -1 error. */
int count_signed_get(struct db *db, const struct sign_question *q, struct buf *der, struct buf *encrypted_key, struct err *e);
int count_signed_add(struct db *db, const struct sign_question *q, const struct buf *der, const struct buf *encrypted_key,
		     struct err *e);

/* A certificate that is not in the journal is of before there was one: nothing is done. 1: it is a change. */
int count_note(struct db *db, const struct sign_note *note, struct err *e);

/* Rows with a change above `after` and n above `last`, by n, up to `max`. */
int count_journal(struct db *db, uint64_t after, uint64_t last, size_t max,
		  int (*each)(void *arg, const struct signed_row *row), void *arg, struct err *e);

/* A row that the ledger has and the journal has not, or in another state; its order is known. 1: there was something to do, and
 * its number comes with count_agree(). */
int count_take_over(struct db *db, const struct signed_row *row, const struct cert *cert, struct err *e);

/* ---- work orders, to tell ---- */
int count_orders(struct db *db, uint64_t skip, size_t max,
		 int (*each)(void *arg, const char *id, bool closed, const struct buf *cms), void *arg, struct err *e);

/* ---- revocation lists, by the SHA-256 of the CA's public key ---- */
/* What is there already stays as it is. */
int count_revoked_add(struct db *db, const uint8_t ca[SHA256_LEN], const struct revoked_item *v, struct err *e);
/* 1: it is revoked, *v says how; 0: not told; -1. */
int count_revoked_get(struct db *db, const uint8_t ca[SHA256_LEN], const char *serial, struct revoked_item *v, struct err *e);
/* 1: the journal has this certificate, and it is over; 0: else. */
int count_ended(struct db *db, const struct cert *c, struct err *e);
/* The number of the next list, taken: above all before, and no less than the time, so that it grows even if signer.db comes
 * from a backup. *before: when the last list was made, 0 = there was none. */
int count_crl_next(struct db *db, const uint8_t ca[SHA256_LEN], int64_t now, int64_t *number, int64_t *before, struct err *e);
/* All but the certificates that expired before then. */
int count_revoked_list(struct db *db, const uint8_t ca[SHA256_LEN], int64_t expired_before,
		       int (*each)(void *arg, const struct revoked_item *v), void *arg, struct err *e);

/* ---- the ledger's audit: the last row that was read, and when a head was signed last ---- */
int count_head_get(struct db *db, struct audit_head *h, struct err *e);		/* without signature */
int count_head_set(struct db *db, const struct audit_head *h, struct err *e);
int count_revoked_has(struct db *db, const uint8_t ca[SHA256_LEN], const char *serial, struct err *e);	/* 1: it was told so */

/* ---- codes that were used: once, but for the same key again. 1: used, *spki and *der say by whom; 0: not ---- */
int count_invitation_get(struct db *db, const uint8_t key[INVITE_KEY], struct buf *spki, struct buf *der, struct err *e);
int count_invitation_use(struct db *db, const uint8_t key[INVITE_KEY], const struct buf *spki, const struct buf *der, struct err *e);

/* ---- acts of persons. 1: there, 0: not, -1 ---- */
/* done: it was carried out, else rejected; for ever either way. */
/* made: the certificate that it was about, which is given again; else empty. Replaced. */
int count_act_get(struct db *db, const char *id, uint8_t sha256[SHA256_LEN], bool *done, struct buf *made, struct err *e);
int count_act_put(struct db *db, const char *id, const uint8_t sha256[SHA256_LEN], bool done, const struct buf *made, struct err *e);
/* Who was ended, and when; of a role that the last name stands for: the name "". */
int count_gone_get(struct db *db, const char *role, const char *name, int64_t *when, struct err *e);
int count_gone_put(struct db *db, const char *role, const char *name, int64_t when, struct err *e);
/* Units' certificates that an act has revoked: no front can keep that to itself. */
int count_barred_has(struct db *db, const char *serial, struct err *e);
int count_barred_put(struct db *db, const char *serial, int64_t when, struct err *e);
/* The acts that need two persons, as acts_parse() has them. */
int count_guarded_get(struct db *db, unsigned *set, struct err *e);
int count_guarded_set(struct db *db, unsigned set, struct err *e);
/* Invitations of persons that came by an act, by the SHA-256 of the CMS. */
int count_permit_get(struct db *db, const uint8_t sha256[SHA256_LEN], struct err *e);
int count_permit_put(struct db *db, const uint8_t sha256[SHA256_LEN], struct err *e);

int count_used(struct db *db, const char *order, int64_t *used, struct err *e);

#endif
