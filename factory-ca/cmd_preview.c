#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "clock.h"
#include "cmd.h"
#include "mem.h"
#include "models.h"
#include "preview.h"

#define EXAMPLE "Example"	/* the company of a CA that is not there */

/* ---- what is asked for ---- */
static int take(char *out, size_t size, const struct cli *c, const char *option, struct err *e)
{
	const char *text = cli_get(c, option);

	if (!text)
		return 0;
	return text_copy(out, size, text) < 0 ? err_set(e, REASON_CONFIG, "--%s: at most %zu characters, and not none", option, size - 1) : 0;
}

static int take_params(struct ca_params *p, const struct cli *c, struct err *e)
{
	const char *days = cli_get(c, "validity-days");
	uint64_t n = 0;

	if (days && (text_uint(&n, days, UINT32_MAX) < 0 || n == 0))
		return err_set(e, REASON_CONFIG, "--validity-days %s: write a number of days", days);
	p->validity_days = (uint32_t)n;
	return take(p->key_type, sizeof p->key_type, c, "key-type", e) || take(p->locality, sizeof p->locality, c, "locality", e) ||
	       take(p->email, sizeof p->email, c, "email", e) ? -1 : 0;
}

/* The CSR names the device where the command line does not, as an example of what a ticket or the node's session would say. */
static int take_device(struct preview *v, const struct csr *csr, const struct cli *c, struct err *e)
{
	struct device_id *d = &v->q.device;
	struct model m = {0};
	struct err no;

	*d = csr->device;
	if (take(d->serial, sizeof d->serial, c, "serial", e) || take(d->model, sizeof d->model, c, "model", e) ||
	    take(d->manufacturer, sizeof d->manufacturer, c, "manufacturer", e))
		return -1;
	if (!d->manufacturer[0] && v->site == SITE_FACTORY)
		snprintf(d->manufacturer, sizeof d->manufacturer, "%s", v->organization);
	if (!d->serial[0] || !d->model[0] || !d->manufacturer[0])
		return err_set(e, REASON_CONFIG, "--%s is needed: a device is a manufacturer, a model and a serial number, and the request does not "
			       "name it", !d->serial[0] ? "serial" : !d->model[0] ? "model" : "manufacturer");
	if (model_of(&m, d->manufacturer, d->model, &no) == 1)
		snprintf(v->hw_type, sizeof v->hw_type, "%s", m.hw_type);
	if (take(v->hw_type, sizeof v->hw_type, c, "hw-type", e))
		return -1;
	return v->hw_type[0] && !text_is_oid(v->hw_type) ? err_set(e, REASON_CONFIG, "--hw-type %s: write an object identifier", v->hw_type) : 0;
}

static int take_unit(struct preview *v, const struct cli *c, struct err *e)
{
	const char *role, *name;

	if (option_needed(c, "role", &role, e) < 0 || option_needed(c, "name", &name, e) < 0)
		return -1;
	return take(v->unit.role, sizeof v->unit.role, c, "role", e) || take(v->unit.name, sizeof v->unit.name, c, "name", e) ||
	       unit_hosts(&v->unit, c, e) ? -1 : 0;
}

/* ---- who signs ---- */
/* Of a CA that is not there: as its own profiles would make it, down to the one that signs. */
static int example(struct cert issuer[2], struct book *b, const struct preview *v, struct err *e)
{
	static const enum profile_kind root = PROFILE_ROOT;
	enum profile_kind kinds[2] = { root, v->profile->kind == PROFILE_UNIT ? PROFILE_UNIT_CA : PROFILE_ISSUING };
	size_t n = profile_is_device(v->profile) || v->profile->kind == PROFILE_UNIT ? 2 : 1;
	struct buf der = {0};
	struct profile p;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct preview one = { .profile = &p, .site = v->site, .now = v->now, .organization = v->organization };

		one.issuer = i ? &issuer[i - 1] : NULL;
		rc = profile_of_kind(&p, b->dir, kinds[i], e);
		if (rc == 0)
			rc = preview_build(&one, &der, e) < 0 ? -1 : cert_parse(&issuer[i], der.data, der.len, e);
		buf_free(&one.q.spki);
	}
	buf_free(&der);
	return rc < 0 ? -1 : (int)n - 1;
}

