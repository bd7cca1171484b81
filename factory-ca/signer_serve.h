/* signer_serve.h - the key holder's loop: a short permission table; what is unlisted, malformed or out of order
 * means that the front was taken over, and ends the signer. */
#ifndef HANDSEL_SIGNER_SERVE_H
#define HANDSEL_SIGNER_SERVE_H

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

/* The ceremony in one go: root, issuing and unit CA, signer.db; of an upper CA the root alone, in the homes named.
 * The root's key is used here and never again. */
int signer_init(const char *dir, enum site site, const char *name, const struct key_homes *homes, struct err *e);

/* A new root, issuing and unit CA, the root certified by the old one's key: in force when it returns, beside the old ones.
 * Cut at any moment, it is done once more. */
int signer_rollover(const char *dir, const char *name, const struct key_homes *homes, struct err *e);

/* An upper CA's only work: the certificate of the root in `file`, and its own root, into `out`. */
int signer_root_sign(const char *dir, const char *file, const char *out, struct err *e);

#endif
