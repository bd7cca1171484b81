#include <config.h>

#include "x509.h"

#include <arpa/inet.h>
#include <string.h>

#include "der.h"
#include "digest.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "oid.h"
#include "x509_name.h"

#define EXTENSION_MAX 32	/* in one certificate; the fullest public ones have 12 */
#define URI_OURS "handsel:"

static int malformed(struct err *e, const char *what)
{
	return err_set(e, REASON_REQUEST, "malformed certificate: %s; get it anew from its source", what);
}

static struct cert_span span_of(const struct cert *c, const struct der *d)
{
	return (struct cert_span){ .at = (uint16_t)(d->p - c->der.data), .len = (uint16_t)d->left };
}

/* FALSE, though a default, is written out by some. */
static bool read_boolean(const struct der *content, bool *value)
{
	if (content->left != 1 || (content->p[0] != 0 && content->p[0] != 0xff))
		return false;
	*value = content->p[0] == 0xff;
	return true;
}

/* ---- extensions (RFC 5280 4.2.1): each reads the content of extnValue ---- */
static bool read_key_id(struct cert *c, struct der *d)
{
	struct der id = der_take(d, DER_OCTETS);

	c->key_id = span_of(c, &id);
	return der_done(d);
}

static bool read_authority(struct cert *c, struct der *d)
{
	struct der seq = der_take(d, DER_SEQUENCE), id;

	if (der_optional(&seq, DER_CONTEXT_PRIMITIVE(0), &id))
		c->issuer_key_id = span_of(c, &id);
	while (seq.left && !seq.failed)		/* authorityCertIssuer and its serial: the key id is enough for us */
		der_whole(&seq);
	return der_done(&seq) && der_done(d);
}

static bool read_basic(struct cert *c, struct der *d)
{
	struct der seq = der_take(d, DER_SEQUENCE), ca;

	if (der_optional(&seq, DER_BOOLEAN, &ca) && !read_boolean(&ca, &c->ca))
		return false;
	if (seq.left)
		c->path_len = (int)der_small(&seq, 1000);
	return der_done(&seq) && der_done(d);
}

static bool read_usage(struct cert *c, struct der *d)
{
	struct der bits = der_take(d, DER_BITS);

	if (bits.failed || bits.left < 1 || bits.left > 3 || bits.p[0] > 7)
		return false;
	c->key_usage = true;
	if (bits.left > 1) {
		c->digital_signature = bits.p[1] & 0x80;
		c->key_cert_sign = bits.p[1] & 0x04;
		c->crl_sign = bits.p[1] & 0x02;
	}
	return der_done(d);
}

static bool read_purposes(struct cert *c, struct der *d)
{
	static const uint8_t server[] = { 0x2b, 6, 1, 5, 5, 7, 3, 1 }, client[] = { 0x2b, 6, 1, 5, 5, 7, 3, 2 },
			     any[] = { 0x55, 0x1d, 0x25, 0 };
	struct der seq = der_take(d, DER_SEQUENCE);

	c->any_eku = false;
	if (!seq.left)
		return false;
	while (seq.left) {
		struct der oid = der_take(&seq, DER_OID);

		if (oid.failed)
			return false;
		c->server_auth |= der_is(&oid, server, sizeof server);
		c->client_auth |= der_is(&oid, client, sizeof client);
		c->any_purpose |= der_is(&oid, any, sizeof any);
	}
	return der_done(d);
}

/* Those past the maximum are not kept: a policy grants, so a lost one can only refuse. */
static bool read_policies(struct cert *c, struct der *d)
{
	struct der seq = der_take(d, DER_SEQUENCE);
	size_t n = 0;

	if (!seq.left)
		return false;
	while (seq.left) {
		struct der info = der_take(&seq, DER_SEQUENCE), oid = der_take(&info, DER_OID);

		if (oid.failed)
			return false;
		if (n < CERT_POLICIES_MAX && der_oid_text(&oid, c->policies[n], CERT_OID_MAX))
			n++;
	}
	return der_done(d);
}

