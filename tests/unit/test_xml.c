/* Hostile XML: each file of tests/vectors/xml with the answer that EXPECT gives, and what is too large to be a file. */
#include <config.h>

#include <string.h>

#include "document.h"
#include "file.h"
#include "limits.h"
#include "mem.h"
#include "unit.h"
#include "xml.h"

static int read_request(const struct buf *xml, struct err *e)
{
	struct ca_message *m = mem_new(1, sizeof *m);
	int rc = ca_message_read(m, NULL, xml->data, xml->len, LIMIT_FRAME_UNIT, e);

	ca_message_free(m);
	return rc;
}

static int read_reply(const struct buf *xml, struct err *e)
{
	struct ca_reply *r = mem_new(1, sizeof *r);
	int rc = ca_reply_read(r, xml->data, xml->len, e);

	ca_reply_free(r);
	return rc;
}

static int read_order(const struct buf *xml, struct err *e)
{
	static struct work_order o;

	return work_order_parse(&o, xml, e);
}

static int read_ticket(const struct buf *xml, struct err *e)
{
	static struct ticket t;

	return ticket_parse(&t, xml, e);
}

static int read_handoff(const struct buf *xml, struct err *e)
{
	struct handoff h;
	int rc = handoff_parse(&h, xml, e);

	handoff_free(&h);
	return rc;
}

static int read_manifest(const struct buf *xml, struct err *e)
{
	struct manifest m;
	int rc = manifest_parse(&m, xml, e);

	manifest_free(&m);
	return rc;
}

static const struct {
	const char *name;
	int (*read)(const struct buf *xml, struct err *e);
} readers[] = {
	{ "request", read_request }, { "reply", read_reply }, { "order", read_order },
	{ "ticket", read_ticket }, { "handoff", read_handoff }, { "manifest", read_manifest },
};

static void vector_path(char path[FILE_PATH], const char *name)
{
	const char *srcdir = getenv("srcdir");

	snprintf(path, FILE_PATH, "%s/tests/vectors/xml/%s", srcdir ? srcdir : ".", name);
}

static void judge_vector(const char *file, const char *reader, const char *expected)
{
	struct err e = {0};
	struct buf xml = {0};
	char path[FILE_PATH];
	size_t i = 0;
	int rc;

	while (i < ARRAY_LEN(readers) && strcmp(readers[i].name, reader) != 0)
		i++;
	CU_ASSERT_FATAL(i < ARRAY_LEN(readers));
	vector_path(path, file);
	CU_ASSERT_EQUAL_FATAL(file_read(&xml, path, 0, &e), 0);
	rc = readers[i].read(&xml, &e);
	if (strcmp(expected, "OK") == 0 ? rc != 0 : rc != -1 || e.code != REASON_REQUEST || !strstr(e.text, expected)) {
		fprintf(stderr, "%s: expected \"%s\", got %d \"%s\"\n", file, expected, rc, e.text);
		CU_FAIL("a vector was judged otherwise");
	}
	buf_free(&xml);
}

