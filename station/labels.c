#include <config.h>

#include "labels.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "mem.h"
#include "text.h"

#define WORD_MAX 128		/* longer than a slot name or a serial */

struct label {
	char place[LIMIT_NAME + 1];	/* "" : any */
	char serial[LIMIT_SERIAL + 1];
	bool used;
};

struct labels {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct label *label;
	size_t n;
	const char *name;	/* for messages */
	bool reading;		/* the scanner may still say more */
	struct waiter *waiting;
};

struct waiter {			/* a unit whose label may still come */
	const char *slot;
	bool skip;
	struct waiter *next;
};

static struct label *find_serial(struct labels *l, const char *serial)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->label[i].serial, serial) == 0)
			return &l->label[i];
	return NULL;
}

static struct label *find_place(struct labels *l, const char *slot, const char *port)
{
	for (size_t i = l->n; i-- > 0;)	/* the latest scan for a place counts */
		if (l->label[i].place[0] && !l->label[i].used &&
		    (strcmp(l->label[i].place, slot) == 0 || strcmp(l->label[i].place, port) == 0))
			return &l->label[i];
	return NULL;
}

int labels_line(struct labels *l, const char *line, int number, struct err *e)
{
	char first[WORD_MAX] = "", second[WORD_MAX] = "", rest[2] = "", copy[4 * WORD_MAX];
	const char *serial;
	struct label *old;
	int n;

	if (strlen(line) >= sizeof copy)
		return err_set(e, REASON_CONFIG, "%s:%d: the line is too long for a label", l->name, number);
	strcpy(copy, line);
	copy[strcspn(copy, "#")] = 0;
	n = sscanf(copy, "%127s %127s %1s", first, second, rest);
	if (n <= 0)
		return 0;
	serial = n == 1 ? first : second;
	if (n > 2 || !text_is_token(serial, LIMIT_SERIAL) || (n == 2 && !text_is_name(first, LIMIT_NAME)))
		return err_set(e, REASON_CONFIG, "%s:%d: a label is \"SERIAL\" or \"PORT SERIAL\"; scan it again",
			       l->name, number);
	pthread_mutex_lock(&l->lock);
	old = find_serial(l, serial);
	if (old && !l->reading) {
		pthread_mutex_unlock(&l->lock);
		return err_set(e, REASON_CONFIG, "%s:%d: serial %s is there twice; no two units have the same", l->name,
			       number, serial);
	}
	if (!old && l->n < LABELS_MAX) {
		l->label = mem_grow(l->label, l->n + 1, sizeof *l->label);
		old = &l->label[l->n++];
		memset(old, 0, sizeof *old);
		strcpy(old->serial, serial);
	}
	/* Scanned again for another place: the technician has moved the unit. */
	if (old && n == 2)
		strcpy(old->place, first);
	pthread_cond_broadcast(&l->more);
	pthread_mutex_unlock(&l->lock);
	return old ? 0 : err_set(e, REASON_CONFIG, "%s: more than %d labels", l->name, LABELS_MAX);
}

static int read_file(struct labels *l, const char *path, struct err *e)
{
	struct buf text = {0};
	char *save = NULL, *line;
	int number = 0, rc = -1;

	if (file_read(&text, path, 0, e) < 0)
		goto out;
	buf_byte(&text, 0);
	/* strtok_r would swallow empty lines and miscount. */
	for (line = (char *)text.data; line; line = save) {
		save = strchr(line, '\n');
		if (save)
			*save++ = 0;
		if (labels_line(l, line, ++number, e) < 0)
			goto out;
	}
	rc = 0;
out:
	buf_free(&text);
	return rc;
}

struct labels *labels_open(const char *path, struct err *e)
{
	struct labels *l = mem_new(1, sizeof *l);
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&l->more, &a);
	pthread_condattr_destroy(&a);
	pthread_mutex_init(&l->lock, NULL);
	l->name = path;
	if (strcmp(path, "-") != 0) {
		if (read_file(l, path, e) == 0)
			return l;
		labels_free(l);
		return NULL;
	}
	l->name = "scanner";
	l->reading = true;
	return l;
}

