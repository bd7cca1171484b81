/* crl.h - certificate revocation lists (RFC 5280 5): parsed whole into a plain struct, verified, asked; and built.
 *
 * Only full lists of one CA about its own certificates are taken: no delta, no indirect and no partitioned ones, which
 * all announce themselves by a critical extension. nextUpdate and the CRL number, optional or ignored elsewhere, must be
 * there: without them a list is neither fresh nor older than another. */
#ifndef HANDSEL_CRL_H
#define HANDSEL_CRL_H

#include "x509.h"

struct crl_entry {
	uint8_t serial[CERT_SERIAL_MAX], len;	/* of the certificate, without leading zero */
	uint8_t reason;				/* CRLReason (RFC 5280 5.3.1); 0: not given */
	int64_t date;				/* of the revocation */
};

struct crl {
	struct buf der;
	char issuer[256];			/* RFC 4514 text, for messages */
	uint64_t number;
	int64_t this_update, next_update;
	struct crl_entry *entry;		/* sorted */
	size_t n;

	/* for crl_verify(): offsets into der */
	struct crl_span {
		size_t at, len;			/* len 0: absent */
	} tbs, issuer_name, signature, issuer_key_id;
	int signature_algorithm;
};

/* One list in DER of at most LIMIT_CRL bytes. *c is filled only on success; free with crl_free(). Code REQUEST. */
int crl_parse(struct crl *c, const void *der, size_t len, struct err *e);
int crl_parse_any(struct crl *c, const struct buf *text, struct err *e);	/* DER or PEM */
void crl_free(struct crl *c);
void crl_to_pem(const struct buf *der, struct buf *pem);			/* appends */

/* Signed by this very CA, which may sign lists: names, key ids and the signature. Dates are the caller's. Code AUTHORITY. */
int crl_verify(const struct crl *c, const struct cert *ca, struct err *e);

/* The entry of a certificate of that CA by its serial number in hex; NULL: not revoked. */
const struct crl_entry *crl_find(const struct crl *c, const char *serial);

int crl_entry_serial(struct crl_entry *x, const char *hex);	/* -1: no serial number in hex */

/* The number of a CRLReason by its name ("keyCompromise"), 0 for all that has none; and back, "unspecified" for 0. */
uint8_t crl_reason(const char *name);
const char *crl_reason_name(uint8_t reason);

/* ---- building (handsel-signer only) ---- */
struct crl_plan {
	uint64_t number;
	int64_t this_update, next_update;
	const struct crl_entry *entry;
	size_t n;
};
/* Replaces *der. Fails past LIMIT_CRL. */
int crl_build(const struct crl_plan *plan, const struct cert *ca, const struct key *key, struct buf *der, struct err *e);

#endif
