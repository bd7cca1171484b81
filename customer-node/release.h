/* release.h - the signed word that a device may go back to its factory credential (doc/protocol-documents.md section 7). */
#ifndef HANDSEL_NODE_RELEASE_H
#define HANDSEL_NODE_RELEASE_H

#include "store.h"

#define RELEASE_HEADER "Handsel-Certificate"
#define RELEASE_TYPE "application/cms"

/* Signs, with the node's own key in dir, a release of each certificate that the device may hold and that has none yet: in the
 * middle of a renewal only the device knows which. Inside the caller's transaction. */
int release_device(struct db *db, const char *dir, const struct node_device *d, int64_t now, struct err *e);

#endif
