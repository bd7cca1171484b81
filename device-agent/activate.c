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
	struct credential factory, new;
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

int activate(struct store *s, const struct url *url, enum link_mode mode, int64_t give_up_ms, char *customer, struct err *e)
{
	struct activation a = { .store = s, .mode = mode, .give_up_ms = give_up_ms };
	struct agent_conf conf;

	customer[0] = 0;
	if (store_current(s) != SLOT_FACTORY)
		return err_set(e, REASON_KEY_STORE, "the device has no factory credential: it has not passed the factory");
	if (store_load(s, SLOT_FACTORY, &a.factory, e) < 0)
		return -1;
	if (agent_conf_load(&conf, store_dir(s), &a.why) == 0 && node_init(&a.node, url, &a.factory, &a.why) == 0) {
		a.node.store = conf.voucher ? s : NULL;
		a.node.give_up_ms = give_up_ms;
		run(&a);
		memcpy(customer, a.node.customer, LIMIT_NAME + 1);
		node_free(&a.node);
	}
	credential_free(&a.factory);
	credential_free(&a.new);
	*e = a.why;
	return e->code == REASON_OK ? 0 : -1;
}
