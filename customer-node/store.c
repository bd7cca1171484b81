#include <config.h>

#include "store.h"

#include <stdio.h>
#include <string.h>

#include "audit_head.h"
#include "mem.h"

static const char *const migrations[] = {
	AUDIT_SQL
	"CREATE TABLE applied(one INTEGER PRIMARY KEY CHECK(one = 1), sha256 TEXT NOT NULL, time INTEGER NOT NULL);"
	"CREATE TABLE allow(serial TEXT NOT NULL, manufacturer TEXT NOT NULL, model TEXT NOT NULL, blocked INTEGER NOT NULL,"
	" expires INTEGER NOT NULL, note TEXT NOT NULL, line INTEGER NOT NULL, PRIMARY KEY(serial, manufacturer, model))"
	" WITHOUT ROWID;"
	"CREATE TABLE manifest(sequence INTEGER PRIMARY KEY, sha256 BLOB NOT NULL, time INTEGER NOT NULL,"
	" imported INTEGER NOT NULL, devices INTEGER NOT NULL);"
	/* voucher: CMS, that the device demands at its first contact */
	"CREATE TABLE shipped(serial TEXT NOT NULL, manufacturer TEXT NOT NULL, model TEXT NOT NULL, sequence INTEGER NOT NULL,"
	" certificate BLOB NOT NULL, voucher BLOB, PRIMARY KEY(serial, manufacturer, model)) WITHOUT ROWID;"
	"CREATE TABLE device(n INTEGER PRIMARY KEY, serial TEXT NOT NULL, manufacturer TEXT NOT NULL, model TEXT NOT NULL,"
	" highest INTEGER NOT NULL, active TEXT NOT NULL, pending TEXT NOT NULL, blocked INTEGER NOT NULL, seen INTEGER NOT NULL,"
	" onboarded INTEGER NOT NULL, used INTEGER NOT NULL, asked_again INTEGER NOT NULL, refused_at INTEGER NOT NULL,"
	" refused INTEGER NOT NULL, refused_text TEXT NOT NULL, refusals INTEGER NOT NULL, remote TEXT NOT NULL,"
	" UNIQUE(serial, manufacturer, model));"
	/* state: enum node_state; waited: seconds pending; endorsement: reserved for the factory key's word on the new key */
	"CREATE TABLE request(id TEXT PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(n), generation INTEGER NOT NULL,"
	" state INTEGER NOT NULL, plain INTEGER NOT NULL, spki BLOB NOT NULL, certificate BLOB, sha256 BLOB, cause TEXT NOT NULL,"
	" created INTEGER NOT NULL, changed INTEGER NOT NULL, waited INTEGER NOT NULL, endorsement BLOB) WITHOUT ROWID;"
	"CREATE INDEX request_open ON request(waited) WHERE state IN (0, 1) AND plain = 0;"
	"CREATE INDEX request_certificate ON request(sha256) WHERE sha256 IS NOT NULL;"
	"CREATE TABLE outbox(n INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, device INTEGER NOT NULL,"
	" request TEXT NOT NULL, generation INTEGER NOT NULL, reason TEXT NOT NULL, tries INTEGER NOT NULL, due INTEGER NOT NULL);"
	"CREATE INDEX outbox_device ON outbox(device);",
	/* made: whether the CA makes the key (EST serverkeygen), encrypted_key: what came of it */
	"ALTER TABLE request ADD COLUMN made INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE request ADD COLUMN encrypted_key BLOB;",
	/* renews: the id whose place this one takes when it is active; released: what a device may give up */
	"ALTER TABLE request ADD COLUMN renews TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE released(sequence INTEGER PRIMARY KEY AUTOINCREMENT, device INTEGER NOT NULL REFERENCES device(n),"
	" certificate BLOB NOT NULL UNIQUE, time INTEGER NOT NULL, document BLOB NOT NULL);"
	"CREATE INDEX request_device ON request(device);",
	/* each manufacturer counts its manifests by itself; until now there was one */
	"ALTER TABLE manifest RENAME TO manifest_of_one;"
	"CREATE TABLE manifest(manufacturer TEXT NOT NULL, sequence INTEGER NOT NULL, sha256 BLOB NOT NULL, time INTEGER NOT NULL,"
	" imported INTEGER NOT NULL, devices INTEGER NOT NULL, PRIMARY KEY(manufacturer, sequence)) WITHOUT ROWID;"
	"INSERT INTO manifest SELECT coalesce((SELECT manufacturer FROM shipped LIMIT 1), ''), sequence, sha256, time, imported, devices"
	" FROM manifest_of_one;"
	"DROP TABLE manifest_of_one;",
	/* entries for more than one serial, in the order in which they are looked at */
	"CREATE TABLE pattern(n INTEGER PRIMARY KEY, kind INTEGER NOT NULL, serial TEXT NOT NULL, last TEXT NOT NULL,"
	" manufacturer TEXT NOT NULL, model TEXT NOT NULL, blocked INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" note TEXT NOT NULL, line INTEGER NOT NULL);",
	/* held: learnt from the CA as pending, so perhaps confirmed. mark: a random one for each change that the CA may come to hear
	 * of, see recover.h; those before the last one that the CA has are not kept. */
	"ALTER TABLE request ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE recovering(one INTEGER PRIMARY KEY CHECK(one = 1));"
	"CREATE TABLE mark(n INTEGER PRIMARY KEY AUTOINCREMENT, mark BLOB NOT NULL);"
	"INSERT INTO mark VALUES(NULL, randomblob(8));"
	"CREATE TRIGGER mark_request AFTER INSERT ON request BEGIN INSERT INTO mark VALUES(NULL, randomblob(8)); END;"
	"CREATE TRIGGER mark_state AFTER UPDATE OF state ON request BEGIN INSERT INTO mark VALUES(NULL, randomblob(8)); END;"
	"CREATE TRIGGER mark_outbox AFTER INSERT ON outbox BEGIN INSERT INTO mark VALUES(NULL, randomblob(8)); END;",
	AUDIT_HEAD_SQL AUDIT_SIGNER_SQL,
};

