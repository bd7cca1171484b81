#include <config.h>

#include "profile.h"

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "mem.h"

/* Each field of the files is explained in profiles/README.md. */

#define DAY 86400u
#define VALIDITY_MAX_DAYS 36525u	/* a century; more is `forever` */

static const char *const kinds[] = {
	[PROFILE_ROOT] = "root", [PROFILE_ISSUING] = "issuing", [PROFILE_UNIT_CA] = "unit-ca", [PROFILE_UNIT] = "unit",
	[PROFILE_DEVICE_FACTORY] = "device-factory", [PROFILE_DEVICE_CUSTOMER] = "device-customer", NULL,
};

static bool is_device(const struct profile *p)
{
	return p->kind == PROFILE_DEVICE_FACTORY || p->kind == PROFILE_DEVICE_CUSTOMER;
}

/* ---- reading a profile ---- */
static int read_name(const struct conf_node *n, char *out, size_t size, struct err *e)
{
	if (conf_str(n, out, size, e))
		return -1;
	if (n && !text_is_name(out, size - 1))
		return conf_error(n, e, "only printable ASCII characters are allowed, without a blank at the ends");
	return 0;
}

static int read_key_types(const struct conf_node *list, uint32_t *types, struct err *e)
{
	if (conf_count(list) == 0)
		return conf_error(list, e, "no key type; name at least one, like p256");
	for (size_t i = 0; i < conf_count(list); i++) {
		const struct conf_node *n = conf_item(list, i);
		char name[16];
		enum key_type type;

		if (conf_str(n, name, sizeof name, e))
			return -1;
		type = key_type_parse(name);
		if (type == KEY_NONE || type == KEY_OTHER)
			return conf_error(n, e, "not a key type; known are p256, p384, rsa2048 and rsa3072");
		*types |= 1u << type;
	}
	return 0;
}

static int read_url(const struct conf_node *n, char out[PROFILE_URL], struct err *e)
{
	if (conf_str(n, out, PROFILE_URL, e))
		return -1;
	if (n && ((strncmp(out, "http://", 7) != 0 && strncmp(out, "https://", 8) != 0) || strcspn(out, " \"<>\\^`{|}") != strlen(out) ||
		  !text_is_name(out, PROFILE_URL - 1)))
		return conf_error(n, e, "not a URL; write http://HOST/... (RFC 5280 8: rather not https, whose certificate would have to be judged first)");
	return 0;
}

