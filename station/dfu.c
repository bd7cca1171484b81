#include <config.h>

#include "dfu.h"

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "limits.h"
#include "mem.h"
#include "quirks.h"
#include "usb.h"

enum {
	REQUEST_DETACH,
	REQUEST_DNLOAD,
	REQUEST_UPLOAD,
	REQUEST_GETSTATUS,
	REQUEST_CLRSTATUS,
	REQUEST_GETSTATE,
	REQUEST_ABORT
};
#define TO_DEVICE 0x21		/* class request to an interface (3) */
#define FROM_DEVICE 0xa1

#define POLL_MAX_MS 20000	/* bwPollTimeout has 24 bits, 4.6 hours: no flash page takes longer than this */
#define POLL_COUNT_MAX 1000	/* answers "busy" to one block: more is a device that turns in circles */
#define RECOVER_TRIES 4		/* requests to bring a device to dfuIDLE */
#define DOWNLOAD_TRIES 2

struct answer {			/* of GETSTATUS (6.1.2) */
	unsigned status, state;
	int poll_ms;
};

static const char *const state_names[DFU_STATES] = {
	"appIDLE",	  "appDETACH",	      "dfuIDLE",     "dfuDNLOAD-SYNC",	       "dfuDNBUSY",
	"dfuDNLOAD-IDLE", "dfuMANIFEST-SYNC", "dfuMANIFEST", "dfuMANIFEST-WAIT-RESET", "dfuUPLOAD-IDLE",
	"dfuERROR",
};

static const struct {
	const char *name;
	enum reason code;	/* whose fault: the wire's or the image's */
} statuses[DFU_STATUSES] = {
	{ "OK", REASON_USB },		{ "errTARGET", REASON_AGENT },	{ "errFILE", REASON_AGENT },
	{ "errWRITE", REASON_USB },	{ "errERASE", REASON_USB },	{ "errCHECK_ERASED", REASON_USB },
	{ "errPROG", REASON_USB },	{ "errVERIFY", REASON_AGENT },	{ "errADDRESS", REASON_AGENT },
	{ "errNOTDONE", REASON_USB },	{ "errFIRMWARE", REASON_AGENT }, { "errVENDOR", REASON_AGENT },
	{ "errUSBR", REASON_USB },	{ "errPOR", REASON_USB },	{ "errUNKNOWN", REASON_USB },
	{ "errSTALLEDPKT", REASON_USB },
};

const char *dfu_state_name(unsigned state)
{
	return state < DFU_STATES ? state_names[state] : "a state that DFU 1.1 does not know";
}

const char *dfu_status_name(unsigned status)
{
	return status < DFU_STATUSES ? statuses[status].name : "a status that DFU 1.1 does not know";
}

bool dfu_function_find(struct dfu_function *f, const uint8_t *extra, size_t len)
{
	for (size_t at = 0; at + 2 <= len && extra[at] >= 2 && at + extra[at] <= len; at += extra[at]) {
		const uint8_t *d = extra + at;

		/* DFU 1.0 has 7 bytes, without bcdDFUVersion. */
		if (d[1] != DFU_DESCRIPTOR || d[0] < 7)
			continue;
		f->attributes = d[2];
		f->detach_timeout_ms = (uint16_t)(d[3] | d[4] << 8);
		f->transfer_size = (uint16_t)(d[5] | d[6] << 8);
		f->version = d[0] >= 9 ? (uint16_t)(d[7] | d[8] << 8) : 0x100;
		return f->transfer_size > 0;
	}
	return false;
}

static int transfer_failed(struct err *e, const char *what, int failure)
{
	return err_set(e, failure == USB_GONE ? REASON_DEVICE_LEFT : REASON_USB, "%s: %s", what,
		       usb_failure_text(failure));
}

static int left_ms(const struct dfu_transport *t, int64_t deadline)
{
	int64_t left = deadline - t->now(t->arg);

	return left > TIMEOUT_USB_MS ? TIMEOUT_USB_MS : left < 0 ? 0 : (int)left;
}

static int request(const struct dfu_transport *t, uint8_t code, uint16_t value, void *data, size_t len,
		   int64_t deadline)
{
	int wait = left_ms(t, deadline);
	uint8_t type = code == REQUEST_GETSTATUS || code == REQUEST_GETSTATE ? FROM_DEVICE : TO_DEVICE;

	return wait > 0 ? t->control(t->arg, type, code, value, data, (uint16_t)len, wait) : USB_TIMEOUT;
}

