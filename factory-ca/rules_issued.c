/* What becomes of a request that was issued, and what its unit may read. */
#include <config.h>

#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "rules_private.h"
#include "text.h"

/* ---- confirm ---- */
/* The device has its new certificate: the one that it renews is over, if the node has not revoked it yet. */
int request_take_place(struct db *db, const struct rules *ru, const char *actor, const struct ledger_request *r,
		       const struct device_id *device, struct err *e)
{
	struct ledger_request old = {0};
	int rc = ledger_request_get(db, r->unit, r->renews, &old, e);

	if (rc == 1 && (old.state == CA_ACTIVE || old.state == CA_PENDING) &&
	    (ledger_request_state(db, old.n, CA_SUPERSEDED, r->id.id, ru->now, e) < 0 ||
	     audit_request(db, ru->now, actor, "supersede", device, &old.id, "renewed", e) < 0))
		rc = -1;
	ledger_request_free(&old);
	return rc < 0 ? -1 : ledger_request_renewed(db, r->n, e);
}

static int confirm_row(struct db *db, const struct rules *ru, const char *actor, struct ledger_request *r,
		       struct ca_answer *a, struct err *e)
{
	struct ledger_device device = {0};
	struct ledger_order o;

	if (r->device && ledger_device_by_n(db, r->device, &device, e) < 0)
		return -1;
	if (*r->order && ledger_order_get(db, r->order, &o, NULL, e) == 1 && o.state == ORDER_COMPROMISED) {
		ca_refuse(a, REASON_ORDER, "the work order was closed as compromised; put the unit aside");
		return audit_request(db, ru->now, actor, "refuse", &device.id, &r->id,
				     "E41 confirm of a compromised order", e);
	}
	if (r->state != CA_PENDING && r->state != CA_ACTIVE) {
		answer_dead(a, &r->id, device.generation > r->id.generation ? device.generation : r->id.generation);
		return 0;
	}
	a->result = CA_CONFIRMED;
	a->request = r->id;
	a->state = CA_ACTIVE;
	if (r->state == CA_ACTIVE)
		return 0;
	if ((*r->renews && request_take_place(db, ru, actor, r, &device.id, e) < 0) ||
	    ledger_request_state(db, r->n, CA_ACTIVE, NULL, ru->now, e) < 0)
		return -1;
	if (ru->site == SITE_FACTORY) {
		device.passed = true;
		if (ledger_device_put(db, &device, e) < 0)
			return -1;
	}
	FAULT("confirm.done");
	return audit_request(db, ru->now, actor, "confirm", &device.id, &r->id, "", e);
}

int request_confirm(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq,
		    struct ca_answer *a, struct err *e)
{
	struct ledger_request r = {0};
	int rc = unit ? ledger_request_get(db, unit, rq->request.id, &r, e)
		      : ledger_request_confirmed(db, rq->request.id, rq->certificate, &r, e);

	if (rc < 0)
		goto out;
	/* a tombstone or a lapsed reservation has no certificate to compare with: it is dead in any case */
	if (rc == 0 || strcmp(r.id.id, rq->request.id) != 0 ||
	    (r.cert.len && memcmp(r.cert_sha256, rq->certificate, SHA256_LEN) != 0)) {
		ca_refuse(a, REASON_REQUEST, "confirm: no such request id and certificate");
		rc = request_refused(db, ru->now, unit ? unit : "device", rq, a, e);
	} else {
		rc = confirm_row(db, ru, unit ? unit : "device", &r, a, e);
	}
out:
	ledger_request_free(&r);
	return rc < 0 ? -1 : 0;
}

/* ---- revoke ---- */
int request_end(struct db *db, int64_t now, const char *actor, struct ledger_request *r, struct ledger_device *device,
		const char *reason, const char *action, struct err *e)
{
	if (r->state == CA_PENDING && request_give_up(db, r, device, e) < 0)
		return -1;
	if (ledger_request_state(db, r->n, CA_REVOKED, reason, now, e) < 0 ||
	    (device->n && ledger_device_put(db, device, e) < 0))
		return -1;
	return audit_request(db, now, actor, action, &device->id, &r->id, reason, e);
}

/* The id was never seen: a late request must not bring it to life. */
static int tombstone(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq,
		     struct err *e)
{
	struct ledger_request r = { .id = rq->request, .state = CA_REVOKED }, open = {0};
	struct ledger_device d = {0};
	int rc = 0;

	snprintf(r.unit, sizeof r.unit, "%s", unit);
	if (device_valid(&rq->device) && ledger_device_get(db, &rq->device, &d, e) < 0)
		return -1;
	if (d.n) {
		uint32_t g = rq->request.generation;

		rc = ledger_request_open(db, d.n, &open, e);
		if (rc < 0)
			goto out;
		r.device = d.n;
		/* older ids of the device die with it, but not those of another unit's device, nor by a wild jump */
		if ((rc == 0 || strcmp(open.unit, unit) == 0) && g > d.generation &&
		    g - d.generation <= LIMIT_GENERATION_JUMP) {
			d.generation = g;
			if (ledger_device_put(db, &d, e) < 0) {
				rc = -1;
				goto out;
			}
		}
	}
	rc = ledger_request_add(db, ru->ca, &r, ru->now, e);
	if (rc == 0)
		rc = ledger_request_state(db, r.n, CA_REVOKED, rq->reason, ru->now, e);
	if (rc == 0)
		rc = audit_request(db, ru->now, unit, "tombstone", &rq->device, &rq->request, rq->reason, e);
out:
	ledger_request_free(&open);
	return rc;
}

