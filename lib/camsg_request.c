/* The request message of the CA protocol, read and written: doc/protocol-ca.md sections 3 and 4. Its twin is camsg_reply.c. */
#include <config.h>

#include "camsg.h"
#include "camsg_operator.h"
#include "camsg_recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "mem.h"
#include "xml.h"

#define VALIDITY_DAYS_MAX 36525		/* a century: more is written as "forever" in a profile */
#define KEY_BITS_MAX 16384

/* ---- parameters (H3) ---- */
enum { P_PROFILE, P_KEY_TYPE, P_KEY_BITS, P_VALIDITY, P_ORGANIZATION, P_UNIT, P_LOCALITY, P_EMAIL, P_ENCRYPT, P_INCLUDE, P_COUNT };

static const char *const param_names[P_COUNT] = {
	[P_PROFILE] = "profile", [P_KEY_TYPE] = "key-type", [P_KEY_BITS] = "key-bits", [P_VALIDITY] = "validity-days",
	[P_ORGANIZATION] = "organization", [P_UNIT] = "unit", [P_LOCALITY] = "locality", [P_EMAIL] = "email",
	[P_ENCRYPT] = "encrypt-key", [P_INCLUDE] = "include-ca",
};

static int read_text(const struct xml_node *n, char *out, size_t size,
		     int (*judge)(const struct xml_node *n, const char *name, const char *text, struct err *e), struct err *e)
{
	if (!n)
		return 0;
	return xml_text(n, out, size, e) || judge(n, xml_name(n), out, e) ? -1 : 0;
}

static int read_number(const struct xml_node *n, uint32_t *out, uint32_t max, struct err *e)
{
	char text[FIELD_NUMBER];
	uint64_t v;

	if (!n)
		return 0;
	if (xml_text(n, text, sizeof text, e) || field_uint(n, xml_name(n), text, 1, max, &v, e))
		return -1;
	*out = (uint32_t)v;
	return 0;
}

static int read_choice(const struct xml_node *n, enum ca_choice *out, struct err *e)
{
	char text[4];

	if (!n)
		return 0;
	if (xml_text(n, text, sizeof text, e))
		return -1;
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return xml_error(n, e, "protocol-ca 4.2: neither 'yes' nor 'no'");
	*out = text[0] == 'y' ? CHOICE_YES : CHOICE_NO;
	return 0;
}

static int judge_email(const struct xml_node *n, const char *name, const char *text, struct err *e)
{
	const char *at = strchr(text, '@');

	if (field_name(n, name, text, e))
		return -1;
	if (!at || at == text || !at[1] || strchr(at + 1, '@') || strchr(text, ' '))
		return xml_error(n, e, "protocol-ca 4.2: not an e-mail address");
	return 0;
}

static int params_read(const struct xml_node *n, struct ca_params *p, struct err *e)
{
	const struct xml_node *c[P_COUNT];
	struct xml_child children[P_COUNT];

	if (!n)
		return 0;
	for (size_t i = 0; i < P_COUNT; i++)
		children[i] = (struct xml_child){ param_names[i], &c[i], false };
	if (xml_attrs(n, NULL, 0, e) || xml_children(n, children, P_COUNT, e) ||
	    read_text(c[P_PROFILE], p->profile, sizeof p->profile, field_token, e) ||
	    read_text(c[P_KEY_TYPE], p->key_type, sizeof p->key_type, field_token, e) ||
	    read_number(c[P_KEY_BITS], &p->key_bits, KEY_BITS_MAX, e) ||
	    read_number(c[P_VALIDITY], &p->validity_days, VALIDITY_DAYS_MAX, e) ||
	    read_text(c[P_ORGANIZATION], p->organization, sizeof p->organization, field_name, e) ||
	    read_text(c[P_UNIT], p->unit, sizeof p->unit, field_name, e) ||
	    read_text(c[P_LOCALITY], p->locality, sizeof p->locality, field_name, e) ||
	    read_text(c[P_EMAIL], p->email, sizeof p->email, judge_email, e) ||
	    read_choice(c[P_ENCRYPT], &p->encrypt_key, e) || read_choice(c[P_INCLUDE], &p->include_ca, e))
		return -1;
	return 0;
}

