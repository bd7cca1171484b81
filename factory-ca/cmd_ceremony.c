#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ceremony_private.h"
#include "clock.h"
#include "fault.h"
#include "mem.h"

/* ---- what is held: a ceremony, or its rehearsal ---- */
struct holding {
	const struct ceremony_plan *shown, *real;	/* one and the same but in a rehearsal */
	struct ceremony_journal journal;
	bool ask, rehearsal, json;
};

static volatile sig_atomic_t stopped;	/* a rehearsal is to end, and to leave nothing behind */

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

/* 1: go on; 0: not. */
static int ask(const char *question)
{
	char line[16] = "";

	fprintf(stderr, "%s (yes or no) ", question);
	fflush(stderr);
	return fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0;
}

/* The titles of all steps go to standard error, so that standard output is the transcript and nothing else. */
static int announce(const struct holding *h, size_t i, struct err *e)
{
	struct buf title = {0};
	int rc = 0;

	ceremony_title(&title, &h->shown->step[i]);
	fprintf(stderr, "%sstep %zu of %zu: %s\n", h->rehearsal ? "rehearsal, " : "", i + 1, h->shown->n_steps, buf_text(&title));
	buf_free(&title);
	if (stopped || (h->ask && !ask("Go on?")))
		rc = err_set(e, REASON_CONFIG, "stopped before step %zu of %zu; \"handsel-ca ceremony run\" of the same file goes on with it", i + 1,
			     h->shown->n_steps);
	return rc;
}

static int do_step(struct holding *h, size_t i, struct err *e)
{
	struct ceremony_journal *j = &h->journal;
	struct step_facts facts;

	if (i < j->n_steps && j->step[i].done)
		return 0;
	if (announce(h, i, e) < 0)
		return -1;
	if (i == j->n_steps) {
		j->step[j->n_steps++].begun = clock_utc();
		if (journal_save(j, h->real, e) < 0)
			return -1;
	}
	FAULT("ceremony.step-begun");
	if (ceremony_do(h->real, i, e) < 0)
		return err_prefix(e, "step %zu", i + 1);
	FAULT("ceremony.step-made");
	if (facts_load(&facts, h->real, i, e) < 0)
		return err_prefix(e, "step %zu: what was made does not verify", i + 1);
	facts_free(&facts);
	j->step[i].done = clock_utc();
	return journal_save(j, h->real, e);
}

static int save(const struct holding *h, const char *name, const struct buf *text, struct err *e)
{
	char path[FILE_PATH];

	return file_join(path, e, h->real->output, name) < 0 ? -1 : file_replace(path, text->data, text->len, 0644, e);
}

static void json_result(const struct holding *h, const struct transcript *t)
{
	struct jsonl *j = jsonl_new("result");

	jsonl_str(j, "file_sha256", h->shown->sha256);
	jsonl_str(j, "transcript_sha256", t->sha256);
	jsonl_bool(j, "rehearsal", h->rehearsal);
	jsonl_bool(j, "changed", !h->rehearsal);
	jsonl_print(j);
}

static int hold(struct holding *h, struct err *e)
{
	struct transcript t;
	int rc;

	if (journal_open(&h->journal, h->real, clock_utc(), e) < 0)
		return -1;
	for (size_t i = 0; i < h->real->n_steps; i++)
		if (do_step(h, i, e) < 0)
			return -1;
	FAULT("ceremony.steps-done");
	if (transcript_make(&t, h->shown, h->real, &h->journal, h->rehearsal, e) < 0)
		return -1;
	rc = save(h, "transcript.jsonl", &t.json, e) < 0 ? -1 : save(h, "transcript.txt", &t.text, e);	/* whose being there is the end */
	if (rc == 0)
		fputs(buf_text(h->json ? &t.json : &t.text), stdout);
	if (rc == 0 && h->json)
		json_result(h, &t);
	else if (rc == 0 && !h->rehearsal)
		fprintf(stderr, "%s/transcript.txt is to be printed and signed; SHA-256 of what is above its last line:\n%s\n", h->real->output, t.sha256);
	transcript_free(&t);
	return rc;
}

/* ---- check ---- */
static void say_result(const struct cli *c, const struct ceremony_plan *p, size_t problems)
{
	struct jsonl *j;

	if (!cli_json(c)) {
		printf(problems ? "\nit cannot be carried out as it is here; nothing was changed\n" : "\nall that it needs is there; nothing was changed\n");
		return;
	}
	j = jsonl_new("result");
	jsonl_str(j, "file_sha256", p->sha256);
	jsonl_int(j, "steps", (int64_t)p->n_steps);
	jsonl_int(j, "problems", (int64_t)problems);
	jsonl_print(j);
}

static enum cli_exit check(const struct cli *c, const struct ceremony_plan *p)
{
	struct ceremony_journal j;
	struct err e;
	size_t n;

	if (journal_load(&j, p, &e) < 0)
		return cli_fail(c, &e);
	ceremony_print_plan(p, &j, c);
	n = ceremony_look(p, &j, c);
	say_result(c, p, n);
	return n ? EXIT_NO : EXIT_DONE;
}

