#include <config.h>

#include "factory.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "obtain.h"
#include "outside.h"
#include "tunnel.h"

struct factory {
	struct store *store;
	struct link *link;
	struct buf in, out;
	struct tunnel tunnel;
	pthread_t worker;
	bool busy;		/* the worker has the store: what the conversation needs of it waits */
	bool done;
	struct link_go go;
	int obtained;		/* the worker's result: 0 or -1 and why */
	struct err why;
};

static void put(struct factory *f, enum link_type type, const struct buf *payload)
{
	link_put(&f->out, type, 0, payload->data, payload->len);
}

static void put_result(struct factory *f, const struct err *failed)
{
	struct link_result m = {0};
	struct credential c = {0};
	struct buf payload = {0};
	struct err e;

	if (failed) {
		log_err(failed, "factory");
		m.code = failed->code;
		snprintf(m.text, sizeof m.text, "%.*s", (int)sizeof m.text - 1, failed->text);
	} else if (store_load(f->store, SLOT_FACTORY, &c, &e) < 0) {
		m.code = e.code;
		snprintf(m.text, sizeof m.text, "%.*s", (int)sizeof m.text - 1, e.text);
	} else {
		memcpy(m.certificate, c.chain.cert[0].sha256, SHA256_LEN);
	}
	link_result_write(&m, &payload);
	put(f, LINK_RESULT, &payload);
	credential_free(&c);
	buf_free(&payload);
}

/* ---- the worker: everything that waits for the CA ---- */

static void *obtain_thread(void *arg)
{
	struct factory *f = arg;
	struct obtain o = { .store = f->store, .go = &f->go, .connect = tunnel_connect, .say = tunnel_say, .arg = &f->tunnel };

	f->obtained = obtain_factory(&o, &f->why);
	tunnel_finish(&f->tunnel);
	return NULL;
}

static void join_worker(struct factory *f)
{
	pthread_join(f->worker, NULL);
	f->busy = false;
	link_go_free(&f->go);
}

/* ---- what the station says ---- */

static int on_hello(struct factory *f, struct err *e)
{
	const struct identity *id = store_identity(f->store);
	struct link_hello m = { .version = LINK_VERSION, .device = id->device, .store = store_level(f->store) };
	struct buf payload = {0};

	memcpy(m.revision, id->revision, sizeof m.revision);
	snprintf(m.agent_version, sizeof m.agent_version, "%s", PACKAGE_VERSION);
	if (digest_sha256_file(m.agent_sha256, "/proc/self/exe", e) < 0)
		return -1;
	link_hello_write(&m, &payload);
	put(f, LINK_HELLO, &payload);
	buf_free(&payload);
	FAULT("link.hello");
	return 0;
}

/* A device that already has its factory credential shows the request that it came from: the same ticket again is free. */
static int find_request(struct factory *f, enum link_mode mode, struct credential *c, struct err *e)
{
	switch (store_level(f->store)) {
	case STORE_CUSTOMER:
		return err_set(e, REASON_SERIAL_ISSUED, "the device already has a customer's credential");
	case STORE_FACTORY:
		return store_load(f->store, SLOT_FACTORY, c, e);
	default:
		return store_prepare_for(f->store, mode, c, e);
	}
}

static int on_prepare(struct factory *f, const struct buf *ask, struct err *e)
{
	struct link_prepare wanted;
	struct credential c = {0};
	struct link_ready m = {0};
	struct buf payload = {0}, spki = {0};
	int rc = -1;

	if (link_prepare_read(&wanted, ask, e) == 0 && find_request(f, wanted.mode, &c, e) == 0 &&
	    key_spki(c.transport ? c.transport : c.key, &spki, e) == 0) {
		m.mode = c.transport ? MODE_CA : MODE_DEVICE;
		m.request = c.request;
		digest_sha256(m.key_sha256, spki.data, spki.len);
		link_ready_write(&m, &payload);
		put(f, LINK_READY, &payload);
		FAULT("link.ready");
		rc = 0;
	}
	credential_free(&c);
	buf_free(&payload);
	buf_free(&spki);
	return rc;
}