static int read_days(const struct conf_node *n, uint32_t *days, struct err *e)
{
	uint64_t seconds = 0;

	if (!n)
		return 0;
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
	for (size_t i = 0; list && i < conf_count(list); i++) {
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

static int read_usage(const struct conf_node *list, struct profile *p, struct err *e)
{
	static const char *const words[] = { "server-auth", "client-auth", NULL };
	bool *const flags[] = { &p->server_auth, &p->client_auth };

	return read_flags(list, words, flags, e);
}

/* What must fit together. */
static int profile_judge(const struct profile *p, const struct conf_node *root, struct err *e)
{
	if (p->validity_max_days && (p->validity_days == 0 || p->validity_days > p->validity_max_days))
		return conf_error(root, e, "'validity' is more than 'validity-max'; lower the one or raise the other");
	if (is_device(p) && (p->allow_organization || p->allow_unit || p->organization[0] || p->unit[0]))
		return conf_error(root, e, "organization and unit of a device are its manufacturer and model, and cannot be set; "
				  "remove them from the profile");
	if (p->order_needed && p->kind != PROFILE_DEVICE_FACTORY)
		return conf_error(root, e, "'order-needed' is for the kind device-factory alone; remove it");
	if (p->no_rev_avail && (p->crl_url[0] || p->ocsp_url[0]))
		return conf_error(root, e, "'no-revocation' says that nobody tells of a revocation, and 'crl-url' or 'ocsp-url' where (RFC 9608 3); "
				  "remove the one or the other");
	if (p->no_rev_avail && (p->kind == PROFILE_ROOT || p->kind == PROFILE_ISSUING || p->kind == PROFILE_UNIT_CA || !p->validity_s || p->allow_validity))
		return conf_error(root, e, "'no-revocation' is for what lives less than a day and is no CA (RFC 9608 2); shorten 'validity', and do not "
				  "allow a request to ask for another");
	return 0;
}

enum { F_VERSION, F_ID, F_KIND, F_KEYS, F_VALIDITY, F_MAX, F_ALLOW, F_ORGANIZATION, F_UNIT, F_LOCALITY, F_EMAIL, F_INCLUDE,
       F_USAGE, F_ORDER, F_CRL, F_OCSP, F_NO_REV, F_COUNT };

static const struct conf_field profile_fields[F_COUNT] = {
	[F_VERSION] = { "version", CONF_SCALAR, true },
	[F_ID] = { "id", CONF_SCALAR, true },
	[F_KIND] = { "kind", CONF_SCALAR, true },
	[F_KEYS] = { "key-types", CONF_LIST, true },
	[F_VALIDITY] = { "validity", CONF_SCALAR, true },
	[F_MAX] = { "validity-max", CONF_SCALAR, false },
	[F_ALLOW] = { "allow", CONF_LIST, false },
	[F_ORGANIZATION] = { "organization", CONF_SCALAR, false },
	[F_UNIT] = { "unit", CONF_SCALAR, false },
	[F_LOCALITY] = { "locality", CONF_SCALAR, false },
	[F_EMAIL] = { "email", CONF_SCALAR, false },
	[F_INCLUDE] = { "include-ca", CONF_SCALAR, false },
	[F_USAGE] = { "usage", CONF_LIST, false },
	[F_ORDER] = { "order-needed", CONF_SCALAR, false },
	[F_CRL] = { "crl-url", CONF_SCALAR, false },
	[F_OCSP] = { "ocsp-url", CONF_SCALAR, false },
	[F_NO_REV] = { "no-revocation", CONF_SCALAR, false },
};

static int profile_read(struct profile *p, const struct conf_node *root, struct err *e)
{
	const struct conf_node *f[F_COUNT];
	int kind = 0;

	if (conf_fields(root, profile_fields, F_COUNT, f, e) || conf_version(f[F_VERSION], root, e) ||
	    conf_str(f[F_ID], p->id, sizeof p->id, e) || conf_choice(f[F_KIND], kinds, &kind, e) ||
	    read_key_types(f[F_KEYS], &p->key_types, e) || read_validity(f[F_VALIDITY], p, e) ||
	    read_days(f[F_MAX], &p->validity_max_days, e) || read_allow(f[F_ALLOW], p, e) ||
	    read_name(f[F_ORGANIZATION], p->organization, sizeof p->organization, e) ||
	    read_name(f[F_UNIT], p->unit, sizeof p->unit, e) ||
	    read_name(f[F_LOCALITY], p->locality, sizeof p->locality, e) ||
	    read_name(f[F_EMAIL], p->email, sizeof p->email, e) || conf_bool(f[F_INCLUDE], &p->include_ca, e) ||
	    read_usage(f[F_USAGE], p, e) || conf_bool(f[F_ORDER], &p->order_needed, e) ||
	    read_url(f[F_CRL], p->crl_url, e) || read_url(f[F_OCSP], p->ocsp_url, e) || conf_bool(f[F_NO_REV], &p->no_rev_avail, e))
		return -1;
	if (!text_is_token(p->id, CA_ID_MAX))
		return conf_error(f[F_ID], e, "an id may have letters, digits, '.', '_' and '-' only");
	p->kind = (enum profile_kind)kind;
	return profile_judge(p, root, e);
}

int profile_load(struct profile *p, const char *path, struct err *e)
{
	struct conf *c = conf_load(path, e);
	int rc;

	if (!c)
		return -1;
	memset(p, 0, sizeof *p);
	p->include_ca = true;
	rc = profile_read(p, conf_root(c), e);
	conf_free(c);
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

/* ---- device models ---- */
static int read_usb_id(const struct conf_node *n, uint16_t *out, struct err *e)
{
	const char *text = conf_text(n);
	uint8_t id[2];

	if (strncmp(text, "0x", 2) != 0 || text_unhex(id, sizeof id, text + 2))
		return conf_error(n, e, "not a USB id; write four hex digits like 0x1209");
	*out = (uint16_t)(id[0] << 8 | id[1]);
	return 0;
}

static int read_dfu(const struct conf_node *n, struct model *m, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "vid", CONF_SCALAR, true }, { "pid", CONF_SCALAR, true }, { "alt", CONF_SCALAR, false },
		{ "transfer-size", CONF_SCALAR, false },
	};
	const struct conf_node *f[ARRAY_LEN(fields)];
	uint64_t size = 0;

	if (conf_fields(n, fields, ARRAY_LEN(fields), f, e) < 0 ||
	    (f[3] && conf_uint(f[3], &size, 1, UINT16_MAX, e) < 0))
		return -1;
	m->dfu_transfer_size = (uint16_t)size;
	return read_usb_id(f[0], &m->dfu_vid, e) || read_usb_id(f[1], &m->dfu_pid, e) ||
	       read_name(f[2], m->dfu_alt, sizeof m->dfu_alt, e) ? -1 : 0;
}

static int read_agent(const struct conf_node *n, struct model *m, struct err *e)
{
	static const struct conf_field fields[] = { { "vid", CONF_SCALAR, true }, { "pid", CONF_SCALAR, true } };
	const struct conf_node *f[2];

	return conf_fields(n, fields, 2, f, e) || read_usb_id(f[0], &m->agent_vid, e) || read_usb_id(f[1], &m->agent_pid, e) ?
	       -1 : 0;
}

static int read_revisions(const struct conf_node *list, struct model *m, struct err *e)
{
	if (list && conf_count(list) > ARRAY_LEN(m->revisions))
		return conf_error(list, e, "more than %zu revisions", ARRAY_LEN(m->revisions));
	for (size_t i = 0; list && i < conf_count(list); i++) {
		if (read_name(conf_item(list, i), m->revisions[i], sizeof m->revisions[i], e))
			return -1;
		m->n_revisions++;
	}
	return 0;
}

static int model_read(struct model *m, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true }, { "manufacturer", CONF_SCALAR, true }, { "model", CONF_SCALAR, true },
		{ "hw-type", CONF_SCALAR, true }, { "revisions", CONF_LIST, false }, { "dfu", CONF_MAP, true },
		{ "agent", CONF_MAP, true },
	};
	const struct conf_node *f[ARRAY_LEN(fields)];

	if (conf_fields(root, fields, ARRAY_LEN(fields), f, e) || conf_version(f[0], root, e) ||
	    read_name(f[1], m->manufacturer, sizeof m->manufacturer, e) || read_name(f[2], m->model, sizeof m->model, e) ||
	    conf_str(f[3], m->hw_type, sizeof m->hw_type, e) || read_revisions(f[4], m, e) || read_dfu(f[5], m, e) ||
	    read_agent(f[6], m, e))
		return -1;
	if (!text_is_oid(m->hw_type))
		return conf_error(f[3], e, "not an object identifier like 2.25.1.3");
	return 0;
}

int model_load(struct model *m, const char *path, struct err *e)
{
	struct conf *c = conf_load(path, e);
	int rc;

	if (!c)
		return -1;
	memset(m, 0, sizeof *m);
	rc = model_read(m, conf_root(c), e);
	conf_free(c);
	return rc;
}
