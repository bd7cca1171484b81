#include <config.h>

#include "learn.h"

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "mem.h"
#include "rules_private.h"

struct lesson {
	struct db *db;
	struct learn *l;
	bool open;			/* in two passes: first what is over, since that makes room for what is not */
};

static bool is_open(enum ca_state s)
{
	return s == CA_RESERVED || s == CA_PENDING || s == CA_ACTIVE;
}

static const char *state_of(const struct signed_row *row)
{
	return row->ended ? "ended" : row->active ? "active" : "pending";
}

static int noted(struct lesson *le, const struct signed_row *row, struct err *e)
{
	le->l->n++;
	if (le->l->told)
		le->l->told(le->l->arg, row);
	FAULT("learn.row");
	return audit_request(le->db, le->l->rules.now, le->l->actor, "learn", &row->device, &row->id, state_of(row), e);
}

/* The ledger has the certificate, in an earlier state. */
static int learn_known(struct lesson *le, const struct signed_row *row, struct ledger_request *r, struct err *e)
{
	const struct rules *ru = &le->l->rules;
	struct ledger_device d = {0};

	if (!is_open(r->state) || (!row->ended && (r->state == CA_ACTIVE || !row->active)))
		return 0;
	if (ledger_device_by_n(le->db, r->device, &d, e) < 0)
		return -1;
	if (row->ended && r->state == CA_PENDING && !row->active && request_give_up(le->db, r, &d, e) < 0)
		return -1;
	if (!row->ended && *r->renews && request_take_place(le->db, ru, le->l->actor, r, &d.id, e) < 0)
		return -1;
	d.passed |= row->active && ru->site == SITE_FACTORY;
	if (ledger_request_state(le->db, r->n, row->ended ? CA_REVOKED : CA_ACTIVE, row->ended ? "unspecified" : NULL, ru->now, e) < 0 ||
	    ledger_device_put(le->db, &d, e) < 0)
		return -1;
	return noted(le, row, e);
}

/* What else the ledger holds open of this device is dead, but for the credential that a renewal waits beside. */
static int make_room(struct lesson *le, const struct signed_row *row, struct ledger_device *d, struct err *e)
{
	bool beside = *row->renews && !row->active;
	struct ledger_request r = {0};
	int rc = 0;

	while (d->n && (rc = beside ? ledger_request_renewal(le->db, d->n, &r, e) : ledger_request_open(le->db, d->n, &r, e)) == 1)
		if ((r.state == CA_PENDING && request_give_up(le->db, &r, d, e) < 0) ||
		    ledger_request_state(le->db, r.n, CA_SUPERSEDED, row->id.id, le->l->rules.now, e) < 0) {
			rc = -1;
			break;
		}
	ledger_request_free(&r);
	return rc < 0 ? -1 : 0;
}

/* The unit of the order, as the lost reservation took it. 1 it has one, 0 there is none left, -1 */
static int take_unit(struct lesson *le, const struct signed_row *row, struct ledger_device *d, bool *took, struct err *e)
{
	struct ledger_order o;
	int rc;

	*took = false;
	if (!*row->order || strcmp(d->order, row->order) == 0)
		return 1;
	rc = ledger_order_get(le->db, row->order, &o, NULL, e);
	if (rc == 0)
		return err_set(e, REASON_ORDER, "serial %s: the ledger does not know its work order %s", row->device.serial, row->order);
	if (rc < 0 || o.used >= o.quota)
		return rc < 0 ? -1 : 0;
	*took = true;
	snprintf(d->order, sizeof d->order, "%s", row->order);
	return ledger_order_take(le->db, row->order, e) < 0 ? -1 : 1;
}

/* The state that an unknown row gets: as the signer says, but no order ever has more units than its quota. */
static int settle(struct lesson *le, const struct signed_row *row, struct ledger_device *d, struct ledger_request *r, struct err *e)
{
	int rc;

	r->state = row->ended ? CA_REVOKED : row->active ? CA_ACTIVE : CA_PENDING;
	if (!row->ended && make_room(le, row, d, e) < 0)
		return -1;
	if (row->ended && !row->active)
		return 0;
	rc = take_unit(le, row, d, &r->took_unit, e);
	if (rc == 0 && row->active && !row->ended)
		return err_set(e, REASON_QUOTA, "serial %s was confirmed, and order %s has no unit for it: ledger and signer.db are not of one"
			       " CA system", row->device.serial, row->order);
	if (rc == 0)
		r->state = CA_REVOKED;
	if (le->l->rules.site == SITE_FACTORY)
		d->passed = row->active;
	return rc < 0 ? -1 : 0;
}

