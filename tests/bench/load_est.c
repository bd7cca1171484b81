#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "clock.h"
#include "cms.h"
#include "confirm.h"
#include "httpc.h"
#include "limits.h"
#include "mem.h"
#include "tls.h"

#define ONBOARD "onboard.handsel.internal"
#define ENROL "/.well-known/est/simpleenroll"
#define CONFIRM "/.well-known/handsel/confirm"

struct est {
	const struct options *o;
	struct url url;
	struct trust *trust;
	struct kit *kit;
	atomic_uint complaints;
};

static void complain(struct est *s, const struct kit *k, const char *what, const char *why)
{
	if (atomic_fetch_add(&s->complaints, 1) < 5)
		fprintf(stderr, "bench: %s: %s: %s\n", k->device.serial, what, why);
}

static struct httpc *dial(struct est *s, const struct kit *k)
{
	struct tls_client opt = {
		.chain = &k->chain, .key = k->key, .trust = s->trust, .sni = ONBOARD,
		.rule = { .purpose = PURPOSE_SERVER, .role = "node", .now = clock_utc() },
		.deadline_ms = clock_mono_ms() + TIMEOUT_HTTP_MS,
	};
	struct tls *t = NULL;
	struct err e;
	int fd = tcp_connect(s->url.host, s->url.port, opt.deadline_ms, &e);

	if (fd >= 0)
		t = tls_connect(fd, &opt, &e);
	if (!t)
		complain(s, k, "connect", e.text);
	return t ? httpc_new(t, s->url.host) : NULL;
}

/* One POST that must be answered 200. */
static int post(struct est *s, const struct kit *k, struct httpc *h, const char *path, const char *type,
		const char *extra, const struct buf *body, struct http_answer *a)
{
	struct err e;

	if (httpc_request(h, "POST", path, type, extra, body->data, body->len, LIMIT_FRAME_DEVICE, a, &e)) {
		complain(s, k, path, e.text);
		return -1;
	}
	if (a->status == 200)
		return 0;
	complain(s, k, path, buf_text(&a->body));
	http_answer_free(a);
	return -1;
}

static int enrol(struct est *s, const struct kit *k, struct httpc *h, struct chain *leaf)
{
	struct buf body = {0}, der = {0};
	struct http_answer a;
	struct err e;
	int rc;

	text_base64(&body, k->csr.data, k->csr.len);
	buf_byte(&body, '\n');
	rc = post(s, k, h, ENROL, "application/pkcs10", "Content-Transfer-Encoding: base64\r\n", &body, &a);
	if (rc == 0) {
		if (text_unbase64(&der, buf_text(&a.body), a.body.len) || cms_certs_read(der.data, der.len, leaf, &e)) {
			complain(s, k, ENROL, "the answer is no certificate");
			rc = -1;
		}
		http_answer_free(&a);
	}
	buf_free(&body);
	buf_free(&der);
	return rc;
}

static int confirm(struct est *s, const struct kit *k, struct httpc *h, const struct cert *leaf)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *reply = mem_new(1, sizeof *reply);
	struct ca_request *r = &m->request[0];
	uint8_t exporter[TLS_EXPORTER_LEN];
	struct buf xml = {0};
	struct http_answer a;
	struct err e;
	int rc = -1;

	m->n = 1;
	r->kind = CA_CONFIRM;
	r->request = k->request;
	memcpy(r->certificate, leaf->sha256, SHA256_LEN);
	need(tls_exporter(httpc_tls(h), exporter, &e), &e, "exporter");
	need(confirm_sign(k->next, exporter, &k->request, leaf->sha256, &r->signature, &e), &e, "confirm");
	ca_message_write(m, &xml);
	if (post(s, k, h, CONFIRM, CA_TYPE, "", &xml, &a) == 0) {
		if (ca_reply_read(reply, a.body.data, a.body.len, &e) || reply->n != 1 || reply->answer[0].result != CA_CONFIRMED)
			complain(s, k, CONFIRM, buf_text(&a.body));
		else
			rc = 0;
		http_answer_free(&a);
	}
	buf_free(&xml);
	ca_message_free(m);
	ca_reply_free(reply);
	return rc;
}

static uint64_t step(void *arg, unsigned thread, uint64_t i)
{
	struct est *s = arg;
	const struct kit *k = &s->kit[i];
	struct httpc *h = dial(s, k);
	struct chain leaf = {0};
	uint64_t done;

	if (!h)
		return 0;
	done = enrol(s, k, h, &leaf) == 0;
	if (done)
		load_told("enrolled", leaf.cert->sha256);
	if (done && s->o->confirm) {
		done = confirm(s, k, h, leaf.cert) == 0;
		if (done)
			load_told("onboarded", leaf.cert->sha256);
	}
	chain_free(&leaf);
	httpc_free(h);
	return done;
}

int bench_est(const struct options *o)
{
	struct est s = { .o = o, .trust = trust_new(), .kit = mem_new(o->count, sizeof *s.kit) };
	struct chain root = {0};
	struct load l;
	double rest;
	struct err e;

	need(url_parse(&s.url, o->node, &e), &e, "--node");
	need(chain_load(&root, o->root, &e), &e, o->root);
	need(trust_add_root(s.trust, root.cert, &e), &e, o->root);
	for (uint64_t i = 0; i < o->count; i++) {
		kit_load(&s.kit[i], o, i, o->confirm);
		if (o->confirm)
			kit_endorse(&s.kit[i], o->cert);	/* --cert: of the node, toward new devices */
	}
	load_run(&l, o, o->count, step, &s);
	rest = l.raw.handshake + l.raw.sign;
	/* The CSR counts twice: neither the node before it asks the CA, nor the CA before it signs, may take the other's word. */
	if (o->confirm)
		load_print(&l, o, "onboarded devices per CPU-second", (struct ideal){ rest + 6 * l.raw.verify, rest + 6 * l.raw.daemon_verify },
			   "1 mutual TLS 1.3 handshake, 6 verifications (factory certificate and CSR at node and CA, endorsement, "
			   "confirm), 1 signature");
	else
		load_print(&l, o, "enrolments per CPU-second", (struct ideal){ rest + 3 * l.raw.verify, rest + 3 * l.raw.daemon_verify },
			   "1 mutual TLS 1.3 handshake, 3 verifications (factory certificate, CSR at node and CA), 1 signature");
	for (uint64_t i = 0; i < o->count; i++)
		kit_free(&s.kit[i]);
	free(s.kit);
	chain_free(&root);
	trust_free(s.trust);
	return l.failed ? 1 : 0;
}
