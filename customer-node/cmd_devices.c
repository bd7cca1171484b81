/* devices list|release|block|unblock, explain. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authz.h"
#include "clock.h"
#include "cmd.h"
#include "fault.h"
#include "mem.h"
#include "node.h"
#include "release.h"
#include "rules.h"

#define DEVICE_OPTIONS                                                                  \
	{ "model", "M", "where several devices have this serial", false },              \
	{ "manufacturer", "M", "where several manufacturers use this serial", false }
const struct cli_option device_options[] = { DEVICE_OPTIONS, { 0 } };
const struct cli_option release_options[] = {
	DEVICE_OPTIONS,
	{ "force", NULL, "even if the old credential was used since the device last asked as a new one", false },
	{ 0 },
};

static const char *state_of(const struct store_view *v)
{
	if (v->device.blocked || v->allow_blocked)
		return "blocked";
	if (v->device.active[0])
		return "onboarded";
	if (v->device.pending[0])
		return "pending";
	if (v->listed)
		return "listed";
	return v->shipped ? "shipped" : "refused";
}

static const char *time_or_dash(char out[TEXT_TIME], int64_t t)
{
	if (t)
		text_time(out, t);
	else
		strcpy(out, "-");
	return out;
}

/* ---- list ---- */
static void print_json(const struct store_view *v, const char *type)
{
	const struct node_device *d = &v->device;
	char t[TEXT_TIME];
	struct jsonl *j = jsonl_new(type);

	jsonl_str(j, "serial", d->id.serial);
	jsonl_str(j, "manufacturer", d->id.manufacturer);
	jsonl_str(j, "model", d->id.model);
	jsonl_str(j, "state", state_of(v));
	jsonl_bool(j, "listed", v->listed);
	jsonl_int(j, "manifest", (int64_t)v->shipped);
	if (d->onboarded)
		jsonl_str(j, "onboarded", time_or_dash(t, d->onboarded));
	if (d->seen)
		jsonl_str(j, "seen", time_or_dash(t, d->seen));
	if (d->used)
		jsonl_str(j, "used", time_or_dash(t, d->used));
	if (d->remote[0])
		jsonl_str(j, "remote", d->remote);
	if (d->active[0])
		jsonl_bool(j, "ca_told", v->untold == 0);
	if (d->refused) {
		jsonl_str(j, "reason", reason_id(d->refused));
		jsonl_str(j, "reason_text", d->refused_text);
		jsonl_str(j, "refused_at", time_or_dash(t, d->refused_at));
		jsonl_int(j, "refusals", d->refusals);
	}
	if (v->note[0])
		jsonl_str(j, "note", v->note);
	jsonl_print(j);
}

struct list {
	const struct cli *c;
	int n;
};

static int print_row(void *arg, const struct store_view *v)
{
	struct list *list = arg;
	const struct node_device *d = &v->device;
	char t[TEXT_TIME];

	if (cli_json(list->c)) {
		print_json(v, "device");
		return 0;
	}
	if (list->n++ == 0)
		printf("%-18s %-18s %-18s %-10s %-20s %s\n", "SERIAL", "MODEL", "MANUFACTURER", "STATE", "LAST CONTACT",
		       "LAST REFUSAL");
	printf("%-18s %-18s %-18s %-10s %-20s", d->id.serial, d->id.model[0] ? d->id.model : "-",
	       d->id.manufacturer[0] ? d->id.manufacturer : "-", state_of(v), time_or_dash(t, d->seen));
	if (d->refused)
		printf(" %s %s", reason_id(d->refused), reason_info(d->refused)->text);
	if (d->active[0] && v->untold)
		printf(" (the CA is yet to be told)");
	putchar('\n');
	return 0;
}

enum cli_exit cmd_devices(const struct cli *c)
{
	struct list list = { .c = c };
	struct err e;
	struct db *db = node_db_open(cli_dir(c), &e);
	int rc = db ? store_view(db, "", print_row, &list, &e) : -1;

