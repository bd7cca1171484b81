#include <config.h>

#include <string.h>

#include "devmsg.h"
#include "limits.h"
#include "mem.h"
#include "unit.h"

static const struct link_hello hello = {
	.version = LINK_VERSION,
	.device = { "Acme Devices", "gateway-b", "GB-000123" },
	.revision = "B2",
	.agent_version = "0.1.0",
	.agent_sha256 = { 1, 2, 3, [31] = 0xff },
	.store = STORE_PENDING,
};
static const struct link_ready ready = {
	.request = { "00112233445566778899aabbccddeeff", 7 },
	.key_sha256 = { 9, 8, 7 },
	.mode = MODE_CA,
};
static const struct link_result result = {
	.code = REASON_QUOTA,
	.text = "the order is used up",
	.certificate = { 4, 5, 6 },
};
static const struct link_challenge challenge = { .station = "line-2", .nonce = { 0xaa, 0xbb } };

static void make_go(struct link_go *m)
{
	memset(m, 0, sizeof *m);
	buf_str(&m->ticket, "ticket bytes");
	buf_str(&m->root, "root bytes");
	strcpy(m->ca, "factory-1");
	strcpy(m->host, "ca.example:8443");
	strcpy(m->key_type, "rsa2048");
}

static void make_proof(struct link_proof *m)
{
	memset(m, 0, sizeof *m);
	m->nonce[0] = 0x55;
	buf_str(&m->certificate, "leaf");
	buf_str(&m->issuer, "issuer");
	buf_str(&m->signature, "signature");
}

static void make_certificate(struct link_certificate *m)
{
	memset(m, 0, sizeof *m);
	m->n = 2;
	buf_str(&m->certificate[0], "leaf");
	buf_str(&m->certificate[1], "issuer");
	buf_str(&m->encrypted_key, "ciphertext");
}

static int read_any(enum link_type type, const struct buf *payload, struct err *e)
{
	union {
		struct link_hello hello;
		struct link_ready ready;
		struct link_go go;
		struct link_result result;
		struct link_challenge challenge;
		struct link_proof proof;
		struct link_request request;
		struct link_csr csr;
		struct link_certificate certificate;
		struct link_stored stored;
		struct link_confirm confirm;
		struct link_signed sig;
		struct link_verdict verdict;
	} m;
	int rc;

	switch (type) {
	case LINK_REQUEST:
		rc = link_request_read(&m.request, payload, e);
		if (rc == 0)
			link_request_free(&m.request);
		return rc;
	case LINK_CSR:
		rc = link_csr_read(&m.csr, payload, e);
		if (rc == 0)
			link_csr_free(&m.csr);
		return rc;
	case LINK_CERTIFICATE:
		rc = link_certificate_read(&m.certificate, payload, e);
		if (rc == 0)
			link_certificate_free(&m.certificate);
		return rc;
	case LINK_STORED:
		return link_stored_read(&m.stored, payload, e);
	case LINK_CONFIRM:
		return link_confirm_read(&m.confirm, payload, e);
	case LINK_SIGNED:
		rc = link_signed_read(&m.sig, payload, e);
		if (rc == 0)
			link_signed_free(&m.sig);
		return rc;
	case LINK_VERDICT:
		return link_verdict_read(&m.verdict, payload, e);
	case LINK_HELLO:
		return link_hello_read(&m.hello, payload, e);
	case LINK_READY:
		return link_ready_read(&m.ready, payload, e);
	case LINK_GO:
		rc = link_go_read(&m.go, payload, e);
		if (rc == 0)
			link_go_free(&m.go);
		return rc;
	case LINK_RESULT:
		return link_result_read(&m.result, payload, e);
	case LINK_CHALLENGE:
		return link_challenge_read(&m.challenge, payload, e);
	default:
		rc = link_proof_read(&m.proof, payload, e);
		if (rc == 0)
			link_proof_free(&m.proof);
		return rc;
	}
}

