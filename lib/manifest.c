/* The shipment manifest: doc/protocol-documents.md section 5. */
#include <config.h>

#include "documents.h"

#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "fields.h"
#include "mem.h"

#define WHAT "manifest"

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		buf_free(&m->entry[i].voucher);
	free(m->entry);
	memset(m, 0, sizeof *m);
}

static void manifest_xml(const struct manifest *m, struct buf *xml)
{
	char sequence[FIELD_NUMBER], time[TEXT_TIME], hex[SHA256_HEX];
	struct xml_out w;

	text_time(time, m->time);
	xml_begin(&w, xml);
	xml_open(&w, "manifest", "customer", m->customer, "sequence", field_number(sequence, m->sequence), "time", time, NULL);
	for (size_t i = 0; i < m->n; i++) {
		const struct manifest_entry *d = &m->entry[i];

		text_hex(hex, d->certificate, SHA256_LEN);
		xml_open(&w, "device", "manufacturer", d->device.manufacturer, "model", d->device.model,
			 "serial", d->device.serial, "certificate", hex, NULL);
		xml_leaf_base64(&w, "voucher", d->voucher.data, d->voucher.len);
		xml_close(&w, "device");
	}
	audit_head_write(&w, &m->audit);
	xml_close(&w, "manifest");
}

static int entry_read(struct manifest_entry *d, const struct xml_node *n, struct err *e)
{
	struct device_id t;
	char hex[SHA256_HEX];
	const struct xml_node *voucher;
	const struct xml_child children[] = { { "voucher", &voucher, false } };
	const struct xml_attr attrs[] = {
		{ "manufacturer", t.manufacturer, sizeof t.manufacturer, true },
		{ "model", t.model, sizeof t.model, true },
		{ "serial", t.serial, sizeof t.serial, true },
		{ "certificate", hex, sizeof hex, true },
	};

	if (strcmp(xml_name(n), "device") != 0)
		return xml_error(n, e, "protocol-documents 5.1: only 'device' is allowed here");
	if (xml_attrs(n, attrs, 4, e) || xml_children(n, children, 1, e) ||
	    field_device_attrs(n, t.manufacturer, t.model, t.serial, &d->device, e) ||
	    field_sha256(n, "certificate", hex, d->certificate, e) ||
	    field_base64(voucher, &d->voucher, LIMIT_REQUEST, e))
		return -1;
	return 0;
}

static int root_read(struct manifest *m, const struct xml_node *n, struct err *e)
{
	char sequence[FIELD_NUMBER], time[TEXT_TIME];
	const struct xml_attr attrs[] = {
		{ "customer", m->customer, sizeof m->customer, true },
		{ "sequence", sequence, sizeof sequence, true },
		{ "time", time, sizeof time, true },
	};
	size_t count = 0;

	if (xml_attrs(n, attrs, 3, e) || xml_only_elements(n, e) || field_token(n, "customer", m->customer, e) ||
	    field_uint(n, "sequence", sequence, 1, INT64_MAX, &m->sequence, e) || field_time(n, "time", time, &m->time, e))
		return -1;
	for (const struct xml_node *c = xml_first(n); c; c = xml_next(c))
		count++;
	if (count == 0)
		return xml_error(n, e, "protocol-documents 5.1: at least one 'device' is needed");
	m->entry = mem_new(count, sizeof *m->entry);
	for (const struct xml_node *c = xml_first(n); c; c = xml_next(c)) {
		bool audit = m->n && !xml_next(c) && strcmp(xml_name(c), "audit") == 0;	/* the last one may be */

		if (audit ? audit_head_read(c, &m->audit, e) : entry_read(&m->entry[m->n++], c, e))
			return -1;
	}
	return 0;
}

int manifest_parse(struct manifest *m, const struct buf *xml, struct err *e)
{
	struct xml *x = document_parse(xml, "manifest", e);
	int rc;

	memset(m, 0, sizeof *m);
	if (!x)
		return -1;
	rc = root_read(m, xml_root(x), e);
	xml_free(x);
	return rc;
}

int manifest_write(const struct manifest *m, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct buf xml = {0};
	struct manifest again = {0};
	int rc = -1;

	manifest_xml(m, &xml);
	if (xml.failed || xml.len > LIMIT_DOCUMENT)
		err_set(e, REASON_CONFIG, WHAT " of %zu devices: over %u MiB; make several smaller ones", m->n, LIMIT_DOCUMENT >> 20);
	else if (manifest_parse(&again, &xml, e))
		err_prefix(e, WHAT);
	else
		rc = document_sign(WHAT, &xml, key, chain, cms, e);
	manifest_free(&again);
	buf_free(&xml);
	return rc;
}

int manifest_read(struct manifest *m, const void *cms, size_t len, struct trust *t, struct err *e)
{
	struct buf xml = {0};
	int rc = -1;

	memset(m, 0, sizeof *m);
	if (document_open(WHAT, cms, len, t, "operator", &xml, NULL, e))
		goto out;
	if (manifest_parse(m, &xml, e)) {
		manifest_free(m);
		err_prefix(e, WHAT);
		goto out;
	}
	rc = 0;
out:
	buf_free(&xml);
	return rc;
}
