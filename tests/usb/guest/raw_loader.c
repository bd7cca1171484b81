/* raw_loader.c - the boot loader of usbmodel.h as a gadget of a real kernel, by raw_gadget.
 *
 *   raw_loader UDC-DRIVER UDC SERIAL OUT [vanish=N]
 *
 * Ends with 0 and the image in OUT when the host has sent DETACH after a whole one, with 9 when the cable was pulled. Says of each
 * image "loaded OCTETS BEGIN END", with the uptime of its first and its last block. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/usb/ch9.h>
#include <linux/usb/raw_gadget.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "file.h"
#include "text.h"
#include "usbmodel.h"

#define DATA_MAX 0xffff		/* wLength */
#define LAST_WORDS_US 20000	/* for the host to see the end of its DETACH before the device leaves */
#define PULLED 9

struct control {
	struct usb_raw_event head;
	struct usb_ctrlrequest setup;
};

struct data {
	struct usb_raw_ep_io head;
	uint8_t bytes[DATA_MAX];
};

static int fd;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(const struct usbmodel *m, int block_before, bool complete_before)
{
	static double begin;

	if (m->block == 1 && block_before != 1)
		begin = now();
	if (!m->complete || complete_before)
		return;
	printf("loaded %zu %.3f %.3f\n", m->image_len, begin, now());
	fflush(stdout);
}

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "raw_loader: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int move(unsigned long request, struct data *d, int len)
{
	d->head.ep = 0;
	d->head.flags = 0;
	d->head.length = (uint32_t)len;
	return ioctl(fd, request, &d->head);
}

static void start(const char *driver, const char *udc)
{
	struct usb_raw_init init = { .speed = USB_SPEED_HIGH };

	if (text_copy((char *)init.driver_name, sizeof init.driver_name, driver) < 0 ||
	    text_copy((char *)init.device_name, sizeof init.device_name, udc) < 0)
		exit(2);
	fd = open("/dev/raw-gadget", O_RDWR | O_CLOEXEC);
	must(fd, "/dev/raw-gadget");
	must(ioctl(fd, USB_RAW_IOCTL_INIT, &init), "init");
	must(ioctl(fd, USB_RAW_IOCTL_RUN, 0), "run");
}

/* raw_gadget has no stall after the data of a request: the host finds the error in the next status, as with boot
 * loaders that look at a block only then. */
static void answer(struct usbmodel *m, const struct usb_ctrlrequest *setup)
{
	static struct data d;
	int len = le16toh(setup->wLength), n;
	bool in = setup->bRequestType & USB_DIR_IN, complete = m->complete;
	int block = m->block;

	if (!in && len > 0 && move(USB_RAW_IOCTL_EP0_READ, &d, len) < 0)
		return;		/* the host gave the request up */
	n = model_control(m, (const uint8_t *)setup, d.bytes);
	tell(m, block, complete);
	if (m->gone || n == -EAGAIN)
		return;
	if (n < 0 && (in || len == 0)) {
		ioctl(fd, USB_RAW_IOCTL_EP0_STALL, 0);
		return;
	}
	if (setup->bRequestType == 0 && setup->bRequest == USB_REQ_SET_CONFIGURATION)
		must(ioctl(fd, USB_RAW_IOCTL_CONFIGURE, 0), "configure");
	if (in)
		move(USB_RAW_IOCTL_EP0_WRITE, &d, n);
	else if (len == 0)
		move(USB_RAW_IOCTL_EP0_READ, &d, 0);
}

static void serve(struct usbmodel *m)
{
	while (!m->leave && !m->gone) {
		struct control c = { .head.length = sizeof c.setup };

		if (ioctl(fd, USB_RAW_IOCTL_EVENT_FETCH, &c.head) < 0) {
			must(errno == EINTR ? 0 : -1, "event");
			continue;
		}
		if (c.head.type == USB_RAW_EVENT_CONTROL)
			answer(m, &c.setup);
	}
}

int main(int argc, char **argv)
{
	struct usbmodel m = { .manufacturer = "Acme", .product = "USB download gadget", .alternate = { "agent" },
			      .n_alternates = 1, .fault = MODEL_NO_FAULT, .fd = -1 };
	struct err e;

	if (argc < 5)
		return 2;
	m.serial = argv[3];
	for (int i = 5; i < argc; i++)
		if (sscanf(argv[i], "vanish=%d", &m.fault.vanish_block) != 1)
			return 2;
	start(argv[1], argv[2]);
	model_init(&m, MODEL_DFU);
	do
		serve(&m);
	while (!m.gone && !m.complete);
	if (m.gone)
		return PULLED;
	usleep(LAST_WORDS_US);
	if (file_replace(argv[4], m.image, m.image_len, 0700, &e) < 0) {
		fprintf(stderr, "raw_loader: %s\n", e.text);
		return 1;
	}
	return 0;
}
