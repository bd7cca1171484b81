/* meter.h - counts of what a CA answered, from any thread. */
#ifndef HANDSEL_CA_METER_H
#define HANDSEL_CA_METER_H

#include <stdatomic.h>

#include "camsg.h"

#define METER_KINDS CA_KINDS
#define METER_CODES 100		/* a reason code has two digits */

struct meter {
	atomic_uint_least64_t answer[METER_KINDS][METER_CODES];	/* code 0: it was done */
	atomic_uint_least64_t issued;	/* certificates that the signer has made, without repeated answers */
	atomic_uint_least64_t ocsp_asked, ocsp_ahead;	/* OCSP answers that were signed when somebody asked, and before */
};

static inline void meter_answers(struct meter *m, const struct ca_message *message, const struct ca_reply *reply)
{
	for (size_t i = 0; i < message->n; i++) {
		const struct ca_answer *a = &reply->answer[i];
		unsigned code = a->result == CA_REFUSED ? (unsigned)a->code : 0;

		atomic_fetch_add_explicit(&m->answer[message->request[i].kind][code < METER_CODES ? code : 0], 1, memory_order_relaxed);
	}
}

#endif
