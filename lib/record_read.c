#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_file.h"
#include "mem.h"
#include "record.h"
#include "record_private.h"

/* doc/protocol-record.md R3.1: what the device's signature cannot cover, because it comes after it. */
static const char *const later[] = { "end", "outcome", "code", "reason", "text", "phases", "proof", "previous" };

struct reading {
	const json_t *object;
	struct err *e;
	bool failed;		/* the first error is in e */
};

static void wrong(struct reading *in, const char *name, const char *what)
{
	if (!in->failed)
		err_set(in->e, REASON_REQUEST, "record: %s %s", name, what);
	in->failed = true;
}

static const char *get_text(struct reading *in, const char *name, bool needed)
{
	const json_t *v = json_object_get(in->object, name);

	if (json_is_string(v))
		return json_string_value(v);
	if (v || needed)
		wrong(in, name, v ? "is no text" : "is missing");
	return "";
}

static void get_copy(struct reading *in, const char *name, char *out, size_t size, bool needed)
{
	const char *text = get_text(in, name, needed);

	if ((*text || needed) && text_copy(out, size, text) < 0)
		wrong(in, name, "is empty or too long");
}

static void get_time(struct reading *in, const char *name, int64_t *utc)
{
	if (text_untime(utc, get_text(in, name, true)) < 0)
		wrong(in, name, "is no time like 2026-11-22T14:02:07Z");
}

static void get_hex(struct reading *in, const char *name, uint8_t out[SHA256_LEN], bool needed)
{
	const char *text = get_text(in, name, needed);

	if ((*text || needed) && text_unhex(out, SHA256_LEN, text) < 0)
		wrong(in, name, "is no SHA-256 in hexadecimal digits");
}

static void get_base64(struct reading *in, const char *name, struct buf *out)
{
	const char *text = get_text(in, name, true);

	if (text_unbase64(out, text, strlen(text)) < 0 || !out->len)
		wrong(in, name, "is no base64");
}

static void read_device(struct record *r, struct reading *in)
{
	get_copy(in, "manufacturer", r->hello.device.manufacturer, sizeof r->hello.device.manufacturer, true);
	get_copy(in, "model", r->hello.device.model, sizeof r->hello.device.model, true);
	get_copy(in, "serial", r->hello.device.serial, sizeof r->hello.device.serial, true);
	get_copy(in, "revision", r->hello.revision, sizeof r->hello.revision, false);
	get_copy(in, "agent_version", r->hello.agent_version, sizeof r->hello.agent_version, false);
	get_hex(in, "agent_sha256", r->hello.agent_sha256, r->hello.agent_version[0]);
	if (!in->failed && !device_valid(&r->hello.device))
		wrong(in, "device", "has a name that no device can have");
}

static void read_request(struct record *r, struct reading *in)
{
	json_int_t generation = json_integer_value(json_object_get(in->object, "generation"));
	const char *mode = get_text(in, "mode", true);

	get_copy(in, "request_id", r->ready.request.id, sizeof r->ready.request.id, true);
	get_hex(in, "key_sha256", r->ready.key_sha256, true);
	if (generation < 1 || generation > UINT32_MAX)
		wrong(in, "generation", "is no number of a request");
	else
		r->ready.request.generation = (uint32_t)generation;
	r->ready.mode = strcmp(mode, link_mode_name(MODE_CA)) == 0 ? MODE_CA : MODE_DEVICE;
	if (strcmp(mode, link_mode_name(r->ready.mode)) != 0)
		wrong(in, "mode", "is neither device nor ca");
}

static void read_proof(struct record *r, struct reading *in)
{
	get_copy(in, "station", r->challenge.station, sizeof r->challenge.station, true);
	get_hex(in, "station_nonce", r->challenge.nonce, true);
	get_hex(in, "device_nonce", r->proof.nonce, true);
	get_base64(in, "signature", &r->proof.signature);
	get_base64(in, "certificate", &r->proof.certificate);
	get_base64(in, "issuer", &r->proof.issuer);
}

static void read_audit(struct record *r, struct reading *in)
{
	if (!audit_head_of_json(in->object, &r->audit))
		wrong(in, "audit_head", "is no head of an audit");
}

static void read_cut(struct record *r, struct reading *in)
{
	json_int_t times = json_integer_value(json_object_get(in->object, "times"));

	get_time(in, "time", &r->cut_time);
	r->cut_phase = phase_parse(get_text(in, "phase", true));
	if (r->cut_phase == PHASES || times < 1 || times > UINT32_MAX)
		wrong(in, "cut", "has a phase that is not known, or no number");
	else
		r->cuts = (uint32_t)times;
}

