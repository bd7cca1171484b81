#include <config.h>

#include "ca_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "caclient.h"
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "recover.h"
#include "rules.h"

#define CALL_MS 8000		/* one message: a device's request that waits for the one before still gets its answer in time */
#define CONNECT_MS 4000
#define POLL_MS 1000		/* other processes (devices release) write to the outbox, too */
#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS 15000
#define ROW_RETRY_MAX_S 300	/* of a row that the CA refuses by itself: an operator has to act there */
#define OUTBOX_SHARE (LIMIT_BATCH / 2)	/* of a message while devices wait for issues */

struct ca_queue {
	struct ca_queue_conf conf;
	struct url url;
	struct ca_client client;
	struct db *db;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;		/* CLOCK_MONOTONIC */
	struct ca_job *first, **last;	/* under the lock, likewise the next four */
	bool tell, stopping, told;
	struct node_identity next;	/* key NULL: none */
	/* the thread's own */
	struct node_identity own;
	bool need_chain, need_ready;
	atomic_bool failing;		/* others look at it */
	int64_t retry_at, retry_ms;
	struct outbox_row row[LIMIT_BATCH];
	size_t n_rows;
	struct ca_job *job[LIMIT_BATCH];
	size_t n_jobs;
};

static void note_failure(struct ca_queue *q, const struct err *e)
{
	if (!q->failing)
		log_err(e, "what waits for the CA is kept and tried again");
	q->failing = true;
	q->retry_ms = q->retry_ms ? q->retry_ms * 2 : RETRY_FIRST_MS;
	if (q->retry_ms > RETRY_MAX_MS)
		q->retry_ms = RETRY_MAX_MS;
	q->retry_at = clock_mono_ms() + ca_client_pause_ms(&q->client, q->retry_ms);
}

static void note_success(struct ca_queue *q)
{
	if (q->failing)
		log_info("the CA answers again");
	q->failing = false;
	q->retry_ms = q->retry_at = 0;
}

/* ---- what the CA said about outbox rows, written in one job ---- */
struct told {
	struct writer_job job;
	struct ca_queue *q;
	struct {
		int64_t n, due;			/* due 0: done */
		bool dead;			/* the CA has revoked what we hold for active */
		struct request_id request;
		uint32_t highest;
	} row[LIMIT_BATCH];
	size_t n;
	int64_t mark;				/* that went with the message */
	bool kept;				/* by the CA, which forgets it where it can do nothing of what it is told */
	int rc;
	struct err e;
};

static int told_run(struct writer_job *job, struct db *db, struct err *e)
{
	struct told *t = (struct told *)job;

	for (size_t i = 0; i < t->n; i++) {
		struct decision d = {0};
		int rc = t->row[i].due ? store_outbox_later(db, t->row[i].n, t->row[i].due, e)
				       : store_outbox_done(db, t->row[i].n, e);

		if (rc == 0 && t->row[i].dead)
			rc = rules_ca_dead(db, &t->row[i].request, t->row[i].highest, clock_utc(), &d, e);
		decision_free(&d);
		if (rc < 0)
			return -1;
	}
	return t->kept ? store_mark_prune(db, t->mark, e) : 0;
}

