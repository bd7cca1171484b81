#include <config.h>

#include <string.h>

#include "activate.h"
#include "agent_world.h"
#include "cms.h"
#include "diagnose.h"
#include "documents.h"
#include "enrol.h"
#include "fallback.h"
#include "oid.h"
#include "unit.h"

static struct err e;
static struct credential own;		/* a prepared request with its key */
static struct buf good;			/* base64 of a certs-only answer with its certificate */
static struct chain cas;		/* what cacerts gives */

static void add(struct chain *ch, const struct buf *der)
{
	CU_ASSERT_EQUAL_FATAL(chain_add(ch, der->data, der->len, &e), 0);
}

static void make(void)
{
	struct chain leaf = {0};
	struct buf der = {0};

	agent_world_init();
	own.key = key_generate(KEY_P256, &e);
	world_leaf(&world_customer, &own, &world_device, world_customer.policy, &der);
	add(&leaf, &der);
	CU_ASSERT_EQUAL_FATAL(cms_certs_write(&leaf, &der, &e), 0);
	text_base64(&good, der.data, der.len);
	add(&cas, &world_factory.root.cert->der);	/* order and strangers do not matter */
	add(&cas, &world_customer.root.cert->der);
	add(&cas, &world_customer.issuing.cert->der);
	chain_free(&leaf);
	buf_free(&der);
}

static void clear(void)
{
	credential_free(&own);
	chain_free(&cas);
	buf_free(&good);
	agent_world_free();
}

static void header(struct http_answer *a, const char *name, const char *value)
{
	struct http_header *h = &a->header[a->n_headers++];

	snprintf(h->name, sizeof h->name, "%s", name);
	snprintf(h->value, sizeof h->value, "%s", value);
}

/* ---- answers ---- */

struct expected {
	int status;
	const char *name, *value;	/* a header besides the type */
	const char *type, *body;
	enum enrol_result result;
	enum reason code;		/* AGAIN, REFUSED */
	uint32_t number;		/* AGAIN: seconds, DEAD: generation */
	const char *text;
};

static void check(const struct expected *x)
{
	struct http_answer a = { .status = x->status };
	struct enrol_answer out;

	if (x->type)
		header(&a, "content-type", x->type);
	if (x->name)
		header(&a, x->name, x->value);
	if (x->body)
		buf_str(&a.body, x->body);
	enrol_answer_read(&out, &a);
	CU_ASSERT_EQUAL(out.result, x->result);
	if (out.result == ENROL_AGAIN)
		CU_ASSERT_EQUAL(out.retry_s, x->number);
	if (out.result == ENROL_DEAD)
		CU_ASSERT_EQUAL(out.generation, x->number);
	if (out.result == ENROL_AGAIN || out.result == ENROL_REFUSED)
		CU_ASSERT_EQUAL(out.why.code, x->code);
	if (x->text) {
		if (!strstr(out.why.text, x->text))
			printf("\n  %d: %s\n", x->status, out.why.text);
		CU_ASSERT_PTR_NOT_NULL(strstr(out.why.text, x->text));
	}
	enrol_answer_free(&out);
	http_answer_free(&a);
}

#define TEXT "text/plain; charset=utf-8"
#define CERTS "application/pkcs7-mime; smime-type=certs-only"

