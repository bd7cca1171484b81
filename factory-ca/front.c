#include <config.h>

#include "front.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "exchange.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "oid.h"
#include "publish.h"
#include "responses.h"
#include "state.h"
#include "watch.h"

#define CRL_PATH "/crl/"
#define WRITER_STUCK_MS 120000	/* one batch: 64 RSA keys made on a slow machine, and a busy disk; beyond it nothing will come of it */
#define OCSP_PATH "/ocsp"

struct front {
	struct desks desks;
	struct signing signing;
	struct httpd *httpd, *plain;	/* plain: without TLS, NULL: none */
	struct responses *responses;
	struct watch *watch;
	struct monitor *monitor;		/* NULL: none was asked for */
	int64_t started, told_ms;	/* when it began to serve; when to write the state again */
};

/* ---- who is it ---- */
/* A unit belongs to the CA whose unit CA has certified it, whatever it asks for. NULL: to none. */
static struct desk *desk_of_unit(struct front *f, const struct chain *chain, struct err *e)
{
	struct trust_rule rule = {
		.purpose = PURPOSE_CLIENT, .policy = OID_POLICY_UNIT, .pinned = true, .now = clock_utc()
	};
	struct err why;

	for (size_t i = 0; i < f->desks.n; i++) {
		if (trust_verify(f->desks.of[i]->ca.trust, chain, &rule, &why) == 0)
			return f->desks.of[i];
		if (i == 0 || why.code != REASON_AUTHORITY)	/* the one that knows the issuer speaks */
			*e = why;
	}
	return NULL;
}

static void *on_peer(void *arg, const struct chain *chain, size_t *max_body)
{
	struct front *f = arg;
	const struct cert *leaf = chain->cert;
	struct peer *p = mem_new(1, sizeof *p);

	p->role = ROLE_DEVICE;
	if (chain->n) {
		p->role = ROLE_OTHER;
		p->desk = desk_of_unit(f, chain, &p->refused);
		if (p->desk) {
			p->refused.code = REASON_OK;
			p->role = policy_role(leaf->role);
			p->functions = functions_of(leaf);
			p->not_after = leaf->not_after;
			memcpy(p->sha256, leaf->sha256, SHA256_LEN);
			snprintf(p->unit, sizeof p->unit, "%s:%s", leaf->role, leaf->name);
			snprintf(p->certificate, sizeof p->certificate, "%s", leaf->serial);
		}
	}
	*max_body = policy_max_body(p->role);
	return p;
}

/* At every message, since a connection may be kept for days: is the certificate still good? Whether it was revoked is asked where the
 * message is answered (exchange.c). */
static int still_welcome(const struct peer *p, struct err *e)
{
	if (p->refused.code != REASON_OK) {
		*e = p->refused;
		return -1;
	}
	if (!*p->certificate)
		return 0;
	if (p->not_after < clock_utc())
		return err_set(e, REASON_CLOCK,
			       "the certificate of %s has expired; \"handsel-ca unit issue\" gives a new one", p->unit);
	return 0;
}

static void on_peer_free(void *arg, void *peer)
{
	free(peer);
}

/* ---- HTTP ---- */
static bool is_xml(const char *type)
{
	static const char *const types[] = { CA_TYPE, "text/xml" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		size_t n = strlen(types[i]);

		if (strncasecmp(type, types[i], n) == 0 && (type[n] == 0 || type[n] == ';' || type[n] == ' '))
			return true;
	}
	return false;
}

/* "issuing.crl" of the first CA, "ID/issuing.crl" of any. 1 with the list, 0 there is none, -1. */
static int find_crl(struct front *f, const char *name, struct buf *der, struct err *e)
{
	const char *slash = strchr(name, '/');
	size_t n = slash ? (size_t)(slash - name) : 0;

	if (!slash)
		return publisher_get(f->desks.of[0]->folder.path, &f->desks.of[0]->ca, name, der, e);
	for (size_t i = 0; i < f->desks.n; i++)
		if (strlen(f->desks.of[i]->settings.id) == n && strncmp(f->desks.of[i]->settings.id, name, n) == 0)
			return publisher_get(f->desks.of[i]->folder.path, &f->desks.of[i]->ca, slash + 1, der, e);
	return 0;
}

