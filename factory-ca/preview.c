#include <config.h>

#include "preview.h"

#include <string.h>

static int plan(const struct preview *v, struct cert_plan *plan, struct err *e)
{
	switch (v->profile->kind) {
	case PROFILE_DEVICE_FACTORY:
	case PROFILE_DEVICE_CUSTOMER:
		return plan_device(plan, v->profile, v->site, v->hw_type, true, &v->q, v->issuer, v->now, e);
	case PROFILE_UNIT:
		return plan_unit(plan, v->profile, &v->unit, &v->q.spki, v->issuer, v->now, e);
	default:
		plan_ca(plan, v->profile, v->organization, v->site, 1, &v->q.spki, v->issuer, v->now);
		return 0;
	}
}

/* By a CA of the issuer's name and key id whose key is ours. */
static int sign(const struct preview *v, const struct key *key, struct cert_plan *plan, struct buf *der, struct err *e)
{
	struct cert posing;
	struct buf spki = {0};
	int rc = -1;

	plan->number = v->number;
	if (!v->issuer)
		return cert_build(plan, NULL, key, der, e);
	if (key_spki(key, &spki, e) == 0) {
		posing = *v->issuer;
		posing.spki = spki;
		rc = cert_build(plan, &posing, key, der, e);
	}
	buf_free(&spki);
	return rc;
}

static enum key_type like(const struct cert *issuer)
{
	enum key_type type = issuer ? spki_type(&issuer->spki) : KEY_P256;

	return type == KEY_NONE || type == KEY_OTHER ? KEY_P256 : type;
}

int preview_build(struct preview *v, struct buf *der, struct err *e)
{
	struct key *made = v->key ? NULL : key_generate(like(v->issuer), e), *subject = NULL;
	const struct key *key = v->key ? v->key : made;
	enum key_type type = KEY_P256;
	struct cert_plan p;
	int rc = key ? 0 : -1;

	if (rc == 0 && (!v->issuer || !v->q.spki.len)) {	/* the subject's key is not given */
		if (v->issuer && (rc = profile_choose(v->profile, &v->q.params, &type, e)) == 0)
			rc = (subject = key_generate(type, e)) ? 0 : -1;
		if (rc == 0)
			rc = key_spki(subject ? subject : key, &v->q.spki, e);
	}
	if (rc == 0)
		rc = plan(v, &p, e) < 0 || sign(v, key, &p, der, e) < 0 ? -1 : 0;
	key_free(subject);
	key_free(made);
	return rc;
}
