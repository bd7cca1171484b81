/* store.h - the authorization database of a node. All SQL of handsel-node stands in store.c and store_*.c.
 *
 * Every function works inside the caller's transaction, or reads on a connection of the caller's own; what may follow what is
 * in rules.c. Getters return 1 found, 0 not there, -1 error. */
#ifndef HANDSEL_NODE_STORE_H
#define HANDSEL_NODE_STORE_H

#include "db.h"
#include "device.h"
#include "documents.h"
#include "text.h"

struct db *store_open(const char *path, struct err *e);

/* ---- devices that asked, or that an admin acted on ---- */
#define REFUSED_TEXT 400
#define REMOTE_TEXT 64

struct node_device {
	int64_t n;				/* 0: not in the database yet */
	struct device_id id;
	uint32_t highest;			/* generation; 0: none was accepted yet */
	char active[REQUEST_ID_LEN + 1];	/* request that is onboarded; "" = none */
	char pending[REQUEST_ID_LEN + 1];	/* request that is bound or certified; "" = none */
	bool blocked;				/* by `devices block`; the allowlist can block, too */
	int64_t seen, onboarded;		/* last contact, last activation; 0 = never */
	int64_t used;				/* last use of the active customer credential */
	int64_t asked_again;			/* last refusal as already onboarded */
	int64_t refused_at;
	enum reason refused;
	char refused_text[REFUSED_TEXT];
	int64_t refusals;
	char remote[REMOTE_TEXT];		/* where it was seen last */
};
int store_device_get(struct db *db, const struct device_id *id, struct node_device *d, struct err *e);
int store_device_by_n(struct db *db, int64_t n, struct node_device *d, struct err *e);
int store_device_put(struct db *db, struct node_device *d, struct err *e);	/* inserts (and sets n) or updates */

/* ---- request ids: never forgotten, so that a dead one stays dead ---- */
enum node_state {
	NODE_BOUND,		/* reserved: the CA may be asked */
	NODE_CERTIFIED,		/* the certificate is here, the device has not confirmed */
	NODE_ACTIVE,
	NODE_SUPERSEDED,	/* was active until its renewal: good only for repeating that, until the new one is seen at work */
	NODE_DEAD,		/* for ever */
};
const char *node_state_name(enum node_state s);

struct node_request {
	struct request_id id;
	int64_t device;
	enum node_state state;
	bool plain;				/* made from the key, of a client without our ids */
	bool made;				/* the CA made the key: spki is the transport key */
	struct buf encrypted_key;		/* made: what the device gets with the certificate */
	struct buf spki;
	struct buf certificate;			/* DER; empty until certified */
	uint8_t sha256[SHA256_LEN];		/* of it */
	char cause[32];				/* why dead */
	char renews[REQUEST_ID_LEN + 1];	/* id of the credential whose place this one takes; "" = none */
	bool held;				/* it may have been confirmed to a database that was lost, and does not lapse */
};
void node_request_free(struct node_request *r);	/* zero it before the first get; each get replaces */
int store_request_get(struct db *db, const char *id, struct node_request *r, struct err *e);
int store_request_by_certificate(struct db *db, const uint8_t sha256[SHA256_LEN], struct node_request *r, struct err *e);
int store_request_add(struct db *db, const struct node_request *r, int64_t now, struct err *e);
int store_request_certified(struct db *db, const struct node_request *r, enum node_state state, int64_t now, struct err *e);
int store_request_state(struct db *db, const char *id, enum node_state state, const char *cause, int64_t now, struct err *e);

int store_request_hold(struct db *db, const char *id, bool held, struct err *e);
/* All that was handed out and not confirmed: at the start, which may be that of a database that was put back. */
int store_hold_certified(struct db *db, struct err *e);

/* What the device has superseded is dead. */
int store_superseded_end(struct db *db, int64_t device, const char *cause, int64_t now, struct err *e);

/* ---- releases: signed documents, one for each certificate that a released device may hold ---- */
/* A certificate that the device may hold and that has none yet, and the next sequence. */
int store_release_next(struct db *db, int64_t device, struct release *r, struct err *e);
int store_release_add(struct db *db, int64_t device, const struct release *r, const struct buf *cms, struct err *e);
int store_release_get(struct db *db, const uint8_t certificate[SHA256_LEN], struct buf *cms, struct err *e);

/* ---- pending time: counted only while the node runs. That of a plain client never ends: it has no other id. ---- */
int store_pending_any(struct db *db, struct err *e);			/* 1: something is bound or certified */
int store_pending_add(struct db *db, int64_t seconds, struct err *e);
int store_pending_over(struct db *db, int64_t limit, struct node_request *r, struct err *e);	/* one whose time is over */

/* ---- outbox: what the CA has yet to be told ---- */
enum outbox_kind { OUTBOX_REVOKE, OUTBOX_CONFIRM };

struct outbox_row {
	int64_t n;
	enum outbox_kind kind;
	struct device_id device;
	struct request_id request;
	uint8_t certificate[SHA256_LEN];	/* confirm */
	char reason[32];			/* revoke */
	int64_t tries;
};
int store_outbox_add(struct db *db, enum outbox_kind kind, int64_t device, const struct request_id *request, const char *reason,
		     struct err *e);
