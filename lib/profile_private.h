/* profile_private.h - what the files that read profiles and models share. */
#ifndef HANDSEL_PROFILE_PRIVATE_H
#define HANDSEL_PROFILE_PRIVATE_H

#include "conf.h"
#include "profile.h"

enum { F_VERSION, F_ID, F_KIND, F_KEYS, F_VALIDITY, F_MAX, F_ALLOW, F_COMMON_NAME, F_ORGANIZATION, F_UNIT, F_LOCALITY, F_EMAIL, F_INCLUDE,
       F_NAMES, F_DNS, F_URI, F_KEY_USAGE, F_USAGE, F_POLICIES, F_PERMITTED, F_EXCLUDED, F_KEY_ID, F_ORDER, F_CRL, F_OCSP, F_ISSUER, F_NO_REV,
       F_CA, F_COUNT };
extern const struct conf_field profile_fields[F_COUNT];

/* A file while it is read: whatever is wrong goes to `all`, and the reading goes on. */
struct reading {
	struct profile *p;
	const char *file;
	const struct conf_node *root, *f[F_COUNT];	/* NULL: absent, or wrong */
	struct problems *all;
};

int profile_name(const struct conf_node *n, char *out, size_t size, struct err *e);

/* What must fit together: in the file alone, and with the CA that issues by it. */
void profile_judge(struct reading *r);
void profile_judge_world(struct reading *r, const struct profile_world *w);

#endif
