/* conf.h - YAML files (libyaml) as a strict tree that knows where everything stands.
 * Anchors, aliases, tags, several documents and duplicate keys are refused. Errors read "file:line:column: what; remedy". */
#ifndef HANDSEL_CONF_H
#define HANDSEL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

enum conf_kind { CONF_SCALAR, CONF_MAP, CONF_LIST };

struct conf;
struct conf_node;

struct conf *conf_load(const char *path, struct err *e);			/* NULL on failure, code CONFIG */
/* The file `name` in dir: 1, *c is loaded; 0, there is none; -1. */
int conf_load_optional(struct conf **c, const char *dir, const char *name, struct err *e);
struct conf *conf_parse(const char *name, const struct buf *text, struct err *e);
void conf_free(struct conf *c);
const struct conf_node *conf_root(const struct conf *c);

enum conf_kind conf_kind(const struct conf_node *n);
bool conf_quoted(const struct conf_node *n);
int conf_line(const struct conf_node *n);		/* from 1 */
int conf_column(const struct conf_node *n);		/* from 1 */
const char *conf_file(const struct conf_node *n);
size_t conf_count(const struct conf_node *n);		/* items of a list, keys of a map */
const struct conf_node *conf_item(const struct conf_node *list, size_t i);
/* One key of a map that somebody else checks as a whole; NULL if it is not there, or if this is no map. */
const struct conf_node *conf_get(const struct conf_node *map, const char *key);

/* One field of a map: out[i] gets the value of fields[i].name, NULL if it is absent and optional.
 * An unknown key is refused with the nearest known one. */
struct conf_field {
	const char *name;
	enum conf_kind kind;
	bool required;
};
int conf_fields(const struct conf_node *map, const struct conf_field *fields, size_t n, const struct conf_node **out,
		struct err *e);
/* The same, but each error is reported and the reading goes on; what is wrong is NULL in out. */
typedef void conf_report(void *arg, const struct err *e);
void conf_fields_all(const struct conf_node *map, const struct conf_field *fields, size_t n, const struct conf_node **out,
		     conf_report *report, void *arg);

/* Sets code CONFIG and "file:line:column: ..."; -1. */
int conf_error(const struct conf_node *n, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Values; n may be NULL (absent): then *out stays as it is and 0 is returned. */
int conf_str(const struct conf_node *n, char *out, size_t size, struct err *e);
int conf_uint(const struct conf_node *n, uint64_t *out, uint64_t min, uint64_t max, struct err *e);
int conf_bool(const struct conf_node *n, bool *out, struct err *e);		/* true or false, nothing else */
int conf_seconds(const struct conf_node *n, uint64_t *out, uint64_t max, struct err *e);	/* "90s" "15m" "8h" "30d" */
int conf_choice(const struct conf_node *n, const char *const *list, int *index, struct err *e);
const char *conf_text(const struct conf_node *n);	/* the scalar as written */

/* Writing: text in quotes; and "name: text" as a line, nothing if text is empty. */
void conf_quote(struct buf *yaml, const char *text);
void conf_put(struct buf *yaml, const char *name, const char *text);

/* For edits that leave all other bytes as they are: where a line (from 1), or a node, begins in the text that was parsed. */
size_t conf_line_offset(const struct buf *text, int line);
size_t conf_offset(const struct buf *text, const struct conf_node *n);

/* The file must say `version: 1`: checks the field, which is in every table. */
int conf_version(const struct conf_node *n, const struct conf_node *map, struct err *e);

#endif
