#include <config.h>

#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define MAX_WORDS 4	/* in a command's name */
#define OPTION_WIDTH 26	/* of an option in the help; behind a longer one the text begins a line */

struct given {
	const char *name, *value;
};

struct cli {
	const struct cli_program *program;
	const struct cli_command *command;
	int argc;
	char **argv;
	struct given *options;
	size_t options_n;
	const char **words;		/* those of the command first */
	size_t words_n, command_n;
	bool json;
};

static const struct cli_option common[] = {
	{ "dir", "DIR", "folder with the configuration and the data", false },
	{ "json", NULL, "one JSON object a line on standard output, errors too", false },
	{ "verbose", NULL, "more messages on standard error", false },
	{ "help", NULL, "this text (also -h)", false },
	{ "version", NULL, "the version", false },
	{ NULL },
};

/* ---- exit codes and messages ---------------------------------------------------------- */

enum cli_exit cli_exit_of(enum reason code)
{
	switch (code) {
	case REASON_OK:
		return EXIT_DONE;
	case REASON_CONFIG:
	case REASON_REQUEST:
	case REASON_SECRET:
		return EXIT_USAGE;
	case REASON_NO_LINK:
	case REASON_NO_ADDRESS:
	case REASON_UNREACHABLE:
	case REASON_CLOCK:
	case REASON_AUTHORITY:
	case REASON_PROXY:
	case REASON_KEY_STORE:
	case REASON_STORAGE:
	case REASON_CA_UNAVAILABLE:
	case REASON_USB:
	case REASON_DEVICE_LEFT:
	case REASON_PRINTER:
	case REASON_PAPER_OUT:
	case REASON_RIBBON_OUT:
	case REASON_HEAD_OPEN:
	case REASON_PRINTER_PAUSED:
	case REASON_PRINTER_BUSY:
	case REASON_PRINTER_FAULT:
		return EXIT_MISSING;
	case REASON_AGENT:
	case REASON_AUDIT:
	case REASON_INTERNAL:
		return EXIT_NO;
	default:
		return EXIT_POLICY;
	}
}

/* What a peer wrote may not steer a terminal. */
static void print_clean(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static void print_json_error(const struct err *e, enum cli_exit code)
{
	const struct reason_info *info = reason_info(e->code);
	struct jsonl *j = jsonl_new("error");

	jsonl_str(j, "code", info->id);
	jsonl_str(j, "reason", info->name);
	jsonl_str(j, "text", e->text);
	jsonl_str(j, "who", info->who);
	jsonl_str(j, "action", info->action);
	jsonl_int(j, "exit", code);
	jsonl_print(j);
}

enum cli_exit cli_fail(const struct cli *c, const struct err *e)
{
	const struct reason_info *info = reason_info(e->code);
	enum cli_exit code = e->code == REASON_OK ? EXIT_NO : cli_exit_of(e->code);

	if (c->json) {
		print_json_error(e, code);
		return code;
	}
	fflush(stdout);
	fprintf(stderr, "%s: error %s: ", c->program->name, info->id);
	print_clean(stderr, e->text);
	/* A sentence about a file or the command line says by itself what to do. */
	if (e->code == REASON_CONFIG)
		fputc('\n', stderr);
	else
		fprintf(stderr, "\n  what to do (%s): %s\n", info->who, info->action);
	return code;
}

/* ---- what was given -------------------------------------------------------------------- */

const char *cli_get_n(const struct cli *c, const char *name, size_t i)
{
	for (size_t k = 0; k < c->options_n; k++)
		if (strcmp(c->options[k].name, name) == 0 && i-- == 0)
			return c->options[k].value;
	return NULL;
}

const char *cli_get(const struct cli *c, const char *name)
{
	return cli_get_n(c, name, 0);
}

size_t cli_count(const struct cli *c, const char *name)
{
	size_t n = 0;

	for (size_t k = 0; k < c->options_n; k++)
		n += strcmp(c->options[k].name, name) == 0;
	return n;
}

bool cli_has(const struct cli *c, const char *name)
{
	return cli_count(c, name) > 0;
}

int cli_seconds(const struct cli *c, const char *name, uint64_t *seconds, uint64_t max, struct err *e)
{
	const char *text = cli_get(c, name);
	size_t len = text ? strlen(text) : 0;
	char digits[16];

	if (!text)
		return 0;
	if (len && text[len - 1] == 's')
		len--;
	snprintf(digits, sizeof digits, "%.*s", len < sizeof digits ? (int)len : 0, text);
	if (text_uint(seconds, digits, max) < 0 || *seconds == 0)
		return err_set(e, REASON_CONFIG, "--%s %s: 1s to %ds are possible", name, text, (int)max);
	return 0;
}

size_t cli_args(const struct cli *c)
{
	return c->words_n - c->command_n;
}

const char *cli_arg(const struct cli *c, size_t i)
{
	return i < cli_args(c) ? c->words[c->command_n + i] : NULL;
}

const char *cli_dir(const struct cli *c)
{
	const char *dir = cli_get(c, "dir");

	if (dir)
		return dir;
	return c->program->default_dir ? c->program->default_dir : ".";
}

bool cli_json(const struct cli *c)
{
	return c->json;
}

/* ---- tables ------------------------------------------------------------------------------ */

/* The option that the first n characters of text name. */
static const struct cli_option *find_option(const struct cli_option *table, const char *text, size_t n)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == n && strncmp(table->name, text, n) == 0)
			return table;
	return NULL;
}

