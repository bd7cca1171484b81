/* The CA system whole: real TLS, real signer, real ledger; what a device, a station and a stranger get. */
#include <config.h>

#include <stdarg.h>
#include <string.h>

#include "caclient.h"
#include "clock.h"
#include "cms.h"
#include "confirm.h"
#include "crl.h"
#include "documents.h"
#include "file.h"
#include "front.h"
#include "http.h"
#include "httpc.h"
#include "ledger.h"
#include "mem.h"
#include "state.h"
#include "unit.h"

#define SERIALS 12

static char *folder;
static char factory[FILE_PATH], customer[FILE_PATH];
static struct trust *factory_trust, *customer_trust;
static struct front *front;
static struct url url = { .host = "127.0.0.1" };

struct unit_id {
	struct key *key;
	struct chain chain;
};
static struct unit_id station, node;

/* ---- world ---- */
static void path_of(char out[FILE_PATH], const char *dir, const char *name)
{
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_join(out, &e, dir, name), 0);
}

static int command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int command(const char *fmt, ...)
{
	char line[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	return system(line);
}

static void make_unit(struct unit_id *u, const char *dir, const char *role, const char *name)
{
	char csr[FILE_PATH], cert[FILE_PATH];
	struct buf der = {0}, pem = {0};
	struct err e;

	u->key = key_generate(KEY_P256, &e);
	CU_ASSERT_EQUAL_FATAL(csr_build(u->key, NULL, NULL, &der, &e), 0);
	csr_to_pem(&der, &pem);
	path_of(csr, folder, "unit.csr");
	path_of(cert, folder, "unit.pem");
	CU_ASSERT_EQUAL_FATAL(file_replace(csr, pem.data, pem.len, 0644, &e), 0);
	CU_ASSERT_EQUAL_FATAL(
		command("./handsel-ca --dir '%s' unit issue '%s' --role %s --name %s --out '%s' >/dev/null", dir, csr,
			role, name, cert),
		0);
	CU_ASSERT_EQUAL_FATAL(chain_load(&u->chain, cert, &e), 0);
	buf_free(&der);
	buf_free(&pem);
}

static struct trust *load_trust(const char *dir)
{
	struct trust *t = trust_new();
	struct chain root = {0};
	char path[FILE_PATH];
	struct err e;

	path_of(path, dir, "root.pem");
	CU_ASSERT_EQUAL_FATAL(chain_load(&root, path, &e), 0);
	CU_ASSERT_EQUAL_FATAL(trust_add_root(t, &root.cert[0], &e), 0);
	chain_free(&root);
	return t;
}

static void serve(const char *dir)
{
	const struct endpoint any = { .address = "127.0.0.1" };
	struct err e = {0};

	front = front_start(dir, &any, NULL, &e);
	if (!front)
		fprintf(stderr, "%s\n", e.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(front);
	snprintf(url.port, sizeof url.port, "%u", front_port(front));
}

static void test_init(void)
{
	const char *source = getenv("srcdir"), *path = getenv("PATH");
	char here[FILE_PATH], *wider;

	if (source)
		setenv("HANDSEL_DATADIR", source, 1);
	/* handsel-signer stands in the build folder, not beside this test */
	CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(here, sizeof here));
	wider = mem_fmt("%s:%s", here, path ? path : "/bin");
	setenv("PATH", wider, 1);
	free(wider);
	folder = unit_folder();
	path_of(factory, folder, "factory");
	path_of(customer, folder, "customer");
	CU_ASSERT_EQUAL_FATAL(command("./handsel-ca --dir '%s' init --kind factory --id factory --name 'Acme Devices' --key-passphrase none "
				      "--host 127.0.0.1 "
				      ">/dev/null",
				      factory),
			      0);
	CU_ASSERT_EQUAL_FATAL(
		command("./handsel-ca --dir '%s' init --kind customer --name Plant --host 127.0.0.1 --key-passphrase none >/dev/null 2>&1",
			customer),
		0);
	CU_ASSERT_EQUAL_FATAL(command("./handsel-ca --dir '%s' order create --id WO-1 --model gateway-b --serials "
				      "0001-0099 --quota 2 "
				      "--scrap 4 --station line-1 --agent ./handsel-ca >/dev/null",
				      factory),
			      0);
	CU_ASSERT_NOT_EQUAL(
		command("./handsel-ca --dir '%s' init --kind factory --name X 2>/dev/null >/dev/null", factory), 0);
	make_unit(&station, factory, "station", "line-1");
	make_unit(&node, customer, "node", "site-1");
	factory_trust = load_trust(factory);
	customer_trust = load_trust(customer);
	serve(factory);
}

/* ---- a device ---- */
struct device {
	struct key *key;
	struct request_id id;
	struct device_id who;
	struct buf spki, cert;
};

static void device_new(struct device *d, const char *serial)
{
	struct err e;

	*d = (struct device){ .who = { .manufacturer = "Acme Devices", .model = "gateway-b" } };
	snprintf(d->who.serial, sizeof d->who.serial, "%s", serial);
	d->key = key_generate(KEY_P256, &e);
	request_id_new(&d->id, 1);
	CU_ASSERT_EQUAL_FATAL(key_spki(d->key, &d->spki, &e), 0);
}

static void device_free(struct device *d)
{
	key_free(d->key);
	buf_free(&d->spki);
	buf_free(&d->cert);
}

static void put_ticket(const struct device *d, struct buf *cms, const struct unit_id *by)
{
	struct ticket t = { .order = "WO-1", .slot = "1-1", .device = d->who, .request = d->id, .mode = "device",
		.not_after = clock_utc() + 100 };
	struct buf der = {0};
	struct csr csr = {0};
	struct err e;

	CU_ASSERT_EQUAL(csr_build(d->key, NULL, NULL, &der, &e), 0);
	CU_ASSERT_EQUAL(csr_parse(&csr, der.data, der.len, &e), 0);
	memcpy(t.key_sha256, csr.spki_sha256, SHA256_LEN);
	CU_ASSERT_EQUAL(ticket_write(&t, by->key, &by->chain, cms, &e), 0);
	csr_free(&csr);
	buf_free(&der);
}

static void put_issue(struct ca_message *m, const struct device *d, const struct unit_id *by)
{
	struct ca_request *rq = &m->request[m->n++];
	struct err e;

	rq->kind = CA_ISSUE;
	rq->request = d->id;
	rq->device = d->who;
	CU_ASSERT_EQUAL(csr_build(d->key, &d->who, d->id.generation ? &d->id : NULL, &rq->csr, &e), 0);
	if (by)
		put_ticket(d, &rq->ticket, by);
}

static struct ca_client client_of(const struct unit_id *u, struct trust *t)
{
	return (struct ca_client){ .connect = ca_connect_url,
				   .arg = &url,
				   .host = url.host,
				   .chain = u ? &u->chain : NULL,
				   .key = u ? u->key : NULL,
				   .trust = t };
}

/* The one answer: its result, or -1 - reason if it was refused; the message is gone afterwards. */
static int call(struct ca_client *c, struct ca_message *m, struct ca_answer *kept)
{
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct err e = {0};
	int result;

	if (ca_client_call(c, m, r, &e) < 0) {
		result = -1000 - (int)e.code;
	} else {
		result = r->answer[0].result == CA_REFUSED ? -1 - (int)r->answer[0].code : (int)r->answer[0].result;
		if (kept) {
			*kept = r->answer[0];
			r->answer[0] = (struct ca_answer){0};
		}
	}
	ca_message_free(m);
	ca_reply_free(r);
	return result;
}

static int issue(struct ca_client *c, struct device *d, const struct unit_id *by)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_answer a = {0};
	int result;

	put_issue(m, d, by);
	result = call(c, m, &a);
	if (result == CA_ISSUED) {
		CU_ASSERT_EQUAL(a.chain.n, 2);
		CU_ASSERT_TRUE(d->cert.len == 0 || buf_same(&d->cert, &a.chain.cert[0].der));
		buf_set(&d->cert, a.chain.cert[0].der.data, a.chain.cert[0].der.len);
	}
	ca_answer_free(&a);
	return result;
}

