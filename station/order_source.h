/* order_source.h - the signed work order, fetched from the CA and verified here. */
#ifndef HANDSEL_ORDER_SOURCE_H
#define HANDSEL_ORDER_SOURCE_H

#include "documents.h"
#include "profile.h"
#include "station.h"

struct order_source {
	struct work_order order;
	uint32_t ordered, done;		/* as the CA counts */
};

/* Codes: those of the CA, ORDER if the order is not for this station or not in force. */
int order_fetch(struct order_source *o, const struct station *s, const char *id, struct err *e);

/* The order is for that model, and names that agent. */
int order_fits(const struct work_order *o, const struct model *m, const uint8_t agent_sha256[SHA256_LEN],
	       struct err *e);

#endif
