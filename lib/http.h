/* http.h - what HTTP client and server share: URLs and header rules (RFC 9110, RFC 9112). */
#ifndef HANDSEL_HTTP_H
#define HANDSEL_HTTP_H

#include "err.h"

struct url {
	char host[256];		/* without brackets */
	char port[6];		/* "443" if absent */
	char path[512];		/* begins with "/", without a slash at the end unless it is all; "" if absent */
};

/* https://HOST[:PORT][/PATH] or, where no scheme is written, HOST[:PORT]. Code CONFIG. */
int url_parse(struct url *u, const char *text, struct err *e);

#endif
