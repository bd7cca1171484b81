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
	struct crl_source from = { .ca = &o->ca, .name = "", .ledger = o->ledger };
	struct buf der = {0}, pem = {0};
	const char *out;
	int rc;

	if (option_needed(c, "out", &out, e) < 0)
		return -1;
	from.signer = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (!from.signer)
		return -1;
	rc = crl_make(p, &from, of, o->settings.crl_valid_s, &der, e);
	signer_stop(from.signer);
	if (rc == 0 && cli_get(c, "pem"))
		crl_to_pem(&der, &pem);
	if (rc == 0)
		rc = file_replace(out, pem.len ? pem.data : der.data, pem.len ? pem.len : der.len, 0644, e);
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

static void print(const struct cli *c, const char *name, const struct published *p)
{
	char from[TEXT_TIME], until[TEXT_TIME];
	struct jsonl *j;

	text_time(from, p->this_update);
	text_time(until, p->next_update);
	if (!cli_json(c)) {
		printf("%s CRL %" PRIu64 " with %zu certificates, good until %s: %s\n", name, p->number, p->entries,
		       until, cli_get(c, "out"));
		return;
	}
	j = jsonl_new("crl");
	jsonl_str(j, "of", name);
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
	char name[CRL_NAME];
	struct office o;
	struct err e;
	int rc;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	if (cli_get(c, "of") && crl_of_parse(&of, &o.ca, cli_get(c, "of")) < 0)
		rc = err_set(&e, REASON_CONFIG, "--of %s: write issuing (devices' certificates) or unit (those of stations, nodes, ...), with -N of "
			     "generation N; \"handsel-ca status\" has their names", cli_get(c, "of"));
	else
		rc = make(&o, c, of, &p, &e);
	crl_name(name, &o.ca, of);
	office_close(&o);
	if (rc < 0)
		return cli_fail(c, &e);
	print(c, name, &p);
	return EXIT_DONE;
}
