/* A token as strict as real ones (strict_token.c): wrong PINs are never repeated, the last try is a person's, what is locked stays so;
 * and a key that could leave the token is none. In a program of its own, since its module is SoftHSM2, too, which would show each token twice. */
#include <config.h>

#include <string.h>

#include "file.h"
#include "keystore.h"
#include "mem.h"
#include "softhsm.h"
#include "unit.h"

static char folder[256];

static const char *scratch(const char *name)
{
	static char path[FILE_PATH];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_replace(scratch(name), text, strlen(text), 0600, &e), 0);
}

static void strict_state(int tries)
{
	char text[32];

	snprintf(text, sizeof text, "%d 0\n", tries);
	write_file("strict", text);
}

/* What is left, and how many logins were tried. */
static bool strict_is(int tries, int logins)
{
	struct buf b = {0};
	char text[32];
	struct err e;
	bool same;

	snprintf(text, sizeof text, "%d %d\n", tries, logins);
	same = file_read(&b, scratch("strict"), 0, &e) == 0 && strcmp(buf_text(&b), text) == 0;
	buf_free(&b);
	return same;
}

static enum reason strict_load(struct keystore *s, struct err *e)
{
	struct key *k = keystore_key(s, folder, "strict", e);

	key_free(k);
	return k ? REASON_OK : e->code;
}

static void give(struct keystore *s, const char *pin, bool last_try)
{
	struct err e;

	keystore_give(s, secret_new(pin, strlen(pin), &e), last_try);
}

/* In the token, as SoftHSM2 itself sees it. */
static int objects(void)
{
	FILE *f = popen("p11tool --provider " SOFTHSM_MODULE " --login --set-pin " SOFTHSM_PIN " --list-all pkcs11:token=strict 2>/dev/null | grep -c ^Object", "r");
	int n = -1;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	pclose(f);
	return n;
}

/* A token that does not do what it is asked for gets no key that anybody uses: the pair is taken out again. */
static void lax_keys(struct keystore *s)
{
	static const char *const lax[] = { "extractable", "readable" };
	int before = objects();
	struct err e;

	CU_ASSERT(before >= 2);
	for (size_t i = 0; i < ARRAY_LEN(lax); i++) {
		setenv("STRICT_KEYS", lax[i], 1);
		CU_ASSERT_PTR_NULL(keystore_generate(s, KEY_P256, folder, "lax", "lax", &e));
		CU_ASSERT_EQUAL(e.code, REASON_KEY_STORE);
		CU_ASSERT_STRING_EQUAL(e.text, "token \"strict\" has made a key that can leave it; such a token is no place for a CA");
		CU_ASSERT_EQUAL(objects(), before);
		CU_ASSERT_PTR_NULL(keystore_key(s, folder, "lax", &e));
	}
	unsetenv("STRICT_KEYS");
}

static void test_strict(void)
{
	struct keystore_plan plan = {0};
	struct keystore *s;
	struct err e;
	struct key *k;

	snprintf(folder, sizeof folder, "%s", unit_folder());
	setenv("STRICT_TOKEN", scratch("strict"), 1);
	strict_state(3);
	softhsm_begin(scratch("hsm3"));
	softhsm_token("strict");
	snprintf(plan.place, sizeof plan.place, "pkcs11:token=strict?module-path=%s", STRICT_MODULE);
	write_file("strict-pin", SOFTHSM_PIN "\n");
	snprintf(plan.file, sizeof plan.file, "%s", scratch("strict-pin"));
	s = keystore_open(&plan, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	k = keystore_generate(s, KEY_P256, folder, "strict", "strict", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	key_free(k);
	lax_keys(s);

	/* a wrong PIN is shown once, however often the key is asked for */
	keystore_reset(s, &e);
	strict_state(3);
	give(s, "00000000", false);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(strict_load(s, &e), REASON_SECRET);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "the PIN is wrong"));
	}
	CU_ASSERT(strict_is(2, 1));
	CU_ASSERT_EQUAL(keystore_reset(s, &e), 0);	/* nor after the token was away */
	CU_ASSERT_EQUAL(strict_load(s, &e), REASON_SECRET);
	CU_ASSERT(strict_is(2, 1));
	give(s, "00000001", false);
	CU_ASSERT_EQUAL(strict_load(s, &e), REASON_SECRET);
	CU_ASSERT_STRING_EQUAL(e.text, "token \"strict\": the PIN is wrong; one try is left before the token locks itself");
	CU_ASSERT(strict_is(1, 2));

	/* the last try is nobody's but a person's who permits it: not even a right PIN is shown */
	give(s, SOFTHSM_PIN, false);
	CU_ASSERT_EQUAL(strict_load(s, &e), REASON_SECRET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "one try is left before the token locks itself; be sure of the PIN, and then permit it (unlock --last-try)"));
	CU_ASSERT(strict_is(1, 2));
	give(s, SOFTHSM_PIN, true);
	CU_ASSERT_EQUAL(strict_load(s, &e), REASON_OK);
	CU_ASSERT(strict_is(3, 3));

	/* and if that was wrong, too */
	keystore_reset(s, &e);
	strict_state(1);
	give(s, "00000000", true);
	CU_ASSERT_EQUAL(strict_load(s, &e), REASON_SECRET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "the PIN is wrong; the token has locked itself; its security officer must set a new PIN"));
	CU_ASSERT(strict_is(0, 1));
	give(s, SOFTHSM_PIN, true);
	CU_ASSERT_EQUAL(strict_load(s, &e), REASON_SECRET);
	CU_ASSERT_STRING_EQUAL(e.text, "token \"strict\": the token has locked itself; its security officer must set a new PIN");
	CU_ASSERT(strict_is(0, 1));
	keystore_close(s);

	/* of a unit, whose program has no unlock */
	strict_state(1);
	plan.unit = true;
	s = keystore_open(&plan, &e);
	CU_ASSERT_EQUAL(strict_load(s, &e), REASON_SECRET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "log in to the token once by its own tool"));
	CU_ASSERT(strict_is(1, 0));
	keystore_close(s);
	softhsm_end();
	unit_remove(folder);
}

UNIT_MAIN("token", { "strict", test_strict })