static void test_answers(void)
{
	static const struct expected table[] = {
		{ 403, "handsel-reason", "E21", TEXT, "not here\r\nsecond line", ENROL_REFUSED, REASON_NOT_LISTED, 0, "not here" },
		{ 403, "handsel-reason", "E22", NULL, NULL, ENROL_REFUSED, REASON_BLOCKED, 0, "blocked" },
		{ 403, "handsel-reason", "E99", TEXT, "x", ENROL_REFUSED, REASON_ROLE, 0, NULL },
		{ 403, NULL, NULL, "text/html", "<html>", ENROL_REFUSED, REASON_ROLE, 0, "role" },
		{ 403, "handsel-reason", "E21", TEXT, "a\x1b[31mb\x07", ENROL_REFUSED, REASON_NOT_LISTED, 0, "a?[31mb?" },
		{ 401, NULL, NULL, NULL, NULL, ENROL_REFUSED, REASON_ROLE, 0, NULL },
		{ 400, "handsel-reason", "E53", TEXT, "CSR: subject: wrong", ENROL_REFUSED, REASON_REQUEST, 0, "CSR" },
		{ 404, NULL, NULL, NULL, NULL, ENROL_REFUSED, REASON_REQUEST, 0, NULL },
		{ 302, "location", "http://login.example/", NULL, NULL, ENROL_REFUSED, REASON_REQUEST, 0, NULL },
		{ 409, "handsel-generation", "7", NULL, NULL, ENROL_DEAD, REASON_OK, 7, NULL },
		{ 409, "handsel-generation", "4294967295", NULL, NULL, ENROL_DEAD, REASON_OK, 4294967295u, NULL },
		{ 409, "handsel-generation", "4294967296", NULL, NULL, ENROL_REFUSED, REASON_REQUEST, 0, "generation" },
		{ 409, "handsel-generation", "-1", NULL, NULL, ENROL_REFUSED, REASON_REQUEST, 0, "generation" },
		{ 409, NULL, NULL, NULL, NULL, ENROL_REFUSED, REASON_REQUEST, 0, "generation" },
		{ 503, "retry-after", "3", NULL, NULL, ENROL_AGAIN, REASON_CA_UNAVAILABLE, 3, NULL },
		{ 503, "retry-after", "99999999", NULL, NULL, ENROL_AGAIN, REASON_CA_UNAVAILABLE, ENROL_RETRY_MAX_S, NULL },
		{ 503, "retry-after", "Sun, 22 Nov 2026 12:00:00 GMT", NULL, NULL, ENROL_AGAIN, REASON_CA_UNAVAILABLE, 5, NULL },
		{ 503, NULL, NULL, NULL, NULL, ENROL_AGAIN, REASON_CA_UNAVAILABLE, 5, NULL },
		{ 500, NULL, NULL, NULL, NULL, ENROL_AGAIN, REASON_CA_UNAVAILABLE, 5, NULL },
		{ 202, "retry-after", "60", TEXT, "waiting for approval", ENROL_AGAIN, REASON_CA_UNAVAILABLE, 60, "approval" },
		{ 200, NULL, NULL, NULL, "", ENROL_REFUSED, REASON_REQUEST, 0, "type" },
		{ 200, NULL, NULL, "application/pkcs7-mimes", "", ENROL_REFUSED, REASON_REQUEST, 0, "type" },
		{ 200, NULL, NULL, CERTS, "", ENROL_REFUSED, REASON_REQUEST, 0, NULL },
		{ 200, NULL, NULL, CERTS, "@@@@", ENROL_REFUSED, REASON_REQUEST, 0, "base64" },
		{ 200, NULL, NULL, CERTS, "AAAA", ENROL_REFUSED, REASON_REQUEST, 0, "certificates" },
		{ 200, NULL, NULL, "text/html", "<html>welcome", ENROL_REFUSED, REASON_REQUEST, 0, "text/html" },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		check(&table[i]);
}

static int read_answer(const struct buf *body, struct enrol_answer *out)
{
	struct http_answer a = { .status = 200 };

	header(&a, "content-type", CERTS);
	buf_add(&a.body, body->data, body->len);
	enrol_answer_read(out, &a);
	http_answer_free(&a);
	return out->result == ENROL_DONE ? 0 : -1;
}

/* What enrol_request() does with an answer; 0 if the device would store it. */
static int accept_answer(const struct buf *body, struct buf *leaf)
{
	struct enrol_answer out;
	struct credential c = { .key = own.key };
	int rc = -1;

	if (read_answer(body, &out) == 0 && out.chain.n == 1) {
		add(&c.chain, &out.chain.cert[0].der);
		rc = enrol_build_chain(&c, &cas, &world_device, 2000000000, &e);
		if (rc == 0) {
			buf_set(leaf, c.chain.cert[0].der.data, c.chain.cert[0].der.len);
			CU_ASSERT_EQUAL(c.chain.n, 2);
			CU_ASSERT_TRUE(buf_same(&c.root.cert->der, &world_customer.root.cert->der));
		}
	}
	c.key = NULL;
	credential_free(&c);
	enrol_answer_free(&out);
	return rc;
}

static void test_layouts(void)
{
	static const char *const breaks[] = { "\n", "\r\n" };
	struct buf leaf = {0}, body = {0};

	CU_ASSERT_EQUAL(accept_answer(&good, &leaf), 0);
	for (size_t b = 0; b < 2; b++) {
		buf_clear(&body);
		for (size_t i = 0; i < good.len; i += 64) {
			buf_add(&body, good.data + i, good.len - i < 64 ? good.len - i : 64);
			buf_str(&body, breaks[b]);
		}
		CU_ASSERT_EQUAL(accept_answer(&body, &leaf), 0);
	}
	buf_free(&leaf);
	buf_free(&body);
}

/* Every character changed, every length cut: refused, or the very certificate that was sent. */
static void test_mutations(void)
{
	struct buf leaf = {0}, sent = {0}, body = {0};
	int refused = 0;

	CU_ASSERT_EQUAL_FATAL(accept_answer(&good, &sent), 0);
	for (size_t i = 0; i < good.len; i++) {
		buf_set(&body, good.data, good.len);
		body.data[i] = body.data[i] == 'A' ? 'Q' : 'A';
		if (body.data[i] == good.data[i])
			continue;
		if (accept_answer(&body, &leaf) < 0) {
			refused++;
			continue;
		}
		CU_ASSERT_TRUE(buf_same(&leaf, &sent));
	}
	CU_ASSERT_TRUE(refused > (int)good.len / 2);
	for (size_t n = 0; n < good.len - 4; n += 7) {
		buf_set(&body, good.data, n);
		CU_ASSERT_EQUAL(accept_answer(&body, &leaf), -1);
	}
	buf_free(&leaf);
	buf_free(&sent);
	buf_free(&body);
}

/* serverkeygen: two parts of a multipart body. Cut anywhere, it is no answer. */
static void test_key_parts(void)
{
	static const char type[] = "multipart/mixed; boundary=handsel-part";
	static const char part[] = "--handsel-part\r\nContent-Type: application/pkcs7-mime; smime-type=%s\r\n"
				   "Content-Transfer-Encoding: base64\r\n\r\n";
	struct http_answer a = { .status = 200 };
	struct enrol_answer out;
	struct buf whole = {0};

	buf_fmt(&whole, part, "server-generated-key");
	buf_str(&whole, "QUJD\n");
	buf_fmt(&whole, part, "certs-only");
	buf_add(&whole, good.data, good.len);
	buf_str(&whole, "\n--handsel-part--\r\n");
	header(&a, "content-type", type);
	buf_set(&a.body, whole.data, whole.len);
	enrol_answer_read(&out, &a);
	CU_ASSERT_EQUAL(out.result, ENROL_DONE);
	CU_ASSERT(out.chain.n == 1 && out.encrypted_key.len == 3 && memcmp(out.encrypted_key.data, "ABC", 3) == 0);
	enrol_answer_free(&out);
	for (size_t n = 0; n + 18 < whole.len; n++) {
		buf_set(&a.body, whole.data, n);
		enrol_answer_read(&out, &a);
		CU_ASSERT(out.result == ENROL_REFUSED && out.why.code == REASON_REQUEST);
		enrol_answer_free(&out);
	}
	/* a part of another type, and a zero byte */
	buf_set(&a.body, whole.data, whole.len);
	memcpy(memmem(a.body.data, a.body.len, "server-", 7), "SERVER-", 7);
	enrol_answer_read(&out, &a);
	CU_ASSERT_EQUAL(out.result, ENROL_REFUSED);
	enrol_answer_free(&out);
	buf_set(&a.body, whole.data, whole.len);
	a.body.data[20] = 0;
	enrol_answer_read(&out, &a);
	CU_ASSERT_EQUAL(out.result, ENROL_REFUSED);
	enrol_answer_free(&out);
	http_answer_free(&a);
	buf_free(&whole);
}

/* ---- certificates of somebody else ---- */

static int accept_leaf(const struct agent_ca *ca, const struct device_id *device, const char *policy,
		       const struct chain *given)
{
	struct credential c = { .key = own.key };
	struct buf der = {0};
	int rc;

	world_leaf(ca, &c, device, policy, &der);
	add(&c.chain, &der);
	rc = enrol_build_chain(&c, given, &world_device, 2000000000, &e);
	c.key = NULL;
	credential_free(&c);
	buf_free(&der);
	return rc;
}

static void test_build_chain(void)
{
	static const struct device_id other = { "Acme Devices", "gateway-b", "00020018" };
	struct chain no_root = {0}, only_root = {0}, nothing = {0};

	add(&no_root, &world_customer.issuing.cert->der);
	add(&only_root, &world_customer.root.cert->der);
	CU_ASSERT_EQUAL(accept_leaf(&world_customer, &world_device, world_customer.policy, &cas), 0);
	CU_ASSERT_EQUAL(accept_leaf(&world_customer, &other, world_customer.policy, &cas), -1);
	CU_ASSERT_EQUAL(accept_leaf(&world_factory, &world_device, world_factory.policy, &cas), -1);
	CU_ASSERT_EQUAL(accept_leaf(&world_customer, &world_device, world_customer.policy, &no_root), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	CU_ASSERT_EQUAL(accept_leaf(&world_customer, &world_device, world_customer.policy, &only_root), -1);
	CU_ASSERT_EQUAL(accept_leaf(&world_customer, &world_device, world_customer.policy, &nothing), -1);
	chain_free(&no_root);
	chain_free(&only_root);
}

/* ---- another root ---- */
/* A certificate of the root `of` under the name of `as`, by the key of `by` under its name. */
static void add_cross(struct chain *list, const struct agent_ca *as, const struct agent_ca *of, const struct agent_ca *by)
{
	struct cert_plan plan = { .spki = &of->root.cert->spki, .as = as->root.cert, .ca = true, .path_len = 2, .key_cert_sign = true,
				  .policy = OID_POLICY_ANY, .not_before = 1000000000, .not_after = X509_NO_EXPIRY };
	struct buf der = {0};

	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, by->root.cert, by->root_key, &der, &e), 0);
	add(list, &der);
	buf_free(&der);
}

