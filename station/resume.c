#include <config.h>

#include "resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "text.h"

void resume_where(const struct journal_entry *x, char text[RESUME_WHERE])
{
	char when[TEXT_TIME];

	text_time(when, x->time);
	snprintf(text, RESUME_WHERE, "was cut in phase %s, %s", phase_name(x->phase), when);
}

struct wanted {
	const char *id;
	enum outcome outcome;
};

static int is_wanted(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct wanted *w = arg;

	if (strcmp(en->id, w->id) != 0)
		return 0;
	w->outcome = en->outcome;
	return 1;
}

int resume_recorded(const char *dir, const char *id, enum outcome *o, struct err *e)
{
	struct wanted w = { .id = id, .outcome = OUTCOME_NONE };
	int rc = records_each(dir, is_wanted, &w, e);

	*o = w.outcome;
	return rc < 0 ? -1 : 0;
}

int resume_abandon(const struct station *s, struct records *rs, struct journal *j, const struct journal_entry *x, const char *why,
		   struct err *e)
{
	struct record_phase *phase;
	struct record r;
	enum outcome o;
	int rc = resume_recorded(s->dir, x->record, &o, e);

	if (rc < 0)
		return -1;
	if (o != OUTCOME_NONE)
		return journal_remove(j, x->record, e);
	record_start(&r, s->name, x->slot, x->port, x->order);
	text_copy(r.id, sizeof r.id, x->record);
	r.hello.device = x->device;
	r.start = x->start;
	r.end = clock_utc();
	r.cuts = x->tries;
	r.cut_phase = x->phase;
	r.cut_time = x->time;
	phase = record_phase_add(&r, x->phase);
	phase->outcome = PHASE_FAILED;
	snprintf(phase->detail, sizeof phase->detail, "the station was cut here; %.120s", why);
	r.outcome = OUTCOME_ABORTED;
	rc = records_add(rs, &r, e) < 0 ? -1 : journal_remove(j, x->record, e);
	record_free(&r);
	return rc;
}

/* ---- at the start ------------------------------------------------------------------------ */

static void say(const struct run *r, const struct journal_entry *x, const char *next, const char *text)
{
	char where[RESUME_WHERE], line[RESUME_WHERE + 400];

	resume_where(x, where);
	snprintf(line, sizeof line, "%s; %s", where, text);
	console_cut(r->console, x, next, line);
}

static void abandon(struct run *r, const struct journal_entry *x, const char *why)
{
	struct err e;

	say(r, x, "abandoned", why);
	if (resume_abandon(&r->station, r->records, r->journal, x, why, &e) < 0)
		log_err(&e, "slot %s: the cut unit stays in the journal", x->slot);
}

/* What the CA calls dead cannot be finished: the device will make a new request, or is another station's. */
static void start_requested(struct run *r, const struct journal_entry *x)
{
	struct standing_of s = {0};
	char text[400];
	struct err e;

	if (standing_ask(&r->standing, &x->request, &s, &e) < 0) {
		snprintf(text, sizeof text, "request id %s, of which the CA does not speak now (%.200s): will be finished when the "
			 "device is back in its slot", x->request.id, e.text);
	} else if (s.state == CA_SUPERSEDED || s.state == CA_REVOKED || s.state == CA_EXPIRED) {
		snprintf(text, sizeof text, "request id %s, which the CA calls %s%s%s: abandoned; start the unit again", x->request.id,
			 ca_state_name(s.state), s.taken_by[0] ? ", taken over by station " : "", s.taken_by);
		abandon(r, x, text);
		return;
	} else {
		snprintf(text, sizeof text, "request id %s, %s: will be finished when the device is back in its slot", x->request.id,
			 s.state == CA_UNKNOWN ? "which never reached the CA" : ca_state_name(s.state));
	}
	say(r, x, "finish", text);
}

static void start_entry(struct run *r, const struct journal_entry *x)
{
	enum outcome o = OUTCOME_NONE;
	char text[400];
	struct err e;

	if (resume_recorded(r->station.dir, x->record, &o, &e) < 0) {
		log_err(&e, "slot %s: unit %s stays in the journal", x->slot, x->device.serial);
	} else if (o != OUTCOME_NONE && o != OUTCOME_PASS) {
		if (journal_remove(r->journal, x->record, &e) < 0)	/* it was concluded in the very moment of the cut */
			log_err(&e, "slot %s", x->slot);
	} else if (o == OUTCOME_PASS) {
		snprintf(text, sizeof text, "it has passed, record %s, but was perhaps not told: it is when it is back in its slot; if it has left: "
			 "handsel-station journal abandon %s", x->record, x->device.serial);
		say(r, x, "finish", text);
	} else if (strcmp(x->order, r->source.order.id) != 0) {
		snprintf(text, sizeof text, "it is a unit of order %s and is kept for it", x->order);
		say(r, x, "kept", text);
	} else if (!x->device.serial[0]) {
		abandon(r, x, "nothing was requested for it yet: start the unit again");
	} else if (!x->request.id[0]) {
		say(r, x, "finish", "nothing was requested for it yet: will be gone on with when the device is back in its slot");
	} else {
		start_requested(r, x);
	}
}

