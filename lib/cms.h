/* cms.h - CMS (RFC 5652): signed documents and certs-only messages. */
#ifndef HANDSEL_CMS_H
#define HANDSEL_CMS_H

#include "buf.h"
#include "err.h"
#include "key.h"
#include "x509.h"

/* SignedData in DER with the bytes and the signer's chain embedded; openssl cms -verify reads it. Replaces *out. */
int cms_sign(const void *data, size_t len, const struct key *key, const struct chain *chain, struct buf *out, struct err *e);

/* Verifies the one signature and the signer by trust and rule, and only then gives the content (replaces *content) and,
 * if signer is not NULL, the signer's certificate (free with cert_free()). */
int cms_open(const void *der, size_t len, struct trust *t, const struct trust_rule *rule, struct buf *content,
	     struct cert *signer, struct err *e);

/* certs-only (RFC 5751 3.2.2), as EST answers. Replaces *der / appends to *ch. */
int cms_certs_write(const struct chain *ch, struct buf *der, struct err *e);
int cms_certs_read(const void *der, size_t len, struct chain *ch, struct err *e);

#endif