static void told_done(struct writer_job *job, int rc, const struct err *e)
{
	struct told *t = (struct told *)job;
	struct ca_queue *q = t->q;

	pthread_mutex_lock(&q->lock);
	t->rc = rc;
	if (rc < 0)
		t->e = *e;
	q->told = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

/* The next message is composed only after this is written, so no row goes twice and none overtakes another. */
static void write_told(struct ca_queue *q, struct told *t)
{
	t->q = q;
	t->job = (struct writer_job){ .run = told_run, .done = told_done };
	writer_submit(q->conf.writer, &t->job);
	pthread_mutex_lock(&q->lock);
	while (!q->told)
		pthread_cond_wait(&q->wake, &q->lock);
	q->told = false;
	pthread_mutex_unlock(&q->lock);
	FAULT("node.told");
	if (t->rc < 0)
		note_failure(q, &t->e);
}

static void judge_row(struct told *t, const struct outbox_row *o, const struct ca_answer *a)
{
	int64_t wait = 1 + (o->tries < 9 ? 1 << o->tries : ROW_RETRY_MAX_S);

	t->row[t->n].n = o->n;
	t->kept |= a->result != CA_REFUSED;
	if (a->result == CA_DEAD && o->kind == OUTBOX_CONFIRM) {
		t->row[t->n].dead = true;
		t->row[t->n].request = o->request;
		t->row[t->n].highest = a->request.generation;
	} else if (a->result == CA_REFUSED) {
		log_error("device=%s req=%s the CA refuses the %s: %s %s; it is told again", o->device.serial, o->request.id,
			  o->kind == OUTBOX_CONFIRM ? "activation" : "revocation", reason_id(a->code), a->text);
		t->row[t->n].due = clock_mono_ms() / 1000 + (wait < ROW_RETRY_MAX_S ? wait : ROW_RETRY_MAX_S);
	}
	t->n++;
}

/* ---- a message ---- */
static void put_row(struct ca_message *m, const struct outbox_row *o)
{
	struct ca_request *r = &m->request[m->n++];

	r->kind = o->kind == OUTBOX_CONFIRM ? CA_CONFIRM : CA_REVOKE;
	r->request = o->request;
	r->device = o->device;
	if (o->kind == OUTBOX_CONFIRM)
		memcpy(r->certificate, o->certificate, SHA256_LEN);
	else
		memcpy(r->reason, o->reason, sizeof o->reason);
}

static void put_job(struct ca_message *m, const struct ca_job *j)
{
	struct ca_request *r = &m->request[m->n++];

	r->kind = j->kind;
	r->request = j->request;
	if (j->kind == CA_STATUS)
		return;
	r->device = j->device;
	if (j->transport_key)
		buf_set(&r->transport_key, j->transport_key->data, j->transport_key->len);
	else
		buf_set(&r->csr, j->csr->data, j->csr->len);
	if (j->endorsement->signature.len) {
		r->endorsement = *j->endorsement;
		r->endorsement.signature = r->endorsement.factory_certificate = (struct buf){0};
		buf_set(&r->endorsement.signature, j->endorsement->signature.data, j->endorsement->signature.len);
		buf_set(&r->endorsement.factory_certificate, j->endorsement->factory_certificate.data,
			j->endorsement->factory_certificate.len);
	}
	memcpy(r->renews, j->renews, sizeof r->renews);
	r->params.include_ca = CHOICE_NO;	/* cacerts gives the chain */
}

static void send_message(struct ca_queue *q)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct told *t = mem_new(1, sizeof *t);
	struct err e;
	int rc;

	if (store_mark_last(q->db, &t->mark, m->mark, &e) < 0)	/* after what the message tells was read */
		log_err(&e, "mark");
	for (size_t i = 0; i < q->n_rows; i++)	/* a revocation goes before the next issue of its device */
		put_row(m, &q->row[i]);
	for (size_t i = 0; i < q->n_jobs; i++)
		put_job(m, q->job[i]);
	FAULT("node.asking");
	rc = ca_client_call(&q->client, m, r, &e);
	FAULT("node.asked");
	if (rc < 0)
		note_failure(q, &e);
	else
		note_success(q);
	for (size_t i = 0; i < q->n_jobs; i++)
		q->job[i]->done(q->job[i], rc < 0 ? NULL : &r->answer[q->n_rows + i], &e);
	for (size_t i = 0; i < q->n_rows && rc == 0; i++)
		judge_row(t, &q->row[i], &r->answer[i]);
	if (t->n)
		write_told(q, t);
	ca_message_free(m);
	ca_reply_free(r);
	free(t);
}

static void ask_chain(struct ca_queue *q)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct err e;

	m->n = 1;
	m->request[0].kind = CA_CERTIFICATES;
	if (ca_client_call(&q->client, m, r, &e) < 0) {
		note_failure(q, &e);
	} else if (r->answer[0].result != CA_CERTIFICATES_ARE) {
		err_set(&e, r->answer[0].code, "the CA does not give its certificates: %s", r->answer[0].text);
		note_failure(q, &e);
	} else {
		note_success(q);
		q->need_chain = false;
		q->conf.chain(q->conf.arg, &r->answer[0].chain);
	}
	ca_message_free(m);
	ca_reply_free(r);
}

/* ---- is this the database that the CA has worked with? ---- */
struct page {
	struct writer_job job;		/* first */
	struct ca_queue *q;
	struct ca_answer a;
	bool begin;
	size_t learned;
	int rc;
	struct err e;
};

static int page_run(struct writer_job *job, struct db *db, struct err *e)
{
	struct page *p = (struct page *)job;
	enum learned l;

	if (p->begin)
		return recover_begin(db, clock_utc(), e);
	p->learned = 0;
	for (size_t i = 0; i < p->a.n_known; i++) {
		if (recover_learn(db, &p->a.known[i], true, "node", clock_utc(), &l, e) < 0)
			return -1;
		p->learned += l != LEARNED_NOTHING;
	}
	FAULT("node.recover.learned");
	return p->a.next ? 0 : recover_end(db, p->a.mark, "node", clock_utc(), e);
}

