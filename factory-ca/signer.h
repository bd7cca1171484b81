/* signer.h - handsel-signer seen from handsel-ca: stubs with the signatures of local functions over a socket pair
 * (lib/ipc.h), and what both ends share. The signer is the only holder of CA keys; it gets fields, never a
 * certificate to sign. */
#ifndef HANDSEL_SIGNER_H
#define HANDSEL_SIGNER_H

#include "authority.h"
#include "camsg.h"
#include "device.h"
#include "key.h"
#include "x509.h"

/* What a signer may be asked for, given when it starts: a front that is taken over can neither certify units nor
 * add orders. */
enum signer_purpose { SIGNER_FOR_SERVE, SIGNER_FOR_OPERATOR };

struct signer;

/* dir: of the system; an operator's has the keys of the one CA whose folder it is. NULL on failure. */
struct signer *signer_start(const char *dir, enum signer_purpose purpose, struct err *e);
void signer_stop(struct signer *s);			/* NULL is fine */

/* ---- certificates of devices ---- */
struct sign_item {
	const char *order;		/* "" at the customer */
	const struct device_id *device;
	const struct buf *spki;
	const struct ca_params *params;
	bool made;			/* the signer makes the key: spki is the transport key that it is encrypted to */
	struct buf der;			/* the certificate, if refusal.code is OK */
	struct buf encrypted_key;	/* made: CMS, nothing that the front can open */
	struct err refusal;
};
/* All of them in one round trip; ca: as system.h names it. -1: the signer is gone, nothing was signed as far as we know. */
int signer_sign(struct signer *s, const char *ca, struct sign_item *const *items, size_t n, struct err *e);

/* ---- certificates of units ---- */
#define SIGNER_HOSTS 8
struct unit_plan {
	char role[CERT_ROLE_MAX], name[LIMIT_NAME + 1];
	char customer[LIMIT_NAME + 1];		/* of a handoff; "" = none */
	char host[SIGNER_HOSTS][128];		/* names or addresses, "" after the last */
};
int signer_unit(struct signer *s, const struct unit_plan *u, const struct buf *spki, struct buf *der, struct err *e);

/* ---- work orders: the signer verifies the operator's signature itself ---- */
int signer_order(struct signer *s, const struct buf *cms, struct err *e);
int signer_close(struct signer *s, const char *order, struct err *e);	/* signs no more of it */

/* ---- revocation lists ---- */
enum crl_of { CRL_ISSUING, CRL_UNIT, CRL_KINDS };	/* whose certificates */
struct revoked_item {
	char serial[2 * CERT_SERIAL_MAX + 1];
	uint8_t reason;			/* CRLReason */
	int64_t date, expires;		/* expires: of the certificate, 0 = never */
};
/* For ever: what the signer was told once stays on its lists until the certificate has expired. */
int signer_revoked(struct signer *s, const char *ca, enum crl_of of, const struct revoked_item *items, size_t n, struct err *e);
/* A list of all that it was told, good for valid_s from now, with a number above all before. Replaces *der. */
int signer_crl(struct signer *s, const char *ca, enum crl_of of, uint64_t valid_s, struct buf *der, struct err *e);

/* ---- how it does ---- */
#define POOL_TYPES 2
struct pool_state {
	enum key_type type;
	uint32_t ready, room;		/* keys that wait, and how many may */
	uint64_t made, made_ms;		/* ahead since it started, and the time that took */
};
struct signer_state {
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
	SIGNER_DONE = 128,
	SIGNER_REFUSED
};
#define SIGNER_VERSION 2
#define SIGNER_BATCH 128 /* items of one message: answers of LIMIT_CERT each fill half of what a frame may hold */

#define SIGNER_REVOKED_MAX 1024 /* revocations of one message: a short transaction each */

void sign_item_pack(struct buf *b, const struct sign_item *item);

/* The signer's side of an item: owns what it points to. */
struct sign_question {
	char order[CA_ID_MAX + 1];
	struct device_id device;
	struct buf spki;
	struct ca_params params;
	bool made;
};
struct unpack;
int sign_question_unpack(struct unpack *u, struct sign_question *q);	/* -1: malformed */

#endif
