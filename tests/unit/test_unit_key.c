/* Keys of units in a token (SoftHSM2): made, found, used by threads, away and back, renewed with a cut at each place; in files. When
 * their certificates are due. */
#include <config.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "crypto_world.h"
#include "cms.h"
#include "enrolment.h"
#include "file.h"
#include "mem.h"
#include "softhsm.h"
#include "unit.h"
#include "unit_key.h"

static struct world *w;
static char dir[FILE_PATH];
static struct unit_place token, files;

static bool there(const char *name)
{
	char path[FILE_PATH];
	struct err e;

	return file_join(path, &e, dir, name) == 0 && file_exists(path);
}

static enum reason signs(const struct key *k, struct err *e)
{
	struct buf sig = {0}, spki = {0};
	int rc = key_sign(k, "hello", 5, &sig, e);

	if (rc == 0) {
		CU_ASSERT_EQUAL(key_spki(k, &spki, e), 0);
		CU_ASSERT_EQUAL(spki_verify(&spki, "hello", 5, &sig, e), 0);
	}
	buf_free(&sig);
	buf_free(&spki);
	return rc == 0 ? REASON_OK : e->code;
}

static struct buf spki_of(const struct key *k)
{
	struct buf spki = {0};
	struct err e;

	CU_ASSERT_EQUAL(key_spki(k, &spki, &e), 0);
	return spki;
}

static struct cert certificate_of(const struct key *k)
{
	struct cert_plan plan = plan_unit("station", "line-2");

	return make_cert(&plan, k, &w->unit);
}

static void test_begin(void)
{
	w = world_new("Test Root");
	snprintf(dir, sizeof dir, "%s", scratch(""));
	dir[strlen(dir) - 1] = 0;	/* without the slash */
	softhsm_begin(scratch("hsm"));
	softhsm_token("line-2");
	snprintf(token.place, sizeof token.place, "pkcs11:token=line-2?module-path=%s", SOFTHSM_MODULE);
	snprintf(token.credential, sizeof token.credential, "%s", scratch("pin"));
	scratch_write("pin", SOFTHSM_PIN "\n", sizeof SOFTHSM_PIN);
	chmod(token.credential, 0600);
}

static void test_files(void)
{
	struct err e;
	struct key *k = unit_key_make(&files, dir, "plain", &e), *again;
	struct buf a, b;

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT(there("plain.key") && !there("plain.uri"));
	again = unit_key_make(&files, dir, "plain", &e);
	a = spki_of(k);
	b = spki_of(again);
	CU_ASSERT(buf_same(&a, &b));
	CU_ASSERT_PTR_NULL(unit_key_next(&files, dir, "plain", &e));	/* it stays at a renewal */
	CU_ASSERT_EQUAL(e.code, REASON_OK);
	CU_ASSERT_PTR_NULL(unit_key_load(&token, dir, "plain", NULL, &e));	/* the configuration names another place */
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "the configuration does not say where the key is"));
	key_free(k);
	key_free(again);
	buf_free(&a);
	buf_free(&b);
}

