/* steps.h - what the station does in each phase. */
#ifndef HANDSEL_STEPS_H
#define HANDSEL_STEPS_H

#include "slot.h"

/* -1: the unit cannot go on from here; e->code says whether waiting helps. Sets u->skip if there was nothing to do. */
int unit_step(struct unit *u, enum phase p, struct err *e);

/* Phases of steps_load.c: a device becomes an agent with an open link. */
int step_seen(struct unit *u, struct err *e);
int step_dfu(struct unit *u, struct err *e);
int step_agent(struct unit *u, struct err *e);

/* steps_label.c: the label is on paper before the record says PASS. */
int step_label(struct unit *u, struct err *e);

#endif