static size_t word_count(const char *words)
{
	size_t n = 1;

	for (; *words; words++)
		n += *words == ' ';
	return n;
}

/* The first n given words as a command's name is written. */
static void join(const struct cli *c, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_fmt(out, "%s%s", i ? " " : "", c->words[i]);
}

/* The command whose name is exactly the first n words. */
static const struct cli_command *find_exact(const struct cli *c, size_t n)
{
	const struct cli_command *found = NULL;
	struct buf name = {0};

	join(c, n, &name);
	for (const struct cli_command *k = c->program->commands; k->words && !found; k++)
		if (strcmp(k->words, buf_text(&name)) == 0)
			found = k;
	buf_free(&name);
	return found;
}

/* True if the command's name begins with the n given words. */
static bool begins_with(const struct cli *c, const struct cli_command *k, size_t n)
{
	const char *p = k->words;

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(c->words[i]);

		if (strncmp(p, c->words[i], len) != 0 || (p[len] != ' ' && p[len] != 0))
			return false;
		p += len + (p[len] == ' ');
	}
	return true;
}

/* One that every command of the program has. */
static const struct cli_option *find_common(const struct cli_program *p, const char *text, size_t n)
{
	const struct cli_option *o = find_option(common, text, n);

	return o ? o : find_option(p->options, text, n);
}

/* The option of this name, of whatever command: before the command is known, and for a word that may be a value. */
static const struct cli_option *find_anywhere(const struct cli *c, const char *text, size_t n)
{
	const struct cli_option *o = find_common(c->program, text, n), *other;

	for (const struct cli_command *k = c->program->commands; k->words && !(o && o->value); k++) {
		other = find_option(k->options, text, n);
		if (other)
			o = other;
	}
	return o;
}

/* A text after an option is its value, unless it looks like the next option. */
static bool is_value(const char *text)
{
	return text && strncmp(text, "--", 2) != 0;
}

/* ---- help ----------------------------------------------------------------------------------- */

static void print_options(const struct cli_option *table)
{
	for (; table && table->name; table++) {
		char left[80];

		snprintf(left, sizeof left, "--%s%s%s%s", table->name, table->value ? " " : "",
			 table->value ? table->value : "", table->repeated ? "..." : "");
		if (strlen(left) > OPTION_WIDTH)
			printf("  %s\n  %*s %s\n", left, OPTION_WIDTH, "", table->help);
		else
			printf("  %-*s %s\n", OPTION_WIDTH, left, table->help);
	}
}

static void print_common(const struct cli_program *p)
{
	printf("\nCommon options:\n");
	print_options(p->options);
	print_options(common);
}

static void print_command_help(const struct cli *c, const struct cli_command *k)
{
	printf("Usage: %s [OPTION]... %s%s%s\n%s\n", c->program->name, k->words, k->args && *k->args ? " " : "",
	       k->args ? k->args : "", k->help);
	if (k->options && k->options->name) {
		printf("\nOptions:\n");
		print_options(k->options);
	}
	print_common(c->program);
}

/* All commands, or those of the noun that was given. */
static void print_program_help(const struct cli *c)
{
	printf("Usage: %s [OPTION]... COMMAND\n%s\n\nCommands:\n", c->program->name, c->program->summary);
	for (const struct cli_command *k = c->program->commands; k->words; k++)
		if (begins_with(c, k, c->words_n))
			printf("  %-26s %s\n", k->words, k->help);
	print_common(c->program);
	printf("\n%s COMMAND --help tells the options of a command.\n", c->program->name);
}

/* ---- parsing ---------------------------------------------------------------------------------- */