static void test_token(void)
{
	struct err e = {0};
	struct key *k;
	struct buf csr = {0}, cms = {0};
	struct chain ch;
	struct cert c;

	scratch_write("station.pem", "stays", 5);
	k = unit_key_make(&token, dir, "station", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT(there("station.uri") && !there("station.key") && there("station.pem"));
	CU_ASSERT_EQUAL(signs(k, &e), REASON_OK);
	CU_ASSERT_EQUAL(csr_build(k, NULL, NULL, &csr, &e), 0);
	c = certificate_of(k);
	ch = chain_of(&c, &w->unit.cert);
	CU_ASSERT_EQUAL(cms_sign("document", 8, k, &ch, &cms, &e), 0);
	CU_ASSERT_EQUAL(key_save(k, scratch("stolen.pem"), &e), -1);

	softhsm_pull();
	CU_ASSERT_EQUAL(cms_sign("document", 8, k, &ch, &cms, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_SECRET);
	CU_ASSERT_STRING_EQUAL(e.text, "the token \"line-2\" is not there; insert it, or check its module");
	CU_ASSERT_FALSE(unit_keys_ready(&e));
	CU_ASSERT_EQUAL(e.code, REASON_SECRET);
	CU_ASSERT_PTR_NULL(unit_key_load(&token, dir, "station", NULL, &e));
	CU_ASSERT_EQUAL(e.code, REASON_SECRET);
	softhsm_put_back();
	sleep(1);	/* it is not looked for more often */
	CU_ASSERT(unit_keys_ready(&e));
	CU_ASSERT_EQUAL(signs(k, &e), REASON_OK);
	key_free(k);
	chain_free(&ch);
	cert_free(&c);
	buf_free(&csr);
	buf_free(&cms);
}

static void *sign_often(void *arg)
{
	struct err e;

	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(signs(arg, &e), REASON_OK);
	return NULL;
}

static void test_threads(void)
{
	struct err e;
	struct key *k = unit_key_load(&token, dir, "station", NULL, &e);
	pthread_t t[4];

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_create(&t[i], NULL, sign_often, k);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	key_free(k);
}

/* Whose key is in force after the switch was cut: before the certificate was on the disk, between the two renames, after them. */
static void test_renewal(void)
{
	struct err e;
	struct key *old = unit_key_load(&token, dir, "station", NULL, &e), *next, *again, *k;
	struct cert old_cert, next_cert;
	struct buf spki, next_spki, again_spki;

	CU_ASSERT_PTR_NOT_NULL_FATAL(old);
	next = unit_key_next(&token, dir, "station", &e);
	again = unit_key_next(&token, dir, "station", &e);	/* cut: the next try has the same */
	CU_ASSERT_PTR_NOT_NULL_FATAL(next);
	CU_ASSERT_PTR_NOT_NULL_FATAL(again);
	spki = spki_of(old);
	next_spki = spki_of(next);
	again_spki = spki_of(again);
	CU_ASSERT(buf_same(&next_spki, &again_spki) && !buf_same(&spki, &next_spki));
	buf_free(&again_spki);
	old_cert = certificate_of(old);
	next_cert = certificate_of(next);
	key_free(again);
	key_free(next);

	k = unit_key_load(&token, dir, "station", &old_cert, &e);
	again_spki = spki_of(k);
	CU_ASSERT(buf_same(&again_spki, &spki));
	key_free(k);
	buf_free(&again_spki);
	CU_ASSERT_EQUAL(rename(scratch("station.uri"), scratch("kept")), 0);	/* between the renames */
	k = unit_key_load(&token, dir, "station", &next_cert, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT(there("station.uri") && !there("station-next.uri"));
	key_free(k);
	CU_ASSERT_EQUAL(rename(scratch("station.uri"), scratch("station-next.uri")), 0);
	CU_ASSERT_EQUAL(rename(scratch("kept"), scratch("station.uri")), 0);
	k = unit_key_load(&token, dir, "station", &next_cert, &e);	/* its certificate was, the renames were not */
	again_spki = spki_of(k);
	CU_ASSERT(buf_same(&again_spki, &next_spki));
	buf_free(&again_spki);
	key_free(k);

	/* who works with the old key goes on, also after the token was away */
	CU_ASSERT(there("station-old.uri"));
	CU_ASSERT_EQUAL(signs(old, &e), REASON_OK);
	softhsm_pull();
	CU_ASSERT_EQUAL(signs(old, &e), REASON_SECRET);
	softhsm_put_back();
	sleep(1);
	CU_ASSERT_EQUAL(signs(old, &e), REASON_OK);
	unit_key_tidy(&token, dir, "station");
	CU_ASSERT_FALSE(there("station-old.uri"));
	softhsm_do("p11tool --provider " SOFTHSM_MODULE " --login --set-pin " SOFTHSM_PIN " --list-all 'pkcs11:token=line-2' 2>/dev/null |"
		   " grep -c '^Object' | grep -x 2");
	key_free(old);
	cert_free(&old_cert);
	cert_free(&next_cert);
	buf_free(&spki);
	buf_free(&next_spki);
}

/* From the second after two thirds of its life on, and no earlier. */
static void test_due(void)
{
	static const struct {
		int64_t not_before, not_after, last;
	} life[] = {
		{ 1000, 1000 + 730 * 86400, 1000 + 730 * 86400 / 3 * 2 },
		{ 0, 3, 2 },
		{ 1000000000, 1000000000, 1000000000 },
		{ 1577836800, 253402300799, 1577836800 + (253402300799 - 1577836800) / 3 * 2 },	/* without an end */
	};

	for (size_t i = 0; i < ARRAY_LEN(life); i++) {
		const struct cert c = { .not_before = life[i].not_before, .not_after = life[i].not_after };

		CU_ASSERT_FALSE(enrolment_due(&c, c.not_before));
		CU_ASSERT_FALSE(enrolment_due(&c, life[i].last));
		CU_ASSERT_TRUE(enrolment_due(&c, life[i].last + 1));
		CU_ASSERT_TRUE(enrolment_due(&c, c.not_after + 1));
		CU_ASSERT_FALSE(enrolment_due(&c, 0));	/* a clock that was lost */
	}
}

static void test_end(void)
{
	softhsm_end();
	world_free(w);
	scratch_remove();
}

UNIT_MAIN("keys of units", { "begin", test_begin }, { "files", test_files }, { "token", test_token }, { "threads", test_threads },
	  { "renewal", test_renewal }, { "due", test_due }, { "end", test_end })
