/* What the steps need, looked at before anything is done; and the plan in words. */
#include <config.h>

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ceremony_private.h"
#include "clock.h"
#include "mem.h"
#include "profile.h"

struct look {
	const struct ceremony_plan *p;
	const struct cli *c;
	size_t step;			/* from 1; 0: of none */
	size_t problems;
};

static void problem(struct look *l, const struct err *e)
{
	struct jsonl *j;

	l->problems++;
	if (!cli_json(l->c)) {
		if (l->step)
			printf("problem in step %zu: %s\n", l->step, e->text);
		else
			printf("problem: %s\n", e->text);
		return;
	}
	j = jsonl_new("problem");
	jsonl_int(j, "step", (int64_t)l->step);
	jsonl_str(j, "text", e->text);
	jsonl_print(j);
}

/* ---- folders and files ---- */
/* The folder that path stands in lets us write. */
static int writable(const char *path, struct err *e)
{
	char folder[FILE_PATH];
	const char *parent;

	snprintf(folder, sizeof folder, "%s", path);
	parent = dirname(folder);
	return access(parent, W_OK | X_OK) == 0 ? 0 : err_errno(e, REASON_CONFIG, "nothing can be written in %s", parent);
}

static bool is_made_before(const struct look *l, const char *path)
{
	size_t n;

	for (size_t k = 0; k + 1 < l->step; k++) {
		n = strlen(l->p->step[k].dir);
		if (ceremony_makes(&l->p->step[k]) && strncmp(path, l->p->step[k].dir, n) == 0 && (path[n] == '/' || !path[n]))
			return true;
	}
	return false;
}

static void look_output(struct look *l, const char *path)
{
	size_t n = strlen(l->p->output);
	struct err e;

	if (is_made_before(l, path) || (strncmp(path, l->p->output, n) == 0 && path[n] == '/'))
		return;
	if (writable(path, &e) < 0)
		problem(l, &e);
}

/* ---- keys ---- */
static void look_credential(struct look *l, const char *path)
{
	struct buf secret = {0};
	struct err e;

	if (*path && file_read_secret(&secret, path, &e) < 0)
		problem(l, &e);
	buf_free(&secret);
}

static void look_home(struct look *l, const struct key_home *h)
{
	const char *const argv[] = { "handsel-signer", "look", h->place, NULL };
	struct err e;

	look_credential(l, h->credential);
	if (token_is_uri(h->place) && signer_ceremony(argv, &e) < 0) {
		err_set(&e, REASON_CA_UNAVAILABLE, "%s cannot be used now; the message of handsel-signer tells why", h->place);
		problem(l, &e);
	}
}

static void look_keys(struct look *l, const struct key_homes *h)
{
	look_home(l, &h->root);
	if (!key_home_same(&h->keys, &h->root))
		look_home(l, &h->keys);
}

/* ---- steps ---- */
/* Days of life by the file, else by the profile; 0: for ever. -1 with an error. */
static int64_t life(const char *dir, enum profile_kind kind, uint32_t days, struct err *e)
{
	struct profile p;

	if (days == 0 && profile_of_kind(&p, dir, kind, e) < 0)
		return -1;
	return days ? days : p.validity_days;
}

static void look_life(struct look *l, const struct ceremony_step *s, const char *dir)
{
	struct err e;
	int64_t root = life(dir, PROFILE_ROOT, s->root_days, &e), issuing = life(dir, PROFILE_ISSUING, s->issuing_days, &e),
		unit = life(dir, PROFILE_UNIT_CA, s->unit_days, &e);

	if (root <= 0 || issuing < 0 || unit < 0)	/* look_profiles() tells what cannot be read */
		return;
	if (issuing == 0 || issuing > root || unit == 0 || unit > root) {
		err_set(&e, REASON_CONFIG, "a CA would be good for longer than its root, %lld days; say lives in validity-days", (long long)root);
		problem(l, &e);
	}
}

