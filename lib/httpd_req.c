#include <config.h>

#include "httpd_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "limits.h"
#include "mem.h"
#include "text.h"

#define DRAIN_MAX LIMIT_FRAME_UNIT	/* a body this much over its limit is still read, so that the 413 arrives */

struct head {
	unsigned lengths, encodings, headers;
	size_t bytes;
	uint64_t length;
	bool chunked, bad;
};

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	struct head *h = cls;

	if (!value)
		value = "";
	h->headers++;
	h->bytes += strlen(name) + strlen(value) + 4;
	if (!*name || name[strspn(name, token)])	/* "Content-Length :" hides a length from one of two readers */
		h->bad = true;
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		h->lengths++;
		h->bad |= text_uint(&h->length, value, UINT64_MAX / 2) != 0;
	}
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		h->encodings++;
		h->chunked = strcasecmp(value, "chunked") == 0;
	}
	return MHD_YES;
}

/* 0 or the status to refuse with. RFC 9112 6.3: what two readers could frame differently is not read at all. */
static int judge_head(const struct conn *c, struct MHD_Connection *mhd, const char *version, const char **why)
{
	struct head h = {0};

	MHD_get_connection_values(mhd, MHD_HEADER_KIND, on_header, &h);
	if (h.bad || h.lengths + h.encodings > 1 || (h.encodings && (!h.chunked || strcmp(version, "HTTP/1.1") != 0))) {
		*why = "RFC 9112 6.3: the length of the body is not clear; send one Content-Length or one chunked coding\n";
		return MHD_HTTP_BAD_REQUEST;
	}
	if (h.headers > LIMIT_HTTP_HEADERS || h.bytes > LIMIT_HTTP_HEAD) {
		*why = "RFC 6585 5: too many or too long header lines\n";
		return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
	}
	if (h.length > c->max_body + (uint64_t)DRAIN_MAX) {
		*why = "RFC 9110 15.5.14: the body is too large for this peer\n";
		return MHD_HTTP_CONTENT_TOO_LARGE;
	}
	if (c->refused) {
		*why = "the client certificate cannot be read\n";
		return MHD_HTTP_BAD_REQUEST;
	}
	return 0;
}

static void count(struct http_req *r, unsigned status)
{
	struct httpd *d = r->conn->d;

	atomic_fetch_add_explicit(&d->answered[status < HTTPD_STATUS ? status : 0], 1, memory_order_relaxed);
	metrics_observe(&d->took, clock_mono_us() - r->began_us);
}

