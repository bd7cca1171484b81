/* enrol: a station from nothing but the CA's address and an operator's code. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "enrolment.h"
#include "file.h"
#include "mem.h"
#include "setup.h"
#include "station.h"

struct enrolling {
	const char *dir, *ca, *ca_id;
	struct unit_place place;
	struct url url;
	struct invite code;
	struct chain root, chain;
	struct key *key;
};

/* The key first, and kept: asked again after a cut it gets the same certificate, though the code is used. */
static int enrol(struct enrolling *x, const struct cli *c, struct err *e)
{
	const char *code = cli_get(c, "code");
	char path[FILE_PATH];

	if (!x->ca || !code)
		return err_set(e, REASON_CONFIG, "--ca and --code are needed");
	if (url_parse(&x->url, x->ca, e) < 0)
		return err_prefix(e, "--ca");
	if (invite_parse(&x->code, code, e) < 0 || file_join(path, e, x->dir, "station.yaml") < 0)
		return -1;
	if (file_exists(path))
		return err_set(e, REASON_CONFIG, "%s exists: this folder is a station already; take another --dir", path);
	if (enrolment_root(&x->url, x->ca_id, &x->code, &x->root, e) < 0 || file_mkdir(x->dir, e) < 0 || !(x->key = setup_key(x->dir, &x->place, e)) ||
	    chain_save_in(&x->root, x->dir, "root.pem", e) < 0 ||
	    enrolment_enrol(&x->url, x->ca_id, &x->root, &x->code, x->key, &x->chain, e) < 0)
		return -1;
	if (strcmp(x->chain.cert[0].role, "station") != 0)
		return err_set(e, REASON_ROLE, "the code is for a unit of role %s", x->chain.cert[0].role);
	return chain_save_in(&x->chain, x->dir, "station.pem", e) < 0 ? -1 : setup_yaml(path, x->chain.cert[0].name, x->ca, x->ca_id, &x->place, e);
}

enum cli_exit cmd_enrol(const struct cli *c)
{
	struct enrolling x = { .dir = cli_dir(c), .ca = cli_get(c, "ca"), .ca_id = cli_get(c, "ca-id") };
	struct err e = {0};
	int rc = unit_place_options(&x.place, c, &e) < 0 ? -1 : enrol(&x, c, &e);
	struct jsonl *j;

	mem_wipe(&x.code, sizeof x.code);
	if (rc == 0 && cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "station", x.chain.cert[0].name);
		jsonl_str(j, "dir", x.dir);
		jsonl_print(j);
	} else if (rc == 0) {
		printf("%s is station %s now\n", x.dir, x.chain.cert[0].name);
	}
	key_free(x.key);
	chain_free(&x.root);
	chain_free(&x.chain);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
