/* xml_small.c - the agent's parser behind xml.h: elements, attributes, text, the five entities and character references.
 * It takes a part of what xml.c takes and makes the same tree of it; comments, CDATA, prefixes, CR and whatever our writers do
 * not write are refused. libxml2 would bring 33 MB of libraries into the device and 2.3 MB into its memory. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "mem.h"
#include "text.h"
#include "xml.h"
#include "xml_parts.h"

struct attribute {
	char *name, *value;
};

struct xml_node {
	char *name;
	int line;
	struct attribute *attr;
	size_t n_attrs;
	struct buf text;		/* directly in it */
	struct xml_node *first, *last, *next;
};

struct xml {
	struct xml_node *root;
};

struct reader {
	const char *p, *end;
	int line;
	struct err *e;
};

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, REASON_REQUEST, "line %d: protocol-ca 2.1: not well-formed: %s; was the message cut or changed?",
		       r->line, what);
}

/* ---- pieces ---- */

static int peek(const struct reader *r)
{
	return r->p < r->end ? (unsigned char)*r->p : -1;
}

static bool take(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static bool skip_blanks(struct reader *r)
{
	const char *from = r->p;

	while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n') {
		r->line += *r->p == '\n';
		r->p++;
	}
	return r->p > from;
}

/* [A-Za-z_][A-Za-z0-9_.-]*: no colon, so no prefix. NULL if there is none. */
static char *take_name(struct reader *r)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char other[] = "0123456789.-";
	const char *from = r->p;

	while (r->p < r->end && *r->p && (strchr(first, *r->p) || (r->p > from && strchr(other, *r->p))))
		r->p++;
	return r->p > from ? mem_fmt("%.*s", (int)(r->p - from), from) : NULL;
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_byte(out, (uint8_t)c);
	} else if (c < 0x800) {
		buf_byte(out, (uint8_t)(0xc0 | c >> 6));
		buf_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_byte(out, (uint8_t)(0xe0 | c >> 12));
		buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
	} else {
		buf_byte(out, (uint8_t)(0xf0 | c >> 18));
		buf_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		buf_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
		buf_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
	}
}

/* "#38" or "#x26"; the result must be a character that we write ourselves. */
static int add_reference(struct buf *out, const char *name)
{
	bool hex = name[1] == 'x';
	const char *digits = name + (hex ? 2 : 1);
	size_t at = out->len;
	uint32_t c = 0;

	if (!*digits || strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits) || strlen(digits) > 7)
		return -1;
	c = (uint32_t)strtoul(digits, NULL, hex ? 16 : 10);
	if (c > 0x10ffff)
		return -1;
	add_utf8(out, c);
	return !out->failed && xml_character(out->data + at) == out->len - at ? 0 : -1;
}

static int take_entity(struct reader *r, struct buf *out)
{
	static const struct {
		const char *name, *text;
	} known[] = { { "lt", "<" }, { "gt", ">" }, { "amp", "&" }, { "quot", "\"" }, { "apos", "'" } };
	char name[12];
	size_t n = 0;

	for (r->p++; peek(r) > ' ' && peek(r) != ';' && n < sizeof name - 1; r->p++)
		name[n++] = *r->p;
	name[n] = 0;
	if (!take(r, ";"))
		return bad(r, "an entity that does not end");
	if (name[0] == '#')
		return add_reference(out, name) == 0 ? 0 : bad(r, "a character that is not allowed");
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(name, known[i].name) == 0) {
			buf_str(out, known[i].text);
			return 0;
		}
	return bad(r, "an unknown entity");
}

/* Characters up to one of stop. In an attribute a line break reads as a blank (XML 1.0 3.3.3). */
static int take_text(struct reader *r, struct buf *out, const char *stop, bool attribute)
{
	while (r->p < r->end && !strchr(stop, *r->p)) {
		/* The buffer ends with a NUL behind `end`, which no multi-byte character contains. */
		size_t n = xml_character((const unsigned char *)r->p);

		if (n == 0)
			return bad(r, "a byte that is not allowed");
		if (*r->p == '&') {
			if (take_entity(r, out) < 0)
				return -1;
			continue;
		}
		if (!attribute && (size_t)(r->end - r->p) >= 3 && memcmp(r->p, "]]>", 3) == 0)
			return bad(r, "]]> in a text");
		r->line += *r->p == '\n';
		if (attribute && (*r->p == '\n' || *r->p == '\t'))
			buf_byte(out, ' ');
		else
			buf_add(out, r->p, n);
		r->p += n;
	}
	return 0;
}

/* ---- elements ---- */

static void free_node(struct xml_node *n)
{
	struct xml_node *next;

	for (struct xml_node *c = n->first; c; c = next) {
		next = c->next;
		free_node(c);
	}
	for (size_t i = 0; i < n->n_attrs; i++) {
		free(n->attr[i].name);
		free(n->attr[i].value);
	}
	free(n->attr);
	free(n->name);
	buf_free(&n->text);
	free(n);
}

static bool has_attribute(const struct xml_node *n, const char *name)
{
	for (size_t i = 0; i < n->n_attrs; i++)
		if (strcmp(n->attr[i].name, name) == 0)
			return true;
	return false;
}

/* The namespace stands on the root alone and is not kept as an attribute. */
static int add_attribute(struct reader *r, struct xml_node *n, char *name, const struct buf *value, bool *in_namespace)
{
	if (strcmp(name, "xmlns") == 0) {
		free(name);
		if (*in_namespace || strcmp(buf_text(value), XML_NS) != 0)
			return bad(r, "another namespace than " XML_NS);
		*in_namespace = true;
		return 0;
	}
	if (has_attribute(n, name)) {
		free(name);
		return bad(r, "an attribute stands twice");
	}
	n->attr = mem_grow(n->attr, n->n_attrs + 1, sizeof *n->attr);
	n->attr[n->n_attrs++] = (struct attribute){ name, mem_str(buf_text(value)) };
	return 0;
}

