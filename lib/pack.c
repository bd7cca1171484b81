#include <config.h>

#include "pack.h"

#include <string.h>

void pack_u8(struct buf *b, uint8_t v)
{
	buf_byte(b, v);
}

void pack_u32(struct buf *b, uint32_t v)
{
	uint8_t p[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	buf_add(b, p, sizeof p);
}

void pack_u64(struct buf *b, uint64_t v)
{
	pack_u32(b, (uint32_t)(v >> 32));
	pack_u32(b, (uint32_t)v);
}

void pack_bytes(struct buf *b, const void *data, size_t len)
{
	if (len > UINT32_MAX) {
		b->failed = true;
		return;
	}
	pack_u32(b, (uint32_t)len);
	buf_add(b, data, len);
}

void pack_str(struct buf *b, const char *text)
{
	pack_bytes(b, text, strlen(text));
}

void unpack_init(struct unpack *u, const void *data, size_t len)
{
	*u = (struct unpack){ .p = data, .left = len };
}

/* The next n bytes, or NULL, and then everything that follows fails, too. */
static const uint8_t *take(struct unpack *u, size_t n)
{
	const uint8_t *p = u->p;

	if (u->failed || n > u->left) {
		u->failed = true;
		return NULL;
	}
	u->p += n;
	u->left -= n;
	return p;
}

uint8_t unpack_u8(struct unpack *u)
{
	const uint8_t *p = take(u, 1);

	return p ? *p : 0;
}

uint32_t unpack_u32(struct unpack *u)
{
	const uint8_t *p = take(u, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

uint64_t unpack_u64(struct unpack *u)
{
	uint64_t high = unpack_u32(u);

	return high << 32 | unpack_u32(u);
}

void unpack_bytes(struct unpack *u, struct buf *out)
{
	size_t n = unpack_u32(u);
	const uint8_t *p = take(u, n);

	buf_clear(out);
	if (!p)
		return;
	buf_add(out, p, n);
	if (out->failed)
		u->failed = true;
}

void unpack_fixed(struct unpack *u, void *out, size_t len)
{
	size_t n = unpack_u32(u);
	const uint8_t *p = n == len ? take(u, n) : NULL;

	if (p)
		memcpy(out, p, len);
	else
		u->failed = true;
}

void unpack_str(struct unpack *u, char *out, size_t size)
{
	size_t n = unpack_u32(u);
	const uint8_t *p = n < size ? take(u, n) : NULL;

	out[0] = 0;
	if (!p || memchr(p, 0, n)) {
		u->failed = true;
		return;
	}
	memcpy(out, p, n);
	out[n] = 0;
}

bool unpack_done(const struct unpack *u)
{
	return !u->failed && u->left == 0;
}
