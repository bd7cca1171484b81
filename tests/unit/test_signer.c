/* The signer over its real channel: what it refuses, what ends it, and what it counts. */
#include <config.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "crl.h"
#include "digest.h"
#include "envelope.h"
#include "file.h"
#include "ipc.h"
#include "mem.h"
#include "oid.h"
#include "pack.h"
#include "signer_build.h"
#include "signer_count.h"
#include "signer_make.h"
#include "signer_serve.h"
#include "unit.h"

static const struct request_id request = { "00112233445566778899aabbccddeeff", 1 };
static const struct ceremony_terms no_terms;
static const struct key_homes plain = { .keys = { .place = "file" }, .root = { .place = "file" }, .plain = true };
static char *folder;
static char factory[FILE_PATH], customer[FILE_PATH];

/* ---- a signer in a thread, and the raw end of its channel ---- */
struct side {
	pthread_t thread;
	const char *dir, *ca;		/* ca: which of the system is asked */
	enum signer_purpose purpose;
	int fd, theirs, rc;
	struct err e;
};

static void *serve(void *arg)
{
	struct side *s = arg;

	s->rc = signer_serve(s->dir, s->theirs, s->purpose, NULL, &s->e);
	shutdown(s->theirs, SHUT_RDWR);
	return NULL;
}

static uint32_t ask(struct side *s, uint32_t type, const struct buf *question, struct buf *answer)
{
	struct buf whole = {0};
	uint32_t got = 0;
	struct err e;

	if (type != SIGNER_HELLO)
		pack_str(&whole, s->ca);
	buf_add(&whole, question->data, question->len);
	if (ipc_send(s->fd, type, &whole, &e) < 0 || ipc_recv(s->fd, &got, answer, &e) != 1)
		got = 0;	/* it has ended */
	buf_free(&whole);
	return got;
}

static void begin(struct side *s, const char *dir, enum signer_purpose purpose)
{
	struct buf hello = {0}, answer = {0};
	int pair[2];

	*s = (struct side){ .dir = dir, .ca = "", .purpose = purpose };
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	s->fd = pair[0];
	s->theirs = pair[1];
	CU_ASSERT_EQUAL_FATAL(pthread_create(&s->thread, NULL, serve, s), 0);
	pack_u32(&hello, SIGNER_VERSION);
	CU_ASSERT_EQUAL(ask(s, SIGNER_HELLO, &hello, &answer), SIGNER_DONE);
	buf_free(&hello);
	buf_free(&answer);
}

static int end(struct side *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->theirs);
	return s->rc;
}

/* ---- things to sign ---- */
static void new_spki(struct buf *spki)
{
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	CU_ASSERT_EQUAL_FATAL(key_spki(k, spki, &e), 0);
	key_free(k);
}

/* The operator's chain is made by the signer as init does it. */
static void make_operator(const char *dir, struct key **key, struct chain *chain)
{
	struct unit_plan plan = { .role = "operator", .name = "maria" };
	struct buf spki = {0}, der = {0};
	struct builder b;
	struct err e;

	*key = key_generate(KEY_P256, &e);
	CU_ASSERT_EQUAL_FATAL(builder_load(&b, dir, "", SITE_FACTORY, &e), 0);
	CU_ASSERT_EQUAL_FATAL(key_spki(*key, &spki, &e), 0);
	CU_ASSERT_EQUAL_FATAL(build_unit(&b, &plan, &spki, clock_utc(), &der, &e), 0);
	CU_ASSERT_EQUAL(chain_add(chain, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL(chain_add(chain, b.ca.unit.cert->der.data, b.ca.unit.cert->der.len, &e), 0);
	builder_free(&b);
	buf_free(&spki);
	buf_free(&der);
}

static void order_fill(struct work_order *o, const char *id, uint32_t quota, uint32_t scrap)
{
	*o = (struct work_order){ .manufacturer = "Acme Devices",
				  .model = "gateway-b",
				  .hw_type = OID_MODELS ".1",
				  .quota = quota,
				  .scrap = scrap,
				  .n_ranges = 1,
				  .n_stations = 1,
				  .not_before = clock_utc() - 10,
				  .not_after = clock_utc() + 1000 };
	snprintf(o->id, sizeof o->id, "%s", id);
	strcpy(o->range[0].from, "0001");
	strcpy(o->range[0].to, "0099");
	strcpy(o->station[0], "line-1");
}

static uint32_t show_order(struct side *s, const struct buf *cms)
{
	struct buf q = {0}, a = {0};
	uint32_t got;

	pack_bytes(&q, cms->data, cms->len);
	got = ask(s, SIGNER_ORDER, &q, &a);
	buf_free(&q);
	buf_free(&a);
	return got;
}

/* One item: the reason of its refusal, OK with *der, or -1: the signer has ended. */
static int sign(struct side *s, const char *order, const char *model, const char *serial, const struct buf *spki,
		const struct ca_params *params, struct buf *der)
{
	struct device_id d = { .manufacturer = "Acme Devices" };
	struct ca_params none = {0};
	struct sign_item item = { .order = order, .device = &d, .spki = spki, .params = params ? params : &none,
				  .unit = "node:site-1", .id = &request, .renews = "" };
	struct buf q = {0}, a = {0};
	struct unpack u;
	int code = -1;

	snprintf(d.model, sizeof d.model, "%s", model);
	snprintf(d.serial, sizeof d.serial, "%s", serial);
	pack_u32(&q, 1);
	sign_item_pack(&q, &item);
	sign_tail_pack(&q, &(struct sign_batch){0});
	if (ask(s, SIGNER_SIGN, &q, &a) == SIGNER_DONE) {
		unpack_init(&u, a.data, a.len);
		CU_ASSERT_EQUAL(unpack_u32(&u), 1);
		code = (int)unpack_u32(&u);
		if (code == REASON_OK && der)
			unpack_bytes(&u, der);
	}
	buf_free(&q);
	buf_free(&a);
	return code;
}

/* ---- tests ---- */
static void test_init(void)
{
	struct err e;

	folder = unit_folder();
	CU_ASSERT_EQUAL_FATAL(file_join(factory, &e, folder, "factory"), 0);
	CU_ASSERT_EQUAL_FATAL(file_join(customer, &e, folder, "customer"), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(factory, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(customer, SITE_CUSTOMER, "Plant", &plain, &no_terms, &e), 0);
}

static void test_orders(void)
{
	struct work_order o;
	struct key *key;
	struct chain chain = {0};
	struct buf cms = {0}, again = {0}, foreign = {0};
	struct side s;
	struct err e;

	make_operator(factory, &key, &chain);
	begin(&s, factory, SIGNER_FOR_OPERATOR);
	order_fill(&o, "WO-1", 2, 1);
	CU_ASSERT_EQUAL(work_order_write(&o, key, &chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(show_order(&s, &cms), SIGNER_DONE);
	CU_ASSERT_EQUAL(show_order(&s, &cms), SIGNER_DONE);	/* the same bytes again */
	o.quota = 1000;
	CU_ASSERT_EQUAL(work_order_write(&o, key, &chain, &again, &e), 0);
	CU_ASSERT_EQUAL(show_order(&s, &again), SIGNER_REFUSED);	/* the same id with other content */
	cms.data[cms.len / 2] ^= 1;
	CU_ASSERT_EQUAL(show_order(&s, &cms), SIGNER_REFUSED);
	/* signed by a key that nobody certified */
	chain_free(&chain);
	key_free(key);
	make_operator(customer, &key, &chain);
	order_fill(&o, "WO-3", 5, 0);
	CU_ASSERT_EQUAL(work_order_write(&o, key, &chain, &foreign, &e), 0);
	CU_ASSERT_EQUAL(show_order(&s, &foreign), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&cms);
	buf_free(&again);
	buf_free(&foreign);
	chain_free(&chain);
	key_free(key);
}

static void test_count(void)
{
	struct buf k[4] = {0}, der = {0};
	struct side s;

	for (int i = 0; i < 4; i++)
		new_spki(&k[i]);
	begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k[0], NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k[0], NULL, &der),
			REASON_OK); /* the same triple is free */
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k[1], NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, factory, SIGNER_FOR_SERVE);	/* the count outlives the process */
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0002", &k[2], NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0003", &k[3], NULL, &der), REASON_QUOTA);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0002", &k[2], NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(end(&s), 0);
	for (int i = 0; i < 4; i++)
		buf_free(&k[i]);
	buf_free(&der);
}

