#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "mem.h"
#include "records.h"

/* ---- show ------------------------------------------------------------------------------- */

struct search {
	const char *what;		/* an id or a serial */
	struct index_entry found;	/* the last one */
	unsigned n;
};

static int seek(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct search *s = arg;

	if (strcmp(en->id, s->what) != 0 && strcmp(en->serial, s->what) != 0)
		return 0;
	s->found = *en;
	s->n++;
	return 0;
}

static void print_phases(const struct record *r)
{
	static const char *const words[] = { "not run", "done", "skipped", "FAILED" };
	bool ran[PHASES] = { false };

	for (size_t i = 0; i < r->n_phases; i++) {
		const struct record_phase *p = &r->phase[i];

		ran[p->phase] = true;
		printf("  %-8s %-8s %8.3f s%s%s\n", phase_name(p->phase), words[p->outcome], (double)p->ms / 1000,
		       p->detail[0] ? "  " : "", p->detail);
	}
	for (int i = 0; i < PHASES; i++)
		if (!ran[i])
			printf("  %-8s %s\n", phase_name((enum phase)i), words[PHASE_NOT_RUN]);
}

static void print_record(const struct record *r)
{
	char start[TEXT_TIME], end[TEXT_TIME], hex[SHA256_HEX];

	text_time(start, r->start);
	text_time(end, r->end);
	printf("record   %s\nunit     %s\noutcome  %s\n", r->id, record_serial(r), outcome_name(r->outcome));
	if (outcome_has_reason(r->outcome))
		printf("reason   %s %s: %s\n", reason_id(r->error.code), reason_info(r->error.code)->name, r->error.text);
	printf("order    %s\nstation  %s, slot %s, USB %s\ntime     %s to %s\n", r->order, r->station, r->slot, r->port,
	       start, end);
	if (r->hello.device.serial[0])
		printf("device   %s %s %s, agent %s\n", r->hello.device.manufacturer, r->hello.device.model,
		       r->hello.device.serial, r->hello.agent_version);
	if (r->scanned[0])
		printf("label    %s\n", r->scanned);
	if (r->ready.request.id[0])
		printf("request  %s, generation %u, key made by the %s\n", r->ready.request.id,
		       (unsigned)r->ready.request.generation, r->ready.mode == MODE_CA ? "CA" : "device");
	if (r->proof.certificate.len) {
		text_hex(hex, r->certificate, SHA256_LEN);
		printf("proof    certificate with SHA-256 %s\n", hex);
	}
	printf("phases\n");
	print_phases(r);
}

static int show(const struct cli *c, struct err *e)
{
	struct search s = { .what = cli_arg(c, 0) };
	uint8_t nonce[SHA256_LEN];
	struct buf json = {0};
	struct record r = {0};
	int rc = -1;

	if (records_each(cli_dir(c), seek, &s, e) < 0)
		return -1;
	if (!s.n)
		return err_set(e, REASON_CONFIG, "no record has the id or the serial %s", s.what);
	if (records_load(cli_dir(c), s.found.id, "json", &json, e) == 0 &&
	    record_read(&r, nonce, json.data, json.len, e) == 0) {
		rc = 0;
		if (cli_json(c))
			record_print(&json);
		else
			print_record(&r);
		if (s.n > 1 && !cli_json(c))
			printf("%u earlier records have this serial: handsel-station report shows them\n", s.n - 1);
	}
	record_free(&r);
	buf_free(&json);
	return rc;
}

enum cli_exit cmd_record_show(const struct cli *c)
{
	struct err e = {0};

