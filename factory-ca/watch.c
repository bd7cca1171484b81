#include <config.h>

#include "watch.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ledger_list.h"
#include "mem.h"
#include "metrics.h"

#define P "handsel_ca_"

struct watch {
	const struct desks *desks;
	struct signing *signing;
	pthread_mutex_t lock;			/* of all below */
	struct httpd *httpd;			/* NULL: it does not serve yet */
	struct published list[LIMIT_CAS][CRL_KINDS], root[LIMIT_CAS];
	struct signer_state signer;
	bool state_fails;			/* status.yaml could not be written */
	struct err state_why;
};

struct watch *watch_new(const struct desks *desks, struct signing *signing)
{
	struct watch *w = mem_new(1, sizeof *w);

	w->desks = desks;
	w->signing = signing;
	pthread_mutex_init(&w->lock, NULL);
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void watch_serves(struct watch *w, struct httpd *httpd)
{
	pthread_mutex_lock(&w->lock);
	w->httpd = httpd;
	pthread_mutex_unlock(&w->lock);
}

void watch_look(struct watch *w)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->desks->n; i++) {
		memcpy(w->list[i], w->desks->of[i]->publisher.list, sizeof w->list[i]);
		w->root[i] = w->desks->of[i]->publisher.root;
	}
	pthread_mutex_unlock(&w->lock);
}

void watch_state(struct watch *w, const struct signer_state *s, const struct err *why)
{
	pthread_mutex_lock(&w->lock);
	w->signer = *s;
	w->state_fails = why != NULL;
	if (why)
		w->state_why = *why;
	pthread_mutex_unlock(&w->lock);
}

/* ---- is it ready? ---- */
static int desk_ready(struct desk *d, struct err *why)
{
	struct writer_state s;

	if (atomic_load(&d->recovering))
		return err_set(why, REASON_CA_UNAVAILABLE, "CA %s recovers from a backup and issues nothing until \"handsel-ca reconcile\"",
			       d->settings.id);
	writer_state(d->writer, &s);
	if (s.failing) {
		*why = s.why;
		return -1;
	}
	if (s.waiting >= LIMIT_QUEUE)
		return err_set(why, REASON_CA_UNAVAILABLE, "CA %s: %zu requests wait for the database", d->settings.id, s.waiting);
	return readers_damaged(d->readers, why) || desk_dates(d, true, why) < 0 ? -1 : 0;
}

bool watch_ready(void *arg, struct err *why)
{
	struct watch *w = arg;
	bool ready = true;

	pthread_mutex_lock(&w->lock);
	if (!w->httpd) {
		err_set(why, REASON_CA_UNAVAILABLE, "it starts");
		ready = false;
	} else if (w->state_fails) {
		*why = w->state_why;
		ready = false;
	}
	for (size_t i = 0; ready && i < w->signer.n_keys && i < w->desks->n; i++)
		if (!w->signer.keys[i].open) {
			err_set(why, REASON_SECRET, "CA %s: its keys are locked; \"handsel-ca unlock\" opens them", w->desks->of[i]->settings.id);
			ready = false;
		}
	pthread_mutex_unlock(&w->lock);
	if (ready && atomic_load(&w->signing->failed)) {
		err_set(why, REASON_CA_UNAVAILABLE, "handsel-signer is gone");
		return false;
	}
	if (ready)
		ready = unit_keys_ready(why);
	for (size_t i = 0; ready && i < w->desks->n; i++)
		ready = desk_ready(w->desks->of[i], why) == 0;
	return ready;
}

/* ---- figures ---- */
static const char *id(const struct watch *w, size_t i)
{
	return w->desks->of[i]->settings.id;
}

static void put_answers(const struct watch *w, struct buf *out)
{
	metrics_family(out, P "requests_total", METRIC_COUNTER, "Requests that were answered, by kind and reason code; OK: it was done.");
	for (size_t i = 0; i < w->desks->n; i++)
		for (int kind = 0; kind < METER_KINDS; kind++)
			for (int code = 0; code < METER_CODES; code++) {
				uint64_t n = atomic_load(&w->desks->of[i]->meter.answer[kind][code]);

				if (n || code == 0)
					metrics_sample(out, P "requests_total",
						       METRIC_LABELS("ca", id(w, i), "kind", ca_kind_name((enum ca_kind)kind), "code",
								     code ? reason_id((enum reason)code) : "OK"), (double)n);
			}
	metrics_family(out, P "issued_total", METRIC_COUNTER, "Certificates that were made for devices, without repeated answers.");
	for (size_t i = 0; i < w->desks->n; i++)
		metrics_sample(out, P "issued_total", METRIC_LABELS("ca", id(w, i)), (double)atomic_load(&w->desks->of[i]->meter.issued));
	metrics_family(out, P "ocsp_signed_total", METRIC_COUNTER, "OCSP answers that were signed when somebody asked, or ahead of the question.");
	for (size_t i = 0; i < w->desks->n; i++) {
		struct meter *m = &w->desks->of[i]->meter;

		metrics_sample(out, P "ocsp_signed_total", METRIC_LABELS("ca", id(w, i), "when", "asked"), (double)atomic_load(&m->ocsp_asked));
		metrics_sample(out, P "ocsp_signed_total", METRIC_LABELS("ca", id(w, i), "when", "ahead"), (double)atomic_load(&m->ocsp_ahead));
	}
}

