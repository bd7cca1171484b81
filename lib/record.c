#include <config.h>

#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "digest.h"
#include "mem.h"
#include "record_private.h"

const char *phase_name(enum phase p)
{
	static const char *const names[PHASES] = { "seen", "dfu", "agent", "hello", "check",
						   "prepare", "ticket", "issue", "proof", "label", "record" };

	return names[p];
}

enum phase phase_parse(const char *name)
{
	enum phase p = PHASE_SEEN;

	while (p < PHASES && strcmp(name, phase_name(p)) != 0)
		p++;
	return p;
}

static const char *const outcomes[OUTCOMES] = { "NONE", "PASS", "FAIL", "ERROR", "TIMEOUT", "ABORTED", "SKIPPED" };

const char *outcome_name(enum outcome o)
{
	return outcomes[o];
}

enum outcome outcome_parse(const char *name)
{
	for (enum outcome o = OUTCOME_PASS; o < OUTCOMES; o++)
		if (strcmp(name, outcomes[o]) == 0)
			return o;
	return OUTCOME_NONE;
}

bool outcome_has_reason(enum outcome o)
{
	return o == OUTCOME_FAIL || o == OUTCOME_ERROR || o == OUTCOME_TIMEOUT;
}

/* Codes that tell of the unit and not of those around it. */
static bool of_unit(enum reason code)
{
	switch (code) {
	case REASON_KEY_STORE:
	case REASON_SERIAL_ISSUED:
	case REASON_LABEL:
	case REASON_USB:
	case REASON_WRONG_MODEL:
	case REASON_AGENT:
	case REASON_DEVICE_LEFT:
	case REASON_CLONE:
		return true;
	default:
		return false;
	}
}

enum outcome outcome_of(enum phase p, enum reason code, bool late, bool theirs)
{
	/* A serial that is not of the order: the unit is wrong here. What the CA says of an order comes later. */
	bool unit = of_unit(code) || (p == PHASE_CHECK && code == REASON_ORDER) || (theirs && code == REASON_STORAGE);

	if (!unit)
		return OUTCOME_ERROR;
	return late ? OUTCOME_TIMEOUT : OUTCOME_FAIL;
}

bool record_is_proven(const struct record *r)
{
	size_t i = r->n_phases;

	while (i && r->phase[i - 1].phase != PHASE_PROOF)
		i--;
	return i && r->phase[i - 1].outcome == PHASE_DONE && r->proof.certificate.len;
}

_Static_assert(RECORD_ID_LEN == REQUEST_ID_LEN, "ids are written in one way");

bool record_id_valid(const char *id)
{
	return id_valid(id);
}

void record_renew_id(struct record *r)
{
	id_new(r->id);
}

void record_start(struct record *r, const char *station, const char *slot, const char *port, const char *order)
{
	memset(r, 0, sizeof *r);
	record_renew_id(r);
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
		mem_out();	/* text was checked before */
}

/* Text of a device or a message may hold any bytes; a record must be written nevertheless. No control characters: so
 * that every JSON library writes the same bytes again (doc/protocol-record.md R3.2). */
static void put_text(json_t *o, const char *name, const char *text)
{
	char *copy = mem_str(text);
	json_t *value;

	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	value = json_string(copy);
	for (char *p = copy; !value && *p; p++)
		if ((unsigned char)*p > 0x7f)
			*p = '?';
	put(o, name, value ? value : json_string(copy));
	free(copy);
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

const char *const record_phase_outcomes[PHASE_OUTCOMES] = { "not-run", "pass", "skipped", "fail" };

static json_t *phases_json(const struct record *r)
{
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
		put_text(o, "outcome", record_phase_outcomes[p->outcome]);
		if (p->outcome != PHASE_NOT_RUN)
			put(o, "seconds", json_real((double)p->ms / 1000));
		if (p->detail[0])
			put_text(o, "detail", p->detail);
		if (json_array_append_new(list, o) < 0)
			mem_out();
	}
	return list;
}

