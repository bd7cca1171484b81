#include <config.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "agent_world.h"
#include "confirm.h"
#include "digest.h"
#include "factory.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

#define PATIENCE_MS 10000	/* for one frame: only a broken agent takes so long */

/* A scripted station, and the device at the other end of its link. */
struct station {
	int fd, device_fd;
	struct buf in;
	const char *dir;
	pthread_t device;
	int rc;			/* how factory_serve() ended */
	struct err why;
};

static struct err e;

static void *device_thread(void *arg)
{
	struct station *st = arg;
	struct store *s = store_open(st->dir, true, &st->why);

	st->rc = s ? factory_serve(s, link_sock_new(st->device_fd), &st->why) : -2;
	store_close(s);
	return NULL;
}

static void plug_in(struct station *st, const char *dir)
{
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*st = (struct station){ .fd = pair[0], .device_fd = pair[1], .dir = dir };
	CU_ASSERT_EQUAL_FATAL(pthread_create(&st->device, NULL, device_thread, st), 0);
}

static void unplug(struct station *st)
{
	shutdown(st->fd, SHUT_WR);
	pthread_join(st->device, NULL);
	close(st->fd);
	buf_free(&st->in);
}

static void say(struct station *st, enum link_type type, uint16_t channel, const struct buf *payload)
{
	struct buf out = {0};

	link_put(&out, type, channel, payload ? payload->data : NULL, payload ? payload->len : 0);
	CU_ASSERT_EQUAL(send(st->fd, out.data, out.len, MSG_NOSIGNAL), (ssize_t)out.len);
	buf_free(&out);
}

/* The next frame of that type; log lines before it are passed over. false: the device hung up or says something else. */
static bool hear(struct station *st, enum link_type type, struct link_frame *f)
{
	struct pollfd p = { .fd = st->fd, .events = POLLIN };

	for (;;) {
		uint8_t block[4096];
		ssize_t n;

		while (link_take(&st->in, f, &e) > 0) {
			if (f->type == type)
				return true;
			if (f->type != LINK_LOG) {
				printf("\n  %s instead of %s\n", link_type_name(f->type), link_type_name(type));
				return false;
			}
		}
		if (poll(&p, 1, PATIENCE_MS) <= 0 || (n = recv(st->fd, block, sizeof block, 0)) <= 0)
			return false;
		buf_add(&st->in, block, (size_t)n);
	}
}

static enum reason hear_result(struct station *st, struct link_result *r)
{
	struct link_frame f = {0};

	CU_ASSERT_TRUE_FATAL(hear(st, LINK_RESULT, &f));
	CU_ASSERT_EQUAL(link_result_read(r, &f.payload, &e), 0);
	buf_free(&f.payload);
	return r->code;
}

static void say_go(struct station *st, const struct agent_ca *ca)
{
	struct link_go go = { .host = "ca.factory.example" };
	struct buf payload = {0};

	buf_str(&go.ticket, "a ticket");
	buf_set(&go.root, ca->root.cert->der.data, ca->root.cert->der.len);
	link_go_write(&go, &payload);
	say(st, LINK_GO, 0, &payload);
	link_go_free(&go);
	buf_free(&payload);
}

static void say_challenge(struct station *st, const char *name)
{
	struct link_challenge m = { .nonce = "0123456789abcdef0123456789abcde" };
	struct buf payload = {0};

	snprintf(m.station, sizeof m.station, "%s", name);
	link_challenge_write(&m, &payload);
	say(st, LINK_CHALLENGE, 0, &payload);
	buf_free(&payload);
}

static void hear_hello(struct station *st, struct link_hello *m)
{
	struct link_frame f = {0};

	say(st, LINK_HELLO, 0, NULL);
	CU_ASSERT_TRUE_FATAL(hear(st, LINK_HELLO, &f));
	CU_ASSERT_EQUAL(link_hello_read(m, &f.payload, &e), 0);
	buf_free(&f.payload);
}

static void hear_ready(struct station *st, struct link_ready *m)
{
	struct link_frame f = {0};

	say(st, LINK_PREPARE, 0, NULL);
	CU_ASSERT_TRUE_FATAL(hear(st, LINK_READY, &f));
	CU_ASSERT_EQUAL(link_ready_read(m, &f.payload, &e), 0);
	buf_free(&f.payload);
}

