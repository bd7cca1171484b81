/* failed.h - what is left of an order at this station: units whose last attempt was no PASS, and units that were cut. */
#ifndef HANDSEL_FAILED_H
#define HANDSEL_FAILED_H

#include "journal.h"
#include "record_index.h"

struct failed_unit {
	char serial[LIMIT_SERIAL + 1];	/* "-": it never said it; then any device in its slot may be the one */
	char slot[LIMIT_NAME + 1];
	char record[RECORD_ID_LEN + 1];	/* of its last attempt */
	enum outcome outcome;		/* OUTCOME_NONE: it was cut */
	enum phase phase;		/* cut: where */
	int64_t time;			/* UTC: end of the attempt, or the cut */
	struct err error;		/* what was wrong; code OK: nothing that has a code */
};

struct failed {
	struct failed_unit *unit;	/* in the order of their first failures */
	size_t n;
};

/* From DIR's records and the cuts of the journal. What a later PASS has made good is not in it. Free with failed_free(), also
 * after a failure. */
int failed_load(struct failed *f, const char *dir, const char *order, const struct journal *j, struct err *e);
void failed_free(struct failed *f);

/* Is a device with this serial in this slot to be tried again? serial "": it has not said it yet. */
bool failed_wants(const struct failed *f, const char *serial, const char *slot);

#endif
