#include <config.h>

#include "policy.h"

#include <string.h>

#include "mem.h"

/* ---- who there is ---- */
static const struct {
	const char *name;
	bool unit;		/* stands in certificates of units */
	bool server;
	size_t max_body;
} roles[ROLE_COUNT] = {
	[ROLE_DEVICE] = { "device", false, false, LIMIT_FRAME_DEVICE },
	[ROLE_STATION] = { "station", true, false, LIMIT_FRAME_UNIT },
	[ROLE_NODE] = { "node", true, true, LIMIT_FRAME_UNIT },
	[ROLE_CA] = { "ca", true, true, LIMIT_FRAME_DEVICE },
	[ROLE_OPERATOR] = { "operator", true, false, LIMIT_FRAME_DEVICE },
	[ROLE_PERSON] = { PERSON, true, false, LIMIT_FRAME_UNIT },
	[ROLE_RA] = { "ra", true, false, LIMIT_FRAME_DEVICE },
	[ROLE_KMC] = { "kmc", true, false, LIMIT_FRAME_DEVICE },
	[ROLE_OTHER] = { "other", false, false, LIMIT_FRAME_DEVICE },
};

/* ---- who may ask for what ---- */
#define BIT(request) (1u << (request))

static const struct {
	enum role role;
	enum site site;
	enum profile_kind profile;
	unsigned requests;
} table[] = {
	/* whoever has no certificate: also a unit that has a code */
	{ ROLE_DEVICE, SITE_FACTORY, PROFILE_DEVICE_FACTORY, BIT(CA_ISSUE) | BIT(CA_CONFIRM) | BIT(CA_CERTIFICATES) | BIT(CA_ENROL) },
	{ ROLE_DEVICE, SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, BIT(CA_CERTIFICATES) | BIT(CA_ENROL) },
	{ ROLE_STATION, SITE_FACTORY, PROFILE_DEVICE_FACTORY,
	  BIT(CA_WORK_ORDER) | BIT(CA_STATUS) | BIT(CA_REVOKE) | BIT(CA_CERTIFICATES) | BIT(CA_RENEW) },
	{ ROLE_NODE, SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER,
	  BIT(CA_ISSUE) | BIT(CA_CONFIRM) | BIT(CA_REVOKE) | BIT(CA_STATUS) | BIT(CA_CERTIFICATES) | BIT(CA_RECOVER) |
	  BIT(CA_RENEW) },
	{ ROLE_PERSON, SITE_FACTORY, PROFILE_DEVICE_FACTORY,
	  BIT(CA_ACT) | BIT(CA_APPROVE) | BIT(CA_QUERY) | BIT(CA_CERTIFICATES) | BIT(CA_RENEW) },
	{ ROLE_PERSON, SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER,
	  BIT(CA_ACT) | BIT(CA_APPROVE) | BIT(CA_QUERY) | BIT(CA_CERTIFICATES) | BIT(CA_RENEW) },
	{ ROLE_RA, SITE_FACTORY, PROFILE_DEVICE_FACTORY, BIT(CA_RENEW) },
	{ ROLE_RA, SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, BIT(CA_RENEW) },
	{ ROLE_KMC, SITE_FACTORY, PROFILE_DEVICE_FACTORY, BIT(CA_RENEW) },
	{ ROLE_KMC, SITE_CUSTOMER, PROFILE_DEVICE_CUSTOMER, BIT(CA_RENEW) },
};

enum role policy_role(const char *name)
{
	for (enum role r = 0; r < ROLE_COUNT; r++)
		if (roles[r].unit && strcmp(name, roles[r].name) == 0)
			return r;
	return ROLE_OTHER;
}

const char *policy_role_name(enum role r)
{
	return roles[r].name;
}

bool policy_is_server(enum role r)
{
	return roles[r].server;
}

bool policy_renews(enum role r)
{
	return r == ROLE_STATION || r == ROLE_NODE || r == ROLE_PERSON || r == ROLE_RA || r == ROLE_KMC;
}

size_t policy_max_body(enum role role)
{
	return roles[role].max_body;
}

bool policy_allows(enum role role, enum ca_kind request, enum site site, enum profile_kind profile)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].role == role && table[i].site == site && table[i].profile == profile &&
		    (table[i].requests & BIT(request)))
			return true;
	return false;
}
