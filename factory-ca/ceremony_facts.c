/* What a step has left on the disk, verified: the transcript says nothing else. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony_private.h"
#include "clock.h"
#include "conf.h"
#include "crl.h"
#include "cross.h"
#include "mem.h"
#include "signer_serve.h"
#include "unit_key.h"

static struct fact *add_fact(struct step_facts *f, const char *what, const struct key_home *home)
{
	struct fact *fact = &f->of[f->n++];

	*fact = (struct fact){ .what = what, .home = home };
	return fact;
}

static int load_first(struct chain *ch, const char *dir, const char *name, struct err *e)
{
	struct chain all = {0};
	char path[FILE_PATH];
	int rc = file_join(path, e, dir, name) < 0 || chain_load(&all, path, e) < 0 ? -1 : chain_add(ch, all.cert->der.data, all.cert->der.len, e);

	chain_free(&all);
	return rc;
}

static int load_upper(struct step_facts *f, const struct ceremony_step *s, const char *made, struct err *e)
{
	return load_first(&add_fact(f, "root", &s->homes.root)->cert, made, "root.pem", e);
}

/* ---- a CA's three certificates ---- */
static int load_three(struct step_facts *f, const struct ceremony_step *s, const char *made, struct err *e)
{
	if (load_upper(f, s, made, e) < 0)
		return -1;
	if (s->settings.site == SITE_UPPER)
		return 0;
	return load_first(&add_fact(f, "issuing CA", &s->homes.keys)->cert, made, "issuing.pem", e) < 0 ||
			       load_first(&add_fact(f, "unit CA", &s->homes.keys)->cert, made, "unit.pem", e) < 0
		       ? -1
		       : 0;
}

/* Each key has signed for its certificate when it was made. */
static int verify_proof(struct fact *fact, const struct conf_node *proof, const char *name, const struct ceremony_plan *p, struct err *e)
{
	const struct conf_node *n = conf_get(proof, name);
	struct buf data = {0}, sig = {0};
	int rc = -1;

	if (n && conf_str(n, fact->signature, sizeof fact->signature, e) == 0) {
		size_t len = strlen(fact->signature) / 2;
		uint8_t *room = buf_room(&sig, len);

		ceremony_proof(&data, p->sha256, fact->cert.cert);
		if (room && text_unhex(room, len, fact->signature) == 0) {
			sig.len = len;
			rc = spki_verify(&fact->cert.cert->spki, data.data, data.len, &sig, e);
		}
	}
	buf_free(&data);
	buf_free(&sig);
	return rc == 0 ? 0 : err_set(e, REASON_AUTHORITY, "%s: its key has not signed for its certificate in this ceremony", fact->what);
}

static int verify_proofs(struct step_facts *f, const struct ceremony_plan *p, const char *made, struct err *e)
{
	static const char *const names[] = { "root", "issuing", "unit" };
	const struct conf_node *of;
	struct conf *proof;
	char path[FILE_PATH];
	int rc = 0;

	if (file_join(path, e, made, CEREMONY_FILE) < 0 || !(proof = conf_load(path, e)))
		return -1;
	of = conf_get(conf_root(proof), "ceremony");
	if (!of || conf_kind(of) != CONF_SCALAR || strcmp(conf_text(of), p->sha256) != 0)
		rc = err_set(e, REASON_AUTHORITY, "%s is not of this ceremony", path);
	for (size_t i = 0; rc == 0 && i < f->n && i < ARRAY_LEN(names); i++)
		rc = verify_proof(&f->of[i], conf_root(proof), names[i], p, e);
	conf_free(proof);
	return rc;
}

static int verify_three(struct step_facts *f, struct trust *trust, struct err *e)
{
	struct trust_rule any = { .purpose = PURPOSE_ANY, .now = clock_utc() };

	if (trust_add_root(trust, f->of[0].cert.cert, e) < 0)
		return -1;
	f->of[0].verified = "signed by itself; its key has signed for it";
	for (size_t i = 1; i < f->n; i++) {
		if (trust_add_issuer(trust, f->of[i].cert.cert, e) < 0 || trust_verify(trust, &f->of[i].cert, &any, e) < 0)
			return err_prefix(e, "%s", f->of[i].what);
		f->of[i].verified = "chain up to the root; its key has signed for it";
	}
	return 0;
}

/* ---- server and operator ---- */
/* Its key is where the CA's ca.yaml says. */
static int verify_key(struct fact *fact, const struct ceremony_plan *p, const char *dir, struct err *e)
{
	struct buf data = {0}, sig = {0};
	struct settings settings;
	struct key *key = NULL;
	int rc = -1;

	ceremony_proof(&data, p->sha256, fact->cert.cert);
	if (settings_load(&settings, dir, e) == 0 && (key = unit_key_load(&settings.place, dir, fact->what, fact->cert.cert, e)) &&
	    key_sign(key, data.data, data.len, &sig, e) == 0)
		rc = spki_verify(&fact->cert.cert->spki, data.data, data.len, &sig, e);
	if (rc == 0 && sig.len < sizeof fact->signature / 2)
		text_hex(fact->signature, sig.data, sig.len);
	key_free(key);
	buf_free(&data);
	buf_free(&sig);
	return rc == 0 ? 0 : err_prefix(e, "%s", fact->what);
}

static int load_unit(struct step_facts *f, const struct ceremony_plan *p, const char *what, const char *file, const char *role, const char *home,
		     struct trust *trust, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_ANY, .role = role, .pinned = true, .now = clock_utc() };
	struct fact *fact = add_fact(f, what, NULL);

	fact->unit = true;
	if (load_first(&fact->cert, home, file, e) < 0 || trust_verify(trust, &fact->cert, &rule, e) < 0)
		return err_prefix(e, "%s", what);
	fact->verified = "chain up to the root, and role; its key has signed for it";
	return verify_key(fact, p, home, e);
}

