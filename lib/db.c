#include <config.h>

#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "db_wal.h"
#include "digest.h"
#include "fault.h"
#include "file.h"
#include "limits.h"
#include "log.h"
#include "mem.h"

#define BUCKETS 64

struct stmt {
	const char *sql;
	sqlite3_stmt *compiled;		/* NULL: could not be read from the database now; db_step() says why */
	struct err why;
	struct db *db;
	struct stmt *next;
};

struct db {
	sqlite3 *handle;
	char *path;
	struct stmt *cache[BUCKETS];
	bool begun;			/* db_begin() until commit or rollback */
	struct err damage;		/* code OK: none was met */
};

/* SQLite's code as ours. The text is read before anything else touches the connection. */
static int fail(struct db *d, int rc, struct err *e)
{
	const char *text = d->handle ? sqlite3_errmsg(d->handle) : sqlite3_errstr(rc);
	int os = d->handle ? sqlite3_system_errno(d->handle) : 0;

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		mem_out();
	case SQLITE_FULL:
		return err_set(e, REASON_STORAGE,
			       "%s: the storage is full; free space, nothing that was answered is lost", d->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err_set(e, REASON_STORAGE,
			"%s: the database is damaged (%s); stop the program, keep the file and restore "
			"the last backup",
			d->path, text);
		if (d->damage.code == REASON_OK)
			d->damage = *e;
		return -1;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, REASON_STORAGE,
			       "%s: another process has kept the database locked for %d s; end that process", d->path,
			       TIMEOUT_BUSY_MS / 1000);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return err_set(e, REASON_STORAGE,
			       "%s: cannot read or write the database: %s%s%s; check storage and permissions", d->path,
			       text, os ? ": " : "", os ? strerror(os) : "");
	default:
		return err_set(e, REASON_INTERNAL, "%s: %s", d->path, text);
	}
}

/* A failed write may roll the transaction back by itself. What follows would be committed row by row: it is refused. */
static int lost(struct db *d, struct err *e)
{
	if (!d->begun || !sqlite3_get_autocommit(d->handle))
		return 0;
	return err_set(e, REASON_STORAGE,
		       "%s: a failure of the storage has undone the transaction; see the message before", d->path);
}

static int execute(struct db *d, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(d, rc, e);
}

/* ---- opening ------------------------------------------------------------------ */

/* SQLite gives its -wal and -shm files the mode of the database. */
static int create_private(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : err_errno(e, REASON_STORAGE, "cannot create %s", path);
	close(fd);
	return file_sync_parent(path, e);
}

