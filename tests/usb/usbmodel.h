/* usbmodel.h - one virtual USB device: a DFU 1.1 boot loader as U-Boot shows it, then an agent with a bulk pair whose
 * bytes go to and come from a socket. It knows nothing of how the host reaches it. */
#ifndef HANDSEL_USBMODEL_H
#define HANDSEL_USBMODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_IMAGE_MAX (32u << 20)	/* an agent with sanitizers and debug symbols */
#define MODEL_NEVER (-1)

enum model_mode { MODEL_DFU, MODEL_AGENT };

struct model_fault {			/* what goes wrong; MODEL_NEVER: nothing */
	int stall_block;		/* each try of this block stalls */
	int stall_once;			/* only the first try */
	int vanish_block;		/* the cable is pulled there */
	int hang_block;			/* no answer any more */
	int bad_status;			/* at the end of the image: errVERIFY */
	int poll_ms;			/* bwPollTimeout of each block; -1: none */
	int vanish_out;			/* the cable is pulled at this bulk OUT transfer */
	int cut_out;			/* the power is cut there, and comes back */
};

#define MODEL_NO_FAULT (struct model_fault){ MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, \
					    MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, MODEL_NEVER }

struct usbmodel {
	enum model_mode mode;
	uint16_t vid, pid;
	const char *manufacturer, *product, *serial;
	const char *alternate[2];	/* names of the alternate settings of the DFU interface */
	int n_alternates;
	struct model_fault fault;

	/* DFU */
	unsigned state, status;
	int block;			/* next block number */
	bool stalled_once;
	uint8_t *image;
	size_t image_len;
	bool complete;			/* the image is manifested */

	/* agent */
	int fd;				/* the agent's link; -1: none */
	int outs;			/* bulk OUT transfers so far */

	/* for whoever plugs */
	bool leave;			/* DETACH: take the device off and start its agent */
	bool gone;			/* it is off the bus for the host */
	bool cut;			/* by a power cut */
	bool hung;
	bool new_session;		/* SET_INTERFACE on a link that has carried bytes */
};

void model_init(struct usbmodel *m, enum model_mode mode);

/* Device and configuration descriptor, one after the other; their length. */
size_t model_descriptors(const struct usbmodel *m, uint8_t *out, size_t size);

/* A transfer: bytes moved or -errno; -EAGAIN: stays under way. */
int model_control(struct usbmodel *m, const uint8_t setup[8], uint8_t *data);
int model_bulk_in(struct usbmodel *m, uint8_t *data, int len);
int model_bulk_out(struct usbmodel *m, const uint8_t *data, int len, bool first);	/* first: of its transfer */

#endif