/* One answer of our own, after which the connection closes. */
static enum MHD_Result refuse_as(struct http_req *r, unsigned status, enum reason code, const char *why)
{
	struct MHD_Response *p = MHD_create_response_from_buffer(strlen(why), (void *)(uintptr_t)why, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (!p)
		return MHD_NO;
	httpd_log(r->conn->d, "%s: answered %u: %s", r->conn->remote, status, why);
	r->state = REPLIED;
	r->conn->answering = true;
	MHD_add_response_header(p, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	MHD_add_response_header(p, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(p, "Handsel-Reason", reason_id(code));
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(p, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER_TEXT);
	count(r, status);
	rc = MHD_queue_response(r->mhd, status, p);
	MHD_destroy_response(p);
	return rc;
}

static enum MHD_Result refuse(struct http_req *r, unsigned status, const char *why)
{
	return refuse_as(r, status, REASON_REQUEST, why);
}

/* Nothing was looked at, so nothing is decided: the same again, later. */
static enum MHD_Result put_off(struct http_req *r, const char *what)
{
	struct httpd *d = r->conn->d;
	char why[120];

	pthread_mutex_lock(&d->lock);
	d->refused++;
	pthread_mutex_unlock(&d->lock);
	snprintf(why, sizeof why, "%s; nothing was done, ask again later\n", what);
	return refuse_as(r, MHD_HTTP_SERVICE_UNAVAILABLE, REASON_CA_UNAVAILABLE, why);
}

static enum MHD_Result req_begin(struct httpd *d, struct MHD_Connection *mhd, const char *path, const char *method,
				 const char *version, void **context)
{
	struct http_req *r = mem_new(1, sizeof *r);
	const char *why, *crowd;
	int status;

	*context = r;
	r->began_us = clock_mono_us();
	r->mhd = mhd;
	r->method = method;
	r->path = path;
	r->conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	if (!r->conn->judged)
		conn_judge(r->conn);
	conn_deadline(r->conn, d->conf.deadline_ms < TIMEOUT_HTTP_BODY_MS ? d->conf.deadline_ms : TIMEOUT_HTTP_BODY_MS);
	r->body.max = r->conn->max_body;
	pthread_mutex_lock(&d->lock);
	d->requests++;
	r->conn->requests++;
	crowd = guard_request(r);
	pthread_mutex_unlock(&d->lock);
	if (crowd)
		return put_off(r, crowd);
	status = judge_head(r->conn, mhd, version, &why);
	return status ? refuse(r, (unsigned)status, why) : MHD_YES;
}

static enum MHD_Result req_receive(struct http_req *r, const char *data, size_t *size)
{
	struct httpd *d = r->conn->d;
	bool fits;

	if (r->state != READING)
		return MHD_NO;
	pthread_mutex_lock(&d->lock);
	fits = r->body.failed || guard_body(r, *size);
	pthread_mutex_unlock(&d->lock);
	r->crowded |= !fits;
	if (fits)
		buf_add(&r->body, data, *size);
	if (r->body.failed || r->crowded)
		r->dropped += *size;
	*size = 0;
	return r->dropped > DRAIN_MAX ? MHD_NO : MHD_YES;
}

/* The answer is there: hands it to libmicrohttpd. */
static enum MHD_Result req_answer(struct http_req *r)
{
	struct httpd *d = r->conn->d;
	enum MHD_Result rc;

	pthread_mutex_lock(&d->lock);
	if (d->stopping)
		MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONNECTION, "close");
	pthread_mutex_unlock(&d->lock);
	count(r, r->status);
	r->conn->hold = r->status && r->has_body && strcmp(r->method, MHD_HTTP_METHOD_HEAD) != 0;
	rc = r->status ? MHD_queue_response(r->mhd, r->status, r->response) : MHD_NO;	/* MHD_NO closes the connection */
	r->response_ok = r->status >= 200 && r->status < 300;
	MHD_destroy_response(r->response);
	r->response = NULL;
	return rc;
}

static bool has_reply(struct http_req *r)
{
	bool replied;

	pthread_mutex_lock(&r->conn->d->lock);
	replied = r->state == REPLIED;
	pthread_mutex_unlock(&r->conn->d->lock);
	return replied;
}

static enum MHD_Result req_handle(struct http_req *r)
{
	struct httpd *d = r->conn->d;
	bool late;

	if (r->crowded)
		return put_off(r, "too many long requests are under way");
	if (r->body.failed)
		return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "RFC 9110 15.5.14: the body is too large for this peer\n");
	conn_deadline(r->conn, d->conf.deadline_ms);
	r->conn->answering = true;
	pthread_mutex_lock(&d->lock);
	r->state = HANDLING;
	r->handed = true;
	d->handed++;
	pthread_mutex_unlock(&d->lock);
	d->conf.handle(d->conf.arg, r);
	if (has_reply(r))
		return req_answer(r);
	/* No lock of ours may be held while libmicrohttpd takes its own. A reply that comes between these lines sees HANDLING
	 * and leaves the resuming to us. */
	MHD_suspend_connection(r->mhd);
	pthread_mutex_lock(&d->lock);
	late = r->state == REPLIED;
	if (!late)
		r->state = SUSPENDED;
	pthread_mutex_unlock(&d->lock);
	if (late)
		MHD_resume_connection(r->mhd);
	return MHD_YES;
}

enum MHD_Result httpd_on_request(void *cls, struct MHD_Connection *mhd, const char *path, const char *method,
				 const char *version, const char *data, size_t *size, void **context)
{
	struct http_req *r = *context;

	if (!r)
		return req_begin(cls, mhd, path, method, version, context);
	if (*size)
		return req_receive(r, data, size);
	return r->response ? req_answer(r) : req_handle(r);
}

void httpd_on_completed(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code)
{
	struct httpd *d = cls;
	struct http_req *r = *context;

	if (!r)
		return;
	*context = NULL;
	r->conn->answering = false;
	pthread_mutex_lock(&d->lock);
	d->requests--;
	r->conn->requests--;
	r->conn->served |= r->response_ok;
	guard_done(r);
	if (r->handed)
		d->handed--;
	if (d->stopping)
		pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		conn_deadline(r->conn, TIMEOUT_KEEP_S * 1000);
	if (r->response)
		MHD_destroy_response(r->response);
	buf_free(&r->body);
	free(r);
}

const char *http_method(const struct http_req *r)
{
	return r->method;
}

const char *http_path(const struct http_req *r)
{
	return r->path;
}

const char *http_header(const struct http_req *r, const char *name)
{
	const char *value = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);

