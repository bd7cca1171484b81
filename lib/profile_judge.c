#include <config.h>

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "oid.h"
#include "profile_private.h"

#define DAY 86400

static bool is_ca(const struct profile *p)
{
	return p->kind == PROFILE_ROOT || p->kind == PROFILE_ISSUING || p->kind == PROFILE_UNIT_CA;
}

static const struct conf_node *at(const struct reading *r, int field)
{
	return r->f[field] ? r->f[field] : r->root;
}

/* It stands there, right or wrong: what is wrong was told, and has no consequences. */
static bool written(const struct reading *r, int field)
{
	return conf_get(r->root, profile_fields[field].name);
}

/* The item of a list that reads so. */
static const struct conf_node *item_of(const struct reading *r, int field, const char *text)
{
	const struct conf_node *list = r->f[field];

	for (size_t i = 0; list && i < conf_count(list); i++)
		if (strcmp(conf_text(conf_item(list, i)), text) == 0)
			return conf_item(list, i);
	return at(r, field);
}

/* ---- the file alone ---- */
#define K(kind) (1u << (kind))
#define DEVICES (K(PROFILE_DEVICE_FACTORY) | K(PROFILE_DEVICE_CUSTOMER))
#define LEAVES (DEVICES | K(PROFILE_UNIT))
#define CAS (K(PROFILE_ROOT) | K(PROFILE_ISSUING) | K(PROFILE_UNIT_CA))

/* A field of no use is a misunderstanding of somebody who relies on it. */
static void judge_places_of_fields(struct reading *r)
{
	static const struct {
		int field;
		unsigned kinds;
	} limited[] = {
		{ F_MAX, LEAVES }, { F_ALLOW, DEVICES }, { F_COMMON_NAME, DEVICES }, { F_LOCALITY, DEVICES }, { F_EMAIL, DEVICES },
		{ F_INCLUDE, DEVICES }, { F_NAMES, DEVICES }, { F_DNS, DEVICES }, { F_URI, DEVICES }, { F_USAGE, LEAVES },
		{ F_KEY_ID, DEVICES }, { F_NO_REV, LEAVES },
		{ F_POLICIES, LEAVES | K(PROFILE_ISSUING) | K(PROFILE_UNIT_CA) },
		{ F_PERMITTED, K(PROFILE_ISSUING) | K(PROFILE_UNIT_CA) }, { F_EXCLUDED, K(PROFILE_ISSUING) | K(PROFILE_UNIT_CA) },
		{ F_CRL, LEAVES | K(PROFILE_ISSUING) | K(PROFILE_UNIT_CA) }, { F_OCSP, LEAVES | K(PROFILE_ISSUING) | K(PROFILE_UNIT_CA) },
		{ F_ISSUER, LEAVES | K(PROFILE_ISSUING) | K(PROFILE_UNIT_CA) },
	};

	for (size_t i = 0; i < ARRAY_LEN(limited); i++) {
		const struct conf_node *n = r->f[limited[i].field];

		if (n && !(limited[i].kinds & K(r->p->kind)))
			problem_add(r->all, n, true, limited[i].field == F_USAGE ? "usage" : limited[i].field == F_NO_REV ? "revocation" : "field",
				    "\"%s\" has no meaning for the kind %s%s; remove it", profile_fields[limited[i].field].name,
				    profile_kind_name(r->p->kind), limited[i].field == F_NO_REV ? ", which is a CA: no CA can do without" : "");
	}
}

static void judge_ca_bit(struct reading *r)
{
	if (r->f[F_CA])
		problem_add(r->all, r->f[F_CA], true, "ca", "whether it is a CA follows from the kind (RFC 5280 4.2.1.9), and %s is %s; remove the field",
			    profile_kind_name(r->p->kind), is_ca(r->p) ? "one" : "none");
}

