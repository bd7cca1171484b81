/* test_label_print.c - labels: settings, picture, what the printer says, who had one printed again. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "mem.h"
#include "reprints.h"
#include "unit.h"
#include "zpl.h"

/* ---- settings -------------------------------------------------------------------------- */

static char said[sizeof ((struct err *)0)->text];	/* of the last that was refused */

static int settings(struct label_settings *s, const char *yaml)
{
	struct buf text = {0};
	struct err e = {0};
	struct conf *c;
	int rc;

	buf_str(&text, yaml);
	c = conf_parse("label", &text, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	rc = label_settings_read(s, conf_root(c), &e);
	CU_ASSERT(rc == 0 || (e.code == REASON_CONFIG && strncmp(e.text, "label:", 6) == 0));
	snprintf(said, sizeof said, "%s", rc < 0 ? e.text : "");
	conf_free(c);
	buf_free(&text);
	return rc;
}

static void test_settings(void)
{
	static const char *const wrong[] = {
		"width-mm: 9", "width-mm: 151", "height-mm: 9", "dpi: 204", "fields: [model, weight]", "fields: [model, model, model, model, model, model, model]",
		"port: 9100", "printer: \"\"", "printer: \"a b\"", "printer: \"http://a/b\"", "{printer: a, port: 0}", "{printer: a, port: 65536}", "colour: red",
	};
	struct label_settings s;
	struct err e;

	CU_ASSERT_EQUAL(label_settings_read(&s, NULL, &e), 0);
	CU_ASSERT(!label_is_printed(&s) && s.width_mm == 50 && s.height_mm == 25 && s.dots_per_mm == 8 && s.n_fields == 3);
	CU_ASSERT_EQUAL(settings(&s, "{printer: 192.168.7.20, width-mm: 100, height-mm: 50, dpi: 600, fields: [serial, date]}"), 0);
	CU_ASSERT(label_is_printed(&s) && strcmp(s.host, "192.168.7.20") == 0 && strcmp(s.port, "9100") == 0);
	CU_ASSERT(s.width_mm == 100 && s.height_mm == 50 && s.dots_per_mm == 24 && s.n_fields == 2 && s.field[0] == LABEL_SERIAL && s.field[1] == LABEL_DATE);
	CU_ASSERT_EQUAL(settings(&s, "{printer: p, port: 6101, fields: []}"), 0);
	CU_ASSERT(s.n_fields == 0 && strcmp(s.port, "6101") == 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CU_ASSERT_EQUAL(settings(&s, wrong[i]), -1);
}

/* ---- the picture ------------------------------------------------------------------------- */

static struct label sample(void)
{
	struct label l = { .device = { "Acme", "gateway-b", "00000001" }, .order = "A-1007", .time = 1800014400 };

	memset(l.key_sha256, 0xa5, SHA256_LEN);
	return l;
}

static void test_text(void)
{
	struct label_settings s;
	struct label l = sample();
	struct buf out = {0};
	struct err e;

	CU_ASSERT_EQUAL(settings(&s, "fields: [manufacturer, model, serial, fingerprint, order, date]"), 0);
	label_text(&s, &l, &out);
	CU_ASSERT_STRING_EQUAL(buf_text(&out), "manufacturer Acme\nmodel gateway-b\nserial 00000001\n"
		"fingerprint a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\norder A-1007\ndate 2027-01-15\n"
		"qr handsel:1:00000001:a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5:gateway-b\n");
	buf_free(&out);
	CU_ASSERT_EQUAL(label_of_record(&l, &(struct record){ .order = "A" }, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
}

static size_t ink(const struct picture *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->height * p->stride; i++)
		n += (size_t)__builtin_popcount(p->bits[i]);
	return n;
}

/* All sizes and resolutions, the longest names: a picture of that size, or an error that says what to do. */
static void test_sizes(void)
{
	static const unsigned dots[] = { 6, 8, 12, 24 };
	struct label longest = sample();
	struct label_settings s;
	struct picture p;
	struct err e;
	unsigned drawn = 0;

	memset(longest.device.model, 'W', LIMIT_NAME);
	memset(longest.device.manufacturer, '@', LIMIT_NAME);
	memset(longest.device.serial, '9', LIMIT_SERIAL);
	CU_ASSERT_EQUAL(settings(&s, "fields: [manufacturer, model, serial, fingerprint, order, date]"), 0);
	for (size_t i = 0; i < ARRAY_LEN(dots); i++)
		for (s.dots_per_mm = dots[i], s.width_mm = LABEL_MM_MIN; s.width_mm <= LABEL_MM_MAX; s.width_mm += 7)
			for (s.height_mm = LABEL_MM_MIN; s.height_mm <= 60; s.height_mm += 5) {
				if (picture_draw(&p, &s, &longest, &e) < 0) {
					CU_ASSERT(e.code == REASON_CONFIG && strstr(e.text, "too small"));
					continue;
				}
				drawn++;
				CU_ASSERT(p.width == s.width_mm * s.dots_per_mm && p.height == s.height_mm * s.dots_per_mm && ink(&p) > 1000);
				picture_free(&p);
			}
	CU_ASSERT(drawn > 100);
}

/* Each character that can be on a label looks like no other. */
static void test_font(void)
{
	static const char sample_text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
	const char *next = sample_text;
	uint8_t (*column)[FONT_WIDTH] = NULL;
	uint8_t one[FONT_WIDTH];
	size_t n = 0;

	for (uint32_t code = 0; code < 0x3000; code++) {
		if (!font_columns(code, one))
			continue;
		for (size_t i = 0; i < n; i++)
			if (memcmp(column[i], one, FONT_WIDTH) == 0)
				CU_FAIL("two characters look the same");
		column = mem_grow(column, n + 1, sizeof *column);
		memcpy(column[n++], one, FONT_WIDTH);
	}
	CU_ASSERT(n > 250);
	free(column);
	CU_ASSERT_EQUAL(font_next(&next), 'a');
	CU_ASSERT_EQUAL(font_next(&next), 0xe4);
	CU_ASSERT_EQUAL(font_next(&next), 0x20ac);
	CU_ASSERT_EQUAL(font_next(&next), 0x1f600);
	CU_ASSERT_EQUAL(font_next(&next), 'z');
	CU_ASSERT_EQUAL(*next, 0);
}

/* What the font has is drawn; anything else is refused with its place, before there is a label. */
static void test_texts(void)
{
	static const struct {
		const char *yaml, *says;
	} wrong[] = {
		{ "text: [\"\"]", "label:1:8: text: an empty line" },
		{ "text: [\"\\u041f\\u0440\\u0438\"]", "label:1:8: text: character 1, U+041F \"\xd0\x9f\", is none" },
		{ "text: [ok, \"Mu\\u0308ller\"]", "label:1:12: text: character 3, U+0308 " },
		{ "text: [\"a\\u6771\"]", "character 2, U+6771 " }, { "text: [\"a\\tb\"]", "character 2, U+0009, is none" },
		{ "text: [\"a\\u00a0b\"]", "character 2, U+00A0 " }, { "text: [\"\\U0001f600\"]", "character 1, U+1F600 " },
		{ "text: [a, b, c, d, e]", "at most 4 lines" },
	};
	struct label_settings s, plain;
	struct label l = sample();
	struct picture p, q;
	struct buf out = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		CU_ASSERT_EQUAL(settings(&s, wrong[i].yaml), -1);
		CU_ASSERT_PTR_NOT_NULL(strstr(said, wrong[i].says));
	}
	CU_ASSERT_EQUAL(settings(&s, "{fields: [serial], text: [\"M\\u00fcller & S\\u00f8n, \\u0141\\u00f3d\\u017a\", \"\\u20ac 5\"]}"), 0);
	CU_ASSERT_EQUAL(settings(&plain, "{fields: [serial], text: [\"Muller & Son, Lodz\", \"$ 5\"]}"), 0);
	label_text(&s, &l, &out);
	CU_ASSERT_PTR_EQUAL(strstr(buf_text(&out), "text M\xc3\xbcller & S\xc3\xb8n, \xc5\x81\xc3\xb3" "d\xc5\xba\ntext \xe2\x82\xac 5\nserial 00000001\nqr "), buf_text(&out));
	buf_free(&out);
	CU_ASSERT_EQUAL_FATAL(picture_draw(&p, &s, &l, &e), 0);
	CU_ASSERT_EQUAL_FATAL(picture_draw(&q, &plain, &l, &e), 0);
	CU_ASSERT(p.height == q.height && p.stride == q.stride && memcmp(p.bits, q.bits, p.height * p.stride) != 0);
	picture_free(&p);
	picture_free(&q);
}

static void test_zpl(void)
{
	struct label_settings s;
	struct label l = sample();
	struct picture p;
	struct buf zpl = {0};
	struct err e;
	char head[120];

	CU_ASSERT_EQUAL(settings(&s, "{width-mm: 41, height-mm: 20, dpi: 152}"), 0);
	CU_ASSERT_EQUAL_FATAL(picture_draw(&p, &s, &l, &e), 0);
	zpl_picture(&p, &zpl);
	snprintf(head, sizeof head, "^XA^PW246^LL120^LH0,0^LS0^LT0^PON^FO0,0^GFA,%u,%u,31,", 31 * 120, 31 * 120);
	CU_ASSERT_EQUAL(strncmp(buf_text(&zpl), head, strlen(head)), 0);
	CU_ASSERT_EQUAL(zpl.len, strlen(head) + 2 * 31 * 120 + strlen("^FS^PQ1,0,1,N^XZ\r\n"));
	for (size_t i = 0; i < 31 * 120; i++) {
		char hex[3];

		snprintf(hex, sizeof hex, "%02X", p.bits[i]);
		CU_ASSERT_EQUAL(memcmp(zpl.data + strlen(head) + 2 * i, hex, 2), 0);
	}
	picture_free(&p);
	buf_free(&zpl);
}

/* ---- what a printer says ------------------------------------------------------------------- */

static const char good[] = "\x02" "030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n" "\x02" "000,0,0,0,1,2,4,0,00000000,1,000\x03\r\n"
			   "\x02" "1234,0\x03\r\n";

static void test_status(void)
{
	static const struct {
		size_t at;
		char c;
		enum reason code;
	} says[] = {
		{ 0, 2, REASON_OK }, { 43, '1', REASON_HEAD_OPEN }, { 5, '1', REASON_PAPER_OUT }, { 45, '1', REASON_RIBBON_OUT },
		{ 7, '1', REASON_PRINTER_PAUSED }, { 18, '1', REASON_PRINTER_BUSY }, { 28, '1', REASON_PRINTER_FAULT },
		{ 30, '1', REASON_PRINTER_FAULT }, { 32, '1', REASON_PRINTER_FAULT }, { 22, '1', REASON_OK }, { 16, '3', REASON_OK },
		{ 62, '1', REASON_OK }, { 49, 'K', REASON_OK },
	};
	struct zpl_status s;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(sizeof good - 1, ZPL_STATUS_LEN);
	for (size_t i = 0; i < ARRAY_LEN(says); i++) {
		char text[sizeof good];
		bool done = says[i].at != 22 && says[i].at != 16 && says[i].at != 62;

		memcpy(text, good, sizeof good);
		text[says[i].at] = says[i].c;
		CU_ASSERT_EQUAL_FATAL(zpl_status_parse(&s, text, ZPL_STATUS_LEN, &e), 0);
		e.code = REASON_OK;
		CU_ASSERT_EQUAL(zpl_status_judge(&s, &e), says[i].code ? -1 : 0);
		CU_ASSERT_EQUAL(e.code, says[i].code);
		CU_ASSERT_EQUAL(zpl_status_is_done(&s), done);
	}
	/* Without ribbon in it a printer for direct thermal paper says that it has none. */
	{
		char text[sizeof good];

		memcpy(text, good, sizeof good);
		text[45] = '1', text[47] = '0';
		CU_ASSERT(zpl_status_parse(&s, text, ZPL_STATUS_LEN, &e) == 0 && zpl_status_judge(&s, &e) == 0);
	}
}

/* Each byte by each other: read as something that a printer may say at that place, or refused. */
static void test_status_mutated(void)
{
	struct zpl_status s;
	struct err e;
	unsigned taken = 0;

	for (size_t at = 0; at < ZPL_STATUS_LEN; at++)
		for (int c = 0; c < 256; c++) {
			char text[sizeof good];

			memcpy(text, good, sizeof good);
			text[at] = (char)c;
			if (zpl_status_parse(&s, text, ZPL_STATUS_LEN, &e) < 0) {
				CU_ASSERT(e.code == REASON_PRINTER && e.text[0]);
				continue;
			}
			taken++;
			CU_ASSERT(c == good[at] || (c >= '0' && c <= '9') || (at == 49 && c >= 'A' && c <= 'Z'));
			CU_ASSERT(s.formats <= 999 && s.remaining <= 99999999);
		}
	/* 30 digits, 14 flags, one letter or digit; all others have one value. */
	CU_ASSERT_EQUAL(taken, 30 * 10 + 14 * 2 + 36 + (ZPL_STATUS_LEN - 30 - 14 - 1));
	for (size_t len = 0; len <= sizeof good; len++)
		CU_ASSERT_EQUAL(zpl_status_parse(&s, good, len, &e), len == ZPL_STATUS_LEN ? 0 : -1);
}

/* ---- printed again --------------------------------------------------------------------------- */

struct seen {
	unsigned n, broken;
	char last[WHO_REASON_MAX + 1];
};

static void see(void *arg, const struct reprint *r, bool follows)
{
	struct seen *s = arg;

	s->n++;
	s->broken += !follows;
	memcpy(s->last, r->reason, sizeof s->last);
}

static struct seen look(const char *dir, int rc)
{
	struct seen s = {0};
	struct err e;

	CU_ASSERT_EQUAL(reprints_each(dir, see, &s, &e), rc);
	return s;
}

/* Every length that a cut may leave of the file: the lines before it stay, and the next one follows. */
static void test_reprints(void)
{
	struct reprint r = { .serial = "00000001", .operator = "m.r", .reason = "torn; by 1,000 \"things\"" };
	struct buf whole = {0}, text = {0};
	char path[2 * FILE_PATH];
	struct err e;
	const char *dir = unit_folder();

	memset(r.record, 'a', RECORD_ID_LEN);
	snprintf(path, sizeof path, "%s/reprints", dir);
	CU_ASSERT_EQUAL(look(dir, 0).n, 0);
	for (int i = 0; i < 3; i++) {
		r.printed = i % 2;
		CU_ASSERT_EQUAL(reprints_add(dir, &r, &e), 0);
	}
	CU_ASSERT_EQUAL_FATAL(file_read(&whole, path, 0, &e), 0);
	for (size_t len = 0; len <= whole.len; len++) {
		unsigned lines = 0;

		for (size_t i = 0; i < len; i++)
			lines += whole.data[i] == '\n';
		CU_ASSERT_EQUAL(file_replace(path, whole.data, len, 0644, &e), 0);
		CU_ASSERT_EQUAL(look(dir, 0).n, lines);
		CU_ASSERT_EQUAL(reprints_add(dir, &r, &e), 0);
		CU_ASSERT(look(dir, 0).n == lines + 1 && look(dir, 0).broken == 0);
		CU_ASSERT_STRING_EQUAL(look(dir, 0).last, r.reason);
	}
	/* A changed byte: no line, or the next one does not follow. */
	for (size_t i = 0; i < whole.len; i++) {
		struct seen s = {0};
		int rc;

		buf_set(&text, whole.data, whole.len);
		text.data[i] ^= 1;
		CU_ASSERT_EQUAL(file_replace(path, text.data, text.len, 0644, &e), 0);
		rc = reprints_each(dir, see, &s, &e);
		CU_ASSERT(rc == -1 || s.broken || s.n < 3 || i > whole.len - whole.len / 3 - 10);
	}
	buf_free(&whole);
	buf_free(&text);
	unit_remove(dir);
}

UNIT_MAIN("label print", { "settings", test_settings }, { "text", test_text }, { "sizes", test_sizes }, { "font", test_font }, { "lines of the plant", test_texts }, { "lines of the plant", test_texts }, { "ZPL", test_zpl },
	  { "host status", test_status }, { "host status, mutated", test_status_mutated }, { "printed again", test_reprints })
