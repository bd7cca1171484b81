/* New entries in an allowlist that people keep by hand: spliced into the text, so that every other byte stays. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allowlist.h"
#include "conf.h"
#include "mem.h"

struct place {
	size_t offset;		/* where the new lines go */
	size_t cut;		/* bytes there that they replace */
	int indent;		/* of "- " */
	bool head;		/* "devices:" is not there yet */
	bool several;		/* manufacturers: each entry names its own */
};

static int find_place(const struct buf *text, const struct conf_node *version, const struct conf_node *list, struct place *p,
		      struct err *e)
{
	size_t at;

	*p = (struct place){ .offset = text->len, .indent = 2, .head = !list };
	if (!list)
		return 0;
	at = conf_offset(text, list);
	if (at < text->len && text->data[at] == '[') {
		const uint8_t *end = memchr(text->data + at, ']', text->len - at);

		if (conf_count(list) || !end)
			return conf_error(
				list, e,
				"the list is written in brackets; write each device on a line of its own, \"- serial: "
				"...\", so that entries can be added");
		p->offset = at;
		p->cut = (size_t)(end - text->data) + 1 - at;
		return 0;
	}
	p->indent = conf_column(list) - 1;
	if (conf_line(version) > conf_line(list))	/* the only other key stands behind the list */
		p->offset = conf_line_offset(text, conf_line(version));
	return 0;
}

static void new_name(struct buf *out, const struct place *p, const char *key, const char *name)
{
	buf_fmt(out, "%*s%s: ", p->indent + 2, "", key);
	conf_quote(out, name);
	buf_byte(out, '\n');
}

static void new_lines(struct buf *out, const struct place *p, const struct device_id *devices, size_t n, const char *comment)
{
	buf_fmt(out, "%*s# %s\n", p->indent, "", comment);
	for (size_t i = 0; i < n; i++) {
		buf_fmt(out, "%*s- serial: \"%s\"\n", p->indent, "", devices[i].serial);
		if (p->several)
			new_name(out, p, "manufacturer", devices[i].manufacturer);
		new_name(out, p, "model", devices[i].model);
	}
}

static void splice(struct buf *text, const struct place *p, const struct device_id *devices, size_t n, const char *comment)
{
	struct buf out = {0};
	size_t rest = p->offset + p->cut;

	buf_add(&out, text->data, p->offset);
	if (p->cut)	/* "devices: []" becomes "devices:" */
		while (out.len && out.data[out.len - 1] == ' ')
			out.len--;
	if (out.len && out.data[out.len - 1] != '\n')
		buf_byte(&out, '\n');
	if (p->head)
		buf_str(&out, "devices:\n");
	new_lines(&out, p, devices, n, comment);
	if (p->cut && rest < text->len && text->data[rest] == '\n')	/* its line has ended above */
		rest++;
	buf_add(&out, text->data + rest, text->len - rest);
	buf_free(text);
	*text = out;
}

/* What was there must still be there, and the new ones behind it. */
static bool is_as_meant(const struct allowlist *before, const struct allowlist *after, const struct device_id *devices,
			size_t n)
{
	if (after->problems.errors || after->n != before->n + n)
		return false;
	for (size_t i = 0; i < before->n; i++)
		if (!device_same(&before->entry[i].device, &after->entry[i].device) ||
		    before->entry[i].kind != after->entry[i].kind || strcmp(before->entry[i].to, after->entry[i].to) != 0 ||
		    before->entry[i].blocked != after->entry[i].blocked || before->entry[i].expires != after->entry[i].expires)
			return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(after->entry[before->n + i].device.serial, devices[i].serial) != 0)
			return false;
	return true;
}

static int find_and_splice(struct buf *text, const char *file, bool several, const struct device_id *devices, size_t n,
			   const char *comment, struct err *e)
{
	static const struct conf_field fields[] = { { "version", CONF_SCALAR, true }, { "devices", CONF_LIST, false } };
	const struct conf_node *f[2];
	struct conf *c = conf_parse(file, text, e);
	struct place p;
	int rc = -1;

	if (c && conf_fields(conf_root(c), fields, 2, f, e) == 0 && find_place(text, f[0], f[1], &p, e) == 0) {
		p.several = several;
		splice(text, &p, devices, n, comment);
		rc = 0;
	}
	conf_free(c);
	return rc;
}

int allowlist_append(struct buf *text, const char *file, const struct makers *makers, const struct device_id *devices, size_t n,
		     const char *comment, struct err *e)
{
	struct allowlist before = {0}, after = {0};
	int rc = -1;

	if (n == 0)
		return 0;
	allowlist_parse(&before, file, text, makers, 0);
	if (before.problems.errors) {
		allowlist_refuse(&before, e);
		goto out;
	}
	if (find_and_splice(text, file, makers->n > 1, devices, n, comment, e) < 0)
		goto out;
	allowlist_parse(&after, file, text, makers, 0);
	if (is_as_meant(&before, &after, devices, n))
		rc = 0;
	else
		err_set(e, REASON_CONFIG,
			"%s: new entries cannot be added to a list written in this form; write each device on a line of "
			"its own, \"- serial: ...\", below devices:",
			file);
out:
	allowlist_free(&before);
	allowlist_free(&after);
	return rc;
}
