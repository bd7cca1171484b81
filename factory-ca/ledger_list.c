#include <config.h>

#include "ledger_list.h"

#include <string.h>

#include "ledger_private.h"

/* ---- lists ---- */
/* Each search is one statement: what finds the rows, by an index, then whatever else the filter says of them. "+" keeps the rest from
 * being taken for the better way. */
#define LIST(found_by) \
	"SELECT " REQUEST_COLUMNS ", d.manufacturer, d.model, d.serial, " STATE ", r.certificate_serial, r.reason, r.created, r.changed," \
	" r.expires FROM request r LEFT JOIN device d ON d.n = r.device WHERE " found_by \
	" (?1 = '' OR +r.order_id = ?1) AND (?2 = '' OR " STATE " = ?2) AND (?3 = '' OR d.serial = ?3) AND (?4 = '' OR d.model = ?4)" \
	" AND (?5 = '' OR d.manufacturer = ?5) AND +r.created >= ?6 AND (?8 = '' OR +r.certificate_serial = ?8)" \
	" AND (?9 IS NULL OR +r.key = ?9) AND +r.n > ?11 ORDER BY r.n"
#define STATE "(CASE WHEN r.state IN ('pending', 'active') AND r.expires <= ?7 THEN 'expired' ELSE r.state END)"
#define ANY_ID 10	/* a parameter of that statement alone */
#define BEHIND 11

static const char by_key[] = LIST("r.n IN (SELECT n FROM request WHERE created >= ?6 AND key = ?9) AND");
static const char by_certificate[] = LIST("r.certificate_serial = ?8 AND");
static const char by_device[] = LIST("r.device IN (SELECT n FROM device WHERE serial = ?3) AND");
static const char by_id[] = LIST(
	"r.n IN (SELECT q.n FROM request q WHERE " HAS_ID("q", "?10")
	" UNION SELECT n FROM request WHERE certificate_serial = ?10"
	" UNION SELECT q.n FROM device v CROSS JOIN request q ON q.device = v.n WHERE v.serial = ?10) AND");
static const char by_order[] = LIST("r.n IN (SELECT n FROM request WHERE state IN ('pending', 'active', 'superseded', 'revoked')"
				    " AND state != 'reserved' AND order_id = ?1) AND");
static const char by_state[] = LIST("r.n IN (SELECT n FROM request WHERE state = ?2 AND state != 'reserved') AND");
static const char by_time[] = LIST("r.n IN (SELECT n FROM request WHERE created >= ?6) AND");
static const char all_rows[] = LIST("r.n > ?11 AND");

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static bool given(const char *text)
{
	return text && *text;
}

/* The narrowest first. A reserved one is on disk only where its transaction has not ended. */
const char *ledger_list_sql(const struct ledger_filter *f)
{
	bool stored = given(f->state) && strcmp(f->state, "reserved") != 0 && strcmp(f->state, "expired") != 0;

	return f->key ? by_key :
	       given(f->certificate) ? by_certificate :
	       given(f->id) ? by_id :
	       given(f->serial) ? by_device :
	       given(f->order) ? by_order :
	       f->since ? by_time :
	       stored ? by_state : all_rows;
}

static void row_columns(struct stmt *s, struct ledger_row *row)
{
	request_columns(s, &row->r);
	col_copy(s, REQUEST_N, row->device.manufacturer, sizeof row->device.manufacturer);
	col_copy(s, REQUEST_N + 1, row->device.model, sizeof row->device.model);
	col_copy(s, REQUEST_N + 2, row->device.serial, sizeof row->device.serial);
	col_copy(s, REQUEST_N + 3, row->state, sizeof row->state);
	col_copy(s, REQUEST_N + 4, row->cert_serial, sizeof row->cert_serial);
	col_copy(s, REQUEST_N + 5, row->reason, sizeof row->reason);
	row->created = col_int(s, REQUEST_N + 6);
	row->changed = col_int(s, REQUEST_N + 7);
	row->expires = col_int(s, REQUEST_N + 8);
}

/* The column has a part of the hash. */
static bool has_key(const struct ledger_request *r, const uint8_t sha256[SHA256_LEN])
{
	struct cert c;
	struct err e;
	bool same;

	if (cert_parse(&c, r->cert.data, r->cert.len, &e) < 0)
		return false;
	same = memcmp(c.spki_sha256, sha256, SHA256_LEN) == 0;
	cert_free(&c);
	return same;
}

int ledger_list(struct db *db, const struct ledger_filter *f, int (*each)(void *arg, const struct ledger_row *row),
		void *arg, struct err *e)
{
	const char *sql = ledger_list_sql(f);
	struct stmt *s = db_stmt(db, sql);
	struct ledger_row row = {0};
	int rc;

	bind_text(s, 1, or_empty(f->order));
	bind_text(s, 2, or_empty(f->state));
	bind_text(s, 3, or_empty(f->serial));
	bind_text(s, 4, or_empty(f->model));
	bind_text(s, 5, or_empty(f->manufacturer));
	bind_int(s, 6, f->since);
	bind_int(s, 7, f->now);
	bind_text(s, 8, or_empty(f->certificate));
	if (f->key)
		bind_int(s, 9, key_number(f->key));
	else
		bind_text(s, 9, NULL);
	if (sql == by_id)
		bind_text(s, ANY_ID, f->id);
	bind_int(s, BEHIND, f->after);
	while ((rc = db_step(s, e)) == 1) {
		row_columns(s, &row);
		if ((!f->key || has_key(&row.r, f->key)) && each(arg, &row) < 0)
			break;
	}
	db_reset(s);
	ledger_request_free(&row.r);
	return rc < 0 ? -1 : 0;
}

/* ---- counts ---- */
int ledger_counts(struct db *db, int (*each)(void *arg, const struct ledger_count *c), void *arg, struct err *e)
{
	/* the index has all that is asked for; none is reserved outside a transaction */
	struct stmt *s = db_stmt(db, "SELECT order_id, state, count(*) FROM request WHERE state != 'reserved'"
				     " GROUP BY state, order_id ORDER BY order_id, state");
	int rc;

	while ((rc = db_step(s, e)) == 1) {
		struct ledger_count c = { .n = col_int(s, 2) };

		col_copy(s, 0, c.order, sizeof c.order);
		col_copy(s, 1, c.state, sizeof c.state);
		if (each(arg, &c) < 0) {
			db_reset(s);
			break;
		}
	}
	return rc < 0 ? -1 : 0;
}

int ledger_figures(struct db *db, struct ledger_figures *f, struct err *e)
{
	/* the second condition says nothing new, and is what tells SQLite that it may use the index */
	struct stmt *s = db_stmt(db, "SELECT (SELECT count(*) FROM request WHERE state = 'pending' AND state != 'reserved'),"
				     " (SELECT max(n) FROM audit)");
	int rc = db_step(s, e);

	if (rc == 1) {
		f->pending = col_int(s, 0);
		f->audit_rows = col_int(s, 1);
	}
	db_reset(s);
	return rc < 0 ? -1 : 0;
}
