#include <config.h>

#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "httpd.h"
#include "limits.h"
#include "mem.h"
#include "metrics.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"

struct monitor {
	struct monitor_conf conf;
	struct httpd *httpd;
	int64_t started;
};

static void reply(struct http_req *r, int status, const char *extra, const char *text)
{
	http_reply(r, status, TEXT_TYPE, extra, text, strlen(text));
}

static void answer_ready(struct monitor *m, struct http_req *r)
{
	char text[sizeof ((struct err *)0)->text + 8], extra[60];
	struct err why;

	if (m->conf.ready(m->conf.arg, &why)) {
		reply(r, 200, "", "ready\n");
		return;
	}
	snprintf(extra, sizeof extra, "Handsel-Reason: %s\r\n", reason_id(why.code));
	snprintf(text, sizeof text, "%s %s\n", reason_id(why.code), why.text);
	reply(r, 503, extra, text);
}

static void answer_metrics(struct monitor *m, struct http_req *r)
{
	struct buf b = {0};
	struct err why;

	metrics_family(&b, "handsel_build_info", METRIC_GAUGE, "Always 1; the version is in the label.");
	metrics_sample(&b, "handsel_build_info", METRIC_LABELS("version", PACKAGE_VERSION), 1);
	metrics_one(&b, "handsel_start_timestamp_seconds", METRIC_GAUGE, "When the program began to serve, in seconds since 1970.",
		    (double)m->started);
	metrics_one(&b, "handsel_ready", METRIC_GAUGE, "1 while requests are carried out, 0 while they are put off; /readyz says why.",
		    m->conf.ready(m->conf.arg, &why));
	m->conf.metrics(m->conf.arg, &b);
	http_reply(r, 200, METRICS_TYPE, "", b.data, b.len);
	buf_free(&b);
}

static void on_request(void *arg, struct http_req *r)
{
	struct monitor *m = arg;
	const char *path = http_path(r);

	if (strcmp(http_method(r), "GET") != 0 && strcmp(http_method(r), "HEAD") != 0)
		reply(r, 405, "Allow: GET, HEAD\r\n", "only GET is served here\n");
	else if (strcmp(path, "/metrics") == 0)
		answer_metrics(m, r);
	else if (strcmp(path, "/healthz") == 0)
		reply(r, 200, "", "alive\n");
	else if (strcmp(path, "/readyz") == 0)
		answer_ready(m, r);
	else
		reply(r, 404, "", "here are /metrics, /healthz and /readyz\n");
}

struct monitor *monitor_start(const struct monitor_conf *conf, struct err *e)
{
	struct monitor *m = mem_new(1, sizeof *m);
	struct httpd_conf http = { .address = conf->address, .port = conf->port, .socket = conf->socket, .plain = true, .threads = 1,
				   .deadline_ms = TIMEOUT_MONITOR_MS, .limit = { .connections = LIMIT_MONITOR_CONN }, .handle = on_request, .arg = m };

	m->conf = *conf;
	m->started = clock_utc();
	m->httpd = httpd_start(&http, e);
	if (m->httpd)
		return m;
	err_prefix(e, "metrics");
	free(m);
	return NULL;
}

uint16_t monitor_port(const struct monitor *m)
{
	return httpd_port(m->httpd);
}

void monitor_stop(struct monitor *m)
{
	if (!m)
		return;
	httpd_stop(m->httpd);
	free(m);
}
