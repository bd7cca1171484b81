#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "unlock.h"

static int read_secret(struct unlock_request *r, const struct cli *c, const char *id, struct err *e)
{
	char ask[CA_ID_MAX + 64];
	struct secret_source from = { .file = cli_get(c, "credential"), .ask = ask };
	int rc;

	snprintf(ask, sizeof ask, "passphrase or PIN of the CA \"%s\"", id);
	rc = secret_get(&r->secret, &from, e);
	return rc == 0 ? err_set(e, REASON_SECRET, "there is nobody at a terminal to ask; name a file with --credential") : rc;
}

/* As the signer calls it: the name below cas/, which is its id, or "" for the first. */
static int which(struct unlock_request *r, const struct cli *c, struct settings *s, struct err *e)
{
	char dir[FILE_PATH];

	if (system_find(dir, cli_dir(c), cli_get(c, "ca"), e) < 0 || settings_load(s, dir, e) < 0)
		return -1;
	snprintf(r->ca, sizeof r->ca, "%s", strcmp(dir, cli_dir(c)) == 0 ? "" : s->id);
	return 0;
}

enum cli_exit cmd_unlock(const struct cli *c)
{
	struct unlock_request r = { .older = cli_has(c, "older"), .last_try = cli_has(c, "last-try") };
	struct settings s;
	struct jsonl *j;
	struct err e;
	int rc;

	if (which(&r, c, &s, &e) < 0 || read_secret(&r, c, s.id, &e) < 0)
		return cli_fail(c, &e);
	rc = unlock_ask(cli_dir(c), &r, &e);
	secret_free(r.secret);
	if (rc < 0)
		return cli_fail(c, &e);
	if (!cli_json(c)) {
		printf("CA \"%s\": its keys are open\n", s.id);
		return EXIT_DONE;
	}
	j = jsonl_new("result");
	jsonl_str(j, "id", s.id);
	jsonl_bool(j, "open", true);
	jsonl_print(j);
	return EXIT_DONE;
}
