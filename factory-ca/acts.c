#include <config.h>

#include "acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "cmd.h"
#include "crew.h"
#include "fault.h"
#include "ledger_acts.h"
#include "mem.h"

struct deed {
	const struct acts *x;
	const struct action *a;
	char actor[2 * WHO_MAX + 1];	/* "person:maria/0a+person:jan/0b" */
	char subject[2 * LIMIT_NAME + 2];
	struct ledger_device device;
	struct ledger_order known;
	struct work_order *order;
	struct invitation invitation;
	struct buf made;		/* the signer's answer: a certificate */
	char said[400];			/* what was done, for a person */
};

static int refuse(struct ca_answer *answer, const struct err *why)
{
	ca_refuse(answer, why->code, why->text);
	return 0;
}

static void acted(struct ca_answer *answer, const char *id, enum ca_acted state, const char *text)
{
	answer->result = CA_ACTED;
	answer->acted = state;
	snprintf(answer->action, sizeof answer->action, "%s", id);
	snprintf(answer->text, sizeof answer->text, "%s", text);
}

/* ---- may it be done? What the ledger alone knows; -1 with the reason ---- */
static int may_order(struct deed *d, struct err *e)
{
	const struct action *a = d->a;
	int rc;

	if (d->x->site != SITE_FACTORY)
		return err_set(e, REASON_CONFIG, "work orders are the factory's; this is a customer's CA system");
	if (a->document.len) {
		d->order = mem_new(1, sizeof *d->order);
		if (work_order_read(d->order, a->document.data, a->document.len, d->x->trust, e) < 0)
			return -1;
	}
	snprintf(d->subject, sizeof d->subject, "%s", d->order ? d->order->id : a->subject);
	rc = ledger_order_get(d->x->db, d->subject, &d->known, NULL, e);
	if (rc < 0)
		return -1;
	if (a->what == ACT_ORDER_CREATE)
		return rc == 1 ? err_set(e, REASON_ORDER, "order %s exists already; give the new one another --id", d->subject) : 0;
	if (rc == 0)
		return err_set(e, REASON_ORDER, "there is no order %s; \"handsel-ca order list\" shows them", d->subject);
	if (a->what == ACT_ORDER_EXTEND && d->known.state != ORDER_OPEN)
		return err_set(e, REASON_ORDER, "order %s is %s, and is not extended; create another one", d->subject, order_state_name(d->known.state));
	if (a->what == ACT_ORDER_EXTEND && d->order->quota < d->known.used)
		return err_set(e, REASON_QUOTA, "order %s: %u units are used already; the quota cannot be below that", d->subject, d->known.used);
	return 0;
}

static int may_touch_device(struct deed *d, struct err *e)
{
	int rc = ledger_device_find(d->x->db, &d->a->device, &d->device, e);

	snprintf(d->subject, sizeof d->subject, "%s", d->a->device.serial);
	if (rc == 0)
		return err_set(e, REASON_REQUEST, "nothing was ever issued for serial %s", d->a->device.serial);
	if (rc == 1 && d->a->what == ACT_TAKEOVER)
		rc = ledger_unit_in(d->x->db, "station", d->a->station, e);
	return rc == 0 ? err_set(e, REASON_REQUEST, "no station \"%s\" is certified here", d->a->station) : rc < 0 ? -1 : 0;
}

/* The RA ends no operator: that is an administrator's. */
static int may_revoke(struct deed *d, struct err *e)
{
	char role[CERT_ROLE_MAX];
	int rc;

	if (!ca_reason_known(d->a->reason))
		return err_set(e, REASON_REQUEST, "\"%s\" is no reason to revoke a certificate; \"superseded\" and \"keyCompromise\" are", d->a->reason);
	if (*d->a->device.serial)
		return may_touch_device(d, e);
	cert_serial_plain(d->subject, d->a->subject);
	rc = ledger_unit_role(d->x->db, d->subject, role, e);
	if (rc == 1 && (strcmp(role, PERSON) == 0 || strcmp(role, "operator") == 0))
		return err_set(e, REASON_ROLE, "certificate %s is an operator's: that takes \"operator revoke\", and the function administrator",
			       d->subject);
	return rc < 0 ? -1 : 0;
}

