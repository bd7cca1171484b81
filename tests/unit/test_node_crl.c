/* The factories' revocation lists at a node: which are taken, what they say of a certificate, and what that decides. */
#include <config.h>

#include <string.h>

#include "allowlist.h"
#include "crl.h"
#include "crypto_world.h"
#include "factory_crl.h"
#include "file.h"
#include "mem.h"
#include "oid.h"
#include "unit.h"

static struct world *w;
static struct maker_set makers;
static struct factory_crls *crls;
static struct buf good, bad, stranger;	/* certificates of devices */
static char bad_serial[2 * CERT_SERIAL_MAX + 1];

static struct buf device_of(const struct authority *ca, const char *serial)
{
	struct cert_plan plan = plan_device(serial);
	struct cert c = make_cert(&plan, w->leaf_key, ca);
	struct buf der = {0};

	buf_set(&der, c.der.data, c.der.len);
	if (strcmp(serial, "bad") == 0)
		memcpy(bad_serial, c.serial, sizeof bad_serial);
	cert_free(&c);
	return der;
}

static void test_begin(void)
{
	struct maker *m = &makers.one[0];
	const struct cert *cas[3];
	struct authority other = {0};
	struct cert_plan plan = plan_ca("Another CA", OID_POLICY_FACTORY);
	struct err e;

	w = world_new("Test Root");
	cas[0] = &w->issuing.cert;
	cas[1] = &w->unit.cert;
	cas[2] = &w->root.cert;
	for (size_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL_FATAL(chain_add(&m->factory, cas[i]->der.data, cas[i]->der.len, &e), 0);
	strcpy(m->name, "Acme Devices");
	makers.n = 1;
	good = device_of(&w->issuing, "good");
	bad = device_of(&w->issuing, "bad");
	authority_make(&other, &plan, KEY_P256, &w->root);
	stranger = device_of(&other, "good");
	authority_free(&other);
	crls = factory_crls_new(&makers, scratch(""), &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(crls);
}

/* number, good from an hour ago for a day; with one entry or none */
static int take(const struct authority *a, uint64_t number, bool revoked, struct err *e)
{
	struct crl_entry entry = { .reason = 1, .date = WORLD_NOW - 60 };
	struct crl_plan plan = { .number = number, .this_update = WORLD_NOW - 3600, .next_update = WORLD_NOW + DAY, .entry = &entry,
				 .n = revoked };
	struct buf der = {0}, pem = {0};
	int rc;

	crl_entry_serial(&entry, bad_serial);
	CU_ASSERT_EQUAL_FATAL(crl_build(&plan, &a->cert, a->key, &der, e), 0);
	if (number % 2)
		crl_to_pem(&der, &pem);
	rc = factory_crls_take(crls, number % 2 ? &pem : &der, e);
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

static enum crl_verdict judge(const struct buf *certificate, int64_t now, const char *words)
{
	struct crl_word word;

	factory_crls_judge(crls, certificate, now, &word);
	CU_ASSERT_EQUAL(word.verdict == CRL_GOOD, word.why.code == REASON_OK);
	CU_ASSERT_EQUAL(word.verdict == CRL_REVOKED, word.why.code == REASON_BLOCKED);
	CU_ASSERT_EQUAL(word.verdict == CRL_UNKNOWN, word.why.code == REASON_CA_UNAVAILABLE);
	if (*words && !strstr(word.why.text, words))
		printf("\nnot \"%s\": %s\n", words, word.why.text);
	CU_ASSERT(!*words || strstr(word.why.text, words));
	return word.verdict;
}

static void test_take(void)
{
	struct buf junk = {0};
	struct err e;

	CU_ASSERT_EQUAL(judge(&good, WORLD_NOW, "no revocation list of \"CN=Issuing CA"), CRL_UNKNOWN);
	buf_str(&junk, "<html>");
	CU_ASSERT(factory_crls_take(crls, &junk, &e) == -1 && e.code == REASON_REQUEST);
	CU_ASSERT(take(&w->unit, 9, false, &e) == -1 && e.code == REASON_AUTHORITY);	/* its own, but not for devices */
	CU_ASSERT(take(&w->root, 9, false, &e) == -1 && e.code == REASON_AUTHORITY);
	CU_ASSERT(take(&w->issuing, 0, false, &e) == -1 && e.code == REASON_REQUEST);
	CU_ASSERT_EQUAL(take(&w->issuing, 5, true, &e), 1);
	CU_ASSERT_EQUAL(take(&w->issuing, 4, false, &e), -1);
	CU_ASSERT(e.code == REASON_BLOCKED && strstr(e.text, "older than number 5"));
	CU_ASSERT_EQUAL(take(&w->issuing, 5, false, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "two different CRLs"));
	CU_ASSERT_EQUAL(judge(&bad, WORLD_NOW, "(keyCompromise)"), CRL_REVOKED);
	buf_free(&junk);
}

static void test_judge(void)
{
	struct crl_word word;

	CU_ASSERT_EQUAL(judge(&good, WORLD_NOW, ""), CRL_GOOD);
	CU_ASSERT_EQUAL(judge(&good, WORLD_NOW + DAY, ""), CRL_GOOD);
	CU_ASSERT_EQUAL(judge(&good, WORLD_NOW + DAY + 1, "was good until 2027-01-16T08:00:00Z"), CRL_UNKNOWN);
	CU_ASSERT_EQUAL(judge(&good, WORLD_NOW - 3601, "is the clock of this node right?"), CRL_UNKNOWN);
	CU_ASSERT_EQUAL(judge(&stranger, WORLD_NOW, "no issuing CA of a handoff"), CRL_UNKNOWN);
	CU_ASSERT_EQUAL(judge(&bad, WORLD_NOW, "device bad"), CRL_REVOKED);
	CU_ASSERT_EQUAL(judge(&bad, WORLD_NOW + 10 * DAY, ""), CRL_REVOKED);	/* a revocation does not grow old */
	factory_crls_judge_maker(crls, "Acme Devices", WORLD_NOW, &word);
	CU_ASSERT_EQUAL(word.verdict, CRL_GOOD);
	factory_crls_judge_maker(crls, "Acme Devices", WORLD_NOW + 10 * DAY, &word);
	CU_ASSERT_EQUAL(word.verdict, CRL_UNKNOWN);
	factory_crls_judge_maker(crls, "Bolt Works", WORLD_NOW, &word);
	CU_ASSERT_EQUAL(word.verdict, CRL_UNKNOWN);
}

/* What was in force is so after a restart, the number with it; a damaged file is as none. */
static void test_kept(void)
{
	struct err e;

	factory_crls_free(crls);
	crls = factory_crls_new(&makers, scratch(""), &e);
	CU_ASSERT_EQUAL(judge(&bad, WORLD_NOW, ""), CRL_REVOKED);
	CU_ASSERT_EQUAL(take(&w->issuing, 4, false, &e), -1);
	CU_ASSERT_EQUAL(take(&w->issuing, 6, false, &e), 1);
	CU_ASSERT_EQUAL(judge(&bad, WORLD_NOW, ""), CRL_GOOD);	/* what the list does not have is good: the signer forgets none */
	factory_crls_free(crls);
	CU_ASSERT_EQUAL(shell("for f in factory-crl/*.crl; do printf x >\"$f\"; done"), 0);
	crls = factory_crls_new(&makers, scratch(""), &e);
	CU_ASSERT_EQUAL(judge(&good, WORLD_NOW, ""), CRL_UNKNOWN);
	CU_ASSERT_EQUAL(take(&w->issuing, 7, false, &e), 1);
	CU_ASSERT_EQUAL(judge(&good, WORLD_NOW, ""), CRL_GOOD);
}

/* ---- what it decides ---- */
static enum reason listed(struct db *db, const char *serial, uint8_t certificate, enum crl_verdict verdict)
{
	struct device_id d = { .manufacturer = "m", .model = "b" };
	struct crl_word word = { .verdict = verdict };
	uint8_t hash[SHA256_LEN] = { certificate };
	struct err why, e;
	int rc;

	strcpy(d.serial, serial);
	if (verdict == CRL_REVOKED)
		err_set(&word.why, REASON_BLOCKED, "revoked");
	else
		err_set(&word.why, REASON_CA_UNAVAILABLE, "none");
	rc = authz_listed(db, &d, hash, &word, WORLD_NOW, &why, &e);
	CU_ASSERT(rc == 0 || rc == 1);
	return rc == 1 ? REASON_OK : why.code;
}

static void test_decides(void)
{
	static const char list[] = "version: 1\ndevices:\n  - serial: \"1\"\n  - serial: \"2\"\n  - range: {from: \"20\", to: \"29\"}\n"
				   "  - glob: \"GW*\"\n";
	static const struct {
		const char *serial;
		uint8_t certificate;
		enum crl_verdict verdict;
		enum reason code;
	} cells[] = {
		/* shipped, with certificate 1 */
		{ "1", 1, CRL_UNUSED, REASON_OK }, { "1", 1, CRL_UNKNOWN, REASON_OK }, { "1", 1, CRL_GOOD, REASON_OK },
		{ "1", 1, CRL_REVOKED, REASON_BLOCKED }, { "1", 2, CRL_GOOD, REASON_NOT_LISTED }, { "1", 2, CRL_REVOKED, REASON_BLOCKED },
		{ "21", 1, CRL_UNKNOWN, REASON_OK }, { "21", 2, CRL_GOOD, REASON_NOT_LISTED },
		/* not shipped */
		{ "2", 1, CRL_UNUSED, REASON_NOT_LISTED }, { "2", 1, CRL_UNKNOWN, REASON_CA_UNAVAILABLE }, { "2", 1, CRL_GOOD, REASON_OK },
		{ "2", 1, CRL_REVOKED, REASON_BLOCKED },
		{ "22", 1, CRL_UNUSED, REASON_CA_UNAVAILABLE }, { "22", 1, CRL_UNKNOWN, REASON_CA_UNAVAILABLE },
		{ "22", 1, CRL_GOOD, REASON_OK }, { "22", 1, CRL_REVOKED, REASON_BLOCKED },
		{ "GW-7", 1, CRL_UNUSED, REASON_CA_UNAVAILABLE }, { "GW-7", 1, CRL_GOOD, REASON_OK },
		/* not listed */
		{ "30", 1, CRL_GOOD, REASON_NOT_LISTED }, { "30", 1, CRL_REVOKED, REASON_NOT_LISTED },
	};
	struct manifest_entry shipped[] = { { .device = { "m", "b", "1" }, .certificate = { 1 } },
					    { .device = { "m", "b", "21" }, .certificate = { 1 } } };
	const struct makers none = {0};
	struct allowlist al = {0};
	struct buf text = {0};
	struct err e;
	struct db *db = store_open(scratch("node.db"), &e);
	int ended;

	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	buf_str(&text, list);
	allowlist_parse(&al, "list.yaml", &text, &none, WORLD_NOW);
	CU_ASSERT_EQUAL(db_begin(db, &e), 0);
	CU_ASSERT_EQUAL(allowlist_apply(db, &al, "test", WORLD_NOW, &ended, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(shipped); i++)
		CU_ASSERT_EQUAL(store_shipped_put(db, &shipped[i], 1, &e), 0);
	CU_ASSERT_EQUAL(db_commit(db, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		enum reason code = listed(db, cells[i].serial, cells[i].certificate, cells[i].verdict);

		if (code != cells[i].code)
			printf("\ncell %zu: %s instead of %s\n", i, reason_id(code), reason_id(cells[i].code));
		CU_ASSERT_EQUAL(code, cells[i].code);
	}
	allowlist_free(&al);
	buf_free(&text);
	db_close(db);
}

static void test_end(void)
{
	factory_crls_free(crls);
	chain_free(&makers.one[0].factory);
	buf_free(&good);
	buf_free(&bad);
	buf_free(&stranger);
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("node crl", { "begin", test_begin }, { "take", test_take }, { "judge", test_judge }, { "kept", test_kept },
	  { "decides", test_decides }, { "end", test_end })