static uint32_t close_order(struct side *s, const char *id)
{
	struct buf q = {0}, a = {0};
	uint32_t got;

	pack_str(&q, id);
	got = ask(s, SIGNER_CLOSE, &q, &a);
	buf_free(&q);
	buf_free(&a);
	return got;
}

static void write_order(struct work_order *o, struct buf *cms)
{
	struct chain chain = {0};
	struct key *key;
	struct err e;

	make_operator(factory, &key, &chain);
	CU_ASSERT_EQUAL_FATAL(work_order_write(o, key, &chain, cms, &e), 0);
	chain_free(&chain);
	key_free(key);
}

/* An extension counts in a signer that serves already; nothing but it changes an order, and it takes nothing away. */
static void test_extend(void)
{
	struct buf k[3] = {0}, cms[2] = {0}, der = {0};
	struct side serves, operator;
	struct work_order o, v2;

	for (int i = 0; i < 3; i++)
		new_spki(&k[i]);
	order_fill(&o, "WO-X", 1, 0);
	write_order(&o, &cms[0]);
	begin(&operator, factory, SIGNER_FOR_OPERATOR);
	begin(&serves, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[0]), SIGNER_DONE);
	CU_ASSERT_EQUAL(sign(&serves, "WO-X", "gateway-b", "0001", &k[0], NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(sign(&serves, "WO-X", "gateway-b", "0002", &k[1], NULL, &der), REASON_QUOTA);
	v2 = o;
	v2.version = 2;
	v2.quota = 2;
	write_order(&v2, &cms[1]);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[1]), SIGNER_DONE);
	CU_ASSERT_EQUAL(sign(&serves, "WO-X", "gateway-b", "0002", &k[1], NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(sign(&serves, "WO-X", "gateway-b", "0003", &k[2], NULL, &der), REASON_QUOTA);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[0]), SIGNER_REFUSED);	/* the one before, again */
	v2.version = 3;
	v2.quota = 1;			/* two are used */
	write_order(&v2, &cms[1]);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[1]), SIGNER_REFUSED);
	v2.quota = 9;
	strcpy(v2.station[0], "line-9");	/* in the place of line-1 */
	write_order(&v2, &cms[1]);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[1]), SIGNER_REFUSED);
	strcpy(v2.station[0], "line-1");
	v2.agent_sha256[0] ^= 1;
	write_order(&v2, &cms[1]);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[1]), SIGNER_REFUSED);
	v2.agent_sha256[0] ^= 1;
	strcpy(v2.range[0].from, "0000");
	write_order(&v2, &cms[1]);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[1]), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(sign(&serves, "WO-X", "gateway-b", "0003", &k[2], NULL, &der), REASON_QUOTA);
	strcpy(v2.range[0].from, "0001");
	write_order(&v2, &cms[1]);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[1]), SIGNER_DONE);
	CU_ASSERT_EQUAL(sign(&serves, "WO-X", "gateway-b", "0003", &k[2], NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(close_order(&operator, "WO-X"), SIGNER_DONE);
	v2.version = 4;
	write_order(&v2, &cms[1]);
	CU_ASSERT_EQUAL(show_order(&operator, &cms[1]), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(end(&serves), 0);
	CU_ASSERT_EQUAL(end(&operator), 0);
	for (int i = 0; i < 3; i++)
		buf_free(&k[i]);
	buf_free(&cms[0]);
	buf_free(&cms[1]);
	buf_free(&der);
}

/* ---- the quota, whatever comes: two fronts that lie at the same time, signers that are ended, orders that are extended ---- */
#define WALKS 4
#define STEPS 40
#define P_SERIALS 4
#define P_KEYS 4

struct shot {
	struct side *s;
	const struct buf *spki;
	const char *order;
	char serial[8];
	int code;
};

static void *shoot(void *arg)
{
	struct shot *t = arg;

	t->code = sign(t->s, t->order, "gateway-b", t->serial, t->spki, NULL, NULL);
	return NULL;
}

static unsigned draw(uint32_t *state, unsigned below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 16) % below;
}

struct walk {
	struct side fronts[2], operator;
	struct work_order o;
	struct buf k[P_KEYS];
	bool got[P_SERIALS][P_KEYS];	/* signed; what was signed once is free */
	unsigned n;			/* of these */
	uint32_t random;
};

/* Two questions at once, mostly of the same few pairs: none beyond the quota is signed, and none within it is refused. */
static void walk_sign(struct walk *w)
{
	unsigned most = w->o.quota + w->o.scrap, before = w->n, fresh = 0;
	struct shot shot[2];
	pthread_t thread[2];
	bool *got[2];

	for (int i = 0; i < 2; i++) {
		unsigned serial = draw(&w->random, P_SERIALS), key = draw(&w->random, P_KEYS);

		shot[i] = (struct shot){ .s = &w->fronts[i], .spki = &w->k[key], .order = w->o.id };
		snprintf(shot[i].serial, sizeof shot[i].serial, "%04u", serial + 1);
		got[i] = &w->got[serial][key];
		fresh += !*got[i] && (i == 0 || got[0] != got[1]);
	}
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, shoot, &shot[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT(shot[i].code == REASON_OK || shot[i].code == REASON_QUOTA);
		CU_ASSERT(shot[i].code == REASON_OK || !*got[i]);
		w->n += shot[i].code == REASON_OK && !*got[i];
		*got[i] = *got[i] || shot[i].code == REASON_OK;
	}
	CU_ASSERT(w->n <= most);
	CU_ASSERT_EQUAL(w->n, before + fresh < most ? before + fresh : most);
}

static void walk_extend(struct walk *w)
{
	struct work_order next = w->o;
	struct buf cms = {0};

	next.version++;
	next.quota = 1 + draw(&w->random, P_SERIALS * P_KEYS);
	write_order(&next, &cms);
	if (show_order(&w->operator, &cms) == SIGNER_DONE) {
		CU_ASSERT(next.quota + next.scrap >= w->n);
		w->o = next;
	} else {
		CU_ASSERT(next.quota + next.scrap < w->n);
	}
	buf_free(&cms);
}

static void walk(unsigned seed)
{
	struct walk *w = mem_new(1, sizeof *w);
	struct buf cms = {0};
	char id[16];

	w->random = seed;
	snprintf(id, sizeof id, "WO-P%u", seed);
	order_fill(&w->o, id, 2, 1);
	w->o.version = 1;
	write_order(&w->o, &cms);
	for (int i = 0; i < P_KEYS; i++)
		new_spki(&w->k[i]);
	begin(&w->operator, factory, SIGNER_FOR_OPERATOR);
	for (int i = 0; i < 2; i++)
		begin(&w->fronts[i], factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(show_order(&w->operator, &cms), SIGNER_DONE);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned what = draw(&w->random, 8);

		if (what == 0) {
			walk_extend(w);
		} else if (what == 1) {	/* all that it had in memory is gone */
			CU_ASSERT_EQUAL(end(&w->fronts[step % 2]), 0);
			begin(&w->fronts[step % 2], factory, SIGNER_FOR_SERVE);
		} else {
			walk_sign(w);
		}
	}
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(end(&w->fronts[i]), 0);
	CU_ASSERT_EQUAL(end(&w->operator), 0);
	for (int i = 0; i < P_KEYS; i++)
		buf_free(&w->k[i]);
	buf_free(&cms);
	free(w);
}

static void test_quota_property(void)
{
	for (unsigned seed = 1; seed <= WALKS; seed++)
		walk(seed);
}

/* Two CAs in one system: an order, a count and a key of one are nothing to the other. */
static void test_several(void)
{
	struct settings globex_is = { .site = SITE_FACTORY, .id = "globex", .name = "Globex", .pending_s = 60 };
	struct buf k = {0}, der[2] = { {0} }, cms[2] = { {0} };
	struct cert c[2] = {0};
	struct chain chain = {0};
	char globex[FILE_PATH], cas[FILE_PATH];
	struct work_order o;
	struct key *key;
	struct side s;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_join(cas, &e, factory, "cas"), 0);
	CU_ASSERT_EQUAL_FATAL(file_mkdir(cas, &e), 0);
	CU_ASSERT_EQUAL_FATAL(file_join(globex, &e, cas, "globex"), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(globex, SITE_FACTORY, "Globex", &plain, &no_terms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(settings_save(&globex_is, globex, &e), 0);
	make_operator(globex, &key, &chain);
	order_fill(&o, "WO-1", 1, 0);	/* the id and the serials of the other CA's order */
	CU_ASSERT_EQUAL_FATAL(work_order_write(&o, key, &chain, &cms[0], &e), 0);
	order_fill(&o, "WO-G", 1, 0);
	CU_ASSERT_EQUAL_FATAL(work_order_write(&o, key, &chain, &cms[1], &e), 0);
	/* an operator of the one cannot order from the other */
	begin(&s, factory, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(show_order(&s, &cms[1]), SIGNER_REFUSED);
	s.ca = "globex";		/* nor has the operator's signer of the one the other's keys */
	CU_ASSERT_EQUAL(show_order(&s, &cms[0]), 0);
	CU_ASSERT_EQUAL(end(&s), -1);
	CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
	begin(&s, globex, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(show_order(&s, &cms[0]), SIGNER_DONE);
	CU_ASSERT_EQUAL(show_order(&s, &cms[1]), SIGNER_DONE);
	CU_ASSERT_EQUAL(end(&s), 0);
	new_spki(&k);
	begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(sign(&s, "WO-G", "gateway-b", "0001", &k, NULL, NULL), REASON_ORDER);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0050", &k, NULL, NULL), REASON_QUOTA);	/* test_count() used it up */
	s.ca = "globex";
	CU_ASSERT_EQUAL(sign(&s, "WO-G", "gateway-b", "0001", &k, NULL, &der[0]), REASON_OK);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k, NULL, &der[1]), REASON_OK);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0002", &k, NULL, NULL), REASON_QUOTA);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(cert_parse(&c[i], der[i].data, der[i].len, &e), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(c[i].issuer, "Globex"));
	}
	s.ca = "nobody";
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k, NULL, NULL), -1);
	CU_ASSERT_EQUAL(end(&s), -1);
	CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
	for (int i = 0; i < 2; i++) {
		cert_free(&c[i]);
		buf_free(&der[i]);
		buf_free(&cms[i]);
	}
	buf_free(&k);
	chain_free(&chain);
	key_free(key);
}

