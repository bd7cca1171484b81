#include <config.h>

#include "scan.h"

#include <string.h>

#include "unit.h"

/* Types the bytes; the number of scans that came of them, the last in *out. */
static int type_bytes(struct scanner *s, const void *bytes, size_t n, struct scan *out)
{
	int scans = 0;

	for (size_t i = 0; i < n; i++)
		scans += scanner_byte(s, ((const uint8_t *)bytes)[i], out);
	return scans;
}

static int type(struct scanner *s, const char *text, struct scan *out)
{
	return type_bytes(s, text, strlen(text), out);
}

static void is(struct scanner *s, const char *typed, enum scan_kind kind, const char *text)
{
	struct scan out;

	CU_ASSERT_EQUAL_FATAL(type(s, typed, &out), 1);
	CU_ASSERT_EQUAL(out.kind, kind);
	CU_ASSERT_STRING_EQUAL(out.text, text);
}

static void is_bad(struct scanner *s, const char *typed, const char *says)
{
	struct scan out;

	CU_ASSERT_EQUAL_FATAL(type(s, typed, &out), 1);
	CU_ASSERT_EQUAL_FATAL(out.kind, SCAN_BAD);
	CU_ASSERT_EQUAL(out.error.code, REASON_LABEL);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.error.text, says));
}

static void test_kinds(void)
{
	struct scan_settings set = {0};
	struct scanner *s = scanner_new(&set);
	struct scan out;

	is(s, "00020017\n", SCAN_LABEL, "00020017");
	is(s, "1-4.2 00020017\r", SCAN_LABEL, "1-4.2 00020017");
	CU_ASSERT_EQUAL(type(s, "\n\r\n  \n", &out), 0);	/* Enter before and behind */
	is(s, "\x02" "00020017\x03\r\n", SCAN_LABEL, "00020017");	/* framed */
	is(s, " 000200\b2\b017 \n", SCAN_LABEL, "00020017");
	is(s, "OP:M.R.\n", SCAN_BADGE, "M.R.");
	is(s, "CMD:RETRY:2\n", SCAN_RETRY, "2");
	is(s, "CMD:SKIP:left.3\n", SCAN_SKIP, "left.3");
	is(s, "CMD:LOGOUT\n", SCAN_LOGOUT, "");
	is(s, "CMD:SHIFT\n", SCAN_SHIFT, "");
	is_bad(s, "CMD:LOGOUTS\n", "no such command card");
	is_bad(s, "CMD:RETRY:\n", "no such command card");
	is_bad(s, "CMD:RETRY:a b\n", "no such command card");
	is_bad(s, "CMD:\n", "no such command card");
	is(s, "cmd:retry:2\n", SCAN_LABEL, "cmd:retry:2");
	CU_ASSERT_EQUAL(type(s, "0002", &out), 0);
	CU_ASSERT(scanner_end(s, &out));
	CU_ASSERT_STRING_EQUAL(out.text, "0002");
	CU_ASSERT(!scanner_end(s, &out));
	scanner_free(s);
}

static void test_affixes(void)
{
	struct scan_settings set = { .prefix = "B", .suffix = "C\t" };
	struct scanner *s = scanner_new(&set);
	struct scan out;

	is(s, "B00020017C\t", SCAN_LABEL, "00020017");
	CU_ASSERT_EQUAL(type(s, "\n", &out), 0);	/* Enter behind the suffix is nothing */
	is(s, "BCMD:RETRY:C\t", SCAN_BAD, "");
	is(s, "BCMD:RETRY:1C\t", SCAN_RETRY, "1");
	is_bad(s, "00020017C\t", "lacks the scanner's prefix or suffix");
	is_bad(s, "B0002\n", "lacks the scanner's prefix or suffix");
	is_bad(s, "C\t\n", "lacks the scanner's prefix or suffix");
	CU_ASSERT_EQUAL(type(s, "BC\t", &out), 0);
	scanner_free(s);
}

