/* printer.h - a label printer: ZPL over TCP (port 9100), with its status read back. One for all slots of a run. */
#ifndef HANDSEL_PRINTER_H
#define HANDSEL_PRINTER_H

#include "label.h"

#define PRINTER_READY "ok"

struct printer;
/* tell: what its state is now, a word or two, whenever it was looked at; may be NULL. */
struct printer *printer_new(const struct label_settings *s, void (*tell)(void *arg, const char *state), void *arg);
void printer_free(struct printer *p);	/* NULL is fine */
const char *printer_name(const struct printer *p);	/* "HOST:PORT" */

/* Is it ready? Codes PRINTER (not reached, or it is no ZPL printer) and those of zpl_status_judge(). */
int printer_look(struct printer *p, struct err *e);

/* Prints and waits until the label is on paper. While the printer cannot, go_on is asked a few times a second (why: what is in the
 * way, NULL while other labels are before this one); if it says no, the last error is returned. given counts how often the printer
 * got the label, also before: after a connection broke it is given again, and there may be two. Any thread; one label at a time. */
typedef bool printer_go_on(void *arg, const struct err *why);
int printer_print(struct printer *p, const struct buf *zpl, printer_go_on *go_on, void *arg, uint32_t *given, struct err *e);

#endif