/* otherName hardwareModuleName (RFC 4108 5): hwType, hwSerialNum. */
static bool read_other_name(struct cert *c, struct der *d)
{
	static const uint8_t hardware[] = { 0x2b, 6, 1, 5, 5, 7, 8, 4 };
	struct der oid = der_take(d, DER_OID), value, seq, type, serial;

	if (oid.failed)
		return false;
	if (!der_is(&oid, hardware, sizeof hardware))
		return true;
	value = der_take(d, DER_CONTEXT(0));
	seq = der_take(&value, DER_SEQUENCE);
	type = der_take(&seq, DER_OID);
	serial = der_take(&seq, DER_OCTETS);
	if (!der_done(&seq) || !der_done(&value) || !der_done(d) || c->hw_type[0] || serial.left > LIMIT_SERIAL)
		return false;
	memcpy(c->hw_serial, serial.p, serial.left);
	if (!text_is_name(c->hw_serial, LIMIT_SERIAL) || strlen(c->hw_serial) != serial.left)
		c->hw_serial[0] = '\0';
	return der_oid_text(&type, c->hw_type, sizeof c->hw_type);
}

/* handsel:ROLE:NAME, handsel:customer:ID or handsel:functions:F.G. One of each: two would let a reader choose. */
static bool read_uri(struct cert *c, const struct der *d)
{
	char text[sizeof URI_OURS + CERT_ROLE_MAX + LIMIT_NAME + 1], *role, *name;

	if (d->left < strlen(URI_OURS) || memcmp(d->p, URI_OURS, strlen(URI_OURS)) != 0)
		return true;
	if (d->left >= sizeof text)
		return false;
	memcpy(text, d->p, d->left);
	text[d->left] = '\0';
	role = text + strlen(URI_OURS);
	name = strchr(role, ':');
	if (strlen(text) != d->left || !name)
		return false;
	*name++ = '\0';
	if (!text_is_token(name, LIMIT_NAME))
		return false;
	if (strcmp(role, "customer") == 0)
		return !c->customer[0] && text_copy(c->customer, sizeof c->customer, name) == 0;
	if (strcmp(role, "functions") == 0)
		return !c->functions[0] && text_copy(c->functions, sizeof c->functions, name) == 0;
	return !c->role[0] && text_is_token(role, CERT_ROLE_MAX - 1) && text_copy(c->role, sizeof c->role, role) == 0 &&
	       text_copy(c->name, sizeof c->name, name) == 0;
}

static bool read_names(struct cert *c, struct der *d)
{
	struct der seq = der_take(d, DER_SEQUENCE);

	if (!seq.left)
		return false;
	c->names = span_of(c, &seq);
	while (seq.left) {
		uint8_t tag = der_peek(&seq);
		struct der name = der_take(&seq, tag);

		if (name.failed || (tag == DER_CONTEXT(0) && !read_other_name(c, &name)) ||
		    (tag == DER_CONTEXT_PRIMITIVE(6) && !read_uri(c, &name)))
			return false;
	}
	return der_done(d);
}

/* Judged by name_limits_check(), which refuses what is not well formed. */
static bool read_limits(struct cert *c, struct der *d)
{
	c->limits = span_of(c, d);
	der_take(d, DER_SEQUENCE);
	return der_done(d);
}

/* The extension was parsed when the certificate was: what is no name here is none of a host. */
static int host_text(const struct der *name, uint8_t tag, char out[128])
{
	if (tag == DER_CONTEXT_PRIMITIVE(2)) {
		if (!name->left || name->left >= 128)
			return -1;
		memcpy(out, name->p, name->left);
		out[name->left] = 0;
		return strlen(out) == name->left ? 0 : -1;
	}
	return (name->left == 4 || name->left == 16) && inet_ntop(name->left == 4 ? AF_INET : AF_INET6, name->p, out, 128) ? 0 : -1;
}

int cert_hosts(const struct cert *c, char host[][128], size_t max, struct err *e)
{
	struct der names = der_from(c->der.data + c->names.at, c->names.len);
	size_t n = 0;

	while (names.left) {
		uint8_t tag = der_peek(&names);
		struct der name = der_take(&names, tag);

		if (tag != DER_CONTEXT_PRIMITIVE(2) && tag != DER_CONTEXT_PRIMITIVE(7))
			continue;
		if (n == max || host_text(&name, tag, host[n++]) < 0)
			return err_set(e, REASON_REQUEST, "\"%s\" has more or other hosts than a unit may have", c->subject);
	}
	return 0;
}

