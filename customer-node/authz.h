/* authz.h - may this device have a credential here? (H10) */
#ifndef HANDSEL_NODE_AUTHZ_H
#define HANDSEL_NODE_AUTHZ_H

#include "store.h"

/* 1 yes, 0 no with the reason in *why, -1 the database failed. Asked at every step. */
int authz_blocked(struct db *db, const struct node_device *d, struct err *why, struct err *e);	/* 0 blocked, 1 not */

/* Asked of new enrolments only: leaving the list or its dates takes nothing away. certificate: of the factory. */
int authz_listed(struct db *db, const struct device_id *id, const uint8_t certificate[SHA256_LEN], int64_t now, struct err *why,
		 struct err *e);

#endif
