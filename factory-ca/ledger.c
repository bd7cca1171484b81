#include <config.h>

#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_head.h"
#include "fault.h"
#include "ledger_list.h"
#include "ledger_private.h"
#include "mem.h"

/* Columns that stand empty are reserved: ca and issuer for several CAs and their rollover (H4). endorsement: the hash of the node's
 * certificate, then the signature (H8). */
static const char *const migrations[] = {
	AUDIT_SQL
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('uptime', 0), ('shipment', 0);"
	"CREATE TABLE work_order(id TEXT PRIMARY KEY, cms BLOB NOT NULL, manufacturer TEXT NOT NULL,"
	" model TEXT NOT NULL, state TEXT NOT NULL CHECK(state IN ('open', 'closed', 'compromised')),"
	" quota INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0 CHECK(used >= 0 AND used <= quota),"
	" created INTEGER NOT NULL, changed INTEGER NOT NULL);"
	"CREATE TABLE device(n INTEGER PRIMARY KEY, manufacturer TEXT NOT NULL, model TEXT NOT NULL,"
	" serial TEXT NOT NULL, generation INTEGER NOT NULL, superseded INTEGER NOT NULL, order_id TEXT NOT NULL,"
	" UNIQUE(serial, model, manufacturer));"
	"CREATE TABLE request(n INTEGER PRIMARY KEY, unit TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL,"
	" device INTEGER REFERENCES device(n), state TEXT NOT NULL, spki BLOB, order_id TEXT NOT NULL,"
	" took_unit INTEGER NOT NULL, slot TEXT NOT NULL, ticket BLOB, certificate BLOB, certificate_sha256 BLOB,"
	" certificate_serial TEXT, lapse_at INTEGER, reason TEXT, created INTEGER NOT NULL, changed INTEGER NOT NULL,"
	" ca TEXT NOT NULL, issuer BLOB, mode TEXT NOT NULL DEFAULT 'device', encrypted_key BLOB, endorsement BLOB,"
	" factory_certificate BLOB, UNIQUE(unit, id));"
	/* whatever the program does, no serial ever has two */
	"CREATE UNIQUE INDEX request_open ON request(device) WHERE state IN ('reserved', 'pending', 'active');"
	"CREATE UNIQUE INDEX request_certificate ON request(certificate_sha256) WHERE certificate_sha256 IS NOT NULL;"
	"CREATE UNIQUE INDEX request_serial ON request(certificate_serial) WHERE certificate_serial IS NOT NULL;"
	"CREATE INDEX request_device ON request(device);"
	"CREATE INDEX request_lapse ON request(lapse_at) WHERE state = 'pending' AND lapse_at IS NOT NULL;"
	"CREATE TABLE unit(n INTEGER PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL, customer TEXT NOT NULL,"
	" certificate BLOB NOT NULL, certificate_serial TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
	" revoked INTEGER, reason TEXT);"
	"CREATE TABLE shipment(sequence INTEGER PRIMARY KEY, customer TEXT NOT NULL, time INTEGER NOT NULL,"
	" cms BLOB NOT NULL);"
	"CREATE TABLE shipped(sequence INTEGER NOT NULL REFERENCES shipment(sequence),"
	" device INTEGER NOT NULL REFERENCES device(n), certificate_sha256 BLOB NOT NULL, voucher BLOB,"
	" PRIMARY KEY(sequence, device)) WITHOUT ROWID;",
	/* a renewal stands beside what it renews until the device has confirmed it: one more, but never two more */
	"ALTER TABLE request ADD COLUMN renews TEXT NOT NULL DEFAULT '';"
	"DROP INDEX request_open;"
	"CREATE UNIQUE INDEX request_open ON request(device)"
	" WHERE state IN ('reserved', 'pending', 'active') AND renews = '';"
	"CREATE UNIQUE INDEX request_renewal ON request(device)"
	" WHERE state IN ('reserved', 'pending', 'active') AND renews != '';",
	/* A device that holds a unit without anything open had an active credential that was revoked since. */
	"ALTER TABLE device ADD COLUMN passed INTEGER NOT NULL DEFAULT 0;"
	"UPDATE device SET passed = 1 WHERE order_id != '' AND NOT EXISTS (SELECT 1 FROM request r WHERE r.device = device.n"
	" AND r.state IN ('reserved', 'pending'));"
	"CREATE TABLE takeover(request INTEGER PRIMARY KEY REFERENCES request(n), station TEXT NOT NULL,"
	" created INTEGER NOT NULL, taken INTEGER UNIQUE REFERENCES request(n));",
	/* what ended in the order in which it did: whoever keeps the last number can ask for what came since */
	"ALTER TABLE request ADD COLUMN revocation INTEGER;"
	"UPDATE request SET revocation = n WHERE state IN ('revoked', 'superseded') AND certificate IS NOT NULL;"
	"CREATE UNIQUE INDEX request_revocation ON request(revocation) WHERE revocation IS NOT NULL;"
	"ALTER TABLE unit ADD COLUMN revocation INTEGER;"
	"UPDATE unit SET revocation = n WHERE revoked IS NOT NULL;"
	"CREATE UNIQUE INDEX unit_revocation ON unit(revocation) WHERE revocation IS NOT NULL;",
	/* of each node: where its database stood when it last changed something here */
	"CREATE TABLE unit_mark(unit TEXT PRIMARY KEY, mark TEXT NOT NULL) WITHOUT ROWID;",
	/* Up to which change of the signer's journal this ledger has them all, and what it has not told the signer yet: whatever
	 * changes the state of a certificate, the signer hears of it. */
	"INSERT INTO meta VALUES('signer', 0);"
	"CREATE TABLE note(n INTEGER PRIMARY KEY, certificate_sha256 BLOB NOT NULL, active INTEGER NOT NULL);"
	"CREATE TRIGGER request_noted AFTER UPDATE OF state ON request WHEN new.certificate_sha256 IS NOT NULL"
	" AND new.state != old.state AND new.state IN ('active', 'superseded', 'revoked')"
	" BEGIN INSERT INTO note(certificate_sha256, active) VALUES(new.certificate_sha256, new.state = 'active'); END;",
	"ALTER TABLE work_order ADD COLUMN version INTEGER NOT NULL DEFAULT 1;",
	/* To search and count a million by: the key's number and the end of the validity are the certificate's, and read_certificates() reads
	 * them of what there is. A list after IN would cost a temporary table at each write. */
	"ALTER TABLE request ADD COLUMN key INTEGER;"
	"ALTER TABLE request ADD COLUMN expires INTEGER;"
	"CREATE TABLE unread(request INTEGER PRIMARY KEY);"
	"INSERT INTO unread SELECT n FROM request WHERE certificate IS NOT NULL;"
	"CREATE INDEX request_key ON request(key) WHERE key IS NOT NULL;"
	"CREATE INDEX request_state ON request(state, order_id) WHERE state != 'reserved';"
	"CREATE INDEX request_created ON request(created);"
	"DROP INDEX request_open;"
	"CREATE UNIQUE INDEX request_open ON request(device)"
	" WHERE (state = 'pending' OR state = 'active' OR state = 'reserved') AND renews = '';"
	"DROP INDEX request_renewal;"
	"CREATE UNIQUE INDEX request_renewal ON request(device)"
	" WHERE (state = 'pending' OR state = 'active' OR state = 'reserved') AND renews != '';",
	AUDIT_HEAD_SQL,
	/* of a code nothing is kept but the public key that was derived from it */
	"CREATE TABLE invitation(key BLOB PRIMARY KEY, cms BLOB NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL, operator TEXT NOT NULL,"
	" expires INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER) WITHOUT ROWID;",
	/* what persons have signed (action.h), and the second one's word */
	"CREATE TABLE act(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, what TEXT NOT NULL, subject TEXT NOT NULL, maker TEXT NOT NULL,"
	" second TEXT NOT NULL DEFAULT '', state TEXT NOT NULL CHECK(state IN ('done', 'waiting', 'rejected')), cms BLOB NOT NULL,"
	" approval BLOB, created INTEGER NOT NULL, changed INTEGER NOT NULL);"
	"CREATE INDEX act_waiting ON act(created) WHERE state = 'waiting';",
	/* Hashes are random, so that each row would touch a page of its own of an index of them. No two rows have one certificate as long
	 * as no two have its number, and the signer finds a certificate by its device. */
	"ALTER TABLE note ADD COLUMN serial TEXT NOT NULL DEFAULT '';"
	"UPDATE note SET serial = ifnull((SELECT d.serial FROM request r JOIN device d ON d.n = r.device"
	" WHERE r.certificate_sha256 = note.certificate_sha256), '');"
	"DROP TRIGGER request_noted;"
	"CREATE TRIGGER request_noted AFTER UPDATE OF state ON request WHEN new.certificate_sha256 IS NOT NULL"
	" AND new.state != old.state AND new.state IN ('active', 'superseded', 'revoked') BEGIN"
	" INSERT INTO note(certificate_sha256, active, serial) VALUES(new.certificate_sha256, new.state = 'active',"
	" (SELECT serial FROM device WHERE n = new.device)); END;"
	"DROP INDEX request_certificate;"
	/* by what a device that confirms shows: the few that wait for it */
	"CREATE INDEX request_confirm ON request(certificate_sha256) WHERE state = 'pending' AND lapse_at IS NOT NULL;",
};

