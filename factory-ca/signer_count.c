#include <config.h>

#include "signer_count.h"

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "digest.h"
#include "mem.h"

static const char *const migrations[] = {
	AUDIT_SQL "CREATE TABLE site(one INTEGER PRIMARY KEY CHECK(one = 1), site TEXT NOT NULL, root BLOB NOT NULL);"
		  "CREATE TABLE work_order(id TEXT PRIMARY KEY, cms BLOB NOT NULL, used INTEGER NOT NULL, closed "
		  "INTEGER NOT NULL);"
		  "CREATE TABLE counted(order_id TEXT NOT NULL REFERENCES work_order(id), serial TEXT NOT NULL, spki "
		  "BLOB NOT NULL,"
		  " PRIMARY KEY(order_id, serial, spki)) WITHOUT ROWID;",
	/* a key made here, for one of those counted: else a front could have many credentials of one unit by asking again */
	"CREATE TABLE made(order_id TEXT NOT NULL, serial TEXT NOT NULL, spki BLOB NOT NULL, certificate BLOB NOT NULL,"
	" encrypted_key BLOB NOT NULL, PRIMARY KEY(order_id, serial, spki)) WITHOUT ROWID;",
	/* by the hash of the CA's public key: a renewed certificate of the same key goes on with its lists */
	"CREATE TABLE crl(ca BLOB PRIMARY KEY, number INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE revoked(ca BLOB NOT NULL, serial TEXT NOT NULL, reason INTEGER NOT NULL, date INTEGER NOT NULL,"
	" expires INTEGER NOT NULL, PRIMARY KEY(ca, serial)) WITHOUT ROWID;",
	/* generation 1 stands in site */
	"CREATE TABLE generation(n INTEGER PRIMARY KEY, root BLOB NOT NULL);",
	/* the journal; what was made before it has no number and is never told */
	"CREATE TABLE position(one INTEGER PRIMARY KEY CHECK(one = 1), changes INTEGER NOT NULL, told INTEGER NOT NULL);"
	"INSERT INTO position VALUES(1, 0, 0);"
	"CREATE TABLE signed(n INTEGER PRIMARY KEY, changed INTEGER NOT NULL, order_id TEXT NOT NULL, manufacturer TEXT NOT NULL,"
	" model TEXT NOT NULL, serial TEXT NOT NULL, unit TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL,"
	" renews TEXT NOT NULL, made INTEGER NOT NULL, spki BLOB NOT NULL, certificate BLOB NOT NULL, sha256 BLOB UNIQUE,"
	" encrypted_key BLOB, active INTEGER NOT NULL, ended INTEGER NOT NULL);"
	"CREATE INDEX signed_serial ON signed(serial, order_id);"
	"CREATE INDEX signed_id ON signed(id) WHERE order_id = '';"
	"INSERT INTO signed(changed, order_id, manufacturer, model, serial, unit, id, generation, renews, made, spki, certificate,"
	" encrypted_key, active, ended) SELECT 0, order_id, '', '', serial, '', '', 0, '', 1, spki, certificate, encrypted_key, 0, 0"
	" FROM made;"
	"DROP TABLE made;",
	"ALTER TABLE work_order ADD COLUMN version INTEGER NOT NULL DEFAULT 1;",
	/* how far the ledger's audit was read, and the last head */
	"CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one = 1), history INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL,"
	" time INTEGER NOT NULL);"
	"INSERT INTO head VALUES(1, 1, 0, zeroblob(32), 0);",
	/* codes that were used, by their public key, and for which unit's key */
	"CREATE TABLE invitation(key BLOB PRIMARY KEY, spki BLOB NOT NULL, certificate BLOB NOT NULL) WITHOUT ROWID;",
	/* what persons have signed, who of them was ended, what needs two of them */
	"CREATE TABLE act(id TEXT PRIMARY KEY, sha256 BLOB NOT NULL, done INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE gone(role TEXT NOT NULL, name TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY(role, name)) WITHOUT ROWID;"
	"CREATE TABLE guarded(one INTEGER PRIMARY KEY CHECK(one = 1), acts TEXT NOT NULL);"
	"INSERT INTO guarded VALUES(1, '');"
	"CREATE TABLE permit(sha256 BLOB PRIMARY KEY) WITHOUT ROWID;",
	/* Request ids and hashes are random: each row would touch a page of its own of their indexes. A device has few rows, and nobody
	 * asks without its serial, which is in the certificate, so that here, too, none is there twice. */
	"ALTER TABLE signed RENAME TO signed_before;"
	"DROP INDEX signed_serial;"
	"DROP INDEX signed_id;"
	"CREATE TABLE signed(n INTEGER PRIMARY KEY, changed INTEGER NOT NULL, order_id TEXT NOT NULL, manufacturer TEXT NOT NULL,"
	" model TEXT NOT NULL, serial TEXT NOT NULL, unit TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL,"
	" renews TEXT NOT NULL, made INTEGER NOT NULL, spki BLOB NOT NULL, certificate BLOB NOT NULL, sha256 BLOB,"
	" encrypted_key BLOB, active INTEGER NOT NULL, ended INTEGER NOT NULL);"
	"INSERT INTO signed SELECT * FROM signed_before;"
	"DROP TABLE signed_before;"
	"CREATE UNIQUE INDEX signed_device ON signed(serial, sha256);",
	/* what came of an act that makes a certificate; certificates of units that a person has revoked */
	"ALTER TABLE act ADD COLUMN made BLOB;"
	"CREATE TABLE barred(serial TEXT PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID;",
};

