#include <config.h>

#include "conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "file.h"
#include "limits.h"
#include "mem.h"
#include "text.h"

struct conf_node {
	const struct conf *conf;
	enum conf_kind kind;
	bool quoted;
	int line, column;
	char *text;			/* of a scalar */
	struct conf_node **items;	/* of a list; of a map: key, value, key, value, ... */
	size_t n;			/* entries in items */
};

struct conf {
	char *name;
	struct conf_node *root;
};

struct reader {
	struct conf *conf;
	yaml_parser_t parser;
	const struct buf *text;
	int depth;
};

/* ---- the tree ------------------------------------------------------------------ */

static void node_free(struct conf_node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++)
		node_free(n->items[i]);
	free(n->items);
	free(n->text);
	free(n);
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	node_free(c->root);
	free(c->name);
	free(c);
}

/* Owns child from here on. Grows by doubling: lists of 50,000 devices are read, too. */
static void node_add(struct conf_node *n, struct conf_node *child)
{
	if ((n->n & (n->n - 1)) == 0)
		n->items = mem_grow(n->items, n->n ? n->n * 2 : 1, sizeof n->items[0]);
	n->items[n->n++] = child;
}

/* ---- reading ---------------------------------------------------------------------- */

static int error_at(const struct conf *c, yaml_mark_t mark, struct err *e, const char *what)
{
	return err_set(e, REASON_CONFIG, "%s:%zu:%zu: %s", c->name, mark.line + 1, mark.column + 1, what);
}

