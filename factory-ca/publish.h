/* publish.h - revocation lists of a CA, from the ledger through the signer into the folder crl/ of the CA, where
 * protocol-ca 1.9 takes them: issuing.crl for devices' certificates, unit.crl for units', and one more of each for each rollover; and root.crl for those
 * of the CAs, which is made elsewhere, where the root is. */
#ifndef HANDSEL_PUBLISH_H
#define HANDSEL_PUBLISH_H

#include "db.h"
#include "signer.h"
#include "system.h"

#define PUBLISH_CHECK_S 3	/* how soon after a revocation there is a list that says so */

/* Where the lists of a CA come from. */
struct crl_source {
	const struct authority *ca;
	const char *name;		/* as system.h names the CA */
	struct db *ledger;
	struct signer *signer;
};

struct publisher {		/* zero it: nothing was told or published yet */
	struct published {
		int64_t told;		/* the last revocation that the signer knows; 0: none */
		uint64_t number;
		int64_t this_update, next_update;	/* 0: none was published */
		int64_t renew;		/* when it is made anew, so that two overlap */
		size_t entries;
	} list[CRL_KINDS];
	struct published root;	/* that of the root in force, as it was found; number 0: there is none */
	int64_t root_warned;	/* when it was last said that the list of a root ends */
};

/* Tells the signer of all units that are revoked, and makes no list. */
int crl_tell_units(const struct crl_source *from, struct err *e);
/* Tells the signer what the ledger has beyond p->told, and takes a list from it; of is one that crl_ca() knows. Replaces *der. */
int crl_make(struct published *p, const struct crl_source *from, enum crl_of of, uint64_t valid_s, struct buf *der, struct err *e);

/* Publishes what is due of a CA, whose folder is dir: after a revocation, and when half of the time of a list is over. The lists are made anew when
 * the program starts. Codes: CA_UNAVAILABLE the signer is gone, STORAGE; what is due stays so. */
int publisher_run(struct publisher *p, const struct crl_source *from, const char *dir, uint64_t valid_s, int64_t now, struct err *e);

/* The list of the root of that generation, which lies in its folder: 1, 0 there is none, -1. der may be NULL. */
int root_list_read(struct published *p, const char *dir, unsigned generation, struct buf *der, struct err *e);

/* The list of that name as it was published: 1 with the DER in *der, 0 there is no such list, -1. */
int publisher_get(const char *dir, const struct authority *ca, const char *file, struct buf *der, struct err *e);

#endif
