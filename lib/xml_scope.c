#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "text.h"
#include "xml.h"
#include "xml_parts.h"

#define ROOM 3000	/* what an answer with a chain takes, so that the buffer does not grow step by step */

/* The clauses that messages cite are those of doc/protocol-ca.md, section 2. */

/* What a peer wrote, cut and without bytes that could forge a line of a log. */
const char *xml_shown(char out[XML_SHOWN_MAX], const char *text)
{
	size_t i;

	for (i = 0; i < XML_SHOWN_MAX - 1 && text[i]; i++)
		out[i] = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?';
	out[i] = 0;
	return out;
}

/* ---- before the parser ---- */
static int line_of(const char *start, const char *at)
{
	int line = 1;

	for (; start < at; start++)
		line += *start == '\n';
	return line;
}

/* The length of what ends with `mark`, 0 if it does not end. */
static size_t length_to(const char *p, size_t left, size_t skip, const char *mark)
{
	const char *end = left > skip ? memmem(p + skip, left - skip, mark, strlen(mark)) : NULL;

	return end ? (size_t)(end - p) + strlen(mark) : 0;
}

/* The length of a tag from '<' to its '>' outside quotes, looking at most one byte past the limit; 0 if it does not end there. */
static size_t tag_length(const char *p, size_t left)
{
	char quote = 0;

	for (size_t i = 1; i < left && i <= LIMIT_TAG; i++) {
		if (quote)
			quote = p[i] == quote ? 0 : quote;
		else if (p[i] == '"' || p[i] == '\'')
			quote = p[i];
		else if (p[i] == '>')
			return i + 1;
	}
	return 0;
}

/* Linear: the parser's time grows with the square of the attributes of one tag. */
static int scan_tags(const char *data, size_t len, struct err *e)
{
	const char *p = data, *end = data + len;

	while ((p = memchr(p, '<', (size_t)(end - p))) != NULL) {
		size_t left = (size_t)(end - p), n;

		if (left >= 4 && memcmp(p, "<!--", 4) == 0)
			n = length_to(p, left, 4, "-->");
		else if (left >= 9 && memcmp(p, "<![CDATA[", 9) == 0)
			n = length_to(p, left, 9, "]]>");
		else if ((n = tag_length(p, left)) > LIMIT_TAG || (n == 0 && left > LIMIT_TAG))
			return err_set(e, REASON_REQUEST, "line %d: protocol-ca 2.2: a tag is longer than %u bytes; "
				       "split or shorten it", line_of(data, p), LIMIT_TAG);
		if (n == 0)
			return err_set(e, REASON_REQUEST, "line %d: protocol-ca 2.1: the markup that begins here does not end; "
				       "the message was cut", line_of(data, p));
		p += n;
	}
	return 0;
}

/* UTF-8 or nothing said: the parser would decode whatever else is declared. */
static int scan_declaration(const char *data, size_t len, struct err *e)
{
	char decl[128];
	const char *encoding;
	size_t n = len < sizeof decl ? len : sizeof decl - 1;

	memcpy(decl, data, n);
	decl[n] = 0;
	if (strncmp(decl, "<?xml", 5) != 0)
		return 0;
	if (strstr(decl, "?>"))
		*strstr(decl, "?>") = 0;
	encoding = strstr(decl, "encoding");
	if (encoding && !strcasestr(encoding, "\"utf-8\"") && !strcasestr(encoding, "'utf-8'"))
		return err_set(e, REASON_REQUEST, "line 1: protocol-ca 2.3: another encoding than UTF-8 is declared; write UTF-8");
	return 0;
}

int xml_scan(const char *data, size_t len, size_t max, struct err *e)
{
	const char *nul;

	if (len > max || len > LIMIT_BUF)
		return err_set(e, REASON_REQUEST, "protocol-ca 2.1: the message has %zu bytes, at most %zu are allowed here; "
			       "send fewer requests in one message", len, max);
	if (len == 0 || data[0] != '<')
		return err_set(e, REASON_REQUEST, "line 1: protocol-ca 2.3: the message does not begin with '<'; "
			       "send XML in UTF-8 without a byte order mark");
	if ((nul = memchr(data, 0, len)) != NULL)
		return err_set(e, REASON_REQUEST, "line %d: protocol-ca 2.3: a zero byte; send XML in UTF-8",
			       line_of(data, nul));
	if (scan_declaration(data, len, e))
		return -1;
	return scan_tags(data, len, e);
}

