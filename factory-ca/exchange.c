#include <config.h>

#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "acts.h"
#include "check.h"
#include "clock.h"
#include "fault.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "units.h"

struct exchange {
	struct desks *all;
	struct desk *d;
	struct http_req *r;
	struct ca_message *m;
	struct ca_reply *reply;
	struct job *jobs;
	struct err *bad[LIMIT_BATCH];
	atomic_size_t left;		/* jobs without answer, and one for the checks */
	atomic_bool recovering;		/* a job met it: the message is answered as a whole; likewise the next */
	atomic_bool revoked;
	char unit[UNIT_MAX], certificate[2 * CERT_SERIAL_MAX + 1];	/* who asks; "" = a device */
	unsigned record;
};

static const char unavailable[] = "the CA cannot work now; nothing is lost, ask again with the same request id";

static const char recovering[] = "the CA recovers from a backup and issues nothing until an operator has reconciled it; nothing is lost,"
				 " ask again with the same request id";

size_t exchange_count(const struct exchange *x)
{
	return x->m->n;
}

/* ---- record ---- */
static void record(const struct desks *all, unsigned number, const char *what, const void *data, size_t len)
{
	char path[FILE_PATH];
	struct err e;

	if (!all->record)
		return;
	snprintf(path, sizeof path, "%s/%06u-%s.xml", all->record, number, what);
	if (file_replace(path, data, len, 0600, &e) < 0)
		log_err(&e, "record");
}

/* ---- reply ---- */
void exchange_refuse(struct http_req *r, int status, const struct err *e)
{
	char extra[64], body[sizeof e->text + 1];

	snprintf(extra, sizeof extra, "Handsel-Reason: %s\r\n%s", reason_id(e->code),
		 status == 503 ? "Retry-After: " RETRY_AFTER_TEXT "\r\n" : "");
	snprintf(body, sizeof body, "%s\n", e->text);
	http_reply(r, status, "text/plain; charset=utf-8", extra, body, strlen(body));
}

static void exchange_free(struct exchange *x)
{
	for (size_t i = 0; i < x->m->n; i++) {
		acts_free(&x->jobs[i]);
		csr_free(&x->jobs[i].csr);
		buf_free(&x->jobs[i].item.der);
		buf_free(&x->jobs[i].item.encrypted_key);
		reservation_free(&x->jobs[i].reserved);
		free(x->bad[i]);
	}
	ca_message_free(x->m);
	ca_reply_free(x->reply);
	free(x->jobs);
	free(x);
}

static void answer_revoked(struct exchange *x)
{
	struct err e;

	err_set(&e, REASON_ROLE, "the certificate of %s was revoked; \"handsel-ca unit issue\" gives a new one", x->unit);
	log_info("%s: refused: %s %s", http_remote(x->r), reason_id(e.code), e.text);
	exchange_refuse(x->r, 403, &e);
}

static void answer(struct exchange *x)
{
	struct buf xml = {0};
	struct err lost;

	/* protocol-ca 5.7: a refusal names its request where that could be read */
	for (size_t i = 0; i < x->m->n; i++)
		if (x->reply->answer[i].result == CA_REFUSED && request_id_valid(&x->m->request[i].request))
			x->reply->answer[i].request = x->m->request[i].request;
	if (*x->unit)
		desk_head(x->d, &x->reply->audit);
	meter_answers(&x->d->meter, x->m, x->reply);
	ca_reply_write(x->reply, &xml);
	record(x->all, x->record, "answer", xml.data, xml.len);
	if (atomic_load(&x->recovering)) {
		err_set(&lost, REASON_CA_UNAVAILABLE, "%s", recovering);
		exchange_refuse(x->r, 503, &lost);
	} else if (FAULT_LOSE("front.answer")) {
		err_set(&lost, REASON_CA_UNAVAILABLE, "the answer was lost");
		exchange_refuse(x->r, 503, &lost);
	} else {
		http_reply(x->r, 200, CA_TYPE, "", xml.data, xml.len);
	}
	FAULT("front.answered");
	buf_free(&xml);
}

static void exchange_finish(struct exchange *x)
{
	if (atomic_load(&x->revoked))
		answer_revoked(x);
	else
		answer(x);
	exchange_free(x);
}

static void exchange_less(struct exchange *x)
{
	if (atomic_fetch_sub(&x->left, 1) == 1)
		exchange_finish(x);
}

/* ---- in the writer's thread ---- */
static int sign_later(struct desk *d, struct job *job)
{
	if (d->n_signing == d->room) {
		d->room += LIMIT_BATCH;
		d->signing = mem_grow(d->signing, d->room, sizeof *d->signing);
	}
	d->signing[d->n_signing++] = job;
	return 0;
}

/* 1: the certificate of the unit that asks is revoked. Asked where the answer holds until the commit; once a batch for each unit. */
static int unit_revoked(struct job *job, struct db *db, struct err *e)
{
	struct desk *d = job->x->d;
	int rc;

	if (!*job->x->certificate || strcmp(d->welcome, job->x->certificate) == 0)
		return 0;
	rc = ledger_unit_revoked(db, job->x->certificate, e);
	if (rc == 0)
		memcpy(d->welcome, job->x->certificate, sizeof d->welcome);
	return rc;
}