/* One key to be made: as sign(), and what comes for the device. */
static int make(struct side *s, const char *order, const char *serial, const struct buf *transport, const char *type, struct buf *der,
		struct buf *encrypted)
{
	struct device_id d = { .manufacturer = "Acme Devices", .model = "gateway-b" };
	struct ca_params params = {0};
	struct sign_item item = { .order = order, .device = &d, .spki = transport, .params = &params, .made = true,
				  .unit = "node:site-1", .id = &request, .renews = "" };
	struct buf q = {0}, a = {0};
	struct unpack u;
	int code = -1;

	snprintf(d.serial, sizeof d.serial, "%s", serial);
	snprintf(params.key_type, sizeof params.key_type, "%s", type);
	pack_u32(&q, 1);
	sign_item_pack(&q, &item);
	sign_tail_pack(&q, &(struct sign_batch){0});
	if (ask(s, SIGNER_SIGN, &q, &a) == SIGNER_DONE) {
		unpack_init(&u, a.data, a.len);
		CU_ASSERT_EQUAL(unpack_u32(&u), 1);
		code = (int)unpack_u32(&u);
		if (code == REASON_OK) {
			unpack_bytes(&u, der);
			unpack_bytes(&u, encrypted);
			unpack_u64(&u);
			CU_ASSERT(unpack_done(&u));
		}
	}
	buf_free(&q);
	buf_free(&a);
	return code;
}

static void one_made(struct side *s, const char *order, const char *serial, const char *type, enum key_type expected)
{
	struct buf spki = {0}, der[2] = { {0} }, sealed[2] = { {0} }, pkcs8 = {0};
	struct key *transport, *k;
	struct cert c = {0};
	struct err e;

	transport = key_generate(KEY_P256, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(transport);
	CU_ASSERT_EQUAL(key_spki(transport, &spki, &e), 0);
	CU_ASSERT_EQUAL_FATAL(make(s, order, serial, &spki, type, &der[0], &sealed[0]), REASON_OK);
	CU_ASSERT_EQUAL(make(s, order, serial, &spki, type, &der[1], &sealed[1]), REASON_OK);
	/* the same bytes, so that one unit never has two credentials */
	CU_ASSERT(buf_same(&der[0], &der[1]) && buf_same(&sealed[0], &sealed[1]));
	CU_ASSERT_EQUAL(envelope_open(sealed[0].data, sealed[0].len, transport, &pkcs8, &e), 0);
	k = key_import(&pkcs8, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der[0].data, der[0].len, &e), 0);
	CU_ASSERT(key_spki(k, &spki, &e) == 0 && buf_same(&spki, &c.spki));
	CU_ASSERT_EQUAL(spki_type(&spki), expected);
	key_free(k);
	key_free(transport);
	cert_free(&c);
	buf_free(&spki);
	buf_free(&pkcs8);
	for (int i = 0; i < 2; i++) {
		buf_free(&der[i]);
		buf_free(&sealed[i]);
	}
}

static void test_made(void)
{
	struct buf k = {0}, der = {0}, sealed = {0}, cms = {0};
	struct chain chain = {0};
	struct work_order o;
	struct key *key;
	struct side s;
	struct err e;

	make_operator(factory, &key, &chain);
	begin(&s, factory, SIGNER_FOR_OPERATOR);
	order_fill(&o, "WO-made", 1, 1);
	CU_ASSERT_EQUAL(work_order_write(&o, key, &chain, &cms, &e), 0);
	CU_ASSERT_EQUAL(show_order(&s, &cms), SIGNER_DONE);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, customer, SIGNER_FOR_SERVE);
	one_made(&s, "", "0001", "", KEY_P256);
	one_made(&s, "", "0001", "p384", KEY_P384);
	one_made(&s, "", "0001", "rsa", KEY_RSA2048);
	one_made(&s, "", "0001", "rsa3072", KEY_RSA3072);
	buf_str(&k, "no key");
	CU_ASSERT_EQUAL(make(&s, "", "0001", &k, "", &der, &sealed), REASON_REQUEST);
	new_spki(&k);
	CU_ASSERT_EQUAL(make(&s, "", "0001", &k, "ed25519", &der, &sealed), REASON_PROFILE);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, factory, SIGNER_FOR_SERVE);
	one_made(&s, "WO-made", "0001", "", KEY_P256);
	one_made(&s, "WO-made", "0002", "rsa2048", KEY_RSA2048);
	CU_ASSERT_EQUAL(make(&s, "WO-made", "0003", &k, "", &der, &sealed), REASON_QUOTA);	/* counted like any other */
	CU_ASSERT_EQUAL(make(&s, "", "0003", &k, "", &der, &sealed), REASON_ORDER);
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&k);
	buf_free(&der);
	buf_free(&sealed);
	buf_free(&cms);
	chain_free(&chain);
	key_free(key);
}

