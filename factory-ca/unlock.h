/* unlock.h - the one other way into a signer that serves: a person gives a passphrase or PIN (protocol-signer 5). A local socket in the
 * folder of the system, for its owner alone; neither the front nor the network is in between. */
#ifndef HANDSEL_CA_UNLOCK_H
#define HANDSEL_CA_UNLOCK_H

#include "camsg.h"
#include "err.h"
#include "secret.h"

struct unlock_request {
	char ca[CA_ID_MAX + 1];		/* as system.h names it */
	bool older;			/* for the keys of the generation before */
	bool last_try;			/* token.h */
	struct secret *secret;		/* owned by whoever has the request */
};

/* ---- the signer's side ---- */
#define UNLOCK_NOBODY (-2)
/* A descriptor; UNLOCK_NOBODY: another signer listens there (`config check` beside `serve`); -1. */
int unlock_listen(const char *dir, struct err *e);
void unlock_end(int fd, const char *dir);	/* a negative fd is fine */
/* One request: `give` takes it over; what it returns, and e, is the answer. */
void unlock_answer(int fd, int (*give)(void *arg, struct unlock_request *r, struct err *e), void *arg);

/* ---- the person's side: codes of the signer, CA_UNAVAILABLE if none listens ---- */
int unlock_ask(const char *dir, const struct unlock_request *r, struct err *e);

#endif
