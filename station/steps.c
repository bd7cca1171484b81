#include <config.h>

#include "steps.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "fault.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "proof.h"
#include "talk.h"

#define HELLO_MS 10000		/* an agent that has just started, hashing itself on a slow processor */

/* ---- who is it ----------------------------------------------------------------------- */

static int step_hello(struct unit *u, struct err *e)
{
	int64_t deadline = clock_mono_ms() + HELLO_MS;
	struct link_frame f = {0};
	int rc = -1;

	if (deadline > u->deadline)
		deadline = u->deadline;
	if (talk_send(u, LINK_HELLO, NULL, e) < 0)
		return -1;
	/* Frames of an earlier session may still be under way. */
	do {
		if (talk_hear(u, &f, deadline, e) < 0)
			goto out;
	} while (f.type != LINK_HELLO);
	rc = link_hello_read(&u->record.hello, &f.payload, e);
	FAULT("station.hello");
out:
	buf_free(&f.payload);
	return rc;
}

static int check_model(const struct unit *u, struct err *e)
{
	const struct link_hello *h = &u->record.hello;
	const struct model *m = &u->run->model;

	if (strcmp(h->device.manufacturer, m->manufacturer) != 0 || strcmp(h->device.model, m->model) != 0)
		return err_set(e, REASON_WRONG_MODEL, "the device is a %s %s, the order is for %s %s",
			       h->device.manufacturer, h->device.model, m->manufacturer, m->model);
	for (size_t i = 0; i < m->n_revisions; i++)
		if (strcmp(m->revisions[i], h->revision) == 0)
			return 0;
	if (!m->n_revisions)
		return 0;
	return err_set(e, REASON_WRONG_MODEL, "the device is of revision %s, which its model file does not name",
		       h->revision);
}

static int check_label(struct unit *u, struct err *e)
{
	const char *serial = u->record.hello.device.serial;
	char other[LIMIT_NAME + 1];

	if (!run_claim_serial(u->run, u, serial, other))
		return err_set(e, REASON_LABEL, "the device says %s, and so does the one in slot %s; put both aside",
			       serial, other);
	if (!u->run->labels || u->record.scanned[0])	/* it was compared before the unit left and came back */
		return 0;
	return labels_check(u->run->labels, u->record.slot, u->place.port, serial, u->deadline, u->record.scanned, e);
}

static int step_check(struct unit *u, struct err *e)
{
	const struct link_hello *h = &u->record.hello;
	const struct work_order *o = &u->run->source.order;

	u->left_out = u->run->failed_only && !failed_wants(&u->run->failed, h->device.serial, u->record.slot) &&
		      !failed_wants(&u->run->failed, u->record.boot_serial, u->record.slot);
	if (u->left_out)
		return 0;
	if (memcmp(h->agent_sha256, o->agent_sha256, SHA256_LEN) != 0)
		return err_set(
			e, REASON_AGENT,
			"the device runs another agent than work order %s names; switch it off and on, so that its "
			"boot loader takes the right one",
			o->id);
	if (check_model(u, e) < 0)
		return -1;
	if (u->record.scanned[0] && strcmp(u->record.scanned, h->device.serial) != 0)
		return err_set(e, REASON_LABEL, "unit %s was exchanged for %s in mid-way; start the unit again",
			       u->record.scanned, h->device.serial);
	if (check_label(u, e) < 0)
		return -1;
	if (!work_order_has_serial(o, h->device.serial))
		return err_set(e, REASON_ORDER, "serial %s does not belong to work order %s", h->device.serial, o->id);
	if (h->store == STORE_CUSTOMER)
		return err_set(e, REASON_SERIAL_ISSUED, "device %s is already onboarded at a customer",
			       h->device.serial);
	FAULT("station.check");
	return 0;
}

/* ---- the credential ------------------------------------------------------------------ */

static int step_prepare(struct unit *u, struct err *e)
{
	const struct link_prepare ask = { .mode = u->run->mode };
	struct link_frame f = {0};
	struct buf payload = {0};
	int rc = -1;

	link_prepare_write(&ask, &payload);
	if (talk_send(u, LINK_PREPARE, &payload, e) == 0 && talk_expect(u, LINK_READY, &f, u->deadline, e) == 0)
		rc = link_ready_read(&u->record.ready, &f.payload, e);
	if (rc == 0)
		u->requested = u->record.ready.request;
	buf_free(&payload);
	buf_free(&f.payload);
	FAULT("station.prepare");
	return rc;
}

