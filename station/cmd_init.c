#include <config.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "setup.h"
#include "station.h"
#include "text.h"

static int write_root(const char *dir, const char *from, struct err *e)
{
	struct chain root = {0};
	struct buf pem = {0};
	char path[FILE_PATH];
	struct trust *t = trust_new();
	int rc = -1;

	if (chain_load(&root, from, e) < 0 || trust_add_root(t, &root.cert[0], e) < 0 ||
	    file_join(path, e, dir, "root.pem") < 0)
		goto out;
	cert_to_pem(&root.cert[0], &pem);
	rc = file_replace(path, pem.data, pem.len, 0644, e);
out:
	buf_free(&pem);
	trust_free(t);
	chain_free(&root);
	return rc;
}

struct key *setup_key(const char *dir, const struct unit_place *place, struct err *e)
{
	struct buf der = {0}, pem = {0};
	struct key *key = unit_key_make(place, dir, "station", e);
	char path[FILE_PATH];
	int rc = -1;

	if (key && csr_build(key, NULL, NULL, &der, e) == 0 && file_join(path, e, dir, "station.csr") == 0) {
		csr_to_pem(&der, &pem);
		rc = file_replace(path, pem.data, pem.len, 0644, e);
	}
	buf_free(&pem);
	buf_free(&der);
	if (rc == 0)
		return key;
	key_free(key);
	return NULL;
}

int setup_yaml(const char *path, const char *name, const char *ca, const char *ca_id, const struct unit_place *place, struct err *e)
{
	struct buf text = {0};
	int rc;

	buf_fmt(&text,
		"# handsel-station(1) explains each key.\n"
		"version: 1\n"
		"name: \"%s\"\n"
		"ca: \"%s\"\n", name, ca);
	if (ca_id)
		buf_fmt(&text, "ca-id: \"%s\"\n", ca_id);
	unit_place_write(place, &text);
	buf_fmt(&text,
		"# Without slots every USB port is one, named after itself.\n"
		"#slots:\n"
		"#  - {name: \"1\", port: \"1-4.2\"}\n");
	rc = file_replace(path, text.data, text.len, 0644, e);
	buf_free(&text);
	return rc;
}

static int init(const char *dir, const char *name, const char *ca, const char *ca_id, const char *root, const struct unit_place *place,
		struct err *e)
{
	char path[FILE_PATH];
	struct key *key;
	struct url url;

	if (!text_is_token(name, LIMIT_NAME))
		return err_set(e, REASON_CONFIG, "--name: a station's name must be of A-Z a-z 0-9 . _ -");
	if (url_parse(&url, ca, e) < 0)
		return err_prefix(e, "--ca");
	if (ca_id && !text_is_token(ca_id, CA_ID_MAX))
		return err_set(e, REASON_CONFIG, "--ca-id: a CA's id must be of A-Z a-z 0-9 . _ -, at most %d", CA_ID_MAX);
	if (file_join(path, e, dir, "station.yaml") < 0)
		return -1;
	if (file_exists(path))
		return err_set(e, REASON_CONFIG, "%s exists: this folder is a station already; take another --dir",
			       path);
	if (file_mkdir(dir, e) < 0 || write_root(dir, root, e) < 0 || !(key = setup_key(dir, place, e)))
		return -1;
	key_free(key);
	return setup_yaml(path, name, ca, ca_id, place, e);
}

enum cli_exit cmd_init(const struct cli *c)
{
	const char *name = cli_get(c, "name"), *ca = cli_get(c, "ca"), *root = cli_get(c, "root");
	struct unit_place place;
	struct err e = {0};

	if (!name || !ca || !root) {
		err_set(&e, REASON_CONFIG, "--name, --ca and --root are needed");
		return cli_fail(c, &e);
	}
	if (unit_place_options(&place, c, &e) < 0 || init(cli_dir(c), name, ca, cli_get(c, "ca-id"), root, &place, &e) < 0)
		return cli_fail(c, &e);
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_str(j, "station", name);
		jsonl_str(j, "dir", cli_dir(c));
		jsonl_print(j);
	} else {
		printf("station %s is ready to be certified; on the CA's machine:\n"
		       "  handsel-ca unit issue %s/station.csr --role station --name %s --out %s/station.pem\n",
		       name, cli_dir(c), name, cli_dir(c));
	}
	return EXIT_DONE;
}
