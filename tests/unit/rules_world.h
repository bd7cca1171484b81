/* rules_world.h - a ledger with its rules in a scratch folder, and steps that are played against it. */
#ifndef HANDSEL_RULES_WORLD_H
#define HANDSEL_RULES_WORLD_H

#include <string.h>

#include "ledger_list.h"
#include "mem.h"
#include "rules.h"
#include "unit.h"

#define START 1800000000	/* the tests' own time */
#define PENDING 900
#define KEYS 8
#define L1 "station:line-1"
#define L2 "station:line-2"
#define N1 "node:site-1"
#define N2 "node:site-2"

extern char *folder;
extern struct buf spki[KEYS];
extern struct cert ca_cert;			/* by which what is issued is certified */

void test_keys(void);				/* the first test of each program: makes folder, keys and CA */
void test_clean(void);				/* the last one: removes them */

struct world {
	struct db *db;
	struct rules rules;
	struct work_order order;
	struct buf last;		/* the certificate that was answered last */
};
void world_open(struct world *w, enum site site, uint32_t quota);	/* in a factory with the orders WO-1, which w has, and WO-2 of one unit */
void world_close(struct world *w);					/* its audit holds */
void order_add(struct world *w, const char *id, uint32_t quota);
struct request_id make_id(char c, uint32_t generation);
void make_cert(struct buf *der, const struct buf *key);

enum op {
	ISSUE,
	ISSUE_WO2,
	ISSUE_LATE_TICKET,
	ISSUE_OTHER_MODEL,
	ISSUE_NO_ORDER,
	RENEW,		/* of id a */
	CONFIRM,
	CONFIRM_OTHER,
	REVOKE,
	STATUS,
	PASS,
	CLOSE,
	COMPROMISE,
	OPERATOR,
	REWORK,		/* result: done */
	TAKEOVER,	/* for unit; result: done */
	TOLD,		/* unit and id: taken by the unit of `from` */
	USED
};

struct step {
	enum op op;
	const char *unit, *serial;
	char id;
	uint32_t generation;
	int key;		/* PASS: seconds; USED: units */
	int result;		/* enum ca_result; STATUS: enum ca_state; PASS: lapsed */
	int detail;		/* refused: reason; dead: highest generation */
	const char *by, *from;	/* TOLD */
};
int do_issue(struct world *w, const struct step *s, struct ca_answer *a, struct err *e);
/* Each in a transaction of its own; its answer must be the step's, and a refusal changes nothing. */
void play(struct world *w, const struct step *steps, size_t n);

#define PLAY(site, quota, ...)                                            \
	do {                                                              \
		static const struct step steps[] = { __VA_ARGS__ };      \
		struct world w;                                           \
		world_open(&w, site, quota);                              \
		play(&w, steps, ARRAY_LEN(steps));                        \
		world_close(&w);                                          \
	} while (0)

#endif
