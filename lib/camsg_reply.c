/* The reply message of the CA protocol, read and written: doc/protocol-ca.md section 5. Its twin is camsg_request.c. */
#include <config.h>

#include "camsg.h"
#include "camsg_operator.h"
#include "camsg_recover.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "mem.h"
#include "xml.h"

static const char not_a_state[] = "protocol-ca 5.2: the attribute 'state' is none of the states";

static int attrs_read(const struct xml_node *n, struct ca_answer *a, bool with_state, struct err *e)
{
	char id[REQUEST_ID_LEN + 1], generation[FIELD_NUMBER], state[16];
	const struct xml_attr attrs[] = {
		{ "id", id, sizeof id, true },
		{ "generation", generation, sizeof generation, true },
		{ "state", state, sizeof state, true },
	};

	if (xml_attrs(n, attrs, with_state ? 3 : 2, e) || field_request(n, id, generation, &a->request, e))
		return -1;
	if (with_state && ca_state_parse(state, &a->state))
		return xml_error(n, e, not_a_state);
	return 0;
}

static int issued_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	const struct xml_node *certificates, *key;
	const struct xml_child children[] = { { "certificates", &certificates, true }, { "encrypted-key", &key, false } };

	if (attrs_read(n, a, true, e) || xml_children(n, children, 2, e))
		return -1;
	if (field_base64(key, &a->encrypted_key, LIMIT_CERT, e))
		return -1;
	return field_chain(certificates, &a->chain, e);
}

static void issued_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_open(w, name, "id", a->request.id, "generation", field_number(generation, a->request.generation),
		 "state", ca_state_name(a->state), NULL);
	field_write_chain(w, "certificates", &a->chain);
	xml_leaf_base64(w, "encrypted-key", a->encrypted_key.data, a->encrypted_key.len);
	xml_close(w, name);
}

static int state_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	return attrs_read(n, a, true, e) || xml_children(n, NULL, 0, e) ? -1 : 0;
}

static void state_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_empty(w, name, "id", a->request.id, "generation", field_number(generation, a->request.generation),
		  "state", ca_state_name(a->state), NULL);
}

/* protocol-ca 5.4: whom a takeover concerns is told with the state. */
static int told_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	char id[REQUEST_ID_LEN + 1], generation[FIELD_NUMBER], state[16];
	const struct xml_attr attrs[] = {
		{ "id", id, sizeof id, true },
		{ "generation", generation, sizeof generation, true },
		{ "state", state, sizeof state, true },
		{ "taken-by", a->taken_by, sizeof a->taken_by, false },
		{ "taken-from", a->taken_from, sizeof a->taken_from, false },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_children(n, NULL, 0, e) ||
	    field_request(n, id, generation, &a->request, e) ||
	    (a->taken_by[0] && field_token(n, "taken-by", a->taken_by, e)) ||
	    (a->taken_from[0] && field_token(n, "taken-from", a->taken_from, e)))
		return -1;
	return ca_state_parse(state, &a->state) ? xml_error(n, e, not_a_state) : 0;
}

static void told_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_empty(w, name, "id", a->request.id, "generation", field_number(generation, a->request.generation),
		  "state", ca_state_name(a->state), "taken-by", a->taken_by, "taken-from", a->taken_from, NULL);
}

static int certificates_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	return field_chain(n, &a->chain, e);
}

static void certificates_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	field_write_chain(w, name, &a->chain);
}

static int order_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	const struct xml_node *document;
	const struct xml_child children[] = { { "document", &document, true } };
	char ordered[FIELD_NUMBER], done[FIELD_NUMBER];
	const struct xml_attr attrs[] = {
		{ "ordered", ordered, sizeof ordered, true },
		{ "done", done, sizeof done, true },
	};

	if (xml_attrs(n, attrs, 2, e) || xml_children(n, children, 1, e) ||
	    field_uint32(n, "ordered", ordered, 0, &a->ordered, e) || field_uint32(n, "done", done, 0, &a->done, e))
		return -1;
	return field_base64(document, &a->order, LIMIT_FRAME_UNIT, e);
}

static void order_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	char ordered[FIELD_NUMBER], done[FIELD_NUMBER];

	xml_open(w, name, "ordered", field_number(ordered, a->ordered), "done", field_number(done, a->done), NULL);
	xml_leaf_base64(w, "document", a->order.data, a->order.len);
	xml_close(w, name);
}

static int dead_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	return attrs_read(n, a, false, e) || xml_children(n, NULL, 0, e) ? -1 : 0;
}

static void dead_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_empty(w, name, "id", a->request.id, "generation", field_number(generation, a->request.generation), NULL);
}

