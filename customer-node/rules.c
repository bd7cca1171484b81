#include <config.h>

#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "authz.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "rules_write.h"

void decision_free(struct decision *d)
{
	buf_free(&d->certificate);
	buf_free(&d->encrypted_key);
	memset(d, 0, sizeof *d);
}

void rules_plain_id(const uint8_t spki_sha256[SHA256_LEN], struct request_id *id)
{
	text_hex(id->id, spki_sha256, REQUEST_ID_LEN / 2);
	id->generation = 0;
}

/* Something newer took the place of this credential, or it never was one: the device itself shows it no more. */
static bool is_spent(const struct node_device *dev, const struct node_request *shown, const char *id)
{
	if (shown->state == NODE_SUPERSEDED)
		return strcmp(id, dev->active) != 0;	/* the answer to its renewal, or to the confirm of that, may be lost */
	return shown->state == NODE_DEAD && (dev->active[0] || dev->pending[0] || strcmp(shown->cause, "renewed") == 0 ||
					     strcmp(shown->cause, "superseded") == 0 || strcmp(shown->cause, "lapsed") == 0);
}

/* The device has the new one: the old is good for repeating that only, and revoked at the CA before the new one is told active. */
static int retire(struct db *db, const struct node_device *dev, const char *id, int64_t now, struct err *e)
{
	struct node_request old = {0};
	int rc = *id ? store_request_get(db, id, &old, e) : 0;

	if (rc == 1 && old.state == NODE_ACTIVE)
		rc = store_request_state(db, id, NODE_SUPERSEDED, "renewed", now, e) < 0 ||
		     store_outbox_cancel(db, dev->n, e) < 0 ||
		     store_outbox_add(db, OUTBOX_REVOKE, dev->n, &old.id, "superseded", e) < 0 ||
		     rules_audit_request(db, now, "node", "supersede", &dev->id, &old.id, "", e) < 0 ? -1 : 0;
	node_request_free(&old);
	return rc < 0 ? -1 : 0;
}

/* The device has it, or is taken to have it: commit first, tell the CA then. */
static int activate(struct db *db, struct node_device *dev, const struct node_request *r, int64_t now, struct decision *d,
		    struct err *e)
{
	snprintf(dev->active, sizeof dev->active, "%s", r->id.id);
	dev->pending[0] = 0;
	dev->onboarded = dev->seen = now;
	if (!r->renews[0])
		dev->used = 0;
	dev->refused = REASON_OK;	/* the audit keeps it */
	d->outbox = true;
	return store_device_put(db, dev, e) < 0 || retire(db, dev, r->renews, now, e) < 0 ||
	       store_outbox_add(db, OUTBOX_CONFIRM, dev->n, &r->id, "", e) < 0 ||
	       rules_audit_request(db, now, "node", "active", &dev->id, &r->id, "", e) < 0 ? -1 : 0;
}

/* A customer credential must be one of this node, for this device, and alive, or it was superseded by the very request of that
 * id. 1: it is, or it is a factory credential; 0: why. */
static int judge_shown(struct db *db, const struct rules_peer *peer, struct node_device *dev, struct node_request *shown,
		       const char *id, int64_t now, struct decision *d, struct err *e)
{
	struct err *why = &d->why;
	int rc;

	if (!peer->customer)
		return 1;
	rc = store_request_by_certificate(db, peer->certificate, shown, e);
	if (rc < 0)
		return -1;
	if (rc == 0 || shown->device != dev->n) {
		err_set(why, REASON_OTHER_SITE, "the customer credential of device %s was not handed out by this node",
			dev->id.serial);
		return 0;
	}
	if (is_spent(dev, shown, id)) {
		err_set(why, REASON_CLONE,
			"a customer credential of device %s that was %s is in use; two units may have one memory", dev->id.serial,
			shown->cause[0] ? shown->cause : node_state_name(shown->state));
		return 0;
	}
	if (shown->state == NODE_CERTIFIED) {	/* it has switched: its confirm was lost with a disk, and its use counts for it */
		if (store_request_state(db, shown->id.id, NODE_ACTIVE, "", now, e) < 0 || activate(db, dev, shown, now, d, e) < 0)
			return -1;
		shown->state = NODE_ACTIVE;
	}
	if (shown->state != NODE_ACTIVE && shown->state != NODE_SUPERSEDED) {
		err_set(why, REASON_BLOCKED, "this customer credential of device %s is not good any more (%s)", dev->id.serial,
			shown->cause[0] ? shown->cause : node_state_name(shown->state));
		return 0;
	}
	dev->used = now;
	if (shown->state == NODE_ACTIVE && store_superseded_end(db, dev->n, "renewed", now, e) < 0)
		return -1;
	return store_device_put(db, dev, e) < 0 ? -1 : 1;
}

