/* What persons may do: each cell of the tables function x act and function x question of doc/protocol-ca.md 4.13, and the signer's
 * judgement of what they have signed, over its real channel, as a hostile front would bring it. */
#include <config.h>

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "action.h"
#include "clock.h"
#include "digest.h"
#include "documents.h"
#include "file.h"
#include "ipc.h"
#include "mem.h"
#include "oid.h"
#include "pack.h"
#include "signer_build.h"
#include "signer_serve.h"
#include "unit.h"

/* ---- the tables, written a second time ---- */
static const char *const function_names[] = { "clerk", "ra", "auditor", "administrator" };

static const struct {
	const char *name, *may;		/* functions */
} act_rows[] = {
	{ "order-create", "clerk" }, { "order-extend", "clerk" }, { "order-close", "clerk" }, { "order-compromise", "clerk administrator" },
	{ "unit-invite", "ra" }, { "operator-invite", "administrator" }, { "operator-revoke", "administrator" }, { "revoke", "ra" },
	{ "takeover", "ra" }, { "rework", "ra" }, { "two-person", "administrator" }, { "handoff-grant", "ra" },
}, ask_rows[] = {
	{ "orders", "clerk auditor administrator" }, { "order", "clerk auditor administrator" }, { "issued", "clerk ra auditor" },
	{ "units", "ra auditor administrator" }, { "operators", "auditor administrator" }, { "actions", "clerk ra auditor administrator" },
	{ "action", "clerk ra auditor administrator" }, { "audit", "auditor" }, { "heads", "auditor" },
	{ "status", "clerk ra auditor administrator" }, { "handoff", "ra" },
};

static void test_cells(void)
{
	struct err e;

	CU_ASSERT_EQUAL_FATAL(ARRAY_LEN(act_rows), ACT_COUNT);
	CU_ASSERT_EQUAL_FATAL(ARRAY_LEN(ask_rows), ASK_COUNT);
	for (size_t f = 0; f < ARRAY_LEN(function_names); f++) {
		unsigned set = functions_parse(function_names[f]);

		CU_ASSERT_EQUAL(set, 1u << f);
		for (enum act a = 0; a < ACT_COUNT; a++) {
			bool may = act_allowed(a, "maria", set, &e) == 0;

			CU_ASSERT_STRING_EQUAL(act_name(a), act_rows[a].name);
			CU_ASSERT_EQUAL(may, unit_has_word(act_rows[a].may, function_names[f]));
			CU_ASSERT(may || (e.code == REASON_ROLE && strstr(e.text, "takes the function")));
		}
		for (enum ask_of a = 0; a < ASK_COUNT; a++) {
			CU_ASSERT_STRING_EQUAL(ask_name(a), ask_rows[a].name);
			CU_ASSERT_EQUAL(ask_allowed(a, "maria", set, &e) == 0, unit_has_word(ask_rows[a].may, function_names[f]));
		}
	}
	for (enum act a = 0; a < ACT_COUNT; a++)
		CU_ASSERT_EQUAL(act_allowed(a, "nobody", 0, &e), -1);
}

