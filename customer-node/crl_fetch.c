#include <config.h>

#include "crl_fetch.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "caclient.h"
#include "clock.h"
#include "httpc.h"
#include "log.h"
#include "mem.h"
#include "oid.h"

#define LOOK_MS 5000		/* at a file, which somebody may have replaced */
#define AGAIN_MS 600000		/* a URL: a factory revokes rarely, and its nodes are many */
#define RETRY_MS 30000		/* after a failure */
#define FETCH_MS 60000		/* LIMIT_CRL over a slow line */
#define CRL_PATH "/crl/"	/* of a handsel-ca: /crl/CA/issuing.crl */

struct source {
	const char *text;
	bool url;
	int64_t due;			/* on the monotonic clock */
	struct stat seen;		/* of a file: what was read */
	bool failing;
};

struct crl_fetch {
	const char *dir;
	struct factory_crls *into;
	struct trust *trust;
	struct source source[LIMIT_CRL_SOURCES];
	size_t n;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;		/* of the next three */
	pthread_cond_t wake;		/* CLOCK_MONOTONIC */
	bool now, stopping;
};

/* ---- one source ---- */
static bool is_address(const char *host)
{
	uint8_t address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* A CA that is not the first of its system is named in the path, and by that name shows its own certificate. */
static const char *server_name(const struct url *u, char *named, size_t size)
{
	const char *id = u->path + strlen(CRL_PATH), *end;

	if (strncmp(u->path, CRL_PATH, strlen(CRL_PATH)) == 0 && (end = strchr(id, '/')) && end - id <= CA_ID_MAX) {
		snprintf(named, size, "%.*s" CA_SNI_SUFFIX, (int)(end - id), id);
		return named;
	}
	return is_address(u->host) ? NULL : u->host;
}

static int fetch(const struct url *u, struct trust *t, struct buf *text, struct err *e)
{
	char named[CA_ID_MAX + sizeof CA_SNI_SUFFIX];
	struct tls_client opt = { .trust = t, .sni = server_name(u, named, sizeof named), .deadline_ms = clock_mono_ms() + FETCH_MS,
		.rule = { .purpose = PURPOSE_SERVER, .policy = OID_POLICY_UNIT, .role = "ca", .now = clock_utc() } };
	struct http_answer a = {0};
	struct httpc *h;
	struct tls *tls;
	int fd = tcp_connect(u->host, u->port, opt.deadline_ms, e), rc = -1;

	if (fd < 0 || !(tls = tls_connect(fd, &opt, e)))
		return -1;
	h = httpc_new(tls, u->host);
	if (httpc_request(h, "GET", *u->path ? u->path : "/", NULL, "", NULL, 0, LIMIT_CRL, &a, e) == 0) {
		rc = a.status == 200 ? 0 : err_set(e, REASON_UNREACHABLE, "the server answers with HTTP status %d", a.status);
		buf_set(text, a.body.data, a.body.len);
	}
	http_answer_free(&a);
	httpc_free(h);
	return rc;
}

static bool is_url(const char *source)
{
	return strstr(source, "://") != NULL;
}

static int file_path(char path[FILE_PATH], const char *source, const char *dir, struct err *e)
{
	return source[0] == '/' ? (text_copy(path, FILE_PATH, source) < 0 ? err_set(e, REASON_CONFIG, "path too long") : 0)
				: file_join(path, e, dir, source);
}

int crl_fetch_one(const char *source, const char *dir, struct trust *t, struct buf *text, struct err *e)
{
	char path[FILE_PATH];
	struct url u;
	int rc;

	buf_clear(text);
	if (is_url(source))
		rc = url_parse(&u, source, e) < 0 ? -1 : fetch(&u, t, text, e);
	else
		rc = file_path(path, source, dir, e) < 0 ? -1 : file_read(text, path, 2 * LIMIT_CRL, e);	/* PEM is longer */
	return rc < 0 ? err_prefix(e, "factory CRL from %s", source) : 0;
}

struct trust *crl_fetch_trust(const struct maker_set *makers, struct err *e)
{
	struct trust *t = trust_new();

	for (size_t i = 0; i < makers->n; i++) {
		const struct chain *cas = &makers->one[i].factory;

		if (trust_add_root(t, &cas->cert[cas->n - 1], e) < 0) {
			trust_free(t);
			return NULL;
		}
	}
	return t;
}

/* ---- the thread ---- */
/* 1: the file is the one that was read last. */
static bool is_unchanged(struct crl_fetch *f, struct source *s)
{
	char path[FILE_PATH];
	struct stat st;
	struct err e;

	if (s->url || s->failing || file_path(path, s->text, f->dir, &e) < 0 || stat(path, &st) < 0)
		return false;
	if (st.st_mtim.tv_sec == s->seen.st_mtim.tv_sec && st.st_mtim.tv_nsec == s->seen.st_mtim.tv_nsec &&
	    st.st_ino == s->seen.st_ino && st.st_size == s->seen.st_size)
		return true;
	s->seen = st;
	return false;
}

static void refresh(struct crl_fetch *f, struct source *s)
{
	struct buf text = {0};
	struct err e;
	int rc;

	s->due = clock_mono_ms() + (s->url ? AGAIN_MS : LOOK_MS);
	if (is_unchanged(f, s))
		return;
	rc = crl_fetch_one(s->text, f->dir, f->trust, &text, &e);
	if (rc == 0)
		rc = factory_crls_take(f->into, &text, &e);
	if (rc < 0 && !s->failing)
		log_err(&e, "%s", s->text);
	else if (rc == 1)
		log_info("the factory CRL from %s is in force", s->text);
	s->failing = rc < 0;
	if (rc < 0)
		s->due = clock_mono_ms() + (s->url ? RETRY_MS : LOOK_MS);
	buf_free(&text);
}

static int64_t next_due(const struct crl_fetch *f)
{
	int64_t next = f->source[0].due;

	for (size_t i = 1; i < f->n; i++)
		if (f->source[i].due < next)
			next = f->source[i].due;
	return next;
}

/* Until the next is due, or somebody asks. False: it is over. */
static bool rest(struct crl_fetch *f)
{
	int64_t until = next_due(f);
	struct timespec t = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
	bool go_on;

	pthread_mutex_lock(&f->lock);
	while (!f->stopping && !f->now && clock_mono_ms() < until)
		pthread_cond_timedwait(&f->wake, &f->lock, &t);
	go_on = !f->stopping;
	for (size_t i = 0; f->now && i < f->n; i++) {
		f->source[i].due = 0;
		f->source[i].failing = false;	/* an admin who asks is told once more */
	}
	f->now = false;
	pthread_mutex_unlock(&f->lock);
	return go_on;
}

static void *run(void *arg)
{
	struct crl_fetch *f = arg;

	do {
		for (size_t i = 0; i < f->n; i++)
			if (f->source[i].due <= clock_mono_ms())
				refresh(f, &f->source[i]);
	} while (rest(f));
	return NULL;
}

static void set_up(struct crl_fetch *f, const struct node_conf *conf)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&f->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	for (f->n = 0; f->n < conf->n_factory_crls; f->n++) {
		struct source *s = &f->source[f->n];

		s->text = conf->factory_crl[f->n];
		s->url = is_url(s->text);
		if (!s->url)	/* known before the first device is judged */
			refresh(f, s);
	}
}

struct crl_fetch *crl_fetch_start(const struct node_conf *conf, const char *dir, const struct maker_set *makers,
				  struct factory_crls *into, struct err *e)
{
	struct crl_fetch *f = mem_new(1, sizeof *f);

	f->dir = dir;
	f->into = into;
	set_up(f, conf);
	f->trust = crl_fetch_trust(makers, e);
	if (f->trust && f->n && pthread_create(&f->thread, NULL, run, f) == 0)
		f->running = true;
	if (f->trust && (f->running || !f->n))
		return f;
	if (f->trust)
		err_set(e, REASON_INTERNAL, "cannot start a thread");
	crl_fetch_stop(f);
	return NULL;
}

void crl_fetch_now(struct crl_fetch *f)
{
	pthread_mutex_lock(&f->lock);
	f->now = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

void crl_fetch_stop(struct crl_fetch *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
	if (f->running)
		pthread_join(f->thread, NULL);
	trust_free(f->trust);
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}
