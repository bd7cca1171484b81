/* Work orders: an operator's signature is verified again in each process that uses one. */
#include <config.h>

#include "signer_private.h"

#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "mem.h"

int signer_verify_order(struct server *s, const struct buf *cms, struct work_order *o, struct err *e)
{
	if (work_order_read(o, cms->data, cms->len, s->build.ca.trust, e) < 0)
		return -1;
	if ((uint64_t)o->quota + o->scrap == 0)
		return err_set(e, REASON_ORDER, "order %s is for no unit at all", o->id);
	return 0;
}

/* One that this process has verified; its place in s->orders, or s->n_orders. */
static size_t order_find(const struct server *s, const char *id)
{
	size_t i = 0;

	while (i < s->n_orders && strcmp(s->orders[i]->id, id) != 0)
		i++;
	return i;
}

/* Of signer.db into s->orders[i], in the place of an older version. 1, or -1 with an error. */
static int order_load(struct server *s, const char *id, size_t i, struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	struct count_order known;
	struct buf cms = {0};
	int rc = count_order_get(s->db, id, &cms, &known, e);

	if (rc == 1 && (signer_verify_order(s, &cms, o, e) < 0 || strcmp(o->id, id) != 0 || o->version != known.version))
		rc = err_set(e, REASON_ORDER, "order %s in signer.db is not what an operator signed", id);
	buf_free(&cms);
	if (rc != 1) {
		free(o);
		return rc;
	}
	if (i == s->n_orders) {
		s->orders = mem_grow(s->orders, s->n_orders + 1, sizeof *s->orders);
		s->orders[s->n_orders++] = NULL;
	}
	free(s->orders[i]);
	s->orders[i] = o;
	return 1;
}

/* The verified order, remembered; NULL with an error if there is none or it is closed. */
const struct work_order *signer_order_get(struct server *s, const char *id, struct err *e)
{
	struct count_order known;
	size_t i = order_find(s, id);
	int rc = count_order_get(s->db, id, NULL, &known, e);

	if (rc == 0)
		err_set(e, REASON_ORDER, "order %s was never shown to the signer", id);
	else if (rc == 1 && known.closed)
		rc = err_set(e, REASON_ORDER, "order %s is closed", id);
	if (rc == 1 && (i == s->n_orders || s->orders[i]->version != known.version))
		rc = order_load(s, id, i, e);
	return rc == 1 ? s->orders[i] : NULL;
}

/* Never below what is used, and no closed order again. */
static int may_extend(struct server *s, const struct work_order *next, const struct buf *before, const struct count_order *known,
		      struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	int rc = signer_verify_order(s, before, o, e);

	if (rc == 0)
		rc = work_order_follows(next, o, e);
	if (rc == 0 && known->closed)
		rc = err_set(e, REASON_ORDER, "order %s is closed, and is not extended", next->id);
	if (rc == 0 && (int64_t)next->quota + next->scrap < known->used)
		rc = err_set(e, REASON_QUOTA, "order %s: %lld keys are signed, more than quota and scrap of the extension", next->id,
			     (long long)known->used);
	free(o);
	return rc;
}

int signer_order_add(struct server *s, const struct work_order *o, const struct buf *cms, struct err *e)
{
	struct buf before = {0};
	struct count_order known;
	int rc = count_order_get(s->db, o->id, &before, &known, e);
	bool same = buf_same(&before, cms);

	if (rc == 1 && !same)
		rc = may_extend(s, o, &before, &known, e);
	buf_free(&before);
	if (rc < 0 || same)	/* shown again after a cut: nothing to do */
		return rc < 0 ? -1 : 0;
	return count_order_put(s->db, o, cms, e) < 0 ? -1 : 1;
}

/* Of the local operator: a person's comes by his act. */
static int local_order(struct server *s, const struct work_order *o, const struct buf *cms, struct err *e)
{
	struct count_order known;
	int there = count_order_get(s->db, o->id, NULL, &known, e), rc = there < 0 ? -1 : signer_order_add(s, o, cms, e);
	char who[WHO_MAX];

	if (rc != 1)
		return rc;
	if (o->person)
		return err_set(e, REASON_ROLE, "order %s is of person:%s, and comes by that person's own act", o->id, o->operator_name);
	if (signer_local_may(s, there ? ACT_ORDER_EXTEND : ACT_ORDER_CREATE, e) < 0)
		return -1;
	signer_local_who(s, who);
	return audit_add(s->db, clock_utc(), who, there ? "extend" : "order", o->id, o->model, e);
}

int signer_on_order(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	struct buf cms = {0};
	int rc = -2;

	unpack_bytes(u, &cms);
	if (unpack_done(u)) {
		rc = signer_verify_order(s, &cms, o, e);
		if (rc == 0 && (rc = db_begin(s->db, e)) == 0) {
			rc = local_order(s, o, &cms, e);
			if (rc == 0)
				rc = db_commit(s->db, e);
			else
				db_rollback(s->db);
		}
	}
	buf_free(&cms);
	free(o);
	return rc;
}

int signer_on_close(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	char id[CA_ID_MAX + 1], who[WHO_MAX];
	int rc;

	unpack_str(u, id, sizeof id);
	if (!unpack_done(u))
		return -2;
	rc = db_begin(s->db, e);
	if (rc < 0)
		return -1;
	signer_local_who(s, who);
	rc = signer_local_may(s, ACT_ORDER_CLOSE, e) < 0 ? -1 : count_order_close(s->db, id, e);
	if (rc == 0)
		rc = audit_add(s->db, clock_utc(), who, "close", id, "", e);
	if (rc == 0)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return -1;
}
