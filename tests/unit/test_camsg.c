/* The CA protocol's messages: written and read back, changed bit by bit and cut byte by byte. */
#include <config.h>

#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <string.h>

#include "file.h"
#include "mem.h"
#include "samples.h"
#include "unit.h"

static struct samples samples;

static bool same_request(const struct ca_request *a, const struct ca_request *b)
{
	return a->kind == b->kind && memcmp(&a->request, &b->request, sizeof a->request) == 0 &&
	       device_same(&a->device, &b->device) && strcmp(a->renews, b->renews) == 0 && buf_same(&a->csr, &b->csr) && buf_same(&a->transport_key, &b->transport_key) && buf_same(&a->ticket, &b->ticket) &&
	       memcmp(&a->params, &b->params, sizeof a->params) == 0 &&
	       memcmp(a->certificate, b->certificate, SHA256_LEN) == 0 && buf_same(&a->signature, &b->signature) &&
	       buf_same(&a->endorsement.signature, &b->endorsement.signature) &&
	       buf_same(&a->endorsement.factory_certificate, &b->endorsement.factory_certificate) &&
	       memcmp(a->endorsement.node, b->endorsement.node, SHA256_LEN) == 0 &&
	       memcmp(a->endorsement.renews, b->endorsement.renews, SHA256_LEN) == 0 && strcmp(a->reason, b->reason) == 0 && strcmp(a->order, b->order) == 0 && memcmp(a->invitation, b->invitation, SHA256_LEN) == 0 && buf_same(&a->document, &b->document) && a->list == b->list && a->after == b->after &&
	       memcmp(&a->query, &b->query, sizeof a->query) == 0;
}

static void judge_message(struct ca_message *m)
{
	struct ca_message *again = mem_new(1, sizeof *again);
	struct err *bad[LIMIT_BATCH];
	struct buf xml = {0};
	struct err e = {0};

	ca_message_write(m, &xml);
	CU_ASSERT_EQUAL_FATAL(ca_message_read(again, bad, xml.data, xml.len, LIMIT_FRAME_DEVICE, &e), 0);
	CU_ASSERT_STRING_EQUAL(again->ca, m->ca);
	CU_ASSERT_STRING_EQUAL(again->mark, m->mark);
	CU_ASSERT_EQUAL_FATAL(again->n, m->n);
	for (size_t i = 0; i < m->n; i++) {
		CU_ASSERT_PTR_NULL(bad[i]);
		CU_ASSERT(same_request(&m->request[i], &again->request[i]));
	}
	ca_message_free(again);
	ca_message_free(m);
	buf_free(&xml);
}

static void test_message(void)
{
	judge_message(sample_message());
	judge_message(sample_message_least());
}

static bool same_chain(const struct chain *a, const struct chain *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!buf_same(&a->cert[i].der, &b->cert[i].der))
			return false;
	return true;
}

static bool same_known(const struct ca_answer *a, const struct ca_answer *b)
{
	bool same = a->n_known == b->n_known && a->next == b->next && strcmp(a->mark, b->mark) == 0;

	for (size_t i = 0; same && i < a->n_known; i++) {
		const struct ca_known *x = &a->known[i], *y = &b->known[i];

		same = memcmp(&x->request, &y->request, sizeof x->request) == 0 && device_same(&x->device, &y->device) &&
		       x->state == y->state && strcmp(x->reason, y->reason) == 0 && strcmp(x->renews, y->renews) == 0 &&
		       x->made == y->made && buf_same(&x->public_key, &y->public_key) &&
		       buf_same(&x->certificate, &y->certificate) && buf_same(&x->encrypted_key, &y->encrypted_key);
	}
	return same;
}

static bool same_answer(const struct ca_answer *a, const struct ca_answer *b)
{
	if (!same_known(a, b))
		return false;
	return a->result == b->result && memcmp(&a->request, &b->request, sizeof a->request) == 0 && a->state == b->state &&
	       same_chain(&a->chain, &b->chain) && buf_same(&a->order, &b->order) && buf_same(&a->encrypted_key, &b->encrypted_key) && a->ordered == b->ordered &&
	       a->done == b->done && a->acted == b->acted && strcmp(a->action, b->action) == 0 && buf_same(&a->data, &b->data) && a->rows == b->rows &&
	       a->more == b->more && a->code == b->code && strcmp(a->text, b->text) == 0;
}

