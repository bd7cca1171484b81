/* factory.h - the conversation with the loading station over the device link (doc/protocol-link.md). */
#ifndef HANDSEL_FACTORY_H
#define HANDSEL_FACTORY_H

#include "link.h"
#include "store.h"

/* Serves the station from its hello to its done. 0 after done; -1 if the link ended or broke before. Takes the link over. */
int factory_serve(struct store *s, struct link *l, struct err *e);

#endif
