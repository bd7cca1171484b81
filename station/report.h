/* report.h - records as CSV (RFC 4180) and JUnit XML, one at a time; shifts; first-pass yield. */
#ifndef HANDSEL_REPORT_H
#define HANDSEL_REPORT_H

#include "counters.h"
#include "records.h"

/* All append to *out. */
void report_csv_head(struct buf *out);
void report_csv(struct buf *out, const struct record *r);

/* n: records by outcome. PASS is a test case, FAIL a failure, ERROR and TIMEOUT an error, ABORTED and SKIPPED skipped. */
void report_junit_head(struct buf *out, const unsigned n[OUTCOMES]);
void report_junit(struct buf *out, const struct record *r);
void report_junit_end(struct buf *out);

/* "FROM..TO", each HH:MM of the local clock, the last such time that has begun by now, or UTC as 2026-11-22T06:00:00Z; the end does
 * not belong to it. Code CONFIG. */
int report_shift(const char *text, int64_t now, int64_t *from, int64_t *to, struct err *e);

/* First-pass yield, as counters.h has it: of the units that were judged (PASS, FAIL), those that passed at their first try. A unit
 * is a serial; one that failed before it said its serial counts as a unit of its own. */
struct yield {
	struct yield_try *tries;
	size_t n;
};
/* A line of the index, in its order. wanted: it belongs to what is reported; tries before that are given, too. */
void yield_add(struct yield *y, const struct index_entry *en, bool wanted);
struct count yield_count(struct yield *y);	/* pass: at the first try; fail: all others. Frees what is in *y */

#endif
