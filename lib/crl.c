#include <config.h>

#include "crl.h"

#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "pem.h"
#include "x509_name.h"

#define EXTENSION_MAX 16	/* of a list or an entry; we make two, the fullest public lists have four */

static const char pem_label[] = "X509 CRL";

/* RFC 5280 5.3.1; 7 is not used, 8 (removeFromCRL) stands in delta lists only. */
static const char *const reasons[] = {
	"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
	"certificateHold", NULL, NULL, "privilegeWithdrawn", "aACompromise",
};

uint8_t crl_reason(const char *name)
{
	for (size_t i = 1; i < ARRAY_LEN(reasons); i++)
		if (reasons[i] && strcmp(name, reasons[i]) == 0)
			return (uint8_t)i;
	return 0;
}

const char *crl_reason_name(uint8_t reason)
{
	return reason < ARRAY_LEN(reasons) && reasons[reason] ? reasons[reason] : reasons[0];
}

static int malformed(struct err *e, const char *what)
{
	return err_set(e, REASON_REQUEST, "malformed CRL: %s; get it anew from its source", what);
}

static struct crl_span span_of(const struct crl *c, const struct der *d)
{
	return (struct crl_span){ .at = (size_t)(d->p - c->der.data), .len = d->left };
}

/* ---- serial numbers ---- */
/* Content of a positive INTEGER of at most 20 octets, without the zero that keeps it positive. */
static bool read_serial(struct crl_entry *x, struct der c)
{
	if (c.failed || !c.left || (c.p[0] & 0x80))
		return false;
	if (c.left > 1 && c.p[0] == 0) {
		if (!(c.p[1] & 0x80))
			return false;
		c.p++;
		c.left--;
	}
	if (c.left > CERT_SERIAL_MAX)
		return false;
	memcpy(x->serial, c.p, c.left);
	x->len = (uint8_t)c.left;
	return true;
}

int crl_entry_serial(struct crl_entry *x, const char *hex)
{
	size_t len = strlen(hex) / 2;

	if (len == 0 || len > CERT_SERIAL_MAX || text_unhex(x->serial, len, hex) < 0)
		return -1;
	x->len = (uint8_t)len;
	return 0;
}

static int by_serial(const void *x, const void *y)
{
	const struct crl_entry *a = x, *b = y;

	return a->len != b->len ? a->len - b->len : memcmp(a->serial, b->serial, a->len);
}

const struct crl_entry *crl_find(const struct crl *c, const char *serial)
{
	struct crl_entry key;

	if (!c->n || crl_entry_serial(&key, serial) < 0)
		return NULL;
	return bsearch(&key, c->entry, c->n, sizeof key, by_serial);
}

/* ---- extensions ---- */
/* Reads one extension of a list or an entry: which says how far into id-ce (2.5.29) it is, -1 for any other. */
static bool next_extension(struct der *list, int *arc, bool *critical, struct der *value)
{
	static const uint8_t id_ce[] = { 0x55, 0x1d };
	struct der ext = der_take(list, DER_SEQUENCE), oid = der_take(&ext, DER_OID), flag;

	*critical = der_optional(&ext, DER_BOOLEAN, &flag);
	if (*critical && (flag.left != 1 || (flag.p[0] != 0 && flag.p[0] != 0xff)))
		return false;
	*critical = *critical && flag.p[0];
	*value = der_take(&ext, DER_OCTETS);
	if (!der_done(&ext) || oid.failed)
		return false;
	*arc = oid.left == 3 && memcmp(oid.p, id_ce, 2) == 0 ? oid.p[2] : -1;
	return true;
}

/* INTEGER of up to 63 bits: a number that grows by one each list or by the time does not pass that. */
static bool read_number(struct crl *c, struct der *d)
{
	struct der v = der_take(d, DER_INTEGER);

	if (v.failed || !v.left || (v.p[0] & 0x80) || v.left > 8 || (v.left > 1 && v.p[0] == 0 && v.p[1] < 0x80))
		return false;
	for (size_t i = 0; i < v.left; i++)
		c->number = c->number << 8 | v.p[i];
	return der_done(d);
}

static bool read_authority(struct crl *c, struct der *d)
{
	struct der seq = der_take(d, DER_SEQUENCE), id;

	if (der_optional(&seq, DER_CONTEXT_PRIMITIVE(0), &id))
		c->issuer_key_id = span_of(c, &id);
	while (seq.left && !seq.failed)
		der_whole(&seq);
	return der_done(&seq) && der_done(d);
}

