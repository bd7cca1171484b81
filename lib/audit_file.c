#include <config.h>

#include "audit_file.h"

#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "mem.h"

/* ---- writing ---- */
static void put(json_t *o, const char *name, json_t *value)
{
	if (!value || json_object_set_new(o, name, value) < 0)
		mem_out();
}

static void put_hex(json_t *o, const char *name, const void *data, size_t len)
{
	char *hex = mem_new(2 * len + 1, 1);

	text_hex(hex, data, len);
	put(o, name, json_string(hex));
	free(hex);
}

/* What is no UTF-8 would come out changed, and verify no more. */
static void put_text(json_t *o, const char *name, const char *text)
{
	json_t *value = json_string(text);
	char other[16];

	if (value) {
		put(o, name, value);
		return;
	}
	snprintf(other, sizeof other, "%s_hex", name);
	put_hex(o, other, text, strlen(text));
}

static json_t *begin(const char *type, int64_t row, int64_t utc)
{
	json_t *o = json_object();
	char time[TEXT_TIME];

	text_time(time, utc);
	put(o, "v", json_integer(1));
	put(o, "type", json_string(type));
	put(o, "row", json_integer(row));
	put(o, "time", json_string(time));
	return o;
}

static int print(FILE *out, json_t *o, struct err *e)
{
	char *text = json_dumps(o, JSON_COMPACT);
	int rc;

	json_decref(o);
	if (!text)
		mem_out();
	/* cppcheck-suppress nullPointerRedundantCheck ; mem_out() does not return */
	rc = fprintf(out, "%s\n", text) < 0 || fflush(out) ? err_errno(e, REASON_STORAGE, "the audit cannot be written") : 0;
	free(text);
	return rc;
}

int audit_row_print(FILE *out, const struct audit_row *row, struct err *e)
{
	json_t *o = begin("audit", row->n, row->time);

	put_text(o, "actor", row->actor);
	put_text(o, "action", row->action);
	put_text(o, "subject", row->subject);
	put_text(o, "detail", row->detail);
	put_hex(o, "hash", row->hash, SHA256_LEN);
	return print(out, o, e);
}

int audit_head_print(FILE *out, const struct audit_head *h, struct err *e)
{
	json_t *o = begin("audit-head", h->at.n, h->time);
	struct buf signature = {0};

	text_base64(&signature, h->signature, h->len);
	put(o, "history", json_integer((json_int_t)h->history));
	put_hex(o, "hash", h->at.hash, SHA256_LEN);
	put(o, "signature", json_string(buf_text(&signature)));
	buf_free(&signature);
	return print(out, o, e);
}

int audit_signer_print(FILE *out, const struct chain *ch, struct err *e)
{
	json_t *o = json_object();
	struct buf pem = {0};

	chain_to_pem(ch, &pem);
	put(o, "v", json_integer(1));
	put(o, "type", json_string("audit-signer"));
	put(o, "certificates", json_string(buf_text(&pem)));
	buf_free(&pem);
	return print(out, o, e);
}

/* ---- reading ---- */
static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static bool get_hash(const json_t *o, uint8_t hash[SHA256_LEN])
{
	return text_unhex(hash, SHA256_LEN, text_of(o, "hash")) == 0;
}

static bool get_number(const json_t *o, const char *name, int64_t *out)
{
	*out = json_integer_value(json_object_get(o, name));
	return *out > 0;
}

bool audit_head_of_json(const json_t *o, struct audit_head *h)
{
	const char *text = text_of(o, "signature");
	struct buf signature = {0};
	int64_t history;
	bool good;

	*h = (struct audit_head){0};
	good = get_number(o, "row", &h->at.n) && get_number(o, "history", &history) && get_hash(o, h->at.hash) &&
	       text_untime(&h->time, text_of(o, "time")) == 0 && text_unbase64(&signature, text, strlen(text)) == 0 &&
	       signature.len <= sizeof h->signature;
	if (good) {
		h->history = (uint64_t)history;
		h->len = signature.len;
		if (signature.len)
			memcpy(h->signature, signature.data, signature.len);
	}
	buf_free(&signature);
	return good;
}

