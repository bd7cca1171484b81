#include <config.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "file.h"
#include "limits.h"
#include "mem.h"
#include "unit.h"
#include "writer.h"

static const char *const steps[] = { "CREATE TABLE t(id INTEGER PRIMARY KEY, state TEXT NOT NULL)" };

enum how { FINE, RUN_FAILS, FINISH_FAILS, FINISH_STORAGE, TRANSACTION_LOST, HOLD, AGAIN };

struct item {
	struct writer_job job;		/* first: the job is the item */
	int64_t id;
	enum how how;
	int order, rc, ran, finished;
	int64_t seen;			/* rows that a reader sees while done() runs */
	struct err e;
};

static struct world {
	char path[FILE_PATH];
	struct db *db, *reader;
	struct writer *writer;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int done, starts, batches, batch_fails;
	bool held, released;
	bool repeatable;
} w = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int64_t rows(struct db *d)
{
	struct stmt *s = db_stmt(d, "SELECT count(*) FROM t");
	struct err e;
	int64_t n = db_step(s, &e) == 1 ? col_int(s, 0) : -1;

	db_reset(s);
	return n;
}

static int put(struct db *d, int64_t id, struct err *e)
{
	struct stmt *s = db_stmt(d, "INSERT INTO t VALUES(?, 'new')");

	bind_int(s, 1, id);
	return db_run(s, e);
}

/* Stands in run() until the test has submitted what shall be in the next batch. */
static void hold(void)
{
	pthread_mutex_lock(&w.lock);
	w.held = true;
	pthread_cond_broadcast(&w.changed);
	while (!w.released)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
}

static int item_run(struct writer_job *job, struct db *db, struct err *e)
{
	struct item *i = (struct item *)job;

	i->ran++;
	if (i->how == HOLD)
		hold();
	if (put(db, i->id, e) < 0)
		return -1;
	if (i->how == RUN_FAILS || i->how == AGAIN)
		return err_set(e, REASON_QUOTA, "item %d", (int)i->id);
	if (i->how == TRANSACTION_LOST && db_run(db_stmt(db, "ROLLBACK"), e) == 0)
		return err_set(e, REASON_STORAGE, "disk");
	return 0;
}

static int item_finish(struct writer_job *job, struct db *db, struct err *e)
{
	struct item *i = (struct item *)job;
	struct stmt *s = db_stmt(db, "DELETE FROM t WHERE id = ?");

	i->finished++;
	if (i->how == FINISH_STORAGE)
		return err_set(e, REASON_STORAGE, "disk");
	if (i->how != FINISH_FAILS)
		return 0;
	bind_int(s, 1, i->id);
	if (db_run(s, e) < 0)
		return -1;
	return err_set(e, REASON_PROFILE, "finish %d", (int)i->id);
}

static void item_done(struct writer_job *job, int rc, const struct err *e)
{
	struct item *i = (struct item *)job;

	if (i->how == AGAIN) {
		i->how = FINE;
		writer_again(w.writer, job);
		return;
	}
	i->rc = rc;
	i->e = *e;
	i->seen = rows(w.reader);
	pthread_mutex_lock(&w.lock);
	i->order = ++w.done;
	pthread_cond_broadcast(&w.changed);
	pthread_mutex_unlock(&w.lock);
}

static void hook_start(void *arg)
{
	((struct world *)arg)->starts++;
}

static int hook_batch(void *arg, struct db *db, struct err *e)
{
	((struct world *)arg)->batches++;
	return w.batch_fails ? err_set(e, REASON_CA_UNAVAILABLE, "no signer") : 0;
}

static void world_open(void)
{
	const struct writer_hooks hooks = { .start = hook_start, .batch = hook_batch, .arg = &w, .repeatable = w.repeatable };
	struct err e;

	w.done = w.starts = w.batches = w.batch_fails = 0;
	w.held = w.released = false;
	file_join(w.path, &e, unit_folder(), "w.db");
	w.db = db_open(w.path, steps, 1, &e);
	w.reader = db_open(w.path, steps, 1, &e);
	CU_ASSERT_FATAL(w.db && w.reader);
	w.writer = writer_start(w.db, &hooks, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w.writer);
}

static void world_close(void)
{
	writer_stop(w.writer);
	db_close(w.reader);
	db_close(w.db);
}

/* Item 0 holds the writer, the others are one batch after it. */
static void run_batch(struct item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		items[i].job = (struct writer_job){ .run = item_run, .finish = item_finish, .done = item_done };
		items[i].id = (int64_t)i;
		items[i].rc = 99;
	}
	items[0].how = HOLD;
	writer_submit(w.writer, &items[0].job);
	pthread_mutex_lock(&w.lock);
	while (!w.held)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
	for (size_t i = 1; i < n; i++)
		writer_submit(w.writer, &items[i].job);
	pthread_mutex_lock(&w.lock);
	w.released = true;
	pthread_cond_broadcast(&w.changed);
	while (w.done < (int)n)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
}

