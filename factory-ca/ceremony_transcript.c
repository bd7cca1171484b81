/* The transcript: the same facts for people and, as JSON lines, for machines. Never a secret: nothing here has seen one. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ceremony_private.h"
#include "digest.h"
#include "mem.h"
#include "qr.h"

#define REHEARSAL "REHEARSAL - with keys that were thrown away; none of these certificates exists\n"

static void add_json(struct transcript *t, struct jsonl *j)
{
	char *line = jsonl_text(j);

	buf_str(&t->json, line);
	buf_byte(&t->json, '\n');
	free(line);
}

static void add_text(struct transcript *t, const char *name, const char *value)
{
	buf_fmt(&t->text, "    %-14s%s\n", name, value);
}

static void add_mark(struct transcript *t, bool rehearsal)
{
	if (rehearsal)
		buf_str(&t->text, REHEARSAL);
}

/* ---- head ---- */
static void add_head(struct transcript *t, const struct ceremony_plan *p, const struct ceremony_journal *j, bool rehearsal)
{
	struct jsonl *o = jsonl_new("ceremony");
	char time[TEXT_TIME];

	buf_fmt(&t->text, "TRANSCRIPT OF A KEY CEREMONY\n\n%s\n\n", p->title);
	add_mark(t, rehearsal);
	add_text(t, "program", PACKAGE_NAME " " PACKAGE_VERSION);
	add_text(t, "file SHA-256", p->sha256);
	for (size_t i = 0; i < j->n_sittings; i++) {
		text_time(time, j->sitting[i]);
		add_text(t, i ? "gone on" : "begun", time);
	}
	text_time(time, j->n_sittings ? j->sitting[0] : 0);
	jsonl_str(o, "title", p->title);
	jsonl_bool(o, "rehearsal", rehearsal);
	jsonl_str(o, "program", PACKAGE_NAME " " PACKAGE_VERSION);
	jsonl_str(o, "file_sha256", p->sha256);
	jsonl_str(o, "file", buf_text(&p->text));
	jsonl_str(o, "begun", time);
	jsonl_int(o, "sittings", (int64_t)j->n_sittings);
	add_json(t, o);
}

/* ---- certificates ---- */
/* A rollover leaves server and operator their keys. */
static void place_of(struct buf *out, const struct fact *f, const struct ceremony_step *shown)
{
	if (f->home)
		ceremony_place(out, strcmp(f->what, "root") == 0 ? &shown->homes.root : &shown->homes.keys, shown->homes.plain);
	else if (f->unit && shown->verb != VERB_ROLLOVER && token_is_uri(shown->settings.place.place))
		buf_fmt(out, "token %s", shown->settings.place.place);
	else if (f->unit && shown->verb != VERB_ROLLOVER)
		buf_fmt(out, "file %s.key, NOT encrypted", f->what);
}

static int add_qr(struct transcript *t, const char *hash, struct err *e)
{
	struct qr qr;

	if (qr_make(&qr, hash, e) < 0)
		return -1;
	qr_print(&qr, "    ", &t->text);
	qr_free(&qr);
	return 0;
}

static void add_list(struct transcript *t, struct jsonl *o, const struct fact *f)
{
	char until[TEXT_TIME];

	text_time(until, f->list_until);
	buf_fmt(&t->text, "    %-14suntil %s, with %zu certificates\n", "list", until, f->list_entries);
	jsonl_str(o, "list_next_update", until);
	jsonl_int(o, "list_certificates", (int64_t)f->list_entries);
}

static int add_fact(struct transcript *t, size_t step, const struct fact *f, const struct ceremony_step *shown, struct err *e)
{
	const struct cert *c = f->cert.cert;
	char from[TEXT_TIME], to[TEXT_TIME], hash[SHA256_HEX], key[SHA256_HEX];
	struct jsonl *o = jsonl_new("certificate");
	struct buf place = {0}, valid = {0};

	text_time(from, c->not_before);
	text_time(to, c->not_after);
	text_hex(hash, c->sha256, SHA256_LEN);
	text_hex(key, c->spki_sha256, SHA256_LEN);
	buf_fmt(&valid, "%s to %s", from, to);
	place_of(&place, f, shown);
	buf_fmt(&t->text, "\n  %s\n", f->what);
	add_text(t, "subject", c->subject);
	add_text(t, "issuer", c->issuer);
	add_text(t, "serial", c->serial);
	add_text(t, "valid", buf_text(&valid));
	add_text(t, "certificate", hash);
	add_text(t, "public key", key);
	if (place.len)
		add_text(t, "key in", buf_text(&place));
	if (f->list_until)
		add_list(t, o, f);
	add_text(t, "verified", f->verified);
	if (*f->signature)
		add_text(t, "signature", f->signature);
	jsonl_int(o, "step", (int64_t)step);
	jsonl_str(o, "what", f->what);
	jsonl_str(o, "subject", c->subject);
	jsonl_str(o, "issuer", c->issuer);
	jsonl_str(o, "serial", c->serial);
	jsonl_str(o, "not_before", from);
	jsonl_str(o, "not_after", to);
	jsonl_str(o, "sha256", hash);
	jsonl_str(o, "key_sha256", key);
	jsonl_str(o, "key_in", buf_text(&place));
	jsonl_str(o, "verified", f->verified);
	jsonl_str(o, "signature", f->signature);
	add_json(t, o);
	buf_free(&place);
	buf_free(&valid);
	return strcmp(f->what, "root") == 0 ? add_qr(t, hash, e) : 0;
}

