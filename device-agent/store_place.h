/* store_place.h - one folder of the store: a key, its request, and what came of it. Only for store.c. */
#ifndef HANDSEL_STORE_PLACE_H
#define HANDSEL_STORE_PLACE_H

#include <stdbool.h>

#include "credential.h"
#include "file.h"

struct place {
	enum store_slot slot;
	const char *name;			/* "factory", "customer-a", "customer-b" */
	char dir[FILE_PATH];
	char key[FILE_PATH], transport[FILE_PATH], request[FILE_PATH], root[FILE_PATH], cert[FILE_PATH], state[FILE_PATH];
};

int place_open(struct place *p, const char *store, enum store_slot slot, struct err *e);

bool place_empty(const struct place *p);	/* nothing but, in the factory, a pinned root */
bool place_prepared(const struct place *p);	/* key (or transport key) and request are there and readable */
bool place_stored(const struct place *p);	/* and the certificate */
bool place_active(const struct place *p);	/* a customer slot that is or was in force: never one that waits for its confirm */
int place_request(const struct place *p, struct request_id *r, struct err *e);	/* 1 there, 0 not or damaged, -1 */
int place_load(const struct place *p, struct credential *c, struct err *e);
void place_floor(const struct place *p, int64_t *latest);	/* raises it to notBefore of the verified CA certificates */

int place_clean(const struct place *p, struct err *e);	/* makes the folder, removes temporaries */
/* transport: key is the one that the CA's will be encrypted to. */
int place_prepare(const struct place *p, const struct key *key, bool transport, const struct request_id *r, struct err *e);
int place_drop_transport(const struct place *p, struct err *e);
int place_pin_root(const struct place *p, const struct cert *root, bool open, struct err *e);
int place_put(const struct place *p, const struct credential *c, struct err *e);
int place_set_active(const struct place *p, struct err *e);
int place_drop_certificate(const struct place *p, struct err *e);
int place_drop(const struct place *p, struct err *e);
int place_drop_active(const struct place *p, struct err *e);	/* likewise; a cut leaves nothing that looks like a request */

/* The first line of a short file; "" if it is not there. */
int place_read_line(const char *path, char *out, size_t size, struct err *e);

/* What file_replace() left when it was cut: NAME.new-... */
int place_remove_temporaries(const char *dir, struct err *e);

#endif