/* id and generation are there if the request had them in a form that could be read. */
static int refused_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	const struct xml_node *text;
	const struct xml_child children[] = { { "text", &text, true } };
	char id[REQUEST_ID_LEN + 1], generation[FIELD_NUMBER], code[4], name[LIMIT_NAME + 1];
	const struct xml_attr attrs[] = {
		{ "code", code, sizeof code, true },
		{ "name", name, sizeof name, true },
		{ "id", id, sizeof id, false },
		{ "generation", generation, sizeof generation, false },
	};

	if (xml_attrs(n, attrs, 4, e) || field_token(n, "name", name, e) || xml_children(n, children, 1, e) ||
	    xml_text(text, a->text, sizeof a->text, e))
		return -1;
	if ((id[0] || generation[0]) && field_request(n, id, generation, &a->request, e))
		return -1;
	if (code[0] != 'E' || strspn(code + 1, "0123456789") != 2)
		return xml_error(n, e, "protocol-ca 5.7: the attribute 'code' is not E and two digits");
	a->code = reason_parse(code);
	if (a->code == REASON_OK)
		a->code = REASON_INTERNAL;	/* a newer peer's: refused all the same, its sentence says why */
	return 0;
}

static void refused_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	const struct reason_info *why = reason_info(a->code);
	char generation[FIELD_NUMBER] = "";

	if (a->request.id[0])
		field_number(generation, a->request.generation);
	xml_open(w, name, "id", a->request.id, "generation", generation, "code", why->id, "name", why->name, NULL);
	xml_leaf(w, "text", a->text[0] ? a->text : why->text);
	xml_close(w, name);
}

static const struct {
	const char *name;
	int (*read)(const struct xml_node *n, struct ca_answer *a, struct err *e);
	void (*write)(const struct ca_answer *a, const char *name, struct xml_out *w);
} results[] = {
	[CA_ISSUED] = { "issued", issued_read, issued_write },
	[CA_CONFIRMED] = { "confirmed", state_read, state_write },
	[CA_REVOKED_OK] = { "revoked", told_read, told_write },
	[CA_STATUS_IS] = { "status", told_read, told_write },
	[CA_CERTIFICATES_ARE] = { "ca-certificates", certificates_read, certificates_write },
	[CA_ORDER_IS] = { "work-order", order_read, order_write },
	[CA_RECOVERED] = { "recovered", recovered_read, recovered_write },
	[CA_ENROLLED] = { "enrolled", certificates_read, certificates_write },
	[CA_ACTED] = { "acted", acted_read, acted_write },
	[CA_PAGE] = { "page", page_read, page_write },
	[CA_DEAD] = { "dead", dead_read, dead_write },
	[CA_REFUSED] = { "refused", refused_read, refused_write },
};

static int answer_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		if (strcmp(xml_name(n), results[i].name) == 0) {
			a->result = (enum ca_result)i;
			return results[i].read(n, a, e);
		}
	return xml_error(n, e, "protocol-ca 5.1: no such answer");
}

static int reply_read(struct ca_reply *r, const struct xml_node *root, struct err *e)
{
	if (strcmp(xml_name(root), "reply") != 0)
		return xml_error(root, e, "protocol-ca 5.1: the outermost element must be 'reply'");
	if (xml_attrs(root, NULL, 0, e) || xml_only_elements(root, e))
		return -1;
	for (const struct xml_node *c = xml_first(root); c; c = xml_next(c)) {
		if (strcmp(xml_name(c), "audit") == 0 && !xml_next(c)) {
			if (audit_head_read(c, &r->audit, e))
				return -1;
			continue;
		}
		if (r->n == LIMIT_BATCH)
			return xml_error(c, e, "protocol-ca 5.1: more than %d answers in one message", LIMIT_BATCH);
		if (answer_read(c, &r->answer[r->n], e))
			return -1;
		if (++r->n < LIMIT_BATCH)
			r->answer[r->n] = (struct ca_answer){0};
	}
	if (r->n == 0)
		return xml_error(root, e, "protocol-ca 5.1: no answer in the message");
	return 0;
}

int ca_reply_read(struct ca_reply *r, const void *xml, size_t len, struct err *e)
{
	struct xml *x = xml_parse(xml, len, LIMIT_FRAME_UNIT, e);
	int rc;

	if (!x)
		return -1;
	rc = reply_read(r, xml_root(x), e);
	xml_free(x);
	return rc;
}

void ca_reply_write(const struct ca_reply *r, struct buf *xml)
{
	struct xml_out w;

	xml_begin(&w, xml);
	xml_open(&w, "reply", NULL);
	for (size_t i = 0; i < r->n; i++)
		results[r->answer[i].result].write(&r->answer[i], results[r->answer[i].result].name, &w);
	audit_head_write(&w, &r->audit);
	xml_close(&w, "reply");
}
