#include <config.h>

#include "clock.h"

#include <time.h>

static int64_t lowest;

int64_t clock_utc(void)
{
	int64_t now = (int64_t)time(NULL);

	return now < lowest ? lowest : now;
}

void clock_set_floor(int64_t utc)
{
	lowest = utc;
}

bool clock_is_behind(void)
{
	return (int64_t)time(NULL) < lowest;
}

int64_t clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}
