#include <config.h>

#include "fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int field_request(const struct xml_node *n, const char *id, const char *generation, struct request_id *r, struct err *e)
{
	struct request_id read = {0};

	snprintf(read.id, sizeof read.id, "%s", id);
	if (!request_id_valid(&read))
		return xml_error(n, e, "protocol-ca 3.5: the attribute 'id' is not %d lower-case hex digits", REQUEST_ID_LEN);
	if (field_uint32(n, "generation", generation, 0, &read.generation, e))
		return -1;
	*r = read;
	return 0;
}

int field_sha256(const struct xml_node *n, const char *name, const char *hex, uint8_t out[SHA256_LEN], struct err *e)
{
	if (text_unhex(out, SHA256_LEN, hex) || hex[strspn(hex, "0123456789abcdef")])
		return xml_error(n, e, "protocol-ca 2.9: the attribute '%s' is not a SHA-256 in %d lower-case hex digits", name,
				 2 * SHA256_LEN);
	return 0;
}

int field_uint(const struct xml_node *n, const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out,
	       struct err *e)
{
	if (text_uint(out, text, max) || *out < min || (text[0] == '0' && text[1]))
		return xml_error(n, e, "protocol-ca 2.9: '%s' is not a whole number from %" PRIu64 " to %" PRIu64, name, min, max);
	return 0;
}

int field_uint32(const struct xml_node *n, const char *name, const char *text, uint32_t min, uint32_t *out, struct err *e)
{
	uint64_t v;

	if (field_uint(n, name, text, min, UINT32_MAX, &v, e))
		return -1;
	*out = (uint32_t)v;
	return 0;
}

int field_time(const struct xml_node *n, const char *name, const char *text, int64_t *out, struct err *e)
{
	if (text_untime(out, text))
		return xml_error(n, e, "protocol-ca 2.9: the attribute '%s' is not a time like 2026-11-22T14:02:07Z", name);
	return 0;
}

int field_token(const struct xml_node *n, const char *name, const char *text, struct err *e)
{
	if (!text_is_token(text, strlen(text)))
		return xml_error(n, e, "protocol-ca 2.9: '%s' may have letters, digits, '.', '_' and '-' only, "
				 "and not begin with '.'", name);
	return 0;
}

int field_oid(const struct xml_node *n, const char *name, const char *text, struct err *e)
{
	if (!text_is_oid(text))
		return xml_error(n, e, "protocol-ca 2.9: the attribute '%s' is not an object identifier like 2.25.1.3", name);
	return 0;
}

int field_name(const struct xml_node *n, const char *name, const char *text, struct err *e)
{
	if (!text_is_name(text, strlen(text)))
		return xml_error(n, e, "protocol-ca 2.9: '%s' may have printable ASCII characters only, without a blank at its ends",
				 name);
	return 0;
}

int field_device_attrs(const struct xml_node *n, const char *manufacturer, const char *model, const char *serial,
		       struct device_id *d, struct err *e)
{
	if (field_name(n, "manufacturer", manufacturer, e) || field_name(n, "model", model, e) ||
	    field_token(n, "serial", serial, e))
		return -1;
	snprintf(d->manufacturer, sizeof d->manufacturer, "%s", manufacturer);
	snprintf(d->model, sizeof d->model, "%s", model);
	snprintf(d->serial, sizeof d->serial, "%s", serial);
	return 0;
}

int field_device(const struct xml_node *n, struct device_id *d, struct err *e)
{
	struct device_id t;
	const struct xml_attr attrs[] = {
		{ "manufacturer", t.manufacturer, sizeof t.manufacturer, true },
		{ "model", t.model, sizeof t.model, true },
		{ "serial", t.serial, sizeof t.serial, true },
	};

	if (!n)
		return 0;
	if (xml_attrs(n, attrs, 3, e) || xml_children(n, NULL, 0, e))
		return -1;
	return field_device_attrs(n, t.manufacturer, t.model, t.serial, d, e);
}

int field_base64(const struct xml_node *n, struct buf *out, size_t max, struct err *e)
{
	if (!n)
		return 0;
	return xml_attrs(n, NULL, 0, e) || xml_base64(n, out, max, e) ? -1 : 0;
}

int field_chain(const struct xml_node *n, struct chain *ch, struct err *e)
{
	struct buf der = {0};
	int rc = -1;

	if (xml_attrs(n, NULL, 0, e) || xml_only_elements(n, e))
		return -1;
	if (!xml_first(n))
		return xml_error(n, e, "protocol-ca 2.7: the element 'certificate' is missing in it");
	for (const struct xml_node *c = xml_first(n); c; c = xml_next(c)) {
		if (strcmp(xml_name(c), "certificate") != 0) {
			xml_error(c, e, "protocol-ca 2.7: only 'certificate' is allowed here");
			goto out;
		}
		if (field_base64(c, &der, LIMIT_CERT, e))
			goto out;
		if (chain_add(ch, der.data, der.len, e)) {
			char why[sizeof e->text];

			snprintf(why, sizeof why, "%s", e->text);
			xml_error(c, e, "protocol-ca 2.10: %s", why);
			goto out;
		}
	}
	rc = 0;
out:
	buf_free(&der);
	return rc;
}

const char *field_number(char out[FIELD_NUMBER], uint64_t v)
{
	snprintf(out, FIELD_NUMBER, "%" PRIu64, v);
	return out;
}

void field_write_device(struct xml_out *w, const struct device_id *d)
{
	xml_empty(w, "device", "manufacturer", d->manufacturer, "model", d->model, "serial", d->serial, NULL);
}

void field_write_chain(struct xml_out *w, const char *name, const struct chain *ch)
{
	xml_open(w, name, NULL);
	for (size_t i = 0; i < ch->n; i++)
		xml_leaf_base64(w, "certificate", ch->cert[i].der.data, ch->cert[i].der.len);
	xml_close(w, name);
}