static int confirm(struct ca_client *c, struct device *d, bool other_session)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_request *rq = &m->request[0];
	uint8_t exporter[TLS_EXPORTER_LEN];
	struct cert cert = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(cert_parse(&cert, d->cert.data, d->cert.len, &e), 0);
	m->n = 1;
	rq->kind = CA_CONFIRM;
	rq->request = d->id;
	memcpy(rq->certificate, cert.sha256, SHA256_LEN);
	CU_ASSERT_EQUAL_FATAL(tls_exporter(ca_client_session(c, &e), exporter, &e), 0);
	CU_ASSERT_EQUAL(confirm_sign(d->key, exporter, &d->id, rq->certificate, &rq->signature, &e), 0);
	if (other_session)
		ca_client_close(c);
	cert_free(&cert);
	return call(c, m, NULL);
}

static int simple(struct ca_client *c, enum ca_kind kind, const struct request_id *id, struct ca_answer *a)
{
	struct ca_message *m = mem_new(1, sizeof *m);

	m->n = 1;
	m->request[0].kind = kind;
	if (id)
		m->request[0].request = *id;
	strcpy(m->request[0].order, "WO-1");
	strcpy(m->request[0].reason, "superseded");
	return call(c, m, a);
}

/* ---- the factory ---- */
static void test_device(void)
{
	struct ca_client c = client_of(NULL, factory_trust);
	struct ca_answer a = {0};
	struct device d;

	device_new(&d, "0001");
	CU_ASSERT_EQUAL(simple(&c, CA_CERTIFICATES, NULL, &a), CA_CERTIFICATES_ARE);
	CU_ASSERT_EQUAL(a.chain.n, 3);
	ca_answer_free(&a);
	CU_ASSERT_EQUAL(issue(&c, &d, NULL), -1 - REASON_TICKET);
	CU_ASSERT_EQUAL(issue(&c, &d, &node), -1 - REASON_TICKET);	/* signed by another company's node */
	CU_ASSERT_EQUAL(issue(&c, &d, &station), CA_ISSUED);
	ca_client_close(&c);
	CU_ASSERT_EQUAL(issue(&c, &d, &station), CA_ISSUED);		/* the very same, whatever the connection */
	CU_ASSERT_EQUAL(confirm(&c, &d, true), -1 - REASON_REQUEST);
	CU_ASSERT_EQUAL(confirm(&c, &d, false), CA_CONFIRMED);
	CU_ASSERT_EQUAL(confirm(&c, &d, false), CA_CONFIRMED);
	CU_ASSERT_EQUAL(simple(&c, CA_STATUS, &d.id, NULL), -1 - REASON_ROLE);
	CU_ASSERT_EQUAL(simple(&c, CA_WORK_ORDER, NULL, NULL), -1 - REASON_ROLE);
	CU_ASSERT_EQUAL(simple(&c, CA_REVOKE, &d.id, NULL), -1 - REASON_ROLE);
	ca_client_close(&c);
	device_free(&d);
}