/* Takes back activations of the device that were not told yet. */
int store_outbox_cancel(struct db *db, int64_t device, struct err *e);
/* Up to max rows that are due, revocations first; no activation of a device that has a revocation left. */
int store_outbox_next(struct db *db, int64_t now, struct outbox_row *rows, size_t max, size_t *n, struct err *e);
int store_outbox_done(struct db *db, int64_t n, struct err *e);
int store_outbox_later(struct db *db, int64_t n, int64_t due, struct err *e);	/* due: on the clock of this run of the daemon */
int store_outbox_has(struct db *db, enum outbox_kind kind, const char *request, struct err *e);	/* 1: it is to be told */
int store_outbox_drop(struct db *db, enum outbox_kind kind, const char *request, struct err *e);
int store_outbox_restart(struct db *db, struct err *e);			/* all are due again */
int store_outbox_count(struct db *db, int64_t device, struct err *e);	/* rows; 0 as device: of all */

/* What costs no walk over the devices. */
struct store_figures {
	int64_t pending, outbox, audit_rows;
};
int store_figures(struct db *db, struct store_figures *f, struct err *e);

/* ---- marks: where this database stands (recover.h) ---- */
int store_mark_last(struct db *db, int64_t *n, char mark[CA_MARK_LEN + 1], struct err *e);
int store_mark_known(struct db *db, const char *mark, struct err *e);	/* 1: it is or was one of this database */
int store_mark_add(struct db *db, const char *mark, struct err *e);
int store_mark_prune(struct db *db, int64_t n, struct err *e);		/* those before n: the CA has a later one */
int store_recovering_get(struct db *db, struct err *e);			/* 1: what the CA knows was not taken over yet */
int store_recovering_set(struct db *db, bool recovering, struct err *e);

/* ---- allowlist as applied ---- */
enum allow_kind { ALLOW_SERIAL, ALLOW_RANGE, ALLOW_GLOB };
struct allow_entry {
	enum allow_kind kind;
	struct device_id device;	/* manufacturer and model may be "": any; serial: of a range its first, or the glob */
	char to[LIMIT_SERIAL + 1];	/* of a range its last */
	bool blocked;
	int64_t expires;		/* last second that counts; 0 = none */
	char note[200];
	int line;
};
int store_allow_clear(struct db *db, struct err *e);
int store_allow_add(struct db *db, const struct allow_entry *a, struct err *e);
/* Entries without a manufacturer are of this one. */
int store_allow_name(struct db *db, const char *manufacturer, struct err *e);
#define ALLOW_NAME (2 * LIMIT_SERIAL + 8)
void allow_name(const struct allow_entry *a, char out[ALLOW_NAME]);	/* "00020001", "00020001 to 00020500", "GW-*" */
bool allow_has_serial(const struct allow_entry *a, const char *serial);
/* The entry for this device: the one of its serial, else of a range, else of a glob; of several ranges, or several globs, one
 * that blocks, else the first. 0: none; then *other tells whether its serial is listed for another model or manufacturer. */
int store_allow_get(struct db *db, const struct device_id *id, struct allow_entry *a, bool *other, struct err *e);
int store_allow_list(struct db *db, int (*each)(void *arg, const struct allow_entry *a), void *arg, struct err *e);
int store_applied_get(struct db *db, char file_sha256[SHA256_HEX], int64_t *time, struct err *e);
int store_applied_set(struct db *db, const char *file_sha256, int64_t time, struct err *e);

/* ---- manifests ---- */
/* Each manufacturer counts its own. */
int store_manifest_get(struct db *db, const char *manufacturer, uint64_t sequence, uint8_t sha256[SHA256_LEN], struct err *e);
int store_manifest_add(struct db *db, const char *manufacturer, const struct manifest *m, const uint8_t sha256[SHA256_LEN],
		       int64_t now, struct err *e);
int store_shipped_get(struct db *db, const struct device_id *id, uint64_t *sequence, uint8_t certificate[SHA256_LEN],
		      struct err *e);
int store_voucher_get(struct db *db, const struct device_id *id, struct buf *cms, struct err *e);	/* *cms empty: none */
/* 1: some device of this serial; manufacturer "" = of any. */
int store_shipped_any(struct db *db, const char *serial, const char *manufacturer, struct err *e);
int store_shipped_put(struct db *db, const struct manifest_entry *m, uint64_t sequence, struct err *e);

/* ---- lists for people: all that is known of a device, from whichever table ---- */
struct store_view {
	struct node_device device;	/* n = 0: never seen */
	bool listed, allow_blocked;
	int64_t expires;
	char note[200];
	uint64_t shipped;		/* sequence of its manifest, 0 = none */
	int64_t untold;			/* rows in the outbox */
};
/* serial "" = all. */
int store_view(struct db *db, const char *serial, int (*each)(void *arg, const struct store_view *v), void *arg, struct err *e);

#endif
