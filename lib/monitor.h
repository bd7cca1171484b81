/* monitor.h - what machines ask a daemon about itself: /metrics (metrics.h), /healthz, /readyz; on a listener of its own.
 *
 * Plain HTTP, off unless it is configured, and meant for the loopback: a scraper has no certificate of ours, and the listener that
 * devices reach shall not tell the world how many were made. Whoever wants it elsewhere puts a proxy with TLS and a password before. */
#ifndef HANDSEL_MONITOR_H
#define HANDSEL_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct monitor;

struct monitor_conf {
	const char *address;
	uint16_t port;
	int socket;		/* above 0: it listens already (service.h), and becomes the monitor's */
	/* Both in the monitor's thread. ready: false, with the reason in *why, as long as requests are answered with "later". */
	bool (*ready)(void *arg, struct err *why);
	void (*metrics)(void *arg, struct buf *out);
	void *arg;
};
struct monitor *monitor_start(const struct monitor_conf *conf, struct err *e);	/* NULL on failure */
uint16_t monitor_port(const struct monitor *m);
void monitor_stop(struct monitor *m);		/* NULL is fine */

#endif
