#include <config.h>

#include "httpd_private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "log.h"
#include "mem.h"

#define POOL_CONN (4 * LIMIT_HTTP_HEAD)	/* memory of a connection: head, its index, window of the body, answer's head */
#define STOP_GRACE_MS 2000		/* for answers under way when the server stops */
#define LOG_LINES 10			/* in LOG_WINDOW_MS: each port scan makes some */
#define LOG_WINDOW_MS 10000
#define PUSH_PARTS 8			/* buffers in one write: GnuTLS gives one a TLS record */
#define TLS_HANDSHAKE 22		/* type of a record, RFC 8446 5.1 */
#define MOST_FDS (2 * LIMIT_HTTP_CONN + 256)	/* as many may wait at the door as are behind it, and the rest of the process */

/* ---- messages, libmicrohttpd's and ours: anybody can cause them, so they are counted ---- */
static void on_log(void *cls, const char *fmt, va_list ap)
{
	struct httpd *d = cls;
	int64_t now = clock_mono_ms();
	unsigned dropped = 0;
	char text[300];
	bool print;

	pthread_mutex_lock(&d->log_lock);
	if (now - d->log_since >= LOG_WINDOW_MS) {
		dropped = d->log_count > LOG_LINES ? d->log_count - LOG_LINES : 0;
		d->log_since = now;
		d->log_count = 0;
	}
	print = ++d->log_count <= LOG_LINES;
	pthread_mutex_unlock(&d->log_lock);
	if (dropped)
		log_info("https server: %u messages were left out", dropped);
	if (!print)
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\n")] = 0;
	log_info("https server: %s", text);
}

void httpd_log(struct httpd *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	on_log(d, fmt, ap);
	va_end(ap);
}

/* ---- identities ---- */
static void identity_free(struct identity *id)
{
	if (!id)
		return;
	for (unsigned i = 0; i < id->n_certs; i++)
		gnutls_pcert_deinit(&id->cert[i]);
	free(id->cert);
	key_free(id->key);
	free(id);
}

static struct identity *identity_new(const struct httpd_identity *conf, struct err *e)
{
	struct identity *id = mem_new(1, sizeof *id);

	snprintf(id->sni, sizeof id->sni, "%s", conf->sni ? conf->sni : "");
	id->key = key_share(conf->key);
	id->cert = mem_new(conf->chain->n, sizeof *id->cert);
	memcpy(id->sha256, conf->chain->cert[0].sha256, SHA256_LEN);
	for (size_t i = 0; i < conf->chain->n; i++) {
		const struct buf *der = &conf->chain->cert[i].der;
		gnutls_datum_t d = { der->data, (unsigned)der->len };
		int rc = gnutls_pcert_import_x509_raw(&id->cert[i], &d, GNUTLS_X509_FMT_DER, 0);

		if (rc < 0) {
			gnutls_fail(e, REASON_CONFIG, "certificate of the server", rc);
			identity_free(id);
			return NULL;
		}
		id->n_certs++;
	}
	return id;
}

/* Under the lock. */
static void identity_let_go(struct conn *c)
{
	struct identity *id = c->shown;

	c->shown = NULL;
	if (id && --id->conns == 0 && id->over)
		identity_free(id);
}

static bool sni_is(const char *want, const char *name, size_t len)
{
	return strlen(want) == len && strncasecmp(want, name, len) == 0;
}

static void identity_show(struct conn *c, const char *name, size_t len)
{
	struct identity **id = c->d->identity;

	pthread_mutex_lock(&c->d->lock);
	while ((*id)->sni[0] && !sni_is((*id)->sni, name, len))
		id++;
	identity_let_go(c);
	c->shown = *id;
	c->shown->conns++;
	pthread_mutex_unlock(&c->d->lock);
}

/* Certificates and keys stay parsed while a connection was shown them: nothing is given away, so no DEINIT flags. */
static int on_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
			  unsigned *n_certs, gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key,
			  unsigned *flags)
{
	struct conn *c = gnutls_session_get_ptr(session);
	char name[128];
	size_t len = sizeof name;
	unsigned type;

	if (gnutls_server_name_get(session, name, &len, &type, 0) < 0 || type != GNUTLS_NAME_DNS)
		len = 0;
	identity_show(c, name, len);
	*certs = c->shown->cert;
	*n_certs = c->shown->n_certs;
	*ocsp = NULL;
	*n_ocsp = 0;
	*key = key_handle(c->shown->key);
	*flags = 0;
	return 0;
}

