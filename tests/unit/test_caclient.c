/* The CA-client against a real HTTPS server that behaves as told. */
#include <config.h>

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "caclient.h"
#include "clock.h"
#include "http.h"
#include "httpd.h"
#include "mem.h"
#include "samples.h"
#include "unit.h"

static struct samples samples, foreign;

/* ---- the server ---- */
enum manner { ANSWERS, ONE_TOO_FEW, REFUSES, IS_BUSY, IS_BUSY_FOR_EVER, IS_A_WEB_PAGE, LOSES_ONE };
static _Atomic enum manner manner;
static atomic_int seen;

static void *on_peer(void *arg, const struct chain *chain, size_t *max_body)
{
	*max_body = LIMIT_FRAME_UNIT;
	return NULL;
}

static void on_peer_free(void *arg, void *peer)
{
}

static void answer(struct http_req *r, size_t too_few)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *reply = mem_new(1, sizeof *reply);
	struct buf xml = {0};
	struct err e = {0};

	CU_ASSERT_EQUAL(ca_message_read(m, NULL, http_body(r)->data, http_body(r)->len, LIMIT_FRAME_UNIT, &e), 0);
	reply->n = m->n - too_few;
	for (size_t i = 0; i < reply->n; i++) {
		reply->answer[i].result = CA_STATUS_IS;
		reply->answer[i].state = CA_ACTIVE;
		reply->answer[i].request = m->request[i].request;
	}
	ca_reply_write(reply, &xml);
	http_reply(r, 200, CA_TYPE, "", xml.data, xml.len);
	ca_message_free(m);
	ca_reply_free(reply);
	buf_free(&xml);
}

static void on_handle(void *arg, struct http_req *r)
{
	static const char no[] = "a station may not ask\nthis \x1b[31mCA\n", page[] = "<html><body>Please log in</body></html>";

	atomic_fetch_add(&seen, 1);
	CU_ASSERT_STRING_EQUAL(http_path(r), CA_PATH);
	CU_ASSERT_STRING_EQUAL(http_header(r, "content-type"), CA_TYPE);
	switch (atomic_load(&manner)) {
	case ANSWERS:
		answer(r, 0);
		break;
	case ONE_TOO_FEW:
		answer(r, 1);
		break;
	case REFUSES:
		http_reply(r, 403, "text/plain", "Handsel-Reason: E54\r\n", no, sizeof no - 1);
		break;
	case IS_BUSY:
		http_reply(r, 503, "text/plain", "Retry-After: 5\r\n", "", 0);
		break;
	case IS_BUSY_FOR_EVER:
		http_reply(r, 503, "text/plain", "Retry-After: 4000000000\r\n", "", 0);
		break;
	case IS_A_WEB_PAGE:
		http_reply(r, 200, "text/html", "", page, sizeof page - 1);
		break;
	case LOSES_ONE:
		atomic_store(&manner, ANSWERS);
		http_reply(r, 0, "", "", NULL, 0);
		break;
	}
}

static struct httpd *serve(const struct sample_unit *u)
{
	struct httpd_conf conf = {
		.address = "127.0.0.1", .threads = 2, .identity = { { NULL, &u->chain, u->key } }, .n_identities = 1,
		.peer = on_peer, .peer_free = on_peer_free, .handle = on_handle,
	};
	struct err e = {0};
	struct httpd *d = httpd_start(&conf, &e);

	if (!d) {
		fprintf(stderr, "%s\n", e.text);
		exit(99);
	}
	atomic_store(&manner, ANSWERS);
	atomic_store(&seen, 0);
	return d;
}

/* ---- the client ---- */
static struct url where;

static struct ca_client client(const struct httpd *d, const struct samples *s)
{
	snprintf(where.host, sizeof where.host, "127.0.0.1");
	snprintf(where.port, sizeof where.port, "%u", httpd_port(d));
	return (struct ca_client){
		.connect = ca_connect_url, .arg = &where, .host = where.host, .chain = &s->station.chain,
		.key = s->station.key, .trust = s->trust,
	};
}

