/* envelope_private.h - what writer and reader of envelopes share. Only for envelope.c and envelope_open.c. */
#ifndef HANDSEL_ENVELOPE_PRIVATE_H
#define HANDSEL_ENVELOPE_PRIVATE_H

#include <gnutls/gnutls.h>

#include "der.h"
#include "ecdh.h"

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_ENVELOPED "1.2.840.113549.1.7.3"
#define OID_AUTH_ENVELOPED "1.2.840.113549.1.9.16.1.23"
#define OID_RSA "1.2.840.113549.1.1.1"
#define OID_EC_KEY "1.2.840.10045.2.1"
#define OID_CBC "2.16.840.1.101.3.4.1.42"
#define OID_GCM "2.16.840.1.101.3.4.1.46"
#define OID_WRAP "2.16.840.1.101.3.4.1.45"
#define OID_DH_SHA256 "1.3.132.1.11.1"
#define OID_DH_SHA1 "1.3.133.16.840.63.0.2"
#define OID_LEN 64

#define BLOCK 16
#define NONCE 12
#define TAG 16

/* X9.63 over ECC-CMS-SharedInfo (RFC 5753 7.2). wrap: the AlgorithmIdentifier as it stands in the message; ukm may be NULL. */
void envelope_derive(gnutls_digest_algorithm_t digest, const uint8_t z[P256_LEN], const struct der *wrap, const struct der *ukm,
		     uint8_t kek[WRAP_KEY]);

#endif
