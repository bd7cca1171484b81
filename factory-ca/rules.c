#include <config.h>

#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "fault.h"
#include "mem.h"
#include "rules_private.h"

/* ---- audit and answers ---- */
void audit_subject(char out[3 * LIMIT_NAME + 3], const struct device_id *d)
{
	snprintf(out, 3 * LIMIT_NAME + 3, "%s/%s/%s", d->manufacturer, d->model, d->serial);
}

int audit_request(struct db *db, int64_t now, const char *actor, const char *action, const struct device_id *d,
		  const struct request_id *id, const char *detail, struct err *e)
{
	char subject[3 * LIMIT_NAME + 3], line[700];

	audit_subject(subject, d);
	snprintf(line, sizeof line, "id=%s:%" PRIu32 "%s%s", id->id, id->generation, *detail ? " " : "", detail);
	return audit_add(db, now, actor, action, subject, line, e);
}

int request_refused(struct db *db, int64_t now, const char *unit, const struct ca_request *rq,
		    const struct ca_answer *a, struct err *e)
{
	char detail[500];

	snprintf(detail, sizeof detail, "%s %s", reason_id(a->code), a->text);
	return audit_request(db, now, unit, a->code == REASON_CLONE ? "alarm" : "refuse", &rq->device, &rq->request,
			     detail, e);
}

struct decision {
	struct db *db;
	const struct rules *ru;
	const char *unit;
	const struct issue *is;
	struct ca_answer *a;
	struct ledger_request same, open;	/* this very id; what the device has now */
	struct ledger_device device;
	struct ledger_order order;
	bool has_open, needs_unit;
	bool takeover;			/* an operator lets this station supersede what another one has pending */
	struct err *e;
};

static void decision_free(struct decision *d)
{
	ledger_request_free(&d->same);
	ledger_request_free(&d->open);
}

static int refuse(struct decision *d, enum reason code, const char *text)
{
	char detail[500];

	ca_refuse(d->a, code, text);
	snprintf(detail, sizeof detail, "%s %s", reason_id(code), text);
	return audit_request(d->db, d->ru->now, d->unit, code == REASON_CLONE ? "alarm" : "refuse", &d->is->device,
			     &d->is->id, detail, d->e);
}

void answer_dead(struct ca_answer *a, const struct request_id *id, uint32_t highest)
{
	a->result = CA_DEAD;
	a->request = *id;
	a->request.generation = highest;
	a->state = CA_REVOKED;
}

/* The bytes go out as they are: parsing what was stored whole would buy nothing. */
static void chain_put(struct chain *ch, const struct buf *der)
{
	ch->cert = mem_grow(ch->cert, ch->n + 1, sizeof *ch->cert);
	ch->cert[ch->n] = (struct cert){0};
	buf_set(&ch->cert[ch->n++].der, der->data, der->len);
}

/* After a rollover what was issued before comes with its own issuer, and what comes from the new one also with the old root's word
 * for the new root, as the device may know the old one alone. */
static void put_issuers(struct chain *ch, const struct rules *ru, const struct buf *der)
{
	struct cert c = {0};
	struct err e;
	bool older = ru->older && cert_parse(&c, der->data, der->len, &e) == 0 && strcmp(c.issuer, ru->older->subject) == 0;

	cert_free(&c);
	chain_put(ch, older ? &ru->older->der : &ru->issuing->der);
	if (ru->cross && !older)
		chain_put(ch, &ru->cross->der);
}

static void answer_issued(const struct rules *ru, const struct issue *is, const struct buf *der,
			  const struct buf *encrypted_key, enum ca_state state, struct ca_answer *a)
{
	a->result = CA_ISSUED;
	a->request = is->id;
	a->state = state;
	if (encrypted_key->len)
		buf_set(&a->encrypted_key, encrypted_key->data, encrypted_key->len);
	chain_put(&a->chain, der);
	if (is->include_ca)
		put_issuers(&a->chain, ru, der);
}

/* ---- issue ---- */
static bool order_compromised(struct decision *d, const char *id)
{
	struct ledger_order o;

	return *id && ledger_order_get(d->db, id, &o, NULL, d->e) == 1 && o.state == ORDER_COMPROMISED;
}

/* What the request shows for itself. */
static void evidence(const struct issue *is, struct ledger_request *r)
{
	const struct ca_endorsement *en = is->endorsement;

	if (is->ticket) {
		snprintf(r->slot, sizeof r->slot, "%s", is->ticket->slot);
		buf_set(&r->ticket, is->ticket_cms->data, is->ticket_cms->len);
	}
	if (en) {
		buf_set(&r->endorsement, en->node, SHA256_LEN);
		buf_add(&r->endorsement, en->signature.data, en->signature.len);
		buf_set(&r->factory_certificate, en->factory_certificate.data, en->factory_certificate.len);
	}
}

