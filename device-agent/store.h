/* store.h - the device's stable storage, whole at every instant (doc/architecture.md, storage).
 *
 *   identity.yaml                  by the maker
 *   factory/                       key.pem request root.pem cert.pem: write-once, closed by the first switch to it
 *   customer-a/ customer-b/        key.pem request root.pem cert.pem state
 *   current                        "factory", "customer-a" or "customer-b": the credential in force; absent in the factory
 *   generation                     the highest one ever used
 *   voucher                        sequence and customer of the highest voucher accepted (vouch.c); absent before the first
 *   agent.yaml                     settings.h; absent: as they are by default
 *   outcome                        why the last activation failed; absent if it did not
 *
 * Where the CA makes the key (mode ca), transport.pem stands in key.pem's place until the certificate comes; key.pem is then written
 * just before it, and the switch removes transport.pem.
 *
 * A place is half-made until key.pem and request stand there; then it is prepared; with its certificate (in a customer slot:
 * with state "stored", written last) it is stored; `current` makes it the one in force, which its state
 * "active" remembers: out of force again it is spent, and cleared away. Every file is replaced as a whole. */
#ifndef HANDSEL_STORE_H
#define HANDSEL_STORE_H

#include <stdbool.h>

#include "credential.h"
#include "devmsg.h"
#include "identity.h"

struct store;

/* A writer is alone (it holds a lock) and first clears away what a power cut left half-made; a reader changes nothing. NULL
 * on failure: CONFIG identity, KEY_STORE damaged or in use, STORAGE full or read-only. */
struct store *store_open(const char *dir, bool writer, struct err *e);
void store_close(struct store *s);

const char *store_dir(const struct store *s);
const struct identity *store_identity(const struct store *s);
uint32_t store_generation(const struct store *s);
enum store_slot store_current(const struct store *s);		/* SLOT_NONE: no credential yet */
/* The place that has been prepared and is not in force: SLOT_FACTORY in the factory, else a customer slot, or SLOT_NONE. */
enum store_slot store_pending(const struct store *s);
bool store_is_stored(const struct store *s, enum store_slot slot);
enum link_store store_level(const struct store *s);		/* what a hello says */
const char *store_slot_name(enum store_slot slot);

/* Key, request and, where stored, certificate and root of a prepared place. KEY_STORE if it is damaged. */
int store_load(const struct store *s, enum store_slot slot, struct credential *c, struct err *e);

/* Finds the pending key and request id, or makes both in the free place with the next generation, and loads them. */
int store_prepare(struct store *s, struct credential *c, struct err *e);

/* The same where `mode` was asked for: a pending request of the other mode, unless it is stored already, gives way to a new one. */
int store_prepare_for(struct store *s, enum link_mode mode, struct credential *c, struct err *e);

/* Pins the factory root; another one than the one pinned before is refused (AUTHORITY). */
int store_pin_root(struct store *s, const struct cert *root, struct err *e);

/* Writes chain and (in a customer slot) root of c; c has been verified. */
int store_put(struct store *s, const struct credential *c, struct err *e);

/* Makes a stored place the one in force: after its confirm only. The customer slot that was in force is cleared. */
int store_switch(struct store *s, enum store_slot slot, struct err *e);

/* Back to the factory credential, both customer slots are cleared: after a signed release only. */
int store_release(struct store *s, struct err *e);

/* Forgets the pending key and request, which are dead, after taking note that a peer knows of `generation`. */
int store_drop_dead(struct store *s, enum store_slot slot, uint32_t generation, struct err *e);

/* PASS has been written: once the device has been switched off, the factory key answers no challenge any more. Until then a
 * station that was interrupted may prove the unit again. */
int store_set_passed(struct store *s, struct err *e);
bool store_passed(const struct store *s);

/* How the last activation ended, for status: OK forgets it. Done as far as the storage allows. */
struct store_outcome {
	enum reason code;
	char text[400];
};
void store_set_outcome(struct store *s, enum reason code, const char *text);
void store_outcome(const struct store *s, struct store_outcome *out);

/* Latest notBefore of the CA certificates in the store; 0 if there are none. */
int64_t store_floor(const struct store *s);

#endif
