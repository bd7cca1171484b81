#include <config.h>

#include "invite.h"

#include <nettle/eddsa.h>
#include <string.h>

#include "digest.h"
#include "mem.h"

/* Crockford's base 32: no I, L, O and U. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define PAYLOAD (INVITE_SECRET + INVITE_ROOT)
#define CHECK 3				/* bytes of the SHA-256 of the payload: a typing error is found, here and at once */
#define CODE (PAYLOAD + CHECK)		/* 25 bytes are 40 digits of five bits */
#define DIGITS 40
#define GROUP 5

_Static_assert(CODE * 8 == DIGITS * 5, "a code is whole digits");

static void join(uint8_t code[CODE], const struct invite *v)
{
	uint8_t sha256[SHA256_LEN];

	memcpy(code, v->secret, INVITE_SECRET);
	memcpy(code + INVITE_SECRET, v->root, INVITE_ROOT);
	digest_sha256(sha256, code, PAYLOAD);
	memcpy(code + PAYLOAD, sha256, CHECK);
}

void invite_new(struct invite *v, const uint8_t root[SHA256_LEN])
{
	mem_random(v->secret, sizeof v->secret);
	memcpy(v->root, root, INVITE_ROOT);
}

void invite_text(const struct invite *v, char out[INVITE_TEXT])
{
	uint8_t code[CODE];
	size_t at = 0;

	join(code, v);
	for (size_t i = 0; i < DIGITS; i++) {
		size_t bit = i * 5;
		unsigned two = (unsigned)code[bit / 8] << 8 | (bit / 8 + 1 < CODE ? code[bit / 8 + 1] : 0);

		if (i && i % GROUP == 0)
			out[at++] = '-';
		out[at++] = digits[two >> (11 - bit % 8) & 31];
	}
	out[at] = 0;
	mem_wipe(code, sizeof code);
}

/* The value of a character, -1: none, -2: one that only separates. */
static int value_of(char c)
{
	const char *p;

	if (c == '-' || c == ' ')
		return -2;
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	p = c ? strchr(digits, c) : NULL;
	return p ? (int)(p - digits) : -1;
}

int invite_parse(struct invite *v, const char *text, struct err *e)
{
	uint8_t code[CODE] = {0}, again[CODE];
	size_t n = 0;
	int rc = 0;

	for (; *text && rc == 0; text++) {
		int value = value_of(*text);

		if (value == -2)
			continue;
		if (value < 0 || n == DIGITS) {
			rc = -1;
			break;
		}
		for (int b = 0; b < 5; b++)
			if (value >> (4 - b) & 1)
				code[(n * 5 + (size_t)b) / 8] |= (uint8_t)(0x80 >> ((n * 5 + (size_t)b) % 8));
		n++;
	}
	memcpy(v->secret, code, INVITE_SECRET);
	memcpy(v->root, code + INVITE_SECRET, INVITE_ROOT);
	join(again, v);
	if (rc < 0 || n != DIGITS || memcmp(code, again, CODE) != 0)
		rc = err_set(e, REASON_CONFIG, "the code is not right: it has eight groups of five characters; look for a typing error");
	mem_wipe(code, sizeof code);
	mem_wipe(again, sizeof again);
	return rc;
}

/* ---- the key pair of the secret ---- */
static void seed_of(const struct invite *v, uint8_t seed[ED25519_KEY_SIZE])
{
	static const char what[] = "handsel-invitation";
	uint8_t text[sizeof what + INVITE_SECRET];

	memcpy(text, what, sizeof what);	/* with its NUL */
	memcpy(text + sizeof what, v->secret, INVITE_SECRET);
	digest_sha256(seed, text, sizeof text);
	mem_wipe(text, sizeof text);
}

static void text_of(const struct buf *spki, struct buf *text)
{
	uint8_t sha256[SHA256_LEN];

	digest_sha256(sha256, spki->data, spki->len);
	buf_add(text, "handsel-enrol", sizeof "handsel-enrol");
	buf_add(text, sha256, sizeof sha256);
}

void invite_public(const struct invite *v, uint8_t key[INVITE_KEY])
{
	uint8_t seed[ED25519_KEY_SIZE];

	seed_of(v, seed);
	ed25519_sha512_public_key(key, seed);
	mem_wipe(seed, sizeof seed);
}

void invite_sign(const struct invite *v, const struct buf *spki, struct buf *signature)
{
	uint8_t seed[ED25519_KEY_SIZE], key[INVITE_KEY], out[INVITE_SIGNATURE];
	struct buf text = {0};

	text_of(spki, &text);
	invite_public(v, key);
	seed_of(v, seed);
	ed25519_sha512_sign(key, seed, text.len, text.data, out);
	buf_set(signature, out, sizeof out);
	mem_wipe(seed, sizeof seed);
	buf_free(&text);
}

int invite_verify(const uint8_t key[INVITE_KEY], const struct buf *spki, const struct buf *signature, struct err *e)
{
	struct buf text = {0};
	bool good;

	text_of(spki, &text);
	good = signature->len == INVITE_SIGNATURE && ed25519_sha512_verify(key, text.len, text.data, signature->data);
	buf_free(&text);
	return good ? 0 : err_set(e, REASON_ROLE, "the code is another one than that of the invitation");
}
