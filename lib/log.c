#include <config.h>

#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *program = "handsel";
static int verbosity;
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*sink)(const char *line, void *arg);
static void *sink_arg;

void log_program(const char *name, int verbose)
{
	program = name;
	verbosity = verbose;
}

void log_to(void (*to)(const char *line, void *arg), void *arg)
{
	pthread_mutex_lock(&sink_lock);
	sink = to;
	sink_arg = arg;
	pthread_mutex_unlock(&sink_lock);
}

/* One write a line, so that the lines of several threads and processes do not mix;
 * control characters of a peer's text may not reach a terminal. */
static void put(const char *level, const char *fmt, va_list ap)
{
	char text[1200], line[1400];

	vsnprintf(text, sizeof text, fmt, ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	pthread_mutex_lock(&sink_lock);
	if (sink) {
		snprintf(line, sizeof line, "%s: %s", level, text);
		sink(line, sink_arg);
	} else {
		snprintf(line, sizeof line, "%s: %s: %s\n", program, level, text);
		fputs(line, stderr);
	}
	pthread_mutex_unlock(&sink_lock);
}

#define LOGGER(name, level, condition)		\
	void name(const char *fmt, ...)		\
	{					\
		va_list ap;			\
						\
		if (!(condition))		\
			return;			\
		va_start(ap, fmt);		\
		put(level, fmt, ap);		\
		va_end(ap);			\
	}

LOGGER(log_error, "error", 1)
LOGGER(log_warn, "warning", 1)
LOGGER(log_info, "info", 1)
LOGGER(log_debug, "debug", verbosity > 0)

void log_err(const struct err *e, const char *fmt, ...)
{
	char context[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof context, fmt, ap);
	va_end(ap);
	log_error("%s %s: %s [%s: %s]", reason_id(e->code), context, e->text, reason_info(e->code)->who,
		  reason_info(e->code)->action);
}