static int may_end(struct deed *d, struct err *e)
{
	char role[CERT_ROLE_MAX] = "";
	const char *name = strchr(d->a->subject, ':');
	int rc = 0;

	snprintf(d->subject, sizeof d->subject, "%s", d->a->subject);
	if (name && name - d->a->subject < CERT_ROLE_MAX) {
		snprintf(role, sizeof role, "%.*s", (int)(name - d->a->subject), d->a->subject);
		rc = ledger_unit_in(d->x->db, role, name + 1, e);
	}
	return rc == 0 ? err_set(e, REASON_REQUEST, "there is no operator %s that has a certificate; \"operator list\" shows them", d->subject) :
	       rc < 0 ? -1 : 0;
}

/* The subject is for lists, which show its beginning. The rule itself needs two as soon as there is one. */
static int may_guard(struct deed *d, struct err *e)
{
	unsigned set = d->a->guarded;
	char acts[ACTS_TEXT];

	acts_text(acts, set);
	snprintf(d->subject, sizeof d->subject, "%.*s", (int)sizeof d->subject - 1, *acts ? acts : "none");
	return set ? crew_suffices(d->x->db, set | 1u << ACT_TWO_PERSON, d->x->now, e) : 0;
}

static int may_introduce(struct deed *d, struct err *e)
{
	snprintf(d->subject, sizeof d->subject, "%s", d->a->subject);
	return d->x->site == SITE_FACTORY ? 0 : err_set(e, REASON_CONFIG, "a handoff is granted by a factory; this is a customer's CA system");
}

static int may(struct deed *d, struct err *e)
{
	switch (d->a->what) {
	case ACT_ORDER_CREATE:
	case ACT_ORDER_EXTEND:
	case ACT_ORDER_CLOSE:
	case ACT_ORDER_COMPROMISE:
		return may_order(d, e);
	case ACT_UNIT_INVITE:
	case ACT_OPERATOR_INVITE:
		if (invitation_read(&d->invitation, d->a->document.data, d->a->document.len, d->x->trust, e) < 0)
			return -1;
		snprintf(d->subject, sizeof d->subject, "%s:%s", d->invitation.role, d->invitation.name);
		return 0;
	case ACT_OPERATOR_REVOKE:
		return may_end(d, e);
	case ACT_REVOKE:
		return may_revoke(d, e);
	case ACT_TAKEOVER:
	case ACT_REWORK:
		if (d->x->site != SITE_FACTORY)
			return err_set(e, REASON_CONFIG, "stations and their units are the factory's; this is a customer's CA system");
		return may_touch_device(d, e);
	case ACT_HANDOFF:
		return may_introduce(d, e);
	default:
		return may_guard(d, e);
	}
}

/* ---- it is done: 1, 0 there is nothing to do it to (e says why), -1 ---- */
static int do_order(struct deed *d, struct err *e)
{
	const struct acts *x = d->x;
	const struct work_order *o = d->order;
	bool create = d->a->what == ACT_ORDER_CREATE;
	char detail[160];

	snprintf(detail, sizeof detail, "version=%u model=%.64s quota=%u scrap=%u", o->version, o->model, o->quota, o->scrap);
	if ((create ? ledger_order_add(x->db, o, &d->a->document, x->now, e) : ledger_order_replace(x->db, o, &d->a->document, x->now, e)) < 0)
		return -1;
	snprintf(d->said, sizeof d->said, "order %s: %u of %s, at most %u keys signed", o->id, o->quota, o->model, o->quota + o->scrap);
	return audit_add(x->db, x->now, d->actor, create ? "order" : "extend", d->subject, detail, e) < 0 ? -1 : 1;
}

static int do_close(struct deed *d, struct err *e)
{
	enum order_state state = d->a->what == ACT_ORDER_COMPROMISE ? ORDER_COMPROMISED : ORDER_CLOSED;

	if (d->known.state >= state)	/* never back from compromised */
		state = d->known.state;
	else if (ledger_order_close(d->x->db, d->subject, state, d->x->now, e) < 0)
		return -1;
	snprintf(d->said, sizeof d->said, "order %s is %s", d->subject, order_state_name(state));
	return audit_add(d->x->db, d->x->now, d->actor, "close", d->subject, order_state_name(state), e) < 0 ? -1 : 1;
}

