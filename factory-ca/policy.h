/* policy.h - who may ask what of which CA: the table of doc/protocol-ca.md 4.8 as data, and the roles that a unit may have.
 * What does not stand in the table is refused with E54. */
#ifndef HANDSEL_POLICY_H
#define HANDSEL_POLICY_H

#include <stdbool.h>

#include "authority.h"
#include "camsg.h"
#include "profile.h"

enum role {
	ROLE_DEVICE,	/* no client certificate: in the factory the ticket or a signature speaks for it */
	ROLE_STATION,
	ROLE_NODE,
	ROLE_CA,
	ROLE_OPERATOR,	/* the local one: whoever may read the CA's folder */
	ROLE_PERSON,	/* an operator with functions of his own (functions.h) */
	ROLE_RA,
	ROLE_KMC,
	ROLE_OTHER,	/* a certificate that we do not accept, or of a role that we do not know */
	ROLE_COUNT
};

/* Of a unit's certificate; ROLE_OTHER: no unit has it. */
enum role policy_role(const char *name);
const char *policy_role_name(enum role r);
bool policy_is_server(enum role r);		/* its certificate is good for a TLS server, too */
bool policy_renews(enum role r);		/* a machine or a person's program renews its certificate by itself */
size_t policy_max_body(enum role role);

/* May it ask this of the CA at that site whose certificates are of that profile? */
bool policy_allows(enum role role, enum ca_kind request, enum site site, enum profile_kind profile);

#endif
