/* lint, plan, apply. */
#include <config.h>

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allowlist.h"
#include "clock.h"
#include "cmd.h"
#include "fault.h"
#include "mem.h"
#include "node.h"

const char *cmd_actor(void)
{
	static char actor[LIMIT_NAME + 16];
	const struct passwd *p = getpwuid(getuid());

	snprintf(actor, sizeof actor, "operator:%.*s", LIMIT_NAME, p ? p->pw_name : "?");
	return actor;
}

static int load(const struct cli *c, struct allowlist *al, struct err *e)
{
	struct makers makers;
	char path[FILE_PATH];

	if (makers_load(&makers, cli_dir(c), e) < 0)
		return -1;
	if (cli_args(c))
		return allowlist_load(al, cli_arg(c, 0), &makers, clock_utc(), e);
	return file_join(path, e, cli_dir(c), NODE_ALLOWLIST) < 0 ? -1 : allowlist_load(al, path, &makers, clock_utc(), e);
}

enum cli_exit cmd_lint(const struct cli *c)
{
	struct allowlist al = {0};
	enum cli_exit rc;
	struct err e;

	if (load(c, &al, &e) < 0)
		return cli_fail(c, &e);
	problems_print(&al.problems, cli_json(c));
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_int(j, "entries", (int64_t)al.n);
		jsonl_int(j, "errors", (int64_t)al.problems.errors);
		jsonl_int(j, "warnings", (int64_t)al.problems.warnings);
		jsonl_print(j);
	} else {
		printf("%zu entries, %zu error%s, %zu warning%s\n", al.n, al.problems.errors, al.problems.errors == 1 ? "" : "s", al.problems.warnings,
		       al.problems.warnings == 1 ? "" : "s");
	}
	rc = al.problems.errors ? EXIT_NO : EXIT_DONE;
	allowlist_free(&al);
	return rc;
}

/* ---- plan ---- */
struct printer {
	const struct cli *c;
	const char *file;
	int changes;
};

static void rule_text(const struct allow_entry *a, char *out, size_t size)
{
	char until[TEXT_TIME] = "";

	if (a->expires)
		text_time(until, a->expires);
	snprintf(out, size, "%s%s%s%s%.100s", a->blocked ? "blocked" : "allowed", a->expires ? " until " : "", until,
		 a->note[0] ? " - " : "", a->note);
}

static void print_change(void *arg, const struct change *ch)
{
	static const char *const names[] = { "new", "removed", "changed" };
	struct printer *p = arg;
	const struct allow_entry *a = ch->after ? ch->after : ch->before;
	char before[200] = "", after[200] = "", name[ALLOW_NAME];

	assert(a);	/* a change has at least one side */
	p->changes++;
	allow_name(a, name);
	if (ch->before)
		rule_text(ch->before, before, sizeof before);
	if (ch->after)
		rule_text(ch->after, after, sizeof after);
	if (cli_json(p->c)) {
		struct jsonl *j = jsonl_new("change");

		jsonl_str(j, "kind", names[ch->kind]);
		jsonl_str(j, "serial", name);
		jsonl_str(j, "manufacturer", a->device.manufacturer);
		jsonl_str(j, "model", a->device.model);
		jsonl_str(j, "before", before);
		jsonl_str(j, "after", after);
		jsonl_int(j, "line", ch->after ? a->line : 0);
		jsonl_print(j);
	} else if (ch->kind == CHANGE_OTHER) {
		printf("~ %-20s %s -> %s  %s:%d\n", name, before, after, p->file, a->line);
	} else if (ch->kind == CHANGE_NEW) {
		printf("+ %-20s %s  %s:%d\n", name, after, p->file, a->line);
	} else {
		printf("- %-20s was %s\n", name, before);
	}
}