static void test_station(void)
{
	struct ca_client c = client_of(&station, factory_trust), dev = client_of(NULL, factory_trust);
	struct ca_answer a = {0};
	struct device d;

	device_new(&d, "0002");
	CU_ASSERT_EQUAL(simple(&c, CA_WORK_ORDER, NULL, &a), CA_ORDER_IS);
	CU_ASSERT_EQUAL(a.ordered, 2);
	CU_ASSERT_EQUAL(a.done, 1);
	CU_ASSERT_TRUE(a.order.len > 100);
	ca_answer_free(&a);
	CU_ASSERT_EQUAL(issue(&c, &d, &station), -1 - REASON_ROLE);
	CU_ASSERT_EQUAL(issue(&dev, &d, &station), CA_ISSUED);
	CU_ASSERT_EQUAL(simple(&c, CA_STATUS, &d.id, &a), CA_STATUS_IS);
	CU_ASSERT_EQUAL(a.state, CA_PENDING);
	ca_answer_free(&a);
	CU_ASSERT_EQUAL(simple(&c, CA_REVOKE, &d.id, NULL), CA_REVOKED_OK);
	CU_ASSERT_EQUAL(issue(&dev, &d, &station), CA_DEAD);
	ca_client_close(&c);
	ca_client_close(&dev);
	device_free(&d);
}

