/* The CA protocol's messages, both ways. */
#include <config.h>

#include "camsg.h"
#include "fuzz.h"
#include "mem.h"

static int read_again(const struct buf *xml, struct buf *out, int reply)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct err e;
	int rc;

	if (reply) {
		if ((rc = ca_reply_read(r, xml->data, xml->len, &e)) == 0)
			ca_reply_write(r, out);
	} else if ((rc = ca_message_read(m, NULL, xml->data, xml->len, LIMIT_FRAME_UNIT, &e)) == 0) {
		ca_message_write(m, out);
	}
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}

static void judged_alone(const uint8_t *data, size_t size)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct err *bad[LIMIT_BATCH];
	struct err e;

	if (ca_message_read(m, bad, data, size, LIMIT_FRAME_DEVICE, &e) == 0)
		FUZZ_MUST(m->n >= 1 && m->n <= LIMIT_BATCH);
	for (size_t i = 0; i < LIMIT_BATCH; i++) {
		FUZZ_MUST(!bad[i] || (i < m->n && bad[i]->code == REASON_REQUEST));
		free(bad[i]);
	}
	ca_message_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf given = {0}, once = {0}, twice = {0};

	judged_alone(data, size);
	buf_add(&given, data, size);
	for (int reply = 0; reply <= 1; reply++) {
		if (read_again(&given, &once, reply) == 0) {
			FUZZ_MUST(read_again(&once, &twice, reply) == 0);
			FUZZ_MUST(buf_same(&once, &twice));
		}
		buf_clear(&once);
		buf_clear(&twice);
	}
	buf_free(&given);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
