/* The devices on vhci_hcd: the kernel's USB/IP client, whose server is a thread here, at the other end of a socket
 * pair. Numbers are big-endian; formats as in Documentation/usb/usbip_protocol.rst of the kernel. */
#include <config.h>

#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mem.h"

#define ATTACH "/sys/devices/platform/vhci_hcd.0/attach"
#define DEVICE "/sys/devices/platform/vhci_hcd.0/usb1/1-%d"	/* the guest has no other USB */
#define ATTACH_TRIES 200	/* a port is busy for a moment after its last device */
#define SEEN_OFF_TRIES 1500	/* a reset of the host that nobody answers takes up to 20 s */
#define ATTACH_PAUSE_US 20000
#define HIGH_SPEED 3		/* enum usb_device_speed */
#define LOOK_MS 5		/* how often what is under way is tried again: the agent's socket may have changed */
#define LAST_WORDS_US 20000	/* for the host to see the end of its DETACH before the device leaves */

enum { CMD_SUBMIT = 1, CMD_UNLINK, RET_SUBMIT, RET_UNLINK };

struct header {			/* 48 octets in each direction */
	uint32_t command, number, device, in, endpoint;
	uint32_t a, length, c, d, e;	/* submit: flags, length; unlink: a = number; return: a = status, length */
	uint8_t setup[8];
};

struct urb {
	struct header head;
	uint8_t *data;
	int done;		/* octets of an OUT transfer that are through */
	bool begun;
	struct urb *next;
};

