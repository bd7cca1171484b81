/* GET /.well-known/handsel/voucher: whose the device is, in the manufacturer's words (doc/protocol-est.md section 7). */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "authz.h"
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "server.h"

/* A refusal, on its way into the records. */
struct ask {
	struct writer_job job;		/* first: the writer gives it back */
	struct server *s;
	struct http_req *r;
	struct rules_peer peer;
	struct err why;
};

static int run(struct writer_job *job, struct db *db, struct err *e)
{
	struct ask *x = (struct ask *)job;

	return rules_refused(db, &x->peer, &x->why, clock_utc(), e);
}

static void done(struct writer_job *job, int rc, const struct err *e)
{
	struct ask *x = (struct ask *)job;

	if (rc < 0)
		log_err(e, "device=%s", x->peer.device.serial);
	answer_error(x->s, x->r, rc < 0 ? e : &x->why);
	free(x);
}

/* 1: *cms is it, 0: why not. What has been begun here may be ended, also if the device has left the list meanwhile. */
static int find(struct db *db, const struct rules_peer *id, const struct crl_word *crl, struct buf *cms, struct err *why, struct err *e)
{
	struct node_device dev;
	int rc = store_device_get(db, &id->device, &dev, e);

	if (rc >= 0)
		rc = authz_blocked(db, &dev, why, e);
	if (rc == 1 && !id->customer && !dev.active[0] && !dev.pending[0])
		rc = authz_listed(db, &id->device, id->certificate, crl, clock_utc(), why, e);
	if (rc != 1)
		return rc;
	if (store_voucher_get(db, &id->device, cms, e) < 0)
		return -1;
	if (cms->len)
		return 1;
	err_set(why, REASON_VOUCHER, "no imported manifest has a voucher for device %s; ask the manufacturer for a manifest with "
		"vouchers and import it", id->device.serial);
	return 0;
}

void voucher_get(struct server *s, struct http_req *r, const struct rules_peer *id)
{
	struct buf cms = {0};
	struct err why, e;
	struct crl_word crl;
	struct ask *x;
	int rc;

	FAULT("node.voucher");
	server_crl(s, r, &crl);
	pthread_mutex_lock(&s->lock);
	rc = find(s->reader, id, &crl, &cms, &why, &e);
	pthread_mutex_unlock(&s->lock);
	if (rc == 1) {
		answer_send(s, r, 200, "application/cms", "", cms.data, cms.len);
	} else if (rc < 0) {
		log_err(&e, "device=%s", id->device.serial);
		answer_error(s, r, &e);
	} else {
		x = mem_new(1, sizeof *x);
		*x = (struct ask){ .job = { .run = run, .done = done }, .s = s, .r = r, .peer = *id, .why = why };
		writer_submit(s->writer, &x->job);
	}
	buf_free(&cms);
}
