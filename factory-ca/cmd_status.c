#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_head.h"
#include "clock.h"
#include "cmd.h"
#include "crl.h"
#include "hand.h"
#include "ledger_list.h"
#include "mem.h"
#include "publish.h"
#include "state.h"

struct report {
	const struct cli *c;
	struct ledger_count *count;
	size_t n;
};

/* ---- requests and orders ---- */
static int collect(void *arg, const struct ledger_count *c)
{
	struct report *r = arg;

	r->count = mem_grow(r->count, r->n + 1, sizeof *r->count);
	r->count[r->n++] = *c;
	return 0;
}

/* NULL: of all orders. */
static int64_t count_of(const struct report *r, const char *order, const char *state)
{
	int64_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if ((!order || strcmp(r->count[i].order, order) == 0) && strcmp(r->count[i].state, state) == 0)
			n += r->count[i].n;
	return n;
}

static void print_states(const struct report *r)
{
	static const char *const states[] = { "reserved", "pending", "active", "superseded", "revoked" };
	struct jsonl *j = cli_json(r->c) ? jsonl_new("requests") : NULL;

	if (!j)
		printf("requests  ");
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		int64_t n = count_of(r, NULL, states[i]);

		if (j)
			jsonl_int(j, states[i], n);
		else
			printf(" %" PRId64 " %s%s", n, states[i], i + 1 < ARRAY_LEN(states) ? "," : "\n");
	}
	if (j)
		jsonl_print(j);
}

static int print_order(void *arg, const struct ledger_order *o, const struct buf *cms)
{
	const struct report *r = arg;
	int64_t pending = count_of(r, o->id, "pending");
	struct jsonl *j;

	if (!cli_json(r->c)) {
		printf("order      %-20s %-11s %u of %u units, %" PRId64 " pending\n", o->id, order_state_name(o->state), o->used, o->quota,
		       pending);
		return 0;
	}
	j = jsonl_new("order");
	jsonl_str(j, "id", o->id);
	jsonl_str(j, "state", order_state_name(o->state));
	jsonl_int(j, "used", o->used);
	jsonl_int(j, "quota", o->quota);
	jsonl_int(j, "pending", pending);
	jsonl_print(j);
	return 0;
}

/* ---- revocation lists, as they are published ---- */
static void print_list_line(const struct cli *c, const char *name, const struct published *p, const char *what_now)
{
	char until[TEXT_TIME];
	struct jsonl *j;

	text_time(until, p->next_update);
	if (!cli_json(c)) {
		printf("CRL        %-20s number %" PRIu64 ", %zu certificates, good until %s%s\n", name, p->number, p->entries, until,
		       p->next_update < clock_utc() ? ": OVER" : what_now);
		return;
	}
	j = jsonl_new("crl");
	jsonl_str(j, "of", name);
	jsonl_int(j, "number", (int64_t)p->number);
	jsonl_int(j, "certificates", (int64_t)p->entries);
	jsonl_str(j, "next_update", until);
	jsonl_print(j);
}

/* It lies where it was made, and is published from there. */
static int print_root_list(const struct office *o, const struct cli *c, unsigned generation, struct err *e)
{
	struct published p;
	char name[CRL_NAME];
	int rc = root_list_read(&p, o->dir, generation, NULL, e);

	root_list_name(name, generation);
	if (rc == 1)
		print_list_line(c, name, &p, p.next_update - clock_utc() < ROOT_LIST_WARN_S ? ": ENDS SOON, have it made anew: \"root crl\", or a ceremony" : "");
	else if (rc == 0 && !cli_json(c))
		printf("CRL        %-20s was never made: \"root crl\", or a ceremony\n", name);
	return rc < 0 ? -1 : 0;
}

static int print_list(const struct office *o, const struct cli *c, enum crl_of of, struct err *e)
{
	char name[CRL_NAME], file[CRL_NAME + 8];
	struct buf der = {0};
	struct crl crl = {0};
	struct published p = {0};
	struct err none;

	if (!crl_ca(&o->ca, of))
		return 0;
	crl_name(name, &o->ca, of);
	snprintf(file, sizeof file, "%s.crl", name);
	if (publisher_get(o->dir, &o->ca, file, &der, &none) != 1) {	/* serve has never run */
		if (!cli_json(c))
			printf("CRL        %-20s none was published yet\n", name);
		return 0;
	}
	if (crl_parse(&crl, der.data, der.len, e) < 0) {
		buf_free(&der);
		return err_prefix(e, "%s/crl/%s", o->dir, file);
	}
	p = (struct published){ .number = crl.number, .next_update = crl.next_update, .entries = crl.n };
	print_list_line(c, name, &p, "");
	crl_free(&crl);
	buf_free(&der);
	return 0;
}

