/* Mbed TLS 2.28: TLS 1.2. Its base64 is one line without an end; its ECDSA has parameters, against RFC 5758. */
#include <mbedtls/base64.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_csr.h>

#include <stdio.h>
#include <string.h>

#include "est_client.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_ssl_context ssl;
static mbedtls_ssl_config conf;
static mbedtls_x509_crt root, cert;
static mbedtls_pk_context key;
static mbedtls_net_context net;

static int random_init(void)
{
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	return mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
}

static int write_key(mbedtls_pk_context *k, const char *path)
{
	unsigned char pem[1024];
	int rc = mbedtls_pk_write_key_pem(k, pem, sizeof pem);
	FILE *f = fopen(path, "w");

	if (f && rc == 0)
		fputs((const char *)pem, f);
	return f && fclose(f) == 0 && rc == 0 ? 0 : -1;
}

static int make_request(mbedtls_pk_context *k, char *base64, size_t size)
{
	mbedtls_x509write_csr req;
	unsigned char der[2048];
	size_t len;
	int n = -1;

	mbedtls_x509write_csr_init(&req);
	mbedtls_x509write_csr_set_key(&req, k);
	mbedtls_x509write_csr_set_md_alg(&req, MBEDTLS_MD_SHA256);
	if (mbedtls_x509write_csr_set_subject_name(&req, "CN=mbedtls") == 0)
		n = mbedtls_x509write_csr_der(&req, der, sizeof der, mbedtls_ctr_drbg_random, &drbg);
	mbedtls_x509write_csr_free(&req);
	if (n <= 0)
		return -1;
	/* It writes from the end of the buffer backwards. */
	return mbedtls_base64_encode((unsigned char *)base64, size, &len, der + sizeof der - n, (size_t)n);
}

int stack_request(const char *key_path, char *base64, size_t size)
{
	mbedtls_pk_context k;
	int rc = -1;

	mbedtls_pk_init(&k);
	if (random_init() == 0 && mbedtls_pk_setup(&k, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
	    mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(k), mbedtls_ctr_drbg_random, &drbg) == 0 &&
	    write_key(&k, key_path) == 0)
		rc = make_request(&k, base64, size);
	mbedtls_pk_free(&k);
	return rc;
}

static int load(const struct est_client *c)
{
	int rc;

	mbedtls_ssl_init(&ssl);
	mbedtls_ssl_config_init(&conf);
	mbedtls_x509_crt_init(&root);
	mbedtls_x509_crt_init(&cert);
	mbedtls_pk_init(&key);
	if ((rc = mbedtls_x509_crt_parse_file(&root, c->root)) || (rc = mbedtls_x509_crt_parse_file(&cert, c->cert)) ||
	    (rc = mbedtls_pk_parse_keyfile(&key, c->key, NULL)) ||
	    (rc = mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					      MBEDTLS_SSL_PRESET_DEFAULT)))
		return rc;
	mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &drbg);
	mbedtls_ssl_conf_ca_chain(&conf, &root, NULL);
	if ((rc = mbedtls_ssl_conf_own_cert(&conf, &cert, &key)) || (rc = mbedtls_ssl_setup(&ssl, &conf)))
		return rc;
	return mbedtls_ssl_set_hostname(&ssl, c->name);
}

int stack_open(const struct est_client *c)
{
	char text[200];
	int rc = load(c);

	net.fd = c->fd;
	mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
	if (rc == 0)
		rc = mbedtls_ssl_handshake(&ssl);
	if (rc == 0)
		return 0;
	mbedtls_strerror(rc, text, sizeof text);
	fprintf(stderr, "Mbed TLS: %s (verification: 0x%x)\n", text, mbedtls_ssl_get_verify_result(&ssl));
	return -1;
}

int stack_write(const void *data, size_t len)
{
	return mbedtls_ssl_write(&ssl, data, len) == (int)len ? 0 : -1;
}

int stack_read(void *out, size_t size)
{
	return mbedtls_ssl_read(&ssl, out, size);
}

void stack_close(void)
{
	mbedtls_ssl_close_notify(&ssl);
	mbedtls_ssl_free(&ssl);
	mbedtls_ssl_config_free(&conf);
	mbedtls_x509_crt_free(&root);
	mbedtls_x509_crt_free(&cert);
	mbedtls_pk_free(&key);
	mbedtls_ctr_drbg_free(&drbg);
	mbedtls_entropy_free(&entropy);
}
