/* order_options.h - what `order create` and `order extend` are given on the command line, `ship` in part. Codes CONFIG. */
#ifndef HANDSEL_ORDER_OPTIONS_H
#define HANDSEL_ORDER_OPTIONS_H

#include "cli.h"
#include "documents.h"

int option_valid(int64_t *seconds, const char *text, struct err *e);	/* "30d", "8h", "90m"; "" is a default */
/* --NAME as a number of at least `least`; absent: `otherwise`. */
int option_number(uint32_t *out, const struct cli *c, const char *name, uint32_t least, uint32_t otherwise, struct err *e);
/* Adds each --serials and each --station to those that *o has. */
int option_lists(struct work_order *o, const struct cli *c, struct err *e);

/* A new order, of a model of that manufacturer. */
int order_from_options(struct work_order *o, const char *manufacturer, const struct cli *c, struct err *e);
/* What an extension changes. */
int order_apply_options(struct work_order *o, const struct cli *c, struct err *e);

#endif
