#include <config.h>

#include "der.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

#define ARC_MAX (~(unsigned __int128)0)	/* of an object identifier: UUIDs (ITU-T X.667) are the largest in use */

/* ---- reading ---- */
struct der der_from(const void *data, size_t len)
{
	return (struct der){ .p = data, .left = len };
}

uint8_t der_peek(const struct der *d)
{
	return d->failed || !d->left ? 0 : d->p[0];
}

static struct der fail(struct der *d)
{
	d->failed = true;
	return (struct der){ .p = d->p, .failed = true };
}

/* Size of the header, 0 if malformed: definite and minimal lengths, low tag numbers only (X.690 10.1). */
static size_t header(const struct der *d, size_t *len)
{
	size_t n, l = 0;

	if (d->failed || d->left < 2 || (d->p[0] & 0x1f) == 0x1f)
		return 0;
	if (d->p[1] < 0x80) {
		*len = d->p[1];
		return *len <= d->left - 2 ? 2 : 0;
	}
	n = d->p[1] & 0x7f;
	if (n == 0 || n > 3 || d->left - 2 < n || d->p[2] == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		l = l << 8 | d->p[2 + i];
	*len = l;
	return l >= 0x80 && l <= d->left - 2 - n ? 2 + n : 0;
}

struct der der_whole(struct der *d)
{
	size_t len, head = header(d, &len);
	struct der whole;

	if (!head)
		return fail(d);
	whole = der_from(d->p, head + len);
	d->p += head + len;
	d->left -= head + len;
	return whole;
}

struct der der_take(struct der *d, uint8_t tag)
{
	size_t len, head = header(d, &len);
	struct der content;

	if (!head || d->p[0] != tag)
		return fail(d);
	content = der_from(d->p + head, len);
	d->p += head + len;
	d->left -= head + len;
	return content;
}

bool der_optional(struct der *d, uint8_t tag, struct der *content)
{
	if (der_peek(d) != tag)
		return false;
	*content = der_take(d, tag);
	return !content->failed;
}

bool der_done(const struct der *d)
{
	return !d->failed && d->left == 0;
}

bool der_is(const struct der *content, const void *bytes, size_t len)
{
	return !content->failed && content->left == len && memcmp(content->p, bytes, len) == 0;
}

static bool decimal(char *out, size_t size, size_t *at, unsigned __int128 v, bool dot)
{
	char digits[40];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + (int)(v % 10));
	while (v /= 10);
	if (*at + n + dot + 1 > size)
		return false;
	if (dot)
		out[(*at)++] = '.';
	while (n)
		out[(*at)++] = digits[--n];
	out[*at] = '\0';
	return true;
}

bool der_oid_text(const struct der *content, char *out, size_t size)
{
	unsigned __int128 arc = 0;
	size_t at = 0;
	bool begun = false;

	if (content->failed || content->left == 0 || (content->p[content->left - 1] & 0x80))
		return false;
	for (size_t i = 0; i < content->left; i++) {
		uint8_t byte = content->p[i];

		if ((!begun && byte == 0x80) || arc >> 121)
			return false;
		begun = true;
		arc = arc << 7 | (byte & 0x7f);
		if (byte & 0x80)
			continue;
		if (at == 0) {
			unsigned first = arc < 40 ? 0 : arc < 80 ? 1 : 2;

			if (!decimal(out, size, &at, first, false))
				return false;
			arc -= 40 * first;
		}
		if (!decimal(out, size, &at, arc, true))
			return false;
		arc = 0;
		begun = false;
	}
	return true;
}

long der_small(struct der *d, long max)
{
	struct der c = der_take(d, DER_INTEGER);
	long v = 0;

	if (c.failed || c.left == 0 || c.left > 4 || (c.p[0] & 0x80) || (c.left > 1 && c.p[0] == 0 && c.p[1] < 0x80)) {
		d->failed = true;
		return -1;
	}
	for (size_t i = 0; i < c.left; i++)
		v = v << 8 | c.p[i];
	if (v > max) {
		d->failed = true;
		return -1;
	}
	return v;
}