int64_t key_number(const uint8_t spki_sha256[SHA256_LEN])
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | spki_sha256[i];
	return (int64_t)n;
}

/* Of one row from before these columns; one that cannot be read stays without. */
static int read_certificate_of(struct db *db, int64_t n, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT certificate FROM request WHERE n = ?1");
	struct buf der = {0};
	struct cert c;
	struct err bad;
	int rc;

	bind_int(s, 1, n);
	rc = db_step(s, e);
	if (rc == 1)
		col_blob(s, 0, &der);
	db_reset(s);
	if (rc == 1 && cert_parse(&c, der.data, der.len, &bad) == 0) {
		s = db_stmt(db, "UPDATE request SET key = ?2, expires = ?3 WHERE n = ?1");
		bind_int(s, 1, n);
		bind_int(s, 2, key_number(c.spki_sha256));
		bind_int(s, 3, c.not_after);
		rc = db_run(s, e);
		cert_free(&c);
	}
	buf_free(&der);
	return rc < 0 ? -1 : 0;
}

static int next_unread(struct db *db, int64_t after, int64_t *n, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT request FROM unread WHERE request > ?1 ORDER BY request LIMIT 1");
	int rc;

	bind_int(s, 1, after);
	rc = db_step(s, e);
	if (rc == 1)
		*n = col_int(s, 0);
	db_reset(s);
	return rc;
}