static void test_names(void)
{
	char text[CERT_FUNCTIONS_MAX], acts[ACTS_TEXT];
	struct cert c = { .role = PERSON, .functions = "auditor.clerk" };
	unsigned set;
	enum act a;

	CU_ASSERT_EQUAL(functions_parse("auditor.clerk"), FUNCTION_AUDITOR | FUNCTION_CLERK);
	CU_ASSERT_EQUAL(functions_parse("clerk.clerk"), 0);
	CU_ASSERT_EQUAL(functions_parse("clerk.king"), 0);
	CU_ASSERT_EQUAL(functions_parse("cler"), 0);
	CU_ASSERT_EQUAL(functions_parse(""), 0);
	functions_text(text, FUNCTIONS_ALL, ".");
	CU_ASSERT_STRING_EQUAL(text, "clerk.ra.auditor.administrator");
	CU_ASSERT_EQUAL(functions_of(&c), FUNCTION_AUDITOR | FUNCTION_CLERK);
	strcpy(c.role, "operator");	/* the local one has none of his own, and else is nobody */
	CU_ASSERT_EQUAL(functions_of(&c), 0);
	c.functions[0] = 0;
	CU_ASSERT_EQUAL(functions_of(&c), FUNCTIONS_ALL);
	strcpy(c.role, "station");
	CU_ASSERT_EQUAL(functions_of(&c), 0);
	acts_text(acts, (1u << ACT_COUNT) - 1);
	CU_ASSERT_EQUAL(acts_parse(acts, &set), 0);
	CU_ASSERT_EQUAL(set, (1u << ACT_COUNT) - 1);
	CU_ASSERT_EQUAL(acts_parse("rework rework", &set), -1);
	CU_ASSERT_EQUAL(acts_parse("rewor", &set), -1);
	CU_ASSERT_EQUAL(act_parse("rework", &a), 0);
	CU_ASSERT_EQUAL(a, ACT_REWORK);
	CU_ASSERT_EQUAL(act_parse("", &a), -1);
}

/* ---- a signer in a thread, and persons of its CA ---- */
static const struct key_homes plain = { .keys = { .place = "file" }, .root = { .place = "file" }, .plain = true };
static const struct ceremony_terms no_terms;
static char folder[FILE_PATH];

struct side {
	pthread_t thread;
	int fd, theirs;
	struct err e;
};

static void *serve(void *arg)
{
	struct side *s = arg;

	(void)signer_serve(folder, s->theirs, SIGNER_FOR_SERVE, NULL, &s->e);
	shutdown(s->theirs, SHUT_RDWR);
	return NULL;
}

static uint32_t ask(struct side *s, uint32_t type, const struct buf *question, struct buf *answer)
{
	uint32_t got = 0;
	struct err e;

	return ipc_send(s->fd, type, question, &e) < 0 || ipc_recv(s->fd, &got, answer, &e) != 1 ? 0 : got;
}

static void begin(struct side *s)
{
	struct buf hello = {0}, answer = {0};
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*s = (struct side){ .fd = pair[0], .theirs = pair[1] };
	CU_ASSERT_EQUAL_FATAL(pthread_create(&s->thread, NULL, serve, s), 0);
	pack_u32(&hello, SIGNER_VERSION);
	CU_ASSERT_EQUAL(ask(s, SIGNER_HELLO, &hello, &answer), SIGNER_DONE);
	buf_free(&hello);
	buf_free(&answer);
}

static void end(struct side *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->theirs);
}

struct person {
	struct key *key;
	struct chain chain;
};

