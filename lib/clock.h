/* clock.h - the two clocks. Code that judges validity takes the time as a parameter. */
#ifndef HANDSEL_CLOCK_H
#define HANDSEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_utc(void);	/* seconds since 1970, UTC; never below the floor */
int64_t clock_mono_us(void);	/* for what is measured; the same clock as: */
int64_t clock_mono_ms(void);	/* for deadlines: never jumps, starts anywhere */

/* For a device without a trusted clock: what is known to be past. Once, before the first thread. */
void clock_set_floor(int64_t utc);
bool clock_is_behind(void);	/* the machine's clock stands below the floor */

#endif
