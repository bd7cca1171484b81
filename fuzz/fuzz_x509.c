/* Certificates, requests and CMS from strangers. */
#include <config.h>

#include <string.h>

#include "cms.h"
#include "fuzz.h"
#include "x509.h"

/* Of a CA's name constraints the bytes are a stranger's until they are judged by, and names of every form may stand below it. */
static void as_limits(const struct cert *ca)
{
	static const uint8_t names[] = "\x82\x0dplant.example\x81\x0f" "a@plant.example\x87\x04\x0a\x00\x00\x01\x86\x05urn:a";
	struct err e;

	FUZZ_MUST(ca->limits.len || name_limits_check(ca, names, sizeof names - 1, "", &e) == 0);
	name_limits_check(ca, names, sizeof names - 1, "", &e);
	name_limits_check(ca, ca->der.data + ca->names.at, ca->names.len, "", &e);
}

static void as_cert(const uint8_t *data, size_t size)
{
	struct cert c = {0};
	struct err e;

	if (cert_parse(&c, data, size, &e) == 0) {
		as_limits(&c);
		FUZZ_MUST(c.der.len == size && c.spki.len);
		FUZZ_MUST(strlen(c.device.serial) <= LIMIT_SERIAL && strlen(c.role) < CERT_ROLE_MAX);
	}
	cert_free(&c);
}

static void as_csr(const uint8_t *data, size_t size)
{
	struct csr c = {0};
	struct err e;

	if (csr_parse(&c, data, size, &e) == 0)
		FUZZ_MUST(c.spki.len && (!c.request.id[0] || request_id_valid(&c.request)));
	csr_free(&c);
}

static void as_pem(const uint8_t *data, size_t size)
{
	struct buf pem = {0}, der = {0};
	struct chain ch = {0};
	struct err e;

	buf_add(&pem, data, size);
	if (chain_from_pem(&ch, &pem, &e) == 0)
		FUZZ_MUST(ch.n >= 1);
	if (csr_from_pem(&pem, &der, &e) == 0)
		FUZZ_MUST(der.len);
	chain_free(&ch);
	buf_free(&der);
	buf_free(&pem);
}

static void as_cms(const uint8_t *data, size_t size)
{
	const struct trust_rule rule = { .ignore_expiry = true };
	struct trust *nobody = trust_new();
	struct buf content = {0};
	struct cert signer = {0};
	struct chain ch = {0};
	struct err e;

	FUZZ_MUST(cms_open(data, size, nobody, &rule, &content, &signer, &e) == -1);
	if (cms_certs_read(data, size, &ch, &e) == 0)
		FUZZ_MUST(ch.n <= 64);
	chain_free(&ch);
	cert_free(&signer);
	buf_free(&content);
	trust_free(nobody);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_cert(data, size);
	as_csr(data, size);
	as_pem(data, size);
	as_cms(data, size);
	return 0;
}
