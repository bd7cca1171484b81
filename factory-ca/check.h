/* check.h - what of a request can be judged without the ledger's transaction: signatures, ticket, parameters. */
#ifndef HANDSEL_CHECK_H
#define HANDSEL_CHECK_H

#include "exchange.h"

/* Fills in what the transaction needs. 1: submit it, 0: *answered, -1: refuse with e; *audit: the refusal is worth
 * a row; CHECK_REVOKED: the unit's certificate was revoked. That is asked here only of what is not submitted. */
#define CHECK_REVOKED 2
int check_request(struct desk *d, const struct peer *peer, struct http_req *r, struct job *job, bool *audit,
		  struct err *e);

#endif