/* What was learnt of the signer lacks it, until the device asks again. */
static int complete(struct decision *d)
{
	struct ledger_request r = {0};
	int rc;

	evidence(d->is, &r);
	rc = ledger_request_evidence(d->db, d->same.n, &r, d->e);
	ledger_request_free(&r);
	return rc;
}

/* The same id again: the same answer, however often. */
static int repeat(struct decision *d)
{
	struct ledger_device owner = {0};

	if (d->same.device && ledger_device_by_n(d->db, d->same.device, &owner, d->e) < 0)
		return -1;
	if (d->same.spki.len && !buf_same(&d->same.spki, d->is->spki))
		return refuse(
			d, REASON_CLONE,
			"this request id was used before with another public key; two devices may share one memory");
	if (d->same.spki.len && d->same.made != d->is->made)
		return refuse(d, REASON_CLONE, "this request id was used before with a key made by another side");
	if (owner.n && !device_same(&owner.id, &d->is->device))
		return refuse(d, REASON_CLONE, "this request id belongs to another device");
	if (order_compromised(d, d->same.order))
		return refuse(d, REASON_ORDER,
			      "the work order was closed as compromised; nothing of it is handed out any more");
	if (d->same.state == CA_PENDING || d->same.state == CA_ACTIVE) {
		answer_issued(d->ru, d->is, &d->same.cert, &d->same.encrypted_key, d->same.state, d->a);
		return complete(d);
	}
	answer_dead(d->a, &d->is->id,
		    owner.generation > d->same.id.generation ? owner.generation : d->same.id.generation);
	return 0;
}

/* 1: goes on, 0: answered. */
static int judge_generation(struct decision *d)
{
	uint32_t wanted = d->is->id.generation, highest = d->device.generation;
	char text[160];

	if (wanted == 0)	/* a plain EST client: nothing to compare */
		return d->ru->site == SITE_CUSTOMER
			       ? 1
			       : refuse(d, REASON_REQUEST, "request: generation 0 is for plain EST clients");
	if (!d->device.n)
		return 1;
	if (wanted <= highest) {
		/* late or forgotten, no alarm: the device goes on one above */
		answer_dead(d->a, &d->is->id, highest);
		return audit_request(d->db, d->ru->now, d->unit, "stale", &d->is->device, &d->is->id, "", d->e);
	}
	if (highest == 0 || wanted - highest <= LIMIT_GENERATION_JUMP)
		return 1;
	snprintf(text, sizeof text, "the generation jumps from %" PRIu32 " to %" PRIu32 ", more than %d", highest,
		 wanted, LIMIT_GENERATION_JUMP);
	return refuse(d, REASON_CLONE, text);
}

/* What is to be renewed must be this very device's, as the node that asks holds it: active, or handed out, since the node may
 * tell of the activation later. It stays; open is then an earlier try to renew it. 1: goes on, 0: answered. */
static int judge_renewed(struct decision *d)
{
	struct ledger_request old = {0};
	int rc = ledger_request_get(d->db, d->unit, d->is->renews, &old, d->e);

	if (rc == 1 && old.device == d->device.n && (old.state == CA_ACTIVE || old.state == CA_PENDING) && !old.renews[0]) {
		rc = ledger_request_renewal(d->db, d->device.n, &d->open, d->e);
		d->has_open = rc == 1;
		rc = rc < 0 ? -1 : 1;
	} else if (rc >= 0) {
		rc = refuse(d, REASON_BLOCKED, "renews: this device has no such credential in force; onboard it anew");
	}
	ledger_request_free(&old);
	return rc;
}

const char *unit_name(const char *unit)
{
	const char *name = strchr(unit, ':');

	return name ? name + 1 : unit;
}

static int refuse_passed(struct decision *d, const char *what)
{
	char text[300];

	snprintf(text, sizeof text, "this serial %s; only an operator has it issued again: handsel-ca rework --serial %s --reason TEXT",
		 what, d->is->device.serial);
	return refuse(d, REASON_SERIAL_ISSUED, text);
}

/* In the factory one that was active is issued again by a rework alone, also after it was revoked. */
static int judge_open(struct decision *d)
{
	bool factory = d->ru->site == SITE_FACTORY;

	if (!d->has_open)
		return factory && d->device.passed ? refuse_passed(d, "had an active credential, which was revoked") : 1;
	if (d->open.state == CA_ACTIVE)
		return factory ? refuse_passed(d, "has an active credential")
			       : refuse(d, REASON_ONBOARDED, "this device has an active credential; release it first");
	if (d->device.superseded >= LIMIT_SUPERSEDE)
		return refuse(d, REASON_CLONE,
			      "too many new request ids for one pending serial; two devices may have one label");
	return 1;
}