/* The factory's CA of this world stands for the customer's next generation. */
static void test_new_root(void)
{
	const struct agent_ca *old = &world_customer, *new = &world_factory;
	struct credential mine = { .slot = SLOT_A, .root = old->root }, c = { .root = old->root };
	struct chain list = {0};
	struct err why;

	CU_ASSERT_EQUAL(enrol_check_root(&mine, &c, &list, 2000000000, &why), 0);
	c.root = new->root;
	add(&list, &new->issuing.cert->der);
	add(&list, &new->root.cert->der);
	CU_ASSERT_EQUAL(enrol_check_root(&mine, &c, &list, 2000000000, &why), -1);
	CU_ASSERT_EQUAL(why.code, REASON_AUTHORITY);
	add_cross(&list, old, old, new);	/* the new one's word for the old */
	add_cross(&list, new, old, old);	/* the old one's word for its name with another key */
	add_cross(&list, old, new, old);
	add_cross(&list, new, new, new);	/* and the new one's for itself */
	CU_ASSERT_EQUAL(enrol_check_root(&mine, &c, &list, 2000000000, &why), -1);
	mine.slot = SLOT_FACTORY;		/* has no customer's root yet */
	CU_ASSERT_EQUAL(enrol_check_root(&mine, &c, &list, 2000000000, &why), 0);
	mine.slot = SLOT_A;
	add_cross(&list, new, new, old);
	CU_ASSERT_EQUAL(enrol_check_root(&mine, &c, &list, 2000000000, &why), 0);
	chain_free(&list);
}