static void test_vectors(void)
{
	struct buf list = {0};
	struct err e;
	char path[FILE_PATH], *line, *rest;
	int count = 0;

	vector_path(path, "EXPECT");
	CU_ASSERT_EQUAL_FATAL(file_read(&list, path, 0, &e), 0);
	for (line = strtok_r((char *)list.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char file[64], reader[16];
		int at = 0;

		if (line[0] == '#')
			continue;
		CU_ASSERT_EQUAL_FATAL(sscanf(line, "%63s %15s %n", file, reader, &at), 2);
		judge_vector(file, reader, line + at);
		count++;
	}
	CU_ASSERT(count > 100);
	buf_free(&list);
}

/* One byte over the frame of a device is refused by the count alone; as a unit's frame the same bytes are read. */
static void test_frame(void)
{
	struct buf xml = {0};
	struct err e;
	struct xml *x;

	buf_str(&xml, "<request xmlns=\"" XML_NS "\">");
	while (xml.len + strlen("</request>") < LIMIT_FRAME_DEVICE + 1)
		buf_byte(&xml, ' ');
	buf_str(&xml, "</request>");
	CU_ASSERT_PTR_NULL(xml_parse(xml.data, xml.len, LIMIT_FRAME_DEVICE, &e));
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-ca 2.1"));
	CU_ASSERT_PTR_NOT_NULL(x = xml_parse(xml.data, xml.len, LIMIT_FRAME_UNIT, &e));
	xml_free(x);
	buf_free(&xml);
}

/* A megabyte in one frame: refused by size, and within the size by the tag limit, without a parser's quadratic time. */
static void test_megabyte(void)
{
	struct buf xml = {0};
	struct err e;

	buf_str(&xml, "<request xmlns=\"" XML_NS "\"");
	for (int i = 0; xml.len < LIMIT_FRAME_UNIT - 64; i++)
		buf_fmt(&xml, " a%d=\"\"", i);
	buf_str(&xml, "/>");
	CU_ASSERT_PTR_NULL(xml_parse(xml.data, xml.len, LIMIT_FRAME_UNIT, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-ca 2.2"));
	CU_ASSERT_PTR_NULL(xml_parse(xml.data, xml.len, LIMIT_FRAME_DEVICE, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "protocol-ca 2.1"));
	buf_free(&xml);
}

/* A tag of exactly the limit is read, one byte more is not. */
static void test_tag_limit(void)
{
	for (unsigned over = 0; over <= 1; over++) {
		struct buf xml = {0};
		struct err e;
		struct xml *x;

		buf_str(&xml, "<request xmlns=\"" XML_NS "\" a=\"");
		while (xml.len < LIMIT_TAG + over - strlen("\">"))
			buf_byte(&xml, 'x');
		buf_str(&xml, "\"></request>");
		x = xml_parse(xml.data, xml.len, LIMIT_FRAME_DEVICE, &e);
		CU_ASSERT_EQUAL(x == NULL, over == 1);
		xml_free(x);
		buf_free(&xml);
	}
}

/* A comment inside a value vanishes before anybody sees it: no two readers can see two values. */
static void test_comment_joins(void)
{
	static const char text[] = "<request xmlns=\"" XML_NS "\">  GB-<!-- x -->100<![CDATA[0]]>&amp;\n</request>";
	struct err e;
	struct xml *x = xml_parse(text, sizeof text - 1, 1000, &e);
	char value[32] = "";

	CU_ASSERT_PTR_NOT_NULL_FATAL(x);
	CU_ASSERT_EQUAL(xml_text(xml_root(x), value, sizeof value, &e), 0);
	CU_ASSERT_STRING_EQUAL(value, "GB-1000&");
	xml_free(x);
}

/* Whatever is given to the writer, what it writes is read back as XML; forbidden bytes become '?'. */
static void test_escape(void)
{
	static const char hostile[] = "<&>\"'\t\n\x01\x7f\xff\xc3\xa9\xed\xa0\x80]]>\xef\xbf\xbf end";
	static const char expected[] = "<&>\"'\t\n???\xc3\xa9???]]>??? end";
	struct buf b = {0};
	struct xml_out w;
	struct err e;
	struct xml *x;
	char attr[64], text[64] = "";
	const struct xml_attr attrs[] = { { "a", attr, sizeof attr, true } };
	const struct xml_node *leaf;

	xml_begin(&w, &b);
	xml_open(&w, "request", "a", hostile, "left-out", "", NULL);
	xml_leaf(&w, "t", hostile);
	xml_leaf(&w, "left-out", "");
	xml_close(&w, "request");
	CU_ASSERT_PTR_NOT_NULL_FATAL(x = xml_parse(b.data, b.len, 1000, &e));
	CU_ASSERT_EQUAL(xml_attrs(xml_root(x), attrs, 1, &e), 0);
	CU_ASSERT_STRING_EQUAL(attr, expected);
	leaf = xml_first(xml_root(x));
	CU_ASSERT_PTR_NULL(xml_next(leaf));
	CU_ASSERT_EQUAL(xml_text(leaf, text, sizeof text, &e), 0);
	CU_ASSERT_STRING_EQUAL(text, expected);
	xml_free(x);
	buf_free(&b);
}

/* What a peer wrote cannot forge a line of the log or send control characters to a terminal. */
static void test_error_text(void)
{
	static const char text[] = "<request xmlns=\"" XML_NS "\"><caf\xc3\xa9\xe2\x80\xae/></request>";
	struct ca_message *m = mem_new(1, sizeof *m);
	struct err e;

	CU_ASSERT_EQUAL(ca_message_read(m, NULL, text, sizeof text - 1, 1000, &e), -1);
	for (const char *p = e.text; *p; p++)
		CU_ASSERT(*p >= 0x20 && *p <= 0x7e);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "line 1: "));
	ca_message_free(m);
}

UNIT_MAIN("xml", { "vectors", test_vectors }, { "frame", test_frame }, { "megabyte", test_megabyte },
	  { "tag limit", test_tag_limit }, { "comment joins", test_comment_joins }, { "escape", test_escape },
	  { "error text", test_error_text })
