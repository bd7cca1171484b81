/* What a device believes of a voucher, and what it signs itself. */
#include <config.h>

#include <string.h>

#include "agent_world.h"
#include "documents.h"
#include "endorsement.h"
#include "mem.h"
#include "oid.h"
#include "samples.h"
#include "settings.h"
#include "unit.h"
#include "vouch.h"

static struct samples samples, foreign;
static struct credential own;
static struct cert leaf;
static struct vouch_floor seen;
static struct err e;

static void make(void)
{
	struct buf der = {0};

	samples_make(&samples);
	samples_make(&foreign);
	agent_world_init();
	own.key = key_generate(KEY_P256, &e);
	world_leaf(&world_factory, &own, &world_device, world_factory.policy, &der);
	CU_ASSERT_EQUAL_FATAL(cert_parse(&leaf, der.data, der.len, &e), 0);
	buf_free(&der);
}

static void clear(void)
{
	cert_free(&leaf);
	credential_free(&own);
	samples_free(&samples);
	samples_free(&foreign);
	agent_world_free();
}

/* A voucher for this very device, of that shipment; what else is wrong is up to the caller. */
static struct voucher good(uint64_t sequence, const char *customer)
{
	struct voucher v = { .sequence = sequence, .device = world_device };

	snprintf(v.customer, sizeof v.customer, "%s", customer);
	memcpy(v.key_sha256, leaf.spki_sha256, SHA256_LEN);
	return v;
}

/* At a node of customer `at`; OK, or the code of the refusal, which must leave the floor as it was. */
static enum reason shown(const struct voucher *v, const struct sample_unit *by, const char *at)
{
	struct vouch_floor before = seen;
	struct buf cms = {0};
	enum reason code = REASON_OK;

	CU_ASSERT_EQUAL_FATAL(voucher_write(v, by->key, &by->chain, &cms, &e), 0);
	if (vouch_check(&cms, samples.trust, &world_device, &leaf, at, &seen, &e) < 0) {
		code = e.code;
		CU_ASSERT_EQUAL(memcmp(&before, &seen, sizeof seen), 0);
	}
	buf_free(&cms);
	return code;
}

static enum reason plain(uint64_t sequence, const char *customer, const char *at)
{
	struct voucher v = good(sequence, customer);

	return shown(&v, &samples.operator, at);
}

static void test_own_customer(void)
{
	seen = (struct vouch_floor){0};
	CU_ASSERT_EQUAL(plain(7, "plant-seven", "plant-seven"), REASON_OK);
	CU_ASSERT_EQUAL(seen.sequence, 7);
	CU_ASSERT_STRING_EQUAL(seen.customer, "plant-seven");
	CU_ASSERT_EQUAL(plain(7, "plant-seven", "plant-seven"), REASON_OK);
}

/* A node with a handoff of its own, or with a stolen key, and the very voucher of this device. */
static void test_other_customer(void)
{
	seen = (struct vouch_floor){0};
	CU_ASSERT_EQUAL(plain(7, "plant-seven", "plant-eight"), REASON_OTHER_SITE);
	CU_ASSERT_EQUAL(plain(7, "plant-seven", ""), REASON_OTHER_SITE);
}

static void test_resale(void)
{
	seen = (struct vouch_floor){0};
	CU_ASSERT_EQUAL(plain(7, "plant-seven", "plant-seven"), REASON_OK);
	CU_ASSERT_EQUAL(plain(9, "plant-nine", "plant-nine"), REASON_OK);
	CU_ASSERT_EQUAL(plain(7, "plant-seven", "plant-seven"), REASON_VOUCHER);
	CU_ASSERT_EQUAL(plain(8, "plant-seven", "plant-seven"), REASON_VOUCHER);
	CU_ASSERT_EQUAL(plain(9, "plant-seven", "plant-seven"), REASON_VOUCHER);	/* two of one shipment cannot be */
	CU_ASSERT_EQUAL(plain(10, "plant-seven", "plant-seven"), REASON_OK);
}

static void test_other_device(void)
{
	struct voucher v = good(7, "plant-seven");

	seen = (struct vouch_floor){0};
	snprintf(v.device.serial, sizeof v.device.serial, "00020018");
	CU_ASSERT_EQUAL(shown(&v, &samples.operator, "plant-seven"), REASON_VOUCHER);
	v = good(7, "plant-seven");
	snprintf(v.device.manufacturer, sizeof v.device.manufacturer, "Acme Gadgets");
	CU_ASSERT_EQUAL(shown(&v, &samples.operator, "plant-seven"), REASON_VOUCHER);
	v = good(7, "plant-seven");
	snprintf(v.device.model, sizeof v.device.model, "gateway-c");
	CU_ASSERT_EQUAL(shown(&v, &samples.operator, "plant-seven"), REASON_VOUCHER);
	v = good(7, "plant-seven");
	v.key_sha256[31] ^= 1;		/* of a device that had this serial before its rework */
	CU_ASSERT_EQUAL(shown(&v, &samples.operator, "plant-seven"), REASON_VOUCHER);
}

