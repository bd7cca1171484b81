#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "records.h"
#include "report.h"

#define CODES_MAX 100	/* reason codes have two digits */

struct report {
	const struct cli *cli;
	const char *order;		/* NULL: all */
	int64_t from, to;		/* of the end of the attempt, UTC; to 0: no end */
	unsigned n[OUTCOMES], code[CODES_MAX];
	struct yield yield;
	struct count first;
	void (*print)(struct buf *out, const struct record *r);
};

static bool is_of_order(const struct report *rp, const struct index_entry *en)
{
	return !rp->order || strcmp(rp->order, en->order) == 0;
}

static bool is_wanted(const struct report *rp, const struct index_entry *en)
{
	return is_of_order(rp, en) && en->end >= rp->from && (!rp->to || en->end < rp->to);
}

static int count(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct report *rp = arg;

	bool wanted = is_wanted(rp, en);

	if (wanted)
		rp->n[en->outcome]++;
	if (is_of_order(rp, en))
		yield_add(&rp->yield, en, wanted);
	return 0;
}

static void flush(struct buf *out)
{
	if (out->len)
		fwrite(out->data, 1, out->len, stdout);
	buf_clear(out);
}

static int each(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct report *rp = arg;
	struct buf out = {0};
	struct record r = {0};
	int rc;

	if (!is_wanted(rp, en) || (!rp->print && !outcome_has_reason(en->outcome)))
		return 0;
	rc = records_read(cli_dir(rp->cli), en->id, &r, e);
	if (rc == 0 && rp->print) {
		rp->print(&out, &r);
		flush(&out);
	} else if (rc == 0 && r.error.code < CODES_MAX) {
		rp->code[r.error.code]++;
	}
	record_free(&r);
	buf_free(&out);
	return rc;
}

static void print_json(const struct report *rp)
{
	struct jsonl *j;

	for (int i = 0; i < CODES_MAX; i++) {
		if (!rp->code[i])
			continue;
		j = jsonl_new("code");
		jsonl_str(j, "code", reason_id((enum reason)i));
		jsonl_str(j, "reason", reason_info((enum reason)i)->name);
		jsonl_int(j, "n", rp->code[i]);
		jsonl_print(j);
	}
	j = jsonl_new("result");
	for (int o = OUTCOME_PASS; o < OUTCOMES; o++)
		jsonl_int(j, outcome_name((enum outcome)o), rp->n[o]);
	jsonl_int(j, "units", (int64_t)(rp->first.pass + rp->first.fail));
	jsonl_int(j, "first_pass", (int64_t)rp->first.pass);
	jsonl_print(j);
}

static void print_text(const struct report *rp)
{
	unsigned long long passed = rp->first.pass, units = passed + rp->first.fail;
	int yield = counters_yield(&rp->first);
	unsigned all = 0;

	for (int o = OUTCOME_PASS; o < OUTCOMES; o++) {
		printf("%-8s %6u\n", outcome_name((enum outcome)o), rp->n[o]);
		all += rp->n[o];
	}
	if (!all)
		printf("no record of this station is of such an order and time\n");
	for (int i = 0; i < CODES_MAX; i++)
		if (rp->code[i])
			printf("%6u x %s %s: %s\n", rp->code[i], reason_id((enum reason)i), reason_info((enum reason)i)->name,
			       reason_info((enum reason)i)->action);
	if (yield >= 0)
		printf("first-pass yield %d.%d %%: %llu of %llu units passed at their first try\n", yield / 10, yield % 10, passed,
		       units);
}

static int report(struct report *rp, struct err *e)
{
	const char *dir = cli_dir(rp->cli);
	bool csv = cli_has(rp->cli, "csv"), junit = cli_has(rp->cli, "junit");
	struct buf out = {0};
	int rc;

	if (csv + junit + cli_json(rp->cli) > 1)
		return err_set(e, REASON_CONFIG, "one of --csv, --junit and --json: each is a form of its own");
	rp->print = csv ? report_csv : junit ? report_junit : NULL;
	rc = records_each(dir, count, rp, e);
	rp->first = yield_count(&rp->yield);
	if (rc < 0)
		return -1;
	if (csv)
		report_csv_head(&out);
	if (junit)
		report_junit_head(&out, rp->n);
	flush(&out);
	rc = records_each(dir, each, rp, e);
	if (junit && rc == 0)
		report_junit_end(&out);
	flush(&out);
	buf_free(&out);
	if (rc == 0 && !rp->print)
		(cli_json(rp->cli) ? print_json : print_text)(rp);
	if (rc == 0 && fflush(stdout) != 0)
		return err_errno(e, REASON_STORAGE, "the report is not complete");
	return rc;
}

enum cli_exit cmd_report(const struct cli *c)
{
	struct report rp = { .cli = c, .order = cli_get(c, "order") };
	const char *shift = cli_get(c, "shift");
	struct err e = {0};

	if ((shift && report_shift(shift, clock_utc(), &rp.from, &rp.to, &e) < 0) || report(&rp, &e) < 0)
		return cli_fail(c, &e);
	return EXIT_DONE;
}
