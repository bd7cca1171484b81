/* Actions of persons, and approvals: doc/protocol-documents.md sections 10 and 11. */
#include <config.h>

#include "action.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "document.h"
#include "documents.h"
#include "fields.h"
#include "mem.h"

/* ---- which act has which fields ---- */
#define SUBJECT 1u
#define SERIAL 2u
#define STATION 4u
#define REASON 8u
#define DOCUMENT 16u
#define ACTS 32u
#define NODE 64u
#define HOSTS 128u

/* The sets of fields that are good for it; 0 after the last. Two-person with no acts at all ends the rule. */
static const unsigned fields[ACT_COUNT][2] = {
	[ACT_ORDER_CREATE] = { DOCUMENT }, [ACT_ORDER_EXTEND] = { DOCUMENT },
	[ACT_ORDER_CLOSE] = { SUBJECT }, [ACT_ORDER_COMPROMISE] = { SUBJECT },
	[ACT_UNIT_INVITE] = { DOCUMENT }, [ACT_OPERATOR_INVITE] = { DOCUMENT },
	[ACT_OPERATOR_REVOKE] = { SUBJECT | REASON }, [ACT_REVOKE] = { SUBJECT | REASON, SERIAL | REASON },
	[ACT_TAKEOVER] = { SERIAL | STATION | REASON }, [ACT_REWORK] = { SERIAL | REASON }, [ACT_TWO_PERSON] = { ACTS },
	[ACT_HANDOFF] = { SUBJECT | NODE | DOCUMENT, SUBJECT | NODE | HOSTS | DOCUMENT },
};

static bool fields_fit(const struct action *a)
{
	unsigned has = (*a->subject ? SUBJECT : 0) | (*a->device.serial ? SERIAL : 0) | (*a->station ? STATION : 0) |
		       (*a->reason ? REASON : 0) | (a->document.len ? DOCUMENT : 0) | (a->guarded ? ACTS : 0) |
		       (*a->name ? NODE : 0) | (*a->hosts ? HOSTS : 0);

	if (a->what == ACT_TWO_PERSON)
		has |= ACTS;
	return has && (has == fields[a->what][0] || has == fields[a->what][1]) && (*a->device.serial || (!*a->device.manufacturer && !*a->device.model));
}

/* ---- a person's word: an action, an approval ---- */
typedef int root_reader(void *out, const struct xml_node *n, struct err *e);

static int word_parse(const char *name, const struct buf *xml, void *out, size_t size, root_reader *read, struct err *e)
{
	struct xml *x = document_parse(xml, name, e);
	int rc;

	memset(out, 0, size);
	if (!x)
		return -1;
	rc = read(out, xml_root(x), e);
	xml_free(x);
	return rc;
}

/* *maker is filled, or zeroed. */
static int word_read(const char *name, const void *cms, size_t len, struct trust *t, void *out, size_t size, root_reader *read,
		     struct cert *maker, struct err *e)
{
	struct buf xml = {0};
	int rc;

	*maker = (struct cert){0};
	memset(out, 0, size);
	rc = document_open_by(name, cms, len, t, FUNCTIONS_ALL, &xml, maker, e);
	if (rc == 0 && word_parse(name, &xml, out, size, read, e) < 0)
		rc = err_prefix(e, "%s", name);
	buf_free(&xml);
	return rc;
}

/* ---- action ---- */
static void action_xml(const struct action *a, struct buf *xml)
{
	char time[TEXT_TIME], acts[ACTS_TEXT];
	struct xml_out w;

	text_time(time, a->time);
	acts_text(acts, a->guarded);
	xml_begin(&w, xml);
	xml_open(&w, "action", "id", a->id, "what", act_name(a->what), "time", time, "subject", a->subject, "manufacturer",
		 a->device.manufacturer, "model", a->device.model, "serial", a->device.serial, "station", a->station, "reason", a->reason,
		 "acts", acts, "name", a->name, "hosts", a->hosts, NULL);
	xml_leaf_base64(&w, "document", a->document.data, a->document.len);
	xml_close(&w, "action");
}

static int if_name(const struct xml_node *n, const char *name, const char *text, struct err *e)
{
	return *text ? field_name(n, name, text, e) : 0;
}

static int if_token(const struct xml_node *n, const char *name, const char *text, struct err *e)
{
	return *text ? field_token(n, name, text, e) : 0;
}

static int id_read(const struct xml_node *n, const char *id, struct err *e)
{
	return id_valid(id) ? 0 : xml_error(n, e, "protocol-documents 10.2: 'id' is not 32 lower-case hex digits");
}

