/* operator, action: persons who act for this CA, and what waits for a second one. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "enrolment.h"
#include "file.h"
#include "hand.h"
#include "mem.h"

/* ---- operator enrol ---- */
struct enrolling {
	const char *dir;
	struct url url;
	struct invite code;
	struct chain root, chain;
	struct key *key;
	struct unit_place place;
};

/* Before there is a certificate: where his key is. */
static int save_place(struct enrolling *x, struct err *e)
{
	struct buf yaml = {0};
	char path[FILE_PATH];
	int rc = -1;

	buf_str(&yaml, "version: 1\n");
	unit_place_write(&x->place, &yaml);
	if (file_join(path, e, x->dir, "person.yaml") == 0)
		rc = file_replace(path, yaml.data, yaml.len, 0644, e);
	buf_free(&yaml);
	return rc;
}

/* Root and unit CA, for "audit verify --export". */
static int save_cas(struct enrolling *x, struct err *e)
{
	struct chain unit = { .cert = x->chain.cert + 1, .n = x->chain.n > 1 };
	struct buf pem = {0};
	char path[FILE_PATH];
	int rc;

	chain_to_pem(&x->root, &pem);
	chain_to_pem(&unit, &pem);
	rc = file_join(path, e, x->dir, "ca.pem") < 0 ? -1 : file_replace(path, pem.data, pem.len, 0644, e);
	buf_free(&pem);
	return rc;
}

/* The key is kept: asked again after a cut it gets the same certificate, though the code is used. */
static int enrol(struct enrolling *x, const struct cli *c, struct err *e)
{
	const char *code, *server;
	char path[FILE_PATH];

	if (option_needed(c, "server", &server, e) < 0 || option_needed(c, "as", &x->dir, e) < 0 || option_needed(c, "code", &code, e) < 0)
		return -1;
	if (url_parse(&x->url, server, e) < 0)
		return err_prefix(e, "--server");
	if (invite_parse(&x->code, code, e) < 0 || file_join(path, e, x->dir, "person.pem") < 0)
		return -1;
	if (file_exists(path))
		return err_set(e, REASON_CONFIG, "%s exists: this folder is an operator's already; take another --as", path);
	if (enrolment_root(&x->url, cli_get(c, "ca"), &x->code, &x->root, e) < 0 || file_mkdir(x->dir, e) < 0 ||
	    save_place(x, e) < 0 || !(x->key = unit_key_make(&x->place, x->dir, "person", e)) ||
	    chain_save_in(&x->root, x->dir, "root.pem", e) < 0 ||
	    enrolment_enrol(&x->url, cli_get(c, "ca"), &x->root, &x->code, x->key, &x->chain, e) < 0)
		return -1;
	if (strcmp(x->chain.cert[0].role, PERSON) != 0)
		return err_set(e, REASON_ROLE, "the code is for a unit of role %s, and makes no operator", x->chain.cert[0].role);
	return save_cas(x, e) < 0 ? -1 : chain_save_in(&x->chain, x->dir, "person.pem", e);
}

enum cli_exit cmd_operator_enrol(const struct cli *c)
{
	struct enrolling x = {0};
	struct err e = {0};
	int rc = unit_place_options(&x.place, c, &e) < 0 ? -1 : enrol(&x, c, &e);
	struct jsonl *j;

	mem_wipe(&x.code, sizeof x.code);
	if (rc == 0 && cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "name", x.chain.cert[0].name);
		jsonl_str(j, "functions", x.chain.cert[0].functions);
		jsonl_str(j, "certificate_serial", x.chain.cert[0].serial);
		jsonl_str(j, "as", x.dir);
		jsonl_print(j);
	} else if (rc == 0) {
		printf("%s is operator %s now (%s)\n", x.dir, x.chain.cert[0].name, x.chain.cert[0].functions);
	}
	key_free(x.key);
	chain_free(&x.root);
	chain_free(&x.chain);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- operator invite ---- */
enum cli_exit hand_invite(const struct cli *c, struct action *action, struct invitation *v)
{
	char text[INVITE_TEXT] = "";
	struct ca_answer a = {0};
	struct invite code;
	struct hand h;
	struct err e;
	int rc = hand_open(&h, c, &e);

	if (rc < 0)
		return cli_fail(c, &e);
	invite_new(&code, h.local ? h.office.ca.root.cert->sha256 : h.root.cert->sha256);
	invite_public(&code, v->key);
	invite_text(&code, text);
	mem_wipe(&code, sizeof code);
	rc = invitation_write(v, h.op.key, &h.op.chain, &action->document, &e);
	if (rc == 0)
		rc = hand_act(&h, action, &a, &e);
	if (rc == 0)
		invitation_show(c, v, text);
	if (rc == 0 && a.acted == ACTED_WAITING)
		fprintf(stderr, "action %s waits: %s; the code is good only then\n", a.action, a.text);
	mem_wipe(text, sizeof text);
	hand_close(&h);
	ca_answer_free(&a);
	buf_free(&action->document);
	return rc < 0 ? cli_fail(c, &e) : a.acted == ACTED_WAITING ? EXIT_PARTLY : EXIT_DONE;
}

