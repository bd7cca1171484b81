/* readers.h - the ledger for the threads that only read: connections of their own, and work orders that were
 * verified once. */
#ifndef HANDSEL_READERS_H
#define HANDSEL_READERS_H

#include "ledger.h"

struct readers;

struct readers *readers_new(const char *path, struct trust *trust, struct err *e);	/* NULL on failure */
void readers_free(struct readers *r);

/* A connection for one thread until it is put back. NULL on failure. */
struct db *readers_take(struct readers *r, struct err *e);
void readers_put(struct readers *r, struct db *db);
bool readers_damaged(struct readers *r, struct err *why);	/* true: one of them has met damage of the ledger */

/* 1: *o is the operator's signed order, which lives as long as the readers; 0: there is none. */
int readers_order(struct readers *r, struct db *db, const char *id, const struct work_order **o, struct err *e);

#endif
