/* duplicate.h - a serial that was issued before: what this station's own records say of the first time. */
#ifndef HANDSEL_DUPLICATE_H
#define HANDSEL_DUPLICATE_H

#include "err.h"

/* Puts date, station, slot, operator and record of the last PASS of this serial in this order behind the sentence in e; nothing if there
 * is none, as it may have passed at another station. */
void duplicate_tell(const char *dir, const char *order, const char *serial, struct err *e);

#endif
