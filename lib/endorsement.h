/* endorsement.h - a device's word on its next key (doc/protocol-est.md 2.9): a signature by the key of the credential that it shows,
 * over "handsel-endorsement-v1" NUL, request id (32 hex), u32 generation, SHA-256 of the new public key (SPKI), SHA-256 of the
 * certificate that the node shows. So a node can ask for a certificate only for a device that came to it, and for its key. */
#ifndef HANDSEL_ENDORSEMENT_H
#define HANDSEL_ENDORSEMENT_H

#include "device.h"
#include "key.h"
#include "text.h"

int endorsement_sign(const struct key *key, const struct request_id *request, const uint8_t spki[SHA256_LEN],
		     const uint8_t node[SHA256_LEN], struct buf *signature, struct err *e);
/* Code ENDORSEMENT. signer: the SPKI of the certificate shown. */
int endorsement_verify(const struct buf *signer, const struct request_id *request, const uint8_t spki[SHA256_LEN],
		       const uint8_t node[SHA256_LEN], const struct buf *signature, struct err *e);

#endif
