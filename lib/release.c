/* The release: doc/protocol-documents.md section 7. */
#include <config.h>

#include "documents.h"

#include <stdio.h>
#include <string.h>

#include "document.h"
#include "fields.h"
#include "mem.h"

#define WHAT "release"

static void release_xml(const struct release *r, struct buf *xml)
{
	char sequence[FIELD_NUMBER], certificate[SHA256_HEX], time[TEXT_TIME];
	struct xml_out w;

	text_hex(certificate, r->certificate, SHA256_LEN);
	text_time(time, r->time);
	xml_begin(&w, xml);
	xml_open(&w, "release", "sequence", field_number(sequence, r->sequence), "time", time, "certificate", certificate, NULL);
	field_write_device(&w, &r->device);
	xml_close(&w, "release");
}

static int root_read(struct release *r, const struct xml_node *n, struct err *e)
{
	char sequence[FIELD_NUMBER], certificate[SHA256_HEX], time[TEXT_TIME];
	const struct xml_node *device;
	const struct xml_child children[] = { { "device", &device, true } };
	const struct xml_attr attrs[] = {
		{ "sequence", sequence, sizeof sequence, true },
		{ "time", time, sizeof time, true },
		{ "certificate", certificate, sizeof certificate, true },
	};

	return xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_children(n, children, 1, e) ||
	       field_uint(n, "sequence", sequence, 1, INT64_MAX, &r->sequence, e) ||
	       field_time(n, "time", time, &r->time, e) ||
	       field_sha256(n, "certificate", certificate, r->certificate, e) || field_device(device, &r->device, e) ? -1 : 0;
}

int release_parse(struct release *r, const struct buf *xml, struct err *e)
{
	struct xml *x = document_parse(xml, "release", e);
	int rc;

	if (!x)
		return -1;
	memset(r, 0, sizeof *r);
	rc = root_read(r, xml_root(x), e);
	xml_free(x);
	return rc;
}

int release_write(const struct release *r, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct buf xml = {0};
	struct release again;
	int rc = -1;

	release_xml(r, &xml);
	if (release_parse(&again, &xml, e))
		err_prefix(e, WHAT);
	else
		rc = document_sign(WHAT, &xml, key, chain, cms, e);
	buf_free(&xml);
	return rc;
}

int release_read(struct release *r, const void *cms, size_t len, struct trust *trust, struct err *e)
{
	struct buf xml = {0};
	struct cert signer = {0};
	int rc = -1;

	if (document_open(WHAT, cms, len, trust, "node", &xml, &signer, e))
		goto out;
	if (release_parse(r, &xml, e)) {
		err_prefix(e, WHAT);
		goto out;
	}
	snprintf(r->node, sizeof r->node, "%s", signer.name);
	rc = 0;
out:
	cert_free(&signer);
	buf_free(&xml);
	return rc;
}