static const enum link_type messages[] = { LINK_HELLO, LINK_READY, LINK_GO, LINK_RESULT, LINK_CHALLENGE, LINK_PROOF,
	LINK_REQUEST, LINK_CSR, LINK_CERTIFICATE, LINK_STORED, LINK_CONFIRM, LINK_SIGNED, LINK_VERDICT };

static void write_any(enum link_type type, struct buf *payload)
{
	static const struct link_stored stored = { .certificate = { 4, 5, 6 } };
	static const struct link_confirm confirm = { .exporter = { 7, 8 } };
	static const struct link_verdict verdict = { .standing = STANDING_DEAD, .generation = 9 };
	struct link_request request = {0};
	struct link_csr csr = {0};
	struct link_certificate certificate;
	struct link_signed sig = {0};
	struct link_go go;
	struct link_proof proof;

	switch (type) {
	case LINK_REQUEST:
		buf_str(&request.root, "root bytes");
		link_request_write(&request, payload);
		link_request_free(&request);
		break;
	case LINK_CSR:
		buf_str(&csr.der, "request bytes");
		link_csr_write(&csr, payload);
		link_csr_free(&csr);
		break;
	case LINK_CERTIFICATE:
		make_certificate(&certificate);
		link_certificate_write(&certificate, payload);
		link_certificate_free(&certificate);
		break;
	case LINK_STORED:
		link_stored_write(&stored, payload);
		break;
	case LINK_CONFIRM:
		link_confirm_write(&confirm, payload);
		break;
	case LINK_SIGNED:
		buf_str(&sig.signature, "signature");
		link_signed_write(&sig, payload);
		link_signed_free(&sig);
		break;
	case LINK_VERDICT:
		link_verdict_write(&verdict, payload);
		break;
	case LINK_HELLO:
		link_hello_write(&hello, payload);
		break;
	case LINK_READY:
		link_ready_write(&ready, payload);
		break;
	case LINK_GO:
		make_go(&go);
		link_go_write(&go, payload);
		link_go_free(&go);
		break;
	case LINK_RESULT:
		link_result_write(&result, payload);
		break;
	case LINK_CHALLENGE:
		link_challenge_write(&challenge, payload);
		break;
	default:
		make_proof(&proof);
		link_proof_write(&proof, payload);
		link_proof_free(&proof);
	}
}

