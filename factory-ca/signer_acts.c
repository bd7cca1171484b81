/* What persons have signed. The front that brings it is believed in nothing: chain, dates, revocation and function of who asks, and of
 * the second person where two are needed, are judged here, and what has one id is done once. */
#include <config.h>

#include "signer_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "audit.h"
#include "clock.h"
#include "digest.h"
#include "fault.h"
#include "file.h"
#include "mem.h"
#include "policy.h"

struct trial {
	struct action a;
	struct approval p;
	bool second;			/* p is there */
	int64_t now;
	char subject[2 * LIMIT_NAME + 2];	/* for the audit */
	struct buf made;		/* the certificate that it is about, DER */
};

/* ---- the local operator ---- */
int signer_local_may(struct server *s, enum act a, struct err *e)
{
	unsigned guarded;
	int64_t when;
	int rc = count_gone_get(s->db, "operator", "", &when, e);

	if (rc == 1)
		return err_set(e, REASON_ROLE, "the local operator of this folder was ended: persons act, by --server and --as");
	if (rc < 0 || count_guarded_get(s->db, &guarded, e) < 0)
		return -1;
	return guarded & 1u << a
		? err_set(e, REASON_ROLE, "%s needs two persons here, and the folder is one: ask by --server and --as", act_name(a)) : 0;
}

void signer_local_who(struct server *s, char out[WHO_MAX])
{
	struct chain ch = {0};
	char path[FILE_PATH];
	struct err e;

	snprintf(out, WHO_MAX, "operator");	/* of a folder that is being made */
	if (file_join(path, &e, s->dir, "operator.pem") == 0 && chain_load(&ch, path, &e) == 0)
		who_text(out, ch.cert);
	chain_free(&ch);
}

int signer_may_invite(struct server *s, const struct invitation *v, const struct buf *cms, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	int64_t when;
	int rc;

	digest_sha256(sha256, cms->data, cms->len);
	rc = count_permit_get(s->db, sha256, e);
	if (rc == 0 && !v->person)
		return signer_local_may(s, strcmp(v->role, PERSON) == 0 ? ACT_OPERATOR_INVITE : ACT_UNIT_INVITE, e);
	if (rc == 0)
		return err_set(e, REASON_ROLE, "the invitation of %s:%s was never asked for by an act of person:%s", v->role, v->name,
			       v->operator_name);
	if (rc == 1)
		rc = count_gone_get(s->db, v->person ? PERSON : "operator", v->person ? v->operator_name : "", &when, e);
	return rc == 1 && when >= v->not_before
		? err_set(e, REASON_ROLE, "%s, who has invited %s:%s, was ended", v->operator_name, v->role, v->name) : rc < 0 ? -1 : 0;
}

/* ---- who asks, and when ---- */
static int in_time(const char *what, int64_t time, int64_t now, struct err *e)
{
	if (time > now + LIMIT_ACT_EARLY_S)
		return err_set(e, REASON_CLOCK, "the %s is signed in the future: the clock of who signed it is wrong", what);
	return time < now - LIMIT_ACT_S ? err_set(e, REASON_CLOCK, "the %s was signed more than %d days ago; ask again", what, LIMIT_ACT_S / 86400) : 0;
}

static int operator_good(struct server *s, const struct cert *c, int64_t now, struct err *e)
{
	int64_t when;

	if (strcmp(c->role, "operator") != 0)
		return signer_unit_good(s, c, now, e);
	if (count_gone_get(s->db, "operator", "", &when, e) != 0)
		return err_set(e, REASON_ROLE, "the local operator of this CA was ended");
	return signer_unit_good(s, c, now, e);
}

/* A name is a person, with however many certificates, and in whatever case it is written. */
static bool same_person(const struct cert *a, const struct cert *b)
{
	return strcasecmp(a->name, b->name) == 0;
}

static int judge_second(struct server *s, const struct trial *t, struct err *e)
{
	if (memcmp(t->p.action, t->a.sha256, SHA256_LEN) != 0 || strcmp(t->p.id, t->a.id) != 0)
		return err_set(e, REASON_ROLE, "the approval is for another action than %s", t->a.id);
	if (operator_good(s, &t->p.maker, t->now, e) < 0 || in_time("approval", t->p.time, t->now, e) < 0)
		return -1;
	if (!t->p.yes && same_person(&t->p.maker, &t->a.maker))
		return 0;	/* taken back */
	if (same_person(&t->p.maker, &t->a.maker))
		return err_set(e, REASON_ROLE, "%s has asked for it, and cannot be the second person, too", t->a.maker.name);
	return act_allowed(t->a.what, t->p.maker.name, functions_of(&t->p.maker), e);
}

