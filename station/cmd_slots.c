/* slots learn, list, test: which USB port is which slot of the fixture. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "bus.h"
#include "cli.h"
#include "clock.h"
#include "file.h"
#include "proc.h"
#include "slots.h"
#include "station.h"
#include "text.h"

#define LOOK_MS 250		/* hotplug events are not needed by somebody who plugs by hand */
#define WAIT_DEFAULT_S 120	/* for a person with a device in the hand */
#define WAIT_MAX_S 3600

struct look {
	struct usb_place now[BUS_DEVICES_MAX], before[BUS_DEVICES_MAX];
	int n_now, n_before;
};

static bool there(const struct usb_place *list, int n, const char *port)
{
	for (int i = 0; i < n; i++)
		if (strcmp(list[i].port, port) == 0)
			return true;
	return false;
}

/* A port that was empty at the last look and is not now: 1 and *port, 0 none came in time, -1 error, -2 interrupted. */
static int next_arrival(struct look *l, int64_t deadline, char port[USB_PORT_MAX], struct err *e)
{
	for (;;) {
		for (int i = 0; i < l->n_now; i++)
			if (!there(l->before, l->n_before, l->now[i].port) && l->n_before < BUS_DEVICES_MAX) {
				text_copy(port, USB_PORT_MAX, l->now[i].port);
				l->before[l->n_before++] = l->now[i];
				return 1;
			}
		if (clock_mono_ms() >= deadline)
			return 0;
		if (proc_signals_wait(-1, LOOK_MS))
			return -2;
		memcpy(l->before, l->now, sizeof l->before);
		l->n_before = l->n_now;
		l->n_now = usb_scan(NULL, l->now, BUS_DEVICES_MAX, e);
		if (l->n_now < 0)
			return -1;
	}
}

static int look_start(struct look *l, struct err *e)
{
	proc_signals_block();
	l->n_now = l->n_before = usb_scan(NULL, l->now, BUS_DEVICES_MAX, e);
	memcpy(l->before, l->now, sizeof l->before);
	return l->n_now < 0 ? -1 : 0;
}

static int read_timeout(const struct cli *c, int64_t *ms, struct err *e)
{
	uint64_t seconds = WAIT_DEFAULT_S;
	int rc = cli_seconds(c, "timeout", &seconds, WAIT_MAX_S, e);

	*ms = (int64_t)seconds * 1000;
	return rc;
}

static void tell(const struct cli *c, const char *slot, const char *port, const char *state)
{
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("slot");

		jsonl_str(j, "slot", slot);
		jsonl_str(j, "port", port);
		jsonl_str(j, "state", state);
		jsonl_print(j);
	} else {
		printf("slot %-12s port %-12s %s\n", slot, port, state);
	}
	fflush(stdout);
}

static enum cli_exit result(const struct cli *c, const char *what, int64_t n, enum cli_exit rc)
{
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_int(j, what, n);
		jsonl_print(j);
	}
	return rc;
}

/* ---- learn ---- */
static int put(const char *dir, const char *name, const char *port, struct err *e)
{
	char path[FILE_PATH];
	struct buf text = {0};
	int rc = -1;

	if (file_join(path, e, dir, "station.yaml") == 0 && file_read(&text, path, 0, e) == 0 &&
	    slots_put(&text, path, name, port, e) == 0)
		rc = file_replace(path, text.data, text.len, 0644, e);
	buf_free(&text);
	return rc;
}

/* Waits for the slot's device. A port that is another slot's is said and not taken. 1, 0, -1, -2 as next_arrival(). */
static int learn_one(const struct cli *c, struct look *l, const char *name, int64_t wait_ms, struct err *e)
{
	int64_t deadline = clock_mono_ms() + wait_ms;
	char port[USB_PORT_MAX];
	int rc;

	fprintf(stderr, "plug a device into slot %s now\n", name);
	while ((rc = next_arrival(l, deadline, port, e)) == 1) {
		struct station s;
		const char *other;

		if (station_settings(&s, cli_dir(c), e) < 0)
			return -1;
		other = s.n_slots ? station_slot(&s, port) : NULL;
		if (other && strcmp(other, name) != 0) {
			fprintf(stderr, "that was slot %s (port %s); plug a device into slot %s, or take slot %s out of station.yaml first\n",
				other, port, name, other);
			station_free(&s);
			continue;
		}
		station_free(&s);
		if (put(cli_dir(c), name, port, e) < 0)
			return -1;
		tell(c, name, port, "learnt");
		return 1;
	}
	if (rc == 0)
		err_set(e, REASON_DEVICE_LEFT, "no device was plugged into slot %s in time, or its hub does not see it", name);
	return rc;
}

