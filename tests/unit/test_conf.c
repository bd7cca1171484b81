#include <config.h>

#include <string.h>

#include "conf.h"
#include "file.h"
#include "limits.h"
#include "mem.h"
#include "unit.h"

static struct conf *parse(const char *text, struct err *e)
{
	struct buf b = {0};
	struct conf *c;

	e->text[0] = 0;
	buf_str(&b, text);
	c = conf_parse("f.yaml", &b, e);
	buf_free(&b);
	return c;
}

static void refused(const char *text, const char *start, const char *part)
{
	struct err e;
	struct conf *c = parse(text, &e);

	CU_ASSERT_PTR_NULL(c);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	if (strncmp(e.text, start, strlen(start)) != 0 || !strstr(e.text, part)) {
		printf("\n  %s\n  expected %s ... %s\n", e.text, start, part);
		CU_FAIL("another message");
	}
	conf_free(c);
}

static void test_refused(void)
{
	refused("", "f.yaml:1:1: ", "empty");
	refused("# nothing\n", "f.yaml:", "empty");
	refused("version: 1\nname: a\nname: b\n", "f.yaml:3:1: ", "twice, first in line 2");
	refused("a: &x 1\nb: 2\n", "f.yaml:1:4: ", "anchor");
	refused("a: &x [1]\n", "f.yaml:1:4: ", "anchor");
	refused("a: &x {b: 1}\n", "f.yaml:1:4: ", "anchor");
	refused("a: *x\n", "f.yaml:1:4: ", "alias");
	refused("&x a: 1\n", "f.yaml:1:1: ", "anchor");
	refused("*x : 1\n", "f.yaml:1:1: ", "alias");
	refused("a: !!str 1\n", "f.yaml:1:4: ", "tag");
	refused("a: ! 1\n", "f.yaml:1:4: ", "tag");
	refused("a: !x [1]\n", "f.yaml:1:4: ", "tag");
	refused("a: !x {b: 1}\n", "f.yaml:1:4: ", "tag");
	refused("a: 1\n---\nb: 2\n", "f.yaml:2:1: ", "second document");
	refused("a: 1\n...\nb: 2\n", "f.yaml:3:1: ", "");
	refused("a: [1, 2\nb: 3\n", "f.yaml:2:", "not valid YAML");
	refused("a: 1\n\tb: 2\n", "f.yaml:2:1: ", "not valid YAML");
	refused("a: \"x\\0y\"\n", "f.yaml:1:4: ", "NUL");
	refused("[a, b]: 1\n", "f.yaml:1:1: ", "key must be");
	refused("{a: 1}: 1\n", "f.yaml:1:1: ", "key must be");
	refused("a: 1\nb: x\xff\xfe\n", "f.yaml:2:", "not valid YAML");
	refused("a: \x01\n", "f.yaml:1:", "not valid YAML");
}

