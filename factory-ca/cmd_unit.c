#include <config.h>

#include <stdio.h>

#include "cmd.h"

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
