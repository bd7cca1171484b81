/* The audit of the authorization database: judged, exported, shown. */
#include <config.h>

#include "cmd_audit.h"

#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "head.h"

const struct cli_option audit_verify_options[] = {
	AUDIT_VERIFY_OPTIONS("roots of the customer's CA, PEM: with --export they alone count, without the node; else older ones"),
	{ 0 },
};
const struct cli_option audit_export_options[] = {
	{ "out", "FILE", "the export; default: standard output", false },
	{ 0 },
};
const struct cli_option audit_tail_options[] = {
	AUDIT_TAIL_OPTIONS,
	{ 0 },
};

/* ---- verify ---- */
/* Whose heads count: this node's, under the root that it has. */
static int own_heads(struct audit_judge *j, const char *dir, struct err *e)
{
	struct chain own = {0}, root = {0};
	char path[FILE_PATH], leaf[FILE_PATH];
	int rc = -1;

	if (file_join(path, e, dir, NODE_CA_ROOT) == 0 && file_join(leaf, e, dir, NODE_OWN ".pem") == 0 &&
	    audit_certificates(&root, j->trust, path, e) == 0 && chain_load(&own, leaf, e) == 0) {
		memcpy(j->name, own.cert[0].name, sizeof j->name);
		rc = 0;
	}
	chain_free(&own);
	chain_free(&root);
	return rc;
}

static int verify(const struct cli *c, struct audit_judge *j, struct err *e)
{
	const char *certificates = cli_get(c, "certificates");
	struct chain given = {0};
	struct db *db = NULL;
	int rc = certificates ? audit_certificates(&given, j->trust, certificates, e) : 0;

	chain_free(&given);
	if (rc == 0 && !(certificates && cli_has(c, "export")))
		rc = own_heads(j, cli_dir(c), e);
	if (rc == 0 && !cli_has(c, "export") && !(db = node_db_open(cli_dir(c), e)))
		rc = -1;
	if (rc == 0)
		rc = audit_verify_all(c, j, db, NODE_DB, j->trust, e);
	db_close(db);
	return rc;
}

enum cli_exit cmd_audit_verify(const struct cli *c)
{
	struct trust *trust = trust_new();
	struct audit_judge j = { .trust = trust, .role = "node" };
	struct err e;
	int rc = verify(c, &j, &e);

	if (rc == 0)
		audit_verified(c, &j);
	audit_judge_free(&j);
	trust_free(trust);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- head, export, tail ---- */
static int new_head(const char *dir, struct db *db, struct audit_head *h, struct node_identity *own, struct err *e)
{
	return node_identity_load(own, dir, NODE_OWN, NODE_OWN, e) < 0 ? -1 : head_make(db, own, h, e);
}

/* As lines of their own, they are all that is needed to judge by it. */
static int print_head(const struct audit_head *h, const struct node_identity *own, struct err *e)
{
	return audit_signer_print(stdout, &own->chain, e) < 0 ? -1 : audit_head_print(stdout, h, e);
}

enum cli_exit cmd_audit_head(const struct cli *c)
{
	struct node_identity own = {0};
	struct audit_head h;
	struct err e;
	struct db *db = node_db_open(cli_dir(c), &e);
	int rc = db ? new_head(cli_dir(c), db, &h, &own, &e) : -1;

	if (rc == 0)
		rc = print_head(&h, &own, &e);
	node_identity_free(&own);
	db_close(db);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* It begins with a head of all its rows: so nothing can be cut off from it. */
enum cli_exit cmd_audit_export(const struct cli *c)
{
	struct audit_source from = { .signers = true };
	struct node_identity own = {0};
	struct audit_head h;
	struct err e;
	int rc = -1;

	from.db = node_db_open(cli_dir(c), &e);
	if (from.db && new_head(cli_dir(c), from.db, &h, &own, &e) < 0)
		fprintf(stderr, "warning: what came since the last head is not signed: %s\n", e.text);
	if (from.db)
		rc = audit_out(c, audit_export, &from, &e);
	node_identity_free(&own);
	db_close(from.db);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit cmd_audit_tail(const struct cli *c)
{
	uint64_t rows;
	struct err e;
	struct db *db = NULL;
	int rc = audit_tail_rows(c, &rows, &e);

	if (rc == 0)
		rc = (db = node_db_open(cli_dir(c), &e)) ? audit_tail(c, db, rows, &e) : -1;
	db_close(db);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
