#include <config.h>

#include "signer_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "limits.h"
#include "mem.h"
#include "models.h"
#include "signer_plan.h"

/* ---- what is loaded once ---- */
/* During the ceremony there is no ca.yaml yet. */
static int load_profiles(struct builder *b, const char *dir, struct err *e)
{
	struct settings s = { .site = b->site, .n_profiles = 1 };
	char path[FILE_PATH];

	snprintf(s.profile[0], sizeof s.profile[0], "%s", site_profile(b->site));
	if (file_join(path, e, dir, "ca.yaml") < 0 || (file_exists(path) && settings_load(&s, dir, e) < 0))
		return -1;
	if (s.site != b->site)
		return err_set(e, REASON_CONFIG, "%s says that this is a %s CA, and the ceremony made a %s CA; restore it from the backup",
			       path, site_name(s.site), site_name(b->site));
	return profiles_load(&b->device, dir, &s, e);
}

int builder_load(struct builder *b, const char *dir, const char *ca, enum site site, struct err *e)
{
	*b = (struct builder){ .site = site };
	if (authority_load(&b->ca, dir, e) < 0)
		return -1;
	if (load_profiles(b, dir, e) == 0 && profile_of_kind(&b->unit, dir, PROFILE_UNIT, e) == 0 &&
	    signer_keys_load(&b->keys, &b->ca, dir, ca, e) == 0)
		return 0;
	builder_free(b);
	return -1;
}

int builder_reload(struct builder *b, const char *dir, struct err *e)
{
	struct builder *fresh = mem_new(1, sizeof *fresh);
	int rc = -1;

	fresh->site = b->site;
	if (load_profiles(fresh, dir, e) == 0 && profile_of_kind(&fresh->unit, dir, PROFILE_UNIT, e) == 0) {
		b->device = fresh->device;
		b->unit = fresh->unit;
		b->n_models = 0;
		rc = 0;
	}
	free(fresh);
	return rc;
}

void builder_free(struct builder *b)
{
	signer_keys_free(&b->keys);
	authority_free(&b->ca);
	*b = (struct builder){0};
}

static int sign(struct builder *b, enum crl_of with, const struct cert_plan *plan, struct buf *der, struct err *e)
{
	const struct key *key = signer_key(&b->keys, with, e);

	if (!key)
		return -1;
	return cert_build(plan, crl_ca(&b->ca, with), key, der, e) < 0 ? signer_keys_failed(&b->keys, e) : 0;
}

/* hwType of a model, "" if no model file describes it. */
static const char *hw_type(struct builder *b, const struct device_id *d)
{
	struct model m = {0};
	struct err unknown;
	size_t i;

	for (i = 0; i < b->n_models; i++)
		if (strcmp(b->models[i].model, d->model) == 0 &&
		    strcmp(b->models[i].manufacturer, d->manufacturer) == 0)
			return b->models[i].hw_type;
	i = b->n_models < MODELS_MAX ? b->n_models++ : 0;
	snprintf(b->models[i].manufacturer, sizeof b->models[i].manufacturer, "%s", d->manufacturer);
	snprintf(b->models[i].model, sizeof b->models[i].model, "%s", d->model);
	b->models[i].hw_type[0] = 0;
	if (model_of(&m, d->manufacturer, d->model, &unknown) == 1)
		snprintf(b->models[i].hw_type, sizeof b->models[i].hw_type, "%s", m.hw_type);
	return b->models[i].hw_type;
}

int build_device(struct builder *b, const struct work_order *order, const struct sign_question *q, int64_t now,
		 struct buf *der, struct err *e)
{
	const struct profile *p = profiles_choose(&b->device, q->params.profile, e);
	struct cert_plan plan;

	if (!p || plan_device(&plan, p, b->site, order ? order->hw_type : hw_type(b, &q->device), order, q, b->ca.issuing.cert, now, e) < 0)
		return -1;
	return sign(b, CRL_ISSUING, &plan, der, e);
}

int build_unit(struct builder *b, const struct unit_plan *u, const struct buf *spki, int64_t now, struct buf *der,
	       struct err *e)
{
	struct cert_plan plan;

	return plan_unit(&plan, &b->unit, u, spki, b->ca.unit.cert, now, e) < 0 ? -1 : sign(b, CRL_UNIT, &plan, der, e);
}

int build_responder(struct builder *b, enum crl_of of, const struct buf *spki, int64_t now, int64_t until, struct buf *der, struct err *e)
{
	struct cert_plan plan;

	plan_responder(&plan, spki, crl_ca(&b->ca, of), now, until);
	return sign(b, of, &plan, der, e);
}

int build_ca(const struct profile *p, const char *organization, enum site site, unsigned generation, const struct buf *spki,
	     const struct cert *issuer, const struct key *key, int64_t now, struct buf *der, struct err *e)
{
	struct cert_plan plan;

	plan_ca(&plan, p, organization, site, generation, spki, issuer, now);
	return cert_build(&plan, issuer, key, der, e);
}

int build_cross(const struct profile *p, const struct cert *root, const struct cert *by, const struct key *key, int64_t now,
		struct buf *der, struct err *e)
{
	struct cert_plan plan;

	plan_cross(&plan, p, root, by, now);
	return cert_build(&plan, by, key, der, e);
}
