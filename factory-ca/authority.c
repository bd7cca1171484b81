#include <config.h>

#include "authority.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conf.h"
#include "cross.h"
#include "file.h"
#include "keys.h"
#include "limits.h"
#include "mem.h"
#include "oid.h"

#define CRL_VALID_S (7 * 86400)	/* customers who fetch the list by hand do so once a week */
#define OCSP_VALID_S 86400
#define HEAD_S 60
#define HEAD_ROWS 1000

static const char *const sites[] = { "factory", "customer", "upper", NULL };

const char *site_name(enum site s)
{
	return sites[s];
}

int site_parse(enum site *s, const char *name)
{
	for (int i = 0; sites[i]; i++)
		if (strcmp(name, sites[i]) == 0) {
			*s = (enum site)i;
			return 0;
		}
	return -1;
}

const char *site_profile(enum site s)
{
	return s == SITE_FACTORY ? "device-factory" : s == SITE_CUSTOMER ? "device-customer" : "";
}

int endpoint_parse(struct endpoint *p, const char *text, struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';
	uint64_t port;

	if (n == 0 || n >= sizeof p->address || text_uint(&port, colon + 1, 65535) < 0 ||
	    (!brackets && memchr(text, ':', n)))
		return err_set(e, REASON_CONFIG, "\"%s\" is no ADDRESS:PORT; write 0.0.0.0:8443 or [::]:8443", text);
	p->socket = 0;
	snprintf(p->address, sizeof p->address, "%.*s", (int)(brackets ? n - 2 : n), text + brackets);
	p->port = (uint16_t)port;
	return 0;
}

/* ---- ca.yaml ---- */
static int read_profiles(struct settings *s, const struct conf_node *list, struct err *e)
{
	s->n_profiles = 0;
	if (s->site == SITE_UPPER)
		return list ? conf_error(list, e, "profiles: an upper CA issues to no device; remove the line") : 0;
	for (size_t i = 0; list && i < conf_count(list); i++) {
		const struct conf_node *n = conf_item(list, i);

		if (s->n_profiles == LIMIT_PROFILES)
			return conf_error(n, e, "profiles: more than %d", LIMIT_PROFILES);
		if (conf_str(n, s->profile[i], sizeof s->profile[i], e) < 0)
			return -1;
		if (!text_is_token(s->profile[i], CA_ID_MAX))
			return conf_error(n, e, "profiles: a name is letters, digits, \".\", \"_\" and \"-\", at most %d",
					  CA_ID_MAX);
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->profile[k], s->profile[i]) == 0)
				return conf_error(n, e, "profiles: \"%s\" stands there twice", s->profile[i]);
		s->n_profiles++;
	}
	if (list && !s->n_profiles)
		return conf_error(list, e, "profiles: name at least one, or remove the line for \"%s\"", site_profile(s->site));
	if (!list)
		snprintf(s->profile[s->n_profiles++], sizeof s->profile[0], "%s", site_profile(s->site));
	return 0;
}

