/* tunnel.h - the device's connection to the CA, carried by the station as OPEN, DATA and CLOSE.
 *
 * Two threads: the worker connects and speaks TLS over one end of a socket pair, as over any network; the pump, which owns
 * the link, moves what the other end holds into frames and back. What passes between the threads goes through `control`. */
#ifndef HANDSEL_TUNNEL_H
#define HANDSEL_TUNNEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "devmsg.h"

struct tunnel {
	int control[2];		/* the pump reads [0], the worker writes [1] */
	int far;		/* the pump's end of the open connection; -1: none */
	uint16_t channel;	/* of the open connection, or the last one */
	atomic_bool cut;	/* the link is gone: no connection can be had */
};

int tunnel_init(struct tunnel *t, struct err *e);
void tunnel_free(struct tunnel *t);

/* ---- the worker ---- */
int tunnel_connect(void *tunnel, struct err *e);		/* as ca_client wants it */
void tunnel_say(void *tunnel, const char *text);		/* a line for the technician's log */
void tunnel_finish(struct tunnel *t);				/* the worker ends now */

/* ---- the pump; frames for the station are appended to out ---- */
bool tunnel_control(struct tunnel *t, struct buf *out);		/* when control[0] is readable; true: the worker ends */
void tunnel_up(struct tunnel *t, struct buf *out);		/* when `far` is readable */
void tunnel_down(struct tunnel *t, const struct link_frame *f, struct buf *out);	/* OPENED, DATA, CLOSE */
void tunnel_cut(struct tunnel *t);

#endif