/* Once in the life of a ledger that an older version has made; some 20 s for a million. */
static int read_certificates(struct db *db, struct err *e)
{
	int64_t n = 0;
	int rc = next_unread(db, 0, &n, e);

	if (rc <= 0)
		return rc;
	if (db_begin(db, e) < 0)
		return -1;
	for (n = 0; (rc = next_unread(db, n, &n, e)) == 1;)
		if (read_certificate_of(db, n, e) < 0) {
			rc = -1;
			break;
		}
	FAULT("ledger.read");
	if (rc == 0 && db_run(db_stmt(db, "DELETE FROM unread"), e) == 0 && db_commit(db, e) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

struct db *ledger_open(const char *path, struct err *e)
{
	struct db *db = db_open(path, migrations, ARRAY_LEN(migrations), e);

	if (!db || read_certificates(db, e) == 0)
		return db;
	db_close(db);
	return NULL;
}

/* ---- devices ---- */
#define DEVICE "SELECT n, manufacturer, model, serial, generation, superseded, order_id, passed FROM device WHERE "

static int device_read(struct stmt *s, struct ledger_device *d, struct err *e)
{
	int rc = db_step(s, e);

	if (rc <= 0)
		return rc;
	*d = (struct ledger_device){ .n = col_int(s, 0), .generation = (uint32_t)col_int(s, 4),
		.superseded = (uint32_t)col_int(s, 5) };
	col_copy(s, 1, d->id.manufacturer, sizeof d->id.manufacturer);
	col_copy(s, 2, d->id.model, sizeof d->id.model);
	col_copy(s, 3, d->id.serial, sizeof d->id.serial);
	col_copy(s, 6, d->order, sizeof d->order);
	d->passed = col_int(s, 7);
	return 1;
}

int ledger_device_get(struct db *db, const struct device_id *id, struct ledger_device *d, struct err *e)
{
	struct stmt *s = db_stmt(db, DEVICE "serial = ?1 AND model = ?2 AND manufacturer = ?3");
	int rc;

	bind_text(s, 1, id->serial);
	bind_text(s, 2, id->model);
	bind_text(s, 3, id->manufacturer);
	rc = device_read(s, d, e);
	if (rc == 0)
		*d = (struct ledger_device){ .id = *id };
	db_reset(s);
	return rc;
}

int ledger_device_by_n(struct db *db, int64_t n, struct ledger_device *d, struct err *e)
{
	struct stmt *s = db_stmt(db, DEVICE "n = ?1");
	int rc;

	bind_int(s, 1, n);
	rc = device_read(s, d, e);
	db_reset(s);
	return rc;
}

int ledger_device_find(struct db *db, const struct device_id *id, struct ledger_device *d, struct err *e)
{
	struct stmt *s = db_stmt(db,
				 DEVICE "serial = ?1 AND (?2 = '' OR model = ?2) AND (?3 = '' OR manufacturer = ?3)");
	struct ledger_device other;
	int rc;

	bind_text(s, 1, id->serial);
	bind_text(s, 2, id->model);
	bind_text(s, 3, id->manufacturer);
	rc = device_read(s, d, e);
	if (rc == 1 && (rc = device_read(s, &other, e)) == 1)
		rc = err_set(e, REASON_CONFIG, "serial %s is used by %s/%s and %s/%s; add --model and --manufacturer",
			     id->serial, d->id.manufacturer, d->id.model, other.id.manufacturer, other.id.model);
	else if (rc == 0)
		rc = d->n != 0;
	db_reset(s);
	return rc;
}

/* 0 stands for none. */
static void bind_int_or_null(struct stmt *s, int i, int64_t v)
{
	if (v)
		bind_int(s, i, v);
	else
		bind_text(s, i, NULL);
}

int ledger_device_put(struct db *db, struct ledger_device *d, struct err *e)
{
	struct stmt *s = db_stmt(db,
				 "INSERT INTO device(n, manufacturer, model, serial, generation, superseded, order_id, passed)"
				 " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(n) DO UPDATE SET"
				 " generation = ?5, superseded = ?6, order_id = ?7, passed = ?8");

	bind_int_or_null(s, 1, d->n);
	bind_text(s, 2, d->id.manufacturer);
	bind_text(s, 3, d->id.model);
	bind_text(s, 4, d->id.serial);
	bind_int(s, 5, d->generation);
	bind_int(s, 6, d->superseded);
	bind_text(s, 7, d->order);
	bind_int(s, 8, d->passed);
	if (db_run(s, e) < 0)
		return -1;
	if (!d->n)
		d->n = db_rowid(db);
	return 0;
}

/* ---- requests ---- */
#define REQUEST "SELECT " REQUEST_COLUMNS " FROM request r WHERE "

void ledger_request_free(struct ledger_request *r)
{
	buf_free(&r->spki);
	buf_free(&r->cert);
	buf_free(&r->ticket);
	buf_free(&r->encrypted_key);
	buf_free(&r->endorsement);
	buf_free(&r->factory_certificate);
}

void request_columns(struct stmt *s, struct ledger_request *r)
{
	struct buf sha = {0};

	r->n = col_int(s, 0);
	col_copy(s, 1, r->unit, sizeof r->unit);
	col_copy(s, 2, r->id.id, sizeof r->id.id);
	r->id.generation = (uint32_t)col_int(s, 3);
	r->device = col_int(s, 4);
	if (ca_state_parse(col_text(s, 5), &r->state) < 0)
		r->state = CA_UNKNOWN;
	col_blob(s, 6, &r->spki);
	col_copy(s, 7, r->order, sizeof r->order);
	r->took_unit = col_int(s, 8);
	col_blob(s, 9, &r->cert);
	col_blob(s, 10, &sha);
	memset(r->cert_sha256, 0, sizeof r->cert_sha256);
	if (sha.len == sizeof r->cert_sha256)
		memcpy(r->cert_sha256, sha.data, sha.len);
	r->lapse_at = col_int(s, 11);
	col_copy(s, 12, r->slot, sizeof r->slot);
	r->made = col_int(s, 13);
	col_blob(s, 14, &r->encrypted_key);
	col_copy(s, 15, r->renews, sizeof r->renews);
	buf_free(&sha);
}

static int request_read(struct stmt *s, struct ledger_request *r, struct err *e)
{
	int rc = db_step(s, e);

	if (rc == 1)
		request_columns(s, r);
	db_reset(s);
	return rc;
}

int ledger_request_get(struct db *db, const char *unit, const char *id, struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, REQUEST "r.unit = ?1 AND r.id = ?2");

	bind_text(s, 1, unit);
	bind_text(s, 2, id);
	return request_read(s, r, e);
}

/* What a device confirms is pending, but where the answer to an earlier confirm was lost. */
const char ledger_confirmed_first[] = REQUEST "r.certificate_sha256 = ?1 AND r.id = ?2 AND r.state = 'pending' AND r.lapse_at IS NOT NULL";
const char ledger_confirmed_again[] = "WITH RECURSIVE " EACH_UNIT REQUEST "r.n IN (SELECT q.n FROM u CROSS JOIN request q"
				      " ON q.unit = u.unit AND q.id = ?2) AND r.certificate_sha256 = ?1";

int ledger_request_confirmed(struct db *db, const char *id, const uint8_t sha256[SHA256_LEN], struct ledger_request *r,
			     struct err *e)
{
	int rc = 0;

	for (int again = 0; again < 2 && rc == 0; again++) {
		struct stmt *s = db_stmt(db, again ? ledger_confirmed_again : ledger_confirmed_first);

		bind_blob(s, 1, sha256, SHA256_LEN);
		bind_text(s, 2, id);
		rc = request_read(s, r, e);
	}
	return rc;
}

const char ledger_renewed[] = REQUEST "r.device = (SELECT n FROM device WHERE serial = ?3 AND model = ?4 AND manufacturer = ?5)"
			      " AND r.certificate_sha256 = ?1 AND r.unit = ?2 AND (r.state IN ('pending', 'active', 'superseded')"
			      " OR (r.state = 'revoked' AND r.reason = 'superseded'))";

int ledger_request_renews(struct db *db, const char *unit, const struct device_id *device, const uint8_t sha256[SHA256_LEN],
			  struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, ledger_renewed);

	bind_blob(s, 1, sha256, SHA256_LEN);
	bind_text(s, 2, unit);
	bind_text(s, 3, device->serial);
	bind_text(s, 4, device->model);
	bind_text(s, 5, device->manufacturer);
	return request_read(s, r, e);
}