/* A unit of another company is nobody here. */
static void test_stranger(void)
{
	struct ca_client c = client_of(&node, factory_trust);

	CU_ASSERT_EQUAL(simple(&c, CA_CERTIFICATES, NULL, NULL), -1000 - REASON_AUTHORITY);
	ca_client_close(&c);
}

static void test_parameters(void)
{
	struct ca_client c = client_of(NULL, factory_trust);
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_answer a = {0};
	struct device d, thief;
	struct err e;

	device_new(&d, "0003");
	device_new(&thief, "0003");
	put_issue(m, &d, &station);
	strcpy(m->request[0].params.organization, "Somebody Else");
	CU_ASSERT_EQUAL(call(&c, m, &a), -1 - REASON_PROFILE);
	CU_ASSERT_PTR_NOT_NULL(strstr(a.text, "organization"));
	ca_answer_free(&a);
	m = mem_new(1, sizeof *m);
	strcpy(m->ca, "another");
	put_issue(m, &d, &station);
	CU_ASSERT_EQUAL(call(&c, m, NULL), -1000 - REASON_REQUEST);
	/* a ticket is for one device, one id, one key */
	m = mem_new(1, sizeof *m);
	put_issue(m, &d, &station);
	strcpy(m->request[0].device.serial, "0004");
	CU_ASSERT_EQUAL(call(&c, m, NULL), -1 - REASON_TICKET);
	m = mem_new(1, sizeof *m);
	put_issue(m, &d, &station);
	request_id_new(&m->request[0].request, 1);
	CU_ASSERT_EQUAL(call(&c, m, NULL), -1 - REASON_TICKET);
	m = mem_new(1, sizeof *m);
	put_issue(m, &d, &station);
	CU_ASSERT_EQUAL(csr_build(thief.key, &d.who, &d.id, &m->request[0].csr, &e), 0);
	CU_ASSERT_EQUAL(call(&c, m, NULL), -1 - REASON_TICKET);
	device_free(&thief);
	ca_client_close(&c);
	device_free(&d);
}

