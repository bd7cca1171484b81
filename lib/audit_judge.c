/* Rows judged by heads: the second half of audit_file.h. */
#include <config.h>

#include "audit_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camsg.h"
#include "documents.h"
#include "file.h"
#include "limits.h"
#include "mem.h"

struct audit_witness {
	struct audit_head h;
	char *where;
};

static void add(struct audit_judge *j, const struct audit_head *h, const char *where)
{
	if (j->n == j->room) {
		j->room = j->room ? 2 * j->room : 64;
		j->witness = mem_grow(j->witness, j->room, sizeof *j->witness);
	}
	j->witness[j->n++] = (struct audit_witness){ *h, mem_str(where) };
	if (h->history > j->history)
		j->history = h->history;
}

/* Its dates do not matter: what it signed while it was good stays signed. */
static int signer_fits(const struct audit_judge *j, const struct chain *ch, struct err *e)
{
	const struct trust_rule rule = { .purpose = PURPOSE_ANY, .role = j->role, .ignore_expiry = true };

	if (trust_verify(j->trust, ch, &rule, e) < 0)
		return -1;
	return !*j->name || strcmp(j->name, ch->cert[0].name) == 0
		       ? 0
		       : err_set(e, REASON_ROLE, "heads of %s %s stand in the audit of %s", j->role, ch->cert[0].name, j->name);
}

int audit_judge_signer(struct audit_judge *j, const struct chain *ch, const char *where, struct err *e)
{
	struct err why = {0};

	if (!j->trust)
		return 0;
	if (signer_fits(j, ch, &why) < 0)
		return err_set(e, REASON_AUDIT, "%s: the certificate of who signed its heads does not count: %s", where, why.text);
	for (size_t i = 0; i < j->n_units; i++)
		if (memcmp(j->unit[i].sha256, ch->cert[0].sha256, SHA256_LEN) == 0)
			return 0;
	snprintf(j->name, sizeof j->name, "%s", ch->cert[0].name);
	j->unit = mem_grow(j->unit, j->n_units + 1, sizeof *j->unit);
	if (cert_parse(&j->unit[j->n_units], ch->cert[0].der.data, ch->cert[0].der.len, e) < 0)
		return -1;
	j->n_units++;
	return 0;
}

int audit_judge_head(struct audit_judge *j, const struct audit_head *h, const char *where, struct err *e)
{
	if (audit_head_verify(h, j->cas, j->n_cas, e) < 0 && audit_head_verify(h, j->unit, j->n_units, e) < 0) {
		if (j->trust)
			err_set(e, REASON_AUDIT, "the head of audit row %lld was signed by no %s%s%s whose certificate came with it", (long long)h->at.n,
				j->role, *j->name ? " " : "", j->name);
		return err_prefix(e, "%s", where);
	}
	add(j, h, where);
	return 0;
}

void audit_judge_free(struct audit_judge *j)
{
	for (size_t i = 0; i < j->n; i++)
		free(j->witness[i].where);
	free(j->witness);
	for (size_t i = 0; i < j->n_units; i++)
		cert_free(&j->unit[i]);
	free(j->unit);
	*j = (struct audit_judge){0};
}

/* ---- witnesses from files ---- */
struct source {
	struct audit_judge *j;
	const char *path;
	struct audit_head last;		/* the last row of an export: whoever kept it needs no signature */
};

static int take_head(void *arg, const struct audit_head *h, struct err *e)
{
	struct source *s = arg;

	return audit_judge_head(s->j, h, s->path, e);
}

static int take_signer(void *arg, const struct chain *ch, struct err *e)
{
	struct source *s = arg;

	return audit_judge_signer(s->j, ch, s->path, e);
}

static int take_row(void *arg, const struct audit_row *row, struct err *e)
{
	struct source *s = arg;

	s->last.at.n = row->n;
	s->last.time = row->time;
	memcpy(s->last.at.hash, row->hash, SHA256_LEN);
	return 0;
}

static int from_export(struct source *s, struct err *e)
{
	const struct audit_reader r = { .row = take_row, .head = take_head, .signer = take_signer, .arg = s };

	if (audit_file_read(s->path, &r, e) < 0)
		return -1;
	if (s->last.at.n)
		add(s->j, &s->last, s->path);
	return 0;
}

static int no_head(const char *path, struct err *e)
{
	return err_set(e, REASON_REQUEST, "%s: there is no head of an audit in it", path);
}

