#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "ceremony_private.h"
#include "conf.h"
#include "fault.h"
#include "mem.h"

#define COPY "ceremony.yaml"

static bool is_empty(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	bool empty = d != NULL;

	while (d && empty && (entry = readdir(d)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (d)
		closedir(d);
	return empty;
}

static int read_time(int64_t *out, const struct conf_node *n, struct err *e)
{
	if (!n)
		return 0;
	return text_untime(out, conf_text(n)) == 0 ? 0 : conf_error(n, e, "a time like 2026-11-22T14:02:07Z is needed here; restore the file");
}

static int read_sittings(struct ceremony_journal *j, const struct conf_node *list, struct err *e)
{
	if (conf_count(list) == 0 || conf_count(list) > CEREMONY_SITTINGS)
		return conf_error(list, e, "1 to %d times are needed here; restore the file", CEREMONY_SITTINGS);
	for (; j->n_sittings < conf_count(list); j->n_sittings++)
		if (read_time(&j->sitting[j->n_sittings], conf_item(list, j->n_sittings), e) < 0)
			return -1;
	return 0;
}

static int read_steps(struct ceremony_journal *j, const struct conf_node *list, struct err *e)
{
	static const struct conf_field fields[] = { { "begun", CONF_SCALAR, true }, { "done", CONF_SCALAR, false } };
	const struct conf_node *n[ARRAY_LEN(fields)];

	if (conf_count(list) > LIMIT_CEREMONY_STEPS)
		return conf_error(list, e, "at most %d steps", LIMIT_CEREMONY_STEPS);
	for (; j->n_steps < conf_count(list); j->n_steps++)
		if (conf_fields(conf_item(list, j->n_steps), fields, ARRAY_LEN(fields), n, e) < 0 || read_time(&j->step[j->n_steps].begun, n[0], e) < 0 ||
		    read_time(&j->step[j->n_steps].done, n[1], e) < 0)
			return -1;
	return 0;
}

static int read_root(struct ceremony_journal *j, const struct ceremony_plan *p, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true }, { "ceremony", CONF_SCALAR, true }, { "begun", CONF_LIST, true }, { "steps", CONF_LIST, false },
	};
	const struct conf_node *n[ARRAY_LEN(fields)];

	if (conf_fields(root, fields, ARRAY_LEN(fields), n, e) < 0 || conf_version(n[0], root, e) < 0)
		return -1;
	if (strcmp(conf_text(n[1]), p->sha256) != 0)
		return conf_error(n[1], e, "a ceremony of another file was begun in this folder (SHA-256 %.64s); bring that one to its end, or name another"
				  " output", conf_text(n[1]));
	return read_sittings(j, n[2], e) < 0 || (n[3] && read_steps(j, n[3], e) < 0) ? -1 : 0;
}

/* Cut before there was a journal: the folder has the same file in it, and no more; or not even that. */
static bool is_first(const struct ceremony_plan *p)
{
	char copy[FILE_PATH];
	struct buf text = {0};
	struct err e;
	bool same = file_join(copy, &e, p->output, COPY) == 0 && file_exists(copy) && file_read(&text, copy, LIMIT_CEREMONY, &e) == 0 &&
		    buf_same(&text, &p->text);

	buf_free(&text);
	return same || is_empty(p->output);
}

int journal_load(struct ceremony_journal *j, const struct ceremony_plan *p, struct err *e)
{
	struct conf *c;
	int rc;

	*j = (struct ceremony_journal){0};
	if (file_join(j->path, e, p->output, "journal.yaml") < 0)
		return -1;
	if (!file_exists(j->path)) {
		j->there = is_first(p);
		return 0;
	}
	c = conf_load(j->path, e);
	if (!c)
		return -1;
	rc = read_root(j, p, conf_root(c), e);
	conf_free(c);
	j->there = rc == 0;
	return rc;
}

int journal_save(const struct ceremony_journal *j, const struct ceremony_plan *p, struct err *e)
{
	char begun[TEXT_TIME], done[TEXT_TIME];
	struct buf text = {0};
	int rc;

	buf_fmt(&text, "version: 1\nceremony: \"%s\"\nbegun:\n", p->sha256);
	for (size_t i = 0; i < j->n_sittings; i++) {
		text_time(begun, j->sitting[i]);
		buf_fmt(&text, "  - \"%s\"\n", begun);
	}
	buf_str(&text, j->n_steps ? "steps:\n" : "");
	for (size_t i = 0; i < j->n_steps; i++) {
		text_time(begun, j->step[i].begun);
		text_time(done, j->step[i].done);
		buf_fmt(&text, j->step[i].done ? "  - {begun: \"%s\", done: \"%s\"}\n" : "  - {begun: \"%s\"}\n", begun, done);
	}
	rc = file_replace(j->path, text.data, text.len, 0644, e);
	buf_free(&text);
	return rc;
}

int journal_open(struct ceremony_journal *j, const struct ceremony_plan *p, int64_t now, struct err *e)
{
	char path[FILE_PATH];

	if (j->n_sittings == CEREMONY_SITTINGS)
		return err_set(e, REASON_CONFIG, "%s: cut %d times; find out why before you go on", j->path, CEREMONY_SITTINGS);
	if (file_mkdir(p->output, e) < 0 || file_join(path, e, p->output, COPY) < 0 || file_replace(path, p->text.data, p->text.len, 0644, e) < 0)
		return -1;
	FAULT("ceremony.folder");
	j->sitting[j->n_sittings++] = now;
	return journal_save(j, p, e);
}
