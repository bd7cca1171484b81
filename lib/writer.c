#include <config.h>

#include "writer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "fault.h"
#include "limits.h"
#include "mem.h"

#define GATHER_STEP_MS 1	/* unless the hooks say otherwise */
#define GATHER_STEPS 8		/* so many a job waits at most for others to share its commit: less than a device notices */

struct result {
	struct writer_job *job;
	int rc;
	struct err e;
};

struct writer {
	struct db *db;
	struct writer_hooks hooks;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct writer_job *first, **last;	/* under the lock, likewise the next four */
	struct writer_job **again;		/* behind those that done() gave back */
	size_t waiting;
	bool idle, stopping;
	struct writer_state state;	/* under the lock, likewise the next; waiting and busy_ms of it are not used */
	int64_t began_ms;		/* 0: no batch is under way */
	struct writer_job probe;	/* under the lock: whether it is on its way */
	bool probing;
	struct result batch[LIMIT_BATCH];	/* the thread's */
	size_t n;
};

/* False: one has failed, and which of the rows are its own is not known. */
static bool run_together(struct writer *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct result *r = &w->batch[i];

		if (r->job->run(r->job, w->db, &r->e) < 0)
			return false;
	}
	return true;
}

static int run_each(struct writer *w, struct err *e)
{
	for (size_t i = 0; i < w->n; i++) {
		struct result *r = &w->batch[i];

		if (db_savepoint(w->db, e) < 0)
			return -1;
		r->rc = r->job->run(r->job, w->db, &r->e);
		if (r->rc == 0) {
			if (db_release(w->db, e) < 0)
				return -1;
		} else {
			db_undo(w->db);
		}
	}
	return 0;
}

static int run_all(struct writer *w, struct err *e)
{
	if (!w->hooks.repeatable)
		return run_each(w, e);
	if (run_together(w))
		return 0;
	db_rollback(w->db);
	if (db_begin(w->db, e) < 0)
		return -1;
	return run_each(w, e);
}

static int finish_all(struct writer *w, struct err *e)
{
	for (size_t i = 0; i < w->n; i++) {
		struct result *r = &w->batch[i];

		if (r->rc != 0 || !r->job->finish)
			continue;
		r->rc = r->job->finish(r->job, w->db, &r->e);
		if (r->rc != 0 && r->e.code == REASON_STORAGE) {
			*e = r->e;
			return -1;
		}
	}
	return 0;
}

static int transact(struct writer *w, struct err *e)
{
	if (w->hooks.start)
		w->hooks.start(w->hooks.arg);
	if (db_begin(w->db, e) < 0)
		return -1;
	if (run_all(w, e) < 0)
		goto undo;
	FAULT("writer.ran");
	if (w->hooks.batch && w->hooks.batch(w->hooks.arg, w->db, e) < 0)
		goto undo;
	FAULT("writer.batched");
	if (finish_all(w, e) < 0)
		goto undo;
	FAULT("writer.finished");
	if (db_commit(w->db, e) < 0)
		goto undo;
	FAULT("writer.committed");
	return 0;
undo:
	db_rollback(w->db);
	return -1;
}

static void note_begin(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->began_ms = clock_mono_ms();
	pthread_mutex_unlock(&w->lock);
}

/* A batch that a refusal cut says nothing about the storage. Damage that one job alone has met stays. */
static void note_end(struct writer *w, int rc, const struct err *e)
{
	pthread_mutex_lock(&w->lock);
	w->began_ms = 0;
	w->state.batches++;
	w->state.jobs += w->n;
	if (rc == 0 || e->code == REASON_STORAGE)
		w->state.failing = rc < 0;
	if (w->state.failing && rc < 0)
		w->state.why = *e;
	if (db_damaged(w->db, &w->state.why))
		w->state.failing = true;
	pthread_mutex_unlock(&w->lock);
}

static void process(struct writer *w)
{
	struct err e = {0};
	int rc;

	note_begin(w);
	rc = transact(w, &e);
	note_end(w, rc, &e);

	for (size_t i = 0; i < w->n; i++) {
		struct result *r = &w->batch[i];

		if (rc < 0 && r->rc == 0) {
			r->rc = -1;
			r->e = e;
		}
		r->job->done(r->job, r->rc, &r->e);	/* the job may be gone after this */
	}
}