static void put_writers(const struct watch *w, struct buf *out)
{
	struct writer_state s[LIMIT_CAS];

	for (size_t i = 0; i < w->desks->n; i++)
		writer_state(w->desks->of[i]->writer, &s[i]);
	metrics_family(out, P "queue_length", METRIC_GAUGE, "Requests that wait for the ledger's next transaction.");
	for (size_t i = 0; i < w->desks->n; i++)
		metrics_sample(out, P "queue_length", METRIC_LABELS("ca", id(w, i)), (double)s[i].waiting);
	metrics_family(out, P "transactions_total", METRIC_COUNTER, "Transactions of the ledger's writer.");
	for (size_t i = 0; i < w->desks->n; i++)
		metrics_sample(out, P "transactions_total", METRIC_LABELS("ca", id(w, i)), (double)s[i].batches);
	metrics_family(out, P "storage_failing", METRIC_GAUGE, "1 after the ledger could not be written, until it can be.");
	for (size_t i = 0; i < w->desks->n; i++)
		metrics_sample(out, P "storage_failing", METRIC_LABELS("ca", id(w, i)), s[i].failing);
	metrics_family(out, P "recovering", METRIC_GAUGE, "1 while ledger and signer are not of one history, and nothing is issued.");
	for (size_t i = 0; i < w->desks->n; i++)
		metrics_sample(out, P "recovering", METRIC_LABELS("ca", id(w, i)), atomic_load(&w->desks->of[i]->recovering));
}

static void put_ledgers(const struct watch *w, struct buf *out)
{
	struct ledger_figures f[LIMIT_CAS] = {0};
	char path[FILE_PATH];
	struct err e;

	for (size_t i = 0; i < w->desks->n; i++) {
		struct db *db = readers_take(w->desks->of[i]->readers, &e);

		if (db && ledger_figures(db, &f[i], &e) < 0)
			f[i] = (struct ledger_figures){0};
		readers_put(w->desks->of[i]->readers, db);
	}
	metrics_family(out, P "pending", METRIC_GAUGE, "Certificates that were handed out and that the device has yet to confirm.");
	for (size_t i = 0; i < w->desks->n; i++)
		metrics_sample(out, P "pending", METRIC_LABELS("ca", id(w, i)), (double)f[i].pending);
	metrics_family(out, P "audit_rows", METRIC_GAUGE, "Rows of the audit.");
	for (size_t i = 0; i < w->desks->n; i++)
		metrics_sample(out, P "audit_rows", METRIC_LABELS("ca", id(w, i)), (double)f[i].audit_rows);
	metrics_family(out, P "database_bytes", METRIC_GAUGE, "Size of a database with its write-ahead log.");
	for (size_t i = 0; i < w->desks->n; i++)
		for (int k = 0; k < 2; k++)
			if (file_join(path, &e, w->desks->of[i]->folder.path, k ? "signer.db" : "ca.db") == 0)
				metrics_sample(out, P "database_bytes", METRIC_LABELS("ca", id(w, i), "database", k ? "signer" : "ledger"),
					       (double)db_size(path));
}

static void put_one_list(const struct watch *w, size_t i, struct buf *out, const char *name, double (*value)(const struct published *p))
{
	char list[CRL_NAME];

	for (int of = 0; of < CRL_KINDS; of++) {
		if (!w->list[i][of].number)
			continue;
		crl_name(list, &w->desks->of[i]->ca, (enum crl_of)of);
		metrics_sample(out, name, METRIC_LABELS("ca", id(w, i), "list", list), value(&w->list[i][of]));
	}
	if (w->root[i].number) {
		root_list_name(list, w->desks->of[i]->ca.generation);
		metrics_sample(out, name, METRIC_LABELS("ca", id(w, i), "list", list), value(&w->root[i]));
	}
}