/* ---- bind ---- */
struct bind {
	struct db *db;
	const struct rules_ask *ask;
	struct decision *d;
	struct node_device dev;
	struct node_request same, shown;	/* of this id; of the customer credential that was shown */
	struct err *e;
};

static int refuse(struct bind *b)
{
	b->d->verdict = VERDICT_REFUSED;
	return rules_write_refusal(b->db, &b->dev, &b->d->why, b->ask->peer->remote, b->ask->now, b->e);
}

static int dead(struct bind *b)
{
	b->d->verdict = VERDICT_DEAD;
	b->d->highest = b->dev.highest;
	return rules_audit_request(b->db, b->ask->now, "node", "stale", &b->dev.id, &b->ask->request, "", b->e);
}

static int certificate(struct decision *d, const struct node_request *r)
{
	d->verdict = VERDICT_CERTIFICATE;
	buf_set(&d->certificate, r->certificate.data, r->certificate.len);
	if (r->encrypted_key.len)
		buf_set(&d->encrypted_key, r->encrypted_key.data, r->encrypted_key.len);
	return 0;
}

/* The same id again: the same answer, however often it is asked. */
static int repeat(struct bind *b)
{
	const struct node_request *r = &b->same;

	if (r->device != b->dev.n) {
		err_set(&b->d->why, REASON_CLONE, "the request id %s belongs to another device", r->id.id);
		return refuse(b);
	}
	if (!buf_same(&r->spki, b->ask->spki) || r->id.generation != b->ask->request.generation) {
		err_set(&b->d->why, REASON_CLONE,
			"the request id %s was used before with another key or generation; two units may have one memory",
			r->id.id);
		return refuse(b);
	}
	if (r->made != b->ask->made) {
		err_set(&b->d->why, REASON_REQUEST, "protocol-est 8.2: the request id %s began on the other of simpleenroll and serverkeygen",
			r->id.id);
		return refuse(b);
	}
	if (r->state == NODE_DEAD || r->state == NODE_SUPERSEDED)
		return dead(b);
	if (r->certificate.len)
		return certificate(b->d, r);
	b->d->verdict = VERDICT_ASK_CA;
	memcpy(b->d->renews, r->renews, sizeof r->renews);
	return 0;
}

/* 1 goes on, 0 answered: a late request of an older try is dead without alarm, a wild jump is a copied device. */
static int judge_generation(struct bind *b)
{
	uint32_t g = b->ask->request.generation, highest = b->dev.highest;

	if (b->ask->plain)
		return 1;
	if (g == 0) {
		err_set(&b->d->why, REASON_REQUEST,
			"the request id carries generation 0, which is for plain EST clients; begin with 1");
		return refuse(b);
	}
	if (g <= highest)
		return dead(b);
	if (highest && g - highest > LIMIT_GENERATION_JUMP) {
		err_set(&b->d->why, REASON_CLONE, "the generation jumps from %" PRIu32 " to %" PRIu32 ", more than %d", highest,
			g, LIMIT_GENERATION_JUMP);
		return refuse(b);
	}
	return 1;
}

/* A new id of a device that shows its factory credential. */
static int judge_first(struct bind *b)
{
	int rc;

	if (b->dev.active[0]) {
		err_set(&b->d->why, REASON_ONBOARDED,
			"device %s was already onboarded; if it was wiped, `handsel-node devices release %s` lets it in again",
			b->dev.id.serial, b->dev.id.serial);
		return refuse(b);
	}
	rc = authz_listed(b->db, &b->dev.id, b->ask->peer->certificate, b->ask->crl, b->ask->now, &b->d->why, b->e);
	return rc == 0 ? refuse(b) : rc;
}

static int judge_plain(struct bind *b)
{
	if (!b->ask->plain || b->ask->plain_allowed)
		return 1;
	err_set(&b->d->why, REASON_REQUEST,
		"the request carries no Handsel request id, and plain EST clients are not allowed here (plain-est in node.yaml)");
	return refuse(b);
}

