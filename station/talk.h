/* talk.h - frames between the station and the agent of a unit; the tunnel and the agent's log lines are served while it waits. */
#ifndef HANDSEL_TALK_H
#define HANDSEL_TALK_H

#include "slot.h"

int talk_send(struct unit *u, enum link_type type, const struct buf *payload, struct err *e);	/* NULL: an empty one */

/* The next frame that is not of the tunnel or a log line. Code AGENT after the deadline, INTERNAL when the station stops. */
int talk_hear(struct unit *u, struct link_frame *f, int64_t deadline, struct err *e);

/* Waits for a frame of that type. A result that says no comes in place of any answer. */
int talk_expect(struct unit *u, enum link_type type, struct link_frame *f, int64_t deadline, struct err *e);

/* What a frame says that is not the wanted one: its result's reason, or AGENT. Always -1. */
int talk_refused(const struct link_frame *f, const char *wanted, struct err *e);

/* Ends tunnel and link, if they are open. */
void talk_end(struct unit *u);

#endif
