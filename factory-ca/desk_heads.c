/* When a head of a CA's audit is due, and where it is kept: in the ledger, and for the answers to units. */
#include <config.h>

#include <stdlib.h>

#include "clock.h"
#include "desk.h"
#include "heads.h"
#include "log.h"
#include "mem.h"

#define LOOK_S 3	/* how often the rows are counted */

void desk_head(struct desk *d, struct audit_head *h)
{
	pthread_rwlock_rdlock(&d->lock);
	*h = d->head;
	pthread_rwlock_unlock(&d->lock);
}

/* ---- into the ledger ---- */
struct keeping {
	struct writer_job w;		/* first */
	struct desk *d;
	struct audit_head h;
};

static int keep(struct writer_job *w, struct db *db, struct err *e)
{
	return audit_head_put(db, &((struct keeping *)w)->h, e);
}

static void kept(struct writer_job *w, int rc, const struct err *e)
{
	struct keeping *k = (struct keeping *)w;

	if (rc < 0 && k->d->again) {
		writer_again(k->d->writer, w);
		return;
	}
	if (rc < 0)	/* the next head is as good */
		log_err(e, "a head of the audit is not kept");
	free(k);
}

static void remember(struct desk *d, const struct audit_head *h)
{
	struct keeping *k = mem_new(1, sizeof *k);

	pthread_rwlock_wrlock(&d->lock);
	d->head = *h;
	pthread_rwlock_unlock(&d->lock);
	*k = (struct keeping){ .w = { .run = keep, .done = kept }, .d = d, .h = *h };
	writer_submit(d->writer, &k->w);
}

/* ---- when ---- */
static int is_due(struct desk *d, struct db *ledger, bool now, struct err *e)
{
	struct audit_state last;
	int64_t rows;
	bool due;

	if (audit_last(ledger, &last, e) < 0)
		return -1;
	pthread_rwlock_rdlock(&d->lock);
	rows = last.n - d->head.at.n;
	due = rows != 0 && (now || rows < 0 || rows >= d->head_rows || clock_utc() - d->head.time >= d->head_s);
	d->head_ms = clock_mono_ms() + (d->head_s < LOOK_S ? d->head_s : LOOK_S) * 1000;
	pthread_rwlock_unlock(&d->lock);
	return due;
}

int desk_heads(struct desk *d, bool now, struct err *e)
{
	struct signing *by = d->signing_by;
	struct head_source from = { .name = d->folder.name, .unit_ca = d->ca.unit.cert, .signer = &by->signer, .lock = &by->lock,
				    .ledger = readers_take(d->readers, e) };
	struct audit_head h;
	int rc;

	if (!from.ledger)
		return -1;
	rc = is_due(d, from.ledger, now, e);
	if (rc == 1 && atomic_load(&d->recovering))	/* the signer knows another history */
		rc = 0;
	if (rc == 1) {
		rc = head_make(&from, &h, e);
		if (rc == 0)
			remember(d, &h);
		else	/* not at every look */
			d->head_ms = clock_mono_ms() + d->head_s * 1000;
	}
	readers_put(d->readers, from.ledger);
	return rc;
}
