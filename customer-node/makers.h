/* makers.h - the manufacturers whose devices this node accepts: one for each handoff. In the node's folder, the first without a
 * number: factory.pem, factory.name, onboard.pem; factory-2.pem, factory-2.name, onboard-2.pem; and so on. */
#ifndef HANDSEL_NODE_MAKERS_H
#define HANDSEL_NODE_MAKERS_H

#include "documents.h"
#include "node.h"
#include "onboard.h"

/* Their names alone: what the allowlist is judged by. None before the first handoff. */
struct makers {
	char name[LIMIT_MAKERS][LIMIT_NAME + 1];
	size_t n;
};
int makers_load(struct makers *m, const char *dir, struct err *e);

struct maker {
	char name[LIMIT_NAME + 1];
	struct chain factory;			/* issuing CAs, unit CA, after a rollover the other root, root last */
	struct node_identity onboard;		/* what we show to its devices */
	char sni[ONBOARD_SNI_MAX];		/* they ask for it by this name, */
	char other_sni[ONBOARD_SNI_MAX];	/* or, where a rollover left two roots, by this; "": there is one */
};
struct maker_set {		/* zero it; free with maker_set_free() */
	struct maker one[LIMIT_MAKERS];
	size_t n;
};
/* At least one, else code CONFIG. */
int maker_set_load(struct maker_set *s, const char *dir, struct err *e);
void maker_set_free(struct maker_set *s);

/* Takes a handoff that was verified: a new manufacturer, or new certificates of one that is known by its root. What was in force of
 * the allowlist without a manufacturer is from then on the first one's. actor: for the audit. */
int makers_accept(const char *dir, const struct handoff *h, const char *actor, struct err *e);

#endif