/* Nobody is kept because he is needed: who leaves may be the one who has lost his key. But it must not be found out by what waits. */
static void warn_locked(struct deed *d, unsigned locked)
{
	size_t len = strlen(d->said);
	char acts[ACTS_TEXT];

	if (!locked)
		return;
	acts_text(acts, locked);
	snprintf(d->said + len, sizeof d->said - len, "; WARNING: no two are left for what needs two persons: %s; %s", acts,
		 locked & 1u << ACT_OPERATOR_INVITE ? "no operator can be invited any more" : "invite another one, and have him enrolled");
}

static int do_end(struct deed *d, struct err *e)
{
	char role[CERT_ROLE_MAX];
	const char *name = strchr(d->subject, ':');
	unsigned locked;
	size_t n;

	snprintf(role, sizeof role, "%.*s", (int)(name - d->subject), d->subject);
	if (ledger_unit_end(d->x->db, role, name + 1, "privilegeWithdrawn", d->x->now, &n, e) < 0 ||
	    crew_locked(d->x->db, d->x->trust, d->x->now, &locked, e) < 0)
		return -1;
	snprintf(d->said, sizeof d->said, "%s acts no more; certificates revoked: %zu", d->subject, n);
	warn_locked(d, locked);
	return audit_add(d->x->db, d->x->now, d->actor, "revoke", d->subject, d->a->reason, e) < 0 ? -1 : 1;
}

static int do_guard(struct deed *d, struct err *e)
{
	char acts[ACTS_TEXT];

	acts_text(acts, d->a->guarded);
	snprintf(d->said, sizeof d->said, "two persons are needed for: %s", *acts ? acts : "nothing");
	return audit_add(d->x->db, d->x->now, d->actor, "two-person", "", acts, e) < 0 ? -1 : 1;
}

static int do_invite(struct deed *d, struct err *e)
{
	char until[TEXT_TIME];

	text_time(until, d->invitation.not_after);
	snprintf(d->said, sizeof d->said, "%s is invited, until %s", d->subject, until);
	return invitation_enter(d->x->db, &d->invitation, &d->a->document, d->actor, e) < 0 ? -1 : 1;
}

/* The bundle is read later, by the action's id, and signed by who asked: inquire.c. */
static int do_handoff(struct deed *d, struct err *e)
{
	const struct acts *x = d->x;
	struct cert c = {0};
	int rc = cert_parse(&c, d->made.data, d->made.len, e);

	if (rc == 0)
		rc = ledger_unit_add(x->db, &c, x->now, e);
	if (rc == 0)
		rc = audit_add(x->db, x->now, d->actor, "handoff", d->a->subject, c.serial, e);
	snprintf(d->said, sizeof d->said, "node %s of customer %s is certified: %s", d->a->name, d->a->subject, c.serial);
	cert_free(&c);
	return rc < 0 ? -1 : 1;
}

static int carry_out(struct deed *d, struct err *e)
{
	const struct acts *x = d->x;
	char from[UNIT_MAX];
	int rc;

	switch (d->a->what) {
	case ACT_ORDER_CREATE:
	case ACT_ORDER_EXTEND:
		return do_order(d, e);
	case ACT_ORDER_CLOSE:
	case ACT_ORDER_COMPROMISE:
		return do_close(d, e);
	case ACT_UNIT_INVITE:
	case ACT_OPERATOR_INVITE:
		return do_invite(d, e);
	case ACT_OPERATOR_REVOKE:
		return do_end(d, e);
	case ACT_HANDOFF:
		return do_handoff(d, e);
	case ACT_TWO_PERSON:
		return do_guard(d, e);
	case ACT_TAKEOVER:
		snprintf(d->said, sizeof d->said, "serial %s: the next new request at station %s takes it over", d->subject, d->a->station);
		return request_takeover(x->db, x->now, d->actor, &d->device, d->a->station, d->a->reason, from, e);
	case ACT_REWORK:
		snprintf(d->said, sizeof d->said, "serial %s: what it had is revoked, and it may be issued once more", d->subject);
		return request_rework(x->db, x->now, d->actor, &d->device, d->a->reason, e);
	default:
		snprintf(d->said, sizeof d->said, "%s: revoked (%s)", d->subject, d->a->reason);
		rc = d->device.n ? request_revoke_open(x->db, x->now, d->actor, &d->device, d->a->reason, e)
				 : request_revoke_certificate(x->db, x->now, d->actor, d->subject, d->a->reason, e);
		return rc == 0 ? (err_set(e, REASON_REQUEST, "%s has nothing that is pending or active", d->subject), 0) : rc;
	}
}

