/* What the CA has yet to be told. */
#include <config.h>

#include "store_private.h"

#include <string.h>

int store_outbox_add(struct db *db, enum outbox_kind kind, int64_t device, const struct request_id *request, const char *reason,
		     struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO outbox VALUES(NULL, ?, ?, ?, ?, ?, 0, 0)");

	bind_int(s, 1, kind);
	bind_int(s, 2, device);
	bind_text(s, 3, request->id);
	bind_int(s, 4, request->generation);
	bind_text(s, 5, reason);
	return db_run(s, e);
}

int store_outbox_cancel(struct db *db, int64_t device, struct err *e)
{
	struct stmt *s = db_stmt(db, "DELETE FROM outbox WHERE device = ? AND kind = 1");

	bind_int(s, 1, device);
	return db_run(s, e);
}

int store_outbox_next(struct db *db, int64_t now, struct outbox_row *rows, size_t max, size_t *n, struct err *e)
{
	struct stmt *s = db_stmt(db,
		"SELECT o.n, o.kind, d.serial, d.manufacturer, d.model, o.request, o.generation, r.sha256, o.reason, o.tries"
		" FROM outbox o JOIN device d ON d.n = o.device LEFT JOIN request r ON r.id = o.request"
		" WHERE o.due <= ? AND (o.kind = 0 OR NOT EXISTS"
		" (SELECT 1 FROM outbox x WHERE x.device = o.device AND x.kind = 0))"
		" ORDER BY o.kind, o.n LIMIT ?");
	int rc;

	*n = 0;
	bind_int(s, 1, now);
	bind_int(s, 2, (int64_t)max);
	while ((rc = db_step(s, e)) == 1) {
		struct outbox_row *o = &rows[(*n)++];

		o->n = col_int(s, 0);
		o->kind = (enum outbox_kind)col_int(s, 1);
		col_device(s, 2, &o->device);
		col_copy(s, 5, o->request.id, sizeof o->request.id);
		o->request.generation = (uint32_t)col_int(s, 6);
		col_sha256(s, 7, o->certificate);
		col_copy(s, 8, o->reason, sizeof o->reason);
		o->tries = col_int(s, 9);
	}
	return rc;
}

int store_outbox_done(struct db *db, int64_t n, struct err *e)
{
	struct stmt *s = db_stmt(db, "DELETE FROM outbox WHERE n = ?");

	bind_int(s, 1, n);
	return db_run(s, e);
}

int store_outbox_later(struct db *db, int64_t n, int64_t due, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE outbox SET tries = tries + 1, due = ? WHERE n = ?");

	bind_int(s, 1, due);
	bind_int(s, 2, n);
	return db_run(s, e);
}

int store_outbox_has(struct db *db, enum outbox_kind kind, const char *request, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM outbox WHERE kind = ? AND request = ? LIMIT 1");

	bind_int(s, 1, kind);
	bind_text(s, 2, request);
	return step_bool(s, e);
}

int store_outbox_drop(struct db *db, enum outbox_kind kind, const char *request, struct err *e)
{
	struct stmt *s = db_stmt(db, "DELETE FROM outbox WHERE kind = ? AND request = ?");

	bind_int(s, 1, kind);
	bind_text(s, 2, request);
	return db_run(s, e);
}

int store_outbox_restart(struct db *db, struct err *e)
{
	return db_run(db_stmt(db, "UPDATE outbox SET due = 0 WHERE due > 0"), e);
}

int store_figures(struct db *db, struct store_figures *f, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT (SELECT count(*) FROM request WHERE state IN (0, 1) AND plain = 0),"
				     " (SELECT count(*) FROM outbox), (SELECT max(n) FROM audit)");
	int rc = db_step(s, e);

	if (rc == 1)
		*f = (struct store_figures){ .pending = col_int(s, 0), .outbox = col_int(s, 1), .audit_rows = col_int(s, 2) };
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

int store_outbox_count(struct db *db, int64_t device, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT count(*) FROM outbox WHERE ?1 = 0 OR device = ?1");
	int n;

	bind_int(s, 1, device);
	if (db_step(s, e) < 0)
		return -1;
	n = (int)col_int(s, 0);
	db_reset(s);
	return n;
}