static json_t *device_json(const struct record *r)
{
	json_t *o = json_object();

	put_text(o, "manufacturer", r->hello.device.manufacturer);
	put_text(o, "model", r->hello.device.model);
	put_text(o, "serial", r->hello.device.serial);
	if (!r->hello.agent_version[0])		/* it was cut, and has not come back */
		return o;
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

static bool is_set(const uint8_t hash[SHA256_LEN])
{
	static const uint8_t zeros[SHA256_LEN];

	return memcmp(hash, zeros, SHA256_LEN) != 0;
}

static json_t *cut_json(const struct record *r)
{
	json_t *o = json_object();

	put(o, "times", json_integer(r->cuts));
	put_text(o, "phase", phase_name(r->cut_phase));
	put_time(o, "time", r->cut_time);
	return o;
}

static json_t *audit_json(const struct audit_head *h)
{
	struct buf signature = {0};
	json_t *o = json_object();

	buf_add(&signature, h->signature, h->len);
	put(o, "history", json_integer((json_int_t)h->history));
	put(o, "row", json_integer(h->at.n));
	put_hex(o, "hash", h->at.hash, SHA256_LEN);
	put_time(o, "time", h->time);
	put_base64(o, "signature", &signature);
	buf_free(&signature);
	return o;
}

/* Who and what: all of it is known when the device is challenged. */
static json_t *unit_json(const struct record *r)
{
	json_t *o = json_object();

	put(o, "schema", json_integer(RECORD_SCHEMA));
	put_text(o, "record_id", r->id);
	put_text(o, "tool_version", PACKAGE_VERSION);
	put_text(o, "station", r->station);
	put_text(o, "slot", r->slot);
	put_text(o, "usb_path", r->port);
	put_text(o, "order", r->order);
	put_time(o, "start", r->start);
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
	if (r->operator[0])
		put_text(o, "operator", r->operator);
	if (r->taken_by[0])
		put_text(o, "taken_by", r->taken_by);
	if (r->taken_from[0])
		put_text(o, "taken_from", r->taken_from);
	if (r->audit.at.n)
		put(o, "audit_head", audit_json(&r->audit));
	if (r->cuts)
		put(o, "cut", cut_json(r));
	if (is_set(r->salt)) {
		put_hex(o, "certificate_sha256", r->certificate, SHA256_LEN);
		put_hex(o, "salt", r->salt, SHA256_LEN);
	}
	return o;
}

void record_hash_unit(const json_t *unit, uint8_t nonce[SHA256_LEN])
{
	char *text = json_dumps(unit, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		mem_out();
	/* cppcheck-suppress nullPointerRedundantCheck ; mem_out() does not return */
	digest_sha256(nonce, text, strlen(text));
	free(text);
}

void record_nonce(const struct record *r, uint8_t nonce[SHA256_LEN])
{
	json_t *unit = unit_json(r);

	record_hash_unit(unit, nonce);
	json_decref(unit);
}

char *record_json(const struct record *r)
{
	json_t *o = unit_json(r);
	char *text;

	put_time(o, "end", r->end);
	put_text(o, "outcome", outcome_name(r->outcome));
	if (outcome_has_reason(r->outcome)) {
		put_text(o, "code", reason_id(r->error.code));
		put_text(o, "reason", reason_info(r->error.code)->name);
		put_text(o, "text", r->error.text);
	}
	if (r->proof.certificate.len)
		put(o, "proof", proof_json(r));
	put(o, "phases", phases_json(r));
	put_hex(o, "previous", r->previous, SHA256_LEN);
	text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(o);
	if (!text)
		mem_out();
	return text;
}

/* The name under which people look for it, if it has one that fits in a line. */
const char *record_serial(const struct record *r)
{
	const char *const names[] = { r->hello.device.serial, r->boot_serial, r->scanned };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (text_is_token(names[i], LIMIT_SERIAL))
			return names[i];
	return "-";
}

void record_free(struct record *r)
{
	free(r->phase);
	link_proof_free(&r->proof);
	memset(r, 0, sizeof *r);
}