/* Roots that have certified each other lead in no circle, and a device that is told of the old one alone has its way to it. */
static void test_two_roots(void)
{
	const struct agent_ca *old = &world_factory, *new = &world_customer;
	struct chain list = {0};

	add(&list, &new->issuing.cert->der);
	add_cross(&list, new, new, old);
	add_cross(&list, old, old, new);
	add(&list, &old->root.cert->der);
	CU_ASSERT_EQUAL(accept_leaf(new, &world_device, new->policy, &list), 0);
	chain_free(&list);
}

/* ---- back to the factory credential ---- */
static int released(const struct agent_ca *ca, const char *role, const char *serial, int flip)
{
	struct cert_plan plan = { .digital_signature = true, .client_auth = true, .server_auth = true, .policy = OID_POLICY_UNIT,
				  .path_len = -1, .not_before = 1000000000, .not_after = X509_NO_EXPIRY };
	struct credential mine = { .key = own.key };
	struct release r = { .device = world_device, .sequence = 1, .time = 1900000000 };
	struct key *key = key_generate(KEY_P256, &e);
	struct buf spki = {0}, der = {0}, cms = {0};
	struct chain chain = {0};
	int rc;

	world_issue(&world_customer, &mine);
	memcpy(r.certificate, mine.chain.cert[0].sha256, SHA256_LEN);
	r.certificate[0] ^= (uint8_t)flip;
	snprintf(r.device.serial, sizeof r.device.serial, "%s", serial);
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s site", role);
	snprintf(plan.uri[0], sizeof plan.uri[0], "handsel:%s:site", role);
	CU_ASSERT_EQUAL_FATAL(key_spki(key, &spki, &e), 0);
	plan.spki = &spki;
	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, ca->root.cert, ca->root_key, &der, &e), 0);
	add(&chain, &der);
	CU_ASSERT_EQUAL_FATAL(release_write(&r, key, &chain, &cms, &e), 0);
	rc = fallback_judge(&mine, &world_device, &cms, &e);
	mine.key = NULL;
	credential_free(&mine);
	chain_free(&chain);
	key_free(key);
	buf_free(&spki);
	buf_free(&der);
	buf_free(&cms);
	return rc;
}

