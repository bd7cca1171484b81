#include <config.h>

#include "text.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void text_hex(char *out, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = 0;
}

#define NO_NIBBLE 16u

static unsigned nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A' + 10);
	return NO_NIBBLE;
}

int text_unhex(void *out, size_t len, const char *hex)
{
	uint8_t *p = out;

	if (strlen(hex) != 2 * len)
		return -1;
	for (size_t i = 0; i < 2 * len; i++)
		if (nibble(hex[i]) == NO_NIBBLE)
			return -1;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return 0;
}

void text_base64(struct buf *out, const void *data, size_t len)
{
	size_t n = BASE64_ENCODE_RAW_LENGTH(len);
	char *p = (char *)buf_room(out, n);

	if (!p)
		return;
	base64_encode_raw(p, len, data);
	out->len += n;
	out->data[out->len] = 0;
}

int text_unbase64(struct buf *out, const char *text, size_t len)
{
	struct base64_decode_ctx ctx;
	size_t n = BASE64_DECODE_LENGTH(len);
	uint8_t *p = buf_room(out, n);

	if (!p)
		return -1;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, p, len, text) || !base64_decode_final(&ctx))
		return -1;
	out->len += n;
	out->data[out->len] = 0;
	return 0;
}

void text_time(char out[TEXT_TIME], int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, TEXT_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, TEXT_TIME, "invalid");
}

int text_untime(int64_t *utc, const char *text)
{
	struct tm tm = {0};
	char again[TEXT_TIME];
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	int64_t t;

	if (!end || *end)
		return -1;
	t = (int64_t)timegm(&tm);
	text_time(again, t);
	if (strcmp(again, text) != 0)	/* 31 February, missing zeros */
		return -1;
	*utc = t;
	return 0;
}

int text_uint(uint64_t *out, const char *text, uint64_t max)
{
	uint64_t value = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return -1;
		value = value * 10 + digit;
		if (value > max)
			return -1;
	}
	*out = value;
	return 0;
}

int text_copy(char *out, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n >= size)
		return -1;
	memcpy(out, text, n + 1);
	return 0;
}

bool text_is_name(const char *text, size_t max)
{
	size_t n = strlen(text);

	if (n == 0 || n > max || text[0] == ' ' || text[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

bool text_is_token(const char *text, size_t max)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(text);

	return n > 0 && n <= max && text[0] != '.' && strspn(text, allowed) == n;
}

bool text_is_oid(const char *text)
{
	if (text[0] < '0' || text[0] > '2' || text[1] != '.')
		return false;
	for (text++; *text == '.'; text += strspn(text, "0123456789")) {
		text++;
		if (strspn(text, "0123456789") == 0 || (text[0] == '0' && text[1] != '.' && text[1]))
			return false;
	}
	return !*text;
}

/* Levenshtein distance, cut at 32 characters. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[33], n = (unsigned)strnlen(b, 32);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; i <= 32 && a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned cost = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			row[j] = cost;
		}
	}
	return row[n];
}

const char *text_nearest(const char *word, const char *const *list)
{
	const char *best = NULL;
	unsigned least = 3;	/* farther than two edits is another word */

	for (; *list; list++) {
		unsigned d = distance(word, *list);

		if (d < least && d < strlen(*list)) {
			least = d;
			best = *list;
		}
	}
	return best;
}
