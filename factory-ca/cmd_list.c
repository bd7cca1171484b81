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
#include "ledger_list.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

struct listing {
	FILE *to;
	enum format format;
	bool whole;		/* with certificate and hash of its key */
	size_t n;
	bool failed;		/* to write */
};

/* ---- one row as fields ---- */
enum { F_ID, F_GENERATION, F_MANUFACTURER, F_MODEL, F_SERIAL, F_STATE, F_UNIT, F_ORDER, F_SLOT, F_SHA256, F_CERT_SERIAL, F_REASON,
       F_CREATED, F_CHANGED, F_EXPIRES, F_KEY, F_PEM, FIELDS };
static const char *const names[FIELDS] = { "id", "generation", "manufacturer", "model", "serial", "state", "unit", "order", "slot",
	"certificate_sha256", "certificate_serial", "reason", "created", "changed", "expires", "key_sha256", "pem" };
#define BRIEF F_KEY	/* fields of a list */

struct fields {
	const char *value[FIELDS];
	size_t n;
	char generation[12], sha256[SHA256_HEX], key[SHA256_HEX], created[TEXT_TIME], changed[TEXT_TIME], expires[TEXT_TIME];
	struct buf pem;
};

static void whole_fields(struct fields *f, const struct ledger_row *row)
{
	struct cert cert;
	struct err e;

	f->n = FIELDS;
	f->value[F_KEY] = f->key;
	f->value[F_PEM] = "";
	if (!row->r.cert.len || cert_parse(&cert, row->r.cert.data, row->r.cert.len, &e) < 0)
		return;
	text_hex(f->key, cert.spki_sha256, SHA256_LEN);
	cert_to_pem(&cert, &f->pem);
	f->value[F_PEM] = buf_text(&f->pem);
	cert_free(&cert);
}

static void fields_of(struct fields *f, const struct ledger_row *row, bool whole)
{
	*f = (struct fields){ .n = BRIEF, .value = {
		[F_ID] = row->r.id.id, [F_GENERATION] = f->generation, [F_MANUFACTURER] = row->device.manufacturer,
		[F_MODEL] = row->device.model, [F_SERIAL] = row->device.serial, [F_STATE] = row->state, [F_UNIT] = row->r.unit,
		[F_ORDER] = row->r.order, [F_SLOT] = row->r.slot, [F_SHA256] = f->sha256, [F_CERT_SERIAL] = row->cert_serial,
		[F_REASON] = row->reason, [F_CREATED] = f->created, [F_CHANGED] = f->changed, [F_EXPIRES] = f->expires } };
	snprintf(f->generation, sizeof f->generation, "%u", row->r.id.generation);
	if (row->r.cert.len)
		text_hex(f->sha256, row->r.cert_sha256, SHA256_LEN);
	text_time(f->created, row->created);
	text_time(f->changed, row->changed);
	if (row->expires)
		text_time(f->expires, row->expires);
	if (whole)
		whole_fields(f, row);
}

/* ---- formats ---- */
static void print_json(struct listing *l, const struct fields *f, const struct ledger_row *row)
{
	struct jsonl *j = jsonl_new("issued");
	char *line;

	for (size_t i = 0; i < f->n; i++)
		if (i == F_GENERATION)
			jsonl_int(j, names[i], row->r.id.generation);
		else
			jsonl_str(j, names[i], f->value[i]);
	line = jsonl_text(j);
	fprintf(l->to, "%s\n", line);
	free(line);
}

/* RFC 4180; names hold no line feed, and a certificate's are kept within the quotes. */
static void print_csv(FILE *to, const char *const *value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool quote = strpbrk(value[i], ",\"\r\n");

		if (i)
			fputc(',', to);
		if (quote)
			fputc('"', to);
		for (const char *p = value[i]; *p; p++) {
			if (*p == '"')
				fputc('"', to);
			fputc(*p, to);
		}
		if (quote)
			fputc('"', to);
	}
	fputs("\r\n", to);
}

