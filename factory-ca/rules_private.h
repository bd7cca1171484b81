/* rules_private.h - what rules.c and learn.c share. */
#ifndef HANDSEL_CA_RULES_PRIVATE_H
#define HANDSEL_CA_RULES_PRIVATE_H

#include "rules.h"

int audit_request(struct db *db, int64_t now, const char *actor, const char *action, const struct device_id *d,
		  const struct request_id *id, const char *detail, struct err *e);

/* A pending one that will never be active: its unit goes back to the order. *device is changed, not yet written. */
int request_give_up(struct db *db, const struct ledger_request *r, struct ledger_device *device, struct err *e);

/* A confirmed renewal takes the place of what it renews. */
int request_take_place(struct db *db, const struct rules *ru, const char *actor, const struct ledger_request *r,
		       const struct device_id *device, struct err *e);

#endif
