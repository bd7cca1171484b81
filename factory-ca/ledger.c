#include <config.h>

#include "ledger.h"

#include <string.h>

#include "audit_head.h"
#include "fault.h"
#include "ledger_private.h"
#include "limits.h"
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
	/* Request ids are random, too, and cannot do without an index, but eight octets of a hash of them can: of a hash, since who asks chooses the
	 * id. Rows that share these are numbered by id_twin (NEW_ID_NUMBER in ledger_requests.c), so that no two have one unit and id. Keys
	 * are as random and seldom searched for: the index of times, which grows at its end alone, has them all and is read through for one.
	 * The index of a UNIQUE can go with its table alone. */
	"CREATE TABLE twin(request INTEGER PRIMARY KEY, twin INTEGER NOT NULL);"
	"INSERT INTO twin SELECT n, before FROM (SELECT n, row_number() OVER (PARTITION BY short_hash(id) ORDER BY n) - 1 AS before FROM request)"
	" WHERE before > 0;"
	"CREATE TABLE takeover_before AS SELECT * FROM takeover;"
	"DROP TABLE takeover;"
	"ALTER TABLE request RENAME TO request_before;"
	"CREATE TABLE request(n INTEGER PRIMARY KEY, unit TEXT NOT NULL, id TEXT NOT NULL, id_number INTEGER NOT NULL, id_twin INTEGER NOT NULL,"
	" generation INTEGER NOT NULL, device INTEGER REFERENCES device(n), state TEXT NOT NULL, spki BLOB, order_id TEXT NOT NULL,"
	" took_unit INTEGER NOT NULL, slot TEXT NOT NULL, ticket BLOB, certificate BLOB, certificate_sha256 BLOB,"
	" certificate_serial TEXT, lapse_at INTEGER, reason TEXT, created INTEGER NOT NULL, changed INTEGER NOT NULL,"
	" ca TEXT NOT NULL, issuer BLOB, mode TEXT NOT NULL DEFAULT 'device', encrypted_key BLOB, endorsement BLOB,"
	" factory_certificate BLOB, renews TEXT NOT NULL DEFAULT '', revocation INTEGER, key INTEGER, expires INTEGER);"
	"INSERT INTO request SELECT n, unit, id, short_hash(id), ifnull((SELECT twin FROM twin WHERE request = n), 0), generation, device, state, spki,"
	" order_id, took_unit, slot, ticket, certificate, certificate_sha256, certificate_serial, lapse_at, reason, created, changed, ca, issuer, mode,"
	" encrypted_key, endorsement, factory_certificate, renews, revocation, key, expires FROM request_before ORDER BY n;"
	"DROP TABLE request_before;"
	"DROP TABLE twin;"
	"CREATE TABLE takeover(request INTEGER PRIMARY KEY REFERENCES request(n), station TEXT NOT NULL,"
	" created INTEGER NOT NULL, taken INTEGER UNIQUE REFERENCES request(n));"
	"INSERT INTO takeover SELECT request, station, created, taken FROM takeover_before;"
	"DROP TABLE takeover_before;"
	"CREATE UNIQUE INDEX request_id ON request(id_number, id_twin);"
	"CREATE INDEX request_unit ON request(unit);"
	"CREATE UNIQUE INDEX request_open ON request(device)"
	" WHERE (state = 'pending' OR state = 'active' OR state = 'reserved') AND renews = '';"
	"CREATE UNIQUE INDEX request_renewal ON request(device)"
	" WHERE (state = 'pending' OR state = 'active' OR state = 'reserved') AND renews != '';"
	"CREATE UNIQUE INDEX request_serial ON request(certificate_serial) WHERE certificate_serial IS NOT NULL;"
	"CREATE INDEX request_device ON request(device);"
	"CREATE INDEX request_lapse ON request(lapse_at) WHERE state = 'pending' AND lapse_at IS NOT NULL;"
	"CREATE INDEX request_confirm ON request(certificate_sha256) WHERE state = 'pending' AND lapse_at IS NOT NULL;"
	"CREATE UNIQUE INDEX request_revocation ON request(revocation) WHERE revocation IS NOT NULL;"
	"CREATE INDEX request_state ON request(state, order_id) WHERE state != 'reserved';"
	"CREATE INDEX request_created ON request(created, key);"
	"CREATE TRIGGER request_noted AFTER UPDATE OF state ON request WHEN new.certificate_sha256 IS NOT NULL"
	" AND new.state != old.state AND new.state IN ('active', 'superseded', 'revoked') BEGIN"
	" INSERT INTO note(certificate_sha256, active, serial) VALUES(new.certificate_sha256, new.state = 'active',"
	" (SELECT serial FROM device WHERE n = new.device)); END;",
	/* to whom a device was shipped last */
	"CREATE INDEX shipped_device ON shipped(device);",
	/* up to where the uptime has been counted, in milliseconds of db_shared_ms() */
	"INSERT INTO meta VALUES('counted', 0);",
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

/* ---- for all of the ledger's files ---- */
void bind_int_or_null(struct stmt *s, int i, int64_t v)
{
	if (v)
		bind_int(s, i, v);
	else
		bind_text(s, i, NULL);
}

void bind_optional(struct stmt *s, int i, const struct buf *b)
{
	bind_blob(s, i, b->len ? b->data : NULL, b->len);
}

int meta_get(struct db *db, const char *name, int64_t *value, struct err *e)
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

static int meta_set(struct db *db, const char *name, int64_t value, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE meta SET value = ?2 WHERE name = ?1");

	bind_text(s, 1, name);
	bind_int(s, 2, value);
	return db_run(s, e);
}

int meta_add(struct db *db, const char *name, int64_t value, struct err *e)
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

/* What is behind `counted` somebody has told, or nobody will. It lies far in the future only if the clock has begun anew since: then nothing
 * of what it shows now was told. Parts of a second stay for the next one. */
int ledger_uptime_add(struct db *db, const struct ledger_ran *ran, struct err *e)
{
	int64_t counted, seconds, from = ran->until_ms - ran->seconds * 1000;

	if (meta_get(db, "counted", &counted, e) < 0)
		return -1;
	if (counted > from && counted <= ran->now_ms + LIMIT_SHARED_SKEW_MS)
		from = counted;
	seconds = (ran->until_ms - from) / 1000;
	if (seconds <= 0)
		return 0;
	return meta_add(db, "uptime", seconds, e) < 0 ? -1 : meta_set(db, "counted", from + seconds * 1000, e);
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
	return meta_set(db, "signer", (int64_t)position, e);
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
