#include <config.h>

#include "problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "mem.h"

/* NULL: there are enough of them. */
static struct problem *add(struct problems *all, const char *file, bool error, const char *key)
{
	struct problem *p;

	if (++*(error ? &all->errors : &all->warnings) > PROBLEMS_MAX)
		return NULL;
	all->of = mem_grow(all->of, all->n + 1, sizeof *all->of);
	p = &all->of[all->n++];
	*p = (struct problem){ .file = mem_str(file), .error = error, .key = key };
	return p;
}

void problem_add(struct problems *all, const struct conf_node *n, bool error, const char *key, const char *fmt, ...)
{
	struct problem *p = add(all, conf_file(n), error, key);
	char what[500];
	va_list ap;

	if (!p)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	p->line = conf_line(n);
	p->column = conf_column(n);
	p->text = mem_str(what);
}

void problem_from_err(struct problems *all, const char *file, const char *key, const struct err *e)
{
	struct problem *p = add(all, file, true, key);
	const char *rest = e->text;
	size_t len = strlen(file);
	char *end;

	if (!p)
		return;
	if (strncmp(rest, file, len) == 0 && rest[len] == ':') {
		p->line = (int)strtol(rest + len + 1, &end, 10);
		if (*end == ':')
			p->column = (int)strtol(end + 1, &end, 10);
		if (p->line > 0 && p->column > 0 && strncmp(end, ": ", 2) == 0)
			rest = end + 2;
		else
			p->line = p->column = 0;
	}
	p->text = mem_str(rest);
}

int problems_first(const struct problems *all, struct err *e)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct problem *p = &all->of[i];

		if (!p->error)
			continue;
		return p->line ? err_set(e, REASON_CONFIG, "%s:%d:%d: %s", p->file, p->line, p->column, p->text)
			       : err_set(e, REASON_CONFIG, "%s", p->text);
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;

	return x->line != y->line ? x->line - y->line : x->column - y->column;
}

void problems_sort(struct problems *all, size_t n)
{
	if (all->n > n)
		qsort(all->of + n, all->n - n, sizeof *all->of, by_place);
}

void problem_text(const struct problem *p, struct buf *out)
{
	buf_clear(out);
	buf_fmt(out, "%s:%d:%d: %s[%s]: %s", p->file, p->line, p->column, p->error ? "error" : "warning", p->key, p->text);
}

static void print_json(const struct problem *p)
{
	struct jsonl *j = jsonl_new("problem");

	jsonl_str(j, "file", p->file);
	jsonl_int(j, "line", p->line);
	jsonl_int(j, "column", p->column);
	jsonl_str(j, "level", p->error ? "error" : "warning");
	jsonl_str(j, "key", p->key);
	jsonl_str(j, "text", p->text);
	jsonl_print(j);
}

void problems_print(const struct problems *all, bool json)
{
	struct buf text = {0};

	for (size_t i = 0; i < all->n; i++) {
		if (json) {
			print_json(&all->of[i]);
		} else {
			problem_text(&all->of[i], &text);
			puts(buf_text(&text));
		}
	}
	buf_free(&text);
}

void problems_free(struct problems *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->of[i].file);
		free(all->of[i].text);
	}
	free(all->of);
	*all = (struct problems){0};
}
