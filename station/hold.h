/* hold.h - units wait in their slots, with their devices, for what is not their fault: a CA that is away, a full disk. */
#ifndef HANDSEL_HOLD_H
#define HANDSEL_HOLD_H

#include "slot.h"

bool hold_is_away(const struct err *e);		/* is it the CA that is missing, or the token of the station's key? */

/* Waits until the CA answers the station. -1: the station stops, --ca-wait or the unit's own time is over. */
int hold_for_ca(struct unit *u, const struct err *e);

/* Waits until the station's disk has room; e is what could not be written. -1: the station stops, or there is room all the time and the
 * unit's own time is over. Any time without room is not the unit's. */
int hold_for_room(struct unit *u, const struct err *e);

/* Is there room for the journal and the records of what the slots may hold? Code STORAGE. */
int hold_room(const char *dir, struct err *e);

#endif
