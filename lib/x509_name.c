#include <config.h>

#include "x509_name.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "text.h"

#define RDN_MAX 16	/* more than any name in the wild */

static const struct {
	uint8_t len, oid[10];
	const char *label;
} attributes[] = {
	[NAME_O] = { 3, { 0x55, 4, 10 }, "O" },
	[NAME_OU] = { 3, { 0x55, 4, 11 }, "OU" },
	[NAME_L] = { 3, { 0x55, 4, 7 }, "L" },
	[NAME_CN] = { 3, { 0x55, 4, 3 }, "CN" },
	[NAME_SERIAL] = { 3, { 0x55, 4, 5 }, "serialNumber" },
	{ 3, { 0x55, 4, 6 }, "C" },
	{ 3, { 0x55, 4, 8 }, "ST" },
	{ 10, { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25 }, "DC" },
};

struct attribute {
	struct der oid, value;
	uint8_t tag;
};

static bool attribute_read(struct der *set, struct attribute *a)
{
	struct der pair = der_take(set, DER_SEQUENCE);

	a->oid = der_take(&pair, DER_OID);
	a->tag = der_peek(&pair);
	a->value = der_take(&pair, a->tag);
	return der_done(&pair);
}

/* One character of a value. Non-ASCII and control bytes become \XX (RFC 4514 2.4), so that a name cannot draw on a terminal. */
static void put_char(struct buf *out, uint8_t c, bool first)
{
	if (c < 0x20 || c >= 0x7f)
		buf_fmt(out, "\\%02x", c);
	else if (strchr("\",+;<>\\", c) || (first && (c == '#' || c == ' ')))
		buf_fmt(out, "\\%c", c);
	else
		buf_byte(out, c);
}

static void put_attribute(struct buf *out, const struct attribute *a)
{
	char oid[80];
	size_t i = 0;

	while (i < ARRAY_LEN(attributes) && !der_is(&a->oid, attributes[i].oid, attributes[i].len))
		i++;
	if (i < ARRAY_LEN(attributes))
		buf_str(out, attributes[i].label);
	else
		buf_str(out, der_oid_text(&a->oid, oid, sizeof oid) ? oid : "?");
	buf_byte(out, '=');
	for (size_t k = 0; k < a->value.left; k++)
		put_char(out, a->value.p[k], k == 0);
}

static void put_field(char *field, size_t size, int *seen, const struct attribute *a, bool token)
{
	char text[LIMIT_NAME + LIMIT_SERIAL + 1];

	field[0] = '\0';	/* there twice: it names nothing */
	if ((*seen)++ || (a->tag != DER_UTF8 && a->tag != DER_PRINTABLE && a->tag != DER_IA5) || a->value.left >= size)
		return;
	memcpy(text, a->value.p, a->value.left);
	text[a->value.left] = '\0';
	if (strlen(text) == a->value.left && (token ? text_is_token(text, size - 1) : text_is_name(text, size - 1)))
		memcpy(field, text, a->value.left + 1);
}

static bool is(const struct attribute *a, enum name_attribute which)
{
	return der_is(&a->oid, attributes[which].oid, attributes[which].len);
}

static void device_read(struct device_id *device, int seen[3], const struct attribute *a)
{
	if (is(a, NAME_O))
		put_field(device->manufacturer, sizeof device->manufacturer, &seen[0], a, false);
	else if (is(a, NAME_OU))
		put_field(device->model, sizeof device->model, &seen[1], a, false);
	else if (is(a, NAME_SERIAL))
		put_field(device->serial, sizeof device->serial, &seen[2], a, true);
}

static void text_write(char *text, size_t size, const struct der *rdn, size_t n)
{
	struct buf out = {0};

	while (n--) {	/* the last one first: RFC 4514 2.1 */
		struct der set = rdn[n];
		struct attribute a;
		bool more = false;

		while (set.left && attribute_read(&set, &a)) {
			if (more)
				buf_byte(&out, '+');
			put_attribute(&out, &a);
			more = true;
		}
		if (n)
			buf_byte(&out, ',');
	}
	snprintf(text, size, "%s", buf_text(&out));
	buf_free(&out);
}

bool name_read(const struct der *content, char *text, size_t size, struct device_id *device)
{
	struct der in = *content, rdn[RDN_MAX];
	int seen[3] = {0};
	size_t n = 0;

	while (in.left && !in.failed && n < RDN_MAX) {
		struct der set = rdn[n++] = der_take(&in, DER_SET);
		struct attribute a;

		if (set.left == 0)
			return false;
		while (set.left) {
			if (!attribute_read(&set, &a))
				return false;
			if (device)
				device_read(device, seen, &a);
		}
	}
	if (!der_done(&in))
		return false;
	if (text)
		text_write(text, size, rdn, n);
	return true;
}

/* serialNumber is a PrintableString (X.520 6.2.9), which has no underscore, though serials do. */
static uint8_t string_tag(enum name_attribute attribute, const char *value)
{
	return attribute == NAME_SERIAL && !strchr(value, '_') ? DER_PRINTABLE : DER_UTF8;
}

void name_put(struct buf *out, enum name_attribute attribute, const char *value)
{
	size_t set, pair;

	if (!*value)
		return;
	set = der_begin(out, DER_SET);
	pair = der_begin(out, DER_SEQUENCE);
	der_put(out, DER_OID, attributes[attribute].oid, attributes[attribute].len);
	der_put_text(out, string_tag(attribute, value), value);
	der_end(out, pair);
	der_end(out, set);
}
