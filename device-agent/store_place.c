#include <config.h>

#include "store_place.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "store.h"

#define STATE_STORED "stored"
#define STATE_ACTIVE "active"

int place_open(struct place *p, const char *store, enum store_slot slot, struct err *e)
{
	p->slot = slot;
	p->name = store_slot_name(slot);
	if (file_join(p->dir, e, store, p->name) < 0 || file_join(p->key, e, p->dir, "key.pem") < 0 ||
	    file_join(p->transport, e, p->dir, "transport.pem") < 0 ||
	    file_join(p->request, e, p->dir, "request") < 0 || file_join(p->root, e, p->dir, "root.pem") < 0 ||
	    file_join(p->cert, e, p->dir, "cert.pem") < 0 || file_join(p->state, e, p->dir, "state") < 0)
		return -1;
	return 0;
}

int place_read_line(const char *path, char *out, size_t size, struct err *e)
{
	struct buf text = {0};
	size_t n;
	int rc = -1;

	out[0] = 0;
	if (!file_exists(path))
		return 0;
	if (file_read(&text, path, 0, e) < 0) {
		e->code = REASON_KEY_STORE;
	} else {
		n = strcspn(buf_text(&text), "\n");
		if (n >= size) {
			err_set(e, REASON_KEY_STORE, "%s is damaged: its line is too long", path);
		} else {
			memcpy(out, buf_text(&text), n);
			out[n] = 0;
			rc = 0;
		}
	}
	buf_free(&text);
	return rc;
}

/* "HEX32:GENERATION", as in the CSR. */
int place_request(const struct place *p, struct request_id *r, struct err *e)
{
	char line[64] = "";
	uint64_t generation;

	memset(r, 0, sizeof *r);
	if (place_read_line(p->request, line, sizeof line, e) < 0)
		return -1;
	if (strlen(line) < REQUEST_ID_LEN + 2 || line[REQUEST_ID_LEN] != ':' ||
	    text_uint(&generation, line + REQUEST_ID_LEN + 1, UINT32_MAX) < 0)
		return 0;
	memcpy(r->id, line, REQUEST_ID_LEN);
	r->generation = (uint32_t)generation;
	return request_id_valid(r);
}

static bool has_state(const struct place *p, const char *state)
{
	char line[64];
	struct err e;

	return place_read_line(p->state, line, sizeof line, &e) == 0 && strcmp(line, state) == 0;
}

bool place_empty(const struct place *p)
{
	return !file_exists(p->key) && !file_exists(p->transport) && !file_exists(p->request) && !file_exists(p->cert) && !file_exists(p->state);
}

bool place_prepared(const struct place *p)
{
	struct request_id request;
	struct err e;
	struct key *key = key_load(file_exists(p->transport) ? p->transport : p->key, &e);
	bool yes = key && place_request(p, &request, &e) > 0;

	key_free(key);
	return yes;
}

bool place_active(const struct place *p)
{
	return p->slot != SLOT_FACTORY && has_state(p, STATE_ACTIVE);
}

/* In the factory the certificate is the last file to be written, in a customer slot it is the state. */
bool place_stored(const struct place *p)
{
	if (!place_prepared(p) || !file_exists(p->cert) || !file_exists(p->root))
		return false;
	return p->slot == SLOT_FACTORY || has_state(p, STATE_STORED) || has_state(p, STATE_ACTIVE);
}

static int damaged(const struct place *p, struct err *e)
{
	e->code = REASON_KEY_STORE;
	return err_prefix(e, "the %s credential is damaged", p->name);
}

static int load_certificates(const struct place *p, struct credential *c, struct err *e)
{
	struct buf spki = {0};
	int rc = -1;

	if (file_exists(p->root) && chain_load(&c->root, p->root, e) < 0)
		return -1;
	if (!place_stored(p)) {
		if (c->transport) {	/* without its certificate the CA's key is nothing: it comes again */
			key_free(c->key);
			c->key = NULL;
		}
		return 0;
	}
	if (!c->key)
		return err_set(e, REASON_KEY_STORE, "%s is missing", p->key);
	if (chain_load(&c->chain, p->cert, e) == 0 && key_spki(c->key, &spki, e) == 0) {
		if (c->root.n == 1 && buf_same(&spki, &c->chain.cert[0].spki))
			rc = 0;
		else
			err_set(e, REASON_KEY_STORE, "key, certificate and root do not belong together");
	}
	buf_free(&spki);
	return rc;
}

int place_load(const struct place *p, struct credential *c, struct err *e)
{
	int rc;

	*c = (struct credential){ .slot = p->slot };
	if (file_exists(p->transport) && !(c->transport = key_load(p->transport, e)))
		return damaged(p, e);
	if ((!c->transport || file_exists(p->key)) && !(c->key = key_load(p->key, e))) {
		credential_free(c);
		return damaged(p, e);
	}
	rc = place_request(p, &c->request, e);
	if (rc == 0)
		err_set(e, REASON_KEY_STORE, "%s is missing or damaged", p->request);
	if (rc <= 0 || load_certificates(p, c, e) < 0) {
		credential_free(c);
		return damaged(p, e);
	}
	return 0;
}

