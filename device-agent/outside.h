/* outside.h - the factory transaction where the CA-client is outside the device, in the station (H6; protocol-link L4.4).
 *
 * All that this side needs is a store, a key and the verification of a certificate: neither TLS nor XML. Each takes the payload
 * of a frame of the station and appends the answer to out; what fails is a result for the station, and changes nothing. */
#ifndef HANDSEL_OUTSIDE_H
#define HANDSEL_OUTSIDE_H

#include "store.h"

/* Pins the root and shows the request; the certificate's hash, if it is stored already. TICKET: nothing is prepared. */
int outside_request(struct store *s, const struct buf *payload, struct buf *out, struct err *e);

/* Verifies what came from the CA, and stores it. What is stored already stays as it is, and is named in the answer. */
int outside_certificate(struct store *s, const struct buf *payload, struct buf *out, struct err *e);

/* Signs the confirm of what is stored, and of nothing else, for the session that the station names. */
int outside_confirm(struct store *s, const struct buf *payload, struct buf *out, struct err *e);

/* The CA's word: active, then the credential is in force; or dead, then the request is dropped, and -1 is returned with TICKET. */
int outside_verdict(struct store *s, const struct buf *payload, struct err *e);

#endif
