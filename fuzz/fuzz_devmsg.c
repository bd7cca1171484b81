/* The device link: frames from a stranger on the bus, and the payload of each kind. */
#include <config.h>

#include "devmsg.h"
#include "fuzz.h"

static void hello(const struct buf *payload)
{
	struct link_hello m;
	struct buf again = {0};
	struct err e;

	if (link_hello_read(&m, payload, &e) == 0) {
		FUZZ_MUST(device_valid(&m.device));
		link_hello_write(&m, &again);
		FUZZ_MUST(buf_same(payload, &again));
	}
	buf_free(&again);
}

static void go(const struct buf *payload)
{
	struct link_go m = {0};
	struct buf again = {0};
	struct err e;

	if (link_go_read(&m, payload, &e) == 0) {
		link_go_write(&m, &again);
		FUZZ_MUST(buf_same(payload, &again));
	}
	link_go_free(&m);
	buf_free(&again);
}

static void proof(const struct buf *payload)
{
	struct link_proof m = {0};
	struct buf again = {0};
	struct err e;

	if (link_proof_read(&m, payload, &e) == 0) {
		link_proof_write(&m, &again);
		FUZZ_MUST(buf_same(payload, &again));
	}
	link_proof_free(&m);
	buf_free(&again);
}

static void certificate(const struct buf *payload)
{
	struct link_certificate m;
	struct buf again = {0};
	struct err e;

	if (link_certificate_read(&m, payload, &e) == 0) {
		FUZZ_MUST(m.n >= 1 && m.n <= LIMIT_CHAIN);
		link_certificate_write(&m, &again);
		FUZZ_MUST(buf_same(payload, &again));
		link_certificate_free(&m);
	}
	buf_free(&again);
}

/* What else the station's own CA-client and the device say to each other. */
static void client(const struct buf *payload)
{
	struct link_request request;
	struct link_csr csr;
	struct link_stored stored;
	struct link_confirm confirm;
	struct link_signed sig;
	struct link_verdict verdict;
	struct buf again = {0};
	struct err e;

	if (link_request_read(&request, payload, &e) == 0) {
		FUZZ_MUST(request.root.len);
		link_request_free(&request);
	}
	if (link_csr_read(&csr, payload, &e) == 0) {
		link_csr_write(&csr, &again);
		FUZZ_MUST(buf_same(payload, &again));
		link_csr_free(&csr);
	}
	if (link_signed_read(&sig, payload, &e) == 0)
		link_signed_free(&sig);
	if (link_verdict_read(&verdict, payload, &e) == 0)
		FUZZ_MUST(verdict.standing == STANDING_DEAD || !verdict.generation);
	link_stored_read(&stored, payload, &e);
	link_confirm_read(&confirm, payload, &e);
	buf_free(&again);
}

static void rest(const struct buf *payload)
{
	struct link_prepare prepare;
	struct link_ready ready;
	struct link_result result;
	struct link_challenge challenge;
	struct err e;

	if (link_ready_read(&ready, payload, &e) == 0)
		FUZZ_MUST(request_id_valid(&ready.request));
	if (link_prepare_read(&prepare, payload, &e) == 0)
		FUZZ_MUST(prepare.mode == MODE_DEVICE || prepare.mode == MODE_CA);
	link_result_read(&result, payload, &e);
	link_challenge_read(&challenge, payload, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link_frame f = {0};
	struct buf in = {0}, again = {0};
	struct err e;

	buf_add(&in, data, size);
	while (link_take(&in, &f, &e) == 1) {
		FUZZ_MUST(f.payload.len <= LIMIT_LINK_FRAME);
		FUZZ_MUST(link_type_name(f.type));
		link_put(&again, f.type, f.channel, f.payload.data, f.payload.len);
		hello(&f.payload);
		go(&f.payload);
		proof(&f.payload);
		certificate(&f.payload);
		client(&f.payload);
		rest(&f.payload);
	}
	/* what was taken is what was given */
	FUZZ_MUST(again.len + in.len <= size || in.failed);
	for (size_t i = 0; i < again.len; i++)
		FUZZ_MUST(again.data[i] == data[i]);
	buf_free(&f.payload);
	buf_free(&in);
	buf_free(&again);
	return 0;
}
