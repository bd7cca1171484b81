/* pack.h - fields in binary messages: big-endian numbers, length-prefixed strings. Write many, test once; read many, test once. */
#ifndef HANDSEL_PACK_H
#define HANDSEL_PACK_H

#include "buf.h"

void pack_u8(struct buf *b, uint8_t v);
void pack_u32(struct buf *b, uint32_t v);
void pack_u64(struct buf *b, uint64_t v);
void pack_bytes(struct buf *b, const void *data, size_t len);	/* u32 length + bytes */
void pack_str(struct buf *b, const char *text);

struct unpack {
	const uint8_t *p;
	size_t left;
	bool failed;		/* sticks */
};

void unpack_init(struct unpack *u, const void *data, size_t len);
uint8_t unpack_u8(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
void unpack_bytes(struct unpack *u, struct buf *out);			/* replaces *out */
void unpack_fixed(struct unpack *u, void *out, size_t len);		/* a byte string of exactly len */
void unpack_str(struct unpack *u, char *out, size_t size);		/* fails if too long or with a NUL inside */
bool unpack_done(const struct unpack *u);				/* nothing failed and nothing is left over */

#endif
