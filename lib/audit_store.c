/* The heads that a database keeps: the part of audit_head.h that needs one. */
#include <config.h>

#include "audit_head.h"

#include <string.h>

int audit_head_put(struct db *d, const struct audit_head *h, struct err *e)
{
	struct stmt *s = db_stmt(d, "INSERT OR REPLACE INTO audit_head(history, n, hash, time, signature) VALUES(?1, ?2, ?3, ?4, ?5)");

	bind_int(s, 1, (int64_t)h->history);
	bind_int(s, 2, h->at.n);
	bind_blob(s, 3, h->at.hash, SHA256_LEN);
	bind_int(s, 4, h->time);
	bind_blob(s, 5, h->signature, h->len);
	return db_run(s, e);
}

/* What does not fit is not cut: it verifies nowhere. */
static void copy_blob(struct stmt *s, int column, uint8_t *out, size_t size, size_t *len)
{
	struct buf b = {0};

	col_blob(s, column, &b);
	*len = b.len <= size ? b.len : 0;
	memset(out, 0, size);
	if (*len)
		memcpy(out, b.data, *len);
	buf_free(&b);
}

static void head_columns(struct stmt *s, struct audit_head *h)
{
	size_t len;

	*h = (struct audit_head){ .history = (uint64_t)col_int(s, 0), .at.n = col_int(s, 1), .time = col_int(s, 3) };
	copy_blob(s, 2, h->at.hash, sizeof h->at.hash, &len);
	copy_blob(s, 4, h->signature, sizeof h->signature, &h->len);
}

#define HEAD "SELECT history, n, hash, time, signature FROM audit_head ORDER BY "

int audit_head_last(struct db *d, struct audit_head *h, struct err *e)
{
	struct stmt *s = db_stmt(d, HEAD "history DESC, n DESC LIMIT 1");
	int rc = db_step(s, e);

	*h = (struct audit_head){0};
	if (rc == 1)
		head_columns(s, h);
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

int audit_head_each(struct db *d, int (*each)(void *arg, const struct audit_head *h, struct err *e), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(d, HEAD "n, history");
	struct audit_head h;
	int rc;

	while ((rc = db_step(s, e)) == 1) {
		head_columns(s, &h);
		rc = each(arg, &h, e);
		if (rc != 0)
			break;
	}
	db_reset(s);
	return rc;
}

/* ---- who signed them ---- */
int audit_signer_put(struct db *d, const struct chain *ch, struct err *e)
{
	struct stmt *s = db_stmt(d, "INSERT OR IGNORE INTO audit_signer(sha256, chain) VALUES(?1, ?2)");
	struct buf pem = {0};
	int rc;

	chain_to_pem(ch, &pem);
	bind_blob(s, 1, ch->cert[0].sha256, SHA256_LEN);
	bind_blob(s, 2, pem.data, pem.len);
	rc = db_run(s, e);
	buf_free(&pem);
	return rc;
}

int audit_signer_each(struct db *d, int (*each)(void *arg, const struct chain *ch, struct err *e), void *arg, struct err *e)
{
	struct stmt *s = db_stmt(d, "SELECT chain FROM audit_signer ORDER BY n");
	int rc;

	while ((rc = db_step(s, e)) == 1) {
		struct chain ch = {0};
		struct buf pem = {0};

		col_blob(s, 0, &pem);
		rc = chain_from_pem(&ch, &pem, e) < 0 ? -1 : each(arg, &ch, e);
		buf_free(&pem);
		chain_free(&ch);
		if (rc != 0)
			break;
	}
	db_reset(s);
	return rc;
}
