/* What a printer answers to ~HS. */
#include <config.h>

#include "fuzz.h"
#include "zpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zpl_status s;
	struct err e = {0};

	if (zpl_status_parse(&s, data, size, &e) < 0) {
		FUZZ_MUST(e.code == REASON_PRINTER && e.text[0]);
		return 0;
	}
	FUZZ_MUST(size == ZPL_STATUS_LEN && s.formats <= 999 && s.remaining <= 99999999);
	if (zpl_status_judge(&s, &e) < 0)
		FUZZ_MUST(e.code >= REASON_PAPER_OUT && e.code <= REASON_PRINTER_FAULT && e.text[0]);
	return 0;
}