/* After the first demand the pool makes RSA keys ahead, and nobody gets one twice. */
static void test_pool(void)
{
	struct pool *p = pool_new();
	struct pool_state state[POOL_TYPES];
	struct buf a = {0}, b = {0};
	struct key *first, *second;
	struct err e;

	CU_ASSERT_EQUAL(pool_ready(p, KEY_RSA2048), 0);
	first = pool_take(p, KEY_RSA2048, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	for (int i = 0; i < 600 && !pool_ready(p, KEY_RSA2048); i++)
		usleep(50000);
	CU_ASSERT(pool_ready(p, KEY_RSA2048) >= 1);
	CU_ASSERT_EQUAL(pool_ready(p, KEY_RSA3072), 0);
	CU_ASSERT_EQUAL(pool_state(p, state, POOL_TYPES), 2);
	CU_ASSERT(state[0].type == KEY_RSA2048 && state[0].ready >= 1 && state[0].made >= state[0].ready && state[0].room >= state[0].ready);
	CU_ASSERT(state[0].made_ms > 0);
	CU_ASSERT(state[1].type == KEY_RSA3072 && state[1].ready == 0 && state[1].made == 0 && state[1].made_ms == 0);
	CU_ASSERT_EQUAL(pool_state(NULL, state, POOL_TYPES), 0);
	second = pool_take(p, KEY_RSA2048, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(second);
	CU_ASSERT(key_spki(first, &a, &e) == 0 && key_spki(second, &b, &e) == 0 && !buf_same(&a, &b));
	key_free(first);
	key_free(second);
	buf_free(&a);
	buf_free(&b);
	pool_free(p);
}

static void test_judged(void)
{
	struct ca_params organization = { .organization = "Somebody Else" }, other = { .profile = "issuing" };
	struct buf k = {0}, der = {0}, junk = {0};
	struct side s;

	new_spki(&k);
	buf_str(&junk, "no key");
	begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(sign(&s, "", "gateway-b", "0001", &k, NULL, &der), REASON_ORDER);
	CU_ASSERT_EQUAL(sign(&s, "WO-9", "gateway-b", "0001", &k, NULL, &der), REASON_ORDER);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "router", "0001", &k, NULL, &der), REASON_WRONG_MODEL);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0100", &k, NULL, &der), REASON_ORDER);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k, &organization, &der), REASON_PROFILE);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k, &other, &der), REASON_PROFILE);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &junk, NULL, &der), REASON_PROFILE);
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&k);
	buf_free(&der);
	buf_free(&junk);
}

/* ---- revocation lists ---- */
static uint32_t tell(struct side *s, enum crl_of of, const char *serial, uint8_t reason, int64_t expires)
{
	struct buf q = {0}, a = {0};
	uint32_t got;

	pack_u8(&q, (uint8_t)of);
	pack_u32(&q, 1);
	pack_str(&q, serial);
	pack_u8(&q, reason);
	pack_u64(&q, (uint64_t)clock_utc());
	pack_u64(&q, (uint64_t)expires);
	got = ask(s, SIGNER_REVOKED, &q, &a);
	buf_free(&q);
	buf_free(&a);
	return got;
}

static uint32_t list(struct side *s, enum crl_of of, uint32_t valid_s, struct crl *c)
{
	struct buf q = {0}, a = {0}, der = {0};
	struct unpack u;
	uint32_t got;
	struct err e;

	pack_u8(&q, (uint8_t)of);
	pack_u32(&q, valid_s);
	got = ask(s, SIGNER_CRL, &q, &a);
	crl_free(c);
	if (got == SIGNER_DONE) {
		unpack_init(&u, a.data, a.len);
		unpack_bytes(&u, &der);
		CU_ASSERT(unpack_done(&u));
		CU_ASSERT_EQUAL_FATAL(crl_parse(c, der.data, der.len, &e), 0);
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&der);
	return got;
}

