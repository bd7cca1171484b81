/* signer.h - handsel-signer seen from handsel-ca: stubs with the signatures of local functions over a socket pair
 * (lib/ipc.h), and what both ends share. The signer is the only holder of CA keys; it gets fields, never a
 * certificate to sign. */
#ifndef HANDSEL_SIGNER_H
#define HANDSEL_SIGNER_H

#include "audit_head.h"
#include "authority.h"
#include "camsg.h"
#include "device.h"
#include "key.h"
#include "keystore.h"
#include "ocsp.h"
#include "x509.h"

/* What a signer may be asked for, given when it starts: a front that is taken over can neither certify units nor
 * add orders. */
enum signer_purpose { SIGNER_FOR_SERVE, SIGNER_FOR_OPERATOR };

struct signer;
struct unpack;

/* dir: of the system; an operator's has the keys of the one CA whose folder it is. NULL on failure. */
struct signer *signer_start(const char *dir, enum signer_purpose purpose, struct err *e);
void signer_stop(struct signer *s);			/* NULL is fine */
bool signer_is_gone(const struct signer *s);	/* after a failure: it has ended, or is not to be believed; else it refused */

/* ---- certificates of devices ---- */
struct sign_item {
	const char *order;		/* "" at the customer */
	const struct device_id *device;
	const struct buf *spki;
	const struct ca_params *params;
	bool made;			/* the signer makes the key: spki is the transport key that it is encrypted to */
	const char *unit, *renews;	/* whose request it is, and what of: the signer remembers, and does not judge */
	const struct request_id *id;
	struct buf der;			/* the certificate, if refusal.code is OK */
	struct buf encrypted_key;	/* made: CMS, nothing that the front can open */
	struct err refusal;
};
/* What became of a certificate, for the signer's journal: the last word counts. */
struct sign_note {
	char serial[LIMIT_SERIAL + 1];	/* of its device: by it the journal is searched */
	uint8_t certificate[SHA256_LEN];
	bool active;			/* else superseded, revoked or lapsed */
};

/* What a ledger has to say at once, in one round trip. */
struct sign_batch {
	struct sign_item *const *item;
	size_t n;			/* up to SIGNER_BATCH */
	const struct sign_note *note;
	size_t n_notes;			/* likewise */
	uint64_t position;		/* up to which change of the signer's the ledger has them all; then: that this one came to */
};
/* ca: as system.h names it. -1: the signer is gone, nothing was signed as far as we know. 1: it refuses all of it: since ledger and
 * journal are not of one history (E51), one of them was put back from a backup; or its storage fails (E32). */
int signer_sign(struct signer *s, const char *ca, struct sign_batch *b, struct err *e);

/* ---- the journal (signer_count.h): what the signer knows of each certificate ---- */
struct signed_row {
	uint64_t n;
	struct device_id device;
	char order[CA_ID_MAX + 1];
	char unit[CERT_ROLE_MAX + LIMIT_NAME + 2];
	struct request_id id;
	char renews[REQUEST_ID_LEN + 1];
	bool made;
	bool active, ended;		/* was ever confirmed; is over */
	struct buf spki, der, encrypted_key;
};
void signed_row_free(struct signed_row *r);
void signed_row_pack(struct buf *b, const struct signed_row *r);
void signed_row_unpack(struct unpack *u, struct signed_row *r);

/* changes: its last change; told: what a ledger has told of. It fits if told <= the ledger's <= changes. */
int signer_position(struct signer *s, const char *ca, uint64_t *changes, uint64_t *told, struct err *e);
/* Each row with a change above `after`, in the order of signing. */
int signer_journal(struct signer *s, const char *ca, uint64_t after,
		   int (*each)(void *arg, const struct signed_row *row, struct err *e), void *arg, struct err *e);
/* The next three are an operator's. */
int signer_orders(struct signer *s, int (*each)(void *arg, const char *id, bool closed, const struct buf *cms, struct err *e),
		  void *arg, struct err *e);
/* Teaches the signer what it lacks of these. lacks[i]: it did. Without apply nothing is changed. */
int signer_take_over(struct signer *s, const struct signed_row *row, size_t n, bool apply, bool *lacks, struct err *e);
/* Ledger and journal are of one history again, at this position; and the audit goes on from its row `base`. */
int signer_agree(struct signer *s, uint64_t ledger, const struct audit_state *base, uint64_t *position, struct err *e);

/* ---- certificates of units ---- */
#define SIGNER_HOSTS 8
struct unit_plan {
	char role[CERT_ROLE_MAX], name[LIMIT_NAME + 1];
	char customer[LIMIT_NAME + 1];		/* of a handoff; "" = none */
	char functions[CERT_FUNCTIONS_MAX];	/* of a person; "" = none */
	char host[SIGNER_HOSTS][128];		/* names or addresses, "" after the last */
};
int signer_unit(struct signer *s, const struct unit_plan *u, const struct buf *spki, struct buf *der, struct err *e);

/* Of a unit that has the code of an operator's invitation, or that asks by the certificate that it has (documents.h). The signer
 * verifies both itself. Code CA_UNAVAILABLE: it is gone; any other: it refuses. */
int signer_enrol(struct signer *s, const char *ca, const struct buf *invitation, const struct buf *spki, const struct buf *signature,
		 struct buf *der, struct err *e);
int signer_renew(struct signer *s, const char *ca, const struct buf *renewal, const struct buf *spki, struct buf *der, struct err *e);

/* ---- work orders: the signer verifies the operator's signature itself ---- */
int signer_order(struct signer *s, const struct buf *cms, struct err *e);
int signer_close(struct signer *s, const char *order, struct err *e);	/* signs no more of it */

