#include <config.h>

#include "policy.h"

#include <string.h>

#define BIT(kind) (1u << (kind))

static const struct {
	const char *name;
	size_t max_body;
	unsigned allowed[2];	/* by enum site */
} table[ROLE_COUNT] = {
	[ROLE_DEVICE] = { "device",
			  LIMIT_FRAME_DEVICE,
			  { [SITE_FACTORY] = BIT(CA_ISSUE) | BIT(CA_CONFIRM) | BIT(CA_CERTIFICATES) } },
	[ROLE_STATION] = { "station",
			   LIMIT_FRAME_UNIT,
			   { [SITE_FACTORY] = BIT(CA_WORK_ORDER) | BIT(CA_STATUS) | BIT(CA_REVOKE) |
					      BIT(CA_CERTIFICATES) } },
	[ROLE_NODE] = { "node",
			LIMIT_FRAME_UNIT,
			{ [SITE_CUSTOMER] = BIT(CA_ISSUE) | BIT(CA_CONFIRM) | BIT(CA_REVOKE) | BIT(CA_STATUS) |
					    BIT(CA_CERTIFICATES) } },
	[ROLE_OTHER] = { "other", LIMIT_FRAME_DEVICE, { 0 } },
};

enum role policy_role(const char *name)
{
	if (strcmp(name, table[ROLE_STATION].name) == 0)
		return ROLE_STATION;
	if (strcmp(name, table[ROLE_NODE].name) == 0)
		return ROLE_NODE;
	return ROLE_OTHER;	/* "device" is no role of a certificate */
}

const char *policy_role_name(enum role r)
{
	return table[r].name;
}

bool policy_allows(enum site site, enum role role, enum ca_kind kind)
{
	return table[role].allowed[site] & BIT(kind);
}

size_t policy_max_body(enum role role)
{
	return table[role].max_body;
}
