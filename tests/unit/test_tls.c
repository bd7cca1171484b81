#include <config.h>

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "crypto_world.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "oid.h"
#include "tls.h"
#include "unit.h"

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

/* What the other end does, with GnuTLS itself, and what it saw. */
struct server {
	const char *priority;
	const struct cert *cert;
	const char *key_file;		/* NULL: the key of the leaves */
	bool ask, demand;		/* for a client certificate */
	bool cut;			/* after the answer, without close_notify */
	bool mute;			/* after the handshake: no answer */
	int fd, peer;			/* our end and the client's */
	pthread_t thread;
	int handshake;
	unsigned client_certs;
	char sni[64];
	uint8_t exporter[TLS_EXPORTER_LEN];
	long end;			/* of the client's stream: 0 after a close_notify */
};

static struct world *w;
static struct cert node, station;
static struct chain station_chain;

static void test_begin(void)
{
	struct cert_plan plan = plan_unit("node", "plant");
	struct err e;

	w = world_new("Test Root");
	node = make_cert(&plan, w->leaf_key, &w->unit);
	plan = plan_unit("station", "line-2");
	station = make_cert(&plan, w->leaf_key, &w->unit);
	station_chain = chain_of(&station, &w->unit.cert);
	CU_ASSERT_EQUAL(key_save(w->leaf_key, scratch("leaf.key"), &e), 0);
}

static void serve_session(struct server *s, gnutls_session_t session)
{
	size_t len = sizeof s->sni;
	char text[64];
	unsigned type;
	ssize_t n;

	do
		s->handshake = gnutls_handshake(session);
	while (s->handshake < 0 && !gnutls_error_is_fatal(s->handshake));
	if (s->handshake < 0) {
		gnutls_alert_send_appropriate(session, s->handshake);
		return;
	}
	gnutls_certificate_get_peers(session, &s->client_certs);
	gnutls_server_name_get(session, s->sni, &len, &type, 0);
	gnutls_prf_rfc5705(session, 24, "EXPORTER-handsel-confirm", 0, NULL, TLS_EXPORTER_LEN, (char *)s->exporter);
	while ((n = gnutls_record_recv(session, text, sizeof text)) > 0 && !s->mute) {
		gnutls_record_send(session, text, (size_t)n);
		if (s->cut)
			return;
	}
	while (s->mute && n > 0)
		n = gnutls_record_recv(session, text, sizeof text);
	s->end = n;
	if (n == 0)
		gnutls_bye(session, GNUTLS_SHUT_WR);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct buf pem = {0}, key = scratch_read(s->key_file ? s->key_file : "leaf.key");
	gnutls_certificate_credentials_t cred;
	gnutls_session_t session;

	cert_to_pem(s->cert, &pem);
	cert_to_pem(&w->unit.cert, &pem);
	gnutls_certificate_allocate_credentials(&cred);
	gnutls_certificate_set_x509_key_mem(cred, &(gnutls_datum_t){ pem.data, (unsigned)pem.len },
					    &(gnutls_datum_t){ key.data, (unsigned)key.len }, GNUTLS_X509_FMT_PEM);
	gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
	if (gnutls_priority_set_direct(session, s->priority, NULL) < 0)
		abort();
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred);
	if (s->ask || s->demand)
		gnutls_certificate_server_set_request(session, s->demand ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
	gnutls_transport_set_int(session, s->fd);
	serve_session(s, session);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(cred);
	buf_free(&pem);
	buf_free(&key);
	close(s->fd);
	return NULL;
}

static struct tls_client client_of(const char *role)
{
	return (struct tls_client){ .trust = w->trust, .deadline_ms = clock_mono_ms() + 5000,
				    .rule = { .role = role, .policy = OID_POLICY_UNIT, .now = WORLD_NOW } };
}

