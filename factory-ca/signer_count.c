#include <config.h>

#include "signer_count.h"

#include <string.h>

#include "audit.h"
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

int count_order_get(struct db *db, const char *id, struct buf *cms, bool *closed, struct err *e)
{
	struct stmt *s = cms ? db_stmt(db, "SELECT closed, cms FROM work_order WHERE id = ?1")
			     : db_stmt(db, "SELECT closed FROM work_order WHERE id = ?1");
	int rc;

	bind_text(s, 1, id);
	rc = db_step(s, e);
	if (rc == 1) {
		*closed = col_int(s, 0);
		if (cms)
			col_blob(s, 1, cms);
	}
	db_reset(s);
	return rc;
}

int count_order_add(struct db *db, const char *id, const struct buf *cms, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO work_order(id, cms, used, closed) VALUES(?1, ?2, 0, 0)");

	bind_text(s, 1, id);
	bind_blob(s, 2, cms->data, cms->len);
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

int count_take(struct db *db, const char *order, const char *serial, const struct buf *spki, uint64_t most,
	       struct err *e)
{
	int rc = is_counted(db, order, serial, spki, e);
	struct stmt *s;
	int64_t used;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (count_used(db, order, &used, e) < 0)
		return -1;
	if ((uint64_t)used >= most)
		return err_set(e, REASON_QUOTA, "order %s: quota and scrap allowance, %llu keys in all, are signed",
			       order, (unsigned long long)most);
	s = db_stmt(db, "INSERT INTO counted(order_id, serial, spki) VALUES(?1, ?2, ?3)");
	bind_text(s, 1, order);
	bind_text(s, 2, serial);
	bind_blob(s, 3, spki->data, spki->len);
	if (db_run(s, e) < 0)
		return -1;
	s = db_stmt(db, "UPDATE work_order SET used = used + 1 WHERE id = ?1");
	bind_text(s, 1, order);
	return db_run(s, e);
}

int count_made_get(struct db *db, const char *order, const char *serial, const struct buf *spki, struct buf *der,
		   struct buf *encrypted_key, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT certificate, encrypted_key FROM made WHERE order_id = ?1 AND serial = ?2"
				     " AND spki = ?3");
	int rc;

	bind_text(s, 1, order);
	bind_text(s, 2, serial);
	bind_blob(s, 3, spki->data, spki->len);
	rc = db_step(s, e);
	if (rc == 1) {
		col_blob(s, 0, der);
		col_blob(s, 1, encrypted_key);
	}
	db_reset(s);
	return rc;
}

int count_made_add(struct db *db, const char *order, const char *serial, const struct buf *spki, const struct buf *der,
		   const struct buf *encrypted_key, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO made(order_id, serial, spki, certificate, encrypted_key)"
				     " VALUES(?1, ?2, ?3, ?4, ?5)");

	bind_text(s, 1, order);
	bind_text(s, 2, serial);
	bind_blob(s, 3, spki->data, spki->len);
	bind_blob(s, 4, der->data, der->len);
	bind_blob(s, 5, encrypted_key->data, encrypted_key->len);
	return db_run(s, e);
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