	db_close(db);
	if (rc < 0)
		return cli_fail(c, &e);
	if (!cli_json(c) && list.n == 0)
		printf("no device is listed, shipped or seen yet\n");
	return EXIT_DONE;
}

/* ---- one device by its serial ---- */
struct search {
	const char *model, *manufacturer;
	struct store_view found;
	char all[300];		/* of them, for the message */
	int n;
};

static int match(void *arg, const struct store_view *v)
{
	struct search *s = arg;

	if ((s->model && strcmp(s->model, v->device.id.model) != 0) ||
	    (s->manufacturer && strcmp(s->manufacturer, v->device.id.manufacturer) != 0))
		return 0;
	if (s->n++ == 0)
		s->found = *v;
	snprintf(s->all + strlen(s->all), sizeof s->all - strlen(s->all), "%s\"%s\" of \"%s\"", s->all[0] ? ", " : "",
		 v->device.id.model, v->device.id.manufacturer);
	return 0;
}

static int find(const struct cli *c, struct db *db, struct store_view *out, struct err *e)
{
	struct search s = { .model = cli_get(c, "model"), .manufacturer = cli_get(c, "manufacturer") };

	if (store_view(db, cli_arg(c, 0), match, &s, e) < 0)
		return -1;
	if (s.n == 0)
		return err_set(e, REASON_NOT_LISTED, "no device with serial %s is listed, shipped or seen", cli_arg(c, 0));
	if (s.n > 1)
		return err_set(e, REASON_CONFIG, "%d devices have the serial %s: %s; say which with --manufacturer or --model", s.n,
			       cli_arg(c, 0), s.all);
	*out = s.found;
	return 0;
}

/* ---- acts ---- */
/* 1: of what the device may hold something was revoked, by a block or at the CA, and it cannot go back without a release. */
static int holds_dead(struct db *db, const struct store_view *v, struct err *e)
{
	struct release next;

	return v->device.n && !v->device.active[0] ? store_release_next(db, v->device.n, &next, e) : 0;
}

static int release(struct db *db, const struct cli *c, struct store_view *v, struct err *e)
{
	struct node_device *d = &v->device;
	char used[TEXT_TIME], asked[TEXT_TIME];
	int rc;

	if (!device_valid(&d->id))
		return 0;		/* an entry of the list that no device came for */
	if (rules_release_doubtful(d) && !cli_has(c, "force"))
		return err_set(e, REASON_CLONE,
			       "the customer credential of %s was used last at %s, and the device asked as a new one last at "
			       "%s: it may not be wiped at all, or be a copy; release it with --force if you are sure",
			       d->id.serial, time_or_dash(used, d->used), time_or_dash(asked, d->asked_again));
	rc = d->active[0] || d->pending[0] ? 1 : holds_dead(db, v, e);
	if (rc == 1 && rules_release(db, d, cmd_actor(), clock_utc(), e) < 0)
		return -1;
	return rc < 0 ? -1 : release_device(db, cli_dir(c), d, clock_utc(), e);
}

static int block(struct db *db, const struct cli *c, struct store_view *v, struct err *e)
{
	if (!device_valid(&v->device.id))
		return err_set(e, REASON_CONFIG,
			       "device %s was never seen and is in no manifest; write state: blocked into the allowlist and "
			       "apply it",
			       v->device.id.serial);
	return v->device.blocked ? 0 : rules_block(db, &v->device, cmd_actor(), clock_utc(), e);
}

static int unblock(struct db *db, const struct cli *c, struct store_view *v, struct err *e)
{
	if (!v->device.blocked && v->allow_blocked)
		return err_set(e, REASON_BLOCKED,
			       "device %s is blocked by the allowlist; take state: blocked out of it and apply it",
			       v->device.id.serial);
	return v->device.blocked ? rules_unblock(db, &v->device, cmd_actor(), clock_utc(), e) : 0;
}

