/* The agent's small XML parser beside libxml2: what it takes, libxml2 takes, and both see the same. */
#include <config.h>

#include "fuzz.h"
#include "limits.h"
#include "xml.h"
#include "xml_parts.h"

struct xml *small_parse(const void *data, size_t len, size_t max, struct err *e);
void small_free(struct xml *x);
const struct xml_node *small_root(const struct xml *x);
const char *small_name(const struct xml_node *n);
int small_line(const struct xml_node *n);
const struct xml_node *small_first(const struct xml_node *n);
const struct xml_node *small_next(const struct xml_node *n);
size_t small_bytes(const struct xml_node *n);
const char *small_attr_at(const struct xml_node *n, size_t i, char **value);
bool small_has_text(const struct xml_node *n);
const char *small_own_text(const struct xml_node *n);

struct parser {
	struct xml *(*parse)(const void *data, size_t len, size_t max, struct err *e);
	void (*free)(struct xml *x);
	const struct xml_node *(*root)(const struct xml *x);
	const char *(*name)(const struct xml_node *n);
	const struct xml_node *(*first)(const struct xml_node *n), *(*next)(const struct xml_node *n);
	size_t (*bytes)(const struct xml_node *n);
	const char *(*attr_at)(const struct xml_node *n, size_t i, char **value);
	bool (*has_text)(const struct xml_node *n);
	const char *(*own_text)(const struct xml_node *n);
};

static const struct parser large = { xml_parse, xml_free, xml_root, xml_name, xml_first, xml_next, xml_bytes, xml_attr_at,
				     xml_has_text, xml_own_text };
static const struct parser small = { small_parse, small_free, small_root, small_name, small_first, small_next, small_bytes,
				     small_attr_at, small_has_text, small_own_text };

/* Both stand behind one interface, so the second one gets other names here. */
#define xml_parse small_parse
#define xml_free small_free
#define xml_root small_root
#define xml_name small_name
#define xml_line small_line
#define xml_first small_first
#define xml_next small_next
#define xml_bytes small_bytes
#define xml_attr_at small_attr_at
#define xml_has_text small_has_text
#define xml_own_text small_own_text
#include "../device-agent/xml_small.c"

static void dump(const struct parser *p, const struct xml_node *n, struct buf *out)
{
	const char *name;
	char *value;

	buf_fmt(out, "(%s %zu", p->name(n), p->bytes(n));
	for (size_t i = 0; (name = p->attr_at(n, i, &value)) != NULL; i++) {
		buf_fmt(out, " %s=[%s]", name, value);
		free(value);
	}
	if (p->first(n))
		buf_str(out, p->has_text(n) ? " mixed" : "");
	else
		buf_fmt(out, " [%s]", p->own_text(n) ? p->own_text(n) : "pieces");
	for (const struct xml_node *c = p->first(n); c; c = p->next(c))
		dump(p, c, out);
	buf_str(out, ")");
}

static bool tree_of(const struct parser *p, const uint8_t *data, size_t size, struct buf *out)
{
	struct err e = {0};
	struct xml *x = p->parse(data, size, LIMIT_FRAME_UNIT, &e);

	if (x)
		dump(p, p->root(x), out);
	else
		FUZZ_MUST(e.code == REASON_REQUEST && e.text[0]);
	p->free(x);
	return x != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf of_large = {0}, of_small = {0};

	if (tree_of(&small, data, size, &of_small)) {
		FUZZ_MUST(tree_of(&large, data, size, &of_large));
		FUZZ_MUST(buf_same(&of_small, &of_large));
	}
	buf_free(&of_large);
	buf_free(&of_small);
	return 0;
}