bool der_time(struct der *d, int64_t *utc)
{
	bool general = der_peek(d) == DER_TIME;
	struct der c = der_take(d, general ? DER_TIME : DER_UTC_TIME);
	const char *century = "", *s = (const char *)c.p;
	char iso[TEXT_TIME];

	if (c.failed || c.left != (general ? 15 : 13) || s[c.left - 1] != 'Z')
		goto bad;
	for (size_t i = 0; i + 1 < c.left; i++)
		if (s[i] < '0' || s[i] > '9')
			goto bad;
	if (!general)
		century = s[0] < '5' ? "20" : "19";
	snprintf(iso, sizeof iso, "%s%.*s-%.2s-%.2sT%.2s:%.2s:%.2sZ", century, general ? 4 : 2, s, s + c.left - 11,
		 s + c.left - 9, s + c.left - 7, s + c.left - 5, s + c.left - 3);
	if (text_untime(utc, iso) == 0)
		return true;
bad:
	d->failed = true;
	return false;
}

/* ---- writing ---- */
size_t der_begin(struct buf *b, uint8_t tag)
{
	buf_byte(b, tag);
	buf_byte(b, 0);
	return b->len;
}

void der_end(struct buf *b, size_t begin)
{
	size_t len = b->len - begin, extra = len < 0x80 ? 0 : len < 0x100 ? 1 : len < 0x10000 ? 2 : 3;

	if (b->failed || len > 0xffffff) {
		b->failed = true;
		return;
	}
	if (extra) {
		if (!buf_room(b, extra))
			return;
		memmove(b->data + begin + extra, b->data + begin, len);
		b->len += extra;
		b->data[b->len] = 0;
		for (size_t i = 0; i < extra; i++)
			b->data[begin + i] = (uint8_t)(len >> 8 * (extra - 1 - i));
	}
	b->data[begin - 1] = extra ? (uint8_t)(0x80 | extra) : (uint8_t)len;
}

void der_put(struct buf *b, uint8_t tag, const void *content, size_t len)
{
	size_t at = der_begin(b, tag);

	buf_add(b, content, len);
	der_end(b, at);
}

void der_put_text(struct buf *b, uint8_t tag, const char *text)
{
	der_put(b, tag, text, strlen(text));
}

static void put_arc(struct buf *b, unsigned __int128 arc)
{
	uint8_t bytes[19];
	size_t n = 0;

	do
		bytes[n++] = (uint8_t)(arc & 0x7f);
	while (arc >>= 7);
	while (n--)
		buf_byte(b, (uint8_t)(bytes[n] | (n ? 0x80 : 0)));
}

/* One decimal arc without leading zero. */
static bool take_arc(const char **s, unsigned __int128 *arc)
{
	const char *p = *s;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (*arc = 0; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (*arc > (ARC_MAX - digit) / 10)
			return false;
		*arc = *arc * 10 + digit;
	}
	*s = p;
	return true;
}

int der_put_oid(struct buf *b, const char *oid)
{
	size_t start = b->len, at = der_begin(b, DER_OID);
	unsigned __int128 first, arc;

	if (!take_arc(&oid, &first) || first > 2 || *oid++ != '.' || !take_arc(&oid, &arc) || (first < 2 && arc > 39) ||
	    arc > ARC_MAX - 80)
		goto bad;
	put_arc(b, 40 * first + arc);
	while (*oid) {
		if (*oid++ != '.' || !take_arc(&oid, &arc))
			goto bad;
		put_arc(b, arc);
	}
	der_end(b, at);
	return 0;
bad:
	if (!b->failed)
		b->len = start;
	return -1;
}

void der_put_time(struct buf *b, int64_t utc)
{
	char iso[TEXT_TIME], digits[16];
	size_t n = 0;
	bool general;

	text_time(iso, utc);
	for (const char *p = iso; *p && n < 14; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	digits[n++] = 'Z';
	general = strncmp(iso, "2050", 4) >= 0 || strncmp(iso, "1950", 4) < 0;
	der_put(b, general ? DER_TIME : DER_UTC_TIME, digits + (general ? 0 : 2), n - (general ? 0 : 2));
}

void der_put_bits(struct buf *b, const void *bytes, size_t len)
{
	size_t at = der_begin(b, DER_BITS);

	buf_byte(b, 0);
	buf_add(b, bytes, len);
	der_end(b, at);
}