/* ---- tests ---- */

static void test_hello(void)
{
	uint8_t own[SHA256_LEN];
	struct link_hello m;
	struct station st;

	plug_in(&st, world_store());
	hear_hello(&st, &m);
	CU_ASSERT_TRUE(device_same(&m.device, &world_device));
	CU_ASSERT_STRING_EQUAL(m.revision, "C");
	CU_ASSERT_EQUAL(m.store, STORE_EMPTY);
	CU_ASSERT_EQUAL(digest_sha256_file(own, "/proc/self/exe", &e), 0);
	CU_ASSERT_EQUAL(memcmp(own, m.agent_sha256, sizeof own), 0);
	unplug(&st);
	CU_ASSERT_EQUAL(st.rc, -1);	/* ended before done */
	CU_ASSERT_EQUAL(st.why.code, REASON_USB);
}

static void test_prepare(void)
{
	const char *dir = world_store();
	struct link_ready first, second, third;
	struct link_hello hello;
	struct station st;

	plug_in(&st, dir);
	hear_ready(&st, &first);
	hear_ready(&st, &second);
	CU_ASSERT_STRING_EQUAL(first.request.id, second.request.id);
	CU_ASSERT_EQUAL(first.request.generation, 1);
	unplug(&st);
	plug_in(&st, dir);	/* a power cut later: the same */
	hear_hello(&st, &hello);
	CU_ASSERT_EQUAL(hello.store, STORE_PENDING);
	hear_ready(&st, &third);
	CU_ASSERT_STRING_EQUAL(first.request.id, third.request.id);
	CU_ASSERT_EQUAL(memcmp(first.key_sha256, third.key_sha256, SHA256_LEN), 0);
	unplug(&st);
}

/* The station hears the device's TLS begin, and refuses to connect: the device tries again by itself, then says why it fails. */
static void test_tunnel(void)
{
	struct link_frame f = {0};
	struct link_result r;
	struct link_ready ready;
	struct station st;
	uint16_t first;

	plug_in(&st, world_store());
	say_go(&st, &world_factory);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_TICKET);	/* nothing is prepared yet */
	hear_ready(&st, &ready);
	say_go(&st, &world_factory);
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_OPEN, &f));
	first = f.channel;
	say(&st, LINK_OPENED, first, NULL);
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_DATA, &f));
	CU_ASSERT_EQUAL(f.channel, first);
	CU_ASSERT_TRUE_FATAL(f.payload.len > 0);
	CU_ASSERT_EQUAL(f.payload.data[0], 0x16);	/* TLS: a handshake record */
	say(&st, LINK_CLOSE, first, NULL);
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_OPEN, &f));	/* again */
	CU_ASSERT_TRUE(f.channel != first);
	buf_set(&f.payload, "late", 4);
	say(&st, LINK_DATA, first, &f.payload);		/* of the closed one: ignored */
	buf_set(&f.payload, "HTTP/1.1 302 Found\r\n\r\n", 22);
	say(&st, LINK_DATA, f.channel, &f.payload);	/* no TLS at all */
	buf_free(&f.payload);
	unplug(&st);
	CU_ASSERT_EQUAL(st.rc, -1);
	CU_ASSERT_EQUAL(st.why.code, REASON_USB);
}

static void test_other_factory(void)
{
	const char *dir = world_store();
	struct link_frame f = {0};
	struct link_result r;
	struct link_ready ready;
	struct station st;

	plug_in(&st, dir);
	hear_ready(&st, &ready);
	say_go(&st, &world_factory);
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_OPEN, &f));	/* the root is pinned by now */
	unplug(&st);
	plug_in(&st, dir);
	say_go(&st, &world_customer);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_AUTHORITY);
	unplug(&st);
	buf_free(&f.payload);
}

