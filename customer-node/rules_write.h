/* rules_write.h - what every rule writes: audit, refusals, ends of requests. Inside the caller's transaction. */
#ifndef HANDSEL_NODE_RULES_WRITE_H
#define HANDSEL_NODE_RULES_WRITE_H

#include "rules.h"

int rules_audit(struct db *db, int64_t now, const char *actor, const char *action, const struct device_id *d,
		const char *detail, struct err *e);
int rules_audit_request(struct db *db, int64_t now, const char *actor, const char *action, const struct device_id *d,
			const struct request_id *id, const char *more, struct err *e);

/* The one place where a refusal is written and logged, so that device, log and list tell the same. */
int rules_write_refusal(struct db *db, struct node_device *dev, const struct err *why, const char *remote, int64_t now,
			struct err *e);

/* Dead for ever, and the CA is told, also of an id that it may not have seen yet: it keeps a tombstone. cause is ours, reason
 * the CRLReason name. */
int rules_end_request(struct db *db, const struct node_device *dev, const char *id, const char *cause, const char *reason,
		      const char *actor, int64_t now, struct err *e);

/* Everything that the device has here; queued activations are taken back in the same commit. The caller puts *dev. */
int rules_end_device(struct db *db, struct node_device *dev, const char *cause, const char *reason, const char *actor,
		     int64_t now, struct err *e);

#endif
