#include <config.h>

#include "httpc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "limits.h"
#include "mem.h"
#include "text.h"

#define INTERIM_MAX 4		/* 1xx answers before the final one: servers send one */
#define READ_STEP 16384		/* one TLS record */

struct httpc {
	struct tls *tls;
	char host[300];
	struct buf in;		/* read, not yet used */
	bool alive;
};

/* What the head of an answer says about its body (RFC 9112 6.3). */
struct framing {
	bool has_length, chunked, close;
	uint64_t length;
};

const char *http_answer_header(const struct http_answer *a, const char *name)
{
	for (size_t i = 0; i < a->n_headers; i++)
		if (strcmp(a->header[i].name, name) == 0)
			return a->header[i].value;
	return "";
}

void http_answer_free(struct http_answer *a)
{
	if (!a)
		return;
	buf_free(&a->body);
	memset(a, 0, sizeof *a);
}

struct httpc *httpc_new(struct tls *t, const char *host)
{
	struct httpc *h = mem_new(1, sizeof *h);

	h->tls = t;
	h->alive = text_copy(h->host, sizeof h->host, host) == 0;
	return h;
}

struct tls *httpc_tls(struct httpc *h)
{
	return h->tls;
}

int httpc_alive(const struct httpc *h)
{
	return h->alive;
}

void httpc_free(struct httpc *h)
{
	if (!h)
		return;
	tls_close(h->tls);
	buf_free(&h->in);
	free(h);
}

static int bad_answer(struct err *e, const char *clause, const char *what)
{
	return err_set(e, REASON_UNREACHABLE, "HTTP answer: %s: %s; the address may not be that of a Handsel service", clause,
		       what);
}

/* More bytes into h->in: 1, 0 at the orderly end, -1. */
static int fill(struct httpc *h, struct err *e)
{
	uint8_t *room;
	long n;

	room = buf_room(&h->in, READ_STEP);
	if (!room)
		return bad_answer(e, "RFC 9112 7", "too long");
	n = tls_read(h->tls, room, READ_STEP, e);
	if (n <= 0)
		return n < 0 ? -1 : 0;
	h->in.len += (size_t)n;
	h->in.data[h->in.len] = 0;
	return 1;
}

/* A line without its CRLF into *line; the rest stays. RFC 9112 2.2: a bare CR or LF is not accepted. */
static int take_line(struct httpc *h, struct buf *line, size_t max, struct err *e)
{
	const char *lf;
	size_t n;
	int rc;

	while (!(lf = h->in.len ? memchr(h->in.data, '\n', h->in.len) : NULL)) {
		if (h->in.len > max)
			return bad_answer(e, "RFC 9112 2.1", "the head is too long");
		rc = fill(h, e);
		if (rc == 0)
			return err_set(e, REASON_UNREACHABLE, "the peer closed the connection instead of answering");
		if (rc < 0)
			return -1;
	}
	n = (size_t)(lf - (const char *)h->in.data);
	if (n > max)
		return bad_answer(e, "RFC 9112 2.1", "the head is too long");
	if (n == 0 || h->in.data[n - 1] != '\r' || memchr(h->in.data, '\r', n - 1) || memchr(h->in.data, 0, n))
		return bad_answer(e, "RFC 9112 2.2", "a line does not end in CR LF");
	buf_set(line, h->in.data, n - 1);
	buf_drop(&h->in, n + 1);
	return 0;
}

static int parse_status(const char *line, struct http_answer *a, bool *old, struct err *e)
{
	if (strncmp(line, "HTTP/1.1 ", 9) != 0 && strncmp(line, "HTTP/1.0 ", 9) != 0)
		return bad_answer(e, "RFC 9112 4", "it does not begin with HTTP/1.1");
	*old = line[7] == '0';
	line += 9;
	for (int i = 0; i < 3; i++)
		if (line[i] < '0' || line[i] > '9')
			return bad_answer(e, "RFC 9112 4", "no status code");
	a->status = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	if ((line[3] != 0 && line[3] != ' ') || a->status < 100 || a->status > 599)
		return bad_answer(e, "RFC 9112 4", "no status code");
	return 0;
}

