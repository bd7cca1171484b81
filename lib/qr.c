#include <config.h>

#include "qr.h"

#include <errno.h>
#include <qrencode.h>

int qr_make(struct qr *q, const char *text, struct err *e)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);

	if (!code)
		return err_errno(e, REASON_INTERNAL, "no QR code can be made of %s", text);
	*q = (struct qr){ .width = (unsigned)code->width, .code = code };
	return 0;
}

void qr_free(struct qr *q)
{
	QRcode_free(q->code);
	*q = (struct qr){0};
}

bool qr_dark(const struct qr *q, unsigned x, unsigned y)
{
	const QRcode *code = q->code;

	return x < q->width && y < q->width && code->data[y * q->width + x] & 1;
}

void qr_print(const struct qr *q, const char *indent, struct buf *out)
{
	static const char *const block[] = { " ", "\u2580", "\u2584", "\u2588" };	/* none, upper, lower, both */
	unsigned side = q->width + 2 * QR_QUIET;

	for (unsigned y = 0; y < side; y += 2) {
		buf_str(out, indent);
		for (unsigned x = 0; x < side; x++) {
			/* left of the code, and above it, the difference is a large number, and white, too */
			bool upper = qr_dark(q, x - QR_QUIET, y - QR_QUIET), lower = qr_dark(q, x - QR_QUIET, y + 1 - QR_QUIET);

			buf_str(out, block[upper + 2 * lower]);
		}
		buf_byte(out, '\n');
	}
}
