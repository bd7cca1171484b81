/* signer_world.h - signers in threads, each with the raw end of its channel, over a factory CA and a customer's CA in a scratch folder. */
#ifndef HANDSEL_SIGNER_WORLD_H
#define HANDSEL_SIGNER_WORLD_H

#include <pthread.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "mem.h"
#include "oid.h"
#include "pack.h"
#include "signer_build.h"
#include "signer_count.h"
#include "signer_serve.h"
#include "unit.h"

extern const struct request_id request;
extern const struct ceremony_terms no_terms;
extern const struct key_homes plain;
extern char *folder;				/* of both */
extern char factory[FILE_PATH], customer[FILE_PATH];

void test_init(void);				/* the first test of each program: makes both CAs */
void test_end(void);				/* the last one: removes them */

struct side {
	pthread_t thread;
	const char *dir, *ca;			/* ca: which of the system is asked */
	enum signer_purpose purpose;
	int fd, theirs, rc;
	struct err e;				/* of rc */
};
void side_begin(struct side *s, const char *dir, enum signer_purpose purpose);	/* with its greeting */
uint32_t side_ask(struct side *s, uint32_t type, const struct buf *question, struct buf *answer);	/* 0: it has ended */
int side_end(struct side *s);			/* what signer_serve() returned */

void new_spki(struct buf *spki);
/* The operator's chain is made by the signer as init does it. */
void make_operator(const char *dir, struct key **key, struct chain *chain);
void order_fill(struct work_order *o, const char *id, uint32_t quota, uint32_t scrap);
void write_order(struct work_order *o, struct buf *cms);	/* by an operator of the factory */
uint32_t show_order(struct side *s, const struct buf *cms);
/* One item: the reason of its refusal, OK with *der and *encrypted (each may be NULL), or -1: the signer has ended. */
int side_item(struct side *s, const struct sign_item *item, struct buf *der, struct buf *encrypted);
int side_sign(struct side *s, const char *order, const char *model, const char *serial, const struct buf *spki,
	      const struct ca_params *params, struct buf *der);

#endif