static int settings_read(struct settings *s, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true }, { "kind", CONF_SCALAR, true }, { "id", CONF_SCALAR, true },
		{ "name", CONF_SCALAR, true }, { "listen", CONF_SCALAR, false }, { "pending", CONF_SCALAR, false },
		{ "profiles", CONF_LIST, false },
		{ "crl-valid", CONF_SCALAR, false }, { "audit-head", CONF_SCALAR, false }, { "audit-head-rows", CONF_SCALAR, false },
		{ "metrics", CONF_SCALAR, false },
		{ "ocsp-valid", CONF_SCALAR, false }, { "listen-http", CONF_SCALAR, false },
		{ "unit-key", CONF_SCALAR, false }, { "unit-credential", CONF_SCALAR, false },
	};
	const struct conf_node *n[ARRAY_LEN(fields)];
	struct endpoint where;
	struct err why;
	int kind = 0;

	if (conf_fields(root, fields, ARRAY_LEN(fields), n, e) < 0 || conf_version(n[0], root, e) < 0 ||
	    conf_choice(n[1], sites, &kind, e) < 0 || conf_str(n[2], s->id, sizeof s->id, e) < 0 ||
	    conf_str(n[3], s->name, sizeof s->name, e) < 0 || conf_str(n[4], s->listen, sizeof s->listen, e) < 0 ||
	    conf_str(n[10], s->metrics, sizeof s->metrics, e) < 0 || unit_place_read(&s->place, n[13], n[14], e) < 0)
		return -1;
	s->site = (enum site)kind;
	s->pending_s = TIMEOUT_PENDING_S;
	s->crl_valid_s = CRL_VALID_S;
	s->ocsp_valid_s = OCSP_VALID_S;
	s->head_s = HEAD_S;
	s->head_rows = HEAD_ROWS;
	if (conf_seconds(n[5], &s->pending_s, 7 * 86400, e) < 0 ||
	    conf_seconds(n[7], &s->crl_valid_s, LIMIT_CRL_VALID_S, e) < 0 || conf_seconds(n[8], &s->head_s, LIMIT_HEAD_S, e) < 0 ||
	    (n[9] && conf_uint(n[9], &s->head_rows, 1, LIMIT_HEAD_ROWS, e) < 0) ||
	    conf_seconds(n[11], &s->ocsp_valid_s, LIMIT_OCSP_VALID_S, e) < 0 || conf_str(n[12], s->listen_http, sizeof s->listen_http, e) < 0)
		return -1;
	if (s->crl_valid_s == 0)
		return conf_error(n[7], e, "crl-valid: a list that is never good helps nobody; write for example 7d");
	if (s->ocsp_valid_s == 0)
		return conf_error(n[11], e, "ocsp-valid: an answer that is never good helps nobody; write for example 1d");
	if (n[12] && endpoint_parse(&where, s->listen_http, &why) < 0)
		return conf_error(n[12], e, "listen-http: %s", why.text);
	if (s->head_s == 0)
		return conf_error(n[8], e, "audit-head: write how long rows may stand without a head, for example 60s");
	if (!text_is_token(s->id, CA_ID_MAX))
		return conf_error(n[2], e, "id: letters, digits, \".\", \"_\" and \"-\", at most %d", CA_ID_MAX);
	if (!text_is_name(s->name, LIMIT_NAME))
		return conf_error(n[3], e, "name: printable ASCII, 1 to %d characters", LIMIT_NAME);
	if (n[5] && s->pending_s == 0)
		return conf_error(n[5], e,
				  "pending: 0 would revoke before a device can confirm; write for example 15m");
	if (n[5] && s->site == SITE_CUSTOMER)
		return conf_error(n[5], e, "pending: at the customer the node owns the pending time; remove the line");
	if (n[4] && endpoint_parse(&where, s->listen, &why) < 0)
		return conf_error(n[4], e, "listen: %s", why.text);
	if (n[10] && endpoint_parse(&where, s->metrics, &why) < 0)
		return conf_error(n[10], e, "metrics: %s", why.text);
	return read_profiles(s, n[6], e);
}

int settings_load(struct settings *s, const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct conf *c;
	int rc;

	*s = (struct settings){0};
	if (file_join(path, e, dir, "ca.yaml") < 0)
		return -1;
	if (!file_exists(path))
		return err_set(e, REASON_CONFIG, "%s is not there: \"handsel-ca --dir %s init\" makes a CA system",
			       path, dir);
	c = conf_load(path, e);
	if (!c)
		return -1;
	rc = settings_read(s, conf_root(c), e);
	conf_free(c);
	return rc;
}

int settings_serves(const struct settings *s, const char *dir, struct err *e)
{
	return s->site != SITE_UPPER ? 0
				     : err_set(e, REASON_CONFIG, "%s is an upper CA, which certifies roots (\"handsel-ca root sign\") and nothing else",
					       dir);
}

int settings_save(const struct settings *s, const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct buf text = {0};
	int rc;

	if (file_join(path, e, dir, "ca.yaml") < 0)
		return -1;
	buf_fmt(&text, "version: 1\nkind: %s\nid: \"%s\"\n", site_name(s->site), s->id);
	conf_put(&text, "name", s->name);
	conf_put(&text, "listen", s->listen);
	conf_put(&text, "metrics", s->metrics);
	for (size_t i = 0; i < s->n_profiles; i++)
		buf_fmt(&text, "%s\"%s\"%s", i ? ", " : "profiles: [", s->profile[i], i + 1 == s->n_profiles ? "]\n" : "");
	if (s->site == SITE_FACTORY)
		buf_fmt(&text, "pending: %" PRIu64 "s\n", s->pending_s);
	if (s->crl_valid_s)
		buf_fmt(&text, "crl-valid: %" PRIu64 "s\n", s->crl_valid_s);
	unit_place_write(&s->place, &text);
	rc = file_replace(path, text.data, text.len, 0644, e);
	buf_free(&text);
	return rc;
}