static void test_limits(void)
{
	struct buf b = {0};
	struct conf *c;
	struct err e;

	for (int i = 0; i < LIMIT_YAML_DEPTH; i++)
		buf_byte(&b, '[');
	for (int i = 0; i < LIMIT_YAML_DEPTH; i++)
		buf_byte(&b, ']');
	c = parse(buf_text(&b), &e);
	CU_ASSERT_PTR_NOT_NULL(c);
	conf_free(c);
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		buf_byte(&b, '[');
	refused(buf_text(&b), "f.yaml:1:17: ", "too deep");
	buf_clear(&b);
	for (int i = 0; i <= LIMIT_YAML_KEYS; i++)
		buf_fmt(&b, "k%d: 1\n", i);
	refused(buf_text(&b), "f.yaml:257:1: ", "too many keys");
	buf_clear(&b);
	for (int i = 0; i < 50000; i++)
		buf_fmt(&b, "- {serial: \"%08d\"}\n", i);
	c = parse(buf_text(&b), &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(conf_count(conf_root(c)), 50000);
	CU_ASSERT_EQUAL(conf_line(conf_item(conf_root(c), 49999)), 50000);
	CU_ASSERT_PTR_NULL(conf_item(conf_root(c), 50000));
	conf_free(c);
	buf_free(&b);
}

enum { F_VERSION, F_NAME, F_PLACE, F_DEVICES, F_N };
static const struct conf_field table[] = {
	[F_VERSION] = { "version", CONF_SCALAR, false },
	[F_NAME] = { "name", CONF_SCALAR, true },
	[F_PLACE] = { "place", CONF_MAP, false },
	[F_DEVICES] = { "devices", CONF_LIST, false },
};

static void fields_refused(const char *text, const char *expected)
{
	const struct conf_node *f[F_N];
	struct err e;
	struct conf *c = parse(text, &e);
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	rc = conf_fields(conf_root(c), table, F_N, f, &e);
	if (rc == 0)
		rc = conf_version(f[F_VERSION], conf_root(c), &e);
	CU_ASSERT_EQUAL(rc, -1);
	CU_ASSERT_STRING_EQUAL(e.text, expected);
	conf_free(c);
}

static void test_fields(void)
{
	const struct conf_node *f[F_N];
	struct err e;
	struct conf *c = parse("version: 1\nname: x\ndevices:\n  - \"1\"\n  -   2\n", &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(conf_fields(conf_root(c), table, F_N, f, &e), 0);
	CU_ASSERT_EQUAL(conf_version(f[F_VERSION], conf_root(c), &e), 0);
	CU_ASSERT_STRING_EQUAL(conf_text(f[F_NAME]), "x");
	CU_ASSERT_PTR_NULL(f[F_PLACE]);
	CU_ASSERT_EQUAL(conf_count(f[F_DEVICES]), 2);
	CU_ASSERT(conf_quoted(conf_item(f[F_DEVICES], 0)));
	CU_ASSERT_FALSE(conf_quoted(conf_item(f[F_DEVICES], 1)));
	CU_ASSERT_EQUAL(conf_line(conf_item(f[F_DEVICES], 1)), 5);
	CU_ASSERT_EQUAL(conf_column(conf_item(f[F_DEVICES], 1)), 7);
	CU_ASSERT_STRING_EQUAL(conf_file(f[F_NAME]), "f.yaml");
	CU_ASSERT_EQUAL(conf_kind(conf_root(c)), CONF_MAP);
	CU_ASSERT_EQUAL(conf_kind(f[F_DEVICES]), CONF_LIST);
	conf_free(c);

	fields_refused("version: 1\nnmae: x\n", "f.yaml:2:1: unknown key \"nmae\"; did you mean \"name\"?");
	fields_refused("version: 1\nname: x\n  \nquota: 2\n",
		       "f.yaml:4:1: unknown key \"quota\"; known here: version, name, place, devices");
	fields_refused("version: 1\n", "f.yaml:1:1: \"name\" is missing; add it");
	fields_refused("name: x\nversion:\n",
		       "f.yaml:2:9: version \"\" is not known to this program; write version: 1");
	fields_refused("- a\n", "f.yaml:1:1: keys and values are needed here, KEY: VALUE");
	fields_refused("name: [x]\n", "f.yaml:1:7: \"name\" needs one value");
	fields_refused(
		"name: x\ndevices:\n",
		"f.yaml:2:9: \"devices\" has no value; give it a list, lines with \"- \", or [] if none is meant");
	fields_refused("name: x\nplace: home\n", "f.yaml:2:8: \"place\" needs keys and values below it");
	fields_refused("name: x\n", "f.yaml:1:1: \"version\" is missing; write version: 1");
	fields_refused("name: x\nversion: 2\n",
		       "f.yaml:2:10: version \"2\" is not known to this program; write version: 1");
	fields_refused("name: x\nversion: \"1\"\n",
		       "f.yaml:2:10: version \"1\" is not known to this program; write version: 1");
}

static const char *const modes[] = { "auto", "manual", NULL };

/* Reads one value by the function that kind names; the error text or "ok". */
static const char *value(char kind, const char *text, uint64_t *out)
{
	static struct err e;
	const struct conf_node *n;
	struct conf *c;
	char s[5] = "";
	bool b = false;
	int i = -1, rc = -1;

	c = parse(text, &e);
	if (!c)
		return e.text;
	n = conf_root(c);
	switch (kind) {
	case 'u':
		rc = conf_uint(n, out, 5, 1000, &e);
		break;
	case 't':
		rc = conf_seconds(n, out, 86400 * 30, &e);
		break;
	case 's':
		rc = conf_str(n, s, sizeof s, &e);
		*out = strlen(s);
		break;
	case 'b':
		rc = conf_bool(n, &b, &e);
		*out = b;
		break;
	case 'c':
		rc = conf_choice(n, modes, &i, &e);
		*out = (uint64_t)i;
		break;
	default:
		break;
	}
	conf_free(c);
	return rc == 0 ? "ok" : e.text;
}

static void good(char kind, const char *text, uint64_t expected)
{
	uint64_t v = 77;

	CU_ASSERT_STRING_EQUAL(value(kind, text, &v), "ok");
	CU_ASSERT_EQUAL(v, expected);
}

static void bad(char kind, const char *text, const char *part)
{
	uint64_t v = 77;
	const char *said = value(kind, text, &v);

	if (strncmp(said, "f.yaml:1:1: ", 12) != 0 || !strstr(said, part)) {
		printf("\n  %s: %s\n", text, said);
		CU_FAIL("another message");
	}
}

static void test_values(void)
{
	good('u', "5", 5);
	good('u', "1000", 1000);
	bad('u', "4", "from 5 to 1000");
	bad('u', "1001", "from 5 to 1000");
	bad('u', "\"5\"", "remove the quotes");
	bad('u', "010", "octal");
	bad('u', "0x10", "octal");
	bad('u', "1e2", "whole number");
	bad('u', "-6", "whole number");
	bad('u', "[5]", "one value");
	good('t', "90s", 90);
	good('t', "\"15m\"", 900);
	good('t', "8h", 28800);
	good('t', "30d", 2592000);
	bad('t', "31d", "at most");
	bad('t', "s", "as in 90s");
	bad('t', "90", "as in 90s");
	bad('t', "90S", "as in 90s");
	bad('t', "-1s", "as in 90s");
	bad('t', "99999999999999999999999999999d", "as in 90s");
	bad('t', "18446744073709551615d", "as in 90s");
	good('s', "abcd", 4);
	good('s', "\"\"", 0);
	bad('s', "abcde", "longer than 4");
	bad('s', "- abc", "one value");
	bad('t', "- 5s", "one value");
	bad('b', "{a: true}", "one value");
	bad('c', "[auto]", "one value");
	good('b', "true", 1);
	good('b', "false", 0);
	bad('b', "yes", "true or false");
	bad('b', "\"true\"", "true or false");
	good('c', "manual", 1);
	bad('c', "manul", "did you mean \"manual\"?");
	bad('c', "never", "not one of: auto, manual");
}

static void test_absent(void)
{
	uint64_t u = 9;
	bool b = true;
	int i = 3;
	char s[4] = "abc";
	struct err e;

	CU_ASSERT_EQUAL(conf_uint(NULL, &u, 0, 1, &e), 0);
	CU_ASSERT_EQUAL(conf_seconds(NULL, &u, 1, &e), 0);
	CU_ASSERT_EQUAL(conf_bool(NULL, &b, &e), 0);
	CU_ASSERT_EQUAL(conf_choice(NULL, modes, &i, &e), 0);
	CU_ASSERT_EQUAL(conf_str(NULL, s, sizeof s, &e), 0);
	CU_ASSERT(u == 9 && b && i == 3 && strcmp(s, "abc") == 0);
}

static void test_load(void)
{
	char path[FILE_PATH];
	struct conf *c;
	struct err e;

	file_join(path, &e, unit_folder(), "x.yaml");
	CU_ASSERT_PTR_NULL(conf_load(path, &e));
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, path));
	CU_ASSERT_EQUAL(file_replace(path, "a: 1\n", 5, 0600, &e), 0);
	c = conf_load(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(conf_file(conf_root(c)), path);
	conf_free(c);
}

/* Every prefix and every changed byte of a good file is read or refused, and nothing else: for the sanitizers. */
static void test_mutation(void)
{
	static const char text[] =
		"version: 1\nname: \"x\\ty\"\nplace: {a: [1, 'b'], c: |\n  d\n}\ndevices:\n- \"1\"\n- s: >-\n    f\n";
	struct err e;

	for (size_t cut = 0; cut < sizeof text; cut++) {
		struct buf b = {0};

		buf_add(&b, text, cut);
		conf_free(conf_parse("f", &b, &e));
		buf_free(&b);
	}
	for (size_t i = 0; i + 1 < sizeof text; i++)
		for (int bit = 0; bit < 8; bit++) {
			struct buf b = {0};
			struct conf *c;

			buf_add(&b, text, sizeof text - 1);
			b.data[i] ^= (uint8_t)(1 << bit);
			e.code = REASON_OK;
			c = conf_parse("f", &b, &e);
			CU_ASSERT(c || e.code == REASON_CONFIG);
			conf_free(c);
			buf_free(&b);
		}
}

UNIT_MAIN("conf", { "what is refused", test_refused }, { "limits", test_limits }, { "fields", test_fields },
	  { "values", test_values }, { "absent values", test_absent }, { "files", test_load },
	  { "mutation", test_mutation })