static int take_attribute(struct reader *r, struct xml_node *n, bool *in_namespace)
{
	struct buf value = {0};
	char *name = take_name(r);
	int rc = -1, quote;

	if (!name)
		return bad(r, "a tag that does not end");
	skip_blanks(r);
	if (!take(r, "=")) {
		free(name);
		return bad(r, "an attribute without a value");
	}
	skip_blanks(r);
	quote = peek(r);
	if (quote != '"' && quote != '\'') {
		free(name);
		return bad(r, "a value without quotes");
	}
	r->p++;
	if (take_text(r, &value, quote == '"' ? "\"<" : "'<", true) < 0 || peek(r) != quote) {
		free(name);
		rc = bad(r, "a value that is not allowed");
	} else {
		r->p++;
		rc = add_attribute(r, n, name, &value, in_namespace);
	}
	buf_free(&value);
	return rc;
}

static struct xml_node *take_element(struct reader *r, unsigned depth, bool in_namespace);

static int take_content(struct reader *r, struct xml_node *n, unsigned depth)
{
	for (;;) {
		struct xml_node *child;

		if (take_text(r, &n->text, "<", false) < 0)
			return -1;
		if (r->p == r->end)
			return bad(r, "the message ends too early");
		if (take(r, "</"))
			return 0;
		child = take_element(r, depth + 1, true);
		if (!child)
			return -1;
		if (n->last)
			n->last->next = child;
		else
			n->first = child;
		n->last = child;
	}
}

static int take_end(struct reader *r, const struct xml_node *n)
{
	if (!take(r, n->name))
		return bad(r, "an element ends with another name than it began with");
	skip_blanks(r);
	return take(r, ">") ? 0 : bad(r, "an element ends with another name than it began with");
}

static int take_inside(struct reader *r, struct xml_node *n, unsigned depth, bool in_namespace)
{
	while (skip_blanks(r) && peek(r) != '/' && peek(r) != '>')
		if (take_attribute(r, n, &in_namespace) < 0)
			return -1;
	if (!in_namespace)
		return bad(r, "not in the namespace " XML_NS);
	if (take(r, "/>"))
		return 0;
	if (!take(r, ">"))
		return bad(r, "a tag that does not end");
	if (take_content(r, n, depth) < 0)
		return -1;
	return take_end(r, n);
}

static struct xml_node *take_element(struct reader *r, unsigned depth, bool in_namespace)
{
	struct xml_node *n = mem_new(1, sizeof *n);

	n->line = r->line;
	if (depth > LIMIT_XML_DEPTH)
		bad(r, "nested too deep");
	else if (!take(r, "<") || !(n->name = take_name(r)))
		bad(r, "a tag without a name, or what a small parser does not take");
	else if (take_inside(r, n, depth, in_namespace) == 0)
		return n;
	free_node(n);
	return NULL;
}

/* The declaration is what our writer writes, or is not there. */
static int take_declaration(struct reader *r)
{
	if (!take(r, "<?xml"))
		return 0;
	if (take(r, " version=\"1.0\" encoding=\"UTF-8\"?>") || take(r, " version=\"1.0\"?>") ||
	    take(r, " version='1.0' encoding='UTF-8'?>"))
		return 0;
	return bad(r, "another declaration than version 1.0, UTF-8");
}

struct xml *xml_parse(const void *data, size_t len, size_t max, struct err *e)
{
	struct reader r = { .line = 1, .e = e };
	struct xml_node *root = NULL;
	struct buf copy = {0};
	struct xml *x = NULL;

	if (xml_scan(data, len, max, e))
		return NULL;
	buf_add(&copy, data, len);	/* with a NUL behind it */
	r.p = buf_text(&copy);
	r.end = r.p + copy.len;
	if (take_declaration(&r) == 0) {
		skip_blanks(&r);
		root = take_element(&r, 1, false);
	}
	skip_blanks(&r);
	if (root && r.p != r.end) {
		bad(&r, "something follows the root element");
		free_node(root);
		root = NULL;
	}
	if (root) {
		x = mem_new(1, sizeof *x);
		x->root = root;
	}
	buf_free(&copy);
	return x;
}

void xml_free(struct xml *x)
{
	if (!x)
		return;
	free_node(x->root);
	free(x);
}

/* ---- looking ---- */

const struct xml_node *xml_root(const struct xml *x)
{
	return x->root;
}

const char *xml_name(const struct xml_node *n)
{
	return n->name;
}

int xml_line(const struct xml_node *n)
{
	return n->line;
}

const struct xml_node *xml_first(const struct xml_node *n)
{
	return n->first;
}

const struct xml_node *xml_next(const struct xml_node *n)
{
	return n->next;
}

const char *xml_attr_at(const struct xml_node *n, size_t i, char **value)
{
	if (i >= n->n_attrs)
		return NULL;
	*value = mem_str(n->attr[i].value);
	return n->attr[i].name;
}

bool xml_has_text(const struct xml_node *n)
{
	const char *text = buf_text(&n->text);

	return text[strspn(text, " \t\r\n")] != 0;
}

const char *xml_own_text(const struct xml_node *n)
{
	return buf_text(&n->text);	/* without comments and CDATA it is always in one piece */
}

size_t xml_bytes(const struct xml_node *n)
{
	size_t sum = strlen(n->name) + n->text.len;

	for (size_t i = 0; i < n->n_attrs; i++)
		sum += strlen(n->attr[i].name) + strlen(n->attr[i].value);
	for (const struct xml_node *c = n->first; c; c = c->next)
		sum += xml_bytes(c);
	return sum;
}
