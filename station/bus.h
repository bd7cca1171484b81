/* bus.h - what is plugged in where: one thread scans, the slots wait for their own port. */
#ifndef HANDSEL_BUS_H
#define HANDSEL_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "usb.h"

#define BUS_DEVICES_MAX 256	/* 64 units and whatever else a station has */

struct bus;
struct bus *bus_new(void);
void bus_free(struct bus *b);

/* Looks at the bus, as usb_scan() does, and wakes those who wait. */
int bus_scan(struct bus *b, const struct usb_watch *told, struct err *e);

/* Ends all waiting, now and from now on. */
void bus_stop(struct bus *b);
bool bus_stopped(struct bus *b);

/* The devices of the last scan that `wanted` accepts, at most max. */
size_t bus_list(struct bus *b, bool (*wanted)(const struct usb_place *p, void *arg), void *arg, struct usb_place *out,
		size_t max);

/* Waits for a device on that port that `wanted` accepts: 0 and *out, -1 if the deadline or bus_stop() came first. */
int bus_wait(struct bus *b, const char *port, bool (*wanted)(const struct usb_place *p, void *arg), void *arg,
	     int64_t deadline, struct usb_place *out);

/* A sleep that bus_stop() ends. */
void bus_pause(struct bus *b, int64_t until);

#endif
