#include <config.h>

#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "oid.h"

#define MADE_AT 1767225600		/* 2026-01-01T00:00:00Z */
#define YEAR (365 * 86400)

static void must(int rc, const struct err *e, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "samples: %s: %s\n", what, e->text);
	exit(99);
}

static struct key *new_key(void)
{
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	must(k ? 0 : -1, &e, "key");
	return k;
}

static void certify(struct cert_plan *plan, const struct key *subject, const struct cert *issuer, const struct key *key,
		    struct chain *out)
{
	struct buf spki = {0}, der = {0};
	struct err e;

	must(key_spki(subject, &spki, &e), &e, "public key");
	plan->spki = &spki;
	plan->not_before = MADE_AT;
	plan->not_after = MADE_AT + 20 * (int64_t)YEAR;
	must(cert_build(plan, issuer, key, &der, &e), &e, "certificate");
	must(chain_add(out, der.data, der.len, &e), &e, "chain");
	buf_free(&spki);
	buf_free(&der);
}

static void add(struct chain *to, const struct cert *c)
{
	struct err e;

	must(chain_add(to, c->der.data, c->der.len, &e), &e, "chain");
}

static void make_unit(const struct samples *s, struct sample_unit *u, const char *role, const char *name)
{
	struct cert_plan plan = {
		.digital_signature = true, .client_auth = true,
		.server_auth = strcmp(role, "node") == 0 || strcmp(role, "ca") == 0,
		.policy = OID_POLICY_UNIT, .path_len = -1,
	};

	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s %s", role, name);
	snprintf(plan.uri[0], sizeof plan.uri[0], "handsel:%s:%s", role, name);
	if (strcmp(role, "node") == 0)
		snprintf(plan.uri[1], sizeof plan.uri[1], "handsel:customer:hospital-1");
	u->key = new_key();
	certify(&plan, u->key, &s->factory.cert[0], s->unit_ca_key, &u->chain);
	add(&u->chain, &s->factory.cert[0]);
}

void samples_make(struct samples *s)
{
	struct cert_plan root = { .subject_cn = "Acme root", .ca = true, .path_len = 1, .key_cert_sign = true, .crl_sign = true };
	struct cert_plan unit = { .subject_cn = "Acme unit CA", .ca = true, .key_cert_sign = true, .policy = OID_POLICY_UNIT };
	struct err e;

	memset(s, 0, sizeof *s);
	s->root_key = new_key();
	s->unit_ca_key = new_key();
	certify(&root, s->root_key, NULL, s->root_key, &s->root);
	certify(&unit, s->unit_ca_key, &s->root.cert[0], s->root_key, &s->factory);
	add(&s->factory, &s->root.cert[0]);
	make_unit(s, &s->operator, "operator", "alice");
	make_unit(s, &s->station, "station", "line-2");
	make_unit(s, &s->node, "node", "node-1");
	make_unit(s, &s->ca, "ca", "ca-1");
	s->trust = trust_new();
	must(trust_add_root(s->trust, &s->root.cert[0], &e), &e, "trust");
}

static void free_unit(struct sample_unit *u)
{
	key_free(u->key);
	chain_free(&u->chain);
}

void samples_free(struct samples *s)
{
	free_unit(&s->operator);
	free_unit(&s->station);
	free_unit(&s->node);
	free_unit(&s->ca);
	key_free(s->root_key);
	key_free(s->unit_ca_key);
	chain_free(&s->root);
	chain_free(&s->factory);
	trust_free(s->trust);
}

/* ---- messages ---- */
static const struct device_id device = { "Acme Devices <&> \"Sons\"", "gateway-b", "GB-000100" };
static const struct request_id request = { "00112233445566778899aabbccddeeff", 4294967295u };

static struct ca_request *another(struct ca_message *m, enum ca_kind kind)
{
	struct ca_request *r = &m->request[m->n++];

	r->kind = kind;
	if (kind != CA_CERTIFICATES && kind != CA_WORK_ORDER && kind < CA_RECOVER)
		r->request = request;
	return r;
}