/* The status; *got, if not NULL, gets the body. */
static int http(const char *method, const char *path, const char *type, const char *body, struct buf *got)
{
	struct tls_client opt = { .trust = factory_trust,
				  .rule = { .now = clock_utc() },
				  .deadline_ms = clock_mono_ms() + 5000 };
	struct http_answer a = {0};
	struct httpc *h;
	struct err e;
	int status = -1;
	struct tls *t = tls_connect(tcp_connect(url.host, url.port, opt.deadline_ms, &e), &opt, &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	h = httpc_new(t, url.host);
	if (httpc_request(h, method, path, type, "", body, body ? strlen(body) : 0, 10000, &a, &e) == 0)
		status = a.status;
	if (got)
		buf_set(got, a.body.data, a.body.len);
	http_answer_free(&a);
	httpc_free(h);
	return status;
}

static int post(const char *path, const char *type, const char *body)
{
	return http("POST", path, type, body, NULL);
}

static void test_http(void)
{
	CU_ASSERT_EQUAL(post("/ca", CA_TYPE, "<request xmlns=\"urn:handsel:ca:1\"><ca-certificates/></request>"), 200);
	CU_ASSERT_EQUAL(post("/ca", "application/xml; charset=utf-8",
			     "<request xmlns=\"urn:handsel:ca:1\"><ca-certificates/></request>"),
			200);
	CU_ASSERT_EQUAL(post("/ca", CA_TYPE, "<request xmlns=\"urn:handsel:ca:1\"><ca-certificates/>"), 400);
	CU_ASSERT_EQUAL(post("/ca", CA_TYPE, "<!DOCTYPE x><request xmlns=\"urn:handsel:ca:1\"/>"), 400);
	CU_ASSERT_EQUAL(post("/ca", CA_TYPE, ""), 400);
	CU_ASSERT_EQUAL(post("/ca", "text/plain", "x"), 415);
	CU_ASSERT_EQUAL(post("/", CA_TYPE, "x"), 404);
}

/* ---- revocation lists ---- */
/* Asks until the list holds this certificate; its reason, -1: it does not come. */
static int listed(const char *path, const char *serial)
{
	int64_t end = clock_mono_ms() + 10000;
	struct buf der = {0};
	struct crl c = {0};
	int reason = -1;
	struct err e;

	do {
		usleep(50000);
		front_tick(front);
		crl_free(&c);
		if (http("GET", path, "", NULL, &der) != 200 || crl_parse(&c, der.data, der.len, &e) < 0)
			break;
		if (crl_find(&c, serial))
			reason = crl_find(&c, serial)->reason;
	} while (reason < 0 && clock_mono_ms() < end);
	crl_free(&c);
	buf_free(&der);
	return reason;
}

/* openssl judges a certificate by the list that is published. */
static bool is_judged(const struct buf *cert, const char *verdict)
{
	char path[FILE_PATH];
	struct err e;

	path_of(path, folder, "judged.der");
	CU_ASSERT_EQUAL_FATAL(file_replace(path, cert->data, cert->len, 0644, &e), 0);
	return command("cd '%s' && openssl crl -inform DER -in factory/crl/issuing.crl -out list.pem && openssl x509 -inform DER "
		       "-in judged.der -out judged.pem && openssl verify -CAfile factory/root.pem -untrusted factory/issuing.pem "
		       "-CRLfile list.pem -crl_check judged.pem >verdict 2>&1; grep -q '%s' verdict",
		       folder, verdict) == 0;
}

/* What nobody confirmed in time, what a station gave up, and what an operator revoked by hand is on the list within seconds. */
static void test_lists(void)
{
	struct ca_client dev = client_of(NULL, factory_trust), c = client_of(&station, factory_trust);
	struct cert x = {0};
	struct device d;
	struct err e;

	CU_ASSERT_EQUAL(http("GET", "/crl/", "", NULL, NULL), 404);
	CU_ASSERT_EQUAL(http("GET", "/crl/../ca.yaml", "", NULL, NULL), 404);
	CU_ASSERT_EQUAL(http("GET", "/crl/issuing.crl/", "", NULL, NULL), 404);
	CU_ASSERT_EQUAL(post("/crl/issuing.crl", CA_TYPE, "x"), 405);
	device_new(&d, "0008");
	CU_ASSERT_EQUAL_FATAL(issue(&dev, &d, &station), CA_ISSUED);
	CU_ASSERT(is_judged(&d.cert, "OK$"));
	CU_ASSERT_EQUAL(simple(&c, CA_REVOKE, &d.id, NULL), CA_REVOKED_OK);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&x, d.cert.data, d.cert.len, &e), 0);
	CU_ASSERT_EQUAL(listed("/crl/issuing.crl", x.serial), 4);
	CU_ASSERT(is_judged(&d.cert, "certificate revoked"));
	ca_client_close(&dev);
	ca_client_close(&c);
	cert_free(&x);
	device_free(&d);
}

