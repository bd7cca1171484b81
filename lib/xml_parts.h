/* xml_parts.h - what xml_scope.c, which reads by scope and writes, and a parser behind it have of each other.
 *
 * There are two parsers: xml.c (libxml2) in all programs but the agent, whose device has no room for the libraries that
 * libxml2 brings along; it has device-agent/xml_small.c, which takes less and nothing else. */
#ifndef HANDSEL_XML_PARTS_H
#define HANDSEL_XML_PARTS_H

#include "xml.h"

/* ---- xml_scope.c ---- */
#define XML_SHOWN_MAX 64
/* What a peer wrote, cut and without bytes that could forge a line of a log. */
const char *xml_shown(char out[XML_SHOWN_MAX], const char *text);

/* All that is refused before a parser sees it; clauses 2.1 to 2.3. */
int xml_scan(const char *data, size_t len, size_t max, struct err *e);

/* Bytes of one UTF-8 character that we write, 0 if there is none at p. */
size_t xml_character(const unsigned char *p);

/* ---- a parser: xml_parse() to xml_next(), xml_bytes(), and these ---- */
/* Name of the i-th attribute, NULL after the last; *value is the caller's to free(). */
const char *xml_attr_at(const struct xml_node *n, size_t i, char **value);
bool xml_has_text(const struct xml_node *n);		/* directly in it, other than blanks */
const char *xml_own_text(const struct xml_node *n);	/* of an element without elements; NULL: not in one piece */

#endif
