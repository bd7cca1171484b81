/* Each cell of the table of doc/protocol-ca.md: who may ask for what. */
#include <config.h>

#include <string.h>

#include "mem.h"
#include "policy.h"
#include "unit.h"

/* i issue, c confirm, r revoke, s status, a ca-certificates, w work-order */
static const struct {
	enum site site;
	enum role role;
	const char *allowed;
} rows[] = {
	{ SITE_FACTORY, ROLE_DEVICE, "ica" },	{ SITE_FACTORY, ROLE_STATION, "wsra" },
	{ SITE_FACTORY, ROLE_NODE, "" },	{ SITE_FACTORY, ROLE_OTHER, "" },
	{ SITE_CUSTOMER, ROLE_DEVICE, "" },	{ SITE_CUSTOMER, ROLE_STATION, "" },
	{ SITE_CUSTOMER, ROLE_NODE, "icrsa" },	{ SITE_CUSTOMER, ROLE_OTHER, "" },
};

static void test_cells(void)
{
	static const struct {
		char letter;
		enum ca_kind kind;
	} kinds[] = { { 'i', CA_ISSUE },  { 'c', CA_CONFIRM },	    { 'r', CA_REVOKE },
		      { 's', CA_STATUS }, { 'a', CA_CERTIFICATES }, { 'w', CA_WORK_ORDER } };

	CU_ASSERT_EQUAL(ARRAY_LEN(rows), 2 * ROLE_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			CU_ASSERT_EQUAL(policy_allows(rows[i].site, rows[i].role, kinds[k].kind),
					strchr(rows[i].allowed, kinds[k].letter) != NULL);
}

static void test_roles(void)
{
	CU_ASSERT_EQUAL(policy_role("station"), ROLE_STATION);
	CU_ASSERT_EQUAL(policy_role("node"), ROLE_NODE);
	CU_ASSERT_EQUAL(policy_role("device"), ROLE_OTHER);	/* no certificate says so */
	CU_ASSERT_EQUAL(policy_role("operator"), ROLE_OTHER);
	CU_ASSERT_EQUAL(policy_role(""), ROLE_OTHER);
	CU_ASSERT_EQUAL(policy_max_body(ROLE_DEVICE), LIMIT_FRAME_DEVICE);
	CU_ASSERT_EQUAL(policy_max_body(ROLE_NODE), LIMIT_FRAME_UNIT);
}

UNIT_MAIN("ca policy", { "cells", test_cells }, { "roles", test_roles })