static int print_result(struct db *db, const struct store_view *v, struct err *e)
{
	const char *serial = v->device.id.serial;
	char t[TEXT_TIME];
	int dead = holds_dead(db, v, e);

	printf("%s is now: %s\n", serial, state_of(v));
	if (v->device.used)
		printf("its customer credential was used last at %s\n", time_or_dash(t, v->device.used));
	if (dead == 1)
		printf("a customer credential that it may hold was revoked; `handsel-node devices release %s` lets it come back\n",
		       serial);
	return dead < 0 ? -1 : 0;
}

static enum cli_exit act(const struct cli *c,
			 int (*what)(struct db *db, const struct cli *c, struct store_view *v, struct err *e))
{
	struct store_view v;
	struct err e;
	struct db *db = node_db_open(cli_dir(c), &e);
	int rc = db ? db_begin(db, &e) : -1;

	if (rc == 0) {
		rc = store_recovering_get(db, &e);
		if (rc == 1)
			rc = err_set(&e, REASON_CA_UNAVAILABLE, "the database was put back from a backup and has yet to take over what the "
				     "CA knows; see handsel-node reconcile");
		if (rc == 0)
			rc = find(c, db, &v, &e);
		if (rc == 0)
			rc = what(db, c, &v, &e);
		FAULT("node.acting");
		if (rc == 0)
			rc = db_commit(db, &e);
		if (rc < 0)
			db_rollback(db);
		else
			FAULT("node.acted");
	}
	if (rc == 0) {	/* as it is now, with what the outbox has to tell */
		rc = find(c, db, &v, &e);
		if (rc == 0 && cli_json(c))
			print_json(&v, "result");
		else if (rc == 0)
			rc = print_result(db, &v, &e);
	}
	db_close(db);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit cmd_devices_release(const struct cli *c)
{
	return act(c, release);
}

enum cli_exit cmd_devices_block(const struct cli *c)
{
	return act(c, block);
}

enum cli_exit cmd_devices_unblock(const struct cli *c)
{
	return act(c, unblock);
}

/* ---- explain ---- */
/* What would happen if the device of the manifest came now. 1 let in, 0 with the reason. */
static int verdict(struct db *db, const struct store_view *v, const struct crl_word *crl, struct err *why, struct err *e)
{
	uint8_t certificate[SHA256_LEN] = {0};
	uint64_t sequence;
	int rc = authz_blocked(db, &v->device, why, e);

	if (rc != 1)
		return rc;
	if (v->device.active[0]) {
		err_set(why, REASON_ONBOARDED,
			"it is onboarded; with its factory credential it may only repeat its last request");
		return 0;
	}
	if (store_shipped_get(db, &v->device.id, &sequence, certificate, e) < 0)
		return -1;
	return authz_listed(db, &v->device.id, certificate, crl, clock_utc(), why, e);
}

static void explain_text(const struct store_view *v, const struct allow_entry *a, bool listed, bool dead, int let_in,
			 const struct err *why)
{
	const struct node_device *d = &v->device;
	char t[TEXT_TIME], name[ALLOW_NAME];

	allow_name(a, name);
	printf("device     %s, model \"%s\" of \"%s\"\n", d->id.serial, d->id.model, d->id.manufacturer);
	printf("state      %s\n", state_of(v));
	if (listed)
		printf("allowlist  line %d, %s: %s%s%s%s%s\n", a->line, name, a->blocked ? "blocked" : "allowed",
		       a->expires ? " until " : "", a->expires ? time_or_dash(t, a->expires) : "", a->note[0] ? " - " : "",
		       a->note);
	else
		printf("allowlist  no entry in force\n");
	if (v->shipped)
		printf("shipped    manifest %" PRIu64 "\n", v->shipped);
	else
		printf("shipped    in no imported manifest\n");
	printf("contact    %s %s\n", time_or_dash(t, d->seen), d->remote);
	if (d->onboarded)
		printf("onboarded  %s%s\n", time_or_dash(t, d->onboarded), v->untold ? ", the CA is yet to be told" : "");
	if (d->used)
		printf("last use   %s, of its customer credential\n", time_or_dash(t, d->used));
	if (dead)
		printf("revoked    a credential that it may hold; `handsel-node devices release %s` lets it come back\n", d->id.serial);
	if (d->refused)
		printf("refused    %s %s: %s (%" PRId64 " in all)\n", time_or_dash(t, d->refused_at), reason_id(d->refused),
		       d->refused_text, d->refusals);
	if (let_in)
		printf("verdict    it would be let in now\n");
	else
		printf("verdict    %s %s\n           what to do (%s): %s\n", reason_id(why->code), why->text,
		       reason_info(why->code)->who, reason_info(why->code)->action);
}

/* A device that nobody has seen yet, as a range or a glob has it. */
struct unseen {
	const char *serial, *model, *manufacturer;
	struct store_view *v;
	bool found;
};

static int take_unseen(void *arg, const struct allow_entry *a)
{
	struct unseen *u = arg;

	if (a->kind == ALLOW_SERIAL || !allow_has_serial(a, u->serial) ||
	    (u->model && a->device.model[0] && strcmp(u->model, a->device.model) != 0) ||
	    (u->manufacturer && a->device.manufacturer[0] && strcmp(u->manufacturer, a->device.manufacturer) != 0))
		return 0;
	*u->v = (struct store_view){ .device.id = a->device };
	snprintf(u->v->device.id.serial, sizeof u->v->device.id.serial, "%s", u->serial);
	if (u->model)
		snprintf(u->v->device.id.model, sizeof u->v->device.id.model, "%s", u->model);
	u->found = true;
	return 1;
}

static int find_or_pattern(const struct cli *c, struct db *db, struct store_view *v, struct err *e)
{
	struct unseen u = { .serial = cli_arg(c, 0), .model = cli_get(c, "model"), .manufacturer = cli_get(c, "manufacturer"), .v = v };
	struct err why;

	if (find(c, db, v, e) == 0)
		return 0;
	return e->code == REASON_NOT_LISTED && store_allow_list(db, take_unseen, &u, &why) == 0 && u.found ? 0 : -1;
}

static void explain_json(const struct store_view *v, bool dead, int let_in, const struct err *why)
{
	struct jsonl *j;

	print_json(v, "device");
	j = jsonl_new("result");
	jsonl_bool(j, "let_in", let_in == 1);
	jsonl_bool(j, "holds_revoked", dead);
	if (!let_in) {
		jsonl_str(j, "reason", reason_id(why->code));
		jsonl_str(j, "reason_text", why->text);
	}
	jsonl_print(j);
}

enum cli_exit cmd_explain(const struct cli *c)
{
	struct crl_view *crls;
	struct allow_entry a = {0};
	struct crl_word word;
	struct store_view v;
	struct err e, why = {0};
	struct db *db = node_db_open(cli_dir(c), &e);
	int listed = 0, dead = 0, let_in = -1;
	bool other;

	crls = crl_view_open(cli_dir(c), &why);		/* not before the handoff */
	if (db && find_or_pattern(c, db, &v, &e) == 0 && (listed = store_allow_get(db, &v.device.id, &a, &other, &e)) >= 0 &&
	    (dead = holds_dead(db, &v, &e)) >= 0) {
		crl_view_judge(crls, v.device.id.manufacturer, &word);
		let_in = verdict(db, &v, &word, &why, &e);
	}
	db_close(db);
	if (let_in >= 0 && !cli_json(c))
		explain_text(&v, &a, listed == 1, dead == 1, let_in, &why);
	if (let_in >= 0)
		crl_view_print(c, crls, v.device.id.manufacturer);
	if (let_in >= 0 && cli_json(c))
		explain_json(&v, dead == 1, let_in, &why);
	crl_view_close(crls);
	return let_in < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
