/* p256_verify.h - ECDSA with P-256 verified by libcrypto, in less than half of the time that GnuTLS takes: for the daemons, which do
 * it all day. Public keys, digests and signatures only; no secret ever comes here. */
#ifndef HANDSEL_P256_VERIFY_H
#define HANDSEL_P256_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecdh.h"
#include "text.h"

/* Whether sig, a DER Ecdsa-Sig-Value (RFC 3279 2.2.3), is that of the digest by the key of that point, which is uncompressed. False as well
 * where the point is none of the curve, and when the library fails. From any thread. */
bool p256_verify(const uint8_t point[P256_POINT], const uint8_t digest[SHA256_LEN], const void *sig, size_t len);

#endif
