#include <config.h>

#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "exchange.h"
#include "fault.h"
#include "learn.h"
#include "log.h"
#include "mem.h"
#include "oid.h"
#include "service.h"

#define PUBLISH_RETRY_S 10	/* after a failure: the old list is good for half of its time yet */

/* ---- the signer of all ---- */
int signing_start(struct signing *s, const char *dir, struct err *e)
{
	s->dir = mem_str(dir);
	s->failure = eventfd(0, EFD_CLOEXEC);
	if (s->failure < 0)
		return err_errno(e, REASON_INTERNAL, "eventfd");
	s->signer = signer_start(dir, SIGNER_FOR_SERVE, e);
	return s->signer ? 0 : -1;
}

bool signing_gone(struct signing *s)
{
	bool gone;

	pthread_mutex_lock(&s->lock);
	gone = signer_is_gone(s->signer);
	pthread_mutex_unlock(&s->lock);
	return gone;
}

void signing_stop(struct signing *s)
{
	signer_stop(s->signer);
	if (s->failure >= 0)
		close(s->failure);
	pthread_mutex_destroy(&s->lock);
	free(s->dir);
}

/* ---- the batch's signatures ---- */
static void on_start(void *arg)
{
	struct desk *d = arg;

	d->n_signing = 0;
	d->welcome[0] = 0;
	d->again = false;
}

static void signer_lost(struct signing *s)
{
	atomic_store(&s->failed, true);
	eventfd_write(s->failure, 1);
}

/* Under the lock. */
static int signer_ready(struct desk *d, struct err *e)
{
	int rc;

	if (!atomic_exchange(&d->renew, false))
		return 0;
	rc = signer_reload(d->signing_by->signer, d->folder.name, e);
	if (rc == 1)
		log_err(e, "reload of the signer: what was in force stays so");
	return rc < 0 ? -1 : 0;
}

/* Told once; after that each batch asks anew, so reconciling needs no restart. */
static void set_recovering(struct desk *d, bool now, const struct err *e)
{
	if (atomic_exchange(&d->recovering, now) == now)
		return;
	if (now)
		log_err(e, "CA %s is recovering", d->settings.id);
	else
		log_info("CA %s: ledger and signer agree again", d->settings.id);
}

static int ask_signer(struct desk *d, struct sign_batch *b, struct err *e)
{
	struct signing *by = d->signing_by;
	int rc;

	pthread_mutex_lock(&by->lock);
	rc = signer_ready(d, e) < 0 ? -1 : signer_sign(by->signer, d->folder.name, b, e);
	pthread_mutex_unlock(&by->lock);
	if (rc < 0) {
		signer_lost(by);
		return -1;
	}
	set_recovering(d, rc == 1 && e->code == REASON_CA_UNAVAILABLE, e);	/* and not a full disk, say */
	FAULT("front.told");
	if (b->n)
		FAULT("front.signed");
	return rc == 0 ? 0 : -1;
}

/* One message: signatures, if any, and notes. */
static int tell_signer(struct desk *d, struct db *db, struct sign_batch *b, struct err *e)
{
	struct sign_note *notes = mem_new(SIGNER_BATCH, sizeof *notes);
	int64_t last = 0;
	int rc = -1;

	b->note = notes;
	if (ledger_signer(db, &b->position, e) == 0 && ledger_notes(db, notes, SIGNER_BATCH, &b->n_notes, &last, e) == 0)
		rc = 0;
	if (rc == 0 && (b->n || b->n_notes || atomic_load(&d->recovering))) {
		rc = ask_signer(d, b, e);
		if (rc == 0 && (ledger_notes_told(db, last, e) < 0 || ledger_signer_set(db, b->position, e) < 0))
			rc = -1;
	}
	free(notes);
	return rc;
}

