#include <config.h>

#include "db_wal.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "db_record.h"
#include "limits.h"
#include "mem.h"

#define WRITE_MAX 65536
#define RECORDED_PAGES 100	/* for tests of power cuts: many checkpoints */

/* Behind the file object of the default VFS, in the memory that SQLite gives for both. */
struct wal {
	sqlite3_io_methods methods;	/* of this file: `inner` with some replaced */
	const sqlite3_io_methods *inner;
	bool gathering;
	sqlite3_int64 at;		/* where what is gathered belongs */
	struct buf gathered;
};

static sqlite3_vfs vfs;
static const sqlite3_vfs *standard;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct wal *wal_of(sqlite3_file *f)
{
	return (struct wal *)(void *)((uint8_t *)f + standard->szOsFile);
}

/* The default VFS loses what is over 128 KiB of a write (0x1ffff in its seekAndWriteFd()). */
static int put(sqlite3_file *f, const uint8_t *data, size_t n, sqlite3_int64 at)
{
	int rc = SQLITE_OK;

	while (n && rc == SQLITE_OK) {
		size_t part = n < WRITE_MAX ? n : WRITE_MAX;

		rc = wal_of(f)->inner->xWrite(f, data, (int)part, at);
		data += part;
		at += (sqlite3_int64)part;
		n -= part;
	}
	return rc;
}

/* What fails here fails the commit, and SQLite rolls it back: the bytes are wanted no more. */
static int flush(sqlite3_file *f)
{
	struct wal *w = wal_of(f);
	size_t n = w->gathered.len;

	w->gathered.len = 0;
	return put(f, w->gathered.data, n, w->at);
}

static int wal_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	struct wal *w = wal_of(f);
	int rc = SQLITE_OK;

	if (!w->gathering)
		return w->inner->xWrite(f, data, n, at);
	if (at != w->at + (sqlite3_int64)w->gathered.len || w->gathered.len + (size_t)n > LIMIT_WAL_GATHER)
		rc = flush(f);
	if (!w->gathered.len)
		w->at = at;
	buf_add(&w->gathered, data, (size_t)n);
	return rc;
}

static int wal_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? wal_of(f)->inner->xRead(f, data, n, at) : rc;
}

static int wal_sync(sqlite3_file *f, int flags)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? wal_of(f)->inner->xSync(f, flags) : rc;
}

static int wal_close(sqlite3_file *f)
{
	buf_free(&wal_of(f)->gathered);
	return wal_of(f)->inner->xClose(f);
}

static int open_file(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	int rc = standard->xOpen(v, name, f, flags, out);
	struct wal *w = wal_of(f);

	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
		return rc;
	*w = (struct wal){ .methods = *f->pMethods, .inner = f->pMethods };
	w->methods.xRead = wal_read;
	w->methods.xWrite = wal_write;
	w->methods.xSync = wal_sync;
	w->methods.xClose = wal_close;
	f->pMethods = &w->methods;
	return rc;
}

static void start(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);	/* a lock at each allocation, for figures that nobody asks for */
	standard = db_record_vfs(sqlite3_vfs_find(NULL));
	vfs = *standard;
	vfs.zName = "handsel";
	vfs.szOsFile += (int)sizeof(struct wal);
	vfs.xOpen = open_file;
	sqlite3_vfs_register(&vfs, 0);
}

int db_wal_pages(void)
{
	return db_recorded() ? RECORDED_PAGES : LIMIT_WAL_PAGES;
}

const char *db_wal_vfs(void)
{
	pthread_once(&once, start);
	return vfs.zName;
}

static struct wal *log_of(sqlite3 *handle)
{
	sqlite3_file *f = NULL;

	if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f) != SQLITE_OK || !f->pMethods ||
	    f->pMethods->xWrite != wal_write)
		return NULL;	/* no log yet: the mode has just been set */
	return wal_of(f);
}

void db_wal_begin(sqlite3 *handle)
{
	struct wal *w = log_of(handle);

	if (w)
		w->gathering = true;
}

void db_wal_end(sqlite3 *handle)
{
	struct wal *w = log_of(handle);

	if (!w)
		return;
	w->gathering = false;
	w->gathered.len = 0;
}
