/* The voucher: doc/protocol-documents.md section 6. */
#include <config.h>

#include "documents.h"

#include <string.h>

#include "document.h"
#include "fields.h"
#include "mem.h"

#define WHAT "voucher"

static void voucher_xml(const struct voucher *v, struct buf *xml)
{
	char sequence[FIELD_NUMBER], key[SHA256_HEX];
	struct xml_out w;

	text_hex(key, v->key_sha256, SHA256_LEN);
	xml_begin(&w, xml);
	xml_open(&w, "voucher", "customer", v->customer, "sequence", field_number(sequence, v->sequence),
		 "key-sha256", key, NULL);
	field_write_device(&w, &v->device);
	xml_close(&w, "voucher");
}

static int root_read(struct voucher *v, const struct xml_node *n, struct err *e)
{
	char sequence[FIELD_NUMBER], key[SHA256_HEX];
	const struct xml_node *device;
	const struct xml_child children[] = { { "device", &device, true } };
	const struct xml_attr attrs[] = {
		{ "customer", v->customer, sizeof v->customer, true },
		{ "sequence", sequence, sizeof sequence, true },
		{ "key-sha256", key, sizeof key, true },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_children(n, children, 1, e) ||
	    field_token(n, "customer", v->customer, e) ||
	    field_uint(n, "sequence", sequence, 1, INT64_MAX, &v->sequence, e) ||
	    field_sha256(n, "key-sha256", key, v->key_sha256, e))
		return -1;
	return field_device(device, &v->device, e);
}

int voucher_parse(struct voucher *v, const struct buf *xml, struct err *e)
{
	struct xml *x = document_parse(xml, "voucher", e);
	int rc;

	if (!x)
		return -1;
	memset(v, 0, sizeof *v);
	rc = root_read(v, xml_root(x), e);
	xml_free(x);
	return rc;
}

int voucher_write(const struct voucher *v, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct buf xml = {0};
	struct voucher again;
	int rc = -1;

	voucher_xml(v, &xml);
	if (voucher_parse(&again, &xml, e))
		err_prefix(e, WHAT);
	else
		rc = document_sign(WHAT, &xml, key, chain, cms, e);
	buf_free(&xml);
	return rc;
}

int voucher_read(struct voucher *v, const void *cms, size_t len, struct trust *t, struct err *e)
{
	struct buf xml = {0};
	int rc = -1;

	if (document_open(WHAT, cms, len, t, "operator", &xml, NULL, e) == 0) {
		rc = voucher_parse(v, &xml, e);
		if (rc)
			err_prefix(e, WHAT);
	}
	buf_free(&xml);
	return rc;
}
