/* host.h - how a host reaches the virtual devices: umock.c on umockdev, for programs under umockdev-wrapper, which see
 * them by plain libusb; vhci.c on the real kernel of a guest. A program has one of the two. */
#ifndef HANDSEL_HOST_H
#define HANDSEL_HOST_H

#include "usbmodel.h"

struct host_device;

/* Once, before all else; -1 if this is not the place for it, which is told. wake is written to (an eventfd) when a
 * device sets leave, gone or new_session. */
int host_start(int wake);
void host_end(void);	/* last: of what it has put elsewhere nothing stays */

/* A device on root port `port`, from 1. It is not plugged in. The model is the caller's and touched only between
 * host_lock() and host_unlock(), since transfers run in another thread. */
struct host_device *host_device(struct usbmodel *m, int port);
void host_lock(void);
void host_unlock(void);

/* Each plugging is a new enumeration with a new address. Call without the lock. */
void host_plug(struct host_device *d);
void host_unplug(struct host_device *d);

#endif