int ledger_request_open(struct db *db, int64_t device, struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, REQUEST "r.device = ?1 AND r.state IN ('reserved', 'pending', 'active')"
				     " ORDER BY r.renews LIMIT 1");

	bind_int(s, 1, device);
	return request_read(s, r, e);
}

int ledger_request_renewal(struct db *db, int64_t device, struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, REQUEST "r.device = ?1 AND r.state IN ('reserved', 'pending', 'active')"
				     " AND r.renews != ''");

	bind_int(s, 1, device);
	return request_read(s, r, e);
}

int ledger_request_renewed(struct db *db, int64_t n, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET renews = '' WHERE n = ?1");

	bind_int(s, 1, n);
	return db_run(s, e);
}

int ledger_request_of_stations(struct db *db, const char *id, struct ledger_request *r, struct err *e)
{
	/* by way of the stations, which are few: the ledger has no index of ids alone */
	struct stmt *s = db_stmt(db, REQUEST "r.unit IN (SELECT 'station:' || name FROM unit WHERE role = 'station') AND r.id = ?1"
				     " ORDER BY r.n DESC LIMIT 1");

	bind_text(s, 1, id);
	return request_read(s, r, e);
}

int ledger_request_elsewhere(struct db *db, const char *unit, const char *id, struct err *e)
{
	/* by way of the nodes, which are few: the ledger has no index of ids alone */
	struct stmt *s = db_stmt(db, "SELECT 1 FROM (SELECT DISTINCT 'node:' || name AS name FROM unit WHERE role = 'node') u"
				     " CROSS JOIN request r ON r.unit = u.name AND r.id = ?2"
				     " JOIN request o ON o.device = r.device AND o.state IN ('reserved', 'pending', 'active')"
				     " WHERE u.name != ?1 AND o.unit != ?1 LIMIT 1");
	int rc;

	bind_text(s, 1, unit);
	bind_text(s, 2, id);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_mark_get(struct db *db, const char *unit, char mark[CA_MARK_LEN + 1], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT mark FROM unit_mark WHERE unit = ?1");
	int rc;

	mark[0] = 0;
	bind_text(s, 1, unit);
	rc = db_step(s, e);
	if (rc == 1)
		col_copy(s, 0, mark, CA_MARK_LEN + 1);
	db_reset(s);
	return rc;
}

int ledger_mark_put(struct db *db, const char *unit, const char *mark, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO unit_mark VALUES(?1, ?2) ON CONFLICT(unit) DO UPDATE SET mark = ?2 WHERE mark != ?2");

	bind_text(s, 1, unit);
	bind_text(s, 2, mark);
	return db_run(s, e);
}

int ledger_unit_requests(struct db *db, const char *unit, int64_t after,
			 int (*each)(void *arg, const struct ledger_row *row), void *arg, struct err *e)
{
	/* UNIQUE(unit, id) finds the unit's; the rows are few against those of a whole system */
	struct stmt *s = db_stmt(db, "SELECT " REQUEST_COLUMNS ", d.manufacturer, d.model, d.serial, r.reason"
				     " FROM request r LEFT JOIN device d ON d.n = r.device WHERE r.unit = ?1 AND r.n > ?2 ORDER BY r.n");
	struct ledger_row row = {0};
	int rc;

	bind_text(s, 1, unit);
	bind_int(s, 2, after);
	while ((rc = db_step(s, e)) == 1) {
		request_columns(s, &row.r);
		col_copy(s, REQUEST_N, row.device.manufacturer, sizeof row.device.manufacturer);
		col_copy(s, REQUEST_N + 1, row.device.model, sizeof row.device.model);
		col_copy(s, REQUEST_N + 2, row.device.serial, sizeof row.device.serial);
		col_copy(s, REQUEST_N + 3, row.reason, sizeof row.reason);
		if (each(arg, &row) < 0)
			break;
	}
	db_reset(s);
	ledger_request_free(&row.r);
	return rc < 0 ? -1 : 0;
}

int ledger_request_by_serial(struct db *db, const char *hex, struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, REQUEST "r.certificate_serial = ?1");

	bind_text(s, 1, hex);
	return request_read(s, r, e);
}

