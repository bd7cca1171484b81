#include <config.h>

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "fault.h"
#include "file.h"
#include "mem.h"
#include "signer_build.h"
#include "signer_count.h"
#include "signer_serve.h"

struct ceremony {
	const char *base, *dir, *name;	/* base: the CA's folder; dir: where the generation goes */
	unsigned generation;
	enum site site;
	int64_t now;			/* of all certificates of a generation, even if their making was cut: none outlives its root */
	struct ceremony_terms terms;
	struct keystore *store, *root_store;	/* one and the same if all keys live together */
	struct key *root_key;
	struct chain root;
	struct buf proof;		/* of a ceremony: what becomes CEREMONY_FILE */
};

void ceremony_proof(struct buf *out, const char *file_sha256, const struct cert *cert)
{
	uint8_t hash[SHA256_LEN] = {0};

	text_unhex(hash, sizeof hash, file_sha256);
	buf_set(out, CEREMONY_PROOF, sizeof CEREMONY_PROOF);
	buf_add(out, hash, sizeof hash);
	buf_add(out, cert->sha256, SHA256_LEN);
}

int signer_root_open(const char *folder, const struct ceremony_terms *terms, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, folder, CEREMONY_FILE) < 0)
		return -1;
	return *terms->file || !file_exists(path)
		       ? 0
		       : err_set(e, REASON_CONFIG, "%s: the root was made by a ceremony, and is opened by one alone; write it into a file for \"handsel-ca"
				 " ceremony\"", folder);
}

/* ---- one CA ---- */
/* The same but for serial number, dates and signature: what an earlier try, cut, has left of what is made now. */
static bool same_terms(const struct cert *a, const struct cert *b)
{
	bool life = a->not_after == b->not_after || a->not_after - a->not_before == b->not_after - b->not_before;

	return life && buf_same(&a->spki, &b->spki) && strcmp(a->subject, b->subject) == 0 && strcmp(a->issuer, b->issuer) == 0 && a->ca && b->ca &&
	       a->path_len == b->path_len && strcmp(a->policies[0], b->policies[0]) == 0;
}

/* One that is there stays: a root has one certificate, however often its making was cut. */
static int keep_or_save(struct chain *made, const char *path, struct err *e)
{
	struct chain there = {0};
	int rc = -1;

	if (!file_exists(path)) {
		rc = chain_save(made, path, e);
	} else if (chain_load(&there, path, e) == 0) {
		if (there.n != 1 || !same_terms(there.cert, made->cert)) {
			err_set(e, REASON_CONFIG, "%s is of a try that was cut, and of another name, kind or life; bring that one to its end, or take its"
				" folder and its keys away", path);
		} else {
			chain_free(made);
			*made = there;
			there = (struct chain){0};
			rc = 0;
		}
	}
	chain_free(&there);
	return rc;
}

static int prove(struct ceremony *c, const char *name, const struct key *key, const struct cert *cert, struct err *e)
{
	struct buf data = {0}, sig = {0};
	int rc = 0;

	if (*c->terms.file) {
		ceremony_proof(&data, c->terms.file, cert);
		rc = key_sign(key, data.data, data.len, &sig, e);
		buf_fmt(&c->proof, "%s: \"", name);
		for (size_t i = 0; i < sig.len; i++)
			buf_fmt(&c->proof, "%02x", sig.data[i]);
		buf_str(&c->proof, "\"\n");
	}
	buf_free(&data);
	buf_free(&sig);
	return rc;
}

static int load_profile(struct profile *p, const struct ceremony *c, enum profile_kind kind, struct err *e)
{
	uint32_t days = kind == PROFILE_ROOT ? c->terms.root_days : kind == PROFILE_ISSUING ? c->terms.issuing_days : c->terms.unit_days;

	if (profile_of_kind(p, c->base, kind, e) < 0)
		return -1;
	if (days) {
		p->validity_days = days;
		p->validity_s = 0;
	}
	return 0;
}

