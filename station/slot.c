#include <config.h>

#include "slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "duplicate.h"
#include "hold.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "resume.h"
#include "steps.h"
#include "talk.h"

#define RETURNS_MAX 3		/* a unit that leaves the bus more often has a bad cable, or an agent that dies */
#define RETURN_WAIT_MS 5000	/* a contact that bounces, a board that restarts; longer is a unit taken away */

/* Which of two with one serial is genuine nobody here can know: neither of them gets a credential, if it has none yet. */
static int check_twin(struct unit *u, enum phase p, struct err *e)
{
	char slot[LIMIT_NAME + 1];

	pthread_mutex_lock(&u->run->lock);
	memcpy(slot, u->twin, sizeof slot);
	pthread_mutex_unlock(&u->run->lock);
	if (!slot[0] || p > PHASE_ISSUE)
		return 0;
	return err_set(e, REASON_LABEL, "the device says %s, and so does the one in slot %s; put both aside", u->serial, slot);
}

/* Nothing is requested that could not be recorded. */
static int on_disk(struct unit *u, enum phase p, struct err *e)
{
	if ((p == PHASE_TICKET && hold_room(u->run->station.dir, e) < 0) || resume_note(u, p, e) < 0) {
		u->no_room = e->code == REASON_STORAGE;
		return -1;
	}
	return 0;
}

static int resume(struct unit *u, struct err *e)
{
	int rc = resume_unit(u, e);

	u->no_room = rc < 0 && e->code == REASON_STORAGE;
	return rc;
}

/* One pass over the steps from `from` on; the record tells of each. */
static int pass(struct unit *u, enum phase from, struct err *e)
{
	for (enum phase p = from; p < PHASES && !u->ignore && !u->left_out; p++) {
		size_t index = u->record.n_phases;
		int64_t start = clock_mono_ms();
		struct record_phase *rp;
		int rc;

		u->phase_start = start;
		record_phase_add(&u->record, p);
		if (p != PHASE_SEEN)
			console_phase(u->run->console, &u->record, p);
		u->skip = u->no_room = false;
		rc = check_twin(u, p, e) < 0 || on_disk(u, p, e) < 0 ? -1 : unit_step(u, p, e);
		if (rc == 0 && p == PHASE_CHECK && !u->left_out)
			rc = resume(u, e);
		rp = &u->record.phase[index];
		rp->ms = clock_mono_ms() - start;
		rp->outcome = rc < 0 ? PHASE_FAILED : u->skip ? PHASE_SKIPPED : PHASE_DONE;
		if (rc < 0) {
			snprintf(rp->detail, sizeof rp->detail, "%s %.180s", reason_id(e->code), e->text);
			return -1;
		}
	}
	return 0;
}

struct again {
	struct model *model;
	uint8_t address;
};

static bool came_back(const struct usb_place *p, void *arg)
{
	const struct again *a = arg;

	return p->address != a->address && run_wants(p, a->model);
}

static int wait_return(struct unit *u)
{
	struct again a = { &u->run->model, u->place.address };
	int64_t until = clock_mono_ms() + (u->sent_away ? TIMEOUT_ENUMERATE_MS : RETURN_WAIT_MS);

	u->sent_away = false;
	if (u->returns++ == RETURNS_MAX)
		return -1;
	console_note(u->run->console, &u->record, "left the bus, waiting for it to come back");
	return bus_wait(u->run->bus, u->place.port, came_back, &a, until < u->deadline ? until : u->deadline,
			&u->place);
}

/* What a contact or a cable spoils may go well the next time: the same unit, from where its device is now. */
static int begin_again(struct unit *u, const struct err *e)
{
	char note[sizeof e->text + 64];

	if (++u->attempts >= u->run->attempts_max || clock_mono_ms() >= u->deadline)
		return -1;
	snprintf(note, sizeof note, "%s; attempt %u of %u", e->text, u->attempts + 1, u->run->attempts_max);
	console_note(u->run->console, &u->record, note);
	talk_end(u);
	return 0;
}

static int transaction(struct unit *u, struct err *e)
{
	enum phase from = PHASE_SEEN;

	while (pass(u, from, e) < 0) {
		if (bus_stopped(u->run->bus))
			return -1;
		if (u->no_room) {
			if (hold_for_room(u, e) < 0)
				return -1;
			from = u->record.phase[u->record.n_phases - 1].phase;
		} else if (e->code == REASON_DEVICE_LEFT) {
			talk_end(u);
			if (wait_return(u) < 0)
				return -1;
			from = PHASE_SEEN;
		} else if (e->code == REASON_USB) {
			if (begin_again(u, e) < 0)
				return -1;
			from = PHASE_SEEN;
		} else if (hold_is_away(e) && u->link) {
			if (hold_for_ca(u, e) < 0)
				return -1;
			from = PHASE_PREPARE;
		} else if (e->code == REASON_TICKET && u->link && !u->renewed) {
			/* A dead request id, or a ticket that lay too long: the device makes a new request, once. */
			u->renewed = true;
			from = PHASE_PREPARE;
		} else {
			return -1;
		}
	}
	return 0;
}

