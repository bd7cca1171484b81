#include <config.h>

#include "mem.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEEP_BYTES (4 << 20)	/* a thread: a few messages of the largest size */

_Noreturn void mem_out(void)
{
	static const char text[] = "handsel: out of memory; nothing that was answered is lost\n";

	fputs(text, stderr);
	abort();
}

void *mem_new(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		mem_out();
	return p;
}

void *mem_grow(void *old, size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / size)
		mem_out();
	p = realloc(old, n > 0 && size > 0 ? n * size : 1);
	if (!p)
		mem_out();
	return p;
}

char *mem_str(const char *text)
{
	char *p = strdup(text);

	if (!p)
		mem_out();
	return p;
}

char *mem_fmt(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		mem_out();
	return p;
}

void mem_keep(void)
{
	mallopt(M_TOP_PAD, KEEP_BYTES / 4);
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
}

void mem_wipe(void *data, size_t len)
{
	if (data)
		explicit_bzero(data, len);
}

int mem_same(const void *a, const void *b, size_t len)
{
	const unsigned char *x = a, *y = b;
	unsigned diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

void mem_random(void *out, size_t len)
{
	unsigned char *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort();	/* no randomness: no key may be made */
		p += n;
		len -= (size_t)n;
	}
}
