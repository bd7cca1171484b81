/* What a parser makes of each file and of many damaged copies of it: one line each, "refused" or the digest of the tree.
 * Built twice, over libxml2 and over the agent's small parser, for test_xml_small.sh to compare. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "file.h"
#include "limits.h"
#include "xml.h"
#include "xml_parts.h"

#define PLACES 120	/* of a file that are damaged */

static void dump(const struct xml_node *n, struct buf *out)
{
	const char *name;
	char *value;

	buf_fmt(out, "(%s", xml_name(n));
	for (size_t i = 0; (name = xml_attr_at(n, i, &value)) != NULL; i++) {
		buf_fmt(out, " %s=[%s]", name, value);
		free(value);
	}
	if (xml_first(n))
		buf_str(out, xml_has_text(n) ? " mixed" : "");
	else
		buf_fmt(out, " [%s]", xml_own_text(n) ? xml_own_text(n) : "pieces");
	for (const struct xml_node *c = xml_first(n); c; c = xml_next(c))
		dump(c, out);
	buf_str(out, ")");
}

static void judge(const char *path, const char *what, size_t at, const uint8_t *data, size_t len)
{
	char hex[SHA256_HEX];
	struct buf tree = {0};
	struct err e;
	struct xml *x = xml_parse(data, len, LIMIT_FRAME_UNIT, &e);

	if (x) {
		dump(xml_root(x), &tree);
		digest_sha256_hex(hex, tree.data, tree.len);
	}
	printf("%s %s %zu %s\n", strrchr(path, '/') + 1, what, at, x ? hex : "refused");
	xml_free(x);
	buf_free(&tree);
}

static void judge_file(const char *path)
{
	static const char wrong[] = "<>&\"' ]:\r\x80";
	struct buf b = {0};
	struct err e;
	size_t step;

	if (file_read(&b, path, LIMIT_FRAME_UNIT, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	judge(path, "whole", 0, b.data, b.len);
	step = b.len / PLACES + 1;
	for (size_t i = 0; i < b.len && b.len < LIMIT_REQUEST; i += step) {
		uint8_t kept = b.data[i];

		judge(path, "cut", i, b.data, i);
		for (size_t k = 0; k < sizeof wrong - 1; k++) {
			b.data[i] = (uint8_t)wrong[k];
			judge(path, "changed", i, b.data, b.len);
		}
		b.data[i] = kept;
	}
	buf_free(&b);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		judge_file(argv[i]);
	return 0;
}
