#include <config.h>

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "mem.h"
#include "unit.h"

/* ---- a program ------------------------------------------------------------------- */

static struct buf seen;		/* what the command found */

static enum cli_exit run_show(const struct cli *c)
{
	buf_fmt(&seen, "dir=%s json=%d", cli_dir(c), cli_json(c));
	for (size_t i = 0; i < cli_args(c); i++)
		buf_fmt(&seen, " <%s>", cli_arg(c, i));
	CU_ASSERT_PTR_NULL(cli_arg(c, cli_args(c)));
	for (size_t i = 0; i < cli_count(c, "serials"); i++)
		buf_fmt(&seen, " serials=%s", cli_get_n(c, "serials", i));
	if (cli_get(c, "id"))
		buf_fmt(&seen, " id=%s", cli_get(c, "id"));
	if (cli_has(c, "force"))
		buf_str(&seen, " force");
	CU_ASSERT_PTR_NULL(cli_get(c, "none"));
	return EXIT_DONE;
}

static enum cli_exit run_refuse(const struct cli *c)
{
	struct err e;

	err_set(&e, REASON_NOT_LISTED, "serial 4\033[2J is \"unknown\" here");
	return cli_fail(c, &e);
}

static const struct cli_option create_options[] = {
	{ "id", "ID", "name of the order", false },
	{ "serials", "FROM-TO", "range of serials", true },
	{ "force", NULL, "do it anyway", false },
	{ "state", "pending|active|ended|all", "of these", false },
	{ "server", "URL", "elsewhere", false },
	{ NULL },
};

static const struct cli_command commands[] = {
	{ "order create", "FILE", "makes an order", create_options, 1, 2, run_show },
	{ "order list", NULL, "lists the orders", NULL, 0, 0, run_show },
	{ "devices", NULL, "lists the devices", NULL, 0, 0, run_show },
	{ "devices release", "SERIAL", "lets a device enrol again", create_options, 1, 1, run_show },
	{ "refuse", NULL, "refuses", NULL, 0, 0, run_refuse },
	{ NULL },
};

static const char *const away[] = { "server", NULL };
static const struct cli_program program = { "handsel-unit", "A program for tests.", "/var/lib/unit", commands, NULL, away, "works here alone" };

/* ---- running it with what it prints ----------------------------------------------- */

static char out[8192], err[8192];

static int capture_begin(int fd, FILE *file)
{
	int kept = dup(fd), t = fileno(tmpfile());

	fflush(file);
	dup2(t, fd);
	return kept;
}

