/* The file of a ceremony: read whole, and checked across its steps. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "ceremony.h"
#include "conf.h"
#include "digest.h"
#include "mem.h"

/* ---- values ---- */
/* Whole paths without detours: people compare them, and a rehearsal moves them. */
static int read_path(char out[FILE_PATH], const struct conf_node *n, struct err *e)
{
	const char *end;

	if (!n)
		return 0;
	if (conf_str(n, out, FILE_PATH, e) < 0)
		return -1;
	end = strrchr(out, '/');
	if (out[0] != '/' || !end || !end[1] || strstr(out, "//") || strstr(out, "/./") || strstr(out, "/../") || strcmp(end, "/.") == 0 ||
	    strcmp(end, "/..") == 0)
		return conf_error(n, e, "\"%.200s\": a whole path is needed here, from \"/\" on and without \".\", \"..\" or \"/\" at its end", out);
	return 0;
}

static int read_name(char *out, size_t size, const struct conf_node *n, struct err *e)
{
	if (conf_str(n, out, size, e) < 0)
		return -1;
	return text_is_name(out, size - 1) ? 0 : conf_error(n, e, "printable ASCII, 1 to %zu characters", size - 1);
}

static int read_kind(enum site *site, const struct conf_node *n, bool upper, struct err *e)
{
	static const char *const kinds[] = { "factory", "customer", "upper", NULL }, *const two[] = { "factory", "customer", NULL };
	int kind = 0;

	if (conf_choice(n, upper ? kinds : two, &kind, e) < 0)
		return -1;
	*site = (enum site)kind;
	return 0;
}

static int read_id(char id[CA_ID_MAX + 1], const struct conf_node *n, struct err *e)
{
	if (n && conf_str(n, id, CA_ID_MAX + 1, e) < 0)
		return -1;
	return !n || text_is_token(id, CA_ID_MAX) ? 0 : conf_error(n, e, "letters, digits, \".\", \"_\" and \"-\", at most %d", CA_ID_MAX);
}

static int read_sha256(char hex[SHA256_HEX], const struct conf_node *n, const char *what, struct err *e)
{
	uint8_t hash[SHA256_LEN];

	if (n && text_unhex(hash, sizeof hash, conf_text(n)) < 0)
		return conf_error(n, e, "the SHA-256 of %s is needed here, 64 hex digits", what);
	if (n)
		text_hex(hex, hash, sizeof hash);
	return 0;
}

static int read_pin(struct ceremony_step *s, const struct conf_node *n, struct err *e)
{
	return read_sha256(s->profiles_sha256, n, "the step's profiles, as \"ceremony check\" shows it,", e);
}

/* ---- parts of a step ---- */
static int read_profiles(struct settings *s, const struct conf_node *list, struct err *e)
{
	size_t n = list ? conf_count(list) : 0;

	if (n > LIMIT_PROFILES)
		return conf_error(list, e, "at most %d profiles", LIMIT_PROFILES);
	for (; s->n_profiles < n; s->n_profiles++)
		if (read_id(s->profile[s->n_profiles], conf_item(list, s->n_profiles), e) < 0)
			return -1;
	return 0;
}

static int read_hosts(struct ceremony_step *s, const struct conf_node *list, struct err *e)
{
	size_t n = list ? conf_count(list) : 0;

	if (n > SIGNER_HOSTS)
		return conf_error(list, e, "at most %d hosts", SIGNER_HOSTS);
	for (size_t i = 0; i < n; i++)
		if (read_name(s->host[i], sizeof s->host[i], conf_item(list, i), e) < 0)
			return -1;
	return 0;
}

static int read_listen(struct settings *s, const struct conf_node *n, struct err *e)
{
	struct endpoint where;
	struct err why;

	if (conf_str(n, s->listen, sizeof s->listen, e) < 0)
		return -1;
	return !n || endpoint_parse(&where, s->listen, &why) == 0 ? 0 : conf_error(n, e, "%s", why.text);
}

