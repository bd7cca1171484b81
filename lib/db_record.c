#include <config.h>

#include "db_record.h"

#ifdef ENABLE_FAULT_INJECTION
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "fault.h"
#include "pack.h"

/* Behind the file object of the VFS below, in the memory that SQLite gives for both. */
struct file {
	sqlite3_io_methods methods;	/* of this file: `inner` with some replaced */
	const sqlite3_io_methods *inner;
	char *name;
	char before[60], behind[60];	/* fault points of its flushes */
};

static sqlite3_vfs vfs, *below;

static struct file *file_of(sqlite3_file *f)
{
	return (struct file *)(void *)((uint8_t *)f + below->szOsFile);
}

/* One write() at the end of the file: those of several processes come one after the other. */
static void add(enum db_record type, const char *name, sqlite3_int64 at, const void *data, size_t len)
{
	const char *path = getenv("HANDSEL_DB_RECORD");
	int fd = !path ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct buf b = {0};

	if (!path)
		return;
	pack_u8(&b, (uint8_t)type);
	pack_str(&b, name);
	pack_u64(&b, (uint64_t)at);
	pack_bytes(&b, data, len);
	if (fd < 0 || write(fd, b.data, b.len) != (ssize_t)b.len) {
		perror("HANDSEL_DB_RECORD");
		abort();
	}
	close(fd);
	buf_free(&b);
}

static int record_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	add(DB_WRITE, file_of(f)->name, at, data, (size_t)n);
	return file_of(f)->inner->xWrite(f, data, n, at);
}

static int record_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	add(DB_TRUNCATE, file_of(f)->name, size, "", 0);
	return file_of(f)->inner->xTruncate(f, size);
}

/* What was written before it is on disk when it returns, and not before. */
static int record_sync(sqlite3_file *f, int flags)
{
	const struct file *file = file_of(f);
	bool faults = getenv("HANDSEL_FAULT_FLUSHES") != NULL;
	int rc;

	if (faults)
		FAULT(file->before);
	rc = file->inner->xSync(f, flags);
	if (rc == SQLITE_OK)
		add(DB_FLUSH, file->name, 0, "", 0);
	if (faults)
		FAULT(file->behind);
	return rc;
}

static int record_close(sqlite3_file *f)
{
	free(file_of(f)->name);
	return file_of(f)->inner->xClose(f);
}

static int record_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	int rc = below->xOpen(v, name, f, flags, out);
	struct file *file = file_of(f);

	if (rc != SQLITE_OK || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return rc;
	*file = (struct file){ .methods = *f->pMethods, .inner = f->pMethods, .name = strdup(name) };
	name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	snprintf(file->before, sizeof file->before, "flush.%.40s", name);
	snprintf(file->behind, sizeof file->behind, "flushed.%.40s", name);
	file->methods.xWrite = record_write;
	file->methods.xTruncate = record_truncate;
	file->methods.xSync = record_sync;
	file->methods.xClose = record_close;
	f->pMethods = &file->methods;
	return rc;
}

bool db_recorded(void)
{
	return getenv("HANDSEL_DB_RECORD") != NULL;
}

sqlite3_vfs *db_record_vfs(sqlite3_vfs *standard)
{
	if (!db_recorded() && !getenv("HANDSEL_FAULT_FLUSHES"))
		return standard;
	below = standard;
	vfs = *below;
	vfs.zName = "recorded";
	vfs.szOsFile += (int)sizeof(struct file);
	vfs.xOpen = record_open;
	return &vfs;
}

void db_record_note(const char *text)
{
	if (db_recorded())
		add(DB_NOTE, "", 0, text, strlen(text));
}
#endif
