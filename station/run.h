/* run.h - one run of the station: the order and what all slots share. */
#ifndef HANDSEL_RUN_H
#define HANDSEL_RUN_H

#include <pthread.h>

#include "bus.h"
#include "console.h"
#include "journal.h"
#include "labels.h"
#include "order_source.h"
#include "profile.h"
#include "records.h"
#include "standing.h"
#include "station.h"

struct unit;

struct run {
	struct station station;
	struct order_source source;
	struct model model;
	struct buf agent;		/* the image */
	struct labels *labels;		/* NULL: no labels to compare */
	struct standing standing;
	struct records *records;
	struct journal *journal;
	struct bus *bus;
	struct console *console;
	int64_t timeout_ms;		/* of one unit, without the time in which the CA was away */
	int64_t ca_wait_ms;		/* how long a unit is held for the CA; 0: until it is back */
	unsigned attempts_max;		/* of a transfer that fails */
	enum link_mode mode;		/* who makes the keys */
	char key_type[16];		/* mode ca; "": the CA's default */
	int wake;			/* eventfd: something for the main thread to look at */

	pthread_mutex_t lock;		/* of what follows */
	struct unit *unit[STATION_SLOTS_MAX];
	char (*passed)[LIMIT_SERIAL + 1];	/* serials */
	size_t n_passed;
	struct totals totals;
};

/* Is it a device of the order's model, as boot loader or as agent? arg is the struct model. */
bool run_wants(const struct usb_place *p, void *model);
bool run_is_agent(const struct usb_place *p, void *model);

bool run_has_passed(struct run *r, const char *serial);

/* Sets the serial of a unit, unless another slot is busy with the same one: then that slot's name is copied, and its unit is told. */
bool run_claim_serial(struct run *r, struct unit *u, const char *serial, char other[LIMIT_NAME + 1]);

#endif
