#include <config.h>

#include "signer_plan.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "functions.h"
#include "limits.h"
#include "mem.h"
#include "oid.h"
#include "policy.h"

#define DAY_S 86400

static int64_t not_after(const struct profile *p, uint32_t wanted_days, int64_t now)
{
	uint32_t days = wanted_days ? wanted_days : p->validity_days;

	if (p->validity_s && days == p->validity_days)
		return now + p->validity_s;
	return days ? now + (int64_t)days * DAY_S : X509_NO_EXPIRY;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The first that is not empty. */
static void pick(char *out, size_t size, const char *given, const char *profile, const char *otherwise)
{
	snprintf(out, size, "%s", *given ? given : *profile ? profile : otherwise);
}

/* What does not depend on whose certificate it is. */
static void put_common(struct cert_plan *plan, const struct profile *p, const struct buf *spki)
{
	enum key_type type = spki_type(spki);
	bool rsa = type == KEY_RSA2048 || type == KEY_RSA3072;

	plan->spki = spki;
	plan->digital_signature = p->digital_signature;
	plan->key_encipherment = p->key_encipherment && rsa;	/* RFC 3279 2.3.1 */
	plan->key_agreement = p->key_agreement && !rsa;		/* RFC 5480 3 */
	memcpy(plan->purpose, p->purpose, sizeof plan->purpose);
	memcpy(plan->policies, p->policies, sizeof plan->policies);
	plan->no_key_id = p->no_key_id;
	plan->crl_url = p->crl_url;
	plan->ocsp_url = p->ocsp_url;
	plan->issuer_url = p->issuer_url;
	plan->no_rev_avail = p->no_rev_avail;
}

/* ---- devices ---- */
static void put_common_name(struct cert_plan *plan, const struct profile *p, const struct device_id *d)
{
	if (p->common_name == COMMON_NONE)
		return;
	/* RFC 5280 appendix A: a common name has at most 64 characters; the serial alone is as good a name */
	if (p->common_name == COMMON_SERIAL || snprintf(plan->subject_cn, sizeof plan->subject_cn, "%s %s", d->model, d->serial) > LIMIT_NAME)
		snprintf(plan->subject_cn, sizeof plan->subject_cn, "%s", d->serial);
}

static int put_serial_names(struct cert_plan *plan, const struct profile *p, const char *serial, struct err *e)
{
	struct name_limits check = {0};
	char text[sizeof plan->dns[0] + 4];

	if (p->dns_name) {
		snprintf(text, sizeof text, "dns:%s.%s", serial, p->dns_domain);
		if (strchr(serial, '.') || strcmp(serial, "*") == 0 || name_limits_add(&check, false, text) < 0)
			return err_set(e, REASON_PROFILE, "protocol-ca 4.2: the profile '%s' names a device SERIAL.%s, and the serial %s cannot be part "
				       "of a DNS name", p->id, p->dns_domain, serial);
		snprintf(plan->dns[0], sizeof plan->dns[0], "%s.%s", serial, p->dns_domain);
	}
	if (p->uri_name) {
		if (!text_is_token(serial, LIMIT_SERIAL))
			return err_set(e, REASON_PROFILE, "protocol-ca 4.2: the profile '%s' names a device by a URI, of which the serial %s cannot be "
				       "part", p->id, serial);
		snprintf(plan->uri[0], sizeof plan->uri[0], "%s%s", p->uri_prefix, serial);
	}
	return 0;
}

int plan_device(struct cert_plan *plan, const struct profile *p, enum site site, const char *hw_type, bool order, const struct sign_question *q,
		const struct cert *issuer, int64_t now, struct err *e)
{
	const struct ca_params *w = &q->params;

	*plan = (struct cert_plan){ .path_len = -1, .server_auth = p->server_auth, .client_auth = p->client_auth };
	if (!device_valid(&q->device))
		return err_set(e, REASON_REQUEST, "device: manufacturer, model or serial is not a valid name");
	if (p->order_needed && !order)
		return err_set(e, REASON_ORDER, "profile %s signs only within a work order", p->id);
	if (profile_check(p, w, spki_type(&q->spki), e) < 0)
		return -1;
	put_common(plan, p, &q->spki);
	put_common_name(plan, p, &q->device);
	pick(plan->organization, sizeof plan->organization, w->organization, p->organization, q->device.manufacturer);
	pick(plan->unit, sizeof plan->unit, w->unit, p->unit, q->device.model);
	pick(plan->locality, sizeof plan->locality, w->locality, p->locality, "");
	if (p->email_name)
		pick(plan->email, sizeof plan->email, w->email, p->email, "");
	snprintf(plan->serial_number, sizeof plan->serial_number, "%s", q->device.serial);
	plan->not_before = now - BACKDATE_S;
	plan->not_after = not_after(p, w->validity_days, now);
	if (site == SITE_CUSTOMER || plan->not_after != X509_NO_EXPIRY)
		plan->not_after = earlier(plan->not_after, issuer->not_after);
	plan->policy = profile_policy(p->kind, site == SITE_FACTORY);
	plan->hw_type = *hw_type && p->hardware_name ? hw_type : NULL;
	return put_serial_names(plan, p, q->device.serial, e);
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

int plan_unit(struct cert_plan *plan, const struct profile *p, const struct unit_plan *u, const struct buf *spki, const struct cert *issuer,
	      int64_t now, struct err *e)
{
	struct ca_params none = {0};
	enum role role = policy_role(u->role);

	*plan = (struct cert_plan){ .path_len = -1, .client_auth = true, .not_before = now - BACKDATE_S, .policy = OID_POLICY_UNIT,
				    .not_after = earlier(not_after(p, 0, now), issuer->not_after) };
	if (role == ROLE_OTHER)
		return err_set(e, REASON_REQUEST, "role \"%s\": must be ca, station, node, operator, person, ra or kmc",
			       u->role);
	if (!text_is_token(u->name, LIMIT_NAME))
		return err_set(e, REASON_REQUEST, "name \"%s\": letters, digits, \".\", \"_\" and \"-\", at most %d",
			       u->name, LIMIT_NAME);
	if (*u->customer && (!text_is_token(u->customer, LIMIT_NAME) || role != ROLE_NODE))
		return err_set(e, REASON_REQUEST, "customer \"%s\": a token, and only for a node", u->customer);
	if ((role == ROLE_PERSON) != (functions_parse(u->functions) != 0) || (role != ROLE_PERSON && *u->functions))
		return err_set(e, REASON_REQUEST, "a person has functions, and no other role has: \"handsel-ca operator invite\"");
	if (profile_check(p, &none, spki_type(spki), e) < 0 || add_hosts(plan, u, e) < 0)
		return -1;
	put_common(plan, p, spki);
	plan->server_auth = policy_is_server(role);
	snprintf(plan->subject_cn, sizeof plan->subject_cn, "%s %s", u->role, u->name);
	pick(plan->organization, sizeof plan->organization, "", p->organization, "");
	pick(plan->unit, sizeof plan->unit, "", p->unit, "");
	snprintf(plan->uri[0], sizeof plan->uri[0], "handsel:%s:%s", u->role, u->name);
	if (*u->customer)
		snprintf(plan->uri[1], sizeof plan->uri[1], "handsel:customer:%s", u->customer);
	if (*u->functions)
		snprintf(plan->uri[1], sizeof plan->uri[1], "handsel:functions:%s", u->functions);
	return 0;
}

void plan_responder(struct cert_plan *plan, const struct buf *spki, const struct cert *ca, int64_t now, int64_t until)
{
	*plan = (struct cert_plan){ .spki = spki, .path_len = -1, .digital_signature = true, .ocsp_signing = true, .subject_cn = "OCSP responder",
				    .not_before = now - BACKDATE_S, .not_after = earlier(until, ca->not_after) };
}

/* ---- CAs ---- */
void plan_ca(struct cert_plan *plan, const struct profile *p, const char *organization, enum site site, unsigned generation,
	     const struct buf *spki, const struct cert *issuer, int64_t now)
{
	const char *what = p->kind == PROFILE_ROOT ? "root" : p->kind == PROFILE_ISSUING ? "issuing CA" : "unit CA";

	*plan = (struct cert_plan){ .ca = true, .path_len = p->kind == PROFILE_ROOT ? -1 : 0, .key_cert_sign = true, .crl_sign = true,
				    .limits = &p->limits, .not_before = now - BACKDATE_S,
				    .not_after = earlier(not_after(p, 0, now), issuer ? issuer->not_after : X509_NO_EXPIRY) };
	put_common(plan, p, spki);
	snprintf(plan->subject_cn, sizeof plan->subject_cn, "%.40s %s %s", organization, site_name(site), what);
	if (generation > 1)	/* another name, so that nobody has to tell two keys of one name apart */
		snprintf(plan->subject_cn, sizeof plan->subject_cn, "%.36s %s %s %u", organization, site_name(site), what, generation);
	pick(plan->organization, sizeof plan->organization, p->organization, "", organization);
	pick(plan->unit, sizeof plan->unit, p->unit, "", "");
	plan->policy = profile_policy(p->kind, site == SITE_FACTORY);
}

#define CROSS_PATH LIMIT_ROOT_LINKS	/* below it: the issuing CA, and newer roots of the same CA */

void plan_cross(struct cert_plan *plan, const struct profile *p, const struct cert *root, const struct cert *by, int64_t now)
{
	*plan = (struct cert_plan){ .spki = &root->spki, .as = root, .ca = true, .path_len = CROSS_PATH, .key_cert_sign = true, .crl_sign = true,
				    .policy = OID_POLICY_ANY, .not_before = now - BACKDATE_S,
				    .not_after = earlier(not_after(p, 0, now), earlier(root->not_after, by->not_after)) };
}