static void test_forged(void)
{
	const struct voucher v = good(7, "plant-seven");
	struct buf nothing = {0};

	seen = (struct vouch_floor){0};
	CU_ASSERT_EQUAL(shown(&v, &samples.node, "plant-seven"), REASON_VOUCHER);	/* a stolen node key signs no voucher */
	CU_ASSERT_EQUAL(shown(&v, &samples.station, "plant-seven"), REASON_VOUCHER);
	CU_ASSERT_EQUAL(shown(&v, &foreign.operator, "plant-seven"), REASON_VOUCHER);
	CU_ASSERT_EQUAL(vouch_check(&nothing, samples.trust, &world_device, &leaf, "plant-seven", &seen, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_VOUCHER);
	CU_ASSERT_EQUAL(seen.sequence, 0);
}

/* ---- endorsement ---- */
static void test_endorsement(void)
{
	struct request_id id = { "00112233445566778899aabbccddeeff", 3 }, other = id;
	uint8_t spki[SHA256_LEN] = { 1 }, node[SHA256_LEN] = { 2 }, wrong[SHA256_LEN] = { 3 };
	struct buf signature = {0};

	CU_ASSERT_EQUAL_FATAL(endorsement_sign(own.key, &id, spki, node, &signature, &e), 0);
	CU_ASSERT_EQUAL(endorsement_verify(&leaf.spki, &id, spki, node, &signature, &e), 0);
	CU_ASSERT_EQUAL(endorsement_verify(&leaf.spki, &id, wrong, node, &signature, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_ENDORSEMENT);
	CU_ASSERT_EQUAL(endorsement_verify(&leaf.spki, &id, spki, wrong, &signature, &e), -1);
	CU_ASSERT_EQUAL(endorsement_verify(&samples.node.chain.cert->spki, &id, spki, node, &signature, &e), -1);
	other.generation = 4;
	CU_ASSERT_EQUAL(endorsement_verify(&leaf.spki, &other, spki, node, &signature, &e), -1);
	other = id;
	other.id[0] = '1';
	CU_ASSERT_EQUAL(endorsement_verify(&leaf.spki, &other, spki, node, &signature, &e), -1);
	for (size_t i = 0; i < 8 * signature.len; i++) {
		signature.data[i / 8] ^= (uint8_t)(1 << i % 8);
		CU_ASSERT_EQUAL(endorsement_verify(&leaf.spki, &id, spki, node, &signature, &e), -1);
		signature.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_free(&signature);
}

/* ---- agent.yaml ---- */
static void test_settings(void)
{
	const char *dir = world_store();
	struct agent_conf c;

	CU_ASSERT_EQUAL(agent_conf_load(&c, dir, &e), 0);
	CU_ASSERT_TRUE(c.voucher);
	world_write(dir, AGENT_CONF, "version: 1\n");
	CU_ASSERT_EQUAL(agent_conf_load(&c, dir, &e), 0);
	CU_ASSERT_TRUE(c.voucher);
	world_write(dir, AGENT_CONF, "version: 1\nvoucher: off\n");
	CU_ASSERT_EQUAL(agent_conf_load(&c, dir, &e), 0);
	CU_ASSERT_FALSE(c.voucher);
	world_write(dir, AGENT_CONF, "version: 1\nvoucher: required\n");
	CU_ASSERT_EQUAL(agent_conf_load(&c, dir, &e), 0);
	CU_ASSERT_TRUE(c.voucher);
	world_write(dir, AGENT_CONF, "version: 1\nvoucher: maybe\n");
	CU_ASSERT_EQUAL(agent_conf_load(&c, dir, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	world_write(dir, AGENT_CONF, "version: 1\nvouchers: off\n");
	CU_ASSERT_EQUAL(agent_conf_load(&c, dir, &e), -1);
}

UNIT_MAIN("agent vouch",
	{ "the world is made", make },
	{ "own customer", test_own_customer },
	{ "other customer", test_other_customer },
	{ "resale", test_resale },
	{ "other device", test_other_device },
	{ "forged", test_forged },
	{ "endorsement", test_endorsement },
	{ "settings", test_settings },
	{ "the world is cleared away", clear })
