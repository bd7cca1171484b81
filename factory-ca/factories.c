#include <config.h>

#include "factories.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "endorsement.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "oid.h"

#define FOLDER "factories"
#define NODE "node-"

struct factories {
	char *dir;
	pthread_rwlock_t lock;		/* of all below */
	struct trust **factory;		/* one each: a factory's issuing CA speaks for no other factory */
	size_t n;
	struct chain nodes;
	atomic_bool loaded;
};

/* ---- the files ---- */
int factories_accept(const char *dir, const struct handoff *h, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH], name[SHA256_HEX + 12], hash[SHA256_HEX];
	struct chain node = { .cert = h->node.cert, .n = 1 };

	text_hex(hash, h->factory.cert[h->factory.n - 1].sha256, SHA256_LEN);
	if (file_join(folder, e, dir, FOLDER) < 0 || file_mkdir(folder, e) < 0 ||
	    file_join_end(path, e, folder, hash, ".pem") < 0 || chain_save(&h->factory, path, e) < 0)
		return -1;
	text_hex(hash, node.cert->sha256, SHA256_LEN);
	snprintf(name, sizeof name, NODE "%s.pem", hash);
	return file_join(path, e, folder, name) < 0 ? -1 : chain_save(&node, path, e);
}

/* Only CAs that may issue to devices are pinned: a unit CA of the same factory may not. */
static struct trust *make_trust(const struct chain *ch, struct err *e)
{
	struct trust *t = trust_new();
	int rc = trust_add_root(t, &ch->cert[ch->n - 1], e);

	for (size_t i = 0; rc == 0 && i + 1 < ch->n; i++)
		if (cert_has_policy(&ch->cert[i], OID_POLICY_FACTORY))
			rc = trust_add_issuer_via(t, &ch->cert[i], ch, e);
	if (rc == 0)
		return t;
	trust_free(t);
	return NULL;
}

static int load_file(struct factories *f, const char *path, bool node, struct err *e)
{
	struct chain ch = {0};
	struct trust *t = NULL;
	int rc = chain_load(&ch, path, e);

	if (rc == 0 && node) {
		rc = chain_add(&f->nodes, ch.cert[0].der.data, ch.cert[0].der.len, e);
	} else if (rc == 0 && (t = make_trust(&ch, e))) {
		f->factory = mem_grow(f->factory, f->n + 1, sizeof *f->factory);
		f->factory[f->n++] = t;
	} else {
		rc = -1;
	}
	chain_free(&ch);
	return rc;
}

static void forget(struct factories *f)
{
	for (size_t i = 0; i < f->n; i++)
		trust_free(f->factory[i]);
	free(f->factory);
	f->factory = NULL;
	f->n = 0;
	chain_free(&f->nodes);
	f->loaded = false;
}

/* A file that cannot be read takes nothing from the others. */
static void load(struct factories *f)
{
	char folder[FILE_PATH], path[FILE_PATH];
	struct dirent *entry;
	struct err e;
	DIR *dir;

	forget(f);
	f->loaded = true;
	if (file_join(folder, &e, f->dir, FOLDER) < 0 || !(dir = opendir(folder)))
		return;		/* no handoff was accepted yet */
	while ((entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		if (n < 5 || strcmp(entry->d_name + n - 4, ".pem") != 0 || entry->d_name[0] == '.')
			continue;
		if (file_join(path, &e, folder, entry->d_name) < 0 ||
		    load_file(f, path, strncmp(entry->d_name, NODE, sizeof NODE - 1) == 0, &e) < 0)
			log_err(&e, "%s/%s", folder, entry->d_name);
	}
	closedir(dir);
}

/* ---- what a device has signed ---- */
static int judge_device(struct factories *f, const struct chain *ch, struct err *e)
{
	const struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .unrestricted = true, .policy = OID_POLICY_FACTORY, .pinned = true,
					 .now = clock_utc() };
	struct err why;

	err_set(e, REASON_ENDORSEMENT, "factory-certificate: no handoff with a factory was accepted here; \"handsel-ca handoff "
		"accept\" takes the bundle that the node has");
	for (size_t i = 0; i < f->n; i++) {
		if (trust_verify(f->factory[i], ch, &rule, &why) == 0)
			return 0;
		if (i == 0 || why.code != REASON_AUTHORITY)	/* of several factories the one that knows the issuer speaks */
			*e = why;
	}
	return f->n ? err_prefix(e, "factory-certificate") : -1;
}

static int judge_node(const struct factories *f, const uint8_t sha256[SHA256_LEN], struct err *e)
{
	for (size_t i = 0; i < f->nodes.n; i++)
		if (mem_same(f->nodes.cert[i].sha256, sha256, SHA256_LEN))
			return 0;
	return err_set(e, REASON_ENDORSEMENT, "endorsed-node: the device was at a node whose handoff was not accepted here; "
		       "\"handsel-ca handoff accept\" takes the bundle that the node has");
}

static int judge(struct factories *f, const struct chain *ch, const uint8_t node[SHA256_LEN], bool again, struct err *e)
{
	int rc;

	if (again || !f->loaded) {
		pthread_rwlock_wrlock(&f->lock);
		load(f);
		pthread_rwlock_unlock(&f->lock);
	}
	pthread_rwlock_rdlock(&f->lock);
	rc = judge_device(f, ch, e) < 0 || judge_node(f, node, e) < 0 ? -1 : 0;
	pthread_rwlock_unlock(&f->lock);
	return rc;
}

int factories_check(struct factories *f, const struct ca_request *rq, const uint8_t spki[SHA256_LEN], struct err *e)
{
	const struct ca_endorsement *d = &rq->endorsement;
	struct chain ch = {0};
	int rc = -1;

	if (chain_add(&ch, d->factory_certificate.data, d->factory_certificate.len, e) < 0) {
		err_prefix(e, "factory-certificate");
	} else if (judge(f, &ch, d->node, false, e) == 0 || judge(f, &ch, d->node, true, e) == 0) {
		if (!device_same(&ch.cert->device, &rq->device) ||
		    (ch.cert->hw_serial[0] && strcmp(ch.cert->hw_serial, rq->device.serial) != 0))
			err_set(e, REASON_ENDORSEMENT, "factory-certificate: it is another device's");
		else
			rc = endorsement_verify(&ch.cert->spki, &rq->request, spki, d->node, &d->signature, e);
	}
	chain_free(&ch);
	return rc;
}

/* ---- life ---- */
struct factories *factories_new(const char *dir)
{
	struct factories *f = mem_new(1, sizeof *f);

	f->dir = mem_str(dir);
	pthread_rwlock_init(&f->lock, NULL);
	return f;
}

void factories_reload(struct factories *f)
{
	pthread_rwlock_wrlock(&f->lock);
	load(f);
	pthread_rwlock_unlock(&f->lock);
}

void factories_free(struct factories *f)
{
	if (!f)
		return;
	forget(f);
	pthread_rwlock_destroy(&f->lock);
	free(f->dir);
	free(f);
}