static void judge_validity(struct reading *r)
{
	const struct profile *p = r->p;

	if (r->f[F_VALIDITY] && p->validity_max_days && (p->validity_days == 0 || p->validity_days > p->validity_max_days))
		problem_add(r->all, at(r, F_VALIDITY), true, "validity", "'validity' is more than 'validity-max'; lower the one or raise the other");
	if (p->allow_validity && !written(r, F_MAX))
		problem_add(r->all, item_of(r, F_ALLOW, "validity"), false, "validity",
			    "a request may ask for any life, as there is no 'validity-max'; set one");
	if (p->no_rev_avail && (p->crl_url[0] || p->ocsp_url[0]))
		problem_add(r->all, at(r, F_NO_REV), true, "revocation", "'no-revocation' says that nobody tells of a revocation, and 'crl-url' or "
			    "'ocsp-url' where (RFC 9608 3); remove the one or the other");
	if (p->no_rev_avail && r->f[F_VALIDITY] && (!p->validity_s || p->allow_validity))
		problem_add(r->all, at(r, F_NO_REV), true, "revocation", "'no-revocation' is for what lives less than a day and is no CA (RFC 9608 2); "
			    "shorten 'validity', and do not allow a request to ask for another");
}

static void judge_subject(struct reading *r)
{
	const struct profile *p = r->p;
	static const struct {
		int field;
		const char *allow;
	} fixed[] = { { F_ORGANIZATION, "organization" }, { F_UNIT, "unit" } };

	for (size_t i = 0; profile_is_device(p) && i < ARRAY_LEN(fixed); i++) {
		const struct conf_node *n = r->f[fixed[i].field], *allow = r->f[F_ALLOW] ? item_of(r, F_ALLOW, fixed[i].allow) : NULL;

		if (!n && allow && allow != r->f[F_ALLOW])
			n = allow;
		if (n)
			problem_add(r->all, n, true, "subject", "organization and unit of a device are its manufacturer and model, and cannot be "
				    "set; remove them from the profile");
	}
	if (p->order_needed && p->kind != PROFILE_DEVICE_FACTORY)
		problem_add(r->all, at(r, F_ORDER), true, "order", "'order-needed' is for the kind device-factory alone; remove it");
}

/* Each name of the subjectAltName has to come from somewhere, and what is given must be used. */
static void judge_names(struct reading *r)
{
	const struct profile *p = r->p;

	if (!profile_is_device(p))
		return;
	if (p->kind == PROFILE_DEVICE_FACTORY && !p->hardware_name)
		problem_add(r->all, at(r, F_NAMES), true, "san", "a factory credential names its device by hardwareModuleName, or the device does "
			    "not take it; add hardware-module");
	if (r->f[F_NAMES] && p->email_name && !written(r, F_EMAIL) && !p->allow_email)
		problem_add(r->all, item_of(r, F_NAMES, "email"), true, "san-source", "there is nothing to take an e-mail address from; set 'email', "
			    "allow a request to tell it, or remove the name");
	if (!p->email_name && (p->email[0] || p->allow_email))
		problem_add(r->all, p->email[0] ? at(r, F_EMAIL) : item_of(r, F_ALLOW, "email"), true, "san-source",
			    "an e-mail address is in the subjectAltName alone (RFC 5280 4.1.2.6), and 'names' lacks it; add email there");
	if (p->dns_name && !written(r, F_DNS))
		problem_add(r->all, item_of(r, F_NAMES, "dns"), true, "san-source", "there is nothing to make a dNSName from; set 'dns-domain'");
	if (p->uri_name && !written(r, F_URI))
		problem_add(r->all, item_of(r, F_NAMES, "uri"), true, "san-source", "there is nothing to make a URI from; set 'uri-prefix'");
	if ((r->f[F_DNS] && !p->dns_name) || (r->f[F_URI] && !p->uri_name))
		problem_add(r->all, r->f[F_DNS] && !p->dns_name ? r->f[F_DNS] : r->f[F_URI], true, "san-source",
			    "it is used only with dns or uri in 'names'; add that there, or remove this");
	if (strncmp(p->uri_prefix, "handsel:", 8) == 0)
		problem_add(r->all, at(r, F_URI), true, "san", "URIs that begin with handsel: say the role of a unit; no device may have one");
}