static int from_manifest(struct source *s, const struct buf *file, struct trust *trust, struct err *e)
{
	struct manifest m;
	int rc;

	if (!trust)
		return err_set(e, REASON_CONFIG, "%s: a manifest is verified by the CA's root, too: add it to the certificates", s->path);
	if (manifest_read(&m, file->data, file->len, trust, e) < 0)
		return err_prefix(e, "%s", s->path);
	rc = m.audit.at.n ? audit_judge_head(s->j, &m.audit, s->path, e) : no_head(s->path, e);
	manifest_free(&m);
	return rc;
}

static int from_reply(struct source *s, const struct buf *file, struct err *e)
{
	struct ca_reply *r = ca_reply_new(0);
	int rc = ca_reply_read(r, file->data, file->len, e);

	if (rc < 0)
		err_prefix(e, "%s", s->path);
	else
		rc = r->audit.at.n ? audit_judge_head(s->j, &r->audit, s->path, e) : no_head(s->path, e);
	ca_reply_free(r);
	return rc;
}

static int from_record(struct source *s, const struct buf *file, struct err *e)
{
	json_t *o = json_loadb((const char *)file->data, file->len, JSON_REJECT_DUPLICATES, NULL);
	struct audit_head h;
	int rc;

	rc = audit_head_of_json(json_object_get(o, "audit_head"), &h) ? audit_judge_head(s->j, &h, s->path, e) : no_head(s->path, e);
	json_decref(o);
	return rc;
}

/* A line of its own begins an export, or a head alone; a record is a JSON object of many lines. */
static bool is_export(const struct buf *file)
{
	return file->len > 5 && memcmp(file->data, "{\"v\":", 5) == 0;
}

int audit_judge_file(struct audit_judge *j, const char *path, struct trust *trust, struct err *e)
{
	struct source s = { .j = j, .path = path };
	struct buf file = {0};
	int rc = -1;

	if (audit_file_begins(path, &file, e) < 0)
		;
	else if (is_export(&file))
		rc = from_export(&s, e);
	else if ((buf_clear(&file), file_read(&file, path, LIMIT_DOCUMENT, e)) < 0)
		;
	else if (file.len && file.data[0] == '<')
		rc = from_reply(&s, &file, e);
	else if (file.len && file.data[0] == '{')
		rc = from_record(&s, &file, e);
	else
		rc = from_manifest(&s, &file, trust, e);
	buf_free(&file);
	return rc;
}

/* ---- the rows ---- */
static int by_row(const void *a, const void *b)
{
	const struct audit_witness *x = a, *y = b;

	return (x->h.at.n > y->h.at.n) - (x->h.at.n < y->h.at.n);
}

/* Why a head that this CA has signed may not fit although nobody did anything wrong. */
static const char *restored(const struct audit_judge *j, const struct audit_head *h)
{
	return h->history && h->history < j->history
		       ? "; an operator has let it begin anew since, as after a restore: see its row \"reconcile\" or \"accept\""
		       : "";
}

static int meet(struct audit_judge *j, const struct audit_witness *w, struct err *e)
{
	char time[TEXT_TIME];

	text_time(time, w->h.time);
	if (memcmp(w->h.at.hash, j->at.hash, SHA256_LEN) != 0)
		return err_set(e, REASON_AUDIT, "the audit is not the one whose row %lld has a head of %s in %s: of the rows %lld to %lld one was changed, "
			       "removed or added%s", (long long)w->h.at.n, time, w->where, (long long)j->last + 1, (long long)w->h.at.n,
			       restored(j, &w->h));
	j->heads++;
	j->last = w->h.at.n;
	j->last_time = w->h.time;
	return 0;
}

int audit_judge_row(void *judge, const struct audit_row *row, struct err *e)
{
	struct audit_judge *j = judge;

	if (j->at.n == 0 && j->next == 0 && j->n)
		qsort(j->witness, j->n, sizeof *j->witness, by_row);
	if (audit_follow(&j->at, row, e) < 0)
		return -1;
	for (; j->next < j->n && j->witness[j->next].h.at.n == j->at.n; j->next++)
		if (meet(j, &j->witness[j->next], e) < 0)
			return -1;
	return 0;
}

int audit_judge_end(struct audit_judge *j, struct err *e)
{
	const struct audit_witness *w = NULL;
	char time[TEXT_TIME];

	for (size_t i = j->next; i < j->n; i++)
		if (!w || j->witness[i].h.at.n > w->h.at.n)
			w = &j->witness[i];
	if (!w)
		return 0;
	text_time(time, w->h.time);
	return err_set(e, REASON_AUDIT, "the audit ends with row %lld, but %s has a head of row %lld of %s: what followed was cut off%s",
		       (long long)j->at.n, w->where, (long long)w->h.at.n, time, restored(j, &w->h));
}
