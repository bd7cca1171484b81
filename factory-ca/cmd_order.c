#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_remote.h"
#include "digest.h"
#include "documents.h"
#include "file.h"
#include "ledger.h"
#include "mem.h"
#include "models.h"
#include "order_options.h"
#include "rows.h"

/* Keys that the signer may sign beyond the quota: a try that was cut costs a key, not a unit. */
static uint32_t scrap_default(uint32_t quota)
{
	return quota / 10 > LIMIT_SUPERSEDE ? quota / 10 : LIMIT_SUPERSEDE;
}

int order_from_options(struct work_order *o, const char *manufacturer, const struct cli *c, struct err *e)
{
	const char *id, *model_name, *agent, *valid = cli_get(c, "valid"), *quota;
	struct model model;
	int64_t seconds;

	if (cli_count(c, "serials") == 0 || cli_count(c, "station") == 0)
		return err_set(e, REASON_CONFIG, "one or more --serials FROM-TO and --station NAME are needed");
	if (option_needed(c, "id", &id, e) < 0 || option_needed(c, "model", &model_name, e) < 0 ||
	    option_needed(c, "agent", &agent, e) < 0 || option_needed(c, "quota", &quota, e) < 0)
		return -1;
	if (!text_is_token(id, CA_ID_MAX))
		return err_set(e, REASON_CONFIG, "--id %s: letters, digits, \".\", \"_\" and \"-\", at most %d", id,
			       CA_ID_MAX);
	if (model_by_name(&model, manufacturer, model_name, e) < 0 || option_number(&o->quota, c, "quota", 1, 0, e) < 0 ||
	    option_number(&o->scrap, c, "scrap", 0, scrap_default(o->quota), e) < 0 || option_lists(o, c, e) < 0 ||
	    option_valid(&seconds, valid ? valid : "", e) < 0 || digest_sha256_file(o->agent_sha256, agent, e) < 0)
		return -1;
	snprintf(o->id, sizeof o->id, "%s", id);
	snprintf(o->manufacturer, sizeof o->manufacturer, "%s", model.manufacturer);
	snprintf(o->model, sizeof o->model, "%s", model.model);
	snprintf(o->hw_type, sizeof o->hw_type, "%s", model.hw_type);
	o->label = cli_has(c, "label");
	o->not_before = clock_utc() - 60;
	o->not_after = clock_utc() + seconds;
	return 0;
}

static int enter(struct office *o, const struct work_order *order, const struct buf *cms, struct err *e)
{
	int64_t now = clock_utc();
	char detail[120];
	int rc;

	snprintf(detail, sizeof detail, "model=%s quota=%u scrap=%u%s", order->model, order->quota, order->scrap,
		 order->label ? " label=required" : "");
	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = ledger_order_add(o->ledger, order, cms, now, e);
	if (rc == 0)
		rc = audit_add(o->ledger, now, o->actor, "order", order->id, detail, e);
	if (rc == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

static void take_back(struct office *o, const char *id)
{
	struct err e;

	if (db_begin(o->ledger, &e) < 0)
		return;
	if (ledger_order_remove(o->ledger, id, &e) == 0 && audit_add(o->ledger, clock_utc(), o->actor, "refuse", id, "the signer refuses the order", &e) == 0 &&
	    db_commit(o->ledger, &e) == 0)
		return;
	db_rollback(o->ledger);
	fprintf(stderr, "warning: order %s stays in the ledger, where it does nothing: %s\n", id, e.text);
}

/* The ledger first: a cut before the signer has seen the order is healed by asking for it again. */
static int create(struct office *o, const struct work_order *order, struct buf *cms, struct err *e)
{
	struct ledger_order known;
	struct operator op = {0};
	struct signer *s = NULL;
	int rc = ledger_order_get(o->ledger, order->id, &known, cms, e), made = -1;
	bool exists = rc == 1;

	if (rc < 0 || operator_load(&op, o->dir, e) < 0 ||
	    (!exists && work_order_write(order, op.key, &op.chain, cms, e) < 0))
		goto out;
	s = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (!s || (!exists && enter(o, order, cms, e) < 0))
		goto out;
	if (signer_order(s, cms, e) < 0) {
		if (e->code == REASON_ROLE)	/* it has none of that id, and takes none from here */
			take_back(o, order->id);
		goto out;
	}
	made = exists ? err_set(e, REASON_ORDER, "order %s exists already; give the new one another --id", order->id)
		      : 0;
out:
	signer_stop(s);
	operator_free(&op);
	return made;
}

enum cli_exit cmd_order_create(const struct cli *c)
{
	struct work_order *order;
	const char *out = cli_get(c, "out");
	enum cli_exit code = EXIT_DONE;
	struct buf cms = {0};
	struct office o;
	struct jsonl *j;
	struct err e;

	if (hand_is_remote(c))
		return remote_order_create(c);
	order = mem_new(1, sizeof *order);
	if (office_open(&o, c, &e) < 0) {
		free(order);
		return cli_fail(c, &e);
	}
	if (o.settings.site != SITE_FACTORY)
		err_set(&e, REASON_CONFIG, "work orders are the factory's; this is a customer's CA system");
	if (o.settings.site != SITE_FACTORY || order_from_options(order, o.settings.name, c, &e) < 0 ||
	    create(&o, order, &cms, &e) < 0 || (out && file_replace(out, cms.data, cms.len, 0644, &e) < 0)) {
		code = cli_fail(c, &e);
	} else if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "id", order->id);
		jsonl_str(j, "model", order->model);
		jsonl_int(j, "quota", order->quota);
		jsonl_int(j, "scrap", order->scrap);
		jsonl_print(j);
	} else {
		printf("order %s: %u of %s/%s, at most %u keys signed\n", order->id, order->quota, order->manufacturer,
		       order->model, order->quota + order->scrap);
	}
	buf_free(&cms);
	free(order);
	office_close(&o);
	return code;
}

