/* authority.h - what a CA system is: its folder, its ca.yaml, the public side of its CAs. Used by handsel-ca and
 * handsel-signer. */
#ifndef HANDSEL_AUTHORITY_H
#define HANDSEL_AUTHORITY_H

#include "camsg.h"
#include "err.h"
#include "profile.h"
#include "x509.h"

enum site { SITE_FACTORY, SITE_CUSTOMER };	/* the same program serves both (H4) */
const char *site_name(enum site s);
int site_parse(enum site *s, const char *name);	/* -1 if it is none */
const char *site_profile(enum site s);		/* the profile of its devices */

/* "ADDRESS:PORT", an IPv6 address in brackets, port 0: any free one. */
struct endpoint {
	char address[256];
	uint16_t port;
};
int endpoint_parse(struct endpoint *p, const char *text, struct err *e);

/* ca.yaml, explained in handsel-ca(1) */
struct settings {
	enum site site;
	char id[CA_ID_MAX + 1];		/* of the CA in the protocol (H4) */
	char name[LIMIT_NAME + 1];	/* of the company: in the factory the manufacturer, as in the model files */
	char listen[272];		/* ADDR:PORT */
	uint64_t pending_s; /* how long a device may stay unconfirmed; the factory's alone, a node owns its time */
};
int settings_load(struct settings *s, const char *dir, struct err *e);
int settings_save(const struct settings *s, const char *dir, struct err *e);

/* Root, issuing and unit CA: one certificate each. */
struct authority {
	struct chain root, issuing, unit;
	struct trust *trust;		/* the root; the unit CA pinned: whom we believe a role */
};
int authority_load(struct authority *a, const char *dir, struct err *e);
void authority_free(struct authority *a);

/* "name.yaml" of the data folder, see HANDSEL_DATADIR in handsel-ca(1). */
int datadir_profile(struct profile *p, const char *name, struct err *e);
int datadir_model(struct model *m, const char *name, struct err *e);

#endif
