#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "printer.h"
#include "records.h"
#include "reprints.h"
#include "who.h"
#include "zpl.h"

#define REPRINT_MS 30000	/* some labels of a run are before it */

/* ---- of which unit -------------------------------------------------------------------------- */

struct search {
	const char *what;		/* an id or a serial */
	struct index_entry found;	/* the last that passed, else the last that was aborted */
	bool any;
};

static int seek(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct search *s = arg;

	if (strcmp(en->id, s->what) != 0 && strcmp(en->serial, s->what) != 0)
		return 0;
	if (en->outcome != OUTCOME_PASS && (en->outcome != OUTCOME_ABORTED || (s->any && s->found.outcome == OUTCOME_PASS)))
		return 0;
	s->found = *en;
	s->any = true;
	return 0;
}

/* It lacked the label alone. */
static bool wants_label(const struct record *r)
{
	return r->outcome == OUTCOME_PASS || (r->n_phases && r->phase[r->n_phases - 1].phase == PHASE_LABEL && record_is_proven(r));
}

/* The label of a unit whose signatures are good: a changed file prints nothing. */
static int find(const struct station *s, const char *what, struct label *l, struct index_entry *en, struct err *e)
{
	struct search search = { .what = what };
	struct record r = {0};
	int rc = -1;

	if (records_each(s->dir, seek, &search, e) < 0)
		return -1;
	if (!search.any)
		return err_set(e, REASON_CONFIG, "no record of a unit that has passed has the id or the serial %s", what);
	*en = search.found;
	if (records_verify(s->dir, s->trust, en, &r, e) == 0)
		rc = wants_label(&r) ? label_of_record(l, &r, e)
				     : err_set(e, REASON_CONFIG, "record %s: the unit was aborted before it had anything but its label to get", en->id);
	record_free(&r);
	return rc;
}

/* ---- print ------------------------------------------------------------------------------------ */

static int make(const struct cli *c, const struct station *s, const struct label *l, struct buf *out, struct err *e)
{
	struct picture p;
	int rc;

	if (cli_has(c, "text")) {
		label_text(&s->label, l, out);
		return 0;
	}
	if (cli_has(c, "zpl"))
		return zpl_label(&s->label, l, out, e);
	if (picture_draw(&p, &s->label, l, e) < 0)
		return -1;
	rc = picture_png(&p, out, e);
	picture_free(&p);
	return rc;
}

enum cli_exit cmd_label_print(const struct cli *c)
{
	struct station s = {0};
	enum cli_exit rc = EXIT_DONE;
	struct index_entry en;
	struct buf out = {0};
	struct label l;
	struct err e;
	bool bad;

	if (cli_has(c, "png") + cli_has(c, "text") + cli_has(c, "zpl") != 1)
		bad = err_set(&e, REASON_CONFIG, "one of --png, --text and --zpl is needed; the printer gets a label again by label reprint");
	else
		bad = station_offline(&s, cli_dir(c), &e) < 0 || find(&s, cli_arg(c, 0), &l, &en, &e) < 0 || make(c, &s, &l, &out, &e) < 0;
	if (!bad && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
		bad = err_errno(&e, REASON_STORAGE, "the label is not complete");
	if (bad)
		rc = cli_fail(c, &e);
	buf_free(&out);
	station_free(&s);
	return rc;
}

/* ---- reprint ---------------------------------------------------------------------------------- */

static bool in_time(void *arg, const struct err *why)
{
	const int64_t *until = arg;

	return !why && clock_mono_ms() < *until;
}

static int reprint(const struct cli *c, const struct station *s, struct reprint *r, struct err *e)
{
	int64_t until = clock_mono_ms() + REPRINT_MS;
	struct index_entry en;
	struct printer *p;
	struct buf zpl = {0};
	uint32_t given = 0;
	struct label l;
	struct who who;
	int rc = -1;

	if (!label_is_printed(&s->label))
		return err_set(e, REASON_CONFIG, "station.yaml has no label with a printer: write its address as printer of label");
	if (who_read(&who, c, e) < 0 || find(s, cli_arg(c, 0), &l, &en, e) < 0 || zpl_label(&s->label, &l, &zpl, e) < 0)
		goto out;
	text_copy(r->reason, sizeof r->reason, who.reason);
	text_copy(r->operator, sizeof r->operator, who.operator);
	text_copy(r->record, sizeof r->record, en.id);
	text_copy(r->serial, sizeof r->serial, en.serial);
	p = printer_new(&s->label, NULL, NULL);
	if (printer_look(p, e) == 0 && reprints_add(s->dir, r, e) == 0 && printer_print(p, &zpl, in_time, &until, &given, e) == 0) {
		r->printed = true;
		rc = reprints_add(s->dir, r, e);
	}
	printer_free(p);
out:
	buf_free(&zpl);
	return rc;
}

static void print_one(const struct cli *c, const char *type, const struct reprint *r)
{
	char time[TEXT_TIME];
	struct jsonl *j;

	text_time(time, r->time);
	if (!cli_json(c)) {
		printf("%s  %-7s  %s  %s  by %s: %s\n", time, r->printed ? "printed" : "asked", r->record, r->serial, r->operator, r->reason);
		return;
	}
	j = jsonl_new(type);
	jsonl_str(j, "time", time);
	jsonl_str(j, "event", r->printed ? "printed" : "asked");
	jsonl_str(j, "record", r->record);
	jsonl_str(j, "serial", r->serial);
	jsonl_str(j, "operator", r->operator);
	jsonl_str(j, "reason", r->reason);
	jsonl_print(j);
}

enum cli_exit cmd_label_reprint(const struct cli *c)
{
	struct station s = {0};
	struct reprint r = {0};
	enum cli_exit rc = EXIT_DONE;
	struct err e;

	if (station_offline(&s, cli_dir(c), &e) < 0 || reprint(c, &s, &r, &e) < 0)
		rc = cli_fail(c, &e);
	else
		print_one(c, "result", &r);
	station_free(&s);
	return rc;
}

/* ---- reprints ----------------------------------------------------------------------------------- */

struct listing {
	const struct cli *cli;
	unsigned n, broken;
};

static void visit(void *arg, const struct reprint *r, bool follows)
{
	struct listing *l = arg;

	l->n++;
	print_one(l->cli, "reprint", r);
	if (follows)
		return;
	l->broken++;
	fprintf(stderr, "line %u does not follow from the one before: that one was changed, or lines between them were removed\n", l->n);
}

enum cli_exit cmd_label_reprints(const struct cli *c)
{
	struct listing l = { .cli = c };
	struct err e;

	if (reprints_each(cli_dir(c), visit, &l, &e) < 0)
		return cli_fail(c, &e);
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_int(j, "lines", l.n);
		jsonl_int(j, "broken", l.broken);
		jsonl_print(j);
	}
	return l.broken ? EXIT_NO : EXIT_DONE;
}
