#include <config.h>

#include "head.h"

#include <string.h>

#include "clock.h"
#include "fault.h"

static int keep(struct db *db, const struct node_identity *own, const struct audit_head *h, struct err *e)
{
	if (db_begin(db, e) < 0)
		return -1;
	if (audit_signer_put(db, &own->chain, e) == 0 && audit_head_put(db, h, e) == 0) {
		FAULT("node.head");
		return db_commit(db, e);
	}
	db_rollback(db);
	return -1;
}

int head_make(struct db *db, const struct node_identity *own, struct audit_head *h, struct err *e)
{
	int64_t restored;

	*h = (struct audit_head){ .time = clock_utc() };
	if (audit_last(db, &h->at, e) < 0 || audit_count(db, "recovered", "database", &restored, e) < 0)
		return -1;
	if (!h->at.n)
		return err_set(e, REASON_AUDIT, "the audit has no row yet, and so no head");
	h->history = 1 + (uint64_t)restored;
	return audit_head_sign(h, own->key, e) < 0 ? -1 : keep(db, own, h, e);
}

int head_keep(const char *dir, const struct node_identity *own, struct err *e)
{
	struct db *db = node_db_open(dir, e);
	struct audit_state last;
	struct audit_head h;
	int rc = db ? audit_last(db, &last, e) : -1;

	if (rc == 0)
		rc = audit_head_last(db, &h, e);
	if (rc == 0 && last.n && (h.at.n != last.n || memcmp(h.at.hash, last.hash, SHA256_LEN) != 0))
		rc = head_make(db, own, &h, e);
	db_close(db);
	return rc;
}
