/* The end of the file that --agent names. */
#include <config.h>

#include <string.h>

#include "dfu_suffix.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf file = {0};
	struct err e = {0};

	buf_add(&file, data, size);
	if (dfu_suffix_take(&file, 0x1209, 0x0002, &e) == 0)
		/* What is left is the beginning of what was there, and nothing but a whole suffix was taken. */
		FUZZ_MUST(file.len <= size && (file.len == size || size - file.len >= 16) &&
			  (file.len == 0 || memcmp(file.data, data, file.len) == 0));
	else
		FUZZ_MUST(e.code == REASON_CONFIG && file.len == size);
	buf_free(&file);
	return 0;
}
