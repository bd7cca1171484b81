#include <config.h>

#include "activate.h"

#include <string.h>
#include <time.h>

#include "clock.h"
#include "enrol.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "settings.h"

#define PAUSE_FIRST_MS 250	/* doubled after each failure ... */
#define PAUSE_MAX_MS 15000	/* ... up to this: a site that comes back after a power cut is not stormed */
#define DEAD_MAX 8		/* new ids in one run: each costs flash, and a node that calls all of them dead is broken */

enum step { STEP_PREPARE, STEP_ENROL, STEP_CONFIRM, STEP_DONE, STEP_FAILED };

struct activation {
	struct store *store;
	enum link_mode mode;
	struct node node;
	struct credential own, new;	/* in force; to come */
	int64_t give_up_ms, pause_ms;
	int dead;
	struct err why;
};

/* Waits for what the node asked or else the growing pause; STEP_FAILED if there is no time left for it. */
static enum step wait_and_go(struct activation *a, enum step again, uint32_t retry_s)
{
	int64_t wait_ms = (int64_t)retry_s * 1000, left_ms = a->give_up_ms - clock_mono_ms();
	uint8_t jitter;
	struct timespec t;

	mem_random(&jitter, sizeof jitter);
	if (wait_ms < a->pause_ms)
		wait_ms = a->pause_ms < left_ms / 2 ? a->pause_ms : left_ms / 2;
	wait_ms += wait_ms * jitter / 1024;	/* up to a quarter: devices that start together do not come together */
	if (wait_ms >= left_ms || left_ms < PAUSE_FIRST_MS)
		return STEP_FAILED;
	a->pause_ms = a->pause_ms * 2 < PAUSE_MAX_MS ? a->pause_ms * 2 : PAUSE_MAX_MS;
	log_info("%s %s; trying again in %.1f s", reason_id(a->why.code), a->why.text, (double)wait_ms / 1000);
	node_disconnect(&a->node);
	t.tv_sec = wait_ms / 1000;
	t.tv_nsec = wait_ms % 1000 * 1000000;
	nanosleep(&t, NULL);
	return again;
}

static enum step start_again(struct activation *a, uint32_t generation)
{
	err_set(&a->why, REASON_CLONE, "the node calls every request of this device dead");
	if (++a->dead > DEAD_MAX)
		return STEP_FAILED;
	log_info("the node knows generation %u: this request is dead and a new one is made", generation);
	if (store_drop_dead(a->store, a->new.slot, generation, &a->why) < 0)
		return STEP_FAILED;
	return STEP_PREPARE;
}

static enum step next(struct activation *a, enum step now, struct enrol_answer *answer)
{
	a->why = answer->why;
	switch (answer->result) {
	case ENROL_AGAIN:
		return wait_and_go(a, now, answer->retry_s);
	case ENROL_DEAD:
		return start_again(a, answer->generation);
	case ENROL_DONE:
		a->pause_ms = PAUSE_FIRST_MS;
		return now + 1;
	default:
		return STEP_FAILED;
	}
}

static enum step prepare(struct activation *a)
{
	credential_free(&a->new);
	if (store_prepare_for(a->store, a->mode, &a->new, &a->why) < 0)
		return STEP_FAILED;
	/* What is stored is confirmed before anything else is judged. */
	return a->new.chain.n > 0 ? STEP_CONFIRM : STEP_ENROL;
}

static enum step enrol(struct activation *a)
{
	struct enrol_answer answer;
	enum step step;

	enrol_request(&a->node, &a->new, &store_identity(a->store)->device, &answer);
	step = next(a, STEP_ENROL, &answer);
	if (step == STEP_CONFIRM && store_put(a->store, &a->new, &a->why) < 0)
		step = STEP_FAILED;
	enrol_answer_free(&answer);
	return step;
}

static enum step confirm(struct activation *a)
{
	struct enrol_answer answer;
	enum step step;

