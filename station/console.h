/* console.h - what the technician sees: a screen, lines or JSON lines; and the counters of the shift.
 *
 * All but console_setup() and console_order() may be called by any thread. */
#ifndef HANDSEL_CONSOLE_H
#define HANDSEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli.h"
#include "journal.h"
#include "order_source.h"
#include "record.h"
#include "station.h"

struct console;
struct console *console_new(bool json);
void console_free(struct console *c);

/* --progress, --palette, and what station.yaml says; loads the counters. The station must outlive the console. Code CONFIG. */
int console_setup(struct console *c, const struct cli *cli, const struct station *s, struct err *e);

/* The run begins; takes the terminal, if there is to be a screen. */
void console_order(struct console *c, const struct order_source *o);

/* A unit. */
void console_phase(struct console *c, const struct record *r, enum phase p);
void console_progress(struct console *c, const struct record *r, enum phase p, size_t done, size_t total);
void console_note(struct console *c, const struct record *r, const char *text);
/* What is said at the start of a unit that was cut. next: "finish", "abandoned" or "kept". */
void console_cut(struct console *c, const struct journal_entry *x, const char *next, const char *text);
void console_unit(struct console *c, const struct record *r, int64_t ms);	/* its end: is counted, too */
void console_clear(struct console *c, const char *slot, const char *port);	/* its result needs nobody any more */

/* The state of what the station depends on, a word or two: console_state(c, "CA", "ok"), "MES queue" "3", "printer" "paper out".
 * Saying the same again costs nothing. */
void console_state(struct console *c, const char *what, const char *text);

/* People. */
void console_operator(struct console *c, const char *name);	/* "": logged out */
void console_shift(struct console *c);				/* a new shift begins */
void console_scanned(struct console *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void console_say(struct console *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct totals {
	unsigned pass, fail, aborted;
};
void console_totals(struct console *c, const struct totals *t, int64_t ms);	/* gives the terminal back first */

/* For the thread that draws: is there a screen; what becomes readable when there is something new; draw it. */
bool console_has_screen(const struct console *c);
int console_fd(const struct console *c);
void console_draw(struct console *c);

#endif
