/* usb.h - the USB that the station needs: find devices by port, control and bulk transfers.
 *
 * Devices that the usb_watch does not know of are looked for by a libusb context of their own, which sees the devices
 * of now also where no udevd runs. */
#ifndef HANDSEL_USB_H
#define HANDSEL_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "record.h"

#define USB_PORT_MAX RECORD_PORT_MAX
#define USB_TEXT_MAX RECORD_TEXT_MAX
#define USB_ALTERNATES_MAX 16	/* entries of U-Boot's dfu_alt_info that we look at */
#define USB_EXTRA_MAX 64	/* class descriptors behind an alternate setting: the DFU one has 9 bytes */
#define USB_CONTROL_MAX 4096	/* usbfs takes no longer control transfer (one page) */

struct usb_place {
	char port[USB_PORT_MAX];
	uint8_t bus, address;	/* a new address with each enumeration */
	uint16_t vid, pid;
};

struct usb_watch;

/* At most max of the devices that are there now, hubs left out. Their number or -1. What `told` (may be NULL) has
 * been told of is all there, at next to no cost; without it the whole bus is read, which takes the libusb of a slow
 * machine tenths of a second. */
int usb_scan(const struct usb_watch *told, struct usb_place *out, size_t max, struct err *e);

/* Writes to descriptor fd (an eventfd) whenever a device arrives or leaves, where the system tells so. Without
 * udevd it is silent, without hotplug support NULL: scan now and then in any case. */
struct usb_watch *usb_watch_start(int fd);	/* one at a time */
void usb_watch_stop(struct usb_watch *w);	/* when all devices are closed */
bool usb_watch_works(const struct usb_watch *w);	/* it has told something; NULL: false */

struct usb;
struct usb *usb_open(const struct usb_place *place, struct err *e);
void usb_close(struct usb *u);
const char *usb_serial(const struct usb *u);	/* iSerialNumber; "" if it has none */

struct usb_alternate {
	uint8_t interface, setting, class, subclass, protocol;
	char name[USB_TEXT_MAX];
	uint8_t extra[USB_EXTRA_MAX];
	size_t extra_len;
	uint8_t bulk_in, bulk_out;	/* endpoint addresses, 0 if there is none */
	uint16_t packet_out;		/* wMaxPacketSize */
};

/* The alternate settings of the active configuration, at most USB_ALTERNATES_MAX. Their number or -1. */
int usb_alternates(struct usb *u, struct usb_alternate out[USB_ALTERNATES_MAX], struct err *e);

/* Claims the interface and, if select, sends SET_INTERFACE, by which a device also knows that a new session begins. */
int usb_claim(struct usb *u, const struct usb_alternate *a, bool select, struct err *e);

/* What a transfer came to, if it is not a number of bytes. */
enum usb_failure { USB_ERROR = -1, USB_STALL = -2, USB_TIMEOUT = -3, USB_GONE = -4 };
const char *usb_failure_text(int failure);

int usb_control(struct usb *u, uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data, uint16_t len,
		int timeout_ms);

/* Bulk: bytes moved, possibly fewer (also by a timeout after some), or a failure. */
int usb_bulk_in(struct usb *u, uint8_t endpoint, void *data, int len, int timeout_ms);

/* All of it, ended by a short or empty packet, so that a device reading in larger blocks gets it at once. */
int usb_bulk_out(struct usb *u, const struct usb_alternate *a, const void *data, int len, int timeout_ms);

int usb_reset(struct usb *u);

#endif