/* ---- the audit ---- */
static int print_audit(const struct office *o, const struct cli *c, struct err *e)
{
	char time[TEXT_TIME] = "";
	struct audit_state last;
	struct audit_head head;
	struct jsonl *j;

	if (audit_last(o->ledger, &last, e) < 0 || audit_head_last(o->ledger, &head, e) < 0)
		return -1;
	if (head.at.n)
		text_time(time, head.time);
	if (cli_json(c)) {
		j = jsonl_new("audit-state");
		jsonl_int(j, "rows", last.n);
		jsonl_int(j, "head", head.at.n);
		jsonl_str(j, "time", time);
		jsonl_print(j);
	} else if (head.at.n) {
		printf("audit      %" PRId64 " rows, a head of row %" PRId64 " of %s\n", last.n, head.at.n, time);
	} else {
		printf("audit      %" PRId64 " rows, no head yet\n", last.n);
	}
	return 0;
}

/* ---- the daemon ---- */
static double a_minute(const struct pool_state *p)
{
	return p->made_ms ? (double)p->made * 60000 / (double)p->made_ms : 0;
}

static void print_pool(const struct cli *c, const struct pool_state *p)
{
	struct jsonl *j;

	if (!cli_json(c)) {
		printf("pool       %-20s %u of %u keys ready, %" PRIu64 " made ahead", key_type_name(p->type), p->ready, p->room, p->made);
		if (p->made_ms)
			printf(", %.1f a minute", a_minute(p));
		putchar('\n');
		return;
	}
	j = jsonl_new("pool");
	jsonl_str(j, "key_type", key_type_name(p->type));
	jsonl_int(j, "ready", p->ready);
	jsonl_int(j, "room", p->room);
	jsonl_int(j, "made", (int64_t)p->made);
	jsonl_real(j, "a_minute", a_minute(p));
	jsonl_print(j);
}

/* ---- keys ---- */
static const char *condition(const struct keys_state *k)
{
	return !k->store.there ? "the token is not there" : k->open ? "open" : "locked: handsel-ca unlock";
}

static void print_keys(const struct cli *c, const struct keys_state *k)
{
	const char *tries = token_tries_text(k->store.tries);
	struct jsonl *j;

	if (!cli_json(c)) {
		printf("keys       %-20s %s%s%s, %s%s; sandbox %s, %s\n", *k->ca ? k->ca : "of the first CA", k->store.kind, *k->store.name ? " " : "",
		       k->store.name, k->store.encrypted ? "" : "NOT ENCRYPTED, ", condition(k), k->sandbox,
		       k->memory ? "memory locked" : "secrets locked");
		if (*tries)
			printf("           %s\n", tries);
		return;
	}
	j = jsonl_new("keys");
	jsonl_str(j, "ca", k->ca);
	jsonl_str(j, "kind", k->store.kind);
	jsonl_str(j, "token", k->store.name);
	jsonl_bool(j, "there", k->store.there);
	jsonl_bool(j, "open", k->open);
	jsonl_bool(j, "encrypted", k->store.encrypted);
	jsonl_str(j, "tries", tries);
	jsonl_str(j, "sandbox", k->sandbox);
	jsonl_bool(j, "memory_locked", k->memory);
	jsonl_print(j);
}

static void print_daemon(const struct cli *c, const struct state *s, bool serves)
{
	char since[TEXT_TIME], seen[TEXT_TIME];
	struct jsonl *j;

	text_time(since, s->started);
	text_time(seen, s->written);
	for (size_t i = 0; serves && i < s->signer.n; i++)
		print_pool(c, &s->signer.pool[i]);
	for (size_t i = 0; serves && i < s->signer.n_keys; i++)
		print_keys(c, &s->signer.keys[i]);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_bool(j, "serving", serves);
		jsonl_str(j, "since", serves ? since : "");
		jsonl_int(j, "signer_uptime", serves ? (int64_t)s->signer.uptime_s : 0);
		jsonl_print(j);
	} else if (serves) {
		printf("serve      since %s; its signer since %" PRIu64 " s, as of %s\n", since, s->signer.uptime_s, seen);
	} else {
		printf("serve      does not run%s%s\n", s->written ? "; it was seen last at " : "", s->written ? seen : "");
	}
}

static int report(struct office *o, const struct cli *c, struct err *e)
{
	struct report r = { .c = c };
	struct state s;
	int serves = -1, rc = ledger_counts(o->ledger, collect, &r, e);

	if (rc == 0) {
		print_states(&r);
		rc = ledger_order_list(o->ledger, print_order, &r, e);
	}
	for (int of = 0; of < CRL_KINDS && rc == 0; of++)
		rc = print_list(o, c, (enum crl_of)of, e);
	if (rc == 0)
		rc = print_root_list(o, c, o->ca.generation, e);
	if (rc == 0 && o->ca.generation > 1)
		rc = print_root_list(o, c, o->ca.generation - 1, e);
	if (rc == 0)
		rc = print_audit(o, c, e);
	if (rc == 0)
		serves = state_read(&s, cli_dir(c), clock_utc(), e);
	if (serves >= 0)
		print_daemon(c, &s, serves == 1);
	free(r.count);
	return serves < 0 ? -1 : 0;
}

enum cli_exit cmd_status(const struct cli *c)
{
	struct office o;
	struct err e;
	int rc;
	struct ca_query q = { .what = ASK_STATUS };

	if (hand_is_remote(c))
		return hand_list(c, &q);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = report(&o, c, &e);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
