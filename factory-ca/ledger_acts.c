#include <config.h>

#include "ledger_acts.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

/* ---- acts ---- */
#define ACT_COLUMNS "n, id, what, subject, maker, second, state, created, changed"

static void act_columns(struct stmt *s, struct ledger_act *a)
{
	*a = (struct ledger_act){ .n = col_int(s, 0), .created = col_int(s, 7), .changed = col_int(s, 8) };
	col_copy(s, 1, a->id, sizeof a->id);
	col_copy(s, 2, a->what, sizeof a->what);
	col_copy(s, 3, a->subject, sizeof a->subject);
	col_copy(s, 4, a->maker, sizeof a->maker);
	col_copy(s, 5, a->second, sizeof a->second);
	for (a->state = ACTED_DONE; a->state < ACTED_REJECTED && strcmp(ca_acted_name(a->state), col_text(s, 6)) != 0;)
		a->state++;
}

int ledger_act_get(struct db *db, const char *id, struct ledger_act *a, struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " ACT_COLUMNS ", cms FROM act WHERE id = ?1");
	int rc;

	bind_text(s, 1, id);
	rc = db_step(s, e);
	if (rc == 1) {
		act_columns(s, a);
		if (cms)
			col_blob(s, 9, cms);
	}
	db_reset(s);
	return rc;
}

int ledger_act_add(struct db *db, const struct ledger_act *a, const struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO act(id, what, subject, maker, state, cms, created, changed) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)");

	bind_text(s, 1, a->id);
	bind_text(s, 2, a->what);
	bind_text(s, 3, a->subject);
	bind_text(s, 4, a->maker);
	bind_text(s, 5, ca_acted_name(a->state));
	bind_blob(s, 6, cms->data, cms->len);
	bind_int(s, 7, a->created);
	return db_run(s, e);
}

int ledger_act_end(struct db *db, const struct ledger_act *a, const struct buf *approval, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE act SET state = ?2, second = ?3, approval = ?4, changed = ?5 WHERE id = ?1");

	bind_text(s, 1, a->id);
	bind_text(s, 2, ca_acted_name(a->state));
	bind_text(s, 3, a->second);
	bind_blob(s, 4, approval->data, approval->len);
	bind_int(s, 5, a->changed);
	return db_run(s, e);
}

int ledger_act_rule(struct db *db, struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT cms FROM act WHERE what = ?1 AND state = 'done' ORDER BY changed DESC, n DESC LIMIT 1");
	int rc;

	bind_text(s, 1, act_name(ACT_TWO_PERSON));
	rc = db_step(s, e);
	if (rc == 1)
		col_blob(s, 0, cms);
	db_reset(s);
	return rc;
}

int ledger_act_ended_local(struct db *db, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM act WHERE what = ?1 AND state = 'done' AND substr(subject, 1, 9) = 'operator:' LIMIT 1");
	int rc;

	bind_text(s, 1, act_name(ACT_OPERATOR_REVOKE));
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int ledger_acts_waiting(struct db *db, int64_t since, int64_t *n, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT count(*) FROM act WHERE state = 'waiting' AND created >= ?1");
	int rc;

	bind_int(s, 1, since);
	rc = db_step(s, e);
	*n = rc == 1 ? col_int(s, 0) : 0;
	db_reset(s);
	return rc == 1 ? 0 : -1;
}

int ledger_act_list(struct db *db, int64_t after, int (*each)(void *arg, const struct ledger_act *a), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT " ACT_COLUMNS " FROM act WHERE n > ?1 ORDER BY n");
	struct ledger_act a;
	int rc;

	bind_int(s, 1, after);
	while ((rc = db_step(s, e)) == 1) {
		act_columns(s, &a);
		if (each(arg, &a) < 0)
			break;
	}
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

/* ---- units ---- */
/* What only the certificate says. */
static void read_unit(struct ledger_unit *u, const struct buf *der)
{
	struct cert c;
	struct err e;

	if (cert_parse(&c, der->data, der->len, &e) < 0)
		return;
	snprintf(u->functions, sizeof u->functions, "%s", c.functions);
	u->expires = c.not_after;
	cert_free(&c);
}

int ledger_unit_list(struct db *db, bool operators, int64_t after, int (*each)(void *arg, const struct ledger_unit *u), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT n, role, name, certificate_serial, created, revoked, reason, certificate FROM unit"
				     " WHERE n > ?1 AND (role = 'person' OR role = 'operator') = ?2 ORDER BY n");
	struct buf der = {0};
	int rc;

	bind_int(s, 1, after);
	bind_int(s, 2, operators);
	while ((rc = db_step(s, e)) == 1) {
		struct ledger_unit u = { .n = col_int(s, 0), .created = col_int(s, 4), .revoked = col_int(s, 5) };

		col_copy(s, 1, u.role, sizeof u.role);
		col_copy(s, 2, u.name, sizeof u.name);
		col_copy(s, 3, u.serial, sizeof u.serial);
		col_copy(s, 6, u.reason, sizeof u.reason);
		col_blob(s, 7, &der);
		read_unit(&u, &der);
		if (each(arg, &u) < 0)
			break;
	}
	db_reset(s);
	buf_free(&der);
	return rc < 0 ? -1 : 0;
}

int ledger_node_get(struct db *db, const char *name, const char *customer, struct buf *der, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT certificate FROM unit WHERE role = 'node' AND name = ?1 AND customer = ?2 AND revoked IS NULL"
				     " ORDER BY n DESC LIMIT 1");
	int rc;

	bind_text(s, 1, name);
	bind_text(s, 2, customer);
	rc = db_step(s, e);
	if (rc == 1)
		col_blob(s, 0, der);
	db_reset(s);
	return rc;
}

int ledger_unit_end(struct db *db, const char *role, const char *name, const char *reason, int64_t now, size_t *n, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT certificate_serial FROM unit WHERE role = ?1 AND name = ?2 AND revoked IS NULL LIMIT 1");
	char serial[2 * CERT_SERIAL_MAX + 1];
	int rc;

	for (*n = 0;; ++*n) {
		bind_text(s, 1, role);
		bind_text(s, 2, name);
		rc = db_step(s, e);
		if (rc == 1)
			col_copy(s, 0, serial, sizeof serial);
		db_reset(s);
		if (rc != 1)
			return rc;
		if (ledger_unit_revoke(db, serial, reason, now, e) < 0)
			return -1;
	}
}

int ledger_unit_role(struct db *db, const char *serial, char role[CERT_ROLE_MAX], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT role FROM unit WHERE certificate_serial = ?1");
	int rc;

	bind_text(s, 1, serial);
	rc = db_step(s, e);
	if (rc == 1)
		col_copy(s, 0, role, CERT_ROLE_MAX);
	db_reset(s);
	return rc;
}