static enum outcome verdict(const struct unit *u, const struct err *e)
{
	const struct record *r = &u->record;
	enum phase failed = r->n_phases ? r->phase[r->n_phases - 1].phase : PHASE_SEEN;

	return outcome_of(failed, e->code, clock_mono_ms() >= u->deadline, u->result.code == e->code);
}

static int write_record(struct unit *u)
{
	struct err why;

	while (records_add(u->run->records, &u->record, &why) < 0)
		if (why.code != REASON_STORAGE || hold_for_room(u, &why) < 0) {
			log_err(&why, "slot %s: the record is not written", u->record.slot);
			return -1;
		}
	sender_wake(u->run->sender);
	return 0;
}

/* Not PASS. A record that says PASS stays as it is, and its entry waits for the device, unless that says that it was told. */
static void conclude_bad(struct unit *u, const struct err *e)
{
	struct record *r = &u->record;

	r->outcome = bus_stopped(u->run->bus) || unit_label_given_up(u) ? OUTCOME_ABORTED : verdict(u, e);
	r->error = *e;
	r->end = clock_utc();
	if (e->code == REASON_SERIAL_ISSUED)
		duplicate_tell(u->run->station.dir, r->order, r->hello.device.serial, &r->error);
	if (u->run->labels && r->hello.device.serial[0] && e->code != REASON_LABEL)
		labels_release(u->run->labels, r->hello.device.serial);
	if (u->has_passed)
		resume_passed(u, e->code == REASON_SERIAL_ISSUED);
	if (write_record(u) == 0 && !u->has_passed)
		resume_end(u);
}

static void conclude(struct unit *u, int rc, const struct err *e)
{
	if (rc < 0)
		conclude_bad(u, e);
	else
		resume_end(u);
	console_unit(u->run->console, &u->record, clock_mono_ms() - u->start);
}

static void count(struct unit *u)
{
	struct run *r = u->run;

	if (outcome_has_reason(u->record.outcome))
		r->totals.fail++;
	if (u->record.outcome == OUTCOME_ABORTED)
		r->totals.aborted++;
	if (u->record.outcome == OUTCOME_PASS) {
		r->totals.pass++;
		r->passed = mem_grow(r->passed, r->n_passed + 1, sizeof *r->passed);
		memcpy(r->passed[r->n_passed++], u->record.hello.device.serial, sizeof *r->passed);
	}
}

static void *unit_thread(void *arg)
{
	struct unit *u = arg;
	struct err e = {0};
	uint64_t one = 1;
	int rc = transaction(u, &e);

	talk_end(u);
	if (u->ignore) {
		u->record.outcome = OUTCOME_SKIPPED;
		console_note(u->run->console, &u->record, "this unit has passed already; take it out");
		u->record.end = clock_utc();
		write_record(u);
	} else if (u->left_out) {
		u->record.outcome = OUTCOME_SKIPPED;
		console_note(u->run->console, &u->record, "this unit is none of those that failed or were cut; take it out");
	} else {
		conclude(u, rc, &e);
	}
	pthread_mutex_lock(&u->run->lock);
	count(u);
	u->finished = true;
	u->run->active = clock_mono_ms();
	pthread_mutex_unlock(&u->run->lock);
	if (write(u->run->wake, &one, sizeof one) < 0)
		log_debug("the end of slot %s is seen at the next scan", u->record.slot);
	return NULL;
}

struct unit *unit_start(struct run *r, const struct usb_place *place, const char *slot, struct err *e)
{
	struct unit *u = mem_new(1, sizeof *u);

	u->run = r;
	u->place = *place;
	u->tunnel.fd = -1;
	u->start = clock_mono_ms();
	u->deadline = u->start + r->timeout_ms;
	r->active = u->start;
	record_start(&u->record, r->station.name, slot, place->port, r->source.order.id);
	memcpy(u->record.operator, r->operator, sizeof u->record.operator);	/* the caller holds run->lock */
	if (pthread_create(&u->thread, NULL, unit_thread, u) != 0) {
		err_errno(e, REASON_INTERNAL, "slot %s: cannot start a thread", slot);
		record_free(&u->record);
		free(u);
		return NULL;
	}
	return u;
}

void unit_free(struct unit *u)
{
	if (!u)
		return;
	pthread_join(u->thread, NULL);
	record_free(&u->record);
	buf_free(&u->ticket);
	free(u);
}