static int read_days(struct ceremony_step *s, const struct conf_node *map, bool alone, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "root", CONF_SCALAR, false }, { "issuing", CONF_SCALAR, false }, { "unit", CONF_SCALAR, false },
	};
	const struct conf_node *n[ARRAY_LEN(fields)];
	uint64_t days[ARRAY_LEN(fields)] = {0};

	if (!map)
		return 0;
	if (conf_fields(map, fields, ARRAY_LEN(fields), n, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (n[i] && i > 0 && alone)
			return conf_error(n[i], e, "an upper CA has a root and nothing else; remove \"%s\"", fields[i].name);
		if (conf_uint(n[i], &days[i], 1, LIMIT_CEREMONY_DAYS, e) < 0)
			return -1;
		if (n[i] && i > 0 && days[0] && days[i] > days[0])
			return conf_error(n[i], e, "no CA is good for longer than its root");
	}
	s->root_days = (uint32_t)days[0];
	s->issuing_days = (uint32_t)days[1];
	s->unit_days = (uint32_t)days[2];
	return 0;
}

enum { KEYS, KEY_CREDENTIAL, KEY_PASSPHRASE, ROOT_KEY, ROOT_CREDENTIAL, KEY_SANDBOX, KEY_FIELDS };
#define KEY_FIELD_LIST \
	{ "keys", CONF_SCALAR, false }, { "key-credential", CONF_SCALAR, false }, { "key-passphrase", CONF_SCALAR, false }, \
	{ "root-key", CONF_SCALAR, false }, { "root-credential", CONF_SCALAR, false }, { "key-sandbox", CONF_SCALAR, false }

static int read_home(struct key_home *h, const struct conf_node *place, const struct conf_node *credential, struct err *e)
{
	struct keystore_plan plan = {0};
	struct err why;

	if (conf_str(place, h->place, sizeof h->place, e) < 0 || read_path(h->credential, credential, e) < 0)
		return -1;
	snprintf(plan.place, sizeof plan.place, "%s", h->place);
	return keystore_place_check(plan.place, &why) == 0 ? 0 : conf_error(place, e, "%s", why.text);
}

/* A PIN in the file would be for all reviewers to see. */
static int no_pin(const struct conf_node *place, struct err *e)
{
	return !place || (!strstr(conf_text(place), "pin-value=") && !strstr(conf_text(place), "pin-source="))
		       ? 0
		       : conf_error(place, e, "a PIN does not belong into this file, which many read; name a file that has it (key-credential)");
}

/* n: as in KEY_FIELD_LIST. alone: an upper CA, whose root is its only key. */
static int read_keys(struct key_homes *h, const struct conf_node *map, const struct conf_node *const *n, bool alone, struct err *e)
{
	static const char *const none[] = { "none", NULL }, *const sandboxes[] = { "on", "network", "off", NULL };
	int no_passphrase = 0, sandbox = KEY_SANDBOX_ON;

	if (alone && (n[KEYS] || n[KEY_CREDENTIAL]))
		return conf_error(n[KEYS] ? n[KEYS] : n[KEY_CREDENTIAL], e, "an upper CA has a root and nothing else; write root-key and root-credential");
	if (!n[alone ? ROOT_KEY : KEYS])
		return conf_error(map, e, "\"%s\" is missing; say where the keys live: file, or a URI like pkcs11:token=acme-ca", alone ? "root-key" : "keys");
	if (no_pin(n[KEYS], e) < 0 || no_pin(n[ROOT_KEY], e) < 0 || conf_choice(n[KEY_PASSPHRASE], none, &no_passphrase, e) < 0 ||
	    conf_choice(n[KEY_SANDBOX], sandboxes, &sandbox, e) < 0)
		return -1;
	h->plain = n[KEY_PASSPHRASE] != NULL;
	h->sandbox = (enum key_sandbox)sandbox;
	if (!alone && read_home(&h->keys, n[KEYS], n[KEY_CREDENTIAL], e) < 0)
		return -1;
	if (n[ROOT_KEY] && (alone || strcmp(conf_text(n[ROOT_KEY]), h->keys.place) != 0)) {
		if (read_home(&h->root, n[ROOT_KEY], n[ROOT_CREDENTIAL], e) < 0)
			return -1;
	} else {
		h->root = h->keys;
		if (n[ROOT_CREDENTIAL] && read_path(h->root.credential, n[ROOT_CREDENTIAL], e) < 0)
			return -1;
	}
	if (alone)
		h->keys = h->root;
	return 0;
}

