#include <config.h>

#include "ledger.h"

#include <string.h>

#include "mem.h"

/* ---- work orders ---- */
static const char *const order_states[] = { "open", "closed", "compromised" };

const char *order_state_name(enum order_state s)
{
	return order_states[s];
}

static void order_columns(struct stmt *s, struct ledger_order *o, struct buf *cms)
{
	*o = (struct ledger_order){ .state = ORDER_COMPROMISED,
				     .quota = (uint32_t)col_int(s, 2),
				     .used = (uint32_t)col_int(s, 3),
				     .version = (uint32_t)col_int(s, 4) };
	col_copy(s, 0, o->id, sizeof o->id);
	for (size_t i = 0; i < ARRAY_LEN(order_states); i++)
		if (strcmp(col_text(s, 1), order_states[i]) == 0)
			o->state = (enum order_state)i;
	if (cms)
		col_blob(s, 5, cms);
}

#define ORDER_COLUMNS "SELECT id, state, quota, used, version"

int ledger_order_get(struct db *db, const char *id, struct ledger_order *o, struct buf *cms, struct err *e)
{
	struct stmt *s = cms ? db_stmt(db, ORDER_COLUMNS ", cms FROM work_order WHERE id = ?1")
			     : db_stmt(db, ORDER_COLUMNS " FROM work_order WHERE id = ?1");
	int rc;

	bind_text(s, 1, id);
	rc = db_step(s, e);
	if (rc == 1)
		order_columns(s, o, cms);
	db_reset(s);
	return rc;
}

int ledger_order_add(struct db *db, const struct work_order *o, const struct buf *cms, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db,
				 "INSERT INTO work_order(id, cms, manufacturer, model, state, quota, created, changed, version)"
				 " VALUES(?1, ?2, ?3, ?4, 'open', ?5, ?6, ?6, ?7)");

	bind_text(s, 1, o->id);
	bind_blob(s, 2, cms->data, cms->len);
	bind_text(s, 3, o->manufacturer);
	bind_text(s, 4, o->model);
	bind_int(s, 5, o->quota);
	bind_int(s, 6, now);
	bind_int(s, 7, o->version ? o->version : 1);
	return db_run(s, e);
}

int ledger_order_replace(struct db *db, const struct work_order *o, const struct buf *cms, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE work_order SET cms = ?2, quota = ?3, version = ?4, changed = ?5 WHERE id = ?1");

	bind_text(s, 1, o->id);
	bind_blob(s, 2, cms->data, cms->len);
	bind_int(s, 3, o->quota);
	bind_int(s, 4, o->version);
	bind_int(s, 5, now);
	return db_run(s, e);
}

int ledger_order_take(struct db *db, const char *id, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE work_order SET used = used + 1 WHERE id = ?1");

	bind_text(s, 1, id);
	return db_run(s, e);
}

int ledger_order_give_back(struct db *db, const char *id, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE work_order SET used = used - 1 WHERE id = ?1");

	bind_text(s, 1, id);
	return db_run(s, e);
}

int ledger_order_remove(struct db *db, const char *id, struct err *e)
{
	struct stmt *s = db_stmt(db, "DELETE FROM work_order WHERE id = ?1 AND used = 0");

	bind_text(s, 1, id);
	return db_run(s, e);
}

int ledger_order_close(struct db *db, const char *id, enum order_state state, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE work_order SET state = ?2, changed = ?3 WHERE id = ?1");

	bind_text(s, 1, id);
	bind_text(s, 2, order_states[state]);
	bind_int(s, 3, now);
	return db_run(s, e);
}

/* what it says of reserved ones is nothing new, and lets SQLite use the index */
const char ledger_of_order[] = "SELECT 1 FROM request WHERE state = 'pending' AND state != 'reserved' AND order_id = ?1 AND +unit = ?2 LIMIT 1";

int ledger_order_pending(struct db *db, const char *id, const char *unit, struct err *e)
{
	struct stmt *s = db_stmt(db, ledger_of_order);
	int rc;

	bind_text(s, 1, id);
	bind_text(s, 2, unit);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_order_list(struct db *db, int (*each)(void *arg, const struct ledger_order *o, const struct buf *cms),
		      void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, ORDER_COLUMNS ", cms FROM work_order ORDER BY created, id");
	struct buf cms = {0};
	struct ledger_order o;
	int rc;

	while ((rc = db_step(s, e)) == 1) {
		order_columns(s, &o, &cms);
		if (each(arg, &o, &cms) < 0)
			break;
	}
	db_reset(s);
	buf_free(&cms);
	return rc < 0 ? -1 : 0;
}