static void look_profiles(struct look *l, const struct settings *s, const char *dir)
{
	static const enum profile_kind own[] = { PROFILE_ROOT, PROFILE_ISSUING, PROFILE_UNIT_CA };
	struct profiles *all = mem_new(1, sizeof *all);
	struct profile one;
	struct err e;

	for (size_t i = 0; i < (s->site == SITE_UPPER ? 1 : ARRAY_LEN(own)); i++)
		if (profile_of_kind(&one, dir, own[i], &e) < 0)
			problem(l, &e);
	if (s->site != SITE_UPPER && profiles_load(all, dir, s, &e) < 0)
		problem(l, &e);
	free(all);
}

static void look_make(struct look *l, const struct ceremony_step *s)
{
	char dir[FILE_PATH], path[FILE_PATH];
	struct key_home unit;
	struct err e;

	if (ceremony_home(dir, s, &e) < 0 || file_join(path, &e, dir, "ca.yaml") < 0) {
		problem(l, &e);
		return;
	}
	if (file_exists(path)) {
		err_set(&e, REASON_CONFIG, "%s exists: this CA is in use; its keys are never replaced", path);
		problem(l, &e);
	}
	if (s->verb == VERB_ADD && !is_made_before(l, s->dir)) {
		struct settings first;

		if (settings_load(&first, s->dir, &e) < 0 || settings_serves(&first, s->dir, &e) < 0)
			problem(l, &e);
		else if (strcmp(first.id, s->settings.id) == 0) {
			err_set(&e, REASON_CONFIG, "%s: that is the id of its first CA", s->settings.id);
			problem(l, &e);
		}
	} else if (s->verb == VERB_MAKE) {
		look_output(l, dir);
	}
	look_profiles(l, &s->settings, dir);
	if (s->settings.site != SITE_UPPER)
		look_life(l, s, dir);
	look_keys(l, &s->homes);
	snprintf(unit.place, sizeof unit.place, "%s", s->settings.place.place);
	snprintf(unit.credential, sizeof unit.credential, "%s", s->settings.place.credential);
	look_home(l, &unit);
}

static int same_ca(const struct ceremony_step *s, const char *dir, struct err *e)
{
	struct settings there;
	struct authority a;
	int rc = 0;

	if (settings_load(&there, dir, e) < 0)
		return -1;
	if (there.site != s->settings.site || strcmp(there.name, s->settings.name) != 0)
		return err_set(e, REASON_CONFIG, "%s is the %s CA \"%s\", not the %s CA \"%s\"", dir, site_name(there.site), there.name,
			       site_name(s->settings.site), s->settings.name);
	if (s->verb == VERB_CERTIFY || there.site == SITE_UPPER)
		return 0;
	if (authority_load(&a, dir, e) < 0)
		return -1;
	if (s->verb == VERB_LIST)
		rc = s->generation <= a.generation ? 0 : err_set(e, REASON_CONFIG, "%s is at generation %u, and has none %u", dir, a.generation, s->generation);
	else if (a.generation + 1 != s->generation)
		rc = err_set(e, REASON_CONFIG, "%s is at generation %u, so that the next is not %u", dir, a.generation, s->generation);
	else if (a.overlap)
		rc = err_set(e, REASON_CONFIG, "%s: the last rollover is under way; \"handsel-ca ca rollover --finish\" ends it", dir);
	authority_free(&a);
	return rc;
}

static void look_rollover(struct look *l, const struct ceremony_step *s)
{
	char dir[FILE_PATH];
	struct err e;

	if (ceremony_home(dir, s, &e) < 0 || same_ca(s, dir, &e) < 0)
		problem(l, &e);
	look_life(l, s, dir);
	look_keys(l, &s->homes);
}

static int look_root(const struct ceremony_step *s, struct err *e)
{
	struct chain root = {0};
	char hash[SHA256_HEX];
	int rc = chain_load(&root, s->root, e);

	if (rc == 0)
		text_hex(hash, root.cert->sha256, SHA256_LEN);
	if (rc == 0 && (root.n != 1 || strcmp(hash, s->root_sha256) != 0))
		rc = err_set(e, REASON_AUTHORITY, "%s is not the root that is pinned: its SHA-256 is %s", s->root, hash);
	chain_free(&root);
	return rc;
}