static void bind_optional(struct stmt *s, int i, const struct buf *b)
{
	bind_blob(s, i, b->len ? b->data : NULL, b->len);
}

int ledger_request_add(struct db *db, const char *ca, struct ledger_request *r, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(
		db,
		"INSERT INTO request(unit, id, generation, device, state, spki, order_id, took_unit, slot, ticket,"
		" lapse_at, created, changed, ca, mode, endorsement, factory_certificate, renews)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16, ?17)");

	bind_text(s, 1, r->unit);
	bind_text(s, 2, r->id.id);
	bind_int(s, 3, r->id.generation);
	bind_int_or_null(s, 4, r->device);
	bind_text(s, 5, ca_state_name(r->state));
	bind_optional(s, 6, &r->spki);
	bind_text(s, 7, r->order);
	bind_int(s, 8, r->took_unit);
	bind_text(s, 9, r->slot);
	bind_optional(s, 10, &r->ticket);
	bind_int_or_null(s, 11, r->lapse_at);
	bind_int(s, 12, now);
	bind_text(s, 13, ca);
	bind_text(s, 14, r->made ? "ca" : "device");
	bind_optional(s, 15, &r->endorsement);
	bind_optional(s, 16, &r->factory_certificate);
	bind_text(s, 17, r->renews);
	if (db_run(s, e) < 0)
		return -1;
	r->n = db_rowid(db);
	return 0;
}

int ledger_request_whole(struct db *db, const char *ca, struct ledger_request *r, const struct cert *cert, const struct cert *issuer,
			 int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(
		db, "INSERT INTO request(unit, id, generation, device, state, spki, order_id, took_unit, slot, certificate,"
		    " certificate_sha256, certificate_serial, issuer, lapse_at, created, changed, ca, mode, encrypted_key, renews,"
		    " key, expires, ticket, endorsement, factory_certificate)"
		    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?21, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?22, ?23, ?24)");

	bind_text(s, 1, r->unit);
	bind_text(s, 2, r->id.id);
	bind_int(s, 3, r->id.generation);
	bind_int(s, 4, r->device);
	bind_text(s, 5, ca_state_name(r->state));
	bind_blob(s, 6, r->spki.data, r->spki.len);
	bind_text(s, 7, r->order);
	bind_int(s, 8, r->took_unit);
	bind_blob(s, 9, cert->der.data, cert->der.len);
	bind_blob(s, 10, cert->sha256, SHA256_LEN);
	bind_text(s, 11, cert->serial);
	bind_blob(s, 12, issuer->sha256, SHA256_LEN);
	bind_int_or_null(s, 13, r->lapse_at);
	bind_int(s, 14, now);
	bind_text(s, 15, ca);
	bind_text(s, 16, r->made ? "ca" : "device");
	bind_optional(s, 17, &r->encrypted_key);
	bind_text(s, 18, r->renews);
	bind_int(s, 19, key_number(cert->spki_sha256));
	bind_int(s, 20, cert->not_after);
	bind_text(s, 21, r->slot);
	bind_optional(s, 22, &r->ticket);
	bind_optional(s, 23, &r->endorsement);
	bind_optional(s, 24, &r->factory_certificate);
	if (db_run(s, e) < 0)
		return -1;
	r->n = db_rowid(db);
	return 0;
}

