/* Answers about one certificate in handsel-signer. "Good" is said of nothing but what this CA key has signed and nobody has told to be
 * revoked or over; what was told once stays revoked (signer_crl.c), whatever the front says.
 *
 * A delegated responder signs (RFC 6960 4.2.2.2), and not the CA's own key: that may sign certificates and lists, and its keyUsage says
 * so (RFC 5280 4.2.1.3); and a key in a token would sign each answer slowly. The responder's key is in this process's memory alone; its
 * certificate is short-lived and says itself that nobody need ask for it. */
#include <config.h>

#include "signer_private.h"

#include <string.h>

#include "audit.h"
#include "clock.h"
#include "crl.h"
#include "fault.h"
#include "mem.h"
#include "signer_crl.h"

#define RESPONDER_DAYS 14
#define DAY_S 86400

void responder_free(struct responder *r)
{
	key_free(r->key);
	cert_free(&r->cert);
	*r = (struct responder){0};
}

/* ---- its certificate ---- */
static int note(struct server *s, int64_t now, const struct cert *c, struct err *e)
{
	if (db_begin(s->db, e) < 0)
		return -1;
	if (audit_add(s->db, now, "signer", "responder", c->issuer, c->serial, e) == 0)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return -1;
}

static int certify(struct server *s, enum crl_of of, int64_t now, struct responder *r, struct err *e)
{
	struct buf spki = {0}, der = {0};
	int rc = -1;

	r->key = key_generate(KEY_P256, e);
	if (r->key && key_spki(r->key, &spki, e) == 0 && build_responder(&s->build, of, &spki, now, now + RESPONDER_DAYS * DAY_S, &der, e) == 0 &&
	    cert_parse(&r->cert, der.data, der.len, e) == 0)
		rc = note(s, now, &r->cert, e);
	if (rc < 0)
		responder_free(r);
	buf_free(&spki);
	buf_free(&der);
	return rc;
}

/* Good until the answer is over; made anew when half of its time is left. */
static const struct responder *responder_of(struct server *s, enum crl_of of, int64_t now, struct err *e)
{
	struct responder *r = &s->responder[of];

	if (r->key && now >= r->cert.not_before && now < r->cert.not_after - RESPONDER_DAYS * DAY_S / 2)
		return r;
	responder_free(r);
	return certify(s, of, now, r, e) == 0 ? r : NULL;
}

/* ---- what it says ---- */
struct ocsp_task {
	uint8_t of, hash, is_revoked;
	uint32_t valid_s;
	char serial[2 * CERT_SERIAL_MAX + 1];
	struct buf cert;
	struct revoked_item revoked;
};

static bool task_unpack(struct unpack *u, struct ocsp_task *t)
{
	struct crl_entry x;

	t->of = unpack_u8(u);
	t->hash = unpack_u8(u);
	t->valid_s = unpack_u32(u);
	unpack_str(u, t->serial, sizeof t->serial);
	unpack_bytes(u, &t->cert);
	t->is_revoked = unpack_u8(u);
	if (u->failed || t->is_revoked > 1 || (t->is_revoked && crl_read_item(u, &t->revoked) < 0))
		return false;
	return unpack_done(u) && t->of < CRL_KINDS && t->hash < OCSP_HASHES && t->valid_s && t->valid_s <= LIMIT_OCSP_VALID_S &&
	       crl_entry_serial(&x, t->serial) == 0 && (!t->is_revoked || strcmp(t->revoked.serial, t->serial) == 0);
}

/* 1: the journal says that this certificate is over. It must be one that this key has signed, of that number, else code REQUEST. */
static int has_ended(struct server *s, const struct ocsp_task *t, const struct cert *ca, struct err *e)
{
	struct cert c;
	int rc = cert_parse(&c, t->cert.data, t->cert.len, e);

	if (rc < 0)
		return -1;
	if (strcmp(c.serial, t->serial) != 0)
		rc = err_set(e, REASON_REQUEST, "the certificate has another serial number than %s", t->serial);
	else
		rc = cert_signed_by(&c, ca, e);
	if (rc == 0)
		rc = count_ended(s->db, &c, e);
	cert_free(&c);
	return rc;
}

/* The signer's own memory first. */
static int judge(struct server *s, struct ocsp_task *t, const struct cert *ca, struct ocsp_plan *plan, struct err *e)
{
	int rc = count_revoked_get(s->db, ca->spki_sha256, t->serial, &t->revoked, e);

	if (rc == 0 && t->is_revoked) {
		if (db_begin(s->db, e) < 0)
			return -1;
		if (count_revoked_add(s->db, ca->spki_sha256, &t->revoked, e) < 0 || db_commit(s->db, e) < 0) {
			db_rollback(s->db);
			return -1;
		}
		FAULT("signer.revoked");
		rc = 1;
	}
	if (rc == 1) {
		plan->status = OCSP_REVOKED;
		plan->reason = t->revoked.reason;
		plan->revoked = t->revoked.date;
		return 0;
	}
	plan->status = t->cert.len ? OCSP_GOOD : OCSP_UNKNOWN;
	if (rc < 0 || !t->cert.len)
		return rc;
	rc = has_ended(s, t, ca, e);
	return rc == 1 ? err_set(e, REASON_CA_UNAVAILABLE, "certificate %s is over, and nobody has said how: the ledger must tell of its revocation",
				 t->serial)
		       : rc;
}

static int answer_task(struct server *s, struct ocsp_task *t, struct buf *answer, struct err *e)
{
	const struct cert *ca = crl_ca_of(&s->build, (enum crl_of)t->of, e);
	const struct responder *r;
	int64_t now = clock_utc();
	struct ocsp_plan plan = { .hash = (enum ocsp_hash)t->hash, .ca = ca, .serial = t->serial, .produced = now, .this_update = now - BACKDATE_S,
				  .next_update = now + (int64_t)t->valid_s };
	struct buf der = {0};
	int rc;

	if (!ca || judge(s, t, ca, &plan, e) < 0)
		return -1;
	r = responder_of(s, (enum crl_of)t->of, now, e);
	rc = r ? ocsp_build(&plan, &r->cert, r->key, &der, e) : -1;
	if (rc == 0) {
		pack_u8(answer, (uint8_t)plan.status);
		pack_u64(answer, (uint64_t)plan.this_update);
		pack_u64(answer, (uint64_t)plan.next_update);
		pack_bytes(answer, der.data, der.len);
	}
	buf_free(&der);
	return rc;
}

int signer_on_ocsp(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct ocsp_task t = {0};
	int rc = task_unpack(u, &t) ? answer_task(s, &t, answer, e) : -2;

	buf_free(&t.cert);
	return rc;
}
