#include <config.h>

#include "ledger.h"

#include <string.h>

#include "ledger_list.h"
#include "ledger_private.h"

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

/* "+" keeps a unit, which has many rows, from being taken for the better way. */
const char ledger_same_id[] = REQUEST HAS_ID("r", "?2") " AND +r.unit = ?1";

int ledger_request_get(struct db *db, const char *unit, const char *id, struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, ledger_same_id);

	bind_text(s, 1, unit);
	bind_text(s, 2, id);
	return request_read(s, r, e);
}

/* What a device confirms is pending, but where the answer to an earlier confirm was lost. */
const char ledger_confirmed_first[] = REQUEST "r.certificate_sha256 = ?1 AND r.id = ?2 AND r.state = 'pending' AND r.lapse_at IS NOT NULL";
const char ledger_confirmed_again[] = REQUEST HAS_ID("r", "?2") " AND r.certificate_sha256 = ?1";

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
			      " AND r.certificate_sha256 = ?1 AND +r.unit = ?2 AND (r.state IN ('pending', 'active', 'superseded')"
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

const char ledger_of_stations[] = REQUEST HAS_ID("r", "?1") " AND r.unit GLOB 'station:*' ORDER BY r.n DESC LIMIT 1";

int ledger_request_of_stations(struct db *db, const char *id, struct ledger_request *r, struct err *e)
{
	struct stmt *s = db_stmt(db, ledger_of_stations);

	bind_text(s, 1, id);
	return request_read(s, r, e);
}

const char ledger_elsewhere[] = "SELECT 1 FROM request r JOIN request o ON o.device = r.device AND o.state IN ('reserved', 'pending', 'active')"
				" WHERE " HAS_ID("r", "?2") " AND r.unit GLOB 'node:*' AND r.unit != ?1 AND o.unit != ?1 LIMIT 1";

int ledger_request_elsewhere(struct db *db, const char *unit, const char *id, struct err *e)
{
	struct stmt *s = db_stmt(db, ledger_elsewhere);
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

const char ledger_of_unit[] = "SELECT " REQUEST_COLUMNS ", d.manufacturer, d.model, d.serial, r.reason"
			      " FROM request r LEFT JOIN device d ON d.n = r.device WHERE r.unit = ?1 AND r.n > ?2 ORDER BY r.n";

int ledger_unit_requests(struct db *db, const char *unit, int64_t after,
			 int (*each)(void *arg, const struct ledger_row *row), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, ledger_of_unit);
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

/* The columns id_number and id_twin of the request id ?2 of unit ?1. A row that is there already is not counted, so that a second one of its unit
 * and id would get a number that is taken. */
#define NEW_ID_NUMBER \
	"short_hash(?2), (SELECT count(*) FROM request o WHERE o.id_number = short_hash(?2) AND NOT (o.unit = ?1 AND o.id = ?2))"

int ledger_request_add(struct db *db, const char *ca, struct ledger_request *r, int64_t now, struct err *e)
{
	struct stmt *s = db_stmt(
		db,
		"INSERT INTO request(unit, id, id_number, id_twin, generation, device, state, spki, order_id, took_unit, slot, ticket,"
		" lapse_at, created, changed, ca, mode, endorsement, factory_certificate, renews)"
		" VALUES(?1, ?2, " NEW_ID_NUMBER ", ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16, ?17)");

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
		db, "INSERT INTO request(unit, id, id_number, id_twin, generation, device, state, spki, order_id, took_unit, slot, certificate,"
		    " certificate_sha256, certificate_serial, issuer, lapse_at, created, changed, ca, mode, encrypted_key, renews,"
		    " key, expires, ticket, endorsement, factory_certificate)"
		    " VALUES(?1, ?2, " NEW_ID_NUMBER ", ?3, ?4, ?5, ?6, ?7, ?8, ?21, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?22, ?23, ?24)");

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
