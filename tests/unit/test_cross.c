/* One root's certificate by another (H14, RFC 4210 4.4), and the way over several of them. */
#include <config.h>

#include <stdlib.h>

#include "cross.h"
#include "mem.h"
#include "trust_world.h"

static struct cert_plan plan_cross(const struct authority *root)
{
	struct cert_plan plan = plan_ca("another name, which must not count", OID_POLICY_ANY);

	plan.as = &root->cert;
	plan.path_len = 2;
	return plan;
}

static struct cert cross_of(const struct cert_plan *plan, const struct authority *root, const struct authority *by)
{
	return make_cert(plan, root->key, by);
}

static void test_cross(void)
{
	struct cert_plan upper_plan = plan_ca("Upper Root", NULL), other_plan = plan_ca("Other Root", NULL), plan;
	struct authority upper = {0}, other = {0}, twin = {0};
	struct cert good, bad[5];
	struct chain among = {0};
	struct err e;

	upper_plan.path_len = other_plan.path_len = -1;
	authority_make(&upper, &upper_plan, KEY_P256, NULL);
	authority_make(&other, &other_plan, KEY_P256, NULL);
	other_plan.as = &w->root.cert;		/* our root's name, another key */
	authority_make(&twin, &other_plan, KEY_P256, NULL);
	plan = plan_cross(&w->root);
	good = cross_of(&plan, &w->root, &upper);
	CU_ASSERT_STRING_EQUAL(good.subject, w->root.cert.subject);
	CU_ASSERT_EQUAL(cross_verify(&good, &w->root.cert, &upper.cert, WORLD_NOW, &e), 0);
	/* by another, of another, of another key, no CA, too old */
	REFUSED(AUTHORITY, "was not issued by", cross_verify(&good, &w->root.cert, &other.cert, WORLD_NOW, &e));
	REFUSED(AUTHORITY, "not for the root", cross_verify(&good, &other.cert, &upper.cert, WORLD_NOW, &e));
	REFUSED(AUTHORITY, "not for the root", cross_verify(&good, &twin.cert, &upper.cert, WORLD_NOW, &e));
	REFUSED(CLOCK, "is good from", cross_verify(&good, &w->root.cert, &upper.cert, good.not_after + 1, &e));
	REFUSED(AUTHORITY, "is no root", cross_verify(&good, &w->root.cert, &w->issuing.cert, WORLD_NOW, &e));
	REFUSED(AUTHORITY, "is no root", cross_verify(&good, &good, &upper.cert, WORLD_NOW, &e));
	bad[0] = cross_of(&plan, &twin, &upper);
	REFUSED(AUTHORITY, "another key", cross_verify(&bad[0], &w->root.cert, &upper.cert, WORLD_NOW, &e));
	plan.ca = plan.key_cert_sign = plan.crl_sign = false;
	plan.digital_signature = true;
	plan.path_len = -1;
	bad[1] = cross_of(&plan, &w->root, &upper);
	REFUSED(AUTHORITY, "not for a CA that stands above others", cross_verify(&bad[1], &w->root.cert, &upper.cert, WORLD_NOW, &e));
	plan = plan_cross(&other);
	bad[2] = cross_of(&plan, &w->root, &upper);
	REFUSED(AUTHORITY, "not for the root", cross_verify(&bad[2], &w->root.cert, &upper.cert, WORLD_NOW, &e));
	/* among others */
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(chain_add(&among, bad[i].der.data, bad[i].der.len, &e), 0);
	CU_ASSERT_FALSE(cross_way(&among, &w->root.cert, &upper.cert, WORLD_NOW));
	CU_ASSERT_EQUAL(chain_add(&among, good.der.data, good.der.len, &e), 0);
	CU_ASSERT(cross_way(&among, &w->root.cert, &upper.cert, WORLD_NOW));
	/* the newer root itself must be there, and be another one */
	CU_ASSERT_PTR_NULL(cross_newer(&among, &upper.cert, WORLD_NOW));
	CU_ASSERT_EQUAL(chain_add(&among, upper.cert.der.data, upper.cert.der.len, &e), 0);
	CU_ASSERT_EQUAL(chain_add(&among, w->root.cert.der.data, w->root.cert.der.len, &e), 0);
	CU_ASSERT_EQUAL(cross_newer(&among, &upper.cert, WORLD_NOW), &among.cert[5]);
	CU_ASSERT_PTR_NULL(cross_newer(&among, &other.cert, WORLD_NOW));
	CU_ASSERT_PTR_NULL(cross_newer(&among, &w->root.cert, WORLD_NOW));
	CU_ASSERT_PTR_NULL(cross_newer(&among, &upper.cert, good.not_after + 1));
	chain_free(&among);
	for (int i = 0; i < 3; i++)
		cert_free(&bad[i]);
	cert_free(&good);
	authority_free(&upper);
	authority_free(&other);
	authority_free(&twin);
}

