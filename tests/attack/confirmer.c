/* confirmer.c - a device that enrols at a node and then confirms its certificate wrongly: by another key, for another session, id or
 * certificate (doc/protocol-est.md 5.2). */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camsg.h"
#include "clock.h"
#include "cms.h"
#include "confirm.h"
#include "digest.h"
#include "endorsement.h"
#include "file.h"
#include "httpc.h"
#include "limits.h"
#include "mem.h"

static const char usage[] =
	"usage: confirmer NODE-PORT ROOT CERT KEY NODE-CERT FOLDER ID DEED\n"
	"\n"
	"CERT and KEY are the device's factory credential, ROOT and NODE-CERT what the node shows to it. DEED is \"enrol\", which leaves\n"
	"the new key and certificate in FOLDER, and then, each in a session of its own: \"factory-key\", \"other-session\", \"other-id\",\n"
	"\"other-generation\", \"other-certificate\" (in the signature), \"named-certificate\" (in both), \"true\".\n"
	"Exit status: 0 confirmed, 1 refused.\n";

#define ONBOARD "onboard.handsel.internal"
#define HOST "127.0.0.1"

static struct {
	const char *port;
	struct trust *trust;
	struct chain chain, node;		/* the factory credential; the node's */
	struct key *factory, *next;
	char key[FILE_PATH], pem[FILE_PATH];	/* of the new credential */
	struct request_id id;
} it;

static void must(bool good, const struct err *e)
{
	if (good)
		return;
	fprintf(stderr, "confirmer: %s\n", e->text);
	exit(99);
}

static struct httpc *dial(void)
{
	struct tls_client opt = {
		.chain = &it.chain, .key = it.factory, .trust = it.trust, .sni = ONBOARD,
		.rule = { .purpose = PURPOSE_SERVER, .role = "node", .now = clock_utc() },
		.deadline_ms = clock_mono_ms() + TIMEOUT_HTTP_MS,
	};
	struct tls *t = NULL;
	struct err e;
	int fd = tcp_connect(HOST, it.port, opt.deadline_ms, &e);

	if (fd >= 0)
		t = tls_connect(fd, &opt, &e);
	must(t, &e);
	return httpc_new(t, HOST);
}

static void post(struct httpc *h, const char *path, const char *type, const char *extra, const struct buf *body, struct http_answer *a)
{
	struct err e;

	must(httpc_request(h, "POST", path, type, extra, body->data, body->len, LIMIT_FRAME_DEVICE, a, &e) == 0, &e);
	if (a->status != 200) {
		fprintf(stderr, "confirmer: status %d: %s\n", a->status, buf_text(&a->body));
		exit(1);
	}
}

/* ---- enrol ---- */
static void make_csr(struct buf *csr)
{
	struct buf spki = {0}, endorsement = {0};
	uint8_t hash[SHA256_LEN];
	struct err e;

	must(key_spki(it.next, &spki, &e) == 0, &e);
	digest_sha256(hash, spki.data, spki.len);
	must(endorsement_sign(it.factory, &it.id, hash, it.node.cert[0].sha256, &endorsement, &e) == 0, &e);
	must(csr_build_endorsed(it.next, &it.chain.cert[0].device, &it.id, &endorsement, csr, &e) == 0, &e);
	buf_free(&spki);
	buf_free(&endorsement);
}

static void enrol(void)
{
	struct buf csr = {0}, body = {0}, der = {0}, pem = {0};
	struct httpc *h = dial();
	struct chain issued = {0};
	struct http_answer a;
	struct err e;

	it.next = key_generate(KEY_P256, &e);
	must(it.next, &e);
	make_csr(&csr);
	text_base64(&body, csr.data, csr.len);
	buf_byte(&body, '\n');
	post(h, "/.well-known/est/simpleenroll", "application/pkcs10", "Content-Transfer-Encoding: base64\r\n", &body, &a);
	must(text_unbase64(&der, buf_text(&a.body), a.body.len) == 0, &(struct err){ .text = "the answer is no base64" });
	must(cms_certs_read(der.data, der.len, &issued, &e) == 0, &e);
	chain_to_pem(&issued, &pem);
	must(key_save(it.next, it.key, &e) == 0 && file_replace(it.pem, pem.data, pem.len, 0644, &e) == 0, &e);
	http_answer_free(&a);
	chain_free(&issued);
	httpc_free(h);
	buf_free(&csr);
	buf_free(&body);
	buf_free(&der);
	buf_free(&pem);
}

