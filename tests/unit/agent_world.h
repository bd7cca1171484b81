/* agent_world.h - a device's store and the two CAs around it, for the tests of handsel-agent. */
#ifndef HANDSEL_AGENT_WORLD_H
#define HANDSEL_AGENT_WORLD_H

#include "credential.h"
#include "store.h"

#define WORLD_SERIAL "00020017"

struct agent_ca {
	struct key *root_key, *key;
	struct chain root, issuing;	/* one certificate each */
	const char *policy;
};

extern struct agent_ca world_factory, world_customer;
extern const struct device_id world_device;

void agent_world_init(void);		/* exits with 99 if it cannot */
void agent_world_free(void);

/* A fresh store with its identity.yaml below the test's folder. Static storage. */
const char *world_store(void);
void world_write(const char *dir, const char *name, const char *text);

/* The leaf that ca makes of c's key, for that device, with that policy; replaces *der. */
void world_leaf(const struct agent_ca *ca, const struct credential *c, const struct device_id *device, const char *policy,
		struct buf *der);

/* Fills chain and root of c as an honest CA would. */
void world_issue(const struct agent_ca *ca, struct credential *c);

/* A store whose factory credential is in force. */
const char *world_made_device(void);

#endif