static void test_round_trip(void)
{
	struct buf p = {0};
	struct link_hello h;
	struct link_prepare ask, asked;
	struct link_ready r;
	struct link_go g, g0;
	struct link_result s;
	struct link_challenge c;
	struct link_proof f;
	struct err e;

	link_hello_write(&hello, &p);
	CU_ASSERT_EQUAL_FATAL(link_hello_read(&h, &p, &e), 0);
	CU_ASSERT(device_same(&h.device, &hello.device) && h.version == LINK_VERSION && h.store == STORE_PENDING);
	CU_ASSERT_STRING_EQUAL(h.revision, "B2");
	CU_ASSERT_STRING_EQUAL(h.agent_version, "0.1.0");
	CU_ASSERT(mem_same(h.agent_sha256, hello.agent_sha256, SHA256_LEN));

	for (ask.mode = MODE_DEVICE; ask.mode <= MODE_CA; ask.mode++) {
		link_prepare_write(&ask, &p);
		CU_ASSERT_EQUAL_FATAL(link_prepare_read(&asked, &p, &e), 0);
		CU_ASSERT_EQUAL(asked.mode, ask.mode);
	}
	buf_set(&p, "\2", 1);
	CU_ASSERT_EQUAL(link_prepare_read(&asked, &p, &e), -1);
	buf_set(&p, "\1\0", 2);
	CU_ASSERT_EQUAL(link_prepare_read(&asked, &p, &e), -1);
	buf_clear(&p);
	CU_ASSERT(link_prepare_read(&asked, &p, &e) == 0 && asked.mode == MODE_DEVICE);

	link_ready_write(&ready, &p);
	CU_ASSERT_EQUAL_FATAL(link_ready_read(&r, &p, &e), 0);
	CU_ASSERT_STRING_EQUAL(r.request.id, ready.request.id);
	CU_ASSERT_EQUAL(r.mode, MODE_CA);
	CU_ASSERT(r.request.generation == 7 && mem_same(r.key_sha256, ready.key_sha256, SHA256_LEN));

	make_go(&g0);
	link_go_write(&g0, &p);
	CU_ASSERT_EQUAL_FATAL(link_go_read(&g, &p, &e), 0);
	CU_ASSERT(buf_same(&g.ticket, &g0.ticket) && buf_same(&g.root, &g0.root));
	CU_ASSERT(strcmp(g.ca, g0.ca) == 0 && strcmp(g.host, g0.host) == 0 && strcmp(g.key_type, g0.key_type) == 0);
	link_go_free(&g);
	link_go_free(&g0);

	link_result_write(&result, &p);
	CU_ASSERT_EQUAL_FATAL(link_result_read(&s, &p, &e), 0);
	CU_ASSERT(s.code == REASON_QUOTA && strcmp(s.text, result.text) == 0);
	CU_ASSERT(mem_same(s.certificate, result.certificate, SHA256_LEN));

	link_challenge_write(&challenge, &p);
	CU_ASSERT_EQUAL_FATAL(link_challenge_read(&c, &p, &e), 0);
	CU_ASSERT(strcmp(c.station, "line-2") == 0 && mem_same(c.nonce, challenge.nonce, SHA256_LEN));

	write_any(LINK_PROOF, &p);
	CU_ASSERT_EQUAL_FATAL(link_proof_read(&f, &p, &e), 0);
	CU_ASSERT(f.nonce[0] == 0x55 && strcmp(buf_text(&f.signature), "signature") == 0);
	CU_ASSERT(strcmp(buf_text(&f.certificate), "leaf") == 0 && strcmp(buf_text(&f.issuer), "issuer") == 0);
	link_proof_free(&f);
	buf_free(&p);
}

/* The messages of the station's own CA-client. */
static void test_client_round_trip(void)
{
	struct link_request request;
	struct link_csr csr;
	struct link_certificate certificate;
	struct link_stored stored;
	struct link_confirm confirm;
	struct link_signed sig;
	struct link_verdict verdict;
	struct buf p = {0};
	struct err e;

	write_any(LINK_REQUEST, &p);
	CU_ASSERT_EQUAL_FATAL(link_request_read(&request, &p, &e), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&request.root), "root bytes");
	link_request_free(&request);
	write_any(LINK_CSR, &p);
	CU_ASSERT_EQUAL_FATAL(link_csr_read(&csr, &p, &e), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&csr.der), "request bytes");
	link_csr_free(&csr);
	write_any(LINK_CERTIFICATE, &p);
	CU_ASSERT_EQUAL_FATAL(link_certificate_read(&certificate, &p, &e), 0);
	CU_ASSERT_EQUAL(certificate.n, 2);
	CU_ASSERT_STRING_EQUAL(buf_text(&certificate.certificate[0]), "leaf");
	CU_ASSERT_STRING_EQUAL(buf_text(&certificate.certificate[1]), "issuer");
	CU_ASSERT_STRING_EQUAL(buf_text(&certificate.encrypted_key), "ciphertext");
	link_certificate_free(&certificate);
	write_any(LINK_STORED, &p);
	CU_ASSERT_EQUAL_FATAL(link_stored_read(&stored, &p, &e), 0);
	CU_ASSERT(stored.certificate[0] == 4 && stored.certificate[2] == 6);
	write_any(LINK_CONFIRM, &p);
	CU_ASSERT_EQUAL_FATAL(link_confirm_read(&confirm, &p, &e), 0);
	CU_ASSERT(confirm.exporter[0] == 7 && confirm.exporter[1] == 8);
	write_any(LINK_SIGNED, &p);
	CU_ASSERT_EQUAL_FATAL(link_signed_read(&sig, &p, &e), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&sig.signature), "signature");
	link_signed_free(&sig);
	write_any(LINK_VERDICT, &p);
	CU_ASSERT_EQUAL_FATAL(link_verdict_read(&verdict, &p, &e), 0);
	CU_ASSERT(verdict.standing == STANDING_DEAD && verdict.generation == 9);
	buf_free(&p);
}