/* As they are after the step: one that was changed in between is found here. */
static int add_profiles(struct transcript *t, struct jsonl *o, const struct ceremony_step *real, struct err *e)
{
	struct step_profiles ps;

	if (step_profiles_load(&ps, real, e) < 0 || step_profiles_check(&ps, real, e) < 0)
		return -1;
	for (size_t i = 0; i < ps.n; i++)
		buf_fmt(&t->text, "    %-14s%s %s\n", i ? "" : "made by", ps.of[i].sha256, ps.of[i].name);
	if (ps.n) {
		jsonl_str(o, "profiles_sha256", ps.sha256);
		jsonl_bool(o, "profiles_pinned", *real->profiles_sha256 != 0);
	}
	return 0;
}

static int add_step(struct transcript *t, size_t i, const struct ceremony_plan *shown, const struct ceremony_plan *real, const struct ceremony_journal *j,
		    bool rehearsal, struct err *e)
{
	struct jsonl *o = jsonl_new("step");
	char begun[TEXT_TIME], done[TEXT_TIME];
	struct buf title = {0};
	struct step_facts f;
	int rc;

	text_time(begun, j->step[i].begun);
	text_time(done, j->step[i].done);
	ceremony_title(&title, &shown->step[i]);
	buf_fmt(&t->text, "\n----\nSTEP %zu OF %zu: %s\n", i + 1, shown->n_steps, buf_text(&title));
	add_mark(t, rehearsal);
	add_text(t, "begun", begun);
	add_text(t, "done", done);
	if (*shown->step[i].out)
		add_text(t, "written to", shown->step[i].out);
	if (shown->step[i].install)
		add_text(t, "installed", "the CA passes it on from its next start on");
	jsonl_int(o, "step", (int64_t)i + 1);
	jsonl_str(o, "title", buf_text(&title));
	jsonl_str(o, "begun", begun);
	jsonl_str(o, "done", done);
	rc = add_profiles(t, o, &real->step[i], e);
	add_json(t, o);
	buf_free(&title);
	if (rc < 0)
		return -1;
	rc = facts_load(&f, real, i, e);
	for (size_t k = 0; rc == 0 && k < f.n; k++)
		rc = add_fact(t, i + 1, &f.of[k], &shown->step[i], e);
	facts_free(&f);
	return rc;
}

/* ---- the reviewed file, the witnesses, the hash ---- */
static void add_file(struct transcript *t, const struct ceremony_plan *p)
{
	const char *line = buf_text(&p->text);

	buf_str(&t->text, "\n----\nTHE REVIEWED FILE\n\n");
	while (*line) {
		int len = (int)strcspn(line, "\n");

		buf_fmt(&t->text, "    | %.*s\n", len, line);
		line += len + (line[len] == '\n');
	}
}

static void add_witnesses(struct transcript *t, const struct ceremony_plan *p, bool rehearsal)
{
	buf_str(&t->text, "\n----\nWITNESSES\n\n"
			  "  saw that the file with the SHA-256 above was carried out as this transcript says.\n");
	add_mark(t, rehearsal);
	for (size_t i = 0; i < p->n_witnesses; i++) {
		struct jsonl *o = jsonl_new("witness");

		buf_fmt(&t->text, "\n    %s\n\n    date ______________   signature ________________________________________\n", p->witness[i]);
		jsonl_str(o, "name", p->witness[i]);
		add_json(t, o);
	}
}

static void add_hash(struct transcript *t)
{
	struct jsonl *o = jsonl_new("transcript");

	buf_byte(&t->text, '\n');
	digest_sha256_hex(t->sha256, t->text.data, t->text.len);
	buf_fmt(&t->text, "SHA-256 of all lines above: %s\n", t->sha256);
	jsonl_str(o, "sha256", t->sha256);
	add_json(t, o);
}

int transcript_make(struct transcript *t, const struct ceremony_plan *shown, const struct ceremony_plan *real, const struct ceremony_journal *j,
		    bool rehearsal, struct err *e)
{
	*t = (struct transcript){0};
	add_head(t, shown, j, rehearsal);
	for (size_t i = 0; i < shown->n_steps; i++)
		if (add_step(t, i, shown, real, j, rehearsal, e) < 0) {
			transcript_free(t);
			return err_prefix(e, "step %zu", i + 1);
		}
	add_file(t, shown);
	add_witnesses(t, shown, rehearsal);
	add_hash(t);
	return 0;
}

void transcript_free(struct transcript *t)
{
	buf_free(&t->text);
	buf_free(&t->json);
}
