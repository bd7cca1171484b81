/* authz.h - may this device have a credential here? (H10) */
#ifndef HANDSEL_NODE_AUTHZ_H
#define HANDSEL_NODE_AUTHZ_H

#include "store.h"

/* 1 yes, 0 no with the reason in *why, -1 the database failed. Asked at every step. */
int authz_blocked(struct db *db, const struct node_device *d, struct err *why, struct err *e);	/* 0 blocked, 1 not */

/* What the factory's revocation list says of a certificate (factory_crl.h). */
enum crl_verdict {
	CRL_UNUSED,	/* node.yaml names none */
	CRL_UNKNOWN,	/* there is none that is good now: why, with E51 */
	CRL_GOOD,	/* not on one that is good now */
	CRL_REVOKED,	/* why, with E22 */
};
struct crl_word {
	enum crl_verdict verdict;
	struct err why;
};

/* Asked of new enrolments only: leaving the list or its dates takes nothing away. certificate: of the factory; crl: what is
 * known of it. */
int authz_listed(struct db *db, const struct device_id *id, const uint8_t certificate[SHA256_LEN], const struct crl_word *crl,
		 int64_t now, struct err *why, struct err *e);

#endif
