#include <config.h>

#include "signer_crl.h"

#include <stdlib.h>

#include "crl.h"
#include "fault.h"
#include "mem.h"
#include "signer_count.h"

/* RFC 5280 3.3: an entry stays until it has been on one list that was made after the certificate's end. A list that was signed
 * and then not published must not be the only one. */
#define KEEP_EXPIRED_S 86400

const struct cert *crl_ca_of(const struct builder *b, enum crl_of of, struct err *e)
{
	const struct cert *ca = crl_ca(&b->ca, of);

	if (!ca)
		err_set(e, REASON_CONFIG, "no revocation list of the generation before is made: there was no rollover, it is over, or the key is gone");
	return ca;
}

/* ---- what is revoked ---- */
int crl_read_item(struct unpack *u, struct revoked_item *v)
{
	struct crl_entry x;

	unpack_str(u, v->serial, sizeof v->serial);
	v->reason = unpack_u8(u);
	v->date = (int64_t)unpack_u64(u);
	v->expires = (int64_t)unpack_u64(u);
	if (u->failed || crl_entry_serial(&x, v->serial) < 0 || v->date < 0 || v->date > X509_NO_EXPIRY || v->expires < 0)
		return -1;
	return v->reason == 0 || v->reason == crl_reason(crl_reason_name(v->reason)) ? 0 : -1;
}

static int remember_all(struct db *db, const uint8_t *ca, const struct revoked_item *list, size_t n, struct err *e)
{
	if (db_begin(db, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (count_revoked_add(db, ca, &list[i], e) < 0) {
			db_rollback(db);
			return -1;
		}
	return db_commit(db, e);
}

int crl_remember(const struct builder *b, struct db *db, struct unpack *u, struct err *e)
{
	uint8_t of = unpack_u8(u);
	uint32_t n = unpack_u32(u);
	struct revoked_item *list;
	const struct cert *ca;
	int rc = -2;

	if (of >= CRL_KINDS || n == 0 || n > SIGNER_REVOKED_MAX)
		return -2;
	ca = crl_ca_of(b, (enum crl_of)of, e);
	if (!ca)
		return -1;
	list = mem_new(n, sizeof *list);
	for (uint32_t i = 0; i < n; i++)
		if (crl_read_item(u, &list[i]) < 0)
			goto out;
	if (unpack_done(u))
		rc = remember_all(db, ca->spki_sha256, list, n, e);
	FAULT("signer.revoked");
out:
	free(list);
	return rc;
}

/* ---- the list ---- */
struct entries {
	struct crl_entry *entry;
	size_t n, room;
};

static int collect(void *arg, const struct revoked_item *v)
{
	struct entries *list = arg;
	struct crl_entry x = { .reason = v->reason, .date = v->date };

	if (crl_entry_serial(&x, v->serial) < 0)
		return 0;	/* not reached: crl_read_item() lets none in */
	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->entry = mem_grow(list->entry, list->room, sizeof *list->entry);
	}
	list->entry[list->n++] = x;
	return 0;
}

/* The number is on disk before there is a signature over it. */
static int take_number(struct db *db, const struct cert *ca, int64_t now, struct crl_plan *plan, int64_t *before, struct err *e)
{
	int64_t number = 0;

	if (db_begin(db, e) < 0)
		return -1;
	if (count_crl_next(db, ca->spki_sha256, now, &number, before, e) < 0) {
		db_rollback(db);
		return -1;
	}
	plan->number = (uint64_t)number;
	return db_commit(db, e);
}

int crl_sign_with(struct db *db, const struct cert *ca, const struct key *key, int64_t now, int64_t until, struct buf *der, bool *built, struct err *e)
{
	struct crl_plan plan = { .this_update = now - BACKDATE_S, .next_update = until };
	struct entries list = {0};
	int64_t before;
	int rc = take_number(db, ca, now, &plan, &before, e);

	*built = false;
	FAULT("signer.numbered");
	if (rc == 0)
		rc = count_revoked_list(db, ca->spki_sha256, before - KEEP_EXPIRED_S, collect, &list, e);
	plan.entry = list.entry;
	plan.n = list.n;
	if (rc == 0) {
		*built = true;
		rc = crl_build(&plan, ca, key, der, e);
	}
	free(list.entry);
	return rc;
}

int crl_sign(struct builder *b, struct db *db, int64_t now, struct unpack *u, struct buf *answer, struct err *e)
{
	uint8_t of = unpack_u8(u);
	uint32_t valid_s = unpack_u32(u);
	const struct cert *ca;
	const struct key *key;
	struct buf der = { .max = LIMIT_CRL };
	bool built;
	int rc;

	if (!unpack_done(u) || of >= CRL_KINDS || valid_s == 0 || valid_s > LIMIT_CRL_VALID_S)
		return -2;
	ca = crl_ca_of(b, (enum crl_of)of, e);
	if (!ca)
		return -1;
	key = signer_key(&b->keys, (enum crl_of)of, e);
	if (!key)
		return -1;
	rc = crl_sign_with(db, ca, key, now, now + (int64_t)valid_s, &der, &built, e);
	if (rc < 0 && built)
		signer_keys_failed(&b->keys, e);
	if (rc == 0)
		pack_bytes(answer, der.data, der.len);
	buf_free(&der);
	return rc;
}