/* Words are told from options first: only they name the command, and options may stand anywhere. */
static void collect_words(struct cli *c)
{
	const struct cli_option *o;
	bool only_words = false;

	c->words = mem_new((size_t)c->argc, sizeof *c->words);
	for (int i = 1; i < c->argc; i++) {
		const char *a = c->argv[i];

		if (only_words || a[0] != '-' || !a[1])
			c->words[c->words_n++] = a;
		else if (strcmp(a, "--") == 0)
			only_words = true;
		else if (strcmp(a, "--json") == 0)
			c->json = true;
		else if (strncmp(a, "--", 2) == 0 && (o = find_anywhere(c, a + 2, strlen(a + 2))) && o->value &&
			 is_value(c->argv[i + 1]))
			i++;
	}
}

static void find_command(struct cli *c)
{
	for (size_t n = c->words_n < MAX_WORDS ? c->words_n : MAX_WORDS; n > 0 && !c->command; n--) {
		c->command = find_exact(c, n);
		c->command_n = n;
	}
	c->command_n = c->command ? c->command_n : 0;
}

static const char *nearest_command(const struct cli *c, size_t n)
{
	const char *list[64] = {0}, *near;
	struct buf name = {0};
	size_t found = 0;

	for (const struct cli_command *k = c->program->commands; k->words && found + 1 < ARRAY_LEN(list); k++)
		if (word_count(k->words) == n)
			list[found++] = k->words;
	join(c, n, &name);
	near = text_nearest(buf_text(&name), list);
	buf_free(&name);
	return near;
}

/* The verbs of a noun that was given alone or with an unknown verb. */
static void list_verbs(const struct cli *c, struct buf *out)
{
	for (const struct cli_command *k = c->program->commands; k->words; k++)
		if (begins_with(c, k, 1))
			buf_fmt(out, "%s%s", out->len ? ", " : "", k->words);
}

/* The names of options behind the n that the list has. */
static const char **list_options(const struct cli_option *o, const char **list, size_t *n)
{
	for (; o && o->name; o++) {
		list = mem_grow(list, *n + 1, sizeof *list);
		list[(*n)++] = o->name;
	}
	return list;
}

static const char *nearest_option(const struct cli *c, const char *name)
{
	const char **list = NULL, *near;
	size_t n = 0;

	list = list_options(c->program->options, list, &n);
	for (const struct cli_command *k = c->program->commands; k->words; k++)
		if (!c->command || c->command == k)
			list = list_options(k->options, list, &n);
	list = list_options(common, list, &n);
	list = mem_grow(list, n + 1, sizeof *list);
	list[n] = NULL;
	near = text_nearest(name, list);
	free(list);
	return near;
}

/* Rightly spelt, and of another command: what looks like it here would be no help. */
static bool is_away(const struct cli *c, const char *name)
{
	for (const char *const *o = c->program->away; o && *o && c->command; o++)
		if (strcmp(*o, name) == 0)
			return true;
	return false;
}

static int unknown_option(const struct cli *c, const char *given, struct err *e)
{
	const char *words = c->command ? c->command->words : "", *near;
	char name[64];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
	if (is_away(c, name + strspn(name, "-")))
		return err_set(e, REASON_CONFIG, "%s: \"%s\" %s", name, words, c->program->away_not);
	near = nearest_option(c, name + strspn(name, "-"));
	if (near)
		return err_set(e, REASON_CONFIG, "unknown option %s; did you mean --%s?", name, near);
	return err_set(e, REASON_CONFIG, "unknown option %s; %s%s%s --help lists them", name, c->program->name,
		       *words ? " " : "", words);
}

static int unknown_command(const struct cli *c, struct err *e)
{
	const char *near = NULL;
	struct buf verbs = {0};

	/* A misspelt option comes first: its value looks like a word. */
	for (int i = 1; i < c->argc && strcmp(c->argv[i], "--") != 0; i++)
		if (strncmp(c->argv[i], "--", 2) == 0 &&
		    !find_anywhere(c, c->argv[i] + 2, strcspn(c->argv[i] + 2, "=")))
			return unknown_option(c, c->argv[i], e);
	if (c->words_n == 0)
		return err_set(e, REASON_CONFIG, "no command was given; %s --help lists them", c->program->name);
	for (size_t n = c->words_n < MAX_WORDS ? c->words_n : MAX_WORDS; n > 0 && !near; n--)
		near = nearest_command(c, n);
	list_verbs(c, &verbs);
	if (near)
		err_set(e, REASON_CONFIG, "unknown command \"%s%s%s\"; did you mean \"%s\"?", c->words[0],
			c->words_n > 1 ? " " : "", c->words_n > 1 ? c->words[1] : "", near);
	else if (verbs.len)
		err_set(e, REASON_CONFIG, "\"%s\" needs a verb: %s", c->words[0], buf_text(&verbs));
	else
		err_set(e, REASON_CONFIG, "unknown command \"%s\"; %s --help lists them", c->words[0],
			c->program->name);
	buf_free(&verbs);
	return -1;
}

