/* ocsp.h - the online certificate status protocol (RFC 6960) as RFC 5019 restricts it: requests, parsed whole into a plain struct; and
 * answers, built.
 *
 * One certificate a request, no nonce: an answer is the same for all who ask until it is made anew. */
#ifndef HANDSEL_OCSP_H
#define HANDSEL_OCSP_H

#include "x509.h"

#define OCSP_REQUEST_TYPE "application/ocsp-request"
#define OCSP_RESPONSE_TYPE "application/ocsp-response"

enum ocsp_hash { OCSP_SHA1, OCSP_SHA256, OCSP_HASHES };	/* by which the issuer is named; OCSP_HASHES: another */

struct ocsp_request {
	enum ocsp_hash hash;
	uint8_t name[SHA256_LEN], key[SHA256_LEN];	/* of the issuer; zeros behind a shorter hash */
	char serial[2 * CERT_SERIAL_MAX + 1];		/* as in struct cert */
};

/* At most LIMIT_OCSP_REQUEST bytes. Requestor, signature and extensions that are not critical are well-formed and not looked at. Code REQUEST. */
int ocsp_request_parse(struct ocsp_request *r, const void *der, size_t len, struct err *e);

/* The issuer is this CA: its name and its public key. */
bool ocsp_is_of(const struct ocsp_request *r, const struct cert *ca);

/* An answer without a signature. Replaces *der. */
enum ocsp_error { OCSP_MALFORMED = 1, OCSP_INTERNAL = 2, OCSP_TRY_LATER = 3, OCSP_UNAUTHORIZED = 6 };
void ocsp_error(enum ocsp_error what, struct buf *der);

/* ---- building (handsel-signer only) ---- */
enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };

struct ocsp_plan {
	enum ocsp_hash hash;
	const struct cert *ca;			/* the issuer of the certificate that is asked about */
	const char *serial;
	enum ocsp_status status;
	uint8_t reason;				/* CRLReason of a revoked one; 0: not said */
	int64_t revoked, produced, this_update, next_update;
};
/* Signed by the responder, whose certificate, by the same CA, is embedded. Replaces *der. */
int ocsp_build(const struct ocsp_plan *plan, const struct cert *responder, const struct key *key, struct buf *der, struct err *e);

#endif