/* The ledger does not know yet what the batch has reserved: whatever else is about that device or that id comes after it. */
static bool comes_after(const struct desk *d, const struct job *job)
{
	const struct device_id *device = job->rq->kind == CA_ISSUE ? &job->issue.device : &job->rq->device;

	if (d->n_signing && acts_touch_devices(job))
		return true;
	for (size_t i = 0; i < d->n_signing; i++) {
		const struct issue *before = &d->signing[i]->issue;

		if (strcmp(before->id.id, job->rq->request.id) == 0 || device_same(&before->device, device))
			return true;
	}
	return false;
}

static int job_run(struct writer_job *w, struct db *db, struct err *e)
{
	struct job *job = (struct job *)w;
	const char *unit = *job->unit ? job->unit : NULL;
	int rc;

	if (job->probe)
		return 0;
	rc = unit_revoked(job, db, e);
	if (rc != 0) {
		atomic_store(&job->x->revoked, rc == 1);
		return rc < 0 ? -1 : 0;
	}
	if (job->decided)
		return request_refused(db, job->rules.now, unit ? unit : "device", job->rq, job->a, e);
	job->later = comes_after(job->x->d, job);
	if (job->later)
		return err_set(e, REASON_CA_UNAVAILABLE, "another request of this device is under way");
	if (job->x->m->mark[0] && unit && ledger_mark_put(db, unit, job->x->m->mark, e) < 0)
		return -1;
	switch (job->rq->kind) {
	case CA_ISSUE:
		rc = request_issue(db, &job->rules, job->unit, &job->issue, job->a, &job->reserved, e);
		return rc == 1 ? sign_later(job->x->d, job) : rc;
	case CA_CONFIRM:
		return request_confirm(db, &job->rules, unit, job->rq, job->a, e);
	case CA_REVOKE:
		return request_revoke(db, &job->rules, job->unit, job->rq, job->a, e);
	case CA_ENROL:
		return units_enrol(job->x->d, db, job, e);
	case CA_RENEW:
		return units_renew(job->x->d, db, job, e);
	case CA_ACT:
	case CA_APPROVE:
		return acts_run(job->x->d, db, job, e);
	default:
		return err_set(e, REASON_INTERNAL, "a request that only reads came to the writer");
	}
}

/* What a batch that was rolled back has left in the answer. */
static void job_reset(struct job *job)
{
	if (!job->decided) {
		ca_answer_free(job->a);
		*job->a = (struct ca_answer){0};
	}
	buf_free(&job->item.der);
	buf_free(&job->item.encrypted_key);
}

static void job_done(struct writer_job *w, int rc, const struct err *e)
{
	struct job *job = (struct job *)w;
	struct exchange *x = job->x;

	if (rc < 0 && (x->d->again || job->later)) {
		job->later = false;
		job_reset(job);
		writer_again(x->d->writer, w);
		return;
	}
	if (job->probe) {
		atomic_store(&x->recovering, true);
	} else if (rc == 0) {
		if (job->item.der.len)
			atomic_fetch_add(&x->d->meter.issued, 1);
		FAULT("commit.after");
		if (job->a->result == CA_CONFIRMED)
			FAULT("confirm.committed");
	} else {
		if (atomic_load(&x->d->recovering))
			atomic_store(&x->recovering, true);
		else
			log_err(e, "request %s", job->rq->request.id);
		job->decided = false;
		job_reset(job);
		ca_refuse(job->a, REASON_CA_UNAVAILABLE, unavailable);
	}
	exchange_less(x);
}

/* ---- in the server's thread ---- */
static bool only_reads(enum ca_kind kind)
{
	return kind == CA_CERTIFICATES || kind == CA_WORK_ORDER || kind == CA_QUERY;
}

/* While the CA recovers its ledger is no basis for an answer about any request id. */
static bool must_wait(struct exchange *x, const struct ca_request *rq)
{
	return atomic_load(&x->d->recovering) && !only_reads(rq->kind);
}

/* Nothing is signed that nobody could verify, and nothing written that may be lost with the ledger. */
static int can_do(const struct desk *d, enum ca_kind kind, struct err *e)
{
	if ((kind == CA_ISSUE || kind == CA_ENROL || kind == CA_RENEW) && desk_dates(d, false, e) < 0)
		return -1;
	return !only_reads(kind) && readers_damaged(d->readers, e) ? -1 : 0;
}

/* No fault of who asks, and no word on it in the audit: he comes again. */
static void put_off(struct job *job, const struct err *e)
{
	log_err(e, "request %s", job->rq->request.id);
	ca_refuse(job->a, REASON_CA_UNAVAILABLE, unavailable);
}

static void job_submit(struct job *job)
{
	atomic_fetch_add(&job->x->left, 1);
	FAULT("front.checked");
	writer_submit(job->x->d->writer, &job->w);
}

