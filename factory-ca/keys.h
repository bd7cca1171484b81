/* keys.h - where the keys of a CA's generation live: keys.yaml in its folder, handsel-ca(1). Written when they are made, and read by
 * handsel-signer alone; the keys themselves go by the names of keys/ in that folder (keystore.h). */
#ifndef HANDSEL_CA_KEYS_H
#define HANDSEL_CA_KEYS_H

#include "cli.h"
#include "keystore.h"

#define KEYS_FOLDER "keys"

struct key_home {
	char place[LIMIT_TOKEN_URI];
	char credential[FILE_PATH];	/* file with passphrase or PIN, "": none */
};
struct key_homes {
	struct key_home keys, root;	/* issuing and unit CA; root */
	bool plain;			/* files are not encrypted */
	enum key_sandbox { KEY_SANDBOX_ON, KEY_SANDBOX_NETWORK, KEY_SANDBOX_OFF } sandbox;	/* on: by the place (sandbox.h) */
};

/* Without keys.yaml they are in files. */
int key_homes_load(struct key_homes *h, const char *folder, struct err *e);
int key_homes_save(const struct key_homes *h, const char *folder, struct err *e);

/* The options --keys, --key-credential, --key-passphrase none, --root-key, --root-credential, --key-sandbox of whoever makes keys; what is
 * not given stays as it is, but that another place has another credential, and the root's home is that of the others. */
int key_homes_options(struct key_homes *h, const struct cli *c, struct err *e);
#define KEY_HOME_OPTIONS \
	{ "keys", "PLACE", "where the new keys live: file (default), or a PKCS#11 URI like pkcs11:token=acme-ca", false }, \
	{ "key-credential", "FILE", "its passphrase or PIN, a file that nobody else can read; else it is asked for", false }, \
	{ "key-passphrase", "none", "new keys in files are not encrypted", false }, \
	{ "root-key", "PLACE", "where the root's key lives, if not with the others", false }, \
	{ "root-credential", "FILE", "its passphrase or PIN", false }, \
	{ "key-sandbox", "MODE", "on (default), network: the token's module may use it, or off", false }
/* The same as words of a command line, for handsel-signer; n: how many there are already. */
#define KEY_HOME_WORDS 12
void key_homes_words(const struct cli *c, const char **argv, size_t *n);

/* credential: of systemd. what: "of the root's key", for whoever is asked. */
struct keystore *key_home_open(const struct key_home *h, bool plain, const char *credential, const char *what, struct err *e);
bool key_home_same(const struct key_home *a, const struct key_home *b);

#endif
