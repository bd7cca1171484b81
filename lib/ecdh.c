#include <config.h>

#include "ecdh.h"

#include <gmp.h>
#include <nettle/aes.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/nist-keywrap.h>
#include <string.h>

#include "mem.h"

static const uint8_t wrap_iv[8] = { 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6 };	/* RFC 3394 2.2.3.1 */

/* GMP frees limbs as they are. */
static void secret_clear(mpz_t z)
{
	size_t n = mpz_size(z);

	if (n)
		mem_wipe(mpz_limbs_modify(z, (mp_size_t)n), n * sizeof(mp_limb_t));
	mpz_clear(z);
}

static void scalar_clear(struct ecc_scalar *s)
{
	mem_wipe(s->p, (size_t)ecc_size(s->ecc) * sizeof *s->p);
	ecc_scalar_clear(s);
}

static void import(mpz_t z, const uint8_t bytes[P256_LEN])
{
	mpz_import(z, P256_LEN, 1, 1, 1, 0, bytes);
}

static void export(uint8_t bytes[P256_LEN], const mpz_t z)
{
	size_t n = (mpz_sizeinbase(z, 2) + 7) / 8;

	memset(bytes, 0, P256_LEN);
	mpz_export(bytes + P256_LEN - n, NULL, 1, 1, 1, 0, z);
}

static void random_bytes(void *ctx, size_t n, uint8_t *out)
{
	(void)ctx;
	mem_random(out, n);
}

void ecdh_fresh(uint8_t scalar[P256_LEN], uint8_t point[P256_POINT])
{
	struct ecc_scalar s;
	struct ecc_point p;
	mpz_t x, y;

	mpz_inits(x, y, NULL);
	ecc_scalar_init(&s, nettle_get_secp_256r1());
	ecc_point_init(&p, nettle_get_secp_256r1());
	ecc_scalar_random(&s, NULL, random_bytes);
	ecc_point_mul_g(&p, &s);
	ecc_point_get(&p, x, y);
	point[0] = POINT_UNCOMPRESSED;
	export(point + 1, x);
	export(point + 1 + P256_LEN, y);
	ecc_scalar_get(&s, x);
	export(scalar, x);
	scalar_clear(&s);
	ecc_point_clear(&p);
	secret_clear(x);
	mpz_clear(y);
}

int ecdh_shared(const uint8_t scalar[P256_LEN], const uint8_t peer[P256_POINT], uint8_t z[P256_LEN])
{
	struct ecc_scalar s;
	struct ecc_point p;
	mpz_t x, y;
	int rc = -1;

	mpz_inits(x, y, NULL);
	ecc_scalar_init(&s, nettle_get_secp_256r1());
	ecc_point_init(&p, nettle_get_secp_256r1());
	import(x, peer + 1);
	import(y, peer + 1 + P256_LEN);
	/* ecc_point_set() tests the equation of the curve */
	if (peer[0] == POINT_UNCOMPRESSED && ecc_point_set(&p, x, y)) {
		import(x, scalar);
		if (ecc_scalar_set(&s, x)) {
			ecc_point_mul(&p, &s, &p);
			ecc_point_get(&p, x, y);
			export(z, x);
			rc = 0;
		}
	}
	scalar_clear(&s);
	ecc_point_clear(&p);
	secret_clear(x);
	secret_clear(y);
	return rc;
}

static void cipher(const void *ctx, size_t len, uint8_t *to, const uint8_t *from)
{
	aes256_encrypt(ctx, len, to, from);
}

static void decipher(const void *ctx, size_t len, uint8_t *to, const uint8_t *from)
{
	aes256_decrypt(ctx, len, to, from);
}

void key_wrap(const uint8_t kek[WRAP_KEY], const uint8_t key[WRAP_KEY], uint8_t wrapped[WRAP_LEN])
{
	struct aes256_ctx aes;

	aes256_set_encrypt_key(&aes, kek);
	nist_keywrap16(&aes, cipher, wrap_iv, WRAP_LEN, wrapped, key);
	mem_wipe(&aes, sizeof aes);
}

int key_unwrap(const uint8_t kek[WRAP_KEY], const uint8_t wrapped[WRAP_LEN], uint8_t key[WRAP_KEY])
{
	struct aes256_ctx aes;
	int good;

	aes256_set_decrypt_key(&aes, kek);
	good = nist_keyunwrap16(&aes, decipher, wrap_iv, WRAP_KEY, key, wrapped);
	mem_wipe(&aes, sizeof aes);
	return good ? 0 : -1;
}
