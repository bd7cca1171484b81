#include <config.h>

#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cross.h"
#include "file.h"
#include "keys.h"
#include "mem.h"
#include "signer_build.h"
#include "signer_count.h"
#include "signer_serve.h"

/* The one certificate of a file. */
static int load_root(struct chain *ch, const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, dir, name) < 0 || chain_load(ch, path, e) < 0)
		return -1;
	return ch->n == 1 ? 0 : err_set(e, REASON_CONFIG, "%s must hold one root's certificate", path);
}

static int note(struct db *db, const struct cert *root, int64_t now, struct err *e)
{
	char hash[SHA256_HEX];
	int rc;

	text_hex(hash, root->sha256, SHA256_LEN);
	if (db_begin(db, e) < 0)
		return -1;
	rc = audit_add(db, now, "operator", "root", root->subject, hash, e);
	if (rc == 0)
		return db_commit(db, e);
	db_rollback(db);
	return -1;
}

/* The folder's own root, if it is that of the ceremony and an upper CA's. */
static int load_own(struct chain *own, struct keystore **store, struct key **key, struct db **db, const char *dir, struct err *e)
{
	uint8_t hash[SHA256_LEN];
	struct key_homes homes;
	char path[FILE_PATH];
	enum site site;

	if (file_join(path, e, dir, "signer.db") < 0)
		return -1;
	if (!file_exists(path))
		return err_set(e, REASON_CONFIG, "%s is not there: \"handsel-ca --dir %s init --kind upper\" makes an upper CA", path, dir);
	*db = count_open(path, e);
	if (!*db || count_site_get(*db, &site, hash, e) < 0)
		return -1;
	if (site != SITE_UPPER)
		return err_set(e, REASON_CONFIG, "%s is a %s CA; only an upper CA certifies the roots of others", dir, site_name(site));
	if (load_root(own, dir, "root.pem", e) < 0)
		return -1;
	if (!mem_same(hash, own->cert->sha256, SHA256_LEN))
		return err_set(e, REASON_AUTHORITY, "%s/root.pem is not the root of the ceremony; restore it from the backup", dir);
	if (file_join(path, e, dir, KEYS_FOLDER) < 0 || key_homes_load(&homes, dir, e) < 0)
		return -1;
	*store = key_home_open(&homes.root, false, "handsel-root", "of the root's key", e);
	*key = *store ? keystore_key(*store, path, "root", e) : NULL;
	return *key ? 0 : -1;
}

static int sign(const struct chain *own, const struct key *key, struct db *db, const char *dir, const char *file, const char *out,
		struct err *e)
{
	struct chain root = {0}, made = {0};
	struct buf der = {0};
	int64_t now = clock_utc();
	struct profile p;
	int rc = -1;

	if (chain_load(&root, file, e) < 0)
		goto out;
	if (root.n != 1 || mem_same(root.cert->sha256, own->cert->sha256, SHA256_LEN)) {
		err_set(e, REASON_CONFIG, "%s must hold the root of a factory or a customer, alone", file);
		goto out;
	}
	if (profile_of_kind(&p, dir, PROFILE_ROOT, e) < 0 || build_cross(&p, root.cert, own->cert, key, now, &der, e) < 0 ||
	    chain_add(&made, der.data, der.len, e) < 0 || cross_verify(made.cert, root.cert, own->cert, now, e) < 0 ||
	    chain_add(&made, own->cert->der.data, own->cert->der.len, e) < 0 || note(db, root.cert, now, e) < 0)
		goto out;
	rc = chain_save(&made, out, e);
out:
	buf_free(&der);
	chain_free(&made);
	chain_free(&root);
	return rc;
}

int signer_root_sign(const char *dir, const char *file, const char *out, const struct ceremony_terms *terms, struct err *e)
{
	struct chain own = {0};
	struct keystore *store = NULL;
	struct key *key = NULL;
	struct db *db = NULL;
	int rc = signer_root_open(dir, terms, e) < 0 ? -1 : load_own(&own, &store, &key, &db, dir, e);

	if (rc == 0)
		rc = sign(&own, key, db, dir, file, out, e);
	if (rc == 0)
		rc = root_list_make(db, own.cert, key, dir, 0, e);
	db_close(db);
	key_free(key);
	keystore_close(store);
	chain_free(&own);
	return rc;
}
