/* cross.h - a root's certificate by another root: an upper CA's for it (H14), or an old root's for the new one (RFC 4210 4.4). */
#ifndef HANDSEL_CROSS_H
#define HANDSEL_CROSS_H

#include "x509.h"

/* 0: `cross` says of the root `root`, by name and key, that the root `by` stands for it, now. All three are judged whole.
 * Codes AUTHORITY, CLOCK. */
int cross_verify(const struct cert *cross, const struct cert *root, const struct cert *by, int64_t now, struct err *e);

/* Of certificates in any order the one for which cross_verify() is 0; NULL if there is none. */
const struct cert *cross_find(const struct chain *among, const struct cert *root, const struct cert *by, int64_t now);

/* Of certificates in any order a root that `old` has certified, and which is another; NULL if there is none. */
const struct cert *cross_newer(const struct chain *among, const struct cert *old, int64_t now);

/* Does the chain hold by this root alone, without another one's word for it? */
bool cross_leads(const struct cert *root, const struct chain *chain, const struct trust_rule *rule);

#endif