/* Revocation lists are for everybody: whoever has a certificate revoked asks, too. */
static void answer_crl(struct front *f, struct http_req *r)
{
	struct buf der = {0};
	struct err e;
	int rc;

	if (strcmp(http_method(r), "GET") != 0 && strcmp(http_method(r), "HEAD") != 0) {
		err_set(&e, REASON_REQUEST, "only GET is served at %s", CRL_PATH);
		exchange_refuse(r, 405, &e);
		return;
	}
	rc = find_crl(f, http_path(r) + strlen(CRL_PATH), &der, &e);
	if (rc == 1) {
		http_reply(r, 200, "application/pkix-crl", "", der.data, der.len);
	} else if (rc == 0) {
		err_set(&e, REASON_REQUEST, "there is no such revocation list: ask for %s[CA/]issuing.crl, unit.crl or root.crl, after a rollover "
			"issuing-N.crl, unit-N.crl or root-N.crl", CRL_PATH);
		exchange_refuse(r, 404, &e);
	} else {
		log_err(&e, "%s", http_path(r));
		exchange_refuse(r, 503, &e);
	}
	buf_free(&der);
}

/* What anybody may have, since it is signed by itself. */
static bool answer_public(struct front *f, struct http_req *r)
{
	const char *path = http_path(r);

	if (strncmp(path, CRL_PATH, strlen(CRL_PATH)) == 0)
		answer_crl(f, r);
	else if (strncmp(path, OCSP_PATH, strlen(OCSP_PATH)) == 0 && (path[strlen(OCSP_PATH)] == 0 || path[strlen(OCSP_PATH)] == '/'))
		responses_answer(f->responses, &f->desks, r, path + strlen(OCSP_PATH));
	else
		return false;
	return true;
}

static void on_plain_request(void *arg, struct http_req *r)
{
	struct err e;

	if (answer_public(arg, r))
		return;
	err_set(&e, REASON_REQUEST, "nothing is served here but %s and %s; all else needs TLS", CRL_PATH, OCSP_PATH);
	exchange_refuse(r, 404, &e);
}

static void on_request(void *arg, struct http_req *r)
{
	struct front *f = arg;
	const struct peer *p = http_peer(r);
	int status = 0;
	struct err e;

	if (answer_public(f, r))
		return;
	if (still_welcome(p, &e) < 0) {
		status = 403;
	} else if (strcmp(http_path(r), CA_PATH) != 0) {
		err_set(&e, REASON_REQUEST, "nothing is served here but %s", CA_PATH);
		status = 404;
	} else if (strcmp(http_method(r), "POST") != 0) {
		err_set(&e, REASON_REQUEST, "only POST is served at %s", CA_PATH);
		status = 405;
	} else if (!is_xml(http_header(r, "Content-Type"))) {
		err_set(&e, REASON_REQUEST, "the Content-Type must be %s", CA_TYPE);
		status = 415;
	}
	if (!status) {
		exchange_run(&f->desks, r, p);
		return;
	}
	log_info("%s: refused: %s %s", http_remote(r), reason_id(e.code), e.text);
	exchange_refuse(r, status, &e);
}

/* ---- life ---- */
/* A folder that already has records is continued. */
static int load_record(struct front *f, const char *record, struct err *e)
{
	struct dirent *entry;
	unsigned last = 0, n;
	DIR *dir;

	f->desks.record = record;
	if (!record)
		return 0;
	if (file_mkdir(record, e) < 0)
		return -1;
	dir = opendir(record);
	if (!dir)
		return err_errno(e, REASON_CONFIG, "cannot read folder %s", record);
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "%6u-request.xml", &n) == 1 && n > last)
			last = n;
	closedir(dir);
	atomic_init(&f->desks.records, last);
	return 0;
}