static int functions_from(struct invitation *v, const struct cli *c, struct err *e)
{
	unsigned set = 0, bit;

	for (size_t i = 0; i < cli_count(c, "function"); i++) {
		bit = functions_parse(cli_get_n(c, "function", i));
		if (!bit)
			return err_set(e, REASON_CONFIG, "--function %s: must be clerk, ra, auditor or administrator", cli_get_n(c, "function", i));
		set |= bit;
	}
	if (!set)
		return err_set(e, REASON_CONFIG, "--function is missing: clerk, ra, auditor or administrator; may be repeated");
	functions_text(v->functions, set, ".");
	return 0;
}

enum cli_exit cmd_operator_invite(const struct cli *c)
{
	struct action a = { .what = ACT_OPERATOR_INVITE };
	struct invitation v = {0};
	struct err e;

	if (functions_from(&v, c, &e) < 0 || invitation_make(&v, PERSON, cli_arg(c, 0), c, &e) < 0)
		return cli_fail(c, &e);
	return hand_invite(c, &a, &v);
}

/* ---- operator list, revoke, two-person; unit list ---- */
enum cli_exit cmd_operator_list(const struct cli *c)
{
	struct ca_query q = { .what = ASK_OPERATORS };

	return hand_list(c, &q);
}

enum cli_exit cmd_unit_list(const struct cli *c)
{
	struct ca_query q = { .what = ASK_UNITS };

	return hand_list(c, &q);
}

static enum cli_exit act(const struct cli *c, struct action *a)
{
	enum cli_exit code;
	struct hand h;
	struct err e;

	if (hand_open(&h, c, &e) < 0)
		return cli_fail(c, &e);
	code = hand_do(c, &h, a);
	hand_close(&h);
	return code;
}

enum cli_exit cmd_operator_revoke(const struct cli *c)
{
	struct action a = { .what = ACT_OPERATOR_REVOKE };
	const char *reason;
	struct err e;

	if (reason_needed(c, &reason, &e) < 0)
		return cli_fail(c, &e);
	snprintf(a.reason, sizeof a.reason, "%s", reason);
	if (snprintf(a.subject, sizeof a.subject, "%s:%s", cli_has(c, "local") ? "operator" : PERSON, cli_arg(c, 0)) >= (int)sizeof a.subject) {
		err_set(&e, REASON_CONFIG, "%s: too long", cli_arg(c, 0));
		return cli_fail(c, &e);
	}
	return act(c, &a);
}

enum cli_exit cmd_operator_two_person(const struct cli *c)
{
	struct action a = { .what = ACT_TWO_PERSON };
	struct err e;

	if (!cli_args(c) != cli_has(c, "none")) {
		err_set(&e, REASON_CONFIG, "name the acts that need two persons, or give --none");
		return cli_fail(c, &e);
	}
	for (size_t i = 0; i < cli_args(c); i++) {
		enum act one;

		if (act_parse(cli_arg(c, i), &one) < 0) {
			char all[ACTS_TEXT];

			acts_text(all, (1u << ACT_COUNT) - 1);
			err_set(&e, REASON_CONFIG, "%s is no act; these are: %s", cli_arg(c, i), all);
			return cli_fail(c, &e);
		}
		a.guarded |= 1u << one;
	}
	return act(c, &a);
}

/* ---- action ---- */
enum cli_exit cmd_action_list(const struct cli *c)
{
	struct ca_query q = { .what = ASK_ACTIONS };

	return hand_list(c, &q);
}

static int show(const struct cli *c, struct hand *h, const struct action *a, struct err *e)
{
	struct trust *t = h->local ? h->office.ca.trust : h->trust;
	struct buf text = {0};
	struct jsonl *j;
	int rc = action_tell(a, t, &text, e);

	if (rc == 0 && cli_json(c)) {
		j = jsonl_new("action");
		jsonl_str(j, "id", a->id);
		jsonl_str(j, "what", act_name(a->what));
		jsonl_str(j, "text", buf_text(&text));
		jsonl_print(j);
	} else if (rc == 0) {
		fputs(buf_text(&text), stdout);
	}
	buf_free(&text);
	return rc;
}

/* What is approved is shown first, from the signed bytes. */
static enum cli_exit look(const struct cli *c, const bool *verdict)
{
	struct ca_answer a = {0};
	struct action action = {0};
	enum cli_exit code = EXIT_DONE;
	struct hand h;
	struct err e;
	int rc = hand_open(&h, c, &e);

	if (rc < 0)
		return cli_fail(c, &e);
	rc = hand_action(&h, cli_arg(c, 0), &action, &e);
	if (rc == 0 && (!verdict || !cli_json(c)))
		rc = show(c, &h, &action, &e);
	if (rc == 0 && verdict)
		rc = hand_approve(&h, &action, *verdict, &a, &e);
	if (rc < 0)
		code = cli_fail(c, &e);
	else if (verdict)
		code = hand_told(c, &a);
	if (code == EXIT_DONE && verdict && *verdict != (a.acted == ACTED_DONE))	/* decided otherwise before */
		code = EXIT_NO;
	ca_answer_free(&a);
	action_free(&action);
	hand_close(&h);
	return code;
}

enum cli_exit cmd_action_show(const struct cli *c)
{
	return look(c, NULL);
}

enum cli_exit cmd_action_approve(const struct cli *c)
{
	const bool yes = true;

	return look(c, &yes);
}

enum cli_exit cmd_action_reject(const struct cli *c)
{
	const bool no = false;

	return look(c, &no);
}
