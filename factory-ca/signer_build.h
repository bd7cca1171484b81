/* signer_build.h - certificates from fields and profile: handsel-signer never signs what it has not made. */
#ifndef HANDSEL_SIGNER_BUILD_H
#define HANDSEL_SIGNER_BUILD_H

#include "authority.h"
#include "documents.h"
#include "key.h"
#include "signer_keys.h"
#include "signer_plan.h"

#define MODELS_MAX 64		/* models whose hwType is remembered */

struct builder {
	enum site site;
	struct authority ca;
	struct profiles device;
	struct profile unit;
	struct signer_keys keys;	/* those of the generation before are for revocation lists alone */
	struct {
		char manufacturer[LIMIT_NAME + 1], model[LIMIT_NAME + 1], hw_type[CERT_OID_MAX];
	} models[MODELS_MAX];
	size_t n_models;
};

/* Everything parsed once; keys are opened when they are needed. dir: of one CA, which is called `ca` below cas/. Before its ca.yaml is
 * there its devices' profile is the site's own. */
int builder_load(struct builder *b, const char *dir, const char *ca, enum site site, struct err *e);
void builder_free(struct builder *b);
int builder_reload(struct builder *b, const char *dir, struct err *e);	/* ca.yaml, profiles and models; -1: all stays as it was */

/* order NULL: without one, which the profile must allow. Codes PROFILE, REQUEST, those of signer_key(). */
int build_device(struct builder *b, const struct work_order *order, const struct sign_question *q, int64_t now,
		 struct buf *der, struct err *e);
int build_unit(struct builder *b, const struct unit_plan *u, const struct buf *spki, int64_t now, struct buf *der,
	       struct err *e);

/* A delegated OCSP responder of that CA key, whose own key is of spki. Codes of signer_key(). */
int build_responder(struct builder *b, enum crl_of of, const struct buf *spki, int64_t now, int64_t not_after, struct buf *der, struct err *e);

/* The ceremony's: root (issuer NULL), issuing and unit CA. */
int build_ca(const struct profile *p, const char *organization, enum site site, unsigned generation, const struct buf *spki,
	     const struct cert *issuer, const struct key *key, int64_t now, struct buf *der, struct err *e);

/* A root's certificate by the root `by`, whose key it is: the same name and key, and no longer life than either. */
int build_cross(const struct profile *p, const struct cert *root, const struct cert *by, const struct key *key, int64_t now,
		struct buf *der, struct err *e);

#endif
