#include <config.h>

#include "ffs_private.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usb/functionfs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "mem.h"

#define SUBCLASS 0x4b	/* with protocol 1: the device link, version 1, among other vendor interfaces */
#define PROTOCOL 1
#define TRANSFERS 2	/* one each way */
#define EVENTS 4	/* taken at a time: FunctionFS keeps no more */

struct interface {
	struct usb_interface_descriptor interface;
	struct usb_endpoint_descriptor_no_audio out, in;
} __attribute__((packed));

struct descriptors {
	struct usb_functionfs_descs_head_v2 head;
	__le32 full_count, high_count;
	struct interface full, high;
} __attribute__((packed));

struct strings {
	struct usb_functionfs_strings_head head;
	__le16 language;
	char interface[sizeof "handsel device link"];
} __attribute__((packed));

/* The addresses are wishes: the kernel gives those that the controller has. */
static struct interface interface_of(uint16_t packet)
{
	return (struct interface){
		.interface = { .bLength = sizeof(struct usb_interface_descriptor), .bDescriptorType = USB_DT_INTERFACE,
			       .bNumEndpoints = 2, .bInterfaceClass = USB_CLASS_VENDOR_SPEC,
			       .bInterfaceSubClass = SUBCLASS, .bInterfaceProtocol = PROTOCOL, .iInterface = 1 },
		.out = { .bLength = sizeof(struct usb_endpoint_descriptor_no_audio), .bDescriptorType = USB_DT_ENDPOINT,
			 .bEndpointAddress = 1 | USB_DIR_OUT, .bmAttributes = USB_ENDPOINT_XFER_BULK,
			 .wMaxPacketSize = htole16(packet) },
		.in = { .bLength = sizeof(struct usb_endpoint_descriptor_no_audio), .bDescriptorType = USB_DT_ENDPOINT,
			.bEndpointAddress = 2 | USB_DIR_IN, .bmAttributes = USB_ENDPOINT_XFER_BULK,
			.wMaxPacketSize = htole16(packet) },
	};
}

static int describe(int ep0, struct err *e)
{
	const struct descriptors d = {
		.head = { htole32(FUNCTIONFS_DESCRIPTORS_MAGIC_V2), htole32(sizeof d),
			  htole32(FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC) },
		.full_count = htole32(3), .high_count = htole32(3),
		.full = interface_of(64), .high = interface_of(512),
	};
	const struct strings s = {
		.head = { htole32(FUNCTIONFS_STRINGS_MAGIC), htole32(sizeof s), htole32(1), htole32(1) },
		.language = htole16(0x0409),	/* English (United States) */
		.interface = "handsel device link",
	};

	if (write(ep0, &d, sizeof d) != sizeof d || write(ep0, &s, sizeof s) != sizeof s)
		return err_errno(e, REASON_USB, "FunctionFS does not take the interface of the device link");
	return 0;
}

static int open_endpoint(const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH];
	int fd;

	if (file_join(path, e, dir, name) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, errno == EBUSY ? REASON_USB : REASON_CONFIG,
				 "cannot open %s; --ffs names the mounted FunctionFS of the gadget", path);
	return fd;
}

static int open_all(struct ffs *f, const char *dir, struct err *e)
{
	struct epoll_event watch = { .events = EPOLLIN };

	f->ep0 = open_endpoint(dir, "ep0", e);
	if (f->ep0 < 0 || describe(f->ep0, e) < 0)
		return -1;
	f->out = open_endpoint(dir, "ep1", e);
	if (f->out < 0)
		return -1;
	f->in = open_endpoint(dir, "ep2", e);
	if (f->in < 0)
		return -1;
	f->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->poll = epoll_create1(EPOLL_CLOEXEC);
	if (f->done < 0 || f->poll < 0 || syscall(SYS_io_setup, TRANSFERS, &f->aio) < 0 ||
	    epoll_ctl(f->poll, EPOLL_CTL_ADD, f->ep0, &watch) < 0 ||
	    epoll_ctl(f->poll, EPOLL_CTL_ADD, f->done, &watch) < 0)
		return err_errno(e, REASON_INTERNAL, "cannot prepare asynchronous I/O");
	return 0;
}

struct ffs *ffs_open(const char *dir, struct err *e)
{
	struct ffs *f = mem_new(1, sizeof *f);

	f->ep0 = f->out = f->in = f->done = f->poll = -1;
	f->bytes = mem_new(1, FFS_READ_SIZE);
	if (open_all(f, dir, e) == 0)
		return f;
	ffs_close(f);
	return NULL;
}

void ffs_close(struct ffs *f)
{
	const int fds[] = { f->poll, f->done, f->in, f->out, f->ep0 };

	if (f->aio)
		syscall(SYS_io_destroy, f->aio);	/* ends the transfers and waits for it */
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(f->bytes);
	free(f);
}

int ffs_bind(const char *gadget, const char *udc, struct err *e)
{
	char path[FILE_PATH];
	size_t len = strlen(udc);
	int fd, rc = -1;

	if (file_join(path, e, gadget, "UDC") < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, REASON_CONFIG, "cannot open %s; --gadget names the gadget's folder in configfs",
				 path);
	if (write(fd, udc, len) == (ssize_t)len)
		rc = 0;
	else
		err_errno(e, REASON_USB,
			  "the gadget %s cannot be bound to the controller %s; /sys/class/udc lists those that there are",
			  gadget, udc);
	close(fd);
	return rc;
}

/* ---- ep0 ----------------------------------------------------------------------------- */

/* No request to the interface is ours. A transfer in the wrong direction is FunctionFS' way to stall. */
static void refuse(const struct ffs *f, const struct usb_ctrlrequest *setup)
{
	ssize_t n = setup->bRequestType & USB_DIR_IN ? read(f->ep0, NULL, 0) : write(f->ep0, NULL, 0);

	(void)n;	/* EL2HLT: stalled */
}

static void take(struct ffs *f, const struct usb_functionfs_event *event)
{
	switch (event->type) {
	case FUNCTIONFS_ENABLE:
		f->session++;
		f->enabled = true;
		break;
	case FUNCTIONFS_DISABLE:
	case FUNCTIONFS_UNBIND:
		f->session++;
		f->enabled = false;
		break;
	case FUNCTIONFS_SETUP:
		refuse(f, &event->u.setup);
		break;
	default:
		break;
	}
}

int ffs_events(struct ffs *f, struct err *e)
{
	struct usb_functionfs_event events[EVENTS];
	ssize_t n;

	for (;;) {
		n = read(f->ep0, events, sizeof events);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && (errno == EINTR || errno == EIDRM))	/* EIDRM: the host gave a request up */
			continue;
		if (n < 0)
			return err_errno(e, REASON_USB, "the USB gadget is gone");
		for (size_t i = 0; i < (size_t)n / sizeof events[0]; i++)
			take(f, &events[i]);
	}
}

int ffs_wait(struct ffs *f, struct err *e)
{
	struct pollfd p = { .fd = f->poll, .events = POLLIN };

	if (poll(&p, 1, -1) < 0 && errno != EINTR)
		return err_errno(e, REASON_INTERNAL, "poll");
	return 0;
}
