/* resume.h - what becomes of units that were cut: said at the start, finished when the device is back, or abandoned by rule. */
#ifndef HANDSEL_RESUME_H
#define HANDSEL_RESUME_H

#include "slot.h"

/* Before the first device: says what was cut where, asks the CA, and abandons what cannot be finished. */
void resume_start(struct run *r);

/* The unit is about to begin this phase: on disk before it does. Phases that leave nothing behind are not journalled. */
int resume_note(const struct unit *u, enum phase p, struct err *e);

/* The device fits: if its unit was cut, this one goes on under that record. */
int resume_unit(struct unit *u, struct err *e);

/* The unit is concluded and its record written (or it needs none). Failures are logged: the next start finds the record. */
void resume_end(struct unit *u);

/* A unit with a PASS on record has failed now: this is another record, by another id. The entry stays for the next try, unless
 * the device has been told. */
void resume_passed(struct unit *u, bool told);

/* Writes an ABORTED record that says why, unless there is one by this id, and takes the entry off the journal. */
int resume_abandon(const struct station *s, struct records *rs, struct journal *j, const struct journal_entry *x, const char *why,
		   struct err *e);

/* What the record of that id says: OUTCOME_NONE if there is none. */
int resume_recorded(const char *dir, const char *id, enum outcome *o, struct err *e);

/* "was cut in phase issue, 2026-11-22T14:02:07Z". */
#define RESUME_WHERE 80
void resume_where(const struct journal_entry *x, char text[RESUME_WHERE]);

#endif
