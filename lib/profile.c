#include <config.h>

#include "profile.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "oid.h"
#include "profile_private.h"

/* Each field of the files is explained in profiles/README.md. */

#define DAY 86400u
#define VALIDITY_MAX_DAYS 36525u	/* a century; more is `forever` */

static const char *const kinds[] = {
	[PROFILE_ROOT] = "root", [PROFILE_ISSUING] = "issuing", [PROFILE_UNIT_CA] = "unit-ca", [PROFILE_UNIT] = "unit",
	[PROFILE_DEVICE_FACTORY] = "device-factory", [PROFILE_DEVICE_CUSTOMER] = "device-customer", NULL,
};

const char *profile_kind_name(enum profile_kind kind)
{
	return kinds[kind];
}

bool profile_is_device(const struct profile *p)
{
	return p->kind == PROFILE_DEVICE_FACTORY || p->kind == PROFILE_DEVICE_CUSTOMER;
}

const char *profile_policy(enum profile_kind kind, bool factory)
{
	switch (kind) {
	case PROFILE_ROOT:
		return NULL;
	case PROFILE_UNIT:
	case PROFILE_UNIT_CA:
		return OID_POLICY_UNIT;
	case PROFILE_DEVICE_FACTORY:
		return OID_POLICY_FACTORY;
	case PROFILE_DEVICE_CUSTOMER:
		return OID_POLICY_CUSTOMER;
	default:
		return factory ? OID_POLICY_FACTORY : OID_POLICY_CUSTOMER;
	}
}

/* ---- reading a profile ---- */
typedef int read_fn(const struct conf_node *n, struct profile *p, struct err *e);

int profile_name(const struct conf_node *n, char *out, size_t size, struct err *e)
{
	if (conf_str(n, out, size, e))
		return -1;
	if (n && !text_is_name(out, size - 1))
		return conf_error(n, e, "only printable ASCII characters are allowed, without a blank at the ends");
	return 0;
}

static int read_id(const struct conf_node *n, struct profile *p, struct err *e)
{
	if (conf_str(n, p->id, sizeof p->id, e) < 0)
		return -1;
	return text_is_token(p->id, CA_ID_MAX) ? 0 : conf_error(n, e, "an id may have letters, digits, '.', '_' and '-' only");
}

static int read_kind(const struct conf_node *n, struct profile *p, struct err *e)
{
	int kind = 0;

	if (conf_choice(n, kinds, &kind, e) < 0)
		return -1;
	p->kind = (enum profile_kind)kind;
	return 0;
}

