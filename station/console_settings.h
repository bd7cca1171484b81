/* console_settings.h - `console:` of station.yaml. */
#ifndef HANDSEL_CONSOLE_SETTINGS_H
#define HANDSEL_CONSOLE_SETTINGS_H

#include <stdint.h>

#include "conf.h"
#include "err.h"

enum palette { PALETTE_BLUE_ORANGE, PALETTE_GREEN_RED, PALETTE_NONE };
extern const char *const palette_names[];	/* ends with NULL */

enum progress { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE };
extern const char *const progress_names[];	/* ends with NULL */

enum bell { BELL_FAIL, BELL_ALL, BELL_NONE };

#define SHIFT_HOURS_DEFAULT 8
#define SHIFT_HOURS_MAX 168	/* a week; a longer shift is a mistake */
#define LOGOUT_MAX_S 86400	/* a day: longer is never */

struct console_settings {
	enum palette palette;
	uint64_t shift_hours;		/* 0: only a card ends a shift */
	uint64_t logout_s;		/* without a scan, a unit that comes or one that ends; 0: only a card logs out */
	enum bell bell;			/* which results ring */
};

/* n may be NULL: the defaults. Code CONFIG. */
int console_settings_read(struct console_settings *s, const struct conf_node *n, struct err *e);

/* The index of a word in such a list, for options; code CONFIG. */
int console_choice(const char *option, const char *word, const char *const *list, struct err *e);

#endif