static void nap(struct writer *w)
{
	unsigned ms = w->hooks.step_ms ? w->hooks.step_ms : GATHER_STEP_MS;
	struct timespec t = { .tv_nsec = ms * 1000000L };

	pthread_mutex_unlock(&w->lock);
	nanosleep(&t, NULL);
	pthread_mutex_lock(&w->lock);
}

/* A commit costs as much as several jobs. So under load, when the last batch or this one is more than one job, those that come
 * within the next moments share it: as long as more come in each step, and not for ever. One job alone never waits. */
static void gather(struct writer *w)
{
	size_t seen = 0;

	if (w->n <= 1 && w->waiting <= 1)
		return;
	for (int i = 0; i < GATHER_STEPS && !w->stopping && w->waiting > seen && w->waiting < LIMIT_BATCH; i++) {
		seen = w->waiting;
		nap(w);
	}
}

/* What has gathered, or nothing when the writer is to end. */
static size_t take(struct writer *w)
{
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	while (!w->first && !w->stopping) {
		w->idle = true;
		pthread_cond_wait(&w->wake, &w->lock);
	}
	w->idle = false;
	gather(w);
	while (w->first && n < LIMIT_BATCH) {
		w->batch[n++] = (struct result){ .job = w->first };
		w->first = w->first->next;
	}
	w->waiting -= n;
	if (!w->first)
		w->last = &w->first;
	w->again = &w->first;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static void *loop(void *arg)
{
	struct writer *w = arg;

	while ((w->n = take(w)) > 0)
		process(w);
	return NULL;
}

struct writer *writer_start(struct db *db, const struct writer_hooks *hooks, struct err *e)
{
	struct writer *w = mem_new(1, sizeof *w);
	int rc;

	w->db = db;
	if (hooks)
		w->hooks = *hooks;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	rc = pthread_create(&w->thread, NULL, loop, w);
	if (rc == 0)
		return w;
	err_set(e, REASON_INTERNAL, "cannot start the writer's thread: %s", strerror(rc));
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

void writer_submit(struct writer *w, struct writer_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->last = job;
	w->last = &job->next;
	w->waiting++;
	if (w->idle)
		pthread_cond_signal(&w->wake);
	w->idle = false;	/* one signal is enough */
	pthread_mutex_unlock(&w->lock);
}

void writer_again(struct writer *w, struct writer_job *job)
{
	pthread_mutex_lock(&w->lock);
	job->next = *w->again;
	*w->again = job;
	if (w->last == w->again)
		w->last = &job->next;
	w->again = &job->next;
	w->waiting++;
	pthread_mutex_unlock(&w->lock);
}

void writer_state(struct writer *w, struct writer_state *s)
{
	pthread_mutex_lock(&w->lock);
	*s = w->state;
	s->waiting = w->waiting;
	s->busy_ms = w->began_ms ? clock_mono_ms() - w->began_ms : 0;
	pthread_mutex_unlock(&w->lock);
}

static int probe_run(struct writer_job *job, struct db *db, struct err *e)
{
	return db_touch(db, e);
}

static void probe_done(struct writer_job *job, int rc, const struct err *e)
{
	struct writer *w = (struct writer *)((char *)job - offsetof(struct writer, probe));

	pthread_mutex_lock(&w->lock);
	w->probing = false;
	if (rc < 0) {		/* in its savepoint: the batch itself may have been fine */
		w->state.failing = true;
		w->state.why = *e;
	}
	pthread_mutex_unlock(&w->lock);
}

void writer_probe(struct writer *w)
{
	bool under_way;

	pthread_mutex_lock(&w->lock);
	under_way = w->probing;
	w->probing = true;
	w->probe = under_way ? w->probe : (struct writer_job){ .run = probe_run, .done = probe_done };
	pthread_mutex_unlock(&w->lock);
	if (!under_way)
		writer_submit(w, &w->probe);
}

void writer_stop(struct writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
