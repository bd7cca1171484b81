/* recover: what a node whose database was put back from a backup may learn (doc/protocol-ca.md 4.10, 5.9). */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "ledger_list.h"
#include "rules.h"

/* Of certificates and keys in one answer: in base64, with all else, it stays well below LIMIT_FRAME_UNIT. */
#define PAGE_BYTES (256u << 10)

struct page {
	struct ca_answer *a;
	size_t bytes;
	int64_t last;		/* row of the last one in it */
};

static int add(void *arg, const struct ledger_row *row)
{
	const struct ledger_request *r = &row->r;
	struct page *p = arg;
	struct ca_known *k;

	if (p->a->n_known == LIMIT_BATCH || p->bytes >= PAGE_BYTES) {
		p->a->next = p->last;
		return -1;
	}
	k = ca_known_add(p->a);
	k->request = r->id;
	k->device = row->device;
	k->state = r->state;
	if (r->state == CA_REVOKED)
		snprintf(k->reason, sizeof k->reason, "%s", ca_reason_known(row->reason) ? row->reason : "unspecified");
	memcpy(k->renews, r->renews, sizeof k->renews);
	k->made = r->made;
	buf_set(&k->public_key, r->spki.data, r->spki.len);
	buf_set(&k->certificate, r->cert.data, r->cert.len);
	buf_set(&k->encrypted_key, r->encrypted_key.data, r->encrypted_key.len);
	p->bytes += r->spki.len + r->cert.len + r->encrypted_key.len;
	p->last = r->n;
	return 0;
}

int request_recover(struct db *db, const char *unit, const struct ca_request *rq, struct ca_answer *a, struct err *e)
{
	struct page page = { .a = a };

	a->result = CA_RECOVERED;
	if (ledger_mark_get(db, unit, a->mark, e) < 0)
		return -1;
	return rq->list ? ledger_unit_requests(db, unit, rq->after, add, &page, e) : 0;
}