/* ---- steps ---- */
/* What names a CA, and what goes into its ca.yaml. */
enum { DIR_FIELD = KEY_FIELDS, KIND, NAME, ID, HOSTS, LISTEN, PROFILES, DAYS, OWN_KEY, OWN_CREDENTIAL, PIN, MAKE_FIELDS };

static int no_upper(const struct conf_node *const *n, struct err *e)
{
	static const int of_others[] = { ID, HOSTS, LISTEN, PROFILES, OWN_KEY, OWN_CREDENTIAL };

	for (size_t i = 0; i < ARRAY_LEN(of_others); i++)
		if (n[of_others[i]])
			return conf_error(n[of_others[i]], e, "an upper CA answers nobody and issues nothing; remove this");
	return 0;
}

static int read_ca(struct ceremony_step *s, const struct conf_node *map, const struct conf_field *fields, struct err *e)
{
	const struct conf_node *n[MAKE_FIELDS];
	bool upper;

	s->generation = 1;
	s->settings.pending_s = TIMEOUT_PENDING_S;
	if (conf_fields(map, fields, MAKE_FIELDS, n, e) < 0 || read_path(s->dir, n[DIR_FIELD], e) < 0 ||
	    read_kind(&s->settings.site, n[KIND], s->verb == VERB_MAKE, e) < 0)
		return -1;
	upper = s->settings.site == SITE_UPPER;
	snprintf(s->settings.id, sizeof s->settings.id, "%s", site_name(s->settings.site));
	if (s->verb == VERB_MAKE)
		snprintf(s->settings.listen, sizeof s->settings.listen, "%s", upper ? "" : "0.0.0.0:8443");
	else if (n[LISTEN])
		return conf_error(n[LISTEN], e, "a system serves at the address of its first CA; remove this");
	if (read_name(s->settings.name, sizeof s->settings.name, n[NAME], e) < 0 || (upper && no_upper(n, e) < 0) || read_id(s->settings.id, n[ID], e) < 0 ||
	    read_hosts(s, n[HOSTS], e) < 0 || read_listen(&s->settings, n[LISTEN], e) < 0 || read_profiles(&s->settings, n[PROFILES], e) < 0)
		return -1;
	if (read_pin(s, n[PIN], e) < 0 || read_days(s, n[DAYS], upper, e) < 0 || no_pin(n[OWN_KEY], e) < 0 || unit_place_read(&s->settings.place, n[OWN_KEY], n[OWN_CREDENTIAL], e) < 0)
		return -1;
	return read_keys(&s->homes, map, n, upper, e);
}

#define CA_FIELD_LIST(where, id_needed) \
	KEY_FIELD_LIST, { where, CONF_SCALAR, true }, { "kind", CONF_SCALAR, true }, { "name", CONF_SCALAR, true }, { "id", CONF_SCALAR, id_needed }, \
	{ "hosts", CONF_LIST, false }, { "listen", CONF_SCALAR, false }, { "profiles", CONF_LIST, false }, { "validity-days", CONF_MAP, false }, \
	{ "unit-key", CONF_SCALAR, false }, { "unit-credential", CONF_SCALAR, false }, { "profiles-sha256", CONF_SCALAR, false }

static int read_make(struct ceremony_step *s, const struct conf_node *map, struct err *e)
{
	static const struct conf_field fields[] = { CA_FIELD_LIST("dir", false) };

	return read_ca(s, map, fields, e);
}

