#include <config.h>

#include "front.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "exchange.h"
#include "fault.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "oid.h"

struct front {
	char *dir;
	struct desk desk;
	struct db *ledger;		/* the writer's */
	struct signer *signer;		/* the writer's */
	atomic_bool renew_signer;
	struct key *server_key;
	struct chain server;
	struct httpd *httpd;
	int failure;			/* eventfd */
	atomic_bool failed;
	int64_t ticked_ms;
};

/* ---- who is it ---- */
static void *on_peer(void *arg, const struct chain *chain, size_t *max_body)
{
	struct front *f = arg;
	struct trust_rule rule = {
		.purpose = PURPOSE_CLIENT, .policy = OID_POLICY_UNIT, .pinned = true, .now = clock_utc()
	};
	const struct cert *leaf = chain->cert;
	struct peer *p = mem_new(1, sizeof *p);

	p->role = ROLE_DEVICE;
	if (chain->n) {
		p->role = ROLE_OTHER;
		if (trust_verify(f->desk.ca.trust, chain, &rule, &p->refused) == 0) {
			p->refused.code = REASON_OK;
			p->role = policy_role(leaf->role);
			p->not_after = leaf->not_after;
			memcpy(p->sha256, leaf->sha256, SHA256_LEN);
			snprintf(p->unit, sizeof p->unit, "%s:%s", leaf->role, leaf->name);
			snprintf(p->certificate, sizeof p->certificate, "%s", leaf->serial);
		}
	}
	*max_body = policy_max_body(p->role);
	return p;
}