/* ---- status ---- */
static void test_status(void)
{
	struct signer_state s = { .uptime_s = 7, .n = 1, .pool = { { KEY_RSA3072, 3, 8, 20, 9000 } } };
	char path[FILE_PATH];
	struct state got;
	struct err e;

	CU_ASSERT_EQUAL(command("./handsel-ca --dir '%s' status --json >'%s/status' && cd '%s' && "
				"grep -q '\"type\":\"requests\".*\"pending\":0,\"active\":1,' status && "
				"grep -q '\"type\":\"order\",\"id\":\"WO-1\",\"state\":\"open\",\"used\":1,\"quota\":2,\"pending\":0' status && "
				"grep -q '\"type\":\"crl\",\"of\":\"issuing\",\"number\":1' status && "
				"grep -q '\"key_type\":\"rsa2048\",\"ready\":0,\"room\":8' status && "
				"grep -q '\"serving\":true' status && test \"$(stat -c %%a factory/status.yaml)\" = 600",
				factory, folder, folder),
			0);
	CU_ASSERT_EQUAL(command("./handsel-ca --dir '%s' status | grep -q '^serve *since 20..-.*its signer since [0-9]* s'", factory), 0);
	CU_ASSERT_EQUAL(command("./handsel-ca --dir '%s' status | grep -q '^serve *does not run$'", customer), 0);
	/* the file: written, read, silent for too long, damaged, gone */
	CU_ASSERT_EQUAL(state_write(customer, &s, 1000, 2000, &e), 0);
	CU_ASSERT_EQUAL(state_read(&got, customer, 2030, &e), 1);
	CU_ASSERT(got.started == 1000 && got.written == 2000 && got.signer.uptime_s == 7 && got.signer.n == 1);
	CU_ASSERT(got.signer.pool[0].type == KEY_RSA3072 && got.signer.pool[0].ready == 3 && got.signer.pool[0].room == 8);
	CU_ASSERT(got.signer.pool[0].made == 20 && got.signer.pool[0].made_ms == 9000);
	CU_ASSERT_EQUAL(state_read(&got, customer, 2031, &e), 0);
	s.n = 0;
	CU_ASSERT(state_write(customer, &s, 1000, 2000, &e) == 0 && state_read(&got, customer, 2000, &e) == 1 && got.signer.n == 0);
	path_of(path, customer, "status.yaml");
	CU_ASSERT_EQUAL(file_replace(path, "version: 1\nstarted: -1\n", 23, 0600, &e), 0);
	CU_ASSERT(state_read(&got, customer, 2000, &e) == -1 && e.code == REASON_CONFIG);
	CU_ASSERT_EQUAL(command("./handsel-ca --dir '%s' status >/dev/null 2>&1", customer), 2 << 8);
	state_remove(customer);
	CU_ASSERT_EQUAL(state_read(&got, customer, 2000, &e), 0);
}

/* A device that never confirms: after the pending time, read anew, its unit is the order's again. */
static void test_lapse(void)
{
	struct ca_client c = client_of(&station, factory_trust), dev = client_of(NULL, factory_trust);
	int64_t end = clock_mono_ms() + 10000;
	struct ca_answer a = {0};
	struct settings s;
	struct device d;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(settings_load(&s, factory, &e), 0);
	s.pending_s = 1;
	CU_ASSERT_EQUAL(settings_save(&s, factory, &e), 0);
	CU_ASSERT_EQUAL(front_reload(front, &e), 0);
	device_new(&d, "0006");
	CU_ASSERT_EQUAL(issue(&dev, &d, &station), CA_ISSUED);
	do {
		ca_answer_free(&a);
		a = (struct ca_answer){0};
		usleep(50000);
		front_tick(front);
		CU_ASSERT_EQUAL(simple(&c, CA_STATUS, &d.id, &a), CA_STATUS_IS);
	} while (a.state == CA_PENDING && clock_mono_ms() < end);
	CU_ASSERT_EQUAL(a.state, CA_REVOKED);
	ca_answer_free(&a);
	CU_ASSERT_EQUAL(confirm(&dev, &d, false), CA_DEAD);
	CU_ASSERT_EQUAL(simple(&c, CA_WORK_ORDER, NULL, &a), CA_ORDER_IS);
	CU_ASSERT_EQUAL(a.done, 1);
	ca_answer_free(&a);
	ca_client_close(&c);
	ca_client_close(&dev);
	device_free(&d);
}