static void make(struct person *p, const char *role, const char *name, const char *functions, int64_t now)
{
	struct unit_plan plan = {0};
	struct buf spki = {0}, der = {0};
	struct builder b;
	struct err e;

	snprintf(plan.role, sizeof plan.role, "%s", role);
	snprintf(plan.name, sizeof plan.name, "%s", name);
	snprintf(plan.functions, sizeof plan.functions, "%s", functions);
	*p = (struct person){ .key = key_generate(KEY_P256, &e) };
	CU_ASSERT_EQUAL_FATAL(builder_load(&b, folder, "", SITE_FACTORY, &e), 0);
	CU_ASSERT_EQUAL_FATAL(key_spki(p->key, &spki, &e), 0);
	CU_ASSERT_EQUAL_FATAL(build_unit(&b, &plan, &spki, now, &der, &e), 0);
	CU_ASSERT_EQUAL(chain_add(&p->chain, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL(chain_add(&p->chain, b.ca.unit.cert->der.data, b.ca.unit.cert->der.len, &e), 0);
	builder_free(&b);
	buf_free(&spki);
	buf_free(&der);
}

static void unmake(struct person *p)
{
	key_free(p->key);
	chain_free(&p->chain);
}

static struct buf made;		/* the certificate that came of the last one that was done */

/* "done", "waits", or the sentence of the refusal. */
static const char *bring(struct side *s, const struct buf *action, const struct buf *approval)
{
	static char text[sizeof((struct err *)0)->text];
	struct buf q = {0}, a = {0};
	struct unpack u;
	uint32_t got;

	pack_str(&q, "");
	pack_bytes(&q, action->data, action->len);
	pack_bytes(&q, approval ? approval->data : NULL, approval ? approval->len : 0);
	got = ask(s, SIGNER_ACT, &q, &a);
	unpack_init(&u, a.data, a.len);
	if (got == SIGNER_DONE) {
		snprintf(text, sizeof text, "%s", unpack_u8(&u) ? "waits" : "done");
		unpack_bytes(&u, &made);
		CU_ASSERT(unpack_done(&u));
	} else if (got == SIGNER_REFUSED) {
		(void)unpack_u32(&u);
		unpack_str(&u, text, sizeof text);
	} else {
		snprintf(text, sizeof text, "the signer has ended");
	}
	buf_free(&q);
	buf_free(&a);
	return text;
}

static void sign(const struct person *p, struct action *a, struct buf *cms)
{
	struct err e = {0};

	if (!a->id[0])
		action_new_id(a);
	if (!a->time)
		a->time = clock_utc();
	CU_ASSERT_EQUAL(action_write(a, p->key, &p->chain, cms, &e), 0);
}

static void second(const struct person *p, const struct action *a, const struct buf *cms, bool yes, int64_t time, struct buf *out)
{
	struct approval v = { .yes = yes, .time = time ? time : clock_utc() };
	struct err e = {0};

	digest_sha256(v.action, cms->data, cms->len);
	memcpy(v.id, a->id, sizeof v.id);
	CU_ASSERT_EQUAL(approval_write(&v, p->key, &p->chain, out, &e), 0);
}

static void order_of(const struct person *p, const char *id, struct buf *cms)
{
	struct work_order o = { .manufacturer = "Acme Devices", .model = "gateway-b", .hw_type = OID_MODELS ".1", .quota = 2, .n_ranges = 1,
				.n_stations = 1, .not_before = clock_utc() - 10, .not_after = clock_utc() + 1000 };
	struct err e;

	snprintf(o.id, sizeof o.id, "%s", id);
	strcpy(o.range[0].from, "0001");
	strcpy(o.range[0].to, "0099");
	strcpy(o.station[0], "line-1");
	CU_ASSERT_EQUAL(work_order_write(&o, p->key, &p->chain, cms, &e), 0);
}

#define SAYS(text, what) CU_ASSERT_PTR_NOT_NULL(strstr(text, what))

static struct person ada, bert, carl, carl2, dora, olga, machine;

static void test_init(void)
{
	struct err e;
	int64_t now = clock_utc();

	CU_ASSERT_EQUAL_FATAL(file_join(folder, &e, unit_folder(), "ca"), 0);
	CU_ASSERT_EQUAL_FATAL(signer_init(folder, SITE_FACTORY, "Acme Devices", &plain, &no_terms, &e), 0);
	make(&ada, PERSON, "ada", "administrator", now);
	make(&bert, PERSON, "bert", "administrator.clerk", now);
	make(&carl, PERSON, "carl", "clerk", now);
	make(&carl2, PERSON, "Carl", "clerk.ra", now);
	make(&dora, PERSON, "dora", "clerk", now);
	make(&olga, PERSON, "olga", "auditor", now);
	make(&machine, "station", "line-1", "", now);
}

/* One person: who may, when, once. */
static void test_one(void)
{
	struct action a = { .what = ACT_ORDER_CREATE }, close = { .what = ACT_ORDER_CLOSE, .subject = "WO-1" }, old;
	struct buf cms = {0}, other = {0};
	struct side s;

	begin(&s);
	order_of(&carl, "WO-1", &a.document);
	sign(&olga, &a, &cms);
	SAYS(bring(&s, &cms, NULL), "takes the function clerk");
	sign(&machine, &a, &cms);
	SAYS(bring(&s, &cms, NULL), "station:line-1 has signed it");
	sign(&dora, &a, &cms);
	SAYS(bring(&s, &cms, NULL), "signed by another than who asks");
	sign(&carl, &a, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "done");
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "done");	/* after an answer that was lost */
	/* another document under the same id; the same order by another action */
	memcpy(close.id, a.id, sizeof close.id);
	sign(&carl, &close, &other);
	SAYS(bring(&s, &other, NULL), "was another one");
	action_new_id(&a);
	sign(&carl, &a, &other);
	SAYS(bring(&s, &other, NULL), "exists already");
	/* in time */
	old = (struct action){ .what = ACT_ORDER_CLOSE, .subject = "WO-1", .time = clock_utc() - LIMIT_ACT_S - 10 };
	sign(&carl, &old, &other);
	SAYS(bring(&s, &other, NULL), "ask again");
	old = (struct action){ .what = ACT_ORDER_CLOSE, .subject = "WO-1", .time = clock_utc() + LIMIT_ACT_EARLY_S + 60 };
	sign(&carl, &old, &other);
	SAYS(bring(&s, &other, NULL), "in the future");
	/* a changed byte ends nobody, and does nothing */
	other.data[other.len / 2] ^= 1;
	CU_ASSERT_STRING_NOT_EQUAL(bring(&s, &other, NULL), "done");
	end(&s);
	buf_free(&a.document);
	buf_free(&cms);
	buf_free(&other);
}

/* A customer's node: of the key in its request, for that customer, once, by who may introduce it. */
static void test_handoff(void)
{
	struct action a = { .what = ACT_HANDOFF, .subject = "plant-seven", .name = "site-1", .hosts = "gate.example 10.0.0.7" }, bad = a;
	struct key *key;
	struct buf cms = {0}, first = {0}, none = {0};
	struct cert c = {0};
	struct csr csr = {0};
	struct err e;
	struct side s;

	key = key_generate(KEY_P256, &e);
	CU_ASSERT_EQUAL_FATAL(csr_build(key, NULL, NULL, &a.document, &e), 0);
	CU_ASSERT_EQUAL_FATAL(csr_parse(&csr, a.document.data, a.document.len, &e), 0);
	begin(&s);
	sign(&dora, &a, &cms);
	SAYS(bring(&s, &cms, NULL), "takes the function ra");
	sign(&carl2, &a, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "done");
	CU_ASSERT_EQUAL_FATAL(cert_parse(&c, made.data, made.len, &e), 0);
	CU_ASSERT(strcmp(c.role, "node") == 0 && strcmp(c.name, "site-1") == 0 && strcmp(c.customer, "plant-seven") == 0);
	CU_ASSERT_EQUAL(memcmp(c.spki_sha256, csr.spki_sha256, SHA256_LEN), 0);
	buf_set(&first, made.data, made.len);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, &none), "done");
	CU_ASSERT(buf_same(&first, &made));	/* not a second one */
	buf_set(&bad.document, a.document.data, a.document.len);
	bad.document.data[bad.document.len - 1] ^= 1;
	sign(&carl2, &bad, &cms);
	CU_ASSERT_STRING_NOT_EQUAL(bring(&s, &cms, NULL), "done");	/* whose key it is was not shown */
	bad.document.data[bad.document.len - 1] ^= 1;
	bad.id[0] = 0;
	strcpy(bad.subject, "plant seven");
	sign(&carl2, &bad, &cms);
	SAYS(bring(&s, &cms, NULL), "a token, and only for a node");
	bad.id[0] = 0;
	strcpy(bad.subject, a.subject);
	strcpy(bad.hosts, "a b c d e f g h i");
	sign(&carl2, &bad, &cms);
	SAYS(bring(&s, &cms, NULL), "at most 8 hosts");
	end(&s);
	cert_free(&c);
	csr_free(&csr);
	key_free(key);
	buf_free(&a.document);
	buf_free(&bad.document);
	buf_free(&cms);
	buf_free(&first);
	buf_free(&made);
}

