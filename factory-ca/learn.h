/* learn.h - the ledger takes over what the signer's journal knows and it does not: at each start, what a cut left between the two,
 * and by an operator's word, after the ledger was put back from a backup (doc/transactions.md). */
#ifndef HANDSEL_CA_LEARN_H
#define HANDSEL_CA_LEARN_H

#include "rules.h"
#include "signer.h"

/* How ledger and journal stand to each other. */
enum accord {
	ACCORD,			/* the ledger has all, but perhaps for the changes of a last message that a cut left */
	LEDGER_BEHIND,		/* it has told the signer of changes that it does not know now: it was put back */
	SIGNER_BEHIND		/* the ledger knows changes that are not in the journal: signer.db was put back */
};

const char *accord_text(enum accord a);		/* what is older than what */

struct learn {
	const char *ca;			/* as system.h names it; "": the one that an operator's signer was started on */
	struct rules rules;		/* pending_s 0: what is pending does not lapse */
	const char *actor;		/* for the audit */
	/* May be NULL. Each row that the ledger lacks, or has in another state. */
	void (*told)(void *arg, const struct signed_row *row);
	void *arg;
	size_t n;			/* of these */
};

/* *ledger: up to which change the ledger has them all; *changes: the last one of the journal. */
int learn_compare(struct db *ledger, struct signer *s, const char *ca, enum accord *accord, uint64_t *at, uint64_t *changes,
		  struct err *e);

/* Inside the caller's transaction: all changes above `at`. Nothing but the ledger is changed. Code QUOTA: an order has no unit for
 * what the signer confirms, so these two are not of one CA system. */
int learn_all(struct db *ledger, struct signer *s, struct learn *l, uint64_t at, struct err *e);

/* One of them. What is over comes before what is not, since it makes room. */
int learn_row(struct db *ledger, struct learn *l, const struct signed_row *row, struct err *e);

#endif