/* The list holds all that any process of this signer was ever told, and its number grows whatever the clock says. */
static void test_lists(void)
{
	struct authority ca;
	struct crl c = {0};
	uint64_t number;
	struct side s;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(authority_load(&ca, factory, &e), 0);
	begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 3600, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 0 && crl_verify(&c, ca.issuing.cert, &e) == 0);
	CU_ASSERT(c.next_update - clock_utc() > 3590 && c.next_update - clock_utc() <= 3600 && c.this_update < clock_utc());
	number = c.number;
	CU_ASSERT_EQUAL(tell(&s, CRL_ISSUING, "0a0b", 4, 0), SIGNER_DONE);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 1 && c.number > number && crl_find(&c, "0a0b") && crl_find(&c, "0a0b")->reason == 4);
	CU_ASSERT_EQUAL(list(&s, CRL_UNIT, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 0 && crl_verify(&c, ca.unit.cert, &e) == 0 && crl_verify(&c, ca.issuing.cert, &e) == -1);
	CU_ASSERT_EQUAL(end(&s), 0);
	/* an operator's signer goes on with the same list; what is there stays as it is */
	begin(&s, factory, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(tell(&s, CRL_ISSUING, "0a0b", 1, 1), SIGNER_DONE);
	CU_ASSERT_EQUAL(tell(&s, CRL_ISSUING, "0c", 0, 0), SIGNER_DONE);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 2 && c.number > number + 1 && crl_find(&c, "0c") && crl_find(&c, "0a0b")->reason == 4);
	/* there is no generation before; the signer goes on */
	CU_ASSERT_EQUAL(tell(&s, CRL_OLDER_ISSUING, "0d", 0, 0), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(list(&s, CRL_OLDER_ISSUING, 60, &c), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(list(&s, CRL_OLDER_UNIT, 60, &c), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(list(&s, CRL_ISSUING, 60, &c), SIGNER_DONE);
	CU_ASSERT(c.n == 2 && !crl_find(&c, "0d"));
	CU_ASSERT_EQUAL(end(&s), 0);
	crl_free(&c);
	authority_free(&ca);
}

static int is_there(void *arg, const struct revoked_item *v)
{
	size_t *n = arg;

	++*n;
	return 0;
}

/* Numbers and ends at times of our choice: a clock that is set back, a signer.db from a backup, an expired certificate. */
static void test_list_rules(void)
{
	const struct revoked_item mortal = { .serial = "11", .expires = 5000 }, immortal = { .serial = "12" };
	const uint8_t ca[SHA256_LEN] = { 1 }, other[SHA256_LEN] = { 2 };
	int64_t number, before;
	char path[FILE_PATH];
	size_t n = 0;
	struct db *db;
	struct err e;

	CU_ASSERT_EQUAL(file_join(path, &e, folder, "rules.db"), 0);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT(count_crl_next(db, ca, 1000, &number, &before, &e) == 0 && number == 1000 && before == 0);
	CU_ASSERT(count_crl_next(db, ca, 1000, &number, &before, &e) == 0 && number == 1001 && before == 1000);
	CU_ASSERT(count_crl_next(db, ca, 500, &number, &before, &e) == 0 && number == 1002 && before == 1000);
	CU_ASSERT(count_crl_next(db, ca, 2000, &number, &before, &e) == 0 && number == 2000 && before == 500);
	CU_ASSERT(count_crl_next(db, other, 7, &number, &before, &e) == 0 && number == 7 && before == 0);
	CU_ASSERT(count_revoked_add(db, ca, &mortal, &e) == 0 && count_revoked_add(db, ca, &immortal, &e) == 0);
	CU_ASSERT(count_revoked_list(db, ca, 5000, is_there, &n, &e) == 0 && n == 2);
	n = 0;
	CU_ASSERT(count_revoked_list(db, ca, 5001, is_there, &n, &e) == 0 && n == 1);
	n = 0;
	CU_ASSERT(count_revoked_list(db, other, 0, is_there, &n, &e) == 0 && n == 0);
	db_close(db);
}

/* What no front of ours sends ends the signer. */
static void test_list_malformed(void)
{
	static const struct {
		const char *serial;
		uint8_t of, reason;
		uint32_t valid_s;
	} cells[] = { { "0", CRL_ISSUING, 0, 0 }, { "xy", CRL_ISSUING, 0, 0 },
		      { "000102030405060708090a0b0c0d0e0f1011121314", CRL_ISSUING, 0, 0 },
		      { "01", CRL_KINDS, 0, 0 }, { "01", CRL_ISSUING, 7, 0 }, { "01", CRL_ISSUING, 200, 0 },
		      { NULL, CRL_ISSUING, 0, 0 }, { NULL, CRL_ISSUING, 0, LIMIT_CRL_VALID_S + 1 }, { NULL, CRL_KINDS, 0, 60 } };
	struct crl c = {0};
	struct side s;

	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		begin(&s, factory, SIGNER_FOR_SERVE);
		CU_ASSERT_EQUAL(cells[i].serial ? tell(&s, (enum crl_of)cells[i].of, cells[i].serial, cells[i].reason, 0)
						: list(&s, (enum crl_of)cells[i].of, cells[i].valid_s, &c),
				0);
		CU_ASSERT_EQUAL(end(&s), -1);
		CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
	}
}

/* ---- the journal ---- */
struct told {
	size_t n;
	struct buf der;			/* of the last row */
	bool active, ended;
};

static uint64_t at(struct side *s, uint64_t *told)
{
	struct buf q = {0}, a = {0};
	struct unpack u;
	uint64_t changes;

	CU_ASSERT_EQUAL(ask(s, SIGNER_POSITION, &q, &a), SIGNER_DONE);
	unpack_init(&u, a.data, a.len);
	changes = unpack_u64(&u);
	*told = unpack_u64(&u);
	CU_ASSERT(unpack_done(&u));
	buf_free(&a);
	return changes;
}

/* A batch of one note or none: what the signer says, 0: nothing, it took it. */
static enum reason note(struct side *s, uint64_t position, const struct buf *der, bool active)
{
	struct sign_note n = { .active = active };
	struct sign_batch b = { .note = &n, .n_notes = der != NULL, .position = position };
	struct buf q = {0}, a = {0};
	enum reason code = REASON_OK;
	struct unpack u;

	if (der)
		digest_sha256(n.certificate, der->data, der->len);
	pack_u32(&q, 0);
	sign_tail_pack(&q, &b);
	if (ask(s, SIGNER_SIGN, &q, &a) != SIGNER_DONE) {
		unpack_init(&u, a.data, a.len);
		code = (enum reason)unpack_u32(&u);
	}
	buf_free(&q);
	buf_free(&a);
	return code;
}

static void journal(struct side *s, uint64_t after, struct told *t)
{
	struct buf q = {0}, a = {0};
	struct signed_row row = {0};
	struct unpack u;

	*t = (struct told){ .der = t->der };
	pack_u64(&q, after);
	pack_u64(&q, 0);
	CU_ASSERT_EQUAL(ask(s, SIGNER_JOURNAL, &q, &a), SIGNER_DONE);
	unpack_init(&u, a.data, a.len);
	while (unpack_u8(&u)) {
		signed_row_unpack(&u, &row);
		CU_ASSERT_STRING_EQUAL(row.unit, "node:site-1");
		CU_ASSERT_STRING_EQUAL(row.id.id, request.id);
		buf_set(&t->der, row.der.data, row.der.len);
		t->n++;
		t->active = row.active;
		t->ended = row.ended;
	}
	CU_ASSERT(unpack_done(&u));
	signed_row_free(&row);
	buf_free(&q);
	buf_free(&a);
}

/* Each change has a number; a ledger that has told of it may not forget it. */
static void test_journal(void)
{
	struct buf k = {0}, der = {0}, again = {0};
	struct told t = {0};
	uint64_t told, start;
	struct side s;

	new_spki(&k);
	begin(&s, customer, SIGNER_FOR_SERVE);
	start = at(&s, &told);
	CU_ASSERT_EQUAL(sign(&s, "", "gateway-b", "0042", &k, NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL(sign(&s, "", "gateway-b", "0042", &k, NULL, &again), REASON_OK);	/* no change: the same bytes */
	CU_ASSERT(buf_same(&der, &again));
	CU_ASSERT_EQUAL(at(&s, &told), start + 1);
	journal(&s, start, &t);
	CU_ASSERT(t.n == 1 && buf_same(&t.der, &der) && !t.active && !t.ended);
	CU_ASSERT_EQUAL(note(&s, start + 1, &der, true), REASON_OK);
	CU_ASSERT_EQUAL(note(&s, start + 1, &der, true), REASON_OK);	/* no change */
	CU_ASSERT_EQUAL(at(&s, &told), start + 2);
	CU_ASSERT_EQUAL(told, start + 1);
	journal(&s, start + 1, &t);
	CU_ASSERT(t.n == 1 && t.active && !t.ended);
	/* the ledger is behind by what it never told: a cut; by more: a backup; more than there is: ours is one */
	CU_ASSERT_EQUAL(note(&s, start, &der, false), REASON_CA_UNAVAILABLE);
	CU_ASSERT_EQUAL(note(&s, start + 3, &der, false), REASON_CA_UNAVAILABLE);
	journal(&s, start, &t);
	CU_ASSERT(t.n == 1 && !t.ended);
	CU_ASSERT_EQUAL(note(&s, start + 2, &der, false), REASON_OK);
	journal(&s, start + 2, &t);
	CU_ASSERT(t.n == 1 && t.active && t.ended);
	CU_ASSERT_EQUAL(note(&s, start + 3, &k, true), REASON_OK);	/* of before there was a journal: nothing */
	CU_ASSERT_EQUAL(at(&s, &told), start + 3);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, customer, SIGNER_FOR_SERVE);	/* it outlives the process */
	CU_ASSERT_EQUAL(note(&s, start + 2, NULL, false), REASON_CA_UNAVAILABLE);
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&t.der);
	buf_free(&again);
	buf_free(&der);
	buf_free(&k);
}

/* A taken-over front asks for what only an operator may have: the signer ends. */
static void test_permissions(void)
{
	static const struct {
		enum signer_purpose purpose;
		uint32_t type;
	} cells[] = {
		{ SIGNER_FOR_SERVE, SIGNER_UNIT },  { SIGNER_FOR_SERVE, SIGNER_ORDER },
		{ SIGNER_FOR_SERVE, SIGNER_CLOSE },	{ SIGNER_FOR_SERVE, SIGNER_REVOKED },
		{ SIGNER_FOR_SERVE, SIGNER_CRL },	{ SIGNER_FOR_OPERATOR, SIGNER_CRL },
		{ SIGNER_FOR_SERVE, SIGNER_STATE },	{ SIGNER_FOR_OPERATOR, SIGNER_STATE },
		{ SIGNER_FOR_SERVE, SIGNER_ORDERS },
		{ SIGNER_FOR_SERVE, SIGNER_TAKE_OVER }, { SIGNER_FOR_SERVE, SIGNER_AGREE },
		{ SIGNER_FOR_SERVE, SIGNER_HEAD },	{ SIGNER_FOR_OPERATOR, SIGNER_HEAD },
		{ SIGNER_FOR_SERVE, SIGNER_OCSP },	{ SIGNER_FOR_OPERATOR, SIGNER_OCSP },
		{ SIGNER_FOR_SERVE, SIGNER_HISTORY },	{ SIGNER_FOR_OPERATOR, SIGNER_HISTORY },
		{ SIGNER_FOR_SERVE, SIGNER_POSITION },	{ SIGNER_FOR_SERVE, SIGNER_JOURNAL },
		{ SIGNER_FOR_SERVE, SIGNER_HELLO },
		{ SIGNER_FOR_SERVE, 77 },		{ SIGNER_FOR_SERVE, SIGNER_SIGN },
		{ SIGNER_FOR_OPERATOR, SIGNER_SIGN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		struct buf q = {0}, a = {0};
		struct side s;

		begin(&s, factory, cells[i].purpose);
		pack_u32(&q, 1);	/* malformed for all of them */
		CU_ASSERT_EQUAL(ask(&s, cells[i].type, &q, &a), 0);
		CU_ASSERT_EQUAL(end(&s), -1);
		CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
		buf_free(&q);
		buf_free(&a);
	}
}

/* Well-formed, but not for this purpose: no certificate of a unit, no order. */
static void test_unit(void)
{
	static const struct {
		enum signer_purpose purpose;
		const char *role, *customer;
		uint32_t wanted;
	} cells[] = {
		{ SIGNER_FOR_SERVE, "station", "", 0 },
		{ SIGNER_FOR_OPERATOR, "station", "", SIGNER_DONE },
		{ SIGNER_FOR_OPERATOR, "node", "plant", SIGNER_DONE },
		{ SIGNER_FOR_OPERATOR, "station", "plant", SIGNER_REFUSED },
		{ SIGNER_FOR_OPERATOR, "root", "", SIGNER_REFUSED },
		{ SIGNER_FOR_OPERATOR, "device", "", SIGNER_REFUSED },
	};
	struct buf k = {0};

	new_spki(&k);
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		struct buf q = {0}, a = {0};
		struct side s;

		begin(&s, factory, cells[i].purpose);
		pack_str(&q, cells[i].role);
		pack_str(&q, "line-1");
		pack_str(&q, cells[i].customer);
		for (int h = 0; h < SIGNER_HOSTS; h++)
			pack_str(&q, "");
		pack_bytes(&q, k.data, k.len);
		CU_ASSERT_EQUAL(ask(&s, SIGNER_UNIT, &q, &a), cells[i].wanted);
		end(&s);
		buf_free(&q);
		buf_free(&a);
	}
	buf_free(&k);
}

static void check_cert(const struct buf *der, const char *policy)
{
	struct cert c = {0};
	struct err e;

	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der->data, der->len, &e), 0);
	CU_ASSERT_STRING_EQUAL(c.device.manufacturer, "Acme Devices");
	CU_ASSERT_STRING_EQUAL(c.device.model, "gateway-b");
	CU_ASSERT_STRING_EQUAL(c.device.serial, "0001");
	CU_ASSERT_STRING_EQUAL(c.hw_serial, "0001");
	CU_ASSERT_STRING_EQUAL(c.hw_type, OID_MODELS ".1");
	CU_ASSERT_TRUE(cert_has_policy(&c, policy));
	CU_ASSERT_FALSE(c.ca);
	CU_ASSERT_TRUE(c.client_auth && !c.server_auth && !c.any_eku);
	CU_ASSERT_STRING_EQUAL(c.role, "");
	cert_free(&c);
}

