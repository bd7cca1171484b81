/* err.h - why something failed: a reason code and one sentence.
 *
 * Library functions return 0 or -1, fill the caller's struct err and stay silent; the caller
 * who knows the subject logs once. The sentence reads "subject: clause: what is wrong; what to do". */
#ifndef HANDSEL_ERR_H
#define HANDSEL_ERR_H

#include "reason.h"

struct err {
	enum reason code;
	char text[600];
};

/* Always -1, so that `return err_set(...)` reads well. e may not be NULL. */
int err_set(struct err *e, enum reason code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with ": " and strerror(errno) behind it. ENOSPC, EROFS and EDQUOT become REASON_STORAGE. */
int err_errno(struct err *e, enum reason code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the sentence that is there; -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Static analysis sees one file at a time: it shall not follow these as if they might return 0. */
#ifdef __clang_analyzer__
#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_errno(...) (err_errno(__VA_ARGS__), -1)
#define err_prefix(...) (err_prefix(__VA_ARGS__), -1)
#endif

#endif