static void params_write(const struct ca_params *p, struct xml_out *w)
{
	static const char *const choice[] = { [CHOICE_DEFAULT] = "", [CHOICE_YES] = "yes", [CHOICE_NO] = "no" };
	char bits[FIELD_NUMBER] = "", days[FIELD_NUMBER] = "";
	const char *value[P_COUNT] = {
		[P_PROFILE] = p->profile, [P_KEY_TYPE] = p->key_type, [P_KEY_BITS] = bits, [P_VALIDITY] = days,
		[P_ORGANIZATION] = p->organization, [P_UNIT] = p->unit, [P_LOCALITY] = p->locality, [P_EMAIL] = p->email,
		[P_ENCRYPT] = choice[p->encrypt_key], [P_INCLUDE] = choice[p->include_ca],
	};
	bool any = false;

	if (p->key_bits)
		field_number(bits, p->key_bits);
	if (p->validity_days)
		field_number(days, p->validity_days);
	for (size_t i = 0; i < P_COUNT; i++)
		any = any || value[i][0];
	if (!any)
		return;
	xml_open(w, "parameters", NULL);
	for (size_t i = 0; i < P_COUNT; i++)
		xml_leaf(w, param_names[i], value[i]);
	xml_close(w, "parameters");
}

/* ---- the kinds of request ---- */
static int request_attrs(const struct xml_node *n, struct ca_request *r, const struct xml_attr *extra, struct err *e)
{
	char id[REQUEST_ID_LEN + 1], generation[FIELD_NUMBER];
	const struct xml_attr attrs[] = {
		{ "id", id, sizeof id, true },
		{ "generation", generation, sizeof generation, true },
		extra ? *extra : (struct xml_attr){0},
	};

	return xml_attrs(n, attrs, extra ? 3 : 2, e) || field_request(n, id, generation, &r->request, e) ? -1 : 0;
}

static int read_hash(const struct xml_node *n, const char *name, uint8_t out[SHA256_LEN], struct err *e)
{
	char hex[SHA256_HEX];

	if (!n)
		return 0;
	return xml_text(n, hex, sizeof hex, e) || field_sha256(n, name, hex, out, e) ? -1 : 0;
}

enum { E_SIGNATURE, E_NODE, E_FACTORY, E_RENEWS, E_COUNT };

static int endorsement_read(const struct xml_node *n, const struct xml_node *c[E_COUNT], struct ca_endorsement *d, struct err *e)
{
	bool any = c[E_SIGNATURE] || c[E_NODE] || c[E_FACTORY] || c[E_RENEWS];

	if (any && (!c[E_SIGNATURE] || !c[E_NODE] || !c[E_FACTORY] == !c[E_RENEWS]))
		return xml_error(n, e, "protocol-ca 4.1: 'endorsement' and 'endorsed-node' go together, with either "
				 "'factory-certificate' or 'customer-certificate'");
	if (field_base64(c[E_SIGNATURE], &d->signature, LIMIT_CERT, e) ||
	    field_base64(c[E_FACTORY], &d->factory_certificate, LIMIT_CERT, e) ||
	    read_hash(c[E_NODE], "endorsed-node", d->node, e) || read_hash(c[E_RENEWS], "customer-certificate", d->renews, e))
		return -1;
	return 0;
}

static void endorsement_write(const struct ca_endorsement *d, struct xml_out *w)
{
	char hex[SHA256_HEX];

	if (!d->signature.len)
		return;
	xml_leaf_base64(w, "endorsement", d->signature.data, d->signature.len);
	text_hex(hex, d->node, SHA256_LEN);
	xml_leaf(w, "endorsed-node", hex);
	xml_leaf_base64(w, "factory-certificate", d->factory_certificate.data, d->factory_certificate.len);
	if (d->factory_certificate.len)
		return;
	text_hex(hex, d->renews, SHA256_LEN);
	xml_leaf(w, "customer-certificate", hex);
}