static int read_add(struct ceremony_step *s, const struct conf_node *map, struct err *e)
{
	static const struct conf_field fields[] = { CA_FIELD_LIST("dir", true) };

	return read_ca(s, map, fields, e);
}

/* The CA as it is, so that a reviewer and a rehearsal need not look elsewhere; what is there is compared with it. */
static int read_rollover(struct ceremony_step *s, const struct conf_node *map, struct err *e)
{
	enum { CA = KEY_FIELDS, DIR_OF, KIND_OF, NAME_OF, GENERATION, HOSTS_OF, DAYS_OF, PIN_OF, FIELDS };
	static const struct conf_field fields[] = {
		KEY_FIELD_LIST, { "ca", CONF_SCALAR, false }, { "dir", CONF_SCALAR, true }, { "kind", CONF_SCALAR, true }, { "name", CONF_SCALAR, true },
		{ "generation", CONF_SCALAR, true }, { "hosts", CONF_LIST, false }, { "validity-days", CONF_MAP, false },
		{ "profiles-sha256", CONF_SCALAR, false },
	};
	const struct conf_node *n[FIELDS];
	uint64_t generation = 0;

	if (conf_fields(map, fields, FIELDS, n, e) < 0 || read_id(s->ca, n[CA], e) < 0 || read_path(s->dir, n[DIR_OF], e) < 0 ||
	    read_kind(&s->settings.site, n[KIND_OF], false, e) < 0 || read_name(s->settings.name, sizeof s->settings.name, n[NAME_OF], e) < 0 ||
	    conf_uint(n[GENERATION], &generation, 2, LIMIT_CEREMONY_DAYS, e) < 0 || read_hosts(s, n[HOSTS_OF], e) < 0)
		return -1;
	s->generation = (uint32_t)generation;
	return read_pin(s, n[PIN_OF], e) < 0 || read_days(s, n[DAYS_OF], false, e) < 0 ? -1 : read_keys(&s->homes, map, n, false, e);
}

static int read_certify(struct ceremony_step *s, const struct conf_node *map, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "dir", CONF_SCALAR, true }, { "name", CONF_SCALAR, true }, { "root", CONF_SCALAR, true }, { "root-sha256", CONF_SCALAR, false },
		{ "out", CONF_SCALAR, true }, { "install", CONF_SCALAR, false }, { "profiles-sha256", CONF_SCALAR, false },
	};
	const struct conf_node *n[ARRAY_LEN(fields)];

	s->settings.site = SITE_UPPER;
	if (conf_fields(map, fields, ARRAY_LEN(fields), n, e) < 0 || read_path(s->dir, n[0], e) < 0 ||
	    read_name(s->settings.name, sizeof s->settings.name, n[1], e) < 0 || read_path(s->root, n[2], e) < 0 || read_path(s->out, n[4], e) < 0 ||
	    conf_bool(n[5], &s->install, e) < 0)
		return -1;
	return read_sha256(s->root_sha256, n[3], "a certificate", e) < 0 ? -1 : read_pin(s, n[6], e);
}

