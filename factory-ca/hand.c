#include <config.h>

#include "hand.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "acts.h"
#include "clock.h"
#include "conf.h"
#include "enrolment.h"
#include "fault.h"
#include "file.h"
#include "inquire.h"
#include "mem.h"

#define TRIES 3			/* of an act: the front may be between two commits */
#define PAUSE_MS 1000
#define UNFINISHED "unfinished.p7"

bool hand_is_remote(const struct cli *c)
{
	return cli_has(c, "server") || cli_has(c, "as");
}

/* ---- over the network ---- */
/* One request, one answer of that kind, into *a. */
static int ask(struct hand *h, struct ca_message *m, enum ca_result wanted, struct ca_answer *a, struct err *e)
{
	struct ca_reply *r = ca_reply_new(0);
	int rc = ca_client_call(&h->client, m, r, e);

	if (rc == 0 && r->answer[0].result == CA_REFUSED)
		rc = err_set(e, r->answer[0].code, "%s", r->answer[0].text);
	else if (rc == 0 && r->answer[0].result != wanted)
		rc = err_set(e, REASON_REQUEST, "the CA's answer is none to this request");
	if (rc == 0) {
		*a = r->answer[0];
		r->answer[0] = (struct ca_answer){0};
	}
	ca_reply_free(r);
	return rc;
}

static int bring(struct hand *h, enum ca_kind kind, const struct buf *cms, struct ca_answer *a, struct err *e)
{
	int rc = -1;

	for (int i = 0; i < TRIES; i++) {
		struct ca_message *m = ca_message_new(1);

		m->request[0].kind = kind;
		buf_set(&m->request[0].document, cms->data, cms->len);
		rc = ask(h, m, CA_ACTED, a, e);
		ca_message_free(m);
		if (rc == 0 || e->code != REASON_CA_UNAVAILABLE)
			break;
		if (i + 1 < TRIES)
			usleep((useconds_t)ca_client_pause_ms(&h->client, PAUSE_MS) * 1000);
	}
	return rc;
}

/* What was under way when the last command was cut: brought once more, it is done once. */
static void finish(struct hand *h)
{
	struct ca_answer a = {0};
	struct buf cms = {0};
	char path[FILE_PATH];
	struct err e = {0};

	if (file_join(path, &e, h->dir, UNFINISHED) < 0 || !file_exists(path))
		return;
	if (file_read(&cms, path, LIMIT_ACT, &e) == 0 && bring(h, CA_ACT, &cms, &a, &e) == 0)
		fprintf(stderr, "what was cut before: action %s is %s: %s\n", a.action, ca_acted_name(a.acted), a.text);
	else
		fprintf(stderr, "what was cut before: %s\n", e.text);
	if (a.result == CA_ACTED || e.code != REASON_CA_UNAVAILABLE)
		unlink(path);
	ca_answer_free(&a);
	buf_free(&cms);
}

/* ---- open ---- */
int person_place(struct unit_place *p, const char *dir, struct err *e)
{
	static const struct conf_field fields[] = { { "version", CONF_SCALAR, true }, { "unit-key", CONF_SCALAR, false },
						    { "unit-credential", CONF_SCALAR, false } };
	const struct conf_node *n[ARRAY_LEN(fields)];
	char path[FILE_PATH];
	struct conf *c;
	int rc = -1;

	*p = (struct unit_place){0};
	if (file_join(path, e, dir, "person.yaml") < 0 || !(c = conf_load(path, e)))
		return -1;
	if (conf_fields(conf_root(c), fields, ARRAY_LEN(fields), n, e) == 0 && conf_version(n[0], conf_root(c), e) == 0)
		rc = unit_place_read(p, n[1], n[2], e);
	conf_free(c);
	return rc;
}

static int load_person(struct hand *h, struct err *e)
{
	char cert[FILE_PATH], root[FILE_PATH];

	if (person_place(&h->place, h->dir, e) < 0 || file_join(cert, e, h->dir, "person.pem") < 0 || file_join(root, e, h->dir, "root.pem") < 0 ||
	    chain_load(&h->root, root, e) < 0 || chain_load(&h->op.chain, cert, e) < 0)
		return -1;
	h->op.key = unit_key_load(&h->place, h->dir, "person", &h->op.chain.cert[0], e);
	return h->op.key ? trust_add_root(h->trust, &h->root.cert[0], e) : -1;
}