/* The first CA's certificate is for all who name none of the others. */
static void put_identities(struct httpd_conf *conf, const struct desks *all)
{
	for (size_t i = all->n; i-- > 0;)
		conf->identity[conf->n_identities++] = (struct httpd_identity){
			.sni = i ? all->of[i]->sni : NULL, .chain = &all->of[i]->server, .key = all->of[i]->server_key };
}

static bool id_taken(const struct desks *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->of[i]->settings.id, id) == 0)
			return true;
	return false;
}

static int open_desks(struct front *f, const char *dir, struct err *e)
{
	struct ca_folders *folders = mem_new(1, sizeof *folders);
	int rc = system_list(folders, dir, e);

	for (size_t i = 0; rc == 0 && i < folders->n; i++) {
		struct desk *d = desk_open(&folders->of[i], &f->signing, e);

		if (d && !id_taken(&f->desks, d->settings.id)) {
			f->desks.of[f->desks.n++] = d;
			continue;
		}
		rc = d ? err_set(e, REASON_CONFIG, "two CAs of %s have the id \"%s\"", dir, d->settings.id) : -1;
		desk_close(d);
	}
	free(folders);
	return rc;
}

/* What `handsel-ca status` tells of a daemon, in a file: no other way leads into it. */
static void tell_state(struct front *f)
{
	struct signer_state s = {0};
	struct err e;
	int rc;

	if (clock_mono_ms() < f->told_ms)
		return;
	f->told_ms = clock_mono_ms() + STATE_EVERY_S * 1000;
	pthread_mutex_lock(&f->signing.lock);
	rc = signer_state(f->signing.signer, &s, &e);
	for (; rc == 0 && s.n_keys < f->desks.n; s.n_keys++)
		rc = signer_keys_state(f->signing.signer, f->desks.of[s.n_keys]->folder.name, &s.keys[s.n_keys], &e);
	pthread_mutex_unlock(&f->signing.lock);
	if (rc == 0)
		rc = state_write(f->signing.dir, &s, f->started, clock_utc(), &e);
	if (rc < 0)
		log_err(&e, "status");
	watch_state(f->watch, &s, rc < 0 && e.code == REASON_STORAGE ? &e : NULL);
}

/* Whoever finds this CA serving finds its lists, too, and a head of what it did before. What cannot be made now is no reason not to
 * serve. */
static int publish_all(struct front *f, struct err *e)
{
	for (size_t i = 0; i < f->desks.n; i++) {
		struct desk *d = f->desks.of[i];

		if (desk_publish(d, e) < 0) {
			if (signing_gone(&f->signing))
				return -1;
			log_err(e, "%s: revocation lists", d->folder.path);
		}
		if (desk_heads(d, true, e) < 0) {
			if (signing_gone(&f->signing))
				return -1;
			log_err(e, "%s: head of the audit", d->folder.path);
		}
	}
	return 0;
}

static int catch_up(struct front *f, struct err *e)
{
	for (size_t i = 0; i < f->desks.n; i++)
		if (desk_catch_up(f->desks.of[i], e) < 0)
			return -1;
	return 0;
}

static int start_plain(struct front *f, struct err *e)
{
	const struct settings *s = &f->desks.of[0]->settings;
	struct httpd_conf conf = { .plain = true, .handle = on_plain_request, .arg = f };
	struct endpoint where;

	if (!*s->listen_http)
		return 0;
	if (endpoint_parse(&where, s->listen_http, e) < 0)
		return -1;
	conf.address = where.address;
	conf.port = where.port;
	f->plain = httpd_start(&conf, e);
	return f->plain ? 0 : -1;
}

struct front *front_start(const char *dir, const struct endpoint *listen, const char *record, struct err *e)
{
	struct front *f = mem_new(1, sizeof *f);
	struct httpd_conf conf = { .address = listen->address,
				   .peer = on_peer,
				   .peer_free = on_peer_free,
				   .handle = on_request,
				   .arg = f,
				   .port = listen->port,
				   .socket = listen->socket };

