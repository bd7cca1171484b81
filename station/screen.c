#include <config.h>

#include "screen.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "letters.h"
#include "mem.h"

#define HEAD_LINES 2		/* who and what; titles of the columns */
#define FOOT_LINES 4		/* counters, two messages, the scan */
#define BIG_LINES (1 + LETTER_HIGH)
#define CELL_WIDE 16		/* of the grid: a slot and its phase or result */
#define BAR_WIDE 16
#define PAGE_MS 3000		/* of a grid with more slots than room */
#define LETTER_STEP (LETTER_WIDE + 1)

enum ink { INK_PLAIN, INK_PASS, INK_FAIL, INK_HEAD };

struct screen {
	SCREEN *term;
	attr_t ink[4];
	const char *block, *pass, *fail;	/* in the terminal's character set */
	unsigned rung;				/* of the board's rings */
};

/* ---- the terminal comes back ---------------------------------------------------------------------------- */

static struct {
	volatile sig_atomic_t taken;
	struct termios before;
	bool has_before;
	char leave[64];		/* what makes the terminal normal again */
} rescue;

/* Only calls that a signal handler may make. */
static void restore(void)
{
	if (!rescue.taken)
		return;
	rescue.taken = 0;
	if (write(STDOUT_FILENO, rescue.leave, strlen(rescue.leave)) < 0)
		return;
	if (rescue.has_before)
		tcsetattr(STDIN_FILENO, TCSANOW, &rescue.before);
}

static void dying(int number)
{
	restore();
	raise(number);		/* its default, as SA_RESETHAND says */
}

static void catch_deadly(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGALRM, SIGXCPU };
	struct sigaction a = { .sa_handler = dying, .sa_flags = SA_RESETHAND | SA_NODEFER }, old;

	for (size_t i = 0; i < ARRAY_LEN(deadly); i++)
		if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(deadly[i], &a, NULL);
}

/* What the terminal understands; NULL if it does not. */
static const char *capability(const char *name)
{
	const char *text = tigetstr(name);

	return (intptr_t)text == -1 ? NULL : text;
}

static void prepare_rescue(void)
{
	static const char *const names[] = { "sgr0", "cnorm", "rmcup" };
	static bool registered;

	rescue.leave[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *part = capability(names[i]);

		if (part && strlen(rescue.leave) + strlen(part) < sizeof rescue.leave)
			strcat(rescue.leave, part);
	}
	rescue.taken = 1;
	catch_deadly();
	if (!registered)
		atexit(restore);
	registered = true;
}

/* ---- open and close ------------------------------------------------------------------------------------ */

static void choose_ink(struct screen *s, enum palette palette)
{
	const char *none = getenv("NO_COLOR");
	bool orange;

	s->ink[INK_PASS] = A_BOLD;
	s->ink[INK_FAIL] = A_BOLD | A_REVERSE;	/* differs in black and white, too */
	s->ink[INK_HEAD] = A_REVERSE;
	if ((none && *none) || palette == PALETTE_NONE || !has_colors() || start_color() == ERR)
		return;
	orange = COLORS >= 256;
	if (palette == PALETTE_GREEN_RED) {
		init_pair(INK_PASS, COLOR_BLACK, COLOR_GREEN);
		init_pair(INK_FAIL, COLOR_WHITE, COLOR_RED);
	} else {
		init_pair(INK_PASS, COLOR_WHITE, COLOR_BLUE);
		init_pair(INK_FAIL, COLOR_BLACK, orange ? 208 : COLOR_YELLOW);
	}
	s->ink[INK_PASS] = A_BOLD | (attr_t)COLOR_PAIR(INK_PASS);
	s->ink[INK_FAIL] = (attr_t)COLOR_PAIR(INK_FAIL);
}

struct screen *screen_open(enum palette palette)
{
	struct screen *s;
	bool utf8;

