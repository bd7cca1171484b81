/* reconcile: this node's database against what the CA knows of its ids. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "fault.h"
#include "mem.h"
#include "node.h"
#include "recover.h"

const struct cli_option reconcile_options[] = {
	{ "apply", NULL, "take it over, instead of showing it", false },
	{ 0 },
};

struct reconcile {
	struct node_conf conf;
	struct node_identity own;
	struct chain root;
	struct trust *trust;
	struct ca_answer *page;		/* all of them: the database is not locked while the CA is asked */
	size_t n_pages;
	bool older;			/* than what the CA has worked with */
	int count[LEARNED_KINDS];
};

static int fetch(struct reconcile *r, struct err *e)
{
	struct ca_client client = { .connect = ca_connect_url, .arg = &r->conf.ca, .host = r->conf.ca.host, .chain = &r->own.chain,
				    .key = r->own.key, .trust = r->trust };
	int64_t after = 0;
	int rc;

	do {
		r->page = mem_grow(r->page, r->n_pages + 1, sizeof *r->page);
		r->page[r->n_pages] = (struct ca_answer){0};
		rc = recover_ask(&client, true, after, &r->page[r->n_pages], e);
		if (rc == 0)
			after = r->page[r->n_pages++].next;
	} while (rc == 0 && after);
	ca_client_close(&client);
	return rc;
}

static void print_one(const struct cli *c, const struct ca_known *k, enum learned l)
{
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("change");

		jsonl_str(j, "serial", k->device.serial);
		jsonl_str(j, "manufacturer", k->device.manufacturer);
		jsonl_str(j, "model", k->device.model);
		jsonl_str(j, "request", k->request.id);
		jsonl_str(j, "ca_state", ca_state_name(k->state));
		jsonl_str(j, "text", learned_text(l));
		jsonl_print(j);
	} else {
		printf("%-18s %-18s %s:%lu %s\n", k->device.serial, k->device.model, k->request.id,
		       (unsigned long)k->request.generation, learned_text(l));
	}
}

static int learn_all(const struct cli *c, struct reconcile *r, struct db *db, struct err *e)
{
	const char *mark = r->page[r->n_pages - 1].mark;
	int rc = recover_judge(db, mark, e);

	if (rc < 0)
		return -1;
	r->older = rc == 0;
	for (size_t i = 0; i < r->n_pages; i++)
		for (size_t n = 0; n < r->page[i].n_known; n++) {
			enum learned l;

			if (recover_learn(db, &r->page[i].known[n], r->older, cmd_actor(), clock_utc(), &l, e) < 0)
				return -1;
			r->count[l]++;
			if (l != LEARNED_NOTHING)
				print_one(c, &r->page[i].known[n], l);
		}
	return r->older ? recover_end(db, mark, cmd_actor(), clock_utc(), e) : 0;
}

static int compare(const struct cli *c, struct reconcile *r, struct err *e)
{
	struct db *db = node_db_open(cli_dir(c), e);
	int rc = db ? db_begin(db, e) : -1;

	if (rc == 0) {
		rc = learn_all(c, r, db, e);
		FAULT("node.reconciling");
		if (rc == 0 && cli_has(c, "apply"))
			rc = db_commit(db, e);
		else
			db_rollback(db);
	}
	db_close(db);
	return rc;
}

static int load(const struct cli *c, struct reconcile *r, struct err *e)
{
	char path[FILE_PATH];

	if (node_conf_load(&r->conf, cli_dir(c), e) < 0 ||
	    node_identity_load(&r->own, cli_dir(c), NODE_OWN, NODE_OWN, e) < 0 ||
	    file_join(path, e, cli_dir(c), NODE_CA_ROOT) < 0 || chain_load(&r->root, path, e) < 0)
		return -1;
	r->trust = node_trust(&r->root, e);
	return r->trust ? 0 : -1;
}

static enum cli_exit report(const struct cli *c, const struct reconcile *r)
{
	bool apply = cli_has(c, "apply");
	int changes = 0;

	for (int l = LEARNED_NOTHING + 1; l < LEARNED_KINDS; l++)
		changes += r->count[l];
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_bool(j, "older", r->older);
		jsonl_int(j, "changes", changes);
		jsonl_int(j, "same", r->count[LEARNED_NOTHING]);
		jsonl_bool(j, "applied", apply);
		jsonl_print(j);
	} else {
		printf("%d request id%s to take over, %d as here%s%s\n", changes, changes == 1 ? "" : "s", r->count[LEARNED_NOTHING],
		       r->older ? "; this database is older than what the CA has worked with" : "",
		       apply ? ": done" : changes || r->older ? "; do it with --apply" : "");
	}
	return !apply && (changes || r->older) ? EXIT_NO : EXIT_DONE;
}

enum cli_exit cmd_reconcile(const struct cli *c)
{
	struct reconcile *r = mem_new(1, sizeof *r);
	enum cli_exit rc;
	struct err e;

	if (load(c, r, &e) < 0 || fetch(r, &e) < 0 || compare(c, r, &e) < 0)
		rc = cli_fail(c, &e);
	else
		rc = report(c, r);
	for (size_t i = 0; i < r->n_pages; i++)
		ca_answer_free(&r->page[i]);
	free(r->page);
	trust_free(r->trust);
	chain_free(&r->root);
	node_identity_free(&r->own);
	free(r);
	return rc;
}