static void test_certificate(void)
{
	struct buf k = {0}, der = {0};
	struct ca_params days = { .validity_days = 10 };
	struct cert c = {0};
	struct side s;
	struct err e;

	new_spki(&k);
	begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(sign(&s, "", "gateway-b", "0001", &k, &days, &der), REASON_OK);
	check_cert(&der, OID_POLICY_CUSTOMER);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der.data, der.len, &e), 0);
	CU_ASSERT_TRUE(c.not_after > clock_utc() + 9 * 86400 && c.not_after < clock_utc() + 11 * 86400);
	cert_free(&c);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k, NULL, &der), REASON_ORDER); /* a customer has none */
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&k);
	buf_free(&der);
}

static void test_closed(void)
{
	struct buf k = {0};
	struct side s;

	new_spki(&k);
	begin(&s, factory, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(close_order(&s, "WO-1"), SIGNER_DONE);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(sign(&s, "WO-1", "gateway-b", "0001", &k, NULL, NULL), REASON_ORDER);
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&k);
}

/* Somebody replaces all keys and certificates, or an order in signer.db: neither is believed. */
static void copy(const char *name)
{
	char from[FILE_PATH], to[FILE_PATH];
	struct buf data = {0};
	struct err e;

	CU_ASSERT_EQUAL(file_join(from, &e, factory, name), 0);
	CU_ASSERT_EQUAL(file_join(to, &e, customer, name), 0);
	CU_ASSERT_EQUAL(file_read(&data, from, 0, &e), 0);
	CU_ASSERT_EQUAL(file_replace(to, data.data, data.len, 0600, &e), 0);
	buf_free(&data);
}

