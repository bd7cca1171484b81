/* The audit of the ledger: judged, exported, shown. */
#include <config.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "audit_file.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_remote.h"
#include "heads.h"
#include "limits.h"
#include "mem.h"
#include "rows.h"

#define FOLLOW_MS 500	/* how late a row is shown */
#define TAIL_ROWS 20

/* ---- whose heads count ---- */
/* The unit CAs of all generations: heads of long ago stay good. */
static int own_cas(const struct office *o, struct chain *cas, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];

	for (unsigned n = 1; n <= o->ca.generation; n++)
		if (generation_path(folder, o->dir, n, e) < 0 || file_join(path, e, folder, "unit.pem") < 0 || chain_load(cas, path, e) < 0)
			return -1;
	return 0;
}

/* Of a file that somebody has: the root, and the unit CAs. */
static int given_cas(const char *path, struct chain *cas, struct trust *trust, struct err *e)
{
	int rc = chain_load(cas, path, e);

	for (size_t i = 0; i < cas->n && rc == 0; i++)
		if (strcmp(cas->cert[i].subject, cas->cert[i].issuer) == 0)
			rc = trust_add_root(trust, &cas->cert[i], e);
	for (size_t i = 0; i < cas->n && rc == 0; i++)
		if (strcmp(cas->cert[i].subject, cas->cert[i].issuer) != 0)
			rc = trust_add_issuer(trust, &cas->cert[i], e);
	return rc < 0 ? err_prefix(e, "%s: the root and the unit CA must be in it", path) : 0;
}

/* ---- verify ---- */
struct verify {
	const struct cli *c;
	const char *export;		/* NULL: the ledger */
	struct office office;
	bool opened;
	struct chain cas;
	struct trust *given;		/* NULL: the office's */
	struct audit_judge judge;
};

static int own_head(void *arg, const struct audit_head *h, struct err *e)
{
	return audit_judge_head(arg, h, "ca.db", e);
}

static int file_head(void *arg, const struct audit_head *h, struct err *e)
{
	return audit_judge_head(arg, h, "the export", e);
}

/* What the signer has read, and signs again: no file stands between. */
static int signers_head(struct verify *v, struct err *e)
{
	struct signer *s = signer_start(v->office.dir, SIGNER_FOR_OPERATOR, e);
	struct audit_page none = {0};
	struct audit_head h;
	int rc = s ? signer_head(s, "", &none, false, &h, e) : -1;

	if (rc == 0 && h.at.n)
		rc = signer_head(s, "", &none, true, &h, e);
	if (rc == 0 && h.at.n)
		rc = audit_judge_head(&v->judge, &h, "the signer", e);
	signer_stop(s);
	return rc;
}

static int prepare(struct verify *v, struct err *e)
{
	const char *certificates = cli_get(v->c, "certificates");
	int rc;

	v->export = cli_get(v->c, "export");
	if (certificates && !v->export)
		return err_set(e, REASON_CONFIG, "--certificates goes with --export; the ledger's are at hand");
	if (v->export && cli_has(v->c, "signer"))
		return err_set(e, REASON_CONFIG, "--signer goes with the ledger, not with an export");
	if (certificates) {
		v->given = trust_new();
		rc = given_cas(certificates, &v->cas, v->given, e);
	} else if (office_open(&v->office, v->c, e) < 0) {
		return -1;
	} else {
		v->opened = true;
		rc = own_cas(&v->office, &v->cas, e);
	}
	v->judge.cas = v->cas.cert;
	v->judge.n_cas = v->cas.n;
	return rc;
}

static int verify(struct verify *v, struct err *e)
{
	const struct audit_reader heads = { .head = file_head, .arg = &v->judge }, rows = { .row = audit_judge_row, .arg = &v->judge };
	struct trust *trust = v->given ? v->given : v->office.ca.trust;
	int rc;

	for (size_t i = 0; i < cli_count(v->c, "against"); i++)
		if (audit_judge_file(&v->judge, cli_get_n(v->c, "against", i), trust, e) < 0)
			return -1;
	rc = v->export ? audit_file_read(v->export, &heads, e) : audit_head_each(v->office.ledger, own_head, &v->judge, e);
	if (rc == 0 && cli_has(v->c, "signer"))
		rc = signers_head(v, e);
	if (rc == 0)
		rc = v->export ? audit_file_read(v->export, &rows, e)
			       : audit_each(v->office.ledger, INT64_MIN, INT64_MAX, audit_judge_row, &v->judge, e);
	return rc == 0 ? audit_judge_end(&v->judge, e) : -1;
}

static void print_good(const struct verify *v)
{
	const struct audit_judge *j = &v->judge;
	char time[TEXT_TIME] = "";
	struct jsonl *l;

	if (j->heads)
		text_time(time, j->last_time);
	if (cli_json(v->c)) {
		l = jsonl_new("result");
		jsonl_bool(l, "good", true);
		jsonl_int(l, "rows", j->at.n);
		jsonl_int(l, "heads", (int64_t)j->heads);
		jsonl_int(l, "head", j->last);
		jsonl_str(l, "time", time);
		jsonl_print(l);
	} else if (j->heads) {
		printf("%lld rows follow from each other and fit %zu heads, the last of row %lld of %s\n", (long long)j->at.n, j->heads,
		       (long long)j->last, time);
	} else {
		printf("%lld rows follow from each other, and there is no head: what was written anew or cut off at the end does not show\n",
		       (long long)j->at.n);
	}
}

