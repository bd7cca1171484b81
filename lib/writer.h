/* writer.h - the one thread that writes a database: it takes the jobs that have gathered, runs them in one transaction, of which each
 * may fail alone, commits, and only then lets their answers go (group commit). */
#ifndef HANDSEL_WRITER_H
#define HANDSEL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db.h"
#include "err.h"

struct writer;

/* The phases of a batch, all in one transaction: hooks->start, every run(), hooks->batch, every finish(), commit; then every
 * done() in the order of submission. A failure of the storage at any phase ends the batch: all of it is rolled back and the
 * jobs that had not failed by themselves get that failure. */
struct writer_job {
	/* -1: what this job wrote is undone, finish() is not called, done() still is. With hooks->repeatable it may be called once more,
	 * after all that the batch wrote was undone, and begins with what the job was given. */
	int (*run)(struct writer_job *job, struct db *db, struct err *e);
	/* May be NULL. Follows hooks->batch, if run() returned 0: for what came out of the batch (a signature, or none for
	 * this job). -1: the job has failed and the rest of the batch goes on. What run() wrote is already released, so
	 * finish() takes back by itself what must not stay, before it returns -1. A failure with REASON_STORAGE ends the
	 * batch. */
	int (*finish)(struct writer_job *job, struct db *db, struct err *e);
	/* After the commit, in the writer's thread: must not block. rc and e are those of run() or finish(), or of what
	 * ended the batch. The job may be freed here. */
	void (*done)(struct writer_job *job, int rc, const struct err *e);
	struct writer_job *next;	/* the writer's */
};

struct writer_hooks {
	/* May be NULL. Before the first run() of each batch: clears what an earlier batch that was cut off has left. */
	void (*start)(void *arg);
	/* May be NULL. Once, in the transaction, after all run(): for work that is done for the whole batch at a time
	 * (signing). -1: the whole batch is rolled back. */
	int (*batch)(void *arg, struct db *db, struct err *e);
	void *arg;
	/* Every run() can be called twice: no job has a savepoint then, which costs a copy of each page that it changes, until one of
	 * the batch fails and all of them run again. */
	bool repeatable;
	unsigned step_ms;		/* how long it waits at a time for more jobs of a batch; 0: 1 */
};

/* The db belongs to the writer's thread until writer_stop(). */
struct writer *writer_start(struct db *db, const struct writer_hooks *hooks, struct err *e);
/* From any thread. A job alone is run at once; under load it waits a few steps (hooks) at most for others to share its commit. */
void writer_submit(struct writer *w, struct writer_job *job);
/* From done() alone: the job is run once more, in the next batch, before all that has gathered and behind what done() gave back
 * before it: so what has to come after something of its batch does, and no load keeps it waiting. */
void writer_again(struct writer *w, struct writer_job *job);

/* How it does. From any thread. */
struct writer_state {
	size_t waiting;			/* jobs that no batch has taken yet */
	int64_t busy_ms;		/* since the batch that is under way began; 0: none is */
	uint64_t batches, jobs;		/* done since the start */
	bool failing;			/* the storage failed last time, for the reason `why`; a damaged database fails until the end */
	struct err why;
};
void writer_state(struct writer *w, struct writer_state *s);
/* Writes something that changes nothing: so that a failure of the storage is seen to be over without a request. */
void writer_probe(struct writer *w);

void writer_stop(struct writer *w);	/* finishes what was submitted */

#endif