static int step_ticket(struct unit *u, struct err *e)
{
	const struct station *s = &u->run->station;
	struct ticket t = { .device = u->record.hello.device, .request = u->record.ready.request };
	int rc;

	text_copy(t.order, sizeof t.order, u->record.order);
	text_copy(t.slot, sizeof t.slot, u->record.slot);
	text_copy(t.mode, sizeof t.mode, link_mode_name(u->record.ready.mode));
	memcpy(t.key_sha256, u->record.ready.key_sha256, SHA256_LEN);
	t.not_after = clock_utc() + TIMEOUT_TICKET_S;
	rc = ticket_write(&t, s->key, &s->chain, &u->ticket, e);
	FAULT("station.ticket");
	return rc;
}

static int send_go(struct unit *u, struct err *e)
{
	const struct station *s = &u->run->station;
	struct link_go go = {0};
	struct buf payload = {0};
	int rc;

	buf_set(&go.ticket, u->ticket.data, u->ticket.len);
	buf_set(&go.root, s->root.cert[u->root].der.data, s->root.cert[u->root].der.len);
	text_copy(go.host, sizeof go.host, s->ca.host);
	text_copy(go.ca, sizeof go.ca, s->ca_id);
	snprintf(go.key_type, sizeof go.key_type, "%s", u->run->key_type);
	link_go_write(&go, &payload);
	rc = talk_send(u, LINK_GO, &payload, e);
	buf_free(&payload);
	link_go_free(&go);
	return rc;
}

/* What the CA says of the request: a device tells no tales here. A unit that a takeover brought or took is noted. */
static int ask_standing(struct unit *u, struct standing_of *s, struct err *e)
{
	struct record *r = &u->record;
	char note[LIMIT_NAME + 64];

	if (standing_ask(&u->run->standing, &r->ready.request, s, e) < 0)
		return err_prefix(e, "asking the CA for the state of the request");
	r->audit = s->audit;
	if (s->taken_from[0] && !r->taken_from[0]) {
		snprintf(note, sizeof note, "taken over from station %s", s->taken_from);
		console_note(u->run->console, r, note);
		text_copy(r->taken_from, sizeof r->taken_from, s->taken_from);
	}
	if (s->taken_by[0]) {
		snprintf(note, sizeof note, "taken over by station %s; put the unit aside", s->taken_by);
		console_note(u->run->console, r, note);
		text_copy(r->taken_by, sizeof r->taken_by, s->taken_by);
	}
	return 0;
}

static int check_standing(struct unit *u, struct err *e)
{
	struct standing_of s = {0};

	if (ask_standing(u, &s, e) < 0)
		return -1;
	if (s.state == CA_ACTIVE)
		return 0;
	if (s.state == CA_UNKNOWN)
		return err_set(e, REASON_SERIAL_ISSUED, "the CA does not know the credential that this device shows; its store must be wiped");
	return err_set(e, REASON_SERIAL_ISSUED, "the CA says that the credential of this device is %s; for a rework its store must be wiped",
		       ca_state_name(s.state));
}

/* The device's own CA-client, through the tunnel. */
static int device_issue(struct unit *u, struct err *e)
{
	struct link_frame f = {0};
	int rc = -1;

	if (send_go(u, e) < 0)
		return -1;
	FAULT("station.go");
	if (talk_expect(u, LINK_RESULT, &f, u->deadline, e) == 0)
		rc = link_result_read(&u->result, &f.payload, e);
	buf_free(&f.payload);
	return rc;
}

/* A device that was cut before the station took up the newest root is finished under the one that it began with. */
static int issue(struct unit *u, struct err *e)
{
	int rc = -1;

	e->code = REASON_AUTHORITY;
	for (u->root = 0; rc < 0 && e->code == REASON_AUTHORITY && u->root < u->run->station.root.n; u->root++) {
		rc = u->run->client_here ? client_issue(u, e) : device_issue(u, e);
		if (rc == 0 && u->result.code != REASON_OK)
			rc = err_set(e, u->result.code, "%s", u->result.text);
	}
	return rc;
}

