/* The audit of the ledger: judged, exported, shown. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "cmd_audit.h"
#include "cmd_remote.h"
#include "heads.h"
#include "limits.h"
#include "mem.h"

/* ---- whose heads count ---- */
/* The unit CAs of all generations: heads of long ago stay good. */
static int own_cas(const struct office *o, struct chain *cas, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];

	for (unsigned n = 1; n <= o->ca.generation; n++)
		if (generation_path(folder, o->dir, n, e) < 0 || file_join(path, e, folder, "unit.pem") < 0 || chain_load(cas, path, e) < 0)
			return -1;
	return 0;
}

/* ---- verify ---- */
struct verify {
	const struct cli *c;
	struct office office;
	bool opened;
	struct chain cas;
	struct trust *given;		/* NULL: the office's */
	struct audit_judge judge;
};

/* What the signer has read, and signs again: no file stands between. */
static int signers_head(struct verify *v, struct err *e)
{
	struct signer *s = signer_start(v->office.dir, SIGNER_FOR_OPERATOR, e);
	struct audit_page none = {0};
	struct audit_head h;
	int rc = s ? signer_head(s, "", &none, false, &h, e) : -1;

	if (rc == 0 && h.at.n)
		rc = signer_head(s, "", &none, true, &h, e);
	if (rc == 0 && h.at.n)
		rc = audit_judge_head(&v->judge, &h, "the signer", e);
	signer_stop(s);
	return rc;
}

static int prepare(struct verify *v, struct err *e)
{
	const char *certificates = cli_get(v->c, "certificates");
	int rc;

	if (certificates && !cli_has(v->c, "export"))
		return err_set(e, REASON_CONFIG, "--certificates goes with --export; the ledger's are at hand");
	if (cli_has(v->c, "export") && cli_has(v->c, "signer"))
		return err_set(e, REASON_CONFIG, "--signer goes with the ledger, not with an export");
	if (certificates) {
		v->given = trust_new();
		rc = audit_certificates(&v->cas, v->given, certificates, e);
	} else if (office_open(&v->office, v->c, e) < 0) {
		return -1;
	} else {
		v->opened = true;
		rc = own_cas(&v->office, &v->cas, e);
	}
	v->judge.cas = v->cas.cert;
	v->judge.n_cas = v->cas.n;
	return rc;
}

static int verify(struct verify *v, struct err *e)
{
	struct trust *trust = v->given ? v->given : v->office.ca.trust;

	if (cli_has(v->c, "signer") && signers_head(v, e) < 0)
		return -1;
	return audit_verify_all(v->c, &v->judge, v->office.ledger, "ca.db", trust, e);
}

enum cli_exit cmd_audit_verify(const struct cli *c)
{
	struct verify v = { .c = c };
	struct err e;
	int rc = prepare(&v, &e);

	if (rc == 0)
		rc = verify(&v, &e);
	if (rc == 0)
		audit_verified(c, &v.judge);
	audit_judge_free(&v.judge);
	chain_free(&v.cas);
	if (v.given)
		trust_free(v.given);
	if (v.opened)
		office_close(&v.office);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- export, tail ---- */
enum cli_exit cmd_audit_export(const struct cli *c)
{
	struct audit_source from = {0};
	struct office o;
	struct err e;
	int rc;

	if (hand_is_remote(c))
		return remote_audit_export(c);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	from.db = o.ledger;
	rc = audit_out(c, audit_export, &from, &e);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit cmd_audit_tail(const struct cli *c)
{
	uint64_t rows;
	struct office o;
	struct err e;
	int rc;

	if (audit_tail_rows(c, &rows, &e) < 0)
		return cli_fail(c, &e);
	if (hand_is_remote(c))
		return remote_audit_tail(c, rows);
	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = audit_tail(c, o.ledger, rows, &e);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- head, and a new history ---- */
static int keep_head(struct office *o, const struct audit_head *h, struct err *e)
{
	if (db_begin(o->ledger, e) < 0)
		return -1;
	if (audit_head_put(o->ledger, h, e) == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

static int head(struct office *o, struct signer *s, struct audit_head *h, struct err *e)
{
	const struct head_source from = { .name = "", .unit_ca = o->ca.unit.cert, .ledger = o->ledger, .signer = &s };

	return head_make(&from, h, e) < 0 ? -1 : keep_head(o, h, e);
}

/* Signer first: cut between the two, the row is written when it is done once more. */
static int accept(struct office *o, struct signer *s, const char *reason, struct err *e)
{
	struct audit_state base;
	int rc;

	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = audit_last(o->ledger, &base, e);
	if (rc == 0)
		rc = signer_history(s, &base, e);
	if (rc == 0)
		rc = audit_add(o->ledger, clock_utc(), o->actor, "accept", "audit", reason, e);
	if (rc == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

/* A head of what there is; reason: after the operator has accepted it as a new history. */
static enum cli_exit new_head(const struct cli *c, const char *reason)
{
	struct signer *s;
	struct audit_head h;
	struct office o;
	struct err e;
	int rc = -1;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	s = signer_start(o.dir, SIGNER_FOR_OPERATOR, &e);
	if (s && (!reason || accept(&o, s, reason, &e) == 0))
		rc = head(&o, s, &h, &e);
	if (rc == 0)
		rc = audit_head_print(stdout, &h, &e);
	signer_stop(s);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit cmd_audit_head(const struct cli *c)
{
	return hand_is_remote(c) ? remote_audit_head(c) : new_head(c, NULL);
}

enum cli_exit cmd_audit_accept(const struct cli *c)
{
	const char *reason;
	struct err e;

	if (reason_needed(c, &reason, &e) < 0)
		return cli_fail(c, &e);
	return new_head(c, reason);
}