/* Where the bytes are no UTF-8 libyaml gives the offset only. */
static yaml_mark_t mark_of_offset(const struct buf *text, size_t offset)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < offset && i < text->len; i++) {
		mark.column++;
		if (text->data[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static int error_syntax(const struct reader *r, struct err *e)
{
	const yaml_parser_t *p = &r->parser;
	yaml_mark_t mark = p->problem_mark;
	char what[300];

	if (p->error == YAML_MEMORY_ERROR)
		mem_out();
	if (p->error == YAML_READER_ERROR)
		mark = mark_of_offset(r->text, p->problem_offset);
	snprintf(what, sizeof what, "not valid YAML: %s%s%s; correct this place", p->context ? p->context : "",
		 p->context ? ", " : "", p->problem ? p->problem : "cannot be read");
	return error_at(r->conf, mark, e, what);
}

static int next_event(struct reader *r, yaml_event_t *event, struct err *e)
{
	return yaml_parser_parse(&r->parser, event) ? 0 : error_syntax(r, e);
}

static const char *refused_mark(const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return "an alias (*name) is not allowed; write the value out";
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return "an anchor (&name) is not allowed; write the value out where it is needed";
	if (tag)
		return "a tag (!name) is not allowed; remove it, and quote the value if it is a text";
	return NULL;
}

static struct conf_node *read_node(struct reader *r, yaml_event_t *event, struct err *e);

static int check_key(const struct reader *r, const struct conf_node *map, const yaml_event_t *event, struct err *e)
{
	const char *key = (const char *)event->data.scalar.value;
	char what[300];

	if (event->type != YAML_SCALAR_EVENT)
		return error_at(r->conf, event->start_mark, e, "a key must be a plain word; write KEY: VALUE");
	if (map->n >= 2 * LIMIT_YAML_KEYS)
		return error_at(r->conf, event->start_mark, e, "too many keys in one map; use a list");
	for (size_t i = 0; i < map->n; i += 2) {
		if (strcmp(map->items[i]->text, key) != 0)
			continue;
		snprintf(what, sizeof what, "\"%.100s\" stands here twice, first in line %d; remove one", key,
			 map->items[i]->line);
		return error_at(r->conf, event->start_mark, e, what);
	}
	return 0;
}

/* Up to the end event, which is eaten. */
static int read_children(struct reader *r, struct conf_node *n, struct err *e)
{
	for (;;) {
		yaml_event_t event;
		struct conf_node *child;
		bool end;

		if (next_event(r, &event, e) < 0)
			return -1;
		end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
		if (end) {
			yaml_event_delete(&event);
			return 0;
		}
		if (n->kind == CONF_MAP && n->n % 2 == 0 && !refused_mark(&event) && check_key(r, n, &event, e) < 0) {
			yaml_event_delete(&event);
			return -1;
		}
		child = read_node(r, &event, e);
		if (!child)
			return -1;
		node_add(n, child);
	}
}

static int read_scalar(const struct reader *r, struct conf_node *n, const yaml_event_t *event, struct err *e)
{
	const char *value = (const char *)event->data.scalar.value;

	if (strlen(value) != event->data.scalar.length)
		return error_at(r->conf, event->start_mark, e, "a NUL character is not allowed; remove \\0");
	n->kind = CONF_SCALAR;
	n->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = mem_str(value);
	return 0;
}

/* The node that begins with this event, which is deleted here. */
static struct conf_node *read_node(struct reader *r, yaml_event_t *event, struct err *e)
{
	const char *refused = refused_mark(event);
	struct conf_node *n = mem_new(1, sizeof *n);
	int rc;

	n->conf = r->conf;
	n->line = (int)event->start_mark.line + 1;
	n->column = (int)event->start_mark.column + 1;
	if (refused) {
		rc = error_at(r->conf, event->start_mark, e, refused);
	} else if (event->type == YAML_SCALAR_EVENT) {
		rc = read_scalar(r, n, event, e);
	} else if (r->depth >= LIMIT_YAML_DEPTH) {
		rc = error_at(r->conf, event->start_mark, e, "nested too deeply; no field is so deep");
	} else {
		n->kind = event->type == YAML_MAPPING_START_EVENT ? CONF_MAP : CONF_LIST;
		r->depth++;
		rc = read_children(r, n, e);
		r->depth--;
	}
	yaml_event_delete(event);
	if (rc == 0)
		return n;
	node_free(n);
	return NULL;
}

/* STREAM-START DOCUMENT-START node DOCUMENT-END STREAM-END, and nothing else. */
static int read_stream(struct reader *r, struct err *e)
{
	yaml_event_t event;
	yaml_event_type_t type;
	yaml_mark_t mark;

	for (;;) {
		if (next_event(r, &event, e) < 0)
			return -1;
		type = event.type;
		mark = event.start_mark;
		if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
		    type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT) {
			r->conf->root = read_node(r, &event, e);
			if (!r->conf->root)
				return -1;
			continue;
		}
		yaml_event_delete(&event);
		if (type == YAML_DOCUMENT_START_EVENT && r->conf->root)
			return error_at(r->conf, mark, e, "a second document begins here; keep one document in a file");
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	return r->conf->root ? 0 : error_at(r->conf, mark, e, "the file is empty; it must begin with version: 1");
}

struct conf *conf_parse(const char *name, const struct buf *text, struct err *e)
{
	struct reader r = { .text = text };
	int rc;

	if (!yaml_parser_initialize(&r.parser))
		mem_out();
	r.conf = mem_new(1, sizeof *r.conf);
	r.conf->name = mem_str(name);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)buf_text(text), text->len);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	rc = read_stream(&r, e);
	yaml_parser_delete(&r.parser);
	if (rc == 0)
		return r.conf;
	conf_free(r.conf);
	return NULL;
}

struct conf *conf_load(const char *path, struct err *e)
{
	struct buf text = {0};
	struct conf *c = NULL;

	if (file_read(&text, path, 0, e) == 0)
		c = conf_parse(path, &text, e);
	buf_free(&text);
	return c;
}

int conf_load_optional(struct conf **c, const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, dir, name) < 0)
		return -1;
	if (!file_exists(path))
		return 0;
	*c = conf_load(path, e);
	return *c ? 1 : -1;
}

/* ---- looking --------------------------------------------------------------------- */

const struct conf_node *conf_root(const struct conf *c)
{
	return c->root;
}

enum conf_kind conf_kind(const struct conf_node *n)
{
	return n->kind;
}

bool conf_quoted(const struct conf_node *n)
{
	return n->quoted;
}

int conf_line(const struct conf_node *n)
{
	return n->line;
}

int conf_column(const struct conf_node *n)
{
	return n->column;
}

const char *conf_file(const struct conf_node *n)
{
	return n->conf->name;
}

size_t conf_count(const struct conf_node *n)
{
	return n->kind == CONF_MAP ? n->n / 2 : n->n;
}

const struct conf_node *conf_item(const struct conf_node *list, size_t i)
{
	return list->kind == CONF_LIST && i < list->n ? list->items[i] : NULL;
}

const char *conf_text(const struct conf_node *n)
{
	return n->text ? n->text : "";
}