static int step_issue(struct unit *u, struct err *e)
{
	struct standing_of s;
	struct err ignored;
	int rc = issue(u, e);

	/* The device knows only that the tunnel closed; the station knows why. */
	if (rc < 0 && (e->code == REASON_CA_UNAVAILABLE || e->code == REASON_UNREACHABLE) && u->tunnel.error.text[0])
		*e = u->tunnel.error;
	FAULT("station.result");
	if (rc < 0 && (e->code == REASON_CA_UNAVAILABLE || e->code == REASON_UNREACHABLE))
		console_state(u->run->console, "CA", "away");
	else if (rc == 0)
		console_state(u->run->console, "CA", "ok");
	if (rc == 0)
		rc = check_standing(u, e);
	else if (e->code == REASON_TICKET || e->code == REASON_SERIAL_ISSUED)
		ask_standing(u, &s, &ignored);
	return rc;
}

/* The CA's word for a newer root came with its handshake, to the one in force; what was begun under an older root holds by that. */
static int verify_proof(const struct unit *u, struct err *e)
{
	const struct record *r = &u->record;
	const struct station *s = &u->run->station;
	struct err older;
	int rc = proof_verify(&r->proof, &r->challenge, &r->hello, &r->ready, &u->result, s->trust, clock_utc(), e);

	if (rc < 0 && s->root.n > 1)
		rc = proof_verify(&r->proof, &r->challenge, &r->hello, &r->ready, &u->result, s->made, clock_utc(), &older);
	return rc;
}

static int step_proof(struct unit *u, struct err *e)
{
	struct record *r = &u->record;
	struct link_frame f = {0};
	struct buf payload = {0};
	int rc = -1;

	memcpy(r->certificate, u->result.certificate, SHA256_LEN);
	text_copy(r->challenge.station, sizeof r->challenge.station, u->run->station.name);
	mem_random(r->salt, sizeof r->salt);
	record_nonce(r, r->challenge.nonce);	/* so that the device's signature covers the record, too */
	link_challenge_write(&r->challenge, &payload);
	link_proof_free(&r->proof);
	if (talk_send(u, LINK_CHALLENGE, &payload, e) == 0 && talk_expect(u, LINK_PROOF, &f, u->deadline, e) == 0 &&
	    link_proof_read(&r->proof, &f.payload, e) == 0)
		rc = verify_proof(u, e);
	buf_free(&payload);
	buf_free(&f.payload);
	FAULT("station.proof");
	return rc;
}

/* The record says PASS before anybody else does; where it did before a cut, it stays as it is. */
static int step_record(struct unit *u, struct err *e)
{
	struct record *r = &u->record;
	struct err ignored;

	r->outcome = OUTCOME_PASS;
	r->end = clock_utc();
	r->phase[r->n_phases - 1].outcome = PHASE_DONE;
	if (!u->has_passed && records_add(u->run->records, r, e) < 0) {
		u->no_room = e->code == REASON_STORAGE;
		return -1;
	}
	sender_wake(u->run->sender);
	/* A device that misses this answers challenges until it is switched off: no reason to fail a good unit. */
	if (talk_send(u, LINK_DONE, NULL, &ignored) < 0)
		log_warn("slot %s: the agent was not told that it has passed: %s", r->slot, ignored.text);
	FAULT("station.done");
	return 0;
}

int unit_step(struct unit *u, enum phase p, struct err *e)
{
	static int (*const steps[PHASES])(struct unit *, struct err *) = {
		[PHASE_SEEN] = step_seen,     [PHASE_DFU] = step_dfu,	  [PHASE_AGENT] = step_agent,
		[PHASE_HELLO] = step_hello,   [PHASE_CHECK] = step_check, [PHASE_PREPARE] = step_prepare,
		[PHASE_TICKET] = step_ticket, [PHASE_ISSUE] = step_issue, [PHASE_PROOF] = step_proof,
		[PHASE_LABEL] = step_label,   [PHASE_RECORD] = step_record,
	};

	return steps[p](u, e);
}
