/* GET /.well-known/handsel/release: doc/protocol-est.md section 9. */
#include <config.h>

#include "release.h"

#include <string.h>

#include "fault.h"
#include "log.h"
#include "server.h"

static int sign(struct db *db, const struct node_identity *own, const struct node_device *d, struct release *r, struct err *e)
{
	struct buf cms = {0};
	int rc = release_write(r, own->key, &own->chain, &cms, e);

	if (rc == 0)
		rc = store_release_add(db, d->n, r, &cms, e);
	buf_free(&cms);
	return rc;
}

int release_device(struct db *db, const char *dir, const struct node_device *d, int64_t now, struct err *e)
{
	struct node_identity own = {0};
	struct release r = { .device = d->id, .time = now };
	int rc = store_release_next(db, d->n, &r, e);

	if (rc == 1 && node_identity_load(&own, dir, NODE_OWN, NODE_OWN, e) < 0)
		rc = -1;
	while (rc == 1) {
		rc = sign(db, &own, d, &r, e);
		if (rc == 0)
			rc = store_release_next(db, d->n, &r, e);
	}
	node_identity_free(&own);
	return rc;
}

void release_answer(struct server *s, struct http_req *r, const struct rules_peer *id)
{
	uint8_t certificate[SHA256_LEN];
	struct buf cms = {0};
	struct err e;
	int rc = 0;

	FAULT("node.release.asked");
	if (text_unhex(certificate, SHA256_LEN, http_header(r, RELEASE_HEADER)) < 0) {
		err_set(&e, REASON_REQUEST, "protocol-est 9.1: the header " RELEASE_HEADER " is no SHA-256 in hex");
		answer_error(s, r, &e);
		return;
	}
	pthread_mutex_lock(&s->lock);
	rc = store_release_get(s->reader, certificate, &cms, &e);
	pthread_mutex_unlock(&s->lock);
	if (rc < 0) {
		log_err(&e, "%s", http_remote(r));
		answer_error(s, r, &e);
	} else if (rc == 0) {
		err_set(&e, REASON_ONBOARDED, "protocol-est 9.2: this certificate was not released");
		answer_absent(s, r, &e);
	} else if (FAULT_LOSE("node.release.answer")) {
		answer_send(s, r, 0, "", "", "", 0);
	} else {
		answer_send(s, r, 200, RELEASE_TYPE, "", cms.data, cms.len);
	}
	buf_free(&cms);
}