	setlocale(LC_CTYPE, "");
	utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	rescue.has_before = tcgetattr(STDIN_FILENO, &rescue.before) == 0;
	signal(SIGTSTP, SIG_IGN);	/* a line's console has no shell to go back to */
	s = mem_new(1, sizeof *s);
	s->term = newterm(NULL, stdout, stdin);
	if (!s->term || !capability("cup")) {
		if (s->term) {
			endwin();
			delscreen(s->term);
		}
		free(s);
		return NULL;
	}
	prepare_rescue();
	cbreak();
	noecho();
	curs_set(0);
	s->block = utf8 ? "\xe2\x96\x88" : "#";
	s->pass = utf8 ? "\xe2\x9c\x94" : "v";
	s->fail = utf8 ? "\xe2\x9c\x98" : "x";
	choose_ink(s, palette);
	return s;
}

void screen_close(struct screen *s)
{
	if (!s)
		return;
	endwin();
	rescue.taken = 0;
	delscreen(s->term);
	free(s);
}

/* ---- pieces -------------------------------------------------------------------------------------------- */

/* At most `wide` columns; one byte is one column in all texts that come here. */
static void put(int y, int x, int wide, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void put(int y, int x, int wide, const char *fmt, ...)
{
	char text[2 * BOARD_TEXT];
	va_list ap;

	if (y < 0 || y >= LINES || x < 0 || x >= COLS)
		return;
	if (wide > COLS - x)
		wide = COLS - x;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	mvaddnstr(y, x, text, wide);
}

static void put_symbol(int y, int x, const char *symbol)
{
	if (y < LINES && x < COLS)
		mvaddstr(y, x, symbol);
}

/* Breaks at blanks into at most `high` lines. Returns how many it took. */
static int put_wrapped(int y, int x, int wide, int high, const char *text)
{
	int lines = 0;

	while (*text && lines < high && wide > 0) {
		size_t n = strlen(text);

		if (n > (size_t)wide) {
			n = (size_t)wide;
			while (n && text[n] != ' ')
				n--;
			if (!n)
				n = (size_t)wide;
		}
		put(y + lines++, x, (int)n, "%s", text);
		text += n;
		while (*text == ' ')
			text++;
	}
	return lines;
}

static void put_letters(const struct screen *s, int y, int x, const char *word)
{
	for (int i = 0; word[i]; i++)
		for (int row = 0; row < LETTER_HIGH; row++)
			for (int column = 0; column < LETTER_WIDE; column++)
				if (letter_cell(word[i], row, column))
					put_symbol(y + row, x + i * LETTER_STEP + column, s->block);
}

static enum ink ink_of(const struct board_row *r)
{
	if (r->use != ROW_DONE)
		return INK_PLAIN;
	return r->outcome == OUTCOME_PASS ? INK_PASS : outcome_has_reason(r->outcome) ? INK_FAIL : INK_PLAIN;
}

/* `before`, as far as there is room, and the result's word and symbol in blocks, on a field of its colour. Returns the first
 * column behind it. */
static int put_result(const struct screen *s, int y, int x, const char *before, const struct board_row *r)
{
	const char *outcome = outcome_name(r->outcome);
	int room = (COLS - x) / LETTER_STEP - (int)strlen(outcome) - 2, wide;
	char word[2 * LIMIT_NAME];

	snprintf(word, sizeof word, "%.*s%s%s%c", room > 0 ? room : 0, before, before[0] ? " " : "", outcome,
		 ink_of(r) == INK_PASS ? LETTER_CHECK : LETTER_CROSS);
	wide = (int)strlen(word) * LETTER_STEP + 1;
	attrset(s->ink[ink_of(r)]);
	for (int row = 0; row < LETTER_HIGH; row++)
		put(y + row, x, wide, "%*s", wide, "");
	put_letters(s, y, x + 1, word);
	attrset(A_NORMAL);
	return x + wide;
}

static int percent(const struct board_row *r)
{
	return r->total ? (int)(100 * r->done / r->total) : -1;
}

/* The share of the work that is done: phases, and of a phase with bytes the part. */
static int bar_filled(const struct board_row *r)
{
	size_t part = r->total ? r->done * BAR_WIDE / r->total : 0;

	if (r->use == ROW_DONE && r->outcome == OUTCOME_PASS)
		return BAR_WIDE;
	return (int)(((size_t)r->phase * BAR_WIDE + part) / PHASES);
}

static void put_time(int y, int x, const struct board_row *r, int64_t now)
{
	int64_t s = ((r->use == ROW_DONE ? r->end : now) - r->start) / 1000;

	put(y, x, 6, "%2d:%02d", (int)(s / 60 % 100), (int)(s % 60));
}

/* The word of the result with its symbol, in its colour. */
static void put_word(const struct screen *s, int y, int x, const struct board_row *r)
{
	const char *word = r->use == ROW_WORKING ? "..." : r->outcome == OUTCOME_NONE ? "" : outcome_name(r->outcome);

	attrset(s->ink[ink_of(r)]);
	put(y, x, 8, "%s%s", word, ink_of(r) == INK_PLAIN ? "" : " ");
	if (ink_of(r) != INK_PLAIN)
		put_symbol(y, x + (int)strlen(word) + 1, ink_of(r) == INK_PASS ? s->pass : s->fail);
	attrset(A_NORMAL);
}

/* Columns: slot 0, serial 7, phase 25, progress 41, time 64, result 70. */
static void put_row(const struct screen *s, int y, const struct board_row *r, int64_t now)
{
	char bar[BAR_WIDE + 1];
	int filled = bar_filled(r), pc = percent(r);

	put(y, 0, 6, "%s", r->slot);
	if (r->use == ROW_EMPTY) {
		put(y, 7, 40, "-- %s", r->text[0] ? r->text : "plug in a unit");
		return;
	}
	put(y, 7, 17, "%s", r->serial[0] ? r->serial : "--");
	put(y, 25, 15, "%s (%d/%d)", phase_name(r->phase), (int)r->phase + 1, (int)PHASES);
	memset(bar, '.', BAR_WIDE);
	memset(bar, '#', (size_t)filled);
	bar[BAR_WIDE] = 0;
	put(y, 41, 19, "[%s]", bar);
	if (r->use == ROW_WORKING && pc >= 0)
		put(y, 60, 5, "%3d%%", pc);
	put_time(y, 64, r, now);
	put_word(s, y, 70, r);
}

/* ---- the three layouts: few slots, each with its result in blocks; lines; a grid --------------------------- */

static void draw_big(const struct screen *s, const struct board *b, int64_t now)
{
	for (size_t i = 0; i < b->n_rows; i++) {
		const struct board_row *r = &b->row[i];
		int y = HEAD_LINES + (int)i * BIG_LINES, x = 7;

		put_row(s, y, r, now);
		if (ink_of(r) != INK_PLAIN)
			x = put_result(s, y + 1, x, "", r) + 1;
		if (r->use != ROW_EMPTY)
			put_wrapped(y + 1, x, COLS - x - 1, LETTER_HIGH, r->text);
	}
}

static void draw_lines(const struct screen *s, const struct board *b, int64_t now)
{
	for (size_t i = 0; i < b->n_rows; i++)
		put_row(s, HEAD_LINES + (int)i, &b->row[i], now);
}

/* More slots than there is room for are shown one page after the other: there is no keyboard at the line to turn them. */
static void draw_grid(const struct screen *s, const struct board *b, int high, int64_t now)
{
	int columns = COLS / CELL_WIDE > 0 ? COLS / CELL_WIDE : 1;
	size_t shown = (size_t)columns * (size_t)high;
	size_t pages = shown ? (b->n_rows + shown - 1) / shown : 1, first = pages > 1 ? (size_t)(now / PAGE_MS) % pages * shown : 0;

	for (size_t i = 0; first + i < b->n_rows && i < shown; i++) {
		const struct board_row *r = &b->row[first + i];
		int y = HEAD_LINES + (int)i / columns, x = (int)i % columns * CELL_WIDE;

		put(y, x, 6, "%s", r->slot);
		if (r->use == ROW_WORKING)
			put(y, x + 7, 8, "%s", phase_name(r->phase));
		else
			put_word(s, y, x + 7, r);
	}
	if (pages > 1)
		put(1, 0, COLS, "slots %zu to %zu of %zu", first + 1, first + shown < b->n_rows ? first + shown : b->n_rows, b->n_rows);
}

static int grid_lines(const struct board *b)
{
	int columns = COLS / CELL_WIDE > 0 ? COLS / CELL_WIDE : 1;

	return ((int)b->n_rows + columns - 1) / columns;
}

static void draw_slots(const struct screen *s, const struct board *b, int64_t now)
{
	static const char titles[] = "SLOT   SERIAL            PHASE           PROGRESS                TIME RESULT";
	int room = LINES - HEAD_LINES - FOOT_LINES, n = (int)b->n_rows;
	bool big = n * BIG_LINES <= room, lines = n + LETTER_HIGH <= room;

	if (big || lines)
		put(1, 0, COLS, "%s", titles);
	if (big)
		draw_big(s, b, now);
	else if (lines)
		draw_lines(s, b, now);
	else
		draw_grid(s, b, room > 0 ? room : 0, now);
	if (!big && b->latest < b->n_rows && (lines || grid_lines(b) + LETTER_HIGH <= room))
		put_result(s, LINES - FOOT_LINES - LETTER_HIGH, 0, b->row[b->latest].slot, &b->row[b->latest]);
}

/* ---- head and foot ------------------------------------------------------------------------------------- */

/* Who works on what, in so many columns: where they are few the time goes first, then the model. */
static void draw_work(const struct board *b, int wide)
{
	const char *operator_name = b->operator_name[0] ? b->operator_name : "--";
	char line[2 * BOARD_TEXT], clock[16];
	time_t now = (time_t)clock_utc();
	struct tm tm;

	strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &tm));
	if (snprintf(line, sizeof line, " %s  %s  %s  %u of %u  op: %s  %s", b->station, b->order, b->model, b->done, b->ordered,
		     operator_name, clock) > wide &&
	    snprintf(line, sizeof line, " %s  %s  %s  %u of %u  op: %s", b->station, b->order, b->model, b->done, b->ordered,
		     operator_name) > wide)
		snprintf(line, sizeof line, " %s  %s  %u of %u  op: %s", b->station, b->order, b->done, b->ordered, operator_name);
	put(0, 0, wide, "%s", line);
}