int conf_error(const struct conf_node *n, struct err *e, const char *fmt, ...)
{
	char what[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return err_set(e, REASON_CONFIG, "%s:%d:%d: %s", n->conf->name, n->line, n->column, what);
}

/* ---- maps ------------------------------------------------------------------------ */

static int unknown_key(const struct conf_node *key, const struct conf_field *fields, size_t n, struct err *e)
{
	const char **names = mem_new(n + 1, sizeof *names);
	struct buf all = {0};
	const char *near;
	int rc;

	for (size_t i = 0; i < n; i++) {
		names[i] = fields[i].name;
		buf_fmt(&all, "%s%s", i ? ", " : "", fields[i].name);
	}
	near = text_nearest(key->text, names);
	if (near)
		rc = conf_error(key, e, "unknown key \"%.64s\"; did you mean \"%s\"?", key->text, near);
	else
		rc = conf_error(key, e, "unknown key \"%.64s\"; known here: %s", key->text, buf_text(&all));
	buf_free(&all);
	free(names);
	return rc;
}

static int wrong_kind(const struct conf_node *value, const struct conf_field *field, struct err *e)
{
	static const char *const needed[] = {
		[CONF_SCALAR] = "one value",
		[CONF_MAP] = "keys and values below it",
		[CONF_LIST] = "a list, lines with \"- \"",
	};

	if (value->kind == CONF_SCALAR && !value->quoted && !value->text[0])
		return conf_error(value, e, "\"%s\" has no value; give it %s%s", field->name, needed[field->kind],
				  field->kind == CONF_LIST ? ", or [] if none is meant" : ", or remove the key");
	return conf_error(value, e, "\"%s\" needs %s", field->name, needed[field->kind]);
}

const struct conf_node *conf_get(const struct conf_node *map, const char *key)
{
	if (map->kind == CONF_MAP)
		for (size_t i = 0; i < map->n; i += 2)
			if (strcmp(map->items[i]->text, key) == 0)
				return map->items[i + 1];
	return NULL;
}

void conf_fields_all(const struct conf_node *map, const struct conf_field *fields, size_t n, const struct conf_node **out,
		     conf_report *report, void *arg)
{
	struct err e;

	for (size_t f = 0; f < n; f++)
		out[f] = NULL;
	if (map->kind != CONF_MAP) {
		conf_error(map, &e, "keys and values are needed here, KEY: VALUE");
		report(arg, &e);
		return;
	}
	for (size_t i = 0; i < map->n; i += 2) {
		const struct conf_node *key = map->items[i], *value = map->items[i + 1];
		size_t f = 0;

		while (f < n && strcmp(fields[f].name, key->text) != 0)
			f++;
		if (f < n && value->kind == fields[f].kind) {
			out[f] = value;
			continue;
		}
		if (f == n)
			unknown_key(key, fields, n, &e);
		else
			wrong_kind(value, &fields[f], &e);
		report(arg, &e);
	}
	for (size_t f = 0; f < n; f++)
		if (fields[f].required && !conf_get(map, fields[f].name)) {
			conf_error(map, &e, "\"%s\" is missing; add it", fields[f].name);
			report(arg, &e);
		}
}

struct first {
	struct err *e;
	bool failed;
};

static void keep_first(void *arg, const struct err *e)
{
	struct first *first = arg;

	if (!first->failed)
		*first->e = *e;
	first->failed = true;
}

int conf_fields(const struct conf_node *map, const struct conf_field *fields, size_t n, const struct conf_node **out,
		struct err *e)
{
	struct first first = { .e = e };

	conf_fields_all(map, fields, n, out, keep_first, &first);
	return first.failed ? -1 : 0;
}

size_t conf_line_offset(const struct buf *text, int line)
{
	size_t at = 0;

	while (--line > 0) {
		const uint8_t *lf = at < text->len ? memchr(text->data + at, '\n', text->len - at) : NULL;

		if (!lf)
			return text->len;
		at = (size_t)(lf - text->data) + 1;
	}
	return at;
}

/* libyaml counts characters, text is bytes. */
size_t conf_offset(const struct buf *text, const struct conf_node *n)
{
	size_t at = conf_line_offset(text, conf_line(n));

	for (int column = 1; column < conf_column(n) && at < text->len; column++)
		for (at++; at < text->len && (text->data[at] & 0xc0) == 0x80;)
			at++;
	return at;
}

int conf_version(const struct conf_node *n, const struct conf_node *map, struct err *e)
{
	if (!n)
		return conf_error(map, e, "\"version\" is missing; write version: 1");
	if (n->quoted || strcmp(conf_text(n), "1") != 0)
		return conf_error(n, e, "version \"%.20s\" is not known to this program; write version: 1",
				  conf_text(n));
	return 0;
}
