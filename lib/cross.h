/* cross.h - a root's certificate by another root: an upper CA's for it (H14), or an old root's for the new one (RFC 4210 4.4).
 *
 * Such a certificate is a link. Who slept through several rollovers goes from the root that he knows to the one in force link by link:
 * each is signed by the root that is reached so far, and there are LIMIT_ROOT_LINKS at most. */
#ifndef HANDSEL_CROSS_H
#define HANDSEL_CROSS_H

#include "x509.h"

/* 0: `cross` says of the root `root`, by name and key, that the root `by` stands for it, now. All three are judged whole.
 * Codes AUTHORITY, CLOCK. */
int cross_verify(const struct cert *cross, const struct cert *root, const struct cert *by, int64_t now, struct err *e);

/* Do links of `among`, which may hold anything in any order, lead from the root `by` to the root `root`, now? Each must be in force. */
bool cross_way(const struct chain *among, const struct cert *root, const struct cert *by, int64_t now);

/* Of certificates in any order a root to which there is a way from `old`, and which is another; NULL if there is none. */
const struct cert *cross_newer(const struct chain *among, const struct cert *old, int64_t now);

/* Does the chain hold by this root alone, without another one's word for it? */
bool cross_leads(const struct cert *root, const struct chain *chain, const struct trust_rule *rule);

#endif
