#include <config.h>

#include "cmd_backup.h"

#include <stdio.h>

const struct cli_option backup_create_options[] = {
	{ "keys", NULL, "private keys, too, but for those that are not encrypted", false },
	{ 0 },
};
const struct cli_option backup_check_options[] = {
	{ "fingerprint", "HEX", "that backup create has printed, kept elsewhere: so nobody can have made another backup in its place", false },
	{ "root-fingerprint", "HEX", "of the root under which it must be signed, as init has printed it", false },
	{ 0 },
};

static enum cli_exit told(const struct cli *c, const struct backup *b, const char *what, const char *folder)
{
	struct jsonl *j;

	if (!cli_json(c)) {
		printf("%s %s: %zu files, fingerprint %s\n", folder, what, b->files, b->fingerprint);
		if (*b->signer)
			printf("signed by  %s%s%s\n", b->signer, *b->root ? ", under the root " : "", b->root);
		else
			printf("NOT SIGNED, hashed only: an upper CA has no unit that could; compare the fingerprint with the one written down when it was made\n");
		for (size_t i = 0; i < b->n_left_out; i++)
			printf("left out   %s: a secret; keep it elsewhere\n", b->left_out[i]);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < b->n_left_out; i++) {
		j = jsonl_new("left-out");
		jsonl_str(j, "file", b->left_out[i]);
		jsonl_print(j);
	}
	j = jsonl_new("result");
	jsonl_str(j, "backup", what);
	jsonl_int(j, "files", (int64_t)b->files);
	jsonl_str(j, "fingerprint", b->fingerprint);
	jsonl_str(j, "signer", b->signer);
	if (*b->root)
		jsonl_str(j, "root_sha256", b->root);
	jsonl_print(j);
	return EXIT_DONE;
}

/* Changed files are an answer, the rest is an error. */
static enum cli_exit refused(const struct cli *c, const struct err *e)
{
	enum cli_exit code = cli_fail(c, e);

	return e->code == REASON_REQUEST ? EXIT_NO : code;
}

enum cli_exit cmd_backup_create(const struct cli *c, const struct backup_unit *u)
{
	struct backup b = {0};
	enum cli_exit code;
	struct err e;

	if (backup_create(&b, u, cli_dir(c), cli_has(c, "keys"), cli_arg(c, 0), &e) == 0)
		code = told(c, &b, "saved", cli_arg(c, 0));
	else
		code = cli_fail(c, &e);
	backup_free(&b);
	return code;
}

enum cli_exit cmd_backup_verify(const struct cli *c, const struct backup_unit *u)
{
	const struct backup_asked asked = { cli_get(c, "fingerprint"), cli_get(c, "root-fingerprint") };
	struct backup b = {0};
	enum cli_exit code;
	struct err e;

	code = backup_verify(&b, u, cli_arg(c, 0), &asked, &e) == 0 ? told(c, &b, "good", cli_arg(c, 0)) : refused(c, &e);
	backup_free(&b);
	return code;
}

enum cli_exit cmd_backup_restore(const struct cli *c, const struct backup_unit *u, const char *next)
{
	const struct backup_asked asked = { cli_get(c, "fingerprint"), cli_get(c, "root-fingerprint") };
	struct backup b = {0};
	enum cli_exit code;
	struct err e;

	if (backup_restore(&b, u, cli_arg(c, 0), &asked, cli_dir(c), &e) == 0) {
		code = told(c, &b, "restored", cli_arg(c, 0));
		if (!cli_json(c))
			printf("%s\n", next);
	} else {
		code = refused(c, &e);
	}
	backup_free(&b);
	return code;
}
