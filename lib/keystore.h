/* keystore.h - where keys live, those of a CA and of units (unit_key.h): in encrypted files, in a PKCS#11 token, later in a ring of signing devices.
 *
 * A place is "file", or the PKCS#11 URI of a token (token.h). A key in it goes by a name in a folder: the store of files keeps it in
 * FOLDER/NAME.pem, that of a unit in FOLDER/NAME.key, since its certificate is NAME.pem; a token's URI of it stands in FOLDER/NAME.uri. So a
 * folder tells by itself where its keys are. */
#ifndef HANDSEL_KEYSTORE_H
#define HANDSEL_KEYSTORE_H

#include "file.h"
#include "key.h"
#include "limits.h"
#include "secret.h"
#include "token.h"

#define KEYSTORE_FILE "file"

struct keystore_plan {
	char place[LIMIT_TOKEN_URI];	/* "" is "file" */
	bool plain;			/* "file": new keys are not encrypted */
	bool unit;			/* of a unit: not encrypted in a file is the rule, and no warning */
	char credential[LIMIT_NAME + 1];	/* of systemd; "": none. Passphrase or PIN, likewise the next */
	char file[FILE_PATH];		/* "": none */
	const char *ask;		/* whoever sits at the terminal, for the passphrase "of the CA's keys" or the PIN; NULL: nobody */
};
int keystore_place_check(const char *place, struct err *e);	/* code CONFIG: no place */

struct keystore;

/* Nothing is asked, nor looked for, before a key is needed. NULL with code CONFIG. */
struct keystore *keystore_open(const struct keystore_plan *plan, struct err *e);
bool keystore_is_token(const struct keystore *s);		/* its modules are loaded into this process */
void keystore_close(struct keystore *s);			/* after its keys; NULL is fine */

/* The key that is to go by a name: the one that a try has made there which was cut, else a new one, on disk when this returns. So no cut
 * leaves a key in a token that no folder names. label: what a token's own tools call it. Code CONFIG also: a cut try has begun that key
 * in another place, or with another label. */
struct key *keystore_generate(struct keystore *s, enum key_type type, const char *folder, const char *name, const char *label, struct err *e);
/* A key that is there. Codes SECRET: passphrase or PIN are missing, or wrong; CA_UNAVAILABLE: the token is not there now;
 * CONFIG: there is no such key. */
struct key *keystore_key(struct keystore *s, const char *folder, const char *name, struct err *e);
bool keystore_has(const char *folder, const char *name);	/* a key of a CA goes by this name */
/* Out of the token, too; that there is none is fine. */
int keystore_remove(struct keystore *s, const char *folder, const char *name, struct err *e);

/* `unlock`: another secret, which it owns, tried when a key is needed next. last_try: token.h. */
void keystore_give(struct keystore *s, struct secret *secret, bool last_try);

/* What holds the keys may have been away: after all keys of all stores are closed, and before they are opened again. */
int keystore_reset(struct keystore *s, struct err *e);

struct keystore_state {
	char kind[8];			/* "file", "pkcs11" */
	char name[64];			/* of the token; "" */
	bool there;			/* files always are */
	bool secret;			/* it has one that nobody has refused, or has needed none yet */
	bool encrypted;			/* of files: those that it has opened or made; a token's keys are */
	enum token_tries tries;
};
void keystore_look(struct keystore *s, struct keystore_state *state);

#endif
