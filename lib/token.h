/* token.h - private keys in a PKCS#11 token, by GnuTLS: made in it, never out of it. The only user of gnutls/pkcs11.h.
 *
 * A token is named by an RFC 7512 URI: "pkcs11:token=acme-ca"; with "?module-path=/usr/lib/...so" that module alone is loaded, else
 * those that p11-kit is configured for. One thread at a time.
 * A PIN is tried once: what the token has refused is never tried again, and the last try before a lock only if that is asked for. */
#ifndef HANDSEL_TOKEN_H
#define HANDSEL_TOKEN_H

#include <stdbool.h>

#include "key.h"
#include "limits.h"
#include "secret.h"

enum token_tries { TRIES_UNKNOWN, TRIES_ENOUGH, TRIES_FEW, TRIES_LAST, TRIES_NONE };	/* left, as far as the token tells */
const char *token_tries_text(enum token_tries t);	/* "few tries are left", ...; "" while there is nothing to say */

bool token_is_uri(const char *text);

struct token;

/* Loads the module. The token need not be there yet. NULL with code CONFIG. */
struct token *token_open(const char *uri, struct err *e);
void token_close(struct token *t);			/* after its keys; NULL is fine */
void token_advice(struct token *t, const char *how);	/* how a person permits the last try; kept, not copied */
const char *token_name(const struct token *t);		/* for messages: its label, if the URI has one */

/* Gives the PIN: it owns the secret. The token sees it when a key is opened. last_try: even if it is the last one. */
void token_give_pin(struct token *t, struct secret *pin, bool last_try);
bool token_has_pin(const struct token *t);		/* given, and not refused by the token */

/* Is it there, and what does it tell? -1 with code CA_UNAVAILABLE: it is not. */
int token_look(struct token *t, enum token_tries *tries, struct err *e);

/* How a key will be found that is not there yet: for the caller to have on disk before the token makes it, so that a cut leaves no key
 * that nobody knows. Codes SECRET (no PIN), CA_UNAVAILABLE (token absent). */
int token_reserve(struct token *t, const char *label, struct buf *uri, struct err *e);
/* The key that was reserved: the one that an earlier try has made, else a new one: sensitive, never extractable, for signatures. *uri:
 * as reserved, or as this returned it before; then with the very device that it is in. Codes SECRET and KEY_STORE: there is no such key
 * in the token afterwards; CA_UNAVAILABLE: nobody knows; CONFIG: what was reserved is another label's. */
struct key *token_generate(struct token *t, enum key_type type, const char *label, struct buf *uri, struct err *e);
/* A key that is there, by its own URI. If the token fails later, key_sign() says CA_UNAVAILABLE. */
struct key *token_key(struct token *t, const char *uri, struct err *e);
/* Takes the key by this URI out of the token, with its public half. That it is not there is fine. Codes of token_generate(). */
int token_remove(struct token *t, const char *uri, struct err *e);

/* Modules are loaded anew, since few find a token again that was away. No key of any token may be open. */
int token_reset(struct err *e);

#endif
