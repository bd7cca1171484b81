/* buf.h - a growing byte string with a hard maximum, wiped when freed.
 *
 * Zero-initialise it ({0}) and use it. It owns its bytes; buf_free() wipes them, so that
 * one type serves for secrets, too. A write past the maximum sets `failed`, which sticks:
 * write many fields, test once. The bytes are always followed by a NUL that len does not count. */
#ifndef HANDSEL_BUF_H
#define HANDSEL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
	size_t max;		/* 0: LIMIT_BUF */
	bool failed;
};

void buf_free(struct buf *b);			/* wipes, frees, leaves {0} with the same max */
void buf_clear(struct buf *b);			/* len = 0; keeps the memory, wiped */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *text);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_byte(struct buf *b, uint8_t byte);
void buf_set(struct buf *b, const void *data, size_t len);	/* clear + add */
void buf_drop(struct buf *b, size_t n);		/* removes the first n bytes */
uint8_t *buf_room(struct buf *b, size_t n);	/* n writable bytes at the end, NULL if over max; then add to len */
struct buf buf_steal(struct buf *b);		/* hands the bytes over; *b is empty */
bool buf_same(const struct buf *a, const struct buf *b);

/* The text, never NULL. Meaningful for data known to hold no NUL. */
const char *buf_text(const struct buf *b);

#endif
