/* audit_head.h - heads of an audit: a row's number and hash, signed by the CA's signer, or by a node's own key
 * (doc/protocol-audit.md). Whoever keeps one can tell later whether the audit up to that row is still the same. */
#ifndef HANDSEL_AUDIT_HEAD_H
#define HANDSEL_AUDIT_HEAD_H

#include "audit.h"
#include "key.h"
#include "x509.h"
#include "xml.h"

/* A database of one who signs heads, or keeps those that were signed. */
#define AUDIT_HEAD_SQL \
	"CREATE TABLE audit_head(history INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL, time INTEGER NOT NULL," \
	" signature BLOB NOT NULL, PRIMARY KEY(history, n)) WITHOUT ROWID;"

#define AUDIT_SIGNATURE_MAX (LIMIT_RSA_BITS / 8)

struct audit_head {
	uint64_t history;		/* from 1, and one more whenever an operator let ledger and signer agree after a restore */
	struct audit_state at;		/* at.n 0: there is no head */
	int64_t time;			/* of the signature */
	uint8_t signature[AUDIT_SIGNATURE_MAX];
	size_t len;			/* of signature */
};

int audit_head_sign(struct audit_head *h, const struct key *key, struct err *e);	/* fills signature */
/* Signed by one of these CAs. Code AUDIT. */
int audit_head_verify(const struct audit_head *h, const struct cert *cas, size_t n, struct err *e);

/* ---- kept in a database ---- */
int audit_head_put(struct db *d, const struct audit_head *h, struct err *e);	/* the later of two of one row stays */
int audit_head_last(struct db *d, struct audit_head *h, struct err *e);		/* at.n 0: there is none */
int audit_head_each(struct db *d, int (*each)(void *arg, const struct audit_head *h, struct err *e), void *arg, struct err *e);

/* Where many keys sign one after the other, as a unit's do, which are renewed: the certificate of each, with its issuers. */
#define AUDIT_SIGNER_SQL "CREATE TABLE audit_signer(n INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, chain BLOB NOT NULL);"
int audit_signer_put(struct db *d, const struct chain *ch, struct err *e);	/* once each */
int audit_signer_each(struct db *d, int (*each)(void *arg, const struct chain *ch, struct err *e), void *arg, struct err *e);

/* ---- in messages and documents: the element `audit` (protocol-ca 5.9) ---- */
int audit_head_read(const struct xml_node *n, struct audit_head *h, struct err *e);
void audit_head_write(struct xml_out *w, const struct audit_head *h);		/* nothing if there is none */

#endif
