/* db_record.h - in a build for tests: what the databases of some processes write and flush, in the order in which they do it.
 *
 * HANDSEL_DB_RECORD=FILE makes each process append a record to that file for each write, truncation and finished flush of a database
 * or its write-ahead log: what is on disk after a power cut at any of them can be made from it (tests/fault/cuts.c). Checkpoints come
 * often then. HANDSEL_FAULT_FLUSHES=1 makes fault points (lib/fault.h) of the flushes: "flush.FILE" before one, "flushed.FILE" behind it. */
#ifndef HANDSEL_DB_RECORD_H
#define HANDSEL_DB_RECORD_H

enum db_record { DB_WRITE = 'W', DB_TRUNCATE = 'T', DB_FLUSH = 'F', DB_NOTE = 'N' };

#ifdef ENABLE_FAULT_INJECTION
#include <sqlite3.h>
#include <stdbool.h>

bool db_recorded(void);
/* A VFS that is `below` and records; `below` itself if that was not asked for. */
sqlite3_vfs *db_record_vfs(sqlite3_vfs *below);
void db_record_note(const char *text);	/* what another process was told: stands behind all that it was told of */
#else
#define db_recorded() false
#define db_record_vfs(below) (below)
#define db_record_note(text) ((void)0)
#endif

#endif
