#include <config.h>

#include "ledger.h"

#include <stdio.h>

#include "ledger_private.h"

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

const char ledger_shipped_last[] = "SELECT h.customer, h.sequence FROM device d CROSS JOIN shipped s ON s.device = d.n"
				   " JOIN shipment h ON h.sequence = s.sequence WHERE d.serial = ?1 AND d.model = ?2 AND d.manufacturer = ?3"
				   " ORDER BY s.sequence DESC LIMIT 1";

int ledger_shipped_to(struct db *db, const struct device_id *d, char customer[LIMIT_NAME + 1], uint64_t *sequence, struct err *e)
{
	struct stmt *s = db_stmt(db, ledger_shipped_last);
	int rc;

	bind_text(s, 1, d->serial);
	bind_text(s, 2, d->model);
	bind_text(s, 3, d->manufacturer);
	rc = db_step(s, e);
	if (rc == 1) {
		text_copy(customer, LIMIT_NAME + 1, col_text(s, 0));
		*sequence = (uint64_t)col_int(s, 1);
	}
	db_reset(s);
	return rc;
}
