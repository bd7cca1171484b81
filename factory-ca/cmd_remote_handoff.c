/* handoff grant over the network: the act, then the bundle, which the person verifies and signs. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cmd_remote.h"
#include "document.h"
#include "file.h"
#include "mem.h"
#include "oid.h"

static int hosts_set(struct action *a, const struct cli *c, struct err *e)
{
	size_t at = 0;

	for (size_t i = 0; i < cli_count(c, "host"); i++) {
		int n = snprintf(a->hosts + at, sizeof a->hosts - at, "%s%s", at ? " " : "", cli_get_n(c, "host", i));

		if (n < 0 || (size_t)n >= sizeof a->hosts - at || strchr(cli_get_n(c, "host", i), ' '))
			return err_set(e, REASON_CONFIG, "--host: at most %d names or addresses, without blanks", INVITATION_HOSTS);
		at += (size_t)n;
	}
	return 0;
}

static int make_grant(struct action *a, const struct cli *c, struct err *e)
{
	const char *customer, *name;
	struct csr csr = {0};
	int rc = -1;

	a->what = ACT_HANDOFF;
	if (!cli_args(c))
		return err_set(e, REASON_CONFIG, "name the node's request, or --action ID");
	if (option_needed(c, "customer", &customer, e) < 0 || option_needed(c, "name", &name, e) < 0 || hosts_set(a, c, e) < 0 ||
	    csr_load(&csr, cli_arg(c, 0), e) < 0)
		return -1;
	if (text_copy(a->subject, sizeof a->subject, customer) < 0 || text_copy(a->name, sizeof a->name, name) < 0)
		err_set(e, REASON_CONFIG, "--customer or --name is too long");
	else
		rc = (buf_set(&a->document, csr.der.data, csr.der.len), 0);
	csr_free(&csr);
	return rc;
}

/* ---- the bundle ---- */
/* The root by which the customer will know the factory: this person's own, or in an overlap one that it has certified. */
static bool knows_root(const struct handoff *h, const struct cert *own)
{
	const struct cert *last = &h->factory.cert[h->factory.n - 1];
	struct err why;

	if (memcmp(last->sha256, own->sha256, SHA256_LEN) == 0)
		return true;
	for (size_t i = 0; i < h->factory.n; i++)
		if (memcmp(h->factory.cert[i].spki_sha256, last->spki_sha256, SHA256_LEN) == 0 && cert_signed_by(&h->factory.cert[i], own, &why) == 0)
			return true;
	return false;
}

/* What the CA says is believed as far as its root vouches for it: the node's certificate is of the key that the action names, for that
 * customer, and the root is one that this person knows. */
static int judge(const struct handoff *h, const struct action *a, struct hand *hand, struct err *e)
{
	const struct trust_rule rule = { .purpose = PURPOSE_SERVER, .policy = OID_POLICY_UNIT, .role = "node", .now = clock_utc() };
	struct csr csr = {0};
	int rc = trust_verify(hand->trust, &h->node, &rule, e);

	if (rc == 0)
		rc = csr_parse(&csr, a->document.data, a->document.len, e);
	if (rc == 0 && (strcmp(h->customer, a->subject) != 0 || strcmp(h->node.cert[0].name, a->name) != 0 ||
			memcmp(h->node.cert[0].spki_sha256, csr.spki_sha256, SHA256_LEN) != 0))
		rc = err_set(e, REASON_REQUEST, "the CA shows another node than action %s introduces", a->id);
	if (rc == 0 && !knows_root(h, &hand->root.cert[0]))
		rc = err_set(e, REASON_AUTHORITY, "the CA names a root of which yours knows nothing; have yourself invited again, and enrol anew");
	csr_free(&csr);
	return rc;
}

static int fetch(struct hand *h, const char *id, struct handoff *bundle, struct err *e)
{
	struct ca_query q = { .what = ASK_HANDOFF, .form = CA_DER };
	struct buf xml = {0};
	size_t len = 0, rows;
	char *text = NULL;
	FILE *to;
	int rc;

	if (text_copy(q.subject, sizeof q.subject, id) < 0)
		return err_set(e, REASON_CONFIG, "%s is no id of an action", id);
	to = open_memstream(&text, &len);
	if (!to)
		return err_errno(e, REASON_INTERNAL, "open_memstream");
	rc = hand_query(h, &q, to, &rows, e);
	fclose(to);
	if (rc == 0)
		buf_set(&xml, text, len);
	if (rc == 0)
		rc = handoff_parse(bundle, &xml, e);
	buf_free(&xml);
	free(text);
	return rc;
}

static int bundle(struct hand *h, const struct cli *c, const char *id, struct err *e)
{
	struct handoff b = {0};
	struct action a = {0};
	struct buf cms = {0};
	char root[SHA256_HEX];
	int rc = hand_action(h, id, &a, e);

	if (rc == 0)
		rc = fetch(h, id, &b, e);
	if (rc == 0)
		rc = judge(&b, &a, h, e);
	if (rc == 0)
		rc = handoff_write(&b, h->op.key, &h->op.chain, &cms, e);
	if (rc == 0)
		rc = file_replace(cli_get(c, "out"), cms.data, cms.len, 0644, e);
	if (rc == 0) {
		text_hex(root, b.factory.cert[b.factory.n - 1].sha256, SHA256_LEN);
		handoff_told(c, b.customer, root);
	}
	handoff_free(&b);
	action_free(&a);
	buf_free(&cms);
	return rc;
}

/* ---- the command ---- */
/* What waits is told as any act is. */
static enum cli_exit grant(const struct cli *c, struct hand *h)
{
	struct action a = {0};
	struct ca_answer answer = {0};
	const char *id = cli_get(c, "action");
	enum cli_exit code = EXIT_DONE;
	struct err e;
	int rc = 0;

	if (!id) {
		rc = make_grant(&a, c, &e);
		if (rc == 0)
			rc = hand_act(h, &a, &answer, &e);
		id = answer.action;
	}
	if (rc == 0 && answer.acted == ACTED_WAITING)
		code = hand_told(c, &answer);
	else if (rc == 0)
		rc = bundle(h, c, id, &e);
	if (rc < 0)
		code = cli_fail(c, &e);
	action_free(&a);
	ca_answer_free(&answer);
	return code;
}

enum cli_exit remote_handoff_grant(const struct cli *c)
{
	enum cli_exit code;
	const char *out;
	struct hand h;
	struct err e;

	if (option_needed(c, "out", &out, &e) < 0 || hand_open(&h, c, &e) < 0)
		return cli_fail(c, &e);
	code = grant(c, &h);
	hand_close(&h);
	return code;
}
