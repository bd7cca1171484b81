#include <config.h>

#include "host.h"

#include <errno.h>
#include <ftw.h>
#include <linux/usbdevice_fs.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <umockdev.h>
#include <unistd.h>

#include "mem.h"
#include "text.h"

/* poll() on a mocked node is always ready, so libusb asks again and again while a transfer is under way: this much rest
 * for the processor at each "not yet". All devices share the thread, so it must be short. */
#define REST_US 100

struct urb {
	UMockdevIoctlClient *client;	/* who opened the node: it alone can reap */
	UMockdevIoctlData *data;
	int done;		/* bytes of an OUT transfer that are through */
	bool begun, discarded;
	bool late;		/* of an earlier plugging: the host has yet to learn that it failed */
	struct urb *next;
};

struct host_device {
	struct usbmodel *model;
	UMockdevIoctlBase *handler;
	struct urb *urbs;	/* in order of submission */
	int port, address;
	char node[32];		/* "/dev/bus/usb/001/004" */
};

static UMockdevTestbed *bed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int wake_fd, last_address = 1;	/* 1 is the root hub */

void host_lock(void)
{
	pthread_mutex_lock(&lock);
}

void host_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* ---- usbfs ------------------------------------------------------------------------------ */

static int run_bulk(struct usbmodel *m, struct urb *u, const struct usbdevfs_urb *k, uint8_t *b)
{
	int n;

	if (k->endpoint & 0x80)
		return model_bulk_in(m, b, k->buffer_length);
	do {
		n = model_bulk_out(m, b + u->done, k->buffer_length - u->done, !u->begun);
		u->begun = true;
		if (n < 0)
			return n;
		u->done += n;
	} while (u->done < k->buffer_length);
	return u->done;
}

/* 1: finished, with status and length in it. */
static int run_urb(struct usbmodel *m, struct urb *u)
{
	struct usbdevfs_urb *k = (struct usbdevfs_urb *)(void *)u->data->data;
	uint8_t *b = k->buffer;
	int n;

	if (u->discarded)
		n = -ENOENT;
	else if (m->gone || u->late)
		n = -ESHUTDOWN;
	else if (k->type == USBDEVFS_URB_TYPE_CONTROL)
		n = model_control(m, b, b + 8);
	else
		n = run_bulk(m, u, k, b);
	if (n == -EAGAIN)
		return 0;
	k->status = n < 0 ? n : 0;
	k->actual_length = n < 0 ? 0 : n;
	return 1;
}

/* -1: the host program died in the middle of its call, and its memory cannot be had. */
static int submit(struct host_device *d, UMockdevIoctlClient *client)
{
	UMockdevIoctlData *arg = umockdev_ioctl_client_get_arg(client), *buffer;
	UMockdevIoctlData *data = umockdev_ioctl_data_resolve(arg, 0, sizeof(struct usbdevfs_urb), NULL);
	struct usbdevfs_urb *k;
	struct urb *u, **end = &d->urbs;

	if (!data)
		return -1;
	k = (struct usbdevfs_urb *)(void *)data->data;
	/* The buffer comes along; umockdev writes it back when the urb is reaped. An empty one has no address. */
	if (k->buffer_length > 0) {
		buffer = umockdev_ioctl_data_resolve(data, G_STRUCT_OFFSET(struct usbdevfs_urb, buffer),
						     (gsize)k->buffer_length, NULL);
		if (!buffer) {
			umockdev_ioctl_data_unref(data);
			return -1;
		}
		umockdev_ioctl_data_unref(buffer);
	}
	u = mem_new(1, sizeof *u);
	u->client = g_object_ref(client);
	u->data = data;
	while (*end)
		end = &(*end)->next;
	*end = u;
	return 0;
}

/* A node that was opened before the device left stays dead, even if the device is back under another address. */
static bool is_gone(const struct host_device *d, UMockdevIoctlClient *client)
{
	return d->model->gone || strcmp(umockdev_ioctl_client_get_devnode(client), d->node) != 0;
}

static void forget(struct urb **p)
{
	struct urb *u = *p;

	*p = u->next;
	umockdev_ioctl_data_unref(u->data);
	g_object_unref(u->client);
	free(u);
}

/* What the kernel does when a program closes the node or dies: its transfers end. */
static void forget_others(struct host_device *d, const UMockdevIoctlClient *client)
{
	for (struct urb **p = &d->urbs; *p;) {
		if ((*p)->client == client || (*p)->late)
			p = &(*p)->next;
		else
			forget(p);
	}
}

