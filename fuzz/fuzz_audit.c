/* An export of an audit: lines of JSON that somebody else has written. What is taken is written again to the same rows and heads. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "audit_file.h"
#include "fuzz.h"

static int row_again(void *out, const struct audit_row *row, struct err *e)
{
	FUZZ_MUST(row->n > 0 && row->actor && row->action && row->subject && row->detail);
	return audit_row_print(out, row, e);
}

static int head_again(void *out, const struct audit_head *h, struct err *e)
{
	FUZZ_MUST(h->at.n > 0 && h->history > 0 && h->len <= sizeof h->signature);
	return audit_head_print(out, h, e);
}

static int signer_again(void *out, const struct chain *ch, struct err *e)
{
	FUZZ_MUST(ch->n > 0);
	return audit_signer_print(out, ch, e);
}

static int read_again(struct buf *lines, struct buf *again)
{
	FILE *in = fmemopen(lines->data, lines->len, "r"), *out;
	struct audit_reader r = { .row = row_again, .head = head_again, .signer = signer_again };
	size_t len = 0;
	char *text = NULL;
	struct err e;
	int rc;

	out = open_memstream(&text, &len);
	if (!in || !out)
		abort();
	r.arg = out;
	rc = audit_lines_read(in, "fuzz", &r, &e);
	fclose(in);
	fclose(out);
	buf_set(again, text, len);
	free(text);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf given = {0}, once = {0}, twice = {0};

	buf_add(&given, data, size);
	if (size && read_again(&given, &once) == 0 && once.len) {
		FUZZ_MUST(read_again(&once, &twice) == 0);
		FUZZ_MUST(buf_same(&once, &twice));
	}
	buf_free(&given);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