/* What is open is another unit's: it must give it up, or in the factory an operator gives it to this station. */
static int judge_unit(struct decision *d)
{
	char to[LIMIT_NAME + 1], text[380];
	int rc;

	if (!d->has_open || strcmp(d->open.unit, d->unit) == 0)
		return 1;
	if (d->ru->site == SITE_CUSTOMER)
		return refuse(d, REASON_OTHER_SITE, "another node has this device; it must release it first");
	if (d->open.state == CA_ACTIVE)
		return judge_open(d);
	rc = ledger_takeover_get(d->db, d->open.n, to, d->e);
	if (rc < 0)
		return -1;
	d->takeover = rc == 1 && strcmp(to, unit_name(d->unit)) == 0;
	if (d->takeover)
		return 1;
	snprintf(text, sizeof text, "station %s works on this serial; an operator gives it to this one: handsel-ca takeover --serial %s"
		 " --to %s --reason TEXT", unit_name(d->open.unit), d->is->device.serial, unit_name(d->unit));
	return refuse(d, REASON_SERIAL_ISSUED, text);
}

/* Checked when a unit is reserved and not later: repeat and confirm pass. */
static int judge_order(struct decision *d)
{
	const struct work_order *o = d->is->order;
	const struct ticket *t = d->is->ticket;
	int rc = o ? ledger_order_get(d->db, o->id, &d->order, NULL, d->e) : 0;

	if (rc < 0)
		return -1;
	if (rc == 0)
		return refuse(d, REASON_ORDER, "the work order is not known here");
	if (d->order.state != ORDER_OPEN)
		return refuse(d, REASON_ORDER, "the work order is closed");
	if (d->ru->now < o->not_before || d->ru->now > o->not_after)
		return refuse(d, REASON_ORDER, "the work order is outside its dates");
	if (t->not_after < d->ru->now)
		return refuse(d, REASON_TICKET, "the ticket has expired; start the unit again");
	if (!work_order_has_station(o, t->station))
		return refuse(d, REASON_TICKET, "the work order does not name this station");
	if (strcmp(o->model, d->is->device.model) != 0 || strcmp(o->manufacturer, d->is->device.manufacturer) != 0)
		return refuse(d, REASON_WRONG_MODEL, "the work order is for another model");
	if (!work_order_has_serial(o, d->is->device.serial))
		return refuse(d, REASON_TICKET, "the serial is not among those of the work order");
	d->needs_unit = strcmp(d->device.order, o->id) != 0;
	if (d->needs_unit && d->order.used >= d->order.quota)
		return refuse(d, REASON_QUOTA, "all units of the work order are used");
	return 1;
}

/* A pending one that will never be active: its unit goes back to the order. */
int request_give_up(struct db *db, const struct ledger_request *r, struct ledger_device *device, struct err *e)
{
	if (!r->took_unit)
		return 0;
	device->order[0] = 0;
	return ledger_order_give_back(db, r->order, e);
}

/* A renewal supersedes its earlier tries alone; any other new id all that is open. */
static int supersede_open(struct decision *d)
{
	struct ledger_request more = {0};
	int rc;

	if (ledger_request_state(d->db, d->open.n, CA_SUPERSEDED, d->is->id.id, d->ru->now, d->e) < 0 ||
	    audit_request(d->db, d->ru->now, d->unit, "supersede", &d->is->device, &d->open.id,
			  d->takeover ? "takeover" : "", d->e) < 0)
		return -1;
	if (*d->is->renews)
		return 0;
	rc = ledger_request_renewal(d->db, d->device.n, &more, d->e);
	if (rc == 1 &&
	    (ledger_request_state(d->db, more.n, CA_SUPERSEDED, d->is->id.id, d->ru->now, d->e) < 0 ||
	     audit_request(d->db, d->ru->now, d->unit, "supersede", &d->is->device, &more.id, "", d->e) < 0))
		rc = -1;
	ledger_request_free(&more);
	return rc < 0 ? -1 : 0;
}

/* An operator's takeover is used up by the station that it names, and follows the newer ids of the other one until then, and its own
 * afterwards. */
static int hand_on(struct db *db, const struct rules *ru, const struct reservation *v, struct err *e)
{
	if (!v->open || ru->site == SITE_CUSTOMER)
		return 0;
	if (!v->takeover)
		return ledger_takeover_move(db, v->open, v->r.n, e);
	if (ledger_takeover_use(db, v->open, v->r.n, e) < 0)
		return -1;
	FAULT("takeover.used");
	return 0;
}

