/* ledger.h - the issuance database of a CA system. All SQL of handsel-ca stands in ledger.c and ledger_*.c.
 *
 * Every function works inside the caller's transaction, or reads on a connection of the caller's own; the rules
 * about what may follow what are in rules*.c. Getters return 1 found, 0 not there, -1 error. */
#ifndef HANDSEL_LEDGER_H
#define HANDSEL_LEDGER_H

#include "authority.h"
#include "camsg.h"
#include "db.h"
#include "device.h"
#include "documents.h"
#include "signer.h"

#define UNIT_MAX (CERT_ROLE_MAX + LIMIT_NAME + 2)	/* "station:line-2": who asked, and whose ids these are */

struct db *ledger_open(const char *path, struct err *e);

/* ---- devices ---- */
struct ledger_device {
	int64_t n;			/* 0: not known yet */
	struct device_id id;
	uint32_t generation;		/* the highest that was accepted */
	uint32_t superseded;		/* new ids since the last one that was revoked */
	char order[CA_ID_MAX + 1];	/* whose unit this serial holds; "" = none */
	bool passed;			/* in the factory: it had an active credential, and no rework since */
};
int ledger_device_get(struct db *db, const struct device_id *id, struct ledger_device *d, struct err *e);
int ledger_device_by_n(struct db *db, int64_t n, struct ledger_device *d, struct err *e);
int ledger_device_put(struct db *db, struct ledger_device *d, struct err *e);	/* inserts (and sets n) or updates */
/* The only device with this serial; manufacturer and model narrow it down, "" = any. -1 if several fit. */
int ledger_device_find(struct db *db, const struct device_id *id, struct ledger_device *d, struct err *e);

/* ---- requests ---- */
struct ledger_request {
	int64_t n;
	char unit[UNIT_MAX];
	struct request_id id;
	int64_t device;			/* 0: a tombstone of a device that was never seen */
	enum ca_state state;
	struct buf spki;		/* empty: a tombstone */
	char order[CA_ID_MAX + 1];
	bool took_unit;			/* the order's unit goes back if this never becomes active */
	struct buf cert;		/* DER */
	uint8_t cert_sha256[SHA256_LEN];
	int64_t lapse_at;		/* in seconds of ledger_uptime(), 0 = never */
	char slot[LIMIT_NAME + 1];
	struct buf ticket, endorsement, factory_certificate;	/* written, not read back */
	bool made;			/* the CA made the key: spki is the transport key */
	struct buf encrypted_key;	/* made: what the device gets, the same bytes each time */
	char renews[REQUEST_ID_LEN + 1];	/* of the same unit: takes its place when this is confirmed; "" = none, or done */
};
void ledger_request_free(struct ledger_request *r);	/* zero it before the first get; each get replaces */
int ledger_request_get(struct db *db, const char *unit, const char *id, struct ledger_request *r, struct err *e);
/* That of a device which confirms without naming itself: of whichever unit, with this id and certificate. */
int ledger_request_confirmed(struct db *db, const char *id, const uint8_t certificate[SHA256_LEN], struct ledger_request *r,
			     struct err *e);
/* The certificate that this unit's device may renew: active, or pending, since the node may tell of its activation later, or revoked
 * for nothing but its renewal. */
int ledger_request_renews(struct db *db, const char *unit, const struct device_id *device, const uint8_t certificate[SHA256_LEN],
			  struct ledger_request *r, struct err *e);
/* The one request of a device that is reserved, pending or active; beside it there may be one more, its renewal, which is
 * given when it alone is left. */
