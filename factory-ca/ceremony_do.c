/* The steps: each is what a command of its own does, in the same way. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony_private.h"
#include "clock.h"
#include "cross.h"
#include "fault.h"
#include "mem.h"
#include "signer_serve.h"

/* ---- words for handsel-signer ---- */
static void add_word(struct ca_making *m, const char *option, const char *value)
{
	if (!*value)
		return;
	m->word[m->n_words++] = option;
	m->word[m->n_words++] = value;
}

static void add_days(struct ca_making *m, const char *option, char text[12], uint32_t days)
{
	snprintf(text, 12, "%u", days);
	add_word(m, option, days ? text : "");
}

void ceremony_making(struct ca_making *m, struct step_words *t, const struct ceremony_plan *p, const struct ceremony_step *s)
{
	static const char *const sandboxes[] = { [KEY_SANDBOX_ON] = "", [KEY_SANDBOX_NETWORK] = "network", [KEY_SANDBOX_OFF] = "off" };
	const struct key_homes *h = &s->homes;
	bool apart = !key_home_same(&h->keys, &h->root);

	*m = (struct ca_making){0};
	memcpy(m->host, s->host, sizeof m->host);
	add_word(m, "--keys", h->keys.place);
	add_word(m, "--key-credential", h->keys.credential);
	add_word(m, "--key-passphrase", h->plain ? "none" : "");
	add_word(m, "--root-key", apart ? h->root.place : "");
	add_word(m, "--root-credential", apart ? h->root.credential : "");
	add_word(m, "--key-sandbox", sandboxes[h->sandbox]);
	add_word(m, "--ceremony", p->sha256);
	add_days(m, "--root-days", t->days[0], s->root_days);
	add_days(m, "--issuing-days", t->days[1], s->issuing_days);
	add_days(m, "--unit-days", t->days[2], s->unit_days);
}

/* ---- make, add ---- */
static int make(const struct ceremony_plan *p, const struct ceremony_step *s, struct err *e)
{
	char dir[FILE_PATH], path[FILE_PATH], root[SHA256_HEX];
	struct step_words words;
	struct ca_making m;

	if (ceremony_home(dir, s, e) < 0 || file_join(path, e, dir, "ca.yaml") < 0)
		return -1;
	if (file_exists(path))	/* written last: it was all there before the cut */
		return 0;
	if (s->verb == VERB_ADD && system_place(dir, s->dir, s->settings.id, e) < 0)
		return -1;
	ceremony_making(&m, &words, p, s);
	return ca_make(&s->settings, dir, &m, root, e);
}

/* ---- rollover ---- */
static int same_ca(const struct office *o, const struct ceremony_step *s, unsigned generation, struct err *e)
{
	if (o->settings.site != s->settings.site || strcmp(o->settings.name, s->settings.name) != 0)
		return err_set(e, REASON_CONFIG, "%s is the %s CA \"%s\", and the ceremony is about the %s CA \"%s\"", o->dir, site_name(o->settings.site),
			       o->settings.name, site_name(s->settings.site), s->settings.name);
	return o->ca.generation == generation
		       ? 0
		       : err_set(e, REASON_CONFIG, "%s is at generation %u, and the ceremony makes generation %u", o->dir, o->ca.generation, s->generation);
}

static int rollover(const struct ceremony_plan *p, const struct ceremony_step *s, struct err *e)
{
	struct step_words words;
	char dir[FILE_PATH];
	struct ca_making m;
	struct office o;
	int rc;

	if (ceremony_home(dir, s, e) < 0 || office_open_at(&o, dir, e) < 0)
		return -1;
	rc = same_ca(&o, s, o.ca.generation == s->generation ? s->generation : s->generation - 1, e);
	if (rc == 0)
		rc = o.ca.generation == s->generation ? ca_rollover_done(&o, e) : 0;
	ceremony_making(&m, &words, p, s);
	if (rc == 0)
		rc = ca_rollover(&o, &m, e);
	office_close(&o);
	return rc < 0 ? -1 : 0;
}

