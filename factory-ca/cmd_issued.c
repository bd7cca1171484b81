#include <config.h>

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "ledger.h"
#include "rules.h"

struct listing {
	const struct cli *c;
	bool whole;		/* with the certificate */
	size_t n;
};

static void print_json(const struct ledger_row *row, bool whole)
{
	struct jsonl *j = jsonl_new("issued");
	char hash[SHA256_HEX] = "", time[TEXT_TIME];
	struct cert cert = {0};
	struct buf pem = {0};
	struct err e;

	jsonl_str(j, "id", row->r.id.id);
	jsonl_int(j, "generation", row->r.id.generation);
	jsonl_str(j, "manufacturer", row->device.manufacturer);
	jsonl_str(j, "model", row->device.model);
	jsonl_str(j, "serial", row->device.serial);
	jsonl_str(j, "state", row->state);
	jsonl_str(j, "unit", row->r.unit);
	jsonl_str(j, "order", row->r.order);
	jsonl_str(j, "slot", row->r.slot);
	if (row->r.cert.len)
		text_hex(hash, row->r.cert_sha256, SHA256_LEN);
	jsonl_str(j, "certificate_sha256", hash);
	jsonl_str(j, "certificate_serial", row->cert_serial);
	jsonl_str(j, "reason", row->reason);
	text_time(time, row->created);
	jsonl_str(j, "created", time);
	text_time(time, row->changed);
	jsonl_str(j, "changed", time);
	if (whole && row->r.cert.len && cert_parse(&cert, row->r.cert.data, row->r.cert.len, &e) == 0) {
		cert_to_pem(&cert, &pem);
		jsonl_str(j, "pem", buf_text(&pem));
	}
	jsonl_print(j);
	cert_free(&cert);
	buf_free(&pem);
}

static void print_whole(const struct ledger_row *row)
{
	char created[TEXT_TIME], changed[TEXT_TIME];
	struct cert cert = {0};
	struct buf pem = {0};
	struct err e;

	text_time(created, row->created);
	text_time(changed, row->changed);
	printf("device       %s/%s/%s\nrequest      %s, generation %u, by %s\nstate        %s%s%s%s\ncreated      "
	       "%s\nchanged      %s\n",
	       row->device.manufacturer, row->device.model, row->device.serial, row->r.id.id, row->r.id.generation,
	       row->r.unit, row->state, *row->reason ? " (" : "", row->reason, *row->reason ? ")" : "", created,
	       changed);
	if (*row->r.order)
		printf("order        %s, slot %s\n", row->r.order, row->r.slot);
	if (row->r.cert.len && cert_parse(&cert, row->r.cert.data, row->r.cert.len, &e) == 0) {
		printf("certificate  serial %s, %s\n", cert.serial, cert.subject);
		cert_to_pem(&cert, &pem);
		fputs(buf_text(&pem), stdout);
	}
	cert_free(&cert);
	buf_free(&pem);
}

static int print_row(void *arg, const struct ledger_row *row)
{
	struct listing *l = arg;
	char time[TEXT_TIME];

	l->n++;
	text_time(time, row->changed);
	if (cli_json(l->c))
		print_json(row, l->whole);
	else if (l->whole)
		print_whole(row);
	else
		printf("%-24s %-16s %-11s %-12s %-24s %s\n", row->device.serial, row->device.model, row->state,
		       row->r.order, time, row->r.id.id);
	return 0;
}

enum cli_exit cmd_issued_list(const struct cli *c)
{
	const struct ledger_filter f = { .order = cli_get(c, "order"),
					 .state = cli_get(c, "state"),
					 .serial = cli_get(c, "device") };
	struct listing l = { .c = c };
	struct office o;
	struct err e;
	int rc;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = ledger_list(o.ledger, &f, print_row, &l, &e);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit cmd_issued_show(const struct cli *c)
{
	const struct ledger_filter f = { .id = cli_arg(c, 0) };
	struct listing l = { .c = c, .whole = true };
	struct office o;
	struct err e;
	int rc;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = ledger_list(o.ledger, &f, print_row, &l, &e);
	office_close(&o);
	if (rc < 0)
		return cli_fail(c, &e);
	if (l.n)
		return EXIT_DONE;
	err_set(&e, REASON_REQUEST,
		"nothing was issued under \"%s\": give a request id, a device serial or a certificate serial",
		cli_arg(c, 0));
	return cli_nothing(c, &e);
}

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

static int revoke_certificate(struct office *o, const char *serial, const char *reason, struct err *e)
{
	struct ledger_request r = {0};
	struct ledger_device d = {0};
	int64_t now = clock_utc();
	int rc = ledger_unit_revoke(o->ledger, serial, reason, now, e);

	if (rc == 1)
		return audit_add(o->ledger, now, o->actor, "revoke", serial, reason, e) < 0 ? -1 : 1;
	if (rc == 0)
		rc = ledger_request_by_serial(o->ledger, serial, &r, e);
	if (rc == 1 && r.state != CA_PENDING && r.state != CA_ACTIVE)
		rc = 0;
	if (rc == 1)
		rc = ledger_device_by_n(o->ledger, r.device, &d, e);
	if (rc == 1)	/* the open one is this one: a device has no other */
		rc = request_revoke_open(o->ledger, now, o->actor, &d, reason, e);
	if (rc == 0)
		err_set(e, REASON_REQUEST, "no certificate with the serial %s is pending, active or a unit's", serial);
	ledger_request_free(&r);
	return rc;
}

static int revoke(struct office *o, const struct cli *c, const char *reason, struct err *e)
{
	const char *device = cli_get(c, "device"), *certificate = cli_get(c, "certificate");
	int rc;

	if (!device == !certificate)
		return err_set(e, REASON_CONFIG, "give either --device SERIAL or --certificate HEXSERIAL");
	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = device ? revoke_device(o, c, reason, e) : revoke_certificate(o, certificate, reason, e);
	if (rc == 1 && db_commit(o->ledger, e) == 0)
		return 1;
	if (rc != 1)
		db_rollback(o->ledger);
	return rc == 0 ? 0 : -1;
}

enum cli_exit cmd_revoke(const struct cli *c)
{
	const char *reason;
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (option_needed(c, "reason", &reason, &e) < 0)
		return cli_fail(c, &e);
	if (!ca_reason_known(reason)) {
		err_set(&e, REASON_CONFIG,
			"--reason %s: use keyCompromise, affiliationChanged, superseded, cessationOfOperation, "
			"privilegeWithdrawn or unspecified",
			reason);
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
