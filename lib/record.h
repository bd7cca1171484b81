/* record.h - one JSON file for each attempt at a unit: what was done, how long it took, what came of it. */
#ifndef HANDSEL_RECORD_H
#define HANDSEL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "camsg.h"
#include "device.h"
#include "devmsg.h"
#include "err.h"
#include "phase.h"
#include "text.h"

#define RECORD_SCHEMA 1
#define RECORD_ID_LEN 32
#define RECORD_PORT_MAX 32		/* "bus-port.port...": a bus and at most seven hubs */
#define RECORD_TEXT_MAX 128		/* a string descriptor holds at most 126 characters */

enum outcome {
	OUTCOME_NONE,
	OUTCOME_PASS,
	OUTCOME_FAIL,		/* the unit is bad, or is not what it should be */
	OUTCOME_ERROR,		/* station, order or CA: says nothing of the unit */
	OUTCOME_TIMEOUT,	/* the unit's time was over */
	OUTCOME_ABORTED,	/* by the technician */
	OUTCOME_SKIPPED,	/* it had passed in this run */
	OUTCOMES
};
const char *outcome_name(enum outcome o);
enum outcome outcome_parse(const char *name);	/* OUTCOME_NONE if unknown */
bool outcome_has_reason(enum outcome o);	/* FAIL, ERROR, TIMEOUT: there is a code */
/* What a failure in that phase means. late: the unit's time is over; theirs: the device itself reported the code. */
enum outcome outcome_of(enum phase p, enum reason code, bool late, bool theirs);

enum phase_outcome { PHASE_NOT_RUN, PHASE_DONE, PHASE_SKIPPED, PHASE_FAILED };

struct record_phase {
	enum phase phase;
	enum phase_outcome outcome;
	int64_t ms;
	char detail[200];
};

struct record {
	char id[RECORD_ID_LEN + 1];
	char station[LIMIT_NAME + 1], slot[LIMIT_NAME + 1], port[RECORD_PORT_MAX], order[CA_ID_MAX + 1];
	char operator[LIMIT_NAME + 1];		/* who was logged in when it began; "" for nobody */
	int64_t start, end;			/* UTC */
	char boot_serial[RECORD_TEXT_MAX];		/* what the boot loader calls itself; "" if it has no name */
	char scanned[LIMIT_SERIAL + 1];		/* the label; "" without labels */
	struct link_hello hello;		/* device serial "" as long as it has not said it */
	struct link_ready ready;
	char taken_by[LIMIT_NAME + 1], taken_from[LIMIT_NAME + 1];	/* by an operator's takeover: the other station */
	struct audit_head audit;		/* of the CA's audit when it was asked for the state; at.n 0: none */
	uint32_t cuts;				/* how often its station was killed meanwhile; 0: never */
	enum phase cut_phase;			/* where the last time, and when (UTC) */
	int64_t cut_time;
	uint8_t certificate[SHA256_LEN];
	uint8_t salt[SHA256_LEN];		/* drawn for each challenge; zeros as long as there was none */
	struct link_challenge challenge;
	struct link_proof proof;		/* certificate empty as long as there is none */
	struct record_phase *phase;		/* those that ran, in the order of running */
	size_t n_phases;
	enum outcome outcome;
	struct err error;			/* FAIL, ERROR, TIMEOUT: why */
	uint8_t previous[SHA256_LEN];		/* SHA-256 of the index line before: see record_index.h */
};

void record_start(struct record *r, const char *station, const char *slot, const char *port, const char *order);
struct record_phase *record_phase_add(struct record *r, enum phase p);
void record_renew_id(struct record *r);		/* for what must not take the place of a record that is there */
enum phase phase_parse(const char *name);	/* PHASES if unknown */

/* Phases that never ran are in it as "not-run". free() it. */
char *record_json(const struct record *r);

/* The nonce with which the station challenges the device (doc/protocol-record.md R3): it covers all that is known of the
 * unit by then, so that the device's signature does, too. */
void record_nonce(const struct record *r, uint8_t nonce[SHA256_LEN]);

/* Parses what record_json() wrote; names that are not known are skipped. *r is to be freed, also after a failure. nonce is what
 * record_nonce() gives for these very bytes. Code REQUEST. */
int record_read(struct record *r, uint8_t nonce[SHA256_LEN], const void *data, size_t len, struct err *e);

/* The name under which people look for the unit: of the device, the boot loader or the label; "-" if none is a token. */
const char *record_serial(const struct record *r);

/* {"v":1,"type":"record","record":{...}} on one line of standard output, of a record that record_read() took. */
void record_print(const struct buf *json);

/* Has its device proved its key, so far as the phases say? */
bool record_is_proven(const struct record *r);

bool record_id_valid(const char *id);
void record_free(struct record *r);

#endif