struct host_device {
	struct usbmodel *model;
	int port;
	int sock;		/* -1: not plugged in */
	pthread_t thread;
	bool configured;
	struct urb *urbs;	/* in order of submission */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int wake_fd;

void host_lock(void)
{
	pthread_mutex_lock(&lock);
}

void host_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static int receive(int fd, void *data, size_t len)
{
	return len == 0 || recv(fd, data, len, MSG_WAITALL) == (ssize_t)len ? 0 : -1;
}

static int deliver(int fd, const void *data, size_t len)
{
	for (const uint8_t *p = data; len;) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int reply(int fd, uint32_t command, uint32_t number, int status, int moved, const void *data, size_t len)
{
	struct header h = { .command = htonl(command), .number = number, .a = htonl((uint32_t)status),
			    .length = htonl((uint32_t)moved) };

	return deliver(fd, &h, sizeof h) < 0 ? -1 : deliver(fd, data, len);
}

static void forget(struct urb **p)
{
	struct urb *u = *p;

	*p = u->next;
	free(u->data);
	free(u);
}

static int unlink_urb(struct host_device *d, const struct header *h)
{
	for (struct urb **p = &d->urbs; *p; p = &(*p)->next)
		if ((*p)->head.number == h->a) {
			forget(p);
			return reply(d->sock, RET_UNLINK, h->number, -ECONNRESET, 0, NULL, 0);
		}
	return reply(d->sock, RET_UNLINK, h->number, 0, 0, NULL, 0);
}

/* A second SET_CONFIGURATION comes after a bus reset; the reset itself stays in the kernel. */
static void look_for_reset(struct host_device *d, const uint8_t setup[8])
{
	if (setup[0] != 0 || setup[1] != 9)
		return;
	if (d->configured)
		model_reset(d->model);
	d->configured = true;
}

/* Bytes moved, -errno, or -EAGAIN: stays under way. */
static int run_urb(struct host_device *d, struct urb *u)
{
	int len = (int)ntohl(u->head.length), n;

	if (u->head.endpoint == 0) {
		look_for_reset(d, u->head.setup);
		return model_control(d->model, u->head.setup, u->data);
	}
	if (u->head.in)
		return model_bulk_in(d->model, u->data, len);
	do {
		n = model_bulk_out(d->model, u->data + u->done, len - u->done, !u->begun);
		u->begun = true;
		if (n < 0)
			return n;
		u->done += n;
	} while (u->done < len);
	return u->done;
}

static int run_all(struct host_device *d)
{
	for (struct urb **p = &d->urbs; *p;) {
		struct urb *u = *p;
		bool in = u->head.in != 0;
		int n = run_urb(d, u);

		if (d->model->gone)
			return -1;
		if (n == -EAGAIN) {
			p = &u->next;
			continue;
		}
		if (reply(d->sock, RET_SUBMIT, u->head.number, n < 0 ? n : 0, n < 0 ? 0 : n, u->data,
			  in && n > 0 ? (size_t)n : 0) < 0)
			return -1;
		forget(p);
	}
	return 0;
}

static int take_message(struct host_device *d)
{
	struct urb *u, **end = &d->urbs;
	struct header h;
	size_t len;

	if (receive(d->sock, &h, sizeof h) < 0)
		return -1;
	if (ntohl(h.command) == CMD_UNLINK)
		return unlink_urb(d, &h);
	len = ntohl(h.length);
	u = mem_new(1, sizeof *u);
	u->head = h;
	u->data = mem_new(len + 1, 1);
	while (*end)
		end = &(*end)->next;
	*end = u;
	return ntohl(h.in) ? 0 : receive(d->sock, u->data, len);
}

/* One round; -1: the device is off the bus. */
static int serve_once(struct host_device *d)
{
	struct pollfd p = { .fd = d->sock, .events = POLLIN };
	uint64_t one = 1;
	bool event;
	int rc = 0;

	poll(&p, 1, d->urbs ? LOOK_MS : -1);
	if (p.revents && take_message(d) < 0)
		return -1;
	host_lock();
	rc = run_all(d);
	event = d->model->leave || d->model->gone || d->model->new_session;
	host_unlock();
	if (event && write(wake_fd, &one, sizeof one) < 0)
		abort();
	return rc;
}

static void *serve(void *arg)
{
	struct host_device *d = arg;

	while (serve_once(d) == 0)
		;
	shutdown(d->sock, SHUT_RDWR);	/* the kernel takes the device away */
	while (d->urbs)
		forget(&d->urbs);
	return NULL;
}

int host_start(int wake)
{
	wake_fd = wake;
	if (access(ATTACH, W_OK) == 0)
		return 0;
	fprintf(stderr, "farm: %s: %s; the module vhci-hcd is needed\n", ATTACH, strerror(errno));
	return -1;
}

void host_end(void)
{
}

struct host_device *host_device(struct usbmodel *m, int port)
{
	struct host_device *d = mem_new(1, sizeof *d);

	d->model = m;
	d->port = port;
	d->sock = -1;
	return d;
}

static void attach(int port, int sock)
{
	char line[64];
	int fd = open(ATTACH, O_WRONLY | O_CLOEXEC), n;

	n = snprintf(line, sizeof line, "%d %d %d %d", port - 1, sock, 0x10000 + port, HIGH_SPEED);
	for (int i = 0; write(fd, line, (size_t)n) != n; i++) {
		if (i == ATTACH_TRIES) {
			perror("farm: attach");
			exit(99);
		}
		usleep(ATTACH_PAUSE_US);
	}
	close(fd);
}

/* No board is back before the kernel has seen it leave; a host that is in the middle of a reset takes a while. */
static void wait_until_seen_off(int port)
{
	char path[sizeof DEVICE + 16];

	snprintf(path, sizeof path, DEVICE, port);
	for (int i = 0; i < SEEN_OFF_TRIES && access(path, F_OK) == 0; i++)
		usleep(ATTACH_PAUSE_US);
}

void host_plug(struct host_device *d)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		perror("farm");
		exit(99);
	}
	wait_until_seen_off(d->port);
	d->sock = pair[0];
	d->configured = false;
	if (pthread_create(&d->thread, NULL, serve, d) != 0)
		abort();
	attach(d->port, pair[1]);
	close(pair[1]);
}

void host_unplug(struct host_device *d)
{
	if (d->sock < 0)
		return;
	usleep(LAST_WORDS_US);
	shutdown(d->sock, SHUT_RDWR);
	pthread_join(d->thread, NULL);
	close(d->sock);
	d->sock = -1;
}
