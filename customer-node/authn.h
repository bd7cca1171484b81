/* authn.h - who is at the other end: a device under a factory's pinned issuing CA, or one of ours under the customer's (H9). */
#ifndef HANDSEL_NODE_AUTHN_H
#define HANDSEL_NODE_AUTHN_H

#include "makers.h"
#include "rules.h"
#include "x509.h"

struct authn;

/* The makers must outlive it. root: the customer's. */
struct authn *authn_new(const struct maker_set *makers, const struct cert *root, struct err *e);
/* Does a factory of this chain, root last, have CAs that may issue to devices? */
int authn_check_factory(const struct chain *factory, struct err *e);
void authn_free(struct authn *a);

/* The customer's issuing CAs, when they are known; until then its devices cannot be judged. May be called again. */
int authn_set_customer(struct authn *a, const struct chain *cas, struct err *e);

struct peer {
	bool anonymous;			/* showed no certificate */
	struct err why;			/* code OK: it is `id` */
	bool claimed;			/* why AUTHORITY: its CA is not believed (any more); it is `id` if this node has handed out this very
					 * certificate, whoever signed it: the device has its key */
	struct rules_peer id;		/* all but remote */
	const struct maker *maker;	/* of a new device */
	struct buf factory_certificate;	/* DER, as it was shown; empty from our own devices; free with buf_free() */
};
/* Once a connection. */
void authn_judge(struct authn *a, const struct chain *chain, int64_t now, struct peer *out);

#endif