/* ---- by one person, or by two ---- */
static void deed_free(struct deed *d)
{
	free(d->order);
	buf_free(&d->made);
	free(d);
}

static struct deed *deed_new(const struct acts *x, const struct action *a, const struct cert *second)
{
	struct deed *d = mem_new(1, sizeof *d);

	d->x = x;
	d->a = a;
	who_text(d->actor, &a->maker);
	if (second) {
		d->actor[strlen(d->actor) + 1] = 0;
		d->actor[strlen(d->actor)] = '+';
		who_text(d->actor + strlen(d->actor), second);
	}
	return d;
}

/* What a refusal leaves: a row of the audit. */
static int refused(const struct deed *d, struct ca_answer *answer, const struct err *why, struct err *e)
{
	char detail[sizeof why->text + 64];

	snprintf(detail, sizeof detail, "%s %s: %s", reason_id(why->code), act_name(d->a->what), why->text);
	refuse(answer, why);
	return audit_add(d->x->db, d->x->now, d->actor, "refuse", d->subject, detail, e);
}

static int put(struct deed *d, enum ca_acted state, const struct buf *cms, struct err *e)
{
	struct ledger_act row = { .state = state, .created = d->x->now };

	snprintf(row.id, sizeof row.id, "%s", d->a->id);
	snprintf(row.what, sizeof row.what, "%s", act_name(d->a->what));
	snprintf(row.subject, sizeof row.subject, "%s", d->subject);
	who_text(row.maker, &d->a->maker);
	return ledger_act_add(d->x->db, &row, cms, e);
}

static int wait_for_second(struct deed *d, const struct buf *cms, struct ca_answer *answer, struct err *e)
{
	struct err why;
	int64_t n;

	if (ledger_acts_waiting(d->x->db, d->x->now - LIMIT_ACT_S, &n, e) < 0)
		return -1;
	if (n >= LIMIT_ACTS_WAITING) {
		err_set(&why, REASON_ROLE, "%d actions wait for a second person already; have them approved or rejected first", LIMIT_ACTS_WAITING);
		return refused(d, answer, &why, e);
	}
	acted(answer, d->a->id, ACTED_WAITING, "a second person has to approve it, within 7 days");
	if (put(d, ACTED_WAITING, cms, e) < 0)
		return -1;
	return audit_add(d->x->db, d->x->now, d->actor, "ask", d->subject, act_name(d->a->what), e);
}

/* The signer has agreed. */
static int conclude(struct deed *d, struct ca_answer *answer, struct err *e)
{
	struct err why;
	int rc;

	FAULT("act.signed");
	rc = carry_out(d, &why);
	if (rc < 0)
		*e = why;
	if (rc == 0)
		return refused(d, answer, &why, e);
	acted(answer, d->a->id, ACTED_DONE, d->said);
	return rc < 0 ? -1 : 1;
}

static int known(const struct ledger_act *row, struct ca_answer *answer)
{
	static const char *const texts[ACTED_STATES] = { [ACTED_DONE] = "done already", [ACTED_WAITING] = "a second person has to approve it",
							 [ACTED_REJECTED] = "it was rejected" };

	acted(answer, row->id, row->state, texts[row->state]);
	return 0;
}

int acts_ask(const struct acts *x, const struct action *a, const struct buf *cms, struct ca_answer *answer, struct err *e)
{
	const struct buf none = {0};
	struct ledger_act row;
	struct buf before = {0};
	struct deed *d;
	struct err why;
	int rc = ledger_act_get(x->db, a->id, &row, &before, e);
	bool same = rc == 1 && buf_same(&before, cms);

	buf_free(&before);
	if (rc < 0)
		return -1;
	if (same)
		return known(&row, answer);
	d = deed_new(x, a, NULL);
	if (may(d, &why) < 0) {
		rc = why.code == REASON_STORAGE ? (*e = why, -1) : refused(d, answer, &why, e);
	} else {
		rc = x->sign(x->arg, cms, &none, &d->made, &why);
		if (rc < 0)
			rc = why.code == REASON_CA_UNAVAILABLE ? (*e = why, -1) : refused(d, answer, &why, e);
		else if (rc == 1)
			rc = wait_for_second(d, cms, answer, e);
		else if ((rc = conclude(d, answer, e)) == 1)
			rc = put(d, ACTED_DONE, cms, e);
	}
	deed_free(d);
	FAULT("act.entered");
	return rc;
}

