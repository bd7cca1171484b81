#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "caclient.h"
#include "clock.h"
#include "confirm.h"
#include "digest.h"
#include "documents.h"
#include "envelope.h"
#include "limits.h"
#include "mem.h"

#define THREADS_MAX 64
#define AGAIN_MS 120000		/* in which a device must be done, however often its CA is killed */
#define PAUSE_MS 30

struct ca {
	const struct options *o;
	struct url url;
	struct trust *trust;
	struct key *key;
	struct chain chain;
	struct kit *kit;
	struct buf *ticket;		/* one a kit, in the factory */
	struct ca_client client[THREADS_MAX];
	atomic_uint complaints;
};

static uint64_t complain(struct ca *s, const struct kit *k, const char *what, const char *why)
{
	if (atomic_fetch_add(&s->complaints, 1) < 5)
		fprintf(stderr, "bench: %s: %s: %s\n", k->device.serial, what, why);
	return 0;
}

static void ca_init(struct ca *s, const struct options *o, bool identity)
{
	struct chain root = {0};
	struct err e;

	memset(s, 0, sizeof *s);
	s->o = o;
	s->trust = trust_new();
	s->kit = mem_new(o->count, sizeof *s->kit);
	s->ticket = mem_new(o->count, sizeof *s->ticket);
	if (o->threads > THREADS_MAX)
		die("at most %d threads", THREADS_MAX);
	need(url_parse(&s->url, o->ca, &e), &e, "--ca");
	need(chain_load(&root, o->root, &e), &e, o->root);
	need(trust_add_root(s->trust, root.cert, &e), &e, o->root);
	s->key = key_load(o->key, &e);
	need(s->key ? 0 : -1, &e, o->key);
	need(chain_load(&s->chain, o->cert, &e), &e, o->cert);
	for (unsigned i = 0; i < o->threads; i++)
		s->client[i] = (struct ca_client){
			.connect = ca_connect_url, .arg = &s->url, .host = s->url.host, .trust = s->trust,
			.chain = identity ? &s->chain : NULL, .key = identity ? s->key : NULL,
		};
	chain_free(&root);
}

static void ca_done(struct ca *s)
{
	for (unsigned i = 0; i < s->o->threads; i++)
		ca_client_close(&s->client[i]);
	for (uint64_t i = 0; i < s->o->count; i++) {
		kit_free(&s->kit[i]);
		buf_free(&s->ticket[i]);
	}
	free(s->kit);
	free(s->ticket);
	chain_free(&s->chain);
	key_free(s->key);
	trust_free(s->trust);
}

static void put_issue(struct ca_message *m, const struct options *o, const struct kit *k, const struct buf *ticket)
{
	struct ca_request *r = &m->request[m->n++];
	struct err e;

	r->kind = CA_ISSUE;
	r->request = k->request;
	r->device = k->device;
	if (o->made) {
		need(key_spki(k->next, &r->transport_key, &e), &e, "key");
		if (o->rsa)
			snprintf(r->params.key_type, sizeof r->params.key_type, "rsa2048");
	} else {
		buf_set(&r->csr, k->csr.data, k->csr.len);
	}
	if (ticket->len) {
		buf_set(&r->ticket, ticket->data, ticket->len);
		r->params.include_ca = CHOICE_YES;
	}
}

/* ---- ca: a node's issues over kept connections ---- */
static uint64_t step_issue(void *arg, unsigned thread, uint64_t i)
{
	struct ca *s = arg;
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	uint64_t first = i * s->o->batch, done = 0;
	struct err e;

	for (uint64_t k = first; k < first + s->o->batch && k < s->o->count; k++)
		put_issue(m, s->o, &s->kit[k], &s->ticket[k]);
	if (ca_client_call(&s->client[thread], m, r, &e))
		complain(s, &s->kit[first], "issue", e.text);
	else
		for (size_t k = 0; k < r->n; k++) {
			done += r->answer[k].result == CA_ISSUED;
			if (r->answer[k].result != CA_ISSUED)
				complain(s, &s->kit[first + k], "issue", r->answer[k].text);
		}
	if (s->o->fresh)
		ca_client_close(&s->client[thread]);
	ca_message_free(m);
	ca_reply_free(r);
	return done;
}

int bench_ca(const struct options *o)
{
	struct load l;
	struct ca s;
	double rest;
	char to[200];

	ca_init(&s, o, true);
	for (uint64_t i = 0; i < o->count; i++) {
		kit_fresh(&s.kit[i], o, i, false);
		s.kit[i].request.generation = 0;	/* of plain clients: there is no factory behind these devices */
	}
	stall(o);
	load_run(&l, o, (o->count + o->batch - 1) / o->batch, step_issue, &s);
	snprintf(to, sizeof to, "%s1 signature%s; %llu to a message, %llu %s connections", o->made ? "" : "1 verification (CSR), ",
		 o->fresh ? ", 1 TLS 1.3 handshake" : "", (unsigned long long)o->batch, (unsigned long long)o->threads, o->fresh ? "new" : "kept");
	rest = l.raw.sign + (o->fresh ? l.raw.handshake : 0);
	load_print(&l, o, "issues per CPU-second",
		   o->made ? (struct ideal){ rest, rest } : (struct ideal){ rest + l.raw.verify, rest + l.raw.daemon_verify }, to);
	ca_done(&s);
	return l.failed ? 1 : 0;
}