/* ---- the public side ---- */
static int load_one(struct chain *ch, const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, dir, name) < 0 || chain_load(ch, path, e) < 0)
		return -1;
	if (ch->n != 1 || !ch->cert[0].ca)
		return err_set(e, REASON_CONFIG, "%s must hold one CA certificate; restore it from the backup", path);
	return 0;
}

/* A word that has expired is of no use to anybody, and no reason not to start. */
static int cross_fits(const struct cert *cross, const struct cert *root, const struct cert *by, struct err *e)
{
	int64_t now = clock_utc();

	return cross_verify(cross, root, by, now < cross->not_after ? now : cross->not_after, e);
}

/* upper.pem: our root's certificate by an upper CA, and that one's root. It is passed on, and nothing is decided by it. */
static int load_upper(struct authority *a, const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct chain ch = {0};
	int rc = file_join(path, e, dir, UPPER_FILE);

	if (rc < 0 || !file_exists(path))
		return rc;
	rc = chain_load(&ch, path, e);
	if (rc == 0 && ch.n != 2)
		rc = err_set(e, REASON_CONFIG, "%s must hold two certificates; \"handsel-ca root install\" writes it", path);
	/* after a rollover it is the older root's until the upper CA has certified the new one */
	if (rc == 0 && cross_fits(&ch.cert[0], a->root.cert, &ch.cert[1], e) < 0 &&
	    (!a->older_root.n || cross_fits(&ch.cert[0], a->older_root.cert, &ch.cert[1], e) < 0))
		rc = err_prefix(e, "%s", path);
	if (rc == 0)
		rc = chain_add(&a->cross, ch.cert[0].der.data, ch.cert[0].der.len, e);
	chain_free(&ch);
	return rc;
}

int generation_path(char path[FILE_PATH], const char *dir, unsigned n, struct err *e)
{
	char name[24];

	if (n == 1)
		return snprintf(path, FILE_PATH, "%s", dir) < FILE_PATH ? 0 : err_set(e, REASON_CONFIG, "path too long: %.200s", dir);
	snprintf(name, sizeof name, "gen-%u", n);
	return file_join(path, e, dir, name);
}

int generation_of(const char *dir, unsigned *n, struct err *e)
{
	char path[FILE_PATH];

	for (*n = 1; generation_path(path, dir, *n + 1, e) == 0; ++*n)
		if (!file_exists(path))
			return 0;
	return -1;
}

static int load_three(struct chain *root, struct chain *issuing, struct chain *unit, const char *dir, unsigned n, struct err *e)
{
	char path[FILE_PATH];

	return generation_path(path, dir, n, e) < 0 || load_one(root, path, "root.pem", e) < 0 ||
			       load_one(issuing, path, "issuing.pem", e) < 0 || load_one(unit, path, "unit.pem", e) < 0
		       ? -1
		       : 0;
}

/* Which lists of the generation before are still made. */
static int find_lists(struct authority *a, const char *dir, struct err *e)
{
	char older[FILE_PATH], keys[FILE_PATH];

	if (generation_path(older, dir, a->generation - 1, e) < 0 || file_join(keys, e, older, KEYS_FOLDER) < 0)
		return -1;
	a->older_issuing_lists = (a->overlap || cert_has_policy(a->older_issuing.cert, OID_POLICY_FACTORY)) &&
				 keystore_has(keys, "issuing");
	a->older_unit_lists = a->overlap && keystore_has(keys, "unit");
	return 0;
}

/* What the rollovers before that left. An old folder may have no such file any more, and the way begins later then. */
static int load_links(struct authority *a, const char *dir, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];
	struct chain newer = {0}, older = {0}, both = {0};
	unsigned n = a->generation - 1;
	int rc = 0;

	for (; rc == 0 && n > 1 && a->links.n + 1 < LIMIT_ROOT_LINKS; n--) {
		if (generation_path(folder, dir, n, e) < 0 || file_join(path, e, folder, CROSS_FILE) < 0)
			rc = -1;
		else if (!file_exists(path))
			break;
		else if (load_one(&newer, folder, "root.pem", e) < 0 || generation_path(folder, dir, n - 1, e) < 0 ||
			 load_one(&older, folder, "root.pem", e) < 0 || chain_load(&both, path, e) < 0)
			rc = -1;
		else if (cross_fits(both.cert, newer.cert, older.cert, e) < 0)
			rc = err_prefix(e, "%s", path);
		else
			rc = chain_add(&a->links, both.cert->der.data, both.cert->der.len, e);
		chain_free(&newer);
		chain_free(&older);
		chain_free(&both);
	}
	return rc;
}

