/* ca_queue.h - the node's CA-client (H11): what gathered while the last message was under way goes as one message of up to
 * LIMIT_BATCH; and the outbox, which tells the CA of confirmations and revocations for as long as it takes. */
#ifndef HANDSEL_NODE_CA_QUEUE_H
#define HANDSEL_NODE_CA_QUEUE_H

#include "camsg.h"
#include "node.h"
#include "writer.h"

struct ca_queue;

struct ca_queue_conf {
	const struct node_conf *node;
	const struct node_identity *own;	/* copied */
	struct trust *trust;		/* the customer's root */
	const char *db_path;		/* a reader of its own */
	struct writer *writer;
	/* The CA's certificates, asked for once a start, until they come. In the queue's thread; with chain_now first, and only
	 * if the CA answers at once, within ca_queue_start(). */
	bool chain_now;
	void (*chain)(void *arg, const struct chain *cas);
	/* The database is what the CA has worked with, or has become so (recover.h); until then nothing is told to the CA. At once
	 * within ca_queue_start(), if the CA answers, else in the queue's thread. */
	void (*ready)(void *arg);
	/* The CA sees that certificate from here on, see ca_queue_renew(). In the queue's thread. */
	void (*renewed)(void *arg, const struct node_identity *own);
	void *arg;
};
struct ca_queue *ca_queue_start(const struct ca_queue_conf *conf, struct err *e);

/* a NULL: nothing came back, see e; the CA may have carried it out. In the queue's thread; *a is borrowed. */
struct ca_job {
	struct ca_job *next;		/* the queue's */
	enum ca_kind kind;		/* CA_ISSUE, or CA_STATUS: of `request` alone */
	struct device_id device;
	struct request_id request;
	char renews[REQUEST_ID_LEN + 1];	/* "" = nothing */
	const struct buf *csr;
	const struct buf *transport_key;	/* instead of csr: the CA makes the key; else NULL */
	const struct ca_endorsement *endorsement;	/* without a signature: a plain client */
	void (*done)(struct ca_job *job, const struct ca_answer *a, const struct err *e);
};
void ca_queue_ask(struct ca_queue *q, struct ca_job *job);
void ca_queue_tell(struct ca_queue *q);		/* there is something new in the outbox */
void ca_queue_state(struct ca_queue *q, bool *failing, size_t *waiting);	/* did the CA not answer last time? requests not yet sent */
/* Our next certificate: from the next message on, on a new connection, and over it the CA's chain is asked for once more. Copied. */
int ca_queue_renew(struct ca_queue *q, const struct node_identity *own, struct err *e);
void ca_queue_stop(struct ca_queue *q);		/* jobs left are done with an error */

#endif
