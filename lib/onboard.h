/* onboard.h - the name that a new device asks a node for (doc/protocol-est.md 1.2): the node may be introduced to several
 * factories, and shows it the certificate of its own. */
#ifndef HANDSEL_ONBOARD_H
#define HANDSEL_ONBOARD_H

#include "x509.h"

#define ONBOARD_SNI "onboard.handsel.internal"	/* any factory's */
#define ONBOARD_SNI_MAX 64

/* ROOT.onboard.handsel.internal, ROOT: the first 32 hex digits of the factory root's SHA-256. */
void onboard_sni(char out[ONBOARD_SNI_MAX], const struct cert *root);

#endif
