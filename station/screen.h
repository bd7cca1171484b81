/* screen.h - the board on the whole terminal (ncurses). One thread draws. */
#ifndef HANDSEL_SCREEN_H
#define HANDSEL_SCREEN_H

#include <stdbool.h>

#include "board.h"
#include "console_settings.h"

struct screen;
/* Takes the terminal at standard output; NULL: it cannot be drawn on (no cursor addressing, unknown TERM). However the process
 * ends, but by SIGKILL, the terminal is as before. */
struct screen *screen_open(enum palette palette);
void screen_close(struct screen *s);

/* Draws what has changed, in the size that the terminal has now. */
void screen_draw(struct screen *s, const struct board *b);

#endif