/* An edited ledger allows a hundred; the signer still signs quota + scrap, and goes on. */
static void test_overproduction(void)
{
	struct ca_client c = client_of(NULL, factory_trust);
	static struct device d[SERIALS];
	char path[FILE_PATH], serial[16];
	int issued = 0, quota = 0;
	struct db *db;
	struct err e;

	path_of(path, factory, "ca.db");
	db = ledger_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL(db_begin(db, &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "UPDATE work_order SET quota = 100"), &e), 0);
	CU_ASSERT_EQUAL(db_commit(db, &e), 0);
	db_close(db);
	for (int i = 0; i < SERIALS; i++) {
		snprintf(serial, sizeof serial, "%04d", 10 + i);
		device_new(&d[i], serial);
	}
	for (int i = 0; i < SERIALS; i++) {
		int result = issue(&c, &d[i], &station);

		issued += result == CA_ISSUED;
		quota += result == -1 - REASON_QUOTA;
	}
	CU_ASSERT_EQUAL(issued, 2);	/* 2 + 4 less the four keys of the tests before */
	CU_ASSERT_EQUAL(quota, SERIALS - 2);
	CU_ASSERT_FALSE(front_failed(front));
	ca_client_close(&c);
	for (int i = 0; i < SERIALS; i++)
		device_free(&d[i]);
}

static void test_revoked_unit(void)
{
	struct ca_client c = client_of(&station, factory_trust), dev = client_of(NULL, factory_trust);
	struct device d;

	device_new(&d, "0005");
	CU_ASSERT_EQUAL(simple(&c, CA_CERTIFICATES, NULL, NULL), CA_CERTIFICATES_ARE);
	ca_client_close(&c);
	CU_ASSERT_EQUAL(command("./handsel-ca --dir '%s' revoke --certificate %s --reason keyCompromise >/dev/null",
				factory, station.chain.cert[0].serial),
			0);
	CU_ASSERT_EQUAL(listed("/crl/unit.crl", station.chain.cert[0].serial), 1);
	CU_ASSERT_EQUAL(simple(&c, CA_CERTIFICATES, NULL, NULL), -1000 - REASON_ROLE);
	CU_ASSERT_EQUAL(simple(&c, CA_REVOKE, &d.id, NULL), -1000 - REASON_ROLE);	/* asked in the writer's transaction */
	CU_ASSERT_EQUAL(simple(&c, CA_ISSUE, &d.id, NULL), -1000 - REASON_ROLE);	/* as also for the audit of a refusal */
	CU_ASSERT_EQUAL(command("test -z \"$(./handsel-ca --dir '%s' issued list --serial %s)\"", factory, d.id.id), 0);
	CU_ASSERT_EQUAL(issue(&dev, &d, &station), -1 - REASON_TICKET);
	ca_client_close(&c);
	ca_client_close(&dev);
	device_free(&d);
}