/* A key, its certificate under the root (or the root itself), both on disk. */
static int make_ca(struct ceremony *c, enum profile_kind kind, const char *name, struct err *e)
{
	char file[16], label[LIMIT_NAME + 40], folder[FILE_PATH], cert_path[FILE_PATH];
	struct buf spki = {0}, der = {0};
	struct chain made = {0};
	struct key *key = NULL;
	struct profile p;
	int rc = -1;

	snprintf(file, sizeof file, "%s.pem", name);
	snprintf(label, sizeof label, "%s %s %s %u", c->name, site_name(c->site), name, c->generation);
	if (load_profile(&p, c, kind, e) < 0 || file_join(folder, e, c->dir, KEYS_FOLDER) < 0 || file_join(cert_path, e, c->dir, file) < 0)
		goto out;
	key = keystore_generate(kind == PROFILE_ROOT ? c->root_store : c->store, KEY_P256, folder, name, label, e);
	if (!key || key_spki(key, &spki, e) < 0)
		goto out;
	FAULT("signer.key-made");
	if (build_ca(&p, c->name, c->site, c->generation, &spki, c->root.n ? c->root.cert : NULL,
		     c->root_key ? c->root_key : key, c->now, &der, e) < 0 ||
	    chain_add(&made, der.data, der.len, e) < 0 || keep_or_save(&made, cert_path, e) < 0 || prove(c, name, key, made.cert, e) < 0)
		goto out;
	FAULT("signer.ca-made");
	if (kind == PROFILE_ROOT) {
		c->root_key = key;
		c->root = made;
		c->now = made.cert->not_before + BACKDATE_S;
		key = NULL;
		made = (struct chain){0};
	}
	rc = 0;
out:
	chain_free(&made);
	buf_free(&der);
	buf_free(&spki);
	key_free(key);
	return rc;
}

/* The root is open now, and not again soon. */
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
			rc = audit_add(db, clock_utc(), "operator", "ceremony", c->name, hash, e);
		if (rc == 0)
			rc = db_commit(db, e);
		else
			db_rollback(db);
	}
	if (rc == 0)
		rc = root_list_make(db, c->root.cert, c->root_key, c->dir, 0, e);
	db_close(db);
	return rc;
}

static int save_proof(struct ceremony *c, struct err *e)
{
	char path[FILE_PATH];

	if (!*c->terms.file)
		return 0;
	return file_join(path, e, c->dir, CEREMONY_FILE) < 0 ? -1 : file_replace(path, c->proof.data, c->proof.len, 0644, e);
}

static int make_all(struct ceremony *c, struct err *e)
{
	char path[FILE_PATH];

	buf_fmt(&c->proof, "version: 1\nceremony: \"%s\"\n", c->terms.file);

	if (file_mkdir(c->dir, e) < 0 || file_join(path, e, c->dir, KEYS_FOLDER) < 0 || file_mkdir(path, e) < 0 || file_sweep(path, e) < 0 ||
	    make_ca(c, PROFILE_ROOT, "root", e) < 0)
		return -1;
	if (c->site != SITE_UPPER && (make_ca(c, PROFILE_ISSUING, "issuing", e) < 0 || make_ca(c, PROFILE_UNIT_CA, "unit", e) < 0))
		return -1;
	return save_proof(c, e);
}

static int ceremony_open(struct ceremony *c, const struct key_homes *h, struct err *e)
{
	bool together = key_home_same(&h->keys, &h->root);

	c->root_store = key_home_open(&h->root, h->plain, "handsel-root", together ? "of the CA's keys" : "of the root's key", e);
	if (!c->root_store)
		return -1;
	c->store = together ? c->root_store : key_home_open(&h->keys, h->plain, "handsel-keys", "of the CA's keys", e);
	return c->store ? 0 : -1;
}

static void ceremony_close(struct ceremony *c)
{
	key_free(c->root_key);
	chain_free(&c->root);
	buf_free(&c->proof);
	if (c->store != c->root_store)
		keystore_close(c->store);
	keystore_close(c->root_store);
}

int signer_init(const char *dir, enum site site, const char *name, const struct key_homes *homes, const struct ceremony_terms *terms, struct err *e)
{
	struct ceremony c = { .base = dir, .dir = dir, .generation = 1, .name = name, .site = site, .now = clock_utc(), .terms = *terms };
	char path[FILE_PATH];
	int rc = -1;

	if (file_join(path, e, dir, "ca.yaml") < 0)
		return -1;
	if (file_exists(path))
		return err_set(e, REASON_CONFIG, "%s exists: this CA system is in use; its keys are never replaced",
			       path);
	if (ceremony_open(&c, homes, e) == 0 && make_all(&c, e) == 0 && key_homes_save(homes, dir, e) == 0)
		rc = remember(&c, e);
	ceremony_close(&c);
	return rc;
}

/* ---- rollover ---- */
struct rollover {
	const char *dir;		/* of the CA */
	char old[FILE_PATH], made[FILE_PATH], place[FILE_PATH];	/* folders: in force, being made, where it goes */
	struct authority ca;		/* in force */
	struct keystore *old_store;
	struct key *old_key;
	struct db *db;
};