struct db *store_open(const char *path, struct err *e)
{
	return db_open(path, migrations, ARRAY_LEN(migrations), e);
}

/* Binds serial, manufacturer, model from parameter i on. */
static void bind_device(struct stmt *s, int i, const struct device_id *id)
{
	bind_text(s, i, id->serial);
	bind_text(s, i + 1, id->manufacturer);
	bind_text(s, i + 2, id->model);
}

static void col_device(struct stmt *s, int i, struct device_id *id)
{
	col_copy(s, i, id->serial, sizeof id->serial);
	col_copy(s, i + 1, id->manufacturer, sizeof id->manufacturer);
	col_copy(s, i + 2, id->model, sizeof id->model);
}

static int col_sha256(struct stmt *s, int i, uint8_t out[SHA256_LEN])
{
	struct buf b = {0};

	col_blob(s, i, &b);
	if (b.len == SHA256_LEN)
		memcpy(out, b.data, SHA256_LEN);
	else
		memset(out, 0, SHA256_LEN);
	buf_free(&b);
	return 0;
}

/* One row at most: reads nothing, 1 or 0 or -1. */
static int step_bool(struct stmt *s, struct err *e)
{
	int rc = db_step(s, e);

	if (rc == 1)
		db_reset(s);
	return rc;
}

/* ---- devices ---- */
#define DEVICE_COLUMNS                                                                                             \
	"d.n, d.serial, d.manufacturer, d.model, d.highest, d.active, d.pending, d.blocked, d.seen, d.onboarded, " \
	"d.used, d.asked_again, d.refused_at, d.refused, d.refused_text, d.refusals, d.remote"
#define DEVICE_COLUMN_COUNT 17