/* Two persons, and what a front could try that has seen all that went by. */
static void test_two(void)
{
	struct action rule = { .what = ACT_TWO_PERSON, .guarded = 1u << ACT_ORDER_CREATE | 1u << ACT_ORDER_CLOSE }, off = { .what = ACT_TWO_PERSON };
	struct action a = { .what = ACT_ORDER_CREATE }, b = { .what = ACT_ORDER_CLOSE, .subject = "WO-2" }, c = b;
	struct buf cms = {0}, yes = {0}, other = {0}, none = {0};
	struct side s;

	begin(&s);
	sign(&ada, &rule, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "done");
	order_of(&carl, "WO-2", &a.document);
	sign(&carl, &a, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "waits");
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, &none), "waits");	/* a front that drops the second signature */
	second(&carl, &a, &cms, true, 0, &yes);
	SAYS(bring(&s, &cms, &yes), "cannot be the second person");
	second(&carl2, &a, &cms, true, 0, &yes);			/* another certificate of that name, in another case */
	SAYS(bring(&s, &cms, &yes), "cannot be the second person");
	second(&olga, &a, &cms, true, 0, &yes);
	SAYS(bring(&s, &cms, &yes), "takes the function clerk");
	second(&machine, &a, &cms, true, 0, &yes);
	SAYS(bring(&s, &cms, &yes), "has signed it");
	second(&dora, &a, &cms, true, clock_utc() - LIMIT_ACT_S - 10, &yes);
	SAYS(bring(&s, &cms, &yes), "the approval was signed more than");
	SAYS(bring(&s, &cms, &cms), "outermost element must be 'approval'");
	second(&dora, &a, &cms, true, 0, &yes);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, &yes), "done");
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, &yes), "done");
	/* the old approval again, for another action; also for one with the id of the old */
	sign(&carl, &b, &other);
	CU_ASSERT_STRING_EQUAL(bring(&s, &other, NULL), "waits");
	SAYS(bring(&s, &other, &yes), "is for another action");
	memcpy(c.id, a.id, sizeof c.id);
	sign(&carl, &c, &other);
	SAYS(bring(&s, &other, &yes), "was another one");
	/* what was rejected stays so, whoever approves it later */
	sign(&carl, &b, &other);
	second(&dora, &b, &other, false, 0, &yes);
	CU_ASSERT_STRING_EQUAL(bring(&s, &other, &yes), "done");
	second(&bert, &b, &other, true, 0, &yes);
	SAYS(bring(&s, &other, &yes), "was rejected");
	SAYS(bring(&s, &other, NULL), "was rejected");
	/* the rule itself is two persons', though nobody named it */
	sign(&ada, &off, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "waits");
	second(&bert, &off, &cms, true, 0, &yes);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, &yes), "done");
	end(&s);
	buf_free(&a.document);
	buf_free(&cms);
	buf_free(&yes);
	buf_free(&other);
}

