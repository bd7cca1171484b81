#include <config.h>

#include "readers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct known {
	struct work_order order;
	struct known *next;
};

struct readers {
	char *path;
	struct trust *trust;
	pthread_mutex_t lock;
	struct db **idle;	/* under the lock, likewise the next four */
	size_t n_idle, room;
	struct known *known;
	struct err damage;	/* code OK: none was met */
};

struct readers *readers_new(const char *path, struct trust *trust, struct err *e)
{
	struct readers *r = mem_new(1, sizeof *r);
	struct db *first;

	r->path = mem_str(path);
	r->trust = trust;
	pthread_mutex_init(&r->lock, NULL);
	first = readers_take(r, e);
	if (!first) {
		readers_free(r);
		return NULL;
	}
	readers_put(r, first);
	return r;
}

void readers_free(struct readers *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_idle; i++)
		db_close(r->idle[i]);
	for (struct known *k = r->known, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	pthread_mutex_destroy(&r->lock);
	free(r->idle);
	free(r->path);
	free(r);
}

struct db *readers_take(struct readers *r, struct err *e)
{
	struct db *db = NULL;

	pthread_mutex_lock(&r->lock);
	if (r->n_idle)
		db = r->idle[--r->n_idle];
	pthread_mutex_unlock(&r->lock);
	return db ? db : ledger_open(r->path, e);
}

void readers_put(struct readers *r, struct db *db)
{
	if (!db)
		return;
	pthread_mutex_lock(&r->lock);
	db_damaged(db, &r->damage);
	if (r->n_idle == r->room) {
		r->room += 8;
		r->idle = mem_grow(r->idle, r->room, sizeof *r->idle);
	}
	r->idle[r->n_idle++] = db;
	pthread_mutex_unlock(&r->lock);
}

bool readers_damaged(struct readers *r, struct err *why)
{
	bool met;

	pthread_mutex_lock(&r->lock);
	met = r->damage.code != REASON_OK;
	if (met)
		*why = r->damage;
	pthread_mutex_unlock(&r->lock);
	return met;
}

static const struct work_order *find(struct readers *r, const char *id, uint32_t version)
{
	const struct work_order *found = NULL;

	pthread_mutex_lock(&r->lock);
	for (struct known *k = r->known; k && !found; k = k->next)
		if (k->order.version == version && strcmp(k->order.id, id) == 0)
			found = &k->order;
	pthread_mutex_unlock(&r->lock);
	return found;
}

/* Two threads may both come here for one order: then it is kept twice, which harms nobody. */
static const struct work_order *keep(struct readers *r, const struct buf *cms, const struct ledger_order *row, struct err *e)
{
	struct known *k = mem_new(1, sizeof *k);

	if (work_order_read(&k->order, cms->data, cms->len, r->trust, e) < 0 || strcmp(k->order.id, row->id) != 0 ||
	    k->order.version != row->version) {
		err_set(e, REASON_ORDER,
			"work order %s in the ledger is not what an operator signed; restore the ledger", row->id);
		free(k);
		return NULL;
	}
	pthread_mutex_lock(&r->lock);
	k->next = r->known;
	r->known = k;
	pthread_mutex_unlock(&r->lock);
	return &k->order;
}

int readers_order(struct readers *r, struct db *db, const char *id, const struct work_order **o, struct err *e)
{
	struct ledger_order row;
	struct buf cms = {0};
	int rc = ledger_order_get(db, id, &row, NULL, e);

	*o = rc == 1 ? find(r, id, row.version) : NULL;
	if (rc != 1 || *o)
		return rc;
	rc = ledger_order_get(db, id, &row, &cms, e);
	if (rc == 1 && !(*o = keep(r, &cms, &row, e)))
		rc = -1;
	buf_free(&cms);
	return rc;
}
