/* test_dfu.c - the DFU host against a scripted device: every state, what is sent in it, and what is said about it. */
#include <config.h>

#include "dfu.h"
#include "dfu_suffix.h"

#include <string.h>

#include "mem.h"
#include "quirks.h"
#include "unit.h"
#include "usb.h"

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };

/* One expected request and its answer. */
struct step {
	int request;
	int result;		/* bytes or enum usb_failure; ALL: as many as were given */
	int status, state, poll_ms;
};
#define ALL 100000
#define SAYS(status, state, poll) { GETSTATUS, 6, status, state, poll }
#define END { -1, 0, 0, 0, 0 }

struct script {
	const struct step *step;
	size_t at;
	bool astray;		/* another request than expected */
	int resets;
	int64_t now;
	uint8_t got[64];
	size_t len;
	uint16_t value[16];
	size_t n_values;
};

static int play(void *arg, uint8_t type, uint8_t request, uint16_t value, void *data, uint16_t len, int timeout_ms)
{
	struct script *s = arg;
	const struct step *step = &s->step[s->at];
	uint8_t *d = data;

	CU_ASSERT_EQUAL(type, request == GETSTATUS ? 0xa1 : 0x21);
	CU_ASSERT(timeout_ms > 0);
	if (step->request != request) {
		s->astray = true;
		return USB_ERROR;
	}
	s->at++;
	if (request == GETSTATUS && step->result == 6)
		memcpy(d,
		       (const uint8_t[6]){ (uint8_t)step->status, (uint8_t)step->poll_ms, (uint8_t)(step->poll_ms >> 8),
					   (uint8_t)(step->poll_ms >> 16), (uint8_t)step->state, 0 },
		       6);
	if (request == DNLOAD && step->result == ALL) {
		if (s->len + len <= sizeof s->got && len)
			memcpy(s->got + s->len, data, len);
		s->len += len;
		s->value[s->n_values++] = value;
		return len;
	}
	return step->result;
}

static int reset(void *arg)
{
	((struct script *)arg)->resets++;
	return 0;
}

static void sleep_ms(void *arg, int ms)
{
	((struct script *)arg)->now += ms;
}

static int64_t now(void *arg)
{
	return ((struct script *)arg)->now;
}

static const struct dfu_function plain = { DFU_CAN_DNLOAD | DFU_MANIFESTATION_TOLERANT | DFU_WILL_DETACH, 0, 8, 0x110 };
static const uint8_t image[20] = "0123456789abcdefghi";

/* Downloads by the script; all of it must have been played. */
static int download(struct script *s, const struct step *steps, const struct dfu_function *f, int64_t deadline,
		    struct err *e)
{
	const struct dfu_transport t = { play, reset, sleep_ms, now, s };
	int rc;

	memset(s, 0, sizeof *s);
	memset(e, 0, sizeof *e);
	s->step = steps;
	rc = dfu_download(&t, f, image, sizeof image, deadline, NULL, NULL, e);
	CU_ASSERT_FALSE(s->astray);
	CU_ASSERT_EQUAL(steps[s->at].request, -1);
	return rc;
}

static void test_good(void)
{
	static const struct step steps[] = {
		SAYS(0, DFU_IDLE, 0),
		{ DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0),
		{ DNLOAD, ALL }, SAYS(0, DFU_DNBUSY, 300), SAYS(0, DFU_DNLOAD_SYNC, 20), SAYS(0, DFU_DNLOAD_IDLE, 0),
		{ DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0),
		{ DNLOAD, ALL }, SAYS(0, DFU_MANIFEST_SYNC, 0), SAYS(0, DFU_MANIFEST, 5), SAYS(0, DFU_IDLE, 0), END,
	};
	struct script s;
	struct err e;

	CU_ASSERT_EQUAL(download(&s, steps, &plain, 10000, &e), 0);
	CU_ASSERT_EQUAL(s.len, sizeof image);
	CU_ASSERT(memcmp(s.got, image, sizeof image) == 0);
	CU_ASSERT_EQUAL(s.now, 325);	/* every bwPollTimeout was honoured */
	CU_ASSERT_EQUAL(s.n_values, 4);
	for (size_t i = 0; i < s.n_values; i++)
		CU_ASSERT_EQUAL(s.value[i], i);
}