static int load_units(struct step_facts *f, const struct ceremony_plan *p, const char *home, struct trust *trust, struct err *e)
{
	return load_unit(f, p, "server", "server.pem", "ca", home, trust, e) < 0 ? -1
										 : load_unit(f, p, "operator", "operator.pem", "operator", home, trust, e);
}

/* ---- a root by another ---- */
static int load_cross(struct step_facts *f, const struct ceremony_step *s, const char *home, const char *made, struct err *e)
{
	struct chain both = {0}, old = {0};
	struct fact *fact = add_fact(f, "new root by the old one", NULL);
	char older[FILE_PATH], path[FILE_PATH];
	int rc = -1;

	if (generation_path(older, home, s->generation - 1, e) == 0 && load_first(&old, older, "root.pem", e) == 0 &&
	    file_join(path, e, made, CROSS_FILE) == 0 && chain_load(&both, path, e) == 0 && both.n == 2 &&
	    cross_verify(&both.cert[0], f->of[0].cert.cert, old.cert, clock_utc(), e) == 0 &&
	    cross_verify(&both.cert[1], old.cert, f->of[0].cert.cert, clock_utc(), e) == 0)
		rc = chain_add(&fact->cert, both.cert[0].der.data, both.cert[0].der.len, e);
	fact->verified = "the old root's signature, the new root's name and key; and the other way round";
	chain_free(&both);
	chain_free(&old);
	return rc;
}

static int load_certified(struct step_facts *f, const struct ceremony_step *s, struct err *e)
{
	struct chain root = {0}, upper = {0}, made = {0};
	struct fact *fact = add_fact(f, "root by the upper CA", NULL);
	int rc = -1;

	if (chain_load(&root, s->root, e) == 0 && load_first(&upper, s->dir, "root.pem", e) == 0 && chain_load(&made, s->out, e) == 0 &&
	    cross_verify(made.cert, root.cert, upper.cert, clock_utc(), e) == 0)
		rc = chain_add(&fact->cert, made.cert->der.data, made.cert->der.len, e);
	fact->verified = "the upper root's signature, the root's name and key";
	chain_free(&root);
	chain_free(&upper);
	chain_free(&made);
	return rc;
}

/* ---- a root's list ---- */
static int check_list(struct fact *fact, const struct crl *list, const struct ceremony_step *s, struct err *e)
{
	struct chain revoked = {0};
	char path[FILE_PATH];
	int rc = crl_verify(list, fact->cert.cert, e);

	if (rc == 0 && list->next_update <= clock_utc())
		rc = err_set(e, REASON_AUTHORITY, "the list of the root is over");
	if (rc == 0 && s->revoke) {
		rc = ceremony_revoked(path, s, e) < 0 || chain_load(&revoked, path, e) < 0 ? -1 : 0;
		if (rc == 0 && !crl_find(list, revoked.cert->serial))
			rc = err_set(e, REASON_AUTHORITY, "%s is not on the list of its root", path);
	}
	fact->list_until = list->next_update;
	fact->list_entries = list->n;
	chain_free(&revoked);
	return rc;
}

static int load_list(struct step_facts *f, const struct ceremony_step *s, struct err *e)
{
	struct fact *fact = add_fact(f, "root, by its list", NULL);
	char made[FILE_PATH], path[FILE_PATH];
	struct buf der = {0};
	struct crl list = {0};
	int rc = -1;

	fact->verified = s->revoke ? "the list's signature by this root, and that the revoked CA is on it" : "the list's signature by this root";
	if (ceremony_made(made, s, e) == 0 && load_first(&fact->cert, made, "root.pem", e) == 0 && file_join(path, e, made, ROOT_LIST_FILE) == 0 &&
	    file_read(&der, path, LIMIT_CRL, e) == 0 && crl_parse(&list, der.data, der.len, e) == 0)
		rc = check_list(fact, &list, s, e);
	crl_free(&list);
	buf_free(&der);
	return rc;
}

/* ---- a step ---- */
static int load_ca(struct step_facts *f, const struct ceremony_plan *p, const struct ceremony_step *s, struct trust *trust, struct err *e)
{
	char home[FILE_PATH], made[FILE_PATH];

	if (ceremony_home(home, s, e) < 0 || ceremony_made(made, s, e) < 0 || load_three(f, s, made, e) < 0 || verify_proofs(f, p, made, e) < 0 ||
	    verify_three(f, trust, e) < 0)
		return -1;
	if (s->settings.site == SITE_UPPER)
		return 0;
	if (load_units(f, p, home, trust, e) < 0)
		return -1;
	return s->verb == VERB_ROLLOVER ? load_cross(f, s, home, made, e) : 0;
}

int facts_load(struct step_facts *f, const struct ceremony_plan *p, size_t i, struct err *e)
{
	const struct ceremony_step *s = &p->step[i];
	struct trust *trust = trust_new();
	int rc;

	*f = (struct step_facts){0};
	rc = s->verb == VERB_CERTIFY ? load_certified(f, s, e) : s->verb == VERB_LIST ? load_list(f, s, e) : load_ca(f, p, s, trust, e);
	trust_free(trust);
	if (rc < 0)
		facts_free(f);
	return rc;
}

void facts_free(struct step_facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		chain_free(&f->of[i].cert);
	f->n = 0;
}
