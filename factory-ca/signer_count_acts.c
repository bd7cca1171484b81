/* Of signer.db: acts of persons, and what is said of persons by them. */
#include <config.h>

#include "signer_count.h"

#include <string.h>

#include "functions.h"

int count_act_get(struct db *db, const char *id, uint8_t sha256[SHA256_LEN], bool *done, struct buf *made, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT sha256, done, made FROM act WHERE id = ?1");
	struct buf sha = {0};
	int rc;

	bind_text(s, 1, id);
	rc = db_step(s, e);
	if (rc == 1) {
		col_blob(s, 0, &sha);
		*done = col_int(s, 1);
		col_blob(s, 2, made);
		if (sha.len == SHA256_LEN)
			memcpy(sha256, sha.data, SHA256_LEN);
		else
			rc = err_set(e, REASON_STORAGE, "signer.db: act %s has no hash", id);
	}
	db_reset(s);
	buf_free(&sha);
	return rc;
}

int count_act_put(struct db *db, const char *id, const uint8_t sha256[SHA256_LEN], bool done, const struct buf *made,
		  struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT INTO act(id, sha256, done, made) VALUES(?1, ?2, ?3, ?4)");

	bind_text(s, 1, id);
	bind_blob(s, 2, sha256, SHA256_LEN);
	bind_int(s, 3, done);
	bind_blob(s, 4, made->data, made->len);
	return db_run(s, e);
}

int count_gone_get(struct db *db, const char *role, const char *name, int64_t *when, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT time FROM gone WHERE role = ?1 AND (name = ?2 OR ?2 = '') LIMIT 1");
	int rc;

	bind_text(s, 1, role);
	bind_text(s, 2, name);
	rc = db_step(s, e);
	if (rc == 1)
		*when = col_int(s, 0);
	db_reset(s);
	return rc;
}

int count_gone_put(struct db *db, const char *role, const char *name, int64_t when, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR REPLACE INTO gone(role, name, time) VALUES(?1, ?2, ?3)");

	bind_text(s, 1, role);
	bind_text(s, 2, name);
	bind_int(s, 3, when);
	return db_run(s, e);
}

int count_barred_has(struct db *db, const char *serial, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM barred WHERE serial = ?1");
	int rc;

	bind_text(s, 1, serial);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int count_barred_put(struct db *db, const char *serial, int64_t when, struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR IGNORE INTO barred(serial, time) VALUES(?1, ?2)");

	bind_text(s, 1, serial);
	bind_int(s, 2, when);
	return db_run(s, e);
}

int count_guarded_get(struct db *db, unsigned *set, struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT acts FROM guarded");
	int rc = db_step(s, e);

	if (rc == 1 && acts_parse(col_text(s, 0), set) < 0)
		rc = err_set(e, REASON_STORAGE, "signer.db: the acts that need two persons cannot be read");
	else if (rc == 0)
		rc = err_set(e, REASON_STORAGE, "signer.db does not say what needs two persons");
	db_reset(s);
	return rc == 1 ? 0 : -1;
}

int count_guarded_set(struct db *db, unsigned set, struct err *e)
{
	struct stmt *s = db_stmt(db, "UPDATE guarded SET acts = ?1");
	char acts[ACTS_TEXT];

	acts_text(acts, set);
	bind_text(s, 1, acts);
	return db_run(s, e);
}

int count_permit_get(struct db *db, const uint8_t sha256[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "SELECT 1 FROM permit WHERE sha256 = ?1");
	int rc;

	bind_blob(s, 1, sha256, SHA256_LEN);
	rc = db_step(s, e);
	db_reset(s);
	return rc;
}

int count_permit_put(struct db *db, const uint8_t sha256[SHA256_LEN], struct err *e)
{
	struct stmt *s = db_stmt(db, "INSERT OR IGNORE INTO permit(sha256) VALUES(?1)");

	bind_blob(s, 1, sha256, SHA256_LEN);
	return db_run(s, e);
}