static int setting(struct db *d, const char *pragma, int64_t *value, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(d->handle, pragma, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(s, 0);
	else
		fail(d, rc, e);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : -1;
}

static int schema_version(struct db *d, int64_t *version, struct err *e)
{
	return setting(d, "PRAGMA user_version", version, e);
}

/* One step in one transaction. Another process may have taken it since: the version is read again under the lock. */
static int migrate_one(struct db *d, const char *const *migrations, int64_t from, struct err *e)
{
	char set[64];
	int64_t now = 0;

	if (db_begin(d, e) < 0)
		return -1;
	if (schema_version(d, &now, e) < 0)
		goto undo;
	if (now != from) {
		db_rollback(d);
		return 0;
	}
	snprintf(set, sizeof set, "PRAGMA user_version = %lld", (long long)from + 1);
	if (execute(d, migrations[from], e) < 0 || execute(d, set, e) < 0) {
		err_prefix(e, "step to schema version %lld", (long long)from + 1);
		goto undo;
	}
	FAULT("db.migrate");
	if (db_commit(d, e) == 0)
		return 0;
undo:
	db_rollback(d);
	return -1;
}

static int migrate_all(struct db *d, const char *const *migrations, size_t n, struct err *e)
{
	for (;;) {
		int64_t version = 0;

		if (schema_version(d, &version, e) < 0)
			return -1;
		if (version < 0 || version > (int64_t)n)
			return err_set(e, REASON_STORAGE,
				       "%s has schema version %lld and this program knows only %zu; use the newer "
				       "program that wrote it",
				       d->path, (long long)version, n);
		if (version == (int64_t)n)
			return 0;
		if (migrate_one(d, migrations, version, e) < 0)
			return -1;
	}
}

/* A step may drop a table of millions of rows. Were the pages overwritten that it gives up, as is usual where SQLite is built so, a copy of
 * each would be in memory until the end of the statement. */
static int migrate(struct db *d, const char *const *migrations, size_t n, struct err *e)
{
	int64_t overwrites = 0;

	if (setting(d, "PRAGMA secure_delete", &overwrites, e) < 0 || execute(d, "PRAGMA secure_delete = FAST", e) < 0 ||
	    migrate_all(d, migrations, n, e) < 0)
		return -1;
	return execute(d, overwrites ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = OFF", e);
}

/* Two programs that turn the same new database to WAL are in each other's way, and SQLite asks no busy handler then. */
static int enter_wal(struct db *d, struct err *e)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	int64_t end = clock_mono_ms() + TIMEOUT_BUSY_MS;
	int rc;

	for (;;) {
		rc = sqlite3_exec(d->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
		if ((rc & 0xff) != SQLITE_BUSY || clock_mono_ms() >= end)
			break;
		nanosleep(&nap, NULL);
	}
	return rc == SQLITE_OK ? 0 : fail(d, rc, e);
}

static void short_hash(sqlite3_context *c, int n, sqlite3_value **v)
{
	const unsigned char *text = sqlite3_value_text(v[0]);
	uint8_t hash[SHA256_LEN];
	uint64_t number = 0;

	if (!text)
		return;
	digest_sha256(hash, text, (size_t)sqlite3_value_bytes(v[0]));
	for (int i = 0; i < 8; i++)
		number = number << 8 | hash[i];
	sqlite3_result_int64(c, (int64_t)number);
}

static int configure(struct db *d, struct err *e)
{
	char sql[400];

	/* FULL: in WAL mode NORMAL loses the last commits at a power cut, and what was answered must stay.
	 * The checkpoint is rare, because it, too, waits for the disk, in the middle of somebody's commit. */
	snprintf(sql, sizeof sql,
		 "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%u;"
		 "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
		 "PRAGMA temp_store=MEMORY", db_wal_pages(), LIMIT_WAL_BYTES);
	return enter_wal(d, e) < 0 ? -1 : execute(d, sql, e);
}

struct db *db_open(const char *path, const char *const *migrations, size_t n, struct err *e)
{
	struct db *d = mem_new(1, sizeof *d);
	int rc;

	d->path = mem_str(path);
	if (create_private(path, e) < 0)
		goto fail;
	rc = sqlite3_open_v2(path, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			     db_wal_vfs());
	if (rc != SQLITE_OK) {
		fail(d, rc, e);
		goto fail;
	}
	sqlite3_busy_timeout(d->handle, TIMEOUT_BUSY_MS);
	/* not for the schema: another program that opens the file does not have it */
	rc = sqlite3_create_function_v2(d->handle, "short_hash", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, short_hash,
					NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		fail(d, rc, e);
		goto fail;
	}
	if (configure(d, e) < 0 || migrate(d, migrations, n, e) < 0)
		goto fail;
	return d;
fail:
	db_close(d);
	return NULL;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (d->cache[i]) {
			struct stmt *s = d->cache[i];

			d->cache[i] = s->next;
			sqlite3_finalize(s->compiled);
			free(s);
		}
	sqlite3_close(d->handle);
	free(d->path);
	free(d);
}

/* ---- transactions --------------------------------------------------------------- */

bool db_damaged(const struct db *d, struct err *why)
{
	if (d->damage.code == REASON_OK)
		return false;
	*why = d->damage;
	return true;
}

int db_begin(struct db *d, struct err *e)
{
	if (db_damaged(d, e) || db_run(db_stmt(d, "BEGIN IMMEDIATE"), e) < 0)
		return -1;
	d->begun = true;
	return 0;
}

int db_commit(struct db *d, struct err *e)
{
	int rc;

	db_wal_begin(d->handle);
	rc = db_run(db_stmt(d, "COMMIT"), e);
	db_wal_end(d->handle);
	d->begun = rc < 0 && d->begun;
	return rc;
}

void db_rollback(struct db *d)
{
	struct err ignored;

	d->begun = false;
	if (!sqlite3_get_autocommit(d->handle) && db_run(db_stmt(d, "ROLLBACK"), &ignored) < 0)
		log_error("%s", ignored.text);
}

int db_savepoint(struct db *d, struct err *e)
{
	return db_run(db_stmt(d, "SAVEPOINT one"), e);
}

int db_release(struct db *d, struct err *e)
{
	return db_run(db_stmt(d, "RELEASE one"), e);
}

void db_undo(struct db *d)
{
	struct err ignored;

	/* Where storage failed, the whole transaction is gone, and lost() tells the next statement. */
	if (sqlite3_get_autocommit(d->handle))
		return;
	if (db_run(db_stmt(d, "ROLLBACK TO one"), &ignored) < 0 || db_run(db_stmt(d, "RELEASE one"), &ignored) < 0)
		log_error("%s", ignored.text);
}

/* ---- statements ------------------------------------------------------------------ */

static void compile(struct stmt *s)
{
	struct db *d = s->db;
	int rc = sqlite3_prepare_v3(d->handle, s->sql, -1, SQLITE_PREPARE_PERSISTENT, &s->compiled, NULL);

	if (rc == SQLITE_OK)
		return;
	fail(d, rc, &s->why);
	if ((rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_MISUSE) {
		log_error("%s: %s", s->why.text, s->sql);
		abort();
	}
}

struct stmt *db_stmt(struct db *d, const char *sql)
{
	size_t i = ((uintptr_t)sql >> 3) % BUCKETS;
	struct stmt *s = d->cache[i];

	while (s && s->sql != sql)
		s = s->next;
	if (!s) {
		s = mem_new(1, sizeof *s);
		s->sql = sql;
		s->db = d;
		s->next = d->cache[i];
		d->cache[i] = s;
	}
	if (!s->compiled) {
		compile(s);
	} else {
		sqlite3_reset(s->compiled);
		sqlite3_clear_bindings(s->compiled);
	}
	return s;
}

static void bound(struct stmt *s, int rc)
{
	if (rc == SQLITE_OK || !s->compiled)
		return;
	if (rc == SQLITE_NOMEM)
		mem_out();
	log_error("%s: binding: %s: %s", s->db->path, sqlite3_errstr(rc), s->sql);
	abort();
}

void bind_int(struct stmt *s, int i, int64_t v)
{
	bound(s, sqlite3_bind_int64(s->compiled, i, v));
}

void bind_text(struct stmt *s, int i, const char *v)
{
	bound(s, sqlite3_bind_text(s->compiled, i, v, -1, SQLITE_TRANSIENT));
}

void bind_blob(struct stmt *s, int i, const void *v, size_t len)
{
	bound(s, sqlite3_bind_blob64(s->compiled, i, v, len, SQLITE_TRANSIENT));
}

int db_step(struct stmt *s, struct err *e)
{
	int rc;

	if (!s->compiled) {
		*e = s->why;
		return -1;
	}
	if (lost(s->db, e) < 0)
		return -1;
	rc = sqlite3_step(s->compiled);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		fail(s->db, rc, e);
	sqlite3_reset(s->compiled);
	return rc == SQLITE_DONE ? 0 : -1;
}

int db_run(struct stmt *s, struct err *e)
{
	int rc;

	do
		rc = db_step(s, e);
	while (rc == 1);
	return rc;
}

void db_reset(struct stmt *s)
{
	sqlite3_reset(s->compiled);
}

int64_t col_int(struct stmt *s, int i)
{
	return sqlite3_column_int64(s->compiled, i);
}

const char *col_text(struct stmt *s, int i)
{
	const unsigned char *text;

	if (sqlite3_column_type(s->compiled, i) == SQLITE_NULL)
		return "";
	text = sqlite3_column_text(s->compiled, i);
	if (!text)
		mem_out();
	return (const char *)text;
}

void col_copy(struct stmt *s, int i, char *out, size_t size)
{
	snprintf(out, size, "%s", col_text(s, i));
}

void col_blob(struct stmt *s, int i, struct buf *out)
{
	const void *data = sqlite3_column_blob(s->compiled, i);
	int len = sqlite3_column_bytes(s->compiled, i);

	if (len > 0 && !data)
		mem_out();
	buf_set(out, data, (size_t)len);
}

/* ---- whole databases ---- */
static int open_raw(struct db *d, const char *path, int flags, struct err *e)
{
	int rc = sqlite3_open_v2(path, &d->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (rc != SQLITE_OK)
		return fail(d, rc, e);
	sqlite3_busy_timeout(d->handle, TIMEOUT_BUSY_MS);
	return 0;
}

/* In one step: a writer is not waited for, and what it commits meanwhile is not in the copy. */
static int copy_pages(struct db *from, struct db *to, struct err *e)
{
	sqlite3_backup *b = sqlite3_backup_init(to->handle, "main", from->handle, "main");
	int rc;

	if (!b)
		return fail(to, sqlite3_errcode(to->handle), e);
	rc = sqlite3_backup_step(b, -1);
	sqlite3_backup_finish(b);
	if (rc != SQLITE_DONE)
		return fail(to, rc, e);
	return execute(to, "PRAGMA journal_mode=DELETE", e);	/* one file, without a write-ahead log beside it */
}

int db_copy(const char *from, const char *to, struct err *e)
{
	struct db *source = mem_new(1, sizeof *source), *copy = mem_new(1, sizeof *copy);
	int rc = -1;

	source->path = mem_str(from);
	copy->path = mem_str(to);
	if (create_private(to, e) == 0 && open_raw(source, from, SQLITE_OPEN_READWRITE, e) == 0 &&
	    open_raw(copy, to, SQLITE_OPEN_READWRITE, e) == 0)
		rc = copy_pages(source, copy, e);
	db_close(copy);
	db_close(source);
	return rc;
}

int db_check(const char *path, struct err *e)
{
	struct db *d = mem_new(1, sizeof *d);
	sqlite3_stmt *s = NULL;
	int rc = -1;

	d->path = mem_str(path);
	if (open_raw(d, path, SQLITE_OPEN_READONLY, e) == 0) {
		rc = sqlite3_prepare_v2(d->handle, "PRAGMA integrity_check(1)", -1, &s, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			rc = fail(d, rc, e);
		else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
			rc = err_set(e, REASON_STORAGE, "%s: the database is damaged (%s)", path, (const char *)sqlite3_column_text(s, 0));
		else
			rc = 0;
		sqlite3_finalize(s);
	}
	db_close(d);
	return rc;
}

int64_t db_shared_ms(const struct db *d, int64_t mono_ms)
{
	(void)d;
	return mono_ms;
}

int db_touch(struct db *d, struct err *e)
{
	int64_t version = 0;
	char sql[64];

	if (lost(d, e) < 0 || schema_version(d, &version, e) < 0)
		return -1;
	snprintf(sql, sizeof sql, "PRAGMA user_version = %lld", (long long)version);
	return execute(d, sql, e);
}

int64_t db_size(const char *path)
{
	char wal[FILE_PATH];
	struct stat st;
	int64_t n = stat(path, &st) == 0 ? (int64_t)st.st_size : 0;

	snprintf(wal, sizeof wal, "%s-wal", path);
	return n + (stat(wal, &st) == 0 ? (int64_t)st.st_size : 0);
}

int64_t db_changes(struct db *d)
{
	return sqlite3_changes64(d->handle);
}

int64_t db_rowid(struct db *d)
{
	return sqlite3_last_insert_rowid(d->handle);
}
