#include <config.h>

#include "trust_world.h"

struct world *w;

void test_begin(void)
{
	w = world_new("Test Root");
}

void test_end(void)
{
	world_free(w);
}

int judge_all(const struct trust_rule *rule, struct err *e, const struct cert *const *list)
{
	struct trust *t = trust_new();
	struct chain ch = {0};
	int rc;

	CU_ASSERT_EQUAL(trust_add_root(t, &w->root.cert, e), 0);
	for (; *list; list++)
		CU_ASSERT_EQUAL(chain_add(&ch, (*list)->der.data, (*list)->der.len, e), 0);
	rc = trust_verify(t, &ch, rule, e);
	chain_free(&ch);
	trust_free(t);
	return rc;
}

int verify_one(struct trust *t, const struct trust_rule *rule, const struct cert *leaf, const struct cert *above, struct err *e)
{
	struct chain ch = chain_of(leaf, above);
	int rc = trust_verify(t, &ch, rule, e);

	chain_free(&ch);
	return rc;
}

struct cert leaf_of(const struct authority *a)
{
	struct cert_plan plan = plan_device("1");

	return make_cert(&plan, w->leaf_key, a);
}

struct authority ca_of(const struct cert_plan *plan, const struct authority *issuer)
{
	struct authority a = {0};

	authority_make(&a, plan, KEY_P256, issuer);
	return a;
}