static void test_challenge(void)
{
	const char *dir = world_made_device();
	uint8_t nonce[SHA256_LEN] = "0123456789abcdef0123456789abcde";
	struct link_frame f = {0};
	struct link_proof proof = {0};
	struct link_hello hello;
	struct link_result r;
	struct link_ready ready;
	struct cert leaf = {0};
	struct buf text = {0};
	struct station st;

	plug_in(&st, dir);
	hear_hello(&st, &hello);
	CU_ASSERT_EQUAL(hello.store, STORE_FACTORY);
	hear_ready(&st, &ready);
	say_go(&st, &world_factory);	/* its result was lost: no second request */
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_OK);
	say_challenge(&st, "line-2");
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_PROOF, &f));
	CU_ASSERT_EQUAL(link_proof_read(&proof, &f.payload, &e), 0);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&leaf, proof.certificate.data, proof.certificate.len, &e), 0);
	CU_ASSERT_EQUAL(memcmp(leaf.sha256, r.certificate, SHA256_LEN), 0);
	CU_ASSERT_EQUAL(memcmp(leaf.spki_sha256, ready.key_sha256, SHA256_LEN), 0);
	CU_ASSERT_TRUE(buf_same(&proof.issuer, &world_factory.issuing.cert->der));
	link_challenge_text(&text, "line-2", nonce, proof.nonce);
	CU_ASSERT_EQUAL(spki_verify(&leaf.spki, text.data, text.len, &proof.signature, &e), 0);
	link_challenge_text(&text, "line-3", nonce, proof.nonce);
	CU_ASSERT_EQUAL(spki_verify(&leaf.spki, text.data, text.len, &proof.signature, &e), -1);
	say(&st, LINK_DONE, 0, NULL);
	unplug(&st);
	CU_ASSERT_EQUAL(st.rc, 0);

	plug_in(&st, dir);	/* a station that lost its place proves the unit again ... */
	say_challenge(&st, "line-2");
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_PROOF, &f));
	unplug(&st);
	world_write(dir, "factory/passed", "another boot\n");	/* ... but not after the device was switched off */
	plug_in(&st, dir);
	say_challenge(&st, "thief");
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_SERIAL_ISSUED);
	unplug(&st);
	link_proof_free(&proof);
	cert_free(&leaf);
	buf_free(&text);
	buf_free(&f.payload);
}

static void test_out_of_order(void)
{
	struct link_result r;
	struct station st;

	plug_in(&st, world_store());
	say_challenge(&st, "line-2");
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_SERIAL_ISSUED);
	say(&st, LINK_DONE, 0, NULL);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_REQUEST);
	say(&st, LINK_DATA, 7, NULL);	/* of no tunnel: ignored */
	say(&st, LINK_GO, 0, NULL);	/* an empty one */
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_REQUEST);
	say(&st, LINK_READY, 0, NULL);	/* only a device says that */
	pthread_join(st.device, NULL);
	CU_ASSERT_EQUAL(st.rc, -1);
	CU_ASSERT_EQUAL(st.why.code, REASON_USB);
	close(st.fd);
	buf_free(&st.in);
}

static void test_malformed(void)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\0\0\0\0\0\0\0\0", 8 },			/* no such type */
		{ "\xff\0\0\0\0\0\0\0", 8 },
		{ "\1\1\0\0\0\0\0\0", 8 },			/* reserved byte */
		{ "\1\0\0\0\xff\xff\xff\xff", 8 },		/* too long */
		{ "\1\0\0\0\0\0\x40\1", 8 },			/* by one */
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
	};
	struct station st;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		plug_in(&st, world_store());
		CU_ASSERT_EQUAL(send(st.fd, bad[i].bytes, bad[i].len, MSG_NOSIGNAL), (ssize_t)bad[i].len);
		pthread_join(st.device, NULL);	/* it hangs up by itself */
		CU_ASSERT_EQUAL(st.rc, -1);
		CU_ASSERT_EQUAL(st.why.code, REASON_USB);
		close(st.fd);
		buf_free(&st.in);
	}
}

/* One byte at a time, as a slow link delivers them. */
static void test_dribble(void)
{
	struct link_hello m;
	struct link_frame f = {0};
	struct buf out = {0};
	struct station st;

	plug_in(&st, world_store());
	link_put(&out, LINK_HELLO, 0, NULL, 0);
	link_put(&out, LINK_PREPARE, 0, NULL, 0);
	for (size_t i = 0; i < out.len; i++)
		CU_ASSERT_EQUAL(send(st.fd, out.data + i, 1, MSG_NOSIGNAL), 1);
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_HELLO, &f));
	CU_ASSERT_EQUAL(link_hello_read(&m, &f.payload, &e), 0);
	CU_ASSERT_TRUE(hear(&st, LINK_READY, &f));
	unplug(&st);
	buf_free(&f.payload);
	buf_free(&out);
}