/* What a rollover left: the generation before, and the word of each root for the other. */
static int load_older(struct authority *a, const char *dir, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];

	if (a->generation == 1)
		return 0;
	if (load_three(&a->older_root, &a->older_issuing, &a->older_unit, dir, a->generation - 1, e) < 0 ||
	    generation_path(folder, dir, a->generation, e) < 0 || file_join(path, e, folder, CROSS_FILE) < 0 ||
	    chain_load(&a->cross, path, e) < 0)
		return -1;
	if (a->cross.n != 2 || cross_fits(&a->cross.cert[0], a->root.cert, a->older_root.cert, e) < 0 ||
	    cross_fits(&a->cross.cert[1], a->older_root.cert, a->root.cert, e) < 0)
		return err_set(e, REASON_CONFIG, "%s does not belong to the roots of this CA; restore it from the backup", path);
	if (file_join(path, e, folder, ALONE_FILE) < 0)
		return -1;
	a->overlap = !file_exists(path);
	return load_links(a, dir, e) < 0 ? -1 : find_lists(a, dir, e);
}

static int make_trust(struct authority *a, struct err *e)
{
	a->trust = trust_new();
	if (trust_add_root(a->trust, a->root.cert, e) < 0 || trust_add_issuer(a->trust, a->unit.cert, e) < 0)
		return -1;
	return a->overlap && (trust_add_root(a->trust, a->older_root.cert, e) < 0 ||
			      trust_add_issuer(a->trust, a->older_unit.cert, e) < 0)
		       ? -1
		       : 0;
}

int authority_load(struct authority *a, const char *dir, struct err *e)
{
	struct trust_rule any = { .purpose = PURPOSE_ANY, .now = clock_utc() };

	*a = (struct authority){0};
	if (generation_of(dir, &a->generation, e) < 0 || load_three(&a->root, &a->issuing, &a->unit, dir, a->generation, e) < 0 ||
	    load_older(a, dir, e) < 0 || make_trust(a, e) < 0)
		goto fail;
	if (trust_verify(a->trust, &a->issuing, &any, e) < 0) {
		err_prefix(e, "%s: issuing.pem", dir);
		goto fail;
	}
	if (load_upper(a, dir, e) == 0)
		return 0;
fail:
	authority_free(a);
	return -1;
}

void authority_free(struct authority *a)
{
	trust_free(a->trust);
	chain_free(&a->root);
	chain_free(&a->issuing);
	chain_free(&a->unit);
	chain_free(&a->cross);
	chain_free(&a->links);
	chain_free(&a->older_root);
	chain_free(&a->older_issuing);
	chain_free(&a->older_unit);
	*a = (struct authority){0};
}

static bool chains_same(const struct chain *a, const struct chain *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && mem_same(a->cert[i].sha256, b->cert[i].sha256, SHA256_LEN))
		i++;
	return i == a->n && i == b->n;
}

bool authority_same(const struct authority *a, const struct authority *b)
{
	return a->generation == b->generation && a->overlap == b->overlap && chains_same(&a->root, &b->root) &&
	       chains_same(&a->issuing, &b->issuing) && chains_same(&a->unit, &b->unit) && chains_same(&a->cross, &b->cross) &&
	       chains_same(&a->links, &b->links);
}

int authority_way(const struct authority *a, struct chain *ch, struct err *e)
{
	if (a->generation > 1 && chain_add(ch, a->cross.cert->der.data, a->cross.cert->der.len, e) < 0)
		return -1;
	return chain_append(ch, &a->links, e);
}

/* ---- revocation lists ---- */
const struct cert *crl_ca(const struct authority *a, enum crl_of of)
{
	switch (of) {
	case CRL_ISSUING:
		return a->issuing.cert;
	case CRL_UNIT:
		return a->unit.cert;
	case CRL_OLDER_ISSUING:
		return a->older_issuing_lists ? a->older_issuing.cert : NULL;
	case CRL_OLDER_UNIT:
		return a->older_unit_lists ? a->older_unit.cert : NULL;
	case CRL_KINDS:
		break;
	}
	return NULL;
}

static void name_of(char name[CRL_NAME], const char *what, unsigned generation)
{
	if (generation == 1)
		snprintf(name, CRL_NAME, "%s", what);
	else
		snprintf(name, CRL_NAME, "%s-%u", what, generation);
}

void root_list_name(char name[CRL_NAME], unsigned generation)
{
	name_of(name, "root", generation);
}