static int approved(struct deed *d, const struct approval *p, struct ledger_act *row, const struct buf *action, const struct buf *cms,
		    struct ca_answer *answer, struct err *e)
{
	struct err why;
	int rc;

	if (p->yes && may(d, &why) < 0)
		return why.code == REASON_STORAGE ? (*e = why, -1) : refused(d, answer, &why, e);
	rc = d->x->sign(d->x->arg, action, cms, &d->made, &why);
	if (rc < 0)
		return why.code == REASON_CA_UNAVAILABLE ? (*e = why, -1) : refused(d, answer, &why, e);
	if (p->yes && (rc = conclude(d, answer, e)) != 1)
		return rc;
	row->state = p->yes ? ACTED_DONE : ACTED_REJECTED;
	row->changed = d->x->now;
	who_text(row->second, &p->maker);
	if (!p->yes)
		acted(answer, row->id, ACTED_REJECTED, "it was rejected, for good");
	if (ledger_act_end(d->x->db, row, cms, e) < 0)
		return -1;
	return p->yes ? 0 : audit_add(d->x->db, d->x->now, d->actor, "reject", d->subject, row->what, e);
}

int acts_second(const struct acts *x, const struct approval *p, const struct buf *cms, struct ca_answer *answer, struct err *e)
{
	struct buf action = {0};
	struct ledger_act row;
	struct action a = {0};
	struct deed *d;
	struct err why;
	int rc = ledger_act_get(x->db, p->id, &row, &action, e);

	if (rc == 0) {
		err_set(&why, REASON_REQUEST, "there is no action %s; \"handsel-ca action list\" shows them", p->id);
		rc = refuse(answer, &why);
	} else if (rc == 1 && row.state != ACTED_WAITING) {
		rc = known(&row, answer);
	} else if (rc == 1 && action_read(&a, action.data, action.len, x->trust, &why) < 0) {
		rc = refuse(answer, &why);
	} else if (rc == 1) {
		d = deed_new(x, &a, &p->maker);
		snprintf(d->subject, sizeof d->subject, "%s", row.subject);
		rc = approved(d, p, &row, &action, cms, answer, e);
		deed_free(d);
	}
	action_free(&a);
	buf_free(&action);
	FAULT("act.approved");
	return rc;
}

/* ---- for exchange.c ---- */
static int by_peer(const struct peer *peer, const struct cert *maker, struct err *e)
{
	char unit[UNIT_MAX];

	snprintf(unit, sizeof unit, "%s:%s", maker->role, maker->name);
	return strcmp(unit, peer->unit) == 0 ? 0 : err_set(e, REASON_ROLE, "%s has signed it, and %s brings it", unit, peer->unit);
}

int acts_check(struct desk *d, const struct peer *peer, struct job *job, struct err *e)
{
	const struct buf *cms = &job->rq->document;

	if (job->rq->kind == CA_ACT) {
		job->action = mem_new(1, sizeof *job->action);
		return action_read(job->action, cms->data, cms->len, d->ca.trust, e) < 0 || by_peer(peer, &job->action->maker, e) < 0 ? -1 : 1;
	}
	job->approval = mem_new(1, sizeof *job->approval);
	return approval_read(job->approval, cms->data, cms->len, d->ca.trust, e) < 0 || by_peer(peer, &job->approval->maker, e) < 0 ? -1 : 1;
}

static int ask_signer(void *arg, const struct buf *action, const struct buf *approval, struct buf *made, struct err *e)
{
	return desk_act(arg, action, approval, made, e);
}

int acts_run(struct desk *d, struct db *db, struct job *job, struct err *e)
{
	const struct acts x = { .db = db, .trust = d->ca.trust, .site = d->settings.site, .now = job->rules.now, .sign = ask_signer, .arg = d };

	return job->action ? acts_ask(&x, job->action, &job->rq->document, job->a, e)
			   : acts_second(&x, job->approval, &job->rq->document, job->a, e);
}

bool acts_touch_devices(const struct job *job)
{
	const struct action *a = job->action;

	return job->approval || (a && (a->what == ACT_REVOKE || a->what == ACT_TAKEOVER || a->what == ACT_REWORK));
}

void acts_free(struct job *job)
{
	if (job->action)
		action_free(job->action);
	if (job->approval)
		approval_free(job->approval);
	free(job->action);
	free(job->approval);
}