/* ---- reading by scope ---- */
int xml_error(const struct xml_node *n, struct err *e, const char *fmt, ...)
{
	char what[400], name[XML_SHOWN_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return err_set(e, REASON_REQUEST, "line %d: %s: %s", xml_line(n), xml_shown(name, xml_name(n)), what);
}

static int take_attr(const struct xml_node *n, const char *given, const char *value, const struct xml_attr *attrs, size_t count,
		     struct err *e)
{
	size_t i = 0, len = strlen(value);
	char name[XML_SHOWN_MAX];

	while (i < count && strcmp(attrs[i].name, given) != 0)
		i++;
	if (i == count)
		return xml_error(n, e, "protocol-ca 2.7: the attribute '%s' is not known here; remove it", xml_shown(name, given));
	/* cppcheck-suppress nullPointer ; where attrs is NULL count is 0 */
	if (len < attrs[i].size)
		memcpy(attrs[i].out, value, len + 1);
	if (len == 0 || len >= attrs[i].size)
		return xml_error(n, e, len ? "protocol-ca 2.7: the attribute '%s' is longer than %zu bytes" :
				 "protocol-ca 2.7: the attribute '%s' is empty; it takes 1 to %zu bytes",
				 attrs[i].name, attrs[i].size - 1);
	return 0;
}

int xml_attrs(const struct xml_node *n, const struct xml_attr *attrs, size_t count, struct err *e)
{
	const char *given;
	char *value;

	for (size_t i = 0; i < count; i++)
		attrs[i].out[0] = 0;
	for (size_t i = 0; (given = xml_attr_at(n, i, &value)) != NULL; i++) {
		int rc = take_attr(n, given, value, attrs, count, e);

		free(value);
		if (rc)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (attrs[i].required && !attrs[i].out[0])
			return xml_error(n, e, "protocol-ca 2.7: the attribute '%s' is missing", attrs[i].name);
	return 0;
}

int xml_only_elements(const struct xml_node *n, struct err *e)
{
	if (xml_has_text(n))
		return xml_error(n, e, "protocol-ca 2.7: text where only elements are allowed");
	return 0;
}

int xml_children(const struct xml_node *n, const struct xml_child *children, size_t count, struct err *e)
{
	char name[XML_SHOWN_MAX];

	for (size_t i = 0; i < count; i++)
		*children[i].out = NULL;
	if (xml_only_elements(n, e))
		return -1;
	for (const struct xml_node *c = xml_first(n); c; c = xml_next(c)) {
		size_t i = 0;

		while (i < count && strcmp(children[i].name, xml_name(c)) != 0)
			i++;
		if (i == count)
			return xml_error(c, e, "protocol-ca 2.7: the element is not known in '%s'; remove it",
					 xml_shown(name, xml_name(n)));
		if (*children[i].out)
			return xml_error(c, e, "protocol-ca 2.7: the element stands twice in '%s'", xml_shown(name, xml_name(n)));
		*children[i].out = c;
	}
	for (size_t i = 0; i < count; i++)
		if (children[i].required && !*children[i].out)
			return xml_error(n, e, "protocol-ca 2.7: the element '%s' is missing in it", children[i].name);
	return 0;
}

/* The one text of a leaf; "" if there is none. */
static const char *leaf(const struct xml_node *n, struct err *e)
{
	const char *text;

	if (xml_first(n)) {
		xml_error(n, e, "protocol-ca 2.7: elements where only text is allowed");
		return NULL;
	}
	text = xml_own_text(n);
	if (!text)
		xml_error(n, e, "protocol-ca 2.7: the text is not in one piece");
	return text;
}

int xml_text(const struct xml_node *n, char *out, size_t size, struct err *e)
{
	const char *text;
	size_t len;

	if (!n)
		return 0;
	if (xml_attrs(n, NULL, 0, e) || !(text = leaf(n, e)))
		return -1;
	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (len == 0)
		return xml_error(n, e, "protocol-ca 2.8: the element is empty; leave it out to take the default");
	if (len >= size)
		return xml_error(n, e, "protocol-ca 2.8: longer than %zu bytes", size - 1);
	memcpy(out, text, len);
	out[len] = 0;
	return 0;
}

int xml_base64(const struct xml_node *n, struct buf *out, size_t max, struct err *e)
{
	const char *text = leaf(n, e);
	struct buf bytes = {0};
	int rc = -1;

	if (!text)
		return -1;
	if (text_unbase64(&bytes, text, strlen(text)) || bytes.len == 0)
		xml_error(n, e, "protocol-ca 2.8: not base64 (RFC 4648 section 4)");
	else if (bytes.len > max)
		xml_error(n, e, "protocol-ca 2.8: %zu bytes, at most %zu are allowed here", bytes.len, max);
	else {
		buf_set(out, bytes.data, bytes.len);
		rc = 0;
	}
	buf_free(&bytes);
	return rc;
}

/* ---- writing ---- */

/* Bytes of one UTF-8 character that XML 1.0 allows (RFC 3629 section 4), 0 if there is none. */
size_t xml_character(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 :
		   p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	if (n == 1)
		return (p[0] >= 0x20 && p[0] != 0x7f) || p[0] == '\t' || p[0] == '\n';
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f) || (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe))
		return 0;
	return n;
}