static int reap(struct host_device *d, UMockdevIoctlClient *client)
{
	for (struct urb **p = &d->urbs; *p; p = &(*p)->next) {
		UMockdevIoctlData *out;

		if ((*p)->client != client || !run_urb(d->model, *p))
			continue;
		out = umockdev_ioctl_data_resolve(umockdev_ioctl_client_get_arg(client), 0, sizeof(gpointer), NULL);
		if (!out)
			return ENODEV;
		umockdev_ioctl_data_set_ptr(out, 0, (*p)->data);
		umockdev_ioctl_data_unref(out);
		forget(p);
		return 0;
	}
	return is_gone(d, client) ? ENODEV : EAGAIN;
}

static int discard(struct host_device *d, UMockdevIoctlClient *client)
{
	UMockdevIoctlData *arg = umockdev_ioctl_client_get_arg(client);
	int rc = EINVAL;

	for (struct urb *u = d->urbs; u; u = u->next)
		if (u->client == client && u->data->client_addr == *(gulong *)(void *)arg->data) {
			u->discarded = true;
			rc = 0;
		}
	return rc;
}

static int capabilities(UMockdevIoctlClient *client)
{
	UMockdevIoctlData *out =
		umockdev_ioctl_data_resolve(umockdev_ioctl_client_get_arg(client), 0, sizeof(uint32_t), NULL);

	if (!out)
		return ENODEV;
	*(uint32_t *)(void *)out->data = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_BULK_CONTINUATION |
					 USBDEVFS_CAP_NO_PACKET_SIZE_LIM | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
	umockdev_ioctl_data_unref(out);
	return 0;
}

/* errno of the ioctl, 0 if it is done, -1 if it is none of ours. */
static int usbfs(struct host_device *d, UMockdevIoctlClient *client)
{
	struct usbmodel *m = d->model;
	bool gone = is_gone(d, client);

	switch (umockdev_ioctl_client_get_request(client)) {
	case USBDEVFS_GET_CAPABILITIES:
		return capabilities(client);
	case USBDEVFS_SETINTERFACE:
		if (!gone)
			model_set_interface(m);
		return gone ? ENODEV : 0;
	case USBDEVFS_CLAIMINTERFACE:
		if (!gone)
			forget_others(d, client);
		return gone ? ENODEV : 0;
	case USBDEVFS_RESET:
		if (!gone)
			model_reset(m);
		return gone ? ENODEV : 0;
	case USBDEVFS_RELEASEINTERFACE:
	case USBDEVFS_CLEAR_HALT:
	case USBDEVFS_SETCONFIGURATION:
		return gone ? ENODEV : 0;
	case USBDEVFS_GETDRIVER:
	case USBDEVFS_IOCTL:
		return ENODATA;		/* no kernel driver */
	case USBDEVFS_SUBMITURB:
		return gone || submit(d, client) < 0 ? ENODEV : 0;
	case USBDEVFS_REAPURB:
	case USBDEVFS_REAPURBNDELAY:
		return reap(d, client);
	case USBDEVFS_DISCARDURB:
		return discard(d, client);
	default:
		return -1;
	}
}

static gboolean on_ioctl(UMockdevIoctlBase *handler, UMockdevIoctlClient *client, gpointer user)
{
	struct host_device *d = user;
	uint64_t one = 1;
	bool event;
	int rc;

	host_lock();
	rc = usbfs(d, client);
	event = d->model->leave || d->model->gone || d->model->new_session;
	host_unlock();
	if (rc < 0)
		return FALSE;
	if (event && write(wake_fd, &one, sizeof one) < 0)
		abort();
	if (rc == EAGAIN)
		usleep(REST_US);
	umockdev_ioctl_client_complete(client, rc ? -1 : 0, rc);
	return TRUE;
}

/* ---- the testbed ------------------------------------------------------------------------ */

static sigjmp_buf unheard;

static void on_abort(int sig)
{
	siglongjmp(unheard, 1);
}

/* umockdev 0.17 tells each event to whoever listens, and aborts where one has closed its socket just then, as the station does at its
 * end. Nobody misses that event. */
static void tell(void (*event)(const char *what), const char *what)
{
	struct sigaction ours = { .sa_handler = on_abort }, before;

	sigaction(SIGABRT, &ours, &before);
	if (sigsetjmp(unheard, 1) == 0)
		event(what);
	sigaction(SIGABRT, &before, NULL);
}

