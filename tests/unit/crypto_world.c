#include <config.h>

#include "crypto_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "file.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

#define MUST(call)                                                                \
	do {                                                                      \
		struct err e_ = {0};                                              \
		struct err *e = &e_;                                              \
		if ((call) < 0) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, e->text); \
			exit(99);                                                 \
		}                                                                 \
	} while (0)

static struct key *must_key(enum key_type type)
{
	struct err e;
	struct key *k = key_generate(type, &e);

	if (!k) {
		fprintf(stderr, "key: %s\n", e.text);
		exit(99);
	}
	return k;
}

struct cert_plan plan_ca(const char *cn, const char *policy)
{
	struct cert_plan plan = { .ca = true, .path_len = 0, .key_cert_sign = true, .crl_sign = true, .policy = policy,
				  .not_before = WORLD_NOW - 100 * DAY, .not_after = WORLD_NOW + 3650 * (int64_t)DAY };

	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s", cn);
	snprintf(plan.organization, sizeof plan.organization, "Acme Devices");
	return plan;
}

void authority_make(struct authority *a, const struct cert_plan *plan, enum key_type type, const struct authority *issuer)
{
	struct cert_plan full = *plan;
	struct buf spki = {0}, der = {0};

	if (!a->key)
		a->key = must_key(type);
	MUST(key_spki(a->key, &spki, e));
	full.spki = &spki;
	MUST(cert_build(&full, issuer ? &issuer->cert : NULL, issuer ? issuer->key : a->key, &der, e));
	cert_free(&a->cert);
	MUST(cert_parse(&a->cert, der.data, der.len, e));
	buf_free(&spki);
	buf_free(&der);
}

void authority_free(struct authority *a)
{
	key_free(a->key);
	cert_free(&a->cert);
	*a = (struct authority){0};
}

struct cert_plan plan_device(const char *serial)
{
	struct cert_plan plan = { .not_before = WORLD_NOW - DAY, .not_after = X509_NO_EXPIRY, .digital_signature = true,
				  .client_auth = true, .policy = OID_POLICY_FACTORY, .hw_type = OID_MODELS ".2" };

	snprintf(plan.organization, sizeof plan.organization, "Acme Devices");
	snprintf(plan.unit, sizeof plan.unit, "gateway-b");
	snprintf(plan.serial_number, sizeof plan.serial_number, "%s", serial);
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "gateway-b %s", serial);
	return plan;
}

struct cert_plan plan_unit(const char *role, const char *name)
{
	struct cert_plan plan = { .not_before = WORLD_NOW - DAY, .not_after = WORLD_NOW + 730 * (int64_t)DAY, .digital_signature = true,
				  .client_auth = true, .policy = OID_POLICY_UNIT };

	plan.server_auth = strcmp(role, "ca") == 0 || strcmp(role, "node") == 0;
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s %s", role, name);
	snprintf(plan.uri[0], sizeof plan.uri[0], "handsel:%s:%s", role, name);
	return plan;
}

struct cert make_cert(const struct cert_plan *plan, const struct key *key, const struct authority *issuer)
{
	struct cert_plan full = *plan;
	struct buf spki = {0}, der = {0};
	struct cert c;

	MUST(key_spki(key, &spki, e));
	full.spki = &spki;
	MUST(cert_build(&full, &issuer->cert, issuer->key, &der, e));
	MUST(cert_parse(&c, der.data, der.len, e));
	buf_free(&spki);
	buf_free(&der);
	return c;
}

struct buf patched(const struct cert *c, const void *find, const void *put, size_t len, const struct key *signer)
{
	struct buf out = {0}, tbs = {0}, sig = {0};
	struct der rest, algorithm;
	uint8_t *at;
	size_t seq;

	buf_add(&tbs, c->der.data + c->tbs.at, c->tbs.len);
	at = memmem(tbs.data, tbs.len, find, len);
	if (!at || (len && memmem(at + 1, tbs.len - (size_t)(at + 1 - tbs.data), find, len))) {
		fprintf(stderr, "patched: the bytes are not there exactly once\n");
		exit(99);
	}
	memcpy(at, put, len);
	MUST(key_sign(signer, tbs.data, tbs.len, &sig, e));
	rest = der_from(c->der.data + c->tbs.at + c->tbs.len, c->der.len - c->tbs.at - c->tbs.len);
	algorithm = der_whole(&rest);
	seq = der_begin(&out, DER_SEQUENCE);
	buf_add(&out, tbs.data, tbs.len);
	buf_add(&out, algorithm.p, algorithm.left);
	der_put_bits(&out, sig.data, sig.len);
	der_end(&out, seq);
	buf_free(&tbs);
	buf_free(&sig);
	return out;
}

struct chain chain_of(const struct cert *leaf, const struct cert *above)
{
	struct chain ch = {0};

	MUST(chain_add(&ch, leaf->der.data, leaf->der.len, e));
	if (above)
		MUST(chain_add(&ch, above->der.data, above->der.len, e));
	return ch;
}

struct world *world_new(const char *name)
{
	struct world *w = mem_new(1, sizeof *w);
	struct cert_plan plan = plan_ca(name, NULL);

	plan.path_len = 1;
	authority_make(&w->root, &plan, KEY_P384, NULL);
	plan = plan_ca("Issuing CA", OID_POLICY_FACTORY);
	authority_make(&w->issuing, &plan, KEY_P256, &w->root);
	plan = plan_ca("Unit CA", OID_POLICY_UNIT);
	authority_make(&w->unit, &plan, KEY_P256, &w->root);
	w->leaf_key = must_key(KEY_P256);
	w->trust = trust_new();
	MUST(trust_add_root(w->trust, &w->root.cert, e));
	return w;
}

void world_free(struct world *w)
{
	authority_free(&w->root);
	authority_free(&w->issuing);
	authority_free(&w->unit);
	key_free(w->leaf_key);
	trust_free(w->trust);
	free(w);
}

struct trust_rule rule_any(void)
{
	return (struct trust_rule){ .now = WORLD_NOW };
}

/* ---- the folder and the shell ---- */
static char folder[256];

const char *scratch(const char *name)
{
	static char paths[8][512];
	static int next;
	char *path = paths[next = (next + 1) % 8];

	if (!folder[0])
		snprintf(folder, sizeof folder, "%s", unit_folder());
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

int shell(const char *fmt, ...)
{
	char command[2048], all[2600];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	scratch("");
	snprintf(all, sizeof all, "cd '%s' && { %s; } >out.txt 2>&1 </dev/null", folder, command);
	rc = system(all);
	return rc < 0 || !WIFEXITED(rc) ? -1 : WEXITSTATUS(rc);
}

void scratch_write(const char *name, const void *data, size_t len)
{
	MUST(file_replace(scratch(name), data, len, 0600, e));
}

void scratch_cert(const char *name, const struct cert *c)
{
	struct buf pem = {0};

	cert_to_pem(c, &pem);
	scratch_write(name, pem.data, pem.len);
	buf_free(&pem);
}

struct buf scratch_read(const char *name)
{
	struct buf b = {0};

	MUST(file_read(&b, scratch(name), 0, e));
	return b;
}

void scratch_remove(void)
{
	char command[300];

	if (!folder[0])
		return;
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s is left behind\n", folder);
}
