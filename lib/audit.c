#include <config.h>

#include "audit.h"

#include <string.h>

#include "digest.h"
#include "pack.h"

/* Lengths are part of what is hashed, so that nothing can move from one field to the next. */
static void row_hash(uint8_t out[SHA256_LEN], const struct audit_state *before, const struct audit_row *row)
{
	struct buf b = {0};

	pack_bytes(&b, before->hash, before->n ? sizeof before->hash : 0);
	pack_u64(&b, (uint64_t)row->n);
	pack_u64(&b, (uint64_t)row->time);
	pack_str(&b, row->actor);
	pack_str(&b, row->action);
	pack_str(&b, row->subject);
	pack_str(&b, row->detail);
	digest_sha256(out, b.data, b.len);
	buf_free(&b);
}

static void hash_read(struct stmt *s, int column, uint8_t out[SHA256_LEN])
{
	struct buf b = {0};

	col_blob(s, column, &b);
	memset(out, 0, SHA256_LEN);	/* of another length: no row has it */
	if (b.len == SHA256_LEN)
		memcpy(out, b.data, SHA256_LEN);
	buf_free(&b);
}

static int state_read(struct stmt *s, struct audit_state *at, struct err *e)
{
	int rc = db_step(s, e);

	*at = (struct audit_state){0};
	if (rc == 1) {
		at->n = col_int(s, 0);
		hash_read(s, 1, at->hash);
	}
	db_reset(s);
	return rc;
}

int audit_last(struct db *d, struct audit_state *at, struct err *e)
{
	return state_read(db_stmt(d, "SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1"), at, e) < 0 ? -1 : 0;
}

int audit_at(struct db *d, int64_t n, struct audit_state *at, struct err *e)
{
	struct stmt *s = db_stmt(d, "SELECT n, hash FROM audit WHERE n = ?1");

	bind_int(s, 1, n);
	return n ? state_read(s, at, e) : (*at = (struct audit_state){0}, 1);
}

int audit_add(struct db *d, int64_t now, const char *actor, const char *action, const char *subject, const char *detail,
	      struct err *e)
{
	struct audit_row row = { .time = now, .actor = actor, .action = action, .subject = subject, .detail = detail };
	struct audit_state at;
	struct stmt *s;

	if (audit_last(d, &at, e) < 0)
		return -1;
	row.n = at.n + 1;
	row_hash(row.hash, &at, &row);
	s = db_stmt(d, "INSERT INTO audit(n, time, actor, action, subject, detail, hash) VALUES(?, ?, ?, ?, ?, ?, ?)");
	bind_int(s, 1, row.n);
	bind_int(s, 2, now);
	bind_text(s, 3, actor);
	bind_text(s, 4, action);
	bind_text(s, 5, subject);
	bind_text(s, 6, detail);
	bind_blob(s, 7, row.hash, sizeof row.hash);
	return db_run(s, e);
}

int audit_follow(struct audit_state *at, const struct audit_row *row, struct err *e)
{
	struct audit_row again = *row;

	if (row->n != at->n + 1)
		return err_set(e, REASON_AUDIT, "audit row %lld is missing; rows were removed or renumbered: compare with an export",
			       (long long)at->n + 1);
	audit_go_on(at, &again);
	if (memcmp(again.hash, row->hash, SHA256_LEN) == 0)
		return 0;
	at->n--;
	return err_set(e, REASON_AUDIT, "audit row %lld does not follow from the one before; it was changed or moved: compare "
		       "with an export", (long long)row->n);
}

void audit_go_on(struct audit_state *at, struct audit_row *row)
{
	row_hash(row->hash, at, row);
	at->n = row->n;
	memcpy(at->hash, row->hash, SHA256_LEN);
}

int audit_each(struct db *d, int64_t after, int64_t max, int (*each)(void *arg, const struct audit_row *row, struct err *e), void *arg,
	       struct err *e)
{
	struct stmt *s = db_stmt(d, "SELECT n, time, actor, action, subject, detail, hash FROM audit WHERE n > ?1 ORDER BY n LIMIT ?2");
	int rc;

	bind_int(s, 1, after);
	bind_int(s, 2, max);
	while ((rc = db_step(s, e)) == 1) {
		struct audit_row row = { .n = col_int(s, 0), .time = col_int(s, 1), .actor = col_text(s, 2), .action = col_text(s, 3),
					 .subject = col_text(s, 4), .detail = col_text(s, 5) };

		hash_read(s, 6, row.hash);
		rc = each(arg, &row, e);
		if (rc != 0)
			break;
	}
	db_reset(s);
	return rc;
}

int audit_count(struct db *d, const char *action, const char *subject, int64_t *n, struct err *e)
{
	struct stmt *s = db_stmt(d, "SELECT count(*) FROM audit WHERE action = ?1 AND subject = ?2");
	int rc;

	bind_text(s, 1, action);
	bind_text(s, 2, subject);
	rc = db_step(s, e);
	*n = rc == 1 ? col_int(s, 0) : 0;
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

static int follow(void *arg, const struct audit_row *row, struct err *e)
{
	return audit_follow(arg, row, e);
}

int audit_verify(struct db *d, int64_t *rows, struct err *e)
{
	struct audit_state at = {0};
	int rc = audit_each(d, INT64_MIN, INT64_MAX, follow, &at, e);

	*rows = at.n;
	return rc;
}
