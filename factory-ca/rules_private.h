/* rules_private.h - what rules.c, rules_issued.c, rules_operator.c and learn.c share. */
#ifndef HANDSEL_CA_RULES_PRIVATE_H
#define HANDSEL_CA_RULES_PRIVATE_H

#include "rules.h"

/* "manufacturer/model/serial": of whom an audit row tells. */
void audit_subject(char out[3 * LIMIT_NAME + 3], const struct device_id *d);
int audit_request(struct db *db, int64_t now, const char *actor, const char *action, const struct device_id *d,
		  const struct request_id *id, const char *detail, struct err *e);

/* A pending one that will never be active: its unit goes back to the order. *device is changed, not yet written. */
int request_give_up(struct db *db, const struct ledger_request *r, struct ledger_device *device, struct err *e);

/* The id is over: the device makes a new one, above this generation. */
void answer_dead(struct ca_answer *a, const struct request_id *id, uint32_t highest);

/* The name in "station:line-2". */
const char *unit_name(const char *unit);

/* Revokes one; a pending one gives its unit back. action: of the audit. */
int request_end(struct db *db, int64_t now, const char *actor, struct ledger_request *r, struct ledger_device *device,
		const char *reason, const char *action, struct err *e);

/* A confirmed renewal takes the place of what it renews. */
int request_take_place(struct db *db, const struct rules *ru, const char *actor, const struct ledger_request *r,
		       const struct device_id *device, struct err *e);

#endif