enum cli_exit cmd_audit_verify(const struct cli *c)
{
	struct verify v = { .c = c };
	struct err e;
	int rc = prepare(&v, &e);

	if (rc == 0)
		rc = verify(&v, &e);
	if (rc == 0)
		print_good(&v);
	audit_judge_free(&v.judge);
	chain_free(&v.cas);
	if (v.given)
		trust_free(v.given);
	if (v.opened)
		office_close(&v.office);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- export ---- */
static int export_head(void *out, const struct audit_head *h, struct err *e)
{
	return audit_head_print(out, h, e);
}

static int export_row(void *out, const struct audit_row *row, struct err *e)
{
	return audit_row_print(out, row, e);
}

/* Heads first: rows that come meanwhile are then behind them all. */
static int export_all(struct db *ledger, FILE *out, struct err *e)
{
	return audit_head_each(ledger, export_head, out, e) < 0 ? -1 : audit_each(ledger, INT64_MIN, INT64_MAX, export_row, out, e);
}

enum cli_exit cmd_audit_export(const struct cli *c)
{
	const char *path = cli_get(c, "out");
	FILE *out = stdout;
	struct office o;
	struct err e;
	int rc = 0;

	if (hand_is_remote(c))
		return remote_audit_export(c);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	if (path && !(out = fopen(path, "we")))
		rc = err_errno(&e, REASON_CONFIG, "cannot write %s", path);
	if (rc == 0)
		rc = export_all(o.ledger, out, &e);
	if (path && out && fclose(out) && rc == 0)
		rc = err_errno(&e, REASON_STORAGE, "cannot write %s", path);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- tail ---- */
struct tail {
	const struct cli *c;
	int64_t last;
};

static int show(void *arg, const struct audit_row *row, struct err *e)
{
	struct tail *t = arg;
	struct sheet l = { .to = stdout, .form = cli_json(t->c) ? CA_JSON : CA_TEXT };

	t->last = row->n;
	if (rows_audit(&l, row, e) < 0)
		return -1;
	return fflush(stdout) ? err_errno(e, REASON_STORAGE, "cannot write") : 0;
}

static int tail(struct tail *t, struct db *ledger, uint64_t rows, struct err *e)
{
	struct audit_state last;
	int rc = audit_last(ledger, &last, e);

	t->last = last.n - (int64_t)rows;
	if (rc == 0)
		rc = audit_each(ledger, t->last, INT64_MAX, show, t, e);
	while (rc == 0 && cli_has(t->c, "follow")) {
		poll(NULL, 0, FOLLOW_MS);
		rc = audit_each(ledger, t->last, INT64_MAX, show, t, e);
	}
	return rc;
}

enum cli_exit cmd_audit_tail(const struct cli *c)
{
	struct tail t = { .c = c };
	uint64_t rows = TAIL_ROWS;
	struct office o;
	struct err e;
	int rc = 0;

	if (cli_get(c, "rows") && text_uint(&rows, cli_get(c, "rows"), INT32_MAX) < 0)
		return cli_fail(c, (err_set(&e, REASON_CONFIG, "--rows %s: a number", cli_get(c, "rows")), &e));
	if (hand_is_remote(c))
		return remote_audit_tail(c, rows);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = tail(&t, o.ledger, rows, &e);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- head, and a new history ---- */
static int keep_head(struct office *o, const struct audit_head *h, struct err *e)
{
	if (db_begin(o->ledger, e) < 0)
		return -1;
	if (audit_head_put(o->ledger, h, e) == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

static int head(struct office *o, struct signer *s, struct audit_head *h, struct err *e)
{
	const struct head_source from = { .name = "", .unit_ca = o->ca.unit.cert, .ledger = o->ledger, .signer = &s };

	return head_make(&from, h, e) < 0 ? -1 : keep_head(o, h, e);
}

/* Signer first: cut between the two, the row is written when it is done once more. */
static int accept(struct office *o, struct signer *s, const char *reason, struct err *e)
{
	struct audit_state base;
	int rc;

	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = audit_last(o->ledger, &base, e);
	if (rc == 0)
		rc = signer_history(s, &base, e);
	if (rc == 0)
		rc = audit_add(o->ledger, clock_utc(), o->actor, "accept", "audit", reason, e);
	if (rc == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

/* A head of what there is; reason: after the operator has accepted it as a new history. */
static enum cli_exit new_head(const struct cli *c, const char *reason)
{
	struct signer *s;
	struct audit_head h;
	struct office o;
	struct err e;
	int rc = -1;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	s = signer_start(o.dir, SIGNER_FOR_OPERATOR, &e);
	if (s && (!reason || accept(&o, s, reason, &e) == 0))
		rc = head(&o, s, &h, &e);
	if (rc == 0)
		rc = audit_head_print(stdout, &h, &e);
	signer_stop(s);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit cmd_audit_head(const struct cli *c)
{
	return new_head(c, NULL);
}

enum cli_exit cmd_audit_accept(const struct cli *c)
{
	const char *reason;
	struct err e;

	if (option_needed(c, "reason", &reason, &e) < 0)
		return cli_fail(c, &e);
	if (!text_is_name(reason, LIMIT_OPERATOR_TEXT)) {
		err_set(&e, REASON_CONFIG, "--reason: printable ASCII, at most %d characters", LIMIT_OPERATOR_TEXT);
		return cli_fail(c, &e);
	}
	return new_head(c, reason);
}