/* 1: two persons are needed. The rule itself is changed by two as soon as there is one. */
static int is_guarded(struct server *s, const struct action *a, struct err *e)
{
	unsigned set;

	if (count_guarded_get(s->db, &set, e) < 0)
		return -1;
	return set & 1u << a->what || (a->what == ACT_TWO_PERSON && set);
}

/* ---- what is done here ---- */
static int do_order(struct server *s, struct trial *t, struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	struct count_order known;
	int rc = signer_verify_order(s, &t->a.document, o, e), there;

	if (rc == 0 && (strcmp(o->operator_name, t->a.maker.name) != 0 || o->person != (strcmp(t->a.maker.role, PERSON) == 0)))
		rc = err_set(e, REASON_ROLE, "order %s is signed by another than who asks for it", o->id);
	there = rc == 0 ? count_order_get(s->db, o->id, NULL, &known, e) : -1;
	if (there == 1 && t->a.what == ACT_ORDER_CREATE)
		rc = err_set(e, REASON_ORDER, "order %s exists already; give the new one another --id", o->id);
	else if (there == 0 && t->a.what == ACT_ORDER_EXTEND)
		rc = err_set(e, REASON_ORDER, "there is no order %s to extend", o->id);
	else
		rc = there < 0 ? -1 : signer_order_add(s, o, &t->a.document, e);
	snprintf(t->subject, sizeof t->subject, "%s", o->id);
	free(o);
	return rc < 0 ? -1 : 0;
}

static int do_invite(struct server *s, struct trial *t, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	struct invitation v;
	bool person;

	if (invitation_read(&v, t->a.document.data, t->a.document.len, s->build.ca.trust, e) < 0)
		return -1;
	person = strcmp(v.role, PERSON) == 0;
	snprintf(t->subject, sizeof t->subject, "%s:%s", v.role, v.name);
	if (strcmp(v.operator_name, t->a.maker.name) != 0 || v.person != (strcmp(t->a.maker.role, PERSON) == 0))
		return err_set(e, REASON_ROLE, "the invitation of %s is signed by another than who asks for it", t->subject);
	if (person != (t->a.what == ACT_OPERATOR_INVITE))
		return err_set(e, REASON_ROLE, "%s does not invite %s", act_name(t->a.what), t->subject);
	if (v.person && policy_role(v.role) == ROLE_OPERATOR)
		return err_set(e, REASON_ROLE, "a local operator has all functions, and is made in the CA's folder alone");
	digest_sha256(sha256, t->a.document.data, t->a.document.len);
	return count_permit_put(s->db, sha256, e);
}

/* "person:maria", or "operator:operator" for the local one. */
static int do_end(struct server *s, const struct trial *t, struct err *e)
{
	char role[CERT_ROLE_MAX] = "";
	const char *name = strchr(t->a.subject, ':');
	size_t n = name ? (size_t)(name - t->a.subject) : 0;

	if (n && n < sizeof role)
		memcpy(role, t->a.subject, n);
	if ((strcmp(role, PERSON) != 0 && strcmp(role, "operator") != 0) || !text_is_token(name + 1, LIMIT_NAME))
		return err_set(e, REASON_REQUEST, "%s is no operator: must be person:NAME or operator:NAME", t->a.subject);
	return count_gone_put(s->db, role, name + 1, t->now, e);
}

/* The names of a host list, blanks between. */
static int hosts_of(struct unit_plan *p, const char *text, struct err *e)
{
	size_t n = 0, len;

	for (text += strspn(text, " "); *text; text += len, text += strspn(text, " ")) {
		len = strcspn(text, " ");
		if (n == SIGNER_HOSTS || len >= sizeof p->host[0])
			return err_set(e, REASON_REQUEST, "protocol-documents 10.3: at most %d hosts, none longer than %zu", SIGNER_HOSTS,
				       sizeof p->host[0] - 1);
		memcpy(p->host[n], text, len);
		p->host[n++][len] = 0;
	}
	return 0;
}

/* Toward new devices it is this factory's; the local operator makes such a certificate without an act. */
static int do_handoff(struct server *s, struct trial *t, struct err *e)
{
	struct unit_plan p = { .role = "node" };
	struct csr csr = {0};
	int rc;

	if (s->build.site != SITE_FACTORY)
		return err_set(e, REASON_CONFIG, "a handoff is granted by a factory; this is a customer's CA system");
	if (text_copy(p.name, sizeof p.name, t->a.name) < 0 || text_copy(p.customer, sizeof p.customer, t->a.subject) < 0)
		return err_set(e, REASON_REQUEST, "protocol-documents 10.3: the node's name or the customer's is too long");
	if (hosts_of(&p, t->a.hosts, e) < 0 || csr_parse(&csr, t->a.document.data, t->a.document.len, e) < 0)
		return -1;
	rc = build_unit(&s->build, &p, &csr.spki, t->now, &t->made, e);
	csr_free(&csr);
	return rc < 0 ? signer_keys_failed(&s->build.keys, e) : 0;
}