/* What make_idle() does in each state that an earlier attempt may have left. */
static void test_recovery(void)
{
	static const struct {
		int state, request;
	} left[] = { { DFU_ERROR, CLRSTATUS },
		     { DFU_DNLOAD_IDLE, ABORT },
		     { DFU_DNLOAD_SYNC, ABORT },
		     { DFU_UPLOAD_IDLE, ABORT },
		     { DFU_MANIFEST_SYNC, ABORT } };

	for (size_t i = 0; i < ARRAY_LEN(left); i++) {
		const struct step steps[] = {
			SAYS(10, left[i].state, 0), { left[i].request, 0 }, SAYS(0, DFU_IDLE, 0),
			{ DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0), { DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0),
			{ DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0), { DNLOAD, ALL }, SAYS(0, DFU_IDLE, 0), END,
		};
		struct script s;
		struct err e;

		CU_ASSERT_EQUAL(download(&s, steps, &plain, 10000, &e), 0);
	}
}

static void test_not_ready(void)
{
	static const int hopeless[] = { DFU_APP_IDLE, DFU_APP_DETACH };
	struct script s;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(hopeless); i++) {
		/* Twice: the second try asks again before it gives up. */
		const struct step steps[] = { SAYS(0, hopeless[i], 0), SAYS(0, hopeless[i], 0), END };

		CU_ASSERT_EQUAL(download(&s, steps, &plain, 10000, &e), -1);
		CU_ASSERT_EQUAL(e.code, REASON_USB);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, dfu_state_name((unsigned)hopeless[i])));
	}
}

/* An earlier download was cut between the image and the reset: it gets the reset, and what comes back is another
 * device. */
static void test_waits_for_reset(void)
{
	static const struct step steps[] = { SAYS(0, DFU_MANIFEST_WAIT_RESET, 0), END };
	struct script s;
	struct err e;

	CU_ASSERT_EQUAL(download(&s, steps, &plain, 10000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_DEVICE_LEFT);
	CU_ASSERT_EQUAL(s.resets, 1);
}

/* A status on the way: its name is told, its code fits, and one more try is made. */
static void test_statuses(void)
{
	for (int status = 1; status < DFU_STATUSES; status++) {
		const struct step steps[] = {
			SAYS(0, DFU_IDLE, 0), { DNLOAD, ALL }, SAYS(status, DFU_ERROR, 0),
			SAYS(status, DFU_ERROR, 0), { CLRSTATUS, 0 }, SAYS(0, DFU_IDLE, 0), SAYS(0, DFU_IDLE, 0),
			{ DNLOAD, USB_STALL }, SAYS(status, DFU_ERROR, 0), END,
		};
		bool image_is_bad =
			status == 1 || status == 2 || status == 7 || status == 8 || status == 10 || status == 11;
		struct script s;
		struct err e;

		CU_ASSERT_EQUAL(download(&s, steps, &plain, 10000, &e), -1);
		CU_ASSERT_EQUAL(e.code, image_is_bad ? REASON_AGENT : REASON_USB);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, dfu_status_name((unsigned)status)));
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "dfuERROR"));
	}
}

static void test_gone(void)
{
	static const struct step in_block[] = { SAYS(0, DFU_IDLE, 0), { DNLOAD, USB_GONE }, END };
	static const struct step in_status[] = { SAYS(0, DFU_IDLE, 0), { DNLOAD, ALL }, { GETSTATUS, USB_GONE }, END };
	static const struct step at_once[] = { { GETSTATUS, USB_GONE }, END };
	static const struct step *const all[] = { in_block, in_status, at_once };
	struct script s;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		CU_ASSERT_EQUAL(download(&s, all[i], &plain, 10000, &e), -1);
		CU_ASSERT_EQUAL(e.code, REASON_DEVICE_LEFT);	/* and no second try on a device that is not there */
	}
}

#define BLOCKS { DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0), { DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0), \
	       { DNLOAD, ALL }, SAYS(0, DFU_DNLOAD_IDLE, 0)