static int get_status(const struct dfu_transport *t, struct answer *a, int64_t deadline, struct err *e)
{
	uint8_t s[6];
	int n = request(t, REQUEST_GETSTATUS, 0, s, sizeof s, deadline);

	*a = (struct answer){0};
	if (n < 0)
		return transfer_failed(e, "DFU GETSTATUS", n);
	if (n != (int)sizeof s)
		return err_set(e, REASON_USB, "DFU GETSTATUS: %d bytes instead of 6 (6.1.2)", n);
	a->status = s[0];
	a->poll_ms = s[1] | s[2] << 8 | s[3] << 16;
	a->state = s[4];
	if (a->state >= DFU_STATES)
		return err_set(e, REASON_USB, "DFU GETSTATUS: %s (%u)", dfu_state_name(a->state), a->state);
	return 0;
}

static int refused(struct err *e, const struct answer *a, const char *when)
{
	return err_set(e, a->status < DFU_STATUSES ? statuses[a->status].code : REASON_USB,
		       "the boot loader reports %s in %s %s", dfu_status_name(a->status), dfu_state_name(a->state),
		       when);
}

/* Waits as long as the device asks for, within reason and the deadline (6.1.2, bwPollTimeout). */
static int pause_for(const struct dfu_transport *t, const struct answer *a, int64_t deadline, struct err *e)
{
	if (a->poll_ms > POLL_MAX_MS)
		return err_set(e, REASON_USB,
			       "the boot loader asks for a pause of %d ms in %s; at most %d ms are granted", a->poll_ms,
			       dfu_state_name(a->state), POLL_MAX_MS);
	if (t->now(t->arg) + a->poll_ms >= deadline)
		return err_set(e, REASON_USB, "the time for this unit ended while the boot loader was in %s",
			       dfu_state_name(a->state));
	if (a->poll_ms)
		t->sleep(t->arg, a->poll_ms);
	return 0;
}

/* Any state of an earlier attempt (appendix A.2) becomes dfuIDLE. */
static int make_idle(const struct dfu_transport *t, int64_t deadline, struct err *e)
{
	struct answer a;

	for (int i = 0; i < RECOVER_TRIES; i++) {
		uint8_t code;
		int n;

		if (get_status(t, &a, deadline, e) < 0)
			return -1;
		if (a.state == DFU_IDLE)
			return 0;
		if (a.state == DFU_APP_IDLE || a.state == DFU_APP_DETACH)
			break;
		if (a.state == DFU_MANIFEST_WAIT_RESET) {
			t->reset(t->arg);	/* whether it worked shows in whether it comes back */
			return err_set(e, REASON_DEVICE_LEFT, "the boot loader waited for its reset and has got it");
		}
		if (a.state == DFU_DNBUSY || a.state == DFU_MANIFEST) {
			if (pause_for(t, &a, deadline, e) < 0)
				return -1;
			continue;
		}
		code = a.state == DFU_ERROR ? REQUEST_CLRSTATUS : REQUEST_ABORT;
		n = request(t, code, 0, NULL, 0, deadline);
		if (n == USB_GONE)
			return transfer_failed(e, code == REQUEST_CLRSTATUS ? "DFU CLRSTATUS" : "DFU ABORT", n);
	}
	return err_set(e, REASON_USB,
		       "the boot loader stays in %s and does not become ready (dfuIDLE); switch the unit off and on",
		       dfu_state_name(a.state));
}

/* Polls until the state is neither of the two passing ones; the device may demand a pause each time. */
static int settle(const struct dfu_transport *t, enum dfu_state passing, enum dfu_state passing2, struct answer *a,
		  int64_t deadline, struct err *e)
{
	for (int i = 0; i < POLL_COUNT_MAX; i++) {
		if (get_status(t, a, deadline, e) < 0)
			return -1;
		if (a->state == DFU_ERROR)
			return 0;
		if (a->state != passing && a->state != passing2)
			return 0;
		if (pause_for(t, a, deadline, e) < 0)
			return -1;
	}
	return err_set(e, REASON_USB, "the boot loader never leaves %s", dfu_state_name(a->state));
}

static int send_block(const struct dfu_transport *t, uint16_t number, void *data, size_t len, int64_t deadline,
		      struct err *e)
{
	char what[64];
	struct answer a;
	int n;

