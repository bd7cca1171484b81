/* rules.h - the customer transaction at the node, as decisions over the authorization database.
 *
 * Each function works inside the caller's transaction, decides first and writes then: a refusal changes nothing but the record
 * of itself. -1 is a failure of the database alone; what was written must then be undone. tests/model/handover.pml is the
 * reference, doc/protocol-est.md section 6 the prose. */
#ifndef HANDSEL_NODE_RULES_H
#define HANDSEL_NODE_RULES_H

#include "authz.h"
#include "store.h"

/* Who asks, as its certificate says: never as the request says. */
struct rules_peer {
	bool customer;				/* under the customer's issuing CA; else under a factory's */
	struct device_id device;
	uint8_t certificate[SHA256_LEN];
	char remote[REMOTE_TEXT];
};

enum verdict {
	VERDICT_ASK_CA,		/* bound: the CA may be asked; of a confirm: not handed out here, the CA is asked whose it is */
	VERDICT_CERTIFICATE,	/* here it is, also a repeated time */
	VERDICT_CONFIRMED,
	VERDICT_DEAD,		/* go on with a generation above `highest` */
	VERDICT_REFUSED,	/* why */
};

struct decision {		/* zero it; free with decision_free() */
	enum verdict verdict;
	struct err why;
	struct buf certificate;		/* DER */
	struct buf encrypted_key;	/* CMS; empty unless the CA made the key */
	uint32_t highest;
	bool outbox;			/* there is something to tell the CA */
	char renews[REQUEST_ID_LEN + 1];	/* ASK_CA: the active id that is to be renewed, "" = a first credential */
};
void decision_free(struct decision *d);

struct rules_ask {
	const struct rules_peer *peer;
	struct request_id request;
	bool plain;			/* the id was made from the key */
	bool plain_allowed;
	bool made;			/* the CA makes the key: spki is the transport key */
	const struct buf *spki;
	const struct crl_word *crl;	/* of the factory certificate; not looked at of a customer's */
	int64_t now;
};

/* The request id of a client that has none: 32 hex digits of the key's hash, generation 0. */
void rules_plain_id(const uint8_t spki_sha256[SHA256_LEN], struct request_id *id);

/* First commit of an enrolment: authorize and bind. */
int rules_bind(struct db *db, const struct rules_ask *ask, struct decision *d, struct err *e);

/* Second commit: the CA's certificate is kept before it is handed out. */
int rules_issued(struct db *db, const struct request_id *id, const struct cert *leaf, const struct buf *encrypted_key, int64_t now,
		 struct decision *d, struct err *e);	/* encrypted_key NULL: the device has made the key */

/* The CA says that the id is dead; highest is the CA's. */
int rules_ca_dead(struct db *db, const struct request_id *id, uint32_t highest, int64_t now, struct decision *d, struct err *e);

/* The CA, or a check before the first commit, refuses: kept for the admin. */
int rules_refused(struct db *db, const struct rules_peer *peer, const struct err *why, int64_t now, struct err *e);

/* The device has the certificate on stable storage; its signature was verified by the caller, unless there is none here. */
int rules_confirm(struct db *db, const struct rules_peer *peer, const struct request_id *id,
		  const uint8_t certificate[SHA256_LEN], int64_t now, struct decision *d, struct err *e);

/* Only while the node runs: `seconds` more of it. *count that lapsed. */
int rules_lapse(struct db *db, int64_t seconds, int64_t limit, int64_t now, int *count, struct err *e);

/* ---- the admin ---- */
/* The credential that a release would revoke was used since the device last asked as a new one: it may not be wiped at all. */
bool rules_release_doubtful(const struct node_device *d);
int rules_release(struct db *db, struct node_device *d, const char *actor, int64_t now, struct err *e);
int rules_block(struct db *db, struct node_device *d, const char *actor, int64_t now, struct err *e);
int rules_unblock(struct db *db, struct node_device *d, const char *actor, int64_t now, struct err *e);
/* After the list was applied: what it blocks loses its credential. *count of devices. */
int rules_apply_blocks(struct db *db, const char *actor, int64_t now, int *count, struct err *e);

#endif
