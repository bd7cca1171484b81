#include <config.h>

#include "allowlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "digest.h"
#include "file.h"
#include "mem.h"

void allowlist_free(struct allowlist *al)
{
	free(al->file);
	free(al->entry);
	problems_free(&al->problems);
	memset(al, 0, sizeof *al);
}

int allowlist_refuse(const struct allowlist *al, struct err *e)
{
	struct buf first = {0};

	for (size_t i = 0; i < al->problems.n && !first.len; i++)
		if (al->problems.of[i].error)
			problem_text(&al->problems.of[i], &first);
	err_set(e, REASON_CONFIG, "%s%s", buf_text(&first), al->problems.errors > 1 ? " (and more: handsel-node lint shows all)" : "");
	buf_free(&first);
	return -1;
}

/* ---- one entry ---- */
enum { SERIAL, RANGE, GLOB, MANUFACTURER, MODEL, STATE, EXPIRES, NOTE, ENTRY_FIELDS };

/* Quoted, and a serial but for the characters in `more`; else found, and false. */
static bool read_serial(struct allowlist *al, const struct conf_node *n, const char *what, const char *more,
			char out[LIMIT_SERIAL + 1])
{
	const char *text = conf_text(n);
	char other[40], plain[LIMIT_SERIAL + 2];
	size_t len = strlen(text);

	if (!conf_quoted(n)) {
		strcpy(other, text[strspn(text, "0123456789")] ? "another value" : "a number");
		/* YAML 1.1 reads a leading 0 as octal */
		if (text[0] == '0' && text[1] && strlen(text) < 20 && strspn(text, "01234567") == strlen(text))
			snprintf(other, sizeof other, "%llu", strtoull(text, NULL, 8));
		problem_add(&al->problems, n, true, "Y-UNQUOTED", "%s %.64s is not quoted; other YAML tools read it as %s; write \"%.64s\"", what,
		     text, other, text);
		return false;
	}
	snprintf(plain, sizeof plain, "%s", text);
	for (char *p = plain; *p; p++)
		if (strchr(more, *p))
			*p = 'x';
	if (len > LIMIT_SERIAL || !text_is_token(plain, LIMIT_SERIAL)) {
		problem_add(&al->problems, n, true, "A-SERIAL",
		     "\"%.64s\" is not a %s: 1 to %d letters, digits, dots, underlines%s and hyphens, not "
		     "beginning with a dot",
		     text, what, LIMIT_SERIAL, *more ? ", \"*\", \"?\"" : "");
		return false;
	}
	memcpy(out, text, len + 1);
	return true;
}

static bool read_range(struct allowlist *al, const struct conf_node *n, struct allow_entry *a)
{
	static const struct conf_field fields[] = { { "from", CONF_SCALAR, true }, { "to", CONF_SCALAR, true } };
	const struct conf_node *f[2];
	struct order_range r;
	struct err e;

	if (conf_fields(n, fields, 2, f, &e) < 0) {
		problem_from_err(&al->problems, al->file, "Y-FIELD", &e);
		return false;
	}
	if (!read_serial(al, f[0], "serial", "", r.from) || !read_serial(al, f[1], "serial", "", r.to))
		return false;
	if (!order_range_fits(&r) || strcmp(r.from, r.to) > 0) {
		problem_add(&al->problems, f[1], true, "A-RANGE",
		     "\"%s\" to \"%s\" is no range: both need the same length, and the second the larger number at its end, like "
		     "\"GB-000100\" to \"GB-000199\"",
		     r.from, r.to);
		return false;
	}
	memcpy(a->device.serial, r.from, sizeof r.from);
	memcpy(a->to, r.to, sizeof r.to);
	return true;
}