void resume_start(struct run *r)
{
	size_t n = journal_count(r->journal);
	struct journal_entry *cuts = n ? mem_new(n, sizeof *cuts) : NULL;

	for (size_t i = 0; i < n; i++)
		cuts[i] = *journal_cut(r->journal, i);
	for (size_t i = 0; i < n; i++)
		start_entry(r, &cuts[i]);
	free(cuts);
}

/* ---- of a unit --------------------------------------------------------------------------- */

static bool is_journalled(const struct run *r, enum phase p)
{
	return p == PHASE_DFU || p == PHASE_CHECK || p == PHASE_TICKET || p == PHASE_ISSUE || p == PHASE_PROOF ||
	       (p == PHASE_LABEL && r->printer) || p == PHASE_RECORD;
}

static struct journal_entry entry_of(const struct unit *u, enum phase p)
{
	const struct record *r = &u->record;
	struct journal_entry x = { .phase = p, .start = r->start, .time = clock_utc(), .tries = r->cuts + 1, .request = u->requested,
				   .device = r->hello.device };

	x.label_given = u->label_given + (p == PHASE_LABEL);	/* as the printer may have it before the next entry */
	memcpy(x.labelled, u->labelled, SHA256_LEN);
	text_copy(x.record, sizeof x.record, r->id);
	text_copy(x.order, sizeof x.order, r->order);
	text_copy(x.slot, sizeof x.slot, r->slot);
	text_copy(x.port, sizeof x.port, r->port);
	return x;
}

static int note(const struct unit *u, enum phase p, struct err *e)
{
	struct journal_entry x = entry_of(u, p);

	return journal_write(u->run->journal, &x, e);
}

int resume_note(const struct unit *u, enum phase p, struct err *e)
{
	return is_journalled(u->run, p) ? note(u, p, e) : 0;
}

/* A cut in the middle of this function leaves two entries of one serial: the one that got further counts. */
static bool take(struct unit *u, struct journal_entry *best)
{
	struct journal *j = u->run->journal;
	struct journal_entry x;
	bool found = false;
	struct err e;

	while (journal_take(j, u->record.order, u->record.hello.device.serial, &x)) {
		const struct journal_entry *worse = found && x.phase < best->phase ? &x : best;

		if (found && journal_remove(j, worse->record, &e) < 0)
			log_err(&e, "slot %s", u->record.slot);
		if (!found || worse == best)
			*best = x;
		found = true;
	}
	return found;
}

int resume_unit(struct unit *u, struct err *e)
{
	struct record *r = &u->record;
	char own[RECORD_ID_LEN + 1], where[RESUME_WHERE], text[RESUME_WHERE + 64];
	struct journal_entry x;
	enum outcome o = OUTCOME_NONE;

	if (!take(u, &x))
		return 0;
	if (resume_recorded(u->run->station.dir, x.record, &o, e) < 0) {
		journal_put_back(u->run->journal, &x);
		return -1;
	}
	u->has_passed = o == OUTCOME_PASS;
	resume_where(&x, where);
	snprintf(text, sizeof text, "%s; goes on, record %s", where, x.record);
	text_copy(own, sizeof own, r->id);
	text_copy(r->id, sizeof r->id, x.record);
	r->start = x.start;
	r->cuts = x.tries;
	r->cut_phase = x.phase;
	r->cut_time = x.time;
	u->requested = x.request;
	memcpy(u->labelled, x.labelled, SHA256_LEN);
	u->label_given = x.label_given;
	console_note(u->run->console, r, text);
	FAULT("station.resume");
	if (note(u, x.phase, e) == 0)
		return journal_remove(u->run->journal, own, e);
	text_copy(r->id, sizeof r->id, own);	/* as if it had not been found: it is looked for again */
	journal_put_back(u->run->journal, &x);
	return -1;
}

void resume_end(struct unit *u)
{
	struct err e;

	if (journal_remove(u->run->journal, u->record.id, &e) < 0)
		log_err(&e, "slot %s: the unit is concluded, but still in the journal", u->record.slot);
}

void resume_passed(struct unit *u, bool told)
{
	struct journal_entry x = entry_of(u, PHASE_RECORD);

	if (told)
		resume_end(u);
	else
		journal_put_back(u->run->journal, &x);
	record_renew_id(&u->record);
}
