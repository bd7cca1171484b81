/* run.h - one run of the station: the order and what all slots share. */
#ifndef HANDSEL_RUN_H
#define HANDSEL_RUN_H

#include <pthread.h>

#include "bus.h"
#include "console.h"
#include "failed.h"
#include "journal.h"
#include "labels.h"
#include "order_source.h"
#include "printer.h"
#include "profile.h"
#include "records.h"
#include "scan.h"
#include "spool.h"
#include "standing.h"
#include "station.h"

struct unit;

#define RUN_ASKS_MAX 16		/* cards that wait for the main thread, which looks at once */

struct run {
	struct station station;
	struct order_source source;
	struct model model;
	struct buf agent;		/* the image */
	struct labels *labels;		/* NULL: no labels to compare */
	struct standing standing;
	struct records *records;
	struct journal *journal;
	bool failed_only;		/* --failed: these, as they were when the run began */
	struct failed failed;
	struct sender *sender;		/* NULL: no MES */
	struct printer *printer;	/* NULL: no labels are printed */
	struct bus *bus;
	struct console *console;
	int64_t timeout_ms;		/* of one unit, without the time in which the CA was away */
	int64_t ca_wait_ms;		/* how long a unit is held for the CA; 0: until it is back */
	unsigned attempts_max;		/* of a transfer that fails */
	enum link_mode mode;		/* who makes the keys */
	char key_type[16];		/* mode ca; "": the CA's default */
	bool client_here;		/* the CA-client is the station's, for devices that have none (H6) */
	int wake;			/* eventfd: something for the main thread to look at */

	pthread_mutex_t lock;		/* of what follows */
	struct unit *unit[STATION_SLOTS_MAX];
	char (*passed)[LIMIT_SERIAL + 1];	/* serials */
	size_t n_passed;
	struct totals totals;
	char operator[LIMIT_NAME + 1];		/* "": nobody is logged in */
	int64_t active;				/* clock_mono_ms() when a unit came or ended last */
	struct run_ask {
		enum scan_kind kind;		/* SCAN_RETRY, SCAN_SKIP */
		char slot[LIMIT_NAME + 1];
	} ask[RUN_ASKS_MAX];
	size_t n_asks;
};

/* Is it a device of the order's model, as boot loader or as agent? arg is the struct model. */
bool run_wants(const struct usb_place *p, void *model);
bool run_is_agent(const struct usb_place *p, void *model);

/* A command card for the main thread. More than RUN_ASKS_MAX at once are dropped. */
void run_ask(struct run *r, enum scan_kind kind, const char *slot);

bool run_has_passed(struct run *r, const char *serial);

/* Sets the serial of a unit, unless another slot is busy with the same one: then that slot's name is copied, and its unit is told. */
bool run_claim_serial(struct run *r, struct unit *u, const char *serial, char other[LIMIT_NAME + 1]);

#endif
