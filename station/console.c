#include <config.h>

#include "console.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "console_out.h"
#include "log.h"
#include "mem.h"
#include "screen.h"

struct console {
	pthread_mutex_t lock;		/* lines of several slots do not mix; of all that follows */
	const struct console_out *out;
	const struct station *station;
	enum progress progress;
	enum palette colours;
	struct counters counters;
	struct board board;
	struct screen *screen;		/* NULL: lines */
	int changed;			/* eventfd, with a screen */
};

/* ---- what is asked for ------------------------------------------------------------------------------------ */

struct console *console_new(bool json)
{
	struct console *c = mem_new(1, sizeof *c);

	pthread_mutex_init(&c->lock, NULL);
	c->progress = json ? PROGRESS_JSON : PROGRESS_AUTO;
	c->colours = PALETTE_NONE;
	c->out = &console_none;
	c->changed = -1;
	return c;
}

static bool has_colours(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}

static int choose(struct console *c, const struct cli *cli, struct err *e)
{
	const char *progress = cli_get(cli, "progress"), *palette = cli_get(cli, "palette");
	int choice;

	if (progress) {
		if ((choice = console_choice("progress", progress, progress_names, e)) < 0)
			return -1;
		if (cli_json(cli) && choice != PROGRESS_JSON && choice != PROGRESS_NONE)
			return err_set(e, REASON_CONFIG, "--json goes with --progress json or none, not with %s", progress);
		c->progress = (enum progress)choice;
	}
	c->colours = has_colours() ? c->station->console.palette : PALETTE_NONE;
	if (palette) {
		if ((choice = console_choice("palette", palette, palette_names, e)) < 0)
			return -1;
		if (c->colours != PALETTE_NONE || has_colours())
			c->colours = (enum palette)choice;
	}
	if (c->progress == PROGRESS_AUTO)
		c->progress = isatty(STDOUT_FILENO) ? PROGRESS_BAR : PROGRESS_PLAIN;
	if (c->progress == PROGRESS_BAR && !isatty(STDOUT_FILENO))
		return err_set(e, REASON_CONFIG, "--progress bar needs a terminal at standard output; take plain or json");
	return 0;
}

int console_setup(struct console *c, const struct cli *cli, const struct station *s, struct err *e)
{
	c->station = s;
	if (choose(c, cli, e) < 0)
		return -1;
	if (cli_json(cli) || c->progress == PROGRESS_JSON)
		c->out = &console_json;
	else if (c->progress != PROGRESS_NONE)
		c->out = &console_plain;
	return counters_load(&c->counters, s->dir, e);
}

/* ---- the board ------------------------------------------------------------------------------------------- */

static void show_counters(struct console *c)
{
	c->board.shift = c->counters.shift;
	c->board.first = c->counters.first;
	c->board.shift_start = c->counters.shift_start;
	c->board.of_order = counters_order(&c->counters, c->board.order);
}

static void begin(struct console *c)
{
	pthread_mutex_lock(&c->lock);
}

static void end(struct console *c)
{
	if (c->screen)
		eventfd_write(c->changed, 1);
	fflush(stdout);
	pthread_mutex_unlock(&c->lock);
}

static bool as_lines(const struct console *c)
{
	return !c->screen && c->progress != PROGRESS_NONE;
}

static struct board_row *row_of(struct console *c, const struct record *r)
{
	struct board_row *row = board_row(&c->board, r->slot, r->port);

	if (row->use != ROW_WORKING) {
		row->use = ROW_WORKING;
		row->start = clock_mono_ms();
		row->phase = PHASE_SEEN;
		row->done = row->total = 0;
		row->outcome = OUTCOME_NONE;
		row->code[0] = row->text[0] = 0;
	}
	board_text(row->serial, sizeof row->serial, console_serial(r));
	return row;
}

static void log_line(const char *line, void *arg)
{
	struct console *c = arg;

	begin(c);
	board_message(&c->board, line);
	end(c);
}

static void open_screen(struct console *c)
{
	const char *term = getenv("TERM");

	if (c->progress != PROGRESS_BAR || !term || strcmp(term, "dumb") == 0)
		return;
	c->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->changed < 0 || !(c->screen = screen_open(c->colours)))
		return;
	if (isatty(STDERR_FILENO))
		log_to(log_line, c);
}

