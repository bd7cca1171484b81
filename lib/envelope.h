/* envelope.h - CMS EnvelopedData (RFC 5652 6) and AuthEnvelopedData (RFC 5083): bytes that only the holder of one key can read.
 *
 * The recipient is a P-256 key (kari: ephemeral-static ECDH of RFC 5753, stdDH-sha256kdf with aes256-wrap; what others wrote
 * with OpenSSL's default, stdDH-sha1kdf, is read, too) or an RSA key (ktri: PKCS#1 v1.5, the only one that GnuTLS 3.7 has).
 * It is named by its key identifier, since a transport key has no certificate. GnuTLS neither writes nor reads any of this. */
#ifndef HANDSEL_ENVELOPE_H
#define HANDSEL_ENVELOPE_H

#include "buf.h"
#include "err.h"
#include "key.h"

enum envelope_kind {
	ENVELOPE_GCM,	/* AuthEnvelopedData, AES-256-GCM: what was changed on the way does not open */
	ENVELOPE_CBC,	/* EnvelopedData, AES-256-CBC, for old readers: no integrity, so the content must be signed */
};

/* True for a key that an envelope can be made for: P-256, RSA-2048, RSA-3072. */
bool envelope_takes(enum key_type recipient);

/* One recipient, the holder of the key of spki. openssl cms -decrypt opens it. Replaces *der. */
int envelope_seal(enum envelope_kind kind, const struct buf *spki, const void *data, size_t len, struct buf *der, struct err *e);

/* Code REQUEST: not an envelope for one recipient as above. Code KEY_STORE: it does not open with this key, or was changed; by
 * intent nothing tells which. Replaces *content. */
int envelope_open(const void *der, size_t len, const struct key *key, struct buf *content, struct err *e);

#endif
