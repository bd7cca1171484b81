#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "cmd.h"
#include "crl.h"
#include "file.h"
#include "publish.h"

static int make(struct office *o, const struct cli *c, enum crl_of of, struct published *p, struct err *e)
{
	struct buf der = {0}, pem = {0};
	const char *out;
	struct signer *s;
	int rc;

	if (option_needed(c, "out", &out, e) < 0)
		return -1;
	s = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (!s)
		return -1;
	rc = crl_make(p, "", of, o->ledger, s, o->settings.crl_valid_s, &der, e);
	signer_stop(s);
	if (rc == 0 && cli_get(c, "pem"))
		crl_to_pem(&der, &pem);
	if (rc == 0)
		rc = file_replace(out, pem.len ? pem.data : der.data, pem.len ? pem.len : der.len, 0644, e);
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

static void print(const struct cli *c, enum crl_of of, const struct published *p)
{
	char from[TEXT_TIME], until[TEXT_TIME];
	struct jsonl *j;

	text_time(from, p->this_update);
	text_time(until, p->next_update);
	if (!cli_json(c)) {
		printf("%s CRL %" PRIu64 " with %zu certificates, good until %s: %s\n", crl_name(of), p->number, p->entries,
		       until, cli_get(c, "out"));
		return;
	}
	j = jsonl_new("crl");
	jsonl_str(j, "of", crl_name(of));
	jsonl_int(j, "number", (int64_t)p->number);
	jsonl_int(j, "certificates", (int64_t)p->entries);
	jsonl_str(j, "this_update", from);
	jsonl_str(j, "next_update", until);
	jsonl_str(j, "out", cli_get(c, "out"));
	jsonl_print(j);
}

enum cli_exit cmd_crl(const struct cli *c)
{
	struct published p = {0};
	enum crl_of of = CRL_ISSUING;
	struct office o;
	struct err e;
	int rc;

	if (cli_get(c, "of") && crl_of_parse(&of, cli_get(c, "of")) < 0) {
		err_set(&e, REASON_CONFIG, "--of %s: write issuing (devices' certificates) or unit (those of stations, nodes, ...)",
			cli_get(c, "of"));
		return cli_fail(c, &e);
	}
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = make(&o, c, of, &p, &e);
	office_close(&o);
	if (rc < 0)
		return cli_fail(c, &e);
	print(c, of, &p);
	return EXIT_DONE;
}
