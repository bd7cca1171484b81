/* labels.h - the serials on the labels: from a file, or as they are scanned.
 *
 * A line is "PORT SERIAL" or "SLOT SERIAL", for the unit in that place, or "SERIAL" alone, for the one that has it.
 * "#" begins a comment. */
#ifndef HANDSEL_LABELS_H
#define HANDSEL_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "limits.h"

#define LABELS_MAX 100000	/* the largest order of a shift, ten times over */

struct labels;
struct labels *labels_open(const char *path, struct err *e);	/* "-": labels_line() will tell; NULL on failure */
void labels_free(struct labels *l);

/* Adds one line; code CONFIG. */
int labels_line(struct labels *l, const char *line, int number, struct err *e);
bool labels_scanning(struct labels *l);	/* more lines may come */
void labels_end(struct labels *l);	/* no more will: those who wait are answered */

/* Is `serial` what the label of the unit in this place says? Waits for the scanner until the deadline. A label serves
 * one unit. scanned (LIMIT_SERIAL + 1 bytes) becomes the label, or "" if there is none. Code LABEL. */
int labels_check(struct labels *l, const char *slot, const char *port, const char *serial, int64_t deadline,
		 char *scanned, struct err *e);

/* The unit in that slot that waits for its label gets none: labels_check() fails. false: none waits there. */
bool labels_skip(struct labels *l, const char *slot);

/* The unit failed: its label may be used again, here or elsewhere. */
void labels_release(struct labels *l, const char *serial);

#endif
