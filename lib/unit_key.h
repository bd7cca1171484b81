/* unit_key.h - the key of a unit (station, node, operator, a CA's server): NAME.key in its folder, 0600, or inside a PKCS#11 token; then
 * NAME.uri says which (keystore.h).
 *
 * Keys of tokens are safe to use from several threads, which take turns. A token that goes away makes signatures fail with code SECRET and a
 * message of the log, once; when it is back, the next signature succeeds, with the PIN that was given at the start. No PIN that a token has
 * refused is ever shown to it again by the same process. */
#ifndef HANDSEL_UNIT_KEY_H
#define HANDSEL_UNIT_KEY_H

#include "cli.h"
#include "conf.h"
#include "keystore.h"
#include "x509.h"

#define UNIT_CREDENTIAL "handsel-unit-key"	/* of systemd: its PIN */

struct unit_place {			/* zero: files */
	char place[LIMIT_TOKEN_URI];	/* "", "file", or the URI of a token */
	char credential[FILE_PATH];	/* file with its PIN; "": UNIT_CREDENTIAL, or whoever sits at the terminal */
};

/* unit-key and unit-credential of a program's YAML; either may be NULL. */
int unit_place_read(struct unit_place *p, const struct conf_node *place, const struct conf_node *credential, struct err *e);
void unit_place_write(const struct unit_place *p, struct buf *yaml);	/* appends its lines */
#define UNIT_KEY_OPTIONS \
	{ "unit-key", "PLACE", "where its own key lives: file (default), or a PKCS#11 URI like pkcs11:token=line-2", false }, \
	{ "unit-credential", "FILE", "the token's PIN, a file that nobody else can read; else it is asked for", false }
int unit_place_options(struct unit_place *p, const struct cli *c, struct err *e);

/* A new key, unless there is one: kept, so that a command that was cut can be given again. */
struct key *unit_key_make(const struct unit_place *p, const char *dir, const char *name, struct err *e);
/* The key that is there. certificate: the one of it, or NULL. Codes SECRET, CONFIG, KEY_STORE. */
struct key *unit_key_load(const struct unit_place *p, const char *dir, const char *name, const struct cert *certificate, struct err *e);

/* Renewal. In a token the next key is made beside the one in force (a key in a file stays); which of them is in force the certificate
 * decides, whenever it is cut. unit_key_next(): that key, NULL with e->code OK if the one in force stays. */
struct key *unit_key_next(const struct unit_place *p, const char *dir, const char *name, struct err *e);
/* Its certificate is on the disk: it is the unit's from here on. The one before stays in the token for whoever still works with it. */
int unit_key_switch(const char *dir, const char *name, struct err *e);
/* Takes the one before out of the token, if there is one; when a program starts to serve. What fails is a message: it is tried again. */
void unit_key_tidy(const struct unit_place *p, const char *dir, const char *name);

/* Can they sign? Looks for a token that was away at most once a second. */
bool unit_keys_ready(struct err *why);

#endif
