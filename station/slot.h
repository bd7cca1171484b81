/* slot.h - one thread for each device: the factory transaction as the station drives it. */
#ifndef HANDSEL_SLOT_H
#define HANDSEL_SLOT_H

#include "run.h"
#include "tunnel.h"

struct unit {
	struct run *run;
	struct usb_place place;		/* where it is now; the port never changes */
	struct record record;
	struct link_usb *link;		/* NULL: not open */
	struct tunnel tunnel;
	struct link_result result;
	struct buf ticket;
	int64_t start, deadline;	/* clock_mono_ms() */
	int64_t phase_start;		/* of the phase under way */
	unsigned returns;		/* how often it left and came back */
	unsigned entered;		/* how often it was told to enter DFU mode */
	bool sent_away;			/* it leaves the bus because we told it to, and may take as long as its board */
	unsigned attempts;		/* transfers that failed and were begun again */
	struct request_id requested;	/* under way, also from before a cut; id "": none is known */
	bool has_passed;		/* an earlier run has recorded PASS, and was killed before the device was told */
	size_t root;			/* which of the station's roots it is given: root.h */
	bool renewed;			/* a second ticket was signed after the first was refused */
	bool no_room;			/* the station could not write what stands before or in this step */
	uint8_t labelled[SHA256_LEN];	/* of the public key on the label that is on paper, also from before a cut */
	uint32_t label_given;		/* how often the printer got it, or may have got it before a cut */
	bool skip;			/* the step had nothing to do */
	bool ignore;			/* it has passed in this run: SKIPPED */
	bool left_out;			/* only what failed is tried again, and this did not */
	char serial[LIMIT_SERIAL + 1];	/* under run->lock */
	char twin[LIMIT_NAME + 1];	/* under run->lock: the slot of another device that says the same serial; "": none */
	bool at_printer;		/* under run->lock: waits for it */
	bool no_label;			/* under run->lock: a card has given its label up */
	bool finished;			/* under run->lock */
	pthread_t thread;
};

/* Starts the thread; run->lock is held. The unit belongs to the caller, who joins the thread when `finished` is set, and frees it. */
struct unit *unit_start(struct run *r, const struct usb_place *place, const char *slot, struct err *e);
void unit_free(struct unit *u);		/* joins */
bool unit_label_given_up(struct unit *u);	/* steps_label.c */

#endif
