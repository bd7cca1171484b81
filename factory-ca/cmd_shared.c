#include <config.h>

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "file.h"
#include "introduce.h"
#include "ledger.h"

int office_open(struct office *o, const struct cli *c, struct err *e)
{
	char dir[FILE_PATH];

	return system_find(dir, cli_dir(c), cli_get(c, "ca"), e) < 0 ? -1 : office_open_at(o, dir, e);
}

/* The unit whose key lies there, and whose hands. */
static void name_actor(struct office *o, const char *login)
{
	char path[FILE_PATH], unit[WHO_MAX] = "operator";
	struct chain ch = {0};
	struct err e;

	if (file_join(path, &e, o->dir, "operator.pem") == 0 && chain_load(&ch, path, &e) == 0)
		who_text(unit, ch.cert);
	chain_free(&ch);
	snprintf(o->actor, sizeof o->actor, "%s %.*s", unit, LIMIT_NAME, login);
}

int office_open_at(struct office *o, const char *dir, struct err *e)
{
	const struct passwd *who = getpwuid(getuid());
	char path[FILE_PATH];

	*o = (struct office){0};
	snprintf(o->dir, sizeof o->dir, "%s", dir);
	name_actor(o, who ? who->pw_name : "nobody");
	if (settings_load(&o->settings, o->dir, e) < 0 || settings_serves(&o->settings, o->dir, e) < 0 ||
	    authority_load(&o->ca, o->dir, e) < 0)
		return -1;
	if (file_join(path, e, o->dir, "ca.db") == 0)
		o->ledger = ledger_open(path, e);
	if (o->ledger)
		return 0;
	office_close(o);
	return -1;
}

void office_close(struct office *o)
{
	if (o->ledger)
		db_close(o->ledger);
	authority_free(&o->ca);
	*o = (struct office){0};
}

int operator_load(struct operator *op, const char *dir, struct err *e)
{
	char cert[FILE_PATH];
	struct settings s;

	*op = (struct operator){0};
	if (settings_load(&s, dir, e) < 0 || file_join(cert, e, dir, "operator.pem") < 0 || chain_load(&op->chain, cert, e) < 0)
		return -1;
	op->key = unit_key_load(&s.place, dir, "operator", &op->chain.cert[0], e);
	if (op->key)
		return 0;
	operator_free(op);
	return -1;
}

void operator_free(struct operator *op)
{
	key_free(op->key);
	chain_free(&op->chain);
	*op = (struct operator){0};
}

static int enter(struct office *o, const struct cert *cert, struct err *e)
{
	int64_t now = clock_utc();
	char subject[CERT_ROLE_MAX + LIMIT_NAME + 2];
	int rc;

	snprintf(subject, sizeof subject, "%s:%s", cert->role, cert->name);
	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = ledger_unit_add(o->ledger, cert, now, e);
	if (rc == 0)
		rc = audit_add(o->ledger, now, o->actor, "unit", subject, cert->serial, e);
	if (rc == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

int unit_certify(struct office *o, struct signer *s, const struct unit_plan *plan, const struct buf *spki,
		 struct chain *ch, struct err *e)
{
	struct buf der = {0};
	int rc = signer_unit(s, plan, spki, &der, e);

	if (rc == 0)
		rc = introduce_unit(ch, &o->ca, &der, e);
	if (rc == 0)
		rc = enter(o, &ch->cert[0], e);
	buf_free(&der);
	return rc;
}

int unit_hosts(struct unit_plan *plan, const struct cli *c, struct err *e)
{
	if (cli_count(c, "host") > SIGNER_HOSTS)
		return err_set(e, REASON_CONFIG, "at most %d --host", SIGNER_HOSTS);
	for (size_t i = 0; i < cli_count(c, "host"); i++)
		if (text_copy(plan->host[i], sizeof plan->host[i], cli_get_n(c, "host", i)) < 0)
			return err_set(e, REASON_CONFIG, "--host %s: too long", cli_get_n(c, "host", i));
	return 0;
}

int csr_load(struct csr *csr, const char *path, struct err *e)
{
	struct buf file = {0}, der = {0};
	int rc = -1;

	if (file_read(&file, path, 4 * LIMIT_CERT, e) == 0 &&
	    (csr_from_pem(&file, &der, e) < 0 || csr_parse(csr, der.data, der.len, e) < 0))
		err_prefix(e, "%s", path);
	else if (csr->spki.len)
		rc = 0;
	buf_free(&file);
	buf_free(&der);
	return rc;
}

int option_needed(const struct cli *c, const char *name, const char **value, struct err *e)
{
	*value = cli_get(c, name);
	return *value && **value ? 0 : err_set(e, REASON_CONFIG, "--%s is missing", name);
}

int reason_needed(const struct cli *c, const char **reason, struct err *e)
{
	if (option_needed(c, "reason", reason, e) < 0)
		return -1;
	return text_is_name(*reason, LIMIT_OPERATOR_TEXT)
		       ? 0 : err_set(e, REASON_CONFIG, "--reason: printable ASCII, at most %d characters", LIMIT_OPERATOR_TEXT);
}

enum cli_exit cli_nothing(const struct cli *c, const struct err *e)
{
	struct jsonl *j;

	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_int(j, "found", 0);
		jsonl_str(j, "text", e->text);
		jsonl_print(j);
	} else {
		fprintf(stderr, "%s\n", e->text);
	}
	return EXIT_NO;
}