static void judge_key_usage(struct reading *r)
{
	const uint32_t rsa = K(KEY_RSA2048) | K(KEY_RSA3072), ec = K(KEY_P256) | K(KEY_P384);
	struct profile *p = r->p;

	if (!r->f[F_KEY_USAGE]) {
		p->key_cert_sign = p->crl_sign = is_ca(p);
		p->digital_signature = !is_ca(p);
		return;
	}
	if (is_ca(p)) {
		if (!p->key_cert_sign || !p->crl_sign || p->digital_signature || p->key_encipherment || p->key_agreement)
			problem_add(r->all, r->f[F_KEY_USAGE], true, "key-usage", "a CA has key-cert-sign and crl-sign, and nothing else; remove the field");
		return;
	}
	if (p->key_cert_sign || p->crl_sign)
		problem_add(r->all, item_of(r, F_KEY_USAGE, p->key_cert_sign ? "key-cert-sign" : "crl-sign"), true, "ca",
			    "this would be a CA's key, and the kind %s is none (RFC 5280 4.2.1.3, 4.2.1.9); remove it", profile_kind_name(p->kind));
	if (!p->digital_signature)
		problem_add(r->all, r->f[F_KEY_USAGE], true, "key-usage", "without digital-signature no TLS handshake can be signed; add it");
	if (p->key_encipherment && !(p->key_types & rsa))
		problem_add(r->all, item_of(r, F_KEY_USAGE, "key-encipherment"), true, "key-usage", "key-encipherment is for RSA keys (RFC 3279 2.3.1), "
			    "and the profile allows none");
	if (p->key_agreement && !(p->key_types & ec))
		problem_add(r->all, item_of(r, F_KEY_USAGE, "key-agreement"), true, "key-usage", "key-agreement is for EC keys (RFC 5480 3), and the "
			    "profile allows none");
}

static void judge_purposes(struct reading *r)
{
	static const struct {
		const char *oid, *why;
	} refused[] = {
		{ "2.5.29.37.0", "anyExtendedKeyUsage: leave 'usage' out, which means the same" },
		{ "1.3.6.1.5.5.7.3.1", "it is called server-auth" },
		{ "1.3.6.1.5.5.7.3.2", "it is called client-auth" },
		{ "1.3.6.1.5.5.7.3.3", "code signing: what a device or unit signs would be believed as software" },
		{ "1.3.6.1.5.5.7.3.8", "time stamping: it stands alone (RFC 3161 2.3), and neither device nor unit does it" },
		{ "1.3.6.1.5.5.7.3.9", "OCSP signing: it would speak for the CA (RFC 6960 4.2.2.2)" },
	};
	const struct profile *p = r->p;

	for (size_t i = 0; i < PLAN_PURPOSES && p->purpose[i][0]; i++)
		for (size_t k = 0; k < ARRAY_LEN(refused); k++)
			if (strcmp(p->purpose[i], refused[k].oid) == 0)
				problem_add(r->all, item_of(r, F_USAGE, p->purpose[i]), true, "usage", "not for the kind %s: %s",
					    profile_kind_name(p->kind), refused[k].why);
	if (!r->f[F_USAGE] || is_ca(p))
		return;
	if (!p->client_auth && conf_count(r->f[F_USAGE]))
		problem_add(r->all, r->f[F_USAGE], true, "usage", "every device and unit is a TLS client somewhere in this system, and this one could "
			    "not be; add client-auth, or leave 'usage' out for no restriction at all");
	if (p->kind == PROFILE_DEVICE_FACTORY && p->server_auth)
		problem_add(r->all, item_of(r, F_USAGE, "server-auth"), true, "usage", "a factory credential serves nobody: it is for getting a "
			    "customer's credential; remove server-auth");
	if (p->kind == PROFILE_DEVICE_CUSTOMER && p->server_auth && !p->dns_name)
		problem_add(r->all, item_of(r, F_USAGE, "server-auth"), false, "usage", "TLS clients know a server by a dNSName (RFC 9525 4.1), and "
			    "there is none; add dns to 'names', and 'dns-domain'");
}

static bool is_own_policy(const struct profile *p, const char *oid)
{
	return p->kind == PROFILE_ISSUING ? strcmp(oid, OID_POLICY_FACTORY) == 0 || strcmp(oid, OID_POLICY_CUSTOMER) == 0
					  : strcmp(oid, profile_policy(p->kind, false)) == 0;
}

