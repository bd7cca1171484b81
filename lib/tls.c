#include <config.h>

#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "gnutls_glue.h"
#include "mem.h"

#define EXPORTER_LABEL "EXPORTER-handsel-confirm"

struct tls {
	int fd;
	int64_t deadline_ms;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	gnutls_pcert_st identity[LIMIT_PEER_CHAIN];
	unsigned n_identity;
	const struct key *key;		/* the caller's */
	struct trust *trust;
	bool stranger;
	struct trust_rule rule;
	char host[256];			/* "": any */
	struct cert peer;
	struct err verdict;		/* why the peer was refused */
	bool refused, closed;
};

static gnutls_priority_t priority;
static pthread_once_t priority_once = PTHREAD_ONCE_INIT;
static int priority_rc;

static void priority_compile(void)
{
	priority_rc = gnutls_priority_init(&priority, HANDSEL_PRIORITY, NULL);
}

gnutls_priority_t tls_priority(struct err *e)
{
	pthread_once(&priority_once, priority_compile);
	if (priority_rc >= 0)
		return priority;
	gnutls_fail(e, REASON_INTERNAL, "the system's cryptographic policy leaves no TLS parameters that are accepted", priority_rc);
	return NULL;
}

/* ---- the peer ---- */
static int judge_host(const struct tls *t, const gnutls_datum_t *leaf, struct err *e)
{
	gnutls_x509_crt_t crt;
	int good = 0;

	if (!t->host[0])
		return 0;
	if (gnutls_x509_crt_init(&crt) < 0)
		return err_set(e, REASON_INTERNAL, "cannot read the peer's certificate");
	if (gnutls_x509_crt_import(crt, leaf, GNUTLS_X509_FMT_DER) >= 0)
		good = gnutls_x509_crt_check_hostname2(crt, t->host, GNUTLS_VERIFY_DO_NOT_ALLOW_WILDCARDS);
	gnutls_x509_crt_deinit(crt);
	return good ? 0 : err_set(e, REASON_AUTHORITY, "the peer's certificate is not for %s", t->host);
}

static int judge(struct tls *t, struct err *e)
{
	unsigned n = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(t->session, &n);
	struct chain ch = {0};
	int rc = 0;

	if (!raw || n == 0 || n > LIMIT_PEER_CHAIN)
		return err_set(e, REASON_AUTHORITY, "the peer sent %u certificates", n);
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = chain_add(&ch, raw[i].data, raw[i].size, e);
	if (rc < 0)
		e->code = REASON_AUTHORITY;
	else if (!t->stranger)
		rc = trust_verify(t->trust, &ch, &t->rule, e);
	if (rc == 0)
		rc = judge_host(t, &raw[0], e);
	if (rc == 0) {
		t->peer = ch.cert[0];
		ch.cert[0] = (struct cert){0};
	}
	chain_free(&ch);
	return rc;
}

static int verify_peer(gnutls_session_t session)
{
	struct tls *t = gnutls_session_get_ptr(session);

	if (judge(t, &t->verdict) == 0)
		return 0;
	t->refused = true;
	return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

static int check_key(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t *message)
{
	unsigned n = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &n);
	gnutls_pubkey_t pub = NULL;
	struct cert c = {0};
	struct err ignored;

	if (!incoming || !raw || n == 0)
		return 0;
	if (cert_parse(&c, raw[0].data, raw[0].size, &ignored) == 0)
		pub = spki_import(c.spki.data, c.spki.len);
	cert_free(&c);
	if (!pub)
		return GNUTLS_E_CERTIFICATE_ERROR;
	gnutls_pubkey_deinit(pub);
	return 0;
}

void tls_guard_key(gnutls_session_t s)
{
	gnutls_handshake_set_hook_function(s, GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY, GNUTLS_HOOK_POST, check_key);
}

/* Always our one identity: a server's list of CA names may leave out intermediates, and GnuTLS would then send none. */
static int give_identity(gnutls_session_t session, const gnutls_datum_t *names, int n_names, const gnutls_pk_algorithm_t *algorithms,
			 int n_algorithms, gnutls_pcert_st **certs, unsigned *n, gnutls_privkey_t *key)
{
	struct tls *t = gnutls_session_get_ptr(session);

	*certs = t->n_identity ? t->identity : NULL;
	*n = t->n_identity;
	*key = t->n_identity ? key_handle(t->key) : NULL;
	return 0;
}

