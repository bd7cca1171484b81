/* text.h - strict conversions between bytes and text. */
#ifndef HANDSEL_TEXT_H
#define HANDSEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define SHA256_LEN 32
#define SHA256_HEX (2 * SHA256_LEN + 1)

/* out needs 2 * len + 1 bytes; lower case. */
void text_hex(char *out, const void *data, size_t len);
/* Exactly 2 * len hex digits, else -1 and *out is untouched. */
int text_unhex(void *out, size_t len, const char *hex);

/* Base64 (RFC 4648 section 4), one line. */
void text_base64(struct buf *out, const void *data, size_t len);
/* White space is allowed anywhere (RFC 7030 clients wrap with LF, CRLF or not at all); anything else is refused. */
int text_unbase64(struct buf *out, const char *text, size_t len);

/* "2026-11-22T14:02:07Z"; out needs 21 bytes. */
#define TEXT_TIME 24
void text_time(char out[TEXT_TIME], int64_t utc);
int text_untime(int64_t *utc, const char *text);

/* Decimal without sign, 0 to max, whole text; -1 otherwise. */
int text_uint(uint64_t *out, const char *text, uint64_t max);

/* Copies into a fixed field; -1 if it does not fit or is empty. */
int text_copy(char *out, size_t size, const char *text);

/* Printable ASCII without leading or trailing blank, 1 to max bytes: names, serials, models. */
bool text_is_name(const char *text, size_t max);

/* [A-Za-z0-9._-]+ not starting with a dot, 1 to max bytes: safe as a file name, in URIs and in YAML. */
bool text_is_token(const char *text, size_t max);

/* An object identifier in dotted decimal: at least two arcs, the first 0 to 2, none with a leading zero. */
bool text_is_oid(const char *text);

/* The entry of the NULL-terminated list nearest to a misspelt word, NULL if none is near. */
const char *text_nearest(const char *word, const char *const *list);

#endif
