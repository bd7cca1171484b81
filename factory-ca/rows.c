/* What lists have in their lines, the same for the folder's own commands and for what operators are answered. */
#include <config.h>

#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "cmd_audit.h"
#include "cli.h"
#include "mem.h"

static void put_line(FILE *to, struct jsonl *j)
{
	char *line = jsonl_text(j);

	fprintf(to, "%s\n", line);
	free(line);
}

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
static void print_json(struct sheet *l, const struct fields *f, const struct ledger_row *row)
{
	struct jsonl *j = jsonl_new("issued");

	for (size_t i = 0; i < f->n; i++)
		if (i == F_GENERATION)
			jsonl_int(j, names[i], row->r.id.generation);
		else
			jsonl_str(j, names[i], f->value[i]);
	put_line(l->to, j);
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

static void print_text(FILE *to, const struct fields *f)
{
	fprintf(to, "%-24s %-16s %-11s %-12s %-24s %s\n", f->value[F_SERIAL], f->value[F_MODEL], f->value[F_STATE], f->value[F_ORDER],
	       f->value[F_CHANGED], f->value[F_ID]);
}

static void print_whole(FILE *to, const struct fields *f)
{
	const char *reason = f->value[F_REASON];

	fprintf(to, "device       %s/%s/%s\nrequest      %s, generation %s, by %s\nstate        %s%s%s%s\ncreated      %s\nchanged      %s\n",
	       f->value[F_MANUFACTURER], f->value[F_MODEL], f->value[F_SERIAL], f->value[F_ID], f->value[F_GENERATION], f->value[F_UNIT],
	       f->value[F_STATE], *reason ? " (" : "", reason, *reason ? ")" : "", f->value[F_CREATED], f->value[F_CHANGED]);
	if (*f->value[F_ORDER])
		fprintf(to, "order        %s, slot %s\n", f->value[F_ORDER], f->value[F_SLOT]);
	if (*f->value[F_PEM])
		fprintf(to, "certificate  serial %s, until %s\nkey          SHA-256 %s\n%s", f->value[F_CERT_SERIAL], f->value[F_EXPIRES],
		       f->value[F_KEY], f->value[F_PEM]);
}

int rows_issued(void *arg, const struct ledger_row *row)
{
	struct sheet *l = arg;
	struct fields f;

	fields_of(&f, row, l->whole);
	if (l->form == CA_CSV && l->n == 0 && !l->later)
		print_csv(l->to, names, f.n);
	l->n++;
	if (l->form == CA_JSON)
		print_json(l, &f, row);
	else if (l->form == CA_CSV)
		print_csv(l->to, f.value, f.n);
	else if (l->whole)
		print_whole(l->to, &f);
	else
		print_text(l->to, &f);
	buf_free(&f.pem);
	l->failed = ferror(l->to);
	return l->failed ? -1 : 0;
}

/* ---- work orders ---- */
static void order_json(FILE *to, const struct ledger_order *row, const struct work_order *o, const char *until)
{
	struct jsonl *j = jsonl_new("order");

	jsonl_str(j, "id", row->id);
	jsonl_str(j, "manufacturer", o->manufacturer);
	jsonl_str(j, "model", o->model);
	jsonl_int(j, "version", row->version);
	jsonl_str(j, "state", order_state_name(row->state));
	jsonl_int(j, "quota", row->quota);
	jsonl_int(j, "used", row->used);
	jsonl_int(j, "scrap", o->scrap);
	jsonl_bool(j, "label", o->label);
	jsonl_str(j, "not_after", until);
	jsonl_str(j, "operator", o->operator_name);
	put_line(to, j);
}

int rows_order(struct sheet *l, struct trust *trust, const struct ledger_order *row, const struct buf *cms)
{
	struct work_order *o = mem_new(1, sizeof *o);
	char until[TEXT_TIME] = "?";
	struct err e;

	if (work_order_read(o, cms->data, cms->len, trust, &e) == 0)
		text_time(until, o->not_after);
	else
		snprintf(o->operator_name, sizeof o->operator_name, "?");
	if (l->form == CA_JSON)
		order_json(l->to, row, o, until);
	else
		fprintf(l->to, "%-20s %-12s %6u of %-6u %-20s until %s\n", row->id, order_state_name(row->state), row->used, row->quota, o->model,
			until);
	if (l->form != CA_JSON && l->whole) {
		fprintf(l->to, "version %u by %s, at most %u keys signed\n", row->version, o->operator_name, o->quota + o->scrap);
		for (size_t i = 0; i < o->n_ranges; i++)
			fprintf(l->to, "serials %s to %s\n", o->range[i].from, o->range[i].to);
		for (size_t i = 0; i < o->n_stations; i++)
			fprintf(l->to, "station %s\n", o->station[i]);
	}
	l->n++;
	free(o);
	return 0;
}

/* ---- the audit ---- */
int rows_audit(struct sheet *l, const struct audit_row *row, struct err *e)
{
	l->n++;
	return audit_row_show(l->to, l->form == CA_JSON, row, e);
}

/* ---- units and operators ---- */
void rows_unit(struct sheet *l, const struct ledger_unit *u)
{
	char created[TEXT_TIME], expires[TEXT_TIME], revoked[TEXT_TIME] = "", name[CERT_ROLE_MAX + LIMIT_NAME + 2];
	struct jsonl *j;

	l->n++;
	text_time(created, u->created);
	text_time(expires, u->expires);
	if (u->revoked)
		text_time(revoked, u->revoked);
	snprintf(name, sizeof name, "%s:%s", u->role, u->name);
	if (l->form != CA_JSON) {
		fprintf(l->to, "%-28s %-24s %s until %s%s%s\n", name, u->functions, u->serial, expires, u->revoked ? ", REVOKED " : "", revoked);
		return;
	}
	j = jsonl_new("unit");
	jsonl_str(j, "role", u->role);
	jsonl_str(j, "name", u->name);
	jsonl_str(j, "functions", u->functions);
	jsonl_str(j, "certificate_serial", u->serial);
	jsonl_str(j, "created", created);
	jsonl_str(j, "not_after", expires);
	jsonl_str(j, "revoked", revoked);
	jsonl_str(j, "reason", u->reason);
	put_line(l->to, j);
}

/* ---- acts ---- */
void rows_act(struct sheet *l, const struct ledger_act *a, int64_t now)
{
	const char *state = a->state == ACTED_WAITING && a->created < now - LIMIT_ACT_S ? "over" : ca_acted_name(a->state);
	char created[TEXT_TIME];
	struct jsonl *j;

	l->n++;
	text_time(created, a->created);
	if (l->form != CA_JSON) {
		fprintf(l->to, "%s %-8s %s %-16s %s, by %s%s%s\n", a->id, state, created, a->what, a->subject, a->maker, *a->second ? " and " : "",
			a->second);
		return;
	}
	j = jsonl_new("action");
	jsonl_str(j, "id", a->id);
	jsonl_str(j, "state", state);
	jsonl_str(j, "what", a->what);
	jsonl_str(j, "subject", a->subject);
	jsonl_str(j, "by", a->maker);
	jsonl_str(j, "second", a->second);
	jsonl_str(j, "created", created);
	put_line(l->to, j);
}

/* ---- how the CA does ---- */
static int count(void *arg, const struct ledger_count *c)
{
	struct sheet *l = arg;
	struct jsonl *j;

	l->n++;
	if (l->form != CA_JSON) {
		fprintf(l->to, "%-20s %-12s %lld\n", *c->order ? c->order : "-", c->state, (long long)c->n);
		return 0;
	}
	j = jsonl_new("requests");
	jsonl_str(j, "order", c->order);
	jsonl_str(j, "state", c->state);
	jsonl_int(j, "n", c->n);
	put_line(l->to, j);
	return 0;
}

int rows_status(struct sheet *l, struct db *ledger, int64_t now, struct err *e)
{
	struct ledger_figures f;
	struct jsonl *j;
	int64_t waiting;

	if (ledger_counts(ledger, count, l, e) < 0 || ledger_figures(ledger, &f, e) < 0 || ledger_acts_waiting(ledger, now - LIMIT_ACT_S, &waiting, e) < 0)
		return -1;
	if (l->form != CA_JSON) {
		fprintf(l->to, "pending %lld, actions that wait for a second person %lld, rows of the audit %lld\n", (long long)f.pending,
			(long long)waiting, (long long)f.audit_rows);
		return 0;
	}
	j = jsonl_new("status");
	jsonl_int(j, "pending", f.pending);
	jsonl_int(j, "waiting", waiting);
	jsonl_int(j, "audit_rows", f.audit_rows);
	put_line(l->to, j);
	return 0;
}
