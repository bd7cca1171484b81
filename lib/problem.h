/* problem.h - what is wrong with a file that a person has written: all of it, each with its place and a key to look it up by. */
#ifndef HANDSEL_PROBLEM_H
#define HANDSEL_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "err.h"

#define PROBLEMS_MAX 1000	/* nobody reads more at a time */

struct problem {
	char *file;
	int line, column;	/* from 1; 0: of the whole file */
	bool error;		/* or a warning */
	const char *key;	/* a constant of who reports it */
	char *text;
};

struct problems {
	struct problem *of;	/* of errors and warnings the first PROBLEMS_MAX each */
	size_t n;
	size_t errors, warnings;	/* all that there are */
};

/* At n; error false: a warning. */
void problem_add(struct problems *all, const struct conf_node *n, bool error, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* An error as conf.h reports it, "file:line:column: what", of that file. */
void problem_from_err(struct problems *all, const char *file, const char *key, const struct err *e);
/* The first error as code CONFIG and "file:line:column: what", and -1; 0 if there is none. */
int problems_first(const struct problems *all, struct err *e);
/* Those behind the first n by their place in the file. */
void problems_sort(struct problems *all, size_t n);
/* "file:line:column: error[KEY]: what". Replaces *out. */
void problem_text(const struct problem *p, struct buf *out);
/* One line each on stdout, or one JSON object. */
void problems_print(const struct problems *all, bool json);
void problems_free(struct problems *all);

#endif