static int load_identity(struct tls *t, const struct chain *chain)
{
	for (size_t i = 0; i < chain->n && i < LIMIT_PEER_CHAIN; i++) {
		gnutls_datum_t der = { chain->cert[i].der.data, (unsigned)chain->cert[i].der.len };
		int rc = gnutls_pcert_import_x509_raw(&t->identity[i], &der, GNUTLS_X509_FMT_DER, 0);

		if (rc < 0)
			return rc;
		t->n_identity++;
	}
	return 0;
}

/* ---- one step of the session, waiting for the socket until the deadline ---- */
static int too_late(struct err *e)
{
	return err_set(e, REASON_UNREACHABLE,
		       "the peer did not answer in time; it is overloaded, or something in between drops packets");
}

/* A peer that sends or takes in drops without end gets no more time than one that stalls. */
static int in_time(struct tls *t, struct err *e)
{
	return clock_mono_ms() < t->deadline_ms ? 0 : too_late(e);
}

static int wait_ready(struct tls *t, struct err *e)
{
	struct pollfd p = { .fd = t->fd, .events = gnutls_record_get_direction(t->session) ? POLLOUT : POLLIN };

	for (;;) {
		int64_t left = t->deadline_ms - clock_mono_ms();
		int rc = left <= 0 ? 0 : poll(&p, 1, left > 1 << 30 ? 1 << 30 : (int)left);

		if (rc > 0)
			return 0;
		if (rc == 0)
			return too_late(e);
		if (errno != EINTR)
			return err_errno(e, REASON_UNREACHABLE, "cannot wait for the peer");
	}
}

static int session_failed(struct tls *t, const char *what, int rc, struct err *e)
{
	if (t->refused) {
		*e = t->verdict;
		return -1;
	}
	if (key_said(t->key, e))
		return -1;
	if (rc == GNUTLS_E_CERTIFICATE_ERROR)
		return err_set(e, REASON_AUTHORITY,
			       "%s: the peer's certificate is malformed, or its public key is too weak or too large", what);
	if (rc == GNUTLS_E_KEY_USAGE_VIOLATION)	/* as a CA's: found before our own judgement is asked */
		return err_set(e, REASON_AUTHORITY, "%s: the peer's certificate may not sign a handshake (keyUsage, RFC 5280 4.2.1.3)",
			       what);
	if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED || rc == GNUTLS_E_WARNING_ALERT_RECEIVED) {
		const char *name = gnutls_alert_get_name(gnutls_alert_get(t->session));

		return err_set(e, REASON_UNREACHABLE, "%s: the peer refused: %s; its log says why", what, name ? name : "unknown alert");
	}
	if (rc == GNUTLS_E_PREMATURE_TERMINATION || rc == GNUTLS_E_PULL_ERROR || rc == GNUTLS_E_PUSH_ERROR)
		return err_set(e, REASON_UNREACHABLE, "%s: the connection was cut", what);
	return gnutls_fail(e, REASON_UNREACHABLE, what, rc);
}

/* 0: call again. */
static int may_retry(struct tls *t, const char *what, long rc, struct err *e)
{
	if (rc == GNUTLS_E_INTERRUPTED)
		return 0;
	if (rc == GNUTLS_E_AGAIN)
		return wait_ready(t, e);
	if (rc == GNUTLS_E_REHANDSHAKE) {	/* TLS 1.2 only; we never renegotiate */
		gnutls_alert_send(t->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
		return 0;
	}
	if (rc == GNUTLS_E_WARNING_ALERT_RECEIVED)
		return 0;
	return session_failed(t, what, (int)rc, e);
}

static int handshake(struct tls *t, struct err *e)
{
	static const char what[] = "the TLS handshake failed";
	int rc;

	key_said(t->key, e);	/* of another session */
	while ((rc = gnutls_handshake(t->session)) < 0) {
		if (gnutls_error_is_fatal(rc)) {
			gnutls_alert_send_appropriate(t->session, rc);
			return session_failed(t, what, rc, e);
		}
		if (may_retry(t, what, rc, e) < 0 || in_time(t, e) < 0)
			return -1;
	}
	return 0;
}

static int set_up(struct tls *t, const struct tls_client *opt, struct err *e)
{
	static const char what[] = "cannot start a TLS session";
	gnutls_priority_t prio = tls_priority(e);
	int rc, flags = fcntl(t->fd, F_GETFL);

	if (!prio)
		return -1;
	if (flags < 0 || fcntl(t->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_errno(e, REASON_INTERNAL, "%s", what);
	setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));	/* fails on other sockets, and may */
	rc = gnutls_certificate_allocate_credentials(&t->credentials);
	if (rc >= 0)
		rc = gnutls_init(&t->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS);
	if (rc >= 0 && opt->chain && opt->key)
		rc = load_identity(t, opt->chain);
	if (rc >= 0)
		rc = gnutls_priority_set(t->session, prio);
	if (rc >= 0 && opt->sni)
		rc = gnutls_server_name_set(t->session, GNUTLS_NAME_DNS, opt->sni, strlen(opt->sni));
	if (rc >= 0)
		rc = gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, t->credentials);
	if (rc < 0)
		return gnutls_fail(e, REASON_INTERNAL, what, rc);
	gnutls_certificate_set_retrieve_function2(t->credentials, give_identity);
	gnutls_session_set_ptr(t->session, t);
	gnutls_session_set_verify_function(t->session, verify_peer);
	tls_guard_key(t->session);
	gnutls_transport_set_int(t->session, t->fd);
	return 0;
}

