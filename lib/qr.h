/* qr.h - QR codes (ISO/IEC 18004, level M). The only user of libqrencode. */
#ifndef HANDSEL_QR_H
#define HANDSEL_QR_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

#define QR_QUIET 4	/* modules of white that belong around it */

struct qr {
	unsigned width;		/* modules of a side, without the white around it */
	void *code;
};
int qr_make(struct qr *q, const char *text, struct err *e);	/* code INTERNAL: it is too long */
void qr_free(struct qr *q);
bool qr_dark(const struct qr *q, unsigned x, unsigned y);

/* Appends it as lines of block characters (UTF-8), two rows of modules in each, dark on light: for paper, and
 * for terminals as they come, since scanners read it inverted, too. */
void qr_print(const struct qr *q, const char *indent, struct buf *out);

#endif
