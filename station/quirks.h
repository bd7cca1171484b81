/* quirks.h - where boot loaders differ from DFU 1.1 or from each other, U-Boot first, and what is done about it. */
#ifndef HANDSEL_QUIRKS_H
#define HANDSEL_QUIRKS_H

#include "dfu.h"
#include "usb.h"

/* The functional descriptor of that interface. transfer_size: the model file's, for a device that does not tell
 * (dfu-util's -t); 0: none. Codes: USB, DEVICE_LEFT. */
int quirk_function(struct dfu_function *f, struct usb *usb, const struct usb_alternate *a, int n, uint8_t interface,
		   uint16_t transfer_size, struct err *e);

/* Whether an interface with so many alternate settings wants SET_INTERFACE. */
bool quirk_select(int alternates);

/* How much one DNLOAD carries. */
size_t quirk_block_size(const struct dfu_function *f);

/* Whether the device is to be reset after DETACH. */
bool quirk_reset_after_detach(const struct dfu_function *f);

/* Whether a device that leaves the bus during manifestation has taken the image. */
bool quirk_may_leave(const struct dfu_function *f);

#endif