/* ---- the CA-client in the station ---- */

static void say_request(struct station *st, const struct agent_ca *ca)
{
	struct link_request m = {0};
	struct buf payload = {0};

	buf_set(&m.root, ca->root.cert->der.data, ca->root.cert->der.len);
	link_request_write(&m, &payload);
	say(st, LINK_REQUEST, 0, &payload);
	link_request_free(&m);
	buf_free(&payload);
}

static void say_confirm(struct station *st)
{
	const struct link_confirm m = { .exporter = "an exporter of some TLS session" };
	struct buf payload = {0};

	link_confirm_write(&m, &payload);
	say(st, LINK_CONFIRM, 0, &payload);
	buf_free(&payload);
}

static void say_verdict(struct station *st, enum link_standing standing, uint32_t generation)
{
	const struct link_verdict m = { .standing = standing, .generation = generation };
	struct buf payload = {0};

	link_verdict_write(&m, &payload);
	say(st, LINK_VERDICT, 0, &payload);
	buf_free(&payload);
}

/* What that CA makes of the pending key, for that device; key: what comes with it. Returns the leaf's hash. */
static void say_certificate(struct station *st, const struct agent_ca *ca, const struct device_id *device, const char *key,
			    uint8_t hash[SHA256_LEN])
{
	struct link_certificate m = { .n = 2 };
	struct credential c = {0};
	struct store *s = store_open(st->dir, false, &e);
	struct buf payload = {0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL_FATAL(store_load(s, SLOT_FACTORY, &c, &e), 0);
	store_close(s);
	world_leaf(ca, &c, device, OID_POLICY_FACTORY, &m.certificate[0]);
	buf_set(&m.certificate[1], ca->issuing.cert->der.data, ca->issuing.cert->der.len);
	buf_str(&m.encrypted_key, key);
	digest_sha256(hash, m.certificate[0].data, m.certificate[0].len);
	link_certificate_write(&m, &payload);
	say(st, LINK_CERTIFICATE, 0, &payload);
	link_certificate_free(&m);
	credential_free(&c);
	buf_free(&payload);
}

static bool hear_stored(struct station *st, const uint8_t hash[SHA256_LEN])
{
	struct link_frame f = {0};
	struct link_stored m;
	bool good = hear(st, LINK_STORED, &f) && link_stored_read(&m, &f.payload, &e) == 0 &&
		    memcmp(m.certificate, hash, SHA256_LEN) == 0;

	buf_free(&f.payload);
	return good;
}

/* The device's signature under the text of a confirm, with the request and the certificate of its own store. */
static void hear_signed(struct station *st, const struct buf *spki, const struct request_id *id, const uint8_t hash[SHA256_LEN])
{
	struct link_frame f = {0};
	struct link_signed m;

	say_confirm(st);
	CU_ASSERT_TRUE_FATAL(hear(st, LINK_SIGNED, &f));
	CU_ASSERT_EQUAL_FATAL(link_signed_read(&m, &f.payload, &e), 0);
	CU_ASSERT_EQUAL(confirm_verify(spki, (const uint8_t *)"an exporter of some TLS session", id, hash, &m.signature, &e), 0);
	CU_ASSERT_EQUAL(confirm_verify(spki, (const uint8_t *)"another one of some TLS session", id, hash, &m.signature, &e), -1);
	link_signed_free(&m);
	buf_free(&f.payload);
}

static void test_outside(void)
{
	const char *dir = world_store();
	uint8_t hash[SHA256_LEN], other[SHA256_LEN];
	struct link_frame f = {0};
	struct link_ready ready;
	struct link_result r;
	struct link_csr m;
	struct csr csr = {0};
	struct station st;

	plug_in(&st, dir);
	hear_ready(&st, &ready);
	say_request(&st, &world_factory);
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_CSR, &f));
	CU_ASSERT_EQUAL_FATAL(link_csr_read(&m, &f.payload, &e), 0);
	CU_ASSERT_EQUAL_FATAL(csr_parse(&csr, m.der.data, m.der.len, &e), 0);	/* signed by the new key */
	say_certificate(&st, &world_factory, &world_device, "", hash);
	CU_ASSERT_TRUE_FATAL(hear_stored(&st, hash));
	hear_signed(&st, &csr.spki, &ready.request, hash);
	unplug(&st);

	plug_in(&st, dir);	/* a cut before the verdict: it goes on with what is stored, whatever it is given now */
	hear_ready(&st, &ready);
	say_request(&st, &world_factory);
	CU_ASSERT_TRUE_FATAL(hear_stored(&st, hash));
	say_certificate(&st, &world_factory, &world_device, "", other);
	CU_ASSERT_NOT_EQUAL(memcmp(hash, other, SHA256_LEN), 0);
	CU_ASSERT_TRUE_FATAL(hear_stored(&st, hash));
	hear_signed(&st, &csr.spki, &ready.request, hash);
	say_verdict(&st, STANDING_ACTIVE, 0);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_OK);
	CU_ASSERT_EQUAL(memcmp(r.certificate, hash, SHA256_LEN), 0);
	/* what is in force is not asked, replaced, signed for or dropped */
	say_request(&st, &world_factory);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_OK);
	say_confirm(&st);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_OK);
	say_verdict(&st, STANDING_DEAD, 5);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_OK);
	say_challenge(&st, "line-2");
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_PROOF, &f));
	unplug(&st);
	link_csr_free(&m);
	csr_free(&csr);
	buf_free(&f.payload);
}

