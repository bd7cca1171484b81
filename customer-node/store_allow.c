/* What the admin has listed and what the manufacturers have shipped. */
#include <config.h>

#include "store_private.h"

#include <stdio.h>
#include <string.h>

/* ---- allowlist ---- */
int store_allow_clear(struct db *db, struct err *e)
{
	return db_run(db_stmt(db, "DELETE FROM allow"), e) < 0 ? -1 : db_run(db_stmt(db, "DELETE FROM pattern"), e);
}

int store_allow_add(struct db *db, const struct allow_entry *a, struct err *e)
{
	struct stmt *s = a->kind == ALLOW_SERIAL
		? db_stmt(db, "INSERT INTO allow(serial, manufacturer, model, blocked, expires, note, line)"
			      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
		: db_stmt(db, "INSERT INTO pattern(serial, manufacturer, model, blocked, expires, note, line, kind, last)"
			      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");

	bind_device(s, 1, &a->device);
	bind_int(s, 4, a->blocked);
	bind_int(s, 5, a->expires);
	bind_text(s, 6, a->note);
	bind_int(s, 7, a->line);
	if (a->kind != ALLOW_SERIAL) {
		bind_int(s, 8, a->kind);
		bind_text(s, 9, a->to);
	}
	return db_run(s, e);
}

int store_allow_name(struct db *db, const char *manufacturer, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE OR REPLACE allow SET manufacturer = ? WHERE manufacturer = ''");

	bind_text(s, 1, manufacturer);
	if (db_run(s, e) < 0)
		return -1;
	s = db_stmt(db, "UPDATE pattern SET manufacturer = ? WHERE manufacturer = ''");
	bind_text(s, 1, manufacturer);
	return db_run(s, e);
}

#define ALLOW_COLUMNS "serial, manufacturer, model, blocked, expires, note, line"
#define PATTERN_COLUMNS ALLOW_COLUMNS ", kind, last"

static void col_allow(struct stmt *s, struct allow_entry *a)
{
	*a = (struct allow_entry){ .kind = ALLOW_SERIAL };
	col_device(s, 0, &a->device);
	a->blocked = col_int(s, 3) != 0;
	a->expires = col_int(s, 4);
	col_copy(s, 5, a->note, sizeof a->note);
	a->line = (int)col_int(s, 6);
}

static void col_pattern(struct stmt *s, struct allow_entry *a)
{
	col_allow(s, a);
	a->kind = col_int(s, 7) == ALLOW_RANGE ? ALLOW_RANGE : ALLOW_GLOB;
	col_copy(s, 8, a->to, sizeof a->to);
}

/* "*" any characters, also none, "?" one: by going back to the last star alone the time is a product, never more. */
static bool glob_has(const char *glob, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*glob == '*') {
			star = ++glob;
			again = text;
		} else if (*glob == '?' || *glob == *text) {
			glob++;
			text++;
		} else if (star) {
			glob = star;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == 0;
}

void allow_name(const struct allow_entry *a, char out[ALLOW_NAME])
{
	snprintf(out, ALLOW_NAME, "%s%s%s", a->device.serial, a->kind == ALLOW_RANGE ? " to " : "", a->kind == ALLOW_RANGE ? a->to : "");
}

bool allow_has_serial(const struct allow_entry *a, const char *serial)
{
	struct order_range r;

	if (a->kind == ALLOW_SERIAL)
		return strcmp(a->device.serial, serial) == 0;
	if (a->kind == ALLOW_GLOB)
		return glob_has(a->device.serial, serial);
	memcpy(r.from, a->device.serial, sizeof r.from);
	memcpy(r.to, a->to, sizeof r.to);
	return order_range_has(&r, serial);
}

/* The first of s that has the device. */
static int allow_pick(struct stmt *s, void (*col)(struct stmt *s, struct allow_entry *a), const struct device_id *id,
		      struct allow_entry *a, bool *other, struct err *e)
{
	int rc;

	while ((rc = db_step(s, e)) == 1) {
		struct allow_entry x;

		col(s, &x);
		if (!allow_has_serial(&x, id->serial))
			continue;
		if ((x.device.manufacturer[0] && strcmp(x.device.manufacturer, id->manufacturer) != 0) ||
		    (x.device.model[0] && strcmp(x.device.model, id->model) != 0)) {
			*other = true;
			continue;
		}
		*a = x;
		db_reset(s);
		return 1;
	}
	return rc;
}

int store_allow_get(struct db *db, const struct device_id *id, struct allow_entry *a, bool *other, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " ALLOW_COLUMNS " FROM allow WHERE serial = ?");
	int rc;

	*other = false;
	bind_text(s, 1, id->serial);
	rc = allow_pick(s, col_allow, id, a, other, e);
	if (rc != 0)
		return rc;
	s = db_stmt(db, "SELECT " PATTERN_COLUMNS " FROM pattern ORDER BY kind, blocked DESC, n");
	return allow_pick(s, col_pattern, id, a, other, e);
}

static int allow_each(struct stmt *s, void (*col)(struct stmt *s, struct allow_entry *a),
		      int (*each)(void *arg, const struct allow_entry *a), void *arg, struct err *e)
{
	int rc;

	while ((rc = db_step(s, e)) == 1) {
		struct allow_entry a;

		col(s, &a);
		if (each(arg, &a)) {
			db_reset(s);
			return 1;
		}
	}
	return rc;
}

int store_allow_list(struct db *db, int (*each)(void *arg, const struct allow_entry *a), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " ALLOW_COLUMNS " FROM allow ORDER BY serial, manufacturer, model");
	int rc = allow_each(s, col_allow, each, arg, e);

	if (rc == 0)
		rc = allow_each(db_stmt(db, "SELECT " PATTERN_COLUMNS " FROM pattern ORDER BY n"), col_pattern, each, arg, e);
	return rc < 0 ? -1 : 0;
}

int store_applied_get(struct db *db, char file_sha256[SHA256_HEX], int64_t *time, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT sha256, time FROM applied");
	int rc = db_step(s, e);

	if (rc != 1)
		return rc;
	col_copy(s, 0, file_sha256, SHA256_HEX);
	*time = col_int(s, 1);
	db_reset(s);
	return 1;
}

int store_applied_set(struct db *db, const char *file_sha256, int64_t time, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR REPLACE INTO applied VALUES(1, ?, ?)");

	bind_text(s, 1, file_sha256);
	bind_int(s, 2, time);
	return db_run(s, e);
}

/* ---- manifests ---- */
int store_manifest_get(struct db *db, const char *manufacturer, uint64_t sequence, uint8_t sha256[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT sha256 FROM manifest WHERE manufacturer = ? AND sequence = ?");
	int rc;

	bind_text(s, 1, manufacturer);
	bind_int(s, 2, (int64_t)sequence);
	rc = db_step(s, e);
	if (rc != 1)
		return rc;
	col_sha256(s, 0, sha256);
	db_reset(s);
	return 1;
}

int store_manifest_add(struct db *db, const char *manufacturer, const struct manifest *m, const uint8_t sha256[SHA256_LEN],
		       int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO manifest VALUES(?, ?, ?, ?, ?, ?)");

	bind_text(s, 1, manufacturer);
	bind_int(s, 2, (int64_t)m->sequence);
	bind_blob(s, 3, sha256, SHA256_LEN);
	bind_int(s, 4, m->time);
	bind_int(s, 5, now);
	bind_int(s, 6, (int64_t)m->n);
	return db_run(s, e);
}

int store_shipped_get(struct db *db, const struct device_id *id, uint64_t *sequence, uint8_t certificate[SHA256_LEN],
		      struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT sequence, certificate FROM shipped"
				     " WHERE serial = ? AND manufacturer = ? AND model = ?");
	int rc;

	bind_device(s, 1, id);
	rc = db_step(s, e);
	if (rc != 1)
		return rc;
	*sequence = (uint64_t)col_int(s, 0);
	col_sha256(s, 1, certificate);
	db_reset(s);
	return 1;
}

int store_voucher_get(struct db *db, const struct device_id *id, struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT voucher FROM shipped WHERE serial = ? AND manufacturer = ? AND model = ?"
				     " AND voucher IS NOT NULL");
	int rc;

	bind_device(s, 1, id);
	rc = db_step(s, e);
	if (rc != 1)
		return rc;
	col_blob(s, 0, cms);
	db_reset(s);
	return 1;
}

int store_shipped_any(struct db *db, const char *serial, const char *manufacturer, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM shipped WHERE serial = ? AND ? IN ('', manufacturer) LIMIT 1");

	bind_text(s, 1, serial);
	bind_text(s, 2, manufacturer);
	return step_bool(s, e);
}

int store_shipped_put(struct db *db, const struct manifest_entry *m, uint64_t sequence, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR REPLACE INTO shipped VALUES(?, ?, ?, ?, ?, ?)");

	bind_device(s, 1, &m->device);
	bind_int(s, 4, (int64_t)sequence);
	bind_blob(s, 5, m->certificate, SHA256_LEN);
	bind_blob(s, 6, m->voucher.len ? m->voucher.data : NULL, m->voucher.len);
	return db_run(s, e);
}

/* ---- lists ---- */
/* A device without an entry of its own may have one with others. */
static int view_pattern(struct db *db, struct store_view *v, struct err *e)
{
	struct allow_entry a;
	bool other;
	int rc = store_allow_get(db, &v->device.id, &a, &other, e);

	if (rc == 1) {
		v->listed = true;
		v->allow_blocked = a.blocked;
		v->expires = a.expires;
		memcpy(v->note, a.note, sizeof v->note);
	}
	return rc;
}

int store_view(struct db *db, const char *serial, int (*each)(void *arg, const struct store_view *v), void *arg, struct err *e)
{
	/* An allowlist entry shows by itself only while no device of its serial and manufacturer is known. */
	struct stmt *s = db_stmt(db,
		"WITH known AS (SELECT serial, manufacturer, model FROM device"
		"  UNION SELECT serial, manufacturer, model FROM shipped),"
		" everything AS (SELECT * FROM known UNION SELECT serial, manufacturer, model FROM allow a"
		"  WHERE NOT EXISTS (SELECT 1 FROM known k WHERE k.serial = a.serial"
		"  AND a.manufacturer IN ('', k.manufacturer)))"
		" SELECT " DEVICE_COLUMNS ", u.serial, u.manufacturer, u.model, a.serial IS NOT NULL, a.blocked, a.expires, a.note,"
		"  s.sequence, (SELECT count(*) FROM outbox o WHERE o.device = d.n)"
		" FROM everything u"
		" LEFT JOIN device d ON d.serial = u.serial AND d.manufacturer = u.manufacturer AND d.model = u.model"
		" LEFT JOIN shipped s ON s.serial = u.serial AND s.manufacturer = u.manufacturer AND s.model = u.model"
		" LEFT JOIN allow a ON a.serial = u.serial AND a.manufacturer IN ('', u.manufacturer) AND a.model IN ('', u.model)"
		" WHERE ?1 = '' OR u.serial = ?1 ORDER BY u.serial, u.manufacturer, u.model");
	enum { AT = DEVICE_COLUMN_COUNT };
	int rc;

	bind_text(s, 1, serial);
	while ((rc = db_step(s, e)) == 1) {
		struct store_view v = {0};

		col_node_device(s, &v.device);
		col_device(s, AT, &v.device.id);
		v.listed = col_int(s, AT + 3) != 0;
		v.allow_blocked = col_int(s, AT + 4) != 0;
		v.expires = col_int(s, AT + 5);
		col_copy(s, AT + 6, v.note, sizeof v.note);
		v.shipped = (uint64_t)col_int(s, AT + 7);
		v.untold = col_int(s, AT + 8);
		if (!v.listed && view_pattern(db, &v, e) < 0) {
			db_reset(s);
			return -1;
		}
		if (each(arg, &v)) {
			db_reset(s);
			return 0;
		}
	}
	return rc;
}
