#include <config.h>

#include "watch.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "metrics.h"

#define P "handsel_node_"

/* What is asked for, by the last part of the path; the last stands for all that is none of these. */
static const char *const kinds[METER_KINDS] = { "cacerts", "csrattrs", "simpleenroll", "simplereenroll", "serverkeygen",
						"confirm", "voucher", "release", "other" };

void watch_answer(struct server *s, const struct http_req *r, unsigned code)
{
	const char *slash = strrchr(http_path(r), '/');
	size_t kind = 0;

	while (kind + 1 < METER_KINDS && (!slash || strcmp(slash + 1, kinds[kind]) != 0))
		kind++;
	atomic_fetch_add_explicit(&s->meter[kind][code < METER_CODES ? code : 0], 1, memory_order_relaxed);
}

/* ---- is it ready? ---- */
bool watch_ready(void *arg, struct err *why)
{
	static const char remedy[] = "have the .csr beside it certified anew";
	struct server *s = arg;
	struct writer_state w;
	bool ready, stopping, holds;

	pthread_mutex_lock(&s->lock);
	ready = s->ready;
	stopping = s->stopping;
	pthread_mutex_unlock(&s->lock);
	writer_state(s->writer, &w);
	if (stopping)
		return err_set(why, REASON_CA_UNAVAILABLE, "the node is stopping") == 0;
	if (w.failing) {
		*why = w.why;
		return false;
	}
	if (!ready)
		return err_set(why, REASON_CA_UNAVAILABLE, "the node has not compared its database with the customer's CA yet: it was put "
			       "back from a backup, or the CA has not answered since the start") == 0;
	if (w.waiting >= LIMIT_QUEUE)
		return err_set(why, REASON_CA_UNAVAILABLE, "%zu requests wait for the database", w.waiting) == 0;
	if (!unit_keys_ready(why))
		return false;
	pthread_mutex_lock(&s->lock);
	holds = cert_holds(s->own.chain.cert, NODE_OWN ".pem", remedy, why) == 0;
	pthread_mutex_unlock(&s->lock);
	if (!holds)
		return false;
	for (size_t i = 0; i < s->makers.n; i++)
		if (cert_holds(s->makers.one[i].onboard.chain.cert, "the certificate of the handoff", remedy, why) < 0)
			return false;
	return true;
}

/* ---- figures ---- */
static void put_answers(struct server *s, struct buf *out)
{
	metrics_family(out, P "requests_total", METRIC_COUNTER,
		       "Requests that were answered, by kind and reason code; OK: it was done, dead: the id is, a newer one follows.");
	for (size_t kind = 0; kind < METER_KINDS; kind++)
		for (unsigned code = 0; code < METER_CODES; code++) {
			uint64_t n = atomic_load(&s->meter[kind][code]);

			if (n || code == 0)
				metrics_sample(out, P "requests_total",
					       METRIC_LABELS("kind", kinds[kind], "code",
							     code == 0 ? "OK" : code == WATCH_DEAD ? "dead" : reason_id((enum reason)code)),
					       (double)n);
		}
}

static void put_database(struct server *s, struct buf *out)
{
	struct store_figures f = {0};
	struct writer_state w;
	char path[FILE_PATH];
	struct err e;

	pthread_mutex_lock(&s->lock);
	if (store_figures(s->reader, &f, &e) < 0)
		f = (struct store_figures){0};
	pthread_mutex_unlock(&s->lock);
	writer_state(s->writer, &w);
	metrics_one(out, P "pending", METRIC_GAUGE, "Requests that are bound or certified and not confirmed.", (double)f.pending);
	metrics_one(out, P "outbox", METRIC_GAUGE, "Confirmations and revocations that the CA has yet to be told.", (double)f.outbox);
	metrics_one(out, P "audit_rows", METRIC_GAUGE, "Rows of the audit.", (double)f.audit_rows);
	metrics_one(out, P "queue_length", METRIC_GAUGE, "Requests that wait for the database's next transaction.", (double)w.waiting);
	metrics_one(out, P "transactions_total", METRIC_COUNTER, "Transactions of the database's writer.", (double)w.batches);
	metrics_one(out, P "storage_failing", METRIC_GAUGE, "1 after the database could not be written, until it can be.", w.failing);
	if (file_join(path, &e, s->dir, NODE_DB) == 0)
		metrics_one(out, P "database_bytes", METRIC_GAUGE, "Size of the database with its write-ahead log.", (double)db_size(path));
}

static void put_ca(struct server *s, struct buf *out)
{
	size_t waiting;
	bool failing;

	ca_queue_state(s->queue, &failing, &waiting);
	metrics_one(out, P "ca_up", METRIC_GAUGE, "1 while the customer's CA answers.", !failing);
	metrics_one(out, P "ca_queue_length", METRIC_GAUGE, "Requests that wait to be sent to the customer's CA.", (double)waiting);
}

struct lists {
	struct buf *out;
	int field;
};

static void put_list(void *arg, const struct factory_crl_state *c)
{
	struct lists *l = arg;
	const char *const labels[] = { "manufacturer", c->manufacturer, "issuer", c->issuer, NULL };

	if (!c->number)
		return;
	if (l->field == 0)
		metrics_sample(l->out, P "factory_crl_age_seconds", labels, (double)(clock_utc() - c->this_update));
	else
		metrics_sample(l->out, P "factory_crl_number", labels, (double)c->number);
}

static void put_lists(struct server *s, struct buf *out)
{
	struct lists l = { .out = out };

	metrics_family(out, P "factory_crl_age_seconds", METRIC_GAUGE, "Since a manufacturer's revocation list was made.");
	factory_crls_list(s->crls, put_list, &l);
	l.field = 1;
	metrics_family(out, P "factory_crl_number", METRIC_GAUGE, "Number of a manufacturer's revocation list.");
	factory_crls_list(s->crls, put_list, &l);
}

static void put_chain(struct server *s, struct buf *out)
{
	int64_t own;

	pthread_mutex_lock(&s->lock);
	own = s->own.chain.cert[0].not_after;
	pthread_mutex_unlock(&s->lock);
	metrics_family(out, P "certificate_expiry_timestamp_seconds", METRIC_GAUGE, "notAfter of a certificate of the node, in seconds since 1970.");
	metrics_sample(out, P "certificate_expiry_timestamp_seconds", METRIC_LABELS("certificate", "node", "manufacturer", ""),
		       (double)own);
	for (size_t i = 0; i < s->makers.n; i++)
		metrics_sample(out, P "certificate_expiry_timestamp_seconds",
			       METRIC_LABELS("certificate", "onboard", "manufacturer", s->makers.one[i].name),
			       (double)s->makers.one[i].onboard.chain.cert[0].not_after);
}

void watch_metrics(void *arg, struct buf *out)
{
	struct server *s = arg;

	put_answers(s, out);
	put_database(s, out);
	put_ca(s, out);
	put_lists(s, out);
	put_chain(s, out);
	httpd_metrics(s->httpd, "handsel_node", out);
}