static void test_batch(void)
{
	struct item items[LIMIT_BATCH + 3] = {0};
	const size_t n = ARRAY_LEN(items);

	world_open();
	run_batch(items, n);
	CU_ASSERT_EQUAL(w.batches, 3);		/* 1, LIMIT_BATCH, 2 */
	CU_ASSERT_EQUAL(w.starts, 3);
	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_EQUAL(items[i].rc, 0);
		CU_ASSERT_EQUAL(items[i].order, (int)i + 1);
		CU_ASSERT_EQUAL(items[i].finished, 1);
		CU_ASSERT_EQUAL(items[i].ran, 1);
	}
	CU_ASSERT_EQUAL(items[0].seen, 1);	/* committed before the first answer, the next batch not begun */
	CU_ASSERT_EQUAL(items[1].seen, LIMIT_BATCH + 1);
	CU_ASSERT_EQUAL(items[n - 1].seen, n);
	world_close();
}

/* What is given back is the next batch's first, in its order, whatever has gathered meanwhile. */
static void test_again(void)
{
	struct item items[LIMIT_BATCH + 3] = { [2] = { .how = AGAIN }, [5] = { .how = AGAIN } };
	const size_t n = ARRAY_LEN(items);

	world_open();
	run_batch(items, n);
	CU_ASSERT_EQUAL(w.batches, 3);
	CU_ASSERT_EQUAL(items[LIMIT_BATCH].order, LIMIT_BATCH - 1);
	CU_ASSERT_EQUAL(items[2].order, LIMIT_BATCH);
	CU_ASSERT_EQUAL(items[5].order, LIMIT_BATCH + 1);
	CU_ASSERT_EQUAL(items[n - 2].order, (int)n - 1);
	CU_ASSERT_EQUAL(items[n - 1].order, (int)n);
	for (size_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL(items[i].rc, 0);
	world_close();

	items[n - 1].how = AGAIN;	/* when nothing else has gathered */
	items[2].how = FINE;
	world_open();
	run_batch(items, n);
	CU_ASSERT_EQUAL(items[n - 1].rc, 0);
	CU_ASSERT_EQUAL(items[n - 1].order, (int)n);
	world_close();
}

static void test_one_fails(void)
{
	struct item items[6] = {
		{ .how = HOLD }, { .how = FINE }, { .how = RUN_FAILS }, { .how = FINE }, { .how = FINISH_FAILS }
	};

	world_open();
	run_batch(items, 6);
	CU_ASSERT_EQUAL(items[1].rc, 0);
	CU_ASSERT_EQUAL(items[2].rc, -1);
	CU_ASSERT_EQUAL(items[2].e.code, REASON_QUOTA);
	CU_ASSERT_STRING_EQUAL(items[2].e.text, "item 2");
	CU_ASSERT_EQUAL(items[2].finished, 0);
	CU_ASSERT_EQUAL(items[3].rc, 0);
	CU_ASSERT_EQUAL(items[4].rc, -1);
	CU_ASSERT_EQUAL(items[4].e.code, REASON_PROFILE);
	CU_ASSERT_EQUAL(items[5].rc, 0);
	CU_ASSERT_EQUAL(rows(w.reader), 4);
	CU_ASSERT_EQUAL(items[1].ran, w.repeatable ? 2 : 1);
	CU_ASSERT_EQUAL(items[2].ran, w.repeatable ? 2 : 1);
	CU_ASSERT_EQUAL(items[3].ran, 1);	/* behind the one that failed */
	world_close();
}

static void whole_batch_fails(enum how how, bool batch_fails, enum reason code)
{
	struct item items[5] = {
		{ .how = HOLD }, { .how = FINE }, { .how = RUN_FAILS }, { .how = how }, { .how = FINE }
	};
	struct item after[1] = {0};

	world_open();
	w.batch_fails = batch_fails;
	run_batch(items, 5);
	for (int i = 1; i < 5; i++) {
		CU_ASSERT_EQUAL(items[i].rc, -1);
		CU_ASSERT_EQUAL(items[i].e.code, i == 2 ? REASON_QUOTA : code);
	}
	CU_ASSERT_EQUAL(rows(w.reader), batch_fails ? 0 : 1);	/* only item 0, which was alone in its batch */
	w.batch_fails = 0;
	w.held = w.released = false;
	w.done = 0;
	run_batch(after, 1);		/* and it goes on */
	CU_ASSERT_EQUAL(after[0].rc, batch_fails ? 0 : -1);	/* id 0 stands there already in the other case */
	world_close();
}

static void test_hook_fails(void)
{
	whole_batch_fails(FINE, true, REASON_CA_UNAVAILABLE);
}

static void test_finish_storage(void)
{
	whole_batch_fails(FINISH_STORAGE, false, REASON_STORAGE);
}

static void test_transaction_lost(void)
{
	whole_batch_fails(TRANSACTION_LOST, false, REASON_STORAGE);
}

static void test_stop_finishes(void)
{
	struct item items[200] = {0};

	world_open();
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		items[i].job = (struct writer_job){ .run = item_run, .done = item_done };
		items[i].id = (int64_t)i;
		writer_submit(w.writer, &items[i].job);
	}
	writer_stop(w.writer);
	w.writer = NULL;
	CU_ASSERT_EQUAL(w.done, 200);
	CU_ASSERT_EQUAL(rows(w.db), 200);
	world_close();
}