int ledger_request_state(struct db *db, int64_t n, enum ca_state state, const char *reason, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET state = ?2, reason = ?3, changed = ?4, revocation = CASE"
				     " WHEN ?2 IN ('revoked', 'superseded') AND certificate IS NOT NULL AND revocation IS NULL THEN"
				     " (SELECT ifnull(max(revocation), 0) + 1 FROM request WHERE revocation IS NOT NULL)"
				     " ELSE revocation END WHERE n = ?1");

	bind_int(s, 1, n);
	bind_text(s, 2, ca_state_name(state));
	bind_text(s, 3, reason);
	bind_int(s, 4, now);
	return db_run(s, e);
}

/* ---- pending time ---- */
static int meta_get(struct db *db, const char *name, int64_t *value, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT value FROM meta WHERE name = ?1");
	int rc;

	bind_text(s, 1, name);
	rc = db_step(s, e);
	if (rc == 1)
		*value = col_int(s, 0);
	db_reset(s);
	if (rc == 0)
		err_set(e, REASON_STORAGE, "the ledger has no \"%s\"; restore it from the backup", name);
	return rc == 1 ? 0 : -1;
}

static int meta_add(struct db *db, const char *name, int64_t value, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE meta SET value = value + ?2 WHERE name = ?1");

	bind_text(s, 1, name);
	bind_int(s, 2, value);
	return db_run(s, e);
}

int ledger_uptime(struct db *db, int64_t *seconds, struct err *e)
{
	return meta_get(db, "uptime", seconds, e);
}

int ledger_uptime_add(struct db *db, int64_t seconds, struct err *e)
{
	return meta_add(db, "uptime", seconds, e);
}

int ledger_any_pending(struct db *db, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM request WHERE state = 'pending' AND lapse_at IS NOT NULL LIMIT 1");
	int rc = db_step(s, e);

	db_reset(s);
	return rc;
}

int ledger_lapsed(struct db *db, struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, REQUEST "r.state = 'pending' AND r.lapse_at IS NOT NULL AND"
				     " r.lapse_at <= (SELECT value FROM meta WHERE name = 'uptime') LIMIT 1");

	return request_read(s, r, e);
}

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

int ledger_order_pending(struct db *db, const char *id, const char *unit, struct err *e)
{
	struct stmt *s = db_stmt(
		db, "SELECT 1 FROM request WHERE state = 'pending' AND order_id = ?1 AND unit = ?2 LIMIT 1");
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

/* ---- what the signer is told ---- */
int ledger_signer(struct db *db, uint64_t *position, struct err *e)
{
	int64_t value;

	if (meta_get(db, "signer", &value, e) < 0)
		return -1;
	*position = (uint64_t)value;
	return 0;
}

int ledger_signer_set(struct db *db, uint64_t position, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE meta SET value = ?1 WHERE name = 'signer'");

	bind_int(s, 1, (int64_t)position);
	return db_run(s, e);
}

int ledger_notes(struct db *db, struct sign_note *note, size_t max, size_t *n, int64_t *last, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT n, certificate_sha256, active, serial FROM note ORDER BY n LIMIT ?1");
	struct buf sha = {0};
	int rc;

	*n = 0;
	bind_int(s, 1, (int64_t)max);
	while ((rc = db_step(s, e)) == 1) {
		*last = col_int(s, 0);
		col_blob(s, 1, &sha);
		memcpy(note[*n].certificate, sha.data, sha.len < SHA256_LEN ? sha.len : SHA256_LEN);
		col_copy(s, 3, note[*n].serial, sizeof note[*n].serial);
		note[(*n)++].active = col_int(s, 2);
	}
	buf_free(&sha);
	return rc < 0 ? -1 : 0;
}

int ledger_note_waits(struct db *db, const uint8_t certificate[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM note WHERE certificate_sha256 = ?1 LIMIT 1");
	int rc;

	bind_blob(s, 1, certificate, SHA256_LEN);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_notes_told(struct db *db, int64_t last, struct err *e)
{
	struct stmt *s = db_stmt(db, "DELETE FROM note WHERE n <= ?1");

	bind_int(s, 1, last);
	return db_run(s, e);
}

int ledger_request_evidence(struct db *db, int64_t n, const struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE request SET ticket = ?2, slot = ?3, endorsement = ?4, factory_certificate = ?5"
				     " WHERE n = ?1 AND ticket IS NULL AND endorsement IS NULL");

	bind_int(s, 1, n);
	bind_optional(s, 2, &r->ticket);
	bind_text(s, 3, r->slot);
	bind_optional(s, 4, &r->endorsement);
	bind_optional(s, 5, &r->factory_certificate);
	return db_run(s, e);
}

/* ---- takeover ---- */
int ledger_takeover_put(struct db *db, int64_t request, const char *station, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR REPLACE INTO takeover(request, station, created) VALUES(?1, ?2, ?3)");

	bind_int(s, 1, request);
	bind_text(s, 2, station);
	bind_int(s, 3, now);
	return db_run(s, e);
}

int ledger_takeover_get(struct db *db, int64_t request, char station[LIMIT_NAME + 1], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT station FROM takeover WHERE request = ?1 AND taken IS NULL");
	int rc;

	bind_int(s, 1, request);
	rc = db_step(s, e);
	if (rc == 1)
		col_copy(s, 0, station, LIMIT_NAME + 1);
	db_reset(s);
	return rc;
}

int ledger_takeover_move(struct db *db, int64_t from, int64_t to, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE takeover SET request = iif(taken IS NULL, ?2, request), taken = iif(taken IS NULL, NULL, ?2)"
				     " WHERE (request = ?1 AND taken IS NULL) OR taken = ?1");

	bind_int(s, 1, from);
	bind_int(s, 2, to);
	return db_run(s, e);
}

int ledger_takeover_use(struct db *db, int64_t request, int64_t by, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE takeover SET taken = ?2 WHERE request = ?1 AND taken IS NULL");

	bind_int(s, 1, request);
	bind_int(s, 2, by);
	return db_run(s, e);
}

int ledger_takeover_learn(struct db *db, int64_t device, const char *station, int64_t by, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE takeover SET taken = ?3 WHERE taken IS NULL AND station = ?2"
				     " AND request = (SELECT max(n) FROM request WHERE device = ?1 AND n < ?3)");

	bind_int(s, 1, device);
	bind_text(s, 2, station);
	bind_int(s, 3, by);
	return db_run(s, e);
}