/* ---- certify ---- */
static int load_root(struct chain *ch, const char *dir, struct err *e)
{
	char path[FILE_PATH];

	return file_join(path, e, dir, "root.pem") < 0 ? -1 : chain_load(ch, path, e);
}

/* A file that is there says what is to be said. */
static bool is_certified(const struct ceremony_step *s, const struct cert *root, const struct cert *upper)
{
	struct chain there = {0};
	struct err why;
	bool good = file_exists(s->out) && chain_load(&there, s->out, &why) == 0 && there.n == 2 &&
		    mem_same(there.cert[1].sha256, upper->sha256, SHA256_LEN) && cross_verify(&there.cert[0], root, upper, clock_utc(), &why) == 0;

	chain_free(&there);
	return good;
}

static int certify(const struct ceremony_plan *p, const struct ceremony_step *s, struct err *e)
{
	const char *const argv[] = { "handsel-signer", "--dir", s->dir, "root", "sign", s->root, "--out", s->out, "--ceremony", p->sha256, NULL };
	struct chain root = {0}, upper = {0};
	char hash[SHA256_HEX];
	int rc = -1;

	if (chain_load(&root, s->root, e) < 0 || load_root(&upper, s->dir, e) < 0)
		goto out;
	text_hex(hash, root.cert->sha256, SHA256_LEN);
	if (*s->root_sha256 && strcmp(hash, s->root_sha256) != 0)
		err_set(e, REASON_AUTHORITY, "%s is another root (%s) than the one that the ceremony names", s->root, hash);
	else
		rc = is_certified(s, root.cert, upper.cert) ? 0 : signer_ceremony(argv, e);
out:
	chain_free(&root);
	chain_free(&upper);
	return rc;
}

static int install(const struct ceremony_plan *p, const struct ceremony_step *s, struct err *e)
{
	struct chain upper = {0}, installed = {0};
	struct office o = {0};
	char dir[FILE_PATH];
	int rc = -1;

	if (load_root(&upper, s->dir, e) == 0 && ceremony_home(dir, &p->step[s->made_by], e) == 0 && office_open_at(&o, dir, e) == 0)
		rc = root_install(&o, s->out, upper.cert->sha256, &installed, e);
	office_close(&o);
	chain_free(&upper);
	chain_free(&installed);
	return rc;
}

/* ---- list ---- */
int ceremony_revoked(char path[FILE_PATH], const struct ceremony_step *s, struct err *e)
{
	char made[FILE_PATH];

	return ceremony_made(made, s, e) < 0 ? -1 : file_join_end(path, e, made, s->revoke, ".pem");
}

static int make_list(const struct ceremony_plan *p, const struct ceremony_step *s, struct err *e)
{
	char dir[FILE_PATH], generation[12], days[12], revoke[FILE_PATH];
	const char *argv[] = { "handsel-signer", "--dir", dir, "root", "crl", "--generation", generation, "--days", days, "--ceremony", p->sha256,
			       s->revoke ? "--revoke" : NULL, revoke, "--reason", s->reason, NULL };

	snprintf(generation, sizeof generation, "%u", s->generation);
	snprintf(days, sizeof days, "%u", s->list_days);
	return ceremony_home(dir, s, e) < 0 || (s->revoke && ceremony_revoked(revoke, s, e) < 0) ? -1 : signer_ceremony(argv, e);
}

int ceremony_do(const struct ceremony_plan *p, size_t i, struct err *e)
{
	const struct ceremony_step *s = &p->step[i];
	struct step_profiles ps;

	if (step_profiles_load(&ps, s, e) < 0 || step_profiles_check(&ps, s, e) < 0)	/* they lie open until now */
		return -1;
	switch (s->verb) {
	case VERB_MAKE:
	case VERB_ADD:
		return make(p, s, e);
	case VERB_ROLLOVER:
		return rollover(p, s, e);
	case VERB_LIST:
		return make_list(p, s, e);
	case VERB_CERTIFY:
		break;
	}
	if (certify(p, s, e) < 0)
		return -1;
	FAULT("ceremony.certified");
	return s->install ? install(p, s, e) : 0;
}