/* ---- connections ---- */
static void remote_text(char out[INET6_ADDRSTRLEN], const struct sockaddr *sa)
{
	socklen_t len = sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	char text[NI_MAXHOST];

	if (getnameinfo(sa, len, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
		strcpy(text, "?");
	snprintf(out, INET6_ADDRSTRLEN, "%.45s", strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text);
}

/* What was held back for the next record goes without it. Nothing is under way before it, so that the socket has room. */
static void let_go(struct conn *c)
{
	ssize_t sent = c->held.len ? send(c->fd, c->held.data, c->held.len, MSG_NOSIGNAL) : 0;

	buf_drop(&c->held, sent > 0 ? (size_t)sent : 0);
}

/* No alert, after which nothing may follow. */
static bool is_handshake(const giovec_t *iov, int n)
{
	while (n > 0 && !iov->iov_len) {
		iov++;
		n--;
	}
	return n > 0 && *(const uint8_t *)iov->iov_base == TLS_HANDSHAKE;
}

/* What belongs together is written in two pieces, which would be two packets: by GnuTLS its ServerHello and the rest of the
 * flight, by libmicrohttpd the head of an answer and its body. */
static ssize_t push(gnutls_transport_ptr_t p, const giovec_t *iov, int n)
{
	struct conn *c = p;
	struct iovec part[PUSH_PARTS] = { { c->held.data, c->held.len } };
	struct msghdr m = { .msg_iov = part, .msg_iovlen = 1 };
	size_t before = c->held.len;
	bool hold = c->hold || (c->greets && is_handshake(iov, n));
	ssize_t sent;

	if (!c->requests)	/* maybe an alert, the last word */
		parked_settle(c);
	c->hold = c->greets = false;
	for (int i = 0; hold && i < n; i++)
		buf_add(&c->held, iov[i].iov_base, iov[i].iov_len);
	if (hold)
		return (ssize_t)(c->held.len - before);
	for (int i = 0; i < n && m.msg_iovlen < PUSH_PARTS; i++)
		part[m.msg_iovlen++] = (struct iovec){ iov[i].iov_base, iov[i].iov_len };
	sent = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	if (sent < 0)
		return -1;
	buf_drop(&c->held, (size_t)sent < before ? (size_t)sent : before);
	if ((size_t)sent > before)
		return sent - (ssize_t)before;
	errno = EAGAIN;		/* of what is new here nothing has gone yet */
	return -1;
}

/* Whoever reads waits for an answer to what was written: a HelloRetryRequest, or a flight of TLS 1.2, which is one piece. */
static ssize_t pull(gnutls_transport_ptr_t p, void *data, size_t len)
{
	struct conn *c = p;

	let_go(c);
	return parked_receive(c, data, len);
}

static void session_begin(struct conn *c, gnutls_session_t session)
{
	c->session = session;
	gnutls_session_set_ptr(session, c);
	c->greets = true;
	gnutls_transport_set_ptr(session, c);
	gnutls_transport_set_vec_push_function(session, push);
	gnutls_transport_set_pull_function(session, pull);
	tls_guard_key(session);
	/* Asked for, not demanded, and without a list of authorities: a client that misses its root there would send none. */
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_certificate_send_x509_rdn_sequence(session, 1);
}

int64_t conn_head_ms(const struct httpd *d)
{
	return d->conf.deadline_ms < TIMEOUT_HTTP_HEAD_MS ? d->conf.deadline_ms : TIMEOUT_HTTP_HEAD_MS;
}

static struct conn *conn_begin(struct httpd *d, struct MHD_Connection *mhd)
{
	struct conn *c = mem_new(1, sizeof *c);

	c->d = d;
	c->mhd = mhd;
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	remote_text(c->remote, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
	if (!d->conf.plain)
		session_begin(c, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session);
	c->deadline = clock_mono_ms() + conn_head_ms(d);
	pthread_mutex_lock(&d->lock);
	guard_enter(c);
	c->next = d->conns;
	c->link = &d->conns;
	if (c->next)
		c->next->link = &c->next;
	d->conns = c;
	pthread_mutex_unlock(&d->lock);
	atomic_fetch_add(&d->polled, 1);
	return c;
}

/* The descriptor is still open here, so the reaper can never shut down one that was given to somebody else. */
static void conn_end(struct conn *c)
{
	struct httpd *d = c->d;

	atomic_fetch_sub(&d->polled, 1);
	pthread_mutex_lock(&d->lock);
	guard_leave(c);
	identity_let_go(c);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	pthread_mutex_unlock(&d->lock);
	if (c->peer && d->conf.peer_free)
		d->conf.peer_free(d->conf.arg, c->peer);
	buf_free(&c->held);
	free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = conn_begin(cls, mhd);
	} else if (*context) {
		conn_end(*context);
		*context = NULL;
	}
}

void conn_deadline(struct conn *c, int64_t ms)
{
	pthread_mutex_lock(&c->d->lock);
	c->deadline = clock_mono_ms() + ms;
	pthread_mutex_unlock(&c->d->lock);
}

void conn_cut(struct conn *c)
{
	shutdown(c->fd, SHUT_RDWR);
	c->deadline = INT64_MAX;
}

/* libmicrohttpd's timeout counts inactivity only: a byte a second would keep a connection for ever. */
static void *reap(void *arg)
{
	struct httpd *d = arg;

	pthread_mutex_lock(&d->lock);
	while (!d->stopped) {
		int64_t now = clock_mono_ms(), wake = now + conn_head_ms(d);	/* none that is set meanwhile is earlier */
		struct timespec t;

		for (struct conn *c = d->conns; c; c = c->next) {
			if (c->deadline <= now) {
				conn_cut(c);
				d->late++;
			}
			if (c->deadline < wake)
				wake = c->deadline;
		}
		t = (struct timespec){ .tv_sec = wake / 1000, .tv_nsec = wake % 1000 * 1000000 };
		pthread_cond_timedwait(&d->changed, &d->lock, &t);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static void stop_reaper(struct httpd *d)
{
	pthread_mutex_lock(&d->lock);
	d->stopped = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->reaper, NULL);
}

/* Once a connection: what the client showed, as it showed it. */
void conn_judge(struct conn *c)
{
	struct chain chain = {0};
	unsigned n = 0;
	const gnutls_datum_t *list = c->session ? gnutls_certificate_get_peers(c->session, &n) : NULL;
	struct err e;

	c->judged = true;
	for (unsigned i = 0; list && i < n && i < LIMIT_CHAIN; i++)
		if (chain_add(&chain, list[i].data, list[i].size, &e)) {
			httpd_log(c->d, "%s: client certificate: %s", c->remote, e.text);
			c->refused = true;
		}
	if (chain.n) {
		pthread_mutex_lock(&c->d->lock);
		guard_unit(c, chain.cert);
		pthread_mutex_unlock(&c->d->lock);
	}
	c->max_body = LIMIT_FRAME_DEVICE;
	if (!c->refused && c->d->conf.peer)
		c->peer = c->d->conf.peer(c->d->conf.arg, &chain, &c->max_body);
	chain_free(&chain);
}

/* ---- start and stop ---- */
/* More connections than the usual soft limit of 1024 descriptors holds; without them accept() would fail in a loop. */
static void raise_fd_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < MOST_FDS) {
		r.rlim_cur = r.rlim_max < MOST_FDS ? r.rlim_max : MOST_FDS;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int listen_on(struct httpd *d, struct err *e)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM }, *ai = NULL;
	char port[8];
	int one = 1, rc;

	snprintf(port, sizeof port, "%u", d->conf.port);
	rc = getaddrinfo(d->conf.address, port, &hints, &ai);
	if (rc)
		return err_set(e, REASON_CONFIG, "listen address \"%s\": %s; give a numeric address such as 0.0.0.0 or ::",
			       d->conf.address, gai_strerror(rc));
	d->listen_fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = -1;
	if (d->listen_fd < 0)
		err_errno(e, REASON_CONFIG, "listen address %s", d->conf.address);
	else if (setsockopt(d->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
		 bind(d->listen_fd, ai->ai_addr, ai->ai_addrlen) || listen(d->listen_fd, SOMAXCONN))
		err_errno(e, REASON_CONFIG, "cannot listen on %s port %s", d->conf.address, port);
	else
		rc = 0;
	freeaddrinfo(ai);
	return rc;
}

static int learn_port(struct httpd *d, struct err *e)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = {0};
	socklen_t len = sizeof sa;

	if (getsockname(d->listen_fd, &sa.any, &len))
		return err_errno(e, REASON_CONFIG, "the socket that listens");
	d->port = ntohs(sa.any.sa_family == AF_INET6 ? sa.v6.sin6_port : sa.v4.sin_port);
	return 0;
}

/* Poll, never epoll: with TLS, libmicrohttpd 0.9.75 spins in epoll mode while a handshake is incomplete. */
static int start_mhd(struct httpd *d, struct err *e)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = d->conf.threads ? d->conf.threads : cores > 0 ? (unsigned)cores : 1;
	struct MHD_OptionItem pool[] = {
		{ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem own[] = {	/* behind the door there is none */
		{ d->conf.plain ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, d->listen_fd, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	/* Of which each thread has its part, so that all whom the door lets in may be one's. */
	unsigned most = d->limit.connections * (d->conf.plain ? 1 : threads);
	int tls = d->conf.plain ? MHD_OPTION_END : MHD_OPTION_HTTPS_PRIORITIES;	/* what follows is of TLS alone */

	if (threads < 2)	/* a pool of one is refused with a warning */
		pool[0].option = MHD_OPTION_END;
	d->mhd = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | (d->conf.plain ? 0 : MHD_USE_TLS | MHD_USE_NO_LISTEN_SOCKET) | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
				  NULL, NULL, httpd_on_request, d,
				  MHD_OPTION_EXTERNAL_LOGGER, on_log, d,	/* first: it takes the messages about the others */
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,
				  MHD_OPTION_NOTIFY_COMPLETED, httpd_on_completed, d,
				  MHD_OPTION_CONNECTION_LIMIT, most,
				  MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)LIMIT_HTTP_PER_IP,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_CONN,
				  MHD_OPTION_STRICT_FOR_CLIENT, 1,
				  MHD_OPTION_ARRAY, pool, MHD_OPTION_ARRAY, own, tls, HANDSEL_PRIORITY, MHD_OPTION_HTTPS_CERT_CALLBACK2, on_certificate,
				  MHD_OPTION_END);
	return d->mhd ? 0 : err_set(e, REASON_CONFIG, "the HTTPS server does not start; see the messages before this one");
}

static void httpd_free(struct httpd *d)
{
	for (size_t i = 0; i < d->conf.n_identities; i++)
		identity_free(d->identity[i]);
	if (d->listen_fd >= 0)
		close(d->listen_fd);
	parked_free(d);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	pthread_mutex_destroy(&d->log_lock);
	free(d);
}

static struct httpd *httpd_new(const struct httpd_conf *conf)
{
	struct httpd *d = mem_new(1, sizeof *d);
	pthread_condattr_t attr;

	d->conf = *conf;
	if (!d->conf.deadline_ms)
		d->conf.deadline_ms = TIMEOUT_HTTP_MS;
	d->listen_fd = -1;
	guard_init(d);
	parked_init(d);
	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_init(&d->log_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
	return d;
}

struct httpd *httpd_start(const struct httpd_conf *conf, struct err *e)
{
	struct httpd *d = httpd_new(conf);
	int rc;

	if (!conf->plain && (conf->n_identities < 1 || conf->n_identities > ARRAY_LEN(d->identity) ||
			     conf->identity[conf->n_identities - 1].sni)) {
		d->conf.n_identities = 0;
		err_set(e, REASON_INTERNAL, "HTTPS server: its identities are not one to %zu with the last for all names",
			ARRAY_LEN(d->identity));
		goto fail;
	}
	for (size_t i = 0; i < conf->n_identities; i++)
		if (!(d->identity[i] = identity_new(&conf->identity[i], e)))
			goto fail;
	raise_fd_limit();
	mem_keep();
	if (conf->socket > 0)
		d->listen_fd = conf->socket;
	if ((conf->socket <= 0 && listen_on(d, e)) || learn_port(d, e))
		goto fail;
	rc = pthread_create(&d->reaper, NULL, reap, d);
	if (rc) {
		err_set(e, REASON_INTERNAL, "HTTPS server: no thread: %s", strerror(rc));
		goto fail;
	}
	if (start_mhd(d, e) == 0 && (conf->plain || (d->door = door_start(d, e))))
		return d;
	if (d->mhd)
		MHD_stop_daemon(d->mhd);
	stop_reaper(d);
fail:
	httpd_free(d);
	return NULL;
}

int httpd_renew(struct httpd *d, const struct chain *chain, struct key *key, struct err *e)
{
	const struct httpd_identity conf = { .chain = chain, .key = key };
	struct identity *fresh = identity_new(&conf, e), **place = &d->identity[d->conf.n_identities - 1];

	if (!fresh)
		return -1;
	pthread_mutex_lock(&d->lock);
	(*place)->over = true;
	if ((*place)->conns == 0)
		identity_free(*place);
	*place = fresh;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

uint16_t httpd_port(const struct httpd *d)
{
	return d->port;
}

/* Accepts nothing more, lets what is under way be answered and delivered, then closes the rest. */
void httpd_stop(struct httpd *d)
{
	int64_t end = clock_mono_ms() + STOP_GRACE_MS;
	struct timespec t = { .tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000 };

	if (!d)
		return;
	if (d->door) {
		door_stop(d->door);
		parked_close(d);
	} else {
		MHD_quiesce_daemon(d->mhd);
	}
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	while (d->handed > 0 || d->replying > 0 || (d->requests > 0 && clock_mono_ms() < end)) {
		if (d->handed > 0 || d->replying > 0)
			pthread_cond_wait(&d->changed, &d->lock);
		else
			pthread_cond_timedwait(&d->changed, &d->lock, &t);
	}
	pthread_mutex_unlock(&d->lock);
	MHD_stop_daemon(d->mhd);
	stop_reaper(d);
	httpd_free(d);
}