static void renew(struct hand *h)
{
	struct enrolment_unit u = { .place = &h->place, .dir = h->dir, .name = "person", .key = h->op.key, .chain = h->op.chain };
	struct err e;

	unit_key_tidy(&h->place, h->dir, "person");
	if (enrolment_keep(&h->client, &u, clock_utc(), &e) < 0)
		fprintf(stderr, "warning: your certificate is due to be renewed, and was not: %s\n", e.text);
	h->op.key = u.key;
	h->op.chain = u.chain;
	h->client.chain = &h->op.chain;
	h->client.key = h->op.key;
}

static int open_remote(struct hand *h, const struct cli *c, struct err *e)
{
	const char *server;

	h->trust = trust_new();
	if (option_needed(c, "server", &server, e) < 0 || option_needed(c, "as", &h->dir, e) < 0)
		return -1;
	if (url_parse(&h->url, server, e) < 0)
		return err_prefix(e, "--server");
	if (load_person(h, e) < 0)
		return -1;
	h->client = (struct ca_client){ .connect = ca_connect_url, .arg = &h->url, .host = h->url.host, .ca = cli_get(c, "ca"), .trust = h->trust };
	renew(h);
	finish(h);
	return 0;
}

int hand_open(struct hand *h, const struct cli *c, struct err *e)
{
	int rc;

	*h = (struct hand){ .local = !hand_is_remote(c) };
	if (!h->local)
		rc = open_remote(h, c, e);
	else if ((rc = office_open(&h->office, c, e)) == 0)
		rc = operator_load(&h->op, h->office.dir, e);
	if (rc < 0)
		hand_close(h);
	return rc;
}

void hand_close(struct hand *h)
{
	ca_client_close(&h->client);
	signer_stop(h->signer);
	operator_free(&h->op);
	chain_free(&h->root);
	if (h->trust)
		trust_free(h->trust);
	if (h->local && h->office.ledger)
		office_close(&h->office);
	*h = (struct hand){0};
}

static struct trust *trust_of(const struct hand *h)
{
	return h->local ? h->office.ca.trust : h->trust;
}

/* ---- acts over the network ---- */
static int act_remote(struct hand *h, const struct buf *cms, struct ca_answer *a, struct err *e)
{
	char path[FILE_PATH];
	int rc;

	if (file_join(path, e, h->dir, UNFINISHED) < 0)
		return -1;
	if (file_replace(path, cms->data, cms->len, 0600, e) < 0)
		return -1;
	FAULT("hand.kept");
	rc = bring(h, CA_ACT, cms, a, e);
	FAULT("hand.told");
	if (rc == 0 || e->code != REASON_CA_UNAVAILABLE)
		unlink(path);
	return rc;
}

/* ---- in the folder ---- */
static int ask_signer(void *arg, const struct buf *action, const struct buf *approval, struct buf *made, struct err *e)
{
	struct hand *h = arg;

	if (!h->signer)
		h->signer = signer_start(h->office.dir, SIGNER_FOR_OPERATOR, e);
	return h->signer ? signer_act(h->signer, "", action, approval, made, e) : -1;
}

static struct acts office_acts(struct hand *h)
{
	return (struct acts){ .db = h->office.ledger, .trust = h->office.ca.trust, .site = h->office.settings.site, .now = clock_utc(),
			      .sign = ask_signer, .arg = h };
}

/* The transaction ends; a refusal leaves its row in the audit. */
static int conclude(struct hand *h, int rc, const struct ca_answer *a, struct err *e)
{
	if (rc == 0)
		rc = db_commit(h->office.ledger, e);
	else
		db_rollback(h->office.ledger);
	if (rc == 0 && a->result == CA_REFUSED)
		rc = err_set(e, a->code, "%s", a->text);
	return rc < 0 ? -1 : 0;
}

static int act_local(struct hand *h, const struct buf *cms, struct ca_answer *a, struct err *e)
{
	const struct acts x = office_acts(h);
	struct action action;
	int rc = action_read(&action, cms->data, cms->len, x.trust, e);

	if (rc == 0 && (rc = db_begin(x.db, e)) == 0)
		rc = conclude(h, acts_ask(&x, &action, cms, a, e), a, e);
	action_free(&action);
	return rc;
}

static int approve_local(struct hand *h, const struct buf *cms, struct ca_answer *a, struct err *e)
{
	const struct acts x = office_acts(h);
	struct approval p;
	int rc = approval_read(&p, cms->data, cms->len, x.trust, e);

	if (rc == 0 && (rc = db_begin(x.db, e)) == 0)
		rc = conclude(h, acts_second(&x, &p, cms, a, e), a, e);
	approval_free(&p);
	return rc;
}

