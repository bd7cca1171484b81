#include <config.h>

#include "record.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fault.h"
#include "file.h"
#include "mem.h"

const char *phase_name(enum phase p)
{
	static const char *const names[PHASES] = { "seen", "dfu", "agent", "hello", "check",
						   "prepare", "ticket", "issue", "proof", "record" };

	return names[p];
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = { "NONE", "PASS", "FAIL", "ABORTED" };

	return names[o];
}

void record_start(struct record *r, const char *station, const char *slot, const char *port, const char *order)
{
	uint8_t random[RECORD_ID_LEN / 2];

	memset(r, 0, sizeof *r);
	mem_random(random, sizeof random);
	text_hex(r->id, random, sizeof random);
	text_copy(r->station, sizeof r->station, station);
	text_copy(r->slot, sizeof r->slot, slot);
	text_copy(r->port, sizeof r->port, port);
	text_copy(r->order, sizeof r->order, order);
	r->start = clock_utc();
}

struct record_phase *record_phase_add(struct record *r, enum phase p)
{
	struct record_phase *new;

	r->phase = mem_grow(r->phase, r->n_phases + 1, sizeof *r->phase);
	new = &r->phase[r->n_phases++];
	memset(new, 0, sizeof *new);
	new->phase = p;
	return new;
}

static void put(json_t *o, const char *name, json_t *value)
{
	if (!value || json_object_set_new(o, name, value) < 0)
		abort();	/* only for want of memory: text is ASCII or checked before */
}

/* Text of a device or a message may hold any bytes; a record must be written nevertheless. */
static void put_text(json_t *o, const char *name, const char *text)
{
	json_t *value = json_string(text);

	put(o, name, value ? value : json_string("(not UTF-8)"));
}

static void put_time(json_t *o, const char *name, int64_t utc)
{
	char text[TEXT_TIME];

	text_time(text, utc);
	put_text(o, name, text);
}

static void put_hex(json_t *o, const char *name, const void *data, size_t len)
{
	char *hex = mem_new(2 * len + 1, 1);

	text_hex(hex, data, len);
	put_text(o, name, hex);
	free(hex);
}

static void put_base64(json_t *o, const char *name, const struct buf *b)
{
	struct buf text = {0};

	text_base64(&text, b->data, b->len);
	put_text(o, name, buf_text(&text));
	buf_free(&text);
}

static json_t *phases_json(const struct record *r)
{
	static const char *const outcomes[] = { "not-run", "pass", "skipped", "fail" };
	json_t *list = json_array();
	bool ran[PHASES] = { false };

	for (size_t i = 0; i < r->n_phases + PHASES; i++) {
		struct record_phase missing = { .phase = (enum phase)(i - r->n_phases) };
		const struct record_phase *p = i < r->n_phases ? &r->phase[i] : &missing;
		json_t *o;

		if (i < r->n_phases)
			ran[p->phase] = true;
		else if (ran[missing.phase])
			continue;
		o = json_object();
		put_text(o, "name", phase_name(p->phase));
		put_text(o, "outcome", outcomes[p->outcome]);
		if (p->outcome != PHASE_NOT_RUN)
			put(o, "seconds", json_real((double)p->ms / 1000));
		if (p->detail[0])
			put_text(o, "detail", p->detail);
		if (json_array_append_new(list, o) < 0)
			abort();
	}
	return list;
}

static json_t *device_json(const struct record *r)
{
	json_t *o = json_object();

	put_text(o, "manufacturer", r->hello.device.manufacturer);
	put_text(o, "model", r->hello.device.model);
	put_text(o, "serial", r->hello.device.serial);
	put_text(o, "revision", r->hello.revision);
	put_text(o, "agent_version", r->hello.agent_version);
	put_hex(o, "agent_sha256", r->hello.agent_sha256, SHA256_LEN);
	return o;
}

/* All that a third person needs to verify the proof: doc/protocol-link.md says what was signed. */
static json_t *proof_json(const struct record *r)
{
	json_t *o = json_object();

	put_text(o, "station", r->challenge.station);
	put_hex(o, "station_nonce", r->challenge.nonce, SHA256_LEN);
	put_hex(o, "device_nonce", r->proof.nonce, SHA256_LEN);
	put_base64(o, "signature", &r->proof.signature);
	put_base64(o, "certificate", &r->proof.certificate);
	put_base64(o, "issuer", &r->proof.issuer);
	return o;
}

char *record_json(const struct record *r)
{
	json_t *o = json_object();
	char *text;

	put(o, "schema", json_integer(RECORD_SCHEMA));
	put_text(o, "record_id", r->id);
	put_text(o, "tool_version", PACKAGE_VERSION);
	put_text(o, "station", r->station);
	put_text(o, "slot", r->slot);
	put_text(o, "usb_path", r->port);
	put_text(o, "order", r->order);
	put_time(o, "start", r->start);
	put_time(o, "end", r->end);
	put_text(o, "outcome", outcome_name(r->outcome));
	if (r->outcome == OUTCOME_FAIL) {
		put_text(o, "code", reason_id(r->error.code));
		put_text(o, "reason", reason_info(r->error.code)->name);
		put_text(o, "text", r->error.text);
	}
	if (r->boot_serial[0])
		put_text(o, "boot_serial", r->boot_serial);
	if (r->scanned[0])
		put_text(o, "scanned_serial", r->scanned);
	if (r->hello.device.serial[0])
		put(o, "device", device_json(r));
	if (r->ready.request.id[0]) {
		put_text(o, "request_id", r->ready.request.id);
		put(o, "generation", json_integer(r->ready.request.generation));
		put_hex(o, "key_sha256", r->ready.key_sha256, SHA256_LEN);
		put_text(o, "mode", link_mode_name(r->ready.mode));
	}
	if (r->taken_by[0])
		put_text(o, "taken_by", r->taken_by);
	if (r->taken_from[0])
		put_text(o, "taken_from", r->taken_from);
	if (r->proof.certificate.len) {
		put_hex(o, "certificate_sha256", r->certificate, SHA256_LEN);
		put(o, "proof", proof_json(r));
	}
	put(o, "phases", phases_json(r));
	text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(o);
	if (!text)
		abort();
	return text;
}

int record_write(const struct record *r, const char *dir, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH], name[RECORD_ID_LEN + 8];
	char *json;
	int rc;

	snprintf(name, sizeof name, "%s.json", r->id);
	if (file_join(folder, e, dir, "records") < 0 || file_join(path, e, folder, name) < 0 ||
	    file_mkdir(folder, e) < 0)
		return -1;
	json = record_json(r);
	FAULT("station.record.write");
	rc = file_replace(path, json, strlen(json), 0644, e);
	FAULT("station.record.written");
	free(json);
	return rc;
}

void record_free(struct record *r)
{
	free(r->phase);
	link_proof_free(&r->proof);
	memset(r, 0, sizeof *r);
}