/* A station that lies: what the device can see for itself is refused, and nothing is changed by it. */
static void test_outside_lies(void)
{
	static const struct device_id stranger = { "Acme Devices", "gateway-b", "00099999" };
	const char *dir = world_store();
	uint8_t hash[SHA256_LEN];
	struct link_frame f = {0};
	struct link_ready before, after;
	struct link_result r;
	struct station st;

	plug_in(&st, dir);
	say_request(&st, &world_factory);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_TICKET);	/* nothing is prepared */
	say_confirm(&st);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_TICKET);
	say_verdict(&st, STANDING_ACTIVE, 0);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_TICKET);
	hear_ready(&st, &before);
	say_certificate(&st, &world_factory, &world_device, "", hash);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_AUTHORITY);	/* no root is pinned yet */
	say_request(&st, &world_factory);
	CU_ASSERT_TRUE_FATAL(hear(&st, LINK_CSR, &f));
	say_request(&st, &world_customer);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_AUTHORITY);
	say_confirm(&st);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_REQUEST);	/* nothing is stored */
	say_verdict(&st, STANDING_ACTIVE, 0);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_REQUEST);
	say_certificate(&st, &world_customer, &world_device, "", hash);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_AUTHORITY);
	say_certificate(&st, &world_factory, &stranger, "", hash);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_REQUEST);
	say_certificate(&st, &world_factory, &world_device, "a key", hash);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_REQUEST);	/* that nobody asked for */
	say_verdict(&st, STANDING_DEAD, before.request.generation + LIMIT_GENERATION_RISE + 1);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_REQUEST);
	hear_ready(&st, &after);
	CU_ASSERT_STRING_EQUAL(before.request.id, after.request.id);
	say_verdict(&st, STANDING_DEAD, 5);
	CU_ASSERT_EQUAL(hear_result(&st, &r), REASON_TICKET);
	hear_ready(&st, &after);
	CU_ASSERT_STRING_NOT_EQUAL(before.request.id, after.request.id);
	CU_ASSERT_EQUAL(after.request.generation, 6);
	unplug(&st);
	buf_free(&f.payload);
}

UNIT_MAIN("agent link",
	{ "the world is made", agent_world_init },
	{ "hello", test_hello },
	{ "prepare is the same after a restart", test_prepare },
	{ "tunnel", test_tunnel },
	{ "another factory's root", test_other_factory },
	{ "challenge, until it has passed and was switched off", test_challenge },
	{ "the CA-client in the station", test_outside },
	{ "that lies", test_outside_lies },
	{ "out of order", test_out_of_order },
	{ "malformed frames", test_malformed },
	{ "one byte at a time", test_dribble },
	{ "the world is cleared away", agent_world_free })
