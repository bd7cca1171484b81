/* mem.h - allocation that cannot fail, and memory that is wiped.
 *
 * Out of memory ends the process, here and nowhere else: state that matters is in
 * a transaction, so dying anywhere is safe, and hundreds of untested branches go. */
#ifndef HANDSEL_MEM_H
#define HANDSEL_MEM_H

#include <stddef.h>

/* Zeroed memory; n * size is checked for overflow. Free with free(). */
void *mem_new(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_grow(void *old, size_t n, size_t size) __attribute__((returns_nonnull));
char *mem_str(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2), malloc, returns_nonnull));

/* Says so and ends the process: for a library's own "no memory", in its one wrapper file. */
_Noreturn void mem_out(void);

/* For a server: freed memory, up to a few megabytes a thread, is kept for the next request instead of going back to the system
 * and coming again page by page. */
void mem_keep(void);

/* Overwrites with zeros; the compiler may not drop it. NULL is fine. */
void mem_wipe(void *data, size_t len);

/* 1 if the len bytes are equal, 0 if not, in a time that does not depend on them. */
int mem_same(const void *a, const void *b, size_t len);

/* len random bytes of cryptographic quality (getrandom). */
void mem_random(void *out, size_t len);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