static void judge_policies(struct reading *r)
{
	const struct profile *p = r->p;

	for (size_t i = 0; i < PROFILE_POLICIES && p->policies[i][0]; i++) {
		const char *oid = p->policies[i];
		const struct conf_node *n = item_of(r, F_POLICIES, oid);

		if (p->kind == PROFILE_ROOT)
			continue;
		if (strcmp(oid, OID_POLICY_ANY) == 0)
			problem_add(r->all, n, true, "policy", "anyPolicy is for what certifies a root, and would make this pass for another kind");
		else if (is_own_policy(p, oid))
			problem_add(r->all, n, true, "policy", "the policy of the kind is there anyway; remove it");
		else if (strncmp(oid, OID_ARC ".1.", strlen(OID_ARC ".1.")) == 0)
			problem_add(r->all, n, true, "policy", "this policy says another kind of certificate, and would make this one pass for it");
		for (size_t k = 0; k < i; k++)
			if (strcmp(p->policies[k], oid) == 0)
				problem_add(r->all, n, true, "policy", "it stands here twice (RFC 5280 4.2.1.4); remove one");
	}
}

static bool all_of_form(const struct name_limits *l, enum name_form form)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->of[i].excluded && l->of[i].form == form && !l->of[i].text[0] &&
		     (form != FORM_IP || memcmp(l->of[i].ip, (uint8_t[32]){ 0 }, 32) == 0);
	return n >= (form == FORM_IP ? 2u : 1u);
}

static void judge_ca(struct reading *r)
{
	const struct profile *p = r->p;

	if (!is_ca(p))
		return;
	if (r->f[F_KEYS] && p->key_types && !(p->key_types & K(KEY_P256)))
		problem_add(r->all, r->f[F_KEYS], true, "key-type", "a CA's key is made as p256, which this profile does not allow; add it");
	if (p->key_types & ~(K(KEY_P256) | K(KEY_P384)))
		problem_add(r->all, r->f[F_KEYS], true, "key-type", "a CA's key is of p256 or p384 here; remove the others");
	if (p->kind == PROFILE_UNIT_CA && all_of_form(&p->limits, FORM_DNS) && all_of_form(&p->limits, FORM_IP))
		problem_add(r->all, at(r, F_EXCLUDED), true, "constraints", "no host is left for the units that serve (ca, node); exclude less");
}

static void judge_urls(struct reading *r)
{
	static const int fields[] = { F_CRL, F_OCSP, F_ISSUER };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (r->f[fields[i]] && strncmp(conf_text(r->f[fields[i]]), "https:", 6) == 0)
			problem_add(r->all, r->f[fields[i]], false, "url", "whoever asks there has to judge another certificate first, and may go in "
				    "circles (RFC 5280 8); what is there is signed: write http://");
}

void profile_judge(struct reading *r)
{
	judge_places_of_fields(r);
	judge_ca_bit(r);
	judge_validity(r);
	judge_subject(r);
	judge_names(r);
	judge_key_usage(r);
	judge_purposes(r);
	judge_policies(r);
	judge_ca(r);
	judge_urls(r);
}

/* ---- beside the CA that issues by it ---- */
static bool outlives(uint32_t days, uint32_t above)
{
	return above && (days == 0 || days > above);
}

/* The life of an IDevID is meant to be longer than any CA's (802.1AR clause 8): who verifies it keeps the CA's certificate. */
static void judge_lives(struct reading *r, const struct profile_world *w)
{
	const struct profile *p = r->p, *above = w->above;
	char end[TEXT_TIME];

	if (!r->f[F_VALIDITY] || p->kind == PROFILE_ROOT || (p->kind == PROFILE_DEVICE_FACTORY && p->validity_days == 0))
		return;
	if (above && outlives(p->validity_days, above->validity_days))
		problem_add(r->all, at(r, F_VALIDITY), true, "validity", "it is longer than the life of the CA that signs it, %u days in profile %s; "
			    "shorten it", above->validity_days, above->id);
	else if (above && p->validity_max_days && outlives(p->validity_max_days, above->validity_days))
		problem_add(r->all, at(r, F_MAX), true, "validity", "it is longer than the life of the CA that signs it, %u days in profile %s; "
			    "shorten it", above->validity_days, above->id);
	if (!w->ca || w->ca->not_after == X509_NO_EXPIRY || is_ca(p))
		return;
	text_time(end, w->ca->not_after);
	if (p->validity_days == 0 || w->now + (int64_t)p->validity_days * DAY > w->ca->not_after)
		problem_add(r->all, at(r, F_VALIDITY), false, "validity", "the certificates end earlier, with the CA in force, on %s; think of a rollover",
			    end);
}

