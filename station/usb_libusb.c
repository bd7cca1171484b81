#include <config.h>

#include "usb.h"

#include <libusb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

#define ACCESS_TRIES 10		/* a device is seen before udev has set the rights of its node */
#define ACCESS_PAUSE_US 100000
#define EVENT_WAIT_S 1		/* how late usb_watch_stop() may come */

struct usb {
	libusb_context *own;	/* NULL: the handle lives in the watch's */
	libusb_device_handle *handle;
	char serial[USB_TEXT_MAX];
	int claimed;		/* interface or -1 */
};

/* On Linux a device that is pulled in mid-transfer shows as IO first, and only later as NO_DEVICE. */
static int failure_of(int rc)
{
	switch (rc) {
	case LIBUSB_ERROR_PIPE:
		return USB_STALL;
	case LIBUSB_ERROR_TIMEOUT:
		return USB_TIMEOUT;
	case LIBUSB_ERROR_IO:
	case LIBUSB_ERROR_NO_DEVICE:
	case LIBUSB_ERROR_NOT_FOUND:
		return USB_GONE;
	default:
		return USB_ERROR;
	}
}

const char *usb_failure_text(int failure)
{
	switch (failure) {
	case USB_STALL:
		return "the device refused it (stall)";
	case USB_TIMEOUT:
		return "the device did not answer in time";
	case USB_GONE:
		return "the device left the bus";
	default:
		return "the transfer failed";
	}
}

static int usb_fail(struct err *e, const char *what, const char *port, int rc)
{
	if (rc == LIBUSB_ERROR_ACCESS)
		return err_set(e, REASON_USB,
			       "%s on port %s: no permission for the device node; give this user access by a udev rule",
			       what, port);
	if (rc == LIBUSB_ERROR_BUSY)
		return err_set(e, REASON_USB, "%s on port %s: another program uses the device; end that program", what,
			       port);
	return err_set(e, failure_of(rc) == USB_GONE ? REASON_DEVICE_LEFT : REASON_USB, "%s on port %s: %s", what, port,
		       libusb_strerror((enum libusb_error)rc));
}

/* ---- finding -------------------------------------------------------------------- */

static void place_of(struct usb_place *p, libusb_device *dev)
{
	uint8_t ports[7];
	int n = libusb_get_port_numbers(dev, ports, sizeof ports), len;

	memset(p, 0, sizeof *p);
	p->bus = libusb_get_bus_number(dev);
	p->address = libusb_get_device_address(dev);
	len = snprintf(p->port, sizeof p->port, "%u", p->bus);
	for (int i = 0; i < n && len < (int)sizeof p->port; i++)
		len += snprintf(p->port + len, sizeof p->port - (size_t)len, "%c%u", i ? '.' : '-', ports[i]);
}

static int context_new(libusb_context **ctx, struct err *e)
{
	int rc = libusb_init(ctx);

	if (rc < 0)
		return err_set(e, REASON_USB, "USB is not available on this machine: %s",
			       libusb_strerror((enum libusb_error)rc));
	return 0;
}

struct usb_watch {
	libusb_context *ctx;
	pthread_t thread;
	int fd;
	int completed;		/* libusb's way to end a wait for events */
	bool stop, heard;	/* atomic */
};

/* Devices are opened in the watch's context if it knows them: one of their own reads the descriptors of the whole bus
 * first, behind a lock of libusb's that is one for all slots. Where no events come, that is what finds those that are
 * new. The watch outlives the devices. */
static const struct usb_watch *shared;

static int scan(libusb_context *ctx, struct usb_place *out, size_t max, struct err *e)
{
	libusb_device **list;
	ssize_t n = libusb_get_device_list(ctx, &list);
	size_t found = 0;

	if (n < 0)
		return err_set(e, REASON_USB, "cannot list the USB devices: %s", libusb_strerror((enum libusb_error)n));
	for (ssize_t i = 0; i < n && found < max; i++) {
		struct libusb_device_descriptor d;

		if (libusb_get_device_descriptor(list[i], &d) < 0 || d.bDeviceClass == LIBUSB_CLASS_HUB)
			continue;
		place_of(&out[found], list[i]);
		out[found].vid = d.idVendor;
		out[found].pid = d.idProduct;
		found++;
	}
	libusb_free_device_list(list, 1);
	return (int)found;
}

int usb_scan(const struct usb_watch *told, struct usb_place *out, size_t max, struct err *e)
{
	libusb_context *ctx;
	int n;

	if (told)
		return scan(told->ctx, out, max, e);
	if (context_new(&ctx, e) < 0)
		return -1;
	n = scan(ctx, out, max, e);
	libusb_exit(ctx);
	return n;
}

