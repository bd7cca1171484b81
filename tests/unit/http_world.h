/* http_world.h - a small PKI and connections for the tests of HTTP client and server. */
#ifndef HANDSEL_HTTP_WORLD_H
#define HANDSEL_HTTP_WORLD_H

#include <stdbool.h>

#include "httpc.h"
#include "httpd.h"
#include "tls.h"
#include "x509.h"

struct world {
	struct key *root_key, *key;		/* one key for all leaves: only certificates are told apart */
	struct chain root, server, onboard, client;
	struct trust *trust;
};

extern struct world world;

void world_init(void);		/* exits with 99 if it cannot */
void world_free(void);

int world_dial(uint16_t port);	/* a TCP connection to 127.0.0.1 */

/* TLS over fd. sni may be NULL; with_client shows the client certificate. */
struct tls *world_tls(int fd, const char *sni, bool with_client, struct err *e);

/* The same with HTTP on top, or NULL. */
struct httpc *world_http(uint16_t port, bool with_client);

#endif
