/* trust_world.h - one world (crypto_world.h) for the tests of chains, and what judges a chain in it. */
#ifndef HANDSEL_TRUST_WORLD_H
#define HANDSEL_TRUST_WORLD_H

#include <stdio.h>
#include <string.h>

#include "crypto_world.h"
#include "oid.h"
#include "unit.h"

extern struct world *w;

void test_begin(void);				/* the first test of each program */
void test_end(void);				/* the last one */

/* Verifies {leaf, above...} afresh: with a trust that has seen nothing but the root. Frees no certificate. */
int judge_all(const struct trust_rule *rule, struct err *e, const struct cert *const *list);
#define JUDGE(rule, ...) judge_all(rule, &e, (const struct cert *const[]){ __VA_ARGS__, NULL })
#define REFUSED(reason, words, ...)                                              \
	do {                                                                     \
		CU_ASSERT_EQUAL(__VA_ARGS__, -1);                                \
		CU_ASSERT_EQUAL(e.code, REASON_##reason);                        \
		if (!strstr(e.text, words))                                      \
			printf("\nnot \"%s\": %s\n", words, e.text);             \
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, words));                   \
	} while (0)

int verify_one(struct trust *t, const struct trust_rule *rule, const struct cert *leaf, const struct cert *above, struct err *e);
struct cert leaf_of(const struct authority *a);	/* of a CA made for one test */
struct authority ca_of(const struct cert_plan *plan, const struct authority *issuer);

#endif