static bool has_token(const char *list, const char *token)
{
	size_t n = strlen(token);

	while (*list) {
		size_t len;

		list += strspn(list, " \t,");
		len = strcspn(list, " \t,");
		if (len == n && strncasecmp(list, token, n) == 0)
			return true;
		list += len;
	}
	return false;
}

static int judge_header(const char *name, const char *value, struct framing *f, struct err *e)
{
	if (strcmp(name, "content-length") == 0) {
		if (f->has_length)
			return bad_answer(e, "RFC 9112 6.3", "two Content-Length");
		f->has_length = true;
		if (text_uint(&f->length, value, UINT32_MAX))
			return bad_answer(e, "RFC 9112 6.2", "Content-Length is not a number");
	} else if (strcmp(name, "transfer-encoding") == 0) {
		if (f->chunked || strcasecmp(value, "chunked") != 0)
			return bad_answer(e, "RFC 9112 6.1", "a Transfer-Encoding other than chunked");
		f->chunked = true;
	} else if (strcmp(name, "connection") == 0) {
		f->close |= has_token(value, "close");
	}
	return 0;
}

/* "Name: value", in place. A header longer than its field is kept out of the answer, unless framing depends on it. */
static int parse_header(char *line, struct http_answer *a, struct framing *f, struct err *e)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
	char *value = strchr(line, ':'), *end;
	struct http_header *slot = NULL;

	if (!value)
		return bad_answer(e, "RFC 9112 5", "a header line without colon");
	*value++ = 0;
	for (char *p = line; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	if (!*line || line[strspn(line, token)])
		return bad_answer(e, "RFC 9112 5.1", "a header name with a forbidden character");
	for (const char *p = value; *p; p++)	/* it may go into a message; none of ours and no server in the wild has one */
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			return bad_answer(e, "RFC 9110 5.5", "a header with a control character");
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = 0;
	if (judge_header(line, value, f, e))
		return -1;
	if (a->n_headers < ARRAY_LEN(a->header))
		slot = &a->header[a->n_headers];
	if (slot && *value && text_copy(slot->name, sizeof slot->name, line) == 0 &&
	    text_copy(slot->value, sizeof slot->value, value) == 0)
		a->n_headers++;
	return 0;
}

static int read_head(struct httpc *h, struct http_answer *a, struct framing *f, struct err *e)
{
	struct buf line = {0};
	size_t total = 0, lines = 0;
	bool old = false;
	int rc = -1;

	memset(f, 0, sizeof *f);
	a->n_headers = 0;
	if (take_line(h, &line, LIMIT_HTTP_HEAD, e) || parse_status(buf_text(&line), a, &old, e))
		goto out;
	f->close = old;
	for (;;) {
		total += line.len + 2;
		if (total > LIMIT_HTTP_HEAD || lines++ > LIMIT_HTTP_HEADERS) {
			bad_answer(e, "RFC 9112 2.1", "the head is too long");
			goto out;
		}
		if (take_line(h, &line, LIMIT_HTTP_HEAD, e))
			goto out;
		if (line.len == 0)
			break;
		if (parse_header((char *)line.data, a, f, e))
			goto out;
	}
	if (f->chunked && (f->has_length || old))
		bad_answer(e, "RFC 9112 6.3", "Transfer-Encoding together with Content-Length or HTTP/1.0");
	else
		rc = 0;
out:
	buf_free(&line);
	return rc;
}

static int too_large(struct err *e, size_t max)
{
	return err_set(e, REASON_UNREACHABLE, "HTTP answer: its body is over the %zu bytes that this request may bring", max);
}

