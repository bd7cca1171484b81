#include <config.h>

#include "console.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "mem.h"


struct console {
	pthread_mutex_t lock;	/* lines of several slots do not mix */
	bool json, colour;
};

struct console *console_new(bool json)
{
	struct console *c = mem_new(1, sizeof *c);
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	pthread_mutex_init(&c->lock, NULL);
	c->json = json;
	c->colour = isatty(STDOUT_FILENO) && !(none && *none) && term && strcmp(term, "dumb") != 0;
	return c;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static const char *serial_of(const struct record *r)
{
	return r->hello.device.serial[0] ? r->hello.device.serial : r->boot_serial;
}

static struct jsonl *event(const char *type, const struct record *r)
{
	struct jsonl *j = jsonl_new(type);
	char now[TEXT_TIME];

	text_time(now, clock_utc());
	jsonl_str(j, "t", now);
	jsonl_str(j, "slot", r->slot);
	jsonl_str(j, "usb", r->port);
	if (serial_of(r)[0])
		jsonl_str(j, "serial", serial_of(r));
	return j;
}

static void slot_text(const struct record *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void slot_text(const struct record *r, const char *fmt, ...)
{
	va_list ap;

	printf("slot %-8s %-16s ", r->slot, serial_of(r)[0] ? serial_of(r) : "--");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void end(struct console *c)
{
	fflush(stdout);
	pthread_mutex_unlock(&c->lock);
}

void console_order(struct console *c, const struct order_source *o, const char *station)
{
	pthread_mutex_lock(&c->lock);
	if (c->json) {
		struct jsonl *j = jsonl_new("order");

		jsonl_str(j, "order", o->order.id);
		jsonl_str(j, "station", station);
		jsonl_str(j, "manufacturer", o->order.manufacturer);
		jsonl_str(j, "model", o->order.model);
		jsonl_int(j, "ordered", o->ordered);
		jsonl_int(j, "done", o->done);
		jsonl_print(j);
	} else {
		printf("%s: order %s, %s %s, %u of %u done. Plug in a unit.\n", station, o->order.id,
		       o->order.manufacturer, o->order.model, o->done, o->ordered);
	}
	end(c);
}

void console_phase(struct console *c, const struct record *r, enum phase p)
{
	pthread_mutex_lock(&c->lock);
	if (c->json) {
		struct jsonl *j = event("phase", r);

		jsonl_str(j, "phase", phase_name(p));
		jsonl_int(j, "n", (int64_t)p + 1);
		jsonl_int(j, "of", PHASES);
		jsonl_print(j);
	} else {
		slot_text(r, "%s (%d/%d)", phase_name(p), (int)p + 1, (int)PHASES);
	}
	end(c);
}

void console_progress(struct console *c, const struct record *r, enum phase p, size_t done, size_t total)
{
	struct jsonl *j;

	if (!c->json)
		return;
	pthread_mutex_lock(&c->lock);
	j = event("progress", r);
	jsonl_str(j, "phase", phase_name(p));
	jsonl_int(j, "done", (int64_t)done);
	jsonl_int(j, "total", (int64_t)total);
	jsonl_print(j);
	end(c);
}

void console_note(struct console *c, const struct record *r, const char *text)
{
	pthread_mutex_lock(&c->lock);
	if (c->json) {
		struct jsonl *j = event("note", r);

		jsonl_str(j, "text", text);
		jsonl_print(j);
	} else {
		slot_text(r, "%s", text);
	}
	end(c);
}

static void cut_json(const struct journal_entry *x, const char *next, const char *text)
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

void console_cut(struct console *c, const struct journal_entry *x, const char *next, const char *text)
{
	pthread_mutex_lock(&c->lock);
	if (c->json)
		cut_json(x, next, text);
	else
		printf("slot %-8s %-16s %s\n", x->slot, x->device.serial[0] ? x->device.serial : "--", text);
	end(c);
}

static void unit_json(const struct record *r, int64_t ms)
{
	struct jsonl *j = event("unit", r);
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

/* Word, symbol and colour: any one of them alone says it. Blue and orange, which colour-blind eyes tell apart. */
static void unit_text(const struct console *c, const struct record *r, int64_t ms)
{
	const char *on = "", *off = c->colour ? "\033[0m" : "", *symbol = "-";

	if (r->outcome == OUTCOME_PASS) {
		on = c->colour ? "\033[1;97;44m" : "";
		symbol = "v";
	} else if (outcome_has_reason(r->outcome)) {
		on = c->colour ? "\033[1;30;48;5;208m" : "";
		symbol = "x";
	}
	slot_text(r, "%s  ===  %s %s  ===  %s %d:%02d", on, outcome_name(r->outcome), symbol, off, (int)(ms / 60000),
		  (int)(ms / 1000 % 60));
	if (outcome_has_reason(r->outcome))
		slot_text(r, "%s %s: %s. %s: %s", reason_id(r->error.code), reason_info(r->error.code)->name,
			  r->error.text, reason_info(r->error.code)->who, reason_info(r->error.code)->action);
}

void console_unit(struct console *c, const struct record *r, int64_t ms)
{
	pthread_mutex_lock(&c->lock);
	if (c->json)
		unit_json(r, ms);
	else
		unit_text(c, r, ms);
	end(c);
}

void console_totals(struct console *c, const struct totals *t, int64_t ms)
{
	unsigned judged = t->pass + t->fail;

	pthread_mutex_lock(&c->lock);
	if (c->json) {
		struct jsonl *j = jsonl_new("result");

		jsonl_int(j, "pass", t->pass);
		jsonl_int(j, "fail", t->fail);
		jsonl_int(j, "aborted", t->aborted);
		jsonl_real(j, "seconds", (double)ms / 1000);
		jsonl_print(j);
	} else {
		printf("total: %u pass, %u fail", t->pass, t->fail);
		if (t->aborted)
			printf(", %u aborted", t->aborted);
		if (judged)
			printf(", %.1f %%", 100.0 * t->pass / judged);
		printf(", %.1f s\n", (double)ms / 1000);
	}
	end(c);
}
