/* After the "ZPL II Programming Guide": ^GF, ~HS. */
#include <config.h>

#include "zpl.h"

#include <string.h>

/* ---- a label ------------------------------------------------------------------------- */

void zpl_picture(const struct picture *p, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t total = p->stride * p->height;
	uint8_t *hex;

	/* Size and origin are said, so that nothing of an earlier format counts; one copy, no pause. */
	buf_fmt(out, "^XA^PW%u^LL%u^LH0,0^LS0^LT0^PON^FO0,0^GFA,%zu,%zu,%zu,", p->width, p->height, total, total, p->stride);
	hex = buf_room(out, 2 * total);
	if (!hex)
		return;
	for (size_t i = 0; i < total; i++) {
		hex[2 * i] = (uint8_t)digits[p->bits[i] >> 4];
		hex[2 * i + 1] = (uint8_t)digits[p->bits[i] & 15];
	}
	out->len += 2 * total;
	buf_str(out, "^FS^PQ1,0,1,N^XZ\r\n");
}

int zpl_label(const struct label_settings *s, const struct label *l, struct buf *out, struct err *e)
{
	struct picture p;

	if (picture_draw(&p, s, l, e) < 0)
		return -1;
	zpl_picture(&p, out);
	picture_free(&p);
	return 0;
}

/* ---- the host status ------------------------------------------------------------------- */

/* d: a digit, b: 0 or 1, m: a letter or a digit; all others stand for themselves. */
static const char form[ZPL_STATUS_LEN + 1] = "\x02" "ddd,b,b,dddd,ddd,b,b,b,000,b,b,b\x03\r\n"
					     "\x02" "ddd,d,b,b,b,m,d,b,dddddddd,b,ddd\x03\r\n"
					     "\x02" "dddd,b\x03\r\n";
enum { AT_PAPER = 5, AT_PAUSE = 7, AT_FORMATS = 14, AT_FULL = 18, AT_PARTIAL = 22, AT_RAM = 28, AT_COLD = 30, AT_HOT = 32 };
enum { AT_HEAD = 43, AT_RIBBON = 45, AT_THERMAL = 47, AT_WAITING = 53, AT_REMAINING = 55 };

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool fits(char want, uint8_t c)
{
	switch (want) {
	case 'd':
		return is_digit(c);
	case 'b':
		return c == '0' || c == '1';
	case 'm':
		return is_digit(c) || (c >= 'A' && c <= 'Z');
	default:
		return c == (uint8_t)want;
	}
}

static unsigned number(const uint8_t *at, size_t digits)
{
	unsigned n = 0;

	while (digits--)
		n = n * 10 + *at++ - '0';
	return n;
}

int zpl_status_parse(struct zpl_status *s, const void *data, size_t len, struct err *e)
{
	const uint8_t *c = data;

	if (len != ZPL_STATUS_LEN)
		return err_set(e, REASON_PRINTER, "the answer to ~HS has %zu bytes, not %d", len, ZPL_STATUS_LEN);
	for (size_t i = 0; i < len; i++)
		if (!fits(form[i], c[i]))
			return err_set(e, REASON_PRINTER, "byte %zu of the answer to ~HS is 0x%02x, which no ZPL printer says there", i, c[i]);
	*s = (struct zpl_status){
		.paper_out = c[AT_PAPER] == '1',   .paused = c[AT_PAUSE] == '1',     .formats = number(c + AT_FORMATS, 3),
		.buffer_full = c[AT_FULL] == '1',  .partial = c[AT_PARTIAL] == '1',  .corrupt_ram = c[AT_RAM] == '1',
		.too_cold = c[AT_COLD] == '1',	   .too_hot = c[AT_HOT] == '1',	     .head_open = c[AT_HEAD] == '1',
		.ribbon_out = c[AT_RIBBON] == '1', .thermal_transfer = c[AT_THERMAL] == '1',
		.label_waiting = c[AT_WAITING] == '1', .remaining = number(c + AT_REMAINING, 8),
	};
	return 0;
}

/* What a hand has to do first comes first: an open head also ends paper and pauses. */
int zpl_status_judge(const struct zpl_status *s, struct err *e)
{
	if (s->head_open)
		return err_set(e, REASON_HEAD_OPEN, "its head is open");
	if (s->paper_out)
		return err_set(e, REASON_PAPER_OUT, "it is out of paper");
	if (s->ribbon_out && s->thermal_transfer)
		return err_set(e, REASON_RIBBON_OUT, "it is out of ribbon");
	if (s->corrupt_ram)
		return err_set(e, REASON_PRINTER_FAULT, "it has lost its configuration");
	if (s->too_cold || s->too_hot)
		return err_set(e, REASON_PRINTER_FAULT, "its head is too %s", s->too_hot ? "hot" : "cold");
	if (s->buffer_full)
		return err_set(e, REASON_PRINTER_BUSY, "its buffer is full");
	if (s->paused)
		return err_set(e, REASON_PRINTER_PAUSED, "it is paused");
	return 0;
}

bool zpl_status_is_done(const struct zpl_status *s)
{
	return s->formats == 0 && s->remaining == 0 && !s->partial;
}
