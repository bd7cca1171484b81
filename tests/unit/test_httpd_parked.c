/* Connections that wait for their peer where they cost nothing: who is parked goes on as if he was not, and ends as if he was not. */
#include <config.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "http_world.h"
#include "mem.h"
#include "unit.h"

#define SLOW_MS 60000		/* where time is not the subject */
#define MANY 10			/* handshakes in TIMEOUT_HTTP_HEAD_MS, however slow it is here */

static struct httpd *server;
static struct httpc *first;	/* has the one place that is not parked */
static unsigned room;		/* connections that the next server takes; 0: as usual */
static unsigned threads = 2;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_req *waiting;
	bool blocked;			/* the server's thread */
} app = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void on_handle(void *arg, struct http_req *r)
{
	if (strcmp(http_path(r), "/later") != 0) {
		http_reply(r, 200, "text/plain", "", http_body(r)->data, http_body(r)->len);
		return;
	}
	pthread_mutex_lock(&app.lock);
	app.waiting = r;
	pthread_cond_broadcast(&app.changed);
	while (app.blocked)
		pthread_cond_wait(&app.changed, &app.lock);
	pthread_mutex_unlock(&app.lock);
}

static struct http_req *wait_request(void)
{
	struct http_req *r;

	pthread_mutex_lock(&app.lock);
	while (!app.waiting)
		pthread_cond_wait(&app.changed, &app.lock);
	r = app.waiting;
	app.waiting = NULL;
	pthread_mutex_unlock(&app.lock);
	return r;
}

static long figure(const char *name)
{
	struct buf out = {0};
	const char *at;
	char line[80];
	long value = -1;

	httpd_metrics(server, "test", &out);
	snprintf(line, sizeof line, "\ntest_http_%s ", name);
	at = strstr(buf_text(&out), line);
	if (at)
		value = strtol(at + strlen(line), NULL, 10);
	buf_free(&out);
	return value;
}

static bool becomes(const char *name, long want)
{
	bool is;

	for (int i = 0; !(is = figure(name) == want) && i < 20000; i++)
		usleep(1000);
	return is;		/* it need not stay so */
}

static void expect(struct httpc *h, const char *text)
{
	struct http_answer a = {0};
	struct err e;

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	CU_ASSERT_EQUAL(httpc_request(h, "POST", "/echo", "text/plain", "", text, strlen(text), 0, &a, &e), 0);
	CU_ASSERT_EQUAL(a.status, 200);
	CU_ASSERT_STRING_EQUAL(buf_text(&a.body), text);
	http_answer_free(&a);
}

