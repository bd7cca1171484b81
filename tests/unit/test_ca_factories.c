/* What the customer's CA believes of a device that a node speaks for: only what the device has signed. */
#include <config.h>

#include <string.h>

#include "agent_world.h"
#include "digest.h"
#include "endorsement.h"
#include "factories.h"
#include "file.h"
#include "oid.h"
#include "samples.h"
#include "unit.h"

static struct samples samples;		/* of it: a node's certificate for the handoff */
static struct factories *known;
static const char *dir;
static struct credential device;	/* made by world_factory */
static struct buf leaf;			/* its factory certificate */
static uint8_t new_key[SHA256_LEN];
static struct err e;

static void accept_handoff(const struct cert *node)
{
	struct handoff h = { .customer = "hospital-1", .manufacturer = "Acme Devices" };

	CU_ASSERT_EQUAL_FATAL(chain_add(&h.node, node->der.data, node->der.len, &e), 0);
	CU_ASSERT_EQUAL_FATAL(chain_add(&h.factory, world_factory.issuing.cert->der.data, world_factory.issuing.cert->der.len, &e), 0);
	CU_ASSERT_EQUAL_FATAL(chain_add(&h.factory, world_factory.root.cert->der.data, world_factory.root.cert->der.len, &e), 0);
	CU_ASSERT_EQUAL_FATAL(factories_accept(dir, &h, &e), 0);
	handoff_free(&h);
}

static void make(void)
{
	samples_make(&samples);
	agent_world_init();
	dir = world_store();
	known = factories_new(dir);
	device.key = key_generate(KEY_P256, &e);
	world_leaf(&world_factory, &device, &world_device, world_factory.policy, &leaf);
	digest_sha256(new_key, "another key", 11);
}

static void clear(void)
{
	factories_free(known);
	credential_free(&device);
	buf_free(&leaf);
	samples_free(&samples);
	agent_world_free();
}

/* The request as an honest node forwards it. */
static void good(struct ca_request *rq)
{
	*rq = (struct ca_request){ .kind = CA_ISSUE, .device = world_device };
	request_id_new(&rq->request, 1);
	memcpy(rq->endorsement.node, samples.node.chain.cert->sha256, SHA256_LEN);
	buf_set(&rq->endorsement.factory_certificate, leaf.data, leaf.len);
	CU_ASSERT_EQUAL_FATAL(endorsement_sign(device.key, &rq->request, new_key, rq->endorsement.node, &rq->endorsement.signature,
					       &e), 0);
}

static enum reason judged(struct ca_request *rq)
{
	int rc = factories_check(known, rq, new_key, &e);

	ca_request_free(rq);
	return rc == 0 ? REASON_OK : e.code;
}

/* The handoff is accepted while the server runs. */
static void test_accept(void)
{
	struct ca_request rq;

	good(&rq);
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "handoff"));
	accept_handoff(samples.operator.chain.cert);		/* of another node */
	good(&rq);
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "endorsed-node"));
	accept_handoff(samples.node.chain.cert);
	good(&rq);
	CU_ASSERT_EQUAL(judged(&rq), REASON_OK);
}

/* A file that is damaged takes nothing from the others. */
static void test_damaged(void)
{
	struct ca_request rq;
	char folder[FILE_PATH];

	CU_ASSERT_EQUAL_FATAL(file_join(folder, &e, dir, "factories"), 0);
	world_write(folder, "00.pem", "nothing");
	factories_reload(known);
	good(&rq);
	CU_ASSERT_EQUAL(judged(&rq), REASON_OK);
}

static void test_other_request(void)
{
	struct ca_request rq;

	good(&rq);
	request_id_new(&rq.request, 1);
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	good(&rq);
	rq.request.generation++;
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	good(&rq);
	memcpy(rq.endorsement.node, samples.operator.chain.cert->sha256, SHA256_LEN);	/* a node of ours, but not where it was */
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	good(&rq);
	rq.endorsement.signature.data[9] ^= 1;
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	good(&rq);
	new_key[0] ^= 1;	/* the node puts its own key there */
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	new_key[0] ^= 1;
}

static void test_other_device(void)
{
	struct ca_request rq;

	good(&rq);
	snprintf(rq.device.serial, sizeof rq.device.serial, "00020099");
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
	good(&rq);
	snprintf(rq.device.model, sizeof rq.device.model, "gateway-z");
	CU_ASSERT_EQUAL(judged(&rq), REASON_ENDORSEMENT);
}

/* A node makes up a device: with a factory of its own, with its customer's CA, with a unit's certificate. */
static void test_invented(void)
{
	struct ca_request rq;

	good(&rq);
	world_leaf(&world_customer, &device, &world_device, OID_POLICY_FACTORY, &rq.endorsement.factory_certificate);
	CU_ASSERT_EQUAL(judged(&rq), REASON_AUTHORITY);
	good(&rq);
	world_leaf(&world_factory, &device, &world_device, OID_POLICY_UNIT, &rq.endorsement.factory_certificate);
	CU_ASSERT_EQUAL(judged(&rq), REASON_ROLE);
	good(&rq);
	buf_set(&rq.endorsement.factory_certificate, samples.node.chain.cert->der.data, samples.node.chain.cert->der.len);
	CU_ASSERT_NOT_EQUAL(judged(&rq), REASON_OK);
	good(&rq);
	buf_clear(&rq.endorsement.factory_certificate);
	buf_str(&rq.endorsement.factory_certificate, "no certificate");
	CU_ASSERT_NOT_EQUAL(judged(&rq), REASON_OK);
}

UNIT_MAIN("ca factories",
	{ "the world is made", make },
	{ "accept", test_accept },
	{ "damaged file", test_damaged },
	{ "other request", test_other_request },
	{ "other device", test_other_device },
	{ "invented device", test_invented },
	{ "the world is cleared away", clear })
