#include <config.h>

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_remote.h"
#include "introduce.h"
#include "documents.h"
#include "factories.h"
#include "file.h"

static int note(struct office *o, const char *action, const char *subject, const char *detail, struct err *e)
{
	int rc;

	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = audit_add(o->ledger, clock_utc(), o->actor, action, subject, detail, e);
	if (rc == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

/* ---- the factory's side ---- */
static int certify_node(struct office *o, const struct cli *c, struct handoff *h, struct err *e)
{
	struct unit_plan plan = { .role = "node" };
	const char *customer, *name;
	struct signer *s = NULL;
	struct csr csr = {0};
	int rc = -1;

	if (option_needed(c, "customer", &customer, e) < 0 || option_needed(c, "name", &name, e) < 0 ||
	    unit_hosts(&plan, c, e) < 0 || csr_load(&csr, cli_arg(c, 0), e) < 0)
		goto out;
	if (text_copy(plan.name, sizeof plan.name, name) < 0 ||
	    text_copy(plan.customer, sizeof plan.customer, customer) < 0) {
		err_set(e, REASON_CONFIG, "--customer or --name is too long");
		goto out;
	}
	snprintf(h->customer, sizeof h->customer, "%s", customer);
	snprintf(h->manufacturer, sizeof h->manufacturer, "%s", o->settings.name);
	s = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (s)
		rc = unit_certify(o, s, &plan, &csr.spki, &h->node, e);
out:
	signer_stop(s);
	csr_free(&csr);
	return rc;
}

static int grant(struct office *o, const struct cli *c, struct err *e)
{
	struct operator op = {0};
	struct handoff h = {0};
	struct buf cms = {0};
	const char *out;
	int rc = -1;

	if (o->settings.site != SITE_FACTORY)
		return err_set(e, REASON_CONFIG, "a handoff is granted by a factory; this is a customer's CA system");
	if (option_needed(c, "out", &out, e) < 0 || operator_load(&op, o->dir, e) < 0 ||
	    certify_node(o, c, &h, e) < 0 || introduce_factory(&h.factory, &o->ca, e) < 0 ||
	    handoff_write(&h, op.key, &op.chain, &cms, e) < 0)
		goto out;
	if (note(o, "handoff", h.customer, h.node.cert[0].serial, e) == 0)
		rc = file_replace(out, cms.data, cms.len, 0644, e);
out:
	buf_free(&cms);
	handoff_free(&h);
	operator_free(&op);
	return rc;
}

void handoff_told(const struct cli *c, const char *customer, const char *root)
{
	struct jsonl *j;

	if (!cli_json(c)) {
		printf("handoff for customer %s in %s\ntell the customer the root fingerprint by another way: %s\n", customer, cli_get(c, "out"), root);
		return;
	}
	j = jsonl_new("result");
	jsonl_str(j, "customer", customer);
	jsonl_str(j, "out", cli_get(c, "out"));
	jsonl_str(j, "root_sha256", root);
	jsonl_print(j);
}

enum cli_exit cmd_handoff_grant(const struct cli *c)
{
	char root[SHA256_HEX];
	struct office o;
	struct err e;

	if (hand_is_remote(c))
		return remote_handoff_grant(c);
	if (!cli_args(c) || cli_has(c, "action"))
		return cli_fail(c, (err_set(&e, REASON_CONFIG, "name the node's request; --action goes with --server and --as"), &e));
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	if (grant(&o, c, &e) < 0) {
		office_close(&o);
		return cli_fail(c, &e);
	}
	text_hex(root, (o.ca.overlap ? &o.ca.older_root : &o.ca.root)->cert->sha256, SHA256_LEN);
	handoff_told(c, cli_get(c, "customer"), root);
	office_close(&o);
	return EXIT_DONE;
}

/* ---- the customer's side: the factory's chain, to check what devices of that factory have signed ---- */
static int keep(struct office *o, const struct handoff *h, struct err *e)
{
	char hash[SHA256_HEX];

	text_hex(hash, h->factory.cert[h->factory.n - 1].sha256, SHA256_LEN);
	if (factories_accept(o->dir, h, e) < 0)
		return -1;
	return note(o, "handoff", h->manufacturer, hash, e);
}

static int accept_bundle(struct office *o, const struct cli *c, struct handoff *h, struct err *e)
{
	uint8_t root[SHA256_LEN];
	struct buf cms = {0};
	const char *hex;
	int rc = -1;

	if (option_needed(c, "root-fingerprint", &hex, e) < 0)
		return -1;
	if (text_unhex(root, sizeof root, hex) < 0)
		return err_set(e, REASON_CONFIG,
			       "--root-fingerprint: 64 hex digits, as \"handsel-ca init\" of the factory printed them");
	if (o->settings.site != SITE_CUSTOMER)
		return err_set(e, REASON_CONFIG, "a handoff is accepted by a customer; this is a factory's CA system");
	if (file_read(&cms, cli_arg(c, 0), 0, e) == 0 && handoff_read(h, cms.data, cms.len, root, e) == 0)
		rc = keep(o, h, e);
	buf_free(&cms);
	return rc;
}

enum cli_exit cmd_handoff_accept(const struct cli *c)
{
	struct handoff h = {0};
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = accept_bundle(&o, c, &h, &e);
	office_close(&o);
	if (rc == 0 && cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "manufacturer", h.manufacturer);
		jsonl_str(j, "customer", h.customer);
		jsonl_print(j);
	} else if (rc == 0) {
		printf("devices of %s are known here\n", h.manufacturer);
	}
	handoff_free(&h);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