/* Listed, but the node has no fingerprint to compare with. */
static void print_one_unshipped(const struct cli *c, const struct allow_entry *a, bool crl)
{
	char name[ALLOW_NAME];

	allow_name(a, name);
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("unshipped");

		jsonl_str(j, "serial", name);
		jsonl_bool(j, "factory_crl", crl);
		jsonl_print(j);
	} else if (crl) {
		printf("! %-20s is in no imported manifest; the factory's revocation list decides\n", name);
	} else if (a->kind == ALLOW_SERIAL) {
		printf("! %-20s is in no imported manifest and would be refused with E21\n", name);
	} else {
		printf("! %-20s lets in only what is in a manifest, all else is refused with E51: node.yaml names no factory-crl\n",
		       name);
	}
}

static int print_unshipped(const struct cli *c, struct db *db, const struct allowlist *al, struct err *e)
{
	struct node_conf conf;
	bool crl = node_conf_load(&conf, cli_dir(c), e) == 0 && conf.n_factory_crls;

	for (size_t i = 0; i < al->n; i++) {
		const struct allow_entry *a = &al->entry[i];
		int shipped = 0;

		if (a->kind == ALLOW_SERIAL && !a->blocked)
			shipped = store_shipped_any(db, a->device.serial, a->device.manufacturer, e);
		if (shipped < 0)
			return -1;
		if (!shipped && !a->blocked && (a->kind == ALLOW_SERIAL || !crl))
			print_one_unshipped(c, a, crl);
	}
	return 0;
}

static int plan(const struct cli *c, const struct allowlist *al, struct err *e)
{
	struct printer p = { .c = c, .file = al->file };
	struct db *db;
	int rc;

	if (al->problems.errors)
		return allowlist_refuse(al, e);
	db = node_db_open(cli_dir(c), e);
	if (!db)
		return -1;
	rc = allowlist_compare(db, al, print_change, &p, e);
	if (rc >= 0 && print_unshipped(c, db, al, e) < 0)
		rc = -1;
	db_close(db);
	if (rc < 0)
		return -1;
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_bool(j, "changed", rc == 1);
		jsonl_int(j, "changes", p.changes);
		jsonl_print(j);
	} else {
		printf("%d change%s\n", p.changes, p.changes == 1 ? "" : "s");
	}
	return rc;
}

enum cli_exit cmd_plan(const struct cli *c)
{
	struct allowlist al = {0};
	struct err e;
	int rc = load(c, &al, &e);

	if (rc == 0)
		rc = plan(c, &al, &e);
	allowlist_free(&al);
	return rc < 0 ? cli_fail(c, &e) : rc == 1 ? EXIT_NO : EXIT_DONE;
}

/* ---- apply ---- */
static int apply(struct db *db, const struct allowlist *al, int *changed, int *ended, struct err *e)
{
	if (db_begin(db, e) < 0)
		return -1;
	*changed = allowlist_compare(db, al, NULL, NULL, e);
	if (*changed >= 0 && allowlist_apply(db, al, cmd_actor(), clock_utc(), ended, e) == 0) {
		FAULT("node.applying");
		if (db_commit(db, e) == 0)
			return 0;
	}
	db_rollback(db);
	return -1;
}

enum cli_exit cmd_apply(const struct cli *c)
{
	struct allowlist al = {0};
	struct db *db = NULL;
	int changed = 0, ended = 0, rc = -1;
	struct err e;

	if (load(c, &al, &e) < 0)
		return cli_fail(c, &e);
	if (al.problems.errors)
		allowlist_refuse(&al, &e);
	else if ((db = node_db_open(cli_dir(c), &e)))
		rc = apply(db, &al, &changed, &ended, &e);
	db_close(db);
	if (rc < 0) {
		err_prefix(&e, "not applied, what was in force stays");
		allowlist_free(&al);
		return cli_fail(c, &e);
	}
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_bool(j, "changed", changed == 1);
		jsonl_int(j, "entries", (int64_t)al.n);
		jsonl_int(j, "ended", ended);
		jsonl_print(j);
	} else {
		printf("in force: %zu entries%s", al.n, changed ? "" : ", nothing changed");
		if (ended)
			printf("; %d credential%s revoked by a block", ended, ended == 1 ? "" : "s");
		putchar('\n');
	}
	allowlist_free(&al);
	return EXIT_DONE;
}
