/* record_private.h - what the writer and the reader of a record share: the only files that touch jansson here. */
#ifndef HANDSEL_RECORD_PRIVATE_H
#define HANDSEL_RECORD_PRIVATE_H

#include <jansson.h>

#include "text.h"

#define PHASE_OUTCOMES 4
extern const char *const record_phase_outcomes[PHASE_OUTCOMES];	/* by enum phase_outcome */

/* SHA-256 of the object, compact and sorted: doc/protocol-record.md R3.2. */
void record_hash_unit(const json_t *unit, uint8_t nonce[SHA256_LEN]);

#endif
