#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "cmd.h"
#include "crl.h"
#include "file.h"
#include "publish.h"

static int sign(struct office *o, enum crl_of of, struct published *p, struct buf *der, struct err *e)
{
	struct crl_source from = { .ca = &o->ca, .name = "", .ledger = o->ledger };
	int rc;

	from.signer = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (!from.signer)
		return -1;
	rc = crl_make(p, &from, of, o->settings.crl_valid_s, der, e);
	signer_stop(from.signer);
	return rc;
}

/* A root's list is there already: "root crl" made it. */
static int copy(struct office *o, unsigned generation, struct published *p, struct buf *der, struct err *e)
{
	int rc = root_list_read(p, o->dir, generation, der, e);

	return rc == 0 ? err_set(e, REASON_CONFIG, "this root has no list yet; \"handsel-ca root crl\", or a ceremony, makes it") : rc < 0 ? -1 : 0;
}

static int make(struct office *o, const struct cli *c, enum crl_of of, unsigned root, struct published *p, struct err *e)
{
	struct buf der = {0}, pem = {0};
	const char *out;
	int rc;

	if (option_needed(c, "out", &out, e) < 0)
		return -1;
	rc = root ? copy(o, root, p, &der, e) : sign(o, of, p, &der, e);
	if (rc == 0 && cli_get(c, "pem"))
		crl_to_pem(&der, &pem);
	if (rc == 0)
		rc = file_replace(out, pem.len ? pem.data : der.data, pem.len ? pem.len : der.len, 0644, e);
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

void crl_report(const struct cli *c, const char *name, const struct published *p, const char *out)
{
	char from[TEXT_TIME], until[TEXT_TIME];
	struct jsonl *j;

	text_time(from, p->this_update);
	text_time(until, p->next_update);
	if (!cli_json(c)) {
		printf("%s CRL %" PRIu64 " with %zu certificates, good until %s: %s\n", name, p->number, p->entries,
		       until, out);
		return;
	}
	j = jsonl_new("crl");
	jsonl_str(j, "of", name);
	jsonl_int(j, "number", (int64_t)p->number);
	jsonl_int(j, "certificates", (int64_t)p->entries);
	jsonl_str(j, "this_update", from);
	jsonl_str(j, "next_update", until);
	jsonl_str(j, "out", out);
	jsonl_print(j);
}

enum cli_exit cmd_crl(const struct cli *c)
{
	struct published p = {0};
	enum crl_of of = CRL_ISSUING;
	const char *wanted = cli_get(c, "of");
	char name[CRL_NAME];
	unsigned root;
	struct office o;
	struct err e;
	int rc;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	root = wanted ? root_list_parse(&o.ca, wanted) : 0;
	if (wanted && !root && crl_of_parse(&of, &o.ca, wanted) < 0)
		rc = err_set(&e, REASON_CONFIG, "--of %s: write issuing (devices' certificates), unit (those of stations, nodes, ...) or root (CAs'), with -N of "
			     "generation N; \"handsel-ca status\" has their names", wanted);
	else
		rc = make(&o, c, of, root, &p, &e);
	if (root)
		root_list_name(name, root);
	else
		crl_name(name, &o.ca, of);
	office_close(&o);
	if (rc < 0)
		return cli_fail(c, &e);
	crl_report(c, name, &p, cli_get(c, "out"));
	return EXIT_DONE;
}