static bool refused_for(enum link_type type, const void *payload, size_t len, const char *clause)
{
	struct buf p = {0};
	struct err e;
	int rc;

	buf_set(&p, payload, len);
	rc = read_any(type, &p, &e);
	buf_free(&p);
	return rc < 0 && e.code == REASON_REQUEST && strstr(e.text, clause);
}

static void test_client_meaning(void)
{
	struct link_verdict active = { .standing = STANDING_ACTIVE };
	struct link_certificate m;
	struct buf p = {0};
	struct err e;

	CU_ASSERT(refused_for(LINK_REQUEST, "\0\0\0\0", 4, "L3.10"));	/* what must not be empty */
	CU_ASSERT(refused_for(LINK_CSR, "\0\0\0\0", 4, "L3.11"));
	CU_ASSERT(refused_for(LINK_SIGNED, "\0\0\0\0", 4, "L3.15"));
	CU_ASSERT(refused_for(LINK_STORED, "\0\0\0\1x", 5, "L3.13"));
	CU_ASSERT(refused_for(LINK_CONFIRM, "\0\0\0\1x", 5, "L3.14"));
	CU_ASSERT(refused_for(LINK_CERTIFICATE, "\0\0\0\0\0", 5, "L3.12"));		/* none */
	CU_ASSERT(refused_for(LINK_CERTIFICATE, "\1\0\0\0\0\0\0\0\0", 9, "L3.12"));	/* an empty one */
	CU_ASSERT(refused_for(LINK_CERTIFICATE, "\5\0\0\0\1a\0\0\0\1a\0\0\0\1a\0\0\0\1a\0\0\0\1a\0\0\0\0", 30, "L3.12"));
	CU_ASSERT(refused_for(LINK_VERDICT, "\2\0\0\0\1", 5, "L3.16"));
	CU_ASSERT(refused_for(LINK_VERDICT, "\0\0\0\0\1", 5, "L3.16"));	/* active names no generation */
	link_verdict_write(&active, &p);
	CU_ASSERT_EQUAL(read_any(LINK_VERDICT, &p, &e), 0);
	make_certificate(&m);
	buf_clear(&m.encrypted_key);	/* mode device */
	link_certificate_write(&m, &p);
	CU_ASSERT_EQUAL(read_any(LINK_CERTIFICATE, &p, &e), 0);
	link_certificate_free(&m);
	buf_free(&p);
}

/* No prefix of a message is a message, and nothing may follow it. */
static void test_truncation(void)
{
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct buf whole = {0}, part = {0};

		write_any(messages[i], &whole);
		for (size_t n = 0; n < whole.len; n++) {
			buf_set(&part, whole.data, n);
			CU_ASSERT_EQUAL(read_any(messages[i], &part, &e), -1);
		}
		CU_ASSERT_EQUAL(read_any(messages[i], &whole, &e), 0);
		buf_byte(&whole, 0);
		CU_ASSERT_EQUAL(read_any(messages[i], &whole, &e), -1);
		CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
		buf_free(&whole);
		buf_free(&part);
	}
}

/* Each byte set to hostile values: it is refused or read as something within the limits; the sanitizers watch. */
static void test_mutation(void)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct err e;
	unsigned refused = 0, accepted = 0;

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct buf p = {0};

		write_any(messages[i], &p);
		for (size_t n = 0; n < p.len; n++) {
			uint8_t old = p.data[n];

			for (size_t v = 0; v < ARRAY_LEN(values); v++) {
				p.data[n] = values[v];
				if (read_any(messages[i], &p, &e))
					refused++;
				else
					accepted++;
			}
			p.data[n] = old;
		}
		CU_ASSERT_EQUAL(read_any(messages[i], &p, &e), 0);
		buf_free(&p);
	}
	CU_ASSERT(refused > accepted / 4);
	CU_ASSERT(accepted > 0);
}

