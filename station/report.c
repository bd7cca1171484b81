#include <config.h>

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mem.h"
#include "text.h"

/* ---- CSV -------------------------------------------------------------------------------- */

/* RFC 4180 2.5 to 2.7. A first character that a spreadsheet takes for a formula gets an apostrophe before it: texts of devices are
 * in here. */
static void csv_field(struct buf *out, const char *text, const char *end)
{
	const char *formula = *text && strchr("=+@\t\r", *text) ? "'" : "";

	if (!*formula && !strpbrk(text, "\",\r\n")) {
		buf_str(out, text);
	} else {
		buf_fmt(out, "\"%s", formula);
		for (; *text; text++)
			buf_fmt(out, *text == '"' ? "\"\"" : "%c", *text);
		buf_str(out, "\"");
	}
	buf_str(out, end);
}

void report_csv_head(struct buf *out)
{
	buf_str(out, "record_id,order,serial,outcome,code,reason,text,station,slot,usb_path,start,end,seconds,manufacturer,model,"
		     "scanned_serial,certificate_sha256\r\n");
}

void report_csv(struct buf *out, const struct record *r)
{
	bool bad = outcome_has_reason(r->outcome), proven = r->proof.certificate.len > 0;
	char start[TEXT_TIME], end[TEXT_TIME], seconds[24], sha256[SHA256_HEX] = "";

	text_time(start, r->start);
	text_time(end, r->end);
	snprintf(seconds, sizeof seconds, "%lld", (long long)(r->end - r->start));
	if (proven)
		text_hex(sha256, r->certificate, SHA256_LEN);
	csv_field(out, r->id, ",");
	csv_field(out, r->order, ",");
	csv_field(out, record_serial(r), ",");
	csv_field(out, outcome_name(r->outcome), ",");
	csv_field(out, bad ? reason_id(r->error.code) : "", ",");
	csv_field(out, bad ? reason_info(r->error.code)->name : "", ",");
	csv_field(out, r->error.text, ",");
	csv_field(out, r->station, ",");
	csv_field(out, r->slot, ",");
	csv_field(out, r->port, ",");
	csv_field(out, start, ",");
	csv_field(out, end, ",");
	csv_field(out, seconds, ",");
	csv_field(out, r->hello.device.manufacturer, ",");
	csv_field(out, r->hello.device.model, ",");
	csv_field(out, r->scanned, ",");
	csv_field(out, sha256, "\r\n");
}

/* ---- JUnit XML ---------------------------------------------------------------------------- */

/* Control characters are in no record (R2.3); here they would be no XML. */
static void xml_text_add(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			buf_str(out, "&lt;");
			break;
		case '>':
			buf_str(out, "&gt;");
			break;
		case '&':
			buf_str(out, "&amp;");
			break;
		case '"':
			buf_str(out, "&quot;");
			break;
		default:
			buf_byte(out, (unsigned char)*text < 0x20 ? '?' : (uint8_t)*text);
		}
	}
}

static void attribute(struct buf *out, const char *name, const char *value)
{
	buf_fmt(out, " %s=\"", name);
	xml_text_add(out, value);
	buf_str(out, "\"");
}

void report_junit_head(struct buf *out, const unsigned n[OUTCOMES])
{
	unsigned all = 0;

	for (int o = OUTCOME_PASS; o < OUTCOMES; o++)
		all += n[o];
	buf_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"handsel-station\" tests=\"%u\" "
		"failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n",
		all, n[OUTCOME_FAIL], n[OUTCOME_ERROR] + n[OUTCOME_TIMEOUT], n[OUTCOME_ABORTED] + n[OUTCOME_SKIPPED]);
}

static const char *element_of(enum outcome o)
{
	switch (o) {
	case OUTCOME_PASS:
		return NULL;
	case OUTCOME_FAIL:
		return "failure";
	case OUTCOME_ERROR:
	case OUTCOME_TIMEOUT:
		return "error";
	default:
		return "skipped";
	}
}

