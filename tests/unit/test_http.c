#include <config.h>

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "gnutls_glue.h"
#include "http.h"
#include "http_world.h"
#include "limits.h"
#include "mem.h"
#include "unit.h"

/* ---- addresses ---- */
static void url_good(const char *text, const char *host, const char *port, const char *path)
{
	struct url u;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(url_parse(&u, text, &e), 0);
	CU_ASSERT_STRING_EQUAL(u.host, host);
	CU_ASSERT_STRING_EQUAL(u.port, port);
	CU_ASSERT_STRING_EQUAL(u.path, path);
}

static void url_bad(const char *text, const char *hint)
{
	struct url u;
	struct err e;

	CU_ASSERT_EQUAL(url_parse(&u, text, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, hint));
}

static void test_url(void)
{
	char longer[700];

	url_good("https://ca.example:8443/ca", "ca.example", "8443", "/ca");
	url_good("HTTPS://ca.example", "ca.example", "443", "");
	url_good("ca.example:1", "ca.example", "1", "");
	url_good("192.0.2.7:65535", "192.0.2.7", "65535", "");
	url_good("[2001:db8::1]:8443", "2001:db8::1", "8443", "");
	url_good("https://[fe80::1%eth0]/a/b/", "fe80::1%eth0", "443", "/a/b");
	url_good("https://h/", "h", "443", "/");
	url_bad("http://ca.example", "only https");
	url_bad("ftp://ca.example", "only https");
	url_bad("", "no valid host");
	url_bad("https://", "no valid host");
	url_bad("https://user@host/", "no valid host");
	url_bad("https://ho st/", "no valid host");
	url_bad("[2001:db8::1", "no valid host");
	url_bad("[host]", "no valid host");
	url_bad("2001:db8::1", "brackets");
	url_bad("host:0", "1 to 65535");
	url_bad("host:65536", "1 to 65535");
	url_bad("host:99999999999999999999", "1 to 65535");
	url_bad("host:", "1 to 65535");
	url_bad("host:80a", "1 to 65535");
	url_bad("host:+80", "1 to 65535");
	url_bad("host/a?b=c", "no query");
	url_bad("host/a#b", "no fragment");
	url_bad("host/a b", "path");
	url_bad("host/a\r\nEvil: 1", "path");
	url_bad("[::1]x", "path");
	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = 0;
	url_bad(longer, "no valid host");
	memcpy(longer, "host/", 5);
	url_bad(longer, "path is too long");
}

/* ---- answers: a TLS server on the other end of a socket pair says what the test tells it ---- */
struct speaker {
	int fd;
	const char *text;
	size_t len, step;	/* step: bytes of one TLS record, 0: all at once */
	bool bye;		/* ends with close_notify; else a cut */
	char request[4096];
	pthread_t thread;
};

static gnutls_certificate_credentials_t server_credentials(void)
{
	gnutls_certificate_credentials_t cred;
	gnutls_datum_t der = { world.server.cert->der.data, (unsigned)world.server.cert->der.len };
	gnutls_pcert_st *pcert = mem_new(1, sizeof *pcert);
	gnutls_privkey_t key;
	gnutls_datum_t d;
	char path[300];
	struct err e;

	/* The key takes the way through a file: the credentials own theirs. */
	snprintf(path, sizeof path, "%s/key.pem", unit_folder());
	CU_ASSERT_EQUAL_FATAL(key_save(world.key, path, &e), 0);
	CU_ASSERT_EQUAL_FATAL(gnutls_load_file(path, &d), 0);
	unlink(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
	gnutls_privkey_init(&key);
	CU_ASSERT_EQUAL_FATAL(gnutls_privkey_import_x509_raw(key, &d, GNUTLS_X509_FMT_PEM, NULL, 0), 0);
	gnutls_free(d.data);
	CU_ASSERT_EQUAL_FATAL(gnutls_certificate_allocate_credentials(&cred), 0);
	CU_ASSERT_EQUAL_FATAL(gnutls_pcert_import_x509_raw(pcert, &der, GNUTLS_X509_FMT_DER, 0), 0);
	CU_ASSERT_FATAL(gnutls_certificate_set_key(cred, NULL, 0, pcert, 1, key) >= 0);
	free(pcert);
	return cred;
}

static gnutls_certificate_credentials_t credentials;

static void speak_body(struct speaker *s, gnutls_session_t t)
{
	size_t n = 0, step = s->step ? s->step : s->len;

	while (n + 1 < sizeof s->request && !strstr(s->request, "\r\n\r\n")) {
		ssize_t rc = gnutls_record_recv(t, s->request + n, sizeof s->request - 1 - n);

		if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED)
			continue;
		if (rc <= 0)
			return;
		n += (size_t)rc;
	}
	for (size_t at = 0; at < s->len; at += step)
		if (gnutls_record_send(t, s->text + at, s->len - at < step ? s->len - at : step) < 0)
			return;
	if (s->bye)
		gnutls_bye(t, GNUTLS_SHUT_WR);
}

