/* preview.h - the certificate that a profile gives for some fields, planned by the signer's own code (signer_plan.h) and signed by a key
 * that is thrown away: all but number and signature is as the CA would issue it. */
#ifndef HANDSEL_PREVIEW_H
#define HANDSEL_PREVIEW_H

#include "signer_plan.h"

struct preview {
	const struct profile *profile;
	enum site site;
	int64_t now;
	const struct cert *issuer;	/* NULL: it signs itself, a root */
	const struct key *key;		/* instead of one that is thrown away; in a root it is the subject's, too */
	const uint8_t *number;		/* as in struct cert_plan */

	/* of a device: fields of the request; q.spki is the subject's key whatever it is, empty: one that is thrown away, too */
	struct sign_question q;
	char hw_type[CERT_OID_MAX];
	struct unit_plan unit;		/* of a unit */
	const char *organization;	/* of a CA */
};

/* Replaces *der. Codes as the signer would refuse it, but that an order is taken for given. Fills q.spki where it was empty. */
int preview_build(struct preview *v, struct buf *der, struct err *e);

#endif