/* Which devices: one serial, a range or a glob. */
static bool read_which(struct allowlist *al, const struct conf_node *item, const struct conf_node *const *f, struct allow_entry *a)
{
	const struct conf_node *n = f[SERIAL] ? f[SERIAL] : f[RANGE] ? f[RANGE] : f[GLOB];

	if (!n || (!!f[SERIAL] + !!f[RANGE] + !!f[GLOB]) != 1) {
		problem_add(&al->problems, item, true, "Y-FIELD", n ? "\"serial\", \"range\" and \"glob\" are three ways to say which; leave one"
						  : "\"serial\" is missing (or \"range\", or \"glob\"): which device is it?");
		return false;
	}
	a->line = conf_line(n);
	a->kind = f[SERIAL] ? ALLOW_SERIAL : f[RANGE] ? ALLOW_RANGE : ALLOW_GLOB;
	if (a->kind == ALLOW_RANGE)
		return read_range(al, n, a);
	return a->kind == ALLOW_GLOB ? read_serial(al, n, "glob", "*?", a->device.serial)
				     : read_serial(al, n, "serial", "", a->device.serial);
}

static void read_name(struct allowlist *al, const struct conf_node *n, const char *what, char out[LIMIT_NAME + 1])
{
	if (!n)
		return;
	if (!text_is_name(conf_text(n), LIMIT_NAME))
		problem_add(&al->problems, n, true, "A-NAME", "%s is not 1 to %d printable ASCII characters without blanks at its ends", what,
		     LIMIT_NAME);
	else
		snprintf(out, LIMIT_NAME + 1, "%s", conf_text(n));
}

static void read_state(struct allowlist *al, const struct conf_node *n, struct allow_entry *a)
{
	static const char *const states[] = { "allowed", "blocked", NULL };
	int state = 0;
	struct err e;

	if (conf_choice(n, states, &state, &e) < 0)
		problem_from_err(&al->problems, al->file, "A-STATE", &e);
	a->blocked = state == 1;
}

static void read_expires(struct allowlist *al, const struct conf_node *n, struct allow_entry *a, int64_t now)
{
	char day[TEXT_TIME];

	if (!n)
		return;
	snprintf(day, sizeof day, "%.10sT23:59:59Z", conf_text(n));	/* a date counts to its end */
	if (text_untime(&a->expires, conf_text(n)) < 0 &&
	    (strlen(conf_text(n)) != 10 || text_untime(&a->expires, day) < 0)) {
		problem_add(&al->problems, n, true, "A-EXPIRES",
		     "\"%.40s\" is not a date; write it as \"2026-12-31\" or \"2026-12-31T23:59:59Z\" (UTC)", conf_text(n));
		return;
	}
	if (a->expires < now)
		problem_add(&al->problems, n, false, "A-EXPIRED", "the entry ended on %s; the device is refused unless it was onboarded before",
		     conf_text(n));
}

static void read_maker(struct allowlist *al, const struct conf_node *n, const struct conf_node *which, const struct makers *makers,
		       struct allow_entry *a)
{
	char names[200] = "";

	read_name(al, n, "manufacturer", a->device.manufacturer);
	if (!n && makers->n == 1)
		memcpy(a->device.manufacturer, makers->name[0], sizeof makers->name[0]);
	for (size_t i = 0; i < makers->n; i++) {
		size_t len = strlen(names);

		if (strcmp(a->device.manufacturer, makers->name[i]) == 0)
			return;
		snprintf(names + len, sizeof names - len, "%s\"%s\"", i ? ", " : "", makers->name[i]);
	}
	if (!n && makers->n > 1 && a->device.serial[0])
		problem_add(&al->problems, which, true, "A-MANUFACTURER", "the manufacturer of \"%.64s\" is missing, and this node accepts several: %s",
		     a->device.serial, names);
	else if (a->device.manufacturer[0] && makers->n)
		problem_add(&al->problems, n, false, "A-UNKNOWN", "there is no handoff with this manufacturer, so its devices are refused; accepted: %s",
		     names);
}