/* ---- what comes of it ---- */
static void print(const struct cli *c, const struct book_page *page, const struct cert *made, bool real, const struct buf *pem)
{
	struct buf text = {0};
	struct jsonl *j;

	cert_text(made, &text);
	if (!cli_json(c)) {
		printf("PREVIEW: not signed by the CA%s%s. The number and the signature will be others.\nIssuer: %s\n%s", real ? "" : ", which does not exist yet",
		       page->profile.order_needed ? "; it signs by this profile only within a work order" : "", made->issuer, buf_text(&text));
		if (cli_get(c, "out"))
			printf("written to %s\n", cli_get(c, "out"));
	} else {
		j = jsonl_new("preview");
		jsonl_bool(j, "signed_by_ca", false);
		jsonl_bool(j, "ca_exists", real);
		jsonl_str(j, "profile", page->name);
		jsonl_bool(j, "order_needed", page->profile.order_needed);
		jsonl_str(j, "subject", made->subject);
		jsonl_str(j, "issuer", made->issuer);
		jsonl_str(j, "pem", buf_text(pem));
		jsonl_print(j);
	}
	buf_free(&text);
}

static int write_out(const struct cli *c, const struct cert *made, const struct buf *pem, struct err *e)
{
	const struct buf *what = cli_has(c, "der") ? &made->der : pem;

	return cli_get(c, "out") ? file_replace(cli_get(c, "out"), what->data, what->len, 0644, e) : 0;
}

static int preview(const struct cli *c, struct book *b, struct err *e)
{
	struct book_page *page = book_find(b, cli_arg(c, 0), e);
	struct preview v = { .now = clock_utc(), .organization = cli_get(c, "organization") };
	struct cert issuer[2] = {0}, made = {0};
	struct buf der = {0}, pem = {0};
	struct csr csr = {0};
	int rc = -1, n;

	if (!page || profile_load(&page->profile, page->path, e) < 0)
		return -1;
	v.profile = &page->profile;
	v.site = b->has_ca ? b->settings.site : v.profile->kind == PROFILE_DEVICE_CUSTOMER ? SITE_CUSTOMER : SITE_FACTORY;
	if (!v.organization)
		v.organization = b->has_ca ? b->settings.name : EXAMPLE;
	if (cli_get(c, "csr") && csr_load(&csr, cli_get(c, "csr"), e) < 0)
		return -1;
	if (csr.spki.len)
		buf_set(&v.q.spki, csr.spki.data, csr.spki.len);
	if (take_params(&v.q.params, c, e) < 0 || (profile_is_device(v.profile) && take_device(&v, &csr, c, e) < 0) ||
	    (v.profile->kind == PROFILE_UNIT && take_unit(&v, c, e) < 0))
		goto out;
	v.issuer = book_issuer(b, v.profile);
	if (!v.issuer && v.profile->kind != PROFILE_ROOT) {
		n = example(issuer, b, &v, e);
		if (n < 0)
			goto out;
		v.issuer = &issuer[n];
	}
	if (preview_build(&v, &der, e) < 0 || cert_parse(&made, der.data, der.len, e) < 0)
		goto out;
	cert_to_pem(&made, &pem);
	rc = write_out(c, &made, &pem, e);
	if (rc == 0)
		print(c, page, &made, v.profile->kind == PROFILE_ROOT ? b->has_ca : book_issuer(b, v.profile) != NULL, &pem);
out:
	cert_free(&made);
	cert_free(&issuer[0]);
	cert_free(&issuer[1]);
	csr_free(&csr);
	buf_free(&v.q.spki);
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

enum cli_exit cmd_profile_preview(const struct cli *c)
{
	struct book b;
	struct err e;
	int rc = book_open(&b, c, &e);

	if (rc == 0)
		rc = preview(c, &b, &e);
	book_close(&b);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