static void col_node_device(struct stmt *s, struct node_device *d)
{
	d->n = col_int(s, 0);
	col_device(s, 1, &d->id);
	d->highest = (uint32_t)col_int(s, 4);
	col_copy(s, 5, d->active, sizeof d->active);
	col_copy(s, 6, d->pending, sizeof d->pending);
	d->blocked = col_int(s, 7) != 0;
	d->seen = col_int(s, 8);
	d->onboarded = col_int(s, 9);
	d->used = col_int(s, 10);
	d->asked_again = col_int(s, 11);
	d->refused_at = col_int(s, 12);
	d->refused = (enum reason)col_int(s, 13);
	col_copy(s, 14, d->refused_text, sizeof d->refused_text);
	d->refusals = col_int(s, 15);
	col_copy(s, 16, d->remote, sizeof d->remote);
}

static int get_device(struct stmt *s, struct node_device *d, struct err *e)
{
	int rc = db_step(s, e);

	memset(d, 0, sizeof *d);
	if (rc != 1)
		return rc;
	col_node_device(s, d);
	db_reset(s);
	return 1;
}

int store_device_get(struct db *db, const struct device_id *id, struct node_device *d, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " DEVICE_COLUMNS " FROM device d"
				     " WHERE serial = ? AND manufacturer = ? AND model = ?");
	int rc;

	bind_device(s, 1, id);
	rc = get_device(s, d, e);
	if (rc == 0)
		d->id = *id;
	return rc;
}

int store_device_by_n(struct db *db, int64_t n, struct node_device *d, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " DEVICE_COLUMNS " FROM device d WHERE n = ?");

	bind_int(s, 1, n);
	return get_device(s, d, e);
}

static int device_insert(struct db *db, struct node_device *d, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO device VALUES(NULL, ?, ?, ?, 0, '', '', 0, 0, 0, 0, 0, 0, 0, '', 0, '')");

	bind_device(s, 1, &d->id);
	if (db_run(s, e))
		return -1;
	d->n = db_rowid(db);
	return 0;
}

int store_device_put(struct db *db, struct node_device *d, struct err *e)
{
	struct stmt *s;

	if (!d->n && device_insert(db, d, e))
		return -1;
	s = db_stmt(db, "UPDATE device SET highest = ?, active = ?, pending = ?, blocked = ?, seen = ?, onboarded = ?, used = ?,"
			" asked_again = ?, refused_at = ?, refused = ?, refused_text = ?, refusals = ?, remote = ? WHERE n = ?");
	bind_int(s, 1, d->highest);
	bind_text(s, 2, d->active);
	bind_text(s, 3, d->pending);
	bind_int(s, 4, d->blocked);
	bind_int(s, 5, d->seen);
	bind_int(s, 6, d->onboarded);
	bind_int(s, 7, d->used);
	bind_int(s, 8, d->asked_again);
	bind_int(s, 9, d->refused_at);
	bind_int(s, 10, d->refused);
	bind_text(s, 11, d->refused_text);
	bind_int(s, 12, d->refusals);
	bind_text(s, 13, d->remote);
	bind_int(s, 14, d->n);
	return db_run(s, e);
}

/* ---- requests ---- */
const char *node_state_name(enum node_state s)
{
	static const char *const names[] = { "bound", "certified", "active", "superseded", "dead" };

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "?";
}

void node_request_free(struct node_request *r)
{
	buf_free(&r->spki);
	buf_free(&r->certificate);
	buf_free(&r->encrypted_key);
	memset(r, 0, sizeof *r);
}

#define REQUEST_COLUMNS "id, device, generation, state, plain, spki, certificate, sha256, cause, made, encrypted_key, renews, held"