/* All is judged: now it is written. */
static int bind_write(struct bind *b)
{
	struct node_request r = { .id = b->ask->request, .device = b->dev.n, .state = NODE_BOUND, .plain = b->ask->plain,
				  .made = b->ask->made };
	int rc = -1;

	if (b->dev.pending[0]) {	/* superseded: dead for ever, however late its messages arrive */
		static const char why[] = "superseded";

		if (rules_end_request(b->db, &b->dev, b->dev.pending, why, why, "node", b->ask->now, b->e) < 0)
			return -1;
		b->d->outbox = true;
	}
	if (b->ask->peer->customer)	/* active until the device has confirmed the new one: activate() */
		memcpy(r.renews, b->shown.id.id, sizeof r.renews);
	snprintf(b->dev.pending, sizeof b->dev.pending, "%s", b->ask->request.id);
	if (b->ask->request.generation > b->dev.highest)
		b->dev.highest = b->ask->request.generation;
	b->dev.seen = b->ask->now;
	snprintf(b->dev.remote, sizeof b->dev.remote, "%s", b->ask->peer->remote);
	if (store_device_put(b->db, &b->dev, b->e) < 0)
		return -1;
	r.device = b->dev.n;
	buf_set(&r.spki, b->ask->spki->data, b->ask->spki->len);
	if (store_request_add(b->db, &r, b->ask->now, b->e) == 0 &&
	    rules_audit_request(b->db, b->ask->now, "node", b->ask->peer->customer ? "renew" : "bind", &b->dev.id, &r.id, "",
				b->e) == 0)
		rc = 0;
	b->d->verdict = VERDICT_ASK_CA;
	memcpy(b->d->renews, r.renews, sizeof r.renews);
	node_request_free(&r);
	return rc;
}

static int bind_judge_shown(struct bind *b)
{
	int rc = judge_shown(b->db, b->ask->peer, &b->dev, &b->shown, b->ask->request.id, b->ask->now, b->d, b->e);

	return rc == 0 ? refuse(b) : rc;
}

static int bind_decide(struct bind *b)
{
	int rc = store_device_get(b->db, &b->ask->peer->device, &b->dev, b->e);

	if (rc < 0)
		return -1;
	rc = authz_blocked(b->db, &b->dev, &b->d->why, b->e);
	if (rc <= 0)
		return rc < 0 ? -1 : refuse(b);
	rc = bind_judge_shown(b);
	if (rc <= 0)
		return rc;
	rc = store_request_get(b->db, b->ask->request.id, &b->same, b->e);
	if (rc < 0)
		return -1;
	if (rc == 1)
		return repeat(b);
	rc = judge_generation(b);
	if (rc == 1 && !b->ask->peer->customer)		/* a renewal needs no list: what it shows is active */
		rc = judge_first(b);
	if (rc == 1)
		rc = judge_plain(b);
	return rc == 1 ? bind_write(b) : rc;
}

int rules_bind(struct db *db, const struct rules_ask *ask, struct decision *d, struct err *e)
{
	struct bind b = { .db = db, .ask = ask, .d = d, .e = e };
	int rc = bind_decide(&b);

	node_request_free(&b.same);
	node_request_free(&b.shown);
	return rc;
}

/* ---- the CA has answered ---- */
static int request_and_device(struct db *db, const char *id, struct node_request *r, struct node_device *dev, struct err *e)
{
	int rc = store_request_get(db, id, r, e);

	if (rc == 1)
		rc = store_device_by_n(db, r->device, dev, e);
	if (rc == 0)
		return err_set(e, REASON_INTERNAL, "request %s vanished from the authorization database", id);
	return rc < 0 ? -1 : 0;
}

static int keep_certificate(struct db *db, struct node_request *r, struct node_device *dev, const struct cert *leaf,
			    int64_t now, struct decision *d, struct err *e)
{
	buf_set(&r->certificate, leaf->der.data, leaf->der.len);
	memcpy(r->sha256, leaf->sha256, SHA256_LEN);
	/* A plain client has no way to confirm: handing out is all that can be known. */
	if (store_request_certified(db, r, r->plain ? NODE_ACTIVE : NODE_CERTIFIED, now, e) < 0)
		return -1;
	if (r->plain && activate(db, dev, r, now, d, e) < 0)
		return -1;
	return rules_audit_request(db, now, "node", "certificate", &dev->id, &r->id, leaf->serial, e);
}

