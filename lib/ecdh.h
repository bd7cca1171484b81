/* ecdh.h - P-256 key agreement and AES key wrap, which GnuTLS 3.7 keeps to itself: nettle and hogweed behind plain bytes. */
#ifndef HANDSEL_ECDH_H
#define HANDSEL_ECDH_H

#include <stdint.h>

#include "err.h"

#define P256_LEN 32
#define P256_POINT (1 + 2 * P256_LEN)	/* uncompressed (SEC 1 2.3.3) */
#define POINT_UNCOMPRESSED 4		/* its first octet */
#define WRAP_KEY 32			/* AES-256 */
#define WRAP_LEN (WRAP_KEY + 8)

/* A fresh key pair. The scalar is a secret: wipe it. */
void ecdh_fresh(uint8_t scalar[P256_LEN], uint8_t point[P256_POINT]);

/* The x coordinate of scalar times the peer's point; -1 if that is no point of the curve (an invalid-curve attack). */
int ecdh_shared(const uint8_t scalar[P256_LEN], const uint8_t peer[P256_POINT], uint8_t z[P256_LEN]);

/* RFC 3394. unwrap: -1 if it was not wrapped with that key. */
void key_wrap(const uint8_t kek[WRAP_KEY], const uint8_t key[WRAP_KEY], uint8_t wrapped[WRAP_LEN]);
int key_unwrap(const uint8_t kek[WRAP_KEY], const uint8_t wrapped[WRAP_LEN], uint8_t key[WRAP_KEY]);

#endif
