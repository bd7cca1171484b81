#include <config.h>

#include "onboard.h"

#include <stdio.h>

#include "text.h"

#define ROOT_BYTES 16

void onboard_sni(char out[ONBOARD_SNI_MAX], const struct cert *root)
{
	char hex[2 * ROOT_BYTES + 1];

	text_hex(hex, root->sha256, ROOT_BYTES);
	snprintf(out, ONBOARD_SNI_MAX, "%s." ONBOARD_SNI, hex);
}
