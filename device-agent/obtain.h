/* obtain.h - the factory transaction between device and CA: issue, verify, store, confirm, switch (design: factory 6-9). */
#ifndef HANDSEL_OBTAIN_H
#define HANDSEL_OBTAIN_H

#include "devmsg.h"
#include "store.h"

struct obtain {
	struct store *store;
	const struct link_go *go;
	int (*connect)(void *arg, struct err *e);	/* as in caclient.h */
	void (*say)(void *arg, const char *text);	/* for the technician; may be NULL */
	void *arg;
};

/* From wherever the store stands to the factory credential in force. Each try repeats the same id and key, so that it may be
 * called again after any failure. Code TICKET: the request was dead and has been dropped; begin with a new one. */
int obtain_factory(const struct obtain *o, struct err *e);

#endif
