/* console_out.h - the two ways to tell what happens as lines: for people and as JSON. Called under the console's lock. */
#ifndef HANDSEL_CONSOLE_OUT_H
#define HANDSEL_CONSOLE_OUT_H

#include "console.h"
#include "counters.h"

struct console_out {
	void (*order)(const struct order_source *o, const char *station);
	void (*phase)(const struct record *r, enum phase p);
	void (*progress)(const struct record *r, enum phase p, size_t done, size_t total);
	void (*note)(const struct record *r, const char *text);
	void (*cut)(const struct journal_entry *x, const char *next, const char *text);
	void (*unit)(const struct record *r, int64_t ms, enum palette colours);
	void (*totals)(const struct totals *t, int64_t ms);
	void (*shift)(const struct counters *c, const char *order);
	void (*state)(const char *what, const char *text);
	void (*operator)(const char *name);	/* "": logged out */
	void (*say)(const char *text);
};
extern const struct console_out console_plain, console_json, console_none;

const char *console_serial(const struct record *r);	/* as far as it is known; "" */

#endif