/* ---- rehearse ---- */
static enum cli_exit rehearse(const struct cli *c, const struct ceremony_plan *p)
{
	struct rehearsal *r = mem_new(1, sizeof *r);
	struct holding h = { .shown = p, .real = &r->plan, .rehearsal = true, .json = cli_json(c) };
	const struct sigaction stop = { .sa_handler = on_stop };
	struct err e, why;
	int rc;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	rc = rehearsal_begin(r, p, &e);
	if (rc == 0 && !r->token)
		fprintf(stderr, "there is no SoftHSM (" HANDSEL_SOFTHSM "): encrypted files play the tokens\n");
	if (rc == 0)
		rc = journal_load(&h.journal, h.real, &e) < 0 ? -1 : hold(&h, &e);
	if (rehearsal_end(r, &why) < 0 && rc == 0) {
		e = why;
		rc = -1;
	}
	free(r);
	if (rc == 0)
		fprintf(stderr, "rehearsed; all of it was thrown away. SHA-256 of %s: %s\n", p->file, p->sha256);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- run ---- */
static int expected(const struct cli *c, const struct ceremony_plan *p, struct err *e)
{
	const char *expect = cli_get(c, "expect");
	uint8_t hash[SHA256_LEN];
	char hex[SHA256_HEX];

	if (!expect)
		return cli_has(c, "yes") ? err_set(e, REASON_CONFIG, "--yes needs --expect SHA256, since nobody is asked whether this is the file that was reviewed")
					 : 0;
	if (text_unhex(hash, sizeof hash, expect) < 0)
		return err_set(e, REASON_CONFIG, "--expect: 64 hex digits, as \"handsel-ca ceremony check\" prints them");
	text_hex(hex, hash, sizeof hash);
	return strcmp(hex, p->sha256) == 0
		       ? 0
		       : err_set(e, REASON_CONFIG, "%s is not the file that was reviewed: its SHA-256 is %s; nothing was done", p->file, p->sha256);
}

static bool is_over(const struct ceremony_plan *p, const struct ceremony_journal *j)
{
	char path[FILE_PATH];
	struct err e;

	return j->n_steps == p->n_steps && j->step[p->n_steps - 1].done && file_join(path, &e, p->output, "transcript.txt") == 0 && file_exists(path);
}

/* One at a time. The descriptor, or -1. */
static int lock(const struct ceremony_plan *p, struct err *e)
{
	int fd;

	if (file_mkdir(p->output, e) < 0)
		return -1;
	fd = open(p->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd < 0 || errno != EWOULDBLOCK)
		err_errno(e, REASON_CONFIG, "cannot lock %s", p->output);
	else
		err_set(e, REASON_CONFIG, "%s: this ceremony is being held already", p->output);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void say_over(const struct cli *c, const struct ceremony_plan *p)
{
	struct jsonl *j;

	if (!cli_json(c)) {
		printf("this ceremony was held; its transcript is %s/transcript.txt\n", p->output);
		return;
	}
	j = jsonl_new("result");
	jsonl_str(j, "file_sha256", p->sha256);
	jsonl_str(j, "transcript", p->output);
	jsonl_bool(j, "changed", false);
	jsonl_print(j);
}

static enum cli_exit run_locked(const struct cli *c, struct holding *h)
{
	struct err e;

	if (journal_load(&h->journal, h->real, &e) < 0)	/* again: it may have been held meanwhile */
		return cli_fail(c, &e);
	if (is_over(h->real, &h->journal)) {
		say_over(c, h->real);
		return EXIT_DONE;
	}
	return hold(h, &e) < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

static enum cli_exit run(const struct cli *c, const struct ceremony_plan *p)
{
	struct holding h = { .shown = p, .real = p, .ask = !cli_has(c, "yes"), .json = cli_json(c) };
	enum cli_exit code;
	struct err e;
	int fd;

	if (expected(c, p, &e) < 0 || journal_load(&h.journal, p, &e) < 0)
		return cli_fail(c, &e);
	if (is_over(p, &h.journal)) {
		say_over(c, p);
		return EXIT_DONE;
	}
	if (h.ask && !isatty(STDIN_FILENO)) {
		err_set(&e, REASON_CONFIG, "there is no terminal to ask at before each step; --yes with --expect SHA256 asks nothing");
		return cli_fail(c, &e);
	}
	if (ceremony_look(p, &h.journal, c) > 0) {
		err_set(&e, REASON_CONFIG, "nothing was done; \"handsel-ca ceremony check %s\" tells more", p->file);
		cli_fail(c, &e);
		return EXIT_NO;
	}
	fprintf(stderr, "SHA-256 of %s: %s\n%s", p->file, p->sha256, h.journal.there ? "it was cut before, and goes on\n" : "");
	if (h.ask && !cli_has(c, "expect") && !ask("Is this the file that was reviewed?")) {
		err_set(&e, REASON_CONFIG, "nothing was done");
		return cli_fail(c, &e);
	}
	fd = lock(p, &e);
	if (fd < 0)
		return cli_fail(c, &e);
	code = run_locked(c, &h);
	close(fd);
	return code;
}

/* ---- the commands ---- */
static enum cli_exit with_file(const struct cli *c, enum cli_exit (*command)(const struct cli *c, const struct ceremony_plan *p))
{
	struct ceremony_plan *p = mem_new(1, sizeof *p);
	enum cli_exit code;
	struct err e;

	code = ceremony_load(p, cli_arg(c, 0), &e) < 0 ? cli_fail(c, &e) : command(c, p);
	ceremony_free(p);
	free(p);
	return code;
}

enum cli_exit cmd_ceremony_check(const struct cli *c)
{
	return with_file(c, check);
}

enum cli_exit cmd_ceremony_rehearse(const struct cli *c)
{
	return with_file(c, rehearse);
}

enum cli_exit cmd_ceremony_run(const struct cli *c)
{
	return with_file(c, run);
}
