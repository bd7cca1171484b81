/* state.h - how the daemon does, for `handsel-ca status`: a file in the folder of the system that serve writes every few seconds and
 * removes when it ends. */
#ifndef HANDSEL_STATE_H
#define HANDSEL_STATE_H

#include "signer.h"

#define STATE_EVERY_S 10

/* started: when serve began, in seconds since 1970, likewise now. */
int state_write(const char *dir, const struct signer_state *s, int64_t started, int64_t now, struct err *e);
void state_remove(const char *dir);

struct state {
	struct signer_state signer;
	int64_t started, written;
};
/* 1: it serves; 0: it does not, or has been silent for three periods; -1: the file is damaged. */
int state_read(struct state *s, const char *dir, int64_t now, struct err *e);

#endif