int ledger_takeover_told(struct db *db, int64_t request, char by[UNIT_MAX], char from[UNIT_MAX], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT (SELECT r.unit FROM takeover t JOIN request r ON r.n = t.taken WHERE t.request = ?1),"
				     " (SELECT r.unit FROM takeover t JOIN request r ON r.n = t.request WHERE t.taken = ?1)");
	int rc;

	bind_int(s, 1, request);
	rc = db_step(s, e);
	if (rc == 1) {
		col_copy(s, 0, by, UNIT_MAX);
		col_copy(s, 1, from, UNIT_MAX);
	}
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

/* ---- revocations ---- */
/* What its certificate says: when it expires of its own, and whose it is. */
static void read_certificate(struct ledger_revocation *v, const struct buf *der)
{
	struct cert c;
	struct err e;

	v->expires = 0;
	v->issuer[0] = 0;
	if (cert_parse(&c, der->data, der->len, &e) < 0)
		return;
	v->expires = c.not_after == X509_NO_EXPIRY ? 0 : c.not_after;
	snprintf(v->issuer, sizeof v->issuer, "%s", c.issuer);
	cert_free(&c);
}

static void revocation_columns(struct stmt *s, struct ledger_revocation *v, struct buf *der)
{
	v->n = col_int(s, 0);
	col_copy(s, 1, v->serial, sizeof v->serial);
	col_copy(s, 2, v->reason, sizeof v->reason);
	v->time = col_int(s, 3);
	col_blob(s, 4, der);
	read_certificate(v, der);
}

int ledger_certificate(struct db *db, const char *serial, bool *unit, struct buf *der, struct ledger_revocation *v, struct err *e)
{
	struct stmt *s;
	int rc = 0;

	for (int of = 0; of < 2 && rc == 0; of++) {
		*unit = of == 1;
		s = *unit ? db_stmt(db, "SELECT revocation, certificate_serial, reason, revoked, certificate FROM unit WHERE certificate_serial = ?1")
			  : db_stmt(db, "SELECT revocation, certificate_serial, CASE state WHEN 'superseded' THEN state ELSE reason END, changed,"
					" certificate FROM request WHERE certificate_serial = ?1");
		bind_text(s, 1, serial);
		rc = db_step(s, e);
		if (rc == 1)
			revocation_columns(s, v, der);
		db_reset(s);
	}
	return rc;
}

int ledger_revocations(struct db *db, bool units, int64_t after, struct ledger_revocation *list, size_t max, size_t *n,
		       struct err *e)
{
	struct stmt *s = units ? db_stmt(db, "SELECT revocation, certificate_serial, reason, revoked, certificate FROM unit"
					     " WHERE revocation > ?1 ORDER BY revocation LIMIT ?2")
			       : db_stmt(db, "SELECT revocation, certificate_serial,"
					     " CASE state WHEN 'superseded' THEN state ELSE reason END, changed, certificate"
					     " FROM request WHERE revocation > ?1 ORDER BY revocation LIMIT ?2");
	struct buf der = {0};
	int rc;

