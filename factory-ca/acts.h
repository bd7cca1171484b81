/* acts.h - what operators have signed (action.h), carried out in the ledger: for the front, and for the folder's own commands. The
 * signer judges by itself (signer_acts.c); what is refused here is refused early, or is the ledger's own matter. */
#ifndef HANDSEL_CA_ACTS_H
#define HANDSEL_CA_ACTS_H

#include "action.h"
#include "exchange.h"

/* The ledger, in a transaction of the caller's, and who asks the signer. */
struct acts {
	struct db *db;
	struct trust *trust;
	enum site site;
	int64_t now;
	int (*sign)(void *arg, const struct buf *action, const struct buf *approval, struct buf *made, struct err *e);	/* as desk_act() */
	void *arg;
};

/* *answer: acted or refused. -1: the database or the signer failed. a: as action_read() has it from cms; likewise p. */
int acts_ask(const struct acts *x, const struct action *a, const struct buf *cms, struct ca_answer *answer, struct err *e);
int acts_second(const struct acts *x, const struct approval *p, const struct buf *cms, struct ca_answer *answer, struct err *e);

/* ---- for exchange.c ---- */
/* In the server's thread: signed by whoever asks, whose function allows it. 1: submit it. */
int acts_check(struct desk *d, const struct peer *peer, struct job *job, struct err *e);
int acts_run(struct desk *d, struct db *db, struct job *job, struct err *e);
/* It may be about any device: what an approval is of, the ledger knows, and a certificate names no device here. */
bool acts_touch_devices(const struct job *job);
void acts_free(struct job *job);

#endif