int ledger_request_open(struct db *db, int64_t device, struct ledger_request *r, struct err *e);
int ledger_request_renewal(struct db *db, int64_t device, struct ledger_request *r, struct err *e);
int ledger_request_renewed(struct db *db, int64_t n, struct err *e);	/* it has taken the other's place */
/* The last one with this id, of whichever station. */
int ledger_request_of_stations(struct db *db, const char *id, struct ledger_request *r, struct err *e);
/* 1: another node knows this id, and holds its device. */
int ledger_request_elsewhere(struct db *db, const char *unit, const char *id, struct err *e);
int ledger_request_by_serial(struct db *db, const char *hex, struct ledger_request *r, struct err *e);	/* of the certificate */
/* Without a certificate; sets n. */
int ledger_request_add(struct db *db, const char *ca, struct ledger_request *r, int64_t now, struct err *e);
/* Certificate and all; sets n. */
int ledger_request_whole(struct db *db, const char *ca, struct ledger_request *r, const struct cert *cert, const struct cert *issuer,
			 int64_t now, struct err *e);
/* Ticket and slot, or endorsement and factory certificate, of a row that has none. */
int ledger_request_evidence(struct db *db, int64_t n, const struct ledger_request *r, struct err *e);
int ledger_request_state(struct db *db, int64_t n, enum ca_state state, const char *reason, int64_t now, struct err *e);

/* ---- pending time: counted only while a server runs, and once, however many run ---- */
struct ledger_ran {			/* what one of them tells */
	int64_t seconds;		/* it has run so long, */
	int64_t until_ms;		/* until then; this and now by db_shared_ms() */
	int64_t now_ms;			/* read in the transaction */
};
int ledger_uptime(struct db *db, int64_t *seconds, struct err *e);
/* Adds of these seconds what no server has told yet. */
int ledger_uptime_add(struct db *db, const struct ledger_ran *ran, struct err *e);
int ledger_any_pending(struct db *db, struct err *e);		/* with an end of its pending time */
int ledger_lapsed(struct db *db, struct ledger_request *r, struct err *e);	/* one that is over */

/* ---- work orders ---- */
enum order_state { ORDER_OPEN, ORDER_CLOSED, ORDER_COMPROMISED };
const char *order_state_name(enum order_state s);

struct ledger_order {
	char id[CA_ID_MAX + 1];
	enum order_state state;
	uint32_t quota, used;
	uint32_t version;
};
/* cms may be NULL. */
int ledger_order_get(struct db *db, const char *id, struct ledger_order *o, struct buf *cms, struct err *e);
int ledger_order_add(struct db *db, const struct work_order *o, const struct buf *cms, int64_t now, struct err *e);
/* By its extension; the database refuses a quota below what is used. */
int ledger_order_replace(struct db *db, const struct work_order *o, const struct buf *cms, int64_t now, struct err *e);
int ledger_order_take(struct db *db, const char *id, struct err *e);	/* the database refuses one too many */
int ledger_order_give_back(struct db *db, const char *id, struct err *e);
int ledger_order_remove(struct db *db, const char *id, struct err *e);	/* one that nothing was used of */
int ledger_order_close(struct db *db, const char *id, enum order_state state, int64_t now, struct err *e);
/* 1: the unit has pending ones of it. */
int ledger_order_pending(struct db *db, const char *id, const char *unit, struct err *e);
int ledger_order_list(struct db *db, int (*each)(void *arg, const struct ledger_order *o, const struct buf *cms),
		      void *arg, struct err *e);

/* ---- what the signer is told, in the transaction in which it happens (signer_count.h) ---- */
int ledger_signer(struct db *db, uint64_t *position, struct err *e);	/* up to which change of its journal we have them all */
int ledger_signer_set(struct db *db, uint64_t position, struct err *e);
/* The oldest notes that it was not told; *last names them for ledger_notes_told(). */
int ledger_notes(struct db *db, struct sign_note *note, size_t max, size_t *n, int64_t *last, struct err *e);
int ledger_note_waits(struct db *db, const uint8_t certificate[SHA256_LEN], struct err *e);	/* 1: one that it was not told */
int ledger_notes_told(struct db *db, int64_t last, struct err *e);