/* An invitation of a person is good by his act alone, and not once he was ended; nor does he act, approve or renew then. */
static void test_end(void)
{
	struct invitation v = { .role = "station", .name = "line-9", .not_before = clock_utc(), .not_after = clock_utc() + 1000 };
	struct action invite = { .what = ACT_UNIT_INVITE }, gone = { .what = ACT_OPERATOR_REVOKE, .subject = "person:Carl", .reason = "left" };
	struct action late = { .what = ACT_ORDER_CLOSE, .subject = "WO-2" }, wrong = { .what = ACT_OPERATOR_INVITE };
	struct invite code;
	uint8_t root[SHA256_LEN] = {0};
	struct buf cms = {0}, spki = {0}, signature = {0}, q = {0}, answer = {0};
	struct side s;
	struct err e;

	invite_new(&code, root);
	invite_public(&code, v.key);
	CU_ASSERT_EQUAL_FATAL(key_spki(machine.key, &spki, &e), 0);
	invite_sign(&code, &spki, &signature);
	CU_ASSERT_EQUAL_FATAL(invitation_write(&v, carl2.key, &carl2.chain, &invite.document, &e), 0);
	begin(&s);
	pack_str(&q, "");
	pack_bytes(&q, invite.document.data, invite.document.len);
	pack_bytes(&q, spki.data, spki.len);
	pack_bytes(&q, signature.data, signature.len);
	CU_ASSERT_EQUAL(ask(&s, SIGNER_ENROL, &q, &answer), SIGNER_REFUSED);	/* never asked for by an act */
	buf_add(&wrong.document, invite.document.data, invite.document.len);
	sign(&bert, &wrong, &cms);
	SAYS(bring(&s, &cms, NULL), "signed by another than who asks");
	sign(&carl2, &invite, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "done");
	sign(&ada, &gone, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "done");
	CU_ASSERT_EQUAL(ask(&s, SIGNER_ENROL, &q, &answer), SIGNER_REFUSED);
	sign(&carl2, &late, &cms);
	SAYS(bring(&s, &cms, NULL), "was ended");
	sign(&dora, &late, &cms);
	CU_ASSERT_STRING_EQUAL(bring(&s, &cms, NULL), "done");
	end(&s);
	buf_free(&invite.document);
	buf_free(&wrong.document);
	buf_free(&cms);
	buf_free(&spki);
	buf_free(&signature);
	buf_free(&q);
	buf_free(&answer);
}