static void test_reply(void)
{
	struct ca_reply *r = sample_reply(&samples), *again = mem_new(1, sizeof *again);
	struct buf xml = {0};
	struct err e = {0};

	ca_reply_write(r, &xml);
	CU_ASSERT_EQUAL_FATAL(ca_reply_read(again, xml.data, xml.len, &e), 0);
	CU_ASSERT_EQUAL_FATAL(again->n, r->n);
	for (size_t i = 0; i < r->n; i++)
		CU_ASSERT(same_answer(&r->answer[i], &again->answer[i]));
	CU_ASSERT_EQUAL(memcmp(&r->audit, &again->audit, sizeof r->audit), 0);
	ca_reply_free(r);
	ca_reply_free(again);
	buf_free(&xml);
}

/* A refusal without a sentence gets the one of its code; a long one is cut between characters. */
static void test_refuse(void)
{
	struct ca_reply *r = mem_new(1, sizeof *r), *again = mem_new(1, sizeof *again);
	struct buf text = {0}, xml = {0};
	struct err e = {0};

	while (text.len < 600)
		buf_str(&text, "\xe2\x82\xac");
	ca_refuse(&r->answer[0], REASON_NOT_LISTED, "");
	ca_refuse(&r->answer[1], REASON_TICKET, buf_text(&text));
	r->n = 2;
	ca_reply_write(r, &xml);
	CU_ASSERT_EQUAL_FATAL(ca_reply_read(again, xml.data, xml.len, &e), 0);
	CU_ASSERT_EQUAL(again->answer[0].code, REASON_NOT_LISTED);
	CU_ASSERT_STRING_EQUAL(again->answer[0].text, reason_info(REASON_NOT_LISTED)->text);
	CU_ASSERT_EQUAL(strlen(again->answer[1].text), 399);
	CU_ASSERT_PTR_NULL(strchr(again->answer[1].text, '?'));
	ca_reply_free(r);
	ca_reply_free(again);
	buf_free(&text);
	buf_free(&xml);
}

/* One bad request among good ones is refused alone, and keeps its id for the answer. */
static void test_judged_alone(void)
{
	struct ca_message *m = sample_message(), *again = mem_new(1, sizeof *again);
	struct err *bad[LIMIT_BATCH];
	struct buf xml = {0};
	struct err e = {0};
	char *at;

	ca_message_write(m, &xml);
	at = strstr((char *)xml.data, "lapsed");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	memcpy(at, "bored!", 6);
	CU_ASSERT_EQUAL_FATAL(ca_message_read(again, bad, xml.data, xml.len, LIMIT_FRAME_DEVICE, &e), 0);
	CU_ASSERT_EQUAL(again->n, m->n);
	for (size_t i = 0; i < again->n; i++)
		CU_ASSERT_EQUAL(bad[i] != NULL, m->request[i].kind == CA_REVOKE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bad[2]);
	CU_ASSERT_EQUAL(bad[2]->code, REASON_REQUEST);
	CU_ASSERT_PTR_NOT_NULL(strstr(bad[2]->text, "protocol-ca 4.4"));
	CU_ASSERT_STRING_EQUAL(again->request[2].request.id, m->request[2].request.id);
	free(bad[2]);
	ca_message_free(m);
	ca_message_free(again);
	buf_free(&xml);
}

/* A whole batch of the largest requests fits the frame of a unit. */
static void test_largest_batch(void)
{
	struct ca_message *m = mem_new(1, sizeof *m), *again = mem_new(1, sizeof *again);
	uint8_t bytes[5800];
	struct buf xml = {0};
	struct err e = {0};

	memset(bytes, 0xff, sizeof bytes);
	for (m->n = 0; m->n < LIMIT_BATCH; m->n++) {
		struct ca_request *r = &m->request[m->n];

		r->device = (struct device_id){ "Acme", "gateway-b", "GB-1" };
		request_id_new(&r->request, (uint32_t)m->n);
		buf_add(&r->csr, bytes, sizeof bytes);
		buf_add(&r->ticket, bytes, sizeof bytes);
	}
	ca_message_write(m, &xml);
	CU_ASSERT(xml.len < LIMIT_FRAME_UNIT);
	CU_ASSERT_EQUAL(ca_message_read(again, NULL, xml.data, xml.len, LIMIT_FRAME_UNIT, &e), 0);
	CU_ASSERT_EQUAL(again->n, LIMIT_BATCH);
	CU_ASSERT(same_request(&m->request[LIMIT_BATCH - 1], &again->request[LIMIT_BATCH - 1]));
	ca_message_free(m);
	ca_message_free(again);
	buf_free(&xml);
}

/* ---- mutation ---- */
static xmlSchema *schema;