static int learn_options(const struct cli *c, int64_t *wait_ms, struct err *e)
{
	struct station s;

	for (size_t i = 0; i < cli_args(c); i++)
		if (!text_is_token(cli_arg(c, i), LIMIT_NAME))
			return err_set(e, REASON_CONFIG, "\"%.64s\": a slot's name must be of A-Z a-z 0-9 . _ -", cli_arg(c, i));
	if (read_timeout(c, wait_ms, e) < 0 || station_settings(&s, cli_dir(c), e) < 0)
		return -1;
	station_free(&s);
	return 0;
}

enum cli_exit cmd_slots_learn(const struct cli *c)
{
	struct look l;
	int64_t wait_ms = 0;
	struct err e = {0};
	size_t i;

	if (learn_options(c, &wait_ms, &e) < 0 || look_start(&l, &e) < 0)
		return cli_fail(c, &e);
	for (i = 0; i < cli_args(c); i++) {
		int rc = learn_one(c, &l, cli_arg(c, i), wait_ms, &e);

		if (rc == -2)
			return EXIT_INTERRUPTED;
		if (rc != 1)
			return cli_fail(c, &e);
	}
	return result(c, "learnt", (int64_t)i, EXIT_DONE);
}

/* ---- list ---- */
enum cli_exit cmd_slots_list(const struct cli *c)
{
	struct usb_place now[BUS_DEVICES_MAX];
	struct station s;
	struct err e = {0};
	int n, strange = 0;

	if (station_settings(&s, cli_dir(c), &e) < 0 || (n = usb_scan(NULL, now, BUS_DEVICES_MAX, &e)) < 0) {
		station_free(&s);
		return cli_fail(c, &e);
	}
	for (size_t i = 0; i < s.n_slots; i++)
		tell(c, s.slot[i].name, s.slot[i].port, there(now, n, s.slot[i].port) ? "device" : "empty");
	for (int i = 0; i < n; i++)
		if (s.n_slots == 0) {
			tell(c, now[i].port, now[i].port, "device");
		} else if (!station_slot(&s, now[i].port)) {
			tell(c, "-", now[i].port, "no slot");
			strange++;
		}
	if (!cli_json(c) && s.n_slots == 0)
		printf("station.yaml names no slots: every port is one, named after itself; \"slots learn\" names them\n");
	station_free(&s);
	return result(c, "strange", strange, EXIT_DONE);
}

/* ---- test ---- */
static int test(const struct cli *c, const struct station *s, int64_t wait_ms, size_t *left, struct err *e)
{
	bool seen[STATION_SLOTS_MAX] = {0};
	int64_t deadline = clock_mono_ms() + wait_ms;
	char port[USB_PORT_MAX];
	struct look l;
	int rc = look_start(&l, e) < 0 ? -1 : 1;

	for (*left = s->n_slots; rc == 1 && *left;) {
		size_t i = 0;

		rc = next_arrival(&l, deadline, port, e);
		if (rc != 1)
			break;
		while (i < s->n_slots && strcmp(s->slot[i].port, port) != 0)
			i++;
		if (i == s->n_slots) {
			tell(c, "-", port, "no slot");
		} else if (!seen[i]) {
			seen[i] = true;
			--*left;
			tell(c, s->slot[i].name, port, "ok");
		}
		deadline = clock_mono_ms() + wait_ms;
	}
	for (size_t i = 0; rc == 0 && i < s->n_slots; i++)
		if (!seen[i])
			tell(c, s->slot[i].name, s->slot[i].port, "nothing came");
	return rc;
}

enum cli_exit cmd_slots_test(const struct cli *c)
{
	struct station s;
	int64_t wait_ms = 0;
	struct err e = {0};
	size_t left = 0;
	int rc = -1;

	if (station_settings(&s, cli_dir(c), &e) == 0 && read_timeout(c, &wait_ms, &e) == 0) {
		if (s.n_slots == 0) {
			err_set(&e, REASON_CONFIG, "station.yaml names no slots; \"slots learn NAME...\" names them");
		} else {
			fprintf(stderr, "plug a device into each of the %zu slots, in any order\n", s.n_slots);
			rc = test(c, &s, wait_ms, &left, &e);
		}
	}
	station_free(&s);
	if (rc == -2)
		return EXIT_INTERRUPTED;
	if (rc == -1)
		return cli_fail(c, &e);
	return result(c, "missing", (int64_t)left, left ? EXIT_NO : EXIT_DONE);
}