static int on_go(struct factory *f, const struct buf *payload, struct err *e)
{
	link_go_free(&f->go);
	if (link_go_read(&f->go, payload, e) < 0)
		return -1;
	FAULT("link.go");
	if (store_level(f->store) == STORE_FACTORY) {
		put_result(f, NULL);	/* the result of an earlier go was lost */
		return 0;
	}
	if (pthread_create(&f->worker, NULL, obtain_thread, f) != 0)
		return err_set(e, REASON_INTERNAL, "cannot start a thread");
	f->busy = true;
	return 0;
}

static int on_challenge(struct factory *f, const struct buf *payload, struct err *e)
{
	struct link_challenge ask;
	struct link_proof m = {0};
	struct credential c = {0};
	struct buf text = {0}, proof = {0};
	int rc = -1;

	if (link_challenge_read(&ask, payload, e) < 0)
		return -1;
	if (store_level(f->store) != STORE_FACTORY || store_passed(f->store))
		return err_set(e, REASON_SERIAL_ISSUED, "the device has passed or left the factory: it answers no challenge any more");
	if (store_load(f->store, SLOT_FACTORY, &c, e) < 0)
		return -1;
	if (c.chain.n < 2) {
		credential_free(&c);
		return err_set(e, REASON_KEY_STORE, "the factory credential lacks its issuing certificate");
	}
	mem_random(m.nonce, sizeof m.nonce);
	link_challenge_text(&text, ask.station, ask.nonce, m.nonce);
	if (key_sign(c.key, text.data, text.len, &m.signature, e) == 0) {
		buf_set(&m.certificate, c.chain.cert[0].der.data, c.chain.cert[0].der.len);
		buf_set(&m.issuer, c.chain.cert[1].der.data, c.chain.cert[1].der.len);
		link_proof_write(&m, &proof);
		put(f, LINK_PROOF, &proof);
		FAULT("link.proof");
		rc = 0;
	}
	link_proof_free(&m);
	credential_free(&c);
	buf_free(&text);
	buf_free(&proof);
	return rc;
}

static int on_done(struct factory *f, struct err *e)
{
	if (store_level(f->store) != STORE_FACTORY)
		return err_set(e, REASON_REQUEST, "done before the device has its credential");
	if (store_set_passed(f->store, e) < 0)
		return -1;
	FAULT("link.done");
	f->done = true;
	return 0;
}

/* The station's CA-client asks in the device's place (outside.h). */
static int on_outside(struct factory *f, const struct link_frame *frame, struct err *e)
{
	if (store_level(f->store) == STORE_FACTORY) {
		put_result(f, NULL);	/* the result of an earlier verdict was lost */
		return 0;
	}
	switch (frame->type) {
	case LINK_REQUEST:
		return outside_request(f->store, &frame->payload, &f->out, e);
	case LINK_CERTIFICATE:
		return outside_certificate(f->store, &frame->payload, &f->out, e);
	case LINK_CONFIRM:
		return outside_confirm(f->store, &frame->payload, &f->out, e);
	default:
		if (outside_verdict(f->store, &frame->payload, e) < 0)
			return -1;
		put_result(f, NULL);
		FAULT("link.result");
		return 0;
	}
}

