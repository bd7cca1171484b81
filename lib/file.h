/* file.h - files are replaced, never edited: temporary, flush, rename, flush of the folder. */
#ifndef HANDSEL_FILE_H
#define HANDSEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* Reads the whole file of at most max bytes (0: LIMIT_FILE). Appends to out. */
int file_read(struct buf *out, const char *path, size_t max, struct err *e);

/* The same for a secret: refused if group or others can read it. */
int file_read_secret(struct buf *out, const char *path, struct err *e);

/* Puts data in place of what path names, or nothing: survives a power cut at any instant. mode 0600 for secrets. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *e);

/* Makes a folder (0700) whose parent exists; done if it exists already. Flushes the parent. */
int file_mkdir(const char *path, struct err *e);

/* Removes a file and flushes its folder; done if it is not there. */
int file_remove(const char *path, struct err *e);

/* Removes a folder with all that is in it, following no link; done if it is not there. */
int file_remove_tree(const char *path, struct err *e);

/* Removes what a cut file_replace() has left in a folder, which may be half of a secret; not what is being written, so the caller
 * knows that nobody writes there. Done if there is no such folder. */
int file_sweep(const char *folder, struct err *e);

/* Flushes the folder that path stands in, so that its entry survives a power cut. */
int file_sync_parent(const char *path, struct err *e);

bool file_exists(const char *path);

/* "dir/name" in a static-size field; -1 with an error if it does not fit. */
#define FILE_PATH 1024
int file_join(char out[FILE_PATH], struct err *e, const char *dir, const char *name);
/* "dir/name" with an end, like ".pem". */
int file_join_end(char out[FILE_PATH], struct err *e, const char *dir, const char *name, const char *end);

#endif
