#include <config.h>

#include "slots.h"

#include <string.h>

#include "conf.h"
#include "station.h"

static void replace(struct buf *text, size_t at, size_t cut, const struct buf *with)
{
	struct buf out = {0};

	buf_add(&out, text->data, at);
	if (at && out.data[at - 1] != '\n' && cut == 0)	/* the last line of the file has no end */
		buf_byte(&out, '\n');
	buf_add(&out, with->data, with->len);
	buf_add(&out, text->data + at + cut, text->len - at - cut);
	buf_free(text);
	*text = out;
}

/* The scalar's bytes, with its quotes. Names and ports are ASCII. */
static void replace_scalar(struct buf *text, const struct conf_node *n, const struct buf *with)
{
	replace(text, conf_offset(text, n), strlen(conf_text(n)) + (conf_quoted(n) ? 2 : 0), with);
}

static void append(struct buf *text, const struct conf_node *list, const char *name, const char *port)
{
	struct buf entry = {0};
	size_t at = text->len;
	int indent = 2;

	if (list && conf_count(list)) {
		const struct conf_node *last = conf_item(list, conf_count(list) - 1);
		const struct conf_node *a = conf_get(last, "name"), *b = conf_get(last, "port");
		int line = conf_line(last);

		line = a && conf_line(a) > line ? conf_line(a) : line;
		line = b && conf_line(b) > line ? conf_line(b) : line;
		at = conf_line_offset(text, line + 1);
		indent = conf_column(list) - 1;
	} else {
		buf_str(&entry, "slots:\n");
	}
	buf_fmt(&entry, "%*s- {name: \"%s\", port: \"%s\"}\n", indent, "", name, port);
	replace(text, at, 0, &entry);
	buf_free(&entry);
}

/* The entry with this value of this key. */
static const struct conf_node *find(const struct conf_node *list, const char *key, const char *value)
{
	for (size_t i = 0; list && i < conf_count(list); i++) {
		const struct conf_node *v = conf_get(conf_item(list, i), key);

		if (v && conf_kind(v) == CONF_SCALAR && strcmp(conf_text(v), value) == 0)
			return conf_item(list, i);
	}
	return NULL;
}

static int edit(struct buf *text, const struct conf_node *list, const char *name, const char *port, struct err *e)
{
	const struct conf_node *slot = find(list, "name", name), *other = find(list, "port", port), *old;
	struct buf quoted = {0};

	if (other && other != slot)
		return conf_error(other, e, "port %s is slot %s already; take that entry out, or learn that slot anew first", port,
				  conf_text(conf_get(other, "name")));
	if (!slot) {
		append(text, list, name, port);
		return 0;
	}
	old = conf_get(slot, "port");
	if (old && strcmp(conf_text(old), port) != 0) {
		buf_fmt(&quoted, "\"%s\"", port);
		replace_scalar(text, old, &quoted);
		buf_free(&quoted);
	}
	return 0;
}

/* As a station would read it: exactly this slot is different. */
static int check(const struct buf *text, const char *file, size_t n, const char *name, const char *port)
{
	struct err ignored;
	struct conf *c = conf_parse(file, text, &ignored);
	const struct conf_node *list = c ? conf_get(conf_root(c), "slots") : NULL, *slot = find(list, "name", name);
	int rc = slot && conf_count(list) == n && slot == find(list, "port", port) ? 0 : -1;

	conf_free(c);
	return rc;
}

int slots_put(struct buf *text, const char *file, const char *name, const char *port, struct err *e)
{
	struct conf *c = conf_parse(file, text, e);
	const struct conf_node *list = c ? conf_get(conf_root(c), "slots") : NULL;
	struct buf edited = {0};
	size_t n = list ? conf_count(list) : 0;
	int rc = -1;

	if (!c)
		return -1;
	n += find(list, "name", name) == NULL;
	buf_set(&edited, text->data, text->len);
	if (n > STATION_SLOTS_MAX)
		err_set(e, REASON_CONFIG, "%s: more than %d slots; take one out first", file, STATION_SLOTS_MAX);
	else if (edit(&edited, list, name, port, e) == 0 && (rc = check(&edited, file, n, name, port)) < 0)
		err_set(e, REASON_CONFIG,
			"%s: \"slots\" is written in a form that cannot be edited here; write below it the line\n  - {name: \"%s\", "
			"port: \"%s\"}",
			file, name, port);
	if (rc == 0) {
		buf_free(text);
		*text = edited;
		edited = (struct buf){0};
	}
	buf_free(&edited);
	conf_free(c);
	return rc;
}