struct tls *tls_connect(int fd, const struct tls_client *opt, struct err *e)
{
	struct tls *t = mem_new(1, sizeof *t);

	t->fd = fd;
	t->deadline_ms = opt->deadline_ms;
	t->key = opt->chain ? opt->key : NULL;
	t->trust = opt->trust;
	t->stranger = opt->stranger && !opt->trust;
	t->rule = opt->rule;
	t->rule.purpose = PURPOSE_SERVER;
	snprintf(t->host, sizeof t->host, "%s", opt->host ? opt->host : "");
	if (set_up(t, opt, e) == 0 && handshake(t, e) == 0)
		return t;
	t->closed = true;	/* a close_notify after a failed handshake says nothing */
	tls_close(t);
	return NULL;
}

void tls_deadline(struct tls *t, int64_t deadline_ms)
{
	t->deadline_ms = deadline_ms;
}

long tls_read(struct tls *t, void *data, size_t len, struct err *e)
{
	while (in_time(t, e) == 0) {
		ssize_t n = gnutls_record_recv(t->session, data, len);

		if (n >= 0)
			return (long)n;
		if (may_retry(t, "reading from the peer failed", n, e) < 0)
			break;
	}
	t->closed = true;
	return -1;
}

int tls_write(struct tls *t, const void *data, size_t len, struct err *e)
{
	const uint8_t *p = data;

	while (len && in_time(t, e) == 0) {
		ssize_t n = gnutls_record_send(t->session, p, len);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (may_retry(t, "writing to the peer failed", n, e) < 0) {
			break;
		}
	}
	t->closed |= len > 0;
	return len ? -1 : 0;
}

int tls_session_exporter(gnutls_session_t s, uint8_t out[32], struct err *e)
{
	int rc;

	/* RFC 9266 4.2: without the extended master secret two sessions of TLS 1.2 can share a value. */
	if (gnutls_protocol_get_version(s) == GNUTLS_TLS1_2 && !gnutls_session_ext_master_secret_status(s))
		return err_set(e, REASON_REQUEST, "this TLS 1.2 session lacks the extended master secret (RFC 7627); use TLS 1.3");
	rc = gnutls_prf_rfc5705(s, strlen(EXPORTER_LABEL), EXPORTER_LABEL, 0, NULL, TLS_EXPORTER_LEN, (char *)out);
	return rc < 0 ? gnutls_fail(e, REASON_INTERNAL, "cannot bind to the TLS session", rc) : 0;
}

int tls_exporter(struct tls *t, uint8_t out[TLS_EXPORTER_LEN], struct err *e)
{
	return tls_session_exporter(t->session, out, e);
}

const struct cert *tls_peer(const struct tls *t)
{
	return &t->peer;
}

void tls_close(struct tls *t)
{
	if (!t)
		return;
	if (t->session) {
		if (!t->closed)
			gnutls_bye(t->session, GNUTLS_SHUT_WR);	/* one try: the fd is non-blocking */
		gnutls_deinit(t->session);
	}
	if (t->credentials)
		gnutls_certificate_free_credentials(t->credentials);
	for (unsigned i = 0; i < t->n_identity; i++)
		gnutls_pcert_deinit(&t->identity[i]);
	cert_free(&t->peer);
	close(t->fd);
	free(t);
}
