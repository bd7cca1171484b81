#include <config.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"
#include "http_world.h"
#include "limits.h"
#include "mem.h"
#include "unit.h"

#define MAX_BODY 1000
#define LARGE ((size_t)5 << 20)	/* more than a socket holds */
#define DEADLINE_MS 600		/* of the server in these tests */
#define SLOW_MS 60000		/* where time is not the subject: valgrind is slow */
#define PARALLEL 100

/* The application behind the server. /later waits in `waiting` until release() answers from another thread. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_req *waiting[PARALLEL];
	size_t n;
	unsigned judged, freed;
} app = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *on_peer(void *arg, const struct chain *chain, size_t *max_body)
{
	char *name = mem_str(chain->n ? chain->cert[0].name : "nobody");

	*max_body = MAX_BODY;
	pthread_mutex_lock(&app.lock);
	app.judged++;
	pthread_mutex_unlock(&app.lock);
	return name;
}

static void on_peer_free(void *arg, void *peer)
{
	pthread_mutex_lock(&app.lock);
	app.freed++;
	pthread_cond_broadcast(&app.changed);
	pthread_mutex_unlock(&app.lock);
	free(peer);
}

static void answer_text(struct http_req *r, const char *text)
{
	http_reply(r, 200, "text/plain", "X-One: 1\r\nX-Two: two words\r\n", text, strlen(text));
}

static void on_handle(void *arg, struct http_req *r)
{
	const char *path = http_path(r);
	uint8_t binding[TLS_EXPORTER_LEN];
	char hex[2 * TLS_EXPORTER_LEN + 1];
	struct err e;

	if (strcmp(path, "/who") == 0) {
		answer_text(r, http_peer(r));
	} else if (strcmp(path, "/echo") == 0) {
		http_reply(r, 200, http_header(r, "content-type"), "", http_body(r)->data, http_body(r)->len);
	} else if (strcmp(path, "/exporter") == 0) {
		CU_ASSERT_EQUAL(http_exporter(r, binding, &e), 0);
		text_hex(hex, binding, sizeof binding);
		answer_text(r, hex);
	} else if (strcmp(path, "/lost") == 0) {
		http_reply(r, 0, "", "", NULL, 0);
	} else if (strcmp(path, "/shown") == 0) {
		text_hex(hex, http_shown(r), SHA256_LEN);
		answer_text(r, hex);
	} else if (strcmp(path, "/over") == 0) {
		answer_text(r, http_shown_over(r) ? "over" : "in force");
	} else if (strcmp(path, "/remote") == 0) {
		answer_text(r, http_remote(r));
	} else if (strcmp(path, "/large") == 0) {
		char *stars = mem_new(1, LARGE);

		memset(stars, '*', LARGE);
		http_reply(r, 200, "text/plain", "", stars, LARGE);
		free(stars);
	} else if (strcmp(path, "/later") == 0) {
		pthread_mutex_lock(&app.lock);
		app.waiting[app.n++] = r;
		pthread_cond_broadcast(&app.changed);
		pthread_mutex_unlock(&app.lock);
	} else {
		http_reply(r, 404, "text/plain", "", http_method(r), strlen(http_method(r)));
	}
}

/* Waits until n requests wait, then answers them all. */
static void release(size_t n)
{
	pthread_mutex_lock(&app.lock);
	while (app.n < n)
		pthread_cond_wait(&app.changed, &app.lock);
	for (size_t i = 0; i < n; i++) {
		answer_text(app.waiting[i], "late");
		app.waiting[i] = NULL;
	}
	app.n = 0;
	pthread_mutex_unlock(&app.lock);
}

static void *release_thread(void *arg)
{
	release(*(size_t *)arg);
	return NULL;
}

static struct httpd *server;

static struct httpd *start_limited(int64_t deadline_ms, struct httpd_limits limit)
{
	struct httpd_conf conf = {
		.address = "127.0.0.1",
		.limit = limit,
		.threads = 2,
		.identity = { { "onboard.handsel.internal", &world.onboard, world.key }, { NULL, &world.server, world.key } },
		.n_identities = 2,
		.deadline_ms = deadline_ms,
		.peer = on_peer,
		.peer_free = on_peer_free,
		.handle = on_handle,
	};
	struct httpd *d;
	struct err e;

