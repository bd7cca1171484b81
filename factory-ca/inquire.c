#include <config.h>

#include "inquire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "audit_file.h"
#include "introduce.h"
#include "ledger.h"
#include "ledger_acts.h"
#include "mem.h"
#include "rows.h"

struct page {
	const struct inquiry *q;
	const struct ca_query *ask;
	struct sheet sheet;
	int64_t row;		/* the last one */
	bool full;
};

/* -1: enough. */
static int turn(struct page *p, int64_t row)
{
	p->row = row;
	if (p->sheet.n < LIMIT_PAGE_ROWS && ftell(p->sheet.to) < (long)LIMIT_PAGE)
		return 0;
	p->full = true;
	return -1;
}

/* ---- each list ---- */
static int each_order(void *arg, const struct ledger_order *row, const struct buf *cms)
{
	struct page *p = arg;

	if (p->ask->what == ASK_ORDER && strcmp(row->id, p->ask->subject) != 0)
		return 0;
	if (++p->row <= p->ask->after)
		return 0;
	rows_order(&p->sheet, p->q->trust, row, cms);
	return turn(p, p->row);
}

static int orders(struct page *p, struct err *e)
{
	return ledger_order_list(p->q->ledger, each_order, p, e);
}

static int order(struct page *p, struct err *e)
{
	struct ledger_order o;
	struct buf cms = {0};
	int rc = ledger_order_get(p->q->ledger, p->ask->subject, &o, &cms, e);

	p->sheet.whole = true;
	if (rc == 0)
		rc = err_set(e, REASON_ORDER, "there is no order %s; \"handsel-ca order list\" shows them", p->ask->subject);
	else if (rc == 1 && p->ask->form == CA_DER)
		fwrite(cms.data, 1, cms.len, p->sheet.to);
	else if (rc == 1)
		rows_order(&p->sheet, p->q->trust, &o, &cms);
	buf_free(&cms);
	return rc < 0 ? -1 : 0;
}

static int each_issued(void *arg, const struct ledger_row *row)
{
	struct page *p = arg;

	return rows_issued(&p->sheet, row) < 0 ? -1 : turn(p, row->r.n);
}

static int issued(struct page *p, struct err *e)
{
	const struct ca_query *a = p->ask;
	const struct ledger_filter f = { .order = a->order, .state = a->state, .serial = a->serial, .model = a->model,
					 .manufacturer = a->manufacturer, .id = a->id, .since = a->since, .after = a->after, .now = p->q->now };

	p->sheet.whole = a->whole;
	p->sheet.later = a->after != 0;
	return ledger_list(p->q->ledger, &f, each_issued, p, e);
}

static int each_unit(void *arg, const struct ledger_unit *u)
{
	struct page *p = arg;

	rows_unit(&p->sheet, u);
	return turn(p, u->n);
}

static int units(struct page *p, struct err *e)
{
	return ledger_unit_list(p->q->ledger, p->ask->what == ASK_OPERATORS, p->ask->after, each_unit, p, e);
}

static int each_act(void *arg, const struct ledger_act *a)
{
	struct page *p = arg;

	rows_act(&p->sheet, a, p->q->now);
	return turn(p, a->n);
}

static int actions(struct page *p, struct err *e)
{
	return ledger_act_list(p->q->ledger, p->ask->after, each_act, p, e);
}

/* Whoever is to approve it verifies it himself: the document, and not what we would say of it. */
static int action(struct page *p, struct err *e)
{
	struct ledger_act a;
	struct buf cms = {0};
	int rc = ledger_act_get(p->q->ledger, p->ask->subject, &a, &cms, e);

	if (rc == 0)
		rc = err_set(e, REASON_REQUEST, "there is no action %s; \"handsel-ca action list\" shows them", p->ask->subject);
	else if (rc == 1)
		fwrite(cms.data, 1, cms.len, p->sheet.to);
	buf_free(&cms);
	return rc < 0 ? -1 : 0;
}

/* Of a node that an action has introduced: what its bundle says, for who asked to verify and to sign. */
static int draft(struct page *p, const struct action *a, struct err *e)
{
	struct handoff h = {0};
	struct buf der = {0}, xml = {0};
	int rc = ledger_node_get(p->q->ledger, a->name, a->subject, &der, e);

	if (rc == 0)
		rc = err_set(e, REASON_REQUEST, "action %s has introduced no node yet: it waits, or was rejected", p->ask->subject);
	else if (rc == 1)
		rc = introduce(&h, p->q->ca, p->q->name, &der, e);
	if (rc == 0)
		handoff_draft(&h, &xml);
	if (rc == 0)
		fwrite(xml.data, 1, xml.len, p->sheet.to);
	handoff_free(&h);
	buf_free(&xml);
	buf_free(&der);
	return rc;
}

