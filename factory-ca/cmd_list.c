#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"
#include "digest.h"
#include "file.h"
#include "hand.h"
#include "ledger_list.h"
#include "rows.h"

/* ---- what was asked for ---- */
static int parse_format(const struct cli *c, enum ca_form otherwise, enum ca_form *format, struct err *e)
{
	const char *text = cli_get(c, "format");

	*format = cli_json(c) ? CA_JSON : otherwise;
	if (!text)
		return 0;
	*format = strcmp(text, "csv") == 0 ? CA_CSV : CA_JSON;
	return *format == CA_CSV || strcmp(text, "json") == 0 ? 0 : err_set(e, REASON_CONFIG, "--format %s: must be json or csv", text);
}

static int parse_state(const struct cli *c, const char **state, struct err *e)
{
	enum ca_state known;

	*state = cli_get(c, "status") ? cli_get(c, "status") : cli_get(c, "state");
	if (!*state || (ca_state_parse(*state, &known) == 0 && known != CA_UNKNOWN))
		return 0;
	return err_set(e, REASON_CONFIG, "--status %s: must be reserved, pending, active, superseded, revoked or expired", *state);
}

/* A day, or a time of it. */
static int parse_since(const struct cli *c, int64_t *since, struct err *e)
{
	const char *text = cli_get(c, "since");
	char whole[TEXT_TIME + 16];

	if (!text)
		return 0;
	snprintf(whole, sizeof whole, "%.24s%s", text, strchr(text, 'T') ? "" : "T00:00:00Z");
	return text_untime(since, whole) == 0 ? 0 : err_set(e, REASON_CONFIG, "--since %s: must be like 2026-11-22 or 2026-11-22T14:00:00Z (UTC)",
							    text);
}

/* "manufacturer/model/serial" */
static int parse_name(const struct cli *c, struct device_id *id, struct ledger_filter *f, struct err *e)
{
	const char *text = cli_get(c, "name"), *model = text ? strchr(text, '/') : NULL, *serial = model ? strchr(model + 1, '/') : NULL;

	if (!text)
		return 0;
	if (!serial || model - text > LIMIT_NAME || serial - model - 1 > LIMIT_NAME || strlen(serial + 1) > LIMIT_SERIAL)
		return err_set(e, REASON_CONFIG, "--name %s: must be MANUFACTURER/MODEL/SERIAL", text);
	snprintf(id->manufacturer, sizeof id->manufacturer, "%.*s", (int)(model - text), text);
	snprintf(id->model, sizeof id->model, "%.*s", (int)(serial - model - 1), model + 1);
	snprintf(id->serial, sizeof id->serial, "%s", serial + 1);
	f->manufacturer = id->manufacturer;
	f->model = id->model;
	f->serial = id->serial;
	return 0;
}

struct asked {
	struct ledger_filter filter;
	struct device_id name;
	uint8_t key[SHA256_LEN];
};

static int parse_filter(const struct cli *c, struct asked *a, struct err *e)
{
	const char *key = cli_get(c, "key");
	struct ledger_filter *f = &a->filter;

	*a = (struct asked){ .filter = { .order = cli_get(c, "order"), .serial = cli_get(c, "device"), .id = cli_get(c, "serial"),
					 .now = clock_utc() } };
	if (f->serial && cli_get(c, "name"))
		return err_set(e, REASON_CONFIG, "give either --device SERIAL or --name MANUFACTURER/MODEL/SERIAL");
	if (key && text_unhex(a->key, SHA256_LEN, key) < 0)
		return err_set(e, REASON_CONFIG, "--key: must be the SHA-256 of a public key, %d hex digits", 2 * SHA256_LEN);
	f->key = key ? a->key : NULL;
	return parse_state(c, &f->state, e) < 0 || parse_since(c, &f->since, e) < 0 ? -1 : parse_name(c, &a->name, f, e);
}

