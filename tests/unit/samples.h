/* samples.h - a small PKI and one of each message and document, for the tests of the formats. */
#ifndef HANDSEL_SAMPLES_H
#define HANDSEL_SAMPLES_H

#include "action.h"
#include "camsg.h"
#include "documents.h"

struct sample_unit {
	struct key *key;
	struct chain chain;		/* leaf, unit CA */
};

struct samples {
	struct key *root_key, *unit_ca_key;
	struct chain root;		/* the root alone */
	struct chain factory;		/* unit CA, root */
	struct sample_unit operator, station, node, ca;
	struct trust *trust;
};

void samples_make(struct samples *s);		/* exits if the PKI cannot be made */
void samples_free(struct samples *s);

struct ca_message *sample_message(void);	/* each kind of request, each field of it; ca_message_free() */
struct ca_message *sample_message_least(void);	/* each kind with what is required alone */
void sample_head(struct audit_head *h);
struct ca_reply *sample_reply(const struct samples *s);	/* each kind of answer; ca_reply_free() */

void sample_order(struct work_order *o);
void sample_ticket(struct ticket *t);
void sample_release(struct release *r);
void sample_handoff(struct handoff *h, const struct samples *s);	/* handoff_free() */
void sample_invitation(struct invitation *v);
void sample_action(struct action *a);
void sample_approval(struct approval *a);
void sample_voucher(struct voucher *v);
void sample_manifest(struct manifest *m, size_t devices);		/* manifest_free() */

#endif
