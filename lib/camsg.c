#include <config.h>

#include "camsg.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

static const char *const state_names[] = {
	[CA_UNKNOWN] = "unknown", [CA_RESERVED] = "reserved", [CA_PENDING] = "pending", [CA_ACTIVE] = "active",
	[CA_SUPERSEDED] = "superseded", [CA_REVOKED] = "revoked", [CA_EXPIRED] = "expired",
};

const char *ca_state_name(enum ca_state s)
{
	return state_names[(unsigned)s < sizeof state_names / sizeof *state_names ? s : CA_UNKNOWN];
}

const char *ca_acted_name(enum ca_acted a)
{
	static const char *const names[ACTED_STATES] = { [ACTED_DONE] = "done", [ACTED_WAITING] = "waiting", [ACTED_REJECTED] = "rejected" };

	return names[a];
}

int ca_state_parse(const char *name, enum ca_state *s)
{
	for (unsigned i = 0; i < sizeof state_names / sizeof *state_names; i++)
		if (strcmp(name, state_names[i]) == 0) {
			*s = (enum ca_state)i;
			return 0;
		}
	return -1;
}

/* RFC 5280 5.3.1 without those that a device cannot have; "lapsed" is our own: revoked because nobody confirmed in time. */
bool ca_reason_known(const char *name)
{
	static const char *const names[] = {
		"unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn",
		"lapsed",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

void ca_request_free(struct ca_request *r)
{
	if (!r)
		return;
	buf_free(&r->csr);
	buf_free(&r->transport_key);
	buf_free(&r->ticket);
	buf_free(&r->signature);
	buf_free(&r->document);
	buf_free(&r->endorsement.signature);
	buf_free(&r->endorsement.factory_certificate);
	memset(r, 0, sizeof *r);
}

void ca_answer_free(struct ca_answer *a)
{
	if (!a)
		return;
	chain_free(&a->chain);
	buf_free(&a->encrypted_key);
	buf_free(&a->order);
	buf_free(&a->data);
	for (size_t i = 0; i < a->n_known; i++)
		ca_known_free(&a->known[i]);
	free(a->known);
	memset(a, 0, sizeof *a);
}

/* The sentence may be cut; not inside a character of UTF-8, though. */
void ca_refuse(struct ca_answer *a, enum reason code, const char *text)
{
	size_t n = strnlen(text, sizeof a->text - 1);

	while (n && n < strlen(text) && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	a->result = CA_REFUSED;
	a->code = code;
	memcpy(a->text, text, n);
	a->text[n] = 0;
}

struct ca_message *ca_message_new(size_t n)
{
	struct ca_message *m = mem_grow(NULL, 1, sizeof *m);

	m->ca[0] = m->mark[0] = 0;
	m->n = n;
	memset(m->request, 0, (n < LIMIT_BATCH ? n + 1 : n) * sizeof m->request[0]);	/* and the one that ca_message_free() looks at */
	return m;
}

struct ca_reply *ca_reply_new(size_t n)
{
	struct ca_reply *r = mem_grow(NULL, 1, sizeof *r);

	r->n = n;
	r->audit = (struct audit_head){0};
	memset(r->answer, 0, (n < LIMIT_BATCH ? n + 1 : n) * sizeof r->answer[0]);
	return r;
}

void ca_message_free(struct ca_message *m)
{
	if (!m)
		return;
	for (size_t i = 0; i <= m->n && i < LIMIT_BATCH; i++)	/* the one after the last may be half read */
		ca_request_free(&m->request[i]);
	free(m);
}

void ca_reply_free(struct ca_reply *r)
{
	if (!r)
		return;
	for (size_t i = 0; i <= r->n && i < LIMIT_BATCH; i++)	/* the one after the last may be half read */
		ca_answer_free(&r->answer[i]);
	free(r);
}
