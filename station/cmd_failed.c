#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "failed.h"
#include "station.h"
#include "text.h"

static void print_person(const struct failed_unit *u, const char *when)
{
	const char *serial = strcmp(u->serial, "-") == 0 ? "--" : u->serial;

	if (u->outcome == OUTCOME_NONE)
		printf("%-16s slot %s: was cut in phase %s, %s; record %s\n", serial, u->slot, phase_name(u->phase), when, u->record);
	else if (u->error.code == REASON_OK)
		printf("%-16s slot %s: %s, %s; record %s\n", serial, u->slot, outcome_name(u->outcome), when, u->record);
	else
		printf("%-16s slot %s: %s, %s; record %s\n                 %s %s: %s\n", serial, u->slot, outcome_name(u->outcome), when,
		       u->record, reason_id(u->error.code), reason_info(u->error.code)->name, u->error.text);
}

static void print_unit(const struct cli *c, const struct failed_unit *u)
{
	char when[TEXT_TIME];
	struct jsonl *j;

	text_time(when, u->time);
	if (!cli_json(c)) {
		print_person(u, when);
		return;
	}
	j = jsonl_new("left");
	jsonl_str(j, "serial", strcmp(u->serial, "-") == 0 ? "" : u->serial);
	jsonl_str(j, "slot", u->slot);
	jsonl_str(j, "outcome", u->outcome == OUTCOME_NONE ? "CUT" : outcome_name(u->outcome));
	if (u->outcome == OUTCOME_NONE)
		jsonl_str(j, "phase", phase_name(u->phase));
	if (u->error.code != REASON_OK) {
		jsonl_str(j, "code", reason_id(u->error.code));
		jsonl_str(j, "reason", reason_info(u->error.code)->name);
		jsonl_str(j, "text", u->error.text);
		jsonl_str(j, "action", reason_info(u->error.code)->action);
	}
	jsonl_str(j, "t", when);
	jsonl_str(j, "record", u->record);
	jsonl_print(j);
}

static void print_result(const struct cli *c, size_t n)
{
	struct jsonl *j;

	if (!cli_json(c)) {
		if (n)
			printf("%zu unit%s of order %s left; \"run --failed\" tries %s again\n", n, n == 1 ? "" : "s", cli_get(c, "order"),
			       n == 1 ? "it" : "them");
		else
			printf("nothing of order %s is left that failed or was cut\n", cli_get(c, "order"));
		return;
	}
	j = jsonl_new("result");
	jsonl_int(j, "units", (int64_t)n);
	jsonl_print(j);
}

static int look(const struct cli *c, struct station *s, struct journal **j, struct failed *f, struct err *e)
{
	if (!cli_has(c, "failed") || !cli_get(c, "order"))
		return err_set(e, REASON_CONFIG, "--dry-run belongs to --failed, and --order is needed");
	if (station_settings(s, cli_dir(c), e) < 0 || !(*j = journal_open(s->dir, e)))
		return -1;
	return failed_load(f, s->dir, cli_get(c, "order"), *j, e);
}

enum cli_exit cmd_failed(const struct cli *c)
{
	struct journal *j = NULL;
	struct failed f = {0};
	struct station s = {0};
	enum cli_exit rc;
	struct err e;

	if (look(c, &s, &j, &f, &e) < 0) {
		rc = cli_fail(c, &e);
	} else {
		for (size_t i = 0; i < f.n; i++)
			print_unit(c, &f.unit[i]);
		print_result(c, f.n);
		rc = f.n ? EXIT_NO : EXIT_DONE;
	}
	failed_free(&f);
	journal_close(j);
	station_free(&s);
	return rc;
}
