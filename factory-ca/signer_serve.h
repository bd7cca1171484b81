/* signer_serve.h - the key holder's loop: a short permission table; what is unlisted, malformed or out of order
 * means that the front was taken over, and ends the signer. */
#ifndef HANDSEL_SIGNER_SERVE_H
#define HANDSEL_SIGNER_SERVE_H

#include "db.h"
#include "err.h"
#include "keys.h"
#include "signer.h"

/* What holds the process back, once all is loaded: sandbox.h. */
struct signer_confined {
	char sandbox[12];
	bool memory;		/* all of it is locked */
};
typedef int signer_confine(bool token, enum key_sandbox wanted, struct signer_confined *c, struct err *e);

/* Until the peer closes: 0. -1: why it could not start or stopped. confine NULL: nothing does, as in a test. */
int signer_serve(const char *dir, int fd, enum signer_purpose purpose, signer_confine *confine, struct err *e);

/* What the reviewed file of `handsel-ca ceremony` says beyond where keys live; {0}: there is none. */
struct ceremony_terms {
	char file[SHA256_HEX];		/* its SHA-256; "": this is no step of a ceremony */
	uint32_t root_days, issuing_days, unit_days;	/* how long the certificates are good; 0: as their profiles say */
};
/* In the folder of a generation that a ceremony has made: the file's SHA-256, and by each key a signature (hex) over CEREMONY_PROOF
 * NUL, this SHA-256 and the SHA-256 of the key's certificate (32 bytes each). YAML. Roots in such a folder are opened by a ceremony alone. */
#define CEREMONY_FILE "ceremony.proof"
#define CEREMONY_PROOF "handsel-ceremony-v1"
void ceremony_proof(struct buf *out, const char *file_sha256, const struct cert *cert);	/* what is signed; replaces */

/* Root, issuing and unit CA in one go, signer.db; of an upper CA the root alone, in the homes named. The root's key is used here and
 * in a rollover. Cut at any moment, the same once more goes on with the keys and certificates that are there already. */
int signer_init(const char *dir, enum site site, const char *name, const struct key_homes *homes, const struct ceremony_terms *terms, struct err *e);

/* A new root, issuing and unit CA, the root certified by the old one's key: in force when it returns, beside the old ones.
 * Cut at any moment, it is done once more, with the keys that are there already. */
int signer_rollover(const char *dir, const char *name, const struct key_homes *homes, const struct ceremony_terms *terms, struct err *e);

/* An upper CA's only work: the certificate of the root in `file`, and its own root, into `out`. */
int signer_root_sign(const char *dir, const char *file, const char *out, const struct ceremony_terms *terms, struct err *e);

/* The list of what a root has certified and revoked (keys.h: ROOT_LIST_FILE), into that root's folder, with a number above all before. It is good for
 * so many days, ROOT_LIST_DAYS if 0, and no longer than the root. revoke NULL, or the file of a certificate by this root that goes on it for ever,
 * for that CRLReason. generation 0: the one in force. */
struct root_list {
	unsigned generation;
	uint32_t days;
	const char *revoke;
	uint8_t reason;
};
int signer_root_list(const char *dir, const struct root_list *l, const struct ceremony_terms *terms, struct err *e);
/* The same with a root that is open: init, rollover and the upper CA renew its list whenever it is. */
int root_list_make(struct db *db, const struct cert *root, const struct key *key, const char *folder, uint32_t days, struct err *e);

/* -1 with code CONFIG: the root in this folder was made by a ceremony, and this is none. */
int signer_root_open(const char *folder, const struct ceremony_terms *terms, struct err *e);

#endif
