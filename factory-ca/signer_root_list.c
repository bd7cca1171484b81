/* A root's own revocation list: of issuing and unit CAs, and of other roots that it has certified. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "crl.h"
#include "fault.h"
#include "file.h"
#include "keys.h"
#include "mem.h"
#include "signer_count.h"
#include "signer_crl.h"
#include "signer_serve.h"

int root_list_make(struct db *db, const struct cert *root, const struct key *key, const char *folder, uint32_t days, struct err *e)
{
	int64_t now = clock_utc(), until = now + (int64_t)(days ? days : ROOT_LIST_DAYS) * 86400;
	struct buf der = { .max = LIMIT_CRL };
	char path[FILE_PATH];
	bool built;
	int rc = file_join(path, e, folder, ROOT_LIST_FILE);

	if (rc == 0)
		rc = crl_sign_with(db, root, key, now, until < root->not_after ? until : root->not_after, &der, &built, e);
	if (rc == 0)
		rc = file_replace(path, der.data, der.len, 0644, e);
	buf_free(&der);
	FAULT("signer.root-list");
	return rc;
}

/* ---- the root, opened for its list alone ---- */
struct opened {
	char folder[FILE_PATH];		/* of the generation */
	struct chain root;
	struct keystore *store;
	struct key *key;
	struct db *db;
};

static void opened_free(struct opened *o)
{
	db_close(o->db);
	key_free(o->key);
	keystore_close(o->store);
	chain_free(&o->root);
}

/* signer.db knows the root of each generation. */
static int check_root(struct opened *o, unsigned generation, struct err *e)
{
	uint8_t hash[SHA256_LEN] = {0};
	enum site site;
	int rc = generation == 1 ? count_site_get(o->db, &site, hash, e) : count_generation_get(o->db, generation, hash, e);

	if (rc < 0)
		return -1;
	return o->root.n == 1 && mem_same(hash, o->root.cert->sha256, SHA256_LEN)
		       ? 0
		       : err_set(e, REASON_AUTHORITY, "%s/root.pem is not the root that was made here; restore it from the backup", o->folder);
}

static int open_key(struct opened *o, struct err *e)
{
	struct key_homes homes;
	char path[FILE_PATH];
	struct buf spki = {0};
	int rc = -1;

	if (file_join(path, e, o->folder, KEYS_FOLDER) < 0 || key_homes_load(&homes, o->folder, e) < 0)
		return -1;
	o->store = key_home_open(&homes.root, false, "handsel-root", "of the root's key", e);
	o->key = o->store ? keystore_key(o->store, path, "root", e) : NULL;
	if (o->key && key_spki(o->key, &spki, e) == 0)
		rc = buf_same(&spki, &o->root.cert->spki)
			     ? 0
			     : err_set(e, REASON_CONFIG, "%s/root: the key does not belong to its certificate; restore both from the same backup", path);
	buf_free(&spki);
	return rc;
}

static int open_root(struct opened *o, const char *dir, unsigned wanted, const struct ceremony_terms *terms, struct err *e)
{
	char path[FILE_PATH];
	unsigned generation;

	if (file_join(path, e, dir, "signer.db") < 0 || generation_of(dir, &generation, e) < 0)
		return -1;
	if (!file_exists(path))
		return err_set(e, REASON_CONFIG, "%s is not there: \"handsel-ca --dir %s init\" makes a CA system", path, dir);
	if (wanted > generation)
		return err_set(e, REASON_CONFIG, "there is no generation %u in %s; the one in force is %u", wanted, dir, generation);
	if (wanted)
		generation = wanted;
	if (generation_path(o->folder, dir, generation, e) < 0 || signer_root_open(o->folder, terms, e) < 0 || !(o->db = count_open(path, e)) ||
	    file_join(path, e, o->folder, "root.pem") < 0 || chain_load(&o->root, path, e) < 0)
		return -1;
	return check_root(o, generation, e) < 0 ? -1 : open_key(o, e);
}

/* ---- what is revoked ---- */
static int remember(struct opened *o, const struct revoked_item *v, const char *subject, struct err *e)
{
	if (db_begin(o->db, e) < 0)
		return -1;
	if (count_revoked_add(o->db, o->root.cert->spki_sha256, v, e) == 0 &&
	    audit_add(o->db, v->date, "operator", "root-revoke", subject, v->serial, e) == 0)
		return db_commit(o->db, e);
	db_rollback(o->db);
	return -1;
}

static int revoke(struct opened *o, const struct root_list *l, struct err *e)
{
	struct revoked_item v = { .reason = l->reason, .date = clock_utc() };
	const struct cert *c, *root = o->root.cert;
	struct chain ch = {0};
	int rc = chain_load(&ch, l->revoke, e);

	if (rc == 0) {
		c = ch.cert;
		snprintf(v.serial, sizeof v.serial, "%s", c->serial);
		v.expires = c->not_after == X509_NO_EXPIRY ? 0 : c->not_after;
		if (buf_same(&c->der, &root->der))
			rc = err_set(e, REASON_CONFIG, "%s: a root does not revoke itself; who trusts it must be told by another way", l->revoke);
		else if (cert_signed_by(c, root, e) < 0)
			rc = err_prefix(e, "%s", l->revoke);
		else
			rc = remember(o, &v, c->subject, e);
	}
	chain_free(&ch);
	return rc;
}

int signer_root_list(const char *dir, const struct root_list *l, const struct ceremony_terms *terms, struct err *e)
{
	struct opened o = {0};
	int rc = open_root(&o, dir, l->generation, terms, e);

	if (rc == 0 && l->revoke)
		rc = revoke(&o, l, e);
	if (rc == 0)
		rc = root_list_make(o.db, o.root.cert, o.key, o.folder, l->days, e);
	opened_free(&o);
	return rc;
}
