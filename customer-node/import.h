/* import.h - a shipment manifest into the authorization database and the allowlist. */
#ifndef HANDSEL_NODE_IMPORT_H
#define HANDSEL_NODE_IMPORT_H

#include "documents.h"
#include "makers.h"
#include "store.h"

/* All devices of a manifest are of one manufacturer. Keeps the fingerprints, inside the caller's transaction. A manifest that is
 * older than what is known of one of its devices is refused as a whole (E22), also if it was imported before; the very same one
 * again is nothing new while it is the newest of each of its devices. sha256: of the document. */
int import_record(struct db *db, const struct manifest *m, const uint8_t sha256[SHA256_LEN], const char *actor, int64_t now,
		  struct err *e);

/* The allowlist's text with what the manifest has and the list has not; *added of them. */
int import_append(struct buf *text, const char *file, const struct makers *makers, const struct manifest *m, size_t *added,
		  struct err *e);

#endif