/* ---- order list, order show ---- */
struct listing {
	struct sheet sheet;
	struct trust *trust;
	const char *id;		/* NULL: all */
};

static int print_order(void *arg, const struct ledger_order *row, const struct buf *cms)
{
	struct listing *l = arg;

	return l->id && strcmp(l->id, row->id) != 0 ? 0 : rows_order(&l->sheet, l->trust, row, cms);
}

static int list_orders(const struct cli *c, struct listing *l, struct err *e)
{
	struct office o;
	int rc;

	if (office_open(&o, c, e) < 0)
		return -1;
	l->trust = o.ca.trust;
	rc = ledger_order_list(o.ledger, print_order, l, e);
	office_close(&o);
	return rc;
}

enum cli_exit cmd_order_list(const struct cli *c)
{
	struct listing l = { .sheet = { .to = stdout, .form = cli_json(c) ? CA_JSON : CA_TEXT } };
	struct ca_query q = { .what = ASK_ORDERS };
	struct err e;

	if (hand_is_remote(c))
		return hand_list(c, &q);
	return list_orders(c, &l, &e) < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit cmd_order_show(const struct cli *c)
{
	struct listing l = { .sheet = { .to = stdout, .form = cli_json(c) ? CA_JSON : CA_TEXT, .whole = true }, .id = cli_arg(c, 0) };
	struct err e;

	if (hand_is_remote(c))
		return remote_order_show(c);
	if (list_orders(c, &l, &e) < 0)
		return cli_fail(c, &e);
	if (l.sheet.n)
		return EXIT_DONE;
	err_set(&e, REASON_ORDER, "there is no order %s; \"handsel-ca order list\" shows them", l.id);
	return cli_nothing(c, &e);
}

/* ---- order close ---- */
/* *state: what is wanted, then what it is. */
static int close_order(struct office *o, const char *id, enum order_state *state, struct err *e)
{
	struct ledger_order known;
	struct signer *s;
	int64_t now = clock_utc();
	int rc;

	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = ledger_order_get(o->ledger, id, &known, NULL, e);
	if (rc == 0)
		rc = err_set(e, REASON_ORDER, "there is no order %s; \"handsel-ca order list\" shows them", id);
	if (rc == 1)
		rc = 0;
	if (rc == 0 && known.state < *state) {
		rc = ledger_order_close(o->ledger, id, *state, now, e);
		if (rc == 0)
			rc = audit_add(o->ledger, now, o->actor, "close", id, order_state_name(*state), e);
	} else if (rc == 0) {	/* never back from compromised */
		*state = known.state;
	}
	if (rc < 0) {
		db_rollback(o->ledger);
		return -1;
	}
	if (db_commit(o->ledger, e) < 0)
		return -1;
	s = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	rc = s ? signer_close(s, id, e) : -1;
	signer_stop(s);
	return rc;
}

enum cli_exit cmd_order_close(const struct cli *c)
{
	enum order_state state = cli_has(c, "compromised") ? ORDER_COMPROMISED : ORDER_CLOSED;
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (hand_is_remote(c))
		return remote_order_close(c);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = close_order(&o, cli_arg(c, 0), &state, &e);
	office_close(&o);
	if (rc < 0)
		return cli_fail(c, &e);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "id", cli_arg(c, 0));
		jsonl_str(j, "state", order_state_name(state));
		jsonl_print(j);
	} else {
		printf("order %s is %s\n", cli_arg(c, 0), order_state_name(state));
	}
	return EXIT_DONE;
}
