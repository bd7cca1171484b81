#include <config.h>

#include "pem.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

int pem_next(const char **at, const char *label, struct buf *der)
{
	char begin[64], end[64];
	const char *start, *stop;

	snprintf(begin, sizeof begin, "-----BEGIN %s-----", label);
	snprintf(end, sizeof end, "-----END %s-----", label);
	start = strstr(*at, begin);
	if (!start)
		return 0;
	start += strlen(begin);
	stop = strstr(start, end);
	if (!stop)
		return -1;
	*at = stop + strlen(end);
	buf_clear(der);
	return text_unbase64(der, start, (size_t)(stop - start)) < 0 || der->len == 0 ? -1 : 1;
}

void pem_put(struct buf *pem, const char *label, const struct buf *der)
{
	struct buf text = {0};

	text_base64(&text, der->data, der->len);
	buf_fmt(pem, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < text.len; i += 64) {
		buf_add(pem, text.data + i, text.len - i < 64 ? text.len - i : 64);
		buf_byte(pem, '\n');
	}
	buf_fmt(pem, "-----END %s-----\n", label);
	buf_free(&text);
}
