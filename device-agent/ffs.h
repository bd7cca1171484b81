/* ffs.h - the agent's USB interface on Linux' FunctionFS: a vendor interface with one bulk endpoint each way.
 *
 * The gadget around it (ids, strings, configuration) is made in configfs by whoever starts the agent: gadget.sh. Each
 * host that sets the interface begins a session (protocol-link.md, L1.3); what was under way for an earlier one is
 * dropped. One thread uses it all. */
#ifndef HANDSEL_FFS_H
#define HANDSEL_FFS_H

#include "link.h"

struct ffs;

/* Describes the interface to the mounted FunctionFS at dir, whose gadget can be bound then. NULL: USB or CONFIG. */
struct ffs *ffs_open(const char *dir, struct err *e);
void ffs_close(struct ffs *f);	/* the device leaves the bus */

/* Binds the gadget (its folder in configfs) to a USB device controller: now a host can see the device. */
int ffs_bind(const char *gadget, const char *udc, struct err *e);

/* Waits for a host that sets the interface and says something, and begins its session. Closing the link while the
 * host still has its session stalls the endpoints, which tells the host that the agent gives it up. f outlives the
 * link; there is one link at a time. */
struct link *ffs_session(struct ffs *f, struct err *e);

#endif
