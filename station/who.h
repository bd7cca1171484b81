/* who.h - who wants something that is noted for ever, and why: --operator and --reason. */
#ifndef HANDSEL_WHO_H
#define HANDSEL_WHO_H

#include "cli.h"
#include "limits.h"

#define WHO_REASON_MAX 200	/* a sentence */

struct who {
	char operator[LIMIT_NAME + 1], reason[WHO_REASON_MAX + 1];
};

/* Without --operator whoever is logged in at this machine. Code CONFIG. */
int who_read(struct who *w, const struct cli *c, struct err *e);

#endif