/* A status of two ids; with_signature adds a signed confirm. */
static int ask(struct ca_client *c, bool with_signature, struct err *e)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	int rc;

	for (m->n = 0; m->n < 2; m->n++) {
		m->request[m->n].kind = CA_STATUS;
		request_id_new(&m->request[m->n].request, 7);
	}
	if (with_signature) {
		m->request[1].kind = CA_CONFIRM;
		buf_str(&m->request[1].signature, "a signature");
	}
	rc = ca_client_call(c, m, r, e);
	if (rc == 0) {
		CU_ASSERT_EQUAL(r->n, 2);
		CU_ASSERT_STRING_EQUAL(r->answer[1].request.id, m->request[1].request.id);
		CU_ASSERT_EQUAL(r->answer[1].state, CA_ACTIVE);
	}
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}

static void test_kept(void)
{
	struct httpd *d = serve(&samples.ca);
	struct ca_client c = client(d, &samples);
	uint8_t before[TLS_EXPORTER_LEN], after[TLS_EXPORTER_LEN];
	struct tls *session;
	struct err e = {0};

	session = ca_client_session(&c, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(session);
	CU_ASSERT_EQUAL(tls_exporter(session, before, &e), 0);
	CU_ASSERT_EQUAL(ask(&c, true, &e), 0);
	CU_ASSERT_EQUAL(ask(&c, false, &e), 0);
	session = ca_client_session(&c, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(session);
	CU_ASSERT_EQUAL(tls_exporter(session, after, &e), 0);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof before), 0);
	CU_ASSERT_EQUAL(atomic_load(&seen), 2);
	ca_client_close(&c);
	CU_ASSERT_PTR_NULL(c.http);
	httpd_stop(d);
}

/* On a kept connection a loss is the usual end of keep-alive: sent once more. On a new one it is an error to report. */
static void test_lost(void)
{
	struct httpd *d = serve(&samples.ca);
	struct ca_client c = client(d, &samples);
	struct err e = {0};

	CU_ASSERT_EQUAL(ask(&c, false, &e), 0);
	atomic_store(&manner, LOSES_ONE);
	CU_ASSERT_EQUAL(ask(&c, false, &e), 0);
	CU_ASSERT_EQUAL(atomic_load(&seen), 3);
	ca_client_close(&c);
	atomic_store(&manner, LOSES_ONE);
	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CA_UNAVAILABLE);
	CU_ASSERT_EQUAL(atomic_load(&seen), 4);
	CU_ASSERT_EQUAL(ask(&c, false, &e), 0);
	ca_client_close(&c);
	httpd_stop(d);
}