static void look_certify(struct look *l, const struct ceremony_step *s)
{
	struct err e;

	if (!is_made_before(l, s->dir) && same_ca(s, s->dir, &e) < 0)
		problem(l, &e);
	if (s->made_by < 0 && look_root(s, &e) < 0)
		problem(l, &e);
	if (file_exists(s->out)) {
		err_set(&e, REASON_CONFIG, "%s exists; name another file, or take it away", s->out);
		problem(l, &e);
	}
	look_output(l, s->out);
}

static void look_list(struct look *l, const struct ceremony_step *s)
{
	char home[FILE_PATH], folder[FILE_PATH];
	struct key_homes homes;
	struct err e;

	if (ceremony_home(home, s, &e) < 0 || same_ca(s, home, &e) < 0 || ceremony_made(folder, s, &e) < 0 || key_homes_load(&homes, folder, &e) < 0)
		problem(l, &e);
	else
		look_home(l, &homes.root);
}

static void look_pin(struct look *l, const struct ceremony_step *s)
{
	struct step_profiles ps;
	struct err e;

	if (step_profiles_load(&ps, s, &e) < 0 || step_profiles_check(&ps, s, &e) < 0)
		problem(l, &e);
}

size_t ceremony_look(const struct ceremony_plan *p, const struct ceremony_journal *j, const struct cli *c)
{
	struct look l = { .p = p, .c = c };
	struct err why;

	if (!j->there && file_exists(p->output)) {
		err_set(&why, REASON_CONFIG, "%s exists, and no ceremony was begun in it; name a folder that is made then", p->output);
		problem(&l, &why);
	} else if (!j->there && writable(p->output, &why) < 0) {
		problem(&l, &why);
	}
	for (size_t i = j->n_steps; i < p->n_steps; i++) {
		const struct ceremony_step *s = &p->step[i];

		l.step = i + 1;
		look_pin(&l, s);
		if (s->verb == VERB_CERTIFY)
			look_certify(&l, s);
		else if (s->verb == VERB_LIST)
			look_list(&l, s);
		else if (s->verb == VERB_ROLLOVER)
			look_rollover(&l, s);
		else
			look_make(&l, s);
	}
	return l.problems;
}

/* ---- the plan in words ---- */
static void say_place(const char *what, const struct key_home *h, bool plain)
{
	struct buf text = {0};

	ceremony_place(&text, h, plain);
	printf("      %-12s %s%s%s\n", what, buf_text(&text), *h->credential ? "; its secret in " : "; its secret is asked for", h->credential);
	buf_free(&text);
}

static void say_life(const char *what, const char *dir, enum profile_kind kind, uint32_t days)
{
	struct profile p;
	struct err e;

	if (days)
		printf("      %-12s good for %u days\n", what, days);
	else if (profile_of_kind(&p, dir, kind, &e) == 0 && p.validity_days)
		printf("      %-12s good for %u days, as its profile says\n", what, p.validity_days);
	else
		printf("      %-12s good as long as its profile says\n", what);
}

static void say_ca(const struct ceremony_step *s)
{
	bool upper = s->settings.site == SITE_UPPER;
	char dir[FILE_PATH] = "";
	struct err e;

	ceremony_home(dir, s, &e);
	say_place("root key", &s->homes.root, s->homes.plain);
	if (!upper)
		say_place("CA keys", &s->homes.keys, s->homes.plain);
	if (token_is_uri(s->settings.place.place))
		printf("      %-12s token %s\n", "own keys", s->settings.place.place);
	say_life("root", dir, PROFILE_ROOT, s->root_days);
	if (!upper) {
		say_life("issuing CA", dir, PROFILE_ISSUING, s->issuing_days);
		say_life("unit CA", dir, PROFILE_UNIT_CA, s->unit_days);
	}
	for (size_t i = 0; i < s->settings.n_profiles; i++)
		printf("      %-12s %s\n", i ? "" : "profiles", s->settings.profile[i]);
	for (size_t i = 0; i < SIGNER_HOSTS && *s->host[i]; i++)
		printf("      %-12s %s\n", i ? "" : "reached at", s->host[i]);
	if (*s->settings.listen)
		printf("      %-12s %s\n", "listens at", s->settings.listen);
}

