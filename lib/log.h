/* log.h - messages to stderr (the journal): "level: text", one line each, no secrets. */
#ifndef HANDSEL_LOG_H
#define HANDSEL_LOG_H

#include "err.h"

void log_program(const char *name, int verbose);	/* once, at start */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* only with verbose */

/* "error: E21 context: sentence; action of the reason" */
void log_err(const struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* From now on each line (without LF) goes to `sink` in place of stderr, from any thread; NULL: to stderr again. The sink belongs to
 * whoever draws on the terminal, and must not log. */
void log_to(void (*sink)(const char *line, void *arg), void *arg);

#endif