struct ca_message *sample_message(void)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_request *r;

	snprintf(m->ca, sizeof m->ca, "issuing-1");
	r = another(m, CA_ISSUE);
	r->device = device;
	buf_str(&r->csr, "the bytes of a CSR");
	buf_str(&r->ticket, "the bytes of a ticket");
	snprintf(r->renews, sizeof r->renews, "ffeeddccbbaa99887766554433221100");
	r->params = (struct ca_params){
		.profile = "device-customer", .key_type = "rsa", .key_bits = 3072, .validity_days = 36525,
		.organization = "Hospital & Co", .unit = "Ward <7>", .locality = "\"Here\"", .email = "it'@example.org",
		.encrypt_key = CHOICE_NO, .include_ca = CHOICE_YES,
	};
	buf_str(&r->endorsement.signature, "the bytes of an endorsement");
	buf_str(&r->endorsement.factory_certificate, "the bytes of a certificate");
	memset(r->endorsement.node, 0x0d, SHA256_LEN);
	r = another(m, CA_CONFIRM);
	memset(r->certificate, 0xc5, SHA256_LEN);
	buf_str(&r->signature, "the bytes of a signature");
	r = another(m, CA_REVOKE);
	r->device = device;
	snprintf(r->reason, sizeof r->reason, "lapsed");
	another(m, CA_STATUS);
	another(m, CA_CERTIFICATES);
	r = another(m, CA_ISSUE);
	r->device = device;
	buf_str(&r->transport_key, "the bytes of a public key");
	buf_str(&r->ticket, "the bytes of a ticket");
	r->params.encrypt_key = CHOICE_YES;
	r = another(m, CA_WORK_ORDER);
	snprintf(r->order, sizeof r->order, "WO-2026.7_a");
	r = another(m, CA_ISSUE);
	r->device = device;
	buf_str(&r->csr, "the bytes of a CSR");
	buf_str(&r->endorsement.signature, "the bytes of an endorsement");
	memset(r->endorsement.node, 0x0d, SHA256_LEN);
	memset(r->endorsement.renews, 0xe1, SHA256_LEN);
	snprintf(m->mark, sizeof m->mark, "0123456789abcdef");
	r = another(m, CA_RECOVER);
	r->list = true;
	r->after = INT64_MAX;
	r = another(m, CA_ENROL);
	memset(r->invitation, 0x1e, SHA256_LEN);
	buf_str(&r->csr, "the bytes of a CSR");
	buf_str(&r->signature, "the bytes of a signature");
	r = another(m, CA_RENEW);
	buf_str(&r->csr, "the bytes of a CSR");
	buf_str(&r->document, "the bytes of a document");
	r = another(m, CA_ACT);
	buf_str(&r->document, "the bytes of an action");
	r = another(m, CA_APPROVE);
	buf_str(&r->document, "the bytes of an approval");
	r = another(m, CA_QUERY);
	r->query = (struct ca_query){ .what = ASK_ISSUED, .form = CA_CSV, .after = 4711, .last = INT64_MAX, .whole = true, .subject = "WO-7",
				      .order = "WO-7", .state = "active", .manufacturer = "Acme Devices", .model = "gateway-b", .serial = "GB-000100",
				      .id = "00112233", .since = MADE_AT };
	return m;
}

struct ca_message *sample_message_least(void)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_request *r = another(m, CA_ISSUE);

	r->device = device;
	buf_str(&r->csr, "x");
	another(m, CA_CONFIRM);
	r = another(m, CA_REVOKE);
	snprintf(r->reason, sizeof r->reason, "superseded");
	another(m, CA_RECOVER);
	return m;
}

static struct ca_answer *answer(struct ca_reply *r, enum ca_result result, enum ca_state state)
{
	struct ca_answer *a = &r->answer[r->n++];

	a->result = result;
	a->state = state;
	a->request = request;
	return a;
}

void sample_head(struct audit_head *h)
{
	*h = (struct audit_head){ .history = 2, .at.n = 4711, .time = MADE_AT, .len = 71 };
	memset(h->at.hash, 0xa0, SHA256_LEN);
	memset(h->signature, 0x51, h->len);
}

struct ca_reply *sample_reply(const struct samples *s)
{
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct ca_answer *a = answer(r, CA_ISSUED, CA_PENDING);
	struct ca_known *k;

	add(&a->chain, &s->node.chain.cert[0]);
	add(&a->chain, &s->node.chain.cert[1]);
	a = answer(r, CA_ISSUED, CA_ACTIVE);
	add(&a->chain, &s->node.chain.cert[0]);
	buf_str(&a->encrypted_key, "the bytes of an envelope");
	answer(r, CA_CONFIRMED, CA_ACTIVE);
	answer(r, CA_REVOKED_OK, CA_REVOKED);
	a = answer(r, CA_STATUS_IS, CA_SUPERSEDED);
	snprintf(a->taken_by, sizeof a->taken_by, "line-3");
	a = answer(r, CA_STATUS_IS, CA_ACTIVE);
	snprintf(a->taken_from, sizeof a->taken_from, "line-2");
	a = answer(r, CA_CERTIFICATES_ARE, CA_UNKNOWN);
	a->request = (struct request_id){0};
	add(&a->chain, &s->factory.cert[0]);
	add(&a->chain, &s->factory.cert[1]);
	a = answer(r, CA_ORDER_IS, CA_UNKNOWN);
	a->request = (struct request_id){0};
	buf_str(&a->order, "the bytes of a work order");
	a->ordered = 100;
	a->done = 99;
	a = answer(r, CA_RECOVERED, CA_UNKNOWN);
	a->request = (struct request_id){0};
	snprintf(a->mark, sizeof a->mark, "fedcba9876543210");
	a->next = 4711;
	k = ca_known_add(a);
	k->request = request;
	k->state = CA_ACTIVE;
	k->device = device;
	k->made = true;
	snprintf(k->renews, sizeof k->renews, "ffeeddccbbaa99887766554433221100");
	buf_str(&k->public_key, "the bytes of a public key");
	buf_str(&k->certificate, "the bytes of a certificate");
	buf_str(&k->encrypted_key, "the bytes of an envelope");
	k = ca_known_add(a);
	k->request = request;
	k->state = CA_REVOKED;
	snprintf(k->reason, sizeof k->reason, "keyCompromise");
	a = answer(r, CA_RECOVERED, CA_UNKNOWN);
	a->request = (struct request_id){0};
	a = answer(r, CA_ENROLLED, CA_UNKNOWN);
	a->request = (struct request_id){0};
	add(&a->chain, &s->factory.cert[0]);
	a = answer(r, CA_ACTED, CA_UNKNOWN);
	a->request = (struct request_id){0};
	a->acted = ACTED_WAITING;
	snprintf(a->action, sizeof a->action, "00112233445566778899aabbccddeeff");
	snprintf(a->text, sizeof a->text, "a second person has to approve it");
	a = answer(r, CA_PAGE, CA_UNKNOWN);
	a->request = (struct request_id){0};
	a->rows = 2;
	a->next = 4712;
	a->more = true;
	buf_str(&a->data, "two\nlines\n");
	a = answer(r, CA_PAGE, CA_UNKNOWN);
	a->request = (struct request_id){0};
	answer(r, CA_DEAD, CA_UNKNOWN);
	ca_refuse(answer(r, CA_REFUSED, CA_UNKNOWN), REASON_QUOTA, "the quota of <WO-7> is used up; ask for a new order");
	a = answer(r, CA_REFUSED, CA_UNKNOWN);
	a->request = (struct request_id){0};
	ca_refuse(a, REASON_REQUEST, "line 3: ...");
	sample_head(&r->audit);
	return r;
}

