/* confirm.h - the proof in a confirm: a signature by the new key over
 * "handsel-confirm-v1" NUL, TLS exporter (32 bytes), request id (32 hex), u32 generation, SHA-256 of the certificate. */
#ifndef HANDSEL_CONFIRM_H
#define HANDSEL_CONFIRM_H

#include "device.h"
#include "key.h"
#include "text.h"
#include "tls.h"

int confirm_sign(const struct key *key, const uint8_t exporter[TLS_EXPORTER_LEN], const struct request_id *request,
		 const uint8_t certificate[SHA256_LEN], struct buf *signature, struct err *e);
int confirm_verify(const struct buf *spki, const uint8_t exporter[TLS_EXPORTER_LEN], const struct request_id *request,
		   const uint8_t certificate[SHA256_LEN], const struct buf *signature, struct err *e);

#endif