void report_junit(struct buf *out, const struct record *r)
{
	const char *element = element_of(r->outcome);
	char time[TEXT_TIME];

	text_time(time, r->start);
	time[strlen(time) - 1] = 0;	/* JUnit knows no time zone */
	buf_str(out, "    <testcase");
	attribute(out, "classname", r->order);
	attribute(out, "name", record_serial(r));
	attribute(out, "timestamp", time);
	buf_fmt(out, " time=\"%lld\">", (long long)(r->end - r->start));
	if (element) {
		buf_fmt(out, "<%s", element);
		if (outcome_has_reason(r->outcome)) {
			attribute(out, "type", reason_id(r->error.code));
			attribute(out, "message", r->error.text);
		} else {
			attribute(out, "message", outcome_name(r->outcome));
		}
		buf_str(out, "/>");
	}
	buf_fmt(out, "<system-out>record %s, %s, slot ", r->id, outcome_name(r->outcome));
	xml_text_add(out, r->slot);
	buf_str(out, "</system-out></testcase>\n");
}

void report_junit_end(struct buf *out)
{
	buf_str(out, "  </testsuite>\n</testsuites>\n");
}

/* ---- shifts ---------------------------------------------------------------------------------- */

/* Minutes of the day, -1 if it is no HH:MM. */
static int minutes(const char *text)
{
	uint64_t h, m;
	char hour[3], minute[3];

	if (strlen(text) != 5 || text[2] != ':')
		return -1;
	memcpy(hour, text, 2);
	memcpy(minute, text + 3, 2);
	hour[2] = minute[2] = 0;
	return text_uint(&h, hour, 24) < 0 || text_uint(&m, minute, 59) < 0 || h * 60 + m > 1440 ? -1 : (int)(h * 60 + m);
}

/* mktime() knows when the clocks change. */
static int64_t local_time(int64_t now, int days, int minute)
{
	time_t t = (time_t)now;
	struct tm tm;

	localtime_r(&t, &tm);
	tm.tm_mday += days;
	tm.tm_hour = minute / 60;
	tm.tm_min = minute % 60;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return mktime(&tm);
}

int report_shift(const char *text, int64_t now, int64_t *from, int64_t *to, struct err *e)
{
	const char *dots = strstr(text, "..");
	char first[TEXT_TIME] = "";
	int a, b, day;

	if (dots && (size_t)(dots - text) < sizeof first)
		memcpy(first, text, (size_t)(dots - text));
	a = minutes(first);
	b = dots ? minutes(dots + 2) : -1;
	if (a >= 0 && b >= 0) {
		day = local_time(now, 0, a) > now ? -1 : 0;
		*from = local_time(now, day, a);
		*to = local_time(now, b > a ? day : day + 1, b);
		return 0;
	}
	if (dots && text_untime(from, first) == 0 && text_untime(to, dots + 2) == 0 && *from < *to)
		return 0;
	return err_set(e, REASON_CONFIG, "--shift %s: FROM..TO is needed, as 06:00..14:00 or "
		       "2026-11-22T06:00:00Z..2026-11-22T14:00:00Z", text);
}

/* ---- first-pass yield ------------------------------------------------------------------------ */

struct yield_try {
	char serial[LIMIT_SERIAL + 1];
	bool pass, wanted;
	size_t number;
};

void yield_add(struct yield *y, const struct index_entry *en, bool wanted)
{
	struct yield_try *t;

	if (en->outcome != OUTCOME_PASS && en->outcome != OUTCOME_FAIL)
		return;
	y->tries = mem_grow(y->tries, y->n + 1, sizeof *y->tries);
	t = &y->tries[y->n];
	*t = (struct yield_try){ .pass = en->outcome == OUTCOME_PASS, .wanted = wanted, .number = y->n };
	memcpy(t->serial, en->serial, sizeof t->serial);
	y->n++;
}

static bool is_same_unit(const struct yield_try *a, const struct yield_try *b)
{
	return strcmp(a->serial, b->serial) == 0 && strcmp(a->serial, "-") != 0;
}

static int by_unit(const void *a, const void *b)
{
	const struct yield_try *x = a, *y = b;
	int rc = strcmp(x->serial, y->serial);

	return rc ? rc : x->number < y->number ? -1 : 1;
}

struct count yield_count(struct yield *y)
{
	struct count c = {0};

	if (y->n)
		qsort(y->tries, y->n, sizeof *y->tries, by_unit);
	for (size_t first = 0, next; first < y->n; first = next) {
		bool wanted = false;

		for (next = first; next < y->n && (next == first || is_same_unit(&y->tries[first], &y->tries[next])); next++)
			wanted |= y->tries[next].wanted;
		if (y->tries[first].wanted && y->tries[first].pass)
			c.pass++;
		else if (wanted)
			c.fail++;
	}
	free(y->tries);
	*y = (struct yield){0};
	return c;
}