static void capture_end(int fd, FILE *file, int kept, char *text, size_t size)
{
	ssize_t n;

	fflush(file);
	n = pread(fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = 0;
	dup2(kept, fd);
	close(kept);
}

static int run(const char *line)
{
	char *copy = mem_str(line), *argv[20] = { copy };
	int argc = 0, kept_out, kept_err, code;

	buf_clear(&seen);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	kept_out = capture_begin(1, stdout);
	kept_err = capture_begin(2, stderr);
	code = cli_main(&program, argc, argv);
	capture_end(2, stderr, kept_err, err, sizeof err);
	capture_end(1, stdout, kept_out, out, sizeof out);
	free(copy);
	return code;
}

static void good(const char *line, const char *expected)
{
	CU_ASSERT_EQUAL(run(line), 0);
	if (strcmp(buf_text(&seen), expected) != 0) {
		printf("\n  %s\n  saw      %s\n  expected %s\n  %s\n", line, buf_text(&seen), expected, err);
		CU_FAIL("read differently");
	}
}

static void bad(const char *line, const char *text)
{
	CU_ASSERT_EQUAL(run(line), EXIT_USAGE);
	CU_ASSERT_EQUAL(seen.len, 0);
	CU_ASSERT_STRING_EQUAL(out, "");
	if (!strstr(err, text)) {
		printf("\n  %s\n  said     %s  expected %s\n", line, err, text);
		CU_FAIL("another message");
	}
}

/* ---- tests -------------------------------------------------------------------------- */

static void test_lines(void)
{
	good("p order create f", "dir=/var/lib/unit json=0 <f>");
	good("p order create --id 7 f g --force", "dir=/var/lib/unit json=0 <f> <g> id=7 force");
	good("p --id 7 --force order --dir /d create f --json", "dir=/d json=1 <f> id=7 force");
	good("p --id=7=8 order create f", "dir=/var/lib/unit json=0 <f> id=7=8");
	good("p order create f --serials 1-2 --serials=3-4", "dir=/var/lib/unit json=0 <f> serials=1-2 serials=3-4");
	good("p order create - -- --id", "dir=/var/lib/unit json=0 <-> <--id>");
	good("p order create --id - f", "dir=/var/lib/unit json=0 <f> id=-");
	good("p order create --id order f", "dir=/var/lib/unit json=0 <f> id=order");
	good("p devices", "dir=/var/lib/unit json=0");
	good("p devices release 4 --force --force --json --json", "dir=/var/lib/unit json=1 <4> force");
	good("p --verbose order list", "dir=/var/lib/unit json=0");
}

static void test_wrong_lines(void)
{
	bad("p", "no command was given; handsel-unit --help");
	bad("p oder create f", "unknown command \"oder create\"; did you mean \"order create\"?");
	bad("p order crate f", "did you mean \"order create\"?");
	bad("p device", "did you mean \"devices\"?");
	bad("p devices relase 4", "did you mean \"devices release\"?");
	bad("p order", "\"order\" needs a verb: order create, order list");
	bad("p order destroy", "\"order\" needs a verb");
	bad("p frobnicate", "unknown command \"frobnicate\"");
	bad("p order create", "usage: handsel-unit order create FILE");
	bad("p order create a b c", "\"c\" is too much");
	bad("p order list x", "\"x\" is too much; usage: handsel-unit order list");
	bad("p order create f --froce", "unknown option --froce; did you mean --force?");
	bad("p order create f --ix 7", "unknown option --ix; did you mean --id?");
	bad("p --dri /d order create f", "unknown option --dri; did you mean --dir?");
	bad("p order create f --quota=5", "unknown option --quota; handsel-unit order create --help");
	bad("p order create f -x", "unknown option -x");
	bad("p order list --id 5", "unknown option --id");
	bad("p order list --server https://x", "--server: \"order list\" works here alone");
	bad("p order list --server=https://x", "--server: \"order list\" works here alone");
	bad("p order list --srever https://x", "unknown option --srever");
	bad("p --server https://x ordr list", "did you mean \"order list\"?");
	bad("p order create f --id", "--id needs a value: --id ID");
	bad("p order create f --id --force", "--id needs a value");
	bad("p order create f --id 1 --id 2", "--id is given twice");
	bad("p order create f --force=yes", "--force takes no value");
}

static void test_help(void)
{
	CU_ASSERT_EQUAL(run("p --help"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "A program for tests."));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "  devices release            lets a device enrol again\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "  --dir DIR "));
	CU_ASSERT_EQUAL(run("p order --help"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "order create"));
	CU_ASSERT_PTR_NULL(strstr(out, "devices release"));
	CU_ASSERT_EQUAL(run("p order create -h --nonsense"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "Usage: handsel-unit [OPTION]... order create FILE\nmakes an order\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "  --serials FROM-TO...       range of serials\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "  --state pending|active|ended|all\n                             of these\n"));
	CU_ASSERT_EQUAL(run("p --version"), 0);
	CU_ASSERT_STRING_EQUAL(out, "handsel-unit " PACKAGE_VERSION "\n");
	CU_ASSERT_STRING_EQUAL(err, "");
}

static json_t *json_line(const char *text)
{
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(j);
	CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
	CU_ASSERT_EQUAL(strncmp(text, "{\"v\":1,\"type\":\"", 15), 0);
	return j;
}

static void test_failures(void)
{
	json_t *j;

	CU_ASSERT_EQUAL(run("p refuse"), EXIT_POLICY);
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "handsel-unit: error E21: serial 4?[2J is \"unknown\" here\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "what to do (admin): add the serial"));
	CU_ASSERT_EQUAL(run("p refuse --json"), EXIT_POLICY);
	CU_ASSERT_STRING_EQUAL(err, "");
	j = json_line(out);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "type")), "error");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "code")), "E21");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "text")), "serial 4\033[2J is \"unknown\" here");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(j, "exit")), EXIT_POLICY);
	json_decref(j);
	CU_ASSERT_EQUAL(run("p --json oder create"), EXIT_USAGE);	/* before the line is understood */
	j = json_line(out);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "code")), "E71");
	json_decref(j);
	CU_ASSERT_EQUAL(cli_exit_of(REASON_OK), EXIT_DONE);
	CU_ASSERT_EQUAL(cli_exit_of(REASON_CONFIG), EXIT_USAGE);
	CU_ASSERT_EQUAL(cli_exit_of(REASON_UNREACHABLE), EXIT_MISSING);
	CU_ASSERT_EQUAL(cli_exit_of(REASON_ONBOARDED), EXIT_POLICY);
	CU_ASSERT_EQUAL(cli_exit_of(REASON_INTERNAL), EXIT_NO);
}

/* An answer that nobody could read is no success. */
static void test_full_stdout(void)
{
	int kept = dup(1), full = open("/dev/full", O_WRONLY), kept_err, code;
	char name[] = "p", option[] = "--help";
	char *argv[] = { name, option, NULL };

	fflush(stdout);
	dup2(full, 1);
	kept_err = capture_begin(2, stderr);
	code = cli_main(&program, 2, argv);
	clearerr(stdout);
	capture_end(2, stderr, kept_err, err, sizeof err);
	dup2(kept, 1);
	close(kept);
	close(full);
	CU_ASSERT_EQUAL(code, EXIT_MISSING);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "E32"));
}

static void test_jsonl(void)
{
	struct jsonl *j = jsonl_new("result");
	char *text;
	json_t *parsed;

	jsonl_str(j, "name", "gate \"7\"\n\xc3\xa9");
	jsonl_str(j, "none", NULL);
	jsonl_str(j, "latin", "caf\xe9");
	jsonl_int(j, "big", INT64_MAX);
	jsonl_int(j, "small", INT64_MIN);
	jsonl_real(j, "half", 0.5);
	jsonl_real(j, "infinite", 1e308 * 10);
	jsonl_bool(j, "yes", true);
	jsonl_int(j, "yes", 0);		/* the later value counts */
	text = jsonl_text(j);
	CU_ASSERT_PTR_NULL(strchr(text, '\n'));
	parsed = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(parsed);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(parsed, "name")), "gate \"7\"\n\xc3\xa9");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(parsed, "latin")), "caf?");
	CU_ASSERT(json_is_null(json_object_get(parsed, "none")));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(parsed, "big")), INT64_MAX);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(parsed, "small")), INT64_MIN);
	CU_ASSERT_EQUAL(json_real_value(json_object_get(parsed, "half")), 0.5);
	CU_ASSERT(json_is_null(json_object_get(parsed, "infinite")));
	CU_ASSERT(json_is_integer(json_object_get(parsed, "yes")));
	json_decref(parsed);
	free(text);
}

UNIT_MAIN("cli", { "lines", test_lines }, { "wrong lines", test_wrong_lines }, { "help", test_help },
	  { "failures", test_failures }, { "full stdout", test_full_stdout }, { "JSON lines", test_jsonl })
