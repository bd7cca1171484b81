/* picture.h - a label as dots: drawn once, so that what comes out of the printer is what the PNG shows, dot by dot. */
#ifndef HANDSEL_PICTURE_H
#define HANDSEL_PICTURE_H

#include "buf.h"
#include "label.h"

struct picture {
	unsigned width, height, dots_per_mm;
	size_t stride;		/* bytes of a row */
	uint8_t *bits;		/* 1 is black, the leftmost dot is the highest bit */
};

/* The QR code at the left, the lines at its right, both as large as there is room. Code CONFIG: the label is too small. */
int picture_draw(struct picture *p, const struct label_settings *s, const struct label *l, struct err *e);
void picture_free(struct picture *p);

/* Appends a PNG with one bit a dot and the resolution. Code INTERNAL. */
int picture_png(const struct picture *p, struct buf *out, struct err *e);

#define FONT_WIDTH 5
#define FONT_HEIGHT 8	/* with descenders */
/* The five columns of a character, the top dot is the lowest bit. false: there is none for it. */
bool font_columns(uint32_t code, uint8_t column[FONT_WIDTH]);
/* The character at *text, which is UTF-8; moves it behind that. */
uint32_t font_next(const char **text);

#endif