static void say_certify(const struct ceremony_step *s)
{
	printf("      %-12s %s\n", "its SHA-256", s->made_by < 0 ? s->root_sha256 : "known when its step has made it");
	printf("      %-12s %s\n", "written to", s->out);
	if (s->install)
		printf("      %-12s by the CA, from its next start on\n", "passed on");
}

static void say_list(const struct ceremony_step *s)
{
	printf("      %-12s %u days\n", "good for", s->list_days);
	if (s->revoke)
		printf("      %-12s the %s CA of that generation, %s\n", "it REVOKES", s->revoke, s->reason);
}

/* Lines that a reviewer compares, and one that goes into the file. */
static void say_profiles(const struct ceremony_step *s)
{
	struct step_profiles ps;
	struct err e;

	if (step_profiles_load(&ps, s, &e) < 0 || !ps.n)
		return;
	for (size_t i = 0; i < ps.n; i++)
		printf("      %-12s %s %s\n", i ? "" : "made by", ps.of[i].sha256, ps.of[i].name);
	if (!*s->profiles_sha256)
		printf("      %-12s NOT PINNED; \"profiles-sha256: %s\" in the step pins them\n", "", ps.sha256);
}

static void json_step(const struct ceremony_plan *p, size_t i, const char *state, const char *title)
{
	struct jsonl *j = jsonl_new("step");
	struct step_profiles ps;
	struct err e;

	jsonl_int(j, "step", (int64_t)i + 1);
	jsonl_int(j, "line", p->step[i].line);
	jsonl_str(j, "title", title);
	jsonl_str(j, "state", state);
	if (step_profiles_load(&ps, &p->step[i], &e) == 0 && ps.n) {
		jsonl_str(j, "profiles_sha256", ps.sha256);
		jsonl_bool(j, "profiles_pinned", *p->step[i].profiles_sha256 != 0);
	}
	jsonl_print(j);
}

static const char *state_of(const struct ceremony_journal *j, size_t i)
{
	return i >= j->n_steps ? "to do" : j->step[i].done ? "done" : "begun and cut";
}

void ceremony_print_plan(const struct ceremony_plan *p, const struct ceremony_journal *j, const struct cli *c)
{
	char now[TEXT_TIME];

	text_time(now, clock_utc());
	if (!cli_json(c))
		printf("%s\n\n  transcript in %s\n  clock of this machine: %s\n", p->title, p->output, now);
	for (size_t i = 0; i < p->n_steps; i++) {
		struct buf title = {0};

		ceremony_title(&title, &p->step[i]);
		if (cli_json(c)) {
			json_step(p, i, state_of(j, i), buf_text(&title));
		} else {
			printf("\n  step %zu, line %d%s%s: %s\n", i + 1, p->step[i].line, j->there ? ", " : "", j->there ? state_of(j, i) : "", buf_text(&title));
			if (p->step[i].verb == VERB_CERTIFY)
				say_certify(&p->step[i]);
			else if (p->step[i].verb == VERB_LIST)
				say_list(&p->step[i]);
			else
				say_ca(&p->step[i]);
			say_profiles(&p->step[i]);
		}
		buf_free(&title);
	}
	for (size_t i = 0; !cli_json(c) && i < p->n_witnesses; i++)
		printf(i ? "%s%s\n" : "\n  %s%s\n", i ? "             " : "witnesses  ", p->witness[i]);
	if (!cli_json(c))
		printf("\nSHA-256 of %s: %s\n", p->file, p->sha256);
}