static int handoff(struct page *p, struct err *e)
{
	struct ledger_act row;
	struct action a = {0};
	struct buf cms = {0};
	int rc = ledger_act_get(p->q->ledger, p->ask->subject, &row, &cms, e);

	if (rc == 0)
		rc = err_set(e, REASON_REQUEST, "there is no action %s; \"handsel-ca action list\" shows them", p->ask->subject);
	else if (rc == 1)
		rc = action_read(&a, cms.data, cms.len, p->q->trust, e);
	if (rc == 0 && a.what != ACT_HANDOFF)
		rc = err_set(e, REASON_REQUEST, "action %s introduces no node", p->ask->subject);
	if (rc == 0)
		rc = draft(p, &a, e);
	action_free(&a);
	buf_free(&cms);
	return rc < 0 ? -1 : 0;
}

static int each_row(void *arg, const struct audit_row *row, struct err *e)
{
	struct page *p = arg;

	return rows_audit(&p->sheet, row, e) < 0 ? -1 : turn(p, row->n) < 0;
}

static int audit(struct page *p, struct err *e)
{
	struct audit_state last;
	int64_t after = p->ask->after;

	if (p->ask->last) {
		if (audit_last(p->q->ledger, &last, e) < 0)
			return -1;
		if (after < last.n - p->ask->last)
			after = last.n - p->ask->last;
	}
	return audit_each(p->q->ledger, after ? after : INT64_MIN, INT64_MAX, each_row, p, e) < 0 ? -1 : 0;
}

static int each_head(void *arg, const struct audit_head *h, struct err *e)
{
	struct page *p = arg;

	if (++p->row <= p->ask->after)
		return 0;
	p->sheet.n++;
	return audit_head_print(p->sheet.to, h, e) < 0 ? -1 : turn(p, p->row) < 0;
}

static int heads(struct page *p, struct err *e)
{
	return audit_head_each(p->q->ledger, each_head, p, e) < 0 ? -1 : 0;
}

static int status(struct page *p, struct err *e)
{
	return rows_status(&p->sheet, p->q->ledger, p->q->now, e);
}

/* Which forms there are: bits 1 << form. */
static const struct {
	int (*run)(struct page *p, struct err *e);
	unsigned forms;
} lists[ASK_COUNT] = {
	[ASK_ORDERS] = { orders, 1u << CA_TEXT | 1u << CA_JSON },
	[ASK_ORDER] = { order, 1u << CA_TEXT | 1u << CA_JSON | 1u << CA_DER },
	[ASK_ISSUED] = { issued, 1u << CA_TEXT | 1u << CA_JSON | 1u << CA_CSV },
	[ASK_UNITS] = { units, 1u << CA_TEXT | 1u << CA_JSON },
	[ASK_OPERATORS] = { units, 1u << CA_TEXT | 1u << CA_JSON },
	[ASK_ACTIONS] = { actions, 1u << CA_TEXT | 1u << CA_JSON },
	[ASK_ACTION] = { action, 1u << CA_DER },
	[ASK_AUDIT] = { audit, 1u << CA_TEXT | 1u << CA_JSON },
	[ASK_HEADS] = { heads, 1u << CA_JSON },
	[ASK_STATUS] = { status, 1u << CA_TEXT | 1u << CA_JSON },
	[ASK_HANDOFF] = { handoff, 1u << CA_DER },
};

int inquire(const struct inquiry *q, const struct ca_query *ask, struct ca_answer *a, struct err *e)
{
	struct page p = { .q = q, .ask = ask, .sheet = { .form = ask->form } };
	size_t len = 0;
	char *text = NULL;
	int rc;

	if (!(lists[ask->what].forms & 1u << ask->form))
		return err_set(e, REASON_REQUEST, "protocol-ca 4.15: \"%s\" is not answered in this form", ask_name(ask->what));
	p.sheet.to = open_memstream(&text, &len);
	if (!p.sheet.to)
		return err_errno(e, REASON_INTERNAL, "open_memstream");
	rc = lists[ask->what].run(&p, e);
	if (fclose(p.sheet.to) && rc == 0)
		rc = err_errno(e, REASON_INTERNAL, "a list in memory");
	if (rc == 0)
		buf_add(&a->data, text, len);
	a->result = CA_PAGE;
	a->rows = (uint32_t)p.sheet.n;
	a->next = p.row > 0 ? p.row : 0;
	a->more = p.full && a->next;
	free(text);
	return rc;
}