static int revoke_known(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq,
			struct ledger_request *r, struct ca_answer *a, struct err *e)
{
	struct ledger_device device = {0};

	if (r->device && ledger_device_by_n(db, r->device, &device, e) < 0)
		return -1;
	if (ru->site == SITE_FACTORY && r->state == CA_ACTIVE) {
		/* a unit that has passed is the operator's: else a station could turn one unit of the order into two */
		ca_refuse(a, REASON_ROLE, "the credential is active; only an operator revokes it");
		return request_refused(db, ru->now, unit, rq, a, e);
	}
	a->result = CA_REVOKED_OK;
	a->request = r->id;
	a->state = CA_REVOKED;
	if (r->state != CA_PENDING && r->state != CA_ACTIVE)
		return 0;
	/* The tries of a serial are counted on after a lapse and after a station's own revocation: else two devices with one
	 * label would burn the scrap allowance a lapse at a time. A node's release and an operator begin anew. */
	if (ru->site == SITE_CUSTOMER)
		device.superseded = 0;
	return request_end(db, ru->now, unit, r, &device, rq->reason, "revoke", e);
}

/* Both stations of a takeover hear of it when they ask. */
static int tell_takeover(struct db *db, const struct ledger_request *r, struct ca_answer *a, struct err *e)
{
	char by[UNIT_MAX] = "", from[UNIT_MAX] = "";

	if (ledger_takeover_told(db, r->n, by, from, e) < 0)
		return -1;
	text_copy(a->taken_by, sizeof a->taken_by, unit_name(by));	/* "" stays "" */
	text_copy(a->taken_from, sizeof a->taken_from, unit_name(from));
	return 0;
}

int request_revoke(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq,
		   struct ca_answer *a, struct err *e)
{
	struct ledger_request r = {0};
	int rc = ledger_request_get(db, unit, rq->request.id, &r, e);

	if (rc == 1) {
		rc = revoke_known(db, ru, unit, rq, &r, a, e);
		if (rc == 0 && a->result == CA_REVOKED_OK)
			rc = tell_takeover(db, &r, a, e);
	} else if (rc == 0) {
		rc = tombstone(db, ru, unit, rq, e);
		a->result = CA_REVOKED_OK;
		a->request = rq->request;
		a->state = CA_REVOKED;
	}
	ledger_request_free(&r);
	return rc;
}

/* ---- reading ---- */
/* A node asks before it calls an id dead that it does not know: the device may have it from another node. A station asks before it
 * passes a device, which may have what it shows from another station, and may have lost it since. */
int request_status(struct db *db, const struct rules *ru, const char *unit, const struct ca_request *rq, struct ca_answer *a,
		   struct err *e)
{
	struct ledger_request r = {0};
	int rc = ledger_request_get(db, unit, rq->request.id, &r, e);
	bool own = rc == 1, open = r.state == CA_RESERVED || r.state == CA_PENDING || r.state == CA_ACTIVE;

	if (rc == 0 && ru->site == SITE_FACTORY)
		rc = ledger_request_of_stations(db, rq->request.id, &r, e);
	a->result = CA_STATUS_IS;
	a->request = rc == 1 ? r.id : rq->request;
	a->state = rc == 1 ? r.state : CA_UNKNOWN;
	if (own && tell_takeover(db, &r, a, e) < 0)
		rc = -1;
	ledger_request_free(&r);
	if (rc >= 0 && !open && ru->site == SITE_CUSTOMER && (rc = ledger_request_elsewhere(db, unit, rq->request.id, e)) == 1)
		ca_refuse(a, REASON_OTHER_SITE, "another node has this device; it must release it first");
	return rc < 0 ? -1 : 0;
}

int request_work_order(struct db *db, const char *unit, const struct ca_request *rq, const struct work_order *order,
		       struct ca_answer *a, struct err *e)
{
	const char *name = strchr(unit, ':');
	struct ledger_order o;
	int rc = order ? ledger_order_get(db, rq->order, &o, &a->order, e) : 0;

	if (rc < 0)
		return -1;
	if (rc == 0 || !name || !work_order_has_station(order, name + 1)) {
		ca_refuse(a, REASON_ORDER, "there is no such work order for this station");
		return 0;
	}
	/* a closed one is still needed to finish the devices that are under way */
	rc = o.state == ORDER_CLOSED ? ledger_order_pending(db, o.id, unit, e) : o.state == ORDER_OPEN;
	if (rc < 0)
		return -1;
	if (rc == 0) {
		ca_refuse(a, REASON_ORDER, "the work order is closed");
		return 0;
	}
	a->result = CA_ORDER_IS;
	a->ordered = o.quota;
	a->done = o.used;
	return 0;
}