	f->watch = watch_new(&f->desks, &f->signing);
	f->responses = responses_new();
	f->signing = (struct signing){ .lock = PTHREAD_MUTEX_INITIALIZER, .failure = -1 };
	if (open_desks(f, dir, e) == 0 && load_record(f, record, e) == 0 && signing_start(&f->signing, dir, e) == 0 &&
	    catch_up(f, e) == 0 && publish_all(f, e) == 0) {
		put_identities(&conf, &f->desks);
		f->httpd = httpd_start(&conf, e);
	}
	if (f->httpd && start_plain(f, e) == 0) {
		f->started = clock_utc();
		watch_look(f->watch);
		watch_serves(f->watch, f->httpd);
		tell_state(f);
		return f;
	}
	front_stop(f);
	return NULL;
}

uint16_t front_port(const struct front *f)
{
	return httpd_port(f->httpd);
}

int front_monitor(struct front *f, const struct endpoint *listen, struct err *e)
{
	const struct monitor_conf conf = { .address = listen->address, .port = listen->port, .socket = listen->socket,
					   .ready = watch_ready, .metrics = watch_metrics, .arg = f->watch };

	f->monitor = monitor_start(&conf, e);
	return f->monitor ? 0 : -1;
}

uint16_t front_monitor_port(const struct front *f)
{
	return f->monitor ? monitor_port(f->monitor) : 0;
}

bool front_ready(struct front *f, struct err *why)
{
	return watch_ready(f->watch, why);
}

bool front_alive(const struct front *f)
{
	struct writer_state s;

	for (size_t i = 0; i < f->desks.n; i++) {
		writer_state(f->desks.of[i]->writer, &s);
		if (s.busy_ms > WRITER_STUCK_MS)
			return false;
	}
	return true;
}

int front_failure_fd(const struct front *f)
{
	return f->signing.failure;
}

bool front_failed(struct front *f)
{
	return atomic_load(&f->signing.failed);
}

int front_tick_ms(const struct front *f)
{
	int64_t now = clock_mono_ms(), next = desk_next_ms(f->desks.of[0]);

	for (size_t i = 1; i < f->desks.n; i++)
		if (desk_next_ms(f->desks.of[i]) < next)
			next = desk_next_ms(f->desks.of[i]);
	if (f->told_ms < next)
		next = f->told_ms;
	return next < now ? 0 : (int)(next - now);
}

void front_tick(struct front *f)
{
	for (size_t i = 0; i < f->desks.n; i++)
		desk_tick(f->desks.of[i]);
	responses_ahead(f->responses, &f->desks);
	watch_look(f->watch);
	tell_state(f);
}

int front_reload(struct front *f, struct err *e)
{
	struct ca_folders *all = mem_new(1, sizeof *all);
	int rc = system_list(all, f->desks.of[0]->folder.path, e);

	if (rc == 0 && all->n != f->desks.n)
		log_warn("the system has %zu CAs, and %zu of them are served; a restart of \"handsel-ca serve\" takes up the others", all->n,
			 f->desks.n);
	free(all);
	/* A signer that is started anew signs with the keys in force by then: not with those that stand in our certificates. */
	for (size_t i = 0; i < f->desks.n && rc == 0; i++)
		rc = desk_is_current(f->desks.of[i], e);
	for (size_t i = 0; i < f->desks.n && rc == 0; i++)
		rc = desk_reload(f->desks.of[i], e);
	if (rc == 0)
		for (size_t i = 0; i < f->desks.n; i++)
			atomic_store(&f->desks.of[i]->renew, true);
	return rc;
}

void front_stop(struct front *f)
{
	if (!f)
		return;
	monitor_stop(f->monitor);	/* first: it looks at all the rest */
	if (f->plain)
		httpd_stop(f->plain);
	if (f->httpd)
		httpd_stop(f->httpd);	/* waits for the answers, which the writers give */
	while (f->desks.n)
		desk_close(f->desks.of[--f->desks.n]);
	if (f->started)
		state_remove(f->signing.dir);
	signing_stop(&f->signing);
	watch_free(f->watch);
	responses_free(f->responses);
	free(f);
}
