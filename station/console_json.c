#include <config.h>

#include "clock.h"
#include "console_out.h"

static struct jsonl *event(const char *type)
{
	struct jsonl *j = jsonl_new(type);
	char now[TEXT_TIME];

	text_time(now, clock_utc());
	jsonl_str(j, "t", now);
	return j;
}

static struct jsonl *unit_event(const char *type, const struct record *r)
{
	struct jsonl *j = event(type);

	jsonl_str(j, "slot", r->slot);
	jsonl_str(j, "usb", r->port);
	if (console_serial(r)[0])
		jsonl_str(j, "serial", console_serial(r));
	return j;
}

static void json_order(const struct order_source *o, const char *station)
{
	struct jsonl *j = jsonl_new("order");

	jsonl_str(j, "order", o->order.id);
	jsonl_str(j, "station", station);
	jsonl_str(j, "manufacturer", o->order.manufacturer);
	jsonl_str(j, "model", o->order.model);
	jsonl_int(j, "ordered", o->ordered);
	jsonl_int(j, "done", o->done);
	jsonl_print(j);
}

static void json_phase(const struct record *r, enum phase p)
{
	struct jsonl *j = unit_event("phase", r);

	jsonl_str(j, "phase", phase_name(p));
	jsonl_int(j, "n", (int64_t)p + 1);
	jsonl_int(j, "of", PHASES);
	jsonl_print(j);
}

static void json_progress(const struct record *r, enum phase p, size_t done, size_t total)
{
	struct jsonl *j = unit_event("progress", r);

	jsonl_str(j, "phase", phase_name(p));
	jsonl_int(j, "done", (int64_t)done);
	jsonl_int(j, "total", (int64_t)total);
	jsonl_print(j);
}

static void json_note(const struct record *r, const char *text)
{
	struct jsonl *j = unit_event("note", r);

	jsonl_str(j, "text", text);
	jsonl_print(j);
}

static void json_cut(const struct journal_entry *x, const char *next, const char *text)
{
	struct jsonl *j = jsonl_new("cut");
	char when[TEXT_TIME];

	text_time(when, x->time);
	jsonl_str(j, "slot", x->slot);
	jsonl_str(j, "usb", x->port);
	if (x->device.serial[0])
		jsonl_str(j, "serial", x->device.serial);
	jsonl_str(j, "order", x->order);
	jsonl_str(j, "phase", phase_name(x->phase));
	jsonl_str(j, "cut", when);
	if (x->request.id[0])
		jsonl_str(j, "request_id", x->request.id);
	jsonl_str(j, "record", x->record);
	jsonl_str(j, "next", next);
	jsonl_str(j, "text", text);
	jsonl_print(j);
}

static void json_unit(const struct record *r, int64_t ms, enum palette colours)
{
	struct jsonl *j = unit_event("unit", r);
	char hex[SHA256_HEX];

	jsonl_str(j, "outcome", outcome_name(r->outcome));
	jsonl_real(j, "seconds", (double)ms / 1000);
	jsonl_str(j, "record", r->id);
	if (outcome_has_reason(r->outcome)) {
		jsonl_str(j, "code", reason_id(r->error.code));
		jsonl_str(j, "reason", reason_info(r->error.code)->name);
		jsonl_str(j, "text", r->error.text);
		jsonl_str(j, "action", reason_info(r->error.code)->action);
	}
	if (r->outcome == OUTCOME_PASS) {
		text_hex(hex, r->certificate, SHA256_LEN);
		jsonl_str(j, "certificate_sha256", hex);
	}
	jsonl_print(j);
}

static void json_totals(const struct totals *t, int64_t ms)
{
	struct jsonl *j = jsonl_new("result");

	jsonl_int(j, "pass", t->pass);
	jsonl_int(j, "fail", t->fail);
	jsonl_int(j, "aborted", t->aborted);
	jsonl_real(j, "seconds", (double)ms / 1000);
	jsonl_print(j);
}

static void json_shift(const struct counters *c, const char *order)
{
	struct jsonl *j = event("shift");
	struct count of_order = counters_order(c, order);
	char start[TEXT_TIME];

	if (c->shift_start) {
		text_time(start, c->shift_start);
		jsonl_str(j, "start", start);
	}
	jsonl_int(j, "pass", (int64_t)c->shift.pass);
	jsonl_int(j, "fail", (int64_t)c->shift.fail);
	jsonl_int(j, "first_pass", (int64_t)c->first.pass);
	jsonl_int(j, "first_fail", (int64_t)c->first.fail);
	jsonl_int(j, "order_pass", (int64_t)of_order.pass);
	jsonl_int(j, "order_fail", (int64_t)of_order.fail);
	jsonl_print(j);
}

static void json_state(const char *what, const char *text)
{
	struct jsonl *j = event("state");

	jsonl_str(j, "what", what);
	jsonl_str(j, "text", text);
	jsonl_print(j);
}

static void json_operator(const char *name)
{
	struct jsonl *j = event("operator");

	jsonl_str(j, "operator", name);
	jsonl_print(j);
}

static void json_say(const char *text)
{
	struct jsonl *j = event("message");

	jsonl_str(j, "text", text);
	jsonl_print(j);
}

const struct console_out console_json = {
	.order = json_order, .phase = json_phase, .progress = json_progress, .note = json_note, .cut = json_cut, .unit = json_unit,
	.totals = json_totals, .shift = json_shift, .state = json_state, .operator = json_operator, .say = json_say,
};
