/* watch.h - what machines may know of a serving CA system: whether it is ready, and its figures (lib/monitor.h). */
#ifndef HANDSEL_CA_WATCH_H
#define HANDSEL_CA_WATCH_H

#include "exchange.h"
#include "monitor.h"

struct watch;

/* The desks and the signing must outlive it; httpd is set when it serves. */
struct watch *watch_new(const struct desks *desks, struct signing *signing);
void watch_free(struct watch *w);		/* NULL is fine */
void watch_serves(struct watch *w, struct httpd *httpd);

/* In the main thread, at each tick: what it alone may look at. And what the signer said of itself, or why status.yaml could not be
 * written (NULL: it could). */
void watch_look(struct watch *w);
void watch_state(struct watch *w, const struct signer_state *s, const struct err *why);

/* For struct monitor_conf; arg is the watch. */
bool watch_ready(void *arg, struct err *why);
void watch_metrics(void *arg, struct buf *out);

#endif