static int renews_read(const struct xml_node *n, const struct ca_request *r, struct err *e)
{
	struct request_id old = {0};

	if (!r->renews[0])
		return 0;
	memcpy(old.id, r->renews, sizeof old.id);
	if (!request_id_valid(&old) || strcmp(r->renews, r->request.id) == 0)
		return xml_error(n, e, "protocol-ca 4.1: the attribute 'renews' is not another request id");
	return 0;
}

static int issue_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	const struct xml_attr renews = { "renews", r->renews, sizeof r->renews, false };
	const struct xml_node *device, *csr, *ticket, *params, *endorsed[E_COUNT], *transport, *later[1];
	const struct xml_child children[] = {
		{ "device", &device, true }, { "csr", &csr, false }, { "ticket", &ticket, false },
		{ "parameters", &params, false },
		{ "endorsement", &endorsed[E_SIGNATURE], false }, { "endorsed-node", &endorsed[E_NODE], false },
		{ "factory-certificate", &endorsed[E_FACTORY], false }, { "customer-certificate", &endorsed[E_RENEWS], false },
		{ "voucher", &later[0], false }, { "transport-key", &transport, false },
	};

	if (request_attrs(n, r, &renews, e) || renews_read(n, r, e) || xml_children(n, children, ARRAY_LEN(children), e))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		if (later[i])
			return xml_error(later[i], e, "protocol-ca 4.9: the element is reserved and not served by this version");
	if (!csr == !transport)
		return xml_error(n, e, "protocol-ca 4.1: exactly one of 'csr' and 'transport-key' is needed");
	if (field_device(device, &r->device, e) || field_base64(csr, &r->csr, LIMIT_CERT, e) ||
	    field_base64(transport, &r->transport_key, LIMIT_CERT, e) ||
	    field_base64(ticket, &r->ticket, LIMIT_REQUEST, e) || params_read(params, &r->params, e) ||
	    endorsement_read(n, endorsed, &r->endorsement, e))
		return -1;
	return 0;
}

static void issue_write(const struct ca_request *r, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_open(w, "issue", "id", r->request.id, "generation", field_number(generation, r->request.generation),
		 "renews", r->renews, NULL);
	field_write_device(w, &r->device);
	xml_leaf_base64(w, "csr", r->csr.data, r->csr.len);
	xml_leaf_base64(w, "transport-key", r->transport_key.data, r->transport_key.len);
	xml_leaf_base64(w, "ticket", r->ticket.data, r->ticket.len);
	params_write(&r->params, w);
	endorsement_write(&r->endorsement, w);
	xml_close(w, "issue");
}

static int confirm_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	const struct xml_node *signature;
	const struct xml_child children[] = { { "signature", &signature, false } };
	char hex[SHA256_HEX];
	const struct xml_attr certificate = { "certificate", hex, sizeof hex, true };

	if (request_attrs(n, r, &certificate, e) || field_sha256(n, "certificate", hex, r->certificate, e) ||
	    xml_children(n, children, 1, e) || field_base64(signature, &r->signature, LIMIT_CERT, e))
		return -1;
	return 0;
}

static void confirm_write(const struct ca_request *r, struct xml_out *w)
{
	char generation[FIELD_NUMBER], hex[SHA256_HEX];

	text_hex(hex, r->certificate, SHA256_LEN);
	xml_open(w, "confirm", "id", r->request.id, "generation", field_number(generation, r->request.generation),
		 "certificate", hex, NULL);
	xml_leaf_base64(w, "signature", r->signature.data, r->signature.len);
	xml_close(w, "confirm");
}

static int revoke_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	const struct xml_node *device;
	const struct xml_child children[] = { { "device", &device, false } };
	const struct xml_attr reason = { "reason", r->reason, sizeof r->reason, true };

	if (request_attrs(n, r, &reason, e) || xml_children(n, children, 1, e) || field_device(device, &r->device, e))
		return -1;
	if (!ca_reason_known(r->reason))
		return xml_error(n, e, "protocol-ca 4.4: the attribute 'reason' is not one of the reasons listed there");
	return 0;
}

