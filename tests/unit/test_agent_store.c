#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent_world.h"
#include "file.h"
#include "mem.h"
#include "unit.h"

static struct err e;

/* ---- identity.yaml ---- */

static int parse(struct identity *id, const char *text)
{
	struct buf b = {0};
	int rc;

	buf_str(&b, text);
	rc = identity_parse(id, "identity.yaml", &b, &e);
	buf_free(&b);
	return rc;
}

#define HEAD "version: 1\nmanufacturer: Acme Devices\nmodel: gateway-b\n"

static void test_identity(void)
{
	static const struct {
		const char *text, *complaint;
	} bad[] = {
		{ "", "identity.yaml" },
		{ HEAD "revision: C\n", "serial" },
		{ HEAD "revision: C\nserial: \"\"\n", "serial" },
		{ HEAD "revision: C\nserial: \"../etc\"\n", ":5:" },
		{ HEAD "revision: C\nserial: \"a b\"\n", ":5:" },
		{ HEAD "revision: C\nserial: \".x\"\n", ":5:" },
		{ HEAD "revision: C\nserial: [a]\n", ":5:" },
		{ HEAD "revision: C\nserail: \"1\"\n", "serial" },
		{ HEAD "revision: C\nserial: \"1\"\nserial: \"2\"\n", ":6:" },
		{ HEAD "revision: C\nserial: \"1234567890123456789012345678901234567890123456789012345678901234X\"\n", ":5:" },
		{ "version: 2\nmanufacturer: A\nmodel: B\nrevision: C\nserial: \"1\"\n", "version" },
		{ "version: 1\nmanufacturer: \"A\\n\"\nmodel: B\nrevision: C\nserial: \"1\"\n", ":2:" },
	};
	struct identity id = {0};

	CU_ASSERT_EQUAL(parse(&id, HEAD "revision: C\nserial: \"00020017\"\n"), 0);
	CU_ASSERT_STRING_EQUAL(id.device.manufacturer, "Acme Devices");
	CU_ASSERT_STRING_EQUAL(id.device.model, "gateway-b");
	CU_ASSERT_STRING_EQUAL(id.device.serial, "00020017");
	CU_ASSERT_STRING_EQUAL(id.revision, "C");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CU_ASSERT_EQUAL_FATAL(parse(&id, bad[i].text), -1);
		CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
		if (!strstr(e.text, bad[i].complaint))
			printf("\n  %s\n", e.text);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, bad[i].complaint));
	}
	CU_ASSERT_STRING_EQUAL(id.device.serial, "00020017");	/* a failed reading changes nothing */
}

/* ---- the whole way, step by step ---- */

static struct store *open_store(const char *dir)
{
	struct store *s = store_open(dir, true, &e);

