/* order extend: a later version of a work order, which takes its place in signer and ledger. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_remote.h"
#include "fault.h"
#include "file.h"
#include "ledger.h"
#include "mem.h"
#include "order_options.h"

struct extension {
	struct office o;
	struct signer *s;
	struct ledger_order known;	/* as the ledger has it */
	struct work_order base, next;
	struct buf cms;			/* of base, then of next */
	const char *id;
	bool there;			/* ledger or signer has it */
};

/* A cut between signer and ledger leaves the ledger behind: the higher version is what is extended. */
static int consider(void *arg, const char *id, bool closed, const struct buf *cms, struct err *e)
{
	struct extension *x = arg;
	struct work_order *o;
	int rc = 0;

	if (strcmp(id, x->id) != 0)
		return 0;
	o = mem_new(1, sizeof *o);
	rc = work_order_read(o, cms->data, cms->len, x->o.ca.trust, e);
	if (rc == 0 && (!x->there || o->version > x->base.version)) {
		x->base = *o;
		x->there = true;
		buf_set(&x->cms, cms->data, cms->len);
	}
	free(o);
	return rc;
}

static int find_base(struct extension *x, struct err *e)
{
	struct buf cms = {0};
	int rc = ledger_order_get(x->o.ledger, x->id, &x->known, &cms, e);

	if (rc == 0)
		rc = err_set(e, REASON_ORDER, "there is no order %s; \"handsel-ca order list\" shows them", x->id);
	else if (rc == 1 && x->known.state != ORDER_OPEN)
		rc = err_set(e, REASON_ORDER, "order %s is %s, and is not extended; create another one", x->id,
			     order_state_name(x->known.state));
	if (rc == 1)
		rc = consider(x, x->id, false, &cms, e);
	buf_free(&cms);
	return rc < 0 ? -1 : signer_orders(x->s, consider, x, e);
}

int order_apply_options(struct work_order *o, const struct cli *c, struct err *e)
{
	const char *valid = cli_get(c, "valid");
	int64_t seconds;

	if (option_number(&o->quota, c, "quota", 1, o->quota, e) < 0 || option_number(&o->scrap, c, "scrap", 0, o->scrap, e) < 0 ||
	    option_lists(o, c, e) < 0)
		return -1;
	if (!valid)
		return 0;
	if (option_valid(&seconds, valid, e) < 0)
		return -1;
	o->not_after = clock_utc() + seconds;
	return 0;
}

/* In a transaction of the ledger. The signer first: it is the judge, and without its word the ledger must not give units. */
static int enter(struct extension *x, struct err *e)
{
	int64_t now = clock_utc();
	char detail[120];

	if (signer_order(x->s, &x->cms, e) < 0)
		return -1;
	FAULT("extend.signed");
	if (x->next.version == x->known.version)
		return 0;
	snprintf(detail, sizeof detail, "version=%u quota=%u scrap=%u", x->next.version, x->next.quota, x->next.scrap);
	return ledger_order_replace(x->o.ledger, &x->next, &x->cms, now, e) < 0
		? -1 : audit_add(x->o.ledger, now, x->o.actor, "extend", x->id, detail, e);
}

/* Of what order_apply_options() can change. */
static bool same_terms(const struct work_order *a, const struct work_order *b)
{
	return a->quota == b->quota && a->scrap == b->scrap && a->not_after == b->not_after && a->n_ranges == b->n_ranges &&
	       a->n_stations == b->n_stations;
}

/* What is asked for once more after a cut changes nothing, but brings signer and ledger together. */
static int extend(struct extension *x, const struct cli *c, struct err *e)
{
	struct operator op = {0};
	int rc = -1;

	x->s = signer_start(x->o.dir, SIGNER_FOR_OPERATOR, e);
	if (!x->s || find_base(x, e) < 0)
		return -1;
	x->next = x->base;
	if (order_apply_options(&x->next, c, e) < 0)
		return -1;
	if (!same_terms(&x->next, &x->base)) {
		x->next.version++;
		rc = operator_load(&op, x->o.dir, e) < 0 ? -1 : work_order_write(&x->next, op.key, &op.chain, &x->cms, e);
		operator_free(&op);
		if (rc < 0)
			return -1;
	}
	if (db_begin(x->o.ledger, e) < 0)
		return -1;
	rc = ledger_order_get(x->o.ledger, x->id, &x->known, NULL, e) == 1 ? 0 : -1;
	if (rc == 0 && x->next.quota < x->known.used)
		rc = err_set(e, REASON_QUOTA, "order %s: %u units are used already; the quota cannot be below that", x->id, x->known.used);
	if (rc == 0 && enter(x, e) == 0)
		return db_commit(x->o.ledger, e);
	db_rollback(x->o.ledger);
	return -1;
}

static void conclude(const struct cli *c, const struct extension *x)
{
	char until[TEXT_TIME];
	struct jsonl *j;

	text_time(until, x->next.not_after);
	if (!cli_json(c)) {
		printf("order %s, version %u: %u of %s/%s, at most %u keys signed, until %s\n", x->id, x->next.version, x->next.quota,
		       x->next.manufacturer, x->next.model, x->next.quota + x->next.scrap, until);
		return;
	}
	j = jsonl_new("result");
	jsonl_str(j, "id", x->id);
	jsonl_int(j, "version", x->next.version);
	jsonl_str(j, "model", x->next.model);
	jsonl_int(j, "quota", x->next.quota);
	jsonl_int(j, "scrap", x->next.scrap);
	jsonl_str(j, "not_after", until);
	jsonl_print(j);
}

enum cli_exit cmd_order_extend(const struct cli *c)
{
	struct extension *x;
	const char *out = cli_get(c, "out");
	enum cli_exit code = EXIT_DONE;
	struct err e;

	if (hand_is_remote(c))
		return remote_order_extend(c);
	x = mem_new(1, sizeof *x);
	x->id = cli_arg(c, 0);
	if (office_open(&x->o, c, &e) < 0) {
		free(x);
		return cli_fail(c, &e);
	}
	if (extend(x, c, &e) < 0 || (out && file_replace(out, x->cms.data, x->cms.len, 0644, &e) < 0))
		code = cli_fail(c, &e);
	else
		conclude(c, x);
	signer_stop(x->s);
	buf_free(&x->cms);
	office_close(&x->o);
	free(x);
	return code;
}
