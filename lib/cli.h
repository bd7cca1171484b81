/* cli.h - command lines: a table of commands, long options, exit codes, --json lines. */
#ifndef HANDSEL_CLI_H
#define HANDSEL_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum cli_exit {
	EXIT_DONE = 0,		/* done, or nothing to do */
	EXIT_NO = 1,		/* ran, and the answer is no: FAIL, differences, lint errors */
	EXIT_USAGE = 2,		/* usage or configuration */
	EXIT_MISSING = 3,	/* peer, network or hardware missing */
	EXIT_PARTLY = 4,	/* partly done */
	EXIT_POLICY = 5,	/* refused by policy */
	EXIT_INTERRUPTED = 130,
};
enum cli_exit cli_exit_of(enum reason code);	/* the exit code that fits a reason */

struct cli_option {
	const char *name;	/* without "--" */
	const char *value;	/* metavariable, NULL: a switch */
	const char *help;
	bool repeated;		/* --help puts "..." behind the metavariable */
};

struct cli;			/* what was given */
const char *cli_get(const struct cli *c, const char *name);		/* NULL if absent */
size_t cli_count(const struct cli *c, const char *name);
const char *cli_get_n(const struct cli *c, const char *name, size_t i);
bool cli_has(const struct cli *c, const char *name);
/* "90" or "90s", from 1 to max; absent: *seconds stays as it is. */
int cli_seconds(const struct cli *c, const char *name, uint64_t *seconds, uint64_t max, struct err *e);
size_t cli_args(const struct cli *c);					/* words that are no options */
const char *cli_arg(const struct cli *c, size_t i);

struct cli_command {
	const char *words;	/* "order create" or "serve" */
	const char *args;	/* "CSR --role R --name N": for the usage line */
	const char *help;
	const struct cli_option *options;	/* ends with name NULL; may be NULL */
	int min_args, max_args;
	enum cli_exit (*run)(const struct cli *c);
};

/* Every program's options besides the command's own: --dir DIR, --json, --verbose, --help, --version. */
struct cli_program {
	const char *name, *summary;
	const char *default_dir;		/* of --dir */
	const struct cli_command *commands;	/* ends with words NULL */
	const struct cli_option *options;	/* of every command, beside the common ones; may be NULL */
	/* Options that some commands have and others cannot have, and why these are refused; both may be NULL. */
	const char *const *away;		/* ends with NULL */
	const char *away_not;			/* follows the command's name */
};
int cli_main(const struct cli_program *p, int argc, char **argv);	/* for main() */

const char *cli_dir(const struct cli *c);
bool cli_json(const struct cli *c);

/* Prints an error for a person on stderr, or as {"v":1,"type":"error","code":...} on stdout with --json. Returns the exit code. */
enum cli_exit cli_fail(const struct cli *c, const struct err *e);

/* One JSON object on one line of stdout, beginning with "v":1,"type":TYPE. */
struct jsonl;
struct jsonl *jsonl_new(const char *type);
void jsonl_str(struct jsonl *j, const char *name, const char *value);
void jsonl_int(struct jsonl *j, const char *name, int64_t value);
void jsonl_real(struct jsonl *j, const char *name, double value);
void jsonl_bool(struct jsonl *j, const char *name, bool value);
void jsonl_print(struct jsonl *j);	/* prints and frees */
char *jsonl_text(struct jsonl *j);	/* frees j; the line without LF, free() it */

#endif
