/* invite.h - the one-time code by which a unit is enrolled (doc/protocol-documents.md section 8).
 *
 * It carries a secret, from which both ends derive a key pair, and the beginning of the SHA-256 of the CA's root, so that the
 * unit knows the CA before it says anything. What the CA keeps is the public key: nobody can make the code from that, and the
 * unit's signature is over the key that it wants certified, so that not even who answers it can put another in its place. */
#ifndef HANDSEL_INVITE_H
#define HANDSEL_INVITE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "text.h"

#define INVITE_SECRET 10		/* 80 bits: nobody tries these in the days that it is good for, nor off line */
#define INVITE_ROOT 12			/* 96 bits of the root's hash: a root with the same has to be found, not a pair of roots */
#define INVITE_KEY 32			/* Ed25519 (RFC 8032) */
#define INVITE_SIGNATURE 64
#define INVITE_TEXT 48			/* 40 characters in eight groups, seven hyphens, NUL */

struct invite {
	uint8_t secret[INVITE_SECRET];	/* wipe it */
	uint8_t root[INVITE_ROOT];
};

void invite_new(struct invite *v, const uint8_t root[SHA256_LEN]);
void invite_text(const struct invite *v, char out[INVITE_TEXT]);
/* As a person types it: groups, case, O for 0 and I or L for 1 do not matter. Code CONFIG if it was mistyped. */
int invite_parse(struct invite *v, const char *text, struct err *e);

void invite_public(const struct invite *v, uint8_t key[INVITE_KEY]);
/* For the public key of a unit (SubjectPublicKeyInfo). Replaces *signature. */
void invite_sign(const struct invite *v, const struct buf *spki, struct buf *signature);
int invite_verify(const uint8_t key[INVITE_KEY], const struct buf *spki, const struct buf *signature, struct err *e);

#endif
