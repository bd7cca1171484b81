/* heads.h - heads of the ledger's audit: its rows shown to the signer, which reads every one of them and signs the last. */
#ifndef HANDSEL_HEADS_H
#define HANDSEL_HEADS_H

#include <pthread.h>

#include "audit_head.h"
#include "signer.h"

struct head_source {
	const char *name;		/* of the CA, as system.h names it */
	const struct cert *unit_ca;	/* whose key signs heads */
	struct db *ledger;
	struct signer **signer;
	pthread_mutex_t *lock;		/* of *signer, taken for each message; NULL: nobody else has it */
};

/* A head of the last row of the ledger's audit. Code AUDIT: the audit is not the one that the signer has read, or has no row;
 * CA_UNAVAILABLE: the signer is gone. */
int head_make(const struct head_source *from, struct audit_head *h, struct err *e);

#endif
