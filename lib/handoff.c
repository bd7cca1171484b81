/* The handoff bundle: doc/protocol-documents.md section 4. */
#include <config.h>

#include "documents.h"

#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "fields.h"
#include "functions.h"
#include "mem.h"

#define WHAT "handoff bundle"

void handoff_free(struct handoff *h)
{
	if (!h)
		return;
	chain_free(&h->node);
	chain_free(&h->factory);
	memset(h, 0, sizeof *h);
}

void handoff_draft(const struct handoff *h, struct buf *xml)
{
	struct xml_out w;

	xml_begin(&w, xml);
	xml_open(&w, "handoff", "customer", h->customer, "manufacturer", h->manufacturer, NULL);
	field_write_chain(&w, "node", &h->node);
	field_write_chain(&w, "factory", &h->factory);
	xml_close(&w, "handoff");
}

static int root_read(struct handoff *h, const struct xml_node *n, struct err *e)
{
	const struct xml_node *node, *factory;
	const struct xml_child children[] = { { "node", &node, true }, { "factory", &factory, true } };
	const struct xml_attr attrs[] = {
		{ "customer", h->customer, sizeof h->customer, true },
		{ "manufacturer", h->manufacturer, sizeof h->manufacturer, true },
	};

	if (xml_attrs(n, attrs, 2, e) || xml_children(n, children, 2, e) || field_token(n, "customer", h->customer, e) ||
	    field_name(n, "manufacturer", h->manufacturer, e) || field_chain(node, &h->node, e) ||
	    field_chain(factory, &h->factory, e))
		return -1;
	if (strcmp(h->node.cert[0].customer, h->customer) != 0 || strcmp(h->node.cert[0].role, "node") != 0)
		return xml_error(node, e, "protocol-documents 4.3: the first certificate is not a node's that names the customer '%s'",
				 h->customer);
	return 0;
}

int handoff_parse(struct handoff *h, const struct buf *xml, struct err *e)
{
	struct xml *x = document_parse(xml, "handoff", e);
	int rc;

	memset(h, 0, sizeof *h);
	if (!x)
		return -1;
	rc = root_read(h, xml_root(x), e);
	xml_free(x);
	return rc;
}

/* The root goes into the SignedData, so that the reader finds it by its fingerprint before it parses any XML. Borrows the
 * certificates: free only the array. */
static struct chain with_root(const struct chain *chain, const struct cert *root)
{
	struct chain all = { mem_new(chain->n + 1, sizeof *all.cert), chain->n };

	memcpy(all.cert, chain->cert, chain->n * sizeof *all.cert);
	for (size_t i = 0; i < chain->n; i++)
		if (mem_same(chain->cert[i].sha256, root->sha256, SHA256_LEN))
			return all;
	all.cert[all.n++] = *root;
	return all;
}

int handoff_write(const struct handoff *h, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct buf xml = {0};
	struct handoff again = {0};
	int rc = -1;

	handoff_draft(h, &xml);
	if (handoff_parse(&again, &xml, e)) {
		err_prefix(e, WHAT);
	} else {
		struct chain all = with_root(chain, &h->factory.cert[h->factory.n - 1]);

		rc = document_sign(WHAT, &xml, key, &all, cms, e);
		free(all.cert);
	}
	handoff_free(&again);
	buf_free(&xml);
	return rc;
}

static int trust_the_root(struct trust *t, const void *cms, size_t len, const uint8_t sha256[SHA256_LEN], struct err *e)
{
	struct chain inside = {0};
	int rc = -1;

	if (cms_certs_read(cms, len, &inside, e)) {
		err_prefix(e, WHAT);
		goto out;
	}
	err_set(e, REASON_AUTHORITY, WHAT ": protocol-documents 4.4: no root with this fingerprint is in it; "
		"compare the fingerprint with the one that the manufacturer told you");
	for (size_t i = 0; i < inside.n && rc; i++)
		if (mem_same(inside.cert[i].sha256, sha256, SHA256_LEN))
			rc = trust_add_root(t, &inside.cert[i], e);
out:
	chain_free(&inside);
	return rc;
}

int handoff_read(struct handoff *h, const void *cms, size_t len, const uint8_t root_sha256[SHA256_LEN], struct err *e)
{
	struct trust *t = trust_new();
	struct cert maker = {0};
	struct buf xml = {0};
	int rc = -1;

	memset(h, 0, sizeof *h);
	if (trust_the_root(t, cms, len, root_sha256, e) || document_open_by(WHAT, cms, len, t, FUNCTION_RA, &xml, &maker, e))
		goto out;
	if (handoff_parse(h, &xml, e)) {
		err_prefix(e, WHAT);
		goto out;
	}
	if (!mem_same(h->factory.cert[h->factory.n - 1].sha256, root_sha256, SHA256_LEN)) {
		err_set(e, REASON_AUTHORITY, WHAT ": protocol-documents 4.4: the last certificate of 'factory' is not the root");
		goto out;
	}
	rc = 0;
out:
	if (rc)
		handoff_free(h);
	trust_free(t);
	cert_free(&maker);
	buf_free(&xml);
	return rc;
}