static void *submit_many(void *arg)
{
	struct item *items = arg;

	for (int i = 0; i < 100; i++)
		writer_submit(w.writer, &items[i].job);
	return NULL;
}

static void test_many_threads(void)
{
	static struct item items[400];
	pthread_t threads[4];

	world_open();
	for (int i = 0; i < 400; i++)
		items[i] = (struct item){ .job = { .run = item_run, .done = item_done },
					  .id = i,
					  .how = i % 7 ? FINE : RUN_FAILS };
	for (int t = 0; t < 4; t++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[t], NULL, submit_many, &items[100 * t]), 0);
	for (int t = 0; t < 4; t++)
		pthread_join(threads[t], NULL);
	writer_stop(w.writer);
	w.writer = NULL;
	CU_ASSERT_EQUAL(w.done, 400);
	for (int i = 0; i < 400; i++)
		CU_ASSERT_EQUAL(items[i].rc, i % 7 ? 0 : -1);
	CU_ASSERT_EQUAL(rows(w.db), 400 - 58);
	CU_ASSERT(w.batches <= 400);
	world_close();
}

/* Probes, and returns the code that the state has then. */
static enum reason probe(void)
{
	struct writer_state s;
	uint64_t before;

	writer_state(w.writer, &s);
	before = s.batches;
	writer_probe(w.writer);
	while (s.batches == before || s.busy_ms || s.waiting) {
		usleep(1000);
		writer_state(w.writer, &s);
	}
	return s.failing ? s.why.code : REASON_OK;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit r;

	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &r);
}

/* That the storage fails is seen, and by a probe that it does no more. */
static void test_probe(void)
{
	signal(SIGXFSZ, SIG_IGN);
	world_open();
	CU_ASSERT_EQUAL(probe(), REASON_OK);
	limit_files(100);
	CU_ASSERT_EQUAL(probe(), REASON_STORAGE);
	limit_files(RLIM_INFINITY);
	CU_ASSERT_EQUAL(probe(), REASON_OK);
	world_close();
}

#ifdef ENABLE_FAULT_INJECTION
/* Killed at each point: the batch is there as a whole from the commit on, and before it not at all. */
static void test_killed(void)
{
	static const struct { const char *point; int64_t rows;
	} at[] = {
		{ "writer.ran:2", 1 },
		{ "writer.batched:2", 1 },
		{ "writer.finished:2", 1 },
		{ "writer.committed:2", 4 },
	};

	for (size_t k = 0; k < ARRAY_LEN(at); k++) {
		struct err e;
		int status;
		pid_t pid;

		file_join(w.path, &e, unit_folder(), "w.db");
		pid = fork();
		if (pid == 0) {
			const struct writer_hooks none = {0};
			struct item items[4] = {0};

			setenv("HANDSEL_FAULT", at[k].point, 1);
			w.done = 0;
			w.held = w.released = false;
			w.db = db_open(w.path, steps, 1, &e);
			w.reader = db_open(w.path, steps, 1, &e);
			w.writer = writer_start(w.db, &none, &e);
			run_batch(items, 4);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		w.db = db_open(w.path, steps, 1, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(w.db);
		CU_ASSERT_EQUAL(rows(w.db), at[k].rows);
		db_close(w.db);
	}
}
#endif

/* With a savepoint for each job, and with none as long as no job fails: nobody who submits sees a difference. */
int main(void)
{
	static const struct unit_test tests[] = {
		{ "batches", test_batch }, { "again", test_again }, { "one job fails", test_one_fails },
		{ "batch hook fails", test_hook_fails }, { "storage fails in finish", test_finish_storage },
		{ "transaction lost", test_transaction_lost }, { "probe", test_probe },
#ifdef ENABLE_FAULT_INJECTION
		{ "killed", test_killed },
#endif
		{ "stop finishes", test_stop_finishes }, { "many threads", test_many_threads },
	};
	int rc = unit_run("writer", tests, ARRAY_LEN(tests));

	w.repeatable = true;
	return unit_run("writer of repeatable jobs", tests, ARRAY_LEN(tests)) | rc;
}
