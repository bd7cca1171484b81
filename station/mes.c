#include <config.h>

#include "mes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "httpc.h"
#include "limits.h"
#include "mem.h"
#include "station.h"

#define ANSWER_MAX (64u << 10)	/* of a MES: we show a line of it */

bool mes_is_set(const struct mes *m)
{
	return m->n_program || m->url.host[0];
}

static int read_program(struct mes *m, const struct conf_node *n, struct err *e)
{
	if (conf_count(n) == 0 || conf_count(n) > MES_ARGS_MAX)
		return conf_error(n, e, "program: the program and its arguments, at most %d words", MES_ARGS_MAX);
	for (size_t i = 0; i < conf_count(n); i++)
		if (conf_str(conf_item(n, i), m->program[i], MES_ARG_MAX, e) < 0)
			return -1;
	m->n_program = conf_count(n);
	return 0;
}

int mes_settings(struct mes *m, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "program", CONF_LIST, false },
		{ "url", CONF_SCALAR, false },
		{ "ca", CONF_SCALAR, false },
	};
	const struct conf_node *v[ARRAY_LEN(fields)];
	struct err why;

	if (conf_fields(n, fields, ARRAY_LEN(fields), v, e) < 0)
		return -1;
	if (!v[0] == !v[1])
		return conf_error(n, e, "mes: either program or url is needed");
	if (!v[1] != !v[2])
		return conf_error(n, e, "mes: url and ca belong together: the certificate of the MES must be under that root");
	if (v[0])
		return read_program(m, v[0], e);
	if (url_parse(&m->url, conf_text(v[1]), &why) < 0)
		return conf_error(v[1], e, "%s", why.text);
	return conf_str(v[2], m->ca, sizeof m->ca, e);
}

/* ---- HTTPS ---------------------------------------------------------------------------------- */

static struct trust *load_trust(const struct station *s, struct err *e)
{
	struct trust *t = trust_new();
	struct chain roots = {0};
	char path[FILE_PATH];
	int rc = 0;

	if (s->mes.ca[0] == '/')
		snprintf(path, sizeof path, "%s", s->mes.ca);
	else
		rc = file_join(path, e, s->dir, s->mes.ca);
	if (rc == 0)
		rc = chain_load(&roots, path, e);
	for (size_t i = 0; rc == 0 && i < roots.n; i++)
		rc = trust_add_root(t, &roots.cert[i], e);
	chain_free(&roots);
	if (rc == 0)
		return t;
	trust_free(t);
	return NULL;
}

static struct httpc *connect_to(const struct station *s, struct trust *trust, struct err *e)
{
	const struct url *u = &s->mes.url;
	int64_t deadline = clock_mono_ms() + MES_TIMEOUT_MS;
	uint8_t address[16];
	bool named = inet_pton(AF_INET, u->host, address) != 1 && inet_pton(AF_INET6, u->host, address) != 1;
	/* Who asks for a client certificate sees that of the station. */
	const struct tls_client opt = {
		.chain = &s->chain, .key = s->key, .trust = trust, .rule = { .now = clock_utc() },
		.sni = named ? u->host : NULL, .host = u->host, .deadline_ms = deadline,
	};
	struct tls *t;
	int fd = tcp_connect(u->host, u->port, deadline, e);

	if (fd < 0 || !(t = tls_connect(fd, &opt, e)))
		return NULL;
	return httpc_new(t, u->host);
}

/* Only what tells of this very record is for ever: a wrong address or password would refuse a whole shift. */
static enum mes_answer judge(const struct http_answer *a, struct err *e)
{
	char text[200];
	size_t n = 0;

	if (a->status >= 200 && a->status < 300)
		return MES_TAKEN;
	for (; n < a->body.len && n < sizeof text - 1 && a->body.data[n] != '\n'; n++)
		text[n] = a->body.data[n] >= 0x20 && a->body.data[n] <= 0x7e ? (char)a->body.data[n] : '?';
	text[n] = 0;
	err_set(e, REASON_REQUEST, "HTTP status %d%s%s", a->status, n ? ": " : "", text);
	switch (a->status) {
	case 400:
	case 413:
	case 415:
	case 422:
		return MES_REFUSED;
	default:
		return MES_LATER;
	}
}

static enum mes_answer post(const struct station *s, const char *id, const char *path, struct err *e)
{
	struct trust *trust = load_trust(s, e);
	struct httpc *h = trust ? connect_to(s, trust, e) : NULL;
	enum mes_answer rc = h ? MES_LATER : MES_AWAY;
	struct http_answer a = {0};
	struct buf json = {0};
	char extra[160];

	snprintf(extra, sizeof extra, "Idempotency-Key: \"%s\"\r\nHandsel-Record: %s\r\n", id, id);
	if (h && file_read(&json, path, LIMIT_RECORD, e) == 0 &&
	    httpc_request(h, "POST", s->mes.url.path[0] ? s->mes.url.path : "/", "application/json", extra, json.data,
			  json.len, ANSWER_MAX, &a, e) == 0)
		rc = judge(&a, e);
	http_answer_free(&a);
	buf_free(&json);
	httpc_free(h);
	trust_free(trust);
	return rc;
}

enum mes_answer mes_send(const struct station *s, const char *id, const char *path, struct err *e)
{
	enum mes_answer rc = s->mes.n_program ? mes_run(&s->mes, id, path, e) : post(s, id, path, e);

	if (rc != MES_TAKEN)
		err_prefix(e, "MES");
	return rc;
}
