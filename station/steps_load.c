#include <config.h>

#include "steps.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "dfu.h"
#include "fault.h"
#include "limits.h"
#include "mem.h"
#include "quirks.h"
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
	/* A boot loader may have any name; one that is a serial of the order is believed, which spares the download. */
	u->left_out = u->run->failed_only && work_order_has_serial(&u->run->source.order, u->record.boot_serial) &&
		      !failed_wants(&u->run->failed, u->record.boot_serial, u->record.slot);
	if (!u->ignore && !u->left_out)
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

	l->unit->sent_away = true;
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

static int prepare_loader(struct loader *l, const struct usb_alternate *a, int n, struct err *e)
{
	int count = choose_alternate(l, a, n, e);

	if (count < 0 || quirk_function(&l->function, l->usb, a, n, l->alternate.interface,
					l->unit->run->model.dfu_transfer_size, e) < 0)
		return -1;
	return usb_claim(l->usb, &l->alternate, quirk_select(count), e);
}

static int load(struct loader *l, const struct dfu_transport *t, struct err *e)
{
	struct unit *u = l->unit;
	int rc;

	if (dfu_download(t, &l->function, u->run->agent.data, u->run->agent.len, u->deadline, loader_progress, l,
			 e) < 0)
		return -1;
	FAULT("station.dfu.done");
	rc = dfu_leave(t, &l->function, u->deadline, e);
	FAULT("station.dfu.detached");
	return rc;
}

/* An application that has DFU beside its own interfaces (4.2.1): told to enter DFU mode it leaves the bus, and comes
 * back. */
static bool find_runtime(struct loader *l, const struct usb_alternate *a, int n)
{
	for (int i = 0; i < n; i++) {
		if (a[i].class != DFU_CLASS || a[i].subclass != DFU_SUBCLASS)
			continue;
		l->alternate = a[i];
		return a[i].protocol == DFU_PROTOCOL_RUNTIME;
	}
	return false;
}

static int enter_dfu(struct loader *l, const struct dfu_transport *t, const struct usb_alternate *a, int n,
		     struct err *e)
{
	if (l->unit->entered++)
		return err_set(e, REASON_USB,
			       "the device was told to enter DFU mode (DETACH) and came back without it");
	/* DETACH carries nothing: any block size will do where none is told. */
	if (quirk_function(&l->function, l->usb, a, n, l->alternate.interface, 1, e) < 0 ||
	    usb_claim(l->usb, &l->alternate, false, e) < 0 || dfu_enter(t, &l->function, l->unit->deadline, e) < 0)
		return -1;
	l->unit->sent_away = true;
	return err_set(e, REASON_DEVICE_LEFT, "the device goes to its DFU mode");
}

int step_dfu(struct unit *u, struct err *e)
{
	struct loader l = { .unit = u };
	const struct dfu_transport t = { loader_control, loader_reset, loader_sleep, loader_now, &l };
	struct usb_alternate a[USB_ALTERNATES_MAX];
	int n, rc = -1;

	if (run_is_agent(&u->place, &u->run->model)) {
		u->skip = true;
		return 0;
	}
	l.usb = usb_open(&u->place, e);
	if (!l.usb)
		return -1;
	n = usb_alternates(l.usb, a, e);
	if (n >= 0 && find_runtime(&l, a, n))
		rc = enter_dfu(&l, &t, a, n, e);
	else if (n >= 0 && prepare_loader(&l, a, n, e) == 0)
		rc = load(&l, &t, e);
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
