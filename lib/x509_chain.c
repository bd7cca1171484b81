#include <config.h>

#include "x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "pem.h"

#define CHAIN_MAX 64	/* certificates of one file or message: a trust store of a customer, no list of public CAs */

static const char cert_label[] = "CERTIFICATE", csr_label[] = "CERTIFICATE REQUEST";

int chain_add(struct chain *ch, const void *der, size_t len, struct err *e)
{
	struct cert c;

	if (ch->n == CHAIN_MAX)
		return err_set(e, REASON_REQUEST, "more than %d certificates", CHAIN_MAX);
	if (cert_parse(&c, der, len, e) < 0)
		return -1;
	ch->cert = mem_grow(ch->cert, ch->n + 1, sizeof *ch->cert);
	ch->cert[ch->n++] = c;
	return 0;
}

int chain_append(struct chain *ch, const struct chain *more, struct err *e)
{
	for (size_t i = 0; i < more->n; i++)
		if (chain_add(ch, more->cert[i].der.data, more->cert[i].der.len, e) < 0)
			return -1;
	return 0;
}

int chain_from_pem(struct chain *ch, const struct buf *pem, struct err *e)
{
	const char *at = buf_text(pem);
	size_t before = ch->n;
	struct buf der = {0};
	int rc;

	while ((rc = pem_next(&at, cert_label, &der)) == 1)
		if (chain_add(ch, der.data, der.len, e) < 0) {
			err_prefix(e, "certificate %zu of the PEM text", ch->n - before + 1);
			goto out;
		}
	if (rc < 0)
		err_set(e, REASON_REQUEST, "certificate %zu of the PEM text is cut or no base64", ch->n - before + 1);
	else if (ch->n == before)
		rc = err_set(e, REASON_REQUEST, "no certificate in PEM (-----BEGIN CERTIFICATE-----) there");
out:
	buf_free(&der);
	return rc == 0 ? 0 : -1;
}

int chain_load(struct chain *ch, const char *path, struct err *e)
{
	struct buf pem = {0};
	int rc = file_read(&pem, path, 0, e);

	if (rc == 0) {
		rc = chain_from_pem(ch, &pem, e);
		if (rc < 0) {
			e->code = REASON_CONFIG;
			err_prefix(e, "%s", path);
		}
	}
	buf_free(&pem);
	return rc;
}

void cert_to_pem(const struct cert *c, struct buf *pem)
{
	pem_put(pem, cert_label, &c->der);
}

void cert_text(const struct cert *c, struct buf *text)
{
	gnutls_datum_t der = { c->der.data, (unsigned)c->der.len }, out = {0};
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER) >= 0 && gnutls_x509_crt_print(crt, GNUTLS_CRT_PRINT_UNSIGNED_FULL, &out) >= 0)
		buf_add(text, out.data, out.size);
	gnutls_free(out.data);
	gnutls_x509_crt_deinit(crt);
}

void chain_to_pem(const struct chain *ch, struct buf *pem)
{
	for (size_t i = 0; i < ch->n; i++)
		cert_to_pem(&ch->cert[i], pem);
}

static int save(const struct chain *ch, const char *path, mode_t mode, struct err *e)
{
	struct buf pem = {0};
	int rc;

	chain_to_pem(ch, &pem);
	rc = file_replace(path, pem.data, pem.len, mode, e);
	buf_free(&pem);
	return rc;
}

int chain_save(const struct chain *ch, const char *path, struct err *e)
{
	return save(ch, path, 0644, e);
}

int chain_save_own(const struct chain *ch, const char *path, struct err *e)
{
	return save(ch, path, 0600, e);
}

int chain_save_in(const struct chain *ch, const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH];

	return file_join(path, e, dir, name) < 0 ? -1 : chain_save(ch, path, e);
}

void chain_free(struct chain *ch)
{
	if (!ch)
		return;
	for (size_t i = 0; i < ch->n; i++)
		cert_free(&ch->cert[i]);
	free(ch->cert);
	*ch = (struct chain){0};
}

void csr_to_pem(const struct buf *der, struct buf *pem)
{
	pem_put(pem, csr_label, der);
}

int csr_from_pem(const struct buf *pem, struct buf *der, struct err *e)
{
	static const char *const labels[] = { csr_label, "NEW CERTIFICATE REQUEST" };
	int rc = 0;

	if (pem->len && pem->data[0] == 0x30) {
		buf_set(der, pem->data, pem->len);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(labels) && rc == 0; i++) {
		const char *at = buf_text(pem);

		rc = pem_next(&at, labels[i], der);
	}
	if (rc == 1)
		return 0;
	return err_set(e, REASON_REQUEST, rc < 0 ? "the certificate request in PEM is cut or no base64"
						 : "no certificate request in PEM (-----BEGIN CERTIFICATE REQUEST-----) there");
}
