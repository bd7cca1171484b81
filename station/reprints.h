/* reprints.h - DIR/reprints: who had which label printed again, and why. It only grows.
 *
 * A line: the SHA-256 of the line before (zeros in the first), UTC, "asked" or "printed", record, serial, operator, reason.
 * "asked" is on the disk before the printer gets the label: no label comes out that is not here. */
#ifndef HANDSEL_REPRINTS_H
#define HANDSEL_REPRINTS_H

#include "record.h"
#include "who.h"

#define REPRINT_FILE_MAX (16u << 20)	/* some 50,000 of them: a station that does that is misused */

struct reprint {
	uint8_t previous[SHA256_LEN];
	int64_t time;
	bool printed;
	char record[RECORD_ID_LEN + 1], serial[LIMIT_SERIAL + 1], operator[LIMIT_NAME + 1], reason[WHO_REASON_MAX + 1];
};

/* Appends; previous and time are set here. A last line that a cut left half written is removed. Code STORAGE. */
int reprints_add(const char *dir, struct reprint *r, struct err *e);

/* Each line in order; follows: its hash of the line before is right. Codes STORAGE, REQUEST (a line that is none). */
int reprints_each(const char *dir, void (*visit)(void *arg, const struct reprint *r, bool follows), void *arg, struct err *e);

#endif
