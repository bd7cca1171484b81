/* desk.h - the thread of a run that reads the scanner (or keyboard) and draws the screen. */
#ifndef HANDSEL_DESK_H
#define HANDSEL_DESK_H

#include "run.h"

struct desk;
/* NULL, with a warning, if there is no thread for it: units are worked on, labels come no more. */
struct desk *desk_start(struct run *r);
void desk_stop(struct desk *d);

#endif