static int reread_hello(struct link_hello *m, struct err *e)
{
	struct buf p = {0};
	int rc;

	link_hello_write(m, &p);
	rc = link_hello_read(m, &p, e);
	buf_free(&p);
	return rc;
}

static void test_meaning(void)
{
	struct link_hello h = hello;
	struct link_ready r = ready;
	struct link_result s = result;
	struct link_challenge c = challenge;
	struct link_go g;
	struct buf p = {0};
	struct err e;

	h.version = 2;
	CU_ASSERT_EQUAL(reread_hello(&h, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AGENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "version 2"));
	h = hello;
	h.device.serial[0] = 0;
	CU_ASSERT_EQUAL(reread_hello(&h, &e), -1);
	h = hello;
	strcpy(h.device.model, "tab\there");
	CU_ASSERT_EQUAL(reread_hello(&h, &e), -1);
	h = hello;
	strcpy(h.revision, "");		/* optional */
	CU_ASSERT_EQUAL(reread_hello(&h, &e), 0);
	strcpy(r.request.id, "00112233445566778899AABBCCDDEEFF");
	link_ready_write(&r, &p);
	CU_ASSERT_EQUAL(link_ready_read(&r, &p, &e), -1);
	s.code = (enum reason)99;
	link_result_write(&s, &p);
	CU_ASSERT_EQUAL(link_result_read(&s, &p, &e), -1);
	s = result;
	s.code = REASON_OK;
	link_result_write(&s, &p);
	CU_ASSERT_EQUAL(link_result_read(&s, &p, &e), 0);
	strcpy(c.station, "../line");
	link_challenge_write(&c, &p);
	CU_ASSERT_EQUAL(link_challenge_read(&c, &p, &e), -1);
	make_go(&g);
	strcpy(g.ca, "");		/* the only one */
	link_go_write(&g, &p);
	link_go_free(&g);
	CU_ASSERT_EQUAL(link_go_read(&g, &p, &e), 0);
	link_go_free(&g);
	make_go(&g);
	strcpy(g.host, "ca.example\r\nEvil: 1");
	link_go_write(&g, &p);
	link_go_free(&g);
	CU_ASSERT_EQUAL(link_go_read(&g, &p, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "L3.4"));
	buf_free(&p);
}

/* A stream of frames arrives in pieces of every size. */
static void test_split(void)
{
	struct buf stream = {0}, in = {0};
	struct link_frame f = {0};
	struct err e;

	link_put(&stream, LINK_HELLO, 0, NULL, 0);
	link_put(&stream, LINK_DATA, 0x1234, "abc", 3);
	link_put(&stream, LINK_LOG, 0, "line", 4);
	CU_ASSERT_EQUAL_FATAL(stream.len, 3 * LINK_HEADER + 7);
	for (size_t step = 1; step <= stream.len; step++) {
		static const enum link_type want[] = { LINK_HELLO, LINK_DATA, LINK_LOG };
		unsigned n = 0;

		for (size_t at = 0; at < stream.len; at += step) {
			buf_add(&in, stream.data + at, at + step > stream.len ? stream.len - at : step);
			while (link_take(&in, &f, &e) == 1) {
				CU_ASSERT_FATAL(n < 3);
				CU_ASSERT_EQUAL(f.type, want[n]);
				CU_ASSERT_EQUAL(f.channel, n == 1 ? 0x1234 : 0);
				CU_ASSERT_STRING_EQUAL(buf_text(&f.payload), n == 0 ? "" : n == 1 ? "abc" : "line");
				n++;
			}
		}
		CU_ASSERT_EQUAL(n, 3);
		CU_ASSERT_EQUAL(in.len, 0);
	}
	buf_free(&stream);
	buf_free(&in);
	buf_free(&f.payload);
}