static void page_done(struct writer_job *job, int rc, const struct err *e)
{
	struct page *p = (struct page *)job;
	struct ca_queue *q = p->q;

	pthread_mutex_lock(&q->lock);
	p->rc = rc;
	if (rc < 0)
		p->e = *e;
	q->told = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

static int page_write(struct page *p, struct err *e)
{
	struct ca_queue *q = p->q;

	p->job = (struct writer_job){ .run = page_run, .done = page_done };
	writer_submit(q->conf.writer, &p->job);
	pthread_mutex_lock(&q->lock);
	while (!q->told)
		pthread_cond_wait(&q->wake, &q->lock);
	q->told = false;
	pthread_mutex_unlock(&q->lock);
	if (p->rc < 0)
		*e = p->e;
	return p->rc;
}

/* All that the CA knows of our ids, a page a commit; cut off anywhere it begins anew. */
static int take_over(struct ca_queue *q, struct err *e)
{
	struct page p = { .q = q, .begin = true };
	int64_t after = 0;
	size_t total = 0;
	int rc;

	log_error("the authorization database is older than what the CA has worked with; the node answers E51 until it has taken over "
		  "what the CA knows");
	rc = page_write(&p, e);
	p.begin = false;
	do {
		if (rc == 0)
			rc = recover_ask(&q->client, true, after, &p.a, e);
		FAULT("node.recover.asked");
		if (rc == 0)
			rc = page_write(&p, e);
		total += p.learned;
		after = p.a.next;
		ca_answer_free(&p.a);
	} while (rc == 0 && after);
	if (rc == 0)
		log_warn("taken over from the CA: %zu request ids; `handsel-node devices` shows the devices", total);
	return rc;
}

static void ask_ready(struct ca_queue *q)
{
	struct ca_answer a = {0};
	struct err e;
	int rc = recover_ask(&q->client, false, 0, &a, &e);

	if (rc == 0)
		rc = recover_judge(q->db, a.mark, &e);
	if (rc == 0)
		rc = take_over(q, &e) < 0 ? -1 : 1;
	ca_answer_free(&a);
	if (rc < 0) {
		note_failure(q, &e);
		return;
	}
	note_success(q);
	q->need_ready = false;
	FAULT("node.recovered");
	q->conf.ready(q->conf.arg);
}

/* ---- the thread ---- */
static void wait_until(struct ca_queue *q, int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	pthread_cond_timedwait(&q->wake, &q->lock, &t);
}

static bool is_stopping(struct ca_queue *q)
{
	bool stopping;

	pthread_mutex_lock(&q->lock);
	stopping = q->stopping;
	pthread_mutex_unlock(&q->lock);
	return stopping;
}

/* Until there is something to do; jobs wait for no backoff, the outbox does. */
static bool wait_for_work(struct ca_queue *q)
{
	int64_t poll = clock_mono_ms() + POLL_MS;
	bool go_on;

	if (q->need_chain || q->need_ready)
		poll = q->retry_at;
	else if (poll < q->retry_at)
		poll = q->retry_at;
	pthread_mutex_lock(&q->lock);
	while (!q->stopping && !q->first && !q->next.key && !(q->tell && clock_mono_ms() >= q->retry_at) && clock_mono_ms() < poll)
		wait_until(q, q->tell && q->retry_at ? q->retry_at : poll);
	q->tell = false;
	go_on = !q->stopping;
	pthread_mutex_unlock(&q->lock);
	return go_on;
}

static void take_rows(struct ca_queue *q)
{
	struct err e;

	if (store_outbox_next(q->db, clock_mono_ms() / 1000, q->row, LIMIT_BATCH, &q->n_rows, &e) < 0) {
		log_err(&e, "outbox");
		q->n_rows = 0;
	}
}

/* What fits beside the rows. Revocations all go first: with more of them than their share the jobs wait for one message. */
static void take_jobs(struct ca_queue *q)
{
	size_t revocations = 0;

	while (revocations < q->n_rows && q->row[revocations].kind == OUTBOX_REVOKE)
		revocations++;
	q->n_jobs = 0;
	pthread_mutex_lock(&q->lock);
	if (q->first && revocations <= OUTBOX_SHARE) {
		if (q->n_rows > OUTBOX_SHARE)
			q->n_rows = OUTBOX_SHARE;
		while (q->first && q->n_rows + q->n_jobs < LIMIT_BATCH) {
			q->job[q->n_jobs++] = q->first;
			q->first = q->first->next;
		}
		if (!q->first)
			q->last = &q->first;
	}
	pthread_mutex_unlock(&q->lock);
}

static void take_identity(struct ca_queue *q)
{
	struct node_identity next;

	pthread_mutex_lock(&q->lock);
	next = q->next;
	q->next = (struct node_identity){0};
	pthread_mutex_unlock(&q->lock);
	if (!next.key)
		return;
	ca_client_close(&q->client);
	node_identity_free(&q->own);
	q->own = next;
	q->client.key = q->own.key;
	q->need_chain = true;
	q->conf.renewed(q->conf.arg, &q->own);
}

static void *loop(void *arg)
{
	struct ca_queue *q = arg;

	while (wait_for_work(q)) {
		take_identity(q);
		if (q->need_chain && clock_mono_ms() >= q->retry_at)
			ask_chain(q);
		if (q->need_ready && clock_mono_ms() >= q->retry_at)
			ask_ready(q);
		if (q->need_ready)
			continue;
		do {
			take_identity(q);
			take_rows(q);
			take_jobs(q);
			if (q->n_rows + q->n_jobs)
				send_message(q);
		} while (q->n_rows + q->n_jobs && !q->failing && !is_stopping(q));
	}
	return NULL;
}

static int connect_ca(void *arg, struct err *e)
{
	const struct url *u = arg;

	return tcp_connect(u->host, u->port, clock_mono_ms() + CONNECT_MS, e);
}

static void init_lock(struct ca_queue *q)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->wake, &attr);
	pthread_condattr_destroy(&attr);
}

