/* signer_crl.h - revocation lists in handsel-signer: what it was told is in signer.db for ever, so that neither a front that
 * is taken over nor a ledger from a backup takes a certificate off a list again. */
#ifndef HANDSEL_SIGNER_CRL_H
#define HANDSEL_SIGNER_CRL_H

#include "db.h"
#include "pack.h"
#include "signer_build.h"

/* The CA of which revocations are told; NULL with code CONFIG: of that one no longer. */
const struct cert *crl_ca_of(const struct builder *b, enum crl_of of, struct err *e);
int crl_read_item(struct unpack *u, struct revoked_item *v);	/* -1: malformed */

/* The questions of protocol-signer 2: 0 done, -1 refused, -2 malformed. */
int crl_remember(const struct builder *b, struct db *db, struct unpack *u, struct err *e);
int crl_sign(struct builder *b, struct db *db, int64_t now, struct unpack *u, struct buf *answer, struct err *e);

/* The same of any CA whose key is open: the next list, with all that db has of this CA, good until then. Replaces *der. *built: it failed, if at
 * all, at the key. */
int crl_sign_with(struct db *db, const struct cert *ca, const struct key *key, int64_t now, int64_t until, struct buf *der, bool *built,
		  struct err *e);

#endif
