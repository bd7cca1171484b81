/* zpl.h - the two parts of ZPL II that we use: a picture to print (^GF), and the host status (~HS). */
#ifndef HANDSEL_ZPL_H
#define HANDSEL_ZPL_H

#include <stdbool.h>
#include <stddef.h>

#include "picture.h"

/* One label of one picture: everything is in dots, no font of the printer is used. Appends. */
void zpl_picture(const struct picture *p, struct buf *out);
int zpl_label(const struct label_settings *s, const struct label *l, struct buf *out, struct err *e);	/* draws it, too */

#define ZPL_STATUS_ASK "~HS"
#define ZPL_STATUS_LEN 82	/* three strings, each <STX>...<ETX><CR><LF>, with fields of fixed width */

struct zpl_status {
	bool paper_out, paused, buffer_full, partial, corrupt_ram, too_cold, too_hot;
	bool head_open, ribbon_out, thermal_transfer, label_waiting;
	unsigned formats;	/* in the receive buffer */
	unsigned remaining;	/* labels of the batch */
};

/* Exactly ZPL_STATUS_LEN bytes, each of which is what the manual says. Code PRINTER: this is no ZPL printer. */
int zpl_status_parse(struct zpl_status *s, const void *data, size_t len, struct err *e);

/* 0: it prints; -1: why not, the code has the remedy. */
int zpl_status_judge(const struct zpl_status *s, struct err *e);

/* All that it was given is on paper. */
bool zpl_status_is_done(const struct zpl_status *s);

#endif
