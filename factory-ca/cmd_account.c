/* order reconcile: the account of a work order, signed. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "clock.h"
#include "cms.h"
#include "file.h"
#include "mem.h"

#define STATIONS_MAX 256

static void add_line(struct buf *report, struct jsonl *j)
{
	char *text = jsonl_text(j);

	buf_add(report, text, strlen(text));
	buf_add(report, "\n", 1);
	free(text);
}

static void write_report(const struct account *a, const char *manufacturer, struct buf *report)
{
	struct jsonl *j = jsonl_new("account");
	char now[TEXT_TIME];

	text_time(now, clock_utc());
	jsonl_str(j, "order", a->order.id);
	jsonl_int(j, "version", a->order.version);
	jsonl_str(j, "manufacturer", manufacturer);
	jsonl_str(j, "model", a->order.model);
	jsonl_str(j, "state", order_state_name(a->row.state));
	jsonl_str(j, "time", now);
	jsonl_int(j, "ordered", a->order.quota);
	jsonl_int(j, "good", a->good);
	jsonl_int(j, "scrap", a->scrap);
	jsonl_int(j, "open", a->open);
	jsonl_int(j, "pending", a->pending);
	jsonl_int(j, "keys", (int64_t)a->keys);
	jsonl_int(j, "keys_max", (int64_t)a->keys_max);
	jsonl_int(j, "stations", a->stations);
	jsonl_int(j, "records", a->records);
	jsonl_int(j, "passed", a->passed);
	jsonl_int(j, "differences", (int64_t)a->n_findings);
	add_line(report, j);
	for (size_t i = 0; i < a->n_findings; i++) {
		j = jsonl_new("difference");
		jsonl_str(j, "serial", a->finding[i].serial);
		jsonl_str(j, "text", a->finding[i].text);
		add_line(report, j);
	}
}

/* FILE and FILE.p7, as the stations do with their records. */
static int save(const struct office *o, const char *out, const struct buf *report, struct err *e)
{
	struct operator op = {0};
	struct buf cms = {0};
	char path[FILE_PATH];
	int rc = -1;

	if ((size_t)snprintf(path, sizeof path, "%s.p7", out) >= sizeof path)
		err_set(e, REASON_CONFIG, "--out %s: too long", out);
	else if (operator_load(&op, o->dir, e) == 0 && cms_sign(report->data, report->len, op.key, &op.chain, &cms, e) == 0 &&
		 file_replace(out, report->data, report->len, 0644, e) == 0)
		rc = file_replace(path, cms.data, cms.len, 0644, e);
	operator_free(&op);
	buf_free(&cms);
	return rc;
}

static void show(const struct account *a)
{
	printf("order %s, version %u, %s: %u ordered = %u good + %u scrap + %u open, of these %u begun\n", a->order.id, a->order.version,
	       order_state_name(a->row.state), a->order.quota, a->good, a->scrap, a->open, a->pending);
	printf("signer: %llu keys signed, of %llu\n", (unsigned long long)a->keys, (unsigned long long)a->keys_max);
	printf("records: %u of this order in %u stations, %u of them PASS\n", a->records, a->stations, a->passed);
	for (size_t i = 0; i < a->n_findings; i++)
		printf("%-20s %s\n", a->finding[i].serial, a->finding[i].text);
	printf(a->n_findings ? "%zu differences\n" : "all agree\n", a->n_findings);
}

static int make(struct account *a, struct office *o, const struct cli *c, struct err *e)
{
	const char *dirs[STATIONS_MAX];
	size_t n = cli_count(c, "records");

	if (n > STATIONS_MAX)
		return err_set(e, REASON_CONFIG, "at most %d --records", STATIONS_MAX);
	for (size_t i = 0; i < n; i++)
		dirs[i] = cli_get_n(c, "records", i);
	return account_make(a, o, cli_arg(c, 0), dirs, n, e);
}

enum cli_exit cmd_order_reconcile(const struct cli *c)
{
	struct account *a = mem_new(1, sizeof *a);
	const char *out = cli_get(c, "out");
	struct buf report = {0};
	enum cli_exit code;
	struct office o;
	struct err e;

	if (office_open(&o, c, &e) < 0) {
		free(a);
		return cli_fail(c, &e);
	}
	if (make(a, &o, c, &e) < 0) {
		code = cli_fail(c, &e);
	} else {
		write_report(a, o.settings.name, &report);
		code = a->n_findings ? EXIT_NO : EXIT_DONE;
		if (out && save(&o, out, &report, &e) < 0)
			code = cli_fail(c, &e);
		else if (cli_json(c))
			fwrite(report.data, 1, report.len, stdout);
		else
			show(a);
	}
	buf_free(&report);
	account_free(a);
	free(a);
	office_close(&o);
	return code;
}
