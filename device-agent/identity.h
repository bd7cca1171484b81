/* identity.h - who the device is, as its maker wrote it: STORE/identity.yaml. */
#ifndef HANDSEL_IDENTITY_H
#define HANDSEL_IDENTITY_H

#include "buf.h"
#include "device.h"
#include "err.h"

#define IDENTITY_FILE "identity.yaml"

struct identity {
	struct device_id device;
	char revision[LIMIT_NAME + 1];
};

int identity_parse(struct identity *id, const char *name, const struct buf *text, struct err *e);	/* code CONFIG */
int identity_load(struct identity *id, const char *dir, struct err *e);

#endif