static int read_extensions(struct crl *c, struct der *list, struct err *e)
{
	bool numbered = false, named = false, critical;
	struct der value;
	int arc;

	for (int n = 0; list->left; n++) {
		if (n == EXTENSION_MAX || !next_extension(list, &arc, &critical, &value))
			return malformed(e, "extensions (RFC 5280 5.2)");
		if (arc == 20) {
			if (numbered || !read_number(c, &value))
				return malformed(e, "CRL number (RFC 5280 5.2.3)");
			numbered = true;
		} else if (arc == 35) {
			if (named || !read_authority(c, &value))
				return malformed(e, "authorityKeyIdentifier (RFC 5280 5.2.1)");
			named = true;
		} else if (critical) {	/* a delta, an indirect or a partitioned list */
			return malformed(e, "a critical extension that is not understood: only a CA's full list is taken (RFC 5280 5.2)");
		}
	}
	return numbered ? 0 : malformed(e, "no CRL number (RFC 5280 5.2.3)");
}

/* ---- entries ---- */
static bool read_reason(struct crl_entry *x, struct der *d)
{
	struct der v = der_take(d, 0x0a);	/* ENUMERATED */

	if (v.failed || v.left != 1 || v.p[0] >= ARRAY_LEN(reasons) || !reasons[v.p[0]])
		return false;
	x->reason = v.p[0];
	return der_done(d);
}

static int read_entry(struct crl_entry *x, struct der *d, struct err *e)
{
	struct der value, list;
	bool critical;
	int arc;

	if (!read_serial(x, der_take(d, DER_INTEGER)))
		return malformed(e, "serial number of an entry (RFC 5280 5.1.2.6)");
	if (!der_time(d, &x->date))
		return malformed(e, "date of an entry (RFC 5280 5.1.2.6)");
	if (!d->left)
		return 0;
	list = der_take(d, DER_SEQUENCE);
	if (!der_done(d) || !list.left)
		return malformed(e, "an entry (RFC 5280 5.1.2.6)");
	for (int n = 0; list.left; n++) {
		if (n == EXTENSION_MAX || !next_extension(&list, &arc, &critical, &value) ||
		    (arc == 21 && !read_reason(x, &value)) || (arc != 21 && critical))
			return malformed(e, "extensions of an entry (RFC 5280 5.3)");
	}
	return 0;
}

static int read_entries(struct crl *c, struct der *list, struct err *e)
{
	size_t room = 0;

	if (!list->left)
		return malformed(e, "an empty list of entries (RFC 5280 5.1.2.6)");
	while (list->left) {
		struct der item = der_take(list, DER_SEQUENCE);

		if (item.failed)
			return malformed(e, "entries (RFC 5280 5.1.2.6)");
		if (c->n == room) {
			room = room ? 2 * room : 64;
			c->entry = mem_grow(c->entry, room, sizeof *c->entry);
		}
		c->entry[c->n] = (struct crl_entry){0};
		if (read_entry(&c->entry[c->n++], &item, e) < 0)
			return -1;
	}
	qsort(c->entry, c->n, sizeof *c->entry, by_serial);
	return 0;
}

/* ---- the body ---- */
static int read_issuer(struct crl *c, struct der *tbs, struct err *e)
{
	struct der content = *tbs, whole = der_whole(tbs);

	if (whole.failed)
		return malformed(e, "issuer (RFC 5280 5.1.2.3)");
	content = der_take(&content, DER_SEQUENCE);
	c->issuer_name = span_of(c, &whole);
	return name_read(&content, c->issuer, sizeof c->issuer, NULL) ? 0 : malformed(e, "issuer (RFC 5280 5.1.2.3)");
}

static int read_tbs(struct crl *c, struct der *tbs, const struct der *algorithm, struct err *e)
{
	struct der inner, list, tagged;

	if (der_small(tbs, 1) != 1)
		return malformed(e, "not of version 2 (RFC 5280 5.1.2.1)");
	inner = der_take(tbs, DER_SEQUENCE);
	if (!der_is(&inner, algorithm->p, algorithm->left))
		return malformed(e, "two different signature algorithms (RFC 5280 5.1.1.2)");
	if (read_issuer(c, tbs, e) < 0)
		return -1;
	if (!der_time(tbs, &c->this_update) || !der_time(tbs, &c->next_update) || c->next_update < c->this_update)
		return malformed(e, "thisUpdate and nextUpdate (RFC 5280 5.1.2.4, 5.1.2.5)");
	if (der_optional(tbs, DER_SEQUENCE, &list) && read_entries(c, &list, e) < 0)
		return -1;
	tagged = der_take(tbs, DER_CONTEXT(0));
	list = der_take(&tagged, DER_SEQUENCE);
	if (!der_done(&tagged) || !der_done(tbs))
		return malformed(e, "extensions (RFC 5280 5.1.2.7)");
	return read_extensions(c, &list, e);
}