/* ---- confirm ---- */
static const struct deed {
	const char *name;
	bool factory_key, other_session, other_id, other_generation, other_certificate, named_certificate;
} deeds[] = {
	{ .name = "true" },
	{ .name = "factory-key", .factory_key = true },
	{ .name = "other-session", .other_session = true },
	{ .name = "other-id", .other_id = true },
	{ .name = "other-generation", .other_generation = true },
	{ .name = "other-certificate", .other_certificate = true },
	{ .name = "named-certificate", .other_certificate = true, .named_certificate = true },
};

/* Another certificate of this device: the one that it shows. */
static void sign(const struct deed *d, struct httpc *h, const struct cert *new, struct ca_request *r)
{
	struct httpc *another = d->other_session ? dial() : NULL;
	const struct cert *meant = d->other_certificate ? &it.chain.cert[0] : new;
	struct request_id id = it.id;
	uint8_t exporter[TLS_EXPORTER_LEN];
	struct err e;

	if (d->other_id)
		id.id[0] = id.id[0] == '0' ? '1' : '0';
	id.generation += d->other_generation;
	r->kind = CA_CONFIRM;
	r->request = it.id;
	memcpy(r->certificate, d->named_certificate ? meant->sha256 : new->sha256, SHA256_LEN);
	must(tls_exporter(httpc_tls(another ? another : h), exporter, &e) == 0, &e);
	must(confirm_sign(d->factory_key ? it.factory : it.next, exporter, &id, meant->sha256, &r->signature, &e) == 0, &e);
	if (another)
		httpc_free(another);
}

static int confirm(const struct deed *d)
{
	struct ca_message *m = ca_message_new(1);
	struct ca_reply *reply = ca_reply_new(0);
	const struct ca_answer *got;
	struct httpc *h = dial();
	struct chain issued = {0};
	struct buf xml = {0};
	struct http_answer a;
	struct err e;
	bool confirmed;

	it.next = key_load(it.key, &e);
	must(it.next && chain_load(&issued, it.pem, &e) == 0, &e);
	sign(d, h, &issued.cert[0], &m->request[0]);
	ca_message_write(m, &xml);
	post(h, "/.well-known/handsel/confirm", CA_TYPE, "", &xml, &a);
	must(ca_reply_read(reply, a.body.data, a.body.len, &e) == 0, &e);
	got = &reply->answer[0];
	confirmed = reply->n == 1 && got->result == CA_CONFIRMED;
	if (got->result == CA_REFUSED)
		printf("%s: %s\n", reason_id(got->code), got->text);
	else
		puts(confirmed ? "confirmed" : "neither confirmed nor refused");
	http_answer_free(&a);
	buf_free(&xml);
	chain_free(&issued);
	httpc_free(h);
	ca_message_free(m);
	ca_reply_free(reply);
	return confirmed ? 0 : 1;
}

static int act(const char *name)
{
	if (strcmp(name, "enrol") == 0) {
		enrol();
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
		if (strcmp(name, deeds[i].name) == 0)
			return confirm(&deeds[i]);
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct chain root = {0};
	struct err e;
	int rc;

	if (argc != 9 || strlen(argv[7]) != REQUEST_ID_LEN) {
		fputs(usage, stderr);
		return 2;
	}
	it.port = argv[1];
	it.trust = trust_new();
	must(chain_load(&root, argv[2], &e) == 0 && trust_add_root(it.trust, &root.cert[0], &e) == 0, &e);
	must(chain_load(&it.chain, argv[3], &e) == 0 && chain_load(&it.node, argv[5], &e) == 0, &e);
	it.factory = key_load(argv[4], &e);
	must(it.factory && file_join(it.key, &e, argv[6], "new.key") == 0 && file_join(it.pem, &e, argv[6], "new.pem") == 0, &e);
	it.id.generation = 1;
	strcpy(it.id.id, argv[7]);
	rc = act(argv[8]);
	key_free(it.factory);
	key_free(it.next);
	chain_free(&root);
	chain_free(&it.chain);
	chain_free(&it.node);
	trust_free(it.trust);
	return rc;
}
