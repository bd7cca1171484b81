/* board.h - what a station shows at one instant, as plain data: a row for each slot, the heads, the last messages. */
#ifndef HANDSEL_BOARD_H
#define HANDSEL_BOARD_H

#include <stdbool.h>

#include "counters.h"
#include "order_source.h"
#include "record.h"
#include "station.h"

#define BOARD_TEXT 300		/* bytes of a message: more than the lines that the screen has for it */
#define BOARD_STATES 4
#define BOARD_MESSAGES 2

enum board_use { ROW_EMPTY, ROW_WORKING, ROW_DONE };

struct board_row {
	char slot[LIMIT_NAME + 1], port[USB_PORT_MAX], serial[USB_TEXT_MAX];
	enum board_use use;
	enum phase phase;
	size_t done, total;		/* bytes of the phase; total 0: it has none */
	int64_t start, end;		/* clock_mono_ms(); end: when it was done */
	enum outcome outcome;		/* of a row that is done */
	char code[8], text[BOARD_TEXT];	/* why it failed and what to do, or the last note */
};

struct board {
	char station[LIMIT_NAME + 1], order[CA_ID_MAX + 1], model[LIMIT_NAME + 1], operator_name[LIMIT_NAME + 1];
	unsigned ordered, done;		/* of the order, when the run began */
	struct {
		char what[16], text[40];
	} state[BOARD_STATES];		/* CA, MES queue, printer */
	struct board_row row[STATION_SLOTS_MAX];
	size_t n_rows;
	size_t latest;			/* the row whose result is the latest; n_rows: none */
	char message[BOARD_MESSAGES][BOARD_TEXT];	/* the latest is the last */
	char scanned[BOARD_TEXT];
	unsigned rings;			/* how often the bell was to ring */
	struct count shift, first, of_order;
	int64_t shift_start;		/* UTC */
};

void board_init(struct board *b, const struct station *s, const struct order_source *o);

/* The row of a slot; made where there is none yet, in place of the one that was done longest ago if all are taken. */
struct board_row *board_row(struct board *b, const char *slot, const char *port);

void board_message(struct board *b, const char *text);

/* false: that is what it was. */
bool board_state(struct board *b, const char *what, const char *text);

/* Copies a text of a peer for a terminal: what is not printable ASCII becomes '?'. */
void board_text(char *out, size_t size, const char *text);

#endif
