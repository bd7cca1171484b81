/* factory_crl.h - the manufacturers' revocation lists: one for each issuing CA of a handoff, kept in the folder factory-crl/
 * of the node, so that a restart knows what was known. protocol-est 6.4 tells what they decide.
 *
 * A list is taken from wherever it comes, as its signature is what counts; one with a lower number than that of the list in
 * force is refused. Thread-safe. */
#ifndef HANDSEL_NODE_FACTORY_CRL_H
#define HANDSEL_NODE_FACTORY_CRL_H

#include "authz.h"
#include "makers.h"

struct factory_crls;

/* With what is kept in the folder. The makers must outlive it. NULL on failure. */
struct factory_crls *factory_crls_new(const struct maker_set *makers, const char *dir, struct err *e);
void factory_crls_free(struct factory_crls *f);		/* NULL is fine */

/* DER or PEM. 1 in force now, and on the disk; 0 it was already; -1 refused: AUTHORITY of no CA that we know, BLOCKED older
 * than what is in force, REQUEST malformed, STORAGE. */
int factory_crls_take(struct factory_crls *f, const struct buf *text, struct err *e);

/* What is known about a device's factory certificate (DER). */
void factory_crls_judge(struct factory_crls *f, const struct buf *certificate, int64_t now, struct crl_word *word);

/* The same of one that nobody has shown yet: whether there is a fresh list of this manufacturer. */
void factory_crls_judge_maker(struct factory_crls *f, const char *manufacturer, int64_t now, struct crl_word *word);

/* For people: calls each for every issuing CA; number 0: there is no list of it. */
struct factory_crl_state {
	const char *manufacturer, *issuer;
	uint64_t number;
	int64_t this_update, next_update;
	size_t certificates;
};
void factory_crls_list(struct factory_crls *f, void (*each)(void *arg, const struct factory_crl_state *s), void *arg);

#endif