static void field(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static int list_remote(const struct cli *c, const struct ledger_filter *f, struct sheet *l, struct err *e)
{
	struct ca_query q = { .what = ASK_ISSUED, .form = l->form, .whole = l->whole, .since = f->since };
	struct hand h;
	int rc;

	if (f->key)
		return err_set(e, REASON_CONFIG, "--key is for the CA's folder; by --server use --serial, --device or --order");
	field(q.order, sizeof q.order, f->order);
	field(q.state, sizeof q.state, f->state);
	field(q.serial, sizeof q.serial, f->serial);
	field(q.manufacturer, sizeof q.manufacturer, f->manufacturer);
	field(q.model, sizeof q.model, f->model);
	field(q.id, sizeof q.id, f->id);
	if (hand_open(&h, c, e) < 0)
		return -1;
	rc = hand_query(&h, &q, l->to, &l->n, e);
	hand_close(&h);
	return rc;
}

static int list(const struct cli *c, const struct ledger_filter *f, struct sheet *l, struct err *e)
{
	struct office o;
	int rc;

	if (hand_is_remote(c))
		return list_remote(c, f, l, e);
	if (office_open(&o, c, e) < 0)
		return -1;
	rc = ledger_list(o.ledger, f, rows_issued, l, e);
	office_close(&o);
	return rc == 0 && l->failed ? err_errno(e, REASON_STORAGE, "cannot write the list") : rc;
}

enum cli_exit cmd_issued_list(const struct cli *c)
{
	struct sheet l = { .to = stdout };
	struct asked a;
	struct err e;

	if (parse_filter(c, &a, &e) < 0 || parse_format(c, CA_TEXT, &l.form, &e) < 0 || list(c, &a.filter, &l, &e) < 0)
		return cli_fail(c, &e);
	return EXIT_DONE;
}

enum cli_exit cmd_issued_show(const struct cli *c)
{
	const struct ledger_filter f = { .id = cli_arg(c, 0), .now = clock_utc() };
	struct sheet l = { .to = stdout, .form = cli_json(c) ? CA_JSON : CA_TEXT, .whole = true };
	struct err e;

	if (list(c, &f, &l, &e) < 0)
		return cli_fail(c, &e);
	if (l.n)
		return EXIT_DONE;
	err_set(&e, REASON_REQUEST,
		"nothing was issued under \"%s\": give a request id, a device serial or a certificate serial",
		cli_arg(c, 0));
	return cli_nothing(c, &e);
}

/* ---- export ---- */
/* Beside the place where it belongs, until it is whole and on disk: a million certificates are more than a buffer holds. */
static int export_to(const struct cli *c, const struct ledger_filter *f, struct sheet *l, const char *path, struct err *e)
{
	char part[FILE_PATH];
	int rc;

	if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
		return err_set(e, REASON_CONFIG, "--out: the path is too long");
	l->to = fopen(part, "we");
	if (!l->to)
		return err_errno(e, REASON_STORAGE, "cannot write %s", part);
	rc = list(c, f, l, e);
	if (rc == 0 && (fflush(l->to) || fsync(fileno(l->to))))
		rc = err_errno(e, REASON_STORAGE, "cannot write %s", part);
	fclose(l->to);
	if (rc == 0 && rename(part, path))
		rc = err_errno(e, REASON_STORAGE, "cannot rename %s to %s", part, path);
	if (rc == 0)
		return file_sync_parent(path, e);
	unlink(part);
	return -1;
}

enum cli_exit cmd_issued_export(const struct cli *c)
{
	struct sheet l = { .whole = true };
	const char *out;
	struct asked a;
	struct jsonl *j;
	struct err e;

	if (option_needed(c, "out", &out, &e) < 0 || parse_filter(c, &a, &e) < 0 || parse_format(c, CA_JSON, &l.form, &e) < 0 ||
	    export_to(c, &a.filter, &l, out, &e) < 0)
		return cli_fail(c, &e);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "out", out);
		jsonl_int(j, "exported", (int64_t)l.n);
		jsonl_print(j);
	} else {
		printf("%zu exported to %s\n", l.n, out);
	}
	return EXIT_DONE;
}