int rules_issued(struct db *db, const struct request_id *id, const struct cert *leaf, const struct buf *encrypted_key, int64_t now,
		 struct decision *d, struct err *e)
{
	struct node_request r = {0};
	struct node_device dev = {0};
	int rc = request_and_device(db, id->id, &r, &dev, e);

	d->verdict = VERDICT_DEAD;
	d->highest = dev.highest;
	if (rc < 0)
		goto out;
	if (r.state == NODE_DEAD)	/* while the CA was asked; its revocation is queued */
		goto out;
	if (r.state == NODE_BOUND && encrypted_key)
		buf_set(&r.encrypted_key, encrypted_key->data, encrypted_key->len);
	if (r.state == NODE_BOUND)
		rc = keep_certificate(db, &r, &dev, leaf, now, d, e);
	if (rc == 0)
		certificate(d, &r);
out:
	node_request_free(&r);
	return rc;
}

int rules_ca_dead(struct db *db, const struct request_id *id, uint32_t highest, int64_t now, struct decision *d, struct err *e)
{
	struct node_request r = {0};
	struct node_device dev = {0};
	int rc = request_and_device(db, id->id, &r, &dev, e);

	d->verdict = VERDICT_DEAD;
	if (rc < 0)
		goto out;
	if (highest > dev.highest)
		dev.highest = highest;
	d->highest = dev.highest;
	if (strcmp(dev.pending, id->id) == 0)
		dev.pending[0] = 0;
	if (strcmp(dev.active, id->id) == 0) {
		log_error("device=%s: its active credential was revoked at the CA; it can be onboarded again as a new device",
			  dev.id.serial);
		dev.active[0] = 0;
	}
	rc = store_request_state(db, id->id, NODE_DEAD, "dead at the CA", now, e) < 0 || store_device_put(db, &dev, e) < 0 ||
	     rules_audit_request(db, now, "ca", "dead", &dev.id, id, "", e) < 0 ? -1 : 0;
out:
	node_request_free(&r);
	return rc;
}

/* ---- confirm ---- */
static int confirm_decide(struct db *db, struct node_device *dev, struct node_request *r, const struct rules_peer *peer,
			  const char *id, const uint8_t certificate_sha256[SHA256_LEN], int64_t now, struct decision *d, struct err *e)
{
	struct node_request shown = {0};
	int rc = authz_blocked(db, dev, &d->why, e);	/* asked once more: an admin may have acted meanwhile */

	if (rc == 1)
		rc = judge_shown(db, peer, dev, &shown, id, now, d, e);
	if (strcmp(shown.id.id, r->id.id) == 0)
		r->state = shown.state;
	node_request_free(&shown);
	if (rc <= 0) {
		d->verdict = VERDICT_REFUSED;
		return rc < 0 ? -1 : rules_write_refusal(db, dev, &d->why, peer->remote, now, e);
	}
	if (!r->certificate.len) {	/* another node's, perhaps: "dead" would take from the device what is active there */
		d->verdict = VERDICT_ASK_CA;
		d->highest = dev->highest;
		return 0;
	}
	if (r->device != dev->n || r->state == NODE_DEAD || r->state == NODE_SUPERSEDED) {
		d->verdict = VERDICT_DEAD;
		d->highest = dev->highest;
		return 0;
	}
	if (memcmp(r->sha256, certificate_sha256, SHA256_LEN) != 0) {
		d->verdict = VERDICT_REFUSED;
		err_set(&d->why, REASON_REQUEST, "the confirm names another certificate than the one that was handed out");
		return rules_write_refusal(db, dev, &d->why, peer->remote, now, e);
	}
	d->verdict = VERDICT_CONFIRMED;
	if (r->state != NODE_CERTIFIED)
		return 0;
	if (store_request_state(db, r->id.id, NODE_ACTIVE, "", now, e) < 0)
		return -1;
	return activate(db, dev, r, now, d, e);
}

int rules_confirm(struct db *db, const struct rules_peer *peer, const struct request_id *id,
		  const uint8_t certificate_sha256[SHA256_LEN], int64_t now, struct decision *d, struct err *e)
{
	struct node_request r = {0};
	struct node_device dev;
	int rc = store_device_get(db, &peer->device, &dev, e);

	if (rc < 0)
		return -1;
	if (store_request_get(db, id->id, &r, e) < 0)
		rc = -1;
	else
		rc = confirm_decide(db, &dev, &r, peer, id->id, certificate_sha256, now, d, e);
	node_request_free(&r);
	return rc;
}
