/* standing.h - how the CA sees a request of this station: the word of the CA, not of the device. */
#ifndef HANDSEL_STANDING_H
#define HANDSEL_STANDING_H

#include <pthread.h>

#include "caclient.h"
#include "station.h"

/* One connection for all slots of a run. */
struct standing {
	pthread_mutex_t lock;
	struct url url;
	struct ca_client client;
};

void standing_init(struct standing *s, const struct station *st);	/* st must outlive it */
void standing_close(struct standing *s);

/* The state of a request id, and by an operator's takeover the station that has its serial now, or had it before ("" = none).
 * Codes of ca_client_call(), and what the CA refuses with. */
struct standing_of {
	enum ca_state state;
	char taken_by[LIMIT_NAME + 1], taken_from[LIMIT_NAME + 1];
	struct audit_head audit;	/* of the CA when it answered; at.n 0: it has none */
};
int standing_ask(struct standing *s, const struct request_id *id, struct standing_of *out, struct err *e);

/* Gives up a request that is pending, so that its unit goes back to the order. One that is dead already stays dead; ROLE: it is active. */
int standing_revoke(struct standing *s, const struct request_id *id, struct err *e);

#endif
