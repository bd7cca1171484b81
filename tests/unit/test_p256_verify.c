/* Two libraries judge signatures with P-256. What one of them takes and the other does not would be a way around one of them. */
#include <config.h>

#include <pthread.h>
#include <string.h>

#include "der.h"
#include "digest.h"
#include "key.h"
#include "mem.h"
#include "p256_verify.h"
#include "unit.h"

#define SPKI_HEAD 26	/* octets before the point */
#define TEXT "what is signed"

/* SEC 2 2.4.2: the order of the group */
static const uint8_t order[P256_LEN] = {
	0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};

static struct buf spki, sig;
static uint8_t digest[SHA256_LEN];

static void begin(void)
{
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_EQUAL_FATAL(key_spki(k, &spki, &e), 0);
	CU_ASSERT_EQUAL_FATAL(key_sign(k, TEXT, strlen(TEXT), &sig, &e), 0);
	CU_ASSERT_EQUAL_FATAL(spki.len, SPKI_HEAD + P256_POINT);
	digest_sha256(digest, TEXT, strlen(TEXT));
	key_free(k);
}

static void end(void)
{
	buf_free(&spki);
	buf_free(&sig);
}

static bool by_libcrypto(const void *s, size_t len)
{
	return p256_verify(spki.data + SPKI_HEAD, digest, s, len);
}

static bool by_gnutls(const void *s, size_t len)
{
	struct buf copy = {0};
	struct err e;
	bool good;

	buf_set(&copy, s, len);
	good = spki_verify(&spki, TEXT, strlen(TEXT), &copy, &e) == 0;
	buf_free(&copy);
	return good;
}

static void both(bool good, const void *s, size_t len)
{
	CU_ASSERT_EQUAL(by_libcrypto(s, len), good);
	CU_ASSERT_EQUAL(by_gnutls(s, len), good);
}

static void test_good(void)
{
	begin();
	both(true, sig.data, sig.len);
	end();
}