struct db *count_open(const char *path, struct err *e)
{
	return db_open(path, migrations, ARRAY_LEN(migrations), e);
}

int count_site_set(struct db *db, enum site site, const uint8_t root[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR REPLACE INTO site(one, site, root) VALUES(1, ?1, ?2)");

	bind_text(s, 1, site_name(site));
	bind_blob(s, 2, root, SHA256_LEN);
	return db_run(s, e);
}

int count_site_get(struct db *db, enum site *site, uint8_t root[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT site, root FROM site");
	struct buf sha = {0};
	int rc = db_step(s, e);

	if (rc == 1) {
		col_blob(s, 1, &sha);
		if (site_parse(site, col_text(s, 0)) < 0 || sha.len != SHA256_LEN)
			rc = 0;
		else
			memcpy(root, sha.data, SHA256_LEN);
	}
	db_reset(s);
	buf_free(&sha);
	return rc == 1	 ? 0
	       : rc == 0 ? err_set(e, REASON_CONFIG, "signer.db knows no root: the ceremony was not finished")
			 : -1;
}

int count_generation_set(struct db *db, unsigned n, const uint8_t root[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR REPLACE INTO generation(n, root) VALUES(?1, ?2)");

	bind_int(s, 1, n);
	bind_blob(s, 2, root, SHA256_LEN);
	return db_run(s, e);
}

int count_generation_get(struct db *db, unsigned n, uint8_t root[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT root FROM generation WHERE n = ?1");
	struct buf sha = {0};
	int rc;

	bind_int(s, 1, n);
	rc = db_step(s, e);
	if (rc == 1) {
		col_blob(s, 0, &sha);
		rc = sha.len == SHA256_LEN;
		if (rc == 1)
			memcpy(root, sha.data, SHA256_LEN);
	}
	db_reset(s);
	buf_free(&sha);
	return rc;
}

int count_order_get(struct db *db, const char *id, struct buf *cms, struct count_order *o, struct err *e)
{
	struct stmt *s = cms ? db_stmt(db, "SELECT closed, version, used, cms FROM work_order WHERE id = ?1")
			     : db_stmt(db, "SELECT closed, version, used FROM work_order WHERE id = ?1");
	int rc;

	bind_text(s, 1, id);
	rc = db_step(s, e);
	if (rc == 1) {
		*o = (struct count_order){ col_int(s, 0), (uint32_t)col_int(s, 1), col_int(s, 2) };
		if (cms)
			col_blob(s, 3, cms);
	}
	db_reset(s);
	return rc;
}

int count_order_put(struct db *db, const struct work_order *o, const struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO work_order(id, cms, used, closed, version) VALUES(?1, ?2, 0, 0, ?3)"
				     " ON CONFLICT(id) DO UPDATE SET cms = excluded.cms, version = excluded.version");

	bind_text(s, 1, o->id);
	bind_blob(s, 2, cms->data, cms->len);
	bind_int(s, 3, o->version);
	return db_run(s, e);
}

int count_order_close(struct db *db, const char *id, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE work_order SET closed = 1 WHERE id = ?1");

	bind_text(s, 1, id);
	return db_run(s, e);
}

int count_used(struct db *db, const char *order, int64_t *used, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT used FROM work_order WHERE id = ?1");
	int rc;

	bind_text(s, 1, order);
	rc = db_step(s, e);
	*used = rc == 1 ? col_int(s, 0) : 0;
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

static int is_counted(struct db *db, const char *order, const char *serial, const struct buf *spki, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM counted WHERE order_id = ?1 AND serial = ?2 AND spki = ?3");
	int rc;

	bind_text(s, 1, order);
	bind_text(s, 2, serial);
	bind_blob(s, 3, spki->data, spki->len);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int count_take(struct db *db, const char *order, const char *serial, const struct buf *spki, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO counted(order_id, serial, spki) VALUES(?1, ?2, ?3)");

	bind_text(s, 1, order);
	bind_text(s, 2, serial);
	bind_blob(s, 3, spki->data, spki->len);
	if (db_run(s, e) < 0)
		return -1;
	s = db_stmt(db, "UPDATE work_order SET used = used + 1 WHERE id = ?1");
	bind_text(s, 1, order);
	return db_run(s, e);
}

int count_room(struct db *db, const char *order, const char *serial, const struct buf *spki, uint64_t most, struct err *e)
{
	int rc = is_counted(db, order, serial, spki, e);
	int64_t used;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (count_used(db, order, &used, e) < 0)
		return -1;
	return (uint64_t)used < most ? 1
				     : err_set(e, REASON_QUOTA, "order %s: quota and scrap allowance, %llu keys in all, are signed",
					       order, (unsigned long long)most);
}

/* ---- the journal ---- */
int count_position(struct db *db, struct count_position *p, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT changes, told FROM position");
	int rc = db_step(s, e);

	if (rc == 1)
		*p = (struct count_position){ (uint64_t)col_int(s, 0), (uint64_t)col_int(s, 1) };
	db_reset(s);
	return rc == 1 ? 0 : rc == 0 ? err_set(e, REASON_STORAGE, "signer.db has no position; restore it from the backup") : -1;
}

int count_restored(struct db *db, struct err *e)
{
	return db_run(db_stmt(db, "UPDATE position SET changes = changes + 1, told = changes + 1"), e);
}

int count_agree(struct db *db, uint64_t position, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE position SET changes = ?1, told = ?1");

	bind_int(s, 1, (int64_t)position);
	if (db_run(s, e) < 0)
		return -1;
	s = db_stmt(db, "UPDATE signed SET changed = ?1 WHERE changed > ?1");
	bind_int(s, 1, (int64_t)position);
	return db_run(s, e);
}

int count_told(struct db *db, uint64_t told, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE position SET told = max(told, ?1)");

	bind_int(s, 1, (int64_t)told);
	return db_run(s, e);
}

static int next_change(struct db *db, struct err *e)
{
	return db_run(db_stmt(db, "UPDATE position SET changes = changes + 1"), e);
}

int count_signed_get(struct db *db, const struct sign_question *q, struct buf *der, struct buf *encrypted_key, struct err *e)
{
	struct stmt *s = *q->order ? db_stmt(db, "SELECT certificate, encrypted_key FROM signed WHERE order_id = ?1 AND serial = ?2"
					     " AND spki = ?3")
				   : db_stmt(db, "SELECT certificate, encrypted_key FROM signed WHERE unit = ?1 AND id = ?2"
					     " AND spki = ?3 AND serial = ?4 AND model = ?5 AND manufacturer = ?6 AND order_id = ''");
	int rc;

	bind_text(s, 1, *q->order ? q->order : q->unit);
	bind_text(s, 2, *q->order ? q->device.serial : q->id.id);
	bind_blob(s, 3, q->spki.data, q->spki.len);
	if (!*q->order) {
		bind_text(s, 4, q->device.serial);
		bind_text(s, 5, q->device.model);
		bind_text(s, 6, q->device.manufacturer);
	}
	rc = db_step(s, e);
	if (rc == 1) {
		col_blob(s, 0, der);
		col_blob(s, 1, encrypted_key);
	}
	db_reset(s);
	return rc;
}

static int row_add(struct db *db, const struct signed_row *r, const uint8_t sha256[SHA256_LEN], uint64_t changed, struct err *e)
{
	struct stmt *s = db_stmt(
		db, "INSERT INTO signed(changed, order_id, manufacturer, model, serial, unit, id, generation, renews, made, spki,"
		    " certificate, sha256, encrypted_key, active, ended) VALUES(?16, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
		    " ?12, ?13, ?14, ?15)");

	bind_text(s, 1, r->order);
	bind_text(s, 2, r->device.manufacturer);
	bind_text(s, 3, r->device.model);
	bind_text(s, 4, r->device.serial);
	bind_text(s, 5, r->unit);
	bind_text(s, 6, r->id.id);
	bind_int(s, 7, r->id.generation);
	bind_text(s, 8, r->renews);
	bind_int(s, 9, r->made);
	bind_blob(s, 10, r->spki.data, r->spki.len);
	bind_blob(s, 11, r->der.data, r->der.len);
	bind_blob(s, 12, sha256, SHA256_LEN);
	bind_blob(s, 13, r->encrypted_key.len ? r->encrypted_key.data : NULL, r->encrypted_key.len);
	bind_int(s, 14, r->active);
	bind_int(s, 15, r->ended);
	bind_int(s, 16, (int64_t)changed);
	return db_run(s, e);
}

int count_signed_add(struct db *db, const struct sign_question *q, const struct buf *der, const struct buf *encrypted_key,
		     struct err *e)
{
	struct signed_row r = { .device = q->device, .id = q->id, .made = q->made, .spki = q->spki, .der = *der,
				.encrypted_key = *encrypted_key };	/* the buffers stay theirs */
	struct count_position p;
	uint8_t sha256[SHA256_LEN];

	digest_sha256(sha256, der->data, der->len);
	snprintf(r.order, sizeof r.order, "%s", q->order);
	snprintf(r.unit, sizeof r.unit, "%s", q->unit);
	snprintf(r.renews, sizeof r.renews, "%s", q->renews);
	return next_change(db, e) < 0 || count_position(db, &p, e) < 0 ? -1 : row_add(db, &r, sha256, p.changes, e);
}

int count_note(struct db *db, const struct sign_note *note, struct err *e)
{
	struct stmt *s = note->active
		? db_stmt(db, "UPDATE signed SET active = 1, ended = 0, changed = (SELECT changes + 1 FROM position)"
			      " WHERE serial = ?1 AND sha256 = ?2 AND (NOT active OR ended)")
		: db_stmt(db, "UPDATE signed SET ended = 1, changed = (SELECT changes + 1 FROM position)"
			      " WHERE serial = ?1 AND sha256 = ?2 AND NOT ended");

	bind_text(s, 1, note->serial);
	bind_blob(s, 2, note->certificate, SHA256_LEN);
	if (db_run(s, e) < 0)
		return -1;
	if (db_changes(db) == 0)
		return 0;
	return next_change(db, e) < 0 ? -1 : 1;
}

static void row_columns(struct stmt *s, struct signed_row *r)
{
	r->n = (uint64_t)col_int(s, 0);
	col_copy(s, 1, r->order, sizeof r->order);
	col_copy(s, 2, r->device.manufacturer, sizeof r->device.manufacturer);
	col_copy(s, 3, r->device.model, sizeof r->device.model);
	col_copy(s, 4, r->device.serial, sizeof r->device.serial);
	col_copy(s, 5, r->unit, sizeof r->unit);
	col_copy(s, 6, r->id.id, sizeof r->id.id);
	r->id.generation = (uint32_t)col_int(s, 7);
	col_copy(s, 8, r->renews, sizeof r->renews);
	r->made = col_int(s, 9);
	col_blob(s, 10, &r->spki);
	col_blob(s, 11, &r->der);
	col_blob(s, 12, &r->encrypted_key);
	r->active = col_int(s, 13);
	r->ended = col_int(s, 14);
}

int count_journal(struct db *db, uint64_t after, uint64_t last, size_t max,
		  int (*each)(void *arg, const struct signed_row *row), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT n, order_id, manufacturer, model, serial, unit, id, generation, renews, made, spki,"
				     " certificate, encrypted_key, active, ended FROM signed WHERE changed > ?1 AND n > ?2 ORDER BY n LIMIT ?3");
	struct signed_row r = {0};
	int rc;

	bind_int(s, 1, (int64_t)after);
	bind_int(s, 2, (int64_t)last);
	bind_int(s, 3, (int64_t)max);
	while ((rc = db_step(s, e)) == 1) {
		row_columns(s, &r);
		if (each(arg, &r) < 0)
			break;
	}
	db_reset(s);
	signed_row_free(&r);
	return rc < 0 ? -1 : 0;
}

int count_take_over(struct db *db, const struct signed_row *row, const struct cert *cert, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE signed SET active = ?2, ended = ?3, changed = ?4"
				     " WHERE serial = ?5 AND sha256 = ?1 AND (active != ?2 OR ended != ?3)");
	int rc;

	bind_blob(s, 1, cert->sha256, SHA256_LEN);
	bind_int(s, 2, row->active);
	bind_int(s, 3, row->ended);
	bind_int(s, 4, INT64_MAX);
	bind_text(s, 5, row->device.serial);
	if (db_run(s, e) < 0)
		return -1;
	if (db_changes(db) > 0)
		return 1;
	s = db_stmt(db, "SELECT 1 FROM signed WHERE serial = ?1 AND sha256 = ?2");
	bind_text(s, 1, row->device.serial);
	bind_blob(s, 2, cert->sha256, SHA256_LEN);
	rc = db_step(s, e);
	db_reset(s);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = *row->order ? is_counted(db, row->order, row->device.serial, &row->spki, e) : 1;
	if (rc < 0 || (rc == 0 && count_take(db, row->order, row->device.serial, &row->spki, e) < 0))
		return -1;
	return row_add(db, row, cert->sha256, INT64_MAX, e) < 0 ? -1 : 1;
}

int count_orders(struct db *db, uint64_t skip, size_t max,
		 int (*each)(void *arg, const char *id, bool closed, const struct buf *cms), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT id, closed, cms FROM work_order ORDER BY id LIMIT ?2 OFFSET ?1");
	struct buf cms = {0};
	int rc;

	bind_int(s, 1, (int64_t)skip);
	bind_int(s, 2, (int64_t)max);
	while ((rc = db_step(s, e)) == 1) {
		col_blob(s, 2, &cms);
		if (each(arg, col_text(s, 0), col_int(s, 1), &cms) < 0)
			break;
	}
	db_reset(s);
	buf_free(&cms);
	return rc < 0 ? -1 : 0;
}

/* ---- revocation lists ---- */
int count_revoked_add(struct db *db, const uint8_t ca[SHA256_LEN], const struct revoked_item *v, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR IGNORE INTO revoked(ca, serial, reason, date, expires)"
				     " VALUES(?1, ?2, ?3, ?4, ?5)");

	bind_blob(s, 1, ca, SHA256_LEN);
	bind_text(s, 2, v->serial);
	bind_int(s, 3, v->reason);
	bind_int(s, 4, v->date);
	bind_int(s, 5, v->expires);
	return db_run(s, e);
}

int count_revoked_get(struct db *db, const uint8_t ca[SHA256_LEN], const char *serial, struct revoked_item *v, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT reason, date, expires FROM revoked WHERE ca = ?1 AND serial = ?2");
	int rc;

	bind_blob(s, 1, ca, SHA256_LEN);
	bind_text(s, 2, serial);
	rc = db_step(s, e);
	if (rc == 1) {
		snprintf(v->serial, sizeof v->serial, "%s", serial);
		v->reason = (uint8_t)col_int(s, 0);
		v->date = col_int(s, 1);
		v->expires = col_int(s, 2);
	}
	db_reset(s);
	return rc;
}

int count_ended(struct db *db, const struct cert *c, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM signed WHERE serial = ?1 AND sha256 = ?2 AND ended");
	int rc;

	bind_text(s, 1, c->device.serial);
	bind_blob(s, 2, c->sha256, SHA256_LEN);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int count_crl_next(struct db *db, const uint8_t ca[SHA256_LEN], int64_t now, int64_t *number, int64_t *before, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT number, time FROM crl WHERE ca = ?1");
	int64_t last = 0;
	int rc;

	*before = 0;
	bind_blob(s, 1, ca, SHA256_LEN);
	rc = db_step(s, e);
	if (rc == 1) {
		last = col_int(s, 0);
		*before = col_int(s, 1);
	}
	db_reset(s);
	if (rc < 0)
		return -1;
	*number = now > last ? now : last + 1;
	s = db_stmt(db, "INSERT OR REPLACE INTO crl(ca, number, time) VALUES(?1, ?2, ?3)");
	bind_blob(s, 1, ca, SHA256_LEN);
	bind_int(s, 2, *number);
	bind_int(s, 3, now);
	return db_run(s, e);
}

int count_revoked_list(struct db *db, const uint8_t ca[SHA256_LEN], int64_t expired_before,
		       int (*each)(void *arg, const struct revoked_item *v), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT serial, reason, date FROM revoked WHERE ca = ?1 AND (expires = 0 OR expires >= ?2)");
	struct revoked_item v = {0};
	int rc;

	bind_blob(s, 1, ca, SHA256_LEN);
	bind_int(s, 2, expired_before);
	while ((rc = db_step(s, e)) == 1) {
		col_copy(s, 0, v.serial, sizeof v.serial);
		v.reason = (uint8_t)col_int(s, 1);
		v.date = col_int(s, 2);
		if (each(arg, &v) < 0)
			break;
	}
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

/* ---- the ledger's audit ---- */
int count_head_get(struct db *db, struct audit_head *h, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT history, n, hash, time FROM head");
	struct buf hash = {0};
	int rc = db_step(s, e);

	*h = (struct audit_head){0};
	if (rc == 1) {
		h->history = (uint64_t)col_int(s, 0);
		h->at.n = col_int(s, 1);
		col_blob(s, 2, &hash);
		h->time = col_int(s, 3);
	}
	db_reset(s);
	if (hash.len == SHA256_LEN)
		memcpy(h->at.hash, hash.data, SHA256_LEN);
	else if (rc == 1)
		rc = 0;
	buf_free(&hash);
	return rc == 1 ? 0 : rc == 0 ? err_set(e, REASON_STORAGE, "signer.db does not know the audit; restore it from the backup") : -1;
}

int count_head_set(struct db *db, const struct audit_head *h, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE head SET history = ?1, n = ?2, hash = ?3, time = ?4");

	bind_int(s, 1, (int64_t)h->history);
	bind_int(s, 2, h->at.n);
	bind_blob(s, 3, h->at.hash, SHA256_LEN);
	bind_int(s, 4, h->time);
	return db_run(s, e);
}

int count_revoked_has(struct db *db, const uint8_t ca[SHA256_LEN], const char *serial, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM revoked WHERE ca = ?1 AND serial = ?2");
	int rc;

	bind_blob(s, 1, ca, SHA256_LEN);
	bind_text(s, 2, serial);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

/* ---- invitations ---- */
int count_invitation_get(struct db *db, const uint8_t key[INVITE_KEY], struct buf *spki, struct buf *der, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT spki, certificate FROM invitation WHERE key = ?1");
	int rc;

	bind_blob(s, 1, key, INVITE_KEY);
	rc = db_step(s, e);
	if (rc == 1) {
		col_blob(s, 0, spki);
		col_blob(s, 1, der);
	}
	db_reset(s);
	return rc;
}

int count_invitation_use(struct db *db, const uint8_t key[INVITE_KEY], const struct buf *spki, const struct buf *der, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO invitation(key, spki, certificate) VALUES(?1, ?2, ?3)");

	bind_blob(s, 1, key, INVITE_KEY);
	bind_blob(s, 2, spki->data, spki->len);
	bind_blob(s, 3, der->data, der->len);
	return db_run(s, e);
}