	enrol_confirm(&a->node, &a->new, &answer);
	step = next(a, STEP_CONFIRM, &answer);
	if (step == STEP_DONE && store_switch(a->store, a->new.slot, &a->why) < 0)
		step = STEP_FAILED;
	enrol_answer_free(&answer);
	return step;
}

static void run(struct activation *a)
{
	enum step step = STEP_PREPARE;

	a->pause_ms = PAUSE_FIRST_MS;
	err_set(&a->why, REASON_UNREACHABLE, "there was no time to try");
	while (step != STEP_DONE && step != STEP_FAILED)
		step = step == STEP_PREPARE ? prepare(a) : step == STEP_ENROL ? enrol(a) : confirm(a);
	if (step == STEP_DONE)
		a->why.code = REASON_OK;
}

static void transact(struct activation *a, const struct url *url, char *customer)
{
	struct agent_conf conf;

	if (store_load(a->store, store_current(a->store), &a->own, &a->why) < 0)
		return;
	if (agent_conf_load(&conf, store_dir(a->store), &a->why) == 0 && node_init(&a->node, url, &a->own, &a->why) == 0) {
		a->node.store = conf.voucher && a->own.slot == SLOT_FACTORY ? a->store : NULL;
		a->node.give_up_ms = a->give_up_ms;
		run(a);
		if (customer)
			memcpy(customer, a->node.customer, LIMIT_NAME + 1);
		node_free(&a->node);
	}
	credential_free(&a->own);
	credential_free(&a->new);
}

int activate(struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms, char *customer, struct err *e)
{
	struct activation a = { .store = s, .mode = mode, .give_up_ms = give_up_ms };

	customer[0] = 0;
	if (store_current(s) != SLOT_FACTORY)
		return err_set(e, REASON_KEY_STORE, "the device has no factory credential: it has not passed the factory");
	transact(&a, url, customer);
	*e = a.why;
	return e->code == REASON_OK ? 0 : -1;
}

/* ---- renewal ---- */

/* Under the new credential the same confirm says that the device has switched: from then on the node takes the old one for a
 * copy's. If it does not get through the next renewal says the same. */
static void report_switch(struct store *s, const struct url *url, int64_t give_up_ms)
{
	struct credential own = {0};
	struct enrol_answer answer = {0};
	struct node node;
	struct err e;

	if (store_load(s, store_current(s), &own, &e) == 0 && node_init(&node, url, &own, &e) == 0) {
		node.give_up_ms = give_up_ms;
		enrol_confirm(&node, &own, &answer);
		node_free(&node);
		if (answer.result != ENROL_DONE)
			log_info("%s the switch was not reported: %s", reason_id(answer.why.code), answer.why.text);
		enrol_answer_free(&answer);
	} else {
		log_err(&e, "the switch was not reported");
	}
	credential_free(&own);
}

int renew(struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms, struct err *e)
{
	struct activation a = { .store = s, .mode = mode, .give_up_ms = give_up_ms };

	if (store_level(s) != STORE_CUSTOMER)
		return err_set(e, REASON_CONFIG, "there is no customer credential to renew; run activate first");
	transact(&a, url, NULL);
	*e = a.why;
	if (e->code != REASON_OK)
		return -1;
	report_switch(s, url, give_up_ms);
	return 0;
}

bool renew_is_late(const struct cert *leaf, int64_t now)
{
	int64_t life = leaf->not_after - leaf->not_before;

	return now - leaf->not_before > life / 3 * 2;
}

int renew_is_due(struct store *s, int64_t now, struct err *e)
{
	struct credential own = {0};
	bool late;

	if (store_pending(s) != SLOT_NONE)
		return 1;
	if (store_load(s, store_current(s), &own, e) < 0)
		return -1;
	late = own.chain.n > 0 && renew_is_late(&own.chain.cert[0], now);
	credential_free(&own);
	return late;
}
