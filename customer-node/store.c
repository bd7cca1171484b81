#include <config.h>

#include "store_private.h"

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

void bind_device(struct stmt *s, int i, const struct device_id *id)
{
	bind_text(s, i, id->serial);
	bind_text(s, i + 1, id->manufacturer);
	bind_text(s, i + 2, id->model);
}

void col_device(struct stmt *s, int i, struct device_id *id)
{
	col_copy(s, i, id->serial, sizeof id->serial);
	col_copy(s, i + 1, id->manufacturer, sizeof id->manufacturer);
	col_copy(s, i + 2, id->model, sizeof id->model);
}

int col_sha256(struct stmt *s, int i, uint8_t out[SHA256_LEN])
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

int step_bool(struct stmt *s, struct err *e)
{
	int rc = db_step(s, e);

	if (rc == 1)
		db_reset(s);
	return rc;
}

/* ---- devices ---- */

void col_node_device(struct stmt *s, struct node_device *d)
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