static void begin(int64_t deadline_ms)
{
	struct httpd_conf conf = { .address = "127.0.0.1", .threads = threads, .identity = { { NULL, &world.server, world.key } },
				   .n_identities = 1, 
				   .limit = { .polled = 1, .connections = room }, .deadline_ms = deadline_ms, .handle = on_handle };
	struct err e;

	server = httpd_start(&conf, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	first = world_http(httpd_port(server), false);
	expect(first, "once it was served, nothing of it is left to read, and it stays where it is");
	CU_ASSERT(becomes("connections", 1));
	CU_ASSERT_EQUAL(figure("connections_parked"), 0);
}

static void end(void)
{
	httpc_free(first);
	httpd_stop(server);
}

/* ---- in the handshake ---- */
/* A peer whose TLS has one end of a pair of sockets: what it sends goes on to the server as we like. */
struct peer {
	int fd, outer, inner;
	pthread_t thread;
	struct tls *tls;
	atomic_bool done;
};

static void *greet(void *arg)
{
	struct peer *p = arg;
	struct err e;

	p->tls = world_tls(p->inner, NULL, false, &e);
	atomic_store(&p->done, true);
	return NULL;
}

/* What is there to read goes to the other, in pieces of so many octets. */
static void carry(int from, int to, size_t piece)
{
	char data[4000];
	ssize_t n = recv(from, data, sizeof data, MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i += (ssize_t)piece) {
		size_t rest = (size_t)(n - i);

		CU_ASSERT(send(to, data + i, rest < piece ? rest : piece, MSG_NOSIGNAL) > 0);
	}
}

/* Sends the ClientHello and no more. */
static void peer_begin(struct peer *p)
{
	int pair[2];

	memset(p, 0, sizeof *p);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	p->outer = pair[0];
	p->inner = pair[1];
	p->fd = world_dial(httpd_port(server));
	CU_ASSERT_EQUAL_FATAL(pthread_create(&p->thread, NULL, greet, p), 0);
	CU_ASSERT(poll(&(struct pollfd){ .fd = p->outer, .events = POLLIN }, 1, SLOW_MS) > 0);
	carry(p->outer, p->fd, 4000);
}

/* Lets the handshake come to its end. */
static void peer_go_on(struct peer *p, size_t piece)
{
	struct pollfd both[] = { { .fd = p->outer, .events = POLLIN }, { .fd = p->fd, .events = POLLIN } };

	while (!atomic_load(&p->done)) {
		poll(both, 2, 10);
		carry(p->outer, p->fd, piece);
		carry(p->fd, p->outer, 4000);
	}
	carry(p->outer, p->fd, piece);	/* its last flight, after which it was done */
}

static void peer_end(struct peer *p)
{
	shutdown(p->outer, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	tls_close(p->tls);
	close(p->outer);
	close(p->fd);
}

/* Parked when it stalls, and again when the handshake is over and nothing follows; octet by octet it comes to the same. */
static void test_handshake(void)
{
	static const size_t pieces[] = { 4000, 1, 7 };
	static const char request[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
	struct peer p;
	struct err e;

	begin(SLOW_MS);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		peer_begin(&p);
		CU_ASSERT(becomes("connections_parked", 1));
		expect(first, "others are served meanwhile");
		peer_go_on(&p, pieces[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p.tls);
		CU_ASSERT_EQUAL(tls_write(p.tls, request, sizeof request - 1, &e), 0);
		carry(p.outer, p.fd, pieces[i]);
		CU_ASSERT(becomes("answers_total{status=\"200\"}", (long)(2 * i + 3)));
		CU_ASSERT(becomes("connections_parked", 1));
		peer_end(&p);
		CU_ASSERT(becomes("connections_parked", 0));
	}
	end();
}

/* ---- after it ---- */
/* Many that keep silent, each of which is served when it speaks, and parked again. */
static void test_kept(void)
{
	struct httpc *h[MANY];

	begin(SLOW_MS);
	for (size_t i = 0; i < MANY; i++)
		h[i] = world_http(httpd_port(server), i % 2 == 0);
	CU_ASSERT(becomes("connections_parked", MANY));
	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < MANY; i++)
			expect(h[i], "some body");
		expect(first, "the first one, too");
		CU_ASSERT(becomes("connections_parked", MANY) || becomes("connections_parked", MANY + 1));
	}
	for (size_t i = 0; i < MANY; i++)
		httpc_free(h[i]);
	CU_ASSERT(becomes("connections", 1));
	CU_ASSERT_EQUAL(figure("connections_parked"), 0);
	end();
}

static int session_fd;		/* that of the last one */

static struct tls *session(void)
{
	struct err e;
	struct tls *t = world_tls(session_fd = world_dial(httpd_port(server)), NULL, false, &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT(becomes("connections_parked", 1));
	return t;
}

/* To the end of the session's connection, which is an orderly one: a reset could overtake the answer. */
static void expect_last(struct tls *t, const char *text)
{
	char answer[2000];
	size_t n = 0;
	struct err e;
	long rc;

	while ((rc = tls_read(t, answer + n, sizeof answer - 1 - n, &e)) > 0)
		n += (size_t)rc;
	answer[n] = 0;
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT_EQUAL(poll(&(struct pollfd){ .fd = session_fd, .events = POLLIN }, 1, SLOW_MS), 1);
	CU_ASSERT_EQUAL(recv(session_fd, &(char){0}, 1, 0), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, text));
	tls_close(t);
}

/* A request in pieces: its head, its body. */
static void test_pieces(void)
{
	static const char *const piece[] = { "POST /ec", "ho HTTP/1.1\r\nHost: x\r\nConn", "ection: close\r\n", "Content-Length: 6\r\n\r",
					     "\n", "ab", "cd", "ef" };
	struct err e;

	begin(SLOW_MS);
	for (int turn = 0; turn < 10; turn++) {
		struct tls *t = session();

		for (size_t i = 0; i < ARRAY_LEN(piece); i++) {
			CU_ASSERT_EQUAL(tls_write(t, piece[i], strlen(piece[i]), &e), 0);
			if (turn == 0 && i + 1 < ARRAY_LEN(piece))
				CU_ASSERT(becomes("connections_parked", 1));
		}
		expect_last(t, "\r\n\r\nabcdef");
		CU_ASSERT(becomes("connections_parked", 0));
	}
	end();
}

/* An answer that comes later finds its connection, whether the peer has begun the next request meanwhile or not. */
static void test_later(void)
{
	static const char later[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n", half[] = "GET /x HTTP/1.1\r\nHost: x\r\n",
			  rest[] = "Connection: close\r\n\r\n";
	struct err e;

	begin(SLOW_MS);
	for (int early = 0; early < 2; early++) {
		struct tls *t = session();
		char answer[2000] = "";
		size_t n = 0;
		long rc;

		CU_ASSERT_EQUAL(tls_write(t, later, sizeof later - 1, &e), 0);
		if (early)
			CU_ASSERT_EQUAL(tls_write(t, half, sizeof half - 1, &e), 0);
		http_reply(wait_request(), 200, "text/plain", "", "late", 4);
		while (!strstr(answer, "\r\n\r\nlate") && (rc = tls_read(t, answer + n, sizeof answer - 1 - n, &e)) > 0)
			n += (size_t)rc;
		CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\n\r\nlate"));
		CU_ASSERT(becomes("connections_parked", 1));
		if (!early)
			CU_ASSERT_EQUAL(tls_write(t, half, sizeof half - 1, &e), 0);
		CU_ASSERT_EQUAL(tls_write(t, rest, sizeof rest - 1, &e), 0);
		expect_last(t, "HTTP/1.1 200");
		CU_ASSERT(becomes("connections_parked", 0));
	}
	end();
}

/* ---- the end ---- */
static void expect_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char rest[4000];
	ssize_t n = 1;

	while (n > 0 && poll(&p, 1, SLOW_MS) > 0)
		n = recv(fd, rest, sizeof rest, 0);
	CU_ASSERT(n <= 0);
}

/* The reaper's cut, and that for another one's room, reach who is parked. */
static void test_cut(void)
{
	enum { ROOM = 16 };
	struct peer p[2 * ROOM];

	begin(2000);
	peer_begin(&p[0]);
	CU_ASSERT(becomes("connections_parked", 1));
	expect_closed(p[0].fd);
	CU_ASSERT(becomes("connections", 1));
	CU_ASSERT_EQUAL(figure("connections_parked"), 0);
	CU_ASSERT_EQUAL(figure("connections_cut_total{why=\"deadline\"}"), 1);
	peer_end(&p[0]);
	end();

	room = ROOM;
	begin(SLOW_MS);
	room = 0;
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		peer_begin(&p[i]);
	expect_closed(p[0].fd);		/* the oldest of whom nothing is known */
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		peer_end(&p[i]);
	end();
}

/* Far more come while the server's thread is busy than it takes: none of them ends it. */
static void test_burst(void)
{
	static const char later[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char last[] = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	enum { ROOM = 8 };
	struct peer p[4 * ROOM];
	struct http_req *r;
	struct err e;
	struct tls *t;

	room = ROOM;
	threads = 1;
	begin(SLOW_MS);
	room = 0;
	threads = 2;
	t = session();
	app.blocked = true;
	CU_ASSERT_EQUAL(tls_write(t, later, sizeof later - 1, &e), 0);
	r = wait_request();
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		peer_begin(&p[i]);
	CU_ASSERT(becomes("connections_cut_total{why=\"crowded\"}", (long)(ARRAY_LEN(p) - (ROOM - 2))));
	pthread_mutex_lock(&app.lock);
	app.blocked = false;
	pthread_cond_broadcast(&app.changed);
	pthread_mutex_unlock(&app.lock);
	http_reply(r, 200, "text/plain", "", "late", 4);
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		peer_end(&p[i]);
	tls_close(t);
	CU_ASSERT(becomes("answers_total{status=\"200\"}", 2));
	CU_ASSERT(becomes("connections", 1));
	session_fd = world_dial(httpd_port(server));
	t = world_tls(session_fd, NULL, false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(tls_write(t, last, sizeof last - 1, &e), 0);
	expect_last(t, "HTTP/1.1 200");
	end();
}

static void test_stop(void)
{
	struct peer p[MANY];
	struct tls *t[MANY];
	struct err e;

	begin(SLOW_MS);
	for (size_t i = 0; i < MANY; i++) {
		peer_begin(&p[i]);
		t[i] = world_tls(world_dial(httpd_port(server)), NULL, false, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t[i]);
		if (i % 2)
			CU_ASSERT_EQUAL(tls_write(t[i], "GET", 3, &e), 0);
	}
	CU_ASSERT(becomes("connections_parked", (long)2 * MANY));
	end();
	for (size_t i = 0; i < MANY; i++) {
		expect_closed(p[i].fd);
		peer_end(&p[i]);
		CU_ASSERT(tls_read(t[i], &(char){0}, 1, &e) <= 0);
		tls_close(t[i]);
	}
}

static void test_world(void)
{
	world_init();
}

static void test_teardown(void)
{
	world_free();
}

UNIT_MAIN("httpd_parked", { "world", test_world }, { "handshake", test_handshake }, { "kept", test_kept }, { "pieces", test_pieces },
	  { "answers later", test_later }, { "cut", test_cut }, { "burst", test_burst }, { "stop", test_stop }, { "teardown", test_teardown })
