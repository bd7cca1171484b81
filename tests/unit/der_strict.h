/* der_strict.h - is it DER to the letter (X.690 10, 11)? For what we write: everything is read element by element and written anew, also within
 * OCTET STRINGs that hold an element, and must come out the same. */
#ifndef HANDSEL_TEST_DER_STRICT_H
#define HANDSEL_TEST_DER_STRICT_H

#include <string.h>

#include "der.h"

static inline bool der_strict_content(uint8_t tag, const struct der *c)
{
	switch (tag) {
	case DER_BOOLEAN:	/* a DEFAULT FALSE is left out, so there is only TRUE */
		return c->left == 1 && c->p[0] == 0xff;
	case DER_INTEGER:	/* in as few octets as will do */
		return c->left > 0 && !(c->left > 1 && ((c->p[0] == 0 && !(c->p[1] & 0x80)) || (c->p[0] == 0xff && (c->p[1] & 0x80))));
	case DER_BITS:
		return c->left > 0 && c->p[0] < 8 && !(c->p[0] && (c->left == 1 || c->p[c->left - 1] & ((1u << c->p[0]) - 1)));
	case DER_UTC_TIME:
		return c->left == 13 && c->p[12] == 'Z';
	case DER_TIME:
		return c->left == 15 && c->p[14] == 'Z';
	case DER_NULL:
		return c->left == 0;
	default:
		return true;
	}
}

/* Exactly one element with this tag; 0: any. */
static inline bool der_strict_one(struct der c, uint8_t tag)
{
	return (!tag || der_peek(&c) == tag) && !der_whole(&c).failed && der_done(&c);
}

/* One or more elements, written to out. */
static inline bool der_strict_copy(struct der in, struct buf *out)
{
	while (in.left) {
		uint8_t tag = der_peek(&in);
		struct der c = der_take(&in, tag);
		size_t at = der_begin(out, tag);

		if (c.failed || !der_strict_content(tag, &c))
			return false;
		if (tag & 0x20) {
			if (!der_strict_copy(c, out))
				return false;
		} else if (tag == DER_OCTETS && der_strict_one(c, DER_SEQUENCE)) {
			if (!der_strict_copy(c, out))
				return false;
		} else {
			buf_add(out, c.p, c.left);
		}
		der_end(out, at);
		/* nothing here has a SET OF more than one, which would have to be sorted */
		if (tag == DER_SET && !der_strict_one(c, 0))
			return false;
	}
	return !in.failed;
}

static inline bool der_is_strict(const void *data, size_t len)
{
	struct buf out = {0};
	bool same = der_strict_copy(der_from(data, len), &out) && out.len == len && memcmp(out.data, data, len) == 0;

	buf_free(&out);
	return same;
}

#endif
