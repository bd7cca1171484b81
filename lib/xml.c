#include <config.h>

#include "xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>
#include <libxml/xmlIO.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "mem.h"
#include "text.h"
#include "xml_parts.h"

/* The clauses that messages cite are those of doc/protocol-ca.md, section 2. */
struct xml {
	xmlDoc *doc;
};

/* ---- the library, made ours ---- */
static void *alloc_or_die(size_t n)
{
	return mem_new(n, 1);
}

static void *grow_or_die(void *old, size_t n)
{
	return mem_grow(old, n, 1);
}

static xmlParserInput *load_nothing(const char *url, const char *id, xmlParserCtxt *ctxt)
{
	return NULL;
}

static void library_start(void)
{
	xmlMemSetup(free, alloc_or_die, grow_or_die, mem_str);
	xmlInitParser();
	/* XML_PARSE_NONET still opens local files; only a loader that gives nothing does not. */
	xmlSetExternalEntityLoader(load_nothing);
}

/* ---- the parser ---- */

/* xmlStopParser() alone still returns a document without root: so what was refused is kept, too. */
static void refuse(xmlParserCtxt *ctxt, const char *what)
{
	const char **refused = ctxt->_private;

	*refused = what;
	xmlStopParser(ctxt);
}

static void refuse_doctype(void *ctxt, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	refuse(ctxt, "a DOCTYPE");
}

static void refuse_instruction(void *ctxt, const xmlChar *target, const xmlChar *data)
{
	refuse(ctxt, "a processing instruction");
}

static int parse_error(xmlParserCtxt *ctxt, const char *refused, struct err *e)
{
	const xmlError *last = xmlCtxtGetLastError(ctxt);
	char text[XML_SHOWN_MAX];
	size_t n;

	if (refused)
		return err_set(e, REASON_REQUEST, "line %d: protocol-ca 2.4: %s is not allowed; remove it",
			       ctxt->input ? ctxt->input->line : 1, refused);
	xml_shown(text, last && last->message ? last->message : "no document");
	n = strlen(text);
	if (n && text[n - 1] == '?')	/* the library's newline */
		text[n - 1] = 0;
	return err_set(e, REASON_REQUEST, "line %d: protocol-ca 2.1: not well-formed: %s; was the message cut or changed?",
		       last ? last->line : 1, text);
}

static xmlDoc *parse(const char *data, size_t len, struct err *e)
{
	xmlParserCtxt *ctxt = xmlNewParserCtxt();
	const char *refused = NULL;
	xmlDoc *doc;

	ctxt->_private = &refused;
	ctxt->sax->internalSubset = refuse_doctype;
	ctxt->sax->processingInstruction = refuse_instruction;
	ctxt->sax->comment = NULL;	/* so that a comment cannot split a text into two nodes */
	doc = xmlCtxtReadMemory(ctxt, data, (int)len, NULL, "UTF-8",
				XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES);
	if (!doc || refused || !ctxt->wellFormed || !xmlDocGetRootElement(doc)) {
		parse_error(ctxt, refused, e);
		xmlFreeDoc(doc);
		doc = NULL;
	}
	xmlFreeParserCtxt(ctxt);
	return doc;
}

static const struct xml_node *ours(const xmlNode *n)
{
	return (const struct xml_node *)(const void *)n;
}

static xmlNode *theirs(const struct xml_node *n)
{
	return (xmlNode *)(uintptr_t)n;
}

static int judge_tree(const xmlNode *n, unsigned depth, struct err *e)
{
	char name[XML_SHOWN_MAX];

	if (n->type == XML_TEXT_NODE)
		return 0;
	if (n->type != XML_ELEMENT_NODE)
		return xml_error(ours(n->parent), e, "protocol-ca 2.4: only elements and text are allowed");
	if (depth > LIMIT_XML_DEPTH)
		return xml_error(ours(n), e, "protocol-ca 2.5: nested deeper than %d levels", LIMIT_XML_DEPTH);
	if (!n->ns || strcmp((const char *)n->ns->href, XML_NS) != 0)
		return xml_error(ours(n), e, "protocol-ca 2.6: not in the namespace " XML_NS "; add xmlns=\"" XML_NS "\" to the root");
	for (const xmlAttr *a = n->properties; a; a = a->next)
		if (a->ns)
			return xml_error(ours(n), e, "protocol-ca 2.6: the attribute '%s' is in a namespace; remove it",
					 xml_shown(name, (const char *)a->name));
	for (const xmlNode *c = n->children; c; c = c->next)
		if (judge_tree(c, depth + 1, e))
			return -1;
	return 0;
}

struct xml *xml_parse(const void *data, size_t len, size_t max, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct xml *x;
	xmlDoc *doc;

	pthread_once(&once, library_start);
	if (xml_scan(data, len, max, e) || !(doc = parse(data, len, e)))
		return NULL;
	if (judge_tree(xmlDocGetRootElement(doc), 1, e)) {
		xmlFreeDoc(doc);
		return NULL;
	}
	x = mem_new(1, sizeof *x);
	x->doc = doc;
	return x;
}

void xml_free(struct xml *x)
{
	if (!x)
		return;
	xmlFreeDoc(x->doc);
	free(x);
}

/* ---- reading by scope ---- */
const struct xml_node *xml_root(const struct xml *x)
{
	return ours(xmlDocGetRootElement(x->doc));
}

const char *xml_name(const struct xml_node *n)
{
	return (const char *)theirs(n)->name;
}

int xml_line(const struct xml_node *n)
{
	return (int)xmlGetLineNo(theirs(n));
}

const struct xml_node *xml_first(const struct xml_node *n)
{
	return ours(xmlFirstElementChild(theirs(n)));
}

const struct xml_node *xml_next(const struct xml_node *n)
{
	return ours(xmlNextElementSibling(theirs(n)));
}

size_t xml_bytes(const struct xml_node *n)
{
	const xmlNode *node = theirs(n);
	size_t sum = strlen((const char *)node->name);

	for (const xmlAttr *a = node->properties; a; a = a->next) {
		sum += strlen((const char *)a->name);
		for (const xmlNode *t = a->children; t; t = t->next)
			sum += t->content ? strlen((const char *)t->content) : 0;
	}
	for (const xmlNode *c = node->children; c; c = c->next)
		sum += c->type == XML_TEXT_NODE ? strlen((const char *)c->content) : xml_bytes(ours(c));
	return sum;
}

const char *xml_attr_at(const struct xml_node *n, size_t i, char **value)
{
	const xmlAttr *a = theirs(n)->properties;
	xmlChar *text;

	while (a && i-- > 0)
		a = a->next;
	if (!a)
		return NULL;
	text = xmlNodeListGetString(a->doc, a->children, 1);
	*value = text ? (char *)text : mem_str("");	/* the library allocates with ours */
	return (const char *)a->name;
}

bool xml_has_text(const struct xml_node *n)
{
	for (const xmlNode *c = theirs(n)->children; c; c = c->next)
		if (c->type == XML_TEXT_NODE && c->content[strspn((const char *)c->content, " \t\r\n")] != 0)
			return true;
	return false;
}

const char *xml_own_text(const struct xml_node *n)
{
	const xmlNode *c = theirs(n)->children;

	if (c && c->next)	/* the parser joins neighbouring texts */
		return NULL;
	return c ? (const char *)c->content : "";
}
