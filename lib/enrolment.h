/* enrolment.h - how a unit gets its certificate from a CA over the network: the first one by an operator's code (invite.h), each
 * further one by the one before. */
#ifndef HANDSEL_ENROLMENT_H
#define HANDSEL_ENROLMENT_H

#include "caclient.h"
#include "http.h"
#include "invite.h"
#include "unit_key.h"

/* The root that the code names, asked of whoever answers: what is not the code's root is refused with code AUTHORITY. Appends one
 * certificate to *root. ca_id NULL or "": the first CA of the system. */
int enrolment_root(const struct url *ca, const char *ca_id, const struct invite *code, struct chain *root, struct err *e);

/* The certificate of our key, by the code; the CA is verified by the root. Asked again with the same key it is the same. Appends leaf,
 * unit CA and perhaps another to *chain. */
int enrolment_enrol(const struct url *ca, const char *ca_id, const struct chain *root, const struct invite *code, const struct key *key,
		    struct chain *chain, struct err *e);

/* Two thirds of its life are over: time enough for many tries. */
bool enrolment_due(const struct cert *c, int64_t now);
/* A new certificate of that key, the client's own or its next one, over the client's session. Appends to *chain. */
int enrolment_renew(struct ca_client *client, const struct key *key, struct chain *chain, struct err *e);

/* What a unit is: dir/NAME.pem and its key. */
struct enrolment_unit {
	const struct unit_place *place;
	const char *dir, *name;
	struct key *key;
	struct chain chain;
};
/* Renews what is due: a new certificate, in a token also of a new key (unit_key.h). 1: done, *u is the new one, and so is the disk;
 * 0: not due. -1: with the reason, and all is as it was. */
int enrolment_keep(struct ca_client *client, struct enrolment_unit *u, int64_t now, struct err *e);

#endif
