#include <config.h>

#include "signer_world.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "ipc.h"

const struct request_id request = { "00112233445566778899aabbccddeeff", 1 };
const struct ceremony_terms no_terms;
const struct key_homes plain = { .keys = { .place = "file" }, .root = { .place = "file" }, .plain = true };
char *folder;
char factory[FILE_PATH], customer[FILE_PATH];

void test_init(void)
{
	struct err e;

	folder = unit_folder();
	CU_ASSERT_EQUAL_FATAL(file_join(factory, &e, folder, "factory"), 0);
	CU_ASSERT_EQUAL_FATAL(file_join(customer, &e, folder, "customer"), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(factory, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(customer, SITE_CUSTOMER, "Plant", &plain, &no_terms, &e), 0);
}

void test_end(void)
{
	unit_remove(folder);
}

/* ---- the channel ---- */
static void *serve(void *arg)
{
	struct side *s = arg;

	s->rc = signer_serve(s->dir, s->theirs, s->purpose, NULL, &s->e);
	shutdown(s->theirs, SHUT_RDWR);
	return NULL;
}

uint32_t side_ask(struct side *s, uint32_t type, const struct buf *question, struct buf *answer)
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

void side_begin(struct side *s, const char *dir, enum signer_purpose purpose)
{
	struct buf hello = {0}, answer = {0};
	int pair[2];

	*s = (struct side){ .dir = dir, .ca = "", .purpose = purpose };
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	s->fd = pair[0];
	s->theirs = pair[1];
	CU_ASSERT_EQUAL_FATAL(pthread_create(&s->thread, NULL, serve, s), 0);
	pack_u32(&hello, SIGNER_VERSION);
	CU_ASSERT_EQUAL(side_ask(s, SIGNER_HELLO, &hello, &answer), SIGNER_DONE);
	buf_free(&hello);
	buf_free(&answer);
}

int side_end(struct side *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->theirs);
	return s->rc;
}

/* ---- things to sign ---- */
void new_spki(struct buf *spki)
{
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	CU_ASSERT_EQUAL_FATAL(key_spki(k, spki, &e), 0);
	key_free(k);
}

void make_operator(const char *dir, struct key **key, struct chain *chain)
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

void write_order(struct work_order *o, struct buf *cms)
{
	struct chain chain = {0};
	struct key *key;
	struct err e;

	make_operator(factory, &key, &chain);
	CU_ASSERT_EQUAL_FATAL(work_order_write(o, key, &chain, cms, &e), 0);
	chain_free(&chain);
	key_free(key);
}

void order_fill(struct work_order *o, const char *id, uint32_t quota, uint32_t scrap)
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

uint32_t show_order(struct side *s, const struct buf *cms)
{
	struct buf q = {0}, a = {0};
	uint32_t got;

	pack_bytes(&q, cms->data, cms->len);
	got = side_ask(s, SIGNER_ORDER, &q, &a);
	buf_free(&q);
	buf_free(&a);
	return got;
}

int side_item(struct side *s, const struct sign_item *item, struct buf *der, struct buf *encrypted)
{
	struct buf q = {0}, a = {0}, none = {0};
	struct unpack u;
	int code = -1;

	pack_u32(&q, 1);
	sign_item_pack(&q, item);
	sign_tail_pack(&q, &(struct sign_batch){0});
	if (side_ask(s, SIGNER_SIGN, &q, &a) == SIGNER_DONE) {
		unpack_init(&u, a.data, a.len);
		CU_ASSERT_EQUAL(unpack_u32(&u), 1);
		code = (int)unpack_u32(&u);
		if (code == REASON_OK) {
			unpack_bytes(&u, der ? der : &none);
			unpack_bytes(&u, encrypted ? encrypted : &none);
			unpack_u64(&u);
			CU_ASSERT(unpack_done(&u));
		}
	}
	buf_free(&none);
	buf_free(&q);
	buf_free(&a);
	return code;
}

int side_sign(struct side *s, const char *order, const char *model, const char *serial, const struct buf *spki,
	      const struct ca_params *params, struct buf *der)
{
	struct device_id d = { .manufacturer = "Acme Devices" };
	struct ca_params none = {0};
	struct sign_item item = { .order = order, .device = &d, .spki = spki, .params = params ? params : &none,
				  .unit = "node:site-1", .id = &request, .renews = "" };

	snprintf(d.model, sizeof d.model, "%s", model);
	snprintf(d.serial, sizeof d.serial, "%s", serial);
	return side_item(s, &item, der, NULL);
}