/* The key types are read one by one: each wrong one is told. */
static void read_key_types(struct reading *r)
{
	static const char *const known[] = { "p256", "p384", "rsa2048", "rsa3072", NULL };
	static const char *const weak[] = { "p192", "p224", "rsa512", "rsa768", "rsa1024", "rsa1536", "dsa", "dsa1024", "dsa2048" };
	const struct conf_node *list = r->f[F_KEYS];

	if (list && conf_count(list) == 0)
		problem_add(r->all, list, true, "key-type", "no key type; name at least one, like p256");
	for (size_t i = 0; list && i < conf_count(list); i++) {
		const struct conf_node *n = conf_item(list, i);
		const char *name = conf_text(n), *near = text_nearest(name, known);
		enum key_type type = conf_kind(n) == CONF_SCALAR ? key_type_parse(name) : KEY_NONE;
		bool is_weak = false;

		for (size_t k = 0; k < ARRAY_LEN(weak); k++)
			is_weak |= strcmp(name, weak[k]) == 0;
		if (type != KEY_NONE && type != KEY_OTHER)
			r->p->key_types |= 1u << type;
		else if (is_weak)
			problem_add(r->all, n, true, "weak-key", "keys of type %s are too weak, or are made no more; use p256, p384, rsa2048 or "
				    "rsa3072", name);
		else
			problem_add(r->all, n, true, "key-type", "not a key type; known are p256, p384, rsa2048 and rsa3072%s%s%s",
				    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
}

static int read_url(const struct conf_node *n, char out[PROFILE_URL], struct err *e)
{
	if (conf_str(n, out, PROFILE_URL, e))
		return -1;
	if ((strncmp(out, "http://", 7) != 0 && strncmp(out, "https://", 8) != 0) || strcspn(out, " \"<>\\^`{|}") != strlen(out) ||
	    !text_is_name(out, PROFILE_URL - 1))
		return conf_error(n, e, "not a URL; write http://HOST/... (RFC 5280 8: rather not https, whose certificate would have to be judged first)");
	return 0;
}

static int read_crl(const struct conf_node *n, struct profile *p, struct err *e)
{
	return read_url(n, p->crl_url, e);
}

static int read_ocsp(const struct conf_node *n, struct profile *p, struct err *e)
{
	return read_url(n, p->ocsp_url, e);
}

static int read_issuer(const struct conf_node *n, struct profile *p, struct err *e)
{
	return read_url(n, p->issuer_url, e);
}

static int read_days(const struct conf_node *n, uint32_t *days, struct err *e)
{
	uint64_t seconds = 0;

	if (conf_kind(n) == CONF_SCALAR && strcmp(conf_text(n), "forever") == 0) {
		*days = 0;
		return 0;
	}
	if (conf_seconds(n, &seconds, (uint64_t)VALIDITY_MAX_DAYS * DAY, e))
		return -1;
	if (seconds == 0 || seconds % DAY)
		return conf_error(n, e, "not whole days; write something like 730d, or forever");
	*days = (uint32_t)(seconds / DAY);
	return 0;
}

static int read_max(const struct conf_node *n, struct profile *p, struct err *e)
{
	return read_days(n, &p->validity_max_days, e);
}

/* Whole days, or below a day whatever it is. */
static int read_validity(const struct conf_node *n, struct profile *p, struct err *e)
{
	uint64_t seconds = 0;

	if (conf_kind(n) == CONF_SCALAR && strcmp(conf_text(n), "forever") != 0) {
		if (conf_seconds(n, &seconds, (uint64_t)VALIDITY_MAX_DAYS * DAY, e))
			return -1;
		if (seconds > 0 && seconds < DAY) {
			p->validity_s = (uint32_t)seconds;
			p->validity_days = 1;
			return 0;
		}
	}
	return read_days(n, &p->validity_days, e);
}

/* Sets flag[i] for each item that is words[i]. */
static int read_flags(const struct conf_node *list, const char *const *words, bool *const *flags, struct err *e)
{
	for (size_t i = 0; i < conf_count(list); i++) {
		int index = 0;

		if (conf_choice(conf_item(list, i), words, &index, e))
			return -1;
		*flags[index] = true;
	}
	return 0;
}

static int read_allow(const struct conf_node *list, struct profile *p, struct err *e)
{
	static const char *const words[] = { "organization", "unit", "locality", "email", "validity", NULL };
	bool *const flags[] = { &p->allow_organization, &p->allow_unit, &p->allow_locality, &p->allow_email, &p->allow_validity };

	return read_flags(list, words, flags, e);
}

static int read_names(const struct conf_node *list, struct profile *p, struct err *e)
{
	static const char *const words[] = { "hardware-module", "email", "dns", "uri", NULL };
	bool *const flags[] = { &p->hardware_name, &p->email_name, &p->dns_name, &p->uri_name };

	p->hardware_name = p->email_name = false;
	return read_flags(list, words, flags, e);
}

static int read_key_usage(const struct conf_node *list, struct profile *p, struct err *e)
{
	static const char *const words[] = { "digital-signature", "key-encipherment", "key-agreement", "key-cert-sign", "crl-sign", NULL };
	bool *const flags[] = { &p->digital_signature, &p->key_encipherment, &p->key_agreement, &p->key_cert_sign, &p->crl_sign };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		*flags[i] = false;
	return read_flags(list, words, flags, e);
}

/* OIDs into out[n]; those that are words are read elsewhere. */
static int read_oid(const struct conf_node *n, char (*out)[CERT_OID_MAX], size_t max, struct err *e)
{
	size_t i = 0;

	while (i < max && out[i][0])
		i++;
	if (i == max)
		return conf_error(n, e, "too many; at most %zu object identifiers are possible here", max);
	return conf_str(n, out[i], CERT_OID_MAX, e);
}

static int read_usage(const struct conf_node *list, struct profile *p, struct err *e)
{
	static const char *const words[] = { "server-auth", "client-auth", NULL };
	bool *const flags[] = { &p->server_auth, &p->client_auth };

	for (size_t i = 0; i < conf_count(list); i++) {
		const struct conf_node *n = conf_item(list, i);
		int index = 0;

		if (conf_kind(n) == CONF_SCALAR && text_is_oid(conf_text(n))) {
			if (read_oid(n, p->purpose, PLAN_PURPOSES, e) < 0)
				return -1;
		} else if (conf_choice(n, words, &index, e) < 0) {
			return -1;
		} else {
			*flags[index] = true;
		}
	}
	return 0;
}

static int read_policies(const struct conf_node *list, struct profile *p, struct err *e)
{
	for (size_t i = 0; i < conf_count(list); i++) {
		const struct conf_node *n = conf_item(list, i);

		if (conf_kind(n) != CONF_SCALAR || !text_is_oid(conf_text(n)))
			return conf_error(n, e, "not a policy; write its object identifier, like 1.3.6.1.4.1.32473.1.1");
		if (read_oid(n, p->policies, PROFILE_POLICIES, e) < 0)
			return -1;
	}
	return 0;
}

static int read_limits(const struct conf_node *list, struct profile *p, bool excluded, struct err *e)
{
	for (size_t i = 0; i < conf_count(list); i++) {
		const struct conf_node *n = conf_item(list, i);
		int rc = conf_kind(n) == CONF_SCALAR ? name_limits_add(&p->limits, excluded, conf_text(n)) : -1;

		if (rc == -2)
			return conf_error(n, e, "too many names; at most %d are possible", NAME_SUBTREES);
		if (rc < 0)
			return conf_error(n, e, "not a constraint; write \"dns:plant.example\", \"email:plant.example\", \"ip:10.0.0.0/8\", or with * "
					  "behind the colon for all of them");
	}
	return 0;
}

static int read_permitted(const struct conf_node *n, struct profile *p, struct err *e)
{
	return read_limits(n, p, false, e);
}

static int read_excluded(const struct conf_node *n, struct profile *p, struct err *e)
{
	return read_limits(n, p, true, e);
}

static int read_common_name(const struct conf_node *n, struct profile *p, struct err *e)
{
	static const char *const words[] = { [COMMON_MODEL_SERIAL] = "model-serial", [COMMON_SERIAL] = "serial", [COMMON_NONE] = "none", NULL };
	int index = 0;

	if (conf_choice(n, words, &index, e) < 0)
		return -1;
	p->common_name = (enum profile_common_name)index;
	return 0;
}

static int read_organization(const struct conf_node *n, struct profile *p, struct err *e)
{
	return profile_name(n, p->organization, sizeof p->organization, e);
}

static int read_unit(const struct conf_node *n, struct profile *p, struct err *e)
{
	return profile_name(n, p->unit, sizeof p->unit, e);
}

static int read_locality(const struct conf_node *n, struct profile *p, struct err *e)
{
	return profile_name(n, p->locality, sizeof p->locality, e);
}

static int read_email(const struct conf_node *n, struct profile *p, struct err *e)
{
	return profile_name(n, p->email, sizeof p->email, e);
}

static int read_dns(const struct conf_node *n, struct profile *p, struct err *e)
{
	struct name_limits check = {0};
	char text[sizeof p->dns_domain + 4];

	if (conf_str(n, p->dns_domain, sizeof p->dns_domain, e) < 0)
		return -1;
	snprintf(text, sizeof text, "dns:%s", p->dns_domain);
	if (strcmp(p->dns_domain, "*") == 0 || name_limits_add(&check, false, text) < 0)
		return conf_error(n, e, "not a domain; write something like devices.plant.example, which gets the serial in front");
	return 0;
}

static int read_uri(const struct conf_node *n, struct profile *p, struct err *e)
{
	const char *colon;

	if (conf_str(n, p->uri_prefix, sizeof p->uri_prefix, e) < 0)
		return -1;
	colon = strchr(p->uri_prefix, ':');
	if (!colon || colon == p->uri_prefix || strcspn(p->uri_prefix, " \"<>\\^`{|}") != strlen(p->uri_prefix) ||
	    !text_is_name(p->uri_prefix, LIMIT_NAME))
		return conf_error(n, e, "not the beginning of a URI; write something like urn:acme:device: or https://acme.example/id/, which gets "
				  "the serial behind it");
	return 0;
}

static int read_include(const struct conf_node *n, struct profile *p, struct err *e)
{
	return conf_bool(n, &p->include_ca, e);
}

static int read_key_id(const struct conf_node *n, struct profile *p, struct err *e)
{
	bool there = true;

	if (conf_bool(n, &there, e) < 0)
		return -1;
	p->no_key_id = !there;
	return 0;
}

static int read_order(const struct conf_node *n, struct profile *p, struct err *e)
{
	return conf_bool(n, &p->order_needed, e);
}

static int read_no_rev(const struct conf_node *n, struct profile *p, struct err *e)
{
	return conf_bool(n, &p->no_rev_avail, e);
}

const struct conf_field profile_fields[F_COUNT] = {
	[F_VERSION] = { "version", CONF_SCALAR, true },
	[F_ID] = { "id", CONF_SCALAR, true },
	[F_KIND] = { "kind", CONF_SCALAR, true },
	[F_KEYS] = { "key-types", CONF_LIST, true },
	[F_VALIDITY] = { "validity", CONF_SCALAR, true },
	[F_MAX] = { "validity-max", CONF_SCALAR, false },
	[F_ALLOW] = { "allow", CONF_LIST, false },
	[F_COMMON_NAME] = { "common-name", CONF_SCALAR, false },
	[F_ORGANIZATION] = { "organization", CONF_SCALAR, false },
	[F_UNIT] = { "unit", CONF_SCALAR, false },
	[F_LOCALITY] = { "locality", CONF_SCALAR, false },
	[F_EMAIL] = { "email", CONF_SCALAR, false },
	[F_INCLUDE] = { "include-ca", CONF_SCALAR, false },
	[F_NAMES] = { "names", CONF_LIST, false },
	[F_DNS] = { "dns-domain", CONF_SCALAR, false },
	[F_URI] = { "uri-prefix", CONF_SCALAR, false },
	[F_KEY_USAGE] = { "key-usage", CONF_LIST, false },
	[F_USAGE] = { "usage", CONF_LIST, false },
	[F_POLICIES] = { "policies", CONF_LIST, false },
	[F_PERMITTED] = { "permitted", CONF_LIST, false },
	[F_EXCLUDED] = { "excluded", CONF_LIST, false },
	[F_KEY_ID] = { "subject-key-id", CONF_SCALAR, false },
	[F_ORDER] = { "order-needed", CONF_SCALAR, false },
	[F_CRL] = { "crl-url", CONF_SCALAR, false },
	[F_OCSP] = { "ocsp-url", CONF_SCALAR, false },
	[F_ISSUER] = { "ca-issuers-url", CONF_SCALAR, false },
	[F_NO_REV] = { "no-revocation", CONF_SCALAR, false },
	[F_CA] = { "ca", CONF_SCALAR, false },	/* always refused, with the reason */
};

/* What an error in that field is called, and who reads it: version and key-types have their own. */
static const struct {
	const char *key;
	read_fn *read;
} readers[F_COUNT] = {
	[F_ID] = { "id", read_id },
	[F_KIND] = { "kind", read_kind },
	[F_VALIDITY] = { "validity", read_validity },
	[F_MAX] = { "validity", read_max },
	[F_ALLOW] = { "value", read_allow },
	[F_COMMON_NAME] = { "subject", read_common_name },
	[F_ORGANIZATION] = { "subject", read_organization },
	[F_UNIT] = { "subject", read_unit },
	[F_LOCALITY] = { "subject", read_locality },
	[F_EMAIL] = { "subject", read_email },
	[F_INCLUDE] = { "value", read_include },
	[F_NAMES] = { "san", read_names },
	[F_DNS] = { "san", read_dns },
	[F_URI] = { "san", read_uri },
	[F_KEY_USAGE] = { "key-usage", read_key_usage },
	[F_USAGE] = { "usage", read_usage },
	[F_POLICIES] = { "policy", read_policies },
	[F_PERMITTED] = { "constraints", read_permitted },
	[F_EXCLUDED] = { "constraints", read_excluded },
	[F_KEY_ID] = { "value", read_key_id },
	[F_ORDER] = { "value", read_order },
	[F_CRL] = { "url", read_crl },
	[F_OCSP] = { "url", read_ocsp },
	[F_ISSUER] = { "url", read_issuer },
	[F_NO_REV] = { "value", read_no_rev },
};

static void report_field(void *arg, const struct err *e)
{
	struct reading *r = arg;

	problem_from_err(r->all, r->file, "field", e);
}

static void read_fields(struct reading *r)
{
	struct err e;

	conf_fields_all(r->root, profile_fields, F_COUNT, r->f, report_field, r);
	if (r->f[F_VERSION] && conf_version(r->f[F_VERSION], r->root, &e) < 0)
		problem_from_err(r->all, r->file, "version", &e);
	read_key_types(r);
	for (size_t i = 0; i < F_COUNT; i++) {
		if (!readers[i].read || !r->f[i] || readers[i].read(r->f[i], r->p, &e) == 0)
			continue;
		problem_from_err(r->all, r->file, readers[i].key, &e);
		r->f[i] = NULL;		/* nothing is judged by it */
	}
}

static const struct profile defaults = { .include_ca = true, .hardware_name = true, .email_name = true };

int profile_lint(struct profile *p, const char *path, const struct profile_world *w, struct problems *all)
{
	struct reading r = { .p = p, .file = path, .all = all };
	size_t before = all->errors, n = all->n;
	struct conf *c;
	struct err e;

	*p = defaults;
	c = conf_load(path, &e);
	if (!c) {
		problem_from_err(all, path, "syntax", &e);
		return -1;
	}
	r.root = conf_root(c);
	read_fields(&r);
	if (r.f[F_KIND]) {	/* what is fixed for a kind is known only then */
		profile_judge(&r);
		if (w)
			profile_judge_world(&r, w);
	}
	conf_free(c);
	problems_sort(all, n);
	return all->errors > before ? -1 : 0;
}

int profile_load(struct profile *p, const char *path, struct err *e)
{
	struct problems all = {0};
	int rc;

	profile_lint(p, path, NULL, &all);
	rc = problems_first(&all, e);
	problems_free(&all);
	return rc;
}

/* ---- a request within the profile ---- */
static const struct {
	const char *family;
	enum key_type type;
	uint32_t bits;
} keys[] = {
	{ "ec", KEY_P256, 256 }, { "ec", KEY_P384, 384 }, { "rsa", KEY_RSA2048, 2048 }, { "rsa", KEY_RSA3072, 3072 },
};

static int refuse(const struct profile *p, const char *name, struct err *e)
{
	return err_set(e, REASON_PROFILE, "protocol-ca 4.2: the profile '%s' does not allow the parameter '%s'; leave it out",
		       p->id, name);
}

static int check_key(const struct profile *p, const struct ca_params *params, enum key_type key, struct err *e)
{
	const char *family = "";
	uint32_t bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].type == key) {
			family = keys[i].family;
			bits = keys[i].bits;
		}
	if (!(p->key_types & 1u << key))
		return err_set(e, REASON_PROFILE, "protocol-ca 4.2: the profile '%s' does not allow keys of type %s", p->id,
			       key_type_name(key));
	if (params->key_type[0] && strcmp(params->key_type, key_type_name(key)) != 0 && strcmp(params->key_type, family) != 0)
		return err_set(e, REASON_PROFILE, "protocol-ca 4.2: the parameter 'key-type' is %s but the key is %s",
			       params->key_type, key_type_name(key));
	if (params->key_bits && params->key_bits != bits)
		return err_set(e, REASON_PROFILE, "protocol-ca 4.2: the parameter 'key-bits' is %u but the key has %u",
			       params->key_bits, bits);
	return 0;
}