/* U-Boot leaves the bus without a word if the flush fails; another device may leave because it has finished. */
static void test_gone_in_manifestation(void)
{
	static const struct step steps[] = {
		SAYS(0, DFU_IDLE, 0), BLOCKS, { DNLOAD, ALL }, { GETSTATUS, USB_GONE }, END
	};
	struct dfu_function intolerant = plain;
	struct script s;
	struct err e;

	CU_ASSERT_EQUAL(download(&s, steps, &plain, 10000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_DEVICE_LEFT);
	intolerant.attributes = DFU_CAN_DNLOAD;
	CU_ASSERT_EQUAL(download(&s, steps, &intolerant, 10000, &e), 0);
}

static void test_pauses(void)
{
	static const struct step long_pause[] = { SAYS(0, DFU_IDLE, 0), { DNLOAD, ALL }, SAYS(0, DFU_DNBUSY, 0xffffff), 
						  SAYS(0, DFU_DNBUSY, 0xffffff), END };
	static const struct step deadline[] = { SAYS(0, DFU_IDLE, 0),	  { DNLOAD, ALL },
						SAYS(0, DFU_DNBUSY, 600), SAYS(0, DFU_DNBUSY, 600),
						SAYS(0, DFU_DNBUSY, 600), END };
	struct script s;
	struct err e;

	CU_ASSERT_EQUAL(download(&s, long_pause, &plain, 1000000, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "16777215 ms"));
	CU_ASSERT_EQUAL(s.now, 0);
	CU_ASSERT_EQUAL(download(&s, deadline, &plain, 1000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_USB);
	CU_ASSERT(s.now < 1000);
}

static void test_refusals(void)
{
	static const struct step none[] = { END };
	static const struct step unknown[] = { SAYS(0, DFU_STATES, 0), SAYS(0, DFU_STATES, 0), END };
	static const struct step short_status[] = { { GETSTATUS, 3 }, { GETSTATUS, 3 }, END };
	struct dfu_function upload_only = plain;
	struct script s;
	struct err e;

	upload_only.attributes = DFU_CAN_UPLOAD;
	CU_ASSERT_EQUAL(download(&s, none, &upload_only, 10000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AGENT);
	CU_ASSERT_EQUAL(download(&s, unknown, &plain, 10000, &e), -1);
	CU_ASSERT_EQUAL(download(&s, short_status, &plain, 10000, &e), -1);
}

static void test_leave(void)
{
	static const struct step detach[] = { SAYS(0, DFU_IDLE, 0), { DETACH, 0 }, END };
	static const struct step left[] = { SAYS(0, DFU_IDLE, 0), { DETACH, USB_GONE }, END };
	static const struct step waits[] = { SAYS(0, DFU_MANIFEST_WAIT_RESET, 0), END };
	static const struct step gone[] = { { GETSTATUS, USB_GONE }, END };
	static const struct {
		const struct step *step;
		uint8_t attributes;
		int resets;
	} all[] = {
		{ detach, DFU_CAN_DNLOAD | DFU_WILL_DETACH, 0 },	/* a reset would restart a U-Boot board */
		{ detach, DFU_CAN_DNLOAD, 1 },
		{ left, DFU_CAN_DNLOAD | DFU_WILL_DETACH, 0 },
		{ left, DFU_CAN_DNLOAD, 0 },
		{ waits, DFU_CAN_DNLOAD, 1 },
		{ gone, DFU_CAN_DNLOAD, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct script s = { .step = all[i].step };
		const struct dfu_transport t = { play, reset, sleep_ms, now, &s };
		struct dfu_function f = { all[i].attributes, 100, 8, 0x110 };
		struct err e;

		CU_ASSERT_EQUAL(dfu_leave(&t, &f, 10000, &e), 0);
		CU_ASSERT_EQUAL(s.resets, all[i].resets);
		CU_ASSERT_FALSE(s.astray);
	}
}

static void test_function(void)
{
	static const uint8_t other_first[] = { 5, 0x24, 0, 0, 0, 9, 0x21, 0x0f, 0x10, 0x27, 0, 0x10, 0x10, 1 };
	static const uint8_t v1_0[] = { 7, 0x21, 0x01, 0, 0, 0x40, 0 };
	static const uint8_t no_size[] = { 9, 0x21, 0x0f, 0, 0, 0, 0, 0x10, 1 };
	static const uint8_t cut[] = { 9, 0x21, 0x0f, 0, 0, 0 };
	static const uint8_t endless[] = { 0, 0x21, 0x0f, 0, 0, 0, 0, 0 };
	struct dfu_function f;

	CU_ASSERT_TRUE(dfu_function_find(&f, other_first, sizeof other_first));
	CU_ASSERT_EQUAL(f.transfer_size, 4096);
	CU_ASSERT_EQUAL(f.detach_timeout_ms, 10000);
	CU_ASSERT_EQUAL(f.version, 0x110);
	CU_ASSERT_TRUE(dfu_function_find(&f, v1_0, sizeof v1_0));
	CU_ASSERT_EQUAL(f.version, 0x100);
	CU_ASSERT_FALSE(dfu_function_find(&f, no_size, sizeof no_size));
	CU_ASSERT_FALSE(dfu_function_find(&f, cut, sizeof cut));
	CU_ASSERT_FALSE(dfu_function_find(&f, endless, sizeof endless));
	CU_ASSERT_FALSE(dfu_function_find(&f, NULL, 0));
}

/* An application: DETACH is all that is asked of it, with a reset where it waits for one. */
static void test_enter(void)
{
	static const struct step good[] = { { DETACH, 0 }, END };
	static const struct step refused[] = { { DETACH, USB_STALL }, END };
	const struct dfu_function waits = { DFU_CAN_DNLOAD, 250, 8, 0x110 };
	struct script s = { .step = good };
	const struct dfu_transport t = { play, reset, sleep_ms, now, &s };
	struct err e;

	CU_ASSERT_EQUAL(dfu_enter(&t, &waits, 10000, &e), 0);
	CU_ASSERT_EQUAL(s.resets, 1);
	s = (struct script){ .step = good };
	CU_ASSERT_EQUAL(dfu_enter(&t, &plain, 10000, &e), 0);
	CU_ASSERT_EQUAL(s.resets, 0);
	s = (struct script){ .step = refused };
	CU_ASSERT_EQUAL(dfu_enter(&t, &plain, 10000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_USB);
}

static void test_block_size(void)
{
	static const struct {
		uint16_t said;
		size_t used;
	} all[] = { { 1, 1 }, { 64, 64 }, { 4096, 4096 }, { 4097, 4096 }, { 65535, 4096 } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const struct dfu_function f = { DFU_CAN_DNLOAD, 0, all[i].said, 0x110 };

		CU_ASSERT_EQUAL(quirk_block_size(&f), all[i].used);
	}
}

/* The suffix that dfu-suffix of dfu-util makes of "agent" for 1209:0002. */
static void test_suffix(void)
{
	static const uint8_t made[] = { 'a', 'g', 'e', 'n', 't', 0xff, 0xff, 0x02, 0x00, 0x09, 0x12, 0x00, 0x01,
					'U', 'F', 'D', 0x10, 0x27, 0xc9, 0x86, 0xb1 };
	struct buf file = {0};
	struct err e;

	buf_add(&file, made, sizeof made);
	CU_ASSERT_EQUAL(dfu_suffix_take(&file, 0x1209, 0x0002, &e), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&file), "agent");
	CU_ASSERT_EQUAL(dfu_suffix_take(&file, 0x1209, 0x0002, &e), 0);	/* none there: as it is */
	CU_ASSERT_EQUAL(file.len, 5);
	buf_set(&file, made, sizeof made);
	CU_ASSERT_EQUAL(dfu_suffix_take(&file, 0x1209, 0x0001, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	for (size_t i = 0; i < sizeof made; i++) {	/* any damage is seen, but where it makes it no suffix at all */
		buf_set(&file, made, sizeof made);
		file.data[i] ^= 0x01;
		CU_ASSERT(dfu_suffix_take(&file, 0x1209, 0x0002, &e) < 0 || file.len == sizeof made);
	}
	buf_free(&file);
}

UNIT_MAIN("dfu", { "good", test_good }, { "waits for its reset", test_waits_for_reset }, { "enter", test_enter },
	  { "block size", test_block_size }, { "suffix", test_suffix }, { "recovery", test_recovery },
	  { "not ready", test_not_ready },
	  { "statuses", test_statuses }, { "gone", test_gone }, { "gone in manifestation", test_gone_in_manifestation },
	  { "pauses", test_pauses }, { "refusals", test_refusals }, { "leave", test_leave },
	  { "function", test_function })