	snprintf(what, sizeof what, "at block %u", number);
	n = request(t, REQUEST_DNLOAD, number, data, len, deadline);
	if (n == USB_STALL) {
		/* A stall of DNLOAD means dfuERROR, whose status says why (A.2.3). */
		if (get_status(t, &a, deadline, e) < 0)
			return -1;
		return a.state == DFU_ERROR ? refused(e, &a, what) : transfer_failed(e, what, n);
	}
	if (n < 0) {
		transfer_failed(e, what, n);
		return err_prefix(e, "DFU DNLOAD");
	}
	if (n != (int)len)
		return err_set(e, REASON_USB, "DFU DNLOAD %s: the device took %d of %zu bytes", what, n, len);
	if (settle(t, DFU_DNLOAD_SYNC, DFU_DNBUSY, &a, deadline, e) < 0)
		return err_prefix(e, "%s", what);
	return a.state == DFU_DNLOAD_IDLE ? 0 : refused(e, &a, what);
}

/* The empty DNLOAD ends the transfer (6.1.1.1); then manifestation (A.2.6 to A.2.9). */
static int manifest(const struct dfu_transport *t, const struct dfu_function *f, uint16_t number, int64_t deadline,
		    struct err *e)
{
	struct answer a;
	int n = request(t, REQUEST_DNLOAD, number, NULL, 0, deadline);

	if (n < 0 && n != USB_STALL)
		return transfer_failed(e, "DFU DNLOAD at the end of the image", n);
	if (settle(t, DFU_MANIFEST_SYNC, DFU_MANIFEST, &a, deadline, e) < 0) {
		if (e->code == REASON_DEVICE_LEFT && quirk_may_leave(f))
			return 0;
		return err_prefix(e, "while the boot loader checked the image");
	}
	if (a.state == DFU_IDLE || a.state == DFU_MANIFEST_WAIT_RESET)
		return 0;
	return refused(e, &a, "after the last block");
}

static int download_once(const struct dfu_transport *t, const struct dfu_function *f, const uint8_t *image, size_t len,
			 int64_t deadline, dfu_progress progress, void *progress_arg, struct err *e)
{
	size_t block = quirk_block_size(f);
	uint8_t data[USB_CONTROL_MAX];
	uint16_t number = 0;	/* wraps (6.1.1.1) */

	if (make_idle(t, deadline, e) < 0)
		return -1;
	for (size_t done = 0; done < len; number++) {
		size_t n = len - done < block ? len - done : block;

		memcpy(data, image + done, n);
		if (send_block(t, number, data, n, deadline, e) < 0)
			return -1;
		done += n;
		FAULT("station.dfu.block");
		if (progress)
			progress(progress_arg, done, len);
	}
	return manifest(t, f, number, deadline, e);
}

int dfu_download(const struct dfu_transport *t, const struct dfu_function *f, const void *image, size_t len,
		 int64_t deadline, dfu_progress progress, void *progress_arg, struct err *e)
{
	if (!(f->attributes & DFU_CAN_DNLOAD))
		return err_set(e, REASON_AGENT, "the boot loader does not take downloads (bitCanDnload is 0, 4.1.3)");
	for (int i = 0; i < DOWNLOAD_TRIES; i++) {
		struct err second;

		/* A device that cannot be made ready again keeps the error that it had. */
		if (i > 0 && make_idle(t, deadline, &second) < 0)
			break;
		if (download_once(t, f, image, len, deadline, progress, progress_arg, e) == 0)
			return 0;
		if (e->code == REASON_DEVICE_LEFT || t->now(t->arg) >= deadline)
			break;
	}
	return -1;
}

int dfu_enter(const struct dfu_transport *t, const struct dfu_function *f, int64_t deadline, struct err *e)
{
	bool reset = quirk_reset_after_detach(f);
	int n = request(t, REQUEST_DETACH, f->detach_timeout_ms, NULL, 0, deadline);

	/* In DFU mode a device need not know DETACH (table 3.2): the reset is what it goes by. */
	if (n == USB_GONE || (n < 0 && !reset))
		return n == USB_GONE ? 0 : transfer_failed(e, "DFU DETACH", n);
	if (!reset)
		return 0;
	n = t->reset(t->arg);
	return n < 0 && n != USB_GONE ? transfer_failed(e, "the USB reset after DFU DETACH", n) : 0;
}

int dfu_leave(const struct dfu_transport *t, const struct dfu_function *f, int64_t deadline, struct err *e)
{
	struct answer a;
	int n;

	/* One that waits for its reset, or has left already, needs no DETACH. */
	if (get_status(t, &a, deadline, e) < 0)
		return e->code == REASON_DEVICE_LEFT ? 0 : -1;
	if (a.state != DFU_MANIFEST_WAIT_RESET)
		return dfu_enter(t, f, deadline, e);
	n = t->reset(t->arg);
	return n < 0 && n != USB_GONE ? transfer_failed(e, "the USB reset after the download", n) : 0;
}