/* -1: the link is broken. What merely fails is told to the station as a result. */
static int on_frame(struct factory *f, const struct link_frame *frame, struct err *e)
{
	struct err failed;
	int rc;

	if (frame->type == LINK_OPENED || frame->type == LINK_DATA || frame->type == LINK_CLOSE) {
		tunnel_down(&f->tunnel, frame, &f->out);
		return 0;
	}
	if (f->busy)
		return err_set(e, REASON_USB, "the station sends %s while its request is under way", link_type_name(frame->type));
	switch (frame->type) {
	case LINK_HELLO:
		rc = on_hello(f, &failed);
		break;
	case LINK_PREPARE:
		rc = on_prepare(f, &frame->payload, &failed);
		break;
	case LINK_GO:
		rc = on_go(f, &frame->payload, &failed);
		break;
	case LINK_CHALLENGE:
		rc = on_challenge(f, &frame->payload, &failed);
		break;
	case LINK_DONE:
		rc = on_done(f, &failed);
		break;
	case LINK_REQUEST:
	case LINK_CERTIFICATE:
	case LINK_CONFIRM:
	case LINK_VERDICT:
		rc = on_outside(f, frame, &failed);
		break;
	default:
		return err_set(e, REASON_USB, "the station sends %s, which only a device may", link_type_name(frame->type));
	}
	if (rc < 0)
		put_result(f, &failed);
	return 0;
}

/* ---- the loop: the only place that touches the link ---- */

static int flush(struct factory *f, struct err *e)
{
	int rc = f->out.len ? f->link->write(f->link, f->out.data, f->out.len, e) : 0;

	buf_clear(&f->out);
	return rc;
}

static int read_link(struct factory *f, struct err *e)
{
	struct link_frame frame = {0};
	uint8_t *room;
	long n;
	int rc;

	f->in.max = 2 * (LINK_HEADER + LIMIT_LINK_FRAME);
	room = buf_room(&f->in, LINK_HEADER + LIMIT_LINK_FRAME);
	if (!room)
		return err_set(e, REASON_USB, "more than a frame is waiting");
	n = f->link->read(f->link, room, LINK_HEADER + LIMIT_LINK_FRAME, e);
	if (n == LINK_NOTHING)
		return 0;
	if (n < 0)
		return -1;
	if (n == 0)
		return err_set(e, REASON_USB, "the station has ended the link before it was done");
	f->in.len += (size_t)n;
	while ((rc = link_take(&f->in, &frame, e)) > 0 && !f->done)
		if (on_frame(f, &frame, e) < 0) {
			rc = -1;
			break;
		}
	buf_free(&frame.payload);
	return rc < 0 ? -1 : 0;
}

static void worker_ended(struct factory *f)
{
	join_worker(f);
	put_result(f, f->obtained == 0 ? NULL : &f->why);
	FAULT("link.result");
}

static int one_round(struct factory *f, struct err *e)
{
	struct pollfd p[] = {
		{ .fd = f->link->fd, .events = POLLIN },
		{ .fd = f->tunnel.control[0], .events = POLLIN },
		{ .fd = f->tunnel.far, .events = POLLIN },
	};

	if (poll(p, ARRAY_LEN(p), -1) < 0)
		return errno == EINTR ? 0 : err_errno(e, REASON_INTERNAL, "poll");
	if (p[2].revents)
		tunnel_up(&f->tunnel, &f->out);
	if (p[1].revents && tunnel_control(&f->tunnel, &f->out))
		worker_ended(f);
	if (flush(f, e) < 0)
		return -1;
	if (p[0].revents && read_link(f, e) < 0)
		return -1;
	return flush(f, e);
}

int factory_serve(struct store *s, struct link *l, struct err *e)
{
	struct factory f = { .store = s, .link = l };
	int rc = tunnel_init(&f.tunnel, e);

	while (rc == 0 && !f.done)
		rc = one_round(&f, e);
	tunnel_cut(&f.tunnel);
	if (f.busy) {	/* it has no connection any more and ends soon: the store must not be left in the middle of a step */
		while (!tunnel_control(&f.tunnel, &f.out))
			;
		join_worker(&f);
	}
	tunnel_free(&f.tunnel);
	link_go_free(&f.go);
	buf_free(&f.in);
	buf_free(&f.out);
	l->close(l);
	return rc;
}