/* The old root's word for the new one, and the new one's for the old. */
static int make_cross(const struct rollover *r, const struct ceremony *c, struct err *e)
{
	struct buf der[2] = { {0} };
	struct chain both = {0};
	struct profile p;
	int rc = -1;

	if (profile_of_kind(&p, c->base, PROFILE_ROOT, e) == 0 && build_cross(&p, c->root.cert, r->ca.root.cert, r->old_key, c->now, &der[0], e) == 0 &&
	    build_cross(&p, r->ca.root.cert, c->root.cert, c->root_key, c->now, &der[1], e) == 0 &&
	    chain_add(&both, der[0].data, der[0].len, e) == 0 && chain_add(&both, der[1].data, der[1].len, e) == 0)
		rc = chain_save_in(&both, c->dir, CROSS_FILE, e);
	chain_free(&both);
	buf_free(&der[0]);
	buf_free(&der[1]);
	return rc;
}

/* The signer believes the new root from here on; until the folder has its name, the old one is in force. */
static int expect(struct rollover *r, const struct ceremony *c, struct err *e)
{
	char hash[SHA256_HEX];
	int rc;

	text_hex(hash, c->root.cert->sha256, SHA256_LEN);
	if (db_begin(r->db, e) < 0)
		return -1;
	rc = count_generation_set(r->db, c->generation, c->root.cert->sha256, e);
	if (rc == 0)
		rc = audit_add(r->db, clock_utc(), "operator", "rollover", c->name, hash, e);
	if (rc == 0)
		return db_commit(r->db, e);
	db_rollback(r->db);
	return -1;
}

static int make_generation(struct rollover *r, struct ceremony *c, const struct key_homes *homes, struct err *e)
{
	if (file_sweep(r->made, e) < 0 || ceremony_open(c, homes, e) < 0 || make_all(c, e) < 0 || key_homes_save(homes, c->dir, e) < 0 ||
	    make_cross(r, c, e) < 0 || root_list_make(r->db, c->root.cert, c->root_key, c->dir, 0, e) < 0 ||
	    root_list_make(r->db, r->ca.root.cert, r->old_key, r->old, 0, e) < 0)
		return -1;
	FAULT("signer.generation-made");
	if (expect(r, c, e) < 0)
		return -1;
	FAULT("signer.generation-expected");
	if (rename(r->made, r->place) < 0)
		return err_errno(e, REASON_STORAGE, "cannot rename %s to %s", r->made, r->place);
	return file_sync_parent(r->place, e);
}

static int load_in_force(struct rollover *r, enum site *site, const struct ceremony_terms *terms, struct err *e)
{
	uint8_t hash[SHA256_LEN];
	struct key_homes homes;
	char path[FILE_PATH];

	if (authority_load(&r->ca, r->dir, e) < 0)
		return -1;
	if (r->ca.overlap)
		return err_set(e, REASON_CONFIG, "%s: the last rollover is under way; \"handsel-ca ca rollover --finish\" ends it", r->dir);
	if (generation_path(r->old, r->dir, r->ca.generation, e) < 0 || generation_path(r->place, r->dir, r->ca.generation + 1, e) < 0 ||
	    snprintf(r->made, sizeof r->made, "%s.new", r->place) >= FILE_PATH || signer_root_open(r->old, terms, e) < 0 || key_homes_load(&homes, r->old, e) < 0 ||
	    file_join(path, e, r->old, KEYS_FOLDER) < 0)
		return -1;
	r->old_store = key_home_open(&homes.root, false, "handsel-root", "of the root's key", e);
	r->old_key = r->old_store ? keystore_key(r->old_store, path, "root", e) : NULL;
	if (!r->old_key || file_join(path, e, r->dir, "signer.db") < 0 || !(r->db = count_open(path, e)))
		return -1;
	return count_site_get(r->db, site, hash, e);
}

int signer_rollover(const char *dir, const char *name, const struct key_homes *homes, const struct ceremony_terms *terms, struct err *e)
{
	struct rollover r = { .dir = dir };
	struct ceremony c = { .base = dir, .dir = r.made, .name = name, .now = clock_utc(), .terms = *terms };
	int rc = load_in_force(&r, &c.site, terms, e);

	c.generation = r.ca.generation + 1;
	if (rc == 0)
		rc = make_generation(&r, &c, homes, e);
	ceremony_close(&c);
	key_free(r.old_key);
	keystore_close(r.old_store);
	db_close(r.db);
	authority_free(&r.ca);
	return rc;
}