static const struct cert *issuer_of(const struct rules *ru, const struct cert *cert)
{
	return ru->older && strcmp(cert->issuer, ru->older->subject) == 0 ? ru->older : ru->issuing;
}

static int learn_new(struct lesson *le, const struct signed_row *row, const struct cert *cert, struct err *e)
{
	const struct rules *ru = &le->l->rules;
	struct ledger_request r = { .id = row->id, .made = row->made, .spki = row->spki, .encrypted_key = row->encrypted_key };
	struct ledger_device d = {0};
	int64_t uptime = 0;

	snprintf(r.unit, sizeof r.unit, "%s", row->unit);
	snprintf(r.order, sizeof r.order, "%s", row->order);
	if (ledger_device_get(le->db, &row->device, &d, e) < 0 || settle(le, row, &d, &r, e) < 0)
		return -1;
	if (r.state == CA_PENDING)
		snprintf(r.renews, sizeof r.renews, "%s", row->renews);
	if (row->id.generation > d.generation)
		d.generation = row->id.generation;
	if (r.state == CA_PENDING && ru->pending_s && ledger_uptime(le->db, &uptime, e) < 0)
		return -1;
	r.lapse_at = r.state == CA_PENDING && ru->pending_s ? uptime + ru->pending_s : 0;
	if (ledger_device_put(le->db, &d, e) < 0)
		return -1;
	r.device = d.n;
	if (ledger_request_whole(le->db, ru->ca, &r, cert, issuer_of(ru, cert), ru->now, e) < 0 ||
	    (r.state == CA_REVOKED && ledger_request_state(le->db, r.n, CA_REVOKED, "unspecified", ru->now, e) < 0) ||
	    (ru->site == SITE_FACTORY && ledger_takeover_learn(le->db, d.n, unit_name(r.unit), r.n, e) < 0))
		return -1;
	return noted(le, row, e);	/* the buffers of r are those of row */
}

int learn_row(struct db *ledger, struct learn *l, const struct signed_row *row, struct err *e)
{
	struct lesson le = { .db = ledger, .l = l };
	struct ledger_request r = {0};
	struct cert cert = {0};
	int rc = cert_parse(&cert, row->der.data, row->der.len, e);

	if (rc == 0)
		rc = ledger_request_by_serial(ledger, cert.serial, &r, e);
	if (rc == 1 && !mem_same(r.cert_sha256, cert.sha256, SHA256_LEN))
		rc = err_set(e, REASON_INTERNAL, "serial number %s: the ledger has another certificate of this number than the signer", cert.serial);
	if (rc == 1)
		rc = learn_known(&le, row, &r, e);
	else if (rc == 0 && (rc = ledger_request_get(ledger, row->unit, row->id.id, &r, e)) == 0)	/* else a tombstone: dead */
		rc = learn_new(&le, row, &cert, e);
	ledger_request_free(&r);
	cert_free(&cert);
	return rc < 0 ? -1 : 0;
}

static int learn_if(void *arg, const struct signed_row *row, struct err *e)
{
	struct lesson *le = arg;

	return row->ended == le->open ? 0 : learn_row(le->db, le->l, row, e);
}

const char *accord_text(enum accord a)
{
	static const char *const texts[] = {
		[ACCORD] = "ledger and signer agree",
		[LEDGER_BEHIND] = "the ledger is older than what the signer has signed: it was put back from a backup",
		[SIGNER_BEHIND] = "signer.db is older than the ledger, and counts too little: it was put back from a backup",
	};

	return texts[a];
}

int learn_compare(struct db *ledger, struct signer *s, const char *ca, enum accord *accord, uint64_t *at, uint64_t *changes,
		  struct err *e)
{
	uint64_t told;

	if (ledger_signer(ledger, at, e) < 0 || signer_position(s, ca, changes, &told, e) < 0)
		return -1;
	*accord = *at < told ? LEDGER_BEHIND : *at > *changes ? SIGNER_BEHIND : ACCORD;
	return 0;
}

int learn_all(struct db *ledger, struct signer *s, struct learn *l, uint64_t at, struct err *e)
{
	struct lesson le = { .db = ledger, .l = l };

	l->n = 0;
	for (int pass = 0; pass < 2; pass++, le.open = true)
		if (signer_journal(s, l->ca, at, learn_if, &le, e) < 0)
			return -1;
	return 0;
}