/* A signature of one session is worthless in another: the caller must sign anew. */
static void test_lost_confirm(void)
{
	struct httpd *d = serve(&samples.ca);
	struct ca_client c = client(d, &samples);
	struct err e = {0};

	CU_ASSERT_EQUAL(ask(&c, true, &e), 0);
	atomic_store(&manner, LOSES_ONE);
	CU_ASSERT_EQUAL(ask(&c, true, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CA_UNAVAILABLE);
	CU_ASSERT_EQUAL(atomic_load(&seen), 2);
	ca_client_close(&c);
	httpd_stop(d);
}

static void judge_failure(enum manner how, enum reason code, const char *text)
{
	struct httpd *d = serve(&samples.ca);
	struct ca_client c = client(d, &samples);
	struct err e = {0};

	atomic_store(&manner, how);
	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(e.code, code);
	if (!strstr(e.text, text)) {
		fprintf(stderr, "expected \"%s\", got \"%s\"\n", text, e.text);
		CU_FAIL("another sentence");
	}
	for (const char *p = e.text; *p; p++)
		CU_ASSERT(*p >= 0x20 && *p <= 0x7e);
	ca_client_close(&c);
	httpd_stop(d);
}

static void test_failures(void)
{
	judge_failure(ONE_TOO_FEW, REASON_REQUEST, "1 answers to 2 requests");
	judge_failure(REFUSES, REASON_ROLE, "HTTP status 403: a station may not ask this");
	judge_failure(IS_BUSY, REASON_CA_UNAVAILABLE, "HTTP status 503");
	judge_failure(IS_A_WEB_PAGE, REASON_REQUEST, "127.0.0.1: line 1: html: protocol-ca 2.6");
}

/* Who was asked to come later does so, and not to the millisecond; and is not sent away for ever by it. */
static void test_retry_after(void)
{
	struct httpd *d = serve(&samples.ca);
	struct ca_client c = client(d, &samples);
	struct err e = {0};
	int64_t first, most = 0, least = INT64_MAX;

	atomic_store(&manner, IS_BUSY);
	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(c.later_ms, 5000);
	first = ca_client_pause_ms(&c, 100);
	CU_ASSERT(first >= 5000 && first <= 6250);
	for (int i = 0; i < 100; i++) {
		int64_t ms = ca_client_pause_ms(&c, 8000);

		most = ms > most ? ms : most;
		least = ms < least ? ms : least;
	}
	CU_ASSERT(least >= 8000 && most <= 10000 && most - least > 500);
	atomic_store(&manner, IS_BUSY_FOR_EVER);
	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(c.later_ms, LIMIT_RETRY_AFTER_S * 1000);
	atomic_store(&manner, ANSWERS);
	CU_ASSERT_EQUAL(ask(&c, false, &e), 0);
	CU_ASSERT_EQUAL(c.later_ms, 0);
	ca_client_close(&c);
	httpd_stop(d);
}

/* Chain and role are both demanded. */
static void test_authority(void)
{
	struct httpd *d = serve(&samples.node);
	struct ca_client c = client(d, &samples);
	struct err e = {0};

	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ROLE);
	httpd_stop(d);
	d = serve(&foreign.ca);
	c = client(d, &samples);
	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	CU_ASSERT_EQUAL(atomic_load(&seen), 0);
	httpd_stop(d);
	d = serve(&samples.station);	/* EKU clientAuth only */
	c = client(d, &samples);
	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	httpd_stop(d);
}

static void test_nobody_there(void)
{
	struct httpd *d = serve(&samples.ca);
	struct ca_client c = client(d, &samples);
	struct err e = {0};

	httpd_stop(d);
	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CA_UNAVAILABLE);
	CU_ASSERT_PTR_NULL(ca_client_session(&c, &e));
	ca_client_close(&c);
}

/* Accepts, and never says a word. */
static int connect_to_silence(void *arg, struct err *e)
{
	int *other = arg, pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_errno(e, REASON_INTERNAL, "socketpair");
	*other = pair[1];
	return pair[0];
}

static void test_silence(void)
{
	int other = -1;
	struct ca_client c = {
		.connect = connect_to_silence, .arg = &other, .host = "ca.example", .trust = samples.trust, .timeout_ms = 50,
	};
	int64_t start = clock_mono_ms();
	struct err e = {0};

	CU_ASSERT_EQUAL(ask(&c, false, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CA_UNAVAILABLE);
	CU_ASSERT(clock_mono_ms() - start >= 50);
	close(other);
	ca_client_close(&c);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "kept", test_kept }, { "lost", test_lost }, { "lost confirm", test_lost_confirm },
		{ "failures", test_failures }, { "authority", test_authority }, { "nobody there", test_nobody_there },
		{ "silence", test_silence }, { "retry after", test_retry_after },
	};
	int rc;

	samples_make(&samples);
	samples_make(&foreign);
	rc = unit_run("caclient", tests, ARRAY_LEN(tests));
	samples_free(&samples);
	samples_free(&foreign);
	return rc;
}
