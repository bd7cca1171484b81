/* backup.h - a consistent copy of a program's folder while it serves: databases by SQLite's own means, all else file by file, and a
 * list of hashes by which any change is found (doc/operations.md, "Backup").
 *
 * A private key is copied only if asked for, and then only if it is encrypted: a backup lies about. */
#ifndef HANDSEL_BACKUP_H
#define HANDSEL_BACKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "file.h"
#include "text.h"

#define BACKUP_LIST "MANIFEST"

struct backup {			/* zero it; free with backup_free() */
	char fingerprint[SHA256_HEX];	/* SHA-256 of the list, which has those of all files */
	size_t files;
	char (*left_out)[FILE_PATH];	/* private keys, and what may be a passphrase, that are not in it */
	size_t n_left_out;
};
void backup_free(struct backup *b);

/* Saves dir in the folder `to`, which must not exist; it is there as a whole or not at all. program: who may restore it. Codes CONFIG,
 * STORAGE. */
int backup_create(struct backup *b, const char *program, const char *dir, bool keys, const char *to, struct err *e);

/* Code REQUEST: it is not what was saved, with the file; of another program; or not the one with that fingerprint ("" or NULL: any).
 * Databases are read whole. */
int backup_verify(struct backup *b, const char *program, const char *from, const char *fingerprint, struct err *e);

/* Verifies, and puts it into dir, which must be empty or not exist. mark() is called with the folder before it gets its name: what
 * comes out of a backup must know that it does. */
int backup_restore(struct backup *b, const char *program, const char *from, const char *fingerprint, const char *dir,
		   int (*mark)(const char *dir, struct err *e), struct err *e);

#endif