/* ---- documents ---- */
void sample_order(struct work_order *o)
{
	*o = (struct work_order){
		.id = "WO-7", .version = 1, .manufacturer = "Acme Devices", .model = "gateway-b", .hw_type = OID_MODELS ".1",
		.range = { { "GB-000100", "GB-000199" }, { "GB-000500", "GB-000500" } }, .n_ranges = 2,
		.quota = 101, .scrap = 5, .station = { "line-2", "line-3" }, .n_stations = 2,
		.not_before = MADE_AT, .not_after = MADE_AT + 30 * 86400, .label = true,
	};
	memset(o->agent_sha256, 0xa9, SHA256_LEN);
}

void sample_ticket(struct ticket *t)
{
	*t = (struct ticket){
		.order = "WO-7", .slot = "3-1.4", .device = { "Acme Devices", "gateway-b", "GB-000100" }, .request = request,
		.mode = "device", .not_after = MADE_AT + 600,
	};
	memset(t->key_sha256, 0x5e, SHA256_LEN);
}

void sample_release(struct release *r)
{
	*r = (struct release){ .device = { "Acme Devices", "gateway-b", "GB-000100" }, .sequence = 7, .time = MADE_AT };
	memset(r->certificate, 0xc5, SHA256_LEN);
}

void sample_handoff(struct handoff *h, const struct samples *s)
{
	*h = (struct handoff){ .customer = "hospital-1", .manufacturer = "Acme Devices" };
	add(&h->node, &s->node.chain.cert[0]);
	add(&h->node, &s->node.chain.cert[1]);
	add(&h->factory, &s->factory.cert[0]);
	add(&h->factory, &s->factory.cert[1]);
}

void sample_manifest(struct manifest *m, size_t devices)
{
	*m = (struct manifest){ .customer = "hospital-1", .sequence = 3, .time = MADE_AT };
	sample_head(&m->audit);
	m->entry = mem_new(devices, sizeof *m->entry);
	for (m->n = 0; m->n < devices; m->n++) {
		struct manifest_entry *d = &m->entry[m->n];

		d->device = (struct device_id){ "Acme Devices", "gateway-b", "" };
		snprintf(d->device.serial, sizeof d->device.serial, "GB-%06zu", m->n);
		memset(d->certificate, (int)m->n, SHA256_LEN);
		if (m->n % 2)
			buf_str(&d->voucher, "the bytes of a voucher");
	}
}

void sample_invitation(struct invitation *v)
{
	*v = (struct invitation){ .role = "node", .name = "site-1", .host = { "node.example", "10.0.0.7" }, .not_before = MADE_AT,
				  .not_after = MADE_AT + 86400 };
	memset(v->key, 0x1e, sizeof v->key);
}

void sample_action(struct action *a)
{
	*a = (struct action){ .id = "00112233445566778899aabbccddeeff", .what = ACT_TAKEOVER, .time = MADE_AT, .device = device, .station = "line-2",
			      .reason = "line 1 is down" };
}

void sample_approval(struct approval *a)
{
	*a = (struct approval){ .id = "00112233445566778899aabbccddeeff", .yes = true, .time = MADE_AT };
	memset(a->action, 0x5e, SHA256_LEN);
}

void sample_voucher(struct voucher *v)
{
	*v = (struct voucher){ .customer = "hospital-1", .sequence = 3, .device = { "Acme Devices", "gateway-b", "GB-000100" } };
	memset(v->key_sha256, 0x5e, SHA256_LEN);
}
