/* counters.h - units of the shift and of the orders, kept in DIR/counters.yaml from run to run.
 *
 * First-pass yield: of the units that were judged in this shift, those that passed at their first try. The serials that have
 * failed are remembered for it; a unit that failed before it said its serial counts as a unit of its own. */
#ifndef HANDSEL_COUNTERS_H
#define HANDSEL_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "camsg.h"
#include "err.h"
#include "limits.h"

#define COUNTERS_ORDERS 16	/* that are remembered; the one that was worked on longest ago is forgotten first */
#define COUNTERS_FAILED 1000	/* serials: a shift that fails more has no yield to speak of */

struct count {
	uint64_t pass, fail;
};

struct counters {
	int64_t shift_start;	/* UTC; 0: no unit yet */
	struct count shift, first;
	struct order_count {
		char id[CA_ID_MAX + 1];
		struct count count;
	} order[COUNTERS_ORDERS];	/* the latest is the last */
	size_t n_orders;
	char failed[COUNTERS_FAILED][LIMIT_SERIAL + 1];
	size_t n_failed;
};

/* Without the file all is 0. Code CONFIG, with line and column. */
int counters_load(struct counters *c, const char *dir, struct err *e);
int counters_save(const struct counters *c, const char *dir, struct err *e);

/* One unit was judged; serial may be "". shift_s: the length of a shift, 0 for no end; a unit after its end begins the next. */
void counters_unit(struct counters *c, const char *order, const char *serial, bool pass, int64_t now, uint64_t shift_s);
bool counters_shift_over(const struct counters *c, int64_t now, uint64_t shift_s);
void counters_new_shift(struct counters *c, int64_t now);

struct count counters_order(const struct counters *c, const char *order);

/* In tenths of a percent; -1: nothing was judged. */
int counters_yield(const struct count *c);

#endif