/* ---- the customer: a node speaks for its devices, many at a time ---- */
static void test_node(void)
{
	struct ca_client c;
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	static struct device d[LIMIT_BATCH];
	char serial[16];
	struct err e = {0};

	front_stop(front);
	serve(customer);
	c = client_of(&node, customer_trust);
	for (int i = 0; i < LIMIT_BATCH; i++) {
		snprintf(serial, sizeof serial, "%04d", i);
		device_new(&d[i], serial);
		if (i != 6)
			d[i].id.generation = 0;	/* of plain clients: the seventh would have to sign for itself */
		put_issue(m, &d[i], NULL);
	}
	m->request[5].csr.data[m->request[5].csr.len - 1] ^= 1;	/* does not spoil the others */
	CU_ASSERT_EQUAL_FATAL(ca_client_call(&c, m, r, &e), 0);
	for (int i = 0; i < LIMIT_BATCH; i++)
		CU_ASSERT_EQUAL(r->answer[i].result, i == 5 || i == 6 ? CA_REFUSED : CA_ISSUED);
	CU_ASSERT_EQUAL(r->answer[5].code, REASON_REQUEST);
	CU_ASSERT_EQUAL(r->answer[6].code, REASON_ENDORSEMENT);
	ca_reply_free(r);
	CU_ASSERT_EQUAL(simple(&c, CA_WORK_ORDER, NULL, NULL), -1 - REASON_ROLE);
	CU_ASSERT_EQUAL(simple(&c, CA_REVOKE, &d[0].id, NULL), CA_REVOKED_OK);
	CU_ASSERT_EQUAL(simple(&c, CA_STATUS, &d[0].id, NULL), CA_STATUS_IS);
	ca_client_close(&c);
	c = client_of(NULL, customer_trust);	/* a device does not speak to the customer's CA itself */
	CU_ASSERT_EQUAL(issue(&c, &d[5], NULL), -1 - REASON_ROLE);
	ca_client_close(&c);
	ca_message_free(m);
	for (int i = 0; i < LIMIT_BATCH; i++)
		device_free(&d[i]);
}

/* What is about one device in one batch follows in order, although the first certificate is not there yet when the rest is read. */
static void test_same_batch(void)
{
	enum { OTHERS = 8, FIRST = OTHERS, AGAIN, REVOKED, NEXT, ALL };
	struct ca_client c = client_of(&node, customer_trust);
	struct ca_message *m = mem_new(1, sizeof *m);
	struct ca_reply *r = mem_new(1, sizeof *r);
	struct device d[ALL] = {0};
	char serial[16];
	struct err e = {0};

	for (int i = 0; i < ALL; i++) {
		snprintf(serial, sizeof serial, "%04d", i < OTHERS ? 1000 + i : 1000 + OTHERS);
		device_new(&d[i], serial);
		d[i].id.generation = 0;
	}
	for (int i = 0; i < OTHERS; i++)
		put_issue(m, &d[i], NULL);
	put_issue(m, &d[FIRST], NULL);
	put_issue(m, &d[FIRST], NULL);
	m->request[m->n].kind = CA_REVOKE;
	m->request[m->n].request = d[FIRST].id;
	strcpy(m->request[m->n++].reason, "superseded");
	put_issue(m, &d[NEXT], NULL);
	CU_ASSERT_EQUAL_FATAL(ca_client_call(&c, m, r, &e), 0);
	CU_ASSERT_EQUAL_FATAL(r->n, ALL);
	for (int i = 0; i < ALL; i++)
		CU_ASSERT_EQUAL(r->answer[i].result, i == REVOKED ? CA_REVOKED_OK : CA_ISSUED);
	CU_ASSERT(r->answer[FIRST].chain.n && r->answer[AGAIN].chain.n &&
		  buf_same(&r->answer[FIRST].chain.cert[0].der, &r->answer[AGAIN].chain.cert[0].der));
	ca_message_free(m);
	ca_reply_free(r);
	CU_ASSERT_EQUAL(issue(&c, &d[FIRST], NULL), CA_DEAD);
	CU_ASSERT_EQUAL(issue(&c, &d[NEXT], NULL), CA_ISSUED);
	ca_client_close(&c);
	for (int i = 0; i < ALL; i++)
		device_free(&d[i]);
}

static void test_clean(void)
{
	front_stop(front);
	trust_free(factory_trust);
	trust_free(customer_trust);
	key_free(station.key);
	key_free(node.key);
	chain_free(&station.chain);
	chain_free(&node.chain);
	unit_remove(folder);
}

UNIT_MAIN("ca front", { "init", test_init }, { "device", test_device }, { "station", test_station },
	  { "stranger", test_stranger }, { "parameters", test_parameters }, { "http", test_http }, { "lists", test_lists }, { "status", test_status },
	  { "lapse", test_lapse }, { "overproduction", test_overproduction }, { "revoked unit", test_revoked_unit },
	  { "node", test_node }, { "same batch", test_same_batch },
	  { "clean", test_clean })
