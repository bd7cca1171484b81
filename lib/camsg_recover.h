/* camsg_recover.h - the answer to `recover` within camsg_reply.c: doc/protocol-ca.md 5.9. */
#ifndef HANDSEL_CAMSG_RECOVER_H
#define HANDSEL_CAMSG_RECOVER_H

#include "camsg.h"
#include "xml.h"

int recovered_read(const struct xml_node *n, struct ca_answer *a, struct err *e);
void recovered_write(const struct ca_answer *a, const char *name, struct xml_out *w);

/* Attribute `mark` of a request message or of `recovered`; "" is none. */
int mark_check(const struct xml_node *n, const char *mark, struct err *e);

#endif
