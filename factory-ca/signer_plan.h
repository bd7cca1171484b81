/* signer_plan.h - what a certificate will say, made of fields and a profile alone: no key is asked. signer_build.c signs what is
 * planned here, and `handsel-ca profile preview` shows it. */
#ifndef HANDSEL_SIGNER_PLAN_H
#define HANDSEL_SIGNER_PLAN_H

#include "authority.h"
#include "profile.h"
#include "signer.h"

#define BACKDATE_S 300		/* notBefore this much in the past: the peers' clocks differ by minutes */

/* Plans point into profile, spki, issuer and, for hw_type, into what is given: these must outlive them. Of what is issued nothing
 * outlives its issuer, but for a factory credential that is good for ever (802.1AR clause 8). */

/* hw_type "": the model is not known; order: within a work order. Codes PROFILE, ORDER, REQUEST. */
int plan_device(struct cert_plan *plan, const struct profile *p, enum site site, const char *hw_type, bool order, const struct sign_question *q,
		const struct cert *issuer, int64_t now, struct err *e);
int plan_unit(struct cert_plan *plan, const struct profile *p, const struct unit_plan *u, const struct buf *spki, const struct cert *issuer,
	      int64_t now, struct err *e);

/* A delegated OCSP responder of that CA. */
void plan_responder(struct cert_plan *plan, const struct buf *spki, const struct cert *ca, int64_t now, int64_t not_after);

/* Root (issuer NULL), issuing and unit CA. */
void plan_ca(struct cert_plan *plan, const struct profile *p, const char *organization, enum site site, unsigned generation,
	     const struct buf *spki, const struct cert *issuer, int64_t now);

/* A root's certificate by the root `by`: the same name and key, and no longer life than either. */
void plan_cross(struct cert_plan *plan, const struct profile *p, const struct cert *root, const struct cert *by, int64_t now);

#endif
