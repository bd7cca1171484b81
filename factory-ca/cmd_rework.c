#include <config.h>

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "cmd_remote.h"
#include "crew.h"
#include "ledger.h"
#include "rules.h"

/* What both commands are about. */
struct plea {
	const char *reason, *to;
	struct ledger_device d;
	char from[UNIT_MAX];
};

static int plea_read(struct office *o, const struct cli *c, struct plea *p, struct err *e)
{
	const char *serial, *manufacturer = cli_get(c, "manufacturer"), *model = cli_get(c, "model");
	struct device_id id = {0};
	int rc;

	if (o->settings.site != SITE_FACTORY)
		return err_set(e, REASON_CONFIG, "stations and their units are the factory's; this is a customer's CA system");
	if (option_needed(c, "serial", &serial, e) < 0 || reason_needed(c, &p->reason, e) < 0)
		return -1;
	snprintf(id.serial, sizeof id.serial, "%s", serial);
	snprintf(id.manufacturer, sizeof id.manufacturer, "%s", manufacturer ? manufacturer : "");
	snprintf(id.model, sizeof id.model, "%s", model ? model : "");
	rc = ledger_device_find(o->ledger, &id, &p->d, e);
	if (rc == 0)
		err_set(e, REASON_REQUEST, "nothing was ever issued for serial %s", serial);
	return rc;
}

/* 1 done, 0 there is nothing to do it to, -1 */
static int ask(struct office *o, const struct cli *c, struct plea *p, enum act a,
	       int (*run)(struct office *o, struct plea *p, struct err *e), struct err *e)
{
	int rc;

	if (crew_local_may(o->ledger, o->ca.trust, a, e) < 0 || db_begin(o->ledger, e) < 0)
		return -1;
	rc = plea_read(o, c, p, e);
	if (rc == 1)
		rc = run(o, p, e);
	if (rc == 1 && db_commit(o->ledger, e) == 0)
		return 1;
	db_rollback(o->ledger);
	return rc == 0 ? 0 : -1;
}

/* ---- takeover ---- */
static int takeover(struct office *o, struct plea *p, struct err *e)
{
	int rc = ledger_unit_in(o->ledger, "station", p->to, e);

	if (rc == 0)
		return err_set(e, REASON_CONFIG, "--to %s: no station of this name is certified here", p->to);
	return rc < 0 ? -1 : request_takeover(o->ledger, clock_utc(), o->actor, &p->d, p->to, p->reason, p->from, e);
}

enum cli_exit cmd_takeover(const struct cli *c)
{
	struct plea p = {0};
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (hand_is_remote(c))
		return remote_takeover(c);
	if (option_needed(c, "to", &p.to, &e) < 0 || office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = ask(&o, c, &p, ACT_TAKEOVER, takeover, &e);
	office_close(&o);
	if (rc != 1)
		return rc == 0 ? cli_nothing(c, &e) : cli_fail(c, &e);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "serial", p.d.id.serial);
		jsonl_str(j, "from", p.from);
		jsonl_str(j, "to", p.to);
		jsonl_print(j);
	} else {
		printf("serial %s: the next new request at station %s takes it over from station %s\n", p.d.id.serial, p.to, p.from);
	}
	return EXIT_DONE;
}

/* ---- rework ---- */
static int rework(struct office *o, struct plea *p, struct err *e)
{
	return request_rework(o->ledger, clock_utc(), o->actor, &p->d, p->reason, e);
}

enum cli_exit cmd_rework(const struct cli *c)
{
	struct plea p = {0};
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (hand_is_remote(c))
		return remote_rework(c);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = ask(&o, c, &p, ACT_REWORK, rework, &e);
	office_close(&o);
	if (rc != 1)
		return rc == 0 ? cli_nothing(c, &e) : cli_fail(c, &e);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "serial", p.d.id.serial);
		jsonl_str(j, "reason", p.reason);
		jsonl_print(j);
	} else {
		printf("serial %s: what it had is revoked, and it may be issued once more; wipe the device's store first\n",
		       p.d.id.serial);
	}
	return EXIT_DONE;
}