	if (!s)
		printf("\n  %s\n", e.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static void test_factory_place(void)
{
	const char *dir = world_store();
	struct store *s = open_store(dir);
	struct credential c = {0}, again = {0};

	CU_ASSERT_EQUAL(store_level(s), STORE_EMPTY);
	CU_ASSERT_EQUAL(store_load(s, SLOT_FACTORY, &c, &e), -1);
	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);
	CU_ASSERT_EQUAL(c.slot, SLOT_FACTORY);
	CU_ASSERT_EQUAL(c.request.generation, 1);
	CU_ASSERT_EQUAL(store_level(s), STORE_PENDING);
	store_close(s);

	s = open_store(dir);	/* a restart finds the same key and id */
	CU_ASSERT_EQUAL(store_prepare(s, &again, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.request.id, c.request.id);
	CU_ASSERT_EQUAL(store_generation(s), 1);

	CU_ASSERT_EQUAL(store_switch(s, SLOT_FACTORY, &e), -1);	/* nothing is there to switch to */
	CU_ASSERT_EQUAL(store_pin_root(s, world_factory.root.cert, &e), 0);
	CU_ASSERT_EQUAL(store_pin_root(s, world_factory.root.cert, &e), 0);
	CU_ASSERT_EQUAL(store_pin_root(s, world_customer.root.cert, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	world_issue(&world_factory, &c);
	CU_ASSERT_EQUAL(store_put(s, &c, &e), 0);
	CU_ASSERT_EQUAL(store_level(s), STORE_PENDING);
	CU_ASSERT_EQUAL(store_switch(s, SLOT_FACTORY, &e), 0);
	CU_ASSERT_EQUAL(store_level(s), STORE_FACTORY);

	/* write-once */
	CU_ASSERT_EQUAL(store_put(s, &c, &e), -1);
	CU_ASSERT_EQUAL(store_drop_dead(s, SLOT_FACTORY, 5, &e), -1);
	CU_ASSERT_EQUAL(store_generation(s), 1);
	CU_ASSERT_FALSE(store_passed(s));
	CU_ASSERT_EQUAL(store_set_passed(s, &e), 0);
	CU_ASSERT_FALSE(store_passed(s));	/* not before it is switched off */
	world_write(dir, "factory/passed", "another boot\n");
	CU_ASSERT_TRUE(store_passed(s));
	store_close(s);
	credential_free(&c);
	credential_free(&again);
}

static bool has_file(const char *dir, const char *name)
{
	char path[FILE_PATH];

	return file_join(path, &e, dir, name) == 0 && file_exists(path);
}

static int remove_in(const char *dir, const char *name)
{
	char path[FILE_PATH];

	return file_join(path, &e, dir, name) < 0 ? -1 : file_remove(path, &e);
}

/* The CA makes the key: a transport key stands for it until the switch. */
static void test_made_key(void)
{
	const char *dir = world_store();
	struct store *s = open_store(dir);
	struct credential c = {0}, again = {0};

	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);	/* begun with the other mode, nothing came of it */
	CU_ASSERT(c.key && !c.transport);
	credential_free(&c);
	CU_ASSERT_EQUAL(store_prepare_for(s, MODE_CA, &c, &e), 0);
	CU_ASSERT(!c.key && c.transport && c.request.generation == 2);
	CU_ASSERT_FALSE(has_file(dir, "factory/key.pem"));
	store_close(s);

	s = open_store(dir);	/* a restart finds the same transport key and id */
	CU_ASSERT_EQUAL(store_prepare_for(s, MODE_CA, &again, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.request.id, c.request.id);
	credential_free(&again);
	CU_ASSERT_EQUAL(store_pin_root(s, world_factory.root.cert, &e), 0);
	c.key = key_generate(KEY_P384, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.key);
	world_issue(&world_factory, &c);
	CU_ASSERT_EQUAL(store_put(s, &c, &e), 0);
	store_close(s);

	/* a cut between key and certificate: the key is forgotten, the same id gets it again */
	CU_ASSERT_EQUAL(remove_in(dir, "factory/cert.pem"), 0);
	s = open_store(dir);
	CU_ASSERT_FALSE(has_file(dir, "factory/key.pem"));
	CU_ASSERT_EQUAL(store_load(s, SLOT_FACTORY, &again, &e), 0);
	CU_ASSERT(!again.key && again.transport && again.chain.n == 0);
	credential_free(&again);
	CU_ASSERT_EQUAL(store_put(s, &c, &e), 0);
	/* stored, so it is confirmed first, whatever mode is asked for now */
	CU_ASSERT_EQUAL(store_prepare(s, &again, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.request.id, c.request.id);
	CU_ASSERT(again.key && again.transport && again.chain.n == 2);
	credential_free(&again);
	CU_ASSERT_EQUAL(store_switch(s, SLOT_FACTORY, &e), 0);
	CU_ASSERT_FALSE(has_file(dir, "factory/transport.pem"));
	CU_ASSERT_EQUAL(store_load(s, SLOT_FACTORY, &again, &e), 0);
	CU_ASSERT(again.key && !again.transport);
	credential_free(&again);
	store_close(s);

	/* a cut just behind the switch */
	world_write(dir, "factory/transport.pem", "left over");
	s = open_store(dir);
	CU_ASSERT_FALSE(has_file(dir, "factory/transport.pem"));
	CU_ASSERT_EQUAL(store_level(s), STORE_FACTORY);
	store_close(s);
	credential_free(&c);
}

static void test_customer_slots(void)
{
	struct store *s = open_store(world_made_device());
	struct credential c = {0}, loaded = {0};

	CU_ASSERT_EQUAL(store_pending(s), SLOT_NONE);
	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);
	CU_ASSERT_EQUAL(c.slot, SLOT_A);
	CU_ASSERT_EQUAL(c.request.generation, 2);
	CU_ASSERT_EQUAL(store_pending(s), SLOT_A);
	CU_ASSERT_EQUAL(store_switch(s, SLOT_A, &e), -1);
	world_issue(&world_customer, &c);
	CU_ASSERT_EQUAL(store_put(s, &c, &e), 0);
	CU_ASSERT_EQUAL(store_level(s), STORE_FACTORY);
	CU_ASSERT_EQUAL(store_switch(s, SLOT_A, &e), 0);
	CU_ASSERT_EQUAL(store_level(s), STORE_CUSTOMER);
	CU_ASSERT_EQUAL(store_load(s, SLOT_A, &loaded, &e), 0);
	CU_ASSERT_EQUAL(loaded.chain.n, 2);
	CU_ASSERT_TRUE(buf_same(&loaded.root.cert->der, &world_customer.root.cert->der));
	credential_free(&loaded);
	CU_ASSERT_EQUAL(store_load(s, SLOT_FACTORY, &loaded, &e), 0);	/* never erased */
	credential_free(&loaded);
	CU_ASSERT_EQUAL(store_drop_dead(s, SLOT_A, 0, &e), -1);
	credential_free(&c);

	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);	/* the next one goes into the other slot */
	CU_ASSERT_EQUAL(c.slot, SLOT_B);
	CU_ASSERT_EQUAL(c.request.generation, 3);
	credential_free(&c);
	store_close(s);
}

static void onboard(struct store *s)
{
	struct credential c = {0};

	CU_ASSERT_EQUAL_FATAL(store_prepare(s, &c, &e), 0);
	world_issue(&world_customer, &c);
	CU_ASSERT_EQUAL_FATAL(store_put(s, &c, &e), 0);
	CU_ASSERT_EQUAL_FATAL(store_switch(s, c.slot, &e), 0);
	credential_free(&c);
}

/* The second slot takes the renewal; what was in force is cleared by the switch, and never taken for one that waits. */
static void test_renewal_slots(void)
{
	const char *dir = world_made_device();
	struct store *s = open_store(dir);
	struct credential c = {0};

	onboard(s);
	onboard(s);
	CU_ASSERT_EQUAL(store_current(s), SLOT_B);
	CU_ASSERT_EQUAL(store_pending(s), SLOT_NONE);
	CU_ASSERT_EQUAL(store_load(s, SLOT_A, &c, &e), -1);
	onboard(s);
	CU_ASSERT_EQUAL(store_current(s), SLOT_A);
	CU_ASSERT_EQUAL(store_generation(s), 4);
	/* cut between the switch and the clearing: the old one is still whole */
	CU_ASSERT_EQUAL_FATAL(store_prepare(s, &c, &e), 0);
	world_issue(&world_customer, &c);
	CU_ASSERT_EQUAL(store_put(s, &c, &e), 0);
	world_write(dir, "current", "customer-b\n");
	store_close(s);
	s = store_open(dir, false, &e);		/* a reader clears nothing */
	CU_ASSERT_EQUAL(store_pending(s), SLOT_NONE);
	store_close(s);
	s = open_store(dir);
	CU_ASSERT_EQUAL(store_current(s), SLOT_B);
	CU_ASSERT_EQUAL(store_pending(s), SLOT_NONE);
	CU_ASSERT_FALSE(store_is_stored(s, SLOT_A));
	credential_free(&c);
	store_close(s);
}

static void test_release(void)
{
	const char *dir = world_made_device();
	struct store *s = open_store(dir);
	struct credential c = {0};

	onboard(s);
	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);	/* a renewal half done */
	world_issue(&world_customer, &c);
	CU_ASSERT_EQUAL(store_put(s, &c, &e), 0);
	credential_free(&c);
	CU_ASSERT_EQUAL(store_release(s, &e), 0);
	CU_ASSERT_EQUAL(store_level(s), STORE_FACTORY);
	CU_ASSERT_EQUAL(store_pending(s), SLOT_NONE);
	CU_ASSERT_FALSE(store_is_stored(s, SLOT_A));
	CU_ASSERT_FALSE(store_is_stored(s, SLOT_B));
	CU_ASSERT_EQUAL(store_generation(s), 3);
	store_close(s);
	s = open_store(dir);
	CU_ASSERT_EQUAL(store_level(s), STORE_FACTORY);
	onboard(s);				/* onboarded anew, above all ids before */
	CU_ASSERT_EQUAL(store_generation(s), 4);
	CU_ASSERT_EQUAL(store_load(s, store_current(s), &c, &e), 0);
	CU_ASSERT_EQUAL(c.request.generation, 4);
	credential_free(&c);
	store_close(s);
	s = open_store(world_store());		/* nothing to go back to */
	CU_ASSERT_EQUAL(store_release(s, &e), -1);
	CU_ASSERT_EQUAL(store_current(s), SLOT_NONE);
	store_close(s);
}

static void test_generations(void)
{
	struct store *s = open_store(world_made_device());
	struct credential c = {0};
	char first[REQUEST_ID_LEN + 1];

	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);
	memcpy(first, c.request.id, sizeof first);
	CU_ASSERT_EQUAL(store_drop_dead(s, c.slot, 7, &e), 0);	/* the node knows 7: go on with 8 */
	credential_free(&c);
	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);
	CU_ASSERT_EQUAL(c.request.generation, 8);
	CU_ASSERT_STRING_NOT_EQUAL(c.request.id, first);
	CU_ASSERT_EQUAL(store_drop_dead(s, c.slot, 3, &e), 0);	/* it only grows */
	credential_free(&c);
	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);
	CU_ASSERT_EQUAL(c.request.generation, 9);
	CU_ASSERT_EQUAL(store_drop_dead(s, c.slot, UINT32_MAX, &e), -1);	/* no peer may use them up */
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	CU_ASSERT_EQUAL(store_drop_dead(s, c.slot, 9 + LIMIT_GENERATION_RISE + 1, &e), -1);
	CU_ASSERT_EQUAL(store_pending(s), SLOT_A);	/* and nothing was dropped */
	CU_ASSERT_EQUAL(store_drop_dead(s, c.slot, 9 + LIMIT_GENERATION_RISE, &e), 0);
	CU_ASSERT_EQUAL(store_generation(s), 9 + LIMIT_GENERATION_RISE);
	CU_ASSERT_EQUAL(store_pending(s), SLOT_NONE);
	credential_free(&c);
	store_close(s);
}