void reservation_free(struct reservation *v)
{
	ledger_request_free(&v->r);
}

/* All is judged: now it is written. */
static int reserve(struct decision *d, struct reservation *v)
{
	struct ledger_request *r = &v->r;
	int64_t uptime = 0;

	reservation_free(v);
	*v = (struct reservation){ .r = { .id = d->is->id, .state = CA_PENDING, .made = d->is->made },
				   .open = d->has_open ? d->open.n : 0, .takeover = d->takeover };
	snprintf(r->unit, sizeof r->unit, "%s", d->unit);
	snprintf(r->renews, sizeof r->renews, "%s", d->is->renews);
	if (d->has_open) {
		d->device.superseded++;
		r->took_unit = d->open.took_unit && !d->needs_unit;
		if (supersede_open(d) < 0 || (d->needs_unit && request_give_up(d->db, &d->open, &d->device, d->e) < 0))
			return -1;
	}
	if (d->is->order) {
		if (d->needs_unit && ledger_order_take(d->db, d->order.id, d->e) < 0)
			return -1;
		r->took_unit |= d->needs_unit;
		snprintf(d->device.order, sizeof d->device.order, "%s", d->order.id);
		snprintf(r->order, sizeof r->order, "%s", d->order.id);
	}
	evidence(d->is, r);
	if (d->is->id.generation > d->device.generation)
		d->device.generation = d->is->id.generation;
	if (ledger_device_put(d->db, &d->device, d->e) < 0 ||
	    (d->ru->pending_s && ledger_uptime(d->db, &uptime, d->e) < 0))
		return -1;
	r->device = d->device.n;
	r->lapse_at = d->ru->pending_s ? uptime + d->ru->pending_s : 0;
	buf_set(&r->spki, d->is->spki->data, d->is->spki->len);
	FAULT("reserve.done");
	return 1;
}

static int decide(struct decision *d, struct reservation *v)
{
	int rc = ledger_request_get(d->db, d->unit, d->is->id.id, &d->same, d->e);

	if (rc != 0)
		return rc < 0 ? -1 : repeat(d);
	if (ledger_device_get(d->db, &d->is->device, &d->device, d->e) < 0)
		return -1;
	rc = d->device.n ? ledger_request_open(d->db, d->device.n, &d->open, d->e) : 0;
	if (rc < 0)
		return -1;
	d->has_open = rc == 1;
	rc = judge_unit(d);
	if (rc == 1)
		rc = judge_generation(d);
	if (rc == 1 && *d->is->renews)
		rc = judge_renewed(d);
	if (rc == 1)
		rc = judge_open(d);
	if (rc == 1 && d->ru->site == SITE_FACTORY)
		rc = judge_order(d);
	return rc == 1 ? reserve(d, v) : rc;
}

int request_issue(struct db *db, const struct rules *ru, const char *unit, const struct issue *is, struct ca_answer *a,
		  struct reservation *v, struct err *e)
{
	struct decision d = { .db = db, .ru = ru, .unit = unit, .is = is, .a = a, .e = e };
	int rc = decide(&d, v);

	decision_free(&d);
	return rc;
}

int request_signed(struct db *db, const struct rules *ru, const char *unit, const struct issue *is, struct reservation *v,
		   const struct buf *der, const struct buf *encrypted_key, struct ca_answer *a, struct err *e)
{
	char hash[SHA256_HEX], detail[300];
	struct cert cert = {0};
	int rc = -1;

	if (cert_parse(&cert, der->data, der->len, e) < 0)
		return -1;
	if (buf_same(&cert.spki, is->spki) == is->made || is->made == !encrypted_key->len) {
		err_set(e, REASON_INTERNAL, "the signer returned a certificate of another key");
		goto out;
	}
	text_hex(hash, cert.sha256, SHA256_LEN);
	snprintf(detail, sizeof detail, "certificate=%s%s%s", hash, is->order ? " order=" : "",
		 is->order ? is->order->id : "");
	buf_set(&v->r.encrypted_key, encrypted_key->data, encrypted_key->len);
	if (ledger_request_whole(db, ru->ca, &v->r, &cert, ru->issuing, ru->now, e) < 0 || hand_on(db, ru, v, e) < 0 ||
	    audit_request(db, ru->now, unit, "issue", &is->device, &is->id, detail, e) < 0)
		goto out;
	answer_issued(ru, is, der, encrypted_key, CA_PENDING, a);
	rc = 0;
out:
	cert_free(&cert);
	return rc;
}
