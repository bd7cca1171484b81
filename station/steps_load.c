#include <config.h>

#include "steps.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "dfu.h"
#include "fault.h"
#include "limits.h"
#include "mem.h"
#include "text.h"

#define PROGRESS_EVENTS 20	/* of one download */

int step_seen(struct unit *u, struct err *e)
{
	struct usb *usb = usb_open(&u->place, e);

	if (!usb)
		return -1;
	text_copy(u->record.boot_serial, sizeof u->record.boot_serial, usb_serial(usb));
	usb_close(usb);
	/* A unit that restarts its board after PASS is seen again as a boot loader. */
	u->ignore = run_has_passed(u->run, u->record.boot_serial);
	if (!u->ignore)
		console_phase(u->run->console, &u->record, PHASE_SEEN);
	FAULT("station.seen");
	return 0;
}

/* ---- DFU over libusb --------------------------------------------------------------- */

struct loader {
	struct unit *unit;
	struct usb *usb;
	struct usb_alternate alternate;
	struct dfu_function function;
	size_t reported;
};

static int loader_control(void *arg, uint8_t type, uint8_t request, uint16_t value, void *data, uint16_t len,
			  int timeout_ms)
{
	struct loader *l = arg;

	if (bus_stopped(l->unit->run->bus))
		return USB_ERROR;
	return usb_control(l->usb, type, request, value, l->alternate.interface, data, len, timeout_ms);
}

static int loader_reset(void *arg)
{
	struct loader *l = arg;

	return usb_reset(l->usb);
}

static void loader_sleep(void *arg, int ms)
{
	struct loader *l = arg;

	bus_pause(l->unit->run->bus, clock_mono_ms() + ms);
}

static int64_t loader_now(void *arg)
{
	return clock_mono_ms();
}

static void loader_progress(void *arg, size_t done, size_t total)
{
	struct loader *l = arg;

	if (done != total && done < l->reported + total / PROGRESS_EVENTS)
		return;
	l->reported = done;
	console_progress(l->unit->run->console, &l->unit->record, PHASE_DFU, done, total);
}

/* The one that the model names, or the only one. */
static int choose_alternate(struct loader *l, const struct usb_alternate *a, int n, struct err *e)
{
	const char *wanted = l->unit->run->model.dfu_alt;
	const struct usb_alternate *found = NULL;
	char names[200] = "";
	int count = 0;

	for (int i = 0; i < n; i++) {
		size_t len = strlen(names);

		if (a[i].class != DFU_CLASS || a[i].subclass != DFU_SUBCLASS || a[i].protocol != DFU_PROTOCOL)
			continue;
		snprintf(names + len, sizeof names - len, "%s\"%.60s\"", count ? ", " : "", a[i].name);
		count++;
		if (!*wanted || strcmp(a[i].name, wanted) == 0)
			found = &a[i];
	}
	if (!count)
		return err_set(e, REASON_WRONG_MODEL, "the device has no DFU interface, so no agent can be loaded");
	if (!found)
		return err_set(e, REASON_WRONG_MODEL, "the boot loader offers %s, the device model wants \"%s\"", names,
			       wanted);
	if (!*wanted && count > 1)
		return err_set(e, REASON_CONFIG, "the boot loader offers %s; name one of them as alt in the model file",
			       names);
	l->alternate = *found;
	return count;
}

/* U-Boot has one descriptor behind its last alternate setting; others have it behind each, or only on request. */
static int find_function(struct loader *l, const struct usb_alternate *a, int n, struct err *e)
{
	uint8_t d[16];
	int got;

	for (int i = 0; i < n; i++)
		if (a[i].interface == l->alternate.interface &&
		    dfu_function_find(&l->function, a[i].extra, a[i].extra_len))
			return 0;
	got = usb_control(l->usb, 0x81, 6, DFU_DESCRIPTOR << 8, l->alternate.interface, d, sizeof d, TIMEOUT_USB_MS);
	if (got == USB_GONE)
		return err_set(e, REASON_DEVICE_LEFT, "reading the DFU descriptor: %s", usb_failure_text(got));
	if (got > 0 && dfu_function_find(&l->function, d, (size_t)got))
		return 0;
	return err_set(
		e, REASON_USB,
		"the boot loader has no DFU functional descriptor (DFU 1.1, 4.1.3), so its block size is unknown");
}

static int prepare_loader(struct loader *l, struct err *e)
{
	struct usb_alternate a[USB_ALTERNATES_MAX];
	int n = usb_alternates(l->usb, a, e), count;

	if (n < 0 || (count = choose_alternate(l, a, n, e)) < 0 || find_function(l, a, n, e) < 0)
		return -1;
	return usb_claim(l->usb, &l->alternate, count > 1,
			 e); /* some boot loaders stall SET_INTERFACE if there is no choice */
}

int step_dfu(struct unit *u, struct err *e)
{
	struct loader l = { .unit = u };
	const struct dfu_transport t = { loader_control, loader_reset, loader_sleep, loader_now, &l };
	int rc = -1;

	if (run_is_agent(&u->place, &u->run->model)) {
		u->skip = true;
		return 0;
	}
	l.usb = usb_open(&u->place, e);
	if (!l.usb)
		return -1;
	if (prepare_loader(&l, e) < 0 || dfu_download(&t, &l.function, u->run->agent.data, u->run->agent.len,
						      u->deadline, loader_progress, &l, e) < 0)
		goto out;
	FAULT("station.dfu.done");
	rc = dfu_leave(&t, &l.function, u->deadline, e);
	FAULT("station.dfu.detached");
out:
	usb_close(l.usb);
	return rc;
}

int step_agent(struct unit *u, struct err *e)
{
	int64_t until = clock_mono_ms() + TIMEOUT_ENUMERATE_MS;

	if (!run_is_agent(&u->place, &u->run->model) &&
	    bus_wait(u->run->bus, u->place.port, run_is_agent, &u->run->model,
		     until < u->deadline ? until : u->deadline, &u->place) < 0)
		return err_set(e, REASON_AGENT, "the agent was loaded, but did not appear on port %s", u->place.port);
	u->link = link_usb_open(&u->place, e);
	if (!u->link)
		return -1;
	tunnel_init(&u->tunnel, &u->run->station.ca, u->link);
	FAULT("station.agent");
	return 0;
}