/* ---- either ---- */
int hand_act(struct hand *h, struct action *action, struct ca_answer *a, struct err *e)
{
	struct buf cms = {0};
	int rc;

	action_new_id(action);
	action->time = clock_utc();
	rc = act_allowed(action->what, h->op.chain.cert->name, functions_of(h->op.chain.cert), e);
	if (rc == 0)
		rc = action_write(action, h->op.key, &h->op.chain, &cms, e);
	if (rc == 0)
		rc = h->local ? act_local(h, &cms, a, e) : act_remote(h, &cms, a, e);
	buf_free(&cms);
	return rc;
}

static int page(struct hand *h, const struct ca_query *q, struct ca_answer *a, struct err *e)
{
	const struct inquiry local = { .ledger = h->office.ledger, .trust = trust_of(h), .now = clock_utc(), .ca = &h->office.ca,
				       .name = h->office.settings.name };
	struct ca_message *m;
	int rc;

	if (h->local)
		return inquire(&local, q, a, e);
	m = ca_message_new(1);
	m->request[0].kind = CA_QUERY;
	m->request[0].query = *q;
	rc = ask(h, m, CA_PAGE, a, e);
	ca_message_free(m);
	return rc;
}

int hand_action(struct hand *h, const char *id, struct action *action, struct err *e)
{
	struct ca_query q = { .what = ASK_ACTION, .form = CA_DER };
	struct ca_answer a = {0};
	int rc;

	*action = (struct action){0};
	if (text_copy(q.subject, sizeof q.subject, id) < 0)
		return err_set(e, REASON_CONFIG, "%s is no id of an action", id);
	rc = page(h, &q, &a, e);
	if (rc == 0)
		rc = action_read(action, a.data.data, a.data.len, trust_of(h), e);
	if (rc == 0 && strcmp(action->id, id) != 0)
		rc = err_set(e, REASON_REQUEST, "the CA shows action %s for %s", action->id, id);
	ca_answer_free(&a);
	return rc;
}

int hand_approve(struct hand *h, const struct action *action, bool yes, struct ca_answer *a, struct err *e)
{
	struct approval p = { .yes = yes, .time = clock_utc() };
	struct buf cms = {0};
	int rc;

	memcpy(p.action, action->sha256, SHA256_LEN);
	memcpy(p.id, action->id, sizeof p.id);
	rc = approval_write(&p, h->op.key, &h->op.chain, &cms, e);
	if (rc == 0)
		rc = h->local ? approve_local(h, &cms, a, e) : bring(h, CA_APPROVE, &cms, a, e);
	buf_free(&cms);
	return rc;
}

/* What comes over the network is shown on a terminal: no control characters, of ASCII or of UTF-8. */
static void put_text(FILE *out, const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++) {
		uint8_t c = b->data[i];
		bool control = (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f || (c >= 0x80 && c < 0xa0 && i && b->data[i - 1] == 0xc2);

		fputc(control ? '?' : c, out);
	}
}

int hand_query(struct hand *h, struct ca_query *q, FILE *out, size_t *rows, struct err *e)
{
	bool more = true;

	for (*rows = 0; more;) {
		struct ca_answer a = {0};

		if (page(h, q, &a, e) < 0)
			return -1;
		if (q->form == CA_DER)
			fwrite(a.data.data, 1, a.data.len, out);
		else
			put_text(out, &a.data);
		*rows += a.rows;
		more = a.more && a.next > q->after;
		if (a.next > q->after)
			q->after = a.next;
		ca_answer_free(&a);
		if (fflush(out))
			return err_errno(e, REASON_STORAGE, "cannot write");
	}
	return 0;
}

enum cli_exit hand_list(const struct cli *c, struct ca_query *q)
{
	struct hand h;
	size_t rows;
	struct err e;
	int rc;

	if (q->form == CA_TEXT && cli_json(c))
		q->form = CA_JSON;
	if (hand_open(&h, c, &e) < 0)
		return cli_fail(c, &e);
	rc = hand_query(&h, q, stdout, &rows, &e);
	hand_close(&h);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit hand_told(const struct cli *c, const struct ca_answer *a)
{
	struct jsonl *j;

	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "action", a->action);
		jsonl_str(j, "state", ca_acted_name(a->acted));
		jsonl_str(j, "text", a->text);
		jsonl_print(j);
	} else if (a->acted == ACTED_WAITING) {
		printf("action %s waits: %s\n", a->action, a->text);
	} else {
		printf("%s\n", a->text);
	}
	return a->acted == ACTED_WAITING ? EXIT_PARTLY : EXIT_DONE;
}

enum cli_exit hand_do(const struct cli *c, struct hand *h, struct action *action)
{
	struct ca_answer a = {0};
	enum cli_exit code;
	struct err e;

	code = hand_act(h, action, &a, &e) < 0 ? cli_fail(c, &e) : hand_told(c, &a);
	ca_answer_free(&a);
	return code;
}