/* ---- damage ---- */

static void test_damage(void)
{
	const char *dir = world_made_device();
	struct store *s = open_store(dir);
	struct credential c = {0}, again = {0};

	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);
	world_issue(&world_customer, &c);
	CU_ASSERT_EQUAL(store_put(s, &c, &e), 0);
	store_close(s);

	world_write(dir, "customer-a/cert.pem", "not a certificate\n");	/* the same id gets it again */
	s = open_store(dir);
	CU_ASSERT_EQUAL(store_prepare(s, &again, &e), 0);
	CU_ASSERT_STRING_EQUAL(again.request.id, c.request.id);
	CU_ASSERT_EQUAL(again.chain.n, 0);
	credential_free(&again);
	store_close(s);

	world_write(dir, "customer-a/key.pem", "no key\n");	/* a new id above the old one */
	s = open_store(dir);
	CU_ASSERT_EQUAL(store_pending(s), SLOT_NONE);
	CU_ASSERT_EQUAL(store_prepare(s, &again, &e), 0);
	CU_ASSERT_EQUAL(again.request.generation, 3);
	credential_free(&again);
	credential_free(&c);
	store_close(s);

	world_write(dir, "factory/cert.pem", "");	/* in force: never repaired by guessing */
	s = open_store(dir);
	CU_ASSERT_EQUAL(store_load(s, SLOT_FACTORY, &c, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_KEY_STORE);
	store_close(s);

	world_write(dir, "current", "customer-c\n");
	CU_ASSERT_PTR_NULL(store_open(dir, true, &e));
	CU_ASSERT_EQUAL(e.code, REASON_KEY_STORE);
	world_write(dir, "current", "factory\n");
	world_write(dir, "generation", "4294967296\n");
	CU_ASSERT_PTR_NULL(store_open(dir, true, &e));
	CU_ASSERT_EQUAL(e.code, REASON_KEY_STORE);
}

