#include <config.h>

#include "caclient.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fault.h"
#include "http.h"
#include "httpc.h"
#include "mem.h"
#include "oid.h"
#include "text.h"

static int64_t deadline(const struct ca_client *c)
{
	return clock_mono_ms() + (c->timeout_ms ? c->timeout_ms : TIMEOUT_HTTP_MS);
}

int ca_connect_url(void *arg, struct err *e)
{
	const struct url *u = arg;

	return tcp_connect(u->host, u->port, clock_mono_ms() + TIMEOUT_HTTP_MS, e);
}

static bool is_address(const char *host)
{
	uint8_t address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* What only says that nobody is there becomes "try again"; a wrong authority, clock or role stays what it is. */
static int unavailable(struct err *e)
{
	if (e->code == REASON_UNREACHABLE)
		e->code = REASON_CA_UNAVAILABLE;
	return -1;
}

static int open_session(struct ca_client *c, struct err *e)
{
	char named[CA_ID_MAX + sizeof CA_SNI_SUFFIX];
	struct tls_client opt = {
		.chain = c->chain, .key = c->key, .trust = c->trust, .stranger = c->stranger,
		.rule = { .purpose = PURPOSE_SERVER, .policy = OID_POLICY_UNIT, .role = "ca", .now = clock_utc() },
		.sni = is_address(c->host) ? NULL : c->host,
		.deadline_ms = deadline(c),
	};
	struct tls *t;
	int fd;

	if (c->http && httpc_alive(c->http))
		return 0;
	ca_client_close(c);
	if (c->ca && *c->ca) {
		snprintf(named, sizeof named, "%.*s" CA_SNI_SUFFIX, CA_ID_MAX, c->ca);
		opt.sni = named;
	}
	if ((fd = c->connect(c->arg, e)) < 0 || !(t = tls_connect(fd, &opt, e))) {
		err_prefix(e, "CA at %s", c->host);
		return unavailable(e);
	}
	c->http = httpc_new(t, c->host);
	return 0;
}

struct tls *ca_client_session(struct ca_client *c, struct err *e)
{
	return open_session(c, e) ? NULL : httpc_tls(c->http);
}

void ca_client_close(struct ca_client *c)
{
	httpc_free(c->http);
	c->http = NULL;
}

static int exchange(struct ca_client *c, const struct buf *xml, struct http_answer *a, struct err *e)
{
	if (open_session(c, e))
		return -1;
	tls_deadline(httpc_tls(c->http), deadline(c));
	if (FAULT_LOSE("caclient.request")) {
		ca_client_close(c);
		return err_set(e, REASON_CA_UNAVAILABLE, "CA at %s: the request was lost", c->host);
	}
	if (httpc_request(c->http, "POST", CA_PATH, CA_TYPE, "", xml->data, xml->len, LIMIT_FRAME_UNIT, a, e)) {
		err_prefix(e, "CA at %s", c->host);
		return unavailable(e);
	}
	if (FAULT_LOSE("caclient.answer")) {
		http_answer_free(a);
		ca_client_close(c);
		return err_set(e, REASON_CA_UNAVAILABLE, "CA at %s: the answer was lost", c->host);
	}
	return 0;
}

/* A signed confirm holds for the session that it was signed in and no other. */
static bool may_be_repeated(const struct ca_message *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->request[i].signature.len)
			return false;
	return true;
}

/* protocol-ca 1.5: the message as a whole was not accepted. The body is a sentence, the header a reason code. */
static int refused_whole(const struct http_answer *a, const char *host, struct err *e)
{
	enum reason code = reason_parse(http_answer_header(a, "handsel-reason"));
	char text[300];
	size_t n = 0;

	for (; n < a->body.len && n < sizeof text - 1; n++)
		text[n] = a->body.data[n] >= 0x20 && a->body.data[n] <= 0x7e ? (char)a->body.data[n] : ' ';
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = 0;
	if (code == REASON_OK)
		code = a->status == 503 || a->status == 502 || a->status == 504 ? REASON_CA_UNAVAILABLE :
		       a->status == 401 || a->status == 403 ? REASON_ROLE :
		       a->status == 407 || a->status == 511 ? REASON_PROXY : REASON_REQUEST;
	return err_set(e, code, "CA at %s: protocol-ca 1.5: HTTP status %d%s%s", host, a->status, n ? ": " : "", text);
}

static int64_t later_ms(const struct http_answer *a)
{
	uint64_t seconds;

	if (a->status != 503 || text_uint(&seconds, http_answer_header(a, "retry-after"), UINT32_MAX) < 0)
		return 0;	/* a date is of no use to a device without a clock */
	return (int64_t)(seconds < LIMIT_RETRY_AFTER_S ? seconds : LIMIT_RETRY_AFTER_S) * 1000;
}

int64_t ca_client_pause_ms(const struct ca_client *c, int64_t own_ms)
{
	int64_t ms = c->later_ms > own_ms ? c->later_ms : own_ms;
	uint8_t jitter;

	mem_random(&jitter, sizeof jitter);
	return ms + ms * jitter / 1024;
}

static int answers_read(const struct ca_client *c, const struct ca_message *m, const struct http_answer *a, struct ca_reply *r,
			struct err *e)
{
	if (a->status != 200)
		return refused_whole(a, c->host, e);
	if (ca_reply_read(r, a->body.data, a->body.len, e))
		return err_prefix(e, "CA at %s", c->host);
	if (r->n != m->n)
		return err_set(e, REASON_REQUEST, "CA at %s: protocol-ca 5.1: %zu answers to %zu requests", c->host, r->n, m->n);
	return 0;
}

int ca_client_call(struct ca_client *c, struct ca_message *m, struct ca_reply *r, struct err *e)
{
	bool kept = c->http && httpc_alive(c->http);
	struct http_answer a = {0};
	struct buf xml = {0};
	int rc;

	if (c->ca && *c->ca)
		snprintf(m->ca, sizeof m->ca, "%s", c->ca);
	ca_message_write(m, &xml);
	rc = exchange(c, &xml, &a, e);
	if (rc && kept && e->code == REASON_CA_UNAVAILABLE && may_be_repeated(m)) {
		/* the CA closed the idle connection as we wrote: every request may be repeated (protocol-ca 3.5) */
		ca_client_close(c);
		rc = exchange(c, &xml, &a, e);
	}
	c->later_ms = rc == 0 ? later_ms(&a) : 0;
	if (rc == 0)
		rc = answers_read(c, m, &a, r, e);
	http_answer_free(&a);
	buf_free(&xml);
	return rc;
}
