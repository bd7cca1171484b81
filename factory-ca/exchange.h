/* exchange.h - one message and its answers: checks in the server's thread, decisions in the writer's, one reply. */
#ifndef HANDSEL_EXCHANGE_H
#define HANDSEL_EXCHANGE_H

#include <stdatomic.h>

#include "camsg.h"
#include "desk.h"
#include "httpd.h"
#include "policy.h"
#include "rules.h"

/* The CAs of the system. */
struct desks {
	struct desk *of[LIMIT_CAS];	/* the first is for those who name none */
	size_t n;
	const char *record;		/* folder, or NULL */
	atomic_uint records;
};

struct peer {
	enum role role;
	struct desk *desk;		/* whose unit it is; NULL: a device, or not welcome */
	char unit[UNIT_MAX];		/* "station:line-2"; "" for a device */
	char certificate[2 * CERT_SERIAL_MAX + 1];	/* its serial number; "" for a device */
	uint8_t sha256[SHA256_LEN];	/* of the certificate */
	int64_t not_after;
	unsigned functions;		/* of an operator (functions.h) */
	struct err refused;		/* code OK: welcome */
};

struct exchange;

struct job {
	struct writer_job w;		/* first */
	struct exchange *x;
	const struct ca_request *rq;
	struct ca_answer *a;
	struct rules rules;
	char unit[UNIT_MAX];
	bool decided;			/* refused before the transaction: only the audit is left to write */
	bool probe;			/* the CA recovers: nothing but whether it still does */
	bool later;			/* what it is about waits for its signature in this batch: it goes into the next */
	struct action *action;		/* act: verified; free it whole */
	struct approval *approval;	/* approve, likewise */
	struct csr csr;			/* issue, likewise the rest */
	struct ticket ticket;
	const struct work_order *order;
	struct issue issue;
	struct sign_item item;
	struct reservation reserved;
};

size_t exchange_count(const struct exchange *x);	/* of requests in the message */

/* Takes the request over: exactly one http_reply() follows. */
void exchange_run(struct desks *all, struct http_req *r, const struct peer *peer);

/* An answer to the message as a whole (doc/protocol-ca.md 1.5). */
void exchange_refuse(struct http_req *r, int status, const struct err *e);

#endif
