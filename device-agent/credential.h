/* credential.h - a key, the request it was made for, and the certificate that came of it. */
#ifndef HANDSEL_CREDENTIAL_H
#define HANDSEL_CREDENTIAL_H

#include "camsg.h"
#include "device.h"
#include "key.h"
#include "tls.h"
#include "x509.h"

enum store_slot { SLOT_FACTORY, SLOT_A, SLOT_B, SLOT_COUNT, SLOT_NONE = SLOT_COUNT };

struct credential {
	enum store_slot slot;
	struct key *key;	/* mode ca: NULL until the CA's came */
	struct key *transport;	/* mode ca (H13), until the switch: the CA encrypts the key to this one; else NULL */
	struct request_id request;
	struct chain chain;	/* leaf, then its issuing CAs without the root; n 0: not received yet */
	struct chain root;	/* one certificate; n 0: not known yet */
};

void credential_free(struct credential *c);	/* leaves it zeroed */

/* Is chain a credential of this very device and key under root? Chain, dates and purpose, policy, key, all three names.
 * Codes AUTHORITY, CLOCK, ROLE of trust_verify(); REQUEST if it is somebody else's. */
int credential_verify(const struct credential *c, const struct device_id *device, const char *policy, int64_t now,
		      struct err *e);

/* From the CA's answer: its chain, in mode ca its key, both verified for the factory. c is left without a certificate on failure. */
int credential_take(struct credential *c, const struct chain *answer, const struct buf *encrypted_key,
		    const struct device_id *device, int64_t now, struct err *e);

/* The message with the one confirm of c, signed by its key for the session t. Free with ca_message_free(). */
struct ca_message *credential_confirm(const struct credential *c, struct tls *t, struct err *e);

/* Mode ca: opens what the CA sent with the transport key, into c->key. */
int credential_open_key(struct credential *c, const struct buf *encrypted_key, struct err *e);

/* What the answer to a confirm says. */
enum confirm_result { CONFIRM_ACTIVE, CONFIRM_DEAD, CONFIRM_REFUSED, CONFIRM_FAILED };
/* REFUSED and FAILED (the answer makes no sense) fill e, DEAD fills *generation with the highest one known. */
enum confirm_result credential_confirmed(const struct credential *c, const struct ca_reply *r, uint32_t *generation,
					 struct err *e);

#endif
