/* YAML: every file that a person writes goes through this one reader. */
#include <config.h>

#include "conf.h"
#include "fuzz.h"

/* Asks each node for everything that it could be. */
static void walk(const struct conf_node *n)
{
	static const char *const words[] = { "unit", "device-factory", NULL };
	static const struct conf_field fields[] = { { "version", CONF_SCALAR, true }, { "id", CONF_SCALAR, false } };
	const struct conf_node *found[2];
	char text[64];
	uint64_t number;
	struct err e;
	bool flag;
	int index;

	FUZZ_MUST(conf_line(n) >= 1 && conf_column(n) >= 1 && conf_file(n));
	conf_str(n, text, sizeof text, &e);
	conf_uint(n, &number, 1, 100, &e);
	conf_bool(n, &flag, &e);
	conf_seconds(n, &number, 86400, &e);
	conf_choice(n, words, &index, &e);
	if (conf_kind(n) == CONF_MAP && conf_fields(n, fields, 2, found, &e) == 0)
		FUZZ_MUST(found[0] && conf_text(found[0]));
	if (conf_kind(n) == CONF_LIST)
		for (size_t i = 0; i < conf_count(n); i++)
			walk(conf_item(n, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = {0};
	struct err e = {0};
	struct conf *c;

	buf_add(&text, data, size);
	c = conf_parse("input", &text, &e);
	if (c)
		walk(conf_root(c));
	else
		FUZZ_MUST(e.code == REASON_CONFIG && e.text[0]);
	conf_free(c);
	buf_free(&text);
	return 0;
}
