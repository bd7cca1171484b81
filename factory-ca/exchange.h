/* exchange.h - one message and its answers: checks in the server's thread, decisions in the writer's, one reply. */
#ifndef HANDSEL_EXCHANGE_H
#define HANDSEL_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "authority.h"
#include "camsg.h"
#include "factories.h"
#include "httpd.h"
#include "policy.h"
#include "readers.h"
#include "rules.h"
#include "signer.h"
#include "writer.h"

/* What the server's threads share. */
struct desk {
	struct settings settings;	/* but for pending_s as it was at start */
	struct authority ca;
	struct readers *readers;
	struct factories *factories;	/* customer: whose devices are known */
	struct writer *writer;
	pthread_rwlock_t lock;		/* of profile and pending_s: a reload writes */
	struct profile profile;
	int64_t pending_s;
	const char *record;		/* folder, or NULL */
	atomic_uint records;
	/* the writer's thread alone: */
	struct job **signing;		/* reserved in this batch */
	size_t n_signing, room;
	bool again;			/* the batch was cut because of one: the others are taken once more */
};

int64_t desk_tick_s(const struct desk *d);	/* how often pending time is counted; 0: never */

struct peer {
	enum role role;
	char unit[UNIT_MAX];		/* "station:line-2"; "" for a device */
	char certificate[2 * CERT_SERIAL_MAX + 1];	/* its serial number; "" for a device */
	uint8_t sha256[SHA256_LEN];	/* of the certificate */
	int64_t not_after;
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
	struct csr csr;			/* issue, likewise the rest */
	struct ticket ticket;
	const struct work_order *order;
	struct issue issue;
	struct sign_item item;
	int64_t row;
};

/* Takes the request over: exactly one http_reply() follows. */
void exchange_run(struct desk *d, struct http_req *r, const struct peer *peer);

/* An answer to the message as a whole (doc/protocol-ca.md 1.5). */
void exchange_refuse(struct http_req *r, int status, const struct err *e);

#endif
