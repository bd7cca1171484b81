/* dfu.h - download to a device in DFU mode, as "Universal Serial Bus Device Class Specification for Device Firmware
 * Upgrade", version 1.1, describes it and as U-Boot speaks it. Clauses in messages are those of that document. */
#ifndef HANDSEL_DFU_H
#define HANDSEL_DFU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define DFU_CLASS	0xfe
#define DFU_SUBCLASS	1
#define DFU_PROTOCOL	2	/* DFU mode (4.2.3) */
#define DFU_PROTOCOL_RUNTIME 1	/* an application that can be told to enter it (4.2.1) */

enum dfu_state {
	DFU_APP_IDLE,
	DFU_APP_DETACH,
	DFU_IDLE,
	DFU_DNLOAD_SYNC,
	DFU_DNBUSY,
	DFU_DNLOAD_IDLE,
	DFU_MANIFEST_SYNC,
	DFU_MANIFEST,
	DFU_MANIFEST_WAIT_RESET,
	DFU_UPLOAD_IDLE,
	DFU_ERROR,
	DFU_STATES
};
#define DFU_STATUSES 16

const char *dfu_state_name(unsigned state);	/* "dfuDNLOAD-IDLE" */
const char *dfu_status_name(unsigned status);	/* "errVERIFY" */

enum { DFU_CAN_DNLOAD = 1, DFU_CAN_UPLOAD = 2, DFU_MANIFESTATION_TOLERANT = 4, DFU_WILL_DETACH = 8 };

struct dfu_function {			/* functional descriptor (4.1.3) */
	uint8_t attributes;
	uint16_t detach_timeout_ms, transfer_size, version;
};
#define DFU_DESCRIPTOR 0x21

/* Finds it among class descriptors; false if it is not there or makes no sense. */
bool dfu_function_find(struct dfu_function *f, const uint8_t *extra, size_t len);

/* How the requests reach the device; results as those of usb_control(). */
struct dfu_transport {
	int (*control)(void *arg, uint8_t type, uint8_t request, uint16_t value, void *data, uint16_t len,
		       int timeout_ms);
	int (*reset)(void *arg);
	void (*sleep)(void *arg, int ms);
	int64_t (*now)(void *arg);		/* ms, as the deadline */
	void *arg;
};

typedef void (*dfu_progress)(void *arg, size_t done, size_t total);

/* Downloads the image and sees it manifested: afterwards the device is in dfuIDLE, or waits for its reset. A device
 * in dfuERROR or left in mid-download is brought to dfuIDLE first; an error on the way is cleared and the download
 * tried once more. One that still waits for the reset after an earlier image gets it, and leaves. Codes: USB,
 * DEVICE_LEFT, AGENT (the device refused the image itself). */
int dfu_download(const struct dfu_transport *t, const struct dfu_function *f, const void *image, size_t len,
		 int64_t deadline, dfu_progress progress, void *progress_arg, struct err *e);

/* Lets the device go to what it has loaded: DETACH, and a bus reset only where the device does not detach by itself,
 * since U-Boot takes a reset for a reason to restart the board and forget an image in memory. */
int dfu_leave(const struct dfu_transport *t, const struct dfu_function *f, int64_t deadline, struct err *e);

/* Tells an application to enter DFU mode (5.1), or a boot loader to leave it: DETACH, and the bus reset that it waits
 * for unless it detaches by itself. */
int dfu_enter(const struct dfu_transport *t, const struct dfu_function *f, int64_t deadline, struct err *e);

#endif
