#include <config.h>

#include "p256_verify.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

/* A context of its own: no configuration of the system and no module that uses the library, too (SoftHSM), changes what it does.
 * It stays for the life of the process. */
static OSSL_LIB_CTX *library;
static pthread_key_t kept;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget(void *key)
{
	EVP_PKEY_free(key);
}

static void begin(void)
{
	/* The first call of the library decides: by default it would read openssl.cnf, and clear itself away before a token's module. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1 && pthread_key_create(&kept, forget) == 0)
		library = OSSL_LIB_CTX_new();
}

/* Each thread has one that knows the curve, and gives it each point in turn: making one takes a quarter of a verification. */
static EVP_PKEY *key_of_thread(void)
{
	EVP_PKEY *key;
	EVP_PKEY_CTX *c;
	char curve[] = "prime256v1";
	OSSL_PARAM group[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0), OSSL_PARAM_construct_end() };

	pthread_once(&once, begin);
	key = library ? pthread_getspecific(kept) : NULL;
	if (key || !library)
		return key;
	c = EVP_PKEY_CTX_new_from_name(library, "EC", NULL);
	if (c && EVP_PKEY_paramgen_init(c) == 1 && EVP_PKEY_CTX_set_params(c, group) == 1 && EVP_PKEY_paramgen(c, &key) == 1 &&
	    pthread_setspecific(kept, key) != 0) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	EVP_PKEY_CTX_free(c);
	return key;
}

bool p256_verify(const uint8_t point[P256_POINT], const uint8_t digest[SHA256_LEN], const void *sig, size_t len)
{
	EVP_PKEY *key = key_of_thread();
	EVP_PKEY_CTX *c = NULL;
	bool good;

	/* The library would read other forms of a point, too. One that is none leaves the one before it in the key. */
	good = key && point[0] == POINT_UNCOMPRESSED && EVP_PKEY_set1_encoded_public_key(key, point, P256_POINT) == 1 &&
	       (c = EVP_PKEY_CTX_new_from_pkey(library, key, NULL)) && EVP_PKEY_verify_init(c) == 1 &&
	       EVP_PKEY_verify(c, sig, len, digest, SHA256_LEN) == 1;
	EVP_PKEY_CTX_free(c);
	if (!good)
		ERR_clear_error();
	return good;
}
