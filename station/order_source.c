#include <config.h>

#include "order_source.h"

#include <string.h>

#include "caclient.h"
#include "clock.h"
#include "mem.h"
#include "text.h"

static int ask(const struct station *s, const char *id, struct ca_reply *r, struct err *e)
{
	struct url url = s->ca;
	struct ca_client client = { .connect = ca_connect_url,
				    .arg = &url,
				    .host = url.host,
				    .ca = s->ca_id,
				    .chain = &s->chain,
				    .key = s->key,
				    .trust = s->trust };
	struct ca_message *m = ca_message_new(1);
	int rc = -1;

	m->request[0].kind = CA_WORK_ORDER;
	if (text_copy(m->request[0].order, sizeof m->request[0].order, id) < 0)
		err_set(e, REASON_ORDER, "work order %.40s: an order's id has 1 to %d characters", id, CA_ID_MAX);
	else
		rc = ca_client_call(&client, m, r, e);
	ca_client_close(&client);
	ca_message_free(m);
	return rc;
}

static int in_force(const struct work_order *o, const struct station *s, const char *id, struct err *e)
{
	char from[TEXT_TIME], to[TEXT_TIME];
	int64_t now = clock_utc();

	if (strcmp(o->id, id) != 0)
		return err_set(e, REASON_ORDER, "the CA answered with work order %s instead of %s", o->id, id);
	if (!work_order_has_station(o, s->name))
		return err_set(e, REASON_ORDER, "work order %s is not for station %s", id, s->name);
	if (now >= o->not_before && now <= o->not_after)
		return 0;
	text_time(from, o->not_before);
	text_time(to, o->not_after);
	return err_set(e, REASON_ORDER, "work order %s is in force from %s to %s; check this machine's clock", id, from,
		       to);
}

int order_fetch(struct order_source *o, const struct station *s, const char *id, struct err *e)
{
	struct ca_reply *r = ca_reply_new(0);
	const struct ca_answer *a = &r->answer[0];
	int rc = -1;

	memset(o, 0, sizeof *o);
	if (ask(s, id, r, e) < 0)
		goto out;
	if (r->n == 1 && a->result == CA_REFUSED) {
		err_set(e, a->code, "the CA refuses work order %s: %s", id, a->text);
		goto out;
	}
	if (r->n != 1 || a->result != CA_ORDER_IS) {
		err_set(e, REASON_REQUEST, "the CA's answer is no work order");
		goto out;
	}
	o->ordered = a->ordered;
	o->done = a->done;
	if (work_order_read(&o->order, a->order.data, a->order.len, s->trust, e) == 0)
		rc = in_force(&o->order, s, id, e);
out:
	ca_reply_free(r);
	return rc;
}

int order_fits(const struct work_order *o, const struct model *m, const uint8_t agent_sha256[SHA256_LEN], struct err *e)
{
	if (strcmp(o->manufacturer, m->manufacturer) != 0 || strcmp(o->model, m->model) != 0)
		return err_set(e, REASON_CONFIG, "--model describes %s %s, but work order %s is for %s %s",
			       m->manufacturer, m->model, o->id, o->manufacturer, o->model);
	if (memcmp(o->agent_sha256, agent_sha256, SHA256_LEN) != 0)
		return err_set(e, REASON_CONFIG, "--agent is not the file that work order %s names (its SHA-256 differs): take that one, or "
			       "have an order made for this one", o->id);
	return 0;
}