static const struct {
	uint8_t arc;		/* id-ce (2.5.29) and this */
	bool (*read)(struct cert *c, struct der *d);
	const char *name;
} extensions[] = {
	{ 14, read_key_id, "subjectKeyIdentifier (RFC 5280 4.2.1.2)" },
	{ 15, read_usage, "keyUsage (RFC 5280 4.2.1.3)" },
	{ 17, read_names, "subjectAltName (RFC 5280 4.2.1.6)" },
	{ 19, read_basic, "basicConstraints (RFC 5280 4.2.1.9)" },
	{ 30, read_limits, "nameConstraints (RFC 5280 4.2.1.10)" },
	{ 32, read_policies, "certificatePolicies (RFC 5280 4.2.1.4)" },
	{ 35, read_authority, "authorityKeyIdentifier (RFC 5280 4.2.1.1)" },
	{ 37, read_purposes, "extKeyUsage (RFC 5280 4.2.1.12)" },
};

static int read_extension(struct cert *c, const struct der *oid, bool critical, struct der value, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		const uint8_t id[] = { 0x55, 0x1d, extensions[i].arc };

		if (!der_is(oid, id, sizeof id))
			continue;
		return extensions[i].read(c, &value) ? 0 : malformed(e, extensions[i].name);
	}
	if (critical && !c->unknown_critical[0] &&
	    !der_oid_text(oid, c->unknown_critical, sizeof c->unknown_critical))
		strcpy(c->unknown_critical, "?");
	return 0;
}

