/* Answers of an HTTP server. The harness is the TLS session: its tls_read() gives the input, first byte by byte, then whole. */
#include <config.h>

#include <string.h>

#include "fuzz.h"
#include "httpc.h"

struct tls {
	const uint8_t *data;
	size_t left, step;
};

long tls_read(struct tls *t, void *data, size_t len, struct err *e)
{
	size_t n = t->left < len ? t->left : len;

	if (t->step && n > t->step)
		n = t->step;
	memcpy(data, t->data, n);
	t->data += n;
	t->left -= n;
	return (long)n;
}

int tls_write(struct tls *t, const void *data, size_t len, struct err *e)
{
	return 0;
}

void tls_close(struct tls *t)
{
}

#define MAX_BODY 4096

/* Two requests on one connection; *seen gets what the caller sees of the first. The second is there to be survived: bytes that
 * come with the first answer and are not of it end the connection, bytes that come later may be taken for the second. */
static void ask(const uint8_t *data, size_t size, size_t step, struct buf *seen)
{
	struct tls t = { data, size, step };
	struct httpc *h = httpc_new(&t, "node.example");
	struct err e;

	for (int i = 0; i < 2 && httpc_alive(h); i++) {
		struct http_answer a = {0};

		if (httpc_request(h, "GET", "/x", "", "", NULL, 0, MAX_BODY, &a, &e) == 0) {
			FUZZ_MUST(a.status >= 200 && a.status <= 999 && a.body.len <= MAX_BODY);
			if (i == 0) {
				buf_fmt(seen, "%d %zu %s\n", a.status, a.n_headers, http_answer_header(&a, "content-type"));
				buf_add(seen, a.body.data, a.body.len);
			}
		} else {
			FUZZ_MUST(!httpc_alive(h));
		}
		http_answer_free(&a);
	}
	httpc_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf slowly = {0}, at_once = {0};

	ask(data, size, 1, &slowly);
	ask(data, size, 0, &at_once);
	FUZZ_MUST(buf_same(&slowly, &at_once));	/* how the bytes arrive changes nothing */
	buf_free(&slowly);
	buf_free(&at_once);
	return 0;
}