static void *speak(void *arg)
{
	struct speaker *s = arg;
	gnutls_session_t t;
	int rc;

	gnutls_init(&t, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
	gnutls_priority_set_direct(t, HANDSEL_PRIORITY, NULL);
	gnutls_credentials_set(t, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(t, s->fd);
	do
		rc = gnutls_handshake(t);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	if (rc == 0)
		speak_body(s, t);
	gnutls_deinit(t);
	shutdown(s->fd, SHUT_RDWR);
	close(s->fd);
	return NULL;
}

static struct httpc *speaker_start(struct speaker *s)
{
	struct err e;
	struct tls *t;
	int fd[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s->fd = fd[0];
	CU_ASSERT_EQUAL_FATAL(pthread_create(&s->thread, NULL, speak, s), 0);
	t = world_tls(fd[1], NULL, false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return httpc_new(t, "peer.example");
}

struct outcome {
	int rc, alive;
	struct http_answer a;
	struct err e;
	char request[4096];
};

/* One POST to a server that answers with the text, in records of `step` bytes. */
static struct outcome ask_bytes(const char *method, const char *text, size_t len, size_t step, bool bye, size_t max)
{
	struct speaker s = { .text = text, .len = len, .step = step, .bye = bye };
	struct outcome o = {0};
	struct httpc *h = speaker_start(&s);

	o.rc = httpc_request(h, method, "/ca", "application/xml", "X-Extra: 1\r\n", "<a/>", 4, max, &o.a, &o.e);
	o.alive = httpc_alive(h);
	httpc_free(h);
	pthread_join(s.thread, NULL);
	memcpy(o.request, s.request, sizeof o.request);
	return o;
}

static struct outcome ask(const char *text)
{
	return ask_bytes("POST", text, strlen(text), 0, true, 1000);
}

static void good(const char *text, int status, const char *body, int alive)
{
	for (size_t step = 0; step < 8; step += 7) {
		struct outcome o = ask_bytes("POST", text, strlen(text), step, true, 1000);

		CU_ASSERT_EQUAL(o.rc, 0);
		if (o.rc)
			fprintf(stderr, "refused: %s: %s\n", text, o.e.text);
		CU_ASSERT_EQUAL(o.a.status, status);
		CU_ASSERT_STRING_EQUAL(buf_text(&o.a.body), body);
		CU_ASSERT_EQUAL(o.alive, alive);
		http_answer_free(&o.a);
	}
}

static void bad(const char *text, const char *hint)
{
	struct outcome o = ask(text);

	CU_ASSERT_EQUAL(o.rc, -1);
	CU_ASSERT_EQUAL(o.alive, 0);
	CU_ASSERT_EQUAL(o.a.body.len, 0);
	if (o.rc == -1) {
		CU_ASSERT_EQUAL(o.e.code, REASON_UNREACHABLE);
		CU_ASSERT_PTR_NOT_NULL(strstr(o.e.text, hint));
		if (!strstr(o.e.text, hint))
			fprintf(stderr, "wanted \"%s\", got \"%s\"\n", hint, o.e.text);
	} else {
		fprintf(stderr, "accepted: %s\n", text);
	}
	http_answer_free(&o.a);
}

static void test_answers(void)
{
	good("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", 1);
	good("HTTP/1.1 200\r\ncontent-length:5\t\r\n\r\nhello", 200, "hello", 1);
	good("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, "", 1);
	good("HTTP/1.1 204 None\r\n\r\n", 204, "", 1);
	good("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", 200,
	     "abc0123456789", 1);
	good("HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 1\r\n\r\nx", 200, "x", 0);
	good("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", 0);
	good("HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", 0);
	good("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", 1);
}

static void test_hostile(void)
{
	bad("", "closed the connection");
	bad("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "two Content-Length");
	bad("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "together");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "other than chunked");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "other than chunked");
	bad("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0");
	bad("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not a number");
	bad("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", "not a number");
	bad("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "not a number");
	bad("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "not a number");
	bad("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", "not a number");
	bad("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\nx", "over the 1000 bytes");
	bad("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "before its stated length");
	bad("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", "forbidden character");
	bad("HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\nhello", "forbidden character");
	bad("HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\nContent-Length: 0\r\n\r\n", "header");
	bad("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "without colon");
	bad("HTTP/1.1 200 OK\r\nContent-Type: a\033[31mb\r\n\r\n", "control character");
	bad("HTTP/1.1 200 OK\r\nContent-Type: a\177\r\n\r\n", "control character");
	bad("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "CR LF");
	bad("HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n", "CR LF");
	bad("HTTP/2 200\r\n\r\n", "HTTP/1.1");
	bad("SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1");
	bad("HTTP/1.1 20x OK\r\n\r\n", "no status code");
	bad("HTTP/1.1 2000 OK\r\n\r\n", "no status code");
	bad("HTTP/1.1 999 OK\r\n\r\n", "no status code");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", "hexadecimal");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "hexadecimal");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\n\r\n", "hexadecimal");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", "hexadecimal");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "over the 1000 bytes");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", "longer than its size");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n", "trailers");
	bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "closed the connection");
	bad("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "too many interim");
}

#define RAW(text) text, sizeof(text) - 1

static void test_limits(void)
{
	struct buf text = {0};
	struct outcome o;

	buf_str(&text, "HTTP/1.1 200 OK\r\nX: ");
	for (unsigned i = 0; i < LIMIT_HTTP_HEAD; i++)
		buf_byte(&text, 'a');
	buf_str(&text, "\r\nContent-Length: 0\r\n\r\n");
	bad(buf_text(&text), "head is too long");
	buf_clear(&text);
	buf_str(&text, "HTTP/1.1 200 OK\r\n");
	for (unsigned i = 0; i < LIMIT_HTTP_HEADERS + 1; i++)
		buf_fmt(&text, "X-%u: 1\r\n", i);
	buf_str(&text, "Content-Length: 0\r\n\r\n");
	bad(buf_text(&text), "head is too long");
	buf_clear(&text);
	buf_str(&text, "HTTP/1.1 200 OK\r\n\r\n");
	for (unsigned i = 0; i < 1001; i++)
		buf_byte(&text, 'a');
	bad(buf_text(&text), "over the 1000 bytes");
	buf_free(&text);
	/* What came without an end of TLS may have been cut by anybody. */
	o = ask_bytes("POST", RAW("HTTP/1.1 200 OK\r\n\r\nuntil the end"), 0, false, 1000);
	CU_ASSERT_EQUAL(o.rc, -1);
	http_answer_free(&o.a);
	/* The answer to HEAD has a length and no body. */
	o = ask_bytes("HEAD", RAW("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"), 0, true, 1000);
	CU_ASSERT(o.rc == 0 && o.alive == 1 && o.a.body.len == 0);
	http_answer_free(&o.a);
	/* NUL in the head. */
	o = ask_bytes("POST", RAW("HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n"), 0, true, 1000);
	CU_ASSERT_EQUAL(o.rc, -1);
	http_answer_free(&o.a);
	/* Bytes behind the answer belong to nobody: the connection is not used again. */
	o = ask_bytes("POST", RAW("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n"), 0, true, 1000);
	CU_ASSERT(o.rc == 0 && o.alive == 0);
	http_answer_free(&o.a);
}

static void test_request_text(void)
{
	struct outcome o = ask("HTTP/1.1 403 No\r\nHandsel-Reason: E21\r\nContent-Type: text/plain\r\n"
			       "Content-Length: 0\r\n\r\n");

	CU_ASSERT_EQUAL(o.rc, 0);
	CU_ASSERT_STRING_EQUAL(http_answer_header(&o.a, "handsel-reason"), "E21");
	CU_ASSERT_STRING_EQUAL(http_answer_header(&o.a, "content-type"), "text/plain");
	CU_ASSERT_STRING_EQUAL(http_answer_header(&o.a, "retry-after"), "");
	http_answer_free(&o.a);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.request, "POST /ca HTTP/1.1\r\nHost: peer.example\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(o.request, "\r\nContent-Type: application/xml\r\nContent-Length: 4\r\n"
				      "X-Extra: 1\r\n\r\n<a/>"));
}

/* Every prefix of a good answer that then ends is refused, never taken for a shorter one. */
static void test_truncated(void)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

	for (size_t n = 0; n < sizeof text - 1; n += 3) {
		struct outcome o = ask_bytes("POST", text, n, 0, true, 1000);

		CU_ASSERT_EQUAL(o.rc, -1);
		http_answer_free(&o.a);
	}
}

/* A server that stops in the middle: the deadline of the TLS session ends the wait. */
static void test_deadline(void)
{
	struct err e;
	struct http_answer a;
	struct httpc *h;
	struct speaker s = { .text = "HTTP/1.1 200 OK\r\n", .len = 17 };
	int fd[2];
	int64_t start;
	struct tls *t;
	char byte;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s.fd = fd[0];
	CU_ASSERT_EQUAL_FATAL(pthread_create(&s.thread, NULL, speak, &s), 0);
	t = world_tls(fd[1], NULL, false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	h = httpc_new(t, "peer.example");
	start = clock_mono_ms();
	tls_deadline(t, start + 100);
	/* A GET whose head never ends: the speaker waits for it, and nobody answers. */
	CU_ASSERT_EQUAL(tls_write(t, "GET / HTTP/1.1\r\n", 16, &e), 0);
	CU_ASSERT_EQUAL(tls_read(t, &byte, 1, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_UNREACHABLE);
	CU_ASSERT(clock_mono_ms() - start >= 90 && clock_mono_ms() - start < 1500);
	CU_ASSERT_EQUAL(httpc_request(h, "GET", "/", "", "", NULL, 0, 10, &a, &e), -1);
	CU_ASSERT_EQUAL(httpc_alive(h), 0);
	CU_ASSERT_EQUAL(httpc_request(h, "GET", "/", "", "", NULL, 0, 10, &a, &e), -1);
	httpc_free(h);
	pthread_join(s.thread, NULL);
}

static void test_setup(void)
{
	world_init();
	credentials = server_credentials();
}

static void test_teardown(void)
{
	gnutls_certificate_free_credentials(credentials);
	world_free();
}

UNIT_MAIN("http", { "addresses", test_url }, { "setup", test_setup }, { "answers", test_answers },
	  { "hostile answers", test_hostile }, { "limits", test_limits }, { "request", test_request_text },
	  { "truncated answers", test_truncated }, { "deadline", test_deadline }, { "teardown", test_teardown })