static void start(struct server *s, void *(*body)(void *))
{
	int fd[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	s->fd = fd[0];
	s->peer = fd[1];
	CU_ASSERT_EQUAL_FATAL(pthread_create(&s->thread, NULL, body, s), 0);
}

static struct tls *connect_to(struct server *s, const struct tls_client *opt, struct err *e)
{
	if (!s->cert)
		s->cert = &node;
	if (!s->priority)
		s->priority = TLS13;
	start(s, serve);
	return tls_connect(s->peer, opt, e);
}

/* A handshake that has to fail with this code, and these words in the sentence. */
static void refused(struct server s, const struct tls_client *opt, enum reason code, const char *words)
{
	struct err e = {0};
	struct tls *t = connect_to(&s, opt, &e);

	CU_ASSERT_PTR_NULL(t);
	CU_ASSERT_EQUAL(e.code, code);
	if (!strstr(e.text, words)) {
		printf("\nnot \"%s\": %s\n", words, e.text);
		CU_FAIL("another sentence");
	}
	tls_close(t);
	pthread_join(s.thread, NULL);
}

/* ---- good sessions ---- */
static void one_session(const char *priority, bool identity)
{
	struct server s = { .priority = priority, .ask = true };
	struct tls_client opt = client_of("node");
	uint8_t exporter[TLS_EXPORTER_LEN] = { 0 };
	char text[64];
	struct tls *t;
	struct err e;

	opt.sni = "onboard.handsel.internal";
	opt.chain = identity ? &station_chain : NULL;
	opt.key = identity ? w->leaf_key : NULL;
	t = connect_to(&s, &opt, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT(buf_same(&tls_peer(t)->der, &node.der));
	CU_ASSERT_EQUAL(tls_exporter(t, exporter, &e), 0);
	CU_ASSERT_EQUAL(tls_write(t, "hello", 5, &e), 0);
	CU_ASSERT_EQUAL(tls_read(t, text, sizeof text, &e), 5);
	CU_ASSERT(memcmp(text, "hello", 5) == 0);
	tls_close(t);
	pthread_join(s.thread, NULL);
	CU_ASSERT(memcmp(exporter, s.exporter, sizeof exporter) == 0);
	CU_ASSERT_STRING_EQUAL(s.sni, "onboard.handsel.internal");
	CU_ASSERT_EQUAL(s.client_certs, identity ? 2 : 0);
	CU_ASSERT_EQUAL(s.end, 0);
}

static void test_good(void)
{
	one_session(TLS13, true);
	one_session(TLS12, true);
	one_session(TLS13, false);
	one_session(TLS12, false);
}

static void test_large(void)
{
	size_t len = 300000, got = 0;
	uint8_t *out = mem_new(len, 1), *in = mem_new(len, 1);
	struct tls_client opt = client_of("node");
	struct server s = {0};
	struct tls *t;
	struct err e;

	mem_random(out, len);
	t = connect_to(&s, &opt, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	for (size_t at = 0; at < len; at += 20000) {
		CU_ASSERT_EQUAL(tls_write(t, out + at, 20000, &e), 0);
		while (got < at + 20000) {
			long n = tls_read(t, in + got, len - got, &e);

			CU_ASSERT_FATAL(n > 0);
			got += (size_t)n;
		}
	}
	CU_ASSERT(memcmp(in, out, len) == 0);
	tls_close(t);
	pthread_join(s.thread, NULL);
	free(out);
	free(in);
}

/* ---- the wrong peer ---- */
static void test_wrong_peer(void)
{
	struct cert_plan plan = plan_unit("node", "old");
	struct world *evil = world_new("Test Root");
	struct tls_client opt = client_of("node");
	struct cert c;

	c = make_cert(&plan, w->leaf_key, &evil->unit);
	refused((struct server){ .cert = &c }, &opt, REASON_AUTHORITY, "unknown here");
	refused((struct server){ .cert = &c, .priority = TLS12 }, &opt, REASON_AUTHORITY, "unknown here");
	cert_free(&c);
	plan.not_after = WORLD_NOW - 1;
	c = make_cert(&plan, w->leaf_key, &w->unit);
	refused((struct server){ .cert = &c }, &opt, REASON_CLOCK, "clock");
	cert_free(&c);
	/* the rule leaves the purpose open, and a server is demanded nevertheless */
	opt.rule.role = "station";
	refused((struct server){ .cert = &station }, &opt, REASON_AUTHORITY, "not for TLS servers");
	opt.rule.role = "ca";
	refused((struct server){0}, &opt, REASON_ROLE, "\"ca\" is needed");
	opt.rule.role = "node";
	opt.rule.policy = OID_POLICY_FACTORY;
	refused((struct server){0}, &opt, REASON_ROLE, "may not issue");
	world_free(evil);
}

/* A stranger's key is judged before it is used. */
static void test_weak_key(void)
{
	struct tls_client opt = client_of("node");
	struct server s = { .key_file = "weak.key" };
	struct chain ch = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(shell("openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.pem -subj /CN=weak"), 0);
	CU_ASSERT_EQUAL_FATAL(chain_load(&ch, scratch("weak.pem"), &e), 0);
	s.cert = &ch.cert[0];
	s.priority = TLS13 ":%PROFILE_VERY_WEAK";
	refused(s, &opt, REASON_AUTHORITY, "public key is too weak");
	chain_free(&ch);
}

static void test_versions(void)
{
	struct tls_client opt = client_of("node");

	refused((struct server){ .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1" }, &opt, REASON_UNREACHABLE, "TLS handshake");
	refused((struct server){ .priority = TLS12 ":-CIPHER-ALL:+AES-128-CBC" }, &opt, REASON_UNREACHABLE, "TLS handshake");
}

/* ---- alerts ---- */
static void test_alert(void)
{
	struct server s = { .demand = true };
	struct tls_client opt = client_of("node");
	struct err e = {0};
	struct tls *t = connect_to(&s, &opt, &e);
	char byte;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);	/* TLS 1.3: the client is done before the server has looked at it */
	CU_ASSERT_EQUAL(tls_read(t, &byte, 1, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_UNREACHABLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "the peer refused: Certificate is required"));
	tls_close(t);
	pthread_join(s.thread, NULL);
	CU_ASSERT(s.handshake < 0);
	refused((struct server){ .demand = true, .priority = TLS12 }, &opt, REASON_UNREACHABLE, "the peer refused: ");
}

/* ---- an end that was not meant ---- */
static void test_cut(void)
{
	struct server s = { .cut = true };
	struct tls_client opt = client_of("node");
	struct err e = {0};
	struct tls *t = connect_to(&s, &opt, &e);
	char text[8];

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(tls_write(t, "a", 1, &e), 0);
	CU_ASSERT_EQUAL(tls_read(t, text, sizeof text, &e), 1);
	CU_ASSERT_EQUAL(tls_read(t, text, sizeof text, &e), -1);	/* an attacker can end a stream, and it shows */
	CU_ASSERT_EQUAL(e.code, REASON_UNREACHABLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "cut"));
	tls_close(t);
	pthread_join(s.thread, NULL);
}

static void *close_at_once(void *arg)
{
	close(((struct server *)arg)->fd);
	return NULL;
}

static void *say_no_tls(void *arg)
{
	static const char page[] = "HTTP/1.0 400 Bad Request\r\n\r\n<html>a login page</html>";
	struct server *s = arg;
	char byte;

	if (read(s->fd, &byte, 1) != 1 || send(s->fd, page, sizeof page - 1, MSG_NOSIGNAL) < 0)
		perror("say_no_tls");
	shutdown(s->fd, SHUT_WR);
	while (read(s->fd, &byte, 1) > 0)
		;
	close(s->fd);
	return NULL;
}

static void *stall(void *arg)
{
	struct server *s = arg;
	char byte;

	while (read(s->fd, &byte, 1) > 0)
		;
	close(s->fd);
	return NULL;
}

/* TLS 1.2 warnings without end; for three seconds, should nobody stop it. */
static void *warn_for_ever(void *arg)
{
	static const uint8_t warning[] = { 0x15, 3, 3, 0, 2, 1, 110 };
	int64_t until = clock_mono_ms() + 3000;
	struct server *s = arg;

	while (clock_mono_ms() < until && send(s->fd, warning, sizeof warning, MSG_NOSIGNAL) > 0)
		;
	close(s->fd);
	return NULL;
}

static void handshake_fails(void *(*body)(void *), int patience_ms, const char *words)
{
	struct tls_client opt = client_of("node");
	int64_t begun = clock_mono_ms();
	struct server s = {0};
	struct err e = {0};
	struct tls *t;

	opt.deadline_ms = begun + patience_ms;
	start(&s, body);
	t = tls_connect(s.peer, &opt, &e);
	CU_ASSERT_PTR_NULL(t);
	CU_ASSERT(clock_mono_ms() - begun < patience_ms + 1500);
	CU_ASSERT_EQUAL(e.code, REASON_UNREACHABLE);
	if (!strstr(e.text, words)) {
		printf("\nnot \"%s\": %s\n", words, e.text);
		CU_FAIL("another sentence");
	}
	tls_close(t);
	pthread_join(s.thread, NULL);
}

static void test_no_handshake(void)
{
	handshake_fails(close_at_once, 5000, "cut");
	handshake_fails(say_no_tls, 5000, "TLS handshake");
	handshake_fails(stall, 100, "in time");
	handshake_fails(warn_for_ever, 200, "");	/* the library's own limit or the deadline, whichever is met first */
}

static void test_deadline(void)
{
	struct server s = { .mute = true };
	struct tls_client opt = client_of("node");
	struct err e = {0};
	struct tls *t = connect_to(&s, &opt, &e);
	int64_t begun;
	char text[8];

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(tls_write(t, "a", 1, &e), 0);
	begun = clock_mono_ms();
	tls_deadline(t, begun + 100);
	CU_ASSERT_EQUAL(tls_read(t, text, sizeof text, &e), -1);
	CU_ASSERT(clock_mono_ms() - begun >= 100 && clock_mono_ms() - begun < 2000);
	CU_ASSERT(e.code == REASON_UNREACHABLE && strstr(e.text, "in time"));
	CU_ASSERT_EQUAL(tls_write(t, "a", 1, &e), -1);
	tls_close(t);
	pthread_join(s.thread, NULL);
}

/* ---- TCP ---- */
static int listen_on(char port[8])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_FATAL(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0 &&
			getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	snprintf(port, 8, "%u", ntohs(a.sin_port));
	return fd;
}

static void test_tcp(void)
{
	char port[8];
	int listener = listen_on(port), fd;
	int64_t deadline = clock_mono_ms() + 2000;
	struct err e;

	fd = tcp_connect("127.0.0.1", port, deadline, &e);
	CU_ASSERT(fd >= 0);
	close(fd);
	fd = tcp_connect("localhost", port, deadline, &e);
	CU_ASSERT(fd >= 0);
	close(fd);
	close(listener);
	CU_ASSERT_EQUAL(tcp_connect("127.0.0.1", port, deadline, &e), -1);
	CU_ASSERT(e.code == REASON_UNREACHABLE && strstr(e.text, "refused"));
	CU_ASSERT_EQUAL(tcp_connect("[::1]", port, deadline, &e), -1);
	CU_ASSERT(e.code == REASON_UNREACHABLE && strstr(e.text, "to ::1 port"));
	CU_ASSERT_EQUAL(tcp_connect("", port, deadline, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_NO_ADDRESS);
	CU_ASSERT_EQUAL(tcp_connect("127.0.0.1", "no port", deadline, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_UNREACHABLE);
}

static void test_end(void)
{
	chain_free(&station_chain);
	cert_free(&station);
	cert_free(&node);
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("tls", { "begin", test_begin }, { "good", test_good }, { "large", test_large }, { "wrong peer", test_wrong_peer },
	  { "weak key", test_weak_key }, { "versions", test_versions }, { "alert", test_alert }, { "cut", test_cut },
	  { "no handshake", test_no_handshake }, { "deadline", test_deadline }, { "tcp", test_tcp }, { "end", test_end })
