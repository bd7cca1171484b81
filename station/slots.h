/* slots.h - the map of USB ports to slots in station.yaml, edited in the text: every other byte stays. */
#ifndef HANDSEL_SLOTS_H
#define HANDSEL_SLOTS_H

#include "buf.h"
#include "err.h"

/* Gives the slot this port: a new entry, or another port for an entry that is there. Code CONFIG: the file cannot be edited in the
 * form that it has, or the port is another slot's. The text is then as it was. */
int slots_put(struct buf *text, const char *file, const char *name, const char *port, struct err *e);

#endif