static void raise_floor(int64_t *latest, const struct cert *ca)
{
	if (ca->not_before > *latest)
		*latest = ca->not_before;
}

/* The root is pinned before anything was verified under it, and whoever hands out a chain can put more into it than its way up. */
void place_floor(const struct place *p, int64_t *latest)
{
	const struct trust_rule rule = { .purpose = PURPOSE_ANY, .ignore_expiry = true };
	struct chain root = {0}, ch = {0};
	struct trust *t = trust_new();
	struct err e;

	if (place_stored(p) && chain_load(&root, p->root, &e) == 0 && trust_add_root(t, root.cert, &e) == 0 &&
	    chain_load(&ch, p->cert, &e) == 0) {
		raise_floor(latest, root.cert);
		for (size_t i = 1; i < ch.n; i++) {
			const struct chain above = { .cert = ch.cert + i, .n = ch.n - i };

			if (ch.cert[i].ca && trust_verify(t, &above, &rule, &e) == 0)
				raise_floor(latest, &ch.cert[i]);
		}
	}
	trust_free(t);
	chain_free(&root);
	chain_free(&ch);
}

int place_clean(const struct place *p, struct err *e)
{
	return file_mkdir(p->dir, e) < 0 ? -1 : place_remove_temporaries(p->dir, e);
}

int place_prepare(const struct place *p, const struct key *key, bool transport, const struct request_id *r, struct err *e)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s:%u\n", r->id, r->generation);

	if (key_save(key, transport ? p->transport : p->key, e) < 0)
		return -1;
	FAULT("agent.key-stored");
	return file_replace(p->request, line, (size_t)n, 0600, e);
}

int place_pin_root(const struct place *p, const struct cert *root, bool open, struct err *e)
{
	struct chain pinned = {0};
	struct buf pem = {0};
	int rc = -1;

	if (file_exists(p->root)) {
		if (chain_load(&pinned, p->root, e) < 0)
			damaged(p, e);
		else if (!buf_same(&pinned.cert[0].der, &root->der))
			err_set(e, REASON_AUTHORITY, "this is not the factory root that the device got with its first request; "
				"only the factory that began with it can finish it");
		else
			rc = 0;
	} else if (!open) {
		err_set(e, REASON_KEY_STORE, "the factory root is missing from the store");
	} else {
		cert_to_pem(root, &pem);
		rc = file_replace(p->root, pem.data, pem.len, 0600, e);
	}
	chain_free(&pinned);
	buf_free(&pem);
	return rc;
}

int place_put(const struct place *p, const struct credential *c, struct err *e)
{
	if (c->transport) {
		if (key_save(c->key, p->key, e) < 0)
			return -1;
		FAULT("agent.made-key-stored");
	}
	if (p->slot == SLOT_FACTORY)
		return chain_save_own(&c->chain, p->cert, e);
	if (chain_save_own(&c->root, p->root, e) < 0)
		return -1;
	FAULT("agent.root-stored");
	if (chain_save_own(&c->chain, p->cert, e) < 0)
		return -1;
	FAULT("agent.certificate-stored");
	return file_replace(p->state, STATE_STORED "\n", strlen(STATE_STORED) + 1, 0600, e);
}

int place_set_active(const struct place *p, struct err *e)
{
	if (has_state(p, STATE_ACTIVE))
		return 0;
	return file_replace(p->state, STATE_ACTIVE "\n", strlen(STATE_ACTIVE) + 1, 0600, e);
}

/* Nothing to remove is no reason to fail on read-only storage. */
static int remove_file(const char *path, struct err *e)
{
	return file_exists(path) ? file_remove(path, e) : 0;
}

int place_drop_certificate(const struct place *p, struct err *e)
{
	if (remove_file(p->state, e) < 0 || remove_file(p->cert, e) < 0 ||
	    (file_exists(p->transport) && remove_file(p->key, e) < 0))
		return -1;
	return p->slot == SLOT_FACTORY ? 0 : remove_file(p->root, e);
}

/* The state goes first and the request second, so that a cut leaves nothing that looks complete. */
int place_drop(const struct place *p, struct err *e)
{
	if (remove_file(p->state, e) < 0 || remove_file(p->request, e) < 0)
		return -1;
	FAULT("agent.request-dropped");
	if (place_drop_certificate(p, e) < 0)
		return -1;
	if (remove_file(p->key, e) < 0)
		return -1;
	return remove_file(p->transport, e);
}

int place_drop_transport(const struct place *p, struct err *e)
{
	return remove_file(p->transport, e);
}

int place_drop_active(const struct place *p, struct err *e)
{
	if (remove_file(p->request, e) < 0)
		return -1;
	FAULT("agent.old-dropped");
	return place_drop(p, e);
}

int place_remove_temporaries(const char *dir, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int rc = 0;

	if (!d)
		return err_errno(e, REASON_KEY_STORE, "cannot read folder %s", dir);
	while (rc == 0 && (entry = readdir(d))) {
		char path[FILE_PATH];

		if (!strstr(entry->d_name, ".new-"))
			continue;
		rc = file_join(path, e, dir, entry->d_name);
		if (rc == 0)
			rc = file_remove(path, e);
	}
	closedir(d);
	return rc;
}
