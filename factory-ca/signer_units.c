/* Units that the front brings: an operator has invited one, or one renews. The front is believed in nothing: the invitation is
 * signed by an operator, the key to be certified by the code or by the unit's old key. */
#include <config.h>

#include "signer_private.h"

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "digest.h"
#include "fault.h"
#include "functions.h"
#include "mem.h"
#include "oid.h"
#include "policy.h"

#define RENEWAL_FRESH_S 3600	/* clocks differ by minutes; what is older was kept by somebody */

static int enter(struct server *s, const char *actor, const char *action, const struct unit_plan *p, struct err *e)
{
	char subject[CERT_ROLE_MAX + LIMIT_NAME + 2];

	snprintf(subject, sizeof subject, "%s:%s", p->role, p->name);
	return audit_add(s->db, clock_utc(), actor, action, subject, "", e);
}

/* ---- by a code ---- */
static int invited(struct server *s, const struct invitation *v, const struct buf *cms, const struct buf *spki, int64_t now, struct buf *der, struct err *e)
{
	struct unit_plan p = {0};
	struct buf before = {0};
	int rc = count_invitation_get(s->db, v->key, &before, der, e);

	if (rc == 1 && !buf_same(&before, spki))
		rc = err_set(e, REASON_ROLE, "the code was used already, by another key; if that was not you, revoke %s:%s", v->role, v->name);
	else if (rc == 0 && (now < v->not_before - BACKDATE_S || now > v->not_after))
		rc = err_set(e, REASON_CLOCK, "the code for %s:%s is over; invite the unit again", v->role, v->name);
	else if (rc == 0)
		rc = signer_may_invite(s, v, cms, e);
	buf_free(&before);
	if (rc != 0)	/* asked again after an answer that was lost: the same certificate */
		return rc < 0 ? -1 : 0;
	snprintf(p.role, sizeof p.role, "%s", v->role);
	snprintf(p.name, sizeof p.name, "%s", v->name);
	snprintf(p.functions, sizeof p.functions, "%s", v->functions);
	for (size_t i = 0; i < SIGNER_HOSTS; i++)
		snprintf(p.host[i], sizeof p.host[i], "%s", v->host[i]);
	if (build_unit(&s->build, &p, spki, now, der, e) < 0 || count_invitation_use(s->db, v->key, spki, der, e) < 0)
		return -1;
	return enter(s, v->operator_name, "enrol", &p, e);
}

_Static_assert(SIGNER_HOSTS == INVITATION_HOSTS, "a plan takes all hosts of an invitation");

int signer_on_enrol(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct buf cms = {0}, spki = {0}, signature = {0}, der = {0};
	struct invitation v;
	int rc = -2;

	unpack_bytes(u, &cms);
	unpack_bytes(u, &spki);
	unpack_bytes(u, &signature);
	if (!unpack_done(u))
		goto out;
	rc = -1;
	if (invitation_read(&v, cms.data, cms.len, s->build.ca.trust, e) < 0 || invite_verify(v.key, &spki, &signature, e) < 0 ||
	    db_begin(s->db, e) < 0)
		goto out;
	rc = invited(s, &v, &cms, &spki, clock_utc(), &der, e);
	if (rc == 0)
		rc = db_commit(s->db, e);
	else
		db_rollback(s->db);
	if (rc == 0)
		pack_bytes(answer, der.data, der.len);
	FAULT("enrol.certified");
out:
	buf_free(&cms);
	buf_free(&spki);
	buf_free(&signature);
	buf_free(&der);
	return rc;
}

/* ---- by the certificate that it has ---- */
/* Ended by name: of a person all certificates of before, of the local operator all. */
static int is_gone(struct server *s, const struct cert *unit, struct err *e)
{
	int64_t when;
	int rc = count_gone_get(s->db, unit->role, unit->name, &when, e);

	if (rc == 1 && strcmp(unit->role, PERSON) == 0 && unit->not_before + BACKDATE_S > when)
		rc = 0;
	return rc == 1 ? err_set(e, REASON_ROLE, "%s:%s was ended by \"operator revoke\"", unit->role, unit->name) : rc;
}

