#include <config.h>

#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "mem.h"

void buf_free(struct buf *b)
{
	size_t max;

	if (!b)
		return;
	max = b->max;
	mem_wipe(b->data, b->cap);
	free(b->data);
	*b = (struct buf){ .max = max };
}

void buf_clear(struct buf *b)
{
	mem_wipe(b->data, b->cap);
	b->len = 0;
	b->failed = false;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	size_t max = b->max ? b->max : LIMIT_BUF;

	if (b->failed || n > max || b->len > max - n) {
		b->failed = true;
		return NULL;
	}
	if (b->len + n + 1 > b->cap) {
		size_t cap = b->cap ? b->cap : 64;
		uint8_t *grown;

		while (cap < b->len + n + 1)
			cap *= 2;
		grown = mem_new(cap, 1);	/* no realloc: it may leave a copy of a secret behind */
		if (b->len)
			memcpy(grown, b->data, b->len);
		mem_wipe(b->data, b->cap);
		free(b->data);
		b->data = grown;
		b->cap = cap;
	}
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	uint8_t *p = buf_room(b, len);

	if (!p)
		return;
	if (len)
		memcpy(p, data, len);
	b->len += len;
	b->data[b->len] = 0;
}

void buf_str(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !(p = buf_room(b, (size_t)n))) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf((char *)p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_byte(struct buf *b, uint8_t byte)
{
	buf_add(b, &byte, 1);
}

void buf_set(struct buf *b, const void *data, size_t len)
{
	buf_clear(b);
	buf_add(b, data, len);
}

void buf_drop(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (!n)
		return;
	memmove(b->data, b->data + n, b->len - n);
	mem_wipe(b->data + b->len - n, n);
	b->len -= n;
}

struct buf buf_steal(struct buf *b)
{
	struct buf taken = *b;

	*b = (struct buf){ .max = taken.max };
	return taken;
}

bool buf_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && mem_same(a->data, b->data, a->len);
}

const char *buf_text(const struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}
