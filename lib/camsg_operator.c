#include <config.h>

#include "camsg_operator.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "mem.h"

/* ---- act, approve ---- */
static int document_read(const struct xml_node *n, const char *child, struct ca_request *r, struct err *e)
{
	const struct xml_node *document;
	const struct xml_child children[] = { { child, &document, true } };

	return xml_attrs(n, NULL, 0, e) || xml_children(n, children, 1, e) || field_base64(document, &r->document, LIMIT_ACT, e) ? -1 : 0;
}

int act_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	return document_read(n, "action", r, e);
}

void act_write(const struct ca_request *r, struct xml_out *w)
{
	xml_open(w, "act", NULL);
	xml_leaf_base64(w, "action", r->document.data, r->document.len);
	xml_close(w, "act");
}

int approve_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	return document_read(n, "approval", r, e);
}

void approve_write(const struct ca_request *r, struct xml_out *w)
{
	xml_open(w, "approve", NULL);
	xml_leaf_base64(w, "approval", r->document.data, r->document.len);
	xml_close(w, "approve");
}

/* ---- query ---- */
static const char *const forms[CA_FORMS] = { [CA_TEXT] = "text", [CA_JSON] = "json", [CA_CSV] = "csv", [CA_DER] = "der" };

static int form_parse(const char *name, enum ca_form *form)
{
	for (size_t i = 0; i < CA_FORMS; i++)
		if (strcmp(forms[i], name) == 0) {
			*form = (enum ca_form)i;
			return 0;
		}
	return -1;
}

static int number(const struct xml_node *n, const char *name, const char *text, int64_t *out, struct err *e)
{
	uint64_t v = 0;

	if (*text && field_uint(n, name, text, 1, INT64_MAX, &v, e))
		return -1;
	*out = (int64_t)v;
	return 0;
}

static int names_check(const struct xml_node *n, const struct ca_query *q, struct err *e)
{
	const struct {
		const char *name, *text;
	} fields[] = { { "subject", q->subject }, { "order", q->order }, { "state", q->state }, { "manufacturer", q->manufacturer },
		       { "model", q->model }, { "serial", q->serial }, { "of", q->id } };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (*fields[i].text && field_name(n, fields[i].name, fields[i].text, e))
			return -1;
	return 0;
}

int query_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	struct ca_query *q = &r->query;
	char what[16], form[8], after[FIELD_NUMBER], last[FIELD_NUMBER], whole[4], since[TEXT_TIME];
	const struct xml_attr attrs[] = {
		{ "what", what, sizeof what, true },	    { "form", form, sizeof form, true },
		{ "after", after, sizeof after, false },    { "last", last, sizeof last, false },
		{ "whole", whole, sizeof whole, false },    { "subject", q->subject, sizeof q->subject, false },
		{ "order", q->order, sizeof q->order, false }, { "state", q->state, sizeof q->state, false },
		{ "manufacturer", q->manufacturer, sizeof q->manufacturer, false },
		{ "model", q->model, sizeof q->model, false }, { "serial", q->serial, sizeof q->serial, false },
		{ "of", q->id, sizeof q->id, false },	    { "since", since, sizeof since, false },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_children(n, NULL, 0, e) || number(n, "after", after, &q->after, e) ||
	    number(n, "last", last, &q->last, e) || names_check(n, q, e) || (*since && field_time(n, "since", since, &q->since, e)))
		return -1;
	if (ask_parse(what, &q->what) < 0 || form_parse(form, &q->form) < 0)
		return xml_error(n, e, "protocol-ca 4.15: 'what' or 'form' is none of those listed there");
	q->whole = *whole;
	return *whole && strcmp(whole, "yes") != 0 ? xml_error(n, e, "protocol-ca 4.15: 'whole' is 'yes' or not there") : 0;
}

void query_write(const struct ca_request *r, struct xml_out *w)
{
	const struct ca_query *q = &r->query;
	char after[FIELD_NUMBER] = "", last[FIELD_NUMBER] = "", since[TEXT_TIME] = "";

	if (q->after)
		field_number(after, (uint64_t)q->after);
	if (q->last)
		field_number(last, (uint64_t)q->last);
	if (q->since)
		text_time(since, q->since);
	xml_empty(w, "query", "what", ask_name(q->what), "form", forms[q->form], "after", after, "last", last, "whole", q->whole ? "yes" : "",
		  "subject", q->subject, "order", q->order, "state", q->state, "manufacturer", q->manufacturer, "model", q->model, "serial",
		  q->serial, "of", q->id, "since", since, NULL);
}

/* ---- acted, page ---- */
int acted_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	char state[16];
	const struct xml_node *text;
	const struct xml_child children[] = { { "text", &text, true } };
	const struct xml_attr attrs[] = { { "action", a->action, sizeof a->action, true }, { "state", state, sizeof state, true } };

	if (xml_attrs(n, attrs, 2, e) || xml_children(n, children, 1, e) || xml_text(text, a->text, sizeof a->text, e))
		return -1;
	if (!id_valid(a->action))
		return xml_error(n, e, "protocol-ca 5.12: the attribute 'action' is not 32 lower-case hex digits");
	for (a->acted = ACTED_DONE; a->acted < ACTED_STATES; a->acted++)
		if (strcmp(state, ca_acted_name(a->acted)) == 0)
			return 0;
	return xml_error(n, e, "protocol-ca 5.12: the attribute 'state' is none of those listed there");
}

void acted_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	xml_open(w, name, "action", a->action, "state", ca_acted_name(a->acted), NULL);
	xml_leaf(w, "text", a->text);
	xml_close(w, name);
}

int page_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	char rows[FIELD_NUMBER], next[FIELD_NUMBER], more[4];
	const struct xml_node *data;
	const struct xml_child children[] = { { "data", &data, false } };
	const struct xml_attr attrs[] = { { "rows", rows, sizeof rows, true }, { "next", next, sizeof next, false }, { "more", more, sizeof more, false } };

	if (xml_attrs(n, attrs, 3, e) || xml_children(n, children, 1, e) || field_uint32(n, "rows", rows, 0, &a->rows, e) ||
	    number(n, "next", next, &a->next, e) || field_base64(data, &a->data, LIMIT_FRAME_UNIT, e))
		return -1;
	a->more = *more;
	if (*more && (strcmp(more, "yes") != 0 || !a->next))
		return xml_error(n, e, "protocol-ca 5.13: 'more' is 'yes' or not there, and has 'next' with it");
	return 0;
}

void page_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	char rows[FIELD_NUMBER], next[FIELD_NUMBER] = "";

	if (a->next)
		field_number(next, (uint64_t)a->next);
	xml_open(w, name, "rows", field_number(rows, a->rows), "next", next, "more", a->more ? "yes" : "", NULL);
	xml_leaf_base64(w, "data", a->data.data, a->data.len);
	xml_close(w, name);
}