/* The CA as it is, as for a rollover. */
static int read_list(struct ceremony_step *s, const struct conf_node *map, struct err *e)
{
	enum { CA, DIR_OF, KIND_OF, NAME_OF, GENERATION, LIST_DAYS, REVOKE, REASON, FIELDS };
	static const struct conf_field fields[] = {
		{ "ca", CONF_SCALAR, false }, { "dir", CONF_SCALAR, true }, { "kind", CONF_SCALAR, true }, { "name", CONF_SCALAR, true },
		{ "generation", CONF_SCALAR, false }, { "days", CONF_SCALAR, false }, { "revoke", CONF_SCALAR, false }, { "reason", CONF_SCALAR, false },
	};
	static const char *const cas[] = { "issuing", "unit", NULL };
	static const char *const reasons[] = { "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
					       "privilegeWithdrawn", NULL };
	const struct conf_node *n[FIELDS];
	uint64_t generation = 1, days = ROOT_LIST_DAYS;
	int ca = 0, reason = 0;

	if (conf_fields(map, fields, FIELDS, n, e) < 0 || read_id(s->ca, n[CA], e) < 0 || read_path(s->dir, n[DIR_OF], e) < 0 ||
	    read_kind(&s->settings.site, n[KIND_OF], true, e) < 0 || read_name(s->settings.name, sizeof s->settings.name, n[NAME_OF], e) < 0 ||
	    (n[GENERATION] && conf_uint(n[GENERATION], &generation, 1, LIMIT_CEREMONY_DAYS, e) < 0) ||
	    (n[LIST_DAYS] && conf_uint(n[LIST_DAYS], &days, 1, LIMIT_ROOT_LIST_DAYS, e) < 0) || conf_choice(n[REVOKE], cas, &ca, e) < 0 ||
	    conf_choice(n[REASON], reasons, &reason, e) < 0)
		return -1;
	if (s->settings.site == SITE_UPPER && (n[CA] || n[GENERATION] || n[REVOKE]))
		return conf_error(map, e, "an upper CA has one root and no CA of its own; remove ca, generation and revoke");
	if (!n[REVOKE] != !n[REASON])
		return conf_error(map, e, "revoke and reason go together");
	s->generation = (uint32_t)generation;
	s->list_days = (uint32_t)days;
	s->revoke = n[REVOKE] ? cas[ca] : NULL;
	s->reason = n[REASON] ? reasons[reason] : NULL;
	return 0;
}

static int read_step(struct ceremony_step *s, const struct conf_node *node, struct err *e)
{
	static const struct conf_field verbs[] = {
		{ "make", CONF_MAP, false }, { "add", CONF_MAP, false }, { "rollover", CONF_MAP, false }, { "certify", CONF_MAP, false },
		{ "list", CONF_MAP, false },
	};
	static int (*const read[])(struct ceremony_step *s, const struct conf_node *map, struct err *e) = {
		read_make, read_add, read_rollover, read_certify, read_list };
	const struct conf_node *n[ARRAY_LEN(verbs)];

	s->line = conf_line(node);
	s->column = conf_column(node);
	s->made_by = -1;
	if (conf_fields(node, verbs, ARRAY_LEN(verbs), n, e) < 0)
		return -1;
	if (conf_count(node) != 1)
		return conf_error(node, e, "a step is one of make, add, rollover, certify and list");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (n[i]) {
			s->verb = (enum ceremony_verb)i;
			return read[i](s, n[i], e);
		}
	return -1;	/* conf_fields() has found one of them */
}

/* ---- across the steps ---- */
bool ceremony_makes(const struct ceremony_step *s)
{
	return s->verb != VERB_CERTIFY && s->verb != VERB_LIST;
}

int ceremony_home(char path[FILE_PATH], const struct ceremony_step *s, struct err *e)
{
	const char *id = s->verb == VERB_ADD ? s->settings.id : s->ca;
	char below[CA_ID_MAX + 8];

	if (!*id || s->verb == VERB_MAKE)
		return snprintf(path, FILE_PATH, "%s", s->dir) < FILE_PATH ? 0 : err_set(e, REASON_CONFIG, "path too long: %.200s", s->dir);
	snprintf(below, sizeof below, "cas/%s", id);
	return file_join(path, e, s->dir, below);
}

int ceremony_made(char path[FILE_PATH], const struct ceremony_step *s, struct err *e)
{
	char home[FILE_PATH];

	return ceremony_home(home, s, e) < 0 ? -1 : generation_path(path, home, s->generation, e);
}

static int step_error(const struct ceremony_plan *p, const struct ceremony_step *s, struct err *e, const char *text)
{
	return err_set(e, REASON_CONFIG, "%s:%d:%d: %s", p->file, s->line, s->column, text);
}

