#include <config.h>

#include "picture.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "qr.h"

#define MODULES_PER_MM 4	/* a module below 0.25 mm is not read by every scanner */
#define CELL_WIDTH (FONT_WIDTH + 1)
#define CELL_HEIGHT (FONT_HEIGHT + 1)
#define GROUP 16		/* characters of a fingerprint in one line */
#define LINES_MAX (16 + 2 * LABEL_TEXTS_MAX)	/* all fields, and the fingerprint in four lines, each broken once more */

static void fill(struct picture *p, unsigned x, unsigned y, unsigned size)
{
	for (unsigned dy = 0; dy < size; dy++)
		for (unsigned dx = 0; dx < size; dx++)
			p->bits[(y + dy) * p->stride + (x + dx) / 8] |= (uint8_t)(0x80 >> (x + dx) % 8);
}

/* ---- the QR code ---------------------------------------------------------------------- */

/* Draws it at the left edge; returns the width that it takes with its quiet zone, 0 if there is no room. */
static unsigned draw_modules(struct picture *p, const struct qr *qr)
{
	unsigned modules = qr->width + 2 * QR_QUIET, scale = p->height / modules;

	if (scale * modules > p->width)
		scale = p->width / modules;
	if (scale == 0 || scale * MODULES_PER_MM < p->dots_per_mm)
		return 0;
	for (unsigned y = 0; y < qr->width; y++)
		for (unsigned x = 0; x < qr->width; x++)
			if (qr_dark(qr, x, y))
				fill(p, (x + QR_QUIET) * scale, (y + QR_QUIET) * scale, scale);
	return modules * scale;
}

static int draw_qr(struct picture *p, const struct label_settings *s, const struct label *l, unsigned *width, struct err *e)
{
	char text[LABEL_QR_MAX];
	struct qr qr;

	label_qr(l, text);
	if (qr_make(&qr, text, e) < 0)
		return -1;
	*width = draw_modules(p, &qr);
	qr_free(&qr);
	return *width ? 0 : err_set(e, REASON_CONFIG, "a label of %u x %u mm is too small for the QR code of %s; make width-mm and "
				    "height-mm larger", s->width_mm, s->height_mm, l->device.serial);
}

/* ---- the lines --------------------------------------------------------------------------- */

struct lines {
	uint32_t text[LINES_MAX][LABEL_TEXT_MAX];	/* characters, up to a 0 */
	size_t n;
};

/* false: there are too many. */
static bool add_line(struct lines *to, const char *text, size_t columns)
{
	while (*text) {
		size_t n = 0;

		if (to->n == LINES_MAX)
			return false;
		while (*text && n < columns)
			to->text[to->n][n++] = font_next(&text);
		to->text[to->n++][n] = 0;
	}
	return true;
}

static size_t count_characters(const char *text)
{
	size_t n = 0;

	for (; *text; n++)
		font_next(&text);
	return n;
}

/* All lines in so many columns and rows? Only the fingerprint is broken, unless all may be. */
static bool fits(struct lines *to, const struct label_settings *s, const struct label *l, size_t columns, size_t rows, bool breaks)
{
	char text[LABEL_TEXT_MAX];

	to->n = 0;
	for (size_t i = 0; i < s->n_texts; i++)
		if (columns == 0 || (!breaks && count_characters(s->text[i]) > columns) || !add_line(to, s->text[i], columns))
			return false;
	for (size_t i = 0; i < s->n_fields; i++) {
		size_t part = s->field[i] == LABEL_FINGERPRINT && columns > GROUP ? GROUP : columns;

		label_line(l, s->field[i], text);
		if (!breaks && (s->field[i] == LABEL_FINGERPRINT ? columns < GROUP : strlen(text) > columns))
			return false;
		if (columns == 0 || !add_line(to, text, part))
			return false;
	}
	return to->n <= rows;
}

static void draw_char(struct picture *p, unsigned x, unsigned y, unsigned scale, uint32_t code)
{
	uint8_t column[FONT_WIDTH];

	if (!font_columns(code, column))	/* label.c takes none that is not there */
		font_columns('?', column);
	for (unsigned i = 0; i < FONT_WIDTH; i++)
		for (unsigned k = 0; k < FONT_HEIGHT; k++)
			if (column[i] >> k & 1)
				fill(p, x + i * scale, y + k * scale, scale);
}

static int draw_lines(struct picture *p, const struct label_settings *s, const struct label *l, unsigned left, struct err *e)
{
	unsigned width = p->width - left, scale = width / CELL_WIDTH;
	struct lines lines = {0};

	while (scale && !fits(&lines, s, l, width / (CELL_WIDTH * scale), p->height / (CELL_HEIGHT * scale), false))
		scale--;
	if (!scale && fits(&lines, s, l, width / CELL_WIDTH, p->height / CELL_HEIGHT, true))
		scale = 1;
	if (!scale && s->n_fields + s->n_texts)
		return err_set(e, REASON_CONFIG, "a label of %u x %u mm is too small for its fields; make it larger, or take fields away",
			       s->width_mm, s->height_mm);
	for (size_t i = 0; i < lines.n; i++) {
		unsigned above = (p->height - (unsigned)lines.n * CELL_HEIGHT * scale) / 2;

		for (unsigned k = 0; lines.text[i][k]; k++)
			draw_char(p, left + k * CELL_WIDTH * scale, above + (unsigned)i * CELL_HEIGHT * scale, scale, lines.text[i][k]);
	}
	return 0;
}

int picture_draw(struct picture *p, const struct label_settings *s, const struct label *l, struct err *e)
{
	unsigned left = 0;

	p->dots_per_mm = s->dots_per_mm;
	p->width = s->width_mm * s->dots_per_mm;
	p->height = s->height_mm * s->dots_per_mm;
	p->stride = (p->width + 7) / 8;
	p->bits = mem_new(p->height, p->stride);
	if (draw_qr(p, s, l, &left, e) == 0 && draw_lines(p, s, l, left, e) == 0)
		return 0;
	picture_free(p);
	return -1;
}

void picture_free(struct picture *p)
{
	free(p->bits);
	p->bits = NULL;
}
