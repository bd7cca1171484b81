/* proof.h - the challenge at the end: does this device hold the key of the certificate that it reports? */
#ifndef HANDSEL_PROOF_H
#define HANDSEL_PROOF_H

#include "devmsg.h"
#include "x509.h"

/* The signature is the device's answer to this challenge, and the certificate is a factory credential under the root,
 * for this device and for the key that it announced. Code AGENT; AUTHORITY, ROLE or CLOCK of the chain. */
int proof_verify(const struct link_proof *p, const struct link_challenge *c, const struct link_hello *hello,
		 const struct link_ready *ready, const struct link_result *result, struct trust *t, int64_t now,
		 struct err *e);

#endif