	return show(c, &e) < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- verify ------------------------------------------------------------------------------- */

struct check {
	const struct cli *cli;
	struct station station;
	char (*id)[RECORD_ID_LEN + 1];	/* of the index, in its order */
	size_t n;
	bool *found;			/* of the arguments */
	unsigned good, bad;
};

/* By its id or its serial. */
static bool is_wanted(struct check *k, const struct index_entry *en)
{
	bool wanted = cli_args(k->cli) == 0;

	for (size_t i = 0; i < cli_args(k->cli); i++)
		if (strcmp(cli_arg(k->cli, i), en->id) == 0 || strcmp(cli_arg(k->cli, i), en->serial) == 0)
			wanted = k->found[i] = true;
	return wanted;
}

static void say_bad(struct check *k, const char *id, const struct err *e)
{
	k->bad++;
	if (cli_json(k->cli)) {
		struct jsonl *j = jsonl_new("bad");

		if (id)
			jsonl_str(j, "record", id);
		jsonl_str(j, "code", reason_id(e->code));
		jsonl_str(j, "text", e->text);
		jsonl_print(j);
	} else if (id) {
		printf("record %s is bad: %s: %s\n", id, reason_id(e->code), e->text);
	} else {
		printf("the index is bad: %s: %s\n", reason_id(e->code), e->text);
	}
}

static int check_one(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct check *k = arg;
	struct record r;
	struct err why = {0};

	k->id = mem_grow(k->id, k->n + 1, sizeof *k->id);
	memcpy(k->id[k->n++], en->id, sizeof *k->id);
	if (!is_wanted(k, en))
		return 0;
	if (!follows)
		err_set(&why, REASON_REQUEST, "its line of the index does not follow from the one before: that one was "
			"changed, or lines between them were removed");
	if (follows && records_verify(k->station.dir, k->station.made, en, &r, &why) == 0)
		k->good++;
	else
		say_bad(k, en->id, &why);
	if (follows)
		record_free(&r);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, RECORD_ID_LEN);
}

/* Of "ID.json"; ids of the index twice, and files that it does not have, are found here. */
static void check_file(struct check *k, const char *file)
{
	char id[RECORD_ID_LEN + 1];
	struct err e;

	if (strlen(file) != RECORD_ID_LEN + 5 || strcmp(file + RECORD_ID_LEN, ".json") != 0)
		return;
	memcpy(id, file, RECORD_ID_LEN);
	id[RECORD_ID_LEN] = 0;
	if (bsearch(id, k->id, k->n, sizeof *k->id, compare))
		return;
	err_set(&e, REASON_REQUEST, "the index has no line for it: the end of the index was removed, or the file was put there");
	say_bad(k, id, &e);
}

static int check_files(struct check *k, struct err *e)
{
	char folder[FILE_PATH];
	struct dirent *d;
	DIR *dir;

	if (file_join(folder, e, k->station.dir, "records") < 0)
		return -1;
	dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : err_errno(e, REASON_STORAGE, "cannot read folder %s", folder);
	qsort(k->id, k->n, sizeof *k->id, compare);
	while ((d = readdir(dir)))
		check_file(k, d->d_name);
	closedir(dir);
	return 0;
}

static void check_wanted_exist(struct check *k)
{
	struct err e;

	for (size_t i = 0; i < cli_args(k->cli); i++) {
		if (k->found[i])
			continue;
		err_set(&e, REASON_CONFIG, "the index has no record of this id or serial");
		say_bad(k, cli_arg(k->cli, i), &e);
	}
}

static int verify(struct check *k, struct err *e)
{
	struct err why = {0};

	if (station_offline(&k->station, cli_dir(k->cli), e) < 0)
		return -1;
	if (records_each(cli_dir(k->cli), check_one, k, &why) < 0)
		say_bad(k, NULL, &why);
	else if (cli_args(k->cli) == 0 && check_files(k, e) < 0)
		return -1;
	else
		check_wanted_exist(k);
	return 0;
}

enum cli_exit cmd_record_verify(const struct cli *c)
{
	struct check k = { .cli = c, .found = mem_new(cli_args(c) + 1, sizeof *k.found) };
	struct err e = {0};
	int rc = verify(&k, &e);

	station_free(&k.station);
	free(k.found);
	free(k.id);
	if (rc < 0)
		return cli_fail(c, &e);
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_int(j, "good", k.good);
		jsonl_int(j, "bad", k.bad);
		jsonl_print(j);
	} else {
		printf("%u records are good, %u are bad\n", k.good, k.bad);
	}
	return k.bad ? EXIT_NO : EXIT_DONE;
}
