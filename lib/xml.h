/* xml.h - hostile XML (libxml2) as a tree that is read by explicit scope, and XML written with escaping.
 * Refused before or while parsing: more than max bytes, any tag over LIMIT_TAG bytes, DOCTYPE, processing instructions,
 * other encodings than UTF-8, depth over LIMIT_XML_DEPTH, another namespace than NS. No network, no entities but the five. */
#ifndef HANDSEL_XML_H
#define HANDSEL_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

#define XML_NS "urn:handsel:ca:1"

struct xml;
struct xml_node;

struct xml *xml_parse(const void *data, size_t len, size_t max, struct err *e);	/* NULL: code REQUEST */
void xml_free(struct xml *x);
const struct xml_node *xml_root(const struct xml *x);
const char *xml_name(const struct xml_node *n);
int xml_line(const struct xml_node *n);
const struct xml_node *xml_first(const struct xml_node *n);	/* first child element, NULL if none */
const struct xml_node *xml_next(const struct xml_node *n);	/* next sibling element */

/* An element with exactly these attributes; elements have either text or children. */
struct xml_attr {
	const char *name;
	char *out;		/* "" if absent and optional */
	size_t size;		/* longer is refused */
	bool required;
};
int xml_attrs(const struct xml_node *n, const struct xml_attr *attrs, size_t count, struct err *e);

/* Children by name, each at most once, in any order, no others: out[i] or NULL. */
struct xml_child {
	const char *name;
	const struct xml_node **out;
	bool required;
};
int xml_children(const struct xml_node *n, const struct xml_child *children, size_t count, struct err *e);

/* Text of a leaf element without attributes, trimmed; n NULL: *out stays. */
int xml_text(const struct xml_node *n, char *out, size_t size, struct err *e);
int xml_base64(const struct xml_node *n, struct buf *out, size_t max, struct err *e);	/* attributes are the caller's */

/* For lists that are read with xml_first() and xml_next(): no text between the elements. */
int xml_only_elements(const struct xml_node *n, struct err *e);

/* Bytes of names, values and text of the element and all below it. */
size_t xml_bytes(const struct xml_node *n);

/* "line N: element: what"; code REQUEST; -1. */
int xml_error(const struct xml_node *n, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- writing: one line an element, two blanks a level ---- */
struct xml_out {
	struct buf *b;
	int depth;
};
void xml_begin(struct xml_out *w, struct buf *b);	/* the XML declaration */
/* After the name: attribute, value, ..., NULL. A value "" leaves the attribute out. The outermost element gets the namespace. */
void xml_open(struct xml_out *w, const char *name, ...) __attribute__((sentinel));
void xml_empty(struct xml_out *w, const char *name, ...) __attribute__((sentinel));
void xml_leaf(struct xml_out *w, const char *name, const char *text);			/* left out if text is "" */
void xml_leaf_base64(struct xml_out *w, const char *name, const void *data, size_t len);	/* left out if len is 0 */
void xml_close(struct xml_out *w, const char *name);

#endif