static void close_screen(struct console *c)
{
	if (!c->screen)
		return;
	log_to(NULL, NULL);
	screen_close(c->screen);
	c->screen = NULL;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	close_screen(c);
	if (c->changed >= 0)
		close(c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

bool console_has_screen(const struct console *c)
{
	return c->screen;
}

int console_fd(const struct console *c)
{
	return c->changed;
}

void console_draw(struct console *c)
{
	struct board now;
	eventfd_t n;

	eventfd_read(c->changed, &n);
	begin(c);
	now = c->board;		/* slots do not wait for a slow terminal */
	pthread_mutex_unlock(&c->lock);
	screen_draw(c->screen, &now);
}

/* ---- events ---------------------------------------------------------------------------------------------- */

void console_order(struct console *c, const struct order_source *o)
{
	uint64_t shift_s = c->station->console.shift_hours * 3600;

	if (counters_shift_over(&c->counters, clock_utc(), shift_s))
		counters_new_shift(&c->counters, clock_utc());
	board_init(&c->board, c->station, o);
	board_state(&c->board, "CA", "ok");	/* it has just given the order */
	show_counters(c);
	open_screen(c);
	begin(c);
	if (as_lines(c)) {
		c->out->order(o, c->station->name);
		c->out->shift(&c->counters, o->order.id);
	}
	end(c);
}

void console_phase(struct console *c, const struct record *r, enum phase p)
{
	struct board_row *row;

	begin(c);
	row = row_of(c, r);
	row->phase = p;
	row->done = row->total = 0;
	if (as_lines(c))
		c->out->phase(r, p);
	end(c);
}

void console_progress(struct console *c, const struct record *r, enum phase p, size_t done, size_t total)
{
	struct board_row *row;

	begin(c);
	row = row_of(c, r);
	row->done = done;
	row->total = total;
	if (as_lines(c))
		c->out->progress(r, p, done, total);
	end(c);
}

void console_note(struct console *c, const struct record *r, const char *text)
{
	struct board_row *row;
	char line[BOARD_TEXT];

	begin(c);
	row = board_row(&c->board, r->slot, r->port);
	board_text(row->text, sizeof row->text, text);
	if (r->outcome == OUTCOME_SKIPPED) {	/* the last word of this unit */
		row->use = ROW_DONE;
		row->outcome = r->outcome;
		row->end = clock_mono_ms();
	}
	if (c->screen) {
		snprintf(line, sizeof line, "slot %s: %s", r->slot, text);
		board_message(&c->board, line);
	}
	if (as_lines(c))
		c->out->note(r, text);
	end(c);
}

void console_cut(struct console *c, const struct journal_entry *x, const char *next, const char *text)
{
	char line[BOARD_TEXT];

	begin(c);
	snprintf(line, sizeof line, "slot %s: %s", x->slot, text);
	board_message(&c->board, line);
	if (as_lines(c))
		c->out->cut(x, next, text);
	end(c);
}

/* An ERROR says nothing of the unit, and a unit that was aborted or ran out of time was not judged. */
static void count(struct console *c, const struct record *r)
{
	struct err e;

	if (r->outcome != OUTCOME_PASS && r->outcome != OUTCOME_FAIL)
		return;
	counters_unit(&c->counters, r->order, console_serial(r), r->outcome == OUTCOME_PASS, clock_utc(),
		      c->station->console.shift_hours * 3600);
	show_counters(c);
	if (counters_save(&c->counters, c->station->dir, &e) == 0)
		return;
	if (c->screen)
		board_message(&c->board, e.text);
	else
		log_err(&e, "the counters of the shift are not saved");
}

static void show_result(struct console *c, const struct record *r)
{
	struct board_row *row = row_of(c, r);
	char line[2 * BOARD_TEXT];

	row->use = ROW_DONE;
	row->end = clock_mono_ms();
	row->outcome = r->outcome;
	row->text[0] = 0;
	if (r->outcome == OUTCOME_PASS || outcome_has_reason(r->outcome))
		c->board.latest = (size_t)(row - c->board.row);
	if (c->station->console.bell == BELL_ALL || (c->station->console.bell == BELL_FAIL && outcome_has_reason(r->outcome)))
		c->board.rings++;
	if (!outcome_has_reason(r->outcome))
		return;
	board_text(row->code, sizeof row->code, reason_id(r->error.code));
	snprintf(line, sizeof line, "%s %s: %.200s. %s: %s", row->code, reason_info(r->error.code)->name, r->error.text,
		 reason_info(r->error.code)->who, reason_info(r->error.code)->action);
	board_text(row->text, sizeof row->text, line);
	snprintf(line, sizeof line, "slot %s: %s", row->slot, row->text);
	board_message(&c->board, line);
}

void console_unit(struct console *c, const struct record *r, int64_t ms)
{
	begin(c);
	show_result(c, r);
	count(c, r);
	if (as_lines(c))
		c->out->unit(r, ms, c->colours);
	end(c);
}

void console_clear(struct console *c, const char *slot, const char *port)
{
	struct board_row *row;

	begin(c);
	row = board_row(&c->board, slot, port);
	row->use = ROW_EMPTY;
	board_text(row->text, sizeof row->text, "skipped; take the unit out");
	end(c);
	console_say(c, "slot %s: the failed unit is skipped; take it out", slot);
}

void console_state(struct console *c, const char *what, const char *text)
{
	begin(c);
	if (board_state(&c->board, what, text) && as_lines(c))
		c->out->state(what, text);
	end(c);
}

void console_operator(struct console *c, const char *name)
{
	begin(c);
	board_text(c->board.operator_name, sizeof c->board.operator_name, name);
	if (as_lines(c))
		c->out->operator(name);
	end(c);
}

void console_shift(struct console *c)
{
	struct err e;
	int rc;

	begin(c);
	counters_new_shift(&c->counters, clock_utc());
	rc = counters_save(&c->counters, c->station->dir, &e);
	show_counters(c);
	if (as_lines(c))
		c->out->shift(&c->counters, c->board.order);
	end(c);
	if (rc < 0)
		log_err(&e, "the new shift is not saved");
}

void console_scanned(struct console *c, const char *fmt, ...)
{
	char text[BOARD_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	begin(c);
	board_text(c->board.scanned, sizeof c->board.scanned, text);
	end(c);
}

void console_say(struct console *c, const char *fmt, ...)
{
	char text[BOARD_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	begin(c);
	board_message(&c->board, text);
	if (as_lines(c))
		c->out->say(text);
	end(c);
}

void console_totals(struct console *c, const struct totals *t, int64_t ms)
{
	close_screen(c);
	begin(c);
	c->out->totals(t, ms);
	end(c);
}
