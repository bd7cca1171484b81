/* Values of the scalars that conf.c has read. */
#include <config.h>

#include <string.h>

#include "conf.h"
#include "mem.h"
#include "text.h"

static int need_scalar(const struct conf_node *n, struct err *e)
{
	if (conf_kind(n) != CONF_SCALAR)
		return conf_error(n, e, "one value is needed here");
	if (!conf_text(n)[0] && !conf_quoted(n))
		return conf_error(n, e, "the value is missing; add it or remove the key");
	return 0;
}

int conf_str(const struct conf_node *n, char *out, size_t size, struct err *e)
{
	if (!n)
		return 0;
	if (need_scalar(n, e) < 0)
		return -1;
	if (strlen(conf_text(n)) >= size)
		return conf_error(n, e, "the text is longer than %zu bytes; shorten it", size - 1);
	memcpy(out, conf_text(n), strlen(conf_text(n)) + 1);
	return 0;
}

int conf_uint(const struct conf_node *n, uint64_t *out, uint64_t min, uint64_t max, struct err *e)
{
	uint64_t value;

	if (!n)
		return 0;
	if (need_scalar(n, e) < 0)
		return -1;
	if (conf_quoted(n))
		return conf_error(n, e, "a number is needed here; remove the quotes");
	if (conf_text(n)[0] == '0' && conf_text(n)[1])
		return conf_error(n, e, "other YAML programs read a number with a leading 0 as octal; remove the 0");
	if (text_uint(&value, conf_text(n), max) < 0 || value < min)
		return conf_error(n, e, "\"%.40s\" is not a whole number from %llu to %llu", conf_text(n),
				  (unsigned long long)min, (unsigned long long)max);
	*out = value;
	return 0;
}

int conf_bool(const struct conf_node *n, bool *out, struct err *e)
{
	if (!n)
		return 0;
	if (need_scalar(n, e) < 0)
		return -1;
	if (conf_quoted(n) || (strcmp(conf_text(n), "true") != 0 && strcmp(conf_text(n), "false") != 0))
		return conf_error(n, e, "write true or false, without quotes");
	*out = conf_text(n)[0] == 't';
	return 0;
}

int conf_seconds(const struct conf_node *n, uint64_t *out, uint64_t max, struct err *e)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char digits[24];
	uint64_t value;
	size_t len;

	if (!n)
		return 0;
	if (need_scalar(n, e) < 0)
		return -1;
	len = strlen(conf_text(n));
	for (size_t i = 0; i < ARRAY_LEN(units) && len > 1 && len <= sizeof digits; i++) {
		if (conf_text(n)[len - 1] != units[i].unit)
			continue;
		memcpy(digits, conf_text(n), len - 1);
		digits[len - 1] = 0;
		if (text_uint(&value, digits, max / units[i].seconds) < 0)
			break;
		*out = value * units[i].seconds;
		return 0;
	}
	return conf_error(n, e, "\"%.40s\" is not a time of at most %llu s; write it with s, m, h or d, as in 90s",
			  conf_text(n), (unsigned long long)max);
}

int conf_choice(const struct conf_node *n, const char *const *list, int *index, struct err *e)
{
	struct buf all = {0};
	const char *near;

	if (!n)
		return 0;
	if (need_scalar(n, e) < 0)
		return -1;
	for (int i = 0; list[i]; i++) {
		if (strcmp(list[i], conf_text(n)) == 0) {
			*index = i;
			buf_free(&all);
			return 0;
		}
		buf_fmt(&all, "%s%s", i ? ", " : "", list[i]);
	}
	near = text_nearest(conf_text(n), list);
	conf_error(n, e, "\"%.64s\" is not one of: %s%s%s%s", conf_text(n), buf_text(&all),
		   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	buf_free(&all);
	return -1;
}

/* ---- writing ---- */
void conf_quote(struct buf *yaml, const char *text)
{
	buf_byte(yaml, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_byte(yaml, '\\');
		buf_byte(yaml, (uint8_t)*text);
	}
	buf_byte(yaml, '"');
}

void conf_put(struct buf *yaml, const char *name, const char *text)
{
	if (!*text)
		return;
	buf_fmt(yaml, "%s: ", name);
	conf_quote(yaml, text);
	buf_byte(yaml, '\n');
}
