/* inquire.h - what operators read of a CA over the network: one page of lines (doc/protocol-ca.md 4.15). */
#ifndef HANDSEL_CA_INQUIRE_H
#define HANDSEL_CA_INQUIRE_H

#include "authority.h"
#include "camsg.h"
#include "db.h"
#include "err.h"

struct inquiry {
	struct db *ledger;	/* nothing is written */
	struct trust *trust;
	int64_t now;
	const struct authority *ca;
	const char *name;	/* of the manufacturer or the customer whose CA it is */
};

/* Whether it may be asked is the caller's to judge (functions.h). *a becomes a page. */
int inquire(const struct inquiry *q, const struct ca_query *ask, struct ca_answer *a, struct err *e);

#endif
