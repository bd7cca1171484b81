#include <config.h>

#include "audit.h"

#include <string.h>

#include "digest.h"
#include "pack.h"
#include "text.h"

struct row {
	int64_t n, time;
	const char *actor, *action, *subject, *detail;
};

/* Lengths are part of what is hashed, so that nothing can move from one field to the next. */
static void row_hash(uint8_t out[SHA256_LEN], const struct buf *previous, const struct row *row)
{
	struct buf b = {0};

	pack_bytes(&b, previous->data, previous->len);
	pack_u64(&b, (uint64_t)row->n);
	pack_u64(&b, (uint64_t)row->time);
	pack_str(&b, row->actor);
	pack_str(&b, row->action);
	pack_str(&b, row->subject);
	pack_str(&b, row->detail);
	digest_sha256(out, b.data, b.len);
	buf_free(&b);
}

int audit_add(struct db *d, int64_t now, const char *actor, const char *action, const char *subject, const char *detail,
	      struct err *e)
{
	struct row row = { .time = now, .actor = actor, .action = action, .subject = subject, .detail = detail };
	struct stmt *s = db_stmt(d, "SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1");
	struct buf previous = {0};
	uint8_t hash[SHA256_LEN];
	int rc = db_step(s, e);

	if (rc < 0)
		return -1;
	if (rc == 1) {
		row.n = col_int(s, 0);
		col_blob(s, 1, &previous);
		db_reset(s);
	}
	row.n++;
	row_hash(hash, &previous, &row);
	buf_free(&previous);
	s = db_stmt(d, "INSERT INTO audit(n, time, actor, action, subject, detail, hash) VALUES(?, ?, ?, ?, ?, ?, ?)");
	bind_int(s, 1, row.n);
	bind_int(s, 2, now);
	bind_text(s, 3, actor);
	bind_text(s, 4, action);
	bind_text(s, 5, subject);
	bind_text(s, 6, detail);
	bind_blob(s, 7, hash, sizeof hash);
	return db_run(s, e);
}

static int row_check(struct stmt *s, int64_t expected, struct buf *previous, struct err *e)
{
	struct row row = { .n = col_int(s, 0), .time = col_int(s, 1), .actor = col_text(s, 2), .action = col_text(s, 3),
			   .subject = col_text(s, 4), .detail = col_text(s, 5) };
	uint8_t hash[SHA256_LEN];
	struct buf stored = {0};
	bool same;

	if (row.n != expected)
		return err_set(e, REASON_STORAGE,
			       "audit row %lld is missing; rows were removed or renumbered: compare with an export",
			       (long long)expected);
	row_hash(hash, previous, &row);
	col_blob(s, 6, &stored);
	same = stored.len == sizeof hash && memcmp(stored.data, hash, sizeof hash) == 0;
	buf_free(previous);
	*previous = buf_steal(&stored);
	if (!same)
		return err_set(e, REASON_STORAGE,
			       "audit row %lld does not follow from the one before; it was changed or moved: compare "
			       "with an export", (long long)row.n);
	return 0;
}

int audit_verify(struct db *d, int64_t *rows, struct err *e)
{
	struct stmt *s = db_stmt(d, "SELECT n, time, actor, action, subject, detail, hash FROM audit ORDER BY n");
	struct buf previous = {0};
	int rc;

	*rows = 0;
	while ((rc = db_step(s, e)) == 1) {
		rc = row_check(s, *rows + 1, &previous, e);
		if (rc < 0)
			break;
		++*rows;
	}
	db_reset(s);
	buf_free(&previous);
	return rc;
}
