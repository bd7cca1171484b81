/* vouch.h - before anything is asked of a node: the manufacturer's word, a voucher, that this device is its customer's
 * (doc/protocol-est.md section 7). So neither another customer nor who has stolen its node's key can take the device. */
#ifndef HANDSEL_VOUCH_H
#define HANDSEL_VOUCH_H

#include "node.h"

/* node_connect(), and on a new connection under the factory root the voucher, if n->store is there to demand one. Codes of
 * node_connect(); VOUCHER it is absent, not genuine, for another device or an older one; OTHER_SITE it names another customer
 * than the node's certificate; the node's own where it refuses the device. */
int vouch_connect(struct node *n, struct err *e);

/* The voucher itself. floor: the highest sequence seen, 0 for none, and its customer; both are raised. */
struct vouch_floor {
	uint64_t sequence;
	char customer[LIMIT_NAME + 1];
};
int vouch_check(const struct buf *cms, struct trust *t, const struct device_id *device, const struct cert *own,
		const char *customer, struct vouch_floor *floor, struct err *e);

#endif
