#include <config.h>

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_remote.h"
#include "ledger.h"
#include "mem.h"
#include "order_options.h"
#include "policy.h"

static int issue(struct office *o, const struct cli *c, struct cert *made, struct err *e)
{
	const char *role, *name, *out;
	struct unit_plan plan = {0};
	struct csr csr = {0};
	struct chain ch = {0};
	struct signer *s = NULL;
	int rc = -1;

	if (option_needed(c, "role", &role, e) < 0 || option_needed(c, "name", &name, e) < 0 ||
	    option_needed(c, "out", &out, e) < 0 || unit_hosts(&plan, c, e) < 0 || csr_load(&csr, cli_arg(c, 0), e) < 0)
		goto out;
	if (text_copy(plan.role, sizeof plan.role, role) < 0 || text_copy(plan.name, sizeof plan.name, name) < 0) {
		err_set(e, REASON_CONFIG, "--role or --name is too long");
		goto out;
	}
	s = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (!s || unit_certify(o, s, &plan, &csr.spki, &ch, e) < 0 || chain_save(&ch, out, e) < 0)
		goto out;
	*made = ch.cert[0];
	ch.cert[0] = (struct cert){0};
	rc = 0;
out:
	signer_stop(s);
	chain_free(&ch);
	csr_free(&csr);
	return rc;
}

enum cli_exit cmd_unit_issue(const struct cli *c)
{
	struct cert made = {0};
	struct office o;
	struct jsonl *j;
	struct err e;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	if (issue(&o, c, &made, &e) < 0) {
		office_close(&o);
		return cli_fail(c, &e);
	}
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "role", made.role);
		jsonl_str(j, "name", made.name);
		jsonl_str(j, "certificate_serial", made.serial);
		jsonl_str(j, "out", cli_get(c, "out"));
		jsonl_print(j);
	} else {
		printf("%s:%s certified, serial %s, in %s\n", made.role, made.name, made.serial, cli_get(c, "out"));
	}
	cert_free(&made);
	office_close(&o);
	return EXIT_DONE;
}

/* ---- invite ---- */
#define INVITE_VALID "1d"

int invitation_from(struct invitation *v, const struct cli *c, struct err *e)
{
	const char *role, *name;

	if (option_needed(c, "role", &role, e) < 0 || option_needed(c, "name", &name, e) < 0)
		return -1;
	if (strcmp(role, PERSON) == 0)
		return err_set(e, REASON_CONFIG, "--role person: a person has functions; use \"handsel-ca operator invite NAME --function F\"");
	return invitation_make(v, role, name, c, e);
}

int invitation_make(struct invitation *v, const char *role, const char *name, const struct cli *c, struct err *e)
{
	const char *valid = cli_get(c, "valid");
	int64_t seconds;

	if (option_valid(&seconds, valid ? valid : INVITE_VALID, e) < 0)
		return -1;
	if (policy_role(role) == ROLE_OTHER || text_copy(v->role, sizeof v->role, role) < 0)
		return err_set(e, REASON_CONFIG, "--role %s: no unit has it; see handsel-ca(1)", role);
	if (!text_is_token(name, LIMIT_NAME) || text_copy(v->name, sizeof v->name, name) < 0)
		return err_set(e, REASON_CONFIG, "--name %s: letters, digits, \".\", \"_\" and \"-\"", name);
	if (cli_count(c, "host") > INVITATION_HOSTS)
		return err_set(e, REASON_CONFIG, "at most %d --host", INVITATION_HOSTS);
	for (size_t i = 0; i < cli_count(c, "host"); i++)
		if (text_copy(v->host[i], sizeof v->host[i], cli_get_n(c, "host", i)) < 0)
			return err_set(e, REASON_CONFIG, "--host %s: too long", cli_get_n(c, "host", i));
	if (seconds > INVITATION_MAX_S)
		return err_set(e, REASON_CONFIG, "--valid %s: a code is good for %d days at most", valid, INVITATION_MAX_S / 86400);
	v->not_before = clock_utc();
	v->not_after = v->not_before + seconds;
	return 0;
}

int invitation_enter(struct db *ledger, const struct invitation *v, const struct buf *cms, const char *actor, struct err *e)
{
	char subject[CERT_ROLE_MAX + LIMIT_NAME + 2], until[TEXT_TIME];
	int64_t now = clock_utc();

	snprintf(subject, sizeof subject, "%s:%s", v->role, v->name);
	text_time(until, v->not_after);
	return ledger_invitation_add(ledger, v, cms, now, e) < 0 ? -1 : audit_add(ledger, now, actor, "invite", subject, until, e);
}

/* The code is shown once and kept nowhere. */
static int invite(struct office *o, const struct cli *c, struct invitation *v, char text[INVITE_TEXT], struct err *e)
{
	struct operator op = {0};
	struct invite code;
	struct buf cms = {0};
	int rc = -1;

	invite_new(&code, o->ca.root.cert->sha256);
	invite_public(&code, v->key);
	if (invitation_from(v, c, e) == 0 && operator_load(&op, o->dir, e) == 0 &&
	    invitation_write(v, op.key, &op.chain, &cms, e) == 0 && db_begin(o->ledger, e) == 0) {
		snprintf(v->operator_name, sizeof v->operator_name, "%s", op.chain.cert->name);
		rc = invitation_enter(o->ledger, v, &cms, o->actor, e);
		if (rc == 0)
			rc = db_commit(o->ledger, e);
		else
			db_rollback(o->ledger);
	}
	invite_text(&code, text);
	mem_wipe(&code, sizeof code);
	operator_free(&op);
	buf_free(&cms);
	return rc;
}

void invitation_show(const struct cli *c, const struct invitation *v, const char *text)
{
	char until[TEXT_TIME];
	struct jsonl *j;

	text_time(until, v->not_after);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "role", v->role);
		jsonl_str(j, "name", v->name);
		jsonl_str(j, "code", text);
		jsonl_str(j, "not_after", until);
		jsonl_print(j);
	} else {
		printf("%s\n", text);
		fprintf(stderr, "for %s:%s, once, until %s; it is kept nowhere: give it to that unit as --code\n", v->role, v->name, until);
	}
}

enum cli_exit cmd_unit_invite(const struct cli *c)
{
	char text[INVITE_TEXT];
	struct invitation v = {0};
	struct office o;
	struct err e;
	int rc;

	if (hand_is_remote(c))
		return remote_unit_invite(c);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = invite(&o, c, &v, text, &e);
	office_close(&o);
	if (rc < 0)
		return cli_fail(c, &e);
	invitation_show(c, &v, text);
	mem_wipe(text, sizeof text);
	return EXIT_DONE;
}