/* By an act, which an RA operator may sign: he ends units, and no operator. */
static int is_barred(struct server *s, const struct cert *unit, struct err *e)
{
	return functions_of(unit) ? 0 : count_barred_has(s->db, unit->serial, e);
}

int signer_unit_good(struct server *s, const struct cert *unit, int64_t now, struct err *e)
{
	const struct authority *ca = &s->build.ca;
	const struct cert *by[] = { ca->unit.cert, ca->overlap ? ca->older_unit.cert : NULL };
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .policy = OID_POLICY_UNIT, .pinned = true, .now = now };
	struct chain chain = {0};
	int rc = chain_add(&chain, unit->der.data, unit->der.len, e);

	for (size_t i = 0; i < ARRAY_LEN(by) && rc == 0; i++)
		if (by[i])
			rc = chain_add(&chain, by[i]->der.data, by[i]->der.len, e);
	if (rc == 0)
		rc = trust_verify(ca->trust, &chain, &rule, e);
	for (size_t i = 0; i < ARRAY_LEN(by) && rc == 0; i++)
		if (by[i])
			rc = count_revoked_has(s->db, by[i]->spki_sha256, unit->serial, e);
	if (rc == 0)
		rc = is_barred(s, unit, e);
	if (rc == 1)
		rc = err_set(e, REASON_ROLE, "the certificate of %s:%s was revoked, and is not renewed or believed", unit->role, unit->name);
	chain_free(&chain);
	return rc == 0 ? is_gone(s, unit, e) : rc;
}

static int may_renew(struct server *s, const struct cert *unit, int64_t now, struct err *e)
{
	if (signer_unit_good(s, unit, now, e) < 0)
		return -1;
	return policy_renews(policy_role(unit->role))
		? 0 : err_set(e, REASON_ROLE, "role %s does not renew by itself; invite %s again", unit->role, unit->name);
}

static int renewed(struct server *s, const struct unit_renewal *r, const struct cert *unit, const struct buf *spki, int64_t now,
		   struct buf *der, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	struct unit_plan p = {0};

	digest_sha256(sha256, spki->data, spki->len);
	if (memcmp(sha256, r->key_sha256, SHA256_LEN) != 0)
		return err_set(e, REASON_ROLE, "%s:%s has asked for another key to be certified", unit->role, unit->name);
	if (r->time < now - RENEWAL_FRESH_S || r->time > now + RENEWAL_FRESH_S)
		return err_set(e, REASON_CLOCK, "%s:%s has asked for its renewal more than an hour ago, or its clock is wrong", unit->role,
			       unit->name);
	if (may_renew(s, unit, now, e) < 0)
		return -1;
	snprintf(p.role, sizeof p.role, "%s", unit->role);
	snprintf(p.name, sizeof p.name, "%s", unit->name);
	snprintf(p.customer, sizeof p.customer, "%s", unit->customer);
	snprintf(p.functions, sizeof p.functions, "%s", unit->functions);
	if (cert_hosts(unit, p.host, SIGNER_HOSTS, e) < 0 || build_unit(&s->build, &p, spki, now, der, e) < 0 || db_begin(s->db, e) < 0)
		return -1;
	if (enter(s, unit->serial, "renew", &p, e) == 0)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return -1;
}

int signer_on_renew(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct buf cms = {0}, spki = {0}, der = {0};
	struct unit_renewal r;
	struct cert unit = {0};
	int rc = -2;

	unpack_bytes(u, &cms);
	unpack_bytes(u, &spki);
	if (!unpack_done(u))
		goto out;
	rc = unit_renewal_read(&r, &unit, cms.data, cms.len, s->build.ca.trust, e);
	if (rc == 0)
		rc = renewed(s, &r, &unit, &spki, clock_utc(), &der, e);
	if (rc == 0)
		pack_bytes(answer, der.data, der.len);
out:
	cert_free(&unit);
	buf_free(&cms);
	buf_free(&spki);
	buf_free(&der);
	return rc;
}