static void add(const char *text)
{
	GError *error = NULL;

	if (umockdev_testbed_add_from_string(bed, text, &error))
		return;
	fprintf(stderr, "farm: umockdev: %s\n", error->message);
	exit(99);
}

/* ---- where the sockets of the devices are ---- */
#define TMPDIR_MAX 50	/* behind it stand 45 characters at most, and a socket's name has 107 */
static char short_folder[] = "/tmp/farm-XXXXXX";
static bool is_short;

/* umockdev makes its folder in TMPDIR, and wants that without symbolic links: in another one if its name is too long. What is started
 * here has TMPDIR as it was. */
static void make_bed(void)
{
	char *given = g_strdup(g_getenv("TMPDIR"));

	is_short = given && strlen(given) > TMPDIR_MAX && mkdtemp(short_folder);
	if (is_short)
		g_setenv("TMPDIR", short_folder, TRUE);
	bed = umockdev_testbed_new();
	if (given)
		g_setenv("TMPDIR", given, TRUE);
	g_free(given);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

void host_end(void)
{
	if (is_short)
		nftw(short_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int host_start(int wake)
{
	make_bed();
	if (!umockdev_in_mock_environment()) {
		fprintf(stderr, "farm: run it under umockdev-wrapper\n");
		return -1;
	}
	wake_fd = wake;
	/* Without a root hub libusb cannot tell the port of a device. */
	add("P: /devices/usb1\nN: bus/usb/001/001\nE: SUBSYSTEM=usb\nE: DRIVER=usb\nE: BUSNUM=001\nE: DEVNUM=001\n"
	    "E: DEVNAME=/dev/bus/usb/001/001\nE: DEVTYPE=usb_device\nA: bConfigurationValue=1\\n\nA: busnum=1\\n\nA: "
	    "devnum=1\\n\n"
	    "A: bDeviceClass=09\\n\nA: speed=480\\n\nA: idVendor=1d6b\\n\nA: idProduct=0002\\n\n"
	    "H: descriptors=12010002090000406b1d0200010603020101"
	    "09021900010100e000"
	    "090400000109000000"
	    "0705810304000c\n");
	return 0;
}

struct host_device *host_device(struct usbmodel *m, int port)
{
	struct host_device *d = mem_new(1, sizeof *d);

	d->model = m;
	d->port = port;
	d->handler = umockdev_ioctl_base_new();
	g_object_connect(d->handler, "signal-after::handle-ioctl", on_ioctl, d, NULL);
	return d;
}

void host_plug(struct host_device *d)
{
	uint8_t descriptors[256];
	char hex[2 * sizeof descriptors + 1];
	char *text;
	GError *error = NULL;

	host_lock();
	for (struct urb *u = d->urbs; u; u = u->next)
		u->late = true;
	host_unlock();
	d->address = ++last_address;
	text_hex(hex, descriptors, model_descriptors(d->model, descriptors, sizeof descriptors));
	snprintf(d->node, sizeof d->node, "/dev/bus/usb/001/%03d", d->address);
	text = mem_fmt(
		"P: /devices/usb1/1-%d\nN: bus/usb/001/%03d\nE: SUBSYSTEM=usb\nE: DRIVER=usb\nE: BUSNUM=001\nE: "
		"DEVNUM=%03d\n"
		"E: DEVNAME=%s\nE: DEVTYPE=usb_device\nA: bConfigurationValue=1\\n\nA: busnum=1\\n\nA: devnum=%d\\n\n"
		"A: speed=480\\n\nH: descriptors=%s\n",
		d->port, d->address, d->address, d->node, d->address, hex);
	if (!umockdev_testbed_attach_ioctl(bed, d->node, d->handler, &error)) {
		fprintf(stderr, "farm: umockdev: %s\n", error->message);
		exit(99);
	}
	tell(add, text);
	free(text);
}

static void take_away(const char *path)
{
	umockdev_testbed_uevent(bed, path, "remove");
}

void host_unplug(struct host_device *d)
{
	char path[64];

	host_lock();
	d->model->gone = true;
	host_unlock();
	snprintf(path, sizeof path, "/sys/devices/usb1/1-%d", d->port);
	tell(take_away, path);
	umockdev_testbed_remove_device(bed, path);
	umockdev_testbed_detach_ioctl(bed, d->node, NULL);
}
