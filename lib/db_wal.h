/* db_wal.h - the write-ahead log's file, cheaper to commit to. For db.c alone.
 *
 * A VFS of SQLite that is the default one but for the -wal file: SQLite makes two small writes a page there, and here the pages
 * of a commit go out together. What is on disk when a commit returns is the same. */
#ifndef HANDSEL_DB_WAL_H
#define HANDSEL_DB_WAL_H

#include <sqlite3.h>

/* Its name, for sqlite3_open_v2(). */
const char *db_wal_vfs(void);

int db_wal_pages(void);		/* of the log, before they are taken into the database */

/* Around the statement that commits. Only there nobody wants a page between its write and the sync that follows; one that SQLite
 * spills from a long transaction is written at once, since a rollback would not be seen here. */
void db_wal_begin(sqlite3 *handle);
void db_wal_end(sqlite3 *handle);

#endif