static void test_outcome(void)
{
	struct store *s = open_store(world_made_device());
	struct store_outcome o;
	char text[600];

	store_outcome(s, &o);
	CU_ASSERT_EQUAL(o.code, REASON_OK);
	store_set_outcome(s, REASON_NOT_LISTED, "not here");
	store_outcome(s, &o);
	CU_ASSERT_EQUAL(o.code, REASON_NOT_LISTED);
	CU_ASSERT_STRING_EQUAL(o.text, "not here");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	store_set_outcome(s, REASON_BLOCKED, text);	/* cut, not lost */
	store_outcome(s, &o);
	CU_ASSERT_EQUAL(o.code, REASON_BLOCKED);
	store_set_outcome(s, REASON_OK, "");
	store_outcome(s, &o);
	CU_ASSERT_EQUAL(o.code, REASON_OK);
	store_close(s);
}

static void test_one_writer(void)
{
	const char *dir = world_made_device();
	struct store *s = open_store(dir), *reader;

	CU_ASSERT_PTR_NULL(store_open(dir, true, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "in use"));
	reader = store_open(dir, false, &e);
	CU_ASSERT_PTR_NOT_NULL(reader);
	store_close(reader);
	store_close(s);
}

static void test_certificates_of_others(void)
{
	static const struct device_id other = { "Acme Devices", "gateway-b", "00020018" };
	struct credential c = { .key = key_generate(KEY_P256, &e) }, stranger = { .key = key_generate(KEY_P256, &e) };
	struct chain leaf = {0};
	struct buf der = {0};

	world_issue(&world_customer, &c);
	CU_ASSERT_EQUAL(credential_verify(&c, &world_device, world_customer.policy, 2000000000, &e), 0);
	CU_ASSERT_EQUAL(credential_verify(&c, &other, world_customer.policy, 2000000000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	CU_ASSERT_EQUAL(credential_verify(&c, &world_device, world_factory.policy, 2000000000, &e), -1);
	CU_ASSERT_EQUAL(credential_verify(&c, &world_device, world_customer.policy, 0, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CLOCK);

	world_leaf(&world_customer, &stranger, &world_device, world_customer.policy, &der);	/* for another key */
	CU_ASSERT_EQUAL(chain_add(&leaf, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL(chain_add(&leaf, world_customer.issuing.cert->der.data, world_customer.issuing.cert->der.len, &e), 0);
	chain_free(&c.chain);
	c.chain = leaf;
	CU_ASSERT_EQUAL(credential_verify(&c, &world_device, world_customer.policy, 2000000000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);

	world_issue(&world_factory, &c);	/* under another root than the pinned one */
	chain_free(&c.root);
	CU_ASSERT_EQUAL(chain_add(&c.root, world_customer.root.cert->der.data, world_customer.root.cert->der.len, &e), 0);
	CU_ASSERT_EQUAL(credential_verify(&c, &world_device, world_factory.policy, 2000000000, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_AUTHORITY);
	credential_free(&c);
	credential_free(&stranger);
	buf_free(&der);
}

/* ---- a power cut at every instant ---- */
#ifdef ENABLE_FAULT_INJECTION

static int transaction(const char *dir, const struct agent_ca *ca)
{
	struct store *s = store_open(dir, true, &e);
	struct credential c = {0};
	int rc = -1;

	if (s && store_prepare(s, &c, &e) == 0 &&
	    (c.slot != SLOT_FACTORY || store_pin_root(s, ca->root.cert, &e) == 0)) {
		if (c.chain.n == 0)
			world_issue(ca, &c);
		rc = store_put(s, &c, &e) < 0 ? -1 : store_switch(s, c.slot, &e);
	}
	credential_free(&c);
	store_close(s);
	return rc;
}

/* An id that was found dead, and the way on. */
static int dead_transaction(const char *dir, const struct agent_ca *ca)
{
	struct store *s = store_open(dir, true, &e);
	struct credential c = {0};
	int rc = -1;

	if (s && store_prepare(s, &c, &e) == 0) {
		if (c.chain.n == 0)
			world_issue(ca, &c);
		rc = store_put(s, &c, &e) < 0 ? -1 : store_drop_dead(s, c.slot, c.request.generation, &e);
	}
	credential_free(&c);
	store_close(s);
	return rc == 0 ? transaction(dir, ca) : -1;
}

typedef int story(const char *dir, const struct agent_ca *ca);

/* Runs the story in a child with one variable set; returns the wait status. */
static int in_child(story *run, const char *dir, const struct agent_ca *ca, const char *variable, const char *value)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		setenv(variable, value, 1);
		_exit(run(dir, ca) == 0 ? 0 : 1);
	}
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	return status;
}

/* Old or new: complete, in force, and nothing half-made that matters; then the story goes on to its end. */
static void check_after_cut(story *run, const char *dir, const struct agent_ca *ca, const char *point)
{
	struct store *s = store_open(dir, true, &e);
	struct credential c = {0};
	uint32_t generation;
	bool finished;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	generation = store_generation(s);
	finished = store_level(s) == (ca == &world_factory ? STORE_FACTORY : STORE_CUSTOMER);
	if (store_current(s) != SLOT_NONE) {
		int rc = store_load(s, store_current(s), &c, &e);

		if (rc < 0)
			printf("\n  cut at %s: %s\n", point, e.text);
		CU_ASSERT_EQUAL(rc, 0);
		CU_ASSERT_TRUE(c.chain.n == 2 && c.root.n == 1);
		credential_free(&c);
	} else {
		CU_ASSERT_PTR_EQUAL(ca, &world_factory);
	}
	if (store_pending(s) != SLOT_NONE) {
		CU_ASSERT_EQUAL(store_load(s, store_pending(s), &c, &e), 0);
		CU_ASSERT_TRUE(c.request.generation <= generation);	/* never used before it is kept in mind */
		credential_free(&c);
	}
	store_close(s);
	if (!finished) {
		CU_ASSERT_EQUAL(run(dir, ca), 0);
		s = store_open(dir, true, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		CU_ASSERT_EQUAL(store_level(s), ca == &world_factory ? STORE_FACTORY : STORE_CUSTOMER);
		CU_ASSERT_TRUE(store_generation(s) >= generation);
		store_close(s);
	}
}

static void cut_everywhere(story *run, const char *(*device)(void), const struct agent_ca *ca)
{
	char list[FILE_PATH], line[128], point[160];
	const char *dir = device();
	FILE *f;
	int n = 0, fired = 0;

	snprintf(list, sizeof list, "%s/points", dir);
	CU_ASSERT_EQUAL_FATAL(in_child(run, dir, ca, "HANDSEL_FAULT_LIST", list), 0);
	f = fopen(list, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (fgets(line, sizeof line, f)) {
		char before[128];
		long here = ftell(f);
		int nth = 0, status;

		line[strcspn(line, " \n")] = 0;	/* the process number stands behind the name */
		rewind(f);	/* the how-manieth of its name is it? */
		while (ftell(f) < here && fgets(before, sizeof before, f)) {
			before[strcspn(before, " \n")] = 0;
			nth += strcmp(before, line) == 0;
		}
		snprintf(point, sizeof point, "%s:%d", line, nth);
		dir = device();
		status = in_child(run, dir, ca, "HANDSEL_FAULT", point);
		CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		fired += WIFSIGNALED(status);
		check_after_cut(run, dir, ca, point);
		n++;
	}
	fclose(f);
	CU_ASSERT_TRUE(n > 15);
	CU_ASSERT_EQUAL(fired, n);
}

static void test_cut_factory(void)
{
	cut_everywhere(transaction, world_store, &world_factory);
}

static void test_cut_customer(void)
{
	cut_everywhere(transaction, world_made_device, &world_customer);
}

static void test_cut_dead(void)
{
	cut_everywhere(dead_transaction, world_made_device, &world_customer);
}

static const char *world_onboarded(void)
{
	const char *dir = world_made_device();

	CU_ASSERT_EQUAL_FATAL(transaction(dir, &world_customer), 0);
	return dir;
}

static void test_cut_renewal(void)
{
	cut_everywhere(transaction, world_onboarded, &world_customer);
}

/* A release, and the way back: customer, factory or customer, and at the end onboarded. */
static int released_transaction(const char *dir, const struct agent_ca *ca)
{
	struct store *s = store_open(dir, true, &e);
	int rc = s && store_level(s) == STORE_CUSTOMER ? store_release(s, &e) : 0;

	store_close(s);
	return rc == 0 ? transaction(dir, ca) : -1;
}

static void test_cut_release(void)
{
	cut_everywhere(released_transaction, world_onboarded, &world_customer);
}
#else
static void test_cut_renewal(void) { }
static void test_cut_release(void) { }
static void test_cut_factory(void) { }
static void test_cut_customer(void) { }
static void test_cut_dead(void) { }
#endif


/* ---- the clock ---- */

static void add_future(const char *dir, const struct agent_ca *signer)
{
	struct cert_plan plan = { .not_before = signer->root.cert->not_before + 86400 * 3650, .not_after = X509_NO_EXPIRY,
				  .path_len = -1, .ca = true, .key_cert_sign = true };
	struct buf pem = {0}, spki = {0}, der = {0};
	struct chain ch = {0};
	char path[FILE_PATH];

	CU_ASSERT_EQUAL_FATAL(file_join(path, &e, dir, "factory/cert.pem"), 0);
	CU_ASSERT_EQUAL_FATAL(file_read(&pem, path, 0, &e), 0);
	CU_ASSERT_EQUAL_FATAL(key_spki(signer->key, &spki, &e), 0);
	plan.spki = &spki;
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "CA of tomorrow");
	CU_ASSERT_EQUAL_FATAL(cert_build(&plan, signer->root.cert, signer->root_key, &der, &e), 0);
	CU_ASSERT_EQUAL_FATAL(chain_add(&ch, der.data, der.len, &e), 0);
	chain_to_pem(&ch, &pem);
	CU_ASSERT_EQUAL_FATAL(file_replace(path, pem.data, pem.len, 0600, &e), 0);
	chain_free(&ch);
	buf_free(&pem);
	buf_free(&spki);
	buf_free(&der);
}

static int64_t floor_of(const char *dir)
{
	struct store *s = store_open(dir, false, &e);
	int64_t at;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	at = store_floor(s);
	store_close(s);
	return at;
}

/* Verified CA certificates move the clock; what somebody else puts beside them, or pins without more, does not. */
static void test_floor(void)
{
	const char *dir = world_store();
	struct credential c = {0};
	struct store *s = store_open(dir, true, &e);
	int64_t since = world_factory.root.cert->not_before;

	CU_ASSERT_EQUAL(store_prepare(s, &c, &e), 0);
	CU_ASSERT_EQUAL(store_pin_root(s, world_factory.root.cert, &e), 0);
	CU_ASSERT_EQUAL(store_floor(s), 0);
	credential_free(&c);
	store_close(s);
	dir = world_made_device();
	CU_ASSERT_EQUAL(floor_of(dir), since);
	add_future(dir, &world_customer);
	CU_ASSERT_EQUAL(floor_of(dir), since);
	add_future(dir, &world_factory);	/* the true factory may say so */
	CU_ASSERT_EQUAL(floor_of(dir), since + 86400 * 3650);
}

UNIT_MAIN("agent store",
	{ "the world is made", agent_world_init },
	{ "identity.yaml", test_identity },
	{ "factory place, write-once", test_factory_place },
	  { "made key", test_made_key },
	{ "customer slots", test_customer_slots },
	{ "renewal's slots", test_renewal_slots },
	{ "release", test_release },
	{ "generations", test_generations },
	{ "damage", test_damage },
	{ "outcome", test_outcome },
	{ "one writer", test_one_writer },
	{ "certificates of others", test_certificates_of_others },
	{ "the clock's floor", test_floor },
	{ "power cut everywhere in the factory", test_cut_factory },
	{ "power cut everywhere at the customer's", test_cut_customer },
	{ "power cut everywhere in a renewal", test_cut_renewal },
	{ "power cut everywhere in a release", test_cut_release },
	{ "power cut everywhere around a dead id", test_cut_dead },
	{ "the world is cleared away", agent_world_free })