/* Roots 0 to LIMIT_ROOT_LINKS + 1, each certified by the one before it. */
#define ROOTS (LIMIT_ROOT_LINKS + 2)
struct line {
	struct authority root[ROOTS];
	struct cert link[ROOTS];	/* of root i by root i - 1; the first is not used */
};

static struct line *line_new(void)
{
	struct line *l = mem_new(1, sizeof *l);
	char name[16];

	for (int i = 0; i < ROOTS; i++) {
		struct cert_plan plan;

		snprintf(name, sizeof name, "Root %d", i + 1);
		plan = plan_ca(name, NULL);
		plan.path_len = -1;
		authority_make(&l->root[i], &plan, KEY_P256, NULL);
		plan = plan_cross(&l->root[i]);
		plan.path_len = LIMIT_ROOT_LINKS;
		if (i)
			l->link[i] = cross_of(&plan, &l->root[i], &l->root[i - 1]);
	}
	return l;
}

static void line_free(struct line *l)
{
	for (int i = 0; i < ROOTS; i++) {
		authority_free(&l->root[i]);
		cert_free(&l->link[i]);
	}
	free(l);
}

static void list_put(struct chain *list, const struct cert *c)
{
	struct err e;

	CU_ASSERT_EQUAL_FATAL(chain_add(list, c->der.data, c->der.len, &e), 0);
}

/* Who slept through rollovers comes to the root in force link by link, and by no link that the root reached so far has not signed. */
static void test_links(void)
{
	struct line *l = line_new();
	struct cert_plan plan = plan_cross(&l->root[0]);
	struct cert back = cross_of(&plan, &l->root[0], &l->root[1]);	/* the old root by the new one: a circle */
	struct chain list = {0}, none = {0};

	list_put(&list, &back);
	for (int i = ROOTS - 1; i > 0; i--)
		list_put(&list, &l->link[i]);
	for (int i = 1; i <= LIMIT_ROOT_LINKS; i++)
		CU_ASSERT(cross_way(&list, &l->root[i].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->root[ROOTS - 1].cert, &l->root[0].cert, WORLD_NOW));	/* one more than the limit */
	CU_ASSERT(cross_way(&list, &l->root[ROOTS - 1].cert, &l->root[1].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&none, &l->root[1].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->link[2], &l->root[0].cert, WORLD_NOW));	/* a link is no root */
	CU_ASSERT_PTR_NULL(cross_newer(&list, &l->root[0].cert, WORLD_NOW));
	list_put(&list, &l->root[2].cert);
	CU_ASSERT_PTR_EQUAL(cross_newer(&list, &l->root[0].cert, WORLD_NOW), &list.cert[list.n - 1]);
	chain_free(&list);
	cert_free(&back);
	line_free(l);
}

/* The middle of three roots is missing, of another key, signed by another key, over, or the certificate of a CA that is no root. */
static void test_false_links(void)
{
	struct line *l = line_new();
	struct cert_plan twin_plan = plan_ca("Root 2", NULL), plan = plan_cross(&l->root[1]);
	struct authority twin = {0}, stranger = {0}, other = {0};
	struct cert bad[6];
	struct chain list = {0};

	twin_plan.path_len = -1;
	authority_make(&twin, &twin_plan, KEY_P256, NULL);	/* the middle's name, other keys */
	authority_make(&stranger, &twin_plan, KEY_P256, NULL);
	twin_plan = plan_ca("Root 1", NULL);
	twin_plan.path_len = -1;
	authority_make(&other, &twin_plan, KEY_P256, NULL);	/* the name of the root that is known, another key */
	bad[0] = cross_of(&plan, &l->root[1], &other);		/* forged: not by the root that is known */
	bad[1] = cross_of(&plan, &twin, &l->root[0]);		/* good, of a key that did not sign the next */
	plan.not_after = WORLD_NOW - 1;
	bad[2] = cross_of(&plan, &l->root[1], &l->root[0]);	/* over */
	plan = plan_cross(&l->root[1]);
	plan.path_len = 0;
	bad[3] = cross_of(&plan, &l->root[1], &l->root[0]);	/* of an issuing CA, which has made itself a root */
	plan.path_len = -1;
	plan.ca = plan.key_cert_sign = plan.crl_sign = false;
	plan.digital_signature = true;
	bad[4] = cross_of(&plan, &l->root[1], &l->root[0]);	/* no CA */
	plan = plan_cross(&l->root[2]);
	bad[5] = cross_of(&plan, &l->root[2], &stranger);		/* the end, by a stranger with the middle's name */
	for (int i = 0; i < 6; i++)
		list_put(&list, &bad[i]);
	list_put(&list, &l->link[2]);
	CU_ASSERT_FALSE(cross_way(&list, &l->root[2].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->root[1].cert, &l->root[0].cert, WORLD_NOW));
	list_put(&list, &l->link[1]);
	CU_ASSERT(cross_way(&list, &l->root[2].cert, &l->root[0].cert, WORLD_NOW));
	CU_ASSERT_FALSE(cross_way(&list, &l->root[2].cert, &l->root[0].cert, l->link[1].not_after + 1));
	while (list.n < 64)	/* names that fit cost signatures, and those are counted */
		list_put(&list, &bad[0]);
	CU_ASSERT_FALSE(cross_way(&list, &l->root[3].cert, &l->root[0].cert, WORLD_NOW));
	for (int i = 0; i < 6; i++)
		cert_free(&bad[i]);
	chain_free(&list);
	authority_free(&twin);
	authority_free(&stranger);
	authority_free(&other);
	line_free(l);
}