bool labels_scanning(struct labels *l)
{
	bool reading;

	pthread_mutex_lock(&l->lock);
	reading = l->reading;
	pthread_mutex_unlock(&l->lock);
	return reading;
}

void labels_end(struct labels *l)
{
	pthread_mutex_lock(&l->lock);
	l->reading = false;
	pthread_cond_broadcast(&l->more);
	pthread_mutex_unlock(&l->lock);
}

void labels_free(struct labels *l)
{
	if (!l)
		return;
	pthread_cond_destroy(&l->more);
	pthread_mutex_destroy(&l->lock);
	free(l->label);
	free(l);
}

/* Some of the labels that no unit has claimed, so that a person sees which one was meant. */
static void list_free(const struct labels *l, char *out, size_t size)
{
	size_t len = 0;

	out[0] = 0;
	for (size_t i = 0; i < l->n && len + LIMIT_SERIAL + 8 < size; i++)
		if (!l->label[i].used)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "", l->label[i].serial);
	if (!len)
		snprintf(out, size, "none");
}

/* 0 or -1 with e: decided. 1: the scanner may still tell. */
static int judge(struct labels *l, const char *slot, const char *port, const char *serial, char *scanned, struct err *e)
{
	struct label *here = find_place(l, slot, port), *same = find_serial(l, serial);
	char others[300];

	if (here && here != same) {
		strcpy(scanned, here->serial);
		return err_set(e, REASON_LABEL,
			       "the label says %s, the device says %s; scan the label again and put the unit aside if "
			       "they still differ",
			       here->serial, serial);
	}
	if (same && same->used)
		return err_set(e, REASON_LABEL, "label %s was already used for another unit; put this one aside",
			       serial);
	if (same && (same == here || !same->place[0])) {
		same->used = true;
		strcpy(scanned, same->serial);
		return 0;
	}
	if (same)
		return err_set(
			e, REASON_LABEL,
			"label %s was scanned for place %s, but the device is in %s; put it where its label says",
			serial, same->place, slot);
	if (l->reading)
		return 1;
	list_free(l, others, sizeof others);
	return err_set(e, REASON_LABEL, "the device says %s, and no label does; labels without a device: %s", serial,
		       others);
}

bool labels_skip(struct labels *l, const char *slot)
{
	struct waiter *w;

	pthread_mutex_lock(&l->lock);
	for (w = l->waiting; w && strcmp(w->slot, slot) != 0; w = w->next)
		;
	if (w)
		w->skip = true;
	pthread_cond_broadcast(&l->more);
	pthread_mutex_unlock(&l->lock);
	return w;
}

static void stop_waiting(struct labels *l, const struct waiter *me)
{
	struct waiter **w = &l->waiting;

	while (*w != me)
		w = &(*w)->next;
	*w = me->next;
}

int labels_check(struct labels *l, const char *slot, const char *port, const char *serial, int64_t deadline,
		 char *scanned, struct err *e)
{
	struct timespec until = { (time_t)(deadline / 1000), (long)(deadline % 1000) * 1000000 };
	struct waiter me = { .slot = slot };
	int rc;

	scanned[0] = 0;
	pthread_mutex_lock(&l->lock);
	me.next = l->waiting;
	/* cppcheck-suppress autoVariables ; it leaves the list before this returns */
	l->waiting = &me;
	while ((rc = judge(l, slot, port, serial, scanned, e)) > 0) {
		if (me.skip) {
			rc = err_set(e, REASON_LABEL, "the device says %s, and its label was given up by a command card", serial);
			break;
		}
		if (clock_mono_ms() >= deadline) {
			rc = err_set(e, REASON_LABEL,
				     "the device says %s, and its label was not scanned in time; scan it and start the "
				     "unit again",
				     serial);
			break;
		}
		pthread_cond_timedwait(&l->more, &l->lock, &until);
	}
	stop_waiting(l, &me);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

void labels_release(struct labels *l, const char *serial)
{
	struct label *same;

	pthread_mutex_lock(&l->lock);
	same = find_serial(l, serial);
	if (same)
		same->used = false;
	pthread_mutex_unlock(&l->lock);
}
