/* watch.h - what machines may know of a serving node: whether it is ready, and its figures (lib/monitor.h). */
#ifndef HANDSEL_NODE_WATCH_H
#define HANDSEL_NODE_WATCH_H

#include "server.h"

/* Counted from any thread, by what was asked for and how it was answered. code 0: it was done. */
void watch_answer(struct server *s, const struct http_req *r, unsigned code);
#define WATCH_DEAD 1		/* in place of a reason code: the request id is dead, make a newer one */

/* For struct monitor_conf; arg is the server. */
bool watch_ready(void *arg, struct err *why);
void watch_metrics(void *arg, struct buf *out);

#endif
