/* store_private.h - what the files of the node's database share. */
#ifndef HANDSEL_NODE_STORE_PRIVATE_H
#define HANDSEL_NODE_STORE_PRIVATE_H

#include "db.h"
#include "store.h"

/* Binds serial, manufacturer, model from parameter i on. */
void bind_device(struct stmt *s, int i, const struct device_id *id);
void col_device(struct stmt *s, int i, struct device_id *id);
int col_sha256(struct stmt *s, int i, uint8_t out[SHA256_LEN]);
/* One row at most: reads nothing, 1 or 0 or -1. */
int step_bool(struct stmt *s, struct err *e);

#define DEVICE_COLUMNS                                                                                             \
	"d.n, d.serial, d.manufacturer, d.model, d.highest, d.active, d.pending, d.blocked, d.seen, d.onboarded, " \
	"d.used, d.asked_again, d.refused_at, d.refused, d.refused_text, d.refusals, d.remote"
#define DEVICE_COLUMN_COUNT 17
void col_node_device(struct stmt *s, struct node_device *d);		/* the first of its columns */

#endif
