/* wolfSSL: TLS 1.2 and 1.3. Its base64 has lines of 64 characters, its requests version 2 by default, against RFC 2986. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include <stdio.h>
#include <string.h>

#include "est_client.h"

#define PEM_FILE WOLFSSL_FILETYPE_PEM

static WOLFSSL_CTX *ctx;
static WOLFSSL *ssl;

static int write_key(ecc_key *key, const char *path)
{
	byte der[256], pem[512];
	int n = wc_EccKeyToDer(key, der, sizeof der);
	FILE *f = fopen(path, "w");

	n = n > 0 ? wc_DerToPem(der, (word32)n, pem, sizeof pem, ECC_PRIVATEKEY_TYPE) : n;
	if (f && n > 0)
		fwrite(pem, 1, (size_t)n, f);
	return f && fclose(f) == 0 && n > 0 ? 0 : -1;
}

static int make_request(ecc_key *key, WC_RNG *rng, char *base64, size_t size)
{
	static Cert req;
	byte der[2048];
	word32 len = (word32)size - 1;
	int n;

	wc_InitCert(&req);
	strcpy(req.subject.commonName, "wolfssl");
	req.sigType = CTC_SHA256wECDSA;
	if (wc_MakeCertReq_ex(&req, der, sizeof der, ECC_TYPE, key) <= 0)
		return -1;
	n = wc_SignCert_ex(req.bodySz, req.sigType, der, sizeof der, ECC_TYPE, key, rng);
	if (n <= 0 || Base64_Encode(der, (word32)n, (byte *)base64, &len) != 0)
		return -1;
	base64[len] = 0;
	return 0;
}

int stack_request(const char *key_path, char *base64, size_t size)
{
	WC_RNG rng;
	ecc_key key;
	int rc = -1;

	if (wc_InitRng(&rng) != 0)
		return -1;
	wc_ecc_init(&key);
	if (wc_ecc_make_key(&rng, 32, &key) == 0 && write_key(&key, key_path) == 0)
		rc = make_request(&key, &rng, base64, size);
	wc_ecc_free(&key);
	wc_FreeRng(&rng);
	return rc;
}

int stack_open(const struct est_client *c)
{
	char text[WOLFSSL_MAX_ERROR_SZ];
	int rc;

	wolfSSL_Init();
	ctx = wolfSSL_CTX_new(strcmp(c->version, "1.3") == 0 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method());
	if (!ctx || wolfSSL_CTX_load_verify_locations(ctx, c->root, NULL) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_certificate_chain_file(ctx, c->cert) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_PrivateKey_file(ctx, c->key, PEM_FILE) != WOLFSSL_SUCCESS) {
		fputs("wolfSSL does not take root, certificate or key\n", stderr);
		return -1;
	}
	ssl = wolfSSL_new(ctx);
	wolfSSL_check_domain_name(ssl, c->name);
	wolfSSL_set_fd(ssl, c->fd);
	rc = wolfSSL_connect(ssl);
	if (rc == WOLFSSL_SUCCESS)
		return 0;
	fprintf(stderr, "wolfSSL: %s\n", wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(ssl, rc), text));
	return -1;
}

int stack_write(const void *data, size_t len)
{
	return wolfSSL_write(ssl, data, (int)len) == (int)len ? 0 : -1;
}

int stack_read(void *out, size_t size)
{
	return wolfSSL_read(ssl, out, (int)size);
}

void stack_close(void)
{
	wolfSSL_shutdown(ssl);
	wolfSSL_free(ssl);
	wolfSSL_CTX_free(ctx);
	wolfSSL_Cleanup();
}