	d = httpd_start(&conf, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_NOT_EQUAL(httpd_port(d), 0);
	return d;
}

static struct httpd *start(int64_t deadline_ms)
{
	return start_limited(deadline_ms, (struct httpd_limits){0});
}

static void test_setup(void)
{
	world_init();
	server = start(SLOW_MS);
}

static void expect(struct httpc *h, const char *method, const char *path, const char *body, int status,
		   const char *want)
{
	struct http_answer a = {0};
	struct err e;
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	rc = httpc_request(h, method, path, "text/plain", "", body, body ? strlen(body) : 0, 0, &a, &e);
	CU_ASSERT_EQUAL(rc, 0);
	if (rc)
		fprintf(stderr, "%s %s: %s\n", method, path, e.text);
	CU_ASSERT_EQUAL(a.status, status);
	CU_ASSERT_STRING_EQUAL(buf_text(&a.body), want);
	http_answer_free(&a);
}

static void expect_served(void)
{
	struct httpc *h = world_http(httpd_port(server), true);

	expect(h, "GET", "/who", NULL, 200, "client");
	httpc_free(h);
}

static void test_requests(void)
{
	struct httpc *h = world_http(httpd_port(server), true);
	struct http_answer a = {0};
	unsigned before = app.judged;
	struct err e;

	expect(h, "GET", "/who", NULL, 200, "client");
	expect(h, "POST", "/echo", "some body", 200, "some body");
	expect(h, "POST", "/echo", "", 200, "");
	expect(h, "PUT", "/nothing", "x", 404, "PUT");
	expect(h, "GET", "/remote", NULL, 200, "127.0.0.1");
	CU_ASSERT_EQUAL(app.judged, before + 1);	/* once a connection, not once a request */
	CU_ASSERT_EQUAL_FATAL(httpc_request(h, "GET", "/who", "", "", NULL, 0, 0, &a, &e), 0);
	CU_ASSERT_STRING_EQUAL(http_answer_header(&a, "content-length"), "6");
	CU_ASSERT_STRING_EQUAL(http_answer_header(&a, "content-type"), "text/plain");
	CU_ASSERT_STRING_EQUAL(http_answer_header(&a, "x-one"), "1");
	CU_ASSERT_STRING_EQUAL(http_answer_header(&a, "x-two"), "two words");
	http_answer_free(&a);
	httpc_free(h);
	h = world_http(httpd_port(server), false);	/* the certificate is asked for, not demanded */
	expect(h, "GET", "/who", NULL, 200, "nobody");
	httpc_free(h);
}

static void expect_name(const char *sni, const char *name)
{
	struct err e;
	struct tls *t = world_tls(world_dial(httpd_port(server)), sni, false, &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_STRING_EQUAL(tls_peer(t)->name, name);
	tls_close(t);
}

static void test_sni(void)
{
	static const struct { const char *sni, *name; } cases[] = {
		{ "onboard.handsel.internal", "onboard" }, { "ONBOARD.handsel.internal", "onboard" },
		{ "onboard.handsel.interna", "server" }, { "other.example", "server" }, { NULL, "server" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_name(cases[i].sni, cases[i].name);
}

/* Whoever was shown the old certificate goes on with it; whoever comes then sees the new one, and of the other names nothing changes. */
static void test_renew(void)
{
	char before[SHA256_HEX];
	struct httpc *old = world_http(httpd_port(server), true), *new;
	struct err e;

	text_hex(before, world.server.cert[0].sha256, SHA256_LEN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(old);
	expect(old, "GET", "/shown", NULL, 200, before);
	expect(old, "GET", "/over", NULL, 200, "in force");
	CU_ASSERT_EQUAL(httpd_renew(server, &world.client, world.key, &e), 0);	/* nobody is shown the one between */
	CU_ASSERT_EQUAL(httpd_renew(server, &world.onboard, world.key, &e), 0);
	expect_name(NULL, "onboard");
	expect_name("onboard.handsel.internal", "onboard");
	expect(old, "GET", "/shown", NULL, 200, before);
	expect(old, "GET", "/over", NULL, 200, "over");
	httpc_free(old);
	CU_ASSERT_EQUAL(httpd_renew(server, &world.server, world.key, &e), 0);
	new = world_http(httpd_port(server), true);
	CU_ASSERT_PTR_NOT_NULL_FATAL(new);
	expect(new, "GET", "/shown", NULL, 200, before);
	expect(new, "GET", "/over", NULL, 200, "in force");
	httpc_free(new);
}

static void test_exporter(void)
{
	struct httpc *h = world_http(httpd_port(server), true);
	uint8_t binding[TLS_EXPORTER_LEN];
	char hex[2 * TLS_EXPORTER_LEN + 1];
	struct err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	CU_ASSERT_EQUAL(tls_exporter(httpc_tls(h), binding, &e), 0);
	text_hex(hex, binding, sizeof binding);
	expect(h, "GET", "/exporter", NULL, 200, hex);
	httpc_free(h);
}

/* Raw text in, the status of the answer out; 0 if there is none. */
static int raw(const char *text, size_t len, char *answer, size_t size)
{
	struct err e;
	struct tls *t = world_tls(world_dial(httpd_port(server)), NULL, true, &e);
	size_t n = 0;
	long rc = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	tls_deadline(t, clock_mono_ms() + SLOW_MS);
	memset(answer, 0, size);
	if (tls_write(t, text, len, &e) == 0)
		while (n + 1 < size && !strstr(answer, "\r\n\r\n") && (rc = tls_read(t, answer + n, size - 1 - n, &e)) > 0)
			n += (size_t)rc;
	tls_close(t);
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

static int raw_text(const char *text)
{
	char answer[2000];

	return raw(text, strlen(text), answer, sizeof answer);
}

static void test_framing(void)
{
	char answer[2000];
	static const char two[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx";

	CU_ASSERT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"), 200);
	CU_ASSERT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "1\r\nx\r\n0\r\n\r\n"), 200);
	CU_ASSERT_EQUAL(raw(two, sizeof two - 1, answer, sizeof answer), 400);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Connection: close"));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Handsel-Reason: E53"));
	CU_ASSERT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "1\r\nx\r\n0\r\n\r\n"), 400);
	CU_ASSERT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"
				 "1\r\nx\r\n0\r\n\r\n"), 400);
	CU_ASSERT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nx"), 400);
	CU_ASSERT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
				 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
	CU_ASSERT_NOT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\nx"), 200);
	CU_ASSERT_NOT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nx"), 200);
	CU_ASSERT_NOT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1,1\r\n\r\nx"), 200);
	CU_ASSERT_NOT_EQUAL(raw_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n"
				     "\r\nx"), 200);
}

