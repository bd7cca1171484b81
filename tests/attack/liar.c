/* liar.c - a server with a stolen key, toward devices a node or a CA, that asserts another time: in the Date of its answers, and in
 * the certificates of a CA of its own, which begin then. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "caclient.h"
#include "clock.h"
#include "cms.h"
#include "file.h"
#include "http.h"
#include "httpd.h"
#include "mem.h"
#include "oid.h"
#include "proc.h"

static const char usage[] =
	"usage: liar CERT KEY TIME READY-FILE VOUCHER           a node; shows the voucher in that file to everybody\n"
	"       liar CERT KEY TIME READY-FILE ROOT HOST PORT    a CA: has the true one issue, and adds a CA of its own to the chain\n"
	"\n"
	"TIME as 2050-01-01T00:00:00Z. The port is written into READY-FILE; ends with SIGTERM.\n";

static struct {
	char date[80];				/* a header line */
	struct chain identity, cas;		/* cas: an issuing CA, its root */
	struct key *key, *root_key, *issuing_key;
	int64_t since;
	struct buf voucher;
	struct url ca;				/* the true one; host "": we are a node */
	struct trust *trust;
} it;

static void must(bool good, const struct err *e)
{
	if (good)
		return;
	fprintf(stderr, "liar: %s\n", e->text);
	exit(99);
}

/* ---- a CA of its own ---- */
static void add_ca(const char *name, const char *policy, struct key *key, const struct cert *issuer, struct key *issuer_key)
{
	struct cert_plan plan = { .not_before = it.since, .not_after = X509_NO_EXPIRY, .path_len = -1, .ca = true,
				  .key_cert_sign = true, .crl_sign = true, .policy = policy };
	struct buf spki = {0}, der = {0};
	struct err e;

	must(key && key_spki(key, &spki, &e) == 0, &e);
	plan.spki = &spki;
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s", name);
	must(cert_build(&plan, issuer, issuer_key, &der, &e) == 0 && chain_add(&it.cas, der.data, der.len, &e) == 0, &e);
	buf_free(&spki);
	buf_free(&der);
}

static void make_cas(void)
{
	struct err e;

	it.root_key = key_generate(KEY_P256, &e);
	it.issuing_key = key_generate(KEY_P256, &e);
	must(it.root_key && it.issuing_key, &e);
	add_ca("root of tomorrow", NULL, it.root_key, NULL, it.root_key);
	add_ca("CA of tomorrow", OID_POLICY_CUSTOMER, it.issuing_key, &it.cas.cert[0], it.root_key);
}

static void make_leaf(const struct csr *csr, struct buf *der)
{
	struct cert_plan plan = { .not_before = it.since, .not_after = X509_NO_EXPIRY, .path_len = -1, .spki = &csr->spki,
				  .digital_signature = true, .client_auth = true, .policy = OID_POLICY_CUSTOMER,
				  .hw_type = OID_MODELS ".1" };
	struct err e;

	snprintf(plan.subject_cn, sizeof plan.subject_cn, "a device");
	snprintf(plan.organization, sizeof plan.organization, "%s", csr->device.manufacturer);
	snprintf(plan.unit, sizeof plan.unit, "%s", csr->device.model);
	snprintf(plan.serial_number, sizeof plan.serial_number, "%s", csr->device.serial);
	must(cert_build(&plan, &it.cas.cert[1], it.issuing_key, der, &e) == 0, &e);
}

/* ---- as a node ---- */
static void send_certs(struct http_req *r, const struct chain *certs)
{
	struct buf cms = {0}, body = {0};
	struct err e;

	must(cms_certs_write(certs, &cms, &e) == 0, &e);
	text_base64(&body, cms.data, cms.len);
	http_reply(r, 200, "application/pkcs7-mime; smime-type=certs-only", it.date, body.data, body.len);
	buf_free(&cms);
	buf_free(&body);
}

static void enrol(struct http_req *r)
{
	const struct buf *body = http_body(r);
	struct buf der = {0}, leaf = {0};
	struct chain one = {0};
	struct csr csr = {0};
	struct err e;

	if (text_unbase64(&der, (const char *)body->data, body->len) < 0 || csr_parse(&csr, der.data, der.len, &e) < 0) {
		http_reply(r, 400, "text/plain", it.date, "", 0);
	} else {
		make_leaf(&csr, &leaf);
		must(chain_add(&one, leaf.data, leaf.len, &e) == 0, &e);
		send_certs(r, &one);
	}
	buf_free(&der);
	buf_free(&leaf);
	chain_free(&one);
	csr_free(&csr);
}