static int action_root(void *out, const struct xml_node *n, struct err *e)
{
	struct action *a = out;
	char what[32], time[TEXT_TIME], acts[ACTS_TEXT];
	const struct xml_node *document;
	const struct xml_child children[] = { { "document", &document, false } };
	const struct xml_attr attrs[] = {
		{ "id", a->id, sizeof a->id, true },
		{ "what", what, sizeof what, true },
		{ "time", time, sizeof time, true },
		{ "subject", a->subject, sizeof a->subject, false },
		{ "manufacturer", a->device.manufacturer, sizeof a->device.manufacturer, false },
		{ "model", a->device.model, sizeof a->device.model, false },
		{ "serial", a->device.serial, sizeof a->device.serial, false },
		{ "station", a->station, sizeof a->station, false },
		{ "reason", a->reason, sizeof a->reason, false },
		{ "acts", acts, sizeof acts, false },
		{ "name", a->name, sizeof a->name, false },
		{ "hosts", a->hosts, sizeof a->hosts, false },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_children(n, children, 1, e) || id_read(n, a->id, e) ||
	    field_time(n, "time", time, &a->time, e) || if_name(n, "subject", a->subject, e) ||
	    if_name(n, "manufacturer", a->device.manufacturer, e) || if_name(n, "model", a->device.model, e) ||
	    if_token(n, "serial", a->device.serial, e) || if_token(n, "station", a->station, e) || if_name(n, "reason", a->reason, e) ||
	    if_token(n, "name", a->name, e) || if_name(n, "hosts", a->hosts, e) || field_base64(document, &a->document, LIMIT_ACT, e))
		return -1;
	if (act_parse(what, &a->what) < 0)
		return xml_error(n, e, "protocol-documents 10.2: 'what' is no act");
	if (acts_parse(acts, &a->guarded) < 0)
		return xml_error(n, e, "protocol-documents 10.2: 'acts' has a name that is no act, or one twice");
	return fields_fit(a) ? 0 : xml_error(n, e, "protocol-documents 10.3: not the attributes that '%s' has", what);
}

int action_parse(struct action *a, const struct buf *xml, struct err *e)
{
	return word_parse("action", xml, a, sizeof *a, action_root, e);
}

void action_free(struct action *a)
{
	buf_free(&a->document);
	cert_free(&a->maker);
}

int action_write(const struct action *a, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct action again;
	struct buf xml = {0};
	int rc = -1;

	action_xml(a, &xml);
	if (action_parse(&again, &xml, e))
		err_prefix(e, "action");
	else
		rc = document_sign("action", &xml, key, chain, cms, e);
	action_free(&again);
	buf_free(&xml);
	return rc;
}

int action_read(struct action *a, const void *cms, size_t len, struct trust *t, struct err *e)
{
	struct cert maker;
	int rc = word_read("action", cms, len, t, a, sizeof *a, action_root, &maker, e);

	a->maker = maker;
	if (rc == 0) {
		digest_sha256(a->sha256, cms, len);
		rc = act_allowed(a->what, maker.name, functions_of(&maker), e);
	}
	return rc;
}

void action_new_id(struct action *a)
{
	id_new(a->id);
}

void who_text(char out[WHO_MAX], const struct cert *c)
{
	snprintf(out, WHO_MAX, "%s:%s/%s", c->role, c->name, c->serial);
}

/* ---- in plain words ---- */
static int tell_order(const struct action *a, struct trust *t, struct buf *text, struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	char from[TEXT_TIME], until[TEXT_TIME], agent[SHA256_HEX];
	int rc = work_order_read(o, a->document.data, a->document.len, t, e);

	if (rc == 0) {
		text_time(from, o->not_before);
		text_time(until, o->not_after);
		text_hex(agent, o->agent_sha256, SHA256_LEN);
		buf_fmt(text, "order     %s, version %u\nmodel     %s/%s\nunits     %u, and at most %u keys signed\n", o->id, o->version,
			o->manufacturer, o->model, o->quota, o->quota + o->scrap);
		for (size_t i = 0; i < o->n_ranges; i++)
			buf_fmt(text, "serials   %s to %s\n", o->range[i].from, o->range[i].to);
		for (size_t i = 0; i < o->n_stations; i++)
			buf_fmt(text, "station   %s\n", o->station[i]);
		buf_fmt(text, "valid     %s to %s\nagent     SHA-256 %s\n", from, until, agent);
	}
	free(o);
	return rc;
}

