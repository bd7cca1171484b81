#include <config.h>

#include <time.h>

#include "clock.h"
#include "cmd.h"
#include "store.h"

#define DAY 86400

/* __DATE__ is the builder's local day, or that of SOURCE_DATE_EPOCH: a day earlier is safe everywhere. */
static int64_t build_time(void)
{
	struct tm tm = {0};

	return strptime(__DATE__, "%b %d %Y", &tm) ? (int64_t)timegm(&tm) - DAY : 0;
}

void floor_apply(const struct store *s)
{
	int64_t built = build_time(), stored = s ? store_floor(s) : 0;

	clock_set_floor(stored > built ? stored : built);
}
