/* rules.h - the rules of each request (doc/transactions.md), inside the writer's transaction.
 *
 * A refusal is an answer, changes nothing but the audit, and does not burn the id: each function decides first and
 * writes then. -1 is a failure of the database alone; what was written must then be undone by the caller. */
#ifndef HANDSEL_CA_RULES_H
#define HANDSEL_CA_RULES_H

#include "authority.h"
#include "camsg.h"
#include "ledger.h"

struct rules {
	enum site site;
	const char *ca;			/* its id in the protocol */
	const struct cert *issuing;
	const struct cert *older;	/* issuing CA of the generation before; NULL: none */
	const struct cert *cross;	/* the root in force by the one before; NULL: there was none */
	int64_t pending_s;		/* 0: nothing lapses here */
	int64_t now;
};

struct issue {
	struct device_id device;	/* of the ticket, or as the node says: never of the CSR */
	struct request_id id;
	const struct buf *spki;		/* of the new key, or the transport key */
	bool made;			/* the CA makes the key */
	const struct buf *ticket_cms;	/* factory only, likewise the next two */
	const struct ticket *ticket;
	const struct work_order *order;	/* NULL: there is none of that id */
	const struct ca_endorsement *endorsement;	/* verified; NULL: none */
	bool include_ca;
	const char *renews;		/* customer: the id of the same unit that this one will take the place of; "" = none */
};

/* A unit is taken, what stood open is superseded, and the row is still to be written: once, when its certificate is there. */
struct reservation {
	struct ledger_request r;
	int64_t open;			/* the row that is superseded; 0: none */
	bool takeover;			/* from another station */
};
void reservation_free(struct reservation *v);

/* 1: *v is reserved, have it signed and call request_signed() in the same transaction; 0: answered. Until then no other request of this
 * device, and none of this id, may be decided: the ledger does not know of it yet. */
int request_issue(struct db *db, const struct rules *ru, const char *unit, const struct issue *is, struct ca_answer *a,
		  struct reservation *v, struct err *e);
int request_signed(struct db *db, const struct rules *ru, const char *unit, const struct issue *is, struct reservation *v,
		   const struct buf *der, const struct buf *encrypted_key, struct ca_answer *a, struct err *e);

/* unit NULL: a device whose signature was verified with the key of that certificate. */
int request_confirm(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq,
		    struct ca_answer *a, struct err *e);
int request_revoke(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq,
		   struct ca_answer *a, struct err *e);
int request_status(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq, struct ca_answer *a,
		   struct err *e);

/* What the ledger has of the unit's own ids, a page at a time. */
int request_recover(struct db *db, const char *unit, const struct ca_request *rq, struct ca_answer *a, struct err *e);

/* The order's CMS for a station that it names. */
int request_work_order(struct db *db, const char *unit, const struct ca_request *rq, const struct work_order *order,
		       struct ca_answer *a, struct err *e);

/* A refusal decided before the transaction: the audit's row. */
int request_refused(struct db *db, int64_t now, const char *unit, const struct ca_request *rq,
		    const struct ca_answer *a, struct err *e);

/* Revokes what stayed pending too long after this server has run some more; *count of them. */
int request_lapse(struct db *db, int64_t now, const struct ledger_ran *ran, int *count, struct err *e);

/* The operator gives a serial that another station has pending to `station`: the next new id of that one supersedes it.
 * 1 done, or done before; *from: the station that has it; 0: nothing is pending, or it has it already, see e. */
int request_takeover(struct db *db, int64_t now, const char *actor, const struct ledger_device *d, const char *station,
		     const char *reason, char from[UNIT_MAX], struct err *e);

/* The operator has a serial that was active issued again, once: revokes first. 1 done, 0: there was nothing active, see e. */
int request_rework(struct db *db, int64_t now, const char *actor, struct ledger_device *d, const char *reason,
		   struct err *e);

/* The operator's revocation of what a device has now; a pending one gives its unit back. 1 done, 0 nothing was open. */
int request_revoke_open(struct db *db, int64_t now, const char *actor, struct ledger_device *d, const char *reason,
			struct err *e);
/* The same by the certificate's number, as a person has it; also of a unit's. */
int request_revoke_certificate(struct db *db, int64_t now, const char *actor, const char *given, const char *reason, struct err *e);

#endif
