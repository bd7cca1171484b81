/* signer_private.h - what the files of handsel-signer's loop share: one CA that it holds the keys of, and the answers to the
 * questions of doc/protocol-signer.md 2. signer_serve.c has the table that says who may ask which of them when. */
#ifndef HANDSEL_SIGNER_PRIVATE_H
#define HANDSEL_SIGNER_PRIVATE_H

#include "action.h"
#include "audit_head.h"
#include "pack.h"
#include "signer_build.h"
#include "signer_count.h"
#include "signer_serve.h"

/* Answers about the certificates of a CA key: its own key, made when it is needed and never written. */
struct responder {
	struct key *key;		/* NULL: none yet */
	struct cert cert;
};

/* One CA: what it is asked, it answers with its own keys, counts and orders, and no other's (H4). */
struct server {
	const char *ca, *dir;		/* as the front names it; its folder */
	const struct signer_confined *confined;
	struct db *db;
	struct builder build;
	struct work_order **orders;	/* verified by this process */
	size_t n_orders;
	struct pool *pool;		/* RSA keys made ahead, of all CAs; NULL: an operator's signer */
	int64_t started_ms;
	struct responder responder[CRL_KINDS];
};

/* An answer to a question: 0, -1 refused with e, -2 malformed, which ends the signer. */
typedef int signer_answer(struct server *s, struct unpack *u, struct buf *answer, struct err *e);

/* signer_device.c: certificates of devices */
signer_answer signer_on_sign;
/* signer_journal.c: what was signed, and how ledger and journal agree again after a restore */
signer_answer signer_on_position, signer_on_journal, signer_on_orders, signer_on_take_over, signer_on_agree;
/* signer_operator.c: what only an operator may have done */
signer_answer signer_on_unit;
/* signer_units.c: units that an operator has invited, or that renew */
signer_answer signer_on_enrol, signer_on_renew;
/* 0: a unit of this CA in force, that nobody has revoked or ended. Codes AUTHORITY, CLOCK, ROLE. */
int signer_unit_good(struct server *s, const struct cert *unit, int64_t now, struct err *e);
/* signer_orders.c: work orders */
signer_answer signer_on_order, signer_on_close;
/* In a transaction of the caller's: an order that was verified, new or an extension; the same once more changes nothing. 1: it did. */
int signer_order_add(struct server *s, const struct work_order *o, const struct buf *cms, struct err *e);
/* signer_acts.c: what persons have signed, and what the local operator may do without */
signer_answer signer_on_act;
/* May the local operator do this alone? Not once he was ended, nor what needs two persons. Code ROLE. */
int signer_local_may(struct server *s, enum act a, struct err *e);
void signer_local_who(struct server *s, char out[WHO_MAX]);	/* for the audit */
/* May this invitation be used? A person's has come by his act. Code ROLE. */
int signer_may_invite(struct server *s, const struct invitation *v, const struct buf *cms, struct err *e);

/* The order as signer.db has it, in the version of now, verified; it stays until the next one is asked for in another transaction.
 * NULL with an error if there is none or it is closed. */
const struct work_order *signer_order_get(struct server *s, const char *id, struct err *e);

/* signer_head.c: heads of the ledger's audit */
signer_answer signer_on_head, signer_on_history;
int signer_new_history(struct server *s, const struct audit_state *base, struct err *e);	/* in a transaction of the caller's */

/* signer_ocsp.c: what a certificate's state is */
signer_answer signer_on_ocsp;
void responder_free(struct responder *r);

/* The order, if an operator of this CA has signed it. Code ORDER or of the signature. */
int signer_verify_order(struct server *s, const struct buf *cms, struct work_order *o, struct err *e);

#endif
