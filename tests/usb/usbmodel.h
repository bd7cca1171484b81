/* usbmodel.h - one virtual USB device: a DFU 1.1 boot loader as U-Boot shows it, then an agent with a bulk pair whose
 * bytes go to and come from a socket. It knows nothing of how the host reaches it. */
#ifndef HANDSEL_USBMODEL_H
#define HANDSEL_USBMODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_IMAGE_MAX (32u << 20)	/* an agent with sanitizers and debug symbols */
#define MODEL_NEVER (-1)

enum model_mode {
	MODEL_DFU,
	MODEL_AGENT,
	MODEL_RUNTIME		/* an application that can be told to enter DFU mode (DFU 1.1, 4.1) */
};

struct model_fault {			/* what goes wrong; MODEL_NEVER: nothing */
	int stall_block;		/* each try of this block stalls */
	int stall_once;			/* only the first try */
	int vanish_block;		/* the cable is pulled there */
	int hang_block;			/* no answer any more */
	int bad_status;			/* at the end of the image: errVERIFY */
	int poll_ms;			/* bwPollTimeout of each block; -1: none */
	int vanish_out;			/* the cable is pulled at this bulk OUT transfer */
	int cut_out;			/* the power is cut there, and comes back */
	int busy_block;			/* dfuDNBUSY for ever */
	int short_block;		/* half a GETSTATUS */
	int size;			/* what the functional descriptor says as wTransferSize */
	bool no_function, short_function;	/* the functional descriptor: not there, cut off */
	bool no_endpoints;		/* the agent's interface has none */
};

struct model_kind {			/* a boot loader that is not U-Boot */
	bool no_detach;			/* bitWillDetach 0: it waits for a bus reset */
	bool not_tolerant;		/* bitManifestationTolerant 0: after the image it waits for a bus reset */
	bool leaves;			/* the same, and it does not wait */
	bool runtime;			/* it is an application until DETACH */
};

#define MODEL_NO_FAULT (struct model_fault){ MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, \
					    MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, MODEL_NEVER, \
					    MODEL_NEVER }

struct usbmodel {
	enum model_mode mode;
	uint16_t vid, pid;
	const char *manufacturer, *product, *serial;
	const char *alternate[2];	/* names of the alternate settings of the DFU interface */
	int n_alternates;
	struct model_fault fault;
	struct model_kind kind;

	/* DFU */
	unsigned state, status;
	int block;			/* next block number */
	bool stalled_once;
	uint8_t *image;
	size_t image_len;
	bool complete;			/* the image is manifested */
	bool detached;			/* it waits for the bus reset */

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

/* The host has reset the bus: a boot loader that does not wait for it starts again, and an image in memory is lost. */
void model_reset(struct usbmodel *m);

/* SET_INTERFACE: by it the agent knows a new session. */
void model_set_interface(struct usbmodel *m);

/* Device and configuration descriptor, one after the other; their length. */
size_t model_descriptors(const struct usbmodel *m, uint8_t *out, size_t size);

/* A transfer: bytes moved or -errno; -EAGAIN: stays under way. */
int model_control(struct usbmodel *m, const uint8_t setup[8], uint8_t *data);
int model_bulk_in(struct usbmodel *m, uint8_t *data, int len);
int model_bulk_out(struct usbmodel *m, const uint8_t *data, int len, bool first);	/* first: of its transfer */

#endif