/* The one step before i that makes the CA whose root is this file; -1: none does, -2: an error. */
static int maker(const struct ceremony_plan *p, size_t i, const char *root, struct err *e)
{
	char made[FILE_PATH], path[FILE_PATH];

	for (size_t k = 0; k < i; k++) {
		if (!ceremony_makes(&p->step[k]))
			continue;
		if (ceremony_made(made, &p->step[k], e) < 0 || file_join(path, e, made, "root.pem") < 0)
			return -2;
		if (strcmp(path, root) == 0)
			return (int)k;
	}
	return -1;
}

static int check_certify(const struct ceremony_plan *p, size_t i, struct ceremony_step *s, struct err *e)
{
	s->made_by = maker(p, i, s->root, e);
	if (s->made_by == -2)
		return -1;
	if (s->made_by >= 0 && p->step[s->made_by].settings.site == SITE_UPPER)
		return step_error(p, s, e, "root: that is an upper CA; only roots of factories and customers are certified");
	if (s->made_by < 0 && !*s->root_sha256)
		return step_error(p, s, e, "no step before makes this root; pin the one that is meant with root-sha256");
	if (s->made_by >= 0 && *s->root_sha256)
		return step_error(p, s, e, "root-sha256: a step before makes this root, nobody knows its hash yet; remove it");
	if (s->made_by < 0 && s->install)
		return step_error(p, s, e, "install: that is for a CA that a step before makes; else take the file there and call \"handsel-ca root install\"");
	for (size_t k = 0; k < i; k++)
		if (strcmp(p->step[k].out, s->out) == 0)
			return step_error(p, s, e, "out: a step before writes this file");
	return 0;
}

/* Two steps may not be about one CA: the second would depend on how the first went. */
static int check_homes(const struct ceremony_plan *p, size_t i, struct err *e)
{
	char mine[FILE_PATH], other[FILE_PATH];

	if (ceremony_home(mine, &p->step[i], e) < 0)
		return -1;
	for (size_t k = 0; k < i; k++) {
		if (p->step[k].verb == VERB_CERTIFY)
			continue;
		if (ceremony_home(other, &p->step[k], e) < 0)
			return -1;
		if (strcmp(mine, other) == 0)
			return step_error(p, &p->step[i], e, "a step before is about the CA in this folder already");
		if (p->step[i].verb == VERB_ADD && strcmp(p->step[k].dir, p->step[i].dir) == 0 &&
		    strcmp(p->step[k].settings.id, p->step[i].settings.id) == 0)
			return step_error(p, &p->step[i], e, "id: the first CA of the system has it");
	}
	return 0;
}

/* An upper CA that a step before makes must be one, and the system of a further CA none. */
static int check_dirs(const struct ceremony_plan *p, size_t i, struct err *e)
{
	const struct ceremony_step *s = &p->step[i];

	for (size_t k = 0; k < i; k++) {
		const struct ceremony_step *before = &p->step[k];

		if (before->verb != VERB_MAKE || strcmp(before->dir, s->dir) != 0)
			continue;
		if (s->verb == VERB_CERTIFY && before->settings.site != SITE_UPPER)
			return step_error(p, s, e, "dir: the CA that a step before makes there is no upper CA");
		if (s->verb == VERB_CERTIFY && strcmp(before->settings.name, s->settings.name) != 0)
			return step_error(p, s, e, "name: the step that makes this upper CA has another one");
		if (s->verb == VERB_ADD && before->settings.site == SITE_UPPER)
			return step_error(p, s, e, "dir: an upper CA has a folder of its own");
	}
	return 0;
}

static int check_steps(struct ceremony_plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		struct ceremony_step *s = &p->step[i];

		if (check_dirs(p, i, e) < 0 || (s->verb == VERB_CERTIFY ? check_certify(p, i, s, e) : check_homes(p, i, e)) < 0)
			return -1;
	}
	return 0;
}