static void draw_head(const struct screen *s, const struct board *b)
{
	char states[BOARD_STATES * 64] = "";
	size_t len = 0;

	for (size_t i = 0; i < BOARD_STATES && b->state[i].what[0]; i++)
		len += (size_t)snprintf(states + len, sizeof states - len, "%s%s %s", i ? "  " : "", b->state[i].what,
					b->state[i].text);
	attrset(s->ink[INK_HEAD]);
	put(0, 0, COLS, "%*s", COLS, "");
	draw_work(b, (int)len < COLS - 2 ? COLS - (int)len - 2 : COLS);
	if (len && (int)len < COLS)
		put(0, COLS - (int)len - 1, (int)len + 1, "%s ", states);
	attrset(A_NORMAL);
}

static void yield_text(char out[16], const struct count *c)
{
	int y = counters_yield(c);

	if (y < 0)
		strcpy(out, "--");
	else
		snprintf(out, 16, "%d.%d %%", y / 10, y % 10);
}

static void draw_foot(const struct screen *s, const struct board *b)
{
	char all[16], first[16];
	int y = LINES - FOOT_LINES;

	yield_text(all, &b->shift);
	yield_text(first, &b->first);
	put(y, 0, COLS, "shift: %llu pass  %llu fail  %s  first-pass %s   order: %llu pass  %llu fail",
	    (unsigned long long)b->shift.pass, (unsigned long long)b->shift.fail, all, first,
	    (unsigned long long)b->of_order.pass, (unsigned long long)b->of_order.fail);
	/* A long message has both lines. */
	put(y + 1, 0, COLS, "%s", b->message[0]);
	if ((int)strlen(b->message[1]) > COLS) {
		put(y + 1, 0, COLS, "%*s", COLS, "");
		put_wrapped(y + 1, 0, COLS, 2, b->message[1]);
	} else {
		put(y + 2, 0, COLS, "%s", b->message[1]);
	}
	put(y + 3, 0, COLS, "%s", b->scanned[0] ? b->scanned : "scan a label, a badge or a command card");
}

void screen_draw(struct screen *s, const struct board *b)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col && is_term_resized(w.ws_row, w.ws_col))
		resizeterm(w.ws_row, w.ws_col);
	erase();
	draw_head(s, b);
	draw_slots(s, b, clock_mono_ms());
	draw_foot(s, b);
	refresh();
	if (b->rings != s->rung)
		beep();
	s->rung = b->rings;
}
