/* record.h - one JSON file for each attempt at a unit: what was done, how long it took, what came of it. */
#ifndef HANDSEL_RECORD_H
#define HANDSEL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "camsg.h"
#include "device.h"
#include "devmsg.h"
#include "err.h"
#include "phase.h"
#include "text.h"
#include "usb.h"

#define RECORD_SCHEMA 1
#define RECORD_ID_LEN 32

enum outcome { OUTCOME_NONE, OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_ABORTED };
const char *outcome_name(enum outcome o);

enum phase_outcome { PHASE_NOT_RUN, PHASE_DONE, PHASE_SKIPPED, PHASE_FAILED };

struct record_phase {
	enum phase phase;
	enum phase_outcome outcome;
	int64_t ms;
	char detail[200];
};

struct record {
	char id[RECORD_ID_LEN + 1];
	char station[LIMIT_NAME + 1], slot[LIMIT_NAME + 1], port[USB_PORT_MAX], order[CA_ID_MAX + 1];
	int64_t start, end;			/* UTC */
	char boot_serial[USB_TEXT_MAX];		/* what the boot loader calls itself; "" if it has no name */
	char scanned[LIMIT_SERIAL + 1];		/* the label; "" without labels */
	struct link_hello hello;		/* device serial "" as long as it has not said it */
	struct link_ready ready;
	char taken_by[LIMIT_NAME + 1], taken_from[LIMIT_NAME + 1];	/* by an operator's takeover: the other station */
	uint8_t certificate[SHA256_LEN];
	struct link_challenge challenge;
	struct link_proof proof;		/* certificate empty as long as there is none */
	struct record_phase *phase;		/* those that ran, in the order of running */
	size_t n_phases;
	enum outcome outcome;
	struct err error;			/* FAIL: why */
};

void record_start(struct record *r, const char *station, const char *slot, const char *port, const char *order);
struct record_phase *record_phase_add(struct record *r, enum phase p);

/* Writes DIR/records/ID.json; phases that never ran are in it as "not-run". */
int record_write(const struct record *r, const char *dir, struct err *e);
char *record_json(const struct record *r);	/* free() it */
void record_free(struct record *r);

#endif