/* A certificate of another key, by the one that it has: the functions stay. NULL functions: it is refused. */
static void renew(struct side *s, const struct person *p, const char *functions)
{
	struct unit_renewal r = { .time = clock_utc() };
	struct buf spki = {0}, cms = {0}, q = {0}, answer = {0}, der = {0};
	struct cert c = {0};
	struct unpack u;
	struct err e;

	CU_ASSERT_EQUAL_FATAL(key_spki(machine.key, &spki, &e), 0);
	digest_sha256(r.key_sha256, spki.data, spki.len);
	CU_ASSERT_EQUAL_FATAL(unit_renewal_write(&r, p->key, &p->chain, &cms, &e), 0);
	pack_str(&q, "");
	pack_bytes(&q, cms.data, cms.len);
	pack_bytes(&q, spki.data, spki.len);
	CU_ASSERT_EQUAL(ask(s, SIGNER_RENEW, &q, &answer), functions ? SIGNER_DONE : SIGNER_REFUSED);
	unpack_init(&u, answer.data, answer.len);
	if (functions) {
		unpack_bytes(&u, &der);
		CU_ASSERT_EQUAL_FATAL(cert_parse(&c, der.data, der.len, &e), 0);
		CU_ASSERT_STRING_EQUAL(c.functions, functions);
		CU_ASSERT_STRING_EQUAL(c.role, PERSON);
		cert_free(&c);
	}
	buf_free(&spki);
	buf_free(&cms);
	buf_free(&q);
	buf_free(&answer);
	buf_free(&der);
}

static void test_renewal(void)
{
	struct side s;

	begin(&s);
	renew(&s, &bert, "administrator.clerk");
	renew(&s, &carl2, NULL);	/* who was ended */
	end(&s);
}

static void test_free(void)
{
	struct person *all[] = { &ada, &bert, &carl, &carl2, &dora, &olga, &machine };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		unmake(all[i]);
	buf_free(&made);
}

UNIT_MAIN("operators", { "cells", test_cells }, { "names", test_names }, { "init", test_init }, { "one person", test_one },
	  { "handoff", test_handoff }, { "two persons", test_two }, { "end", test_end }, { "renewal", test_renewal }, { "free", test_free })
