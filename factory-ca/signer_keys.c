#include <config.h>

#include "signer_keys.h"

#include <stdio.h>

#include "log.h"
#include "mem.h"

enum { IN_FORCE, OLDER };

static int open_store(struct signer_keys *k, int which, const struct key_homes *h, const char *ca, struct err *e)
{
	char credential[LIMIT_NAME + 1];

	snprintf(credential, sizeof credential, "handsel%s-keys%s%.*s", which == OLDER ? "-older" : "", *ca ? "." : "", CA_ID_MAX, ca);
	k->store[which] = key_home_open(&h->keys, h->plain, credential, "of the CA's keys", e);
	return k->store[which] ? 0 : -1;
}

static int load_one(struct signer_keys *k, int which, unsigned generation, const char *dir, struct key_homes *h, struct err *e)
{
	char folder[FILE_PATH];

	return generation_path(folder, dir, generation, e) < 0 || key_homes_load(h, folder, e) < 0 ||
			       file_join(k->folder[which], e, folder, KEYS_FOLDER) < 0
		       ? -1
		       : 0;
}

int signer_keys_load(struct signer_keys *k, const struct authority *a, const char *dir, const char *ca, struct err *e)
{
	struct key_homes now, older;

	*k = (struct signer_keys){ .ca = a };
	if (load_one(k, IN_FORCE, a->generation, dir, &now, e) < 0 || open_store(k, IN_FORCE, &now, ca, e) < 0)
		return -1;
	k->sandbox = now.sandbox;
	if (!crl_ca(a, CRL_OLDER_ISSUING) && !crl_ca(a, CRL_OLDER_UNIT))
		return 0;
	if (load_one(k, OLDER, a->generation - 1, dir, &older, e) < 0)
		return -1;
	if (older.sandbox > k->sandbox)
		k->sandbox = older.sandbox;
	if (!key_home_same(&now.keys, &older.keys))
		return open_store(k, OLDER, &older, ca, e);
	k->store[OLDER] = k->store[IN_FORCE];
	return 0;
}

void signer_keys_close(struct signer_keys *k)
{
	for (size_t i = 0; i < CRL_KINDS; i++) {
		key_free(k->key[i]);
		k->key[i] = NULL;
	}
}

void signer_keys_free(struct signer_keys *k)
{
	signer_keys_close(k);
	if (k->store[OLDER] != k->store[IN_FORCE])
		keystore_close(k->store[OLDER]);
	keystore_close(k->store[IN_FORCE]);
	*k = (struct signer_keys){0};
}

int signer_keys_failed(struct signer_keys *k, const struct err *e)
{
	if (e->code == REASON_CA_UNAVAILABLE)
		k->lost = true;
	if ((e->code == REASON_CA_UNAVAILABLE || e->code == REASON_SECRET) && !k->told) {
		k->told = true;
		log_err(e, "the keys of \"%s\" cannot be used now", k->ca->issuing.cert->subject);
	}
	return -1;
}

const struct key *signer_key(struct signer_keys *k, enum crl_of of, struct err *e)
{
	int which = of == CRL_OLDER_ISSUING || of == CRL_OLDER_UNIT ? OLDER : IN_FORCE;
	const char *name = of == CRL_ISSUING || of == CRL_OLDER_ISSUING ? "issuing" : "unit";
	struct buf spki = {0};
	bool same;

	if (k->key[of])
		return k->key[of];
	k->key[of] = keystore_key(k->store[which], k->folder[which], name, e);
	if (!k->key[of]) {
		signer_keys_failed(k, e);
		return NULL;
	}
	same = key_spki(k->key[of], &spki, e) == 0 && buf_same(&spki, &crl_ca(k->ca, of)->spki);
	buf_free(&spki);
	if (!same) {
		err_set(e, REASON_CONFIG, "%s/%s: the key does not belong to its certificate; restore both from the same backup", k->folder[which], name);
		key_free(k->key[of]);
		k->key[of] = NULL;
		return NULL;
	}
	if (k->told && signer_keys_all_open(k)) {
		k->told = false;
		log_info("the keys of \"%s\" can be used again", k->ca->issuing.cert->subject);
	}
	return k->key[of];
}

int signer_keys_open(struct signer_keys *k, struct err *e)
{
	for (int of = 0; of < CRL_KINDS; of++)
		if (crl_ca(k->ca, (enum crl_of)of) && !signer_key(k, (enum crl_of)of, e))
			return -1;
	return 0;
}

bool signer_keys_all_open(const struct signer_keys *k)
{
	for (int of = 0; of < CRL_KINDS; of++)
		if (crl_ca(k->ca, (enum crl_of)of) && !k->key[of])
			return false;
	return true;
}
