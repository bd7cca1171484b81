/* The profiles by which a step makes certificates: what the file does not say itself, so it pins them. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "ceremony_private.h"
#include "digest.h"
#include "mem.h"

static int add(struct step_profiles *ps, const char *home, const char *name, struct err *e)
{
	char path[FILE_PATH];
	struct buf text = {0};
	int rc;

	for (size_t i = 0; i < ps->n; i++)
		if (strcmp(ps->of[i].name, name) == 0)
			return 0;
	rc = profile_path(path, home, name, e) < 0 ? -1 : file_read(&text, path, 0, e);
	if (rc == 0) {
		snprintf(ps->of[ps->n].name, sizeof ps->of[0].name, "%s", name);
		digest_sha256_hex(ps->of[ps->n++].sha256, text.data, text.len);
	}
	buf_free(&text);
	return rc;
}

static int add_all(struct step_profiles *ps, const struct ceremony_step *s, const char *home, struct err *e)
{
	static const enum profile_kind kinds[] = { PROFILE_ROOT, PROFILE_ISSUING, PROFILE_UNIT_CA, PROFILE_UNIT };
	bool alone = s->verb == VERB_CERTIFY || s->settings.site == SITE_UPPER;

	if (s->verb == VERB_LIST)
		return 0;
	for (size_t i = 0; i < (alone ? 1 : ARRAY_LEN(kinds)); i++)
		if (add(ps, home, profile_kind_name(kinds[i]), e) < 0)
			return -1;
	if (alone || s->verb == VERB_ROLLOVER)
		return 0;
	for (size_t i = 0; i < s->settings.n_profiles; i++)
		if (add(ps, home, s->settings.profile[i], e) < 0)
			return -1;
	return s->settings.n_profiles ? 0 : add(ps, home, site_profile(s->settings.site), e);
}

int step_profiles_load(struct step_profiles *ps, const struct ceremony_step *s, struct err *e)
{
	char home[FILE_PATH];
	struct buf list = {0};
	int rc;

	*ps = (struct step_profiles){0};
	rc = ceremony_home(home, s, e) < 0 ? -1 : add_all(ps, s, home, e);
	for (size_t i = 0; i < ps->n; i++)
		buf_fmt(&list, "%s %s\n", ps->of[i].name, ps->of[i].sha256);
	if (rc == 0 && ps->n)
		digest_sha256_hex(ps->sha256, list.data, list.len);
	buf_free(&list);
	return rc;
}

int step_profiles_check(const struct step_profiles *ps, const struct ceremony_step *s, struct err *e)
{
	return !*s->profiles_sha256 || strcmp(s->profiles_sha256, ps->sha256) == 0
		       ? 0
		       : err_set(e, REASON_AUTHORITY, "the profiles are not those that were reviewed: their SHA-256 is %s; \"ceremony check\" shows each",
				 *ps->sha256 ? ps->sha256 : "that of none");
}