/* ---- hotplug -------------------------------------------------------------------- */

static int LIBUSB_CALL on_hotplug(libusb_context *ctx, libusb_device *dev, libusb_hotplug_event event, void *arg)
{
	struct usb_watch *w = arg;
	uint64_t one = 1;

	__atomic_store_n(&w->heard, true, __ATOMIC_RELEASE);
	if (write(w->fd, &one, sizeof one) < 0)
		log_debug("a hotplug event was not passed on; the next scan finds the device");
	return 0;
}

static void *watch_thread(void *arg)
{
	struct usb_watch *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		struct timeval tv = { EVENT_WAIT_S, 0 };

		libusb_handle_events_timeout_completed(w->ctx, &tv, &w->completed);
	}
	return NULL;
}

struct usb_watch *usb_watch_start(int fd)
{
	struct usb_watch *w;
	struct err e;

	if (!libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG))
		return NULL;
	w = mem_new(1, sizeof *w);
	w->fd = fd;
	if (context_new(&w->ctx, &e) < 0) {
		free(w);
		return NULL;
	}
	if (libusb_hotplug_register_callback(w->ctx,
					     LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT, 0,
					     LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
					     LIBUSB_HOTPLUG_MATCH_ANY, on_hotplug, w, NULL) < 0 ||
	    pthread_create(&w->thread, NULL, watch_thread, w) != 0) {
		libusb_exit(w->ctx);
		free(w);
		return NULL;
	}
	shared = w;
	return w;
}

void usb_watch_stop(struct usb_watch *w)
{
	if (!w)
		return;
	shared = NULL;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	libusb_interrupt_event_handler(w->ctx);
	pthread_join(w->thread, NULL);
	libusb_exit(w->ctx);
	free(w);
}

bool usb_watch_works(const struct usb_watch *w)
{
	return w && __atomic_load_n(&w->heard, __ATOMIC_ACQUIRE);
}

/* ---- one device ------------------------------------------------------------------ */

