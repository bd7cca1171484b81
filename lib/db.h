/* db.h - a SQLite database (WAL, synchronous=FULL) behind a small interface that names no SQLite type.
 * One connection is for one thread at a time. "No memory" ends the process. A process that has the database open must not open
 * its file by other means: closing that would drop SQLite's locks (fcntl(2)). */
#ifndef HANDSEL_DB_H
#define HANDSEL_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct db;
struct stmt;

/* Opens or creates (0600), then runs the migrations that are missing, each in a transaction: migration i leads to version i + 1.
 * A step does not overwrite what it gives up, so that a large table can be dropped; after the last one that is as it was.
 * A database newer than the program is refused. NULL on failure, code STORAGE. Beside SQLite's functions its SQL has short_hash(TEXT): the
 * first eight octets of the SHA-256 as an integer, NULL of NULL. */
struct db *db_open(const char *path, const char *const *migrations, size_t n, struct err *e);
void db_close(struct db *d);

int db_begin(struct db *d, struct err *e);		/* BEGIN IMMEDIATE: waits for other writers up to 10 s */
int db_commit(struct db *d, struct err *e);
void db_rollback(struct db *d);
int db_savepoint(struct db *d, struct err *e);		/* one level, inside a transaction */
int db_release(struct db *d, struct err *e);		/* keeps what was done since */
void db_undo(struct db *d);				/* drops what was done since */

/* A prepared statement, kept with the database and found again by the pointer of sql (a literal). Bind each parameter, step,
 * read, db_reset(). NULL values: bind_text/bind_blob with NULL. SQL that does not compile is our bug and ends the process. */
struct stmt *db_stmt(struct db *d, const char *sql);
void bind_int(struct stmt *s, int i, int64_t v);	/* i from 1 */
void bind_text(struct stmt *s, int i, const char *v);	/* copied */
void bind_blob(struct stmt *s, int i, const void *v, size_t len);	/* copied */
int db_step(struct stmt *s, struct err *e);		/* 1 a row, 0 done, -1 error; 0 and -1 reset the statement */
int db_run(struct stmt *s, struct err *e);		/* step to the end, 0 or -1 */
void db_reset(struct stmt *s);
int64_t col_int(struct stmt *s, int i);			/* i from 0; NULL: 0 */
const char *col_text(struct stmt *s, int i);		/* until the next step; NULL: "" */
void col_copy(struct stmt *s, int i, char *out, size_t size);	/* text into a fixed field, cut if too long */
void col_blob(struct stmt *s, int i, struct buf *out);	/* replaces *out */
/* A copy as of one moment, also while others write; `to` must not exist. Whatever the schema is, it stays so. */
int db_copy(const char *from, const char *to, struct err *e);
/* Reads all of a database that nobody has open. Code STORAGE: it is damaged. */
int db_check(const char *path, struct err *e);

/* What the one clock of all who have this database open showed when clock_mono_ms() of this process did, for what they count together.
 * It never jumps, and may begin anew, as at a boot. A file is opened on one machine only, and so it is that very clock. */
int64_t db_shared_ms(const struct db *d, int64_t mono_ms);
/* True, with the first message in *why: this connection has met damage of the file. It begins no transaction any more: what is written to
 * such a database may be lost with it. */
bool db_damaged(const struct db *d, struct err *why);

int db_touch(struct db *d, struct err *e);	/* inside a transaction: writes what is there already */
int64_t db_size(const char *path);		/* bytes of the database with its WAL; 0 if it is not there */
int64_t db_changes(struct db *d);			/* rows of the last statement */
int64_t db_rowid(struct db *d);

#endif
