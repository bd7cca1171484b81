/* front.h - the network side of a CA system: HTTPS, who the peer is, one writer for the ledger, one signer. */
#ifndef HANDSEL_FRONT_H
#define HANDSEL_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "authority.h"
#include "err.h"

struct front;

/* record: a folder for the XML of each exchange, or NULL. NULL on failure. */
struct front *front_start(const char *dir, const struct endpoint *listen, const char *record, struct err *e);
uint16_t front_port(const struct front *f);

/* Figures and readiness for machines (lib/monitor.h), at an address of their own. */
int front_monitor(struct front *f, const struct endpoint *listen, struct err *e);
uint16_t front_monitor_port(const struct front *f);		/* 0: there is none */
bool front_ready(struct front *f, struct err *why);		/* false: requests are answered with "later", and why */
bool front_alive(const struct front *f);			/* false: a writer hangs */

/* Becomes readable when the signer is gone: then nothing can be issued and serve ends, to be started again. */
int front_failure_fd(const struct front *f);
bool front_failed(struct front *f);

/* Reads ca.yaml and the profiles of each CA again; the signer is started anew. -1: the CA that e names, and those after it,
 * stay as they were; of a CA that has other certificates than at the start (CONFIG) nothing is read. A CA that was added is served
 * from the next start on, and that is logged. */
int front_reload(struct front *f, struct err *e);

int front_tick_ms(const struct front *f);		/* when to call front_tick() next */
/* Counts the uptime of pending ones, lapses those that are over, publishes revocation lists that are due. */
void front_tick(struct front *f);

void front_stop(struct front *f);		/* answers what was asked first */

#endif
