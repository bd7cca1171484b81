/* console.h - what the technician sees: one line a phase, PASS or FAIL readable from afar, totals; or JSON lines. */
#ifndef HANDSEL_CONSOLE_H
#define HANDSEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"
#include "order_source.h"
#include "record.h"

struct console;
struct console *console_new(bool json);
void console_free(struct console *c);

/* All of these may be called by any thread. */
void console_order(struct console *c, const struct order_source *o, const char *station);
void console_phase(struct console *c, const struct record *r, enum phase p);
void console_progress(struct console *c, const struct record *r, enum phase p, size_t done, size_t total);
void console_note(struct console *c, const struct record *r, const char *text);
/* What is said at the start of a unit that was cut. next: "finish", "abandoned" or "kept". */
void console_cut(struct console *c, const struct journal_entry *x, const char *next, const char *text);
void console_unit(struct console *c, const struct record *r, int64_t ms);

struct totals {
	unsigned pass, fail, aborted;
};
void console_totals(struct console *c, const struct totals *t, int64_t ms);

#endif