static int get_request(struct stmt *s, struct node_request *r, struct err *e)
{
	int rc = db_step(s, e);

	node_request_free(r);
	if (rc != 1)
		return rc;
	col_copy(s, 0, r->id.id, sizeof r->id.id);
	r->device = col_int(s, 1);
	r->id.generation = (uint32_t)col_int(s, 2);
	r->state = (enum node_state)col_int(s, 3);
	r->plain = col_int(s, 4) != 0;
	col_blob(s, 5, &r->spki);
	col_blob(s, 6, &r->certificate);
	col_sha256(s, 7, r->sha256);
	col_copy(s, 8, r->cause, sizeof r->cause);
	r->made = col_int(s, 9) != 0;
	col_blob(s, 10, &r->encrypted_key);
	col_copy(s, 11, r->renews, sizeof r->renews);
	r->held = col_int(s, 12) != 0;
	db_reset(s);
	return 1;
}

int store_request_get(struct db *db, const char *id, struct node_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " REQUEST_COLUMNS " FROM request WHERE id = ?");

	bind_text(s, 1, id);
	return get_request(s, r, e);
}

int store_request_by_certificate(struct db *db, const uint8_t sha256[SHA256_LEN], struct node_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " REQUEST_COLUMNS " FROM request WHERE sha256 = ?");

	bind_blob(s, 1, sha256, SHA256_LEN);
	return get_request(s, r, e);
}

int store_request_add(struct db *db, const struct node_request *r, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO request(id, device, generation, state, plain, spki, cause, created,"
				     " changed, waited, made, renews) VALUES(?, ?, ?, ?, ?, ?, '', ?, ?, 0, ?, ?)");

	bind_text(s, 1, r->id.id);
	bind_int(s, 2, r->device);
	bind_int(s, 3, r->id.generation);
	bind_int(s, 4, r->state);
	bind_int(s, 5, r->plain);
	bind_blob(s, 6, r->spki.len ? r->spki.data : (const void *)"", r->spki.len);
	bind_int(s, 7, now);
	bind_int(s, 8, now);
	bind_int(s, 9, r->made);
	bind_text(s, 10, r->renews);
	return db_run(s, e);
}

int store_request_certified(struct db *db, const struct node_request *r, enum node_state state, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET state = ?, certificate = ?, sha256 = ?, changed = ?, encrypted_key = ?"
				     " WHERE id = ?");

	bind_int(s, 1, state);
	bind_blob(s, 2, r->certificate.data, r->certificate.len);
	bind_blob(s, 3, r->sha256, SHA256_LEN);
	bind_int(s, 4, now);
	bind_blob(s, 5, r->encrypted_key.len ? r->encrypted_key.data : NULL, r->encrypted_key.len);
	bind_text(s, 6, r->id.id);
	return db_run(s, e);
}

int store_request_state(struct db *db, const char *id, enum node_state state, const char *cause, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET state = ?, cause = ?, changed = ? WHERE id = ?");

	bind_int(s, 1, state);
	bind_text(s, 2, cause);
	bind_int(s, 3, now);
	bind_text(s, 4, id);
	return db_run(s, e);
}

int store_request_hold(struct db *db, const char *id, bool held, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET held = ? WHERE id = ?");

	bind_int(s, 1, held);
	bind_text(s, 2, id);
	return db_run(s, e);
}

int store_hold_certified(struct db *db, struct err *e)
{
	return db_run(db_stmt(db, "UPDATE request SET held = 1 WHERE state = 1 AND plain = 0 AND held = 0"), e);
}

int store_superseded_end(struct db *db, int64_t device, const char *cause, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET state = 4, cause = ?, changed = ? WHERE device = ? AND state = 3");

	bind_text(s, 1, cause);
	bind_int(s, 2, now);
	bind_int(s, 3, device);
	return db_run(s, e);
}