static int check_validity(const struct profile *p, const struct ca_params *params, struct err *e)
{
	if (params->validity_days == 0 || params->validity_days == p->validity_days)
		return 0;
	if (!p->allow_validity)
		return refuse(p, "validity-days", e);
	if (p->validity_max_days && params->validity_days > p->validity_max_days)
		return err_set(e, REASON_PROFILE, "protocol-ca 4.2: the parameter 'validity-days' is %u, the profile '%s' allows "
			       "at most %u", params->validity_days, p->id, p->validity_max_days);
	return 0;
}

int profile_check(const struct profile *p, const struct ca_params *params, enum key_type key, struct err *e)
{
	const struct {
		const char *name, *asked, *fixed;
		bool allowed;
	} texts[] = {
		{ "profile", params->profile, p->id, false },
		{ "organization", params->organization, p->organization, p->allow_organization },
		{ "unit", params->unit, p->unit, p->allow_unit },
		{ "locality", params->locality, p->locality, p->allow_locality },
		{ "email", params->email, p->email, p->allow_email },
	};

	/* asking for what the profile gives anyway is no deviation */
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].asked[0] && !texts[i].allowed && strcmp(texts[i].asked, texts[i].fixed) != 0)
			return refuse(p, texts[i].name, e);
	if (params->encrypt_key == CHOICE_YES)	/* the device makes the key: there is none to encrypt */
		return refuse(p, "encrypt-key", e);
	return check_key(p, params, key, e) || check_validity(p, params, e) ? -1 : 0;
}

int profile_choose(const struct profile *p, const struct ca_params *params, enum key_type *type, struct err *e)
{
	struct ca_params rest = *params;

	if (params->encrypt_key == CHOICE_NO)	/* there is no other way out of the signer */
		return refuse(p, "encrypt-key", e);
	rest.encrypt_key = CHOICE_DEFAULT;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!(p->key_types & 1u << keys[i].type) || (params->key_bits && params->key_bits != keys[i].bits) ||
		    (params->key_type[0] && strcmp(params->key_type, keys[i].family) != 0 &&
		     strcmp(params->key_type, key_type_name(keys[i].type)) != 0))
			continue;
		*type = keys[i].type;
		return profile_check(p, &rest, *type, e);
	}
	return refuse(p, params->key_type[0] ? "key-type" : "key-bits", e);
}