static void revoke_write(const struct ca_request *r, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_open(w, "revoke", "id", r->request.id, "generation", field_number(generation, r->request.generation),
		 "reason", r->reason, NULL);
	if (r->device.serial[0])
		field_write_device(w, &r->device);
	xml_close(w, "revoke");
}

static int status_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	return request_attrs(n, r, NULL, e) || xml_children(n, NULL, 0, e) ? -1 : 0;
}

static void status_write(const struct ca_request *r, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_empty(w, "status", "id", r->request.id, "generation", field_number(generation, r->request.generation), NULL);
}

static int certificates_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	return xml_attrs(n, NULL, 0, e) || xml_children(n, NULL, 0, e) ? -1 : 0;
}

static void certificates_write(const struct ca_request *r, struct xml_out *w)
{
	xml_empty(w, "ca-certificates", NULL);
}

static int work_order_read_id(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	const struct xml_attr order = { "order", r->order, sizeof r->order, true };

	return xml_attrs(n, &order, 1, e) || field_token(n, "order", r->order, e) || xml_children(n, NULL, 0, e) ? -1 : 0;
}

static void work_order_write_id(const struct ca_request *r, struct xml_out *w)
{
	xml_empty(w, "work-order", "order", r->order, NULL);
}

static int recover_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	char after[FIELD_NUMBER];
	const struct xml_attr attr = { "after", after, sizeof after, false };
	uint64_t row = 0;

	if (xml_attrs(n, &attr, 1, e) || xml_children(n, NULL, 0, e) ||
	    (after[0] && field_uint(n, "after", after, 0, INT64_MAX, &row, e)))
		return -1;
	r->list = after[0] != 0;
	r->after = (int64_t)row;
	return 0;
}

static void recover_write(const struct ca_request *r, struct xml_out *w)
{
	char after[FIELD_NUMBER] = "";

	if (r->list)
		field_number(after, (uint64_t)r->after);
	xml_empty(w, "recover", "after", after, NULL);
}

static int enrol_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	const struct xml_node *csr, *signature;
	const struct xml_child children[] = { { "csr", &csr, true }, { "signature", &signature, true } };
	char key[SHA256_HEX];
	const struct xml_attr attr = { "invitation", key, sizeof key, true };

	return xml_attrs(n, &attr, 1, e) || field_sha256(n, "invitation", key, r->invitation, e) || xml_children(n, children, 2, e) ||
	       field_base64(csr, &r->csr, LIMIT_CERT, e) || field_base64(signature, &r->signature, LIMIT_CERT, e) ? -1 : 0;
}

static void enrol_write(const struct ca_request *r, struct xml_out *w)
{
	char key[SHA256_HEX];

	text_hex(key, r->invitation, SHA256_LEN);
	xml_open(w, "enrol", "invitation", key, NULL);
	xml_leaf_base64(w, "csr", r->csr.data, r->csr.len);
	xml_leaf_base64(w, "signature", r->signature.data, r->signature.len);
	xml_close(w, "enrol");
}

static int renew_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	const struct xml_node *csr, *document;
	const struct xml_child children[] = { { "csr", &csr, true }, { "document", &document, true } };

	return xml_attrs(n, NULL, 0, e) || xml_children(n, children, 2, e) || field_base64(csr, &r->csr, LIMIT_CERT, e) ||
	       field_base64(document, &r->document, LIMIT_REQUEST, e) ? -1 : 0;
}

static void renew_write(const struct ca_request *r, struct xml_out *w)
{
	xml_open(w, "renew", NULL);
	xml_leaf_base64(w, "csr", r->csr.data, r->csr.len);
	xml_leaf_base64(w, "document", r->document.data, r->document.len);
	xml_close(w, "renew");
}

