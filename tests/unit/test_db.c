#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "db.h"
#include "file.h"
#include "limits.h"
#include "mem.h"
#include "unit.h"

static const char *const steps[] = {
	"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, data BLOB)",
	"ALTER TABLE t ADD COLUMN state TEXT NOT NULL DEFAULT 'old'; CREATE INDEX t_name ON t(name)",
	"CREATE TABLE u(id INTEGER PRIMARY KEY, t INTEGER NOT NULL REFERENCES t(id)); INSERT INTO u(t) SELECT id FROM "
	"t",
	"UPDATE t SET state = 'seen' WHERE state = 'old'",
};
#define STEPS ARRAY_LEN(steps)

static const char *fresh(void)
{
	static char path[FILE_PATH];
	struct err e;

	file_join(path, &e, unit_folder(), "a ledger.db");
	return path;
}

static struct db *open_n(const char *path, size_t n)
{
	struct err e;
	struct db *d = db_open(path, steps, n, &e);

	if (!d)
		printf("\n  %s\n", e.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	return d;
}

static int64_t number(struct db *d, const char *sql)
{
	struct stmt *s = db_stmt(d, sql);
	struct err e;
	int64_t v = -1;

	if (db_step(s, &e) == 1)
		v = col_int(s, 0);
	db_reset(s);
	return v;
}

static int add(struct db *d, int64_t id, struct err *e)
{
	struct stmt *s = db_stmt(d, "INSERT INTO t(id, name) VALUES(?, 'n')");

	bind_int(s, 1, id);
	return db_run(s, e);
}

#define COUNT "SELECT count(*) FROM t"

static void test_settings(void)
{
	const char *path = fresh();
	struct db *d = open_n(path, STEPS);
	struct stmt *s = db_stmt(d, "PRAGMA journal_mode");
	char wal[FILE_PATH + 4];
	struct stat st;
	struct err e;

	CU_ASSERT_EQUAL(db_step(s, &e), 1);
	CU_ASSERT_STRING_EQUAL(col_text(s, 0), "wal");
	db_reset(s);
	CU_ASSERT_EQUAL(number(d, "PRAGMA synchronous"), 2);		/* FULL */
	CU_ASSERT_EQUAL(number(d, "PRAGMA wal_autocheckpoint"), 20000);
	CU_ASSERT_EQUAL(number(d, "PRAGMA journal_size_limit"), LIMIT_WAL_BYTES);
	CU_ASSERT_EQUAL(number(d, "PRAGMA busy_timeout"), 10000);
	CU_ASSERT_EQUAL(number(d, "PRAGMA foreign_keys"), 1);
	CU_ASSERT_EQUAL(add(d, 1, &e), 0);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof wal, "%s-wal", path);
	CU_ASSERT_EQUAL(stat(wal, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	db_close(d);
	db_close(NULL);
}

static void test_values(void)
{
	struct db *d = open_n(fresh(), STEPS);
	static const char insert[] = "INSERT INTO t(id, name, data) VALUES(?, ?, ?)";
	struct stmt *s = db_stmt(d, insert);
	struct buf b = {0};
	struct err e;
	char cut[4];

	bind_int(s, 1, INT64_MIN);
	bind_text(s, 2, "na'me");
	bind_blob(s, 3, "a\0b", 3);
	CU_ASSERT_EQUAL(db_run(s, &e), 0);
	CU_ASSERT_EQUAL(db_rowid(d), INT64_MIN);
	CU_ASSERT_PTR_EQUAL(db_stmt(d, insert), s);
	bind_int(s, 1, INT64_MAX);		/* the other two are NULL again */
	CU_ASSERT_EQUAL(db_run(s, &e), 0);
	CU_ASSERT_EQUAL(db_run(s, &e), -1);	/* the same key again */
	CU_ASSERT_EQUAL(e.code, REASON_INTERNAL);

	s = db_stmt(d, "SELECT id, name, data FROM t ORDER BY id");
	CU_ASSERT_EQUAL(db_step(s, &e), 1);
	CU_ASSERT_EQUAL(col_int(s, 0), INT64_MIN);
	CU_ASSERT_STRING_EQUAL(col_text(s, 1), "na'me");
	col_copy(s, 1, cut, sizeof cut);
	CU_ASSERT_STRING_EQUAL(cut, "na'");
	col_blob(s, 2, &b);
	CU_ASSERT(b.len == 3 && memcmp(b.data, "a\0b", 3) == 0);
	CU_ASSERT_EQUAL(db_step(s, &e), 1);
	CU_ASSERT_EQUAL(col_int(s, 0), INT64_MAX);
	CU_ASSERT_STRING_EQUAL(col_text(s, 1), "");
	col_copy(s, 1, cut, sizeof cut);
	CU_ASSERT_STRING_EQUAL(cut, "");
	col_blob(s, 2, &b);
	CU_ASSERT_EQUAL(b.len, 0);
	CU_ASSERT_EQUAL(db_step(s, &e), 0);
	buf_free(&b);

	s = db_stmt(d, "UPDATE t SET name = ?");
	bind_text(s, 1, "all");
	CU_ASSERT_EQUAL(db_run(s, &e), 0);
	CU_ASSERT_EQUAL(db_changes(d), 2);
	s = db_stmt(d, "INSERT INTO u(t) VALUES(12345)");	/* no such t */
	CU_ASSERT_EQUAL(db_run(s, &e), -1);
	db_close(d);
}

static void test_transactions(void)
{
	const char *path = fresh();
	struct db *d = open_n(path, STEPS), *reader = open_n(path, STEPS);
	struct err e;

	CU_ASSERT_EQUAL(db_begin(d, &e), 0);
	CU_ASSERT_EQUAL(db_savepoint(d, &e), 0);
	CU_ASSERT_EQUAL(add(d, 1, &e), 0);
	CU_ASSERT_EQUAL(db_release(d, &e), 0);
	CU_ASSERT_EQUAL(db_savepoint(d, &e), 0);
	CU_ASSERT_EQUAL(add(d, 2, &e), 0);
	db_undo(d);
	CU_ASSERT_EQUAL(db_savepoint(d, &e), 0);
	CU_ASSERT_EQUAL(add(d, 3, &e), 0);
	CU_ASSERT_EQUAL(db_release(d, &e), 0);
	CU_ASSERT_EQUAL(number(reader, COUNT), 0);
	CU_ASSERT_EQUAL(db_commit(d, &e), 0);
	CU_ASSERT_EQUAL(number(reader, COUNT), 2);
	CU_ASSERT_EQUAL(number(reader, "SELECT sum(id) FROM t"), 4);
	CU_ASSERT_EQUAL(db_begin(d, &e), 0);
	CU_ASSERT_EQUAL(add(d, 4, &e), 0);
	db_rollback(d);
	db_rollback(d);
	CU_ASSERT_EQUAL(number(reader, COUNT), 2);
	CU_ASSERT_EQUAL(db_commit(d, &e), -1);
	db_close(reader);
	db_close(d);
}

/* A transaction that is gone must not go on as single commits. */
static void test_lost_transaction(void)
{
	struct db *d = open_n(fresh(), STEPS);
	struct err e;

	CU_ASSERT_EQUAL(db_begin(d, &e), 0);
	CU_ASSERT_EQUAL(db_savepoint(d, &e), 0);
	CU_ASSERT_EQUAL(add(d, 1, &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(d, "ROLLBACK"), &e), 0); /* what SQLite does by itself when writing fails */
	CU_ASSERT_EQUAL(add(d, 2, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
	db_undo(d);
	CU_ASSERT_EQUAL(db_savepoint(d, &e), -1);
	CU_ASSERT_EQUAL(db_commit(d, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
	db_rollback(d);
	CU_ASSERT_EQUAL(add(d, 3, &e), 0);
	CU_ASSERT_EQUAL(number(d, "SELECT sum(id) FROM t"), 3);
	db_close(d);
}

/* From each older version, with rows in it, to this one. */
static void test_migrations(void)
{
	for (size_t from = 0; from <= STEPS; from++) {
		const char *path = fresh();
		struct db *d = open_n(path, from);
		struct err e;

		CU_ASSERT_EQUAL(number(d, "PRAGMA user_version"), (int64_t)from);
		if (from > 0) {
			CU_ASSERT_EQUAL(add(d, 7, &e), 0);
		}
		db_close(d);
		for (int again = 0; again < 2; again++) {
			d = open_n(path, STEPS);
			CU_ASSERT_EQUAL(number(d, "PRAGMA user_version"), (int64_t)STEPS);
			CU_ASSERT_EQUAL(number(d, COUNT), from > 0);
			CU_ASSERT_EQUAL(number(d, "SELECT count(*) FROM u"), from == 1 || from == 2);
			CU_ASSERT_EQUAL(number(d, "SELECT count(*) FROM t WHERE state = 'seen'"),
					from > 0 && from < STEPS);
			db_close(d);
		}
		CU_ASSERT_PTR_NULL(db_open(path, steps, STEPS - 1, &e));	/* an older program */
		CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "schema version 4 and this program knows only 3"));
	}
}

static void test_migration_fails(void)
{
	static const char *const bad[] = { "CREATE TABLE t(id INTEGER)",
					   "CREATE TABLE v(id INTEGER); CREATE TABLE t(id INTEGER)" };
	const char *path = fresh();
	struct db *d;
	struct err e;

	CU_ASSERT_PTR_NULL(db_open(path, bad, 2, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "schema version 2"));
	d = db_open(path, bad, 1, &e);		/* the first step stays, nothing of the second is there */
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(number(d, "SELECT count(*) FROM sqlite_master"), 1);
	db_close(d);
}

/* What a step gives up is not overwritten; what comes after the last step is as before, if there was a step or not. */
static void test_migration_gives_up(void)
{
	static const char *const noted[] = { "CREATE TABLE was AS SELECT secure_delete AS value FROM pragma_secure_delete" };
	const char *path = fresh();

	for (int again = 0; again < 2; again++) {
		struct err e;
		struct db *d = db_open(path, noted, 1, &e);

		CU_ASSERT_PTR_NOT_NULL_FATAL(d);
		CU_ASSERT_EQUAL(number(d, "SELECT value FROM was"), 2);		/* FAST */
		CU_ASSERT_EQUAL(number(d, "PRAGMA secure_delete"), number(d, "SELECT sqlite_compileoption_used('SECURE_DELETE')"));
		db_close(d);
	}
}

static int wait_child(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Several programs that start at the same time: each step is taken once. */
static void test_migrate_together(void)
{
	const char *path = fresh();
	pid_t child[4];

	for (size_t i = 0; i < ARRAY_LEN(child); i++) {
		child[i] = fork();
		if (child[i] == 0) {
			struct err e;
			struct db *d = db_open(path, steps, STEPS, &e);

			if (!d)
				fprintf(stderr, "%s\n", e.text);
			_exit(d && number(d, "PRAGMA user_version") == (int64_t)STEPS ? 0 : 1);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(child); i++)
		CU_ASSERT_EQUAL(wait_child(child[i]), 0);
}

#ifdef ENABLE_FAULT_INJECTION
static void test_migration_killed(void)
{
	for (int at = 1; at <= (int)STEPS; at++) {
		const char *path = fresh();
		struct db *d;
		pid_t pid = fork();

		if (pid == 0) {
			struct err e;

			setenv("HANDSEL_FAULT", mem_fmt("db.migrate:%d", at), 1);
			db_open(path, steps, STEPS, &e);
			_exit(0);
		}
		CU_ASSERT_EQUAL(wait_child(pid), -SIGKILL);
		d = open_n(path, (size_t)at - 1);	/* the interrupted step has left nothing */
		CU_ASSERT_EQUAL(number(d, "PRAGMA user_version"), at - 1);
		db_close(d);
		d = open_n(path, STEPS);
		CU_ASSERT_EQUAL(number(d, COUNT), 0);
		db_close(d);
	}
}
#endif

#define ROWS_PER_COMMIT 3

static _Noreturn void commit_for_ever(const char *path, int tell)
{
	struct err e;
	struct db *d = db_open(path, steps, STEPS, &e);

	if (!d)
		_exit(1);
	for (int64_t n = number(d, COUNT) / ROWS_PER_COMMIT;; n++) {
		if (db_begin(d, &e) < 0)
			_exit(2);
		for (int i = 0; i < ROWS_PER_COMMIT; i++)
			if (add(d, n * ROWS_PER_COMMIT + i, &e) < 0)
				_exit(3);
		if (db_commit(d, &e) < 0 || write(tell, &n, sizeof n) != sizeof n)
			_exit(4);
	}
}

/* What was said to be committed is there after kill -9, and no transaction is there by half. */
static void test_killed(void)
{
	const char *path = fresh();
	int64_t last = -1;

	for (int round = 0; round < 5; round++) {
		int told[2], wanted = 1 + round * 7;
		int64_t n;
		struct db *d;
		pid_t pid;

		CU_ASSERT_EQUAL_FATAL(pipe(told), 0);
		pid = fork();
		if (pid == 0)
			commit_for_ever(path, told[1]);
		close(told[1]);
		while (wanted-- > 0 && read(told[0], &n, sizeof n) == (ssize_t)sizeof n)
			last = n;
		kill(pid, SIGKILL);
		CU_ASSERT_EQUAL(wait_child(pid), -SIGKILL);
		while (read(told[0], &n, sizeof n) == (ssize_t)sizeof n)
			last = n;
		close(told[0]);
		d = open_n(path, STEPS);
		n = number(d, COUNT);
		CU_ASSERT(n >= (last + 1) * ROWS_PER_COMMIT);
		CU_ASSERT(n <= (last + 2) * ROWS_PER_COMMIT);
		CU_ASSERT_EQUAL(n % ROWS_PER_COMMIT, 0);
		CU_ASSERT_EQUAL(number(d, "SELECT max(id) FROM t"), n - 1);
		db_close(d);
	}
}

static void test_waits_for_writer(void)
{
	const char *path = fresh();
	struct db *d = open_n(path, STEPS);
	int told[2];
	char go;
	struct err e;
	pid_t pid;

	db_close(d);
	CU_ASSERT_EQUAL_FATAL(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		d = db_open(path, steps, STEPS, &e);
		if (!d || db_begin(d, &e) < 0 || add(d, 1, &e) < 0 || write(told[1], "x", 1) != 1)
			_exit(1);
		usleep(50000);		/* the other one must meet the lock */
		_exit(db_commit(d, &e) < 0);
	}
	d = open_n(path, STEPS);
	CU_ASSERT_EQUAL(read(told[0], &go, 1), 1);
	CU_ASSERT_EQUAL(db_begin(d, &e), 0);
	CU_ASSERT_EQUAL(number(d, COUNT), 1);
	CU_ASSERT_EQUAL(db_commit(d, &e), 0);
	CU_ASSERT_EQUAL(wait_child(pid), 0);
	close(told[0]);
	close(told[1]);
	db_close(d);
}

/* ---- storage that fails ---------------------------------------------------------- */

/* Commits rows of 2000 bytes until it fails; how many were committed, -1 if it never failed or with another code. */
static int fill(struct db *d, const char *word)
{
	char big[2000];
	struct err e;

	memset(big, 'x', sizeof big);
	for (int n = 0; n < 2000; n++) {
		struct stmt *s;
		int rc;

		if (db_begin(d, &e) < 0)
			return -2;
		s = db_stmt(d, "INSERT INTO t(data) VALUES(?)");
		bind_blob(s, 1, big, sizeof big);
		rc = db_run(s, &e);
		if (rc == 0)
			rc = db_commit(d, &e);
		if (rc == 0)
			continue;
		db_rollback(d);
		if (e.code == REASON_STORAGE && strstr(e.text, word))
			return n;
		fprintf(stderr, "%s\n", e.text);
		return -3;
	}
	return -1;
}

static int add_many(struct db *d, int from, int n)
{
	static const uint8_t data[3000];
	struct err e;
	int rc = db_begin(d, &e);

	for (int i = from; i < from + n && rc == 0; i++) {
		struct stmt *s = db_stmt(d, "INSERT INTO t(id, data) VALUES(?, ?)");

		bind_int(s, 1, i);
		bind_blob(s, 2, data, sizeof data);
		rc = db_run(s, &e);
	}
	return rc;
}

/* Commits that are gathered, larger ones than fit, and pages that go to the log before the commit: others read them all. */
static void test_log(void)
{
	const char *path = fresh();
	struct db *d = open_n(path, STEPS), *other = open_n(path, STEPS);
	struct err e;

	CU_ASSERT_EQUAL(add_many(d, 1, 1), 0);
	CU_ASSERT_EQUAL(db_commit(d, &e), 0);
	CU_ASSERT_EQUAL(number(other, COUNT), 1);
	CU_ASSERT_EQUAL(add_many(d, 1000, 300), 0);	/* 1.2 MB: fits into the cache, and not into one write */
	CU_ASSERT_EQUAL(db_commit(d, &e), 0);
	CU_ASSERT_EQUAL(number(other, COUNT), 301);
	CU_ASSERT_EQUAL(add_many(d, 2000, 600), 0);	/* 2.4 MB: some pages go to the log before the end, and are given up */
	db_rollback(d);
	CU_ASSERT_EQUAL(add_many(other, 5000, 10), 0);
	CU_ASSERT_EQUAL(db_commit(other, &e), 0);
	CU_ASSERT_EQUAL(add_many(d, 6000, 2000), 0);
	CU_ASSERT_EQUAL(db_commit(d, &e), 0);
	CU_ASSERT_EQUAL(number(other, COUNT), 2311);
	CU_ASSERT_EQUAL(number(other, "SELECT count(*) FROM t WHERE length(data) = 3000"), 2311);
	CU_ASSERT_EQUAL(number(other, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
	db_close(d);
	db_close(other);
}

static void test_full(void)
{
	struct db *d = open_n(fresh(), STEPS);
	struct err e;
	int n;

	CU_ASSERT(number(d, "PRAGMA max_page_count = 40") >= 40);	/* SQLite's own way to be full */
	n = fill(d, "storage is full");
	CU_ASSERT(n > 10);
	CU_ASSERT_EQUAL(number(d, COUNT), n);
	CU_ASSERT_EQUAL(number(d, "PRAGMA max_page_count = 100000"), 100000);
	CU_ASSERT_EQUAL(add(d, 99999, &e), 0);		/* goes on when there is room again */
	db_close(d);
}

static void test_file_limit(void)
{
	const char *path = fresh();
	struct db *d = open_n(path, STEPS);
	int told[2], n = -9;
	pid_t pid;

	db_close(d);
	CU_ASSERT_EQUAL_FATAL(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		const struct rlimit small = { 150000, 150000 };

		d = open_n(path, STEPS);
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		n = fill(d, "");
		_exit(write(told[1], &n, sizeof n) != sizeof n);
	}
	CU_ASSERT_EQUAL(wait_child(pid), 0);
	CU_ASSERT_EQUAL(read(told[0], &n, sizeof n), sizeof n);
	CU_ASSERT(n > 10);
	d = open_n(path, STEPS);
	CU_ASSERT_EQUAL(number(d, COUNT), n);
	CU_ASSERT_EQUAL(number(d, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
	db_close(d);
	close(told[0]);
	close(told[1]);
}

/* A file system of 200 KB where mounting is allowed; elsewhere the two tests above are all there is. */
static void test_small_disk(void)
{
	char *dir = mem_str(unit_folder());
	pid_t pid = fork();
	int rc;

	if (pid == 0) {
		char *path = mem_fmt("%s/x.db", dir);
		struct err e;
		struct db *d;
		int n;

		if ((unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", dir, "tmpfs", 0, "size=200k") < 0)
			_exit(77);
		d = db_open(path, steps, STEPS, &e);
		if (!d)
			_exit(1);
		n = fill(d, "");
		_exit(n > 10 && number(d, COUNT) == n ? 0 : 2);
	}
	rc = wait_child(pid);
	if (rc == 77)
		printf("(no mount here) ");
	else
		CU_ASSERT_EQUAL(rc, 0);
	free(dir);
}

static void test_damaged(void)
{
	const char *path = fresh();
	char junk[4096];
	struct err e;
	struct db *d = open_n(path, STEPS);
	int fd;

	CU_ASSERT_EQUAL(fill(d, "") < 0, 1);		/* 2000 rows, many pages */
	db_close(d);
	memset(junk, 0x55, sizeof junk);
	fd = open(path, O_WRONLY);
	for (int page = 8; page < 40; page++)
		CU_ASSERT_EQUAL(pwrite(fd, junk, sizeof junk, page * 4096L), sizeof junk);
	d = open_n(path, STEPS);
	CU_ASSERT_FALSE(db_damaged(d, &e));
	CU_ASSERT_EQUAL(db_run(db_stmt(d, "SELECT sum(length(data)) FROM t"), &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "damaged"));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, path));
	CU_ASSERT_TRUE(db_damaged(d, &e));
	e.text[0] = 0;
	CU_ASSERT_EQUAL(db_begin(d, &e), -1);		/* though what it would write were whole */
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "damaged"));
	db_close(d);
	CU_ASSERT_EQUAL(pwrite(fd, junk, 100, 0), 100);
	close(fd);
	CU_ASSERT_PTR_NULL(db_open(path, steps, STEPS, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "damaged"));
}

static void test_damaged_schema(void)
{
	const char *path = fresh();
	struct db *d = open_n(path, STEPS);
	char junk[3900];
	struct err e;
	int fd;

	db_close(d);
	memset(junk, 0x55, sizeof junk);
	fd = open(path, O_WRONLY);
	CU_ASSERT_EQUAL(pwrite(fd, junk, sizeof junk, 150), sizeof junk);
	close(fd);
	CU_ASSERT_PTR_NULL(db_open(path, steps, STEPS, &e));
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "damaged"));
}

static void test_cannot_open(void)
{
	struct err e;

	CU_ASSERT_PTR_NULL(db_open("/nonexistent folder/x.db", steps, STEPS, &e));
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
	CU_ASSERT_PTR_NULL(db_open(unit_folder(), steps, STEPS, &e));
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
}

/* A statement that does not compile is our bug: nothing may go on. */
static void test_bad_sql(void)
{
	struct db *d = open_n(fresh(), STEPS);
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit none = {0};

		setrlimit(RLIMIT_CORE, &none);
		close(2);
		db_stmt(d, "SELECT nothing FROM nowhere");
		_exit(0);
	}
	CU_ASSERT_EQUAL(wait_child(pid), -SIGABRT);
	db_close(d);
}

UNIT_MAIN("db", { "settings", test_settings }, { "values", test_values }, { "transactions", test_transactions },
	  { "lost transaction", test_lost_transaction }, { "migrations", test_migrations },
	  { "migration that fails", test_migration_fails }, { "migrating together", test_migrate_together },
	  { "migration gives up", test_migration_gives_up },
#ifdef ENABLE_FAULT_INJECTION
	  { "migration killed", test_migration_killed },
#endif
	  { "killed", test_killed }, { "waits for a writer", test_waits_for_writer }, { "log", test_log }, { "full", test_full },
	  { "file limit", test_file_limit }, { "small disk", test_small_disk }, { "damaged", test_damaged },
	  { "damaged schema", test_damaged_schema },
	  { "cannot open", test_cannot_open }, { "bad SQL", test_bad_sql })
