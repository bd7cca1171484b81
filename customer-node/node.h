/* node.h - what a node is: its folder, its node.yaml, its keys and certificates. */
#ifndef HANDSEL_NODE_H
#define HANDSEL_NODE_H

#include <stdbool.h>

#include "camsg.h"
#include "file.h"
#include "http.h"
#include "key.h"
#include "limits.h"
#include "unit_key.h"
#include "x509.h"

/* Files in the folder. */
#define NODE_CONF "node.yaml"
#define NODE_DB "node.db"
#define NODE_ALLOWLIST "allowlist.yaml"
#define NODE_CA_ROOT "ca-root.pem"	/* the customer's root */
#define NODE_CA_CHAIN "ca-chain.pem"	/* the customer's other CA certificates, as the CA gave them last */
#define NODE_FACTORY "factory"		/* .pem .name of a handoff (makers.h): issuing CAs, unit CA, root last; the manufacturer */
#define NODE_OWN "node"			/* .key .csr .pem: toward its own devices and the CA */
#define NODE_ONBOARD "onboard"		/* .key .csr .pem: toward new devices, from the handoff */

struct node_conf {
	char name[LIMIT_NAME + 1];
	char address[256];
	uint16_t port;
	struct url ca;
	char ca_url[512];		/* as written */
	char metrics_address[256];	/* lib/monitor.h; "": none */
	uint16_t metrics_port;
	char ca_id[CA_ID_MAX + 1];	/* which CA of that system; "": its first */
	struct unit_place place;	/* of the node's keys */
	bool plain_est;			/* handsel-node(1) says what it weakens */
	uint64_t pending_s;
	char factory_crl[LIMIT_CRL_SOURCES][512];	/* where lists come from: a file, from the node's folder on, or a URL */
	size_t n_factory_crls;
};

int node_conf_load(struct node_conf *c, const char *dir, struct err *e);

/* The authorization database of a folder that is a node, for one command. NULL on failure. */
struct db *node_db_open(const char *dir, struct err *e);
int node_conf_save(const struct node_conf *c, const char *dir, struct err *e);	/* a commented file, for init */
/* "ADDR:PORT", IPv6 in brackets. */
int node_listen_parse(const char *text, char address[256], uint16_t *port, struct err *e);

struct node_identity {
	struct key *key;
	struct chain chain;
};
/* The key `name` and certificate.pem of the folder; the certificate must be of that key, with the role node. Where the key lives, and the
 * rest of it, node.yaml says. */
int node_identity_load(struct node_identity *id, const char *dir, const char *name, const char *certificate, struct err *e);
/* The key alone. */
struct key *node_key(const char *dir, const char *name, struct err *e);
void node_identity_free(struct node_identity *id);
/* The same once more, for another owner. */
int node_identity_copy(struct node_identity *to, const struct node_identity *from, struct err *e);

/* The key (kept if it is there) and name.csr. */
int node_identity_make(const struct unit_place *place, const char *dir, const char *name, struct err *e);

/* Renews the certificate of NODE_OWN, which *own is, if it is due: *own and the file are the new one then. What fails is a message, and it is
 * tried again. */
void node_renew(const struct node_conf *conf, const char *dir, struct trust *trust, struct node_identity *own);

/* The root alone, or a chain of which the last one is the root. */
struct trust *node_trust(const struct chain *ch, struct err *e);

#endif
