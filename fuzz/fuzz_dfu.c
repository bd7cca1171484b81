/* A boot loader that says anything: its descriptors, then its answers to a download. The first byte is the length of the
 * descriptors; what follows them is what the device answers, request by request. */
#include <config.h>

#include <string.h>

#include "dfu.h"
#include "fuzz.h"
#include "mem.h"

#define DEADLINE_MS 60000

struct liar {
	const uint8_t *p;
	size_t left;
	int64_t now;
	size_t requests, longest;
};

static int control(void *arg, uint8_t type, uint8_t request, uint16_t value, void *data, uint16_t len, int timeout_ms)
{
	struct liar *l = arg;
	int said;

	l->requests++;
	l->now += 1;
	if (!(type & 0x80) && len > l->longest)
		l->longest = len;
	if (l->left == 0)
		return -1;
	/* often what was asked for, else a failure or fewer bytes */
	said = *l->p < 0xe0 ? len : (int)*l->p - 0xe8;
	l->p++;
	l->left--;
	if (said > len)
		said = len;
	if (said > 0 && (type & 0x80)) {
		size_t n = l->left < (size_t)said ? l->left : (size_t)said;

		memset(data, 0, (size_t)said);
		memcpy(data, l->p, n);
		l->p += n;
		l->left -= n;
	}
	return said;
}

static int reset(void *arg)
{
	((struct liar *)arg)->now += 10;
	return 0;
}

static void wait_ms(void *arg, int ms)
{
	FUZZ_MUST(ms >= 0);
	((struct liar *)arg)->now += ms;
}

static int64_t now(void *arg)
{
	return ((struct liar *)arg)->now;
}

static void progress(void *arg, size_t done, size_t total)
{
	FUZZ_MUST(done <= total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dfu_function f = {0};
	struct liar l = {0};
	const struct dfu_transport t = { control, reset, wait_ms, now, &l };
	uint8_t image[3000];
	struct err e;
	size_t n;

	if (size == 0)
		return 0;
	n = data[0] < size - 1 ? data[0] : size - 1;
	if (!dfu_function_find(&f, data + 1, n))
		return 0;
	FUZZ_MUST(f.transfer_size > 0);
	l.p = data + 1 + n;
	l.left = size - 1 - n;
	memset(image, 0xa5, sizeof image);
	if (dfu_download(&t, &f, image, sizeof image, DEADLINE_MS, progress, NULL, &e) == 0)
		dfu_leave(&t, &f, DEADLINE_MS, &e);
	/* never a block longer than the device takes; an end in time, whatever poll timeouts it asks for */
	FUZZ_MUST(l.longest <= f.transfer_size);
	FUZZ_MUST(l.now <= 2 * DEADLINE_MS);
	return 0;
}