static int tell_invitation(const struct action *a, struct trust *t, struct buf *text, struct err *e)
{
	struct invitation v;
	char until[TEXT_TIME];

	if (invitation_read(&v, a->document.data, a->document.len, t, e) < 0)
		return -1;
	text_time(until, v.not_after);
	buf_fmt(text, "invites   %s:%s, until %s\n", v.role, v.name, until);
	if (*v.functions)
		buf_fmt(text, "functions %s\n", v.functions);
	for (size_t i = 0; i < INVITATION_HOSTS && *v.host[i]; i++)
		buf_fmt(text, "host      %s\n", v.host[i]);
	return 0;
}

/* Whose key it is, for whoever compares it with what the customer has said by another way. */
static int tell_handoff(const struct action *a, struct buf *text, struct err *e)
{
	char key[SHA256_HEX];
	struct csr csr = {0};

	if (csr_parse(&csr, a->document.data, a->document.len, e) < 0)
		return -1;
	text_hex(key, csr.spki_sha256, SHA256_LEN);
	buf_fmt(text, "node      %s\nhosts     %s\nkey       SHA-256 %s\n", a->name, *a->hosts ? a->hosts : "none", key);
	csr_free(&csr);
	return 0;
}

int action_tell(const struct action *a, struct trust *t, struct buf *text, struct err *e)
{
	char time[TEXT_TIME], acts[ACTS_TEXT], who[WHO_MAX];

	text_time(time, a->time);
	who_text(who, &a->maker);
	buf_clear(text);
	buf_fmt(text, "action    %s\nwhat      %s\nasked by  %s at %s\n", a->id, act_name(a->what), who, time);
	if (*a->subject)
		buf_fmt(text, "of        %s\n", a->subject);
	if (*a->device.serial)
		buf_fmt(text, "device    %s%s%s%s%s\n", a->device.manufacturer, *a->device.manufacturer ? "/" : "", a->device.model,
			*a->device.model ? "/" : "", a->device.serial);
	if (*a->station)
		buf_fmt(text, "station   %s\n", a->station);
	if (*a->reason)
		buf_fmt(text, "reason    %s\n", a->reason);
	acts_text(acts, a->guarded);
	if (a->what == ACT_TWO_PERSON)
		buf_fmt(text, "needs two %s\n", *acts ? acts : "nothing");
	if (a->what == ACT_ORDER_CREATE || a->what == ACT_ORDER_EXTEND)
		return tell_order(a, t, text, e);
	if (a->what == ACT_HANDOFF)
		return tell_handoff(a, text, e);
	return a->document.len ? tell_invitation(a, t, text, e) : 0;
}

/* ---- approval ---- */
static int approval_root(void *out, const struct xml_node *n, struct err *e)
{
	struct approval *a = out;
	char action[SHA256_HEX], time[TEXT_TIME], verdict[8];
	const struct xml_attr attrs[] = {
		{ "id", a->id, sizeof a->id, true },
		{ "action-sha256", action, sizeof action, true },
		{ "verdict", verdict, sizeof verdict, true },
		{ "time", time, sizeof time, true },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_children(n, NULL, 0, e) || id_read(n, a->id, e) ||
	    field_sha256(n, "action-sha256", action, a->action, e) || field_time(n, "time", time, &a->time, e))
		return -1;
	a->yes = strcmp(verdict, "approve") == 0;
	return a->yes || strcmp(verdict, "reject") == 0 ? 0 : xml_error(n, e, "protocol-documents 11.2: 'verdict' is 'approve' or 'reject'");
}

int approval_parse(struct approval *a, const struct buf *xml, struct err *e)
{
	return word_parse("approval", xml, a, sizeof *a, approval_root, e);
}

void approval_free(struct approval *a)
{
	cert_free(&a->maker);
}

int approval_write(const struct approval *a, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	char action[SHA256_HEX], time[TEXT_TIME];
	struct approval again;
	struct buf xml = {0};
	struct xml_out w;
	int rc;

	text_hex(action, a->action, SHA256_LEN);
	text_time(time, a->time);
	xml_begin(&w, &xml);
	xml_empty(&w, "approval", "id", a->id, "action-sha256", action, "verdict", a->yes ? "approve" : "reject", "time", time, NULL);
	rc = approval_parse(&again, &xml, e) < 0 ? err_prefix(e, "approval") : document_sign("approval", &xml, key, chain, cms, e);
	buf_free(&xml);
	return rc;
}

int approval_read(struct approval *a, const void *cms, size_t len, struct trust *t, struct err *e)
{
	struct cert maker;
	int rc = word_read("approval", cms, len, t, a, sizeof *a, approval_root, &maker, e);

	a->maker = maker;
	return rc;
}
