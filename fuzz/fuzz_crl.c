/* Revocation lists: what a URL or a file of somebody else gives the node. */
#include <config.h>

#include <string.h>

#include "crl.h"
#include "fuzz.h"

static void ask(const struct crl *c)
{
	char hex[2 * CERT_SERIAL_MAX + 1];
	const struct crl_entry *x;

	FUZZ_MUST(c->next_update >= c->this_update && c->issuer_name.len);
	for (size_t i = 0; i < c->n && i < 64; i++) {
		FUZZ_MUST(c->entry[i].len >= 1 && c->entry[i].len <= CERT_SERIAL_MAX);
		text_hex(hex, c->entry[i].serial, c->entry[i].len);
		x = crl_find(c, hex);
		FUZZ_MUST(x && x->len == c->entry[i].len);
		FUZZ_MUST(*crl_reason_name(x->reason));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crl c = {0};
	struct buf text = {0};
	struct err e;

	if (crl_parse(&c, data, size, &e) == 0) {
		FUZZ_MUST(c.der.len == size);
		ask(&c);
	}
	crl_free(&c);
	buf_add(&text, data, size);
	if (crl_parse_any(&c, &text, &e) == 0)
		ask(&c);
	crl_free(&c);
	buf_free(&text);
	return 0;
}
