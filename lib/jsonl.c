#include <config.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "mem.h"

struct jsonl {
	json_t *object;
};

static void put(struct jsonl *j, const char *name, json_t *value)
{
	if (!value || json_object_set_new(j->object, name, value) < 0)
		mem_out();
}

struct jsonl *jsonl_new(const char *type)
{
	struct jsonl *j = mem_new(1, sizeof *j);

	j->object = json_object();
	if (!j->object)
		mem_out();
	jsonl_int(j, "v", 1);
	jsonl_str(j, "type", type);
	return j;
}

/* A peer's text may be no UTF-8: then each byte beyond ASCII becomes a question mark. */
static json_t *clean_string(const char *value)
{
	char *copy = mem_str(value);
	json_t *s;

	for (char *p = copy; *p; p++)
		if ((unsigned char)*p > 0x7e)
			*p = '?';
	s = json_string(copy);
	free(copy);
	return s;
}

void jsonl_str(struct jsonl *j, const char *name, const char *value)
{
	json_t *s = value ? json_string(value) : json_null();

	put(j, name, s ? s : clean_string(value));
}

void jsonl_int(struct jsonl *j, const char *name, int64_t value)
{
	put(j, name, json_integer(value));
}

void jsonl_real(struct jsonl *j, const char *name, double value)
{
	put(j, name, isfinite(value) ? json_real(value) : json_null());	/* JSON has no infinity */
}

void jsonl_bool(struct jsonl *j, const char *name, bool value)
{
	put(j, name, json_boolean(value));
}

char *jsonl_text(struct jsonl *j)
{
	char *text = json_dumps(j->object, JSON_COMPACT | JSON_REAL_PRECISION(10));

	if (!text)
		mem_out();
	json_decref(j->object);
	free(j);
	return text;
}

void jsonl_print(struct jsonl *j)
{
	char *text = jsonl_text(j), *line = mem_fmt("%s\n", text);

	fputs(line, stdout);	/* one call, so that the lines of several threads do not mix */
	fflush(stdout);
	free(line);
	free(text);
}