/* ---- what persons have signed (action.h): the signer judges it by itself ---- */
/* 0: done, or done before; 1: a second person's approval is needed first. approval: empty, or CMS. *made: replaced by the certificate
 * that came of it, if one did. Code CA_UNAVAILABLE: the signer is gone; any other: it refuses. */
int signer_act(struct signer *s, const char *ca, const struct buf *action, const struct buf *approval, struct buf *made, struct err *e);

/* ---- revocation lists ---- */
struct revoked_item {
	char serial[2 * CERT_SERIAL_MAX + 1];
	uint8_t reason;			/* CRLReason */
	int64_t date, expires;		/* expires: of the certificate, 0 = never */
};
/* For ever: what the signer was told once stays on its lists until the certificate has expired. */
int signer_revoked(struct signer *s, const char *ca, enum crl_of of, const struct revoked_item *items, size_t n, struct err *e);
/* A list of all that it was told, good for valid_s from now, with a number above all before. Replaces *der. */
int signer_crl(struct signer *s, const char *ca, enum crl_of of, uint64_t valid_s, struct buf *der, struct err *e);

/* ---- answers about one certificate (ocsp.h) ---- */
struct ocsp_question {
	enum crl_of of;			/* whose certificate */
	enum ocsp_hash hash;
	const char *serial;
	const struct buf *cert;		/* DER, as far as the ledger has it; empty: it knows none */
	const struct revoked_item *revoked;	/* NULL: it is not, as far as the ledger knows; else the signer remembers */
	uint64_t valid_s;
};
struct ocsp_answer {
	enum ocsp_status status;	/* what the signer says, which may know better */
	int64_t this_update, next_update;
	struct buf der;
};
int signer_ocsp(struct signer *s, const char *ca, const struct ocsp_question *q, struct ocsp_answer *a, struct err *e);

/* ---- heads of the audit (heads.h) ---- */
struct audit_page {
	int64_t after;			/* the row before the first */
	uint32_t n;			/* up to LIMIT_AUDIT_ROWS */
	struct buf rows;
	uint8_t hash[SHA256_LEN];	/* of the last, as the ledger has it */
};
void audit_page_add(struct audit_page *p, const struct audit_row *row);
/* Reads a page, which may be empty, and tells how far it has read; sign: with a head of that row. Code AUDIT: the rows are not those
 * that follow what it has read. */
int signer_head(struct signer *s, const char *ca, const struct audit_page *p, bool sign, struct audit_head *h, struct err *e);
/* An operator's word: the audit up to there is as it is, a new history of it begins. */
int signer_history(struct signer *s, const struct audit_state *base, struct err *e);

/* ---- how it does ---- */
#define POOL_TYPES 2
struct pool_state {
	enum key_type type;
	uint32_t ready, room;		/* keys that wait, and how many may */
	uint64_t made, made_ms;		/* ahead since it started, and the time that took */
};
/* Where the keys of a CA are, and how. */
struct keys_state {
	char ca[CA_ID_MAX + 1];
	struct keystore_state store;
	bool open;			/* all of them */
	char sandbox[12];		/* sandbox.h */
	bool memory;			/* all of the signer's is locked, not its secrets alone */
};
int signer_keys_state(struct signer *s, const char *ca, struct keys_state *out, struct err *e);
/* ca.yaml and profiles are read again. 1: it refuses, and all stays as it was; -1: it is gone. */
int signer_reload(struct signer *s, const char *ca, struct err *e);

struct signer_state {
	struct keys_state keys[LIMIT_CAS];
	size_t n_keys;
	uint64_t uptime_s;
	struct pool_state pool[POOL_TYPES];
	size_t n;
};
int signer_state(struct signer *s, struct signer_state *out, struct err *e);

/* ---- the wire (doc/protocol-signer.md) ---- */
enum signer_message {
	SIGNER_HELLO = 1,
	SIGNER_SIGN,
	SIGNER_UNIT,
	SIGNER_ORDER,
	SIGNER_CLOSE,
	SIGNER_REVOKED,
	SIGNER_CRL,
	SIGNER_STATE,
	SIGNER_POSITION,
	SIGNER_JOURNAL,
	SIGNER_ORDERS,
	SIGNER_TAKE_OVER,
	SIGNER_AGREE,
	SIGNER_HEAD,
	SIGNER_HISTORY,
	SIGNER_ENROL,
	SIGNER_RENEW,
	SIGNER_OCSP,
	SIGNER_KEYS,
	SIGNER_RELOAD,
	SIGNER_ACT,
	SIGNER_UNLOCK = 64,	/* on a socket of its own: unlock.h */
	SIGNER_DONE = 128,
	SIGNER_REFUSED
};
#define SIGNER_VERSION 9
#define SIGNER_BATCH 128 /* items of one message: answers of LIMIT_CERT each fill half of what a frame may hold */

#define SIGNER_REVOKED_MAX 1024 /* revocations of one message: a short transaction each */
#define SIGNER_ROWS 64 /* of the journal in one message: LIMIT_CERT for certificate and encrypted key each */
#define SIGNER_ORDERS_MAX 16 /* of LIMIT_FRAME_DEVICE each in one message */

void sign_item_pack(struct buf *b, const struct sign_item *item);
void sign_tail_pack(struct buf *b, const struct sign_batch *batch);	/* after the items */

/* The signer's side of an item: owns what it points to. */
struct sign_question {
	char order[CA_ID_MAX + 1];
	struct device_id device;
	struct buf spki;
	struct ca_params params;
	bool made;
	char unit[CERT_ROLE_MAX + LIMIT_NAME + 2], renews[REQUEST_ID_LEN + 1];
	struct request_id id;
};
int sign_question_unpack(struct unpack *u, struct sign_question *q);	/* -1: malformed */

#endif
