#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "cross.h"
#include "mem.h"
#include "proc.h"

int signer_ceremony(const char *const *argv, struct err *e)
{
	int status = proc_run(argv, CEREMONY_MS, e);

	return status <= 0 ? status : err_set(e, REASON_CONFIG, "handsel-signer could not do it; its message tells why");
}

/* ---- root sign: the upper CA ---- */
enum cli_exit cmd_root_sign(const struct cli *c)
{
	const char *out;
	struct jsonl *j;
	struct err e;

	if (option_needed(c, "out", &out, &e) < 0)
		return cli_fail(c, &e);
	{
		const char *const argv[] = { "handsel-signer", "--dir", cli_dir(c), "root", "sign", cli_arg(c, 0), "--out", out, NULL };

		if (signer_ceremony(argv, &e) < 0)
			return cli_fail(c, &e);
	}
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "out", out);
		jsonl_print(j);
	} else {
		printf("%s certifies %s; \"handsel-ca root install\" takes it there\n", out, cli_arg(c, 0));
	}
	return EXIT_DONE;
}

/* ---- root install: the CA whose root was certified ---- */
static int note(struct office *o, const struct cert *upper, struct err *e)
{
	char hash[SHA256_HEX];
	int rc;

	text_hex(hash, upper->sha256, SHA256_LEN);
	if (db_begin(o->ledger, e) < 0)
		return -1;
	rc = audit_add(o->ledger, clock_utc(), o->actor, "upper", upper->subject, hash, e);
	if (rc == 0)
		return db_commit(o->ledger, e);
	db_rollback(o->ledger);
	return -1;
}

int root_install(struct office *o, const char *file, const uint8_t upper[SHA256_LEN], struct chain *ch, struct err *e)
{
	char path[FILE_PATH];

	if (chain_load(ch, file, e) < 0)
		return -1;
	if (ch->n != 2)
		return err_set(e, REASON_CONFIG, "%s must hold two certificates, as \"handsel-ca root sign\" wrote them", file);
	if (!mem_same(upper, ch->cert[1].sha256, SHA256_LEN))
		return err_set(e, REASON_AUTHORITY, "%s is by another upper CA (%s) than the one whose fingerprint was given", file, ch->cert[1].subject);
	if (cross_verify(&ch->cert[0], o->ca.root.cert, &ch->cert[1], clock_utc(), e) < 0)
		return err_prefix(e, "%s", file);
	return file_join(path, e, o->dir, UPPER_FILE) < 0 || note(o, &ch->cert[1], e) < 0 ? -1 : chain_save(ch, path, e);
}

static int install(struct office *o, const struct cli *c, struct chain *ch, struct err *e)
{
	uint8_t known[SHA256_LEN];
	const char *hex;

	if (option_needed(c, "root-fingerprint", &hex, e) < 0)
		return -1;
	if (text_unhex(known, sizeof known, hex) < 0)
		return err_set(e, REASON_CONFIG, "--root-fingerprint: 64 hex digits, as \"handsel-ca init\" of the upper CA printed them");
	return root_install(o, cli_arg(c, 0), known, ch, e);
}

enum cli_exit cmd_root_install(const struct cli *c)
{
	struct chain ch = {0};
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = install(&o, c, &ch, &e);
	if (rc == 0 && cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "id", o.settings.id);
		jsonl_str(j, "upper", ch.cert[1].subject);
		jsonl_print(j);
	} else if (rc == 0) {
		printf("the root of CA \"%s\" stands under \"%s\" now; restart \"handsel-ca serve\" to pass that on\n", o.settings.id,
		       ch.cert[1].subject);
	}
	chain_free(&ch);
	office_close(&o);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