/* At every message, since a connection may be kept for days: is the certificate still good? */
static int still_welcome(struct front *f, const struct peer *p, struct err *e)
{
	struct db *db;
	int rc;

	if (p->refused.code != REASON_OK) {
		*e = p->refused;
		return -1;
	}
	if (!*p->certificate)
		return 0;
	if (p->not_after < clock_utc())
		return err_set(e, REASON_CLOCK,
			       "the certificate of %s has expired; \"handsel-ca unit issue\" gives a new one", p->unit);
	db = readers_take(f->desk.readers, e);
	if (!db)
		return -1;
	rc = ledger_unit_revoked(db, p->certificate, e);
	readers_put(f->desk.readers, db);
	if (rc == 1)
		return err_set(e, REASON_ROLE,
			       "the certificate of %s was revoked; \"handsel-ca unit issue\" gives a new one", p->unit);
	return rc;
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

static void on_request(void *arg, struct http_req *r)
{
	struct front *f = arg;
	const struct peer *p = http_peer(r);
	int status = 0;
	struct err e;

	if (still_welcome(f, p, &e) < 0) {
		status = e.code == REASON_STORAGE ? 503 : 403;
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
		exchange_run(&f->desk, r, p);
		return;
	}
	log_info("%s: refused: %s %s", http_remote(r), reason_id(e.code), e.text);
	exchange_refuse(r, status, &e);
}

/* ---- the batch's signatures ---- */
static void on_start(void *arg)
{
	struct front *f = arg;

	f->desk.n_signing = 0;
	f->desk.again = false;
}

static int signer_ready(struct front *f, struct err *e)
{
	struct signer *fresh;

	if (!atomic_exchange(&f->renew_signer, false))
		return 0;
	fresh = signer_start(f->dir, SIGNER_FOR_SERVE, e);
	if (!fresh)
		return -1;
	signer_stop(f->signer);
	f->signer = fresh;
	return 0;
}

static int sign_batch(struct front *f, struct err *e)
{
	struct desk *d = &f->desk;
	struct sign_item **items = mem_new(d->n_signing, sizeof *items);
	int rc;

	for (size_t i = 0; i < d->n_signing; i++)
		items[i] = &d->signing[i]->item;
	rc = signer_ready(f, e) < 0 ? -1 : signer_sign(f->signer, items, d->n_signing, e);
	free(items);
	if (rc < 0) {
		atomic_store(&f->failed, true);
		eventfd_write(f->failure, 1);
		return -1;
	}
	FAULT("front.signed");
	return 0;
}

/* What the signer refuses must leave no trace of a reservation: the batch is cut and taken once more without it.
 * That is rare, as the ledger's own rules come first. */
static bool any_refused(struct desk *d)
{
	for (size_t i = 0; i < d->n_signing; i++) {
		struct job *job = d->signing[i];

		if (job->item.refusal.code == REASON_OK)
			continue;
		ca_refuse(job->a, job->item.refusal.code, job->item.refusal.text);
		log_err(&job->item.refusal, "signer: request %s", job->rq->request.id);
		job->decided = true;
		d->again = true;
	}
	return d->again;
}

static int on_batch(void *arg, struct db *db, struct err *e)
{
	struct front *f = arg;
	struct desk *d = &f->desk;

	if (d->n_signing && sign_batch(f, e) < 0)
		return -1;
	if (any_refused(d))
		return err_set(e, REASON_CA_UNAVAILABLE, "the signer refused a request of this batch");
	for (size_t i = 0; i < d->n_signing; i++) {
		struct job *job = d->signing[i];

		if (request_signed(db, &job->rules, job->unit, &job->issue, job->row, &job->item.der,
				   &job->item.encrypted_key, job->a, e) < 0)
			return -1;
	}
	FAULT("commit.before");
	return 0;
}

/* ---- uptime ---- */
struct tick {
	struct writer_job w;		/* first */
	struct desk *d;
	int64_t now, seconds;
	int lapsed;
};

static int tick_run(struct writer_job *w, struct db *db, struct err *e)
{
	struct tick *t = (struct tick *)w;

	return request_lapse(db, t->now, t->seconds, &t->lapsed, e);
}

static void tick_done(struct writer_job *w, int rc, const struct err *e)
{
	struct tick *t = (struct tick *)w;

	if (rc < 0 && t->d->again) {
		writer_submit(t->d->writer, w);
		return;
	}
	if (rc < 0)
		log_err(e, "lapse");
	else if (t->lapsed)
		log_warn("%d pending credentials were not confirmed in time and are revoked; their units are back in "
			 "the order",
			 t->lapsed);
	free(t);
}

unsigned front_tick_s(const struct front *f)
{
	return (unsigned)desk_tick_s(&f->desk);
}

void front_tick(struct front *f)
{
	int64_t now_ms = clock_mono_ms(), seconds = (now_ms - f->ticked_ms) / 1000;
	struct tick *t;

	if (seconds <= 0 || front_tick_s(f) == 0)
		return;
	f->ticked_ms += seconds * 1000;
	t = mem_new(1, sizeof *t);
	*t = (struct tick){ .w = { .run = tick_run, .done = tick_done }, .d = &f->desk, .now = clock_utc(),
			    .seconds = seconds };
	writer_submit(f->desk.writer, &t->w);
}

/* ---- life ---- */
static int load_server(struct front *f, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_SERVER, .policy = OID_POLICY_UNIT, .role = "ca", .pinned = true,
		.now = clock_utc() };
	char cert[FILE_PATH], key[FILE_PATH];

	if (file_join(cert, e, f->dir, "server.pem") < 0 || file_join(key, e, f->dir, "server.key") < 0 ||
	    chain_load(&f->server, cert, e) < 0)
		return -1;
	if (trust_verify(f->desk.ca.trust, &f->server, &rule, e) < 0)
		return err_prefix(e, "%s", cert);
	f->server_key = key_load(key, e);
	return f->server_key ? 0 : -1;
}

/* A folder that already has records is continued. */
static int load_record(struct front *f, const char *record, struct err *e)
{
	struct dirent *entry;
	unsigned last = 0, n;
	DIR *dir;

	f->desk.record = record;
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
	atomic_init(&f->desk.records, last);
	return 0;
}

