/* labels.h - the serials on the labels: from a file, or from a scanner at standard input as they come.
 *
 * A line is "PORT SERIAL" or "SLOT SERIAL", for the unit in that place, or "SERIAL" alone, for the one that has it.
 * "#" begins a comment. */
#ifndef HANDSEL_LABELS_H
#define HANDSEL_LABELS_H

#include <stdint.h>

#include "err.h"
#include "limits.h"

#define LABELS_MAX 100000	/* the largest order of a shift, ten times over */

struct labels;
struct labels *labels_open(const char *path, struct err *e);	/* "-": standard input; NULL on failure */
void labels_free(struct labels *l);

/* Adds one line; code CONFIG. */
int labels_line(struct labels *l, const char *line, int number, struct err *e);

/* Is `serial` what the label of the unit in this place says? Waits for the scanner until the deadline. A label serves
 * one unit. scanned (LIMIT_SERIAL + 1 bytes) becomes the label, or "" if there is none. Code LABEL. */
int labels_check(struct labels *l, const char *slot, const char *port, const char *serial, int64_t deadline,
		 char *scanned, struct err *e);

/* The unit failed: its label may be used again, here or elsewhere. */
void labels_release(struct labels *l, const char *serial);

#endif