static void read_entry(struct allowlist *al, const struct conf_node *item, const struct makers *makers, int64_t now)
{
	static const struct conf_field fields[ENTRY_FIELDS] = {
		[SERIAL] = { "serial", CONF_SCALAR, false },
		[RANGE] = { "range", CONF_MAP, false },
		[GLOB] = { "glob", CONF_SCALAR, false },
		[MANUFACTURER] = { "manufacturer", CONF_SCALAR, false },
		[MODEL] = { "model", CONF_SCALAR, false },
		[STATE] = { "state", CONF_SCALAR, false },
		[EXPIRES] = { "expires", CONF_SCALAR, false },
		[NOTE] = { "note", CONF_SCALAR, false },
	};
	const struct conf_node *f[ENTRY_FIELDS];
	struct allow_entry *a = &al->entry[al->n];
	bool whole;
	struct err e;

	if (conf_fields(item, fields, ENTRY_FIELDS, f, &e) < 0) {
		problem_from_err(&al->problems, al->file, "Y-FIELD", &e);
		return;
	}
	whole = read_which(al, item, f, a);
	read_maker(al, f[MANUFACTURER], f[SERIAL] ? f[SERIAL] : f[RANGE] ? f[RANGE] : f[GLOB], makers, a);
	read_name(al, f[MODEL], "model", a->device.model);
	read_state(al, f[STATE], a);
	read_expires(al, f[EXPIRES], a, now);
	if (conf_str(f[NOTE], a->note, sizeof a->note, &e) < 0)
		problem_from_err(&al->problems, al->file, "A-NOTE", &e);
	if (whole)
		al->n++;
	else
		memset(a, 0, sizeof *a);
}

/* ---- duplicates ---- */
struct place {
	const struct allow_entry *a;
	const struct conf_node *n;
};

static int by_device(const void *x, const void *y)
{
	const struct allow_entry *a = ((const struct place *)x)->a, *b = ((const struct place *)y)->a;
	int c = strcmp(a->device.serial, b->device.serial);

	if (c == 0)
		c = strcmp(a->device.manufacturer, b->device.manufacturer);
	if (c == 0)
		c = strcmp(a->device.model, b->device.model);
	return c ? c : (a > b) - (a < b);
}

/* Neighbours in that order, where an absent name, which means any, comes first. */
static bool overlap(const struct allow_entry *a, const struct allow_entry *b)
{
	return strcmp(a->device.serial, b->device.serial) == 0 &&
	       (!a->device.manufacturer[0] || strcmp(a->device.manufacturer, b->device.manufacturer) == 0) &&
	       (!a->device.model[0] || strcmp(a->device.model, b->device.model) == 0);
}

static void find_duplicates(struct allowlist *al, struct place *places, size_t n)
{
	qsort(places, n, sizeof *places, by_device);
	for (size_t i = 1, head = 0; i < n; i++) {
		struct place first = places[head], second = places[i];

		if (!overlap(first.a, second.a)) {
			head = i;
			continue;
		}
		if (first.a > second.a) {
			first = places[i];
			second = places[head];
		}
		problem_add(&al->problems, second.n, true, "A-DUPLICATE",
		     "serial \"%s\" is listed twice, first in line %d; remove one, or give each its "
		     "model",
		     second.a->device.serial, first.a->line);
	}
}

/* ---- ranges and globs ---- */
static bool same_pattern(const struct allow_entry *a, const struct allow_entry *b)
{
	return a->kind == b->kind && device_same(&a->device, &b->device) && strcmp(a->to, b->to) == 0;
}

static bool may_both_be(const char *a, const char *b)
{
	return !a[0] || !b[0] || strcmp(a, b) == 0;
}

/* Two ranges of one prefix and width that share a serial, and may mean the same device. */
static bool ranges_meet(const struct allow_entry *a, const struct allow_entry *b)
{
	return a->kind == ALLOW_RANGE && b->kind == ALLOW_RANGE && may_both_be(a->device.model, b->device.model) &&
	       may_both_be(a->device.manufacturer, b->device.manufacturer) &&
	       (allow_has_serial(a, b->device.serial) || allow_has_serial(b, a->device.serial));
}