static void print_text(const struct fields *f)
{
	printf("%-24s %-16s %-11s %-12s %-24s %s\n", f->value[F_SERIAL], f->value[F_MODEL], f->value[F_STATE], f->value[F_ORDER],
	       f->value[F_CHANGED], f->value[F_ID]);
}

static void print_whole(const struct fields *f)
{
	const char *reason = f->value[F_REASON];

	printf("device       %s/%s/%s\nrequest      %s, generation %s, by %s\nstate        %s%s%s%s\ncreated      %s\nchanged      %s\n",
	       f->value[F_MANUFACTURER], f->value[F_MODEL], f->value[F_SERIAL], f->value[F_ID], f->value[F_GENERATION], f->value[F_UNIT],
	       f->value[F_STATE], *reason ? " (" : "", reason, *reason ? ")" : "", f->value[F_CREATED], f->value[F_CHANGED]);
	if (*f->value[F_ORDER])
		printf("order        %s, slot %s\n", f->value[F_ORDER], f->value[F_SLOT]);
	if (*f->value[F_PEM])
		printf("certificate  serial %s, until %s\nkey          SHA-256 %s\n%s", f->value[F_CERT_SERIAL], f->value[F_EXPIRES],
		       f->value[F_KEY], f->value[F_PEM]);
}

static int print_row(void *arg, const struct ledger_row *row)
{
	struct listing *l = arg;
	struct fields f;

	fields_of(&f, row, l->whole);
	if (l->format == FORMAT_CSV && l->n == 0)
		print_csv(l->to, names, f.n);
	l->n++;
	if (l->format == FORMAT_JSON)
		print_json(l, &f, row);
	else if (l->format == FORMAT_CSV)
		print_csv(l->to, f.value, f.n);
	else if (l->whole)
		print_whole(&f);
	else
		print_text(&f);
	buf_free(&f.pem);
	l->failed = ferror(l->to);
	return l->failed ? -1 : 0;
}

/* ---- what was asked for ---- */
static int parse_format(const struct cli *c, enum format otherwise, enum format *format, struct err *e)
{
	const char *text = cli_get(c, "format");

	*format = cli_json(c) ? FORMAT_JSON : otherwise;
	if (!text)
		return 0;
	*format = strcmp(text, "csv") == 0 ? FORMAT_CSV : FORMAT_JSON;
	return *format == FORMAT_CSV || strcmp(text, "json") == 0 ? 0 : err_set(e, REASON_CONFIG, "--format %s: must be json or csv", text);
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

static int list(const struct cli *c, const struct ledger_filter *f, struct listing *l, struct err *e)
{
	struct office o;
	int rc;

	if (office_open(&o, c, e) < 0)
		return -1;
	rc = ledger_list(o.ledger, f, print_row, l, e);
	office_close(&o);
	return rc == 0 && l->failed ? err_errno(e, REASON_STORAGE, "cannot write the list") : rc;
}

enum cli_exit cmd_issued_list(const struct cli *c)
{
	struct listing l = { .to = stdout };
	struct asked a;
	struct err e;

	if (parse_filter(c, &a, &e) < 0 || parse_format(c, FORMAT_TEXT, &l.format, &e) < 0 || list(c, &a.filter, &l, &e) < 0)
		return cli_fail(c, &e);
	return EXIT_DONE;
}

enum cli_exit cmd_issued_show(const struct cli *c)
{
	const struct ledger_filter f = { .id = cli_arg(c, 0), .now = clock_utc() };
	struct listing l = { .to = stdout, .format = cli_json(c) ? FORMAT_JSON : FORMAT_TEXT, .whole = true };
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
static int export_to(const struct cli *c, const struct ledger_filter *f, struct listing *l, const char *path, struct err *e)
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
	struct listing l = { .whole = true };
	const char *out;
	struct asked a;
	struct jsonl *j;
	struct err e;

	if (option_needed(c, "out", &out, &e) < 0 || parse_filter(c, &a, &e) < 0 || parse_format(c, FORMAT_JSON, &l.format, &e) < 0 ||
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
