#include <config.h>

#include <stdio.h>

#include "audit.h"
#include "clock.h"
#include "file.h"
#include "mem.h"
#include "signer_build.h"
#include "signer_count.h"
#include "signer_serve.h"

struct ceremony {
	const char *dir, *name;
	enum site site;
	int64_t now;
	struct key *root_key;
	struct chain root;
};

/* A key, its certificate under the root (or the root itself), both on disk. */
static int make_ca(struct ceremony *c, enum profile_kind kind, const char *profile, const char *file, struct err *e)
{
	char key_file[64], key_path[FILE_PATH], cert_path[FILE_PATH];
	struct buf spki = {0}, der = {0}, pem = {0};
	struct key *key = key_generate(KEY_P256, e);
	struct chain made = {0};
	struct profile p;
	int rc = -1;

	snprintf(key_file, sizeof key_file, "keys/%s", file);
	if (!key || datadir_profile(&p, profile, e) < 0 || file_join(key_path, e, c->dir, key_file) < 0 ||
	    file_join(cert_path, e, c->dir, file) < 0 || key_save(key, key_path, e) < 0 || key_spki(key, &spki, e) < 0)
		goto out;
	if (build_ca(kind, &p, c->name, c->site, &spki, c->root.n ? c->root.cert : NULL,
		     c->root_key ? c->root_key : key, c->now, &der, e) < 0 ||
	    chain_add(&made, der.data, der.len, e) < 0)
		goto out;
	chain_to_pem(&made, &pem);
	if (file_replace(cert_path, pem.data, pem.len, 0644, e) < 0)
		goto out;
	if (kind == PROFILE_ROOT) {
		c->root_key = key;
		c->root = made;
		key = NULL;
		made = (struct chain){0};
	}
	rc = 0;
out:
	chain_free(&made);
	buf_free(&pem);
	buf_free(&der);
	buf_free(&spki);
	key_free(key);
	return rc;
}

static int remember(struct ceremony *c, struct err *e)
{
	char path[FILE_PATH], hash[SHA256_HEX];
	struct db *db;
	int rc;

	if (file_join(path, e, c->dir, "signer.db") < 0)
		return -1;
	db = count_open(path, e);
	if (!db)
		return -1;
	text_hex(hash, c->root.cert->sha256, SHA256_LEN);
	rc = db_begin(db, e);
	if (rc == 0) {
		rc = count_site_set(db, c->site, c->root.cert->sha256, e);
		if (rc == 0)
			rc = audit_add(db, c->now, "operator", "ceremony", c->name, hash, e);
		if (rc == 0)
			rc = db_commit(db, e);
		else
			db_rollback(db);
	}
	db_close(db);
	return rc;
}

int signer_init(const char *dir, enum site site, const char *name, struct err *e)
{
	struct ceremony c = { .dir = dir, .name = name, .site = site, .now = clock_utc() };
	char path[FILE_PATH];
	int rc = -1;

	if (file_join(path, e, dir, "ca.yaml") < 0)
		return -1;
	if (file_exists(path))
		return err_set(e, REASON_CONFIG, "%s exists: this CA system is in use; its keys are never replaced",
			       path);
	if (file_mkdir(dir, e) < 0 || file_join(path, e, dir, "keys") < 0 || file_mkdir(path, e) < 0)
		return -1;
	if (make_ca(&c, PROFILE_ROOT, "root", "root.pem", e) == 0 &&
	    (site == SITE_UPPER || (make_ca(&c, PROFILE_ISSUING, "issuing", "issuing.pem", e) == 0 &&
				    make_ca(&c, PROFILE_UNIT_CA, "unit-ca", "unit.pem", e) == 0)))
		rc = remember(&c, e);
	key_free(c.root_key);
	chain_free(&c.root);
	return rc;
}
