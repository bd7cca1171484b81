/* service.h - what a daemon and its service manager (systemd or another that speaks its protocol) tell each other. The protocol is
 * the interface, so there is no library behind it. All of it is silent where there is no manager. */
#ifndef HANDSEL_SERVICE_H
#define HANDSEL_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "file.h"

/* sd_notify(3): lines "READY=1", "STATUS=...", sent to $NOTIFY_SOCKET, a path or an abstract name. */
void service_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The three moments of a daemon's life, as systemd wants them told. */
void service_ready(const char *status);		/* also after a reload, and whenever the status has changed */
void service_reloading(void);
void service_stopping(void);

/* The watchdog (WatchdogSec=). Zero it. */
struct service_watchdog {
	int64_t every_ms, next_ms;	/* 0: nobody waits for a sign of life */
};
void service_watchdog_start(struct service_watchdog *w);
/* Says that the program is alive if that is due and `alive`; returns for how many ms to wait at most until the next call, given that
 * the caller would wait `ms` (-1: for ever). */
int service_watchdog(struct service_watchdog *w, bool alive, int ms);

/* Socket activation: sockets that listen already, by the names of FileDescriptorName=. Takes over what the manager has passed and
 * clears it from the environment, so call it once, before the first thread. */
#define SERVICE_SOCKETS 4
#define SERVICE_METRICS "metrics"
struct service_sockets {
	size_t n;
	struct {
		char name[64];
		int fd;
	} of[SERVICE_SOCKETS];
};
/* Code CONFIG: what was passed is no listening TCP socket, or more than SERVICE_SOCKETS. */
int service_sockets_take(struct service_sockets *s, struct err *e);
/* The one of that name; "" for the first that is not SERVICE_METRICS. -1: there is none. It becomes the caller's. */
int service_socket(struct service_sockets *s, const char *name);
void service_sockets_close(struct service_sockets *s);		/* those that nobody took */

/* LoadCredential=: the path of that credential, or false if the manager has passed none. */
bool service_credential(char path[FILE_PATH], const char *name);

#endif