/* Whatever the batch changes of a certificate the signer has on its disk first. */
static int sign_batch(struct desk *d, struct db *db, struct err *e)
{
	struct sign_item **items = mem_new(d->n_signing + 1, sizeof *items);
	struct sign_batch b = { .item = items, .n = d->n_signing };
	int rc;

	for (size_t i = 0; i < d->n_signing; i++)
		items[i] = &d->signing[i]->item;
	rc = tell_signer(d, db, &b, e);
	for (b.n = 0; rc == 0 && b.n_notes == SIGNER_BATCH;)	/* more than fit: many have lapsed at once */
		rc = tell_signer(d, db, &b, e);
	free(items);
	return rc;
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
	struct desk *d = arg;

	if (sign_batch(d, db, e) < 0)
		return -1;
	if (any_refused(d))
		return err_set(e, REASON_CA_UNAVAILABLE, "the signer refused a request of this batch");
	for (size_t i = 0; i < d->n_signing; i++) {
		struct job *job = d->signing[i];

		if (request_signed(db, &job->rules, job->unit, &job->issue, &job->reserved, &job->item.der,
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
	int64_t now, until_ms, seconds;	/* until_ms: on the monotonic clock */
	int lapsed;
};

static int tick_run(struct writer_job *w, struct db *db, struct err *e)
{
	struct tick *t = (struct tick *)w;
	const struct ledger_ran ran = { .seconds = t->seconds, .until_ms = db_shared_ms(db, t->until_ms),
		.now_ms = db_shared_ms(db, clock_mono_ms()) };

	return request_lapse(db, t->now, &ran, &t->lapsed, e);
}

static void tick_done(struct writer_job *w, int rc, const struct err *e)
{
	struct tick *t = (struct tick *)w;

	if (rc < 0 && t->d->again) {
		writer_again(t->d->writer, w);
		return;
	}
	if (rc < 0 && !atomic_load(&t->d->recovering))
		log_err(e, "lapse");
	else if (t->lapsed)
		log_warn("%d pending credentials were not confirmed in time and are revoked; their units are back in "
			 "the order",
			 t->lapsed);
	free(t);
}

int64_t desk_tick_s(const struct desk *d)
{
	int64_t third = d->pending_s / 3;

	return d->settings.site == SITE_CUSTOMER ? 0 : third < 1 ? 1 : third > 10 ? 10 : third;
}

static void tick_pending(struct desk *d, int64_t now_ms)
{
	int64_t seconds = (now_ms - d->ticked_ms) / 1000, every = desk_tick_s(d);
	struct tick *t;

	if (every == 0 || seconds < every)
		return;
	d->ticked_ms += seconds * 1000;
	t = mem_new(1, sizeof *t);
	*t = (struct tick){ .w = { .run = tick_run, .done = tick_done }, .d = d, .now = clock_utc(),
		.until_ms = d->ticked_ms, .seconds = seconds };
	writer_submit(d->writer, &t->w);
}

/* ---- units ---- */
int desk_enrol(struct desk *d, const struct buf *invitation, const struct buf *spki, const struct buf *signature, struct buf *der,
	       struct err *e)
{
	struct signing *by = d->signing_by;
	int rc;

	pthread_mutex_lock(&by->lock);
	rc = signer_ready(d, e) < 0 ? -1 : signer_enrol(by->signer, d->folder.name, invitation, spki, signature, der, e);
	pthread_mutex_unlock(&by->lock);
	if (rc < 0 && signing_gone(by))
		signer_lost(by);
	return rc;
}

int desk_renew(struct desk *d, const struct buf *renewal, const struct buf *spki, struct buf *der, struct err *e)
{
	struct signing *by = d->signing_by;
	int rc;

	pthread_mutex_lock(&by->lock);
	rc = signer_ready(d, e) < 0 ? -1 : signer_renew(by->signer, d->folder.name, renewal, spki, der, e);
	pthread_mutex_unlock(&by->lock);
	if (rc < 0 && signing_gone(by))
		signer_lost(by);
	return rc;
}

int desk_act(struct desk *d, const struct buf *action, const struct buf *approval, struct buf *made, struct err *e)
{
	struct signing *by = d->signing_by;
	int rc;

	pthread_mutex_lock(&by->lock);
	rc = signer_ready(d, e) < 0 ? -1 : signer_act(by->signer, d->folder.name, action, approval, made, e);
	pthread_mutex_unlock(&by->lock);
	if (rc < 0 && signing_gone(by))
		signer_lost(by);
	return rc;
}

/* ---- the clock ---- */
static int still_good(const struct desk *d, const struct chain *chain, const char *what, struct err *why)
{
	if (cert_holds(chain->cert, what, "\"handsel-ca ca rollover\" makes a new one", why) == 0)
		return 0;
	return err_prefix(why, "CA %s", d->settings.id);
}

int desk_dates(const struct desk *d, bool server, struct err *why)
{
	if (server && still_good(d, &d->server, "the certificate of the server", why) < 0)
		return -1;
	if (still_good(d, &d->ca.issuing, "the certificate of the issuing CA", why) < 0 || still_good(d, &d->ca.unit, "the certificate of the unit CA", why) < 0 ||
	    still_good(d, &d->ca.root, "the certificate of the root", why) < 0)
		return -1;
	return 0;
}

/* ---- revocation lists ---- */
int desk_publish(struct desk *d, struct err *e)
{
	struct signing *by = d->signing_by;
	struct crl_source from = { .ca = &d->ca, .name = d->folder.name, .ledger = readers_take(d->readers, e) };
	uint64_t valid_s;
	int rc;

	if (!from.ledger)
		return -1;
	pthread_rwlock_rdlock(&d->lock);
	valid_s = d->crl_valid_s;
	pthread_rwlock_unlock(&d->lock);
	pthread_mutex_lock(&by->lock);
	rc = signer_ready(d, e);
	if (rc == 0) {
		from.signer = by->signer;
		rc = publisher_run(&d->publisher, &from, d->folder.path, valid_s, clock_utc(), e);
	}
	pthread_mutex_unlock(&by->lock);
	readers_put(d->readers, from.ledger);
	d->publish_ms = clock_mono_ms() + (rc < 0 ? PUBLISH_RETRY_S : PUBLISH_CHECK_S) * 1000;
	return rc;
}

static void tick_publish(struct desk *d, int64_t now_ms)
{
	struct err e;

	if (now_ms < d->publish_ms || desk_publish(d, &e) == 0)
		return;
	log_err(&e, "%s: revocation lists", d->folder.path);
	if (signing_gone(d->signing_by))
		signer_lost(d->signing_by);
}

static void tick_heads(struct desk *d, int64_t now_ms)
{
	struct err e;

	if (now_ms < d->head_ms || desk_heads(d, false, &e) == 0)
		return;
	log_err(&e, "%s: head of the audit", d->folder.path);
	if (signing_gone(d->signing_by))
		signer_lost(d->signing_by);
}

/* ---- the main thread's clock ---- */
int64_t desk_next_ms(const struct desk *d)
{
	int64_t every = desk_tick_s(d), pending = d->ticked_ms + every * 1000, next = d->publish_ms;

	if (d->head_ms < next)
		next = d->head_ms;
	return every && pending < next ? pending : next;
}

void desk_tick(struct desk *d)
{
	int64_t now_ms = clock_mono_ms();
	struct writer_state s;

	tick_pending(d, now_ms);
	tick_publish(d, now_ms);
	tick_heads(d, now_ms);
	writer_state(d->writer, &s);
	if (s.failing)
		writer_probe(d->writer);
}

/* ---- life ---- */
static int load_server(struct desk *d, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_SERVER, .policy = OID_POLICY_UNIT, .role = "ca", .pinned = true,
		.now = clock_utc() };
	char cert[FILE_PATH], key[FILE_PATH];

	if (file_join(cert, e, d->folder.path, "server.pem") < 0 || chain_load(&d->server, cert, e) < 0)
		return -1;
	if (trust_verify(d->ca.trust, &d->server, &rule, e) < 0)
		return err_prefix(e, "%s", cert);
	d->server_key = !*d->folder.name && service_credential(key, "server.key")
				? key_load(key, e)
				: unit_key_load(&d->settings.place, d->folder.path, "server", &d->server.cert[0], e);
	return d->server_key ? 0 : -1;
}

static int load(struct desk *d, struct err *e)
{
	const char *dir = d->folder.path;
	char path[FILE_PATH];

	if (settings_load(&d->settings, dir, e) < 0 || settings_serves(&d->settings, dir, e) < 0 || authority_load(&d->ca, dir, e) < 0 ||
	    profiles_load(&d->profiles, dir, &d->settings, e) < 0 || load_server(d, e) < 0 ||
	    file_join(path, e, dir, "ca.db") < 0)
		return -1;
	if (*d->folder.name && strcmp(d->settings.id, d->folder.name) != 0)
		return err_set(e, REASON_CONFIG, "%s/ca.yaml: the id must be \"%s\", as the folder is called", dir, d->folder.name);
	snprintf(d->sni, sizeof d->sni, "%s" CA_SNI_SUFFIX, d->settings.id);
	d->pending_s = (int64_t)d->settings.pending_s;
	d->crl_valid_s = d->settings.crl_valid_s;
	d->ocsp_valid_s = d->settings.ocsp_valid_s;
	d->head_s = (int64_t)d->settings.head_s;
	d->head_rows = (int64_t)d->settings.head_rows;
	d->ledger = ledger_open(path, e);
	if (!d->ledger || audit_head_last(d->ledger, &d->head, e) < 0)
		return -1;
	d->readers = readers_new(path, d->ca.trust, e);
	return d->readers ? 0 : -1;
}

struct desk *desk_open(const struct ca_folder *folder, struct signing *by, struct err *e)
{
	struct desk *d = mem_new(1, sizeof *d);
	const struct writer_hooks hooks = { .start = on_start, .batch = on_batch, .arg = d };

	d->folder = *folder;
	d->signing_by = by;
	d->factories = factories_new(folder->path);
	d->ticked_ms = clock_mono_ms();
	pthread_rwlock_init(&d->lock, NULL);
	if (load(d, e) == 0 && (d->writer = writer_start(d->ledger, &hooks, e)))
		return d;
	desk_close(d);
	return NULL;
}

/* ---- after a cut, or a restore ---- */
static int take_last_message(struct desk *d, struct db *ledger, uint64_t at, uint64_t changes, struct err *e)
{
	struct learn l = { .ca = d->folder.name, .actor = "ca",
			   .rules = { .site = d->settings.site, .ca = d->settings.id, .issuing = d->ca.issuing.cert,
				      .older = d->ca.older_issuing.n ? d->ca.older_issuing.cert : NULL, .now = clock_utc() } };

	l.rules.pending_s = l.rules.site == SITE_FACTORY ? d->pending_s : 0;
	if (db_begin(ledger, e) < 0)
		return -1;
	if (learn_all(ledger, d->signing_by->signer, &l, at, e) == 0 && ledger_signer_set(ledger, changes, e) == 0) {
		FAULT("learn.done");
		if (db_commit(ledger, e) == 0) {
			log_info("CA %s: the signer's last message before the stop is in the ledger, %zu certificates",
				 d->settings.id, l.n);
			return 0;
		}
	}
	db_rollback(ledger);
	return -1;
}

int desk_catch_up(struct desk *d, struct err *e)
{
	char path[FILE_PATH];
	uint64_t at, changes;
	enum accord accord;
	struct db *ledger;
	struct err why;
	int rc;

	if (file_join(path, e, d->folder.path, "ca.db") < 0 || !(ledger = ledger_open(path, e)))
		return -1;
	rc = learn_compare(ledger, d->signing_by->signer, d->folder.name, &accord, &at, &changes, e);
	if (rc == 0 && accord != ACCORD) {
		err_set(&why, REASON_CA_UNAVAILABLE, "%s; nothing is issued until \"handsel-ca reconcile\" has shown what it lacks, and"
			" --apply has taken that over", accord_text(accord));
		set_recovering(d, true, &why);
	} else if (rc == 0 && at != changes) {
		rc = take_last_message(d, ledger, at, changes, e);
	}
	db_close(ledger);
	return rc;
}

int desk_is_current(const struct desk *d, struct err *e)
{
	struct authority now = {0};
	int rc = authority_load(&now, d->folder.path, e);

	if (rc == 0 && !authority_same(&now, &d->ca))
		rc = err_set(e, REASON_CONFIG, "%s: the CA has other certificates since the start (ca rollover, root install); they are taken up "
			     "by a restart of \"handsel-ca serve\", and by nothing else", d->folder.path);
	authority_free(&now);
	return rc;
}

int desk_reload(struct desk *d, struct err *e)
{
	struct profiles *p = mem_new(1, sizeof *p);
	struct settings s;
	int rc = -1;

	if (settings_load(&s, d->folder.path, e) < 0 || profiles_load(p, d->folder.path, &s, e) < 0)
		;
	else if (s.site != d->settings.site || strcmp(s.id, d->settings.id) != 0)
		err_set(e, REASON_CONFIG, "%s/ca.yaml: kind and id of a CA never change", d->folder.path);
	else
		rc = 0;
	if (rc == 0) {
		pthread_rwlock_wrlock(&d->lock);
		d->profiles = *p;
		d->pending_s = (int64_t)s.pending_s;
		d->crl_valid_s = s.crl_valid_s;
		d->ocsp_valid_s = s.ocsp_valid_s;
		d->head_s = (int64_t)s.head_s;
		d->head_rows = (int64_t)s.head_rows;
		pthread_rwlock_unlock(&d->lock);
		factories_reload(d->factories);
	}
	free(p);
	return rc;
}

void desk_close(struct desk *d)
{
	if (!d)
		return;
	if (d->writer)
		writer_stop(d->writer);
	readers_free(d->readers);
	factories_free(d->factories);
	if (d->ledger)
		db_close(d->ledger);
	key_free(d->server_key);
	chain_free(&d->server);
	authority_free(&d->ca);
	pthread_rwlock_destroy(&d->lock);
	free(d->signing);
	free(d);
}