static void test_fallback(void)
{
	struct credential mine = { .key = own.key };
	struct buf nothing = {0};

	CU_ASSERT_EQUAL(released(&world_customer, "node", WORLD_SERIAL, 0), 0);
	CU_ASSERT_EQUAL(released(&world_customer, "node", "00020018", 0), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "another device"));
	CU_ASSERT_EQUAL(released(&world_customer, "node", WORLD_SERIAL, 1), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "another certificate"));
	CU_ASSERT_EQUAL(released(&world_customer, "operator", WORLD_SERIAL, 0), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	CU_ASSERT_EQUAL(released(&world_factory, "node", WORLD_SERIAL, 0), -1);	/* who took it in cannot take it back */
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	world_issue(&world_customer, &mine);
	CU_ASSERT_EQUAL(fallback_judge(&mine, &world_device, &nothing, &e), -1);
	buf_str(&nothing, "released");
	CU_ASSERT_EQUAL(fallback_judge(&mine, &world_device, &nothing, &e), -1);
	buf_free(&nothing);
	mine.key = NULL;
	credential_free(&mine);
}

static void test_late(void)
{
	struct cert leaf = { .not_before = 1000, .not_after = 1000 + 300 };

	CU_ASSERT_FALSE(renew_is_late(&leaf, 500));	/* a clock that was lost is no reason */
	CU_ASSERT_FALSE(renew_is_late(&leaf, 1200));
	CU_ASSERT_TRUE(renew_is_late(&leaf, 1201));
	CU_ASSERT_TRUE(renew_is_late(&leaf, 5000));
	leaf.not_after = X509_NO_EXPIRY;
	CU_ASSERT_FALSE(renew_is_late(&leaf, 4000000000));
}

/* ---- addresses and proxies ---- */

static void test_address(void)
{
	struct url u;

	CU_ASSERT_EQUAL(node_url(&u, "https://node.plant7.example:8443", &e), 0);
	CU_ASSERT_STRING_EQUAL(u.host, "node.plant7.example");
	CU_ASSERT_STRING_EQUAL(u.port, "8443");
	CU_ASSERT_EQUAL(node_url(&u, "10.4.2.17", &e), 0);
	CU_ASSERT_STRING_EQUAL(u.port, "443");
	CU_ASSERT_EQUAL(node_url(&u, "https://node/", &e), 0);
	CU_ASSERT_EQUAL(node_url(&u, "https://node/est", &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_EQUAL(node_url(&u, "http://node", &e), -1);
}

static void test_proxy(void)
{
	CU_ASSERT_TRUE(diagnose_is_proxy("HTTP/1.1 302 Found\r\n", 20));
	CU_ASSERT_TRUE(diagnose_is_proxy("HTTP/1.0 407 Proxy", 18));
	CU_ASSERT_TRUE(diagnose_is_proxy("HTTP/1.1 200 OK", 15));
	CU_ASSERT_FALSE(diagnose_is_proxy("HTTP/1.1 400 The plain HTTP request was sent to HTTPS port", 58));
	CU_ASSERT_FALSE(diagnose_is_proxy("HTTP/1.1", 8));
	CU_ASSERT_FALSE(diagnose_is_proxy("\x15\x03\x01\x00\x02\x02\x16\x00\x00\x00\x00\x00", 12));
	CU_ASSERT_FALSE(diagnose_is_proxy("", 0));
}

UNIT_MAIN("agent enrol",
	{ "the world is made", make },
	{ "answers", test_answers },
	{ "layouts of base64", test_layouts },
	{ "key and certificate", test_key_parts },
	{ "mutations", test_mutations },
	{ "chain and names", test_build_chain },
	{ "a new root", test_new_root },
	{ "two roots", test_two_roots },
	{ "fall back by a release alone", test_fallback },
	{ "two thirds of a life", test_late },
	{ "address of the node", test_address },
	{ "proxies", test_proxy },
	{ "the world is cleared away", clear })
