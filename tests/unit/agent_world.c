#include <config.h>

#include "agent_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "file.h"
#include "oid.h"
#include "unit.h"

struct agent_ca world_factory = { .policy = OID_POLICY_FACTORY }, world_customer = { .policy = OID_POLICY_CUSTOMER };
const struct device_id world_device = { "Acme Devices", "gateway-b", WORLD_SERIAL };
static char *folder;

static void need(int rc, const struct err *e)
{
	if (rc == 0)
		return;
	fprintf(stderr, "test world: %s\n", e->text);
	exit(99);
}

static void make_ca(struct agent_ca *ca, const char *name)
{
	struct cert_plan plan = { .not_before = clock_utc() - 3600, .not_after = X509_NO_EXPIRY, .path_len = -1, .ca = true,
				  .key_cert_sign = true, .crl_sign = true };
	struct buf spki = {0}, der = {0};
	struct err e;

	ca->root_key = key_generate(KEY_P256, &e);
	ca->key = key_generate(KEY_P256, &e);
	need(ca->root_key && ca->key ? 0 : -1, &e);
	need(key_spki(ca->root_key, &spki, &e), &e);
	plan.spki = &spki;
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s root", name);
	need(cert_build(&plan, NULL, ca->root_key, &der, &e), &e);
	need(chain_add(&ca->root, der.data, der.len, &e), &e);
	need(key_spki(ca->key, &spki, &e), &e);
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s issuing", name);
	plan.policy = ca->policy;
	need(cert_build(&plan, ca->root.cert, ca->root_key, &der, &e), &e);
	need(chain_add(&ca->issuing, der.data, der.len, &e), &e);
	buf_free(&spki);
	buf_free(&der);
}

void agent_world_init(void)
{
	make_ca(&world_factory, "factory");
	make_ca(&world_customer, "customer");
	folder = unit_folder();
}

static void free_ca(struct agent_ca *ca)
{
	key_free(ca->root_key);
	key_free(ca->key);
	chain_free(&ca->root);
	chain_free(&ca->issuing);
}

void agent_world_free(void)
{
	char command[400];

	free_ca(&world_factory);
	free_ca(&world_customer);
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	if (system(command) != 0)
		perror(folder);
}

void world_write(const char *dir, const char *name, const char *text)
{
	char path[FILE_PATH];
	struct err e;

	need(file_join(path, &e, dir, name), &e);
	need(file_replace(path, text, strlen(text), 0600, &e), &e);
}

const char *world_store(void)
{
	static char path[FILE_PATH];
	static int n;
	struct err e;

	snprintf(path, sizeof path, "%s/store %d", folder, ++n);
	need(file_mkdir(path, &e), &e);
	world_write(path, IDENTITY_FILE, "version: 1\nmanufacturer: Acme Devices\nmodel: gateway-b\nrevision: C\nserial: \""
		    WORLD_SERIAL "\"\n");
	return path;
}

void world_leaf(const struct agent_ca *ca, const struct credential *c, const struct device_id *device, const char *policy,
		struct buf *der)
{
	struct cert_plan plan = { .not_before = clock_utc() - 3600, .not_after = X509_NO_EXPIRY, .path_len = -1,
				  .digital_signature = true, .client_auth = true, .hw_type = OID_MODELS ".1" };
	struct buf spki = {0};
	struct err e;

	need(key_spki(c->key, &spki, &e), &e);
	plan.spki = &spki;
	plan.policy = policy;
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s %s", device->model, device->serial);
	snprintf(plan.organization, sizeof plan.organization, "%s", device->manufacturer);
	snprintf(plan.unit, sizeof plan.unit, "%s", device->model);
	snprintf(plan.serial_number, sizeof plan.serial_number, "%s", device->serial);
	need(cert_build(&plan, ca->issuing.cert, ca->key, der, &e), &e);
	buf_free(&spki);
}

static void add(struct chain *ch, const struct buf *der)
{
	struct err e;

	need(chain_add(ch, der->data, der->len, &e), &e);
}

void world_issue(const struct agent_ca *ca, struct credential *c)
{
	struct buf der = {0};

	world_leaf(ca, c, &world_device, ca->policy, &der);
	chain_free(&c->chain);
	chain_free(&c->root);
	add(&c->chain, &der);
	add(&c->chain, &ca->issuing.cert->der);
	add(&c->root, &ca->root.cert->der);
	buf_free(&der);
}

const char *world_made_device(void)
{
	const char *dir = world_store();
	struct credential c = {0};
	struct err e;
	struct store *s = store_open(dir, true, &e);

	need(s ? 0 : -1, &e);
	need(store_prepare(s, &c, &e), &e);
	need(store_pin_root(s, world_factory.root.cert, &e), &e);
	world_issue(&world_factory, &c);
	need(store_put(s, &c, &e), &e);
	need(store_switch(s, SLOT_FACTORY, &e), &e);
	credential_free(&c);
	store_close(s);
	return dir;
}
