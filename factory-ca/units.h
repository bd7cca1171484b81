/* units.h - units that enrol by a code and renew by themselves, in the writer's thread: the ledger's side of it. The signer judges
 * by itself (signer_units.c); what is refused here is refused early, with a reason. */
#ifndef HANDSEL_CA_UNITS_H
#define HANDSEL_CA_UNITS_H

#include "exchange.h"

/* In the server's thread: the request is well-formed. */
int units_check(struct job *job, struct err *e);
/* In the writer's transaction: job->a is the answer. -1: the database or the signer failed. */
int units_enrol(struct desk *d, struct db *db, struct job *job, struct err *e);
int units_renew(struct desk *d, struct db *db, struct job *job, struct err *e);

#endif