static int read_extensions(struct cert *c, struct der *list, struct err *e)
{
	struct der seen[EXTENSION_MAX];
	size_t n = 0;

	if (!list->left)
		return malformed(e, "empty extensions (RFC 5280 4.1.2.9)");
	while (list->left) {
		struct der ext = der_take(list, DER_SEQUENCE), oid = der_take(&ext, DER_OID), flag = {0}, value;
		bool critical = der_optional(&ext, DER_BOOLEAN, &flag);

		value = der_take(&ext, DER_OCTETS);
		if (!der_done(&ext) || n == EXTENSION_MAX || (critical && !read_boolean(&flag, &critical)))
			return malformed(e, "extensions (RFC 5280 4.2)");
		for (size_t i = 0; i < n; i++)
			if (der_is(&oid, seen[i].p, seen[i].left))
				return malformed(e, "an extension is there twice (RFC 5280 4.2)");
		seen[n++] = oid;
		if (read_extension(c, &oid, critical, value, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the body ---- */
static int read_serial(struct cert *c, struct der *tbs, struct err *e)
{
	struct der serial = der_take(tbs, DER_INTEGER);

	if (serial.failed || !serial.left || (serial.p[0] & 0x80))
		return malformed(e, "serial number (RFC 5280 4.1.2.2)");
	if (serial.left > 1 && serial.p[0] == 0) {
		if (!(serial.p[1] & 0x80))
			return malformed(e, "serial number (RFC 5280 4.1.2.2)");
		serial.p++;
		serial.left--;
	}
	if (serial.left > CERT_SERIAL_MAX)
		return malformed(e, "serial number (RFC 5280 4.1.2.2)");
	text_hex(c->serial, serial.p, serial.left);
	return 0;
}

static int read_name(struct cert *c, struct der *tbs, struct cert_span *span, char *text, struct device_id *device)
{
	struct der content = *tbs, whole = der_whole(tbs);

	if (whole.failed)
		return -1;
	content = der_take(&content, DER_SEQUENCE);
	*span = span_of(c, &whole);
	return name_read(&content, text, sizeof c->subject, device) ? 0 : -1;
}

static int read_tbs(struct cert *c, struct der *tbs, const struct der *algorithm, struct err *e)
{
	struct der version = {0}, inner, validity, spki, skip, list;

	if (!der_optional(tbs, DER_CONTEXT(0), &version) || der_small(&version, 2) != 2 || !der_done(&version))
		return malformed(e, "not of version 3 (RFC 5280 4.1.2.1)");
	if (read_serial(c, tbs, e) < 0)
		return -1;
	inner = der_take(tbs, DER_SEQUENCE);
	if (!der_is(&inner, algorithm->p, algorithm->left))
		return malformed(e, "two different signature algorithms (RFC 5280 4.1.1.2)");
	if (read_name(c, tbs, &c->issuer_name, c->issuer, NULL) < 0)
		return malformed(e, "issuer (RFC 5280 4.1.2.4)");
	validity = der_take(tbs, DER_SEQUENCE);
	if (!der_time(&validity, &c->not_before) || !der_time(&validity, &c->not_after) || !der_done(&validity))
		return malformed(e, "validity (RFC 5280 4.1.2.5)");
	if (read_name(c, tbs, &c->subject_name, c->subject, &c->device) < 0)
		return malformed(e, "subject (RFC 5280 4.1.2.6)");
	if (der_peek(tbs) != DER_SEQUENCE || (spki = der_whole(tbs)).failed)
		return malformed(e, "subjectPublicKeyInfo (RFC 5280 4.1.2.7)");
	buf_set(&c->spki, spki.p, spki.left);
	for (int id = 1; id <= 2; id++)		/* unique identifiers: allowed and ignored */
		der_optional(tbs, (uint8_t)DER_CONTEXT_PRIMITIVE(id), &skip);
	if (der_optional(tbs, DER_CONTEXT(3), &skip)) {
		list = der_take(&skip, DER_SEQUENCE);
		if (!der_done(&skip))
			return malformed(e, "extensions (RFC 5280 4.1.2.9)");
		if (read_extensions(c, &list, e) < 0)
			return -1;
	}
	return der_done(tbs) ? 0 : malformed(e, "bytes after the last field (RFC 5280 4.1)");
}

static int read_cert(struct cert *c, struct err *e)
{
	struct der in = der_from(c->der.data, c->der.len), body = der_take(&in, DER_SEQUENCE), whole, tbs, algorithm, bits;

	whole = tbs = body;
	whole = der_whole(&whole);
	tbs = der_take(&body, DER_SEQUENCE);
	algorithm = der_take(&body, DER_SEQUENCE);
	bits = der_take(&body, DER_BITS);
	if (!der_done(&in) || !der_done(&body) || bits.left < 2 || bits.p[0] != 0)
		return malformed(e, "not a certificate (RFC 5280 4.1)");
	bits.p++;
	bits.left--;
	c->tbs = span_of(c, &whole);
	c->signature = span_of(c, &bits);
	c->signature_algorithm = (int)key_algorithm(&algorithm);
	return read_tbs(c, &tbs, &algorithm, e);
}

int cert_parse(struct cert *c, const void *der, size_t len, struct err *e)
{
	struct cert parsed = { .any_eku = true, .path_len = -1 };

	if (len == 0 || len > LIMIT_CERT)
		return err_set(e, REASON_REQUEST, "a certificate of %zu bytes; 1 to %u are allowed", len, LIMIT_CERT);
	buf_set(&parsed.der, der, len);
	if (read_cert(&parsed, e) < 0) {
		cert_free(&parsed);
		return -1;
	}
	digest_sha256(parsed.sha256, parsed.der.data, parsed.der.len);
	digest_sha256(parsed.spki_sha256, parsed.spki.data, parsed.spki.len);
	*c = parsed;
	return 0;
}

void cert_free(struct cert *c)
{
	if (!c)
		return;
	buf_free(&c->der);
	buf_free(&c->spki);
	*c = (struct cert){0};
}

bool cert_has_policy(const struct cert *c, const char *oid)
{
	for (size_t i = 0; i < CERT_POLICIES_MAX && c->policies[i][0]; i++)
		if (strcmp(c->policies[i], oid) == 0)
			return true;
	return false;
}

void cert_serial_plain(char out[2 * CERT_SERIAL_MAX + 1], const char *text)
{
	size_t n = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (; *text && n < 2 * CERT_SERIAL_MAX; text++)
		if (*text != ':')
			out[n++] = (char)(*text >= 'A' && *text <= 'F' ? *text - 'A' + 'a' : *text);
	out[n] = 0;
}
