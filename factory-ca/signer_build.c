#include <config.h>

#include "signer_build.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "limits.h"
#include "mem.h"
#include "models.h"
#include "oid.h"
#include "policy.h"

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
	if (load_profiles(b, dir, e) == 0 && datadir_profile(&b->unit, "unit", e) == 0 &&
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
	if (load_profiles(fresh, dir, e) == 0 && datadir_profile(&fresh->unit, "unit", e) == 0) {
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

static int64_t not_after(const struct profile *p, uint32_t wanted_days, int64_t now)
{
	uint32_t days = wanted_days ? wanted_days : p->validity_days;

	if (p->validity_s && days == p->validity_days)
		return now + p->validity_s;
	return days ? now + (int64_t)days * 86400 : X509_NO_EXPIRY;
}

/* The first that is not empty. */
static void pick(char *out, size_t size, const char *given, const char *profile, const char *otherwise)
{
	snprintf(out, size, "%s", *given ? given : *profile ? profile : otherwise);
}

/* Where to ask whether it is revoked, or that nobody tells. */
static void put_revocation(struct cert_plan *plan, const struct profile *p)
{
	plan->crl_url = p->crl_url;
	plan->ocsp_url = p->ocsp_url;
	plan->no_rev_avail = p->no_rev_avail;
}

/* ---- devices ---- */
int build_device(struct builder *b, const struct work_order *order, const struct sign_question *q, int64_t now,
		 struct buf *der, struct err *e)
{
	const struct ca_params *w = &q->params;
	const struct profile *p = profiles_choose(&b->device, w->profile, e);
	struct cert_plan plan = { .spki = &q->spki, .path_len = -1, .digital_signature = true };
	const char *type;

	if (!p)
		return -1;
	plan.server_auth = p->server_auth;
	plan.client_auth = p->client_auth;
	if (!device_valid(&q->device))
		return err_set(e, REASON_REQUEST, "device: manufacturer, model or serial is not a valid name");
	if (p->order_needed && !order)
		return err_set(e, REASON_ORDER, "profile %s signs only within a work order", p->id);
	if (profile_check(p, w, spki_type(&q->spki), e) < 0)
		return -1;
	/* RFC 5280 appendix A: a common name has at most 64 characters; the serial alone is as good a name */
	if (snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s %s", q->device.model, q->device.serial) > LIMIT_NAME)
		snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s", q->device.serial);
	pick(plan.organization, sizeof plan.organization, w->organization, p->organization, q->device.manufacturer);
	pick(plan.unit, sizeof plan.unit, w->unit, p->unit, q->device.model);
	pick(plan.locality, sizeof plan.locality, w->locality, p->locality, "");
	pick(plan.email, sizeof plan.email, w->email, p->email, "");
	snprintf(plan.serial_number, sizeof plan.serial_number, "%s", q->device.serial);
	plan.not_before = now - BACKDATE_S;
	plan.not_after = not_after(p, w->validity_days, now);
	plan.policy = b->site == SITE_FACTORY ? OID_POLICY_FACTORY : OID_POLICY_CUSTOMER;
	type = order ? order->hw_type : hw_type(b, &q->device);
	plan.hw_type = *type ? type : NULL;
	put_revocation(&plan, p);
	return sign(b, CRL_ISSUING, &plan, der, e);
}

/* ---- units ---- */
static int add_hosts(struct cert_plan *plan, const struct unit_plan *u, struct err *e)
{
	unsigned char address[16];
	size_t dns = 0, ip = 0;

	for (size_t i = 0; i < SIGNER_HOSTS && *u->host[i]; i++) {
		const char *h = u->host[i];
		bool is_ip = inet_pton(AF_INET, h, address) == 1 || inet_pton(AF_INET6, h, address) == 1;

		if (!is_ip && !text_is_token(h, sizeof plan->dns[0] - 1))
			return err_set(e, REASON_REQUEST, "host \"%s\" is neither a name nor an address", h);
		if (is_ip && ip < ARRAY_LEN(plan->ip))
			snprintf(plan->ip[ip++], sizeof plan->ip[0], "%s", h);
		else if (!is_ip && dns < ARRAY_LEN(plan->dns))
			snprintf(plan->dns[dns++], sizeof plan->dns[0], "%s", h);
		else
			return err_set(e, REASON_REQUEST, "too many hosts: at most %zu names and %zu addresses",
				       ARRAY_LEN(plan->dns), ARRAY_LEN(plan->ip));
	}
	return 0;
}

int build_unit(struct builder *b, const struct unit_plan *u, const struct buf *spki, int64_t now, struct buf *der,
	       struct err *e)
{
	struct ca_params none = {0};
	struct cert_plan plan = { .spki = spki, .path_len = -1, .digital_signature = true, .client_auth = true,
		.not_before = now - BACKDATE_S, .not_after = not_after(&b->unit, 0, now), .policy = OID_POLICY_UNIT };
	enum role role = policy_role(u->role);

	if (role == ROLE_OTHER)
		return err_set(e, REASON_REQUEST, "role \"%s\": must be ca, station, node, operator, ra or kmc",
			       u->role);
	if (!text_is_token(u->name, LIMIT_NAME))
		return err_set(e, REASON_REQUEST, "name \"%s\": letters, digits, \".\", \"_\" and \"-\", at most %d",
			       u->name, LIMIT_NAME);
	if (*u->customer && (!text_is_token(u->customer, LIMIT_NAME) || role != ROLE_NODE))
		return err_set(e, REASON_REQUEST, "customer \"%s\": a token, and only for a node", u->customer);
	if (profile_check(&b->unit, &none, spki_type(spki), e) < 0 || add_hosts(&plan, u, e) < 0)
		return -1;
	plan.server_auth = policy_is_server(role);
	put_revocation(&plan, &b->unit);
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s %s", u->role, u->name);
	pick(plan.organization, sizeof plan.organization, "", b->unit.organization, "");
	pick(plan.unit, sizeof plan.unit, "", b->unit.unit, "");
	snprintf(plan.uri[0], sizeof plan.uri[0], "handsel:%s:%s", u->role, u->name);
	if (*u->customer)
		snprintf(plan.uri[1], sizeof plan.uri[1], "handsel:customer:%s", u->customer);
	return sign(b, CRL_UNIT, &plan, der, e);
}

int build_responder(struct builder *b, enum crl_of of, const struct buf *spki, int64_t now, int64_t until, struct buf *der, struct err *e)
{
	struct cert_plan plan = { .spki = spki, .path_len = -1, .digital_signature = true, .ocsp_signing = true, .subject_cn = "OCSP responder",
				  .not_before = now - BACKDATE_S, .not_after = until };
	const struct cert *ca = crl_ca(&b->ca, of);

	if (plan.not_after > ca->not_after)
		plan.not_after = ca->not_after;
	return sign(b, of, &plan, der, e);
}

/* ---- CAs ---- */
int build_ca(enum profile_kind kind, const struct profile *p, const char *organization, enum site site, unsigned generation,
	     const struct buf *spki, const struct cert *issuer, const struct key *key, int64_t now, struct buf *der,
	     struct err *e)
{
	const char *what = kind == PROFILE_ROOT ? "root" : kind == PROFILE_ISSUING ? "issuing CA" : "unit CA";
	struct cert_plan plan = { .spki = spki,
				  .ca = true,
				  .path_len = kind == PROFILE_ROOT ? -1 : 0,
				  .key_cert_sign = true,
				  .crl_sign = true,
				  .not_before = now - BACKDATE_S,
				  .not_after = not_after(p, 0, now) };

	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%.40s %s %s", organization, site_name(site), what);
	if (generation > 1)	/* another name, so that nobody has to tell two keys of one name apart */
		snprintf(plan.subject_cn, sizeof plan.subject_cn, "%.36s %s %s %u", organization, site_name(site), what, generation);
	pick(plan.organization, sizeof plan.organization, p->organization, "", organization);
	pick(plan.unit, sizeof plan.unit, p->unit, "", "");
	if (kind == PROFILE_ISSUING)
		plan.policy = site == SITE_FACTORY ? OID_POLICY_FACTORY : OID_POLICY_CUSTOMER;
	if (kind == PROFILE_UNIT_CA)
		plan.policy = OID_POLICY_UNIT;
	return cert_build(&plan, issuer, key, der, e);
}

#define CROSS_PATH 2	/* below it: the issuing CA, and a newer root of the same CA */

int build_cross(const struct profile *p, const struct cert *root, const struct cert *by, const struct key *key, int64_t now,
		struct buf *der, struct err *e)
{
	struct cert_plan plan = { .spki = &root->spki, .as = root, .ca = true, .path_len = CROSS_PATH, .key_cert_sign = true, .crl_sign = true,
				  .policy = OID_POLICY_ANY, .not_before = now - BACKDATE_S, .not_after = not_after(p, 0, now) };

	if (plan.not_after > root->not_after)
		plan.not_after = root->not_after;
	if (plan.not_after > by->not_after)
		plan.not_after = by->not_after;
	return cert_build(&plan, by, key, der, e);
}