	bind_int(s, 1, after);
	bind_int(s, 2, (int64_t)max);
	for (*n = 0; (rc = db_step(s, e)) == 1; ++*n)
		revocation_columns(s, &list[*n], &der);
	buf_free(&der);
	return rc < 0 ? -1 : 0;
}

/* ---- unit certificates and shipments ---- */
int ledger_unit_add(struct db *db, const struct cert *cert, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO unit(role, name, customer, certificate, certificate_serial, created)"
				     " VALUES(?1, ?2, ?3, ?4, ?5, ?6)");

	bind_text(s, 1, cert->role);
	bind_text(s, 2, cert->name);
	bind_text(s, 3, cert->customer);
	bind_blob(s, 4, cert->der.data, cert->der.len);
	bind_text(s, 5, cert->serial);
	bind_int(s, 6, now);
	return db_run(s, e);
}

int ledger_unit_revoke(struct db *db, const char *serial, const char *reason, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(
		db, "UPDATE unit SET revoked = ?2, reason = ?3, revocation ="
		    " (SELECT ifnull(max(revocation), 0) + 1 FROM unit WHERE revocation IS NOT NULL)"
		    " WHERE certificate_serial = ?1 AND revoked IS NULL");

	bind_text(s, 1, serial);
	bind_int(s, 2, now);
	bind_text(s, 3, reason);
	return db_run(s, e) < 0 ? -1 : db_changes(db) > 0;
}

int ledger_unit_revoked(struct db *db, const char *serial, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM unit WHERE certificate_serial = ?1 AND revoked IS NOT NULL");
	int rc;

	bind_text(s, 1, serial);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_unit_out(struct db *db, const char *role, const char *name, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM unit WHERE role = ?1 AND name = ?2 GROUP BY role, name"
				     " HAVING count(*) = count(revoked)");
	int rc;

	bind_text(s, 1, role);
	bind_text(s, 2, name);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_unit_in(struct db *db, const char *role, const char *name, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM unit WHERE role = ?1 AND name = ?2 AND revoked IS NULL LIMIT 1");
	int rc;

	bind_text(s, 1, role);
	bind_text(s, 2, name);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_unit_known(struct db *db, const char *serial, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM unit WHERE certificate_serial = ?1");
	int rc;

	bind_text(s, 1, serial);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_invitation_add(struct db *db, const struct invitation *v, const struct buf *cms, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO invitation(key, cms, role, name, operator, expires, created) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");

	bind_blob(s, 1, v->key, sizeof v->key);
	bind_blob(s, 2, cms->data, cms->len);
	bind_text(s, 3, v->role);
	bind_text(s, 4, v->name);
	bind_text(s, 5, v->operator_name);
	bind_int(s, 6, v->not_after);
	bind_int(s, 7, now);
	return db_run(s, e);
}

int ledger_invitation_get(struct db *db, const uint8_t key[INVITE_KEY], struct ledger_invitation *v, struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT cms, operator, used FROM invitation WHERE key = ?1");
	int rc;

	bind_blob(s, 1, key, INVITE_KEY);
	rc = db_step(s, e);
	if (rc == 1) {
		col_blob(s, 0, cms);
		col_copy(s, 1, v->operator_name, sizeof v->operator_name);
		v->used = col_int(s, 2) != 0;
	}
	db_reset(s);
	return rc;
}

int ledger_invitation_use(struct db *db, const uint8_t key[INVITE_KEY], int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE invitation SET used = ?2 WHERE key = ?1 AND used IS NULL");

	bind_blob(s, 1, key, INVITE_KEY);
	bind_int(s, 2, now);
	return db_run(s, e);
}

int ledger_shipment_next(struct db *db, uint64_t *sequence, struct err *e)
{
	int64_t last;

	if (meta_add(db, "shipment", 1, e) < 0 || meta_get(db, "shipment", &last, e) < 0)
		return -1;
	*sequence = (uint64_t)last;
	return 0;
}

const char ledger_shipped[] = "INSERT INTO shipped(sequence, device, certificate_sha256, voucher)"
			      " SELECT ?1, r.device, r.certificate_sha256, ?3 FROM device d CROSS JOIN request r ON r.device = d.n"
			      " WHERE d.serial = ?4 AND d.model = ?5 AND d.manufacturer = ?6 AND r.certificate_sha256 = ?2";

int ledger_shipment_add(struct db *db, const struct manifest *m, const struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO shipment(sequence, customer, time, cms) VALUES(?1, ?2, ?3, ?4)");

	bind_int(s, 1, (int64_t)m->sequence);
	bind_text(s, 2, m->customer);
	bind_int(s, 3, m->time);
	bind_blob(s, 4, cms->data, cms->len);
	if (db_run(s, e) < 0)
		return -1;
	for (size_t i = 0; i < m->n; i++) {
		const struct manifest_entry *entry = &m->entry[i];

		s = db_stmt(db, ledger_shipped);
		bind_int(s, 1, (int64_t)m->sequence);
		bind_blob(s, 2, entry->certificate, SHA256_LEN);
		bind_optional(s, 3, &entry->voucher);
		bind_text(s, 4, entry->device.serial);
		bind_text(s, 5, entry->device.model);
		bind_text(s, 6, entry->device.manufacturer);
		if (db_run(s, e) < 0)
			return -1;
	}
	return 0;
}
