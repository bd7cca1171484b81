/* pem.h - DER between labels in text (RFC 7468). */
#ifndef HANDSEL_PEM_H
#define HANDSEL_PEM_H

#include "buf.h"

/* The next block of this label at or after *at: 1 and the DER in *der (replaced), 0 none, -1 one that is cut or no base64. */
int pem_next(const char **at, const char *label, struct buf *der);
void pem_put(struct buf *pem, const char *label, const struct buf *der);	/* appends */

#endif
