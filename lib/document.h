/* document.h - what the signed documents (documents.h) share: XML signed after it was read back, XML read after its signature
 * was verified. The parsers stand here for the tests: nothing else may read a document without its signature. */
#ifndef HANDSEL_DOCUMENT_H
#define HANDSEL_DOCUMENT_H

#include "action.h"
#include "documents.h"
#include "xml.h"

#define DOCUMENT_MAX LIMIT_DOCUMENT

/* Replaces *cms. */
int document_sign(const char *what, const struct buf *xml, const struct key *key, const struct chain *chain, struct buf *cms,
		  struct err *e);

/* Verifies signature, role, policy and purpose (protocol-documents 1.2, 1.3); then *xml is the content. signer may be NULL. */
int document_open(const char *what, const void *cms, size_t len, struct trust *t, const char *role, struct buf *xml,
		  struct cert *signer, struct err *e);

/* The same by a person with one of these functions, or by the local operator; signer must not be NULL. Code ROLE. */
int document_open_by(const char *what, const void *cms, size_t len, struct trust *t, unsigned functions, struct buf *xml,
		     struct cert *signer, struct err *e);

/* NULL if it is not well-formed or its outermost element is another one. */
struct xml *document_parse(const struct buf *xml, const char *root, struct err *e);

int work_order_parse(struct work_order *o, const struct buf *xml, struct err *e);
int ticket_parse(struct ticket *t, const struct buf *xml, struct err *e);
int handoff_parse(struct handoff *h, const struct buf *xml, struct err *e);	/* free in any case */
int voucher_parse(struct voucher *v, const struct buf *xml, struct err *e);
int invitation_parse(struct invitation *v, const struct buf *xml, struct err *e);
int unit_renewal_parse(struct unit_renewal *r, const struct buf *xml, struct err *e);
int action_parse(struct action *a, const struct buf *xml, struct err *e);	/* free in any case; likewise */
int approval_parse(struct approval *a, const struct buf *xml, struct err *e);
int release_parse(struct release *r, const struct buf *xml, struct err *e);
int manifest_parse(struct manifest *m, const struct buf *xml, struct err *e);	/* free in any case */

#endif
