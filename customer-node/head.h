/* head.h - heads of the node's audit, signed by the node's own key (doc/protocol-audit.md 5). */
#ifndef HANDSEL_NODE_HEAD_H
#define HANDSEL_NODE_HEAD_H

#include "audit_head.h"
#include "node.h"

/* Of the last row, kept in the database with the certificate. Code AUDIT: there is no row. */
int head_make(struct db *db, const struct node_identity *own, struct audit_head *h, struct err *e);
/* For serve: if there are rows without one. */
int head_keep(const char *dir, const struct node_identity *own, struct err *e);

#endif