static void find_patterns(struct allowlist *al, const struct place *places)
{
	size_t pattern[LIMIT_PATTERNS], n = 0;

	for (size_t i = 0; i < al->n; i++) {
		const struct allow_entry *b = &al->entry[i];

		if (b->kind == ALLOW_SERIAL)
			continue;
		if (n == LIMIT_PATTERNS) {
			problem_add(&al->problems, places[i].n, true, "A-PATTERNS", "more than %d ranges and globs", LIMIT_PATTERNS);
			return;
		}
		for (size_t k = 0; k < n; k++) {
			const struct allow_entry *a = &al->entry[pattern[k]];

			if (same_pattern(a, b))
				problem_add(&al->problems, places[i].n, true, "A-DUPLICATE", "listed twice, first in line %d; remove one", a->line);
			else if (ranges_meet(a, b))
				problem_add(&al->problems, places[i].n, false, "A-OVERLAP",
				     "the range overlaps with that of line %d; where both fit, one that blocks counts, else the first",
				     a->line);
		}
		pattern[n++] = i;
	}
}

/* ---- the file ---- */
static void read_devices(struct allowlist *al, const struct conf_node *list, const struct makers *makers, int64_t now)
{
	size_t n = conf_count(list), serials = 0;
	struct place *places = mem_new(n + 1, sizeof *places), *exact = mem_new(n + 1, sizeof *exact);

	al->entry = mem_new(n + 1, sizeof *al->entry);
	for (size_t i = 0; i < n; i++) {
		size_t at = al->n;

		read_entry(al, conf_item(list, i), makers, now);
		if (al->n > at)
			places[at] = (struct place){ &al->entry[at], conf_item(list, i) };
	}
	for (size_t i = 0; i < al->n; i++)
		if (al->entry[i].kind == ALLOW_SERIAL)
			exact[serials++] = places[i];
	find_duplicates(al, exact, serials);
	find_patterns(al, places);
	free(exact);
	free(places);
}

static void read_root(struct allowlist *al, const struct conf_node *root, const struct makers *makers, int64_t now)
{
	enum { AT_VERSION, DEVICES, ROOT_FIELDS };
	static const struct conf_field fields[ROOT_FIELDS] = {
		[AT_VERSION] = { "version", CONF_SCALAR, true },
		[DEVICES] = { "devices", CONF_LIST, false },
	};
	const struct conf_node *f[ROOT_FIELDS];
	struct err e;

	if (conf_fields(root, fields, ROOT_FIELDS, f, &e) < 0)
		problem_from_err(&al->problems, al->file, "Y-FIELD", &e);
	else if (conf_version(f[AT_VERSION], root, &e) < 0)
		problem_from_err(&al->problems, al->file, "Y-VERSION", &e);
	else if (f[DEVICES])
		read_devices(al, f[DEVICES], makers, now);
}

void allowlist_parse(struct allowlist *al, const char *file, const struct buf *text, const struct makers *makers, int64_t now)
{
	struct conf *c;
	struct err e;

	allowlist_free(al);
	al->file = mem_str(file);
	digest_sha256_hex(al->sha256, text->data, text->len);
	c = conf_parse(file, text, &e);
	if (c)
		read_root(al, conf_root(c), makers, now);
	else
		problem_from_err(&al->problems, al->file, "Y-SYNTAX", &e);
	conf_free(c);
	problems_sort(&al->problems, 0);
}

int allowlist_load(struct allowlist *al, const char *path, const struct makers *makers, int64_t now, struct err *e)
{
	struct buf text = {0};
	int rc = file_read(&text, path, 0, e);

	if (rc == 0)
		allowlist_parse(al, path, &text, makers, now);
	buf_free(&text);
	return rc;
}