/* Exactly n bytes of the connection onto the body. */
static int take_bytes(struct httpc *h, struct buf *body, uint64_t n, size_t max, struct err *e)
{
	if (n > max || body->len > max - n)
		return too_large(e, max);
	while (n) {
		size_t part = h->in.len < n ? h->in.len : (size_t)n;
		int rc;

		buf_add(body, h->in.data, part);
		buf_drop(&h->in, part);
		n -= part;
		if (n == 0)
			break;
		rc = fill(h, e);
		if (rc == 0)
			return bad_answer(e, "RFC 9112 8", "it ends before its stated length");
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* A chunk's size; extensions are refused, nobody needs them (RFC 9112 7.1.1). */
static int parse_chunk_size(const char *line, uint64_t *size)
{
	*size = 0;
	if (!*line || strlen(line) > 8)
		return -1;
	for (; *line; line++) {
		char c = *line;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
				 c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) :
				 c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16;

		if (digit > 15)
			return -1;
		*size = *size << 4 | digit;
	}
	return 0;
}

static int read_chunked(struct httpc *h, struct buf *body, size_t max, struct err *e)
{
	struct buf line = {0};
	uint64_t size;
	int rc = -1;

	do {
		if (take_line(h, &line, 16, e))
			goto out;
		if (parse_chunk_size(buf_text(&line), &size)) {
			bad_answer(e, "RFC 9112 7.1", "a chunk size is not a hexadecimal number");
			goto out;
		}
		if (take_bytes(h, body, size, max, e) || take_line(h, &line, LIMIT_HTTP_HEAD, e))
			goto out;
		if (line.len) {
			bad_answer(e, "RFC 9112 7.1", size ? "a chunk longer than its size" : "trailers, which are not accepted");
			goto out;
		}
	} while (size);
	rc = 0;
out:
	buf_free(&line);
	return rc;
}

static int read_to_end(struct httpc *h, struct buf *body, size_t max, struct err *e)
{
	int rc;

	do {
		if (take_bytes(h, body, h->in.len, max, e))
			return -1;
		rc = fill(h, e);
	} while (rc > 0);
	return rc;
}

static int read_answer(struct httpc *h, bool head_only, size_t max, struct http_answer *a, struct err *e)
{
	struct framing f;
	int interim = 0;
	int rc;

	do {
		if (interim++ > INTERIM_MAX)
			return bad_answer(e, "RFC 9110 15.2", "too many interim answers");
		if (read_head(h, a, &f, e))
			return -1;
	} while (a->status < 200);
	if (head_only || a->status == 204 || a->status == 304) {
		rc = 0;
	} else if (f.chunked) {
		rc = read_chunked(h, &a->body, max, e);
	} else if (f.has_length) {
		rc = take_bytes(h, &a->body, f.length, max, e);
	} else {
		f.close = true;
		rc = read_to_end(h, &a->body, max, e);
	}
	if (h->in.len)		/* nobody pipelines here: what follows the answer was never asked for */
		f.close = true;
	h->alive = rc == 0 && !f.close;
	return rc;
}

static void put_request(const struct httpc *h, struct buf *out, const char *method, const char *path, const char *type,
			const char *extra, const void *body, size_t len)
{
	buf_fmt(out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: handsel\r\n", method, *path ? path : "/", h->host);
	if (body || strcmp(method, "POST") == 0)
		buf_fmt(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, len);
	buf_fmt(out, "%s\r\n", extra);
	if (body)
		buf_add(out, body, len);
}

int httpc_request(struct httpc *h, const char *method, const char *path, const char *type, const char *extra,
		  const void *body, size_t len, size_t max_body, struct http_answer *a, struct err *e)
{
	struct buf out = {0};
	int rc;

	memset(a, 0, sizeof *a);
	if (!h->alive)
		return err_set(e, REASON_UNREACHABLE, "the connection to %s was closed; connect again", h->host);
	h->alive = false;	/* until the answer is there, whole */
	a->body.max = max_body ? max_body : LIMIT_FRAME_UNIT;
	put_request(h, &out, method, path, type, extra, body, len);
	rc = out.failed ? err_set(e, REASON_INTERNAL, "HTTP request: over %u bytes", LIMIT_BUF)
			: tls_write(h->tls, out.data, out.len, e);
	buf_free(&out);
	if (rc == 0)
		rc = read_answer(h, strcmp(method, "HEAD") == 0, a->body.max, a, e);
	if (rc)
		http_answer_free(a);
	return rc;
}