static void test_each_bit(void)
{
	uint8_t changed[80];

	begin();
	CU_ASSERT_FATAL(sig.len <= sizeof changed);
	for (size_t bit = 0; bit < 8 * sig.len; bit++) {
		memcpy(changed, sig.data, sig.len);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		both(false, changed, sig.len);
	}
	for (size_t bit = 0; bit < 8 * sizeof digest; bit++) {
		digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT_FALSE(by_libcrypto(sig.data, sig.len));
		digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * P256_POINT; bit++) {	/* most are no points of the curve */
		spki.data[SPKI_HEAD + bit / 8] ^= (uint8_t)(1 << bit % 8);
		both(false, sig.data, sig.len);
		spki.data[SPKI_HEAD + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	both(true, sig.data, sig.len);	/* nothing of it is left in the thread's key */
	end();
}

static void test_lengths(void)
{
	uint8_t longer[80] = {0};

	begin();
	memcpy(longer, sig.data, sig.len);
	for (size_t len = 0; len < sig.len; len++)
		both(false, sig.data, len);
	both(false, longer, sig.len + 1);
	end();
}

/* An INTEGER of two's complement, with so many zeros more than DER has. */
static void put_integer(struct buf *out, const uint8_t n[P256_LEN], size_t zeros)
{
	uint8_t bytes[P256_LEN + 2] = {0};
	size_t at = 2;

	memcpy(bytes + 2, n, P256_LEN);
	while (at < sizeof bytes - 1 && bytes[at] == 0)
		at++;
	if (bytes[at] & 0x80)
		at--;
	der_put(out, DER_INTEGER, bytes + at - zeros, sizeof bytes - at + zeros);
}

static void put_pair(struct buf *out, const uint8_t r[P256_LEN], size_t zeros, const uint8_t s[P256_LEN])
{
	struct buf body = {0};

	put_integer(&body, r, zeros);
	put_integer(&body, s, 0);
	der_put(out, DER_SEQUENCE, body.data, body.len);
	buf_free(&body);
}

static void pair(const uint8_t r[P256_LEN], const uint8_t s[P256_LEN], bool good)
{
	struct buf whole = {0};

	put_pair(&whole, r, 0, s);
	both(good, whole.data, whole.len);
	buf_free(&whole);
}

static void take_integer(struct der *in, uint8_t n[P256_LEN])
{
	struct der d = der_take(in, DER_INTEGER);

	while (d.left > P256_LEN) {
		d.p++;
		d.left--;
	}
	memset(n, 0, P256_LEN);
	memcpy(n + P256_LEN - d.left, d.p, d.left);
}

/* FIPS 186-4 6.4: r and s are from 1 to n - 1. */
static void test_numbers(void)
{
	static const uint8_t zero[P256_LEN], one[P256_LEN] = { [P256_LEN - 1] = 1 };
	uint8_t r[P256_LEN], s[P256_LEN], other[P256_LEN];
	struct buf padded = {0};
	struct der in, body;
	unsigned borrow = 0;

	begin();
	in = der_from(sig.data, sig.len);
	body = der_take(&in, DER_SEQUENCE);
	take_integer(&body, r);
	take_integer(&body, s);
	pair(r, s, true);
	pair(zero, s, false);
	pair(r, zero, false);
	pair(zero, zero, false);
	pair(order, s, false);
	pair(r, order, false);
	pair(one, one, false);
	pair(s, r, false);
	for (size_t i = P256_LEN; i-- > 0;) {	/* n - s is the other signature that this equation has */
		unsigned d = 0x100u + order[i] - s[i] - borrow;

		other[i] = (uint8_t)d;
		borrow = d < 0x100;
	}
	pair(r, other, true);
	put_pair(&padded, r, 1, s);		/* DER has one encoding. GnuTLS takes others as well */
	CU_ASSERT_FALSE(by_libcrypto(padded.data, padded.len));
	buf_free(&padded);
	end();
}

/* ---- what the daemons do with it ---- */
static unsigned asked;

static bool never(const uint8_t point[65], const uint8_t hash[32], const void *s, size_t len)
{
	asked++;
	return false;
}

static bool always(const uint8_t point[65], const uint8_t hash[32], const void *s, size_t len)
{
	asked++;
	return true;
}

/* It is asked for P-256 and SHA-256 alone, and its no is not the last word. */
static void test_chosen(void)
{
	struct buf other_spki = {0}, other_sig = {0};
	struct key *other;
	struct err e;

	begin();
	asked = 0;
	spki_p256_by(never);
	CU_ASSERT(by_gnutls(sig.data, sig.len));
	CU_ASSERT_EQUAL(asked, 1);
	spki_p256_by(always);
	CU_ASSERT(by_gnutls("?", 1));
	CU_ASSERT_FALSE(by_gnutls("", 0));
	CU_ASSERT_EQUAL(asked, 2);
	other = key_generate(KEY_P384, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	CU_ASSERT_EQUAL(key_spki(other, &other_spki, &e), 0);
	CU_ASSERT_EQUAL(key_sign(other, TEXT, strlen(TEXT), &other_sig, &e), 0);
	CU_ASSERT_EQUAL(spki_verify(&other_spki, TEXT, strlen(TEXT), &other_sig, &e), 0);
	CU_ASSERT_EQUAL(spki_verify(&other_spki, "other", 5, &other_sig, &e), -1);
	CU_ASSERT_EQUAL(asked, 2);
	spki_p256_by(NULL);
	key_free(other);
	buf_free(&other_spki);
	buf_free(&other_sig);
	end();
}

#define THREADS 8
#define TURNS 200

static void *turns(void *arg)
{
	uint8_t point[P256_POINT], wrong[P256_POINT];
	size_t *bad = arg;

	memcpy(point, spki.data + SPKI_HEAD, P256_POINT);
	memcpy(wrong, point, P256_POINT);
	wrong[P256_POINT - 1] ^= 1;
	for (int i = 0; i < TURNS; i++)
		*bad += (size_t)(!p256_verify(point, digest, sig.data, sig.len) + p256_verify(wrong, digest, sig.data, sig.len));
	return NULL;
}

static void test_threads(void)
{
	pthread_t thread[THREADS];
	size_t bad[THREADS] = {0};

	begin();
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, turns, &bad[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		CU_ASSERT_EQUAL(bad[i], 0);
	}
	end();
}

UNIT_MAIN("p256_verify", { "a good one", test_good }, { "each bit", test_each_bit }, { "each length", test_lengths },
	  { "numbers out of range", test_numbers }, { "when it is asked", test_chosen }, { "threads", test_threads })
