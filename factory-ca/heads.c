#include <config.h>

#include "heads.h"

#include <string.h>

#include "fault.h"

static int ask(const struct head_source *from, const struct audit_page *p, bool sign, struct audit_head *h, struct err *e)
{
	int rc;

	if (from->lock)
		pthread_mutex_lock(from->lock);
	rc = signer_head(*from->signer, from->name, p, sign, h, e);
	if (from->lock)
		pthread_mutex_unlock(from->lock);
	return rc;
}

/* The row that the signer has read last must stand where it stood. */
static int same_so_far(struct db *ledger, const struct audit_state *read, struct err *e)
{
	struct audit_state mine;
	int rc = audit_at(ledger, read->n, &mine, e);

	if (rc == 0)
		return err_set(e, REASON_AUDIT, "the audit has no row %lld, which the signer has read: its end was cut off, or ca.db was put back from a "
			       "backup; see \"handsel-ca audit verify\" and \"reconcile\"", (long long)read->n);
	if (rc == 1 && memcmp(mine.hash, read->hash, SHA256_LEN) != 0)
		return err_set(e, REASON_AUDIT, "audit row %lld is not the one that the signer has read: of the rows up to it one was changed; see "
			       "\"handsel-ca audit verify\"", (long long)read->n);
	return rc < 0 ? -1 : 0;
}

static int add(void *page, const struct audit_row *row, struct err *e)
{
	audit_page_add(page, row);
	return 0;
}

int head_make(const struct head_source *from, struct audit_head *h, struct err *e)
{
	struct audit_page page = {0};
	bool last = false;
	int rc = ask(from, &page, false, h, e);

	if (rc == 0)
		rc = same_so_far(from->ledger, &h->at, e);
	while (rc == 0 && !last) {
		page.after = h->at.n;
		page.n = 0;
		buf_clear(&page.rows);
		rc = audit_each(from->ledger, page.after, LIMIT_AUDIT_ROWS, add, &page, e);
		last = page.n < LIMIT_AUDIT_ROWS;
		if (rc == 0)
			rc = ask(from, &page, last, h, e);
	}
	buf_free(&page.rows);
	FAULT("front.head");
	return rc == 0 ? audit_head_verify(h, from->unit_ca, 1, e) : -1;
}
