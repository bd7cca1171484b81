/* What ends or permits by an operator's word, or by the clock: revocation, takeover, rework, lapse. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "fault.h"
#include "rules_private.h"

int request_revoke_open(struct db *db, int64_t now, const char *actor, struct ledger_device *d, const char *reason,
			struct err *e)
{
	struct ledger_request r = {0};
	int rc, done = 0;

	d->superseded = 0;
	while ((rc = ledger_request_open(db, d->n, &r, e)) == 1) {	/* and its renewal */
		if (request_end(db, now, actor, &r, d, reason, "revoke", e) < 0) {
			rc = -1;
			break;
		}
		done = 1;
	}
	ledger_request_free(&r);
	return rc < 0 ? -1 : done;
}

int request_revoke_certificate(struct db *db, int64_t now, const char *actor, const char *given, const char *reason, struct err *e)
{
	char serial[2 * CERT_SERIAL_MAX + 1];
	struct ledger_request r = {0};
	struct ledger_device d = {0};
	int rc;

	cert_serial_plain(serial, given);
	rc = ledger_unit_revoke(db, serial, reason, now, e);
	if (rc == 1)
		return audit_add(db, now, actor, "revoke", serial, reason, e) < 0 ? -1 : 1;
	if (rc == 0)
		rc = ledger_request_by_serial(db, serial, &r, e);
	if (rc == 1 && r.state != CA_PENDING && r.state != CA_ACTIVE)
		rc = 0;
	if (rc == 1)
		rc = ledger_device_by_n(db, r.device, &d, e);
	if (rc == 1)	/* the open one is this one: a device has no other */
		rc = request_revoke_open(db, now, actor, &d, reason, e);
	if (rc == 0)
		err_set(e, REASON_REQUEST, "no certificate with the serial %s is pending, active or a unit's", serial);
	ledger_request_free(&r);
	return rc;
}

int request_takeover(struct db *db, int64_t now, const char *actor, const struct ledger_device *d, const char *station,
		     const char *reason, char from[UNIT_MAX], struct err *e)
{
	struct ledger_request r = {0};
	char detail[2 * LIMIT_NAME + LIMIT_OPERATOR_TEXT + 32];
	int rc = ledger_request_open(db, d->n, &r, e);

	snprintf(from, UNIT_MAX, "%s", unit_name(r.unit));
	snprintf(detail, sizeof detail, "from=%s to=%s %s", from, station, reason);
	if (rc == 0) {
		err_set(e, REASON_REQUEST, "no station has serial %s pending: nothing is to be taken over", d->id.serial);
	} else if (rc == 1 && r.state == CA_ACTIVE) {
		rc = 0;
		err_set(e, REASON_SERIAL_ISSUED, "serial %s is active since station %s; only a rework has it issued again",
			d->id.serial, from);
	} else if (rc == 1 && strcmp(from, station) == 0) {
		rc = 0;
		err_set(e, REASON_REQUEST, "station %s has serial %s already", station, d->id.serial);
	} else if (rc == 1 && (ledger_takeover_put(db, r.n, station, now, e) < 0 ||
			       audit_request(db, now, actor, "takeover", &d->id, &r.id, detail, e) < 0)) {
		rc = -1;
	}
	ledger_request_free(&r);
	FAULT("takeover.given");
	return rc;
}

int request_rework(struct db *db, int64_t now, const char *actor, struct ledger_device *d, const char *reason,
		   struct err *e)
{
	char subject[3 * LIMIT_NAME + 3];

	if (!d->passed) {
		err_set(e, REASON_REQUEST, "serial %s had no active credential since its last rework; its station just goes on with it",
			d->id.serial);
		return 0;
	}
	d->passed = false;
	audit_subject(subject, &d->id);
	if (request_revoke_open(db, now, actor, d, "superseded", e) < 0 || ledger_device_put(db, d, e) < 0 ||
	    audit_add(db, now, actor, "rework", subject, reason, e) < 0)
		return -1;
	FAULT("rework.done");
	return 1;
}

int request_lapse(struct db *db, int64_t now, const struct ledger_ran *ran, int *count, struct err *e)
{
	struct ledger_request r = {0};
	struct ledger_device d;
	int rc = ledger_any_pending(db, e);

	*count = 0;
	if (rc == 1 && ledger_uptime_add(db, ran, e) < 0)
		rc = -1;
	while (rc == 1 && (rc = ledger_lapsed(db, &r, e)) == 1) {
		if (ledger_device_by_n(db, r.device, &d, e) < 0 ||
		    request_end(db, now, "ca", &r, &d, "lapsed", "lapse", e) < 0)
			rc = -1;
		else
			++*count;
	}
	ledger_request_free(&r);
	return rc < 0 ? -1 : 0;
}