/* ---- factory: a device's whole transaction, a new connection each; the credentials go to the folder of kits ---- */
static void make_ticket(struct ca *s, uint64_t i)
{
	struct ticket t = { .not_after = clock_utc() + TIMEOUT_TICKET_S };
	struct buf spki = {0};
	struct err e;

	snprintf(t.mode, sizeof t.mode, "%s", s->o->made ? "ca" : "device");
	snprintf(t.order, sizeof t.order, "%s", s->o->order);
	snprintf(t.slot, sizeof t.slot, "bench");
	t.device = s->kit[i].device;
	t.request = s->kit[i].request;
	need(key_spki(s->kit[i].next, &spki, &e), &e, "key");
	digest_sha256(t.key_sha256, spki.data, spki.len);
	need(ticket_write(&t, s->key, &s->chain, &s->ticket[i], &e), &e, "ticket");
	buf_free(&spki);
}

static int confirm(struct ca *s, struct ca_client *c, const struct kit *k, struct err *e)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct ca_request *q = &m->request[0];
	struct tls *t = ca_client_session(c, e);
	uint8_t exporter[TLS_EXPORTER_LEN];
	int rc = -1;

	m->n = 1;
	q->kind = CA_CONFIRM;
	q->request = k->request;
	memcpy(q->certificate, k->chain.cert[0].sha256, SHA256_LEN);
	if (t && tls_exporter(t, exporter, e) == 0 &&
	    confirm_sign(k->next, exporter, &k->request, q->certificate, &q->signature, e) == 0 &&
	    ca_client_call(c, m, r, e) == 0)
		rc = r->n == 1 && r->answer[0].result == CA_CONFIRMED ? 0 :
		     err_set(e, r->answer[0].code, "%s", r->answer[0].text);
	ca_message_free(m);
	ca_reply_free(r);
	return rc;
}

/* The key that the CA has made takes the place of the transport key, once the credential is ours to confirm. */
static int open_key(struct kit *k, const struct buf *encrypted, struct err *e)
{
	struct buf pkcs8 = {0};
	struct key *made = NULL;

	if (envelope_open(encrypted->data, encrypted->len, k->next, &pkcs8, e) == 0)
		made = key_import(&pkcs8, e);
	buf_free(&pkcs8);
	if (!made)
		return -1;
	key_free(k->next);
	k->next = made;
	return 0;
}

/* The first answer is the device's credential; each later one must be the same. */
static int take_answer(struct kit *k, const struct ca_answer *a, bool made, struct err *e)
{
	if (k->chain.n) {
		if (!buf_same(&k->chain.cert[0].der, &a->chain.cert[0].der))
			die("%s: the same request has two answers", k->device.serial);
		return 0;
	}
	if (made && open_key(k, &a->encrypted_key, e) < 0)
		return -1;
	need(chain_append(&k->chain, &a->chain, e), e, "chain");
	load_told("issued", k->chain.cert[0].sha256);
	return 0;
}

static int issue(struct ca *s, struct ca_client *c, uint64_t i, struct ca_message *m, struct err *e)
{
	struct ca_reply *r = mem_new(1, sizeof *r);
	int rc = -1;

	if (ca_client_call(c, m, r, e) == 0)
		rc = r->n == 1 && r->answer[0].result == CA_ISSUED ? take_answer(&s->kit[i], &r->answer[0], s->o->made, e) :
		     err_set(e, r->answer[0].code, "%s", r->answer[0].text);
	ca_reply_free(r);
	return rc;
}

/* Another try, after a pause and over a new connection, if there is time for one. */
static bool once_more(const struct ca *s, struct ca_client *c, int64_t began)
{
	ca_client_close(c);
	if (!s->o->again || clock_mono_ms() - began > AGAIN_MS)
		return false;
	usleep(PAUSE_MS * 1000);
	return true;
}

static uint64_t step_factory(void *arg, unsigned thread, uint64_t i)
{
	struct ca *s = arg;
	struct kit *k = &s->kit[i];
	struct ca_client c = s->client[thread];
	struct ca_message *m = mem_new(1, sizeof *m);
	int64_t began = clock_mono_ms();
	int answers = s->o->again ? 2 : 1, rc = 0;
	struct err e;

	put_issue(m, s->o, k, &s->ticket[i]);
	while (answers-- > 0 && rc == 0) {
		do
			rc = issue(s, &c, i, m, &e);
		while (rc && once_more(s, &c, began));
	}
	if (rc)
		complain(s, k, "issue", e.text);
	while (rc == 0 && (rc = confirm(s, &c, k, &e)) != 0 && once_more(s, &c, began))
		rc = 0;
	if (rc)
		complain(s, k, "confirm", e.text);
	else
		load_told("confirmed", k->chain.cert[0].sha256);
	ca_client_close(&c);
	ca_message_free(m);
	return rc == 0;
}

int bench_factory(const struct options *o)
{
	struct load l;
	struct ca s;
	double rest;

	ca_init(&s, o, false);
	for (uint64_t i = 0; i < o->count; i++) {
		kit_fresh(&s.kit[i], o, i, true);
		make_ticket(&s, i);
	}
	load_run(&l, o, o->count, step_factory, &s);
	/* The raw handshake is the mutual one: without the client's certificate it needs one verification less. */
	rest = l.raw.handshake - l.raw.verify + l.raw.sign;
	load_print(&l, o, "factory devices per CPU-second", (struct ideal){ rest + 3 * l.raw.verify, rest + 3 * l.raw.daemon_verify },
		   "1 TLS 1.3 handshake, 3 verifications (ticket, CSR, confirm), 1 signature");
	for (uint64_t i = 0; i < o->count && !l.failed && o->kits; i++)
		kit_save(&s.kit[i], o);
	ca_done(&s);
	return l.failed ? 1 : 0;
}
