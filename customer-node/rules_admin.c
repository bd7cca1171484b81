#include <config.h>

#include "rules_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "log.h"
#include "mem.h"

/* ---- writing down ---- */
int rules_audit(struct db *db, int64_t now, const char *actor, const char *action, const struct device_id *d,
		const char *detail, struct err *e)
{
	char subject[3 * LIMIT_NAME + 3];

	snprintf(subject, sizeof subject, "%s/%s/%s", d->manufacturer, d->model, d->serial);
	return audit_add(db, now, actor, action, subject, detail, e);
}

int rules_audit_request(struct db *db, int64_t now, const char *actor, const char *action, const struct device_id *d,
			const struct request_id *id, const char *more, struct err *e)
{
	char detail[400];

	snprintf(detail, sizeof detail, "id=%s:%" PRIu32 "%s%s", id->id, id->generation, *more ? " " : "", more);
	return rules_audit(db, now, actor, action, d, detail, e);
}

int rules_write_refusal(struct db *db, struct node_device *dev, const struct err *why, const char *remote, int64_t now,
			struct err *e)
{
	char detail[700];

	if (why->code == REASON_CLONE)
		log_error("ALARM device=%s %s %s; %s", dev->id.serial, reason_id(why->code), why->text,
			  reason_info(why->code)->action);
	else
		log_warn("device=%s refused code=%s %s", dev->id.serial, reason_id(why->code), why->text);
	dev->seen = dev->refused_at = now;
	dev->refused = why->code;
	dev->refusals++;
	if (why->code == REASON_ONBOARDED)
		dev->asked_again = now;
	snprintf(dev->refused_text, sizeof dev->refused_text, "%.*s", REFUSED_TEXT - 1, why->text);
	snprintf(dev->remote, sizeof dev->remote, "%s", remote);
	snprintf(detail, sizeof detail, "%s %s", reason_id(why->code), why->text);
	if (store_device_put(db, dev, e) < 0)
		return -1;
	return rules_audit(db, now, "node", why->code == REASON_CLONE ? "alarm" : "refuse", &dev->id, detail, e);
}

int rules_refused(struct db *db, const struct rules_peer *peer, const struct err *why, int64_t now, struct err *e)
{
	struct node_device dev;

	if (store_device_get(db, &peer->device, &dev, e) < 0)
		return -1;
	return rules_write_refusal(db, &dev, why, peer->remote, now, e);
}

/* ---- ends of requests ---- */
int rules_end_request(struct db *db, const struct node_device *dev, const char *id, const char *cause, const char *reason,
		      const char *actor, int64_t now, struct err *e)
{
	struct node_request r = {0};
	int rc = store_request_get(db, id, &r, e);

	if (rc == 1)
		rc = store_request_state(db, id, NODE_DEAD, cause, now, e) < 0 ||
		     store_outbox_add(db, OUTBOX_REVOKE, dev->n, &r.id, reason, e) < 0 ||
		     rules_audit_request(db, now, actor, "revoke", &dev->id, &r.id, cause, e) < 0 ? -1 : 0;
	node_request_free(&r);
	return rc < 0 ? -1 : 0;
}

int rules_end_device(struct db *db, struct node_device *dev, const char *cause, const char *reason, const char *actor,
		     int64_t now, struct err *e)
{
	if (dev->n && store_outbox_cancel(db, dev->n, e) < 0)
		return -1;
	if (dev->pending[0] && rules_end_request(db, dev, dev->pending, cause, reason, actor, now, e) < 0)
		return -1;
	if (dev->active[0] && rules_end_request(db, dev, dev->active, cause, reason, actor, now, e) < 0)
		return -1;
	dev->active[0] = dev->pending[0] = 0;
	/* what was superseded is in the outbox since its renewal */
	return dev->n ? store_superseded_end(db, dev->n, cause, now, e) : 0;
}

/* ---- lapse ---- */
static int lapse_one(struct db *db, const struct node_request *r, int64_t now, struct err *e)
{
	struct node_device dev;
	int rc = store_device_by_n(db, r->device, &dev, e);

	if (rc < 0)
		return -1;
	if (strcmp(dev.pending, r->id.id) == 0)
		dev.pending[0] = 0;
	log_info("device=%s req=%s lapsed: it did not confirm in time", dev.id.serial, r->id.id);
	if (rules_end_request(db, &dev, r->id.id, "lapsed", "lapsed", "node", now, e) < 0)
		return -1;
	return store_device_put(db, &dev, e);
}

int rules_lapse(struct db *db, int64_t seconds, int64_t limit, int64_t now, int *count, struct err *e)
{
	struct node_request r = {0};
	int rc;

	*count = 0;
	if (store_pending_add(db, seconds, e) < 0)
		return -1;
	while ((rc = store_pending_over(db, limit, &r, e)) == 1) {
		if (lapse_one(db, &r, now, e) < 0) {
			rc = -1;
			break;
		}
		++*count;
	}
	node_request_free(&r);
	return rc;
}

/* ---- the admin ---- */
bool rules_release_doubtful(const struct node_device *d)
{
	return d->active[0] && d->used && d->used >= d->asked_again;
}

int rules_release(struct db *db, struct node_device *d, const char *actor, int64_t now, struct err *e)
{
	if (rules_end_device(db, d, "released", "cessationOfOperation", actor, now, e) < 0 || store_device_put(db, d, e) < 0)
		return -1;
	return rules_audit(db, now, actor, "release", &d->id, "", e);
}

int rules_block(struct db *db, struct node_device *d, const char *actor, int64_t now, struct err *e)
{
	d->blocked = true;
	if (rules_end_device(db, d, "blocked", "privilegeWithdrawn", actor, now, e) < 0 || store_device_put(db, d, e) < 0)
		return -1;
	return rules_audit(db, now, actor, "block", &d->id, "", e);
}

int rules_unblock(struct db *db, struct node_device *d, const char *actor, int64_t now, struct err *e)
{
	d->blocked = false;
	return store_device_put(db, d, e) < 0 || rules_audit(db, now, actor, "unblock", &d->id, "", e) < 0 ? -1 : 0;
}

struct victims {
	int64_t *n;
	size_t count;
};

static int add_victim(void *arg, const struct store_view *v)
{
	struct victims *list = arg;

	if (v->device.n && v->allow_blocked && (v->device.active[0] || v->device.pending[0])) {
		list->n = mem_grow(list->n, list->count + 1, sizeof *list->n);
		list->n[list->count++] = v->device.n;
	}
	return 0;
}

int rules_apply_blocks(struct db *db, const char *actor, int64_t now, int *count, struct err *e)
{
	struct victims list = {0};
	struct node_device dev;
	int rc = store_view(db, "", add_victim, &list, e);

	*count = 0;
	for (size_t i = 0; rc == 0 && i < list.count; i++) {
		rc = store_device_by_n(db, list.n[i], &dev, e);
		if (rc == 1)
			rc = rules_end_device(db, &dev, "blocked", "privilegeWithdrawn", actor, now, e) < 0 ||
			     store_device_put(db, &dev, e) < 0 ? -1 : 0;
		++*count;
	}
	free(list.n);
	return rc;
}