/* ---- an operator's takeover of a pending request by another station ---- */
int ledger_takeover_put(struct db *db, int64_t request, const char *station, int64_t now, struct err *e);
/* The station that may supersede this request. */
int ledger_takeover_get(struct db *db, int64_t request, char station[LIMIT_NAME + 1], struct err *e);
/* A newer id of the same station: of the one that loses the serial, or of the one that has taken it over. */
int ledger_takeover_move(struct db *db, int64_t from, int64_t to, struct err *e);
int ledger_takeover_use(struct db *db, int64_t request, int64_t by, struct err *e);
/* The same, where what used it was learnt from the signer: if this station may take over the device's request before this one. */
int ledger_takeover_learn(struct db *db, int64_t device, const char *station, int64_t by, struct err *e);
/* The unit that took this request over, and the one that it was taken from; "" = none. */
int ledger_takeover_told(struct db *db, int64_t request, char by[UNIT_MAX], char from[UNIT_MAX], struct err *e);

/* ---- revocations: of devices' or of units' certificates, numbered in the order in which they came ---- */
struct ledger_revocation {
	int64_t n;
	char serial[2 * CERT_SERIAL_MAX + 1];
	char reason[LIMIT_NAME + 1];
	int64_t time, expires;		/* expires: of the certificate; 0 = never */
	char issuer[256];		/* of the certificate, as struct cert has it; "" = it cannot be read */
};
/* Up to max of those after the number `after`; *n of them. */
int ledger_revocations(struct db *db, bool units, int64_t after, struct ledger_revocation *list, size_t max, size_t *n,
		       struct err *e);

/* A device's or a unit's certificate by its number. 1: there, with *der; v->n 0: it is not revoked. */
int ledger_certificate(struct db *db, const char *serial, bool *unit, struct buf *der, struct ledger_revocation *v, struct err *e);

/* ---- what a node asks after a restore ---- */
int ledger_mark_get(struct db *db, const char *unit, char mark[CA_MARK_LEN + 1], struct err *e);
int ledger_mark_put(struct db *db, const char *unit, const char *mark, struct err *e);
struct ledger_row;	/* ledger_list.h */
/* Requests of a unit behind row n, in the order of rows, until each() returns -1. Of the rest of the row: device and reason. */
int ledger_unit_requests(struct db *db, const char *unit, int64_t after,
			 int (*each)(void *arg, const struct ledger_row *row), void *arg, struct err *e);

/* ---- unit certificates, shipments, handoffs ---- */
int ledger_unit_add(struct db *db, const struct cert *cert, int64_t now, struct err *e);
/* 1: done, 0: there is none that is not revoked. */
int ledger_unit_revoke(struct db *db, const char *serial, const char *reason, int64_t now, struct err *e);
int ledger_unit_revoked(struct db *db, const char *serial, struct err *e);	/* 1: this certificate is */
/* 1: all certificates of that unit are revoked. */
int ledger_unit_out(struct db *db, const char *role, const char *name, struct err *e);
int ledger_unit_in(struct db *db, const char *role, const char *name, struct err *e);	/* 1: it has one that is not */
int ledger_unit_known(struct db *db, const char *serial, struct err *e);	/* 1: this certificate stands there */

struct ledger_invitation {
	char operator_name[LIMIT_NAME + 1];
	bool used;
};
int ledger_invitation_add(struct db *db, const struct invitation *v, const struct buf *cms, int64_t now, struct err *e);
int ledger_invitation_get(struct db *db, const uint8_t key[INVITE_KEY], struct ledger_invitation *v, struct buf *cms, struct err *e);
int ledger_invitation_use(struct db *db, const uint8_t key[INVITE_KEY], int64_t now, struct err *e);

int ledger_shipment_next(struct db *db, uint64_t *sequence, struct err *e);
int ledger_shipment_add(struct db *db, const struct manifest *m, const struct buf *cms, struct err *e);
/* 1: the last shipment with this device, and to whom; 0: there is none. */
int ledger_shipped_to(struct db *db, const struct device_id *d, char customer[LIMIT_NAME + 1], uint64_t *sequence, struct err *e);

#endif
