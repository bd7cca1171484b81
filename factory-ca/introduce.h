/* introduce.h - what a handoff bundle says (doc/protocol-documents.md section 4), from what a CA has. */
#ifndef HANDSEL_CA_INTRODUCE_H
#define HANDSEL_CA_INTRODUCE_H

#include "authority.h"
#include "documents.h"

/* Appends: of a unit the certificate, and what certified it. */
int introduce_unit(struct chain *ch, const struct authority *a, const struct buf *der, struct err *e);
/* Appends: the CAs whose devices a node lets in, the root last. */
int introduce_factory(struct chain *ch, const struct authority *a, struct err *e);
/* All of it; der: of the node. Free it in any case. */
int introduce(struct handoff *h, const struct authority *a, const char *manufacturer, const struct buf *der, struct err *e);

#endif
