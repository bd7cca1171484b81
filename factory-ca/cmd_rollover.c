#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "fault.h"
#include "keys.h"
#include "ledger.h"
#include "mem.h"

static int note(struct office *o, const char *action, struct err *e)
{
	char hash[SHA256_HEX];
	int rc;

	text_hex(hash, o->ca.root.cert->sha256, SHA256_LEN);
	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = audit_add(o->ledger, clock_utc(), o->actor, action, o->ca.root.cert->subject, hash, e);
	if (rc == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

/* ---- the beginning ---- */
/* 1: NAME.pem is under the unit CA in force. */
static int is_renewed(const struct office *o, const char *name, struct err *e)
{
	struct chain ch = {0};
	char path[FILE_PATH];
	int rc = file_join_end(path, e, o->dir, name, ".pem") < 0 || chain_load(&ch, path, e) < 0
			 ? -1
			 : strcmp(ch.cert[0].issuer, o->ca.unit.cert->subject) == 0;

	chain_free(&ch);
	return rc;
}

/* The key stays, so that a running server and a cut in between do no harm. */
static int renew(struct office *o, struct signer *s, struct unit_plan *plan, const char *file, struct err *e)
{
	char cert[FILE_PATH];
	struct buf spki = {0};
	struct chain ch = {0};
	struct key *key = NULL;
	int rc = -1;

	if (file_join_end(cert, e, o->dir, file, ".pem") == 0 && (key = unit_key_load(&o->settings.place, o->dir, file, NULL, e)) &&
	    key_spki(key, &spki, e) == 0 && unit_certify(o, s, plan, &spki, &ch, e) == 0)
		rc = chain_save(&ch, cert, e);
	chain_free(&ch);
	buf_free(&spki);
	key_free(key);
	return rc;
}

/* The CA's own units; also after a cut in an earlier try. */
static int renew_own(struct office *o, const struct ca_making *m, struct err *e)
{
	struct unit_plan server = { .role = "ca" }, operator = { .role = "operator", .name = "operator" };
	struct signer *s;
	int rc = -1;

	snprintf(server.name, sizeof server.name, "%s", o->settings.id);
	memcpy(server.host, m->host, sizeof server.host);
	s = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (s && renew(o, s, &server, "server", e) == 0) {
		FAULT("rollover.server");
		rc = renew(o, s, &operator, "operator", e);
	}
	signer_stop(s);
	return rc;
}

int ca_rollover_done(const struct office *o, struct err *e)
{
	int server = is_renewed(o, "server", e), operator = is_renewed(o, "operator", e);

	return server < 0 || operator < 0 ? -1 : o->ca.overlap && server && operator;
}

int ca_rollover(struct office *o, const struct ca_making *m, struct err *e)
{
	const char *argv[6 + MAKING_WORDS + 1] = { "handsel-signer", "--dir", o->dir, "rollover", "--name", o->settings.name };
	int done = ca_rollover_done(o, e);
	char dir[FILE_PATH];

	if (done < 0)
		return -1;
	if (done)
		return err_set(e, REASON_CONFIG, "%s: the last rollover is under way; \"handsel-ca ca rollover --finish\" ends it", o->dir);
	if (!o->ca.overlap) {
		memcpy(argv + 6, m->word, m->n_words * sizeof *argv);
		if (signer_ceremony(argv, e) < 0)
			return -1;
		FAULT("rollover.made");
		snprintf(dir, sizeof dir, "%s", o->dir);
		office_close(o);
		if (office_open_at(o, dir, e) < 0)
			return -1;
	}
	return note(o, "rollover", e) < 0 ? -1 : renew_own(o, m, e);
}

/* ---- the end ---- */
struct audit_of {
	struct trust *alone;
	struct err *e;
	size_t lost;
};

static int check_order(void *arg, const struct ledger_order *row, const struct buf *cms)
{
	struct audit_of *a = arg;
	struct work_order *o = mem_new(1, sizeof *o);
	struct err why;

	if (row->state == ORDER_OPEN && work_order_read(o, cms->data, cms->len, a->alone, &why) < 0) {
		err_set(a->e, REASON_ORDER, "work order %s is open and was signed before the rollover; close it and have the rest ordered anew, "
			"then finish", row->id);
		a->lost++;
	}
	free(o);
	return 0;
}

/* What is signed under the older unit CA alone holds no longer afterwards. */
static int check_orders(struct office *o, struct err *e)
{
	struct audit_of a = { .alone = trust_new(), .e = e };
	int rc = trust_add_root(a.alone, o->ca.root.cert, e) < 0 || trust_add_issuer(a.alone, o->ca.unit.cert, e) < 0 ||
			 ledger_order_list(o->ledger, check_order, &a, e) < 0
			 ? -1
			 : 0;

	trust_free(a.alone);
	return rc < 0 || a.lost ? -1 : 0;
}

int ca_rollover_finish(struct office *o, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];

	if (!o->ca.overlap)
		return err_set(e, REASON_CONFIG, "%s: no rollover is under way", o->dir);
	if (is_renewed(o, "server", e) != 1 || is_renewed(o, "operator", e) != 1)
		return err_set(e, REASON_CONFIG, "%s: the rollover was cut; \"handsel-ca ca rollover\" goes on with it", o->dir);
	if (check_orders(o, e) < 0 || note(o, "rollover-finish", e) < 0 || generation_path(folder, o->dir, o->ca.generation, e) < 0 ||
	    file_join(path, e, folder, ALONE_FILE) < 0)
		return -1;
	return file_replace(path, "", 0, 0644, e);
}

enum cli_exit cmd_ca_rollover(const struct cli *c)
{
	bool end = cli_has(c, "finish");
	char root[SHA256_HEX];
	struct ca_making m;
	struct office o;
	struct jsonl *j;
	struct err e;

	if (making_of_cli(&m, c, &e) < 0 || office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	if ((end ? ca_rollover_finish(&o, &e) : ca_rollover(&o, &m, &e)) < 0) {
		office_close(&o);
		return cli_fail(c, &e);
	}
	text_hex(root, o.ca.root.cert->sha256, SHA256_LEN);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "id", o.settings.id);
		jsonl_int(j, "generation", o.ca.generation);
		jsonl_bool(j, "overlap", !end);
		jsonl_str(j, "root_sha256", root);
		jsonl_print(j);
	} else if (end) {
		printf("CA \"%s\": generation %u alone is good from the next start of \"handsel-ca serve\" on\n", o.settings.id, o.ca.generation);
	} else {
		printf("CA \"%s\": generation %u issues from the next start of \"handsel-ca serve\" on, the one before is good beside it\n"
		       "root fingerprint (SHA-256): %s\n"
		       "next: certify the units anew (unit issue) and restart them; when all devices have renewed: ca rollover --finish\n",
		       o.settings.id, o.ca.generation, root);
	}
	office_close(&o);
	return EXIT_DONE;
}
