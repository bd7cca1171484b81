#include <config.h>

#include "document.h"

#include <string.h>

#include "functions.h"
#include "oid.h"

int document_sign(const char *what, const struct buf *xml, const struct key *key, const struct chain *chain, struct buf *cms,
		  struct err *e)
{
	if (xml->failed || xml->len > DOCUMENT_MAX)
		return err_set(e, REASON_REQUEST, "%s: protocol-documents 1.5: more than %u bytes; split it", what, DOCUMENT_MAX);
	if (cms_sign(xml->data, xml->len, key, chain, cms, e))
		return err_prefix(e, "%s", what);
	return 0;
}

int document_open(const char *what, const void *cms, size_t len, struct trust *t, const char *role, struct buf *xml,
		  struct cert *signer, struct err *e)
{
	const struct trust_rule rule = {
		.purpose = PURPOSE_CLIENT, .policy = OID_POLICY_UNIT, .role = role,
		.ignore_expiry = true,	/* protocol-documents 1.4: the document has dates of its own */
	};

	if (len > (size_t)2 * DOCUMENT_MAX)
		return err_set(e, REASON_REQUEST, "%s: protocol-documents 1.5: larger than any such document", what);
	if (cms_open(cms, len, t, &rule, xml, signer, e))
		return err_prefix(e, "%s: protocol-documents 1.2", what);
	return 0;
}

int document_open_by(const char *what, const void *cms, size_t len, struct trust *t, unsigned functions, struct buf *xml,
		     struct cert *signer, struct err *e)
{
	char needed[CERT_FUNCTIONS_MAX];

	if (document_open(what, cms, len, t, NULL, xml, signer, e))
		return -1;
	if (functions_of(signer) & functions)
		return 0;
	functions_text(needed, functions, " or ");
	return err_set(e, REASON_ROLE, "%s: protocol-documents 1.3: %s:%s has signed it, and that takes the function %s", what, signer->role,
		       signer->name, needed);
}

struct xml *document_parse(const struct buf *xml, const char *root, struct err *e)
{
	struct xml *x = xml_parse(xml->data, xml->len, DOCUMENT_MAX, e);

	if (x && strcmp(xml_name(xml_root(x)), root) != 0) {
		xml_error(xml_root(x), e, "protocol-documents 1.6: the outermost element must be '%s'", root);
		xml_free(x);
		return NULL;
	}
	return x;
}
