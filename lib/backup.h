/* backup.h - a consistent copy of a program's folder while it serves: databases by SQLite's own means, all else file by file, and a
 * list of hashes, signed by a unit of the program, by which any change is found (doc/operations.md, "Backup").
 *
 * A private key is copied only if asked for, and then only if it is encrypted: a backup lies about. */
#ifndef HANDSEL_BACKUP_H
#define HANDSEL_BACKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "file.h"
#include "text.h"
#include "x509.h"

#define BACKUP_LIST "MANIFEST"
#define BACKUP_SIGNED "MANIFEST.p7"	/* SignedData with the list in it */

/* Whose backup it is. The callbacks say 1, 0: a folder of this kind has no unit (an upper CA), its backup is not signed; -1. */
struct backup_unit {
	const char *program;		/* who may restore it */
	const char *role;		/* of who signs */
	int (*signer)(const char *dir, struct key **key, struct chain *chain, struct err *e);
	/* The root of a folder, which may be the backup itself, and the trust in it. Free *t also after a failure. */
	int (*trust)(const char *dir, struct trust **t, uint8_t root[SHA256_LEN], struct err *e);
	/* Called with a restored folder before it gets its name: what comes out of a backup must know that it does. */
	int (*mark)(const char *dir, struct err *e);
};
struct backup_asked {			/* "" or NULL: any */
	const char *fingerprint;	/* of the list */
	const char *root;		/* SHA-256 of the root that the signer's certificate must hold under */
};

struct backup {			/* zero it; free with backup_free() */
	char fingerprint[SHA256_HEX];	/* SHA-256 of the list, which has those of all files */
	char signer[CERT_ROLE_MAX + LIMIT_NAME + 2];	/* "operator:maria"; "": not signed, as an upper CA's */
	char root[SHA256_HEX];		/* under which the signature holds; "" likewise */
	size_t files;
	char (*left_out)[FILE_PATH];	/* private keys, and what may be a passphrase, that are not in it */
	size_t n_left_out;
};
void backup_free(struct backup *b);

/* Saves dir in the folder `to`, which must not exist; it is there as a whole or not at all. Codes CONFIG, STORAGE, and those of the key. */
int backup_create(struct backup *b, const struct backup_unit *u, const char *dir, bool keys, const char *to, struct err *e);

/* Code REQUEST: it is not what was saved, with the file; of another program; not signed, or not by whoever may; or not the one that was
 * asked for. Databases are read whole, after all that. */
int backup_verify(struct backup *b, const struct backup_unit *u, const char *from, const struct backup_asked *asked, struct err *e);

/* Verifies, and puts it into dir, which must be empty or not exist. */
int backup_restore(struct backup *b, const struct backup_unit *u, const char *from, const struct backup_asked *asked, const char *dir,
		   struct err *e);

#endif