/* Status 0: the request was handled, and the client learns nothing. */
static void test_no_answer(void)
{
	CU_ASSERT_EQUAL(raw_text("GET /lost HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
	expect_served();
}

static void put_chunk(struct buf *b, size_t n)
{
	buf_fmt(b, "%zx\r\n", n);
	for (size_t i = 0; i < n; i++)
		buf_byte(b, 'x');
	buf_str(b, "\r\n");
}

static int raw_buf(struct buf *b)
{
	char answer[2000];
	int status = raw((const char *)b->data, b->len, answer, sizeof answer);

	buf_free(b);
	return status;
}

static void test_limits(void)
{
	struct buf b = {0};

	for (size_t over = 0; over < 2; over++) {
		buf_fmt(&b, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", MAX_BODY + over);
		for (size_t i = 0; i < MAX_BODY + over; i++)
			buf_byte(&b, 'x');
		CU_ASSERT_EQUAL(raw_buf(&b), over ? 413 : 200);
		buf_str(&b, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
		put_chunk(&b, MAX_BODY);
		if (over)
			put_chunk(&b, 100000);
		buf_str(&b, "0\r\n\r\n");
		CU_ASSERT_EQUAL(raw_buf(&b), over ? 413 : 200);
		buf_str(&b, "GET /who HTTP/1.1\r\nHost: x\r\n");
		for (size_t i = 0; i < LIMIT_HTTP_HEADERS - 1 + over; i++)
			buf_fmt(&b, "X-%zu: 1\r\n", i);
		buf_str(&b, "\r\n");
		CU_ASSERT_EQUAL(raw_buf(&b), over ? 431 : 200);
	}
	buf_str(&b, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\nx");
	CU_ASSERT_EQUAL(raw_buf(&b), 413);
	buf_str(&b, "GET /who HTTP/1.1\r\nHost: x\r\nX: ");
	for (size_t i = 0; i < LIMIT_HTTP_HEAD; i++)
		buf_byte(&b, 'x');
	buf_str(&b, "\r\n\r\n");
	CU_ASSERT_EQUAL(raw_buf(&b), 431);
	buf_str(&b, "GET /who HTTP/1.1\r\nHost: x\r\nX: ");
	for (size_t i = 0; i < 100000; i++)
		buf_byte(&b, 'x');
	buf_str(&b, "\r\n\r\n");
	CU_ASSERT_NOT_EQUAL(raw_buf(&b), 200);
	expect_served();
}

/* All hundred wait at once, then a foreign thread answers them. */
static void test_parallel(void)
{
	static const char request[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
	struct tls *t[PARALLEL];
	struct err e;

	for (size_t i = 0; i < PARALLEL; i++) {
		t[i] = world_tls(world_dial(httpd_port(server)), NULL, false, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t[i]);
		CU_ASSERT_EQUAL(tls_write(t[i], request, sizeof request - 1, &e), 0);
	}
	release(PARALLEL);
	for (size_t i = 0; i < PARALLEL; i++) {
		char answer[1000] = "";
		size_t n = 0;
		long rc;

		while (!strstr(answer, "\r\n\r\nlate") && (rc = tls_read(t[i], answer + n, sizeof answer - 1 - n, &e)) > 0)
			n += (size_t)rc;
		CU_ASSERT_PTR_NOT_NULL(strstr(answer, "HTTP/1.1 200"));
		tls_close(t[i]);
	}
}

/* Head and body of an answer are two TLS records and go out together. */
static void test_one_packet(void)
{
	static const char request[] = "GET /who HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = world_dial(httpd_port(server));
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t bytes[2000];
	struct err e;
	struct tls *t = world_tls(fd, NULL, false, &e);
	ssize_t n;
	size_t first;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(tls_write(t, request, sizeof request - 1, &e), 0);
	CU_ASSERT_EQUAL(poll(&p, 1, 5000), 1);
	n = recv(fd, bytes, sizeof bytes, MSG_PEEK);
	CU_ASSERT_FATAL(n > 5);
	first = 5 + ((size_t)bytes[3] << 8 | bytes[4]);
	CU_ASSERT((size_t)n > first + 5 && bytes[first] == bytes[0]);
	tls_close(t);
}

/* Two answers, the first larger than the sockets hold: the head of the second finds no room. */
static void test_large(void)
{
	static const char request[] = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
	struct buf got = { .max = 3 * LARGE };
	struct err e;
	struct tls *t;
	size_t head, found = 0;
	const char *end;
	uint8_t *room;
	int fd = world_dial(httpd_port(server));
	long rc;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 20000 }, sizeof(int));
	t = world_tls(fd, NULL, false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(tls_write(t, request, sizeof request - 1, &e), 0);
	CU_ASSERT_EQUAL(tls_write(t, request, sizeof request - 1, &e), 0);
	while (got.len < 2 * LARGE && (room = buf_room(&got, 16384)) && (rc = tls_read(t, room, 16384, &e)) > 0)
		got.len += (size_t)rc;
	end = strstr(buf_text(&got), "\r\n\r\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(end);
	head = (size_t)(end - buf_text(&got)) + 4;
	while (got.len < 2 * (head + LARGE) && (room = buf_room(&got, 16384)) && (rc = tls_read(t, room, 16384, &e)) > 0)
		got.len += (size_t)rc;
	CU_ASSERT_EQUAL(got.len, 2 * (head + LARGE));
	for (size_t i = 0; i < got.len; i++)
		found += got.data[i] == '*';
	CU_ASSERT_EQUAL(found, 2 * LARGE);
	CU_ASSERT_EQUAL(memcmp(got.data, got.data + head + LARGE, 15), 0);	/* HTTP/1.1 200 OK */
	tls_close(t);
	buf_free(&got);
}

static void test_gone(void)
{
	static const char request[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
	enum { CLIENTS = 20 };
	struct err e;
	unsigned freed;

	pthread_mutex_lock(&app.lock);
	freed = app.freed;
	pthread_mutex_unlock(&app.lock);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct tls *t = world_tls(world_dial(httpd_port(server)), NULL, false, &e);

		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		CU_ASSERT_EQUAL(tls_write(t, request, sizeof request - 1, &e), 0);
		tls_close(t);
	}
	release(CLIENTS);
	pthread_mutex_lock(&app.lock);
	while (app.freed < freed + CLIENTS)	/* every connection ends */
		pthread_cond_wait(&app.changed, &app.lock);
	pthread_mutex_unlock(&app.lock);
	expect_served();
}

/* All of it again, each connection parked whenever it waits for its peer. */
static void test_parked(void)
{
	struct httpd *saved = server;
	struct httpc *first;

	server = start_limited(SLOW_MS, (struct httpd_limits){ .polled = 1 });
	first = world_http(httpd_port(server), false);	/* has the place that is not */
	test_requests();
	test_exporter();
	test_no_answer();
	test_framing();
	test_limits();
	test_parallel();
	test_one_packet();
	test_large();
	test_gone();
	expect(first, "GET", "/who", NULL, 200, "nobody");
	httpc_free(first);
	httpd_stop(server);
	server = saved;
}

/* ---- deadlines ---- */
/* The ClientHello of a client that then stops. */
static size_t client_hello(uint8_t *out, size_t size)
{
	struct tls_client opt = { .trust = world.trust, .deadline_ms = clock_mono_ms() + 20 };
	struct err e;
	ssize_t n;
	int fd[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	CU_ASSERT_PTR_NULL_FATAL(tls_connect(fd[1], &opt, &e));
	n = recv(fd[0], out, size, 0);
	close(fd[0]);
	CU_ASSERT_FATAL(n > 100);
	return (size_t)n;
}

static int64_t cpu_ms(void)
{
	return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

/* Waits until the server closes the descriptor: the time of that, or -1 after 5 s. */
static int64_t closed_at(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char rest[200];

	while (poll(&p, 1, 5000) > 0)
		if (recv(fd, rest, sizeof rest, 0) <= 0)
			return clock_mono_ms();
	return -1;
}

static void test_stalled_handshakes(void)
{
	struct httpd *saved = server;
	uint8_t hello[2000];
	size_t len = client_hello(hello, sizeof hello);
	int fd[60];
	int64_t begin, cpu, first = INT64_MAX, last = 0;

	server = start(DEADLINE_MS);
	begin = clock_mono_ms();
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		size_t n = i % 3 == 0 ? 0 : i % 3 == 1 ? 40 : len;	/* nothing, a piece, a whole ClientHello */

		fd[i] = world_dial(httpd_port(server));
		CU_ASSERT_EQUAL(send(fd[i], hello, n, MSG_NOSIGNAL), (ssize_t)n);
	}
	for (int i = 0; i < 3; i++)
		expect_served();
	cpu = cpu_ms();
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		int64_t at = closed_at(fd[i]);

		CU_ASSERT(at > 0);
		first = at < first ? at : first;
		last = at > last ? at : last;
		close(fd[i]);
	}
	CU_ASSERT(first - begin >= DEADLINE_MS - 50);
	CU_ASSERT(last - begin < DEADLINE_MS + 4000);
	CU_ASSERT(cpu_ms() - cpu < (last - begin) / 2);	/* a spinning thread would use all of it, two of them twice */
	httpd_stop(server);
	server = saved;
}

/* The first byte of the answer to these pieces, each sent a moment after the one before; -1: the connection ended without one. */
static int answer_to(const uint8_t *data, size_t len, const size_t *piece, size_t pieces)
{
	const struct timespec nap = { .tv_nsec = 20000000 };
	struct pollfd p = { .fd = world_dial(httpd_port(server)), .events = POLLIN };
	size_t sent = 0;
	uint8_t first;
	int rc = -2;

	for (size_t i = 0; i <= pieces; i++) {
		size_t n = i < pieces ? piece[i] : len - sent;

		CU_ASSERT_EQUAL(poll(&p, 1, 0), 0);	/* not before it is whole */
		CU_ASSERT_EQUAL(send(p.fd, data + sent, n, MSG_NOSIGNAL), (ssize_t)n);
		sent += n;
		nanosleep(&nap, NULL);
	}
	if (poll(&p, 1, 5000) > 0)
		rc = recv(p.fd, &first, 1, 0) == 1 ? first : -1;
	close(p.fd);
	return rc;
}

/* A connection waits at the door until its first record is whole, however it comes; what is none is refused at once. */
static void test_door(void)
{
	static const size_t pieces[] = { 1, 3, 1, 1, 60 };
	static const uint8_t text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n", huge[] = { 22, 3, 1, 0xff, 0xff, 1, 2 };
	uint8_t hello[2000];
	size_t len = client_hello(hello, sizeof hello);

	CU_ASSERT_EQUAL(answer_to(hello, len, NULL, 0), 22);
	CU_ASSERT_EQUAL(answer_to(hello, len, pieces, ARRAY_LEN(pieces)), 22);
	CU_ASSERT_NOT_EQUAL(answer_to(text, sizeof text - 1, NULL, 0), -2);
	CU_ASSERT_NOT_EQUAL(answer_to(huge, sizeof huge, NULL, 0), -2);
	expect_served();
}

/* One byte now and then is activity, not progress. */
static void test_slow_body(void)
{
	static const char head[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n";
	struct httpd *saved = server;
	struct err e;
	struct tls *t;
	int64_t begin;
	int fd, cut = 0;

	server = start(DEADLINE_MS);
	begin = clock_mono_ms();
	fd = world_dial(httpd_port(server));
	t = world_tls(fd, NULL, false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(tls_write(t, head, sizeof head - 1, &e), 0);
	for (int i = 0; i < 400 && !cut; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		cut = poll(&p, 1, 10) > 0 || tls_write(t, "x", 1, &e) != 0;
	}
	CU_ASSERT(cut);
	CU_ASSERT(clock_mono_ms() - begin >= DEADLINE_MS - 50);
	tls_close(t);
	httpd_stop(server);
	server = saved;
}

/* ---- more than it takes on ---- */
/* Connections that say nothing drive out each other, and not the client who has something to say. */
static void test_crowd(void)
{
	enum { CONNECTIONS = 40, STALLED = 100 };
	struct httpd *saved = server;
	struct buf figures = {0};
	int fd[STALLED];

	server = start_limited(SLOW_MS, (struct httpd_limits){ .connections = CONNECTIONS });
	for (size_t i = 0; i < STALLED; i++) {
		fd[i] = world_dial(httpd_port(server));
		if (i % 25 == 24)
			expect_served();
	}
	CU_ASSERT(closed_at(fd[0]) > 0);	/* the oldest */
	httpd_metrics(server, "test", &figures);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&figures), "test_http_connections_cut_total{why=\"deadline\"} 0\n"));
	CU_ASSERT_PTR_NULL(strstr(buf_text(&figures), "test_http_connections_cut_total{why=\"crowded\"} 0\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&figures), "test_http_answers_total{status=\"200\"} 4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&figures), "test_http_request_seconds_count 4\n"));
	for (size_t i = 0; i < STALLED; i++)
		close(fd[i]);
	buf_free(&figures);
	httpd_stop(server);
	server = saved;
}

static struct tls *ask_later(bool with_client)
{
	static const char request[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
	struct err e;
	struct tls *t = world_tls(world_dial(httpd_port(server)), NULL, with_client, &e);
	size_t before;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	pthread_mutex_lock(&app.lock);
	before = app.n;
	CU_ASSERT_EQUAL(tls_write(t, request, sizeof request - 1, &e), 0);
	while (app.n == before)
		pthread_cond_wait(&app.changed, &app.lock);
	pthread_mutex_unlock(&app.lock);
	return t;
}

static void expect_put_off(bool with_client, const char *why)
{
	struct httpc *h = world_http(httpd_port(server), with_client);
	struct http_answer a = {0};
	struct err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	CU_ASSERT_EQUAL(httpc_request(h, "GET", "/who", "", "", NULL, 0, 0, &a, &e), 0);
	CU_ASSERT_EQUAL(a.status, 503);
	CU_ASSERT_STRING_EQUAL(http_answer_header(&a, "retry-after"), RETRY_AFTER_TEXT);
	CU_ASSERT_STRING_EQUAL(http_answer_header(&a, "handsel-reason"), "E51");
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&a.body), why));
	http_answer_free(&a);
	httpc_free(h);
}

/* The client has its answer before the server has counted that. */
static void expect_room(void)
{
	struct http_answer a = {0};
	struct err e;

	for (int i = 0; i < 500 && a.status != 200; i++) {
		struct httpc *h = world_http(httpd_port(server), true);

		CU_ASSERT_PTR_NOT_NULL_FATAL(h);
		http_answer_free(&a);
		CU_ASSERT_EQUAL(httpc_request(h, "GET", "/who", "", "", NULL, 0, 0, &a, &e), 0);
		httpc_free(h);
		usleep(2000);
	}
	CU_ASSERT_EQUAL(a.status, 200);
	http_answer_free(&a);
}

/* What is too much of one, or of all, is put off at once; what is under way goes on, and then there is room again. */
static void test_put_off(void)
{
	static const struct {
		struct httpd_limits limit;
		bool first, other;	/* with a certificate: who fills it, who is put off */
		bool all;		/* also everybody else */
		const char *why;
	} cases[] = {
		{ { .requests = 1 }, true, false, true, "too many requests are under way" },
		{ { .address_requests = 1 }, false, true, true, "of this address" },
		{ { .unit_requests = 1 }, true, true, false, "of this unit are" },
		{ { .unit_conns = 1 }, true, true, false, "connections of this unit" },
	};
	struct httpd *saved = server;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpc *h;
		struct tls *t;

		server = start_limited(SLOW_MS, cases[i].limit);
		t = ask_later(cases[i].first);
		expect_put_off(cases[i].other, cases[i].why);
		if (!cases[i].all) {
			h = world_http(httpd_port(server), false);
			expect(h, "GET", "/who", NULL, 200, "nobody");
			httpc_free(h);
		}
		release(1);
		CU_ASSERT(tls_read(t, (char[10]){0}, 10, &(struct err){0}) > 0);
		tls_close(t);
		expect_room();
		httpd_stop(server);
	}
	server = saved;
}

/* For the machine's own monitoring: no TLS, the same limits. */
static void test_plain(void)
{
	const struct httpd_conf conf = { .address = "127.0.0.1", .plain = true, .threads = 1, .peer = on_peer, .peer_free = on_peer_free,
					 .handle = on_handle, .deadline_ms = DEADLINE_MS };
	static const char request[] = "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct pollfd p = { .events = POLLIN };
	char answer[1000] = "";
	struct httpd *d;
	struct err e;
	size_t n = 0;
	int fd;

	d = httpd_start(&conf, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	fd = world_dial(httpd_port(d));
	p.fd = fd;
	CU_ASSERT_EQUAL(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), (ssize_t)sizeof request - 1);
	for (ssize_t got = 1; got > 0; n += got > 0 ? (size_t)got : 0)
		got = poll(&p, 1, 5000) > 0 ? recv(fd, answer + n, sizeof answer - 1 - n, 0) : 0;
	CU_ASSERT_EQUAL(strncmp(answer, "HTTP/1.1 200", 12), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\n\r\nnobody"));
	close(fd);
	fd = world_dial(httpd_port(d));		/* one that says nothing has its deadline here, too */
	CU_ASSERT(closed_at(fd) > 0);
	close(fd);
	httpd_stop(d);
}

/* ---- the end ---- */
static void *stop_thread(void *arg)
{
	httpd_stop(arg);
	return NULL;
}

/* Stopping waits for the answers under way, delivers them, and closes idle connections. */
static void test_stop(void)
{
	static const char request[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
	struct httpd *d = start(SLOW_MS);
	struct httpd *saved = server;
	pthread_t stopper, releaser;
	char answer[1000] = "";
	struct httpc *idle;
	struct tls *t;
	struct err e;
	size_t n = 0, one = 1;
	long rc;

	server = d;
	idle = world_http(httpd_port(d), true);
	expect(idle, "GET", "/who", NULL, 200, "client");
	t = world_tls(world_dial(httpd_port(d)), NULL, false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(tls_write(t, request, sizeof request - 1, &e), 0);
	pthread_mutex_lock(&app.lock);
	while (app.n < 1)
		pthread_cond_wait(&app.changed, &app.lock);
	pthread_mutex_unlock(&app.lock);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&stopper, NULL, stop_thread, d), 0);
	usleep(50000);		/* lets the stop begin; the result must not depend on it */
	CU_ASSERT_EQUAL_FATAL(pthread_create(&releaser, NULL, release_thread, &one), 0);
	while ((rc = tls_read(t, answer + n, sizeof answer - 1 - n, &e)) > 0)
		n += (size_t)rc;
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\n\r\nlate"));
	pthread_join(stopper, NULL);
	pthread_join(releaser, NULL);
	tls_close(t);
	CU_ASSERT_EQUAL(tls_read(httpc_tls(idle), answer, 1, &e) > 0, 0);
	httpc_free(idle);
	server = saved;
}

static void test_bad_conf(void)
{
	struct httpd_conf conf = { .address = "not an address", .identity = { { NULL, &world.server, world.key } },
				   .n_identities = 1, .handle = on_handle };
	struct err e;

	CU_ASSERT_PTR_NULL(httpd_start(&conf, &e));
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	conf.address = "127.0.0.1";
	conf.port = httpd_port(server);
	CU_ASSERT_PTR_NULL(httpd_start(&conf, &e));
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "in use"));
	conf.port = 0;
	conf.n_identities = 0;
	CU_ASSERT_PTR_NULL(httpd_start(&conf, &e));
	CU_ASSERT_EQUAL(e.code, REASON_INTERNAL);
}

static void test_teardown(void)
{
	httpd_stop(server);
	CU_ASSERT_EQUAL(app.judged, app.freed);
	httpd_stop(NULL);
	world_free();
}

UNIT_MAIN("httpd", { "setup", test_setup }, { "requests", test_requests }, { "names", test_sni }, { "renew", test_renew },
	  { "exporter", test_exporter }, { "no answer", test_no_answer },
	  { "framing", test_framing }, { "limits", test_limits }, { "parallel deferred answers", test_parallel },
	  { "one packet", test_one_packet }, { "large answers", test_large }, { "clients gone", test_gone },
	  { "parked", test_parked }, { "stalled handshakes", test_stalled_handshakes }, { "door", test_door }, { "slow body", test_slow_body },
	  { "crowd", test_crowd }, { "put off", test_put_off }, { "plain", test_plain },
	  { "stop", test_stop }, { "bad configuration", test_bad_conf }, { "teardown", test_teardown })
