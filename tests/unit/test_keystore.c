/* Key stores: encrypted files, a token (SoftHSM2), keys that something else has; and secrets. */
#include <config.h>

#include <fcntl.h>
#include <gnutls/abstract.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "gnutls_glue.h"
#include "keystore.h"
#include "mem.h"
#include "softhsm.h"
#include "unit.h"
#include "x509.h"

static char *folder;

static const char *scratch(const char *name)
{
	static char path[FILE_PATH];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	struct err e;

	CU_ASSERT_EQUAL_FATAL(file_replace(scratch(name), text, strlen(text), mode, &e), 0);
}

static bool signs(const struct key *k)
{
	struct buf sig = {0}, spki = {0};
	struct err e;
	bool good = key_sign(k, "hello", 5, &sig, &e) == 0 && key_spki(k, &spki, &e) == 0 && spki_verify(&spki, "hello", 5, &sig, &e) == 0;

	buf_free(&sig);
	buf_free(&spki);
	return good;
}

static struct keystore *store(const char *place, const char *credential, bool plain)
{
	struct keystore_plan plan = { .plain = plain };
	struct keystore *s;
	struct err e;

	snprintf(plan.place, sizeof plan.place, "%s", place);
	if (credential)
		snprintf(plan.file, sizeof plan.file, "%s", scratch(credential));
	s = keystore_open(&plan, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static enum reason generate(struct keystore *s, const char *name)
{
	struct err e = {0};
	struct key *k = keystore_generate(s, KEY_P256, folder, name, name, &e);

	if (k)
		CU_ASSERT(signs(k));
	key_free(k);
	return k ? REASON_OK : e.code;
}

static enum reason load(struct keystore *s, const char *name)
{
	struct err e = {0};
	struct key *k = keystore_key(s, folder, name, &e);

	if (k)
		CU_ASSERT(signs(k));
	key_free(k);
	return k ? REASON_OK : e.code;
}

static bool holds(const char *name, const char *text)
{
	struct buf b = {0};
	struct err e;
	bool found = file_read(&b, scratch(name), 0, &e) == 0 && strstr(buf_text(&b), text);

	buf_free(&b);
	return found;
}

/* ---- secrets ---- */
static void test_secret(void)
{
	struct secret_source from = { .credential = "keys", .file = scratch("pass") };
	char path[FILE_PATH], long_one[LIMIT_SECRET + 3];
	struct secret *s;
	struct err e;

	snprintf(path, sizeof path, "%s", from.file);
	from.file = path;
	write_file("pass", "of the file\n", 0600);
	CU_ASSERT_EQUAL_FATAL(secret_get(&s, &from, &e), 1);
	CU_ASSERT_STRING_EQUAL(secret_text(s), "of the file");
	secret_free(s);

	mkdir(scratch("credentials"), 0700);
	setenv("CREDENTIALS_DIRECTORY", scratch("credentials"), 1);
	CU_ASSERT_EQUAL_FATAL(secret_get(&s, &from, &e), 1);	/* none of this name is there */
	CU_ASSERT_STRING_EQUAL(secret_text(s), "of the file");
	secret_free(s);
	write_file("credentials/keys", "of systemd", 0440);
	CU_ASSERT_EQUAL_FATAL(secret_get(&s, &from, &e), 1);
	CU_ASSERT_STRING_EQUAL(secret_text(s), "of systemd");
	secret_free(s);
	unsetenv("CREDENTIALS_DIRECTORY");

	chmod(path, 0640);
	CU_ASSERT_EQUAL(secret_get(&s, &from, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "chmod 600"));
	chmod(path, 0604);
	CU_ASSERT_EQUAL(secret_get(&s, &from, &e), -1);
	write_file("pass", "\n", 0600);
	CU_ASSERT_EQUAL(secret_get(&s, &from, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_SECRET);
	memset(long_one, 'x', sizeof long_one);
	long_one[LIMIT_SECRET + 1] = 0;
	write_file("pass", long_one, 0600);
	CU_ASSERT_EQUAL(secret_get(&s, &from, &e), -1);
	from.file = scratch("nothing");
	CU_ASSERT_EQUAL(secret_get(&s, &from, &e), -1);	/* it is named, so it must be there */
	from = (struct secret_source){0};
	CU_ASSERT_EQUAL(secret_get(&s, &from, &e), 0);
}

/* ---- files ---- */
static void test_encrypted(void)
{
	struct keystore *s;
	struct keystore_state state;
	struct secret *right;
	char command[2 * FILE_PATH];
	struct err e;

	write_file("secret", "correct horse\n", 0600);
	write_file("wrong", "battery staple\n", 0600);
	s = store("file", "secret", false);
	CU_ASSERT_EQUAL(generate(s, "issuing"), REASON_OK);
	CU_ASSERT(holds("issuing.pem", "BEGIN ENCRYPTED PRIVATE KEY"));
	CU_ASSERT_EQUAL(load(s, "issuing"), REASON_OK);
	keystore_look(s, &state);
	CU_ASSERT(state.there && state.secret && state.encrypted);
	CU_ASSERT_STRING_EQUAL(state.kind, "file");
	CU_ASSERT_EQUAL(load(s, "unit"), REASON_CONFIG);
	keystore_close(s);
	snprintf(command, sizeof command, "openssl pkey -in '%s' -passin 'pass:correct horse' -noout 2>/dev/null", scratch("issuing.pem"));
	CU_ASSERT_EQUAL(system(command), 0);

	s = store("file", "wrong", false);
	CU_ASSERT_EQUAL(load(s, "issuing"), REASON_SECRET);
	keystore_look(s, &state);
	CU_ASSERT_FALSE(state.secret);
	right = secret_new("correct horse", 13, &e);
	keystore_give(s, right, false);
	CU_ASSERT_EQUAL(load(s, "issuing"), REASON_OK);
	keystore_close(s);

	s = store("", NULL, false);	/* nobody to ask */
	CU_ASSERT_EQUAL(load(s, "issuing"), REASON_SECRET);
	CU_ASSERT_EQUAL(generate(s, "other"), REASON_SECRET);
	CU_ASSERT_FALSE(keystore_has(folder, "other"));
	CU_ASSERT(keystore_has(folder, "issuing"));
	keystore_close(s);
}

static void test_plain(void)
{
	struct keystore *s = store("file", NULL, true);
	struct keystore_state state;

	CU_ASSERT_EQUAL(generate(s, "plain"), REASON_OK);
	CU_ASSERT(holds("plain.pem", "BEGIN PRIVATE KEY"));
	keystore_close(s);
	s = store("file", NULL, false);	/* it is there, so it is used */
	CU_ASSERT_EQUAL(load(s, "plain"), REASON_OK);
	keystore_look(s, &state);
	CU_ASSERT(state.secret && !state.encrypted);
	chmod(scratch("plain.pem"), 0644);
	CU_ASSERT_EQUAL(load(s, "plain"), REASON_CONFIG);
	keystore_close(s);
}

/* ---- a token ---- */
static void test_places(void)
{
	static const char *const bad[] = { "files", "pkcs11:", "pkcs11:token=a;object=b", "pkcs11:token=%zz", "pkcs11:token=acme%00other",
					   "pkcs11:token=a%00", "pkcs11:token=a?module-path=/usr/lib/softhsm/libsofthsm2.so%00/x", "pkcs11:token=a?pin-value=1234",
					   "pkcs11:token=a?pin-source=file:/x", "pkcs11:token=a?module-path=/nothing/here.so" };
	struct keystore_plan plan = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(plan.place, sizeof plan.place, "%s", bad[i]);
		CU_ASSERT_PTR_NULL(keystore_open(&plan, &e));
		CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	}
}

static void test_token(void)
{
	char place[LIMIT_TOKEN_URI];
	struct keystore_state state;
	struct keystore *s;
	struct err e;
	struct key *k;

	softhsm_begin(scratch("hsm"));
	softhsm_token("acme");
	snprintf(place, sizeof place, "pkcs11:token=acme?module-path=%s", SOFTHSM_MODULE);
	write_file("pin", SOFTHSM_PIN "\n", 0600);
	s = store(place, "pin", false);
	CU_ASSERT_EQUAL(generate(s, "token"), REASON_OK);
	CU_ASSERT(holds("token.uri", "pkcs11:"));
	CU_ASSERT(holds("token.uri", "serial="));
	CU_ASSERT(holds("token.uri", "?module-path="));
	CU_ASSERT_FALSE(holds("token.uri", SOFTHSM_PIN));
	k = keystore_key(s, folder, "token", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT(signs(k));
	CU_ASSERT_EQUAL(key_save(k, scratch("stolen.pem"), &e), -1);	/* it does not come out */
	keystore_look(s, &state);
	CU_ASSERT(state.there && state.secret && state.encrypted);
	CU_ASSERT_STRING_EQUAL(state.kind, "pkcs11");
	CU_ASSERT_STRING_EQUAL(state.name, "acme");
	CU_ASSERT_EQUAL(state.tries, TRIES_ENOUGH);

	/* pulled, and put back */
	softhsm_pull();
	CU_ASSERT_FALSE(signs(k));
	CU_ASSERT_EQUAL(key_sign(k, "x", 1, &(struct buf){0}, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CA_UNAVAILABLE);
	key_free(k);
	CU_ASSERT_EQUAL(keystore_reset(s, &e), 0);
	CU_ASSERT_EQUAL(load(s, "token"), REASON_CA_UNAVAILABLE);
	keystore_look(s, &state);
	CU_ASSERT_FALSE(state.there);
	softhsm_put_back();
	CU_ASSERT_EQUAL(keystore_reset(s, &e), 0);
	CU_ASSERT_EQUAL(load(s, "token"), REASON_OK);	/* and nobody was asked for the PIN again */

	/* another token that calls itself so is not it, and does not get to see the PIN */
	softhsm_pull();
	softhsm_token("acme");
	CU_ASSERT_EQUAL(keystore_reset(s, &e), 0);
	CU_ASSERT_EQUAL(load(s, "token"), REASON_CA_UNAVAILABLE);
	keystore_close(s);
	softhsm_end();
}

static void test_pin(void)
{
	char place[LIMIT_TOKEN_URI];
	struct keystore_state state;
	struct keystore *s;
	struct err e;

	softhsm_begin(scratch("hsm2"));
	softhsm_token("second");
	snprintf(place, sizeof place, "pkcs11:token=second?module-path=%s", SOFTHSM_MODULE);
	write_file("bad-pin", "99999999\n", 0600);
	s = store(place, "bad-pin", false);
	CU_ASSERT_EQUAL(keystore_reset(s, &e), 0);
	CU_ASSERT_EQUAL(generate(s, "pinned"), REASON_SECRET);
	CU_ASSERT_FALSE(keystore_has(folder, "pinned"));	/* nothing was begun */
	keystore_look(s, &state);
	CU_ASSERT(state.there && !state.secret);
	CU_ASSERT_EQUAL(state.tries, TRIES_FEW);
	keystore_give(s, secret_new(SOFTHSM_PIN, strlen(SOFTHSM_PIN), &e), false);
	CU_ASSERT_EQUAL(generate(s, "pinned"), REASON_OK);
	CU_ASSERT_EQUAL(load(s, "pinned"), REASON_OK);
	keystore_look(s, &state);
	CU_ASSERT_EQUAL(state.tries, TRIES_ENOUGH);
	keystore_close(s);

	s = store(place, NULL, false);
	CU_ASSERT_EQUAL(load(s, "pinned"), REASON_SECRET);	/* its PIN is needed */
	keystore_close(s);
	softhsm_end();
}

/* The public key of what goes by "begun"; empty if there is an error, whose code is *code. */
static struct buf begun(struct keystore *s, const char *label, enum reason *code)
{
	struct err e = {0};
	struct key *k = keystore_generate(s, KEY_P256, folder, "begun", label, &e);
	struct buf spki = {0};

	*code = k ? REASON_OK : e.code;
	if (k)
		CU_ASSERT_EQUAL(key_spki(k, &spki, &e), 0);
	key_free(k);
	return spki;
}

/* A cut between the name and the key, and one behind it: one key comes of it, whatever is tried. */
static void test_begun(void)
{
	struct buf uri = {0}, first, again, none;
	char place[LIMIT_TOKEN_URI];
	struct keystore *s, *files;
	struct token *t;
	enum reason code;
	struct err e;

	softhsm_begin(scratch("hsm3"));
	softhsm_token("third");
	snprintf(place, sizeof place, "pkcs11:token=third?module-path=%s", SOFTHSM_MODULE);
	s = store(place, "pin", false);
	CU_ASSERT_EQUAL(keystore_reset(s, &e), 0);
	t = token_open(place, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(token_reserve(t, "Acme (a) 1", &uri, &e), -1);	/* its PIN is needed */
	CU_ASSERT_EQUAL(e.code, REASON_SECRET);
	token_give_pin(t, secret_new(SOFTHSM_PIN, strlen(SOFTHSM_PIN), &e), false);
	CU_ASSERT_EQUAL_FATAL(token_reserve(t, "Acme (a) 1", &uri, &e), 0);
	write_file("begun.uri", buf_text(&uri), 0644);
	again = begun(s, "Acme (b) 1", &code);	/* another one's */
	CU_ASSERT_EQUAL(code, REASON_CONFIG);
	first = begun(s, "Acme (a) 1", &code);
	CU_ASSERT_EQUAL(code, REASON_OK);
	CU_ASSERT(holds("begun.uri", "serial="));
	CU_ASSERT_EQUAL(load(s, "begun"), REASON_OK);
	buf_free(&again);
	again = begun(s, "Acme (a) 1", &code);
	CU_ASSERT(code == REASON_OK && buf_same(&first, &again));
	write_file("begun.uri", buf_text(&uri), 0644);	/* the key was made, and its device is not written down yet */
	buf_free(&again);
	again = begun(s, "Acme (a) 1", &code);
	CU_ASSERT(code == REASON_OK && buf_same(&first, &again));
	files = store("file", NULL, true);
	none = begun(files, "Acme (a) 1", &code);	/* not beside it */
	CU_ASSERT(code == REASON_CONFIG && none.len == 0);
	keystore_close(files);
	softhsm_do("rm -r tokens/*");
	softhsm_token("third");
	CU_ASSERT_EQUAL(keystore_reset(s, &e), 0);
	none = begun(s, "Acme (a) 1", &code);	/* what was made is gone: that is no reason for another one */
	CU_ASSERT(code == REASON_CA_UNAVAILABLE && none.len == 0);
	token_close(t);
	keystore_close(s);
	buf_free(&uri);
	buf_free(&first);
	buf_free(&again);
	softhsm_end();
}

/* ---- keys elsewhere ---- */
struct ring {
	struct key *key;		/* what its devices have together */
	bool down, released;
};

static int ring_sign(void *arg, const void *in, size_t len, struct buf *sig, struct err *e)
{
	struct ring *r = arg;
	gnutls_datum_t hash = { NULL, (unsigned)len }, out = {0};
	struct buf spki = {0};
	bool rsa;
	int rc;

	if (r->down)
		return err_set(e, REASON_CA_UNAVAILABLE, "two of three devices are down");
	key_spki(r->key, &spki, e);
	rsa = spki_type(&spki) == KEY_RSA2048;
	memcpy(&hash.data, &in, sizeof hash.data);
	rc = gnutls_privkey_sign_hash(key_handle(r->key), rsa ? GNUTLS_DIG_UNKNOWN : GNUTLS_DIG_SHA256, rsa ? GNUTLS_PRIVKEY_SIGN_FLAG_TLS1_RSA : 0,
				      &hash, &out);
	CU_ASSERT(rc >= 0);
	buf_set(sig, out.data, out.size);
	gnutls_free(out.data);
	buf_free(&spki);
	return 0;
}

static void ring_release(void *arg)
{
	struct ring *r = arg;

	r->released = true;
	key_free(r->key);
}

static void elsewhere(enum key_type type)
{
	struct err e;
	struct ring ring = { .key = key_generate(type, &e) };
	struct key_elsewhere by = { .sign = ring_sign, .release = ring_release, .arg = &ring };
	struct cert_plan plan = { .subject_cn = "root of a ring", .ca = true, .path_len = -1, .key_cert_sign = true, .not_before = 1000000000,
				  .not_after = X509_NO_EXPIRY };
	struct buf spki = {0}, der = {0}, csr = {0};
	struct chain ch = {0};
	struct key *k;

	CU_ASSERT_EQUAL_FATAL(key_spki(ring.key, &spki, &e), 0);
	k = key_elsewhere(&by, &spki, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT(signs(k));
	plan.spki = &spki;
	CU_ASSERT_EQUAL(cert_build(&plan, NULL, k, &der, &e), 0);
	CU_ASSERT_EQUAL(chain_add(&ch, der.data, der.len, &e), 0);
	CU_ASSERT_EQUAL(csr_build(k, NULL, NULL, &csr, &e), 0);
	ring.down = true;
	CU_ASSERT_EQUAL(key_sign(k, "x", 1, &der, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CA_UNAVAILABLE);
	CU_ASSERT_STRING_EQUAL(e.text, "two of three devices are down");
	ring.down = false;
	CU_ASSERT(signs(k));
	key_free(k);
	CU_ASSERT(ring.released);
	chain_free(&ch);
	buf_free(&spki);
	buf_free(&der);
	buf_free(&csr);
}

static void test_elsewhere(void)
{
	elsewhere(KEY_P256);
	elsewhere(KEY_RSA2048);
}

static void test_end(void)
{
	unit_remove(folder);
}

static void test_begin(void)
{
	static char copy[256];

	snprintf(copy, sizeof copy, "%s", unit_folder());
	folder = copy;
}

UNIT_MAIN("keystore", { "begin", test_begin }, { "secret", test_secret }, { "encrypted", test_encrypted }, { "plain", test_plain },
	  { "places", test_places }, { "token", test_token }, { "pin", test_pin }, { "begun", test_begun }, { "elsewhere", test_elsewhere }, { "end", test_end })