unsigned root_list_parse(const struct authority *a, const char *name)
{
	char each[CRL_NAME];

	for (unsigned n = a->generation; n > 0; n--) {
		root_list_name(each, n);
		if (strcmp(name, each) == 0)
			return n;
	}
	return 0;
}

void crl_name(char name[CRL_NAME], const struct authority *a, enum crl_of of)
{
	unsigned n = of == CRL_OLDER_ISSUING || of == CRL_OLDER_UNIT ? a->generation - 1 : a->generation;
	const char *what = of == CRL_UNIT || of == CRL_OLDER_UNIT ? "unit" : "issuing";

	name_of(name, what, n);
}

int crl_of_parse(enum crl_of *of, const struct authority *a, const char *name)
{
	char each[CRL_NAME];

	for (int i = 0; i < CRL_KINDS; i++) {
		crl_name(each, a, (enum crl_of)i);
		if (crl_ca(a, (enum crl_of)i) && strcmp(name, each) == 0) {
			*of = (enum crl_of)i;
			return 0;
		}
	}
	return -1;
}

/* ---- data files ---- */
int datadir_folder(char path[FILE_PATH], const char *folder, struct err *e)
{
	const char *dir = getenv("HANDSEL_DATADIR");

	return file_join(path, e, dir && *dir ? dir : HANDSEL_DATADIR, folder);
}

int datadir_path(char path[FILE_PATH], const char *folder, const char *name, struct err *e)
{
	char dir[FILE_PATH];

	if (datadir_folder(dir, folder, e) < 0)
		return -1;
	return snprintf(path, FILE_PATH, "%s/%s.yaml", dir, name) < FILE_PATH
		       ? 0
		       : err_set(e, REASON_CONFIG, "path too long: %.200s/%.100s.yaml", dir, name);
}

static enum profile_kind site_kind(enum site s)
{
	return s == SITE_FACTORY ? PROFILE_DEVICE_FACTORY : PROFILE_DEVICE_CUSTOMER;
}

int profile_path(char path[FILE_PATH], const char *dir, const char *name, struct err *e)
{
	char file[CA_ID_MAX + 32];

	snprintf(file, sizeof file, "profiles/%.*s.yaml", CA_ID_MAX, name);
	if (file_join(path, e, dir, file) < 0)
		return -1;
	return file_exists(path) ? 0 : datadir_path(path, "profiles", name, e);
}

static int load_profile(struct profile *p, const char *dir, const char *name, enum site site, struct err *e)
{
	char path[FILE_PATH];

	if (profile_path(path, dir, name, e) < 0 || profile_load(p, path, e) < 0)
		return err_prefix(e, "%s/ca.yaml: profiles", dir);
	if (strcmp(p->id, name) != 0)
		return err_set(e, REASON_CONFIG, "%s/ca.yaml: the file of profile \"%s\" has the id \"%s\"; make them the same", dir,
			       name, p->id);
	if (p->kind != site_kind(site))
		return err_set(e, REASON_CONFIG, "%s/ca.yaml: profile \"%s\" is not of the kind %s, which alone a %s CA issues to devices",
			       dir, name, site_profile(site), site_name(site));
	return 0;
}

int profiles_load(struct profiles *ps, const char *dir, const struct settings *s, struct err *e)
{
	*ps = (struct profiles){0};
	for (; ps->n < s->n_profiles; ps->n++)
		if (load_profile(&ps->of[ps->n], dir, s->profile[ps->n], s->site, e) < 0)
			return -1;
	return 0;
}

const struct profile *profiles_choose(const struct profiles *ps, const char *wanted, struct err *e)
{
	for (size_t i = 0; i < ps->n; i++)
		if (!*wanted || strcmp(ps->of[i].id, wanted) == 0)
			return &ps->of[i];
	err_set(e, REASON_PROFILE, "protocol-ca 4.2: the parameter 'profile': this CA does not issue by '%s'; leave it out", wanted);
	return NULL;
}

int profile_of_kind(struct profile *p, const char *dir, enum profile_kind kind, struct err *e)
{
	const char *name = profile_kind_name(kind);
	char path[FILE_PATH];

	if (profile_path(path, dir, name, e) < 0 || profile_load(p, path, e) < 0)
		return -1;
	return p->kind == kind ? 0 : err_set(e, REASON_CONFIG, "%s: the kind is %s; a profile of this name is of the kind %s", path,
					     profile_kind_name(p->kind), name);
}
