#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "crl.h"
#include "cross.h"
#include "mem.h"
#include "proc.h"
#include "publish.h"

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

/* ---- root crl: the list of what a root has certified ---- */
/* certificateHold would have to be taken back, and nothing comes off a list. */
static int check_reason(const struct cli *c, const char **reason, struct err *e)
{
	*reason = cli_get(c, "reason");
	if (!cli_get(c, "revoke"))
		return *reason ? err_set(e, REASON_CONFIG, "--reason goes with --revoke FILE") : 0;
	if (option_needed(c, "reason", reason, e) < 0)
		return -1;
	return crl_reason(*reason) && strcmp(*reason, "certificateHold") != 0 && strcmp(*reason, crl_reason_name(crl_reason(*reason))) == 0
		       ? 0
		       : err_set(e, REASON_CONFIG, "--reason %s: cACompromise, keyCompromise, superseded, cessationOfOperation, affiliationChanged or "
				 "privilegeWithdrawn (RFC 5280 5.3.1)", *reason);
}

static int make_list(const struct cli *c, const char *dir, struct err *e)
{
	const char *argv[14] = { "handsel-signer", "--dir", dir, "root", "crl" }, *reason;
	static const char *const options[] = { "generation", "days", "revoke", "reason" }, *const words[] = { "--generation", "--days", "--revoke", "--reason" };
	size_t n = 5;

	if (check_reason(c, &reason, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (cli_get(c, options[i])) {
			argv[n++] = words[i];
			argv[n++] = cli_get(c, options[i]);
		}
	return signer_ceremony(argv, e);
}

/* Which one it was: the signer has judged the number. */
static int which(const struct cli *c, const char *dir, unsigned *generation, struct err *e)
{
	uint64_t n;

	if (cli_get(c, "generation") && text_uint(&n, cli_get(c, "generation"), LIMIT_CEREMONY_DAYS) == 0) {
		*generation = (unsigned)n;
		return 0;
	}
	return generation_of(dir, generation, e);
}

enum cli_exit cmd_root_crl(const struct cli *c)
{
	char dir[FILE_PATH], folder[FILE_PATH], path[FILE_PATH], name[CRL_NAME];
	struct published p;
	unsigned generation;
	struct err e;

	if (system_find(dir, cli_dir(c), cli_get(c, "ca"), &e) < 0 || make_list(c, dir, &e) < 0 || which(c, dir, &generation, &e) < 0 ||
	    root_list_read(&p, dir, generation, NULL, &e) < 0 || generation_path(folder, dir, generation, &e) < 0 ||
	    file_join(path, &e, folder, ROOT_LIST_FILE) < 0)
		return cli_fail(c, &e);
	root_list_name(name, generation);
	crl_report(c, name, &p, path);
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
