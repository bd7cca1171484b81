#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "console_out.h"

const char *console_serial(const struct record *r)
{
	return r->hello.device.serial[0] ? r->hello.device.serial : r->boot_serial;
}

static void slot_text(const struct record *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void slot_text(const struct record *r, const char *fmt, ...)
{
	va_list ap;

	printf("slot %-8s %-16s ", r->slot, console_serial(r)[0] ? console_serial(r) : "--");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void plain_order(const struct order_source *o, const char *station)
{
	printf("%s: order %s, %s %s, %u of %u done. Plug in a unit.\n", station, o->order.id, o->order.manufacturer,
	       o->order.model, o->done, o->ordered);
}

static void plain_phase(const struct record *r, enum phase p)
{
	slot_text(r, "%s (%d/%d)", phase_name(p), (int)p + 1, (int)PHASES);
}

/* One line a phase: a log is no place for a bar. */
static void plain_progress(const struct record *r, enum phase p, size_t done, size_t total) {}

static void plain_note(const struct record *r, const char *text)
{
	slot_text(r, "%s", text);
}

static void plain_cut(const struct journal_entry *x, const char *next, const char *text)
{
	printf("slot %-8s %-16s %s\n", x->slot, x->device.serial[0] ? x->device.serial : "--", text);
}

/* Word, symbol and colour: any one of them alone says it. */
static void plain_unit(const struct record *r, int64_t ms, enum palette colours)
{
	static const char *const pass[] = { "\033[1;97;44m", "\033[1;30;42m", "" };
	static const char *const fail[] = { "\033[1;30;48;5;208m", "\033[1;97;41m", "" };
	const char *on = "", *symbol = "-";

	if (r->outcome == OUTCOME_PASS) {
		on = pass[colours];
		symbol = "v";
	} else if (outcome_has_reason(r->outcome)) {
		on = fail[colours];
		symbol = "x";
	}
	slot_text(r, "%s  ===  %s %s  ===  %s %d:%02d", on, outcome_name(r->outcome), symbol, on[0] ? "\033[0m" : "",
		  (int)(ms / 60000), (int)(ms / 1000 % 60));
	if (outcome_has_reason(r->outcome))
		slot_text(r, "%s %s: %s. %s: %s", reason_id(r->error.code), reason_info(r->error.code)->name,
			  r->error.text, reason_info(r->error.code)->who, reason_info(r->error.code)->action);
}

static void plain_totals(const struct totals *t, int64_t ms)
{
	unsigned judged = t->pass + t->fail;

	printf("total: %u pass, %u fail", t->pass, t->fail);
	if (t->aborted)
		printf(", %u aborted", t->aborted);
	if (judged)
		printf(", %.1f %%", 100.0 * t->pass / judged);
	printf(", %.1f s\n", (double)ms / 1000);
}

static void plain_shift(const struct counters *c, const char *order)
{
	struct count of_order = counters_order(c, order);

	printf("shift: %llu pass, %llu fail; order: %llu pass, %llu fail\n", (unsigned long long)c->shift.pass,
	       (unsigned long long)c->shift.fail, (unsigned long long)of_order.pass, (unsigned long long)of_order.fail);
}

static void plain_state(const char *what, const char *text)
{
	printf("%s: %s\n", what, text);
}

static void plain_operator(const char *name)
{
	if (name[0])
		printf("operator: %s\n", name);
	else
		puts("operator: logged out");
}

static void plain_say(const char *text)
{
	puts(text);
}

const struct console_out console_plain = {
	.order = plain_order, .phase = plain_phase, .progress = plain_progress, .note = plain_note, .cut = plain_cut, .unit = plain_unit,
	.totals = plain_totals, .shift = plain_shift, .state = plain_state, .operator = plain_operator, .say = plain_say,
};

static void no_totals(const struct totals *t, int64_t ms) {}

/* The only one of its functions that is called: the end of a run is told to whoever is there. */
const struct console_out console_none = { .totals = no_totals };