/* The option at argv[*i]; moves *i over a value that stands apart. */
static int take_option(struct cli *c, int *i, struct err *e)
{
	const char *a = c->argv[*i], *equals = strchr(a, '=');
	size_t n = strcspn(a + 2, "=");
	const struct cli_option *o = NULL;
	const char *value = NULL;

	if (strncmp(a, "--", 2) == 0) {
		o = find_option(c->command->options, a + 2, n);
		if (!o)
			o = find_common(c->program, a + 2, n);
	}
	if (!o)
		return unknown_option(c, a, e);
	if (!o->value && equals)
		return err_set(e, REASON_CONFIG, "--%s takes no value; write --%s alone", o->name, o->name);
	if (o->value && !equals && !is_value(c->argv[*i + 1]))
		return err_set(e, REASON_CONFIG, "--%s needs a value: --%s %s", o->name, o->name, o->value);
	if (o->value)
		value = equals ? equals + 1 : c->argv[++*i];
	if (!o->repeated && o->value && cli_has(c, o->name))
		return err_set(e, REASON_CONFIG, "--%s is given twice; give it once", o->name);
	c->options[c->options_n++] = (struct given){ o->name, value };
	return 0;
}

static int take_options(struct cli *c, struct err *e)
{
	c->options = mem_new((size_t)c->argc, sizeof *c->options);
	for (int i = 1; i < c->argc && strcmp(c->argv[i], "--") != 0; i++)
		if (c->argv[i][0] == '-' && c->argv[i][1] && take_option(c, &i, e) < 0)
			return -1;
	return 0;
}

static int check_args(const struct cli *c, struct err *e)
{
	const struct cli_command *k = c->command;
	size_t n = cli_args(c);
	const char *near;

	if (n < (size_t)k->min_args)
		return err_set(e, REASON_CONFIG, "something is missing; usage: %s %s %s", c->program->name, k->words,
			       k->args);
	if (n > (size_t)k->max_args && (near = nearest_command(c, c->command_n + 1)))
		return err_set(e, REASON_CONFIG, "unknown command \"%s %s\"; did you mean \"%s\"?", k->words,
			       cli_arg(c, 0), near);
	if (n > (size_t)k->max_args)
		return err_set(e, REASON_CONFIG, "\"%s\" is too much; usage: %s %s%s%s",
			       cli_arg(c, (size_t)k->max_args), c->program->name, k->words,
			       k->args && *k->args ? " " : "", k->args ? k->args : "");
	return 0;
}

/* --help and --version work whatever else is wrong with the line. */
static bool asked_for(const struct cli *c, const char *option, const char *brief)
{
	for (int i = 1; i < c->argc && strcmp(c->argv[i], "--") != 0; i++)
		if (strcmp(c->argv[i], option) == 0 || (brief && strcmp(c->argv[i], brief) == 0))
			return true;
	return false;
}

static int run(struct cli *c)
{
	struct err e = {0};

	collect_words(c);
	find_command(c);
	if (asked_for(c, "--version", NULL)) {
		printf("%s %s\n", c->program->name, PACKAGE_VERSION);
		return EXIT_DONE;
	}
	if (asked_for(c, "--help", "-h")) {
		if (c->command)
			print_command_help(c, c->command);
		else
			print_program_help(c);
		return EXIT_DONE;
	}
	if (!c->command) {
		unknown_command(c, &e);
		return cli_fail(c, &e);
	}
	if (take_options(c, &e) < 0 || check_args(c, &e) < 0)
		return cli_fail(c, &e);
	log_program(c->program->name, cli_has(c, "verbose"));
	return (int)c->command->run(c);
}

int cli_main(const struct cli_program *p, int argc, char **argv)
{
	struct cli c = { .program = p, .argc = argc, .argv = argv };
	int code;

	log_program(p->name, 0);
	code = run(&c);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "%s: error %s: cannot write the answer to standard output: %s\n", p->name,
			reason_id(REASON_STORAGE), strerror(errno));
		if (code == EXIT_DONE)
			code = EXIT_MISSING;
	}
	free(c.options);
	free(c.words);
	return code;
}
