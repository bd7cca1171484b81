#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "spool.h"
#include "who.h"

#define AGE_TEXT 24

/* "4 min", so that a person sees at once what lies there for long. */
static void format_age(char out[AGE_TEXT], int64_t seconds)
{
	if (seconds < 120)
		snprintf(out, AGE_TEXT, "%d s", seconds > 0 ? (int)seconds : 0);
	else if (seconds < 120 * 60)
		snprintf(out, AGE_TEXT, "%d min", (int)(seconds / 60));
	else if (seconds < 48 * 3600)
		snprintf(out, AGE_TEXT, "%d h", (int)(seconds / 3600));
	else
		snprintf(out, AGE_TEXT, "%lld d", (long long)(seconds / 86400));
}

static void print_one(const struct cli *c, const char *state, const struct spooled *one, const struct spool_note *note)
{
	int64_t begin = one->time_ns / 1000000000, age = clock_utc() - begin;
	char time[TEXT_TIME], tried[TEXT_TIME], text[AGE_TEXT], serial[LIMIT_SERIAL + 1];

	text_time(time, begin);
	text_time(tried, note->time);
	format_age(text, age);
	spool_serial(serial, cli_dir(c), one->id);
	if (!cli_json(c)) {
		printf("%s  %-7s  since %s, %s  unit %s", one->id, state, time, text, serial);
		if (note->tries)
			printf(", %u %s", note->tries, note->tries == 1 ? "try" : "tries");
		printf("%s%s\n", note->text[0] ? "  " : "", note->text);
		return;
	}
	struct jsonl *j = jsonl_new("queued");

	jsonl_str(j, "record", one->id);
	jsonl_str(j, "state", state);
	jsonl_str(j, "since", time);
	jsonl_int(j, "age", age > 0 ? age : 0);
	jsonl_str(j, "serial", serial);
	if (note->tries)
		jsonl_int(j, "tries", note->tries);
	if (note->text[0]) {
		jsonl_str(j, "at", tried);
		jsonl_str(j, "text", note->text);
	}
	jsonl_print(j);
}

static int print_all(const struct cli *c, enum spool_place place, size_t *n, struct err *e)
{
	static const char *const states[] = { "waiting", "refused", "dropped" };
	struct spooled *list;

	if (spool_list(cli_dir(c), place, &list, n, e) < 0)
		return -1;
	for (size_t i = 0; i < *n; i++) {
		struct spool_note note;

		spool_note(&note, cli_dir(c), place, list[i].id);
		print_one(c, note.tries ? "held" : states[place], &list[i], &note);
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
	size_t waiting, refused, dropped;
	struct err e = {0};

	if (print_all(c, SPOOL_WAITING, &waiting, &e) < 0 || print_all(c, SPOOL_REFUSED, &refused, &e) < 0 ||
	    (cli_has(c, "dropped") && print_all(c, SPOOL_DROPPED, &dropped, &e) < 0))
		return cli_fail(c, &e);
	if (cli_json(c))
		print_result(c, 0, waiting, refused);
	else
		printf("%zu waiting, %zu refused\n", waiting, refused);
	return EXIT_DONE;
}

static int check_id(const char *id, struct err *e)
{
	return record_id_valid(id) ? 0 : err_set(e, REASON_CONFIG, "%s is no id of a record: queue list shows them", id);
}

/* Those that are named; or all but the dropped, those that are held as if they had never been tried. */
static int put_back(const struct cli *c, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < cli_args(c) && rc == 0; i++)
		rc = check_id(cli_arg(c, i), e) < 0 ? -1 : spool_put_back(cli_dir(c), cli_arg(c, i), e);
	if (cli_args(c))
		return rc;
	for (enum spool_place place = SPOOL_WAITING; place <= SPOOL_REFUSED && rc == 0; place++) {
		struct spooled *list;
		struct spool_note note;
		size_t n;

		if (spool_list(cli_dir(c), place, &list, &n, e) < 0)
			return -1;
		for (size_t i = 0; i < n && rc == 0; i++)
			if (place == SPOOL_REFUSED || spool_note(&note, cli_dir(c), place, list[i].id))
				rc = spool_put_back(cli_dir(c), list[i].id, e);
		free(list);
	}
	return rc;
}

enum cli_exit cmd_queue_retry(const struct cli *c)
{
	struct station s = {0};
	struct spool_count count = {0};
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
		rc = count.waiting ? EXIT_MISSING : count.refused ? EXIT_NO : EXIT_DONE;
	}
	station_free(&s);
	return rc;
}

/* The record stays where it is, in DIR/records: only the MES does not get it. */
enum cli_exit cmd_queue_drop(const struct cli *c)
{
	char why[SPOOL_TEXT_MAX];
	struct who who;
	struct err e;

	if (who_read(&who, c, &e) < 0)
		return cli_fail(c, &e);
	snprintf(why, sizeof why, "by %s: %s", who.operator, who.reason);
	for (size_t i = 0; i < cli_args(c); i++) {
		const char *id = cli_arg(c, i);

		if (check_id(id, &e) < 0 || spool_drop(cli_dir(c), id, why, &e) < 0)
			return cli_fail(c, &e);
		if (cli_json(c)) {
			struct jsonl *j = jsonl_new("result");

			jsonl_str(j, "dropped", id);
			jsonl_print(j);
		} else {
			printf("%s is not sent to the MES; queue retry %s sends it after all\n", id, id);
		}
	}
	return EXIT_DONE;
}