static void test_expressions(void)
{
	struct scan_settings set = { .label = "SN:([0-9]{8})(/.*)?", .badge = "[0-9]{4}" };
	struct scanner *s = scanner_new(&set);

	is(s, "SN:00020017\n", SCAN_LABEL, "00020017");
	is(s, "SN:00020017/rev C\n", SCAN_LABEL, "00020017");
	is(s, "4711\n", SCAN_BADGE, "4711");
	is_bad(s, "00020017\n", "neither a label nor a badge");
	is_bad(s, "xSN:00020017\n", "neither a label nor a badge");
	is_bad(s, "47110\n", "neither a label nor a badge");
	is_bad(s, "OP:M.R.\n", "neither a label nor a badge");
	scanner_free(s);
	strcpy(set.badge, "OP:(.*)");
	s = scanner_new(&set);
	is_bad(s, "OP:\n", "operator's name");
	is_bad(s, "OP:Eva Li\n", "operator's name");
	scanner_free(s);
}

static void test_garbage(void)
{
	static const char nul[] = "0002\0" "0017\n", only_nul[] = "\0\n";
	struct scan_settings set = {0};
	struct scanner *s = scanner_new(&set);
	char line[SCAN_MAX + 3], longest[SCAN_MAX + 1] = "";
	uint8_t every[256];
	struct scan out;

	is_bad(s, "0002\xff\xfe" "17\n", "bytes that no label has");
	is_bad(s, "\x1b[A0002\x1d" "17\n", "bytes that no label has");
	CU_ASSERT_EQUAL(type_bytes(s, nul, sizeof nul - 1, &out), 1);
	CU_ASSERT_EQUAL(out.kind, SCAN_BAD);
	CU_ASSERT_EQUAL(type_bytes(s, only_nul, sizeof only_nul - 1, &out), 1);
	CU_ASSERT_EQUAL(out.kind, SCAN_BAD);
	memset(line, '7', sizeof line);
	memcpy(line + SCAN_MAX, "\n", 2);
	memset(longest, '7', SCAN_MAX);
	is(s, line, SCAN_LABEL, longest);
	memcpy(line + SCAN_MAX, "7\n", 3);
	is_bad(s, line, "longer than any label");
	is(s, "00020017\n", SCAN_LABEL, "00020017");	/* and nothing is left of it */
	for (int i = 0; i < 256; i++)
		every[i] = (uint8_t)i;
	for (int i = 0; i < 100; i++)
		type_bytes(s, every, sizeof every, &out);
	type(s, "\n", &out);
	is(s, "00020017\n", SCAN_LABEL, "00020017");
	scanner_free(s);
}

static int settings(const char *text, struct scan_settings *out, struct err *e)
{
	struct buf b = {0};
	struct conf *c;
	int rc = -1;

	memset(out, 0, sizeof *out);
	buf_str(&b, text);
	c = conf_parse("station.yaml", &b, e);
	if (c)
		rc = scan_settings_read(out, conf_root(c), e);
	conf_free(c);
	buf_free(&b);
	return rc;
}

static void test_settings(void)
{
	struct scan_settings s;
	struct err e;

	CU_ASSERT_EQUAL(settings("{prefix: \"B\", suffix: \"\\t\", label: \"[0-9]{8}\", badge: \"E([0-9]+)\"}", &s, &e), 0);
	CU_ASSERT_STRING_EQUAL(s.suffix, "\t");
	CU_ASSERT_STRING_EQUAL(s.label, "[0-9]{8}");
	CU_ASSERT_EQUAL(settings("{label: \"([0-9]\"}", &s, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "not a regular expression"));
	CU_ASSERT_EQUAL(settings("{badge: \"*\\\\\"}", &s, &e), -1);
	CU_ASSERT_EQUAL(settings("{prefix: \"12345678901234567\"}", &s, &e), -1);
	CU_ASSERT_EQUAL(settings("{prefx: \"1\"}", &s, &e), -1);
	CU_ASSERT_EQUAL(scan_settings_read(&s, NULL, &e), 0);
}

UNIT_MAIN("scan", { "kinds", test_kinds }, { "affixes", test_affixes }, { "expressions", test_expressions },
	  { "garbage", test_garbage }, { "settings", test_settings })