static void job_prepare(struct exchange *x, size_t i, const struct peer *peer, int64_t now)
{
	struct job *job = &x->jobs[i];
	struct err e = {0};
	bool audit = peer->role != ROLE_DEVICE;
	int rc;

	*job = (struct job){ .w = { .run = job_run, .done = job_done },
			      .x = x,
			      .rq = &x->m->request[i],
			      .a = &x->reply->answer[i],
			      .rules.now = now };
	snprintf(job->unit, sizeof job->unit, "%s", peer->unit);
	job->probe = !x->bad[i] && must_wait(x, job->rq);
	if (job->probe) {
		job_submit(job);
		return;
	}
	if (!x->bad[i] && can_do(x->d, job->rq->kind, &e) < 0) {
		put_off(job, &e);
		return;
	}
	if (x->bad[i]) {
		e = *x->bad[i];
		rc = -1;
	} else {
		rc = check_request(x->d, peer, x->r, job, &audit, &e);
	}
	if (rc == CHECK_REVOKED) {
		atomic_store(&x->revoked, true);
		return;
	}
	if (rc < 0) {
		ca_answer_free(job->a);
		*job->a = (struct ca_answer){0};
		if (e.code == REASON_STORAGE) {
			put_off(job, &e);
			return;
		}
		ca_refuse(job->a, e.code, e.text);
		log_info("%s %s: refused: %s %s", *job->unit ? job->unit : http_remote(x->r), job->rq->request.id,
			 reason_id(e.code), e.text);
		job->decided = true;
	}
	if (rc == 1 || (rc < 0 && audit))
		job_submit(job);
}

static struct desk *named(const struct desks *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->of[i]->settings.id, id) == 0)
			return all->of[i];
	return NULL;
}

static struct desk *asked_in_handshake(const struct desks *all, const struct http_req *r)
{
	char name[128];

	http_sni(r, name);
	for (size_t i = 1; i < all->n; i++)
		if (strcasecmp(all->of[i]->sni, name) == 0)
			return all->of[i];
	return all->of[0];
}

/* protocol-ca 3.7. NULL: refused, code REQUEST or ROLE. */
static struct desk *desk_of(const struct desks *all, const struct http_req *r, const struct peer *peer, const char *ca,
			    struct err *e)
{
	struct desk *d = *ca ? named(all, ca) : peer->desk ? peer->desk : asked_in_handshake(all, r);

	if (!d)
		err_set(e, REASON_REQUEST, "protocol-ca 3.7: there is no CA \"%s\" here", ca);
	else if (peer->desk && peer->desk != d)
		err_set(e, REASON_ROLE, "protocol-ca 3.7: %s is a unit of the CA \"%s\" and may ask no other", peer->unit,
			peer->desk->settings.id);
	else
		return d;
	return NULL;
}

/* What would wait so long that its client is gone by then is not let in. */
static int crowded(struct desk *d, struct err *e)
{
	struct writer_state s;

	writer_state(d->writer, &s);
	return s.waiting < LIMIT_QUEUE ? 0 : err_set(e, REASON_CA_UNAVAILABLE, "too many requests wait; nothing was done, ask again later");
}

/* *d: the CA that it is for. */
static struct ca_message *message_read(struct desks *all, struct http_req *r, const struct peer *peer, struct err **bad,
				       struct desk **d)
{
	const struct buf *body = http_body(r);
	struct ca_message *m = ca_message_new(0);
	struct err e;
	int rc = ca_message_read(m, bad, body->data, body->len, policy_max_body(peer->role), &e);

	if (rc == 0 && (!(*d = desk_of(all, r, peer, m->ca, &e)) || crowded(*d, &e) < 0)) {
		rc = -1;
		for (size_t i = 0; i < m->n; i++)
			free(bad[i]);
	}
	if (rc == 0)
		return m;
	log_info("%s %s: %s", http_remote(r), *peer->unit ? peer->unit : "device", e.text);
	exchange_refuse(r, e.code == REASON_ROLE ? 403 : e.code == REASON_CA_UNAVAILABLE ? 503 : 400, &e);
	ca_message_free(m);
	return NULL;
}

void exchange_run(struct desks *all, struct http_req *r, const struct peer *peer)
{
	const struct peer who = *peer;	/* the connection may end before the last job is submitted */
	struct exchange *x = mem_new(1, sizeof *x);
	int64_t now = clock_utc();
	size_t n;

	FAULT("front.received");
	x->m = message_read(all, r, &who, x->bad, &x->d);
	if (!x->m) {
		free(x);
		return;
	}
	x->all = all;
	x->r = r;
	snprintf(x->unit, sizeof x->unit, "%s", who.unit);
	snprintf(x->certificate, sizeof x->certificate, "%s", who.certificate);
	x->record = atomic_fetch_add(&all->records, 1) + 1;
	record(all, x->record, "request", http_body(r)->data, http_body(r)->len);
	n = x->m->n;
	x->reply = ca_reply_new(n);
	x->jobs = mem_new(n, sizeof *x->jobs);
	atomic_init(&x->left, 1);
	for (size_t i = 0; i < n; i++)
		job_prepare(x, i, &who, now);
	exchange_less(x);
}
