#include <config.h>

#include "quirks.h"

#include "limits.h"

#define GET_DESCRIPTOR 6
#define FROM_INTERFACE 0x81	/* standard request */

/* Without a functional descriptor a device is of DFU 1.0, and what it can do shows when it is asked to. */
static const struct dfu_function unknown = { DFU_CAN_DNLOAD | DFU_MANIFESTATION_TOLERANT, 0, 0, 0x100 };

/* U-Boot has one descriptor, behind the last of its alternate settings, and answers GET_DESCRIPTOR for it, too;
 * others have it behind each setting, or only on request; FunctionFS before Linux 6.12 lets none through. */
int quirk_function(struct dfu_function *f, struct usb *usb, const struct usb_alternate *a, int n, uint8_t interface,
		   uint16_t transfer_size, struct err *e)
{
	bool found = false;
	uint8_t d[16];
	int got;

	for (int i = 0; i < n && !found; i++)
		found = a[i].interface == interface && dfu_function_find(f, a[i].extra, a[i].extra_len);
	if (!found) {
		got = usb_control(usb, FROM_INTERFACE, GET_DESCRIPTOR, DFU_DESCRIPTOR << 8, interface, d, sizeof d,
				  TIMEOUT_USB_MS);
		if (got == USB_GONE)
			return err_set(e, REASON_DEVICE_LEFT, "reading the DFU descriptor: %s", usb_failure_text(got));
		found = got > 0 && dfu_function_find(f, d, (size_t)got);
	}
	if (found)
		return 0;
	*f = unknown;
	f->transfer_size = transfer_size;
	if (f->transfer_size)
		return 0;
	return err_set(e, REASON_USB,
		       "the boot loader does not tell its block size (wTransferSize, DFU 1.1, 4.1.3); if its documents do, "
		       "write it into the model file as transfer-size");
}

/* Some boot loaders with one setting stall SET_INTERFACE, which DFU 1.1 lets them. */
bool quirk_select(int alternates)
{
	return alternates > 1;
}

/* U-Boot takes a DNLOAD above wTransferSize and writes past its buffer; usbfs takes none above a page. */
size_t quirk_block_size(const struct dfu_function *f)
{
	return f->transfer_size < USB_CONTROL_MAX ? f->transfer_size : USB_CONTROL_MAX;
}

/* U-Boot ends its dfu command at DETACH and goes on to what it has loaded. A reset would restart the board, and an
 * image in memory be lost. */
bool quirk_reset_after_detach(const struct dfu_function *f)
{
	return !(f->attributes & DFU_WILL_DETACH);
}

/* U-Boot tolerates manifestation; where its flush fails it leaves the bus without a status. */
bool quirk_may_leave(const struct dfu_function *f)
{
	return !(f->attributes & DFU_MANIFESTATION_TOLERANT);
}