/* A front that was taken over could keep it to itself, and have the unit renewed. Here nobody knows which numbers are units'; those of
 * devices' certificates are never asked for. */
static int do_bar(struct server *s, const struct trial *t, struct err *e)
{
	char serial[2 * CERT_SERIAL_MAX + 1];

	cert_serial_plain(serial, t->a.subject);
	return *serial ? count_barred_put(s->db, serial, t->now, e) : 0;
}

static int carry_out(struct server *s, struct trial *t, struct err *e)
{
	switch (t->a.what) {
	case ACT_ORDER_CREATE:
	case ACT_ORDER_EXTEND:
		return do_order(s, t, e);
	case ACT_ORDER_CLOSE:
	case ACT_ORDER_COMPROMISE:
		return count_order_close(s->db, t->a.subject, e);
	case ACT_UNIT_INVITE:
	case ACT_OPERATOR_INVITE:
		return do_invite(s, t, e);
	case ACT_OPERATOR_REVOKE:
		return do_end(s, t, e);
	case ACT_HANDOFF:
		return do_handoff(s, t, e);
	case ACT_REVOKE:
		return do_bar(s, t, e);
	case ACT_TWO_PERSON:
		return count_guarded_set(s->db, t->a.guarded, e);
	default:	/* the ledger's: it is permitted here, and remembered */
		return 0;
	}
}

static int enter(struct server *s, const struct trial *t, struct err *e)
{
	char who[2 * WHO_MAX + 1], second[WHO_MAX] = "", action[LIMIT_NAME];

	who_text(who, &t->a.maker);
	if (t->second) {
		who_text(second, &t->p.maker);
		snprintf(who + strlen(who), sizeof who - strlen(who), "+%s", second);
	}
	snprintf(action, sizeof action, "%s%s", t->second && !t->p.yes ? "reject-" : "", act_name(t->a.what));
	return audit_add(s->db, t->now, who, action, *t->subject ? t->subject : t->a.device.serial, t->a.reason, e) < 0
		? -1 : count_act_put(s->db, t->a.id, t->a.sha256, !t->second || t->p.yes, &t->made, e);
}

/* 0 done, 1 a second person is needed. */
static int decide(struct server *s, struct trial *t, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	bool done;
	int rc = count_act_get(s->db, t->a.id, sha256, &done, &t->made, e);

	if (rc < 0)
		return -1;
	if (rc == 1 && memcmp(sha256, t->a.sha256, SHA256_LEN) != 0)
		return err_set(e, REASON_ROLE, "action %s was another one", t->a.id);
	if (rc == 1 && !done)
		return t->second && !t->p.yes ? 0 : err_set(e, REASON_ROLE, "action %s was rejected, for good", t->a.id);
	if (rc == 1)	/* asked again after an answer that was lost */
		return t->second && !t->p.yes ? err_set(e, REASON_ROLE, "action %s is done already", t->a.id) : 0;
	if (operator_good(s, &t->a.maker, t->now, e) < 0 || in_time("action", t->a.time, t->now, e) < 0)
		return -1;
	if (t->second && judge_second(s, t, e) < 0)
		return -1;
	rc = t->second ? 0 : is_guarded(s, &t->a, e);
	if (rc != 0)
		return rc;
	snprintf(t->subject, sizeof t->subject, "%s", t->a.subject);
	if ((!t->second || t->p.yes) && carry_out(s, t, e) < 0)
		return -1;
	return enter(s, t, e);
}

int signer_on_act(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct buf action = {0}, approval = {0};
	struct trial t = { .now = clock_utc() };
	int rc = -2;

	unpack_bytes(u, &action);
	unpack_bytes(u, &approval);
	if (!unpack_done(u))
		goto out;
	t.second = approval.len;
	rc = -1;
	if (action_read(&t.a, action.data, action.len, s->build.ca.trust, e) < 0 ||
	    (t.second && approval_read(&t.p, approval.data, approval.len, s->build.ca.trust, e) < 0) || db_begin(s->db, e) < 0)
		goto out;
	rc = decide(s, &t, e);
	if (rc == 0)
		rc = db_commit(s->db, e);
	else
		db_rollback(s->db);
	FAULT("act.judged");
	if (rc >= 0) {
		pack_u8(answer, (uint8_t)rc);
		pack_bytes(answer, t.made.data, t.made.len);
	}
	rc = rc < 0 ? -1 : 0;
out:
	action_free(&t.a);
	approval_free(&t.p);
	buf_free(&t.made);
	buf_free(&action);
	buf_free(&approval);
	return rc;
}
