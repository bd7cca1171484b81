/* der.h - DER (X.690): a strict reader and a writer for the structures that we make and judge ourselves.
 *
 * GnuTLS keeps the arithmetic, TLS and CMS. Certificates and requests are read here, because libtasn1 cuts object
 * identifiers with an arc of 2^63 or more in silence, and because one walk over the bytes costs less than one getter. */
#ifndef HANDSEL_DER_H
#define HANDSEL_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum {
	DER_BOOLEAN = 0x01, DER_INTEGER = 0x02, DER_BITS = 0x03, DER_OCTETS = 0x04, DER_NULL = 0x05, DER_OID = 0x06,
	DER_UTF8 = 0x0c, DER_PRINTABLE = 0x13, DER_IA5 = 0x16, DER_UTC_TIME = 0x17, DER_TIME = 0x18,
	DER_SEQUENCE = 0x30, DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0xa0 | (n))		/* constructed */
#define DER_CONTEXT_PRIMITIVE(n) (0x80 | (n))

/* ---- reading: a cursor over bytes that it does not own ---- */
struct der {
	const uint8_t *p;
	size_t left;
	bool failed;		/* sticks; whatever is taken from a failed one is empty and failed, too */
};

struct der der_from(const void *data, size_t len);
uint8_t der_peek(const struct der *d);		/* the next tag, 0 at the end */

/* The next element must have this tag; the cursor over its content. */
struct der der_take(struct der *d, uint8_t tag);
/* True and taken if the next element has this tag. */
bool der_optional(struct der *d, uint8_t tag, struct der *content);
/* Any element, with its header: the cursor over all of it. */
struct der der_whole(struct der *d);
bool der_done(const struct der *d);		/* nothing failed, nothing is left */

/* Content of an OID as "1.2.840..."; false if malformed, too long for out, or with an arc of more than 128 bits. */
bool der_oid_text(const struct der *content, char *out, size_t size);
bool der_is(const struct der *content, const void *bytes, size_t len);

/* A small non-negative INTEGER up to max; -1 otherwise. */
long der_small(struct der *d, long max);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 restricts them. */
bool der_time(struct der *d, int64_t *utc);

/* ---- writing: append to a buffer ---- */
size_t der_begin(struct buf *b, uint8_t tag);		/* returns what der_end() needs */
void der_end(struct buf *b, size_t begin);
void der_put(struct buf *b, uint8_t tag, const void *content, size_t len);
void der_put_text(struct buf *b, uint8_t tag, const char *text);
int der_put_oid(struct buf *b, const char *oid);		/* -1 if oid is none */
void der_put_time(struct buf *b, int64_t utc);		/* UTCTime up to 2049, GeneralizedTime after (RFC 5280 4.1.2.5) */
void der_put_bits(struct buf *b, const void *bytes, size_t len);	/* BIT STRING without unused bits */

#endif