static int start_thread(struct ca_queue *q, struct err *e)
{
	int rc = pthread_create(&q->thread, NULL, loop, q);

	return rc == 0 ? 0 : err_set(e, REASON_INTERNAL, "cannot start the CA-client's thread: %s", strerror(rc));
}

struct ca_queue *ca_queue_start(const struct ca_queue_conf *conf, struct err *e)
{
	struct ca_queue *q = mem_new(1, sizeof *q);

	q->conf = *conf;
	q->url = conf->node->ca;
	q->last = &q->first;
	q->need_chain = q->need_ready = true;
	q->client = (struct ca_client){ .connect = connect_ca, .arg = &q->url, .host = q->url.host, .ca = conf->node->ca_id,
					.chain = &q->own.chain, .trust = conf->trust, .timeout_ms = CALL_MS };
	init_lock(q);
	if (node_identity_copy(&q->own, conf->own, e) < 0)
		goto fail;
	q->client.key = q->own.key;
	if (conf->chain_now)
		ask_chain(q);
	q->db = store_open(conf->db_path, e);
	if (q->db && !q->failing)
		ask_ready(q);
	if (q->db && start_thread(q, e) == 0)
		return q;
fail:
	ca_client_close(&q->client);
	node_identity_free(&q->own);
	db_close(q->db);
	free(q);
	return NULL;
}

int ca_queue_renew(struct ca_queue *q, const struct node_identity *own, struct err *e)
{
	struct node_identity next;

	if (node_identity_copy(&next, own, e) < 0)
		return -1;
	pthread_mutex_lock(&q->lock);
	node_identity_free(&q->next);
	q->next = next;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	return 0;
}

void ca_queue_ask(struct ca_queue *q, struct ca_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&q->lock);
	*q->last = job;
	q->last = &job->next;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

void ca_queue_state(struct ca_queue *q, bool *failing, size_t *waiting)
{
	pthread_mutex_lock(&q->lock);
	*waiting = 0;
	for (const struct ca_job *j = q->first; j; j = j->next)
		++*waiting;
	pthread_mutex_unlock(&q->lock);
	*failing = atomic_load(&q->failing);
}

void ca_queue_tell(struct ca_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->tell = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

void ca_queue_stop(struct ca_queue *q)
{
	struct err e;

	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	q->stopping = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	err_set(&e, REASON_CA_UNAVAILABLE, "the node is stopping; ask again");
	for (struct ca_job *j = q->first, *next; j; j = next) {
		next = j->next;
		j->done(j, NULL, &e);
	}
	ca_client_close(&q->client);
	node_identity_free(&q->own);
	node_identity_free(&q->next);
	db_close(q->db);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