static int read_crl(struct crl *c, struct err *e)
{
	struct der in = der_from(c->der.data, c->der.len), body = der_take(&in, DER_SEQUENCE), whole, tbs, algorithm, bits;

	whole = body;
	whole = der_whole(&whole);
	tbs = der_take(&body, DER_SEQUENCE);
	algorithm = der_take(&body, DER_SEQUENCE);
	bits = der_take(&body, DER_BITS);
	if (!der_done(&in) || !der_done(&body) || bits.left < 2 || bits.p[0] != 0)
		return malformed(e, "not a CRL (RFC 5280 5.1)");
	bits.p++;
	bits.left--;
	c->tbs = span_of(c, &whole);
	c->signature = span_of(c, &bits);
	c->signature_algorithm = (int)key_algorithm(&algorithm);
	return read_tbs(c, &tbs, &algorithm, e);
}

int crl_parse(struct crl *c, const void *der, size_t len, struct err *e)
{
	struct crl parsed = {0};

	if (len == 0 || len > LIMIT_CRL)
		return err_set(e, REASON_REQUEST, "a CRL of %zu bytes; 1 to %u are allowed", len, LIMIT_CRL);
	buf_set(&parsed.der, der, len);
	if (read_crl(&parsed, e) < 0) {
		crl_free(&parsed);
		return -1;
	}
	*c = parsed;
	return 0;
}

int crl_parse_any(struct crl *c, const struct buf *text, struct err *e)
{
	const char *at = buf_text(text);
	struct buf der = {0};
	int rc;

	if (text->len && text->data[0] == DER_SEQUENCE)
		return crl_parse(c, text->data, text->len, e);
	rc = pem_next(&at, pem_label, &der);
	if (rc == 1)
		rc = crl_parse(c, der.data, der.len, e);
	else
		rc = err_set(e, REASON_REQUEST, rc < 0 ? "the CRL in PEM is cut or no base64"
						       : "no CRL there, neither in DER nor in PEM (-----BEGIN X509 CRL-----)");
	buf_free(&der);
	return rc;
}

void crl_to_pem(const struct buf *der, struct buf *pem)
{
	pem_put(pem, pem_label, der);
}

void crl_free(struct crl *c)
{
	buf_free(&c->der);
	free(c->entry);
	*c = (struct crl){0};
}

/* ---- trust ---- */
static bool same(const struct crl *c, const struct crl_span *x, const struct cert *ca, const struct cert_span *y)
{
	return x->len == y->len && memcmp(c->der.data + x->at, ca->der.data + y->at, x->len) == 0;
}

static bool signed_by(const struct crl *c, const struct cert *ca)
{
	gnutls_datum_t tbs = { c->der.data + c->tbs.at, (unsigned)c->tbs.len };
	gnutls_datum_t sig = { c->der.data + c->signature.at, (unsigned)c->signature.len };
	gnutls_pubkey_t key = spki_import(ca->spki.data, ca->spki.len);
	bool good = key && spki_signed(&ca->spki, key, (gnutls_sign_algorithm_t)c->signature_algorithm, &tbs, &sig);

	if (key)
		gnutls_pubkey_deinit(key);
	return good;
}

int crl_verify(const struct crl *c, const struct cert *ca, struct err *e)
{
	if (!same(c, &c->issuer_name, ca, &ca->subject_name) ||
	    (c->issuer_key_id.len && ca->key_id.len && !same(c, &c->issuer_key_id, ca, &ca->key_id)))
		return err_set(e, REASON_AUTHORITY, "the CRL is of another CA (\"%s\") than \"%s\"", c->issuer, ca->subject);
	if (!ca->ca || (ca->key_usage && !ca->crl_sign))
		return err_set(e, REASON_AUTHORITY, "\"%s\" may not sign CRLs (RFC 5280 6.3.3 (f))", ca->subject);
	if (!signed_by(c, ca))
		return err_set(e, REASON_AUTHORITY, "the signature of the CRL is not by \"%s\"; get it anew from its source",
			       ca->subject);
	return 0;
}