/* A server two generations on, as it shows itself to who knows the first root alone. */
static void test_long_way(void)
{
	struct line *l = line_new();
	struct cert_plan plan = plan_ca("Issuing 4", OID_POLICY_FACTORY);
	struct authority issuing = {0};
	struct trust_rule rule = rule_any();
	struct trust *t = trust_new();
	struct cert leaf;
	struct chain ch;
	struct err e;

	plan.path_len = 0;
	authority_make(&issuing, &plan, KEY_P256, &l->root[LIMIT_ROOT_LINKS]);
	leaf = leaf_of(&issuing);
	ch = chain_of(&leaf, &issuing.cert);
	CU_ASSERT_EQUAL(trust_add_root(t, &l->root[0].cert, &e), 0);
	for (int i = LIMIT_ROOT_LINKS; i > 0; i--) {
		REFUSED(AUTHORITY, "was not issued by", trust_verify(t, &ch, &rule, &e));
		list_put(&ch, &l->link[i]);
	}
	CU_ASSERT_EQUAL(trust_verify(t, &ch, &rule, &e), 0);
	trust_free(t);
	chain_free(&ch);
	cert_free(&leaf);
	authority_free(&issuing);
	line_free(l);
}

/* Who pins the upper root verifies all below it; who pins ours is told nothing by the certificate of another. */
static void test_below_upper(void)
{
	struct cert_plan upper_plan = plan_ca("Upper Root", NULL), plan = plan_cross(&w->root);
	struct trust_rule rule = rule_any();
	struct authority upper = {0};
	struct cert cross, leaf = leaf_of(&w->issuing);
	struct chain ch = chain_of(&leaf, &w->issuing.cert);
	struct trust *t = trust_new();
	struct err e;

	upper_plan.path_len = -1;
	authority_make(&upper, &upper_plan, KEY_P256, NULL);
	cross = cross_of(&plan, &w->root, &upper);
	CU_ASSERT_EQUAL(trust_add_root(t, &upper.cert, &e), 0);
	REFUSED(AUTHORITY, "was not issued by", trust_verify(t, &ch, &rule, &e));
	CU_ASSERT_EQUAL(chain_add(&ch, cross.der.data, cross.der.len, &e), 0);
	rule.policy = OID_POLICY_FACTORY;
	CU_ASSERT_EQUAL(trust_verify(t, &ch, &rule, &e), 0);
	CU_ASSERT(cross_leads(&upper.cert, &ch, &rule));
	CU_ASSERT(cross_leads(&w->root.cert, &ch, &rule));
	ch.n--;
	CU_ASSERT_FALSE(cross_leads(&upper.cert, &ch, &rule));
	ch.n++;
	rule.pinned = true;	/* and that is not what decides */
	REFUSED(AUTHORITY, "accepted issuing CAs", trust_verify(t, &ch, &rule, &e));
	trust_free(t);
	chain_free(&ch);
	cert_free(&leaf);
	cert_free(&cross);
	authority_free(&upper);
}

UNIT_MAIN("cross", { "begin", test_begin }, { "cross", test_cross }, { "links", test_links }, { "false links", test_false_links },
	  { "long way", test_long_way }, { "below an upper root", test_below_upper }, { "end", test_end })
