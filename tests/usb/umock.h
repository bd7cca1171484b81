/* umock.h - virtual devices on umockdev: a host program under umockdev-wrapper sees them by plain libusb. */
#ifndef HANDSEL_UMOCK_H
#define HANDSEL_UMOCK_H

#include "usbmodel.h"

struct umock_device;

/* Once, before anything asks whether the environment is mocked; -1 if not run under umockdev-wrapper. wake is written
 * to (an eventfd) when a device sets leave, gone or new_session. */
int umock_start(int wake);

/* A device on root port `port` of bus 1. It is not plugged in. The model is the caller's and touched only between
 * umock_lock() and umock_unlock(), since transfers run in a thread of umockdev's. */
struct umock_device *umock_device(struct usbmodel *m, int port);
void umock_lock(void);
void umock_unlock(void);

/* Each plugging is a new enumeration with a new address. Call without the lock. */
void umock_plug(struct umock_device *d);
void umock_unplug(struct umock_device *d);

#endif