/* ---- building ---- */
static void put_integer(struct buf *out, const uint8_t *bytes, size_t len)
{
	size_t at = der_begin(out, DER_INTEGER);

	if (bytes[0] & 0x80)
		buf_byte(out, 0);
	buf_add(out, bytes, len);
	der_end(out, at);
}

static void put_entry(struct buf *out, const struct crl_entry *x)
{
	const uint8_t reason[] = { 0x30, 0x0a, 6, 3, 0x55, 0x1d, 21, 4, 3, 0x0a, 1, x->reason };
	size_t at = der_begin(out, DER_SEQUENCE);

	put_integer(out, x->serial, x->len);
	der_put_time(out, x->date);
	if (x->reason)	/* RFC 5280 5.3.1: absent rather than unspecified */
		der_put(out, DER_SEQUENCE, reason, sizeof reason);
	der_end(out, at);
}

static void put_extension(struct buf *out, uint8_t arc, const struct buf *value)
{
	const uint8_t id[] = { 0x55, 0x1d, arc };
	size_t at = der_begin(out, DER_SEQUENCE);

	der_put(out, DER_OID, id, sizeof id);
	der_put(out, DER_OCTETS, value->data, value->len);
	der_end(out, at);
}

static void put_extensions(struct buf *out, const struct crl_plan *plan, const struct cert *ca)
{
	size_t tagged = der_begin(out, DER_CONTEXT(0)), list = der_begin(out, DER_SEQUENCE), at;
	struct buf value = {0};
	uint8_t number[8];
	size_t zeros = 0;

	at = der_begin(&value, DER_SEQUENCE);
	der_put(&value, DER_CONTEXT_PRIMITIVE(0), ca->der.data + ca->key_id.at, ca->key_id.len);
	der_end(&value, at);
	put_extension(out, 35, &value);
	for (size_t i = 0; i < sizeof number; i++)
		number[i] = (uint8_t)(plan->number >> 8 * (sizeof number - 1 - i));
	while (zeros < sizeof number - 1 && number[zeros] == 0)
		zeros++;
	buf_clear(&value);
	put_integer(&value, number + zeros, sizeof number - zeros);
	put_extension(out, 20, &value);
	der_end(out, list);
	der_end(out, tagged);
	buf_free(&value);
}

static int put_tbs(struct buf *out, const struct crl_plan *plan, const struct cert *ca, const struct key *key, struct err *e)
{
	size_t tbs = der_begin(out, DER_SEQUENCE), list;

	der_put(out, DER_INTEGER, "\x01", 1);
	if (key_put_algorithm(key, out) < 0)
		return err_set(e, REASON_INTERNAL, "cannot build the CRL: the CA key is of a kind that does not sign");
	buf_add(out, ca->der.data + ca->subject_name.at, ca->subject_name.len);
	der_put_time(out, plan->this_update);
	der_put_time(out, plan->next_update);
	if (plan->n) {
		list = der_begin(out, DER_SEQUENCE);
		for (size_t i = 0; i < plan->n; i++)
			put_entry(out, &plan->entry[i]);
		der_end(out, list);
	}
	put_extensions(out, plan, ca);
	der_end(out, tbs);
	if (out->failed || out->len > LIMIT_CRL - 1024)
		return err_set(e, REASON_INTERNAL, "cannot build the CRL: %zu entries do not fit in %u bytes", plan->n, LIMIT_CRL);
	return 0;
}

int crl_build(const struct crl_plan *plan, const struct cert *ca, const struct key *key, struct buf *der, struct err *e)
{
	struct buf tbs = {0}, sig = {0};
	size_t at;
	int rc = -1;

	if (!ca->ca || !ca->crl_sign || !ca->key_id.len)
		return err_set(e, REASON_INTERNAL, "cannot build the CRL: \"%s\" is no CA that signs CRLs", ca->subject);
	if (put_tbs(&tbs, plan, ca, key, e) < 0 || key_sign(key, tbs.data, tbs.len, &sig, e) < 0)
		goto out;
	buf_clear(der);
	at = der_begin(der, DER_SEQUENCE);
	buf_add(der, tbs.data, tbs.len);
	key_put_algorithm(key, der);
	der_put_bits(der, sig.data, sig.len);
	der_end(der, at);
	rc = 0;
out:
	buf_free(&tbs);
	buf_free(&sig);
	return rc;
}