static const struct {
	const char *name;
	int (*read)(const struct xml_node *n, struct ca_request *r, struct err *e);
	void (*write)(const struct ca_request *r, struct xml_out *w);
	size_t max;			/* bytes of names, values and text; 0: LIMIT_REQUEST */
} kinds[] = {
	[CA_ISSUE] = { "issue", issue_read, issue_write },
	[CA_CONFIRM] = { "confirm", confirm_read, confirm_write },
	[CA_REVOKE] = { "revoke", revoke_read, revoke_write },
	[CA_STATUS] = { "status", status_read, status_write },
	[CA_CERTIFICATES] = { "ca-certificates", certificates_read, certificates_write },
	[CA_WORK_ORDER] = { "work-order", work_order_read_id, work_order_write_id },
	[CA_RECOVER] = { "recover", recover_read, recover_write },
	[CA_ENROL] = { "enrol", enrol_read, enrol_write },
	[CA_RENEW] = { "renew", renew_read, renew_write },
	[CA_ACT] = { "act", act_read, act_write, LIMIT_ACT },
	[CA_APPROVE] = { "approve", approve_read, approve_write },
	[CA_QUERY] = { "query", query_read, query_write },
};

const char *ca_kind_name(enum ca_kind k)
{
	return (unsigned)k < ARRAY_LEN(kinds) ? kinds[k].name : "unknown";
}

/* ---- the message ---- */
static int request_read(const struct xml_node *n, struct ca_request *r, struct err *e)
{
	const char *name = xml_name(n);
	size_t max;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		r->kind = (enum ca_kind)i;
		max = kinds[i].max ? kinds[i].max : LIMIT_REQUEST;
		if (xml_bytes(n) > max)
			return xml_error(n, e, "protocol-ca 3.3: the request has more than %zu bytes", max);
		return kinds[i].read(n, r, e);
	}
	if (strcmp(name, "crl") == 0 || strcmp(name, "register") == 0)
		return xml_error(n, e, "protocol-ca 4.9: the request is reserved and not served by this version");
	return xml_error(n, e, "protocol-ca 3.1: no such request");
}

static int message_read(struct ca_message *m, struct err *bad[LIMIT_BATCH], const struct xml_node *root, struct err *e)
{
	const struct xml_attr attrs[] = {
		{ "ca", m->ca, sizeof m->ca, false },
		{ "mark", m->mark, sizeof m->mark, false },
	};
	struct err why;

	if (strcmp(xml_name(root), "request") != 0)
		return xml_error(root, e, "protocol-ca 3.1: the outermost element must be 'request'");
	if (xml_attrs(root, attrs, 2, e) || mark_check(root, m->mark, e) || (m->ca[0] && field_token(root, "ca", m->ca, e)) || xml_only_elements(root, e))
		return -1;
	for (const struct xml_node *c = xml_first(root); c; c = xml_next(c)) {
		if (m->n == LIMIT_BATCH)
			return xml_error(c, e, "protocol-ca 3.2: more than %d requests in one message", LIMIT_BATCH);
		if (request_read(c, &m->request[m->n], bad ? &why : e)) {
			if (!bad)
				return -1;
			bad[m->n] = mem_new(1, sizeof *bad[0]);
			*bad[m->n] = why;
		}
		if (++m->n < LIMIT_BATCH)
			m->request[m->n] = (struct ca_request){0};
	}
	if (m->n == 0)
		return xml_error(root, e, "protocol-ca 3.2: no request in the message");
	return 0;
}

int ca_message_read(struct ca_message *m, struct err *bad[LIMIT_BATCH], const void *xml, size_t len, size_t max, struct err *e)
{
	struct xml *x = xml_parse(xml, len, max, e);
	int rc;

	for (size_t i = 0; bad && i < LIMIT_BATCH; i++)
		bad[i] = NULL;
	if (!x)
		return -1;
	rc = message_read(m, bad, xml_root(x), e);
	for (size_t i = 0; rc && bad && i < LIMIT_BATCH; i++) {
		free(bad[i]);
		bad[i] = NULL;
	}
	xml_free(x);
	return rc;
}

void ca_message_write(const struct ca_message *m, struct buf *xml)
{
	struct xml_out w;

	xml_begin(&w, xml);
	xml_open(&w, "request", "ca", m->ca, "mark", m->mark, NULL);
	for (size_t i = 0; i < m->n; i++)
		kinds[m->request[i].kind].write(&m->request[i], &w);
	xml_close(&w, "request");
}
