/* activate.h - the customer transaction (design: customer 1-9), from wherever the store stands. */
#ifndef HANDSEL_ACTIVATE_H
#define HANDSEL_ACTIVATE_H

#include "http.h"
#include "store.h"

/* Tries until the customer credential is in force (0), the node refuses, or give_up_ms (clock_mono_ms()) comes: -1 and why.
 * mode: who makes the key; of a request that is under way in the other mode a new one is made, unless it is stored.
 * customer (LIMIT_NAME + 1 bytes) gets the name in the node's certificate, "" if none was reached. */
int activate(struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms, char *customer, struct err *e);

#endif