static void read_phase(struct record *r, struct reading *in)
{
	const char *name = get_text(in, "name", true), *outcome = get_text(in, "outcome", true);
	double seconds = json_number_value(json_object_get(in->object, "seconds"));
	struct record_phase *p;
	enum phase n = phase_parse(name);
	size_t o = 0;

	while (o < PHASE_OUTCOMES && strcmp(outcome, record_phase_outcomes[o]) != 0)
		o++;
	if (n == PHASES || o == PHASE_OUTCOMES || !(seconds >= 0 && seconds < 1e9)) {
		wrong(in, "phases", "has one that is not known");
		return;
	}
	if (o == PHASE_NOT_RUN)
		return;
	p = record_phase_add(r, n);
	p->outcome = (enum phase_outcome)o;
	p->ms = (int64_t)(seconds * 1000 + 0.5);
	get_copy(in, "detail", p->detail, sizeof p->detail, false);
}

static void read_phases(struct record *r, struct reading *in)
{
	const json_t *list = json_object_get(in->object, "phases");

	if (!json_is_array(list))
		wrong(in, "phases", "is no list");
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct reading one = { json_array_get(list, i), in->e, in->failed };

		read_phase(r, &one);
		in->failed = one.failed;
	}
}

static void read_part(struct record *r, struct reading *in, const char *name,
		      void (*read)(struct record *r, struct reading *in))
{
	struct reading part = { json_object_get(in->object, name), in->e, in->failed };

	if (!part.object)
		return;
	read(r, &part);
	in->failed = part.failed;
}

static void read_all(struct record *r, struct reading *in)
{
	const json_t *schema = json_object_get(in->object, "schema");

	if (json_integer_value(schema) != RECORD_SCHEMA)
		wrong(in, "schema", "is not 1, the one that this program knows");
	get_copy(in, "record_id", r->id, sizeof r->id, true);
	get_copy(in, "station", r->station, sizeof r->station, true);
	get_copy(in, "slot", r->slot, sizeof r->slot, true);
	get_copy(in, "usb_path", r->port, sizeof r->port, true);
	get_copy(in, "order", r->order, sizeof r->order, true);
	get_time(in, "start", &r->start);
	get_time(in, "end", &r->end);
	get_copy(in, "boot_serial", r->boot_serial, sizeof r->boot_serial, false);
	get_copy(in, "scanned_serial", r->scanned, sizeof r->scanned, false);
	get_copy(in, "operator", r->operator, sizeof r->operator, false);
	get_copy(in, "taken_by", r->taken_by, sizeof r->taken_by, false);
	get_copy(in, "taken_from", r->taken_from, sizeof r->taken_from, false);
	get_hex(in, "certificate_sha256", r->certificate, false);
	get_hex(in, "salt", r->salt, false);
	get_hex(in, "previous", r->previous, true);
	read_part(r, in, "device", read_device);
	if (json_object_get(in->object, "request_id"))
		read_request(r, in);
	read_part(r, in, "audit_head", read_audit);
	read_part(r, in, "cut", read_cut);
	read_part(r, in, "proof", read_proof);
	read_phases(r, in);
	r->outcome = outcome_parse(get_text(in, "outcome", true));
	if (r->outcome == OUTCOME_NONE)
		wrong(in, "outcome", "is not known");
	if (outcome_has_reason(r->outcome)) {
		r->error.code = reason_parse(get_text(in, "code", true));
		get_copy(in, "text", r->error.text, sizeof r->error.text, false);
	}
	if (!in->failed && !record_id_valid(r->id))
		wrong(in, "record_id", "is not 32 lower-case hexadecimal digits");
}

int record_read(struct record *r, uint8_t nonce[SHA256_LEN], const void *data, size_t len, struct err *e)
{
	json_error_t why;
	json_t *o = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);
	struct reading in = { .object = o, .e = e };

	memset(r, 0, sizeof *r);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(e, REASON_REQUEST, "record: line %d: %.120s", o ? 1 : why.line, o ? "no object" : why.text);
	}
	read_all(r, &in);
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		json_object_del(o, later[i]);
	record_hash_unit(o, nonce);
	json_decref(o);
	return in.failed ? -1 : 0;
}

void record_print(const struct buf *json)
{
	json_t *o = json_loadb((const char *)json->data, json->len, 0, NULL);
	json_t *line = json_pack("{s:i, s:s, s:o}", "v", 1, "type", "record", "record", o);
	char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;

	if (!text)
		mem_out();
	/* cppcheck-suppress nullPointer ; mem_out() does not return */
	printf("%s\n", text);
	free(text);
	json_decref(line);
}