static double crl_number(const struct published *p) { return (double)p->number; }
static double crl_age(const struct published *p) { return (double)(clock_utc() - p->this_update); }
static double crl_until(const struct published *p) { return (double)p->next_update; }
static double crl_entries(const struct published *p) { return (double)p->entries; }

static void put_lists(struct watch *w, struct buf *out)
{
	static const struct {
		const char *name, *help;
		double (*value)(const struct published *p);
	} of[] = {
		{ P "crl_number", "Number of the revocation list that is published.", crl_number },
		{ P "crl_age_seconds", "Since the revocation list was made.", crl_age },
		{ P "crl_next_update_timestamp_seconds", "Until when the revocation list is good, in seconds since 1970.", crl_until },
		{ P "crl_entries", "Certificates on the revocation list.", crl_entries },
	};

	pthread_mutex_lock(&w->lock);
	for (size_t k = 0; k < ARRAY_LEN(of); k++) {
		metrics_family(out, of[k].name, METRIC_GAUGE, of[k].help);
		for (size_t i = 0; i < w->desks->n; i++)
			put_one_list(w, i, out, of[k].name, of[k].value);
	}
	pthread_mutex_unlock(&w->lock);
}

static void put_chain(const struct watch *w, struct buf *out)
{
	metrics_family(out, P "certificate_expiry_timestamp_seconds", METRIC_GAUGE, "notAfter of a certificate of the CA, in seconds since 1970.");
	for (size_t i = 0; i < w->desks->n; i++) {
		const struct desk *d = w->desks->of[i];
		const struct { const char *name; const struct chain *chain; } of[] = {
			{ "root", &d->ca.root }, { "issuing", &d->ca.issuing }, { "unit", &d->ca.unit }, { "server", &d->server } };

		for (size_t k = 0; k < ARRAY_LEN(of); k++)
			metrics_sample(out, P "certificate_expiry_timestamp_seconds", METRIC_LABELS("ca", id(w, i), "certificate", of[k].name),
				       (double)of[k].chain->cert[0].not_after);
	}
}

static void put_signer(struct watch *w, struct buf *out)
{
	struct signer_state s;

	pthread_mutex_lock(&w->lock);
	s = w->signer;
	pthread_mutex_unlock(&w->lock);
	metrics_one(out, "handsel_signer_up", METRIC_GAUGE, "1 while handsel-signer answers.", !atomic_load(&w->signing->failed));
	metrics_family(out, "handsel_signer_keys_open", METRIC_GAUGE, "1 while the CA's keys can be used, 0 while they are locked.");
	for (size_t i = 0; i < s.n_keys && i < w->desks->n; i++)
		metrics_sample(out, "handsel_signer_keys_open", METRIC_LABELS("ca", id(w, i)), s.keys[i].open);
	metrics_one(out, "handsel_signer_uptime_seconds", METRIC_GAUGE, "Since the signer was started.", (double)s.uptime_s);
	metrics_family(out, "handsel_signer_pool_ready", METRIC_GAUGE, "Keys that were made ahead and wait.");
	for (size_t i = 0; i < s.n; i++)
		metrics_sample(out, "handsel_signer_pool_ready", METRIC_LABELS("key_type", key_type_name(s.pool[i].type)), s.pool[i].ready);
	metrics_family(out, "handsel_signer_pool_room", METRIC_GAUGE, "Keys that may wait.");
	for (size_t i = 0; i < s.n; i++)
		metrics_sample(out, "handsel_signer_pool_room", METRIC_LABELS("key_type", key_type_name(s.pool[i].type)), s.pool[i].room);
	metrics_family(out, "handsel_signer_pool_made_total", METRIC_COUNTER, "Keys that were made ahead.");
	for (size_t i = 0; i < s.n; i++)
		metrics_sample(out, "handsel_signer_pool_made_total", METRIC_LABELS("key_type", key_type_name(s.pool[i].type)),
			       (double)s.pool[i].made);
}

void watch_metrics(void *arg, struct buf *out)
{
	struct watch *w = arg;
	struct httpd *httpd;

	pthread_mutex_lock(&w->lock);
	httpd = w->httpd;
	pthread_mutex_unlock(&w->lock);
	put_answers(w, out);
	put_writers(w, out);
	put_ledgers(w, out);
	put_lists(w, out);
	put_chain(w, out);
	put_signer(w, out);
	if (httpd)
		httpd_metrics(httpd, "handsel_ca", out);
}