	return value ? value : "";
}

const struct buf *http_body(const struct http_req *r)
{
	return &r->body;
}

void *http_peer(const struct http_req *r)
{
	return r->conn->peer;
}

const char *http_remote(const struct http_req *r)
{
	return r->conn->remote;
}

const char *http_sni(const struct http_req *r, char name[128])
{
	size_t len = 127;
	unsigned type;

	name[0] = 0;
	if (gnutls_server_name_get(r->conn->session, name, &len, &type, 0) < 0 || type != GNUTLS_NAME_DNS)
		len = 0;
	name[len] = 0;
	return name;
}

const uint8_t *http_shown(const struct http_req *r)
{
	return r->conn->shown ? r->conn->shown->sha256 : NULL;
}

bool http_shown_over(const struct http_req *r)
{
	struct conn *c = r->conn;
	bool over;

	pthread_mutex_lock(&c->d->lock);
	over = c->shown && c->shown->over;
	pthread_mutex_unlock(&c->d->lock);
	return over;
}

int http_exporter(const struct http_req *r, uint8_t out[TLS_EXPORTER_LEN], struct err *e)
{
	return tls_session_exporter(r->conn->session, out, e);
}

static void add_headers(struct MHD_Response *p, const char *lines)
{
	char name[64], value[512];

	while (*lines) {
		size_t len = strcspn(lines, "\r\n"), n = strcspn(lines, ":");

		if (n < len && n < sizeof name) {
			snprintf(name, sizeof name, "%.*s", (int)n, lines);
			n += 1 + strspn(lines + n + 1, " ");
			snprintf(value, sizeof value, "%.*s", (int)(len - n), lines + n);
			MHD_add_response_header(p, name, value);
		}
		lines += len;
		lines += strspn(lines, "\r\n");
	}
}

void http_reply(struct http_req *r, int status, const char *type, const char *extra, const void *body, size_t len)
{
	struct MHD_Response *p = MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	struct MHD_Connection *mhd = r->mhd;
	struct httpd *d = r->conn->d;
	bool suspended;

	if (!p)
		abort();	/* out of memory, as in mem.c */
	if (type && *type)
		MHD_add_response_header(p, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	add_headers(p, extra ? extra : "");
	pthread_mutex_lock(&d->lock);
	suspended = r->state == SUSPENDED;
	d->replying += suspended;
	r->state = REPLIED;
	r->response = p;
	r->status = (unsigned)status;
	r->has_body = len > 0;
	pthread_mutex_unlock(&d->lock);
	if (!suspended)
		return;
	MHD_resume_connection(mhd);
	pthread_mutex_lock(&d->lock);
	d->replying--;
	if (d->stopping)
		pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}
