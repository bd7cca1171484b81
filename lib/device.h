/* device.h - what a device is: (manufacturer, model, serial), in lists, databases, ledgers and certificates. */
#ifndef HANDSEL_DEVICE_H
#define HANDSEL_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"

struct device_id {
	char manufacturer[LIMIT_NAME + 1];	/* subject O */
	char model[LIMIT_NAME + 1];		/* subject OU */
	char serial[LIMIT_SERIAL + 1];		/* subject serialNumber */
};

bool device_same(const struct device_id *a, const struct device_id *b);

/* All three are there; manufacturer and model are names, the serial is a token (text.h). */
bool device_valid(const struct device_id *d);

/* A try of a device: made by the device before its first request and kept with the new key until the end. */
#define REQUEST_ID_LEN 32			/* 16 random bytes as lower-case hex */
struct request_id {
	char id[REQUEST_ID_LEN + 1];
	uint32_t generation;			/* only grows; 0: a plain EST client without ids */
};

void request_id_new(struct request_id *r, uint32_t generation);
bool request_id_valid(const struct request_id *r);

/* What else has a random id is written the same way: records, acts of persons. */
void id_new(char out[REQUEST_ID_LEN + 1]);
bool id_valid(const char *id);

#endif