static void as_node(struct http_req *r)
{
	const char *path = http_path(r);

	if (strstr(path, "/voucher"))
		http_reply(r, 200, "application/cms", it.date, it.voucher.data, it.voucher.len);
	else if (strstr(path, "/cacerts"))
		send_certs(r, &it.cas);
	else if (strstr(path, "enroll"))
		enrol(r);
	else
		http_reply(r, 404, "text/plain", it.date, "", 0);
}

/* ---- as a CA ---- */

/* A confirm is good for the session of the device and so of no use to us: we say what it likes to hear. */
static void confirm(struct ca_message *m, struct ca_reply *reply)
{
	reply->n = 1;
	reply->answer[0].result = CA_CONFIRMED;
	reply->answer[0].request = m->request[0].request;
	reply->answer[0].state = CA_ACTIVE;
}

static void have_issued(struct ca_message *m, struct ca_reply *reply)
{
	struct ca_client client = { .connect = ca_connect_url, .arg = &it.ca, .host = it.ca.host, .trust = it.trust };
	struct err e;

	must(ca_client_call(&client, m, reply, &e) == 0, &e);
	if (reply->answer[0].result == CA_ISSUED)
		for (size_t i = it.cas.n; i-- > 0;)
			must(chain_add(&reply->answer[0].chain, it.cas.cert[i].der.data, it.cas.cert[i].der.len, &e) == 0, &e);
	ca_client_close(&client);
}

static void as_ca(struct http_req *r)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *reply = mem_new(1, sizeof *reply);
	struct buf xml = {0};
	struct err e;

	must(ca_message_read(m, NULL, http_body(r)->data, http_body(r)->len, LIMIT_FRAME_DEVICE, &e) == 0, &e);
	if (m->request[0].kind == CA_CONFIRM)
		confirm(m, reply);
	else
		have_issued(m, reply);
	ca_reply_write(reply, &xml);
	http_reply(r, 200, CA_TYPE, it.date, xml.data, xml.len);
	ca_message_free(m);
	ca_reply_free(reply);
	buf_free(&xml);
}

/* ---- the server ---- */
static void *on_peer(void *arg, const struct chain *chain, size_t *max_body)
{
	*max_body = LIMIT_FRAME_DEVICE;
	return NULL;
}

static void on_request(void *arg, struct http_req *r)
{
	if (it.ca.host[0])
		as_ca(r);
	else
		as_node(r);
}

static void set_date(const char *text)
{
	struct err e;
	struct tm tm = {0};
	time_t t;

	err_set(&e, REASON_CONFIG, "TIME is none");
	must(text_untime(&it.since, text) == 0, &e);
	t = (time_t)it.since;
	gmtime_r(&t, &tm);
	strftime(it.date, sizeof it.date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
}

static void set_ca(char **argv)
{
	struct chain root = {0};
	struct err e;

	snprintf(it.ca.host, sizeof it.ca.host, "%s", argv[1]);
	snprintf(it.ca.port, sizeof it.ca.port, "%s", argv[2]);
	snprintf(it.ca.path, sizeof it.ca.path, "%s", CA_PATH);
	it.trust = trust_new();
	must(chain_load(&root, argv[0], &e) == 0 && trust_add_root(it.trust, root.cert, &e) == 0, &e);
	chain_free(&root);
}

int main(int argc, char **argv)
{
	struct httpd_conf conf = { .address = "127.0.0.1", .threads = 1, .n_identities = 1, .peer = on_peer, .handle = on_request };
	struct httpd *server;
	char port[16];
	struct err e;
	int n;

	if (argc != 6 && argc != 8) {
		fputs(usage, stderr);
		return 2;
	}
	proc_signals_block();
	must(chain_load(&it.identity, argv[1], &e) == 0 && (it.key = key_load(argv[2], &e)), &e);
	set_date(argv[3]);
	if (argc == 8)
		set_ca(argv + 5);
	else
		must(file_read(&it.voucher, argv[5], 0, &e) == 0, &e);
	make_cas();
	conf.identity[0] = (struct httpd_identity){ .chain = &it.identity, .key = it.key };
	server = httpd_start(&conf, &e);
	must(server, &e);
	n = snprintf(port, sizeof port, "%u", httpd_port(server));
	must(file_replace(argv[4], port, (size_t)n, 0644, &e) == 0, &e);
	proc_signals_wait(-1, -1);
	httpd_stop(server);
	chain_free(&it.identity);
	chain_free(&it.cas);
	key_free(it.key);
	key_free(it.root_key);
	key_free(it.issuing_key);
	buf_free(&it.voucher);
	trust_free(it.trust);
	return 0;
}
