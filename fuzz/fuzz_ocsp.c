/* OCSP requests: anybody may send them, without TLS. What is taken has one form of its number. */
#include <config.h>

#include <string.h>

#include "fuzz.h"
#include "ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ocsp_request r;
	struct err e;

	if (ocsp_request_parse(&r, data, size, &e) == 0)
		FUZZ_MUST(r.hash <= OCSP_HASHES && strlen(r.serial) % 2 == 0 && r.serial[0] && strlen(r.serial) <= 2 * CERT_SERIAL_MAX &&
			  strspn(r.serial, "0123456789abcdef") == strlen(r.serial));
	return 0;
}
