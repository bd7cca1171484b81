/* enrol.h - the device's side of EST (RFC 7030, RFC 8951) and of the confirm at a customer node (doc/protocol-est.md). */
#ifndef HANDSEL_ENROL_H
#define HANDSEL_ENROL_H

#include "node.h"

enum enrol_result {
	ENROL_DONE,	/* certificate received, or confirmed */
	ENROL_DEAD,	/* the request id is dead; go on above `generation` */
	ENROL_AGAIN,	/* not now: once more after retry_s, with the same id */
	ENROL_REFUSED,	/* by policy, or the answer is not usable: why */
};

struct enrol_answer {
	enum enrol_result result;
	struct chain chain;		/* DONE: what a certs-only answer held */
	struct buf encrypted_key;	/* DONE: what came with it of serverkeygen; else empty */
	uint32_t generation;		/* DEAD: the highest one that the node knows */
	uint32_t retry_s;		/* AGAIN */
	struct err why;			/* AGAIN, REFUSED */
};

#define ENROL_RETRY_MAX_S 3600		/* a node that names more is not obeyed: the device asks again */

void enrol_answer_free(struct enrol_answer *a);

/* What an HTTP answer to an EST request says; never fails: what makes no sense is REFUSED with code REQUEST. */
void enrol_answer_read(struct enrol_answer *out, const struct http_answer *a);

/* cacerts, then simpleenroll, or under a customer credential simplereenroll, for c (a prepared request); DONE: chain and root of
 * c are filled and verified. */
void enrol_request(struct node *n, struct credential *c, const struct device_id *device, struct enrol_answer *out);

/* POST /.well-known/handsel/confirm. */
void enrol_confirm(struct node *n, const struct credential *c, struct enrol_answer *out);

/* From the node's CA certificates: the root that the leaf in c stands under, and the way to it. */
int enrol_build_chain(struct credential *c, const struct chain *cas, const struct device_id *device, int64_t now,
		      struct err *e);

/* May a device whose credential in force is `own` take c, whose root is filled in? At its first onboarding any root that its node
 * gives; at a renewal its own, or one to which roots' certificates by others among cas lead from its own (cross.h). Code AUTHORITY. */
int enrol_check_root(const struct credential *own, const struct credential *c, const struct chain *cas, int64_t now, struct err *e);

#endif
