#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spool.h"

static void print_one(const struct cli *c, const char *state, const struct spooled *one, const char *why)
{
	char time[TEXT_TIME];

	text_time(time, one->time_ns / 1000000000);
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("queued");

		jsonl_str(j, "record", one->id);
		jsonl_str(j, "state", state);
		jsonl_str(j, "since", time);
		if (*why)
			jsonl_str(j, "text", why);
		jsonl_print(j);
	} else {
		printf("%s  %-7s  since %s%s%s\n", one->id, state, time, *why ? "  " : "", why);
	}
}

static int print_all(const struct cli *c, bool refused, size_t *n, struct err *e)
{
	struct spooled *list;

	if (spool_list(cli_dir(c), refused, &list, n, e) < 0)
		return -1;
	for (size_t i = 0; i < *n; i++) {
		char why[300] = "";

		if (refused)
			spool_reason(cli_dir(c), list[i].id, why, sizeof why);
		print_one(c, refused ? "refused" : "waiting", &list[i], why);
	}
	free(list);
	return 0;
}

static void print_result(const struct cli *c, size_t taken, size_t waiting, size_t refused)
{
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_int(j, "taken", (int64_t)taken);
		jsonl_int(j, "waiting", (int64_t)waiting);
		jsonl_int(j, "refused", (int64_t)refused);
		jsonl_print(j);
	} else {
		printf("%zu taken, %zu waiting, %zu refused\n", taken, waiting, refused);
	}
}

enum cli_exit cmd_queue_list(const struct cli *c)
{
	size_t waiting, refused;
	struct err e = {0};

	if (print_all(c, false, &waiting, &e) < 0 || print_all(c, true, &refused, &e) < 0)
		return cli_fail(c, &e);
	print_result(c, 0, waiting, refused);
	return EXIT_DONE;
}

/* Those that are named, or all. */
static int put_back(const struct cli *c, struct err *e)
{
	struct spooled *list;
	size_t n;
	int rc = 0;

	for (size_t i = 0; i < cli_args(c); i++) {
		if (!record_id_valid(cli_arg(c, i)))
			return err_set(e, REASON_CONFIG, "%s is no id of a record", cli_arg(c, i));
		if (spool_put_back(cli_dir(c), cli_arg(c, i), e) < 0)
			return -1;
	}
	if (cli_args(c))
		return 0;
	if (spool_list(cli_dir(c), true, &list, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = spool_put_back(cli_dir(c), list[i].id, e);
	free(list);
	return rc;
}

enum cli_exit cmd_queue_retry(const struct cli *c)
{
	struct station s = {0};
	struct spool_count count;
	enum cli_exit rc;
	struct err e = {0};

	if (station_load(&s, cli_dir(c), &e) < 0 ||
	    (!mes_is_set(&s.mes) && err_set(&e, REASON_CONFIG, "station.yaml has no mes: nobody takes the records")) ||
	    put_back(c, &e) < 0) {
		rc = cli_fail(c, &e);
	} else if (spool_send(&s, NULL, NULL, &count, &e) < 0) {
		print_result(c, count.taken, count.waiting, count.refused);
		cli_fail(c, &e);
		rc = EXIT_MISSING;
	} else {
		print_result(c, count.taken, count.waiting, count.refused);
		rc = count.refused ? EXIT_NO : EXIT_DONE;
	}
	station_free(&s);
	return rc;
}