/* In *owned if it stands there in hexadecimal digits; NULL: there is none. */
static const char *row_text(const json_t *o, const char *name, char **owned)
{
	const char *text = json_string_value(json_object_get(o, name)), *hex;
	char other[16];
	size_t n;

	if (text)
		return text;
	snprintf(other, sizeof other, "%s_hex", name);
	hex = text_of(o, other);
	n = strlen(hex) / 2;
	*owned = mem_new(n + 1, 1);
	return n && text_unhex(*owned, n, hex) == 0 ? *owned : NULL;
}

#define TEXTS 4

static int give_row(const json_t *o, const struct audit_reader *r, bool *bad, struct err *e)
{
	static const char *const names[TEXTS] = { "actor", "action", "subject", "detail" };
	const char *text[TEXTS];
	char *owned[TEXTS] = { NULL };
	struct audit_row row = {0};
	int rc = 0;

	*bad = !get_number(o, "row", &row.n) || !get_hash(o, row.hash) || text_untime(&row.time, text_of(o, "time")) < 0;
	for (size_t i = 0; i < TEXTS; i++) {
		text[i] = row_text(o, names[i], &owned[i]);
		*bad = *bad || !text[i];
	}
	row.actor = text[0];
	row.action = text[1];
	row.subject = text[2];
	row.detail = text[3];
	if (!*bad)
		rc = r->row(r->arg, &row, e);
	for (size_t i = 0; i < TEXTS; i++)
		free(owned[i]);
	return rc;
}

static int give_signer(const json_t *o, const struct audit_reader *r, bool *bad, struct err *e)
{
	const char *text = text_of(o, "certificates");
	struct chain ch = {0};
	struct buf pem = {0};
	int rc = 0;

	buf_set(&pem, text, strlen(text));
	*bad = chain_from_pem(&ch, &pem, e) < 0;
	if (!*bad && r->signer)
		rc = r->signer(r->arg, &ch, e);
	chain_free(&ch);
	buf_free(&pem);
	return rc;
}

static int give_line(const json_t *o, const struct audit_reader *r, bool *bad, struct err *e)
{
	const char *type = text_of(o, "type");
	struct audit_head h;

	*bad = false;
	if (strcmp(type, "audit") == 0)
		return r->row ? give_row(o, r, bad, e) : 0;
	if (strcmp(type, "audit-signer") == 0)
		return give_signer(o, r, bad, e);
	*bad = strcmp(type, "audit-head") != 0 || !audit_head_of_json(o, &h);
	return !*bad && r->head ? r->head(r->arg, &h, e) : 0;
}

static FILE *open_file(const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");

	if (!f)
		err_errno(e, REASON_CONFIG, "cannot read %s", path);
	return f;
}

int audit_lines_read(FILE *f, const char *path, const struct audit_reader *r, struct err *e)
{
	char *line = mem_new(LIMIT_AUDIT_LINE, 1);
	unsigned long number = 0;
	int rc = 0;

	while (rc == 0 && fgets(line, LIMIT_AUDIT_LINE, f)) {
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		bool bad = true;

		number++;
		if (o)
			rc = give_line(o, r, &bad, e);
		json_decref(o);
		if (bad)
			rc = err_set(e, REASON_REQUEST, "%s:%lu: no row and no head of an audit (protocol-audit 3)", path, number);
	}
	if (rc == 0 && ferror(f))
		rc = err_errno(e, REASON_STORAGE, "cannot read %s", path);
	free(line);
	return rc;
}

int audit_file_read(const char *path, const struct audit_reader *r, struct err *e)
{
	FILE *f = open_file(path, e);
	int rc = f ? audit_lines_read(f, path, r, e) : -1;

	if (f)
		fclose(f);
	return rc;
}

int audit_file_begins(const char *path, struct buf *start, struct err *e)
{
	FILE *f = open_file(path, e);
	char some[16];

	if (!f)
		return -1;
	buf_add(start, some, fread(some, 1, sizeof some, f));
	fclose(f);
	return 0;
}
