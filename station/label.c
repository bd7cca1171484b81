#include <config.h>

#include "label.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "picture.h"
#include "text.h"

static const char *const field_names[] = { "manufacturer", "model", "serial", "fingerprint", "order", "date", NULL };

/* ---- settings ------------------------------------------------------------------------ */

static int read_lines(struct label_settings *s, const struct conf_node *n, struct err *e)
{
	int f = 0;

	if (!n)
		return 0;
	if (conf_count(n) > LABEL_FIELDS)
		return conf_error(n, e, "at most %d fields, each once", LABEL_FIELDS);
	s->n_fields = 0;
	for (size_t i = 0; i < conf_count(n); i++) {
		if (conf_choice(conf_item(n, i), field_names, &f, e) < 0)
			return -1;
		s->field[s->n_fields++] = (enum label_field)f;
	}
	return 0;
}

/* A label with another character than was meant is worse than none. */
static int check_text(const struct conf_node *n, const char *text, struct err *e)
{
	uint8_t column[FONT_WIDTH];
	size_t at = 0;

	if (!*text)
		return conf_error(n, e, "text: an empty line");
	for (const char *next = text; *next; at++) {
		const char *here = next;
		uint32_t code = font_next(&next);

		if (!font_columns(code, column))
			return conf_error(n, e, "text: character %zu, U+%04X%s%.*s%s, is none that a label can have; letters of Latin scripts in one "
					  "piece (NFC) and printable ASCII are possible", at + 1, (unsigned)code, code < 0xa0 ? "" : " \"",
					  code < 0xa0 ? 0 : (int)(next - here), here, code < 0xa0 ? "" : "\"");
	}
	return 0;
}

static int read_texts(struct label_settings *s, const struct conf_node *n, struct err *e)
{
	if (!n)
		return 0;
	if (conf_count(n) > LABEL_TEXTS_MAX)
		return conf_error(n, e, "text: at most %d lines", LABEL_TEXTS_MAX);
	for (size_t i = 0; i < conf_count(n); i++)
		if (conf_str(conf_item(n, i), s->text[i], sizeof s->text[i], e) < 0 || check_text(conf_item(n, i), s->text[i], e) < 0)
			return -1;
	s->n_texts = conf_count(n);
	return 0;
}

static int read_size(struct label_settings *s, const struct conf_node *const *v, struct err *e)
{
	static const char *const dpi[] = { "152", "203", "300", "600", NULL };
	static const unsigned dots_per_mm[] = { 6, 8, 12, 24 };
	uint64_t width = s->width_mm, height = s->height_mm;
	int i = 1;

	if (conf_uint(v[0], &width, LABEL_MM_MIN, LABEL_MM_MAX, e) < 0 ||
	    conf_uint(v[1], &height, LABEL_MM_MIN, LABEL_MM_MAX, e) < 0 || conf_choice(v[2], dpi, &i, e) < 0)
		return -1;
	s->width_mm = (unsigned)width;
	s->height_mm = (unsigned)height;
	s->dots_per_mm = dots_per_mm[i];
	return 0;
}

static int read_printer(struct label_settings *s, const struct conf_node *printer, const struct conf_node *port, struct err *e)
{
	uint64_t n = 0;

	if (port && !printer)
		return conf_error(port, e, "port: which printer's? add printer");
	if (conf_str(printer, s->host, sizeof s->host, e) < 0 || conf_uint(port, &n, 1, 65535, e) < 0)
		return -1;
	if (printer && (!text_is_name(s->host, sizeof s->host - 1) || strpbrk(s->host, " /")))
		return conf_error(printer, e, "the name or the address of a printer is needed");
	if (port)
		snprintf(s->port, sizeof s->port, "%u", (unsigned)n);
	return 0;
}

int label_settings_read(struct label_settings *s, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "width-mm", CONF_SCALAR, false }, { "height-mm", CONF_SCALAR, false }, { "dpi", CONF_SCALAR, false },
		{ "fields", CONF_LIST, false },	    { "printer", CONF_SCALAR, false },	 { "port", CONF_SCALAR, false },
		{ "text", CONF_LIST, false },
	};
	const struct conf_node *v[ARRAY_LEN(fields)];

	*s = (struct label_settings){ .width_mm = 50, .height_mm = 25, .dots_per_mm = 8, .n_fields = 3, .port = PRINTER_PORT,
				      .field = { LABEL_MODEL, LABEL_SERIAL, LABEL_FINGERPRINT } };
	if (!n)
		return 0;
	if (conf_fields(n, fields, ARRAY_LEN(fields), v, e) < 0 || read_size(s, v, e) < 0 || read_lines(s, v[3], e) < 0 ||
	    read_texts(s, v[6], e) < 0)
		return -1;
	return read_printer(s, v[4], v[5], e);
}

bool label_is_printed(const struct label_settings *s)
{
	return s->host[0];
}

/* ---- contents ---------------------------------------------------------------------------- */

int label_of_record(struct label *l, const struct record *r, struct err *e)
{
	struct cert c = {0};

	*l = (struct label){ .device = r->hello.device, .time = r->start };
	text_copy(l->order, sizeof l->order, r->order);
	if (!r->proof.certificate.len)
		return err_set(e, REASON_REQUEST, "no device has proved its key here: a label would say what nobody knows");
	if (cert_parse(&c, r->proof.certificate.data, r->proof.certificate.len, e) < 0)
		return -1;
	memcpy(l->key_sha256, c.spki_sha256, SHA256_LEN);
	cert_free(&c);
	return 0;
}

void label_qr(const struct label *l, char text[LABEL_QR_MAX])
{
	char hex[SHA256_HEX];

	text_hex(hex, l->key_sha256, SHA256_LEN);
	snprintf(text, LABEL_QR_MAX, "handsel:1:%s:%s:%s", l->device.serial, hex, l->device.model);
}

void label_line(const struct label *l, enum label_field f, char text[LABEL_TEXT_MAX])
{
	char time[TEXT_TIME];

	switch (f) {
	case LABEL_MANUFACTURER:
		snprintf(text, LABEL_TEXT_MAX, "%s", l->device.manufacturer);
		break;
	case LABEL_MODEL:
		snprintf(text, LABEL_TEXT_MAX, "%s", l->device.model);
		break;
	case LABEL_SERIAL:
		snprintf(text, LABEL_TEXT_MAX, "%s", l->device.serial);
		break;
	case LABEL_FINGERPRINT:
		text_hex(text, l->key_sha256, SHA256_LEN);
		break;
	case LABEL_ORDER:
		snprintf(text, LABEL_TEXT_MAX, "%s", l->order);
		break;
	default:
		text_time(time, l->time);
		snprintf(text, LABEL_TEXT_MAX, "%.10s", time);
	}
}

void label_text(const struct label_settings *s, const struct label *l, struct buf *out)
{
	char text[LABEL_TEXT_MAX], qr[LABEL_QR_MAX];

	for (size_t i = 0; i < s->n_texts; i++)
		buf_fmt(out, "text %s\n", s->text[i]);
	for (size_t i = 0; i < s->n_fields; i++) {
		label_line(l, s->field[i], text);
		buf_fmt(out, "%s %s\n", field_names[s->field[i]], text);
	}
	label_qr(l, qr);
	buf_fmt(out, "qr %s\n", qr);
}
