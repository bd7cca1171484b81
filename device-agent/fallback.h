/* fallback.h - back to the factory credential: by a signed release of the very credential in force, and by nothing else. */
#ifndef HANDSEL_FALLBACK_H
#define HANDSEL_FALLBACK_H

#include "http.h"
#include "store.h"

/* 0 if cms is a release by a node under the root of own that names this device and own's certificate. Codes AUTHORITY, ROLE,
 * REQUEST. */
int fallback_judge(const struct credential *own, const struct device_id *device, const struct buf *cms, struct err *e);

/* Asks the node for a release of the customer credential in force. 1: it was released, the factory credential is in force
 * again; 0: it was not; -1: not known, or the answer is not usable, and nothing was changed. */
int fallback(struct store *s, const struct url *url, int64_t give_up_ms, struct err *e);

#endif