static bool has_policy(const struct profile *p, const char *oid)
{
	for (size_t i = 0; i < PROFILE_POLICIES && p->policies[i][0]; i++)
		if (strcmp(p->policies[i], oid) == 0)
			return true;
	return false;
}

/* RFC 5280 6.1.3 (d): a policy that the CA's certificate lacks is not there for who verifies. */
static void judge_known_policies(struct reading *r, const struct profile_world *w)
{
	const struct profile *p = r->p;

	for (size_t i = 0; !is_ca(p) && i < PROFILE_POLICIES && p->policies[i][0]; i++) {
		const char *oid = p->policies[i];

		if (w->ca ? !cert_has_policy(w->ca, oid) && !cert_has_policy(w->ca, OID_POLICY_ANY) : w->above && !has_policy(w->above, oid))
			problem_add(r->all, item_of(r, F_POLICIES, oid), true, "policy", "%s does not have it, so nobody can rely on it (RFC 5280 6.1.3); "
				    "add it to the profile %s before the CA is made", w->ca ? "the CA in force" : "the CA that signs it",
				    w->above ? w->above->id : "of the CA");
	}
}

/* The names that every certificate of this profile has. */
static void put_name(struct buf *out, enum name_form form, const char *text)
{
	buf_byte(out, (uint8_t)(0x80 | form));
	buf_byte(out, (uint8_t)strlen(text));
	buf_add(out, text, strlen(text));
}

static int names_allowed(const struct profile *p, const struct cert *ca, struct err *e)
{
	struct buf names = {0};
	char text[sizeof p->dns_domain + 2];
	int rc;

	snprintf(text, sizeof text, "s.%s", p->dns_domain);
	if (p->dns_name)
		put_name(&names, FORM_DNS, text);
	if (p->email_name && p->email[0] && strlen(p->email) < 128)
		put_name(&names, FORM_EMAIL, p->email);
	rc = name_limits_check(ca, names.data, names.len, p->id, e);
	buf_free(&names);
	return rc;
}

static bool excludes(const struct profile *ca, const struct profile *p)
{
	struct cert c = {0};
	struct err no;
	int rc;

	if (ca->limits.n == 0)
		return false;
	name_limits_put(&c.der, &ca->limits);
	c.limits = (struct cert_span){ .len = (uint16_t)c.der.len };
	rc = names_allowed(p, &c, &no);
	buf_free(&c.der);
	return rc < 0;
}

static void judge_constraints(struct reading *r, const struct profile_world *w)
{
	struct err why;

	for (size_t i = 0; i < w->n_below; i++)
		if (excludes(r->p, &w->below[i]))
			problem_add(r->all, at(r, r->f[F_PERMITTED] ? F_PERMITTED : F_EXCLUDED), true, "constraints",
				    "the names of the profile %s, which this CA signs by, are not allowed by it; widen it, or change them", w->below[i].id);
	if (profile_is_device(r->p) && w->ca && names_allowed(r->p, w->ca, &why) < 0)
		problem_add(r->all, at(r, r->p->dns_name ? F_DNS : F_EMAIL), true, "constraints", "the CA in force may not certify these names: %s",
			    why.text);
	else if (profile_is_device(r->p) && !w->ca && w->above && excludes(w->above, r->p))
		problem_add(r->all, at(r, r->p->dns_name ? F_DNS : F_EMAIL), true, "constraints", "the constraints in the profile %s of the CA that signs "
			    "it do not allow these names; change the one or the other", w->above->id);
}

void profile_judge_world(struct reading *r, const struct profile_world *w)
{
	judge_lives(r, w);
	judge_known_policies(r, w);
	judge_constraints(r, w);
}
