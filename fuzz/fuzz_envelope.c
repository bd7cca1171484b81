/* Envelopes from strangers, opened with a transport key of either kind. */
#include <config.h>

#include "envelope.h"
#include "fuzz.h"
#include "limits.h"

/* The keys of the seeds: good for nothing else. */
#define P256 \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmbP9gH7MVZly7sLa\n" \
	"ndcHptrA6p7NPpXhXQ+bz0mFnZOhRANCAASmvakxGnG7v5sbf+2uBa6kizuU4tZB\n" \
	"fSQBh1zK8EIHTdGLDeRHNclLUk+rdyF1hDTpJFl/vX3dr86/cHCF75AJ\n" \
	"-----END PRIVATE KEY-----\n"
#define RSA \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDM5YXLucHolvqv\n" \
	"07nzhOjtkkvZRbHMtK6SZyX5QRX5P3hvAFMh+7hYue9AiTuyXhcLQCa0SnL6WDXO\n" \
	"8xA1GzIV/PnfIpGRM7V6AHGZGg7ikC3NwnQfZYERZw1R+xOigpxvWhWldJ0ehrk3\n" \
	"/fVDx3vl2hRcGsMlu+Di57TKWLFJQT5vT9NdgKt30L81NSRREgI072fSTFhe8Fv5\n" \
	"curiuDg4G7zKo7xfX/NkTctvQiA2+AwUc+VwhPBd3ctBcBaPxjd0HiD1LKfsIXlY\n" \
	"M6d8UD3EEpALVGJolclTsoMphjFPs/zebXX/iaWra5LV0EVIvWWOJ4I5Mplwb/l5\n" \
	"mhXraVSVAgMBAAECggEAXzRQyFoeNwgcIGG1N+ksX+MHukOPe2oC6YTjGJ986czr\n" \
	"lUwl1JcFT7jJage6BMWCWJhsw34KUbd1/RxkjgB+c8gRhHQoBjtsGe2l2vlILE7I\n" \
	"8Z/mXAZKg/8JqeuLconUzUqi3zfBn8MCwfkPIvjIYYNEzY0j2t8i/dui3hh6++lv\n" \
	"Rg5AUaR6vSwkBwT0J4ElRD9lY3Y7k6fyepC3sr5FcC5zZFDO7qCGWQhnkdCIdFzV\n" \
	"K2+X3tT45n8D9tn7niI8LT5Y073MbZStmTY3ff2dE/+qMg0KxFrFtouDy+7j614W\n" \
	"t1XZOPhAIi8Rm6/6cOd9qD2vNbfv5PpaT6DKdV5GKwKBgQDx0zgzmVQ/JDaS9+QP\n" \
	"NaI70mGUHwb4RK6NZT2e+ZYHd3tGWz7yyQzdwPXpZQs8HJDpihg0yKHr/3xADZ5g\n" \
	"fuaIBXqF+niutczEDd8xvp4paEi8EEBrimYR8T6mmJsp9Fhfz2207p/+EiAoEfL3\n" \
	"qgYuo34ta3x2EPTFCZWu+rh4ZwKBgQDY6Ck92mLSBtUOf8Oqc0f0LG8NfFXuqowS\n" \
	"Uzr0z+80r+6LYwnIGYjCDYgkMxzZQly7MXqpkcpyOqlETO0zpER1lckCykH5x9w8\n" \
	"r+pIzgqx9LTL+cXe7Aci14uAvBb1s00rfu5Un7pT4mPeuOfMS3fCZ5rUdjh2vFHe\n" \
	"zT90fIcdowKBgCXBTG0B611QUhTwDvMw9HtShVmS3ou0bWw1+kDvxrSzutNpO5K8\n" \
	"QP3+OmaOGAryis1regwDpwQph0SY27lFFsj10gNI776XM7kIUWh60ka0uWZjQyuH\n" \
	"GBiFCbsI6HDMbV/ICuDMwL3yJoMbCkwQh5aQgAqnVW85hn2c2XnQOyzRAoGAMcEn\n" \
	"XKnQiy7IBnhmMJ4a/jaHDsfbilCSqs1us6NS0noctNp17vF0flbOSMd0sZ1YWhQi\n" \
	"d+0aTBOKqkEfE/51OaevITW15o7ixQTxL9wbdfCU3EkiC12G0YYx2MjMV3XWmMiX\n" \
	"8M9m1UET+Y3ele0lvnE3gc7QauQNv5bDHHxIHhMCgYBmW/LDOZIA/SEQAQbW+pyz\n" \
	"0cV6D3v5rbdipx9DyxG5zylVKEwzRpY7Hwc/Bk2gfLPcCrh0x+h8j+R6BH2bLRHG\n" \
	"Okx2LiHk9YOGC4yESAD/OXWGxsiFkrw+9goF1VquESuWZeivy0idL50VpDKRZArv\n" \
	"+euor/9XBDKtHSesfzwqKw==\n" \
	"-----END PRIVATE KEY-----\n"

static struct key *load(const char *pem)
{
	struct buf text = {0};
	struct key *k;
	struct err e;

	buf_str(&text, pem);
	k = key_from_pem(&text, &e);
	FUZZ_MUST(k);
	buf_free(&text);
	return k;
}

static void open_with(const struct key *key, const uint8_t *data, size_t size)
{
	struct buf content = {0};
	struct err e;

	if (envelope_open(data, size, key, &content, &e) == 0)
		FUZZ_MUST(content.len < size);
	else
		FUZZ_MUST(!content.len && (e.code == REASON_REQUEST || e.code == REASON_KEY_STORE));
	buf_free(&content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct key *keys[2];

	if (!keys[0]) {
		keys[0] = load(P256);
		keys[1] = load(RSA);
	}
	open_with(keys[0], data, size);
	open_with(keys[1], data, size);
	return 0;
}
