/* httpc.h - a strict HTTP/1.1 client over TLS: Content-Length and chunked answers, keep-alive. */
#ifndef HANDSEL_HTTPC_H
#define HANDSEL_HTTPC_H

#include "buf.h"
#include "err.h"
#include "tls.h"

struct http_header {
	char name[64];		/* lower case */
	char value[512];
};

struct http_answer {
	int status;
	struct http_header header[16];	/* those of interest: content-type, retry-after, handsel-*, ... the first 16 */
	size_t n_headers;
	struct buf body;		/* at most max_body */
};

const char *http_answer_header(const struct http_answer *a, const char *name);	/* "" if absent */
void http_answer_free(struct http_answer *a);

struct httpc;

/* Takes the session over. host is for the Host header. */
struct httpc *httpc_new(struct tls *t, const char *host);
struct tls *httpc_tls(struct httpc *h);		/* exporter, peer, deadline */
int httpc_alive(const struct httpc *h);		/* 0 after "Connection: close", an error or a cut */
void httpc_free(struct httpc *h);

/* One request, one answer. extra: header lines each ending in CRLF, or "". body may be NULL.
 * An answer with both Content-Length and Transfer-Encoding, or two lengths, is refused (RFC 9112 6.3). */
int httpc_request(struct httpc *h, const char *method, const char *path, const char *type, const char *extra,
		  const void *body, size_t len, size_t max_body, struct http_answer *a, struct err *e);

#endif
