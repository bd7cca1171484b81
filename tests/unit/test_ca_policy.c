/* Each cell of the table role x request x CA x profile of doc/protocol-ca.md 4.8, against a second writing of it. */
#include <config.h>

#include <string.h>

#include "mem.h"
#include "policy.h"
#include "unit.h"

#define PROFILES (PROFILE_DEVICE_CUSTOMER + 1)

/* a word a request */
static const char *const words[] = {
	[CA_ISSUE] = "issue",	[CA_CONFIRM] = "confirm",	    [CA_REVOKE] = "revoke",
	[CA_STATUS] = "status", [CA_CERTIFICATES] = "certificates", [CA_WORK_ORDER] = "work-order",
	[CA_RECOVER] = "recover", [CA_ENROL] = "enrol", [CA_RENEW] = "renew",
	[CA_ACT] = "act", [CA_APPROVE] = "approve", [CA_QUERY] = "query",
};

/* Row by row who may what; every other combination is nobody's. */
static const struct {
	const char *role;
	enum site site;
	enum profile_kind profile;
	const char *may;
} rows[] = {
	{ "device", SITE_FACTORY, PROFILE_DEVICE_FACTORY, "issue confirm certificates enrol" },
	{ "device", SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, "certificates enrol" },
	{ "station", SITE_FACTORY, PROFILE_DEVICE_FACTORY, "work-order status revoke certificates renew" },
	{ "node", SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, "issue confirm revoke status certificates recover renew" },
	{ "person", SITE_FACTORY, PROFILE_DEVICE_FACTORY, "act approve query certificates renew" },
	{ "person", SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, "act approve query certificates renew" },
	{ "ra", SITE_FACTORY, PROFILE_DEVICE_FACTORY, "renew" },
	{ "ra", SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, "renew" },
	{ "kmc", SITE_FACTORY, PROFILE_DEVICE_FACTORY, "renew" },
	{ "kmc", SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, "renew" },
};
static const char *const nobodies[] = { "ca", "operator", "other" };

static bool expected(const char *role, enum ca_kind request, enum site site, enum profile_kind profile)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].role, role) == 0 && rows[i].site == site && rows[i].profile == profile)
			return unit_has_word(rows[i].may, words[request]);
	return false;
}

static void test_cells(void)
{
	int cells = 0, allowed = 0;

	for (enum role r = 0; r < ROLE_COUNT; r++)
		for (enum ca_kind k = 0; k < ARRAY_LEN(words); k++)
			for (enum site s = SITE_FACTORY; s <= SITE_CUSTOMER; s++)
				for (enum profile_kind p = 0; p < PROFILES; p++) {
					bool may = policy_allows(r, k, s, p);

					if (may != expected(policy_role_name(r), k, s, p))
						fprintf(stderr, "%s %s %s profile %d\n", policy_role_name(r), words[k],
							site_name(s), (int)p);
					CU_ASSERT_EQUAL(may, expected(policy_role_name(r), k, s, p));
					allowed += may;
					cells++;
				}
	CU_ASSERT_EQUAL(cells, ROLE_COUNT * (int)ARRAY_LEN(words) * 2 * PROFILES);
	CU_ASSERT_EQUAL(allowed, 32);
}

/* Every role stands in one of the two lists above, so a new one cannot be forgotten. */
static void test_roles(void)
{
	size_t known = 0;

	for (enum role r = 0; r < ROLE_COUNT; r++) {
		const char *name = policy_role_name(r);
		bool unit = r != ROLE_DEVICE && r != ROLE_OTHER;

		bool listed = false;

		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			listed = listed || strcmp(rows[i].role, name) == 0;
		known += listed;
		for (size_t i = 0; i < ARRAY_LEN(nobodies); i++)
			known += strcmp(nobodies[i], name) == 0;
		CU_ASSERT_EQUAL(policy_role(name), unit ? r : ROLE_OTHER);	/* no certificate says "device" */
		CU_ASSERT_EQUAL(policy_renews(r), r == ROLE_STATION || r == ROLE_NODE || r == ROLE_PERSON || r == ROLE_RA || r == ROLE_KMC);
		CU_ASSERT_EQUAL(policy_is_server(r), r == ROLE_CA || r == ROLE_NODE);
		CU_ASSERT_EQUAL(policy_max_body(r), r == ROLE_STATION || r == ROLE_NODE || r == ROLE_PERSON ? LIMIT_FRAME_UNIT : LIMIT_FRAME_DEVICE);
	}
	CU_ASSERT_EQUAL(known, ROLE_COUNT);
	CU_ASSERT_EQUAL(policy_role(""), ROLE_OTHER);
	CU_ASSERT_EQUAL(policy_role("Node"), ROLE_OTHER);
	CU_ASSERT_EQUAL(policy_role("node "), ROLE_OTHER);
}

/* What is asked for by number comes from the wire's names alone; a number beyond them is nobody's. */
static void test_beyond(void)
{
	for (enum role r = 0; r < ROLE_COUNT; r++)
		CU_ASSERT_FALSE(policy_allows(r, (enum ca_kind)ARRAY_LEN(words), SITE_FACTORY, PROFILE_DEVICE_FACTORY));
}

UNIT_MAIN("ca policy", { "cells", test_cells }, { "roles", test_roles }, { "beyond", test_beyond })