static void test_tampered(void)
{
	static const char *const files[] = { "root.pem", "issuing.pem", "unit.pem", "keys/issuing.pem", "keys/unit.pem" };
	struct buf k = {0}, junk = {0};
	struct work_order o;
	char path[FILE_PATH];
	struct side s;
	struct db *db;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		copy(files[i]);
	CU_ASSERT_EQUAL(signer_serve(customer, -1, SIGNER_FOR_SERVE, NULL, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);

	new_spki(&k);
	buf_str(&junk, "not signed by anybody");
	CU_ASSERT_EQUAL(file_join(path, &e, factory, "signer.db"), 0);
	db = count_open(path, &e);
	CU_ASSERT_EQUAL(db_begin(db, &e), 0);
	order_fill(&o, "WO-7", 1, 0);
	CU_ASSERT_EQUAL(count_order_put(db, &o, &junk, &e), 0);
	CU_ASSERT_EQUAL(db_commit(db, &e), 0);
	db_close(db);
	begin(&s, factory, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(sign(&s, "WO-7", "gateway-b", "0001", &k, NULL, NULL), REASON_ORDER);
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&k);
	buf_free(&junk);
}

/* From a signer.db of the version before rollovers; the signer knows which roots it has made. */
static void test_rollover(void)
{
	char dir[FILE_PATH], path[FILE_PATH];
	uint8_t hash[SHA256_LEN];
	struct sign_question q = {0};
	struct buf der = {0}, sealed = {0};
	struct authority a;
	struct side s;
	struct db *db;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_join(dir, &e, folder, "rolled"), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(dir, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, dir, "signer.db"), 0);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE generation"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE position"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE signed"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "ALTER TABLE work_order DROP COLUMN version"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE head"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE invitation"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE act"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE gone"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE guarded"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "DROP TABLE permit"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "CREATE TABLE made(order_id TEXT, serial TEXT, spki BLOB, certificate BLOB, encrypted_key BLOB)"),
			       &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "INSERT INTO made VALUES('WO-1', '0001', x'01', x'02', x'03')"), &e), 0);
	CU_ASSERT_EQUAL(db_run(db_stmt(db, "PRAGMA user_version = 3"), &e), 0);
	db_close(db);
	CU_ASSERT_EQUAL_FATAL(signer_rollover(dir, "Acme Devices", &plain, &no_terms, &e), 0);
	CU_ASSERT_EQUAL(signer_rollover(dir, "Acme Devices", &plain, &no_terms, &e), -1);	/* the first is not ended */
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_EQUAL_FATAL(authority_load(&a, dir, &e), 0);
	CU_ASSERT(a.generation == 2 && a.overlap && a.cross.n == 2 && strcmp(a.root.cert->subject, a.older_root.cert->subject) != 0);
	db = count_open(path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	/* what was made for a transport key before there was a journal is still given again */
	strcpy(q.order, "WO-1");
	strcpy(q.device.serial, "0001");
	buf_byte(&q.spki, 1);
	CU_ASSERT_EQUAL(count_signed_get(db, &q, &der, &sealed, &e), 1);
	CU_ASSERT(der.len == 1 && der.data[0] == 2 && sealed.len == 1 && sealed.data[0] == 3);
	buf_free(&q.spki);
	buf_free(&der);
	buf_free(&sealed);
	CU_ASSERT_EQUAL(count_generation_get(db, 2, hash, &e), 1);
	CU_ASSERT_EQUAL(memcmp(hash, a.root.cert->sha256, sizeof hash), 0);
	CU_ASSERT_EQUAL(count_generation_get(db, 3, hash, &e), 0);
	begin(&s, dir, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(end(&s), 0);
	/* a generation that was put there by somebody else */
	CU_ASSERT_EQUAL(count_generation_set(db, 2, a.older_root.cert->sha256, &e), 0);
	db_close(db);
	CU_ASSERT_EQUAL(signer_serve(dir, -1, SIGNER_FOR_OPERATOR, NULL, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	authority_free(&a);
}

static void test_ceremony_once(void)
{
	char path[FILE_PATH];
	struct err e;

	CU_ASSERT_EQUAL(file_join(path, &e, factory, "ca.yaml"), 0);
	CU_ASSERT_EQUAL(file_replace(path, "x", 1, 0644, &e), 0);
	CU_ASSERT_EQUAL(signer_init(factory, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	unit_remove(folder);
}

/* ---- heads of the audit ---- */
struct ledger_audit {
	struct audit_page page;
	struct audit_state at;
};

static void write_row(struct ledger_audit *a, const char *detail)
{
	struct audit_row row = { .n = a->at.n + 1, .time = 1000, .actor = "ca", .action = "issue", .subject = "x", .detail = detail };

	if (a->page.n == 0)
		a->page.after = a->at.n;
	audit_go_on(&a->at, &row);
	audit_page_add(&a->page, &row);
}

static void page_end(struct ledger_audit *a)
{
	buf_clear(&a->page.rows);
	a->page.n = 0;
}

static uint32_t ask_head(struct side *s, const struct audit_page *p, bool sign, struct audit_head *h)
{
	struct buf q = {0}, a = {0}, signature = {0};
	struct unpack u;
	uint32_t got;

	pack_u8(&q, sign);
	pack_u64(&q, (uint64_t)p->after);
	pack_u32(&q, p->n);
	pack_bytes(&q, p->hash, SHA256_LEN);
	buf_add(&q, p->rows.data, p->rows.len);
	got = ask(s, SIGNER_HEAD, &q, &a);
	if (got == SIGNER_DONE) {
		*h = (struct audit_head){0};
		unpack_init(&u, a.data, a.len);
		h->history = unpack_u64(&u);
		h->at.n = (int64_t)unpack_u64(&u);
		unpack_fixed(&u, h->at.hash, SHA256_LEN);
		h->time = (int64_t)unpack_u64(&u);
		unpack_bytes(&u, &signature);
		CU_ASSERT(unpack_done(&u) && signature.len <= sizeof h->signature);
		h->len = signature.len;
		if (h->len)
			memcpy(h->signature, signature.data, h->len);
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&signature);
	return got;
}

static void test_head(void)
{
	static const struct audit_page nothing;
	struct ledger_audit a = {0}, past;
	struct audit_head h = {0};
	struct authority ca;
	struct side s;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(authority_load(&ca, customer, &e), 0);
	begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT(ask_head(&s, &nothing, false, &h) == SIGNER_DONE && h.at.n == 0 && h.history == 1 && h.len == 0);
	CU_ASSERT_EQUAL(ask_head(&s, &nothing, true, &h), SIGNER_REFUSED);	/* of no row */
	write_row(&a, "one");
	write_row(&a, "two");
	CU_ASSERT(ask_head(&s, &a.page, true, &h) == SIGNER_DONE && h.at.n == 2);
	CU_ASSERT_EQUAL(memcmp(h.at.hash, a.at.hash, SHA256_LEN), 0);
	CU_ASSERT_EQUAL(audit_head_verify(&h, ca.unit.cert, 1, &e), 0);
	CU_ASSERT_EQUAL(audit_head_verify(&h, ca.issuing.cert, 1, &e), -1);
	CU_ASSERT_EQUAL(ask_head(&s, &a.page, true, &h), SIGNER_REFUSED);	/* the same rows do not follow */
	past = a;
	page_end(&a);
	/* not what the ledger says that it is: nothing is remembered of it */
	write_row(&a, "three");
	a.page.hash[0] ^= 1;
	CU_ASSERT_EQUAL(ask_head(&s, &a.page, false, &h), SIGNER_REFUSED);
	a.page.hash[0] ^= 1;
	CU_ASSERT(ask_head(&s, &a.page, false, &h) == SIGNER_DONE && h.at.n == 3 && h.len == 0);
	page_end(&a);
	CU_ASSERT(ask_head(&s, &nothing, true, &h) == SIGNER_DONE && h.at.n == 3 && h.len > 0);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, customer, SIGNER_FOR_SERVE);		/* it is remembered */
	CU_ASSERT(ask_head(&s, &nothing, false, &h) == SIGNER_DONE && h.at.n == 3);
	/* a lower number, or one beside it: never again */
	past.page.n = 0;
	past.page.after = 2;
	buf_clear(&past.page.rows);
	write_row(&past, "another three");
	CU_ASSERT_EQUAL(ask_head(&s, &past.page, true, &h), SIGNER_REFUSED);
	past.page.after = 3;
	CU_ASSERT_EQUAL(ask_head(&s, &past.page, true, &h), SIGNER_REFUSED);
	past.page.after = -1;
	CU_ASSERT_EQUAL(ask_head(&s, &past.page, true, &h), SIGNER_REFUSED);
	CU_ASSERT_EQUAL(end(&s), 0);
	buf_free(&a.page.rows);
	authority_free(&ca);
}

static void test_history(void)
{
	static const struct audit_page nothing;
	struct ledger_audit a = {0};
	struct audit_head h = {0};
	struct buf q = {0}, answer = {0};
	struct side s;

	write_row(&a, "another one");
	page_end(&a);
	pack_u64(&q, 1);
	pack_bytes(&q, a.at.hash, SHA256_LEN);
	begin(&s, customer, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(ask(&s, SIGNER_HISTORY, &q, &answer), SIGNER_DONE);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT(ask_head(&s, &nothing, false, &h) == SIGNER_DONE && h.history == 2 && h.at.n == 1);
	write_row(&a, "another two");
	CU_ASSERT(ask_head(&s, &a.page, true, &h) == SIGNER_DONE && h.history == 2 && h.at.n == 2);
	CU_ASSERT_EQUAL(ask(&s, SIGNER_HISTORY, &q, &answer), 0);	/* not the front's */
	CU_ASSERT_EQUAL(end(&s), -1);
	CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
	buf_free(&q);
	buf_free(&answer);
	buf_free(&a.page.rows);
}

/* ---- answers about one certificate ---- */
struct status {
	uint32_t got;			/* SIGNER_DONE, SIGNER_REFUSED, 0: it has ended */
	int status;
	enum reason code;
};

static struct status ask_status(struct side *s, const struct buf *cert, const char *serial, const struct revoked_item *revoked, uint8_t of)
{
	struct buf q = {0}, a = {0}, der = {0};
	struct status st = { .status = -1 };
	struct unpack u;

	pack_u8(&q, of);
	pack_u8(&q, OCSP_SHA1);
	pack_u32(&q, 3600);
	pack_str(&q, serial);
	pack_bytes(&q, cert->data, cert->len);
	pack_u8(&q, revoked != NULL);
	if (revoked) {
		pack_str(&q, revoked->serial);
		pack_u8(&q, revoked->reason);
		pack_u64(&q, (uint64_t)revoked->date);
		pack_u64(&q, (uint64_t)revoked->expires);
	}
	st.got = ask(s, SIGNER_OCSP, &q, &a);
	unpack_init(&u, a.data, a.len);
	if (st.got == SIGNER_DONE) {
		st.status = unpack_u8(&u);
		unpack_u64(&u);
		unpack_u64(&u);
		unpack_bytes(&u, &der);
		CU_ASSERT(unpack_done(&u) && der.len > 200);
	} else if (st.got == SIGNER_REFUSED) {
		st.code = (enum reason)unpack_u32(&u);
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&der);
	return st;
}

static void test_ocsp(void)
{
	struct revoked_item over = { .reason = 1, .date = clock_utc() };
	struct buf k = {0}, der = {0}, other = {0}, none = {0};
	struct cert c = {0};
	struct status st;
	struct side s;
	struct err e;

	new_spki(&k);
	begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL_FATAL(sign(&s, "", "gateway-b", "0700", &k, NULL, &der), REASON_OK);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, NULL, CRL_ISSUING).status, OCSP_GOOD);
	/* good is nothing but what this key has signed: not another's, not under another number, not changed */
	st = ask_status(&s, &der, c.serial, NULL, CRL_UNIT);
	CU_ASSERT(st.got == SIGNER_REFUSED && st.code == REASON_AUTHORITY);
	st = ask_status(&s, &der, "1234", NULL, CRL_ISSUING);
	CU_ASSERT(st.got == SIGNER_REFUSED && st.code == REASON_REQUEST);
	buf_set(&other, der.data, der.len);
	other.data[other.len - 1] ^= 1;
	CU_ASSERT_EQUAL(ask_status(&s, &other, c.serial, NULL, CRL_ISSUING).got, SIGNER_REFUSED);
	CU_ASSERT_EQUAL(ask_status(&s, &none, "1234", NULL, CRL_ISSUING).status, OCSP_UNKNOWN);
	st = ask_status(&s, &none, "1234", NULL, CRL_OLDER_ISSUING);
	CU_ASSERT(st.got == SIGNER_REFUSED && st.code == REASON_CONFIG);
	/* revoked once is revoked for ever, whoever says what */
	snprintf(over.serial, sizeof over.serial, "%s", c.serial);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, &over, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, NULL, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(ask_status(&s, &none, c.serial, NULL, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(end(&s), 0);
	begin(&s, customer, SIGNER_FOR_OPERATOR);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, NULL, CRL_ISSUING).status, OCSP_REVOKED);
	CU_ASSERT_EQUAL(ask_status(&s, &der, "no number", NULL, CRL_ISSUING).got, 0);
	CU_ASSERT_EQUAL(end(&s), -1);
	begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(ask_status(&s, &der, c.serial, &(struct revoked_item){ .serial = "1234" }, CRL_ISSUING).got, 0);	/* of another */
	CU_ASSERT_EQUAL(end(&s), -1);
	cert_free(&c);
	buf_free(&k);
	buf_free(&der);
	buf_free(&other);
}

static void ends_it(const struct audit_page *p)
{
	struct audit_head h = {0};
	struct side s;

	begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(ask_head(&s, p, false, &h), 0);
	CU_ASSERT_EQUAL(end(&s), -1);
	CU_ASSERT_EQUAL(s.e.code, REASON_ROLE);
}

static void test_head_malformed(void)
{
	struct audit_page p = { .after = 2, .n = LIMIT_AUDIT_ROWS + 1 };

	ends_it(&p);
	p.n = 1;	/* without rows */
	ends_it(&p);
	pack_u64(&p.rows, 1);
	for (int i = 0; i < 4; i++)
		pack_bytes(&p.rows, "a\0b", 3);
	ends_it(&p);
	p.n = 0;	/* with something behind */
	ends_it(&p);
	buf_free(&p.rows);
}

/* The bytes as they are, after the greeting; the session goes on unless they end it, and then a new one begins. */
static uint32_t send_bytes(struct side *s, uint32_t type, const void *data, size_t len)
{
	struct buf out = {0}, in = {0};
	uint32_t got = 0;
	struct err e;

	buf_add(&out, data, len);
	if (ipc_send(s->fd, type, &out, &e) < 0 || ipc_recv(s->fd, &got, &in, &e) != 1) {
		CU_ASSERT_EQUAL(end(s), -1);
		CU_ASSERT_EQUAL(s->e.code, REASON_ROLE);
		begin(s, customer, SIGNER_FOR_SERVE);
		got = 0;
	}
	buf_free(&out);
	buf_free(&in);
	return got;
}

/* No octet may be another one, none missing, none more: it is refused or ends the signer, and nothing of it is remembered. flag: that
 * octet, if there is one, has two meanings. */
static void mutate(uint32_t type, struct buf *good, size_t flag)
{
	struct side s;

	begin(&s, customer, SIGNER_FOR_SERVE);
	for (size_t i = 0; i < good->len; i++) {
		good->data[i] ^= i == flag ? 2 : 1;
		CU_ASSERT_NOT_EQUAL(send_bytes(&s, type, good->data, good->len), SIGNER_DONE);
		good->data[i] ^= i == flag ? 2 : 1;
	}
	for (size_t n = 0; n < good->len; n++)
		CU_ASSERT_NOT_EQUAL(send_bytes(&s, type, good->data, n), SIGNER_DONE);
	buf_byte(good, 0);
	CU_ASSERT_EQUAL(send_bytes(&s, type, good->data, good->len), 0);
	good->len--;
	CU_ASSERT_EQUAL(send_bytes(&s, type, good->data, good->len), SIGNER_DONE);
	CU_ASSERT_EQUAL(end(&s), 0);
}

static void test_mutated(void)
{
	static const struct audit_page nothing;
	struct ledger_audit a = {0};
	struct audit_head h = {0};
	struct buf q = {0};
	struct side s;
	size_t flag;

	pack_str(&q, "");	/* of the CA */
	mutate(SIGNER_KEYS, &q, SIZE_MAX);
	mutate(SIGNER_RELOAD, &q, SIZE_MAX);
	begin(&s, customer, SIGNER_FOR_SERVE);
	CU_ASSERT_EQUAL(ask_head(&s, &nothing, false, &h), SIGNER_DONE);
	CU_ASSERT_EQUAL(end(&s), 0);
	a.at = h.at;
	write_row(&a, "mutated");
	flag = q.len;
	pack_u8(&q, 1);
	pack_u64(&q, (uint64_t)a.page.after);
	pack_u32(&q, a.page.n);
	pack_bytes(&q, a.page.hash, SHA256_LEN);
	buf_add(&q, a.page.rows.data, a.page.rows.len);
	mutate(SIGNER_HEAD, &q, flag);
	buf_free(&a.page.rows);
	buf_free(&q);
}

UNIT_MAIN("signer", { "init", test_init }, { "orders", test_orders }, { "count", test_count }, { "extend", test_extend }, { "quota property", test_quota_property }, { "several", test_several }, { "made", test_made }, { "pool", test_pool },
	  { "lists", test_lists }, { "rules of lists", test_list_rules }, { "malformed lists", test_list_malformed },
	  { "judged", test_judged }, { "permissions", test_permissions }, { "units", test_unit },
	  { "head", test_head }, { "history", test_history }, { "malformed heads", test_head_malformed }, { "mutated", test_mutated }, { "ocsp", test_ocsp },
	  { "certificate", test_certificate }, { "journal", test_journal }, { "closed", test_closed }, { "tampered", test_tampered },
	  { "rollover", test_rollover },
	  { "ceremony once", test_ceremony_once })
