/* The ticket: doc/protocol-documents.md section 3. */
#include <config.h>

#include "documents.h"

#include <stdio.h>
#include <string.h>

#include "document.h"
#include "fields.h"
#include "mem.h"

#define WHAT "ticket"

static void ticket_xml(const struct ticket *t, struct buf *xml)
{
	char generation[FIELD_NUMBER], key[SHA256_HEX], until[TEXT_TIME];
	struct xml_out w;

	text_hex(key, t->key_sha256, SHA256_LEN);
	text_time(until, t->not_after);
	xml_begin(&w, xml);
	xml_open(&w, "ticket", "order", t->order, "slot", t->slot, "mode", t->mode, "id", t->request.id,
		 "generation", field_number(generation, t->request.generation), "key-sha256", key, "not-after", until, NULL);
	field_write_device(&w, &t->device);
	xml_close(&w, "ticket");
}

static int root_read(struct ticket *t, const struct xml_node *n, struct err *e)
{
	char id[REQUEST_ID_LEN + 1], generation[FIELD_NUMBER], key[SHA256_HEX], until[TEXT_TIME];
	const struct xml_node *device;
	const struct xml_child children[] = { { "device", &device, true } };
	const struct xml_attr attrs[] = {
		{ "order", t->order, sizeof t->order, true },
		{ "slot", t->slot, sizeof t->slot, true },
		{ "mode", t->mode, sizeof t->mode, true },
		{ "id", id, sizeof id, true },
		{ "generation", generation, sizeof generation, true },
		{ "key-sha256", key, sizeof key, true },
		{ "not-after", until, sizeof until, true },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_children(n, children, 1, e) ||
	    field_token(n, "order", t->order, e) || field_name(n, "slot", t->slot, e) ||
	    field_request(n, id, generation, &t->request, e) || field_sha256(n, "key-sha256", key, t->key_sha256, e) ||
	    field_time(n, "not-after", until, &t->not_after, e) || field_device(device, &t->device, e))
		return -1;
	if (strcmp(t->mode, "device") != 0 && strcmp(t->mode, "ca") != 0)
		return xml_error(n, e, "protocol-documents 3.2: the mode is neither 'device' nor 'ca'");
	return 0;
}

int ticket_parse(struct ticket *t, const struct buf *xml, struct err *e)
{
	struct xml *x = document_parse(xml, "ticket", e);
	int rc;

	if (!x)
		return -1;
	memset(t, 0, sizeof *t);
	rc = root_read(t, xml_root(x), e);
	xml_free(x);
	return rc;
}

int ticket_write(const struct ticket *t, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct buf xml = {0};
	struct ticket again;
	int rc = -1;

	ticket_xml(t, &xml);
	if (ticket_parse(&again, &xml, e))
		err_prefix(e, WHAT);
	else
		rc = document_sign(WHAT, &xml, key, chain, cms, e);
	buf_free(&xml);
	return rc;
}

int ticket_read(struct ticket *t, const void *cms, size_t len, struct trust *trust, struct err *e)
{
	struct buf xml = {0};
	struct cert signer = {0};
	int rc = -1;

	if (document_open(WHAT, cms, len, trust, "station", &xml, &signer, e))
		goto out;
	if (ticket_parse(t, &xml, e)) {
		err_prefix(e, WHAT);
		goto out;
	}
	snprintf(t->station, sizeof t->station, "%s", signer.name);
	rc = 0;
out:
	cert_free(&signer);
	buf_free(&xml);
	return rc;
}
