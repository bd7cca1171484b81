#include <config.h>

#include "signer_private.h"

#include <string.h>

#include "audit.h"
#include "clock.h"
#include "fault.h"
#include "mem.h"
#include "oid.h"

/* ---- the journal, to tell ---- */
int signer_on_position(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct count_position p;

	if (!unpack_done(u))
		return -2;
	if (count_position(s->db, &p, e) < 0)
		return -1;
	pack_u64(answer, p.changes);
	pack_u64(answer, p.told);
	return 0;
}

static int pack_row(void *arg, const struct signed_row *row)
{
	pack_u8(arg, 1);
	signed_row_pack(arg, row);
	return 0;
}

int signer_on_journal(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	uint64_t after = unpack_u64(u), last = unpack_u64(u);

	if (!unpack_done(u) || after > INT64_MAX || last > INT64_MAX)
		return -2;
	if (count_journal(s->db, after, last, SIGNER_ROWS, pack_row, answer, e) < 0)
		return -1;
	pack_u8(answer, 0);
	return 0;
}

static int pack_order(void *arg, const char *id, bool closed, const struct buf *cms)
{
	pack_u8(arg, 1);
	pack_str(arg, id);
	pack_u8(arg, closed);
	pack_bytes(arg, cms->data, cms->len);
	return 0;
}

int signer_on_orders(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	uint64_t skip = unpack_u64(u);

	if (!unpack_done(u) || skip > INT64_MAX)
		return -2;
	if (count_orders(s->db, skip, SIGNER_ORDERS_MAX, pack_order, answer, e) < 0)
		return -1;
	pack_u8(answer, 0);
	return 0;
}

/* ---- after a restore ---- */
/* It must be what this CA has signed, for this device. */
static int row_is_ours(struct server *s, struct trust *roots, const struct signed_row *row, const struct chain *chain, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_ANY, .ignore_expiry = true, .now = clock_utc(),
				   .policy = s->build.site == SITE_FACTORY ? OID_POLICY_FACTORY : OID_POLICY_CUSTOMER };

	if (trust_verify(roots, chain, &rule, e) < 0)
		return err_prefix(e, "serial %s: the ledger's certificate", row->device.serial);
	if (strcmp(chain->cert[0].device.serial, row->device.serial) == 0)
		return 0;
	return err_set(e, REASON_AUTHORITY, "serial %s: the ledger's certificate is another device's", row->device.serial);
}

/* A row that signer.db may have lost. 1: it was not there, or in another state. */
static int take_row(struct server *s, struct trust *roots, const struct signed_row *row, bool apply, struct err *e)
{
	const struct authority *ca = &s->build.ca;
	const struct buf *issuing = &ca->issuing.cert->der, *older = ca->older_issuing.n ? &ca->older_issuing.cert->der : NULL;
	struct chain chain = {0};
	int rc = -1, known = 1;
	struct count_order order;

	if (chain_add(&chain, row->der.data, row->der.len, e) == 0 && chain_add(&chain, issuing->data, issuing->len, e) == 0 &&
	    (!older || chain_add(&chain, older->data, older->len, e) == 0))
		rc = row_is_ours(s, roots, row, &chain, e);
	if (rc == 0 && *row->order)
		known = count_order_get(s->db, row->order, NULL, &order, e);
	if (rc == 0 && known == 0)	/* a plan: it is shown the order before the row */
		rc = apply ? err_set(e, REASON_ORDER, "serial %s: order %s was never shown to the signer", row->device.serial, row->order) : 1;
	else if (rc == 0)
		rc = known < 0 ? -1 : count_take_over(s->db, row, &chain.cert[0], e);
	chain_free(&chain);
	return rc;
}

/* Also what a rollover has ended: it was signed once. */
static int all_roots(struct server *s, struct trust *roots, struct err *e)
{
	const struct authority *ca = &s->build.ca;

	if (trust_add_root(roots, ca->root.cert, e) < 0)
		return -1;
	return ca->older_root.n ? trust_add_root(roots, ca->older_root.cert, e) : 0;
}

int signer_on_take_over(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	bool apply = unpack_u8(u);
	uint32_t n = unpack_u32(u);
	struct signed_row row = {0};
	struct trust *roots;
	int rc;

	if (n > SIGNER_ROWS)
		return -2;
	if (db_begin(s->db, e) < 0)
		return -1;
	roots = trust_new();
	for (rc = all_roots(s, roots, e); n && rc >= 0; n--) {
		signed_row_unpack(u, &row);
		rc = u->failed ? -2 : take_row(s, roots, &row, apply, e);
		pack_u8(answer, rc == 1);
	}
	signed_row_free(&row);
	trust_free(roots);
	if (rc >= 0 && !unpack_done(u))
		rc = -2;
	FAULT("signer.taking-over");
	if (rc >= 0 && apply)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return rc < 0 ? rc : 0;
}

/* Above both: what either of them said before is then behind. */
int signer_on_agree(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	uint64_t ledger = unpack_u64(u);
	struct audit_state base = { .n = (int64_t)unpack_u64(u) };
	struct count_position p;

	unpack_fixed(u, base.hash, SHA256_LEN);
	if (!unpack_done(u) || ledger >= INT64_MAX || base.n < 0)
		return -2;
	if (db_begin(s->db, e) < 0)
		return -1;
	if (count_position(s->db, &p, e) == 0) {
		p.changes = (p.changes > ledger ? p.changes : ledger) + 1;
		if (count_agree(s->db, p.changes, e) == 0 && signer_new_history(s, &base, e) == 0 &&
		    audit_add(s->db, clock_utc(), "operator", "reconcile", "ledger", "", e) == 0 && db_commit(s->db, e) == 0) {
			FAULT("signer.agreed");
			pack_u64(answer, p.changes);
			return 0;
		}
	}
	db_rollback(s->db);
	return -1;
}
