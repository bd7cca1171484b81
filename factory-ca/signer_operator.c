#include <config.h>

#include "signer_private.h"

#include <stdlib.h>

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

int signer_on_unit(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct buf spki = {0}, der = {0};
	struct unit_plan p = {0};
	int rc = -2;

	unpack_str(u, p.role, sizeof p.role);
	unpack_str(u, p.name, sizeof p.name);
	unpack_str(u, p.customer, sizeof p.customer);
	for (size_t i = 0; i < SIGNER_HOSTS; i++)
		unpack_str(u, p.host[i], sizeof p.host[i]);
	unpack_bytes(u, &spki);
	if (!unpack_done(u))
		goto out;
	rc = build_unit(&s->build, &p, &spki, clock_utc(), &der, e);
	if (rc == 0 && (rc = db_begin(s->db, e)) == 0) {
		rc = audit_add(s->db, clock_utc(), "operator", "unit", p.name, p.role, e);
		if (rc == 0)
			rc = db_commit(s->db, e);
		else
			db_rollback(s->db);
	}
	if (rc == 0)
		pack_bytes(answer, der.data, der.len);
out:
	buf_free(&spki);
	buf_free(&der);
	return rc;
}

static int add_order(struct server *s, const struct work_order *o, const struct buf *cms, struct err *e)
{
	struct buf known = {0};
	bool closed, same;
	int rc = count_order_get(s->db, o->id, &known, &closed, e);

	same = buf_same(&known, cms);
	buf_free(&known);
	if (rc < 0)
		return -1;
	if (rc == 1)	/* shown again after a cut: nothing to do */
		return same ? 0
			    : err_set(e, REASON_ORDER,
				      "another order with the id %s exists; give the new one another id", o->id);
	if (count_order_add(s->db, o->id, cms, e) < 0)
		return -1;
	return audit_add(s->db, clock_utc(), o->operator_name, "order", o->id, o->model, e);
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
			rc = add_order(s, o, &cms, e);
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
	char id[CA_ID_MAX + 1];
	int rc;

	unpack_str(u, id, sizeof id);
	if (!unpack_done(u))
		return -2;
	rc = db_begin(s->db, e);
	if (rc < 0)
		return -1;
	rc = count_order_close(s->db, id, e);
	if (rc == 0)
		rc = audit_add(s->db, clock_utc(), "operator", "close", id, "", e);
	if (rc == 0)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return -1;
}
