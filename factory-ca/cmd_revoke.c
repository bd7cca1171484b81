#include <config.h>

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_remote.h"
#include "crew.h"
#include "ledger.h"
#include "mem.h"
#include "publish.h"
#include "rules.h"

/* ---- revoke ---- */
static int no_device(const char *serial, struct err *e)
{
	return err_set(e, REASON_REQUEST, "device %s has no credential that is pending or active", serial);
}

/* 1 done, 0 nothing to revoke, -1 */
static int revoke_device(struct office *o, const struct cli *c, const char *reason, struct err *e)
{
	struct ledger_device d = {0};
	struct device_id id = {0};
	const char *m = cli_get(c, "manufacturer"), *model = cli_get(c, "model");
	int rc;

	snprintf(id.serial, sizeof id.serial, "%s", cli_get(c, "device"));
	snprintf(id.manufacturer, sizeof id.manufacturer, "%s", m ? m : "");
	snprintf(id.model, sizeof id.model, "%s", model ? model : "");
	rc = ledger_device_find(o->ledger, &id, &d, e);
	if (rc == 1)
		rc = request_revoke_open(o->ledger, clock_utc(), o->actor, &d, reason, e);
	if (rc == 0)
		no_device(id.serial, e);
	return rc;
}

/* The signer hears of a unit's revocation at once and from us: a front that was taken over would keep it to itself, and have the
 * unit renewed. */
static int tell_signer(struct office *o, struct err *e)
{
	struct crl_source from = { .ca = &o->ca, .name = "", .ledger = o->ledger, .signer = signer_start(o->dir, SIGNER_FOR_OPERATOR, e) };
	int rc = from.signer ? crl_tell_units(&from, e) : -1;

	signer_stop(from.signer);
	return rc;
}

static int revoke(struct office *o, const struct cli *c, const char *reason, struct err *e)
{
	const char *device = cli_get(c, "device"), *certificate = cli_get(c, "certificate");
	int rc;

	if (!device == !certificate)
		return err_set(e, REASON_CONFIG, "give either --device SERIAL or --certificate HEXSERIAL");
	if (crew_local_may(o->ledger, o->ca.trust, ACT_REVOKE, e) < 0 || db_begin(o->ledger, e) < 0)
		return -1;
	rc = device ? revoke_device(o, c, reason, e) : request_revoke_certificate(o->ledger, clock_utc(), o->actor, certificate, reason, e);
	if (rc == 1 && db_commit(o->ledger, e) == 0) {
		struct err why;

		if (!device && tell_signer(o, &why) < 0)
			fprintf(stderr, "warning: revoked, but the signer has not heard of it from here, and hears it from the daemon: %s\n", why.text);
		return 1;
	}
	if (rc != 1)
		db_rollback(o->ledger);
	return rc == 0 ? 0 : -1;
}

/* Reasons of RFC 5280 5.3.1 that do not fit, each with what does. */
static const char *why_not(const char *reason)
{
	static const struct {
		const char *reason, *why;
	} refused[] = {
		{ "certificateHold", "a revocation is final here: a device drops what was revoked. To keep one out for a time block it at its "
				     "node (\"handsel-node devices block\")" },
		{ "removeFromCRL", "a revocation is final here, and there are no delta lists" },
		{ "cACompromise", "that is a reason to revoke a CA: make new ones by \"handsel-ca ca rollover\", and end the old ones by --finish" },
		{ "aACompromise", "that is for attribute authorities, and there are none" },
	};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (strcmp(refused[i].reason, reason) == 0)
			return refused[i].why;
	return "use keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified";
}

enum cli_exit cmd_revoke(const struct cli *c)
{
	const char *reason;
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (hand_is_remote(c))
		return remote_revoke(c);
	if (option_needed(c, "reason", &reason, &e) < 0)
		return cli_fail(c, &e);
	if (!ca_reason_known(reason)) {
		err_set(&e, REASON_CONFIG, "--reason %s: %s", reason, why_not(reason));
		return cli_fail(c, &e);
	}
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = revoke(&o, c, reason, &e);
	office_close(&o);
	if (rc != 1)
		return rc == 0 ? cli_nothing(c, &e) : cli_fail(c, &e);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "revoked", cli_get(c, "device") ? cli_get(c, "device") : cli_get(c, "certificate"));
		jsonl_str(j, "reason", reason);
		jsonl_print(j);
	} else {
		printf("revoked (%s)\n", reason);
	}
	return EXIT_DONE;
}