/* ---- the whole ---- */
static int read_witnesses(struct ceremony_plan *p, const struct conf_node *list, struct err *e)
{
	size_t n = conf_count(list);

	if (n == 0 || n > LIMIT_CEREMONY_PEOPLE)
		return conf_error(list, e, "1 to %d witnesses are needed", LIMIT_CEREMONY_PEOPLE);
	for (; p->n_witnesses < n; p->n_witnesses++)
		if (read_name(p->witness[p->n_witnesses], sizeof p->witness[0], conf_item(list, p->n_witnesses), e) < 0)
			return -1;
	return 0;
}

static int read_root(struct ceremony_plan *p, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true }, { "title", CONF_SCALAR, true }, { "output", CONF_SCALAR, true }, { "witnesses", CONF_LIST, true },
		{ "steps", CONF_LIST, true },
	};
	const struct conf_node *n[ARRAY_LEN(fields)];
	size_t steps;

	if (conf_fields(root, fields, ARRAY_LEN(fields), n, e) < 0 || conf_version(n[0], root, e) < 0 || read_name(p->title, sizeof p->title, n[1], e) < 0 ||
	    read_path(p->output, n[2], e) < 0 || read_witnesses(p, n[3], e) < 0)
		return -1;
	steps = conf_count(n[4]);
	if (steps == 0 || steps > LIMIT_CEREMONY_STEPS)
		return conf_error(n[4], e, "1 to %d steps are needed", LIMIT_CEREMONY_STEPS);
	for (; p->n_steps < steps; p->n_steps++)
		if (read_step(&p->step[p->n_steps], conf_item(n[4], p->n_steps), e) < 0)
			return -1;
	return check_steps(p, e);
}

int ceremony_parse(struct ceremony_plan *p, const char *name, const struct buf *text, struct err *e)
{
	struct conf *c;
	int rc;

	*p = (struct ceremony_plan){0};
	if (text_copy(p->file, sizeof p->file, name) < 0)
		return err_set(e, REASON_CONFIG, "path too long: %.200s", name);
	c = conf_parse(name, text, e);
	if (!c)
		return -1;
	buf_set(&p->text, text->data, text->len);
	digest_sha256_hex(p->sha256, text->data, text->len);
	rc = read_root(p, conf_root(c), e);
	conf_free(c);
	if (rc < 0)
		ceremony_free(p);
	return rc;
}

int ceremony_load(struct ceremony_plan *p, const char *path, struct err *e)
{
	struct buf text = {0};
	int rc = file_read(&text, path, LIMIT_CEREMONY, e) < 0 ? -1 : ceremony_parse(p, path, &text, e);

	buf_free(&text);
	return rc;
}

void ceremony_free(struct ceremony_plan *p)
{
	buf_free(&p->text);
}

/* ---- in words ---- */
void ceremony_place(struct buf *out, const struct key_home *h, bool plain)
{
	if (strcmp(h->place, KEYSTORE_FILE) != 0)
		buf_fmt(out, "token %s", h->place);
	else
		buf_str(out, plain ? "file, NOT encrypted" : "file, encrypted");
}

void ceremony_title(struct buf *out, const struct ceremony_step *s)
{
	const char *kind = site_name(s->settings.site), *name = s->settings.name;

	switch (s->verb) {
	case VERB_MAKE:
		buf_fmt(out, "make the %s CA \"%s\" in %s", kind, name, s->dir);
		break;
	case VERB_ADD:
		buf_fmt(out, "add the %s CA \"%s\", called %s, to the system in %s", kind, name, s->settings.id, s->dir);
		break;
	case VERB_ROLLOVER:
		buf_fmt(out, "roll the %s CA \"%s\"%s%s in %s over to generation %u", kind, name, *s->ca ? ", called " : "", s->ca, s->dir, s->generation);
		break;
	case VERB_CERTIFY:
		buf_fmt(out, "have the upper CA \"%s\" in %s certify the root %s", name, s->dir, s->root);
		break;
	case VERB_LIST:
		buf_fmt(out, "make the revocation list of the root, generation %u, of the %s CA \"%s\"%s%s in %s anew", s->generation, kind, name,
			*s->ca ? ", called " : "", s->ca, s->dir);
		break;
	}
}