static int take_raw(const uint8_t *header, struct err *e)
{
	struct buf in = {0};
	struct link_frame f = {0};
	int rc;

	buf_add(&in, header, LINK_HEADER);
	rc = link_take(&in, &f, e);
	buf_free(&in);
	buf_free(&f.payload);
	return rc;
}

static void test_bad_frames(void)
{
	static const uint8_t type0[] = { 0, 0, 0, 0, 0, 0, 0, 0 }, type21[] = { 21, 0, 0, 0, 0, 0, 0, 0 },
		reserved[] = { LINK_HELLO, 1, 0, 0, 0, 0, 0, 0 }, channel[] = { LINK_HELLO, 0, 0, 1, 0, 0, 0, 0 },
		longer[] = { LINK_DATA, 0, 0, 1, 0, 0, 0x40, 1 }, huge[] = { LINK_DATA, 0, 0, 1, 0xff, 0xff, 0xff, 0xff },
		longest[] = { LINK_DATA, 0, 0, 1, 0, 0, 0x40, 0 }, good[] = { LINK_PREPARE, 0, 0, 0, 0, 0, 0, 0 };
	struct buf out = {0};
	struct err e;

	CU_ASSERT_EQUAL(take_raw(type0, &e), -1);
	CU_ASSERT_EQUAL(take_raw(type21, &e), -1);
	CU_ASSERT_EQUAL(take_raw(reserved, &e), -1);
	CU_ASSERT_EQUAL(take_raw(channel, &e), -1);
	CU_ASSERT_EQUAL(take_raw(longer, &e), -1);
	CU_ASSERT_EQUAL(take_raw(huge, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_USB);
	CU_ASSERT_EQUAL(take_raw(longest, &e), 0);	/* waits for its payload */
	CU_ASSERT_EQUAL(take_raw(good, &e), 1);
	link_put(&out, LINK_DATA, 1, NULL, LIMIT_LINK_FRAME + 1);
	CU_ASSERT(out.failed);
	CU_ASSERT_STRING_EQUAL(link_type_name(LINK_PROOF), "proof");
	CU_ASSERT_STRING_EQUAL(link_type_name(LINK_VERDICT), "verdict");
	CU_ASSERT_STRING_EQUAL(link_type_name((enum link_type)77), "unknown");
	buf_free(&out);
}

/* Fixed bytes: both ends and the document must agree on them for ever. */
static void test_bytes(void)
{
	static const char ready_hex[] = "00000020" "3030313132323333343435353636373738383939616162626363646465656666"
		"00000007" "00000020" "0908070000000000000000000000000000000000000000000000000000000000" "01";
	struct buf p = {0}, text = {0};
	uint8_t a[SHA256_LEN] = { 1 }, b[SHA256_LEN] = { 2 };
	char hex[300];

	link_ready_write(&ready, &p);
	text_hex(hex, p.data, p.len);
	CU_ASSERT_STRING_EQUAL(hex, ready_hex);
	buf_clear(&p);
	link_put(&p, LINK_DATA, 0x0102, "x", 1);
	text_hex(hex, p.data, p.len);
	CU_ASSERT_STRING_EQUAL(hex, "07000102" "00000001" "78");
	link_challenge_text(&text, "line-2", a, b);
	CU_ASSERT_EQUAL_FATAL(text.len, 21 + 7 + 2 * SHA256_LEN);
	CU_ASSERT(memcmp(text.data, "handsel-challenge-v1\0line-2\0\1", 29) == 0);
	CU_ASSERT_EQUAL(text.data[28 + SHA256_LEN], 2);
	buf_free(&p);
	buf_free(&text);
}

UNIT_MAIN("devmsg", { "round trip", test_round_trip }, { "client's round trip", test_client_round_trip },
	  { "client's meaning", test_client_meaning }, { "truncation", test_truncation }, { "mutation", test_mutation },
	  { "meaning", test_meaning }, { "split delivery", test_split }, { "bad frames", test_bad_frames },
	  { "fixed bytes", test_bytes })
