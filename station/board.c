#include <config.h>

#include "board.h"

#include <string.h>

#include "text.h"

void board_text(char *out, size_t size, const char *text)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i]; i++)
		out[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	out[i] = 0;
}

void board_init(struct board *b, const struct station *s, const struct order_source *o)
{
	board_text(b->station, sizeof b->station, s->name);
	board_text(b->order, sizeof b->order, o->order.id);
	board_text(b->model, sizeof b->model, o->order.model);
	b->ordered = o->ordered;
	b->done = o->done;
	for (size_t i = 0; i < s->n_slots; i++)
		board_row(b, s->slot[i].name, s->slot[i].port);
	b->latest = STATION_SLOTS_MAX;
}

static size_t oldest_done(const struct board *b)
{
	size_t oldest = 0;

	for (size_t i = 1; i < b->n_rows; i++)
		if (b->row[oldest].use == ROW_WORKING ||
		    (b->row[i].use != ROW_WORKING && b->row[i].end < b->row[oldest].end))
			oldest = i;
	return oldest;
}

struct board_row *board_row(struct board *b, const char *slot, const char *port)
{
	struct board_row *r;
	size_t i;

	for (i = 0; i < b->n_rows; i++)
		if (strcmp(b->row[i].slot, slot) == 0)
			return &b->row[i];
	if (b->n_rows < STATION_SLOTS_MAX)
		i = b->n_rows++;
	else
		i = oldest_done(b);
	if (b->latest == i)
		b->latest = STATION_SLOTS_MAX;
	r = &b->row[i];
	memset(r, 0, sizeof *r);
	board_text(r->slot, sizeof r->slot, slot);
	board_text(r->port, sizeof r->port, port);
	return r;
}

void board_message(struct board *b, const char *text)
{
	memmove(b->message[0], b->message[1], sizeof b->message - sizeof b->message[0]);
	board_text(b->message[BOARD_MESSAGES - 1], sizeof b->message[0], text);
}

bool board_state(struct board *b, const char *what, const char *text)
{
	size_t i = 0;

	while (i < BOARD_STATES - 1 && b->state[i].what[0] && strcmp(b->state[i].what, what) != 0)
		i++;
	if (strcmp(b->state[i].what, what) == 0 && strcmp(b->state[i].text, text) == 0)
		return false;
	board_text(b->state[i].what, sizeof b->state[i].what, what);
	board_text(b->state[i].text, sizeof b->state[i].text, text);
	return true;
}