static int front_load(struct front *f, const char *record, struct err *e)
{
	char path[FILE_PATH];

	if (settings_load(&f->desk.settings, f->dir, e) < 0 || authority_load(&f->desk.ca, f->dir, e) < 0 ||
	    datadir_profile(&f->desk.profile, site_profile(f->desk.settings.site), e) < 0 || load_server(f, e) < 0 ||
	    load_record(f, record, e) < 0 || file_join(path, e, f->dir, "ca.db") < 0)
		return -1;
	f->desk.pending_s = (int64_t)f->desk.settings.pending_s;
	f->ledger = ledger_open(path, e);
	if (!f->ledger)
		return -1;
	f->desk.readers = readers_new(path, f->desk.ca.trust, e);
	return f->desk.readers ? 0 : -1;
}

struct front *front_start(const char *dir, const struct endpoint *listen, const char *record, struct err *e)
{
	struct front *f = mem_new(1, sizeof *f);
	const struct writer_hooks hooks = { .start = on_start, .batch = on_batch, .arg = f };
	struct httpd_conf conf = { .address = listen->address,
				   .n_identities = 1,
				   .peer = on_peer,
				   .peer_free = on_peer_free,
				   .handle = on_request,
				   .arg = f,
				   .port = listen->port };

	f->dir = mem_str(dir);
	f->desk.factories = factories_new(dir);
	f->failure = eventfd(0, EFD_CLOEXEC);
	f->ticked_ms = clock_mono_ms();
	pthread_rwlock_init(&f->desk.lock, NULL);
	if (f->failure < 0) {
		err_errno(e, REASON_INTERNAL, "cannot make an eventfd");
		goto fail;
	}
	/* the signer is started before there are threads and connections that it could inherit */
	if (front_load(f, record, e) < 0 || !(f->signer = signer_start(dir, SIGNER_FOR_SERVE, e)) ||
	    !(f->desk.writer = writer_start(f->ledger, &hooks, e)))
		goto fail;
	conf.identity[0] = (struct httpd_identity){ .chain = &f->server, .key = f->server_key };
	f->httpd = httpd_start(&conf, e);
	if (f->httpd)
		return f;
fail:
	front_stop(f);
	return NULL;
}

uint16_t front_port(const struct front *f)
{
	return httpd_port(f->httpd);
}

int front_failure_fd(const struct front *f)
{
	return f->failure;
}

bool front_failed(struct front *f)
{
	return atomic_load(&f->failed);
}

int front_reload(struct front *f, struct err *e)
{
	struct settings s;
	struct profile p;

	if (settings_load(&s, f->dir, e) < 0 || datadir_profile(&p, site_profile(f->desk.settings.site), e) < 0)
		return -1;
	if (s.site != f->desk.settings.site || strcmp(s.id, f->desk.settings.id) != 0)
		return err_set(e, REASON_CONFIG, "%s/ca.yaml: kind and id of a CA system never change", f->dir);
	pthread_rwlock_wrlock(&f->desk.lock);
	f->desk.profile = p;
	f->desk.pending_s = (int64_t)s.pending_s;
	pthread_rwlock_unlock(&f->desk.lock);
	factories_reload(f->desk.factories);
	atomic_store(&f->renew_signer, true);
	return 0;
}

void front_stop(struct front *f)
{
	if (!f)
		return;
	if (f->httpd)
		httpd_stop(f->httpd);	/* waits for the answers, which the writer gives */
	if (f->desk.writer)
		writer_stop(f->desk.writer);
	signer_stop(f->signer);
	readers_free(f->desk.readers);
	factories_free(f->desk.factories);
	if (f->ledger)
		db_close(f->ledger);
	key_free(f->server_key);
	chain_free(&f->server);
	authority_free(&f->desk.ca);
	pthread_rwlock_destroy(&f->desk.lock);
	free(f->desk.signing);
	if (f->failure >= 0)
		close(f->failure);
	free(f->dir);
	free(f);
}
