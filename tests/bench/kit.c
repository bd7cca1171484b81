#include <config.h>

#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "digest.h"
#include "endorsement.h"
#include "file.h"

void kit_device(const struct options *o, uint64_t i, struct device_id *d)
{
	memset(d, 0, sizeof *d);
	snprintf(d->manufacturer, sizeof d->manufacturer, "%s", o->manufacturer);
	snprintf(d->model, sizeof d->model, "%s", o->model);
	snprintf(d->serial, sizeof d->serial, "%s%06llu", o->prefix, (unsigned long long)(o->first + i));
}

void kit_fresh(struct kit *k, const struct options *o, uint64_t i, bool with_request)
{
	struct err e;

	memset(k, 0, sizeof *k);
	kit_device(o, i, &k->device);
	k->next = key_generate(KEY_P256, &e);
	need(k->next ? 0 : -1, &e, "key");
	request_id_new(&k->request, 1);
	need(csr_build(k->next, &k->device, with_request ? &k->request : NULL, &k->csr, &e), &e, "CSR");
}

static void kit_path(char out[FILE_PATH], const struct options *o, const struct kit *k, const char *end)
{
	char name[LIMIT_SERIAL + 10];
	struct err e;

	snprintf(name, sizeof name, "%s.%s", k->device.serial, end);
	need(file_join(out, &e, o->kits, name), &e, "path");
}

void kit_load(struct kit *k, const struct options *o, uint64_t i, bool with_request)
{
	char path[FILE_PATH];
	struct err e;

	kit_fresh(k, o, i, with_request);
	kit_path(path, o, k, "key");
	k->key = key_load(path, &e);
	need(k->key ? 0 : -1, &e, path);
	kit_path(path, o, k, "pem");
	need(chain_load(&k->chain, path, &e), &e, path);
}

void kit_endorse(struct kit *k, const char *node)
{
	struct buf spki = {0};
	struct chain ch = {0};
	uint8_t hash[SHA256_LEN];
	struct err e;

	need(chain_load(&ch, node, &e), &e, node);
	need(key_spki(k->next, &spki, &e), &e, "key");
	digest_sha256(hash, spki.data, spki.len);
	need(endorsement_sign(k->key, &k->request, hash, ch.cert->sha256, &k->endorsement, &e), &e, "endorsement");
	need(csr_build_endorsed(k->next, &k->device, &k->request, &k->endorsement, &k->csr, &e), &e, "CSR");
	chain_free(&ch);
	buf_free(&spki);
}

void kit_save(const struct kit *k, const struct options *o)
{
	char path[FILE_PATH];
	struct buf pem = {0};
	struct err e;

	kit_path(path, o, k, "key");
	need(key_save(k->next, path, &e), &e, path);
	kit_path(path, o, k, "pem");
	chain_to_pem(&k->chain, &pem);
	need(file_replace(path, pem.data, pem.len, 0644, &e), &e, path);
	buf_free(&pem);
}

void kit_free(struct kit *k)
{
	key_free(k->key);
	key_free(k->next);
	chain_free(&k->chain);
	buf_free(&k->csr);
	buf_free(&k->endorsement);
}
