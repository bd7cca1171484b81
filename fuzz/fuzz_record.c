/* A record and a line of the index: files that anybody may have changed. What is read is written and read again. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "records.h"

static void again(const struct record *r)
{
	uint8_t nonce[SHA256_LEN];
	struct record second;
	char *text = record_json(r);
	struct err e = {0};

	if (record_read(&second, nonce, text, strlen(text), &e) == 0)
		FUZZ_MUST(strcmp(second.id, r->id) == 0 && second.outcome == r->outcome);
	record_free(&second);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t nonce[SHA256_LEN];
	struct buf text = {0};
	struct index_entry en;
	struct err e = {0};
	struct record r;

	if (record_read(&r, nonce, data, size, &e) == 0)
		again(&r);
	else
		FUZZ_MUST(e.code == REASON_REQUEST && e.text[0]);
	record_free(&r);
	buf_add(&text, data, size);
	if (index_parse(&en, buf_text(&text), &e) == 0)
		FUZZ_MUST(record_id_valid(en.id) && en.outcome != OUTCOME_NONE);
	buf_free(&text);
	return 0;
}
