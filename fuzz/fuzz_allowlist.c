/* The allowlist, read and appended to: what an admin keeps by hand must survive an import byte for byte. */
#include <config.h>

#include <string.h>

#include "allowlist.h"
#include "fuzz.h"
#include "mem.h"

#define NOW 1795000000

static void check(const struct allowlist *al)
{
	const struct problems *all = &al->problems;
	size_t errors = 0;

	for (size_t i = 0; i < all->n; i++) {
		FUZZ_MUST(all->of[i].line >= 1 && all->of[i].column >= 1 && all->of[i].text[0]);
		errors += all->of[i].error;
	}
	FUZZ_MUST(errors == (all->errors < PROBLEMS_MAX ? all->errors : PROBLEMS_MAX));
	for (size_t i = 0; i < al->n; i++)
		FUZZ_MUST(al->entry[i].kind == ALLOW_GLOB ? al->entry[i].device.serial[0] != 0
							  : text_is_token(al->entry[i].device.serial, LIMIT_SERIAL) &&
								    allow_has_serial(&al->entry[i], al->entry[i].device.serial));
}

/* Every line that was there is still there, in its order. */
static void check_kept(const char *before, const char *after)
{
	while (*before) {
		size_t n = strcspn(before, "\n");

		while (strcspn(after, "\n") != n || memcmp(before, after, n) != 0) {
			after += strcspn(after, "\n");
			FUZZ_MUST(*after);
			after++;
		}
		before += n + (before[n] == '\n');
	}
}

static const struct makers several = { { "Acme Devices", "Other Devices" }, 2 };

static void test(const uint8_t *data, size_t size, const struct makers *makers)
{
	struct device_id new[] = { { "Acme Devices", "gateway \"b\\", "zz-1" }, { "Acme Devices", "c", "zz-2" } };
	struct allowlist al = {0}, again = {0};
	struct buf text = {0}, before = {0};
	struct err e = {0};

	buf_add(&text, data, size);
	buf_add(&before, data, size);
	allowlist_parse(&al, "input", &text, makers, NOW);
	check(&al);
	if (allowlist_append(&text, "input", makers, new, ARRAY_LEN(new), "new", &e) == 0) {
		allowlist_parse(&again, "input", &text, makers, NOW);
		FUZZ_MUST(al.problems.errors == 0 && again.problems.errors == 0 && again.n == al.n + ARRAY_LEN(new));
		if (!memchr(data, '[', size) && strlen(buf_text(&before)) == size)
			check_kept(buf_text(&before), buf_text(&text));
	} else {
		FUZZ_MUST(e.code == REASON_CONFIG && e.text[0]);
	}
	allowlist_free(&al);
	allowlist_free(&again);
	buf_free(&text);
	buf_free(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct makers one = { .n = 0 };

	test(data, size, &one);
	one = several;
	one.n = 1;
	test(data, size, &one);
	test(data, size, &several);
	return 0;
}