static void schema_load(void)
{
	const char *srcdir = getenv("srcdir");
	char path[FILE_PATH];
	xmlSchemaParserCtxt *p;

	snprintf(path, sizeof path, "%s/profiles/schema/handsel-ca-1.xsd", srcdir ? srcdir : ".");
	p = xmlSchemaNewParserCtxt(path);
	schema = xmlSchemaParse(p);
	xmlSchemaFreeParserCtxt(p);
}

static void say_nothing(void *arg, const char *fmt, ...)
{
}

static bool schema_accepts(const void *data, size_t len)
{
	xmlDoc *doc = xmlReadMemory(data, (int)len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlSchemaValidCtxt *v = xmlSchemaNewValidCtxt(schema);
	bool ok;

	xmlSchemaSetValidErrors(v, say_nothing, say_nothing, NULL);
	ok = doc && xmlSchemaValidateDoc(v, doc) == 0;
	xmlSchemaFreeValidCtxt(v);
	xmlFreeDoc(doc);
	return ok;
}

/* Reads as a request or a reply; what is accepted is written again into *out. */
static bool accepted_request(const void *data, size_t len, struct buf *out)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct err e;
	bool ok = ca_message_read(m, NULL, data, len, LIMIT_FRAME_DEVICE, &e) == 0;

	if (ok)
		ca_message_write(m, out);
	else
		CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	ca_message_free(m);
	return ok;
}

static bool accepted_reply(const void *data, size_t len, struct buf *out)
{
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct err e;
	bool ok = ca_reply_read(r, data, len, &e) == 0;

	if (ok)
		ca_reply_write(r, out);
	ca_reply_free(r);
	return ok;
}

/* Whatever is accepted is valid by the schema, and what we make of it is read as the same again. */
static void judge_changed(const struct buf *changed, bool (*accepted)(const void *, size_t, struct buf *), size_t at, int bit)
{
	struct buf once = {0}, twice = {0};

	if (!accepted(changed->data, changed->len, &once))
		goto out;
	if (!schema_accepts(changed->data, changed->len)) {
		fprintf(stderr, "byte %zu bit %d: accepted against the schema:\n%s\n", at, bit, buf_text(changed));
		CU_FAIL("accepted against the schema");
	}
	CU_ASSERT(accepted(once.data, once.len, &twice));
	CU_ASSERT(buf_same(&once, &twice));
out:
	buf_free(&once);
	buf_free(&twice);
}

static void mutate(struct buf *xml, bool (*accepted)(const void *, size_t, struct buf *))
{
	struct buf out = {0};

	for (size_t i = 0; i < xml->len; i++)
		for (int bit = 0; bit < 8; bit++) {
			xml->data[i] ^= (uint8_t)(1 << bit);
			judge_changed(xml, accepted, i, bit);
			xml->data[i] ^= (uint8_t)(1 << bit);
		}
	/* cut anywhere but in the newline at the end, and with anything behind it, it is refused */
	for (size_t n = 0; n < xml->len - 1; n++)
		CU_ASSERT_FALSE(accepted(xml->data, n, &out));
	buf_str(xml, "<x/>");
	CU_ASSERT_FALSE(accepted(xml->data, xml->len, &out));
	buf_free(&out);
}

static void test_mutated_request(void)
{
	struct ca_message *m = sample_message();
	struct buf xml = {0};

	ca_message_write(m, &xml);
	mutate(&xml, accepted_request);
	ca_message_free(m);
	buf_free(&xml);
}

static void test_mutated_reply(void)
{
	struct ca_reply *r = sample_reply(&samples);
	struct buf xml = {0};

	/* without certificates: they are opaque here, and long */
	for (size_t i = 0; i < r->n; i++)
		if (r->answer[i].chain.n) {
			ca_answer_free(&r->answer[i]);
			ca_refuse(&r->answer[i], REASON_BLOCKED, "no");
		}
	ca_reply_write(r, &xml);
	mutate(&xml, accepted_reply);
	ca_reply_free(r);
	buf_free(&xml);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "message", test_message }, { "reply", test_reply }, { "refuse", test_refuse },
		{ "judged alone", test_judged_alone }, { "largest batch", test_largest_batch },
		{ "mutated request", test_mutated_request }, { "mutated reply", test_mutated_reply },
	};
	int rc;

	samples_make(&samples);
	schema_load();
	if (!schema)
		return 99;
	rc = unit_run("camsg", tests, ARRAY_LEN(tests));
	xmlSchemaFree(schema);
	samples_free(&samples);
	return rc;
}
