/* activate.h - the customer transaction (doc/transactions.md), first or as a renewal, from wherever the store stands. */
#ifndef HANDSEL_ACTIVATE_H
#define HANDSEL_ACTIVATE_H

#include "http.h"
#include "store.h"

/* Tries until the customer credential is in force (0), the node refuses, or give_up_ms (clock_mono_ms()) comes: -1 and why.
 * mode: who makes the key; of a request that is under way in the other mode a new one is made, unless it is stored.
 * customer (LIMIT_NAME + 1 bytes) gets the name in the node's certificate, "" if none was reached. */
int activate(struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms, char *customer, struct err *e);

/* The same under the customer credential in force, into the other customer slot. */
int renew(struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms, struct err *e);

/* The customer credential in force has used more than two thirds of its life, or a renewal of it is half done. 1, 0, -1. */
int renew_is_due(struct store *s, int64_t now, struct err *e);
bool renew_is_late(const struct cert *leaf, int64_t now);

#endif