/* ---- releases ---- */
int store_release_next(struct db *db, int64_t device, struct release *r, struct err *e)
{
	struct stmt *s = db_stmt(db,
		"SELECT sha256, (SELECT coalesce(max(sequence), 0) + 1 FROM released) FROM request q"
		" WHERE device = ? AND sha256 IS NOT NULL"
		/* the device has switched away from these, or never to them */
		" AND NOT (state = 4 AND cause IN ('renewed', 'superseded', 'lapsed')) AND NOT EXISTS"
		" (SELECT 1 FROM released x WHERE x.certificate = q.sha256) LIMIT 1");
	int rc;

	bind_int(s, 1, device);
	rc = db_step(s, e);
	if (rc != 1)
		return rc;
	col_sha256(s, 0, r->certificate);
	r->sequence = (uint64_t)col_int(s, 1);
	db_reset(s);
	return 1;
}

int store_release_add(struct db *db, int64_t device, const struct release *r, const struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO released VALUES(?, ?, ?, ?, ?)");

	bind_int(s, 1, (int64_t)r->sequence);
	bind_int(s, 2, device);
	bind_blob(s, 3, r->certificate, SHA256_LEN);
	bind_int(s, 4, r->time);
	bind_blob(s, 5, cms->data, cms->len);
	return db_run(s, e);
}

int store_release_get(struct db *db, const uint8_t certificate[SHA256_LEN], struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT document FROM released WHERE certificate = ?");
	int rc;

	bind_blob(s, 1, certificate, SHA256_LEN);
	rc = db_step(s, e);
	if (rc != 1)
		return rc;
	col_blob(s, 0, cms);
	db_reset(s);
	return 1;
}

int store_pending_any(struct db *db, struct err *e)
{
	return step_bool(db_stmt(db, "SELECT 1 FROM request WHERE state IN (0, 1) AND plain = 0 LIMIT 1"), e);
}

int store_pending_add(struct db *db, int64_t seconds, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET waited = waited + ?"
				     " WHERE state IN (0, 1) AND plain = 0 AND held = 0");

	bind_int(s, 1, seconds);
	return db_run(s, e);
}

int store_pending_over(struct db *db, int64_t limit, struct node_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " REQUEST_COLUMNS
				     " FROM request WHERE state IN (0, 1) AND plain = 0 AND held = 0 AND waited >= ? LIMIT 1");

	bind_int(s, 1, limit);
	return get_request(s, r, e);
}

/* ---- outbox ---- */
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

/* ---- marks ---- */
int store_mark_last(struct db *db, int64_t *n, char mark[CA_MARK_LEN + 1], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT n, lower(hex(mark)) FROM mark ORDER BY n DESC LIMIT 1");
	int rc = db_step(s, e);

	if (rc != 1)
		return rc < 0 ? -1 : err_set(e, REASON_STORAGE, "the authorization database has no mark; restore it from the backup");
	*n = col_int(s, 0);
	col_copy(s, 1, mark, CA_MARK_LEN + 1);
	db_reset(s);
	return 0;
}

int store_mark_known(struct db *db, const char *mark, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM mark WHERE lower(hex(mark)) = ?");

	bind_text(s, 1, mark);
	return step_bool(s, e);
}

int store_mark_add(struct db *db, const char *mark, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO mark VALUES(NULL, ?)");
	uint8_t bytes[CA_MARK_LEN / 2];

	if (text_unhex(bytes, sizeof bytes, mark) < 0)
		return err_set(e, REASON_INTERNAL, "\"%s\" is not a mark", mark);
	bind_blob(s, 1, bytes, sizeof bytes);
	return db_run(s, e);
}

int store_mark_prune(struct db *db, int64_t n, struct err *e)
{
	struct stmt *s = db_stmt(db, "DELETE FROM mark WHERE n < ?");

	bind_int(s, 1, n);
	return db_run(s, e);
}

int store_recovering_get(struct db *db, struct err *e)
{
	return step_bool(db_stmt(db, "SELECT 1 FROM recovering"), e);
}

int store_recovering_set(struct db *db, bool recovering, struct err *e)
{
	return db_run(recovering ? db_stmt(db, "INSERT OR IGNORE INTO recovering VALUES(1)") : db_stmt(db, "DELETE FROM recovering"), e);
}

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
