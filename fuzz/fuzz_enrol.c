/* A node's answer to a device's EST request: a byte for the status, the content type up to a line end, the body. */
#include <config.h>

#include <string.h>

#include "enrol.h"
#include "fuzz.h"

static const int statuses[] = { 200, 200, 200, 202, 401, 403, 409, 503, 404 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_answer a = { .n_headers = 1 };
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	struct enrol_answer out;
	size_t n;

	if (!line)
		return 0;
	for (const uint8_t *p = data + 1; p < line; p++)
		if (*p < 0x20 || *p == 0x7f)
			return 0;	/* the HTTP client lets none of these in */
	a.status = statuses[data[0] % (sizeof statuses / sizeof *statuses)];
	n = line == data ? 0 : (size_t)(line - data) - 1;
	snprintf(a.header[0].name, sizeof a.header[0].name, "content-type");
	snprintf(a.header[0].value, sizeof a.header[0].value, "%.*s", (int)(n < sizeof a.header[0].value ? n : sizeof a.header[0].value - 1),
		 (const char *)data + 1);
	buf_add(&a.body, line + 1, size - (size_t)(line + 1 - data));
	enrol_answer_read(&out, &a);
	switch (out.result) {
	case ENROL_DONE:
		FUZZ_MUST(a.status == 200);
		break;
	case ENROL_AGAIN:
		FUZZ_MUST(out.retry_s <= ENROL_RETRY_MAX_S && out.why.text[0]);
		break;
	case ENROL_REFUSED:
		FUZZ_MUST(out.why.code != REASON_OK && out.why.text[0]);
		break;
	case ENROL_DEAD:
		FUZZ_MUST(a.status == 409);
		break;
	}
	for (const char *p = out.why.text; *p; p++)
		FUZZ_MUST((*p & 0x80) || *p >= 0x20);	/* it goes into logs */
	enrol_answer_free(&out);
	buf_free(&a.body);
	return 0;
}
