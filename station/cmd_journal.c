#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "resume.h"
#include "standing.h"
#include "text.h"

static void print_entry(const struct cli *c, const struct journal_entry *x)
{
	char where[RESUME_WHERE], when[TEXT_TIME];
	struct jsonl *j;

	if (!cli_json(c)) {
		resume_where(x, where);
		printf("%-16s order %s, slot %s: %s%s%s\n", x->device.serial[0] ? x->device.serial : "--", x->order, x->slot, where,
		       x->request.id[0] ? "; request id " : "", x->request.id);
		return;
	}
	text_time(when, x->time);
	j = jsonl_new("cut");
	jsonl_str(j, "serial", x->device.serial);
	jsonl_str(j, "order", x->order);
	jsonl_str(j, "slot", x->slot);
	jsonl_str(j, "usb", x->port);
	jsonl_str(j, "phase", phase_name(x->phase));
	jsonl_str(j, "cut", when);
	jsonl_str(j, "request_id", x->request.id);
	jsonl_str(j, "record", x->record);
	jsonl_int(j, "tries", x->tries);
	jsonl_print(j);
}

static void print_result(const struct cli *c, size_t units)
{
	struct jsonl *j;

	if (!cli_json(c)) {
		printf("%zu unit%s\n", units, units == 1 ? "" : "s");
		return;
	}
	j = jsonl_new("result");
	jsonl_int(j, "units", (int64_t)units);
	jsonl_print(j);
}

enum cli_exit cmd_journal_list(const struct cli *c)
{
	struct station s;
	struct journal *j = NULL;
	enum cli_exit rc = EXIT_DONE;
	struct err e;

	if (station_settings(&s, cli_dir(c), &e) < 0 || !(j = journal_open(s.dir, &e))) {
		rc = cli_fail(c, &e);
	} else {
		for (size_t i = 0; i < journal_count(j); i++)
			print_entry(c, journal_cut(j, i));
		print_result(c, journal_count(j));
	}
	journal_close(j);
	station_free(&s);
	return rc;
}

/* ---- abandon ------------------------------------------------------------------------------ */

static int find(const struct journal *j, const char *serial, const char *order, struct journal_entry *out, struct err *e)
{
	size_t found = 0;

	for (size_t i = 0; i < journal_count(j); i++) {
		const struct journal_entry *x = journal_cut(j, i);

		if (strcmp(x->device.serial, serial) != 0 || (order && strcmp(x->order, order) != 0))
			continue;
		if (found++ && strcmp(out->order, x->order) != 0)
			return err_set(e, REASON_CONFIG, "serial %s was cut in the orders %s and %s; name one with --order", serial,
				       out->order, x->order);
		*out = *x;
	}
	return found ? 0 : err_set(e, REASON_CONFIG, "the journal has no unit %s%s%s; see: handsel-station journal list", serial,
				   order ? " of order " : "", order ? order : "");
}

/* Refused to a station may be more than this; what to do with a unit that is active is the same for nothing else. */
static int not_given_up(struct standing *s, const struct journal_entry *x, struct err *e)
{
	struct standing_of now;
	struct err ignored;

	if (e->code == REASON_ROLE && standing_ask(s, &x->request, &now, &ignored) == 0 && now.state == CA_ACTIVE)
		err_set(e, REASON_SERIAL_ISSUED, "unit %s has its credential already, which no station takes back: put it in its slot once more, "
			"and the next run proves and records it; or, if it is lost, have it made anew with: handsel-ca rework --serial %s",
			x->device.serial, x->device.serial);
	return -1;
}

/* The request dies first: what the journal forgets must not be pending. */
static int give_up(const struct station *s, struct journal *j, const struct journal_entry *x, struct err *e)
{
	struct standing standing;
	enum outcome o = OUTCOME_NONE;
	struct records *rs = records_open(s, mes_is_set(&s->mes), e);
	int rc = rs ? resume_recorded(s->dir, x->record, &o, e) : -1;

	if (rc == 0 && o != OUTCOME_PASS && x->request.id[0]) {
		standing_init(&standing, s);
		rc = standing_revoke(&standing, &x->request, e) < 0 ? not_given_up(&standing, x, e) : 0;
		standing_close(&standing);
	}
	if (rc == 0)
		rc = resume_abandon(s, rs, j, x, "an operator has abandoned the unit", e);
	records_close(rs);
	return rc;
}

enum cli_exit cmd_journal_abandon(const struct cli *c)
{
	struct station s;
	struct journal *j = NULL;
	struct journal_entry x;
	enum cli_exit rc = EXIT_DONE;
	struct err e;

	if (station_load(&s, cli_dir(c), &e) < 0 || !(j = journal_open(s.dir, &e)) ||
	    find(j, cli_arg(c, 0), cli_get(c, "order"), &x, &e) < 0 || give_up(&s, j, &x, &e) < 0) {
		rc = cli_fail(c, &e);
	} else {
		if (!cli_json(c))
			printf("unit %s of order %s is abandoned; record %s says so\n", x.device.serial, x.order, x.record);
		print_result(c, 1);
	}
	journal_close(j);
	station_free(&s);
	return rc;
}
