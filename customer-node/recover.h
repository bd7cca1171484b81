/* recover.h - a database that was put back from a backup takes over what the CA knows of its ids (tests/model/restore-node.pml).
 *
 * Each change that the CA may come to hear of puts a new random mark into the database (triggers in store.c). A message to the CA
 * carries the last one, and the CA keeps it with what the message changed. So a node whose database does not know the CA's mark
 * has an older one than the CA has worked with; a crash loses nothing that was sent. */
#ifndef HANDSEL_NODE_RECOVER_H
#define HANDSEL_NODE_RECOVER_H

#include "caclient.h"
#include "store.h"

enum learned {
	LEARNED_NOTHING,
	LEARNED_ACTIVE,		/* the CA holds it for active */
	LEARNED_PENDING,	/* handed out, perhaps confirmed: it does not lapse */
	LEARNED_SUPERSEDED,
	LEARNED_DEAD,
	LEARNED_BLOCKED,	/* dead by a block, which is taken over, too */
	LEARNED_REVOKE,		/* dead here: it is to be revoked there */
};
#define LEARNED_KINDS (LEARNED_REVOKE + 1)
const char *learned_text(enum learned l);

/* Takes one over, inside the caller's transaction; in the order in which the CA gives them. older: the database is, by
 * recover_judge(); so what is pending in both may have been confirmed since. */
int recover_learn(struct db *db, const struct ca_known *k, bool older, const char *actor, int64_t now, enum learned *l,
		  struct err *e);

/* Begins and ends it, inside the caller's transaction. mark: the CA's. */
int recover_begin(struct db *db, int64_t now, struct err *e);
int recover_end(struct db *db, const char *mark, const char *actor, int64_t now, struct err *e);

/* Asks the CA: for its mark alone, or for the ids behind row `after`. *a is filled; free with ca_answer_free(). */
int recover_ask(struct ca_client *c, bool list, int64_t after, struct ca_answer *a, struct err *e);

/* 1: this database is what the CA has worked with last; 0: it is older; -1. */
int recover_judge(struct db *db, const char *mark, struct err *e);

#endif