/* What stands as it is goes in one piece: each answer is written here, and a printf() for each character is felt. */
static void escape(struct buf *b, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		const unsigned char *from = p;
		size_t n = 0;

		while (*p && (n = xml_character(p)) != 0 && !strchr("<>&\"\t\n", *p))
			p += n;
		buf_add(b, from, (size_t)(p - from));
		if (!*p)
			break;
		if (n == 0)
			buf_byte(b, '?');
		else
			buf_fmt(b, "&#%d;", *p);
		p++;
	}
}

static void indent(struct xml_out *w)
{
	for (int i = 0; i < w->depth; i++)
		buf_add(w->b, "  ", 2);
}

static void tag(struct xml_out *w, const char *before, const char *name, const char *after)
{
	buf_str(w->b, before);
	buf_str(w->b, name);
	buf_str(w->b, after);
}

static void begin_tag(struct xml_out *w, const char *name, va_list ap)
{
	const char *attr;

	indent(w);
	tag(w, "<", name, w->depth == 0 ? " xmlns=\"" XML_NS "\"" : "");
	while ((attr = va_arg(ap, const char *)) != NULL) {
		const char *value = va_arg(ap, const char *);

		if (!*value)
			continue;
		tag(w, " ", attr, "=\"");
		escape(w->b, value);
		buf_byte(w->b, '"');
	}
}

void xml_begin(struct xml_out *w, struct buf *b)
{
	w->b = b;
	w->depth = 0;
	if (!b->max)
		buf_room(b, ROOM);
	buf_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

void xml_open(struct xml_out *w, const char *name, ...)
{
	va_list ap;

	va_start(ap, name);
	begin_tag(w, name, ap);
	va_end(ap);
	buf_str(w->b, ">\n");
	w->depth++;
}

void xml_empty(struct xml_out *w, const char *name, ...)
{
	va_list ap;

	va_start(ap, name);
	begin_tag(w, name, ap);
	va_end(ap);
	buf_str(w->b, "/>\n");
}

void xml_leaf(struct xml_out *w, const char *name, const char *text)
{
	if (!*text)
		return;
	indent(w);
	tag(w, "<", name, ">");
	escape(w->b, text);
	tag(w, "</", name, ">\n");
}

void xml_leaf_base64(struct xml_out *w, const char *name, const void *data, size_t len)
{
	if (!len)
		return;
	indent(w);
	tag(w, "<", name, ">");
	text_base64(w->b, data, len);
	tag(w, "</", name, ">\n");
}

void xml_close(struct xml_out *w, const char *name)
{
	w->depth--;
	indent(w);
	tag(w, "</", name, ">\n");
}
