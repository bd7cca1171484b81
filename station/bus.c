#include <config.h>

#include "bus.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "mem.h"

struct bus {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* on the monotonic clock */
	struct usb_place place[BUS_DEVICES_MAX];
	size_t n;
	bool stop;
};

struct bus *bus_new(void)
{
	struct bus *b = mem_new(1, sizeof *b);
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &a);
	pthread_condattr_destroy(&a);
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int bus_scan(struct bus *b, const struct usb_watch *told, struct err *e)
{
	struct usb_place place[BUS_DEVICES_MAX];
	int n = usb_scan(told, place, BUS_DEVICES_MAX, e);

	if (n < 0)
		return -1;
	pthread_mutex_lock(&b->lock);
	memcpy(b->place, place, (size_t)n * sizeof place[0]);
	b->n = (size_t)n;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

void bus_stop(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

bool bus_stopped(struct bus *b)
{
	bool stop;

	pthread_mutex_lock(&b->lock);
	stop = b->stop;
	pthread_mutex_unlock(&b->lock);
	return stop;
}

size_t bus_list(struct bus *b, bool (*wanted)(const struct usb_place *p, void *arg), void *arg, struct usb_place *out,
		size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->n && n < max; i++)
		if (wanted(&b->place[i], arg))
			out[n++] = b->place[i];
	pthread_mutex_unlock(&b->lock);
	return n;
}

static bool find(const struct bus *b, const char *port, bool (*wanted)(const struct usb_place *p, void *arg), void *arg,
		 struct usb_place *out)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->place[i].port, port) == 0 && wanted(&b->place[i], arg)) {
			*out = b->place[i];
			return true;
		}
	return false;
}

int bus_wait(struct bus *b, const char *port, bool (*wanted)(const struct usb_place *p, void *arg), void *arg,
	     int64_t deadline, struct usb_place *out)
{
	struct timespec until = { (time_t)(deadline / 1000), (long)(deadline % 1000) * 1000000 };
	int rc = -1;

	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		if (find(b, port, wanted, arg, out)) {
			rc = 0;
			break;
		}
		if (clock_mono_ms() >= deadline)
			break;
		pthread_cond_timedwait(&b->changed, &b->lock, &until);
	}
	pthread_mutex_unlock(&b->lock);
	return rc;
}

static bool never(const struct usb_place *p, void *arg)
{
	return false;
}

void bus_pause(struct bus *b, int64_t until)
{
	struct usb_place nothing;

	bus_wait(b, "", never, NULL, until, &nothing);
}
