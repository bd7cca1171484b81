/* dfu_suffix.h - the suffix of a DFU file (DFU 1.1, appendix B), which is for the host and never goes to a device. */
#ifndef HANDSEL_DFU_SUFFIX_H
#define HANDSEL_DFU_SUFFIX_H

#include "buf.h"
#include "err.h"

/* Takes it off if there is one. Code CONFIG if its sum is wrong, or if it is for another device than vid:pid. */
int dfu_suffix_take(struct buf *file, uint16_t vid, uint16_t pid, struct err *e);

#endif
