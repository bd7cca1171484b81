/* policy.h - who may ask for what: the table of doc/protocol-ca.md as data. All else is refused with E54. */
#ifndef HANDSEL_POLICY_H
#define HANDSEL_POLICY_H

#include <stdbool.h>

#include "authority.h"
#include "camsg.h"

enum role {
	ROLE_DEVICE,	/* no client certificate: in the factory the ticket or a signature speaks for it */
	ROLE_STATION,
	ROLE_NODE,
	ROLE_OTHER,	/* a unit without business here */
	ROLE_COUNT
};

enum role policy_role(const char *name);
const char *policy_role_name(enum role r);
bool policy_allows(enum site site, enum role role, enum ca_kind kind);
size_t policy_max_body(enum role role);

#endif
