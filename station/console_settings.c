#include <config.h>

#include "console_settings.h"

#include <string.h>

#include "buf.h"
#include "mem.h"

const char *const palette_names[] = { "blue-orange", "green-red", "none", NULL };
static const char *const bell_names[] = { "fail", "all", "none", NULL };
const char *const progress_names[] = { "auto", "bar", "plain", "json", "none", NULL };

int console_settings_read(struct console_settings *s, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = { { "palette", CONF_SCALAR, false },
						    { "shift-hours", CONF_SCALAR, false },
						    { "log-out-after", CONF_SCALAR, false },
						    { "bell", CONF_SCALAR, false } };
	const struct conf_node *v[ARRAY_LEN(fields)];
	int palette = PALETTE_BLUE_ORANGE, bell = BELL_FAIL;

	s->shift_hours = SHIFT_HOURS_DEFAULT;
	if (!n)
		return 0;
	if (conf_fields(n, fields, ARRAY_LEN(fields), v, e) < 0 || conf_choice(v[0], palette_names, &palette, e) < 0 ||
	    conf_seconds(v[2], &s->logout_s, LOGOUT_MAX_S, e) < 0 || conf_choice(v[3], bell_names, &bell, e) < 0)
		return -1;
	s->palette = (enum palette)palette;
	s->bell = (enum bell)bell;
	return conf_uint(v[1], &s->shift_hours, 0, SHIFT_HOURS_MAX, e);
}

int console_choice(const char *option, const char *word, const char *const *list, struct err *e)
{
	struct buf known = {0};

	for (int i = 0; list[i]; i++)
		if (strcmp(list[i], word) == 0)
			return i;
	for (int i = 0; list[i]; i++)
		buf_fmt(&known, "%s%s", i ? ", " : "", list[i]);
	err_set(e, REASON_CONFIG, "--%s %.40s: one of %s is possible", option, word, buf_text(&known));
	buf_free(&known);
	return -1;
}
