#include <config.h>

#include "cmd_audit.h"

#include <poll.h>
#include <string.h>

#define FOLLOW_MS 500	/* how late a row is shown */
#define TAIL_ROWS 20

/* ---- verify ---- */
int audit_certificates(struct chain *ch, struct trust *t, const char *path, struct err *e)
{
	size_t had = ch->n;
	int rc = chain_load(ch, path, e);

	for (size_t i = had; i < ch->n && rc == 0; i++)
		if (strcmp(ch->cert[i].subject, ch->cert[i].issuer) == 0)
			rc = trust_add_root(t, &ch->cert[i], e);
	for (size_t i = had; i < ch->n && rc == 0; i++)
		if (strcmp(ch->cert[i].subject, ch->cert[i].issuer) != 0)
			rc = trust_add_issuer(t, &ch->cert[i], e);
	return rc < 0 ? err_prefix(e, "%s: the root must be in it, and what it has certified", path) : 0;
}

struct place {
	struct audit_judge *j;
	const char *name;
};

static int own_signer(void *arg, const struct chain *ch, struct err *e)
{
	const struct place *p = arg;

	return audit_judge_signer(p->j, ch, p->name, e);
}

static int own_head(void *arg, const struct audit_head *h, struct err *e)
{
	const struct place *p = arg;

	return audit_judge_head(p->j, h, p->name, e);
}

static int database(struct place *p, struct db *d, struct err *e)
{
	if ((p->j->trust && audit_signer_each(d, own_signer, p, e) < 0) || audit_head_each(d, own_head, p, e) < 0)
		return -1;
	return audit_each(d, INT64_MIN, INT64_MAX, audit_judge_row, p->j, e);
}

/* All heads before the first row. */
static int export(struct place *p, const char *path, struct err *e)
{
	const struct audit_reader heads = { .head = own_head, .signer = own_signer, .arg = p }, rows = { .row = audit_judge_row, .arg = p->j };

	return audit_file_read(path, &heads, e) < 0 ? -1 : audit_file_read(path, &rows, e);
}

int audit_verify_all(const struct cli *c, struct audit_judge *j, struct db *d, const char *name, struct trust *manifests, struct err *e)
{
	const char *file = cli_get(c, "export");
	struct place p = { j, file ? "the export" : name };

	for (size_t i = 0; i < cli_count(c, "against"); i++)
		if (audit_judge_file(j, cli_get_n(c, "against", i), manifests, e) < 0)
			return -1;
	if ((file ? export(&p, file, e) : database(&p, d, e)) < 0)
		return -1;
	return audit_judge_end(j, e);
}

void audit_verified(const struct cli *c, const struct audit_judge *j)
{
	char time[TEXT_TIME] = "", whose[CERT_ROLE_MAX + LIMIT_NAME + 8] = "";
	struct jsonl *l;

	if (j->heads)
		text_time(time, j->last_time);
	if (j->n_units)
		snprintf(whose, sizeof whose, " of %s:%s", j->role, j->name);
	if (cli_json(c)) {
		l = jsonl_new("result");
		jsonl_bool(l, "good", true);
		jsonl_int(l, "rows", j->at.n);
		jsonl_int(l, "heads", (int64_t)j->heads);
		jsonl_int(l, "head", j->last);
		jsonl_str(l, "time", time);
		if (j->n_units)
			jsonl_str(l, "of", j->name);
		jsonl_print(l);
	} else if (j->heads) {
		printf("%lld rows follow from each other and fit %zu heads%s, the last of row %lld of %s\n", (long long)j->at.n, j->heads, whose,
		       (long long)j->last, time);
	} else {
		printf("%lld rows follow from each other, and there is no head: what was written anew or cut off at the end does not show\n",
		       (long long)j->at.n);
	}
}

/* ---- export ---- */
int audit_out(const struct cli *c, int (*write)(void *arg, FILE *out, struct err *e), void *arg, struct err *e)
{
	const char *path = cli_get(c, "out");
	FILE *out = path ? fopen(path, "we") : stdout;
	int rc;

	if (!out)
		return err_errno(e, REASON_CONFIG, "cannot write %s", path);
	rc = write(arg, out, e);
	if (path && fclose(out) && rc == 0)
		rc = err_errno(e, REASON_STORAGE, "cannot write %s", path);
	return rc;
}

static int put_signer(void *out, const struct chain *ch, struct err *e)
{
	return audit_signer_print(out, ch, e);
}

static int put_head(void *out, const struct audit_head *h, struct err *e)
{
	return audit_head_print(out, h, e);
}

static int put_row(void *out, const struct audit_row *row, struct err *e)
{
	return audit_row_print(out, row, e);
}

int audit_export(void *source, FILE *out, struct err *e)
{
	const struct audit_source *s = source;

	if ((s->signers && audit_signer_each(s->db, put_signer, out, e) < 0) || audit_head_each(s->db, put_head, out, e) < 0)
		return -1;
	return audit_each(s->db, INT64_MIN, INT64_MAX, put_row, out, e);
}

/* ---- tail ---- */
int audit_row_show(FILE *out, bool json, const struct audit_row *row, struct err *e)
{
	char time[TEXT_TIME];

	if (json)
		return audit_row_print(out, row, e);
	text_time(time, row->time);
	if (fprintf(out, "%8lld %s %-20s %-10s %s %s\n", (long long)row->n, time, row->actor, row->action, row->subject, row->detail) < 0)
		return err_errno(e, REASON_STORAGE, "cannot write");
	return 0;
}

int audit_tail_rows(const struct cli *c, uint64_t *rows, struct err *e)
{
	const char *given = cli_get(c, "rows");

	*rows = TAIL_ROWS;
	return given && text_uint(rows, given, INT32_MAX) < 0 ? err_set(e, REASON_CONFIG, "--rows %s: a number", given) : 0;
}

struct tail {
	bool json;
	int64_t last;
};

static int show(void *arg, const struct audit_row *row, struct err *e)
{
	struct tail *t = arg;

	t->last = row->n;
	if (audit_row_show(stdout, t->json, row, e) < 0)
		return -1;
	return fflush(stdout) ? err_errno(e, REASON_STORAGE, "cannot write") : 0;
}

int audit_tail(const struct cli *c, struct db *d, uint64_t rows, struct err *e)
{
	struct tail t = { .json = cli_json(c) };
	struct audit_state last = {0};
	int rc = audit_last(d, &last, e);

	t.last = last.n - (int64_t)rows;
	if (rc == 0)
		rc = audit_each(d, t.last, INT64_MAX, show, &t, e);
	while (rc == 0 && cli_has(c, "follow")) {
		poll(NULL, 0, FOLLOW_MS);
		rc = audit_each(d, t.last, INT64_MAX, show, &t, e);
	}
	return rc;
}