static void read_text(struct usb *u, uint8_t index, char *out, size_t size)
{
	int n;

	out[0] = 0;
	if (!index)
		return;
	n = libusb_get_string_descriptor_ascii(u->handle, index, (unsigned char *)out, (int)size);
	if (n < 0)
		out[0] = 0;
	for (char *p = out; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
}

/* The handle of the device at this very place, or NULL with *rc. */
static libusb_device_handle *open_place(libusb_context *ctx, const struct usb_place *place, int *rc,
					uint8_t *serial_index)
{
	libusb_device_handle *handle = NULL;
	libusb_device **list;
	ssize_t n = libusb_get_device_list(ctx, &list);

	*rc = n < 0 ? (int)n : LIBUSB_ERROR_NO_DEVICE;
	for (ssize_t i = 0; i < n; i++) {
		struct libusb_device_descriptor d;
		struct usb_place p;

		place_of(&p, list[i]);
		if (strcmp(p.port, place->port) != 0 || p.address != place->address ||
		    libusb_get_device_descriptor(list[i], &d) < 0 || d.idVendor != place->vid ||
		    d.idProduct != place->pid)
			continue;
		*serial_index = d.iSerialNumber;
		*rc = libusb_open(list[i], &handle);
		break;
	}
	if (n >= 0)
		libusb_free_device_list(list, 1);
	return *rc < 0 ? NULL : handle;
}

static libusb_device_handle *try_open(libusb_context *ctx, const struct usb_place *place, int *rc,
				      uint8_t *serial_index)
{
	libusb_device_handle *handle = NULL;

	for (int i = 0; i < ACCESS_TRIES; i++) {
		handle = open_place(ctx, place, rc, serial_index);
		if (*rc != LIBUSB_ERROR_ACCESS)
			break;
		usleep(ACCESS_PAUSE_US);
	}
	return handle;
}

struct usb *usb_open(const struct usb_place *place, struct err *e)
{
	struct usb *u = mem_new(1, sizeof *u);
	uint8_t serial_index = 0;
	int rc;

	u->claimed = -1;
	if (shared)
		u->handle = try_open(shared->ctx, place, &rc, &serial_index);
	if (!u->handle) {
		if (context_new(&u->own, e) < 0) {
			free(u);
			return NULL;
		}
		u->handle = try_open(u->own, place, &rc, &serial_index);
	}
	if (!u->handle) {
		usb_fail(e, "cannot open the device", place->port, rc);
		libusb_exit(u->own);
		free(u);
		return NULL;
	}
	read_text(u, serial_index, u->serial, sizeof u->serial);
	return u;
}

void usb_close(struct usb *u)
{
	if (!u)
		return;
	if (u->claimed >= 0)
		libusb_release_interface(u->handle, u->claimed);
	libusb_close(u->handle);
	if (u->own)
		libusb_exit(u->own);
	free(u);
}

const char *usb_serial(const struct usb *u)
{
	return u->serial;
}

static void describe(struct usb *u, struct usb_alternate *a, const struct libusb_interface_descriptor *d)
{
	memset(a, 0, sizeof *a);
	a->interface = d->bInterfaceNumber;
	a->setting = d->bAlternateSetting;
	a->class = d->bInterfaceClass;
	a->subclass = d->bInterfaceSubClass;
	a->protocol = d->bInterfaceProtocol;
	read_text(u, d->iInterface, a->name, sizeof a->name);
	if (d->extra_length > 0 && (size_t)d->extra_length <= sizeof a->extra) {
		memcpy(a->extra, d->extra, (size_t)d->extra_length);
		a->extra_len = (size_t)d->extra_length;
	}
	for (int i = 0; i < d->bNumEndpoints; i++) {
		const struct libusb_endpoint_descriptor *ep = &d->endpoint[i];

		if ((ep->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) != LIBUSB_TRANSFER_TYPE_BULK)
			continue;
		if (ep->bEndpointAddress & LIBUSB_ENDPOINT_IN) {
			a->bulk_in = ep->bEndpointAddress;
		} else {
			a->bulk_out = ep->bEndpointAddress;
			a->packet_out = ep->wMaxPacketSize & 0x7ff;
		}
	}
}

int usb_alternates(struct usb *u, struct usb_alternate out[USB_ALTERNATES_MAX], struct err *e)
{
	struct libusb_config_descriptor *config;
	int rc = libusb_get_active_config_descriptor(libusb_get_device(u->handle), &config), n = 0;

	if (rc < 0)
		return err_set(e, failure_of(rc) == USB_GONE ? REASON_DEVICE_LEFT : REASON_USB,
			       "the device's descriptors cannot be read: %s", libusb_strerror((enum libusb_error)rc));
	for (int i = 0; i < config->bNumInterfaces; i++)
		for (int k = 0; k < config->interface[i].num_altsetting && n < USB_ALTERNATES_MAX; k++)
			describe(u, &out[n++], &config->interface[i].altsetting[k]);
	libusb_free_config_descriptor(config);
	return n;
}

int usb_claim(struct usb *u, const struct usb_alternate *a, bool select, struct err *e)
{
	int rc = libusb_claim_interface(u->handle, a->interface);
	struct usb_place p;

	place_of(&p, libusb_get_device(u->handle));
	if (rc < 0)
		return usb_fail(e, "cannot claim the interface", p.port, rc);
	u->claimed = a->interface;
	if (!select)
		return 0;
	rc = libusb_set_interface_alt_setting(u->handle, a->interface, a->setting);
	if (rc < 0)
		return usb_fail(e, "cannot select the alternate setting", p.port, rc);
	return 0;
}

int usb_control(struct usb *u, uint8_t type, uint8_t request, uint16_t value, uint16_t index, void *data, uint16_t len,
		int timeout_ms)
{
	/* 0 would mean no limit to libusb. */
	int rc = libusb_control_transfer(u->handle, type, request, value, index, data, len,
					 timeout_ms > 0 ? (unsigned)timeout_ms : 1);

	return rc < 0 ? failure_of(rc) : rc;
}

int usb_bulk_in(struct usb *u, uint8_t endpoint, void *data, int len, int timeout_ms)
{
	int moved = 0, rc;

	rc = libusb_bulk_transfer(u->handle, endpoint, data, len, &moved, timeout_ms > 0 ? (unsigned)timeout_ms : 1);
	if (moved > 0)
		return moved;
	return rc < 0 ? failure_of(rc) : 0;
}

int usb_bulk_out(struct usb *u, const struct usb_alternate *a, const void *data, int len, int timeout_ms)
{
	unsigned char *bytes = mem_new(1, (size_t)len);	/* libusb takes no const */
	unsigned wait = timeout_ms > 0 ? (unsigned)timeout_ms : 1;
	int moved = 0, rc;

	memcpy(bytes, data, (size_t)len);
	rc = libusb_bulk_transfer(u->handle, a->bulk_out, bytes, len, &moved, wait);
	if (rc == 0 && a->packet_out && len % a->packet_out == 0)
		rc = libusb_bulk_transfer(u->handle, a->bulk_out, bytes, 0, &(int){0}, wait);
	mem_wipe(bytes, (size_t)len);
	free(bytes);
	if (rc < 0)
		return failure_of(rc);
	return moved == len ? len : USB_ERROR;
}

int usb_reset(struct usb *u)
{
	int rc = libusb_reset_device(u->handle);

	return rc < 0 ? failure_of(rc) : 0;
}
